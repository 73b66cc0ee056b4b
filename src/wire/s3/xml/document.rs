use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use crate::s3::{ErrorCode, Refusal};

/// An element of a document that a client sent: its name without a prefix, the text directly in
/// it, and its children in order.
///
/// Namespaces and attributes are not looked at, as clients send the S3 namespace, none, or that of
/// another age. A tree and not serde, whose deserializer trims text: a key may begin or end with
/// a space, and to delete `a` for ` a` is to delete another object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    name: String,
    text: String,
    children: Vec<Self>,
}

impl Element {
    /// Reads a whole document, which must have this root.
    ///
    /// Control characters other than NUL are taken as they stand, though XML forbids it: clients
    /// send them so (Python's ElementTree), and a key that may be put must be one that may be
    /// deleted.
    ///
    /// # Errors
    /// `MalformedXML`: no UTF-8, no well-formed XML, a DTD or an entity that XML does not define
    /// itself, a document above the limits. `MaxMessageLengthExceeded` above [`BYTES_MAX`].
    pub fn document(bytes: &[u8], root: &str) -> Result<Self, Refusal> {
        if bytes.len() > BYTES_MAX {
            return Err(ErrorCode::MaxMessageLengthExceeded.into());
        }
        std::str::from_utf8(bytes)
            .ok()
            .filter(|text| !text.contains('\0'))
            .and_then(parse)
            .filter(|element| element.name == root)
            .ok_or(ErrorCode::MalformedXML.into())
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text directly in it, with every space as it was sent.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All children of a name.
    pub fn children(&self, name: &str) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The child of a name, if it is there.
    ///
    /// # Errors
    /// `MalformedXML` when there are several.
    pub fn child(&self, name: &str) -> Result<Option<&Self>, Refusal> {
        let mut children = self.children(name);
        match (children.next(), children.next()) {
            (child, None) => Ok(child),
            _ => Err(ErrorCode::MalformedXML.into()),
        }
    }

    /// The text of the child of a name, without the spaces around it: for all but names and keys.
    ///
    /// # Errors
    /// `MalformedXML` when there are several.
    pub fn value(&self, name: &str) -> Result<Option<&str>, Refusal> {
        Ok(self.child(name)?.map(|child| child.text.trim()))
    }

    /// The child of a name as a number.
    ///
    /// # Errors
    /// `MalformedXML` when it is none, or there are several.
    pub fn number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        self.value(name)?
            .map(|text| text.parse().map_err(|_| ErrorCode::MalformedXML.into()))
            .transpose()
    }

    /// The child of a name as a boolean; one that is not there is false.
    ///
    /// # Errors
    /// `MalformedXML` when it is none, or there are several.
    pub fn is_set(&self, name: &str) -> Result<bool, Refusal> {
        match self.value(name)? {
            None => Ok(false),
            Some("1") => Ok(true),
            Some("0") => Ok(false),
            Some(text) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(text) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(_) => Err(ErrorCode::MalformedXML.into()),
        }
    }
}

/// The root, or `None` for what is not well-formed or above the limits.
fn parse(text: &str) -> Option<Element> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    let mut elements = 0;
    loop {
        match reader.read_event().ok()? {
            Event::Start(start) => {
                elements += 1;
                if root.is_some() || open.len() == DEPTH_MAX || elements > ELEMENTS_MAX {
                    return None;
                }
                open.push(begin(&start)?);
            }
            Event::Empty(start) => {
                elements += 1;
                if root.is_some() || open.len() == DEPTH_MAX || elements > ELEMENTS_MAX {
                    return None;
                }
                close(begin(&start)?, &mut open, &mut root);
            }
            // That the names agree is the reader's to check.
            Event::End(_) => close(open.pop()?, &mut open, &mut root),
            Event::Text(text) => add_text(&text.xml10_content().ok()?, &mut open)?,
            Event::CData(text) => add_text(&text.xml10_content().ok()?, &mut open)?,
            Event::GeneralRef(reference) => add_text(&resolved(&reference)?, &mut open)?,
            Event::Comment(_) | Event::PI(_) | Event::Decl(_) => {}
            Event::DocType(_) => return None,
            Event::Eof if open.is_empty() => return root,
            Event::Eof => return None,
        }
    }
}

fn begin(start: &BytesStart<'_>) -> Option<Element> {
    let name = start.local_name();
    Some(Element {
        name: std::str::from_utf8(name.as_ref()).ok()?.to_owned(),
        ..Element::default()
    })
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = Some(element),
    }
}

/// Outside the root there may be spaces only.
fn add_text(text: &str, open: &mut [Element]) -> Option<()> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim_start_matches('\u{feff}').trim().is_empty() => {}
        None => return None,
    }
    Some(())
}

/// A reference to a character, or to one of the five entities that XML defines itself.
fn resolved(reference: &BytesRef<'_>) -> Option<String> {
    match reference.resolve_char_ref().ok()? {
        Some(character) => Some(character.to_string()),
        None => resolve_xml_entity(&reference.decode().ok()?).map(str::to_owned),
    }
}

/// The longest document that is read, bytes: 10,000 parts with their checksums take about three
/// quarters of it.
pub const BYTES_MAX: usize = 4 << 20;
/// A tree takes some twenty times the bytes of its shortest elements; this bounds it at a few MiB
/// more than the text. 10,000 parts of four elements and then some.
const ELEMENTS_MAX: usize = 65_536;
const DEPTH_MAX: usize = 16;
