use md5::{Digest, Md5};
use names::{BucketId, Checksum, ChecksumKind, ObjectKey, VersionId};

use super::bodies::OBJECT_BYTES_MAX;
use super::commit::{Draft, DraftBody, NotCommitted};
use super::digests::{checksum_of, combine};
use super::parts::Part;
use super::record::{ObjectRecord, UploadRecord};
use super::service::Done;
use super::session::{ATTEMPTS_MAX, Session};
use super::{CompleteRequest, DriveError, Etag, NamedPart, StoredChecksum, Written};
use crate::authz::{Allowance, CompleteUpload, Receipt};
use crate::catalog::{Accounting, BucketRow, CompletedUpload, Conflict, RowTag};

impl Session<CompleteUpload> {
    pub(super) async fn complete_upload(
        mut self,
        allowance: &Allowance,
        request: &CompleteRequest,
    ) -> Done<Written> {
        let accounting = self.accounting(allowance)?;
        let name = self.permit.object_bucket().clone();
        let key = self.permit.key().clone();
        if request.parts.is_empty() {
            return Err(DriveError::InvalidRequest(
                "You must specify at least one part",
            ));
        }
        for _ in 0..ATTEMPTS_MAX {
            let bucket = self.bucket(&name).await?;
            let Some((_, upload)) = self.upload(bucket.bucket, &key, request.upload).await? else {
                return self.completed_before(bucket.bucket, &key, request).await;
            };
            match self.attempt(&bucket, upload, request, accounting).await {
                Ok(written) => return Ok((written, Receipt::default())),
                // The upload was completed or given up meanwhile, its bucket was deleted, or a
                // part was replaced: look again. A part that is new makes another ETag, and so
                // another version.
                Err(NotCommitted::Missing | NotCommitted::Changed) => {}
                Err(NotCommitted::BlobGone(blob)) => {
                    return Err(DriveError::refused(&Conflict::BlobGone(blob)));
                }
                // Unless it was judged by what another completion of this very upload has left.
                Err(NotCommitted::Failed(error)) => {
                    let upload = self.upload(bucket.bucket, &key, request.upload).await?;
                    if upload.is_some() {
                        return Err(error);
                    }
                }
            }
        }
        Err(DriveError::contended())
    }

    async fn attempt(
        &mut self,
        bucket: &BucketRow,
        upload: UploadRecord,
        request: &CompleteRequest,
        accounting: Accounting,
    ) -> Result<Written, NotCommitted> {
        let key = self.permit.key().clone();
        let expect = self.expectation(bucket, &key, &request.conditions).await?;
        let parts = self.named_parts(request).await?;
        let size = size_of(&parts, request)?;
        let checksum = checksum(&upload, &parts, request)?;
        let draft = Draft {
            bucket: bucket.clone(),
            key,
            version: self.new_version(),
            size,
            etag: etag(parts.iter().map(|(part, _)| part.record.etag.bytes)),
            record: ObjectRecord {
                headers: upload.headers,
                checksum,
                upload: Some(request.upload),
                part_checksums: part_checksums(&parts).unwrap_or_default(),
            },
            completes: Some(CompletedUpload {
                upload: request.upload,
                parts: parts
                    .iter()
                    .map(|(part, tag)| (part.row.part, *tag))
                    .collect(),
            }),
            body: DraftBody::Blobs {
                slices: parts
                    .into_iter()
                    .flat_map(|(part, _)| part.row.slices)
                    .collect(),
                new_blobs: Vec::new(),
            },
            conditions: request.conditions.clone(),
            expect,
            accounting,
        };
        self.commit_version(draft).await
    }

    /// Answers a completion whose upload is not in progress: as before, if that made the current
    /// version out of the same parts.
    async fn completed_before(
        &mut self,
        bucket: BucketId,
        key: &ObjectKey,
        request: &CompleteRequest,
    ) -> Done<Written> {
        let object = self.object(bucket, key).await?;
        let named: Option<Vec<_>> = request.parts.iter().map(NamedPart::md5).collect();
        let named = named.map(etag);
        let made = object.filter(|object| {
            object.record.upload == Some(request.upload) && named == Some(object.etag)
        });
        let object = made.ok_or(DriveError::NoSuchUpload)?;
        let written = Written {
            version: object.row.version,
            etag: object.etag,
            size: object.row.size,
            checksum: object.record.checksum,
            modified_ms: object.row.modified_ms,
        };
        Ok((written, Receipt::default()))
    }

