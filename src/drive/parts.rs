use std::sync::Arc;

use envelope::Place;
use names::{BucketId, ObjectKey, PartNumber, UploadId};
use zeroize::Zeroizing;

use super::bodies::Received;
use super::list::PAGE_MAX;
use super::object::are_whole;
use super::record::{Footer, Origin, PartRecord, UploadRecord};
use super::sealed::{Hashed, NewBlob};
use super::service::Done;
use super::session::{ATTEMPTS_MAX, Session};
use super::uploads::info;
use super::{
    DriveError, ExpectedChecksum, Incoming, ObjectHeaders, PartInfo, PartListing, StoredChecksum,
};
use crate::authz::{Action, Allowance, ListParts, PutPart, Receipt};
use crate::catalog::{
    Accounting, Authenticated, BlobRow, BucketRow, Conflict, Mutation, PartRow, Slice, Unverified,
};
use crate::keyring::{OrgKeys, Record};

/// A part about to be committed.
pub(super) struct PartDraft {
    pub(super) upload: UploadId,
    pub(super) part: PartNumber,
    pub(super) size: u64,
    pub(super) record: PartRecord,
    pub(super) slices: Vec<Slice>,
    pub(super) new_blobs: Vec<BlobRow>,
    pub(super) accounting: Accounting,
}

/// Why a part was not committed.
pub(super) enum PartRefused {
    /// A blob of its slices is being collected.
    BlobGone,
    /// Anything else.
    Failed(DriveError),
}

impl Session<PutPart> {
    pub(super) async fn put_part(
        mut self,
        allowance: &Allowance,
        upload: UploadId,
        part: PartNumber,
        mut body: Incoming,
    ) -> Done<PartInfo> {
        let accounting = self.accounting(allowance)?;
        let (bucket, record) = self.target(upload).await?;
        body.expected.checksum = wanted(&record, body.expected.checksum)?;
        let room = self.room_for_part(&accounting, upload, part).await?;
        let limits = (None, room.admit(&body)?);
        let received = self
            .shared
            .receive(self.keys(), Place::Part, body, limits)
            .await
            .map_err(|error| room.exceeded(error))?;
        let Received::Large(hashed, digested) = received else {
            let reason = "a part was received as a small body".to_owned();
            return Err(DriveError::Unavailable(reason));
        };
        let record = PartRecord {
            etag: self.shared.etag(&digested),
            checksum: digested.checksum,
        };
        let blob = self
            .finish(&bucket, *hashed, (upload, part), &record)
            .await?;
        let draft = PartDraft {
            upload,
            part,
            size: blob.slice.length,
            record,
            slices: vec![Slice {
                part: part.value(),
                ..blob.slice
            }],
            new_blobs: vec![blob.row],
            accounting,
        };
        let receipt = Receipt {
            bytes_in: draft.size,
            bytes_out: 0,
        };
        match self.commit_part(&bucket, draft).await {
            Ok(info) => Ok((info, receipt)),
            Err(PartRefused::Failed(error)) => Err(error),
            Err(PartRefused::BlobGone) => {
                let reason = "a blob is collected that was just written".to_owned();
                Err(DriveError::Unavailable(reason))
            }
        }
    }

    /// The bucket of the permit, and the metadata of an upload for its key.
    pub(super) async fn target(
        &mut self,
        upload: UploadId,
    ) -> Result<(BucketRow, UploadRecord), DriveError> {
        let name = self.permit.object_bucket().clone();
        let key = self.permit.key().clone();
        let bucket = self.bucket(&name).await?;
        let found = self.upload(bucket.bucket, &key, upload).await?;
        let (_, record) = found.ok_or(DriveError::NoSuchUpload)?;
        Ok((bucket, record))
    }

    /// Ends the blob of a part with a footer that tells which it is.
    pub(super) async fn finish(
        &self,
        bucket: &BucketRow,
        hashed: Hashed,
        (upload, part): (UploadId, PartNumber),
        record: &PartRecord,
    ) -> Result<NewBlob, DriveError> {
        let footer = Footer {
            bucket: &bucket.name,
            key: self.permit.key(),
            origin: Origin::Part(upload, part),
            etag: record.etag,
            checksum: record.checksum.map(|checksum| StoredChecksum {
                checksum,
                kind: names::ChecksumKind::FullObject,
            }),
            headers: &ObjectHeaders::default(),
            modified_ms: self.shared.clock.now_ms(),
        };
        hashed.finish(&footer.encode()).await
    }

