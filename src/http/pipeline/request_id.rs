use std::fmt;

use crate::entropy::Entropy;

/// Names one request, in its answer, in logs and in the activity log: 16 hexadecimal digits in
/// upper case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestId(u64);

impl RequestId {
    /// Draws one.
    pub fn draw(entropy: &Entropy) -> Self {
        Self(u64::from_be_bytes(entropy.bytes()))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}
