use envelope::{Place, Whole};
use names::{BucketId, ObjectKey, VersionId};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::batch::CHUNK;
use super::record::ObjectRecord;
use super::session::Session;
use super::{DriveError, Etag, ObjectInfo};
use crate::authz::Action;
use crate::catalog::{Authenticated, Body, Content, Slice, Unverified, VersionRow};
use crate::keyring::{OrgKeys, Record};

/// An object as it was found: its row verified, its metadata opened, and where its bytes are as
/// the row's digest covers it.
pub(super) struct Object {
    pub(super) row: VersionRow,
    pub(super) etag: Etag,
    pub(super) record: ObjectRecord,
    pub(super) body: Body,
}

/// The current version of a key, as its row alone tells.
pub(super) struct Current {
    pub(super) row: VersionRow,
    pub(super) etag: Etag,
}

impl<A: Action> Session<A> {
    /// The current version of a key, without what it holds.
    pub(super) async fn current(
        &mut self,
        bucket: BucketId,
        key: &ObjectKey,
    ) -> Result<Option<Current>, DriveError> {
        let Some(claimed) = self.catalog.version(bucket, key).await? else {
            return Ok(None);
        };
        let (row, etag) = self.version(bucket, key, claimed).await?;
        Ok(Some(Current { row, etag }))
    }

    /// The current version of a key and what it holds.
    pub(super) async fn object(
        &mut self,
        bucket: BucketId,
        key: &ObjectKey,
    ) -> Result<Option<Object>, DriveError> {
        let Some((claimed, content)) = self.catalog.object(bucket, key).await? else {
            return Ok(None);
        };
        let (row, etag) = self.version(bucket, key, claimed).await?;
        self.know_key(content.key_version).await?;
        let record = open_content(self.keys(), &row, &content)?;
        Ok(Some(Object {
            row,
            etag,
            record,
            body: content.body,
        }))
    }

    async fn version(
        &mut self,
        bucket: BucketId,
        key: &ObjectKey,
        claimed: Unverified<VersionRow>,
    ) -> Result<(VersionRow, Etag), DriveError> {
        let key_version = claimed.tag().key_version;
        let (org, version) = (self.org(), claimed.unverified().version);
        let what = || format!("version {version} in bucket {bucket} of organization {org}");
        let row = self.verify(claimed, what).await?;
        if row.bucket != bucket || row.key != *key {
            return Err(DriveError::damaged(what(), "it stands under another key"));
        }
        let etag = open_etag(self.keys(), &row, key_version)?;
        Ok((row, etag))
    }
}

impl Object {
    /// What is told of it.
    pub(super) fn info(&self) -> ObjectInfo {
        ObjectInfo {
            version: self.row.version,
            size: self.row.size,
            modified_ms: self.row.modified_ms,
            etag: self.etag,
            headers: self.record.headers.clone(),
            checksum: self.record.checksum,
            parts: self.parts(),
        }
    }

    /// How many parts it was completed from. An opaque ETag looks like that of one part, so the
    /// slices decide.
    pub(super) fn parts(&self) -> u16 {
        match self.slices().first() {
            Some(first) if first.part > 0 => self.row.parts,
            _ => 0,
        }
    }

    /// The slices of its body; none when it is kept in the row.
    pub(super) fn slices(&self) -> &[Slice] {
        match &self.body {
            Body::Inline(_) => &[],
            Body::Blobs(slices) => slices,
        }
    }

    /// Opens a body that is kept in the row; `None` when it is not.
    pub(super) fn open_inline(&self, keys: &OrgKeys) -> Result<Option<Whole>, DriveError> {
        let Body::Inline(sealed) = &self.body else {
            return Ok(None);
        };
        open_inline(keys, &self.row, sealed).map(Some)
    }
}

/// Opens a body that is kept in a row.
pub(super) fn open_inline(
    keys: &OrgKeys,
    row: &VersionRow,
    sealed: &[u8],
) -> Result<Whole, DriveError> {
    let what = || format!("the body of {}", name(row));
    // The row's digest covers the commitment, so the one in the header is the one meant.
    let commitment = sealed
        .get(COMMITMENT)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| DriveError::damaged(what(), "it is cut"))?;
    let whole = keys
        .open_whole(Place::Object, &commitment, sealed)
        .map_err(|refused| DriveError::damaged(what(), refused))?;
    match whole.plaintext.len() as u64 == row.size {
        true => Ok(whole),
        false => Err(DriveError::damaged(what(), "it has another length")),
    }
}

/// A version as it is stored: its row verified, and what is sealed beside it opened.
pub(super) struct Opened {
    pub(super) row: VersionRow,
    etag: Etag,
    metadata: Zeroizing<Vec<u8>>,
}

