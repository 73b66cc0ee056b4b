use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;
use names::{Checksum, ChecksumAlgorithm};

/// A body on its way in, as a door has decoded it: the bytes that the client means, without any
/// framing, with what the client says they must be.
pub struct Incoming {
    /// How many bytes will come, if the client said so. Fewer or more are refused.
    pub length: Option<u64>,
    /// What the client says of them.
    pub expected: Expected,
    /// The bytes. A door ends the stream with an error when framing or a chunk's signature fails.
    pub pieces: Pin<Box<dyn Stream<Item = Result<Piece, IncomingError>> + Send>>,
}

/// What the bytes must turn out to be, before anything becomes visible.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// `Content-MD5`.
    pub md5: Option<[u8; 16]>,
    /// The payload hash that the signature covers.
    pub sha256: Option<[u8; 32]>,
    /// The checksum that the client sends or asks for.
    pub checksum: Option<ExpectedChecksum>,
}

/// Where the value of a checksum comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedChecksum {
    /// Sent before the body.
    Value(Checksum),
    /// Announced, to come behind the body as [`Piece::Checksum`]; refused when it does not.
    Trailer(ChecksumAlgorithm),
    /// Not sent: computed and stored.
    Compute(ChecksumAlgorithm),
}

/// A piece of a body.
#[derive(Debug, Clone)]
pub enum Piece {
    /// Bytes, any number.
    Data(Bytes),
    /// The checksum from the trailer. Nothing follows it.
    Checksum(Checksum),
}

/// Why a body did not come to its end. Always the client's turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IncomingError {
    /// The connection broke, or the body ended early.
    #[error("the body broke off")]
    Broken,
    /// The client paused for too long.
    #[error("the client paused for too long")]
    Idle,
    /// The framing of aws-chunked is broken.
    #[error("the body's framing is broken: {0}")]
    Framing(&'static str),
    /// The trailer of aws-chunked is not the one that was announced, or does not parse.
    #[error("the body's trailer is broken: {0}")]
    Trailer(&'static str),
    /// A chunk's or the trailer's signature is another.
    #[error("a signature in the body does not match")]
    Signature,
    /// More bytes than were announced or are allowed.
    #[error("the body is too long")]
    TooLong,
}
