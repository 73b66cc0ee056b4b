use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A checksum that a client may ask for, as the S3 API names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChecksumAlgorithm {
    /// CRC-32 of ISO-HDLC (zlib), 4 bytes.
    Crc32,
    /// CRC-32C (Castagnoli), 4 bytes.
    Crc32c,
    /// CRC-64/NVME, 8 bytes.
    Crc64Nvme,
    /// SHA-1, 20 bytes.
    Sha1,
    /// SHA-256, 32 bytes.
    Sha256,
}

/// Whether a checksum covers the object's bytes, or the checksums of its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ChecksumKind {
    /// The checksum of all bytes.
    FullObject,
    /// The checksum of the parts' checksums; shown with `-` and the number of parts.
    Composite,
}

/// The text is not the base64 of a checksum of this algorithm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a checksum")]
pub struct InvalidChecksum;

/// A checksum: its algorithm and exactly as many bytes as that one gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum {
    algorithm: ChecksumAlgorithm,
    /// Only the first [`ChecksumAlgorithm::length`] bytes count; the others are 0.
    bytes: [u8; 32],
}

impl ChecksumAlgorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
    ];

    /// The name in `x-amz-checksum-algorithm` and in XML.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// Finds an algorithm by its name, in any case.
    pub fn parse(text: &str) -> Result<Self, InvalidChecksum> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.name().eq_ignore_ascii_case(text))
            .ok_or(InvalidChecksum)
    }

    /// The header that carries a checksum of this algorithm, in lower case.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// How many bytes a checksum has.
    pub const fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }
}

impl Checksum {
    /// Takes the bytes of a checksum.
    pub fn new(algorithm: ChecksumAlgorithm, value: &[u8]) -> Result<Self, InvalidChecksum> {
        if value.len() != algorithm.length() {
            return Err(InvalidChecksum);
        }
        let mut bytes = [0; 32];
        bytes[..value.len()].copy_from_slice(value);
        Ok(Self { algorithm, bytes })
    }

    /// Parses base64 as a header, trailer or document holds it.
    pub fn parse(algorithm: ChecksumAlgorithm, text: &str) -> Result<Self, InvalidChecksum> {
        let value = STANDARD.decode(text).map_err(|_| InvalidChecksum)?;
        Self::new(algorithm, &value)
    }

    /// Its algorithm.
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        self.algorithm
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.algorithm.length()]
    }
}

/// Base64, as headers and documents hold it.
impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_has_the_length_of_its_algorithm() {
        for algorithm in ChecksumAlgorithm::ALL {
            let bytes = vec![7; algorithm.length()];
            let checksum = Checksum::new(algorithm, &bytes).unwrap();
            assert_eq!(checksum.bytes(), bytes);
            assert_eq!(
                Checksum::parse(algorithm, &checksum.to_string()),
                Ok(checksum)
            );
            assert!(Checksum::new(algorithm, &bytes[1..]).is_err());
            assert_eq!(
                ChecksumAlgorithm::parse(&algorithm.name().to_lowercase()),
                Ok(algorithm)
            );
        }
        for wrong in ["", "AAAA", "AAAAAA=", "AAAAAA==\n", "%%%%"] {
            assert!(
                Checksum::parse(ChecksumAlgorithm::Crc32, wrong).is_err(),
                "{wrong}"
            );
        }
        assert!(ChecksumAlgorithm::parse("MD5").is_err());
    }
}
