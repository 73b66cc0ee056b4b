use std::fmt;

/// The text is not an access key id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an access key id")]
pub struct InvalidAccessKeyId;

/// The public half of a credential: 3 to 128 letters, digits and `_`. An access key's is the access
/// key id of the S3 API; a token's stands before its secret.
///
/// Amazon's API reference limits `AccessKeyId` to 16 to 128 characters of `\w`; shorter ones are
/// let through here so that they are answered as unknown rather than as malformed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AccessKeyId(Box<str>);

impl AccessKeyId {
    /// Parses an id as a client presents it.
    pub fn parse(text: &str) -> Result<Self, InvalidAccessKeyId> {
        let well_formed = (3..=128).contains(&text.len())
            && text
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if well_formed {
            Ok(Self(text.into()))
        } else {
            Err(InvalidAccessKeyId)
        }
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AccessKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
