use super::ErrorCode;

/// Why a request cannot be read: the code that answers it, and a text for its sender. The text
/// holds nothing that the request did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct Refusal {
    /// The S3 error code.
    pub code: ErrorCode,
    /// What is wrong.
    pub message: &'static str,
}

impl Refusal {
    /// A refusal with a text of its own.
    pub(crate) const fn new(code: ErrorCode, message: &'static str) -> Self {
        Self { code, message }
    }
}

/// A refusal with the text that Amazon documents for its code.
impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, code.message())
    }
}
