use super::encoding::{Encoded, EncodingType, encoded};
use super::writer::Writer;

/// What a page of a bucket's objects and one of its versions say alike.
#[derive(Debug, Clone)]
pub struct KeysPage<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The prefix that was asked for; may be empty.
    pub prefix: &'a str,
    /// The delimiter, if one was asked for.
    pub delimiter: Option<&'a str>,
    /// How many entries were asked for.
    pub max_keys: u32,
    /// How keys are written.
    pub encoding: Option<EncodingType>,
    /// Whether there is more.
    pub is_truncated: bool,
    /// The stretches of keys.
    pub common_prefixes: Vec<&'a str>,
}

impl KeysPage<'_> {
    /// A key, prefix, delimiter or marker, as this page writes it.
    pub(super) fn encoded<'t>(&self, text: &'t str) -> Encoded<'t> {
        encoded(text, self.encoding)
    }

    /// Writes what comes before the markers.
    pub(super) fn write_head(&self, to: &mut Writer) {
        to.element("IsTruncated", self.is_truncated);
    }

    /// Writes what comes behind the entries.
    pub(super) fn write_tail(&self, to: &mut Writer) {
        to.element("Name", self.bucket);
        to.element("Prefix", self.encoded(self.prefix));
        to.optional("Delimiter", self.delimiter.map(|text| self.encoded(text)));
        to.element("MaxKeys", self.max_keys);
        write_prefixes(&self.common_prefixes, self.encoding, to);
        to.optional("EncodingType", self.encoding.map(EncodingType::name));
    }
}

pub(super) fn write_prefixes(prefixes: &[&str], encoding: Option<EncodingType>, to: &mut Writer) {
    for prefix in prefixes {
        to.parent("CommonPrefixes", |to| {
            to.element("Prefix", encoded(prefix, encoding));
        });
    }
}
