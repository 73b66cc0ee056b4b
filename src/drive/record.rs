//! What is sealed with a row or a body, in deterministic CBOR (RFC 8949, 4.2.1): maps with small
//! numbers for keys, absent fields left out.

use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};
use names::{
    BucketName, Checksum, ChecksumAlgorithm, ChecksumKind, ObjectKey, PartNumber, UploadId,
    VersionId,
};

use super::{DriveError, ObjectHeaders, StoredChecksum};

/// The metadata of a version, sealed beside its row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ObjectRecord {
    pub(super) headers: ObjectHeaders,
    pub(super) checksum: Option<StoredChecksum>,
    /// The upload that it was completed from, so that a completion asked for twice is recognized.
    pub(super) upload: Option<UploadId>,
    /// The checksums of its parts, in order; all of them or none.
    pub(super) part_checksums: Vec<Checksum>,
}

/// The metadata of an upload, sealed in its row.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct UploadRecord {
    pub(super) headers: ObjectHeaders,
    pub(super) checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
}

/// The metadata of a part, sealed in its row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PartRecord {
    pub(super) etag: super::Etag,
    pub(super) checksum: Option<Checksum>,
}

/// The footer of a body: what it takes to put the blob back into an empty catalog.
pub(super) struct Footer<'a> {
    pub(super) bucket: &'a BucketName,
    pub(super) key: &'a ObjectKey,
    pub(super) origin: Origin,
    pub(super) etag: super::Etag,
    pub(super) checksum: Option<StoredChecksum>,
    pub(super) headers: &'a ObjectHeaders,
    pub(super) modified_ms: u64,
}

/// What a body was written for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Origin {
    Version(VersionId),
    Part(UploadId, PartNumber),
}

impl ObjectRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        encode(&ObjectWire {
            headers: (&self.headers).into(),
            checksum: self.checksum.map(Into::into),
            upload: self.upload.map(|upload| upload.bytes().to_vec().into()),
            part_algorithm: self
                .part_checksums
                .first()
                .map(|first| algorithm_number(first.algorithm())),
            part_checksums: (!self.part_checksums.is_empty()).then(|| {
                let bytes = self.part_checksums.iter().flat_map(Checksum::bytes);
                bytes.copied().collect::<Vec<_>>().into()
            }),
        })
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let wire: ObjectWire = decode(bytes)?;
        let part_checksums = match (wire.part_algorithm, wire.part_checksums) {
            (Some(number), Some(bytes)) => {
                let algorithm = algorithm(number)?;
                bytes
                    .chunks(algorithm.length())
                    .map(|value| Checksum::new(algorithm, value).map_err(|_| Malformed))
                    .collect::<Result<_, _>>()?
            }
            (None, None) => Vec::new(),
            _ => return Err(Malformed),
        };
        let upload = wire.upload.map(|bytes| UploadId::from_slice(&bytes));
        Ok(Self {
            headers: wire.headers.into(),
            checksum: wire.checksum.map(TryInto::try_into).transpose()?,
            upload: upload.transpose().map_err(|_| Malformed)?,
            part_checksums,
        })
    }
}

impl UploadRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        encode(&UploadWire {
            headers: (&self.headers).into(),
            algorithm: self
                .checksum
                .map(|(algorithm, _)| algorithm_number(algorithm)),
            kind: self.checksum.map(|(_, kind)| kind_number(kind)),
        })
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let wire: UploadWire = decode(bytes)?;
        let checksum = match (wire.algorithm, wire.kind) {
            (Some(number), Some(kind_number)) => Some((algorithm(number)?, kind(kind_number)?)),
            (None, None) => None,
            _ => return Err(Malformed),
        };
        Ok(Self {
            headers: wire.headers.into(),
            checksum,
        })
    }
}

impl PartRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        encode(&PartWire {
            etag: self.etag.into(),
            checksum: self.checksum.map(Into::into),
        })
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let wire: PartWire = decode(bytes)?;
        Ok(Self {
            etag: wire.etag.try_into()?,
            checksum: wire.checksum.map(TryInto::try_into).transpose()?,
        })
    }
}

impl Footer<'_> {
    pub(super) fn encode(&self) -> Vec<u8> {
        let (version, upload, part) = match self.origin {
            Origin::Version(version) => (Some(version.bytes().to_vec()), None, None),
            Origin::Part(upload, part) => (None, Some(upload.bytes().to_vec()), Some(part.value())),
        };
        encode(&FooterWire {
            bucket: self.bucket.as_str(),
            key: self.key.as_str(),
            version: version.map(Into::into),
            upload: upload.map(Into::into),
            part,
            etag: self.etag.into(),
            checksum: self.checksum.map(Into::into),
            headers: self.headers.into(),
            modified_ms: self.modified_ms,
        })
    }
}

/// The bytes are not what the encoder writes. They were authentic, so another version of this
/// program wrote them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its metadata is not in a form that is known")]
pub(super) struct Malformed;

