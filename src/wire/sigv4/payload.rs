use super::error::SigV4Error;

/// What a request says its body is: the header `x-amz-content-sha256`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadHash {
    /// The body is not covered by the signature.
    Unsigned,
    /// The SHA-256 of the body, which whoever reads it has to compare.
    Sha256([u8; 32]),
    /// aws-chunked, every chunk signed.
    StreamingSigned,
    /// aws-chunked, every chunk and the trailer signed.
    StreamingSignedTrailer,
    /// aws-chunked with a trailer, nothing of it signed.
    StreamingUnsignedTrailer,
}

impl PayloadHash {
    /// Reads the header. A signed request's is read by [`Presented`](super::Presented); this is for
    /// anonymous ones.
    ///
    /// # Errors
    /// [`SigV4Error::PayloadHashInvalid`].
    pub fn parse(text: &str) -> Result<Self, SigV4Error> {
        Ok(match text {
            "UNSIGNED-PAYLOAD" => Self::Unsigned,
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" => Self::StreamingSigned,
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER" => Self::StreamingSignedTrailer,
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER" => Self::StreamingUnsignedTrailer,
            digits => {
                let mut hash = [0; 32];
                // Lower case only: the canonical request holds the text itself.
                if digits.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    return Err(SigV4Error::PayloadHashInvalid);
                }
                hex::decode_to_slice(digits, &mut hash)
                    .map_err(|_| SigV4Error::PayloadHashInvalid)?;
                Self::Sha256(hash)
            }
        })
    }

    /// Whether the body is framed as aws-chunked.
    pub fn is_streaming(self) -> bool {
        matches!(
            self,
            Self::StreamingSigned | Self::StreamingSignedTrailer | Self::StreamingUnsignedTrailer
        )
    }
}