/// Believes a version and what it holds.
pub(super) fn open_stored(
    keys: &OrgKeys,
    claimed: Unverified<VersionRow>,
    content: &Content,
) -> Result<Opened, DriveError> {
    let key_version = claimed.tag().key_version;
    let what = name(claimed.unverified());
    let row = keys
        .verify(claimed)
        .map_err(|refused| DriveError::damaged(what, refused))?;
    let etag = open_etag(keys, &row, key_version)?;
    let metadata = open_metadata(keys, &row, content)?;
    Ok(Opened {
        row,
        etag,
        metadata,
    })
}

/// The same version under the newest key, with a body that is the same, too.
pub(super) fn reseal_row(
    keys: &OrgKeys,
    opened: &Opened,
    body: Body,
) -> Result<(Authenticated<VersionRow>, Content), DriveError> {
    let row = &opened.row;
    let primary_key = [row.org.bytes().as_slice(), row.version.bytes()];
    let metadata = keys.seal_record(place(&primary_key), &opened.metadata);
    let content = Content {
        metadata: metadata.map_err(DriveError::sealing)?,
        body,
        key_version: keys.newest_version(),
    };
    let cut = || DriveError::damaged(name(row), "it is sealed too short");
    let new = VersionRow {
        etag: keys
            .seal_etag(row.bucket, row.version, &opened.etag.bytes)
            .map_err(DriveError::sealing)?,
        content_digest: digest(&content).ok_or_else(cut)?,
        ..row.clone()
    };
    Ok((
        keys.authenticate(new).map_err(DriveError::sealing)?,
        content,
    ))
}

/// Opens the ETag of a verified row.
pub(super) fn open_etag(
    keys: &OrgKeys,
    row: &VersionRow,
    key_version: u32,
) -> Result<Etag, DriveError> {
    let bytes = keys
        .open_etag(row.bucket, row.version, key_version, &row.etag)
        .map_err(|refused| DriveError::damaged(name(row), refused))?;
    Ok(Etag {
        bytes,
        parts: row.parts,
    })
}

/// Seals the metadata of a version for its place.
pub(super) fn seal_metadata(
    keys: &OrgKeys,
    version: VersionId,
    record: &ObjectRecord,
) -> Result<Vec<u8>, DriveError> {
    let org = keys.org();
    keys.seal_record(place(&[org.bytes(), version.bytes()]), &record.encode())
        .map_err(DriveError::sealing)
}

/// The digest of what a version holds, as its row has it; `None` when something is too short to
/// be sealed.
pub(super) fn digest(content: &Content) -> Option<[u8; 32]> {
    Some(Sha256::digest(content.digest_input()?).into())
}

/// How the log names a version.
pub(super) fn name(row: &VersionRow) -> String {
    let VersionRow { org, version, .. } = row;
    format!("version {version} of organization {org}")
}

/// Checks that the content is the one of the row, and reads its metadata.
fn open_content(
    keys: &OrgKeys,
    row: &VersionRow,
    content: &Content,
) -> Result<ObjectRecord, DriveError> {
    let opened = open_metadata(keys, row, content)?;
    ObjectRecord::decode(&opened).map_err(|malformed| malformed.in_row(name(row)))
}

/// Checks that the content is the one of the row, and opens its metadata.
fn open_metadata(
    keys: &OrgKeys,
    row: &VersionRow,
    content: &Content,
) -> Result<Zeroizing<Vec<u8>>, DriveError> {
    let damaged = |reason: &str| DriveError::damaged(name(row), reason);
    if digest(content) != Some(row.content_digest) {
        return Err(damaged("it holds another content than its row says"));
    }
    if let Body::Blobs(slices) = &content.body
        && !are_whole(slices, row.size)
    {
        return Err(damaged("its slices do not make up its size"));
    }
    let (org, version) = (row.org, row.version);
    keys.open_record(place(&[org.bytes(), version.bytes()]), &content.metadata)
        .map_err(|refused| DriveError::damaged(name(row), refused))
}

/// Whether slices lie within their blobs, and together are `size` bytes long.
pub(super) fn are_whole(slices: &[Slice], size: u64) -> bool {
    let total = slices.iter().try_fold(0_u64, |total, slice| {
        let end = slice.offset.checked_add(slice.length)?;
        let is_within = end <= slice.blob_len && slice.chunk_log2 == CHUNK.log2();
        is_within.then(|| total.checked_add(slice.length)).flatten()
    });
    total == Some(size)
}

fn place<'a>(primary_key: &'a [&'a [u8]]) -> Record<'a> {
    Record {
        table: "contents",
        primary_key,
        column: "metadata",
    }
}

/// Where the commitment stands in a header.
const COMMITMENT: std::ops::Range<usize> = 160..192;
