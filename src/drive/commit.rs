use std::sync::Arc;

use envelope::Place;
use names::{BlobId, BucketName, ObjectKey, VersionId};
use zeroize::Zeroizing;

use super::object::{digest, seal_metadata};
use super::record::{Footer, ObjectRecord, Origin};
use super::session::{ATTEMPTS_MAX, Session};
use super::{DriveError, Etag, WriteConditions, Written};
use crate::authz::Action;
use crate::catalog::{
    Accounting, BlobRow, Body, BucketRow, CommitVersion, CompletedUpload, Conflict, Content,
    Expect, Mutation, Slice, VersionRow,
};
use crate::keyring::OrgKeys;

/// A version about to be committed: all that stays the same however often that is tried.
///
/// Its identifier is drawn once for one ETag, since it gives the nonce that seals the ETag.
pub(super) struct Draft {
    pub(super) bucket: BucketRow,
    pub(super) key: ObjectKey,
    pub(super) version: VersionId,
    pub(super) size: u64,
    pub(super) etag: Etag,
    pub(super) record: ObjectRecord,
    pub(super) body: DraftBody,
    pub(super) conditions: WriteConditions,
    /// What must be current for `conditions` to hold, as it was last seen.
    pub(super) expect: Expect,
    pub(super) completes: Option<CompletedUpload>,
    pub(super) accounting: Accounting,
}

/// The bytes of a version about to be committed.
pub(super) enum DraftBody {
    /// Small: sealed anew at every attempt, under the key that is newest then.
    Inline(Zeroizing<Vec<u8>>),
    /// In the blob store.
    Blobs {
        slices: Vec<Slice>,
        new_blobs: Vec<BlobRow>,
    },
}

/// Why a version was not committed.
pub(super) enum NotCommitted {
    /// A blob of its slices is being collected.
    BlobGone(BlobId),
    /// The upload that it completes is not in progress, or its bucket is gone.
    Missing,
    /// A part that it completes was replaced.
    Changed,
    /// Anything else.
    Failed(DriveError),
}

impl<A: Action> Session<A> {
    /// What must be current for a write to be let through, or why it is not.
    ///
    /// Looked at before a body is taken, so that one is not taken for nothing; what decides is
    /// that the same is still current when the catalog applies the commit.
    pub(super) async fn expectation(
        &mut self,
        bucket: &BucketRow,
        key: &ObjectKey,
        conditions: &WriteConditions,
    ) -> Result<Expect, DriveError> {
        if conditions.is_empty() {
            return Ok(Expect::Any);
        }
        let current = self.current(bucket.bucket, key).await?;
        conditions.check(current.as_ref().map(|current| current.etag))?;
        Ok(match current {
            Some(current) => Expect::Version(current.row.version),
            None => Expect::Absent,
        })
    }

    /// Commits a version.
    ///
    /// A conditional write that lost to another is judged anew by what the other left: usually
    /// the condition does not hold any more, which is [`DriveError::PreconditionFailed`]. Where
    /// it still holds, it is tried again; only one that loses at every attempt is
    /// [`DriveError::ConditionalConflict`].
    pub(super) async fn commit_version(
        &mut self,
        mut draft: Draft,
    ) -> Result<Written, NotCommitted> {
        let modified_ms = self.shared.clock.now_ms();
        let mut current = None;
        for _ in 0..ATTEMPTS_MAX {
            let sequence = self.shared.sequences.next(modified_ms, current)?;
            let commit = draft.seal(self.keys(), sequence, modified_ms)?;
            let mutation = Mutation::CommitVersion(Box::new(commit));
            match self.commit(mutation).await? {
                Ok(_) => {
                    return Ok(Written {
                        version: draft.version,
                        etag: draft.etag,
                        size: draft.size,
                        checksum: draft.record.checksum,
                        modified_ms,
                    });
                }
                Err(Conflict::Stale { current: found }) => current = Some(found),
                Err(Conflict::Expectation { .. }) if !draft.conditions.is_empty() => {
                    draft.expect = self
                        .expectation(&draft.bucket, &draft.key, &draft.conditions)
                        .await?;
                }
                Err(Conflict::KeyClosed { .. }) => {
                    let before = Arc::clone(self.keys());
                    self.reopen_keys().await?;
                    if let DraftBody::Blobs { slices, new_blobs } = &mut draft.body {
                        self.shared
                            .reseal_new(&before, self.keys(), slices, new_blobs)
                            .await?;
                    }
                }
                Err(Conflict::BlobGone(blob)) => return Err(NotCommitted::BlobGone(blob)),
                Err(Conflict::Missing) => {
                    self.shared.buckets.forget(self.org(), &draft.bucket.name);
                    return Err(NotCommitted::Missing);
                }
                Err(Conflict::Changed) => return Err(NotCommitted::Changed),
                Err(conflict) => return Err(DriveError::refused(&conflict).into()),
            }
        }
        Err(match draft.conditions.is_empty() {
            true => DriveError::contended().into(),
            false => DriveError::ConditionalConflict.into(),
        })
    }
}

