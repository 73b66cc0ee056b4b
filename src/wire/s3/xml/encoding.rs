use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

use crate::s3::{ErrorCode, Refusal};

/// How a list writes keys: the parameter `encoding-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncodingType {
    /// `url`: percent-encoded, so that a document can hold every key.
    Url,
}

impl EncodingType {
    /// Reads the parameter, in any case.
    ///
    /// # Errors
    /// `InvalidArgument` for another type.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        if text.eq_ignore_ascii_case("url") {
            Ok(Self::Url)
        } else {
            Err(Refusal::new(
                ErrorCode::InvalidArgument,
                "Invalid Encoding Method specified in Request",
            ))
        }
    }

    /// The type as documents name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Url => "url",
        }
    }
}

/// Percent-encodes a key as `encoding-type=url` does: all but the unreserved characters of RFC 3986
/// and the slash. A space is `%20`, which every client decodes; some leave a plus sign alone.
pub fn url_encoded(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, ESCAPED)
}

/// A key, prefix, delimiter or marker, as this list writes it.
pub(super) fn encoded(text: &str, encoding: Option<EncodingType>) -> Encoded<'_> {
    Encoded { text, encoding }
}

pub(super) struct Encoded<'a> {
    text: &'a str,
    encoding: Option<EncodingType>,
}

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.encoding {
            Some(EncodingType::Url) => url_encoded(self.text).fmt(f),
            None => f.write_str(self.text),
        }
    }
}

const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');
