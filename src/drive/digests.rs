use crc_fast::CrcAlgorithm;
use md5::Md5;
use names::{Checksum, ChecksumAlgorithm};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::{DriveError, Expected, ExpectedChecksum, IncomingError};

/// The digests of a body, computed together as it passes.
pub(super) struct Digests {
    md5: Option<Md5>,
    sha256: Option<Sha256>,
    checksum: Option<Running>,
}

/// What the digests of a body came to.
pub(super) struct Digested {
    /// The MD5, unless nobody wants it.
    pub(super) md5: Option<[u8; 16]>,
    /// The checksum that is stored with the body.
    pub(super) checksum: Option<Checksum>,
    sha256: Option<[u8; 32]>,
}

enum Running {
    Crc(ChecksumAlgorithm, Box<crc_fast::Digest>),
    Sha1(Sha1),
    Sha256(Sha256),
}

impl Digests {
    /// Those that `expected` speaks of, and the MD5 if the ETag is made of it.
    pub(super) fn of_body(expected: &Expected, md5: bool) -> Self {
        Self {
            md5: (md5 || expected.md5.is_some()).then(Md5::new),
            sha256: expected.sha256.map(|_| Sha256::new()),
            checksum: expected
                .checksum
                .map(|checksum| Running::new(checksum.algorithm())),
        }
    }

    /// Those of bytes that are ours already.
    pub(super) fn of_copy(md5: bool, checksum: Option<ChecksumAlgorithm>) -> Self {
        Self {
            md5: md5.then(Md5::new),
            sha256: None,
            checksum: checksum.map(Running::new),
        }
    }

    /// Whether there is anything to compute.
    pub(super) fn is_empty(&self) -> bool {
        self.md5.is_none() && self.sha256.is_none() && self.checksum.is_none()
    }

    /// Adds the next bytes.
    pub(super) fn update(&mut self, bytes: &[u8]) {
        if let Some(md5) = &mut self.md5 {
            md5.update(bytes);
        }
        if let Some(sha256) = &mut self.sha256 {
            sha256.update(bytes);
        }
        if let Some(checksum) = &mut self.checksum {
            checksum.update(bytes);
        }
    }

    /// What they came to.
    pub(super) fn finish(self) -> Digested {
        Digested {
            md5: self.md5.map(|md5| md5.finalize().into()),
            sha256: self.sha256.map(|sha256| sha256.finalize().into()),
            checksum: self.checksum.map(Running::finish),
        }
    }
}

impl Digested {
    /// Compares with what the client said; `trailer` is the checksum that came behind the body.
    pub(super) fn verify(
        &self,
        expected: &Expected,
        trailer: Option<Checksum>,
    ) -> Result<(), DriveError> {
        if expected.sha256.is_some() && expected.sha256 != self.sha256 {
            return Err(DriveError::Sha256Mismatch);
        }
        if expected.md5.is_some() && expected.md5 != self.md5 {
            return Err(DriveError::BadDigest("Content-MD5"));
        }
        let announced = match expected.checksum {
            Some(ExpectedChecksum::Value(checksum)) => Some(checksum),
            Some(ExpectedChecksum::Trailer(_)) if trailer.is_none() => {
                return Err(IncomingError::Trailer("what was announced did not come").into());
            }
            _ => None,
        };
        for said in [announced, trailer].into_iter().flatten() {
            if self.checksum != Some(said) {
                return Err(DriveError::BadDigest(said.algorithm().header()));
            }
        }
        Ok(())
    }
}

impl ExpectedChecksum {
    /// Which checksum it speaks of.
    pub(super) fn algorithm(&self) -> ChecksumAlgorithm {
        match self {
            Self::Value(checksum) => checksum.algorithm(),
            Self::Trailer(algorithm) | Self::Compute(algorithm) => *algorithm,
        }
    }
}

impl Running {
    fn new(algorithm: ChecksumAlgorithm) -> Self {
        match (crc(algorithm), algorithm) {
            (Some(crc), _) => Self::Crc(algorithm, Box::new(crc_fast::Digest::new(crc))),
            (None, ChecksumAlgorithm::Sha1) => Self::Sha1(Sha1::new()),
            (None, _) => Self::Sha256(Sha256::new()),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Crc(_, digest) => digest.update(bytes),
            Self::Sha1(digest) => digest.update(bytes),
            Self::Sha256(digest) => digest.update(bytes),
        }
    }

    fn finish(self) -> Checksum {
        match self {
            Self::Crc(algorithm, digest) => crc_checksum(algorithm, digest.finalize()),
            Self::Sha1(digest) => checksum(ChecksumAlgorithm::Sha1, &digest.finalize()),
            Self::Sha256(digest) => checksum(ChecksumAlgorithm::Sha256, &digest.finalize()),
        }
    }
}

/// The checksum of bytes at hand.
pub(super) fn checksum_of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Checksum {
    let mut running = Running::new(algorithm);
    running.update(bytes);
    running.finish()
}

/// The checksum of bytes of which those of the parts and their lengths are known; `None` for an
/// algorithm that does not allow it.
pub(super) fn combine(
    algorithm: ChecksumAlgorithm,
    parts: impl IntoIterator<Item = (Checksum, u64)>,
) -> Option<Checksum> {
    let crc = crc(algorithm)?;
    let empty = crc_fast::checksum(crc, &[]);
    let combined = parts.into_iter().fold(empty, |sum, (part, length)| {
        let value = part
            .bytes()
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte));
        crc_fast::checksum_combine(crc, sum, value, length)
    });
    Some(crc_checksum(algorithm, combined))
}

fn crc(algorithm: ChecksumAlgorithm) -> Option<CrcAlgorithm> {
    match algorithm {
        ChecksumAlgorithm::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
        ChecksumAlgorithm::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
        ChecksumAlgorithm::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
        ChecksumAlgorithm::Sha1 | ChecksumAlgorithm::Sha256 => None,
    }
}

/// A CRC stands in the low bits, and is written big-endian.
fn crc_checksum(algorithm: ChecksumAlgorithm, value: u64) -> Checksum {
    let bytes = value.to_be_bytes();
    checksum(algorithm, &bytes[bytes.len() - algorithm.length()..])
}

fn checksum(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Checksum {
    Checksum::new(algorithm, bytes).expect("a digest has the length of its algorithm")
}
