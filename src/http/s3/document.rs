use futures_util::StreamExt;
use md5::{Digest as _, Md5};
use names::{Checksum, ChecksumAlgorithm};
use sha1::Sha1;
use sha2::Sha256;
use tokio::sync::{Semaphore, SemaphorePermit};
use wire::s3::ErrorCode;
use wire::s3::header::DeclaredChecksum;

use super::body;
use super::error::S3Error;
use super::request::Request;
use crate::drive::{Expected, ExpectedChecksum, Piece};
use crate::http::net::RequestBody;

/// Reads documents: small bodies that mean something to the door itself.
pub(super) struct Documents {
    /// How many large ones are held at once. A tree takes several times its text, and without a
    /// bound every connection could ask for one.
    large: Semaphore,
}

/// A document that is what its client said it is. It is not read further than that.
pub(super) struct Document<'a> {
    bytes: Vec<u8>,
    _large: Option<SemaphorePermit<'a>>,
}

/// What a document has to be accompanied by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Digest {
    /// `Content-MD5` or a checksum.
    Required,
    /// They are compared if they are sent.
    IfSent,
    /// The checksum fields describe something else than this document.
    OfAnother,
}

impl Documents {
    /// None read yet.
    pub fn new() -> Self {
        Self {
            large: Semaphore::new(LARGE_MAX),
        }
    }

    /// Reads the whole body, which has at most `bytes_max` bytes, and compares it with what was
    /// said of it.
    pub async fn read(
        &self,
        request: Request<'_>,
        body: RequestBody,
        bytes_max: usize,
        digest: Digest,
    ) -> Result<Document<'_>, S3Error> {
        let checksum = declared(request, digest)?;
        let expected = body::expected(request, checksum)?;
        if digest == Digest::Required && expected.md5.is_none() && checksum.is_none() {
            return Err(S3Error::new(
                ErrorCode::InvalidRequest,
                "Missing required header for this request: Content-MD5 OR x-amz-checksum-*",
            ));
        }
        let length = match body::decoded_length(request)? {
            Some(length) => Some(length),
            None => body::content_length(request)?,
        };
        if length.is_some_and(|length| length > bytes_max as u64) {
            return Err(ErrorCode::MaxMessageLengthExceeded.into());
        }
        let mut pieces = body::pieces(request, body, checksum)?;
        let mut document = Document {
            bytes: Vec::new(),
            _large: None,
        };
        let mut trailer = None;
        while let Some(piece) = pieces.next().await {
            match piece? {
                Piece::Data(data) => {
                    let total = document.bytes.len() + data.len();
                    if total > bytes_max {
                        return Err(ErrorCode::MaxMessageLengthExceeded.into());
                    }
                    if total > SMALL_BYTES_MAX && document._large.is_none() {
                        let place = self.large.try_acquire();
                        document._large = Some(place.map_err(|_| ErrorCode::SlowDown)?);
                    }
                    document.bytes.extend_from_slice(&data);
                }
                Piece::Checksum(checksum) => trailer = Some(checksum),
            }
        }
        if length.is_some_and(|length| length != document.bytes.len() as u64) {
            return Err(ErrorCode::IncompleteBody.into());
        }
        compare(&document.bytes, &expected, trailer)?;
        Ok(document)
    }
}

impl Document<'_> {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The checksum that was declared for the document.
fn declared(request: Request<'_>, digest: Digest) -> Result<Option<ExpectedChecksum>, S3Error> {
    let header = |name: &str| request.amz(name);
    let declared = match digest {
        Digest::Required | Digest::IfSent => DeclaredChecksum::of(header)?,
        // A trailer is always the body's own.
        Digest::OfAnother => DeclaredChecksum::announced(header)?.map(DeclaredChecksum::Trailer),
    };
    declared
        .map(|declared| body::expected_checksum(request, declared))
        .transpose()
}

fn compare(bytes: &[u8], expected: &Expected, trailer: Option<Checksum>) -> Result<(), S3Error> {
    if let Some(sha256) = expected.sha256
        && <[u8; 32]>::from(Sha256::digest(bytes)) != sha256
    {
        return Err(ErrorCode::XAmzContentSHA256Mismatch.into());
    }
    if let Some(md5) = expected.md5
        && <[u8; 16]>::from(Md5::digest(bytes)) != md5
    {
        return Err(ErrorCode::BadDigest.into());
    }
    let checksum = match expected.checksum {
        Some(ExpectedChecksum::Value(checksum)) => Some(checksum),
        Some(ExpectedChecksum::Trailer(_)) => {
            Some(trailer.ok_or(ErrorCode::MalformedTrailerError)?)
        }
        Some(ExpectedChecksum::Compute(_)) | None => None,
    };
    match checksum {
        Some(checksum) if computed(checksum.algorithm(), bytes) != Some(checksum) => {
            Err(ErrorCode::BadDigest.into())
        }
        _ => Ok(()),
    }
}

fn computed(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Option<Checksum> {
    let crc = |kind| crc_fast::checksum(kind, bytes).to_be_bytes();
    let value = match algorithm {
        ChecksumAlgorithm::Crc32 => crc(crc_fast::CrcAlgorithm::Crc32IsoHdlc)[4..].to_vec(),
        ChecksumAlgorithm::Crc32c => crc(crc_fast::CrcAlgorithm::Crc32Iscsi)[4..].to_vec(),
        ChecksumAlgorithm::Crc64Nvme => crc(crc_fast::CrcAlgorithm::Crc64Nvme).to_vec(),
        ChecksumAlgorithm::Sha1 => Sha1::digest(bytes).to_vec(),
        ChecksumAlgorithm::Sha256 => Sha256::digest(bytes).to_vec(),
    };
    Checksum::new(algorithm, &value).ok()
}

/// What fits into a connection's own share of memory.
const SMALL_BYTES_MAX: usize = 64 << 10;
const LARGE_MAX: usize = 16;
