use envelope::{HEADER_LEN, Header, Place};
use names::{BlobId, OrgId};
use sha2::{Digest, Sha256};

use super::explanation::Mac;
use super::finding::RowName;
use crate::catalog::{
    BlobRow, Body, BucketRow, Content, CredentialRow, OrgKeyRow, OrganizationRow, PartRow,
    RecordRow, Row, Slice, TaggedRow, Unverified, UploadRow, VersionRow,
};
use crate::keyring::{OrgKeys, Record, RowRefused};

/// The keys that the rows of one organization stand under.
pub(super) struct Authorities<'a> {
    pub(super) platform: &'a OrgKeys,
    /// The organization's own; nothing when they cannot be had.
    pub(super) own: Option<&'a OrgKeys>,
}

/// A row that was looked at.
pub(super) struct Inspected {
    /// Which.
    pub(super) name: RowName,
    /// The MAC that it carries.
    pub(super) mac: Mac,
    /// What its key says.
    pub(super) verdict: Verdict,
}

/// What a row's key says of it.
pub(super) enum Verdict {
    /// It is what was written.
    Genuine,
    /// It is genuine, and what lies beside it under no MAC does not fit it.
    Unfit(Vec<String>),
    /// It is not what was written.
    Altered(RowRefused),
    /// Its key cannot be had.
    Unknown,
}

impl Inspected {
    /// Checks a row of `org` and what is stored with it.
    pub(super) fn of(org: OrgId, row: TaggedRow, keys: &Authorities<'_>) -> Self {
        let name = |table, key: String| RowName {
            table,
            organization: org.to_string(),
            key,
        };
        let platform = Some(keys.platform);
        match row {
            TaggedRow::Organization(row) => {
                let key = row.unverified().org.to_string();
                Self::plain(name(OrganizationRow::TABLE, key), row, platform)
            }
            TaggedRow::OrgKey(row) => {
                let key = row.unverified().version.to_string();
                Self::plain(name(OrgKeyRow::TABLE, key), row, platform)
            }
            TaggedRow::Credential(row) => {
                let key = hex::encode(row.unverified().lookup);
                Self::plain(name(CredentialRow::TABLE, key), row, platform)
            }
            TaggedRow::Record(row) => {
                let record = row.unverified();
                let key = format!("{} {}", record.kind, hex::encode(record.id));
                let keys = if org.is_platform() {
                    platform
                } else {
                    keys.own
                };
                Self::plain(name(RecordRow::TABLE, key), row, keys)
            }
            TaggedRow::Bucket(row) => {
                let key = row.unverified().bucket.to_string();
                Self::plain(name(BucketRow::TABLE, key), row, keys.own)
            }
            TaggedRow::Upload(row) => {
                let key = row.unverified().upload.to_string();
                Self::plain(name(UploadRow::TABLE, key), row, keys.own)
            }
            TaggedRow::Part(row, blobs) => {
                let part = row.unverified();
                let name = name(
                    PartRow::TABLE,
                    format!("{} {}", part.upload, part.part.value()),
                );
                let slices = part.slices.clone();
                Self::plain(name, row, keys.own).naming(&slices, &blobs, keys.own)
            }
            TaggedRow::Version(row, content, blobs) => {
                let key = row.unverified().version.to_string();
                let name = name(VersionRow::TABLE, key);
                let inspected = Self::version(name, row, &content, keys.own);
                match &content.body {
                    Body::Inline(_) => inspected,
                    Body::Blobs(slices) => inspected.naming(slices, &blobs, keys.own),
                }
            }
        }
    }

    fn plain<R: Row>(name: RowName, row: Unverified<R>, keys: Option<&OrgKeys>) -> Self {
        let mac = row.tag().mac;
        let verdict = match keys.map(|keys| keys.verify(row)) {
            Some(Ok(_)) => Verdict::Genuine,
            Some(Err(reason)) => Verdict::Altered(reason),
            None => Verdict::Unknown,
        };
        Self { name, mac, verdict }
    }

    fn version(
        name: RowName,
        row: Unverified<VersionRow>,
        content: &Content,
        keys: Option<&OrgKeys>,
    ) -> Self {
        let claimed = row.unverified().clone();
        let key_version = row.tag().key_version;
        let mut inspected = Self::plain(name, row, keys);
        if let (Verdict::Genuine, Some(keys)) = (&inspected.verdict, keys)
            && let Err(reason) = fits(&claimed, key_version, content, keys)
        {
            inspected.verdict = Verdict::Unfit(vec![reason]);
        }
        inspected
    }

    /// Checks the headers of the blobs that a genuine row names.
    fn naming(mut self, slices: &[Slice], blobs: &[BlobRow], keys: Option<&OrgKeys>) -> Self {
        let (Verdict::Genuine, Some(keys)) = (&self.verdict, keys) else {
            return self;
        };
        let unfit = slices.iter().filter_map(|slice| {
            let row = blobs.iter().find(|row| row.blob == slice.blob);
            blob_fits(slice, row, keys).err()
        });
        let unfit: Vec<String> = unfit.collect();
        if !unfit.is_empty() {
            self.verdict = Verdict::Unfit(unfit);
        }
        self
    }
}

/// Whether a slice's blob is known, and its header the one that the slice is bound to.
fn blob_fits(slice: &Slice, row: Option<&BlobRow>, keys: &OrgKeys) -> Result<(), String> {
    let blob = slice.blob;
    let row = row.ok_or_else(|| format!("blob {blob} is not known"))?;
    let place = match slice.kind {
        OBJECT => Place::Object,
        PART => Place::Part,
        other => return Err(format!("blob {blob} is said to be of kind {other}")),
    };
    match keys.open_blob(place, blob, &slice.commitment, &row.header) {
        Ok(_) => Ok(()),
        Err(reason) => Err(format!("the header of blob {blob}: {reason}")),
    }
}

/// Whether a version's content is the one that its MAC covers, and opens.
fn fits(
    version: &VersionRow,
    key_version: u32,
    content: &Content,
    keys: &OrgKeys,
) -> Result<(), String> {
    let input = content.digest_input().ok_or("its content is cut short")?;
    if Sha256::digest(input).as_slice() != version.content_digest {
        return Err("its content is another version's".to_owned());
    }
    keys.open_etag(version.bucket, version.version, key_version, &version.etag)
        .map_err(|reason| format!("its ETag: {reason}"))?;
    let record = Record {
        table: "contents",
        primary_key: &[version.org.bytes(), version.version.bytes()],
        column: "metadata",
    };
    keys.open_record(record, &content.metadata)
        .map_err(|reason| format!("its metadata: {reason}"))?;
    if let Body::Inline(sealed) = &content.body {
        let header = sealed.get(..HEADER_LEN).unwrap_or(sealed);
        let opened = Header::parse(header)
            .map_err(RowRefused::from)
            .and_then(|parsed| {
                let blob = BlobId::from_bytes(parsed.blob_id());
                keys.open_blob(Place::Object, blob, &parsed.commitment(), header)
            });
        opened.map_err(|reason| format!("its body: {reason}"))?;
    }
    Ok(())
}

/// The kinds of a slice's blob, as its header has them.
const OBJECT: u8 = 1;
const PART: u8 = 2;
