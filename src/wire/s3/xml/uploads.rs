use std::fmt::Display;

use names::{Checksum, ChecksumAlgorithm, ChecksumKind, PartNumber};

use super::complete::write_value;
use super::encoding::{EncodingType, encoded};
use super::objects::write_checksum;
use super::owner::Owner;
use super::page::write_prefixes;
use super::writer::Writer;

/// `InitiateMultipartUploadResult`: the answer of CreateMultipartUpload.
#[derive(Debug, Clone, Copy)]
pub struct InitiateMultipartUploadResult<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The key of the object to be.
    pub key: &'a str,
    /// The upload.
    pub upload: &'a str,
}

/// `ListMultipartUploadsResult`: the answer of ListMultipartUploads.
pub struct ListMultipartUploadsResult<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The prefix that was asked for; may be empty.
    pub prefix: &'a str,
    /// The delimiter, if one was asked for.
    pub delimiter: Option<&'a str>,
    /// How many entries were asked for.
    pub max_uploads: u32,
    /// How keys are written.
    pub encoding: Option<EncodingType>,
    /// Whether there is more.
    pub is_truncated: bool,
    /// `key-marker`; may be empty.
    pub key_marker: &'a str,
    /// `upload-id-marker`; may be empty.
    pub upload_marker: &'a str,
    /// The last key of a truncated page.
    pub next_key_marker: Option<&'a str>,
    /// The last upload of a truncated page.
    pub next_upload_marker: Option<&'a str>,
    /// The uploads.
    pub uploads: Vec<UploadEntry<'a>>,
    /// The stretches of keys.
    pub common_prefixes: Vec<&'a str>,
}

/// An upload in a list.
#[derive(Debug, Clone, Copy)]
pub struct UploadEntry<'a> {
    /// The key of the object to be.
    pub key: &'a str,
    /// The upload.
    pub upload: &'a str,
    /// When it began, milliseconds since the epoch.
    pub initiated_ms: u64,
    /// Who began it.
    pub initiator: Owner<'a>,
    /// Whose the object will be.
    pub owner: Owner<'a>,
    /// Its storage class.
    pub storage_class: &'a str,
    /// The checksum it will have.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
}

/// `ListPartsResult`: the answer of ListParts.
pub struct ListPartsResult<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The upload that the parts belong to.
    pub upload: UploadEntry<'a>,
    /// `part-number-marker`; 0 when none was sent.
    pub part_marker: u16,
    /// The last part of a truncated page.
    pub next_part_marker: Option<PartNumber>,
    /// How many parts were asked for.
    pub max_parts: u32,
    /// Whether there is more.
    pub is_truncated: bool,
    /// The parts.
    pub parts: Vec<PartEntry<'a>>,
}

/// A part in a list.
#[derive(Clone, Copy)]
pub struct PartEntry<'a> {
    /// Its number.
    pub part: PartNumber,
    /// Its ETag, without quotes.
    pub etag: &'a dyn Display,
    /// Its size, bytes.
    pub size: u64,
    /// When it was written, milliseconds since the epoch.
    pub modified_ms: u64,
    /// Its checksum.
    pub checksum: Option<Checksum>,
}

impl InitiateMultipartUploadResult<'_> {
    /// Writes it.
    pub fn to_xml(&self) -> String {
        Writer::document("InitiateMultipartUploadResult", |to| {
            to.element("Bucket", self.bucket);
            to.element("Key", self.key);
            to.element("UploadId", self.upload);
        })
    }
}

impl ListMultipartUploadsResult<'_> {
    /// Writes it.
    pub fn to_xml(&self) -> String {
        let encoded = |text| encoded(text, self.encoding);
        Writer::document("ListMultipartUploadsResult", |to| {
            to.element("Bucket", self.bucket);
            to.element("KeyMarker", encoded(self.key_marker));
            to.element("UploadIdMarker", self.upload_marker);
            to.optional("NextKeyMarker", self.next_key_marker.map(encoded));
            to.element("Prefix", encoded(self.prefix));
            to.optional("Delimiter", self.delimiter.map(encoded));
            to.optional("NextUploadIdMarker", self.next_upload_marker);
            to.element("MaxUploads", self.max_uploads);
            to.element("IsTruncated", self.is_truncated);
            for upload in &self.uploads {
                upload.write(self.encoding, to);
            }
            write_prefixes(&self.common_prefixes, self.encoding, to);
            to.optional("EncodingType", self.encoding.map(EncodingType::name));
        })
    }
}

impl UploadEntry<'_> {
    fn write(&self, encoding: Option<EncodingType>, to: &mut Writer) {
        to.parent("Upload", |to| {
            write_checksum(self.checksum, to);
            to.instant("Initiated", self.initiated_ms);
            self.initiator.write("Initiator", to);
            to.element("Key", encoded(self.key, encoding));
            self.owner.write("Owner", to);
            to.element("StorageClass", self.storage_class);
            to.element("UploadId", self.upload);
        });
    }
}

impl ListPartsResult<'_> {
    /// Writes it.
    pub fn to_xml(&self) -> String {
        Writer::document("ListPartsResult", |to| {
            to.element("Bucket", self.bucket);
            to.element("Key", self.upload.key);
            to.element("UploadId", self.upload.upload);
            to.element("PartNumberMarker", self.part_marker);
            to.optional("NextPartNumberMarker", self.next_part_marker);
            to.element("MaxParts", self.max_parts);
            to.element("IsTruncated", self.is_truncated);
            for part in &self.parts {
                to.parent("Part", |to| {
                    if let Some(checksum) = &part.checksum {
                        write_value(checksum.algorithm(), checksum, to);
                    }
                    to.etag(part.etag);
                    to.instant("LastModified", part.modified_ms);
                    to.element("PartNumber", part.part);
                    to.element("Size", part.size);
                });
            }
            self.upload.initiator.write("Initiator", to);
            self.upload.owner.write("Owner", to);
            to.element("StorageClass", self.upload.storage_class);
            write_checksum(self.upload.checksum, to);
        })
    }
}
