use std::fmt;

/// The number is not between 1 and 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a part number is between 1 and 10000")]
pub struct InvalidPartNumber;

/// The number of a part of a multipart upload: 1 to 10,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartNumber(u16);

impl PartNumber {
    /// The first number.
    pub const MIN: Self = Self(1);
    /// The last number.
    pub const MAX: Self = Self(10_000);

    /// Takes a number that a client gave.
    pub fn new(number: u64) -> Result<Self, InvalidPartNumber> {
        u16::try_from(number)
            .ok()
            .filter(|number| (1..=10_000).contains(number))
            .map(Self)
            .ok_or(InvalidPartNumber)
    }

    /// The number.
    pub fn value(self) -> u16 {
        self.0
    }
}

impl fmt::Display for PartNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
