//! aws-chunked, the framing in which SDKs send bodies whose signature or checksum comes with or
//! behind the bytes. Follows "Signature Calculations: Transferring Payload in Multiple Chunks" and
//! "… Including Trailing Headers" of the S3 API reference.

mod chain;
mod decoder;
mod error;
#[cfg(test)]
mod tests;

pub use chain::Signatures;
pub use decoder::Decoder;
pub use error::ChunkedError;
