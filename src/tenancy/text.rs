use std::fmt;

/// The text is not a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("1 to 200 bytes in one line, without spaces around them")]
pub struct InvalidLabel;

/// What people call something: 1 to 200 bytes of text in one line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Label(Box<str>);

/// The text is too long, or not JSON where it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value has 65,536 bytes at most, and is JSON if it says so")]
pub struct InvalidValue;

/// What an agent keeps under a name: up to 64 KiB of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text.
    Text(String),
    /// Text that is JSON.
    Json(String),
}

impl Label {
    /// Parses a label as somebody typed it.
    pub fn parse(text: &str) -> Result<Self, InvalidLabel> {
        let text = text.trim();
        let well_formed =
            (1..=LABEL_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        if well_formed {
            Ok(Self(text.into()))
        } else {
            Err(InvalidLabel)
        }
    }

    /// The label.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value {
    /// The most bytes that one has.
    pub const BYTES_MAX: usize = 64 << 10;

    /// Takes text.
    pub fn text(text: String) -> Result<Self, InvalidValue> {
        if text.len() <= Self::BYTES_MAX {
            Ok(Self::Text(text))
        } else {
            Err(InvalidValue)
        }
    }

    /// Takes text that has to be JSON (RFC 8259).
    pub fn json(text: String) -> Result<Self, InvalidValue> {
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        if is_json && text.len() <= Self::BYTES_MAX {
            Ok(Self::Json(text))
        } else {
            Err(InvalidValue)
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Json(text) => text,
        }
    }

    /// As rows hold it: whether it is JSON, and the text.
    pub(super) fn parts(&self) -> (bool, &str) {
        (matches!(self, Self::Json(_)), self.as_str())
    }

    pub(super) fn of(is_json: bool, text: String) -> Self {
        if is_json {
            Self::Json(text)
        } else {
            Self::Text(text)
        }
    }
}

const LABEL_BYTES_MAX: usize = 200;
