use std::fmt::Display;

use names::{ChecksumAlgorithm, ChecksumKind};

use super::encoding::{EncodingType, encoded};
use super::objects::write_checksum;
use super::owner::Owner;
use super::page::KeysPage;
use super::writer::Writer;

/// `VersioningConfiguration`: the answer of GetBucketVersioning for a bucket that never had it,
/// which says nothing of its state.
#[derive(Debug, Clone, Copy)]
pub struct VersioningConfiguration;

/// `ListVersionsResult`: the answer of ListObjectVersions.
pub struct ListVersionsResult<'a> {
    /// What it says as every page of keys does.
    pub page: KeysPage<'a>,
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
        let encoded = |text| self.page.encoded(text);
        Writer::document("ListVersionsResult", |to| {
            self.page.write_head(to);
            to.element("KeyMarker", encoded(self.key_marker));
            to.element("VersionIdMarker", self.version_marker);
            to.optional("NextKeyMarker", self.next_key_marker.map(encoded));
            to.optional("NextVersionIdMarker", self.next_version_marker);
            for version in &self.versions {
                version.write(self.page.encoding, to);
            }
            self.page.write_tail(to);
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
