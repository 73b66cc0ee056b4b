use std::fmt::Display;

use names::{ChecksumAlgorithm, ChecksumKind};

use super::encoding::{EncodingType, encoded};
use super::objects::{write_checksum, write_prefixes};
use super::owner::Owner;
use super::writer::Writer;

/// `VersioningConfiguration`: the answer of GetBucketVersioning for a bucket that never had it,
/// which says nothing of its state.
#[derive(Debug, Clone, Copy)]
pub struct VersioningConfiguration;

/// `ListVersionsResult`: the answer of ListObjectVersions.
pub struct ListVersionsResult<'a> {
    /// The bucket.
    pub bucket: &'a str,
    /// The prefix that was asked for; may be empty.
    pub prefix: &'a str,
    /// The delimiter, if one was asked for.
    pub delimiter: Option<&'a str>,
    /// How many entries were asked for.
    pub max_keys: u32,
    /// How keys are written.
    pub encoding: Option<EncodingType>,
    /// Whether there is more.
    pub is_truncated: bool,
    /// `key-marker`; may be empty.
    pub key_marker: &'a str,
    /// `version-id-marker`; may be empty.
    pub version_marker: &'a str,
    /// The last key of a truncated page.
    pub next_key_marker: Option<&'a str>,
    /// The last version of a truncated page.
    pub next_version_marker: Option<&'a str>,
    /// Versions and delete markers in order.
    pub versions: Vec<VersionEntry<'a>>,
    /// The stretches of keys.
    pub common_prefixes: Vec<&'a str>,
}

/// A version or delete marker in a list.
#[derive(Clone, Copy)]
pub struct VersionEntry<'a> {
    /// The key.
    pub key: &'a str,
    /// The version: `null`, or its identifier.
    pub version: &'a str,
    /// Whether it is the current one.
    pub is_latest: bool,
    /// When it was written, milliseconds since the epoch.
    pub modified_ms: u64,
    /// Its owner.
    pub owner: Owner<'a>,
    /// What it is.
    pub kind: VersionKind<'a>,
}

/// What a version is.
#[derive(Clone, Copy)]
pub enum VersionKind<'a> {
    /// An object.
    Object {
        /// Its ETag, without quotes.
        etag: &'a dyn Display,
        /// Its size, bytes.
        size: u64,
        /// Its storage class.
        storage_class: &'a str,
        /// Its checksum, without the value.
        checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
    },
    /// A delete marker.
    DeleteMarker,
}

impl VersioningConfiguration {
    /// Writes it.
    pub fn to_xml(self) -> String {
        Writer::document("VersioningConfiguration", |_| {})
    }
}

impl ListVersionsResult<'_> {
    /// Writes it.
    pub fn to_xml(&self) -> String {
        let encoded = |text| encoded(text, self.encoding);
        Writer::document("ListVersionsResult", |to| {
            to.element("IsTruncated", self.is_truncated);
            to.element("KeyMarker", encoded(self.key_marker));
            to.element("VersionIdMarker", self.version_marker);
            to.optional("NextKeyMarker", self.next_key_marker.map(encoded));
            to.optional("NextVersionIdMarker", self.next_version_marker);
            for version in &self.versions {
                version.write(self.encoding, to);
            }
            to.element("Name", self.bucket);
            to.element("Prefix", encoded(self.prefix));
            to.optional("Delimiter", self.delimiter.map(encoded));
            to.element("MaxKeys", self.max_keys);
            write_prefixes(&self.common_prefixes, self.encoding, to);
            to.optional("EncodingType", self.encoding.map(EncodingType::name));
        })
    }
}

impl VersionEntry<'_> {
    fn write(&self, encoding: Option<EncodingType>, to: &mut Writer) {
        let name = match self.kind {
            VersionKind::Object { .. } => "Version",
            VersionKind::DeleteMarker => "DeleteMarker",
        };
        to.parent(name, |to| {
            if let VersionKind::Object { etag, checksum, .. } = self.kind {
                write_checksum(checksum, to);
                to.etag(etag);
            }
            to.element("IsLatest", self.is_latest);
            to.element("Key", encoded(self.key, encoding));
            to.instant("LastModified", self.modified_ms);
            self.owner.write("Owner", to);
            if let VersionKind::Object {
                size,
                storage_class,
                ..
            } = self.kind
            {
                to.element("Size", size);
                to.element("StorageClass", storage_class);
            }
            to.element("VersionId", self.version);
        });
    }
}
