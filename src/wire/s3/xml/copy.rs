use std::fmt::Display;

use names::{Checksum, ChecksumAlgorithm, ChecksumKind};

use super::complete::write_value;
use super::objects::kind_name;
use super::writer::Writer;

/// `CopyObjectResult`: the answer of CopyObject.
pub struct CopyObjectResult<'a> {
    /// The copy's ETag, without quotes.
    pub etag: &'a dyn Display,
    /// When it was written, milliseconds since the epoch.
    pub modified_ms: u64,
    /// Its checksum; how a composite one is shown is the caller's matter.
    pub checksum: Option<(ChecksumAlgorithm, &'a dyn Display, ChecksumKind)>,
}

/// `CopyPartResult`: the answer of UploadPartCopy.
pub struct CopyPartResult<'a> {
    /// The part's ETag, without quotes.
    pub etag: &'a dyn Display,
    /// When it was written, milliseconds since the epoch.
    pub modified_ms: u64,
    /// Its checksum.
    pub checksum: Option<Checksum>,
}

impl CopyObjectResult<'_> {
    /// Writes it.
    pub fn to_xml(&self) -> String {
        Writer::document("CopyObjectResult", |to| {
            to.etag(self.etag);
            to.instant("LastModified", self.modified_ms);
            if let Some((algorithm, value, kind)) = self.checksum {
                to.element("ChecksumType", kind_name(kind));
                write_value(algorithm, value, to);
            }
        })
    }
}

impl CopyPartResult<'_> {
    /// Writes it.
    pub fn to_xml(&self) -> String {
        Writer::document("CopyPartResult", |to| {
            to.etag(self.etag);
            to.instant("LastModified", self.modified_ms);
            if let Some(checksum) = &self.checksum {
                write_value(checksum.algorithm(), checksum, to);
            }
        })
    }
}