impl Draft {
    fn seal(
        &self,
        keys: &OrgKeys,
        sequence: u64,
        modified_ms: u64,
    ) -> Result<CommitVersion, DriveError> {
        let (body, new_blobs) = match &self.body {
            DraftBody::Inline(plaintext) => {
                let footer = self.footer(modified_ms);
                let sealed = keys.seal_whole(Place::Object, plaintext, &footer);
                let sealed = sealed.map_err(DriveError::sealing)?;
                (Body::Inline(sealed), Vec::new())
            }
            DraftBody::Blobs { slices, new_blobs } => {
                (Body::Blobs(slices.clone()), new_blobs.clone())
            }
        };
        let content = Content {
            metadata: seal_metadata(keys, self.version, &self.record)?,
            body,
            key_version: keys.newest_version(),
        };
        let sealed_too_short = || DriveError::damaged("a new version", "it is sealed too short");
        let row = VersionRow {
            org: keys.org(),
            bucket: self.bucket.bucket,
            key: self.key.clone(),
            sequence,
            version: self.version,
            is_null: true,
            size: self.size,
            modified_ms,
            etag: keys
                .seal_etag(self.bucket.bucket, self.version, &self.etag.bytes)
                .map_err(DriveError::sealing)?,
            parts: self.etag.parts,
            content_digest: digest(&content).ok_or_else(sealed_too_short)?,
        };
        Ok(CommitVersion {
            version: keys.authenticate(row).map_err(DriveError::sealing)?,
            content,
            new_blobs,
            expect: self.expect,
            completes: self.completes.as_ref().map(|completes| CompletedUpload {
                upload: completes.upload,
                parts: completes.parts.clone(),
            }),
            accounting: self.accounting,
        })
    }

    fn footer(&self, modified_ms: u64) -> Vec<u8> {
        object_footer(
            &self.bucket.name,
            &self.key,
            self.version,
            &self.record,
            self.etag,
            modified_ms,
        )
    }
}

impl From<DriveError> for NotCommitted {
    fn from(error: DriveError) -> Self {
        Self::Failed(error)
    }
}

impl NotCommitted {
    /// For a version that names no other's blobs and completes no upload.
    pub(super) fn of_whole(self) -> DriveError {
        match self {
            Self::Missing => DriveError::NoSuchBucket,
            Self::Failed(error) => error,
            Self::BlobGone(blob) => DriveError::refused(&Conflict::BlobGone(blob)),
            Self::Changed => DriveError::refused(&Conflict::Changed),
        }
    }
}

/// The footer of an object's body.
pub(super) fn object_footer(
    bucket: &BucketName,
    key: &ObjectKey,
    version: VersionId,
    record: &ObjectRecord,
    etag: Etag,
    modified_ms: u64,
) -> Vec<u8> {
    Footer {
        bucket,
        key,
        origin: Origin::Version(version),
        etag,
        checksum: record.checksum,
        headers: &record.headers,
        modified_ms,
    }
    .encode()
}
