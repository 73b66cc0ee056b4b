use std::fmt::Display;

use names::{ChecksumAlgorithm, ChecksumKind};

use super::encoding::{EncodingType, encoded};
use super::owner::Owner;
use super::writer::Writer;

/// `ListBucketResult`: the answer of ListObjects and ListObjectsV2.
pub struct ListBucketResult<'a> {
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
    /// What only one of the two versions says.
    pub paging: Paging<'a>,
    /// The objects.
    pub objects: Vec<ObjectEntry<'a>>,
    /// The stretches of keys.
    pub common_prefixes: Vec<&'a str>,
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
        let encoded = |text| encoded(text, self.encoding);
        Writer::document("ListBucketResult", |to| {
            to.element("IsTruncated", self.is_truncated);
            if let Paging::V1 {
                marker,
                next_marker,
            } = self.paging
            {
                to.element("Marker", encoded(marker));
                to.optional("NextMarker", next_marker.map(encoded));
            }
            for object in &self.objects {
                object.write(self.encoding, to);
            }
            to.element("Name", self.bucket);
            to.element("Prefix", encoded(self.prefix));
            to.optional("Delimiter", self.delimiter.map(encoded));
            to.element("MaxKeys", self.max_keys);
            write_prefixes(&self.common_prefixes, self.encoding, to);
            to.optional("EncodingType", self.encoding.map(EncodingType::name));
            if let Paging::V2 {
                continuation_token,
                next_continuation_token,
                start_after,
            } = self.paging
            {
                to.element("KeyCount", self.objects.len() + self.common_prefixes.len());
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

pub(super) fn write_prefixes(prefixes: &[&str], encoding: Option<EncodingType>, to: &mut Writer) {
    for prefix in prefixes {
        to.parent("CommonPrefixes", |to| {
            to.element("Prefix", encoded(prefix, encoding));
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