    pub(super) async fn commit_part(
        &mut self,
        bucket: &BucketRow,
        mut draft: PartDraft,
    ) -> Result<PartInfo, PartRefused> {
        let modified_ms = self.shared.clock.now_ms();
        for _ in 0..ATTEMPTS_MAX {
            let mutation =
                draft.seal(self.keys(), bucket.bucket, self.permit.key(), modified_ms)?;
            match self.commit(mutation).await? {
                Ok(_) => {
                    return Ok(PartInfo {
                        part: draft.part,
                        size: draft.size,
                        etag: draft.record.etag,
                        checksum: draft.record.checksum,
                        modified_ms,
                    });
                }
                Err(Conflict::KeyClosed { .. }) => {
                    let before = Arc::clone(self.keys());
                    self.reopen_keys().await?;
                    let (slices, new_blobs) = (&mut draft.slices, &mut draft.new_blobs);
                    self.shared
                        .reseal_new(&before, self.keys(), slices, new_blobs)
                        .await?;
                }
                Err(Conflict::BlobGone(_)) => return Err(PartRefused::BlobGone),
                Err(Conflict::Missing) => return Err(DriveError::NoSuchUpload.into()),
                Err(conflict) => return Err(DriveError::refused(&conflict).into()),
            }
        }
        Err(DriveError::contended().into())
    }
}

impl Session<ListParts> {
    pub(super) async fn list_parts(
        mut self,
        upload: UploadId,
        after: Option<PartNumber>,
        max: u32,
    ) -> Done<PartListing> {
        let name = self.permit.object_bucket().clone();
        let key = self.permit.key().clone();
        let bucket = self.bucket(&name).await?.bucket;
        let found = self.upload(bucket, &key, upload).await?;
        let (row, record) = found.ok_or(DriveError::NoSuchUpload)?;
        let max = max.min(PAGE_MAX);
        let mut parts = match max {
            0 => Vec::new(),
            _ => self.parts(upload, after, max + 1).await?,
        };
        let is_truncated = parts.len() > max as usize;
        parts.truncate(max as usize);
        let listing = PartListing {
            upload: info(&row, &record),
            parts: parts.into_iter().map(|part| part.info()).collect(),
            is_truncated,
        };
        Ok((listing, Receipt::default()))
    }
}

/// A part as it was found: its row verified, its metadata opened.
pub(super) struct Part {
    pub(super) row: PartRow,
    pub(super) record: PartRecord,
}

impl<A: Action> Session<A> {
    /// Up to `max` parts of an upload with numbers above `after`.
    pub(super) async fn parts(
        &mut self,
        upload: UploadId,
        after: Option<PartNumber>,
        max: u32,
    ) -> Result<Vec<Part>, DriveError> {
        let claimed = self.catalog.parts(upload, after, max).await?;
        self.open_parts(upload, claimed).await
    }

    pub(super) async fn open_parts(
        &mut self,
        upload: UploadId,
        claimed: Vec<Unverified<PartRow>>,
    ) -> Result<Vec<Part>, DriveError> {
        self.verify_all(claimed, move |keys, row: PartRow, _| {
            let damaged = |reason: &str| DriveError::damaged(name_of(&row), reason);
            if row.upload != upload {
                return Err(damaged("it is a part of another upload"));
            }
            if !are_whole(&row.slices, row.size) {
                return Err(damaged(NOT_WHOLE));
            }
            let record = open(keys, &row)?;
            Ok(Part { row, record })
        })
        .await
    }
}

impl Part {
    fn info(self) -> PartInfo {
        PartInfo {
            part: self.row.part,
            size: self.row.size,
            etag: self.record.etag,
            checksum: self.record.checksum,
            modified_ms: self.row.modified_ms,
        }
    }
}

