use std::fmt::Display;

use names::{Checksum, ChecksumAlgorithm, ChecksumKind, PartNumber};

use super::document::Element;
use super::objects::kind_name;
use super::writer::Writer;
use crate::s3::header::unquoted;
use crate::s3::{ErrorCode, Refusal};

/// `CompleteMultipartUpload`: the parts that make an object, in the order they were named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompleteMultipartUpload {
    /// The parts: 1 to 10,000. Their order is not judged here.
    pub parts: Vec<CompletedPart>,
}

/// A part as a completion names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletedPart {
    /// Its number.
    pub part: PartNumber,
    /// Its ETag, without quotes.
    pub etag: String,
    /// Its checksum, if it was sent.
    pub checksum: Option<Checksum>,
}

/// `CompleteMultipartUploadResult`: the answer of CompleteMultipartUpload.
pub struct CompleteMultipartUploadResult<'a> {
    /// The object's URL.
    pub location: &'a str,
    /// The bucket.
    pub bucket: &'a str,
    /// The key.
    pub key: &'a str,
    /// The object's ETag, without quotes.
    pub etag: &'a dyn Display,
    /// The object's checksum; how a composite one is shown is the caller's matter.
    pub checksum: Option<(ChecksumAlgorithm, &'a dyn Display, ChecksumKind)>,
}

impl CompleteMultipartUpload {
    /// Reads it.
    ///
    /// # Errors
    /// `MalformedXML`, also without any part, above 10,000 of them, or for a checksum that is
    /// none.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refusal> {
        let root = Element::document(bytes, "CompleteMultipartUpload")?;
        let parts = root
            .children("Part")
            .map(CompletedPart::of)
            .collect::<Result<Vec<_>, _>>()?;
        if parts.is_empty() || parts.len() > usize::from(PartNumber::MAX.value()) {
            return Err(ErrorCode::MalformedXML.into());
        }
        Ok(Self { parts })
    }
}

impl CompletedPart {
    fn of(element: &Element) -> Result<Self, Refusal> {
        let malformed = Refusal::from(ErrorCode::MalformedXML);
        let part = element.number("PartNumber")?.ok_or(malformed)?;
        let etag = element.value("ETag")?.ok_or(malformed)?;
        let mut checksum = None;
        for algorithm in ChecksumAlgorithm::ALL {
            if let Some(value) = element.value(element_name(algorithm))? {
                let value = Checksum::parse(algorithm, value).map_err(|_| malformed)?;
                if checksum.replace(value).is_some() {
                    return Err(malformed);
                }
            }
        }
        Ok(Self {
            part: PartNumber::new(part).map_err(|_| malformed)?,
            etag: unquoted(etag).to_owned(),
            checksum,
        })
    }
}

impl CompleteMultipartUploadResult<'_> {
    /// Writes it.
    pub fn to_xml(&self) -> String {
        Writer::document("CompleteMultipartUploadResult", |to| {
            to.element("Location", self.location);
            to.element("Bucket", self.bucket);
            to.element("Key", self.key);
            to.etag(self.etag);
            if let Some((algorithm, value, kind)) = self.checksum {
                write_value(algorithm, value, to);
                to.element("ChecksumType", kind_name(kind));
            }
        })
    }
}

/// `ChecksumCRC32` and its siblings.
pub(super) fn write_value(algorithm: ChecksumAlgorithm, value: impl Display, to: &mut Writer) {
    to.element(element_name(algorithm), value);
}

const fn element_name(algorithm: ChecksumAlgorithm) -> &'static str {
    match algorithm {
        ChecksumAlgorithm::Crc32 => "ChecksumCRC32",
        ChecksumAlgorithm::Crc32c => "ChecksumCRC32C",
        ChecksumAlgorithm::Crc64Nvme => "ChecksumCRC64NVME",
        ChecksumAlgorithm::Sha1 => "ChecksumSHA1",
        ChecksumAlgorithm::Sha256 => "ChecksumSHA256",
    }
}