impl Malformed {
    pub(super) fn in_row(self, what: impl std::fmt::Display) -> DriveError {
        DriveError::damaged(what, self)
    }
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct ObjectWire {
    #[n(0)]
    headers: HeadersWire,
    #[n(1)]
    checksum: Option<StoredChecksumWire>,
    #[n(2)]
    upload: Option<ByteVec>,
    #[n(3)]
    part_algorithm: Option<u8>,
    /// One after another: their length is that of the algorithm.
    #[n(4)]
    part_checksums: Option<ByteVec>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct UploadWire {
    #[n(0)]
    headers: HeadersWire,
    #[n(1)]
    algorithm: Option<u8>,
    #[n(2)]
    kind: Option<u8>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct PartWire {
    #[n(0)]
    etag: EtagWire,
    #[n(1)]
    checksum: Option<ChecksumWire>,
}

#[derive(Encode)]
#[cbor(map)]
struct FooterWire<'a> {
    #[n(0)]
    bucket: &'a str,
    #[n(1)]
    key: &'a str,
    #[n(2)]
    version: Option<ByteVec>,
    #[n(3)]
    upload: Option<ByteVec>,
    #[n(4)]
    part: Option<u16>,
    #[n(5)]
    etag: EtagWire,
    #[n(6)]
    checksum: Option<StoredChecksumWire>,
    #[n(7)]
    headers: HeadersWire,
    #[n(8)]
    modified_ms: u64,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct HeadersWire {
    #[n(0)]
    content_type: Option<String>,
    #[n(1)]
    cache_control: Option<String>,
    #[n(2)]
    content_disposition: Option<String>,
    #[n(3)]
    content_encoding: Option<String>,
    #[n(4)]
    content_language: Option<String>,
    #[n(5)]
    expires: Option<String>,
    /// In the order in which they were sent.
    #[n(6)]
    user: Vec<(String, String)>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct ChecksumWire {
    #[n(0)]
    algorithm: u8,
    #[n(1)]
    value: ByteVec,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct StoredChecksumWire {
    #[n(0)]
    checksum: ChecksumWire,
    #[n(1)]
    kind: u8,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct EtagWire {
    #[n(0)]
    bytes: ByteVec,
    #[n(1)]
    parts: u16,
}

impl From<&ObjectHeaders> for HeadersWire {
    fn from(headers: &ObjectHeaders) -> Self {
        let headers = headers.clone();
        Self {
            content_type: headers.content_type,
            cache_control: headers.cache_control,
            content_disposition: headers.content_disposition,
            content_encoding: headers.content_encoding,
            content_language: headers.content_language,
            expires: headers.expires,
            user: headers.user,
        }
    }
}

impl From<HeadersWire> for ObjectHeaders {
    fn from(wire: HeadersWire) -> Self {
        Self {
            content_type: wire.content_type,
            cache_control: wire.cache_control,
            content_disposition: wire.content_disposition,
            content_encoding: wire.content_encoding,
            content_language: wire.content_language,
            expires: wire.expires,
            user: wire.user,
        }
    }
}

impl From<Checksum> for ChecksumWire {
    fn from(checksum: Checksum) -> Self {
        Self {
            algorithm: algorithm_number(checksum.algorithm()),
            value: checksum.bytes().to_vec().into(),
        }
    }
}

impl TryFrom<ChecksumWire> for Checksum {
    type Error = Malformed;

    fn try_from(wire: ChecksumWire) -> Result<Self, Malformed> {
        Checksum::new(algorithm(wire.algorithm)?, &wire.value).map_err(|_| Malformed)
    }
}

impl From<StoredChecksum> for StoredChecksumWire {
    fn from(stored: StoredChecksum) -> Self {
        Self {
            checksum: stored.checksum.into(),
            kind: kind_number(stored.kind),
        }
    }
}

impl TryFrom<StoredChecksumWire> for StoredChecksum {
    type Error = Malformed;

    fn try_from(wire: StoredChecksumWire) -> Result<Self, Malformed> {
        Ok(Self {
            checksum: wire.checksum.try_into()?,
            kind: kind(wire.kind)?,
        })
    }
}

impl From<super::Etag> for EtagWire {
    fn from(etag: super::Etag) -> Self {
        Self {
            bytes: etag.bytes.to_vec().into(),
            parts: etag.parts,
        }
    }
}

impl TryFrom<EtagWire> for super::Etag {
    type Error = Malformed;

    fn try_from(wire: EtagWire) -> Result<Self, Malformed> {
        Ok(Self {
            bytes: wire.bytes.as_slice().try_into().map_err(|_| Malformed)?,
            parts: wire.parts,
        })
    }
}

fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    minicbor::to_vec(value).expect("writing to memory does not fail")
}

/// Whole or not at all: nothing may follow.
fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, Malformed> {
    if bytes.len() > RECORD_BYTES_MAX {
        return Err(Malformed);
    }
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode().map_err(|_| Malformed)?;
    match decoder.position() == bytes.len() {
        true => Ok(value),
        false => Err(Malformed),
    }
}

fn algorithm_number(algorithm: ChecksumAlgorithm) -> u8 {
    match algorithm {
        ChecksumAlgorithm::Crc32 => 1,
        ChecksumAlgorithm::Crc32c => 2,
        ChecksumAlgorithm::Crc64Nvme => 3,
        ChecksumAlgorithm::Sha1 => 4,
        ChecksumAlgorithm::Sha256 => 5,
    }
}

fn algorithm(number: u8) -> Result<ChecksumAlgorithm, Malformed> {
    ChecksumAlgorithm::ALL
        .into_iter()
        .find(|algorithm| algorithm_number(*algorithm) == number)
        .ok_or(Malformed)
}

fn kind_number(kind: ChecksumKind) -> u8 {
    match kind {
        ChecksumKind::FullObject => 1,
        ChecksumKind::Composite => 2,
    }
}

fn kind(number: u8) -> Result<ChecksumKind, Malformed> {
    match number {
        1 => Ok(ChecksumKind::FullObject),
        2 => Ok(ChecksumKind::Composite),
        _ => Err(Malformed),
    }
}

/// More than 10,000 checksums of parts and what a request's header section holds.
const RECORD_BYTES_MAX: usize = 1 << 20;
