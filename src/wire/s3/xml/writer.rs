use std::fmt::{self, Display, Write as _};

use crate::s3::date::Iso8601;

/// Writes a document. Names are ours; every value is escaped.
pub(crate) struct Writer {
    text: String,
}

impl Writer {
    /// A document in the S3 namespace.
    pub(crate) fn document(root: &str, content: impl FnOnce(&mut Self)) -> String {
        Self::written(root, NAMESPACE, CAPACITY, content)
    }

    /// A document in the namespace of AWS STS.
    pub(crate) fn sts_document(root: &str, content: impl FnOnce(&mut Self)) -> String {
        Self::written(root, STS_NAMESPACE, STS_CAPACITY, content)
    }

    /// A document without a namespace, as errors are.
    pub(crate) fn plain_document(root: &str, content: impl FnOnce(&mut Self)) -> String {
        Self::written(root, "", CAPACITY, content)
    }

    fn written(
        root: &str,
        namespace: &str,
        capacity: usize,
        content: impl FnOnce(&mut Self),
    ) -> String {
        let mut text = String::with_capacity(capacity);
        text.push_str(DECLARATION);
        text.push('<');
        text.push_str(root);
        text.push_str(namespace);
        text.push('>');
        let mut writer = Self { text };
        content(&mut writer);
        writer.end(root);
        writer.text
    }

    /// An element that holds others.
    pub(crate) fn parent(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.begin(name);
        content(self);
        self.end(name);
    }

    /// An element that holds a value.
    pub(crate) fn element(&mut self, name: &str, value: impl Display) {
        self.begin(name);
        self.text(value);
        self.end(name);
    }

    /// An element that may be left out.
    pub(crate) fn optional(&mut self, name: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.element(name, value);
        }
    }

    /// An ETag, which stands in quotes.
    pub(crate) fn etag(&mut self, etag: impl Display) {
        self.begin("ETag");
        self.text.push_str("&quot;");
        self.text(etag);
        self.text.push_str("&quot;");
        self.end("ETag");
    }

    /// An instant, from milliseconds since the epoch.
    pub(crate) fn instant(&mut self, name: &str, ms: u64) {
        self.element(name, Iso8601(ms));
    }

    /// A value in the element that was begun.
    pub(crate) fn text(&mut self, value: impl Display) {
        // Writing to a String does not fail.
        let _ = write!(Escaped(&mut self.text), "{value}");
    }

    fn begin(&mut self, name: &str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
    }

    fn end(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }
}

/// Escapes what is written through it.
///
/// Control characters, which XML 1.0 cannot hold, are written as references nevertheless, as Amazon
/// does: a list must not hide an object, and `encoding-type=url` is there for who wants to parse
/// it. So are line ends, which a parser would change.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        // Every byte that is escaped is a character of its own, so bytes are enough to look at.
        while let Some(at) = rest.bytes().position(is_escaped) {
            let (plain, behind) = rest.split_at(at);
            let (special, behind) = behind.split_at(1);
            self.0.push_str(plain);
            match special {
                "<" => self.0.push_str("&lt;"),
                ">" => self.0.push_str("&gt;"),
                "&" => self.0.push_str("&amp;"),
                "\"" => self.0.push_str("&quot;"),
                _ => write!(self.0, "&#x{:X};", special.as_bytes()[0])?,
            }
            rest = behind;
        }
        self.0.push_str(rest);
        Ok(())
    }
}

fn is_escaped(byte: u8) -> bool {
    matches!(byte, b'<' | b'>' | b'&' | b'"' | 0..0x20)
}

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
const STS_NAMESPACE: &str = " xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"";
const CAPACITY: usize = 1024;
/// Room for the longest names from the start: some of these documents hold a secret, of which no
/// copy is to be left behind by growing.
const STS_CAPACITY: usize = 8192;