impl PartDraft {
    fn seal(
        &self,
        keys: &OrgKeys,
        bucket: BucketId,
        key: &ObjectKey,
        modified_ms: u64,
    ) -> Result<Mutation, DriveError> {
        let org = keys.org();
        let number = self.part.value().to_be_bytes();
        let primary_key: [&[u8]; 3] = [org.bytes(), self.upload.bytes(), &number];
        let metadata = keys.seal_record(place(&primary_key), &self.record.encode());
        let row = PartRow {
            org,
            upload: self.upload,
            part: self.part,
            size: self.size,
            modified_ms,
            metadata: metadata.map_err(DriveError::sealing)?,
            slices: self.slices.clone(),
        };
        Ok(Mutation::PutPart {
            bucket,
            key: key.clone(),
            part: keys.authenticate(row).map_err(DriveError::sealing)?,
            new_blobs: self.new_blobs.clone(),
            accounting: self.accounting,
        })
    }
}

impl From<DriveError> for PartRefused {
    fn from(error: DriveError) -> Self {
        Self::Failed(error)
    }
}

/// The checksum that a part gets: the one of its upload, also when the client sends none.
fn wanted(
    upload: &UploadRecord,
    sent: Option<ExpectedChecksum>,
) -> Result<Option<ExpectedChecksum>, DriveError> {
    match (upload.checksum, sent) {
        (Some((algorithm, _)), Some(sent)) if sent.algorithm() != algorithm => {
            Err(DriveError::InvalidRequest(
                "The checksum algorithm of the part is not that of its upload",
            ))
        }
        (Some((algorithm, _)), None) => Ok(Some(ExpectedChecksum::Compute(algorithm))),
        (_, sent) => Ok(sent),
    }
}

/// Believes a part as it is stored, and opens what is sealed in it.
pub(super) fn open_stored(
    keys: &OrgKeys,
    claimed: Unverified<PartRow>,
) -> Result<(PartRow, Zeroizing<Vec<u8>>), DriveError> {
    let what = name_of(claimed.unverified());
    let row = keys
        .verify(claimed)
        .map_err(|refused| DriveError::damaged(what, refused))?;
    if !are_whole(&row.slices, row.size) {
        return Err(DriveError::damaged(name_of(&row), NOT_WHOLE));
    }
    let metadata = open_metadata(keys, &row)?;
    Ok((row, metadata))
}

/// The same part under the newest key, with slices that hold the same bytes.
pub(super) fn reseal_part(
    keys: &OrgKeys,
    row: &PartRow,
    metadata: &[u8],
    slices: &[Slice],
) -> Result<Authenticated<PartRow>, DriveError> {
    let number = row.part.value().to_be_bytes();
    let primary_key: [&[u8]; 3] = [row.org.bytes(), row.upload.bytes(), &number];
    let metadata = keys.seal_record(place(&primary_key), metadata);
    let new = PartRow {
        metadata: metadata.map_err(DriveError::sealing)?,
        slices: slices.to_vec(),
        ..row.clone()
    };
    keys.authenticate(new).map_err(DriveError::sealing)
}

fn open(keys: &OrgKeys, row: &PartRow) -> Result<PartRecord, DriveError> {
    let opened = open_metadata(keys, row)?;
    PartRecord::decode(&opened).map_err(|malformed| malformed.in_row(name_of(row)))
}

fn open_metadata(keys: &OrgKeys, row: &PartRow) -> Result<Zeroizing<Vec<u8>>, DriveError> {
    let number = row.part.value().to_be_bytes();
    let primary_key: [&[u8]; 3] = [row.org.bytes(), row.upload.bytes(), &number];
    keys.open_record(place(&primary_key), &row.metadata)
        .map_err(|refused| DriveError::damaged(name_of(row), refused))
}

fn name_of(row: &PartRow) -> String {
    let PartRow {
        org, upload, part, ..
    } = row;
    format!("part {part} of upload {upload} of organization {org}")
}

/// The part's number stands in the primary key as two bytes, big-endian.
fn place<'a>(primary_key: &'a [&'a [u8]]) -> Record<'a> {
    Record {
        table: "upload_parts",
        primary_key,
        column: "metadata",
    }
}

const NOT_WHOLE: &str = "its slices do not make up its size";
