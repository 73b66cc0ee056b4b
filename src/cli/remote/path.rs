use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::error::RemoteError;

/// A path below `/api/v1`, whose segments are what they are meant to be whatever stands in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct ApiPath(String);

impl ApiPath {
    /// A path of segments, each as it is.
    ///
    /// # Errors
    ///
    /// If a segment is nothing, or one or two dots: a path loses those on its way, and would name
    /// something else.
    pub(in crate::cli) fn of(segments: &[&str]) -> Result<Self, RemoteError> {
        let mut path = String::new();
        for segment in segments {
            if ["", ".", ".."].contains(segment) {
                return Err(RemoteError::NoName((*segment).to_owned()));
            }
            path.push('/');
            path.extend(utf8_percent_encode(segment, ESCAPED));
        }
        Ok(Self(path))
    }

    /// As it is sent, with a slash at its front.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// All but the unreserved characters (RFC 3986, 2.3).
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