    /// The parts that the completion names, each with the tag that its row carried.
    async fn named_parts(
        &mut self,
        request: &CompleteRequest,
    ) -> Result<Vec<(Part, RowTag)>, DriveError> {
        if !request.parts.is_sorted_by(|one, next| one.part < next.part) {
            return Err(DriveError::InvalidPartOrder);
        }
        let mut named = request.parts.iter().peekable();
        let mut found = Vec::with_capacity(request.parts.len());
        let mut after = None;
        while named.peek().is_some() {
            let mut claimed = self.catalog.parts(request.upload, after, PAGE_MAX).await?;
            let Some(last) = claimed.last() else {
                return Err(DriveError::InvalidPart);
            };
            after = Some(last.unverified().part);
            // What is not named goes with the upload, unread.
            claimed.retain(|row| {
                let number = row.unverified().part;
                while named.next_if(|named| named.part < number).is_some() {}
                named.next_if(|named| named.part == number).is_some()
            });
            let tags: Vec<_> = claimed.iter().map(|row| row.tag()).collect();
            let parts = self.open_parts(request.upload, claimed).await?;
            found.extend(parts.into_iter().zip(tags));
        }
        // One that was passed over leaves too few.
        let is_meant = |(named, (part, _)): (&NamedPart, &(Part, RowTag))| named.means(part);
        match found.len() == request.parts.len() && request.parts.iter().zip(&found).all(is_meant) {
            true => Ok(found),
            false => Err(DriveError::InvalidPart),
        }
    }

    fn new_version(&self) -> VersionId {
        let now_ms = self.shared.clock.now_ms();
        VersionId::from_bytes(self.shared.entropy.uuid_v7(now_ms))
    }
}

impl NamedPart {
    fn means(&self, part: &Part) -> bool {
        let checksum = part.record.checksum;
        self.part == part.row.part
            && self.etag == part.record.etag.to_string()
            && (self.checksum.is_none() || checksum.is_none() || self.checksum == checksum)
    }

    /// The bytes of its ETag.
    fn md5(&self) -> Option<[u8; 16]> {
        let digits = self
            .etag
            .split_once('-')
            .map_or(&*self.etag, |(md5, _)| md5);
        let mut bytes = [0; 16];
        hex::decode_to_slice(digits, &mut bytes).ok()?;
        Some(bytes)
    }
}

/// The size of the whole, if every part has the size that it may have.
fn size_of(parts: &[(Part, RowTag)], request: &CompleteRequest) -> Result<u64, DriveError> {
    let (_, before_last) = parts.split_last().ok_or(DriveError::InvalidPart)?;
    if before_last
        .iter()
        .any(|(part, _)| part.row.size < PART_BYTES_MIN)
    {
        return Err(DriveError::EntityTooSmall);
    }
    let size = parts
        .iter()
        .try_fold(0_u64, |size, (part, _)| size.checked_add(part.row.size))
        .filter(|size| *size <= OBJECT_BYTES_MAX)
        .ok_or(DriveError::EntityTooLarge)?;
    match request.size {
        Some(said) if said != size => Err(DriveError::InvalidRequest(
            "The object's size is not the one that x-amz-mp-object-size says",
        )),
        _ => Ok(size),
    }
}

/// The checksum of the whole, if it is what the client says.
fn checksum(
    upload: &UploadRecord,
    parts: &[(Part, RowTag)],
    request: &CompleteRequest,
) -> Result<Option<StoredChecksum>, DriveError> {
    let Some((algorithm, kind)) = upload.checksum else {
        return Ok(None);
    };
    if request.checksum_kind.is_some_and(|said| said != kind) {
        return Err(DriveError::InvalidRequest(
            "The checksum type is not the one that the upload was begun with",
        ));
    }
    let sums = part_checksums(parts).filter(|sums| {
        let mut algorithms = sums.iter().map(Checksum::algorithm);
        algorithms.all(|found| found == algorithm)
    });
    let sums = sums.ok_or(DriveError::InvalidPart)?;
    let whole = match kind {
        ChecksumKind::Composite => {
            let bytes: Vec<u8> = sums.iter().flat_map(Checksum::bytes).copied().collect();
            checksum_of(algorithm, &bytes)
        }
        ChecksumKind::FullObject => {
            let lengths = parts.iter().map(|(part, _)| part.row.size);
            combine(algorithm, sums.into_iter().zip(lengths)).ok_or(DriveError::InvalidRequest(
                "This algorithm has no checksum of the whole object",
            ))?
        }
    };
    match request.checksum {
        Some(said) if said != whole => Err(DriveError::BadDigest(said.algorithm().header())),
        _ => Ok(Some(StoredChecksum {
            checksum: whole,
            kind,
        })),
    }
}

/// The checksums of all parts, if they have one each and of one algorithm.
fn part_checksums(parts: &[(Part, RowTag)]) -> Option<Vec<Checksum>> {
    let sums: Option<Vec<_>> = parts.iter().map(|(part, _)| part.record.checksum).collect();
    sums.filter(|sums| {
        sums.windows(2)
            .all(|two| two[0].algorithm() == two[1].algorithm())
    })
}

/// The MD5 of the parts' MD5s, with their number.
fn etag(parts: impl IntoIterator<Item = [u8; 16]>) -> Etag {
    let (mut md5, mut count) = (Md5::new(), 0);
    for part in parts {
        md5.update(part);
        count += 1;
    }
    Etag {
        bytes: md5.finalize().into(),
        parts: count,
    }
}

/// Amazon's minimum for every part but the last, 5 MiB.
const PART_BYTES_MIN: u64 = 5 << 20;

/// Parts read at a time.
const PAGE_MAX: u32 = 1000;
