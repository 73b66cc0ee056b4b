use names::{ChecksumAlgorithm, ChecksumKind, VersionId};

use super::bodies::BODY_BYTES_MAX;
use super::commit::{Draft, DraftBody, NotCommitted};
use super::digests::Digests;
use super::object::Object;
use super::reader::{NotOpened, ObjectReader};
use super::record::ObjectRecord;
use super::service::Done;
use super::session::{ATTEMPTS_MAX, Session};
use super::{CopyRequest, DriveError, StoredChecksum, Written};
use crate::authz::{Allowance, GetObject, PutObject, Receipt};
use crate::catalog::{Body, BucketRow};

impl Session<PutObject> {
    pub(super) async fn copy(
        mut self,
        mut source: Session<GetObject>,
        allowance: &Allowance,
        request: CopyRequest,
    ) -> Done<Written> {
        let accounting = self.accounting(allowance)?;
        source.same_organization(self.org())?;
        let name = self.permit.object_bucket().clone();
        let key = self.permit.key().clone();
        for _ in 0..ATTEMPTS_MAX {
            let bucket = self.bucket(&name).await?;
            let object = source.find().await?;
            let conditions = &request.source;
            conditions.check_source(object.etag, object.row.modified_ms)?;
            is_copyable(&object, (&bucket, &key), &request)?;
            let expect = self.expectation(&bucket, &key, &request.conditions).await?;
            let mut record = ObjectRecord {
                upload: None,
                ..object.record.clone()
            };
            if let Some(headers) = request.headers.clone() {
                record.headers = headers;
            }
            if let Some(algorithm) = other_checksum(&object, &request) {
                let size = object.row.size;
                let reader = match ObjectReader::open(source, &object, 0..size, 0).await {
                    Ok(reader) => reader,
                    Err(NotOpened::Gone { session, .. }) => {
                        source = *session;
                        continue;
                    }
                    Err(NotOpened::Failed(error)) => return Err(error),
                };
                let digests = Digests::of_copy(false, Some(algorithm));
                let (session, digested) = reader.digest(digests).await?;
                source = session;
                record.part_checksums = Vec::new();
                record.checksum = digested.checksum.map(|checksum| StoredChecksum {
                    checksum,
                    kind: ChecksumKind::FullObject,
                });
            }
            let body = match &object.body {
                Body::Blobs(slices) => DraftBody::Blobs {
                    slices: slices.clone(),
                    new_blobs: Vec::new(),
                },
                Body::Inline(_) => {
                    let whole = object.open_inline(source.keys())?;
                    DraftBody::Inline(whole.map(|whole| whole.plaintext).unwrap_or_default())
                }
            };
            let now_ms = self.shared.clock.now_ms();
            let draft = Draft {
                bucket,
                key: key.clone(),
                version: VersionId::from_bytes(self.shared.entropy.uuid_v7(now_ms)),
                size: object.row.size,
                etag: object.etag,
                record,
                body,
                conditions: request.conditions.clone(),
                expect,
                completes: None,
                accounting,
            };
            match self.commit_version(draft).await {
                Ok(written) => return Ok((written, Receipt::default())),
                // The source was replaced and collected meanwhile: see what it is now.
                Err(NotCommitted::BlobGone(_)) => {}
                Err(refused) => return Err(refused.of_whole()),
            }
        }
        Err(DriveError::contended())
    }
}

impl Session<GetObject> {
    /// A copy stays inside one organization. Another's object is one that does not exist.
    pub(super) fn same_organization(&self, org: names::OrgId) -> Result<(), DriveError> {
        match self.org() == org {
            true => Ok(()),
            false => Err(DriveError::NoSuchBucket),
        }
    }
}

fn is_copyable(
    object: &Object,
    (bucket, key): (&BucketRow, &names::ObjectKey),
    request: &CopyRequest,
) -> Result<(), DriveError> {
    if object.row.size > BODY_BYTES_MAX {
        return Err(too_large());
    }
    let is_onto_itself = object.row.bucket == bucket.bucket && object.row.key == *key;
    let is_changed = request.headers.is_some() || other_checksum(object, request).is_some();
    match is_onto_itself && !is_changed {
        true => Err(DriveError::InvalidRequest(ONTO_ITSELF)),
        false => Ok(()),
    }
}

/// The checksum that the copy shall have and its source has not.
fn other_checksum(object: &Object, request: &CopyRequest) -> Option<ChecksumAlgorithm> {
    let has = object.record.checksum.map(|has| has.checksum.algorithm());
    request.checksum.filter(|asked| has != Some(*asked))
}

pub(super) fn too_large() -> DriveError {
    DriveError::InvalidRequest(
        "The specified copy source is larger than the maximum allowable size for a copy source: \
         5368709120",
    )
}

const ONTO_ITSELF: &str = "This copy request is illegal because it is trying to copy an object to \
    itself without changing the object's metadata, storage class, website redirect location or \
    encryption attributes.";
