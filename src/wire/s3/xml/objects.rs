use std::fmt::Display;

use names::{ChecksumAlgorithm, ChecksumKind};

use super::encoding::{EncodingType, encoded};
use super::owner::Owner;
use super::page::KeysPage;
use super::writer::Writer;

/// `ListBucketResult`: the answer of ListObjects and ListObjectsV2.
pub struct ListBucketResult<'a> {
    /// What it says as every page of keys does.
    pub page: KeysPage<'a>,
    /// What only one of the two versions says.
    pub paging: Paging<'a>,
    /// The objects.
    pub objects: Vec<ObjectEntry<'a>>,
}

/// How a list of objects goes on.
#[derive(Debug, Clone, Copy)]
pub enum Paging<'a> {
    /// ListObjects.
    V1 {
        /// `marker`; may be empty.
        marker: &'a str,
        /// Where to go on; Amazon says it only when a delimiter was asked for.
        next_marker: Option<&'a str>,
    },
    /// ListObjectsV2.
    V2 {
        /// The token that was sent.
        continuation_token: Option<&'a str>,
        /// Where to go on, when there is more.
        next_continuation_token: Option<&'a str>,
        /// `start-after`, if it was sent.
        start_after: Option<&'a str>,
    },
}

/// An object in a list.
#[derive(Clone, Copy)]
pub struct ObjectEntry<'a> {
    /// Its key.
    pub key: &'a str,
    /// When it was written, milliseconds since the epoch.
    pub modified_ms: u64,
    /// Its ETag, without quotes.
    pub etag: &'a dyn Display,
    /// Its size, bytes.
    pub size: u64,
    /// Its storage class.
    pub storage_class: &'a str,
    /// Its owner: ListObjects always, ListObjectsV2 under `fetch-owner`.
    pub owner: Option<Owner<'a>>,
    /// Its checksum, without the value.
    pub checksum: Option<(ChecksumAlgorithm, ChecksumKind)>,
}

impl ListBucketResult<'_> {
    /// Writes it.
    pub fn to_xml(&self) -> String {
        let encoded = |text| self.page.encoded(text);
        Writer::document("ListBucketResult", |to| {
            self.page.write_head(to);
            if let Paging::V1 {
                marker,
                next_marker,
            } = self.paging
            {
                to.element("Marker", encoded(marker));
                to.optional("NextMarker", next_marker.map(encoded));
            }
            for object in &self.objects {
                object.write(self.page.encoding, to);
            }
            self.page.write_tail(to);
            if let Paging::V2 {
                continuation_token,
                next_continuation_token,
                start_after,
            } = self.paging
            {
                to.element(
                    "KeyCount",
                    self.objects.len() + self.page.common_prefixes.len(),
                );
                to.optional("ContinuationToken", continuation_token);
                to.optional("NextContinuationToken", next_continuation_token);
                to.optional("StartAfter", start_after.map(encoded));
            }
        })
    }
}

impl ObjectEntry<'_> {
    fn write(&self, encoding: Option<EncodingType>, to: &mut Writer) {
        to.parent("Contents", |to| {
            write_checksum(self.checksum, to);
            to.etag(self.etag);
            to.element("Key", encoded(self.key, encoding));
            to.instant("LastModified", self.modified_ms);
            if let Some(owner) = &self.owner {
                owner.write("Owner", to);
            }
            to.element("Size", self.size);
            to.element("StorageClass", self.storage_class);
        });
    }
}

pub(super) fn write_checksum(checksum: Option<(ChecksumAlgorithm, ChecksumKind)>, to: &mut Writer) {
    if let Some((algorithm, kind)) = checksum {
        to.element("ChecksumAlgorithm", algorithm.name());
        to.element("ChecksumType", kind_name(kind));
    }
}

pub(super) const fn kind_name(kind: ChecksumKind) -> &'static str {
    match kind {
        ChecksumKind::FullObject => "FULL_OBJECT",
        ChecksumKind::Composite => "COMPOSITE",
    }
}
