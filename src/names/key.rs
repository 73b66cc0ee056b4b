use std::fmt;

/// Why a text is not an object key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidObjectKey {
    /// A key has at least one byte.
    #[error("an object key is not empty")]
    Empty,
    /// A key has at most [`ObjectKey::BYTES_MAX`] bytes of UTF-8.
    #[error("an object key has at most 1024 bytes")]
    TooLong,
}

/// The key of an object in a bucket: 1 to 1,024 bytes of UTF-8, compared bytewise.
///
/// Nothing in it has a meaning: `..`, `//` and a leading `/` are characters like others, since
/// no key ever becomes a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey(Box<str>);

impl ObjectKey {
    /// The longest key, in bytes of UTF-8, as Amazon S3 limits it.
    pub const BYTES_MAX: usize = 1024;

    /// Parses a key after URL decoding.
    pub fn parse(text: &str) -> Result<Self, InvalidObjectKey> {
        match text.len() {
            0 => Err(InvalidObjectKey::Empty),
            1..=Self::BYTES_MAX => Ok(Self(text.into())),
            _ => Err(InvalidObjectKey::TooLong),
        }
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key's bytes, which is what order means.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The beginning of object keys: 0 to 1,024 bytes of UTF-8.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct KeyPrefix(Box<str>);

impl KeyPrefix {
    /// Parses a prefix after URL decoding. One that is longer than any key may be refused.
    pub fn parse(text: &str) -> Result<Self, InvalidObjectKey> {
        if text.len() > ObjectKey::BYTES_MAX {
            return Err(InvalidObjectKey::TooLong);
        }
        Ok(Self(text.into()))
    }

    /// The prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_measured_in_bytes() {
        assert!(ObjectKey::parse(&"k".repeat(1024)).is_ok());
        assert_eq!(
            ObjectKey::parse(&"k".repeat(1025)),
            Err(InvalidObjectKey::TooLong)
        );
        assert_eq!(
            ObjectKey::parse(&"é".repeat(513)),
            Err(InvalidObjectKey::TooLong)
        );
        assert_eq!(ObjectKey::parse(""), Err(InvalidObjectKey::Empty));
        for odd in ["/", "//", "..", "a/../b", " ", "\u{0}"] {
            assert!(ObjectKey::parse(odd).is_ok());
        }
    }
}
