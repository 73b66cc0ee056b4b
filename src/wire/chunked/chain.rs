use std::sync::Arc;

use ring::digest::{Context, SHA256, digest};

use super::error::ChunkedError;
use crate::sigv4::{PayloadHash, Presented, SigningKey};

/// What of a body is signed.
pub enum Signatures {
    /// Nothing: `STREAMING-UNSIGNED-PAYLOAD-TRAILER`.
    None,
    /// Every chunk: `STREAMING-AWS4-HMAC-SHA256-PAYLOAD`.
    Chunks(Chain),
    /// Every chunk and the trailer: `STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER`.
    ChunksAndTrailer(Chain),
}

/// Signatures that each cover the one before: the first chunk's that of the request, so that no
/// chunk can be left out, repeated, moved or taken from another request.
///
/// ```text
/// AWS4-HMAC-SHA256-PAYLOAD ⏎ timestamp ⏎ scope ⏎ previous ⏎ hex(SHA-256("")) ⏎ hex(SHA-256(chunk))
/// AWS4-HMAC-SHA256-TRAILER ⏎ timestamp ⏎ scope ⏎ previous ⏎ hex(SHA-256("name:value⏎"…))
/// ```
pub struct Chain {
    key: Arc<SigningKey>,
    /// The timestamp and the scope, each with its line end.
    context: String,
    previous: [u8; 32],
    claimed: [u8; 32],
    hash: Context,
}

impl Signatures {
    /// Those of a signed request's body, with the key that **its own signature was verified with**;
    /// `None` when the body is not aws-chunked.
    pub fn of(presented: &Presented, key: &Arc<SigningKey>) -> Option<Self> {
        let chain = || Chain {
            key: Arc::clone(key),
            context: format!("{}\n{}\n", presented.timestamp(), presented.scope().text()),
            previous: *presented.signature(),
            claimed: [0; 32],
            hash: Context::new(&SHA256),
        };
        match presented.payload() {
            PayloadHash::StreamingUnsignedTrailer => Some(Self::None),
            PayloadHash::StreamingSigned => Some(Self::Chunks(chain())),
            PayloadHash::StreamingSignedTrailer => Some(Self::ChunksAndTrailer(chain())),
            PayloadHash::Unsigned | PayloadHash::Sha256(_) => None,
        }
    }

    /// The chain, if chunks are signed.
    pub(super) fn chain(&mut self) -> Option<&mut Chain> {
        match self {
            Self::None => None,
            Self::Chunks(chain) | Self::ChunksAndTrailer(chain) => Some(chain),
        }
    }
}

impl Chain {
    /// A chunk begins that is said to have this signature.
    pub(super) fn begin(&mut self, signature: [u8; 32]) {
        self.claimed = signature;
        self.hash = Context::new(&SHA256);
    }

    /// Some of its bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
    }

    /// It has ended: whether the signature is its.
    pub(super) fn end(&mut self) -> Result<(), ChunkedError> {
        let chunk = self.hash.clone().finish();
        let hashes = format!(
            "{}\n{}",
            hex::encode(digest(&SHA256, b"")),
            hex::encode(chunk)
        );
        self.verify("AWS4-HMAC-SHA256-PAYLOAD", &hashes, self.claimed)
    }

    /// Whether the signature is the trailer's, given as lines `name:value⏎`.
    pub(super) fn end_trailer(
        &mut self,
        lines: &str,
        signature: [u8; 32],
    ) -> Result<(), ChunkedError> {
        let hash = hex::encode(digest(&SHA256, lines.as_bytes()));
        self.verify("AWS4-HMAC-SHA256-TRAILER", &hash, signature)
    }

    fn verify(
        &mut self,
        algorithm: &str,
        hashes: &str,
        signature: [u8; 32],
    ) -> Result<(), ChunkedError> {
        let (context, previous) = (&self.context, hex::encode(self.previous));
        let message = format!("{algorithm}\n{context}{previous}\n{hashes}");
        if !self.key.verify(message.as_bytes(), &signature) {
            return Err(ChunkedError::Signature);
        }
        self.previous = signature;
        Ok(())
    }
}
