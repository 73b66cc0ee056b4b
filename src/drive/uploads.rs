use names::{BucketId, ObjectKey, UploadId};

use super::list::{PAGE_MAX, marked};
use super::record::UploadRecord;
use super::service::Done;
use super::session::{ATTEMPTS_MAX, Session};
use super::{DriveError, ListedUpload, NewUpload, UploadInfo, UploadListing, UploadMarker};
use crate::authz::{AbortUpload, Action, Allowance, CreateUpload, ListUploads, Receipt};
use crate::catalog::{After, Conflict, ListEntry, ListQuery, Mutation, UploadRow};
use crate::keyring::{OrgKeys, Record};

impl Session<CreateUpload> {
    pub(super) async fn create_upload(mut self, request: NewUpload) -> Done<UploadInfo> {
        let name = self.permit.object_bucket().clone();
        let bucket = self.bucket(&name).await?.bucket;
        let now_ms = self.shared.clock.now_ms();
        let upload = UploadId::from_bytes(self.shared.entropy.uuid_v7(now_ms));
        let record = UploadRecord {
            headers: request.headers,
            checksum: request.checksum,
        };
        for _ in 0..ATTEMPTS_MAX {
            let keys = self.keys();
            let row = UploadRow {
                org: self.org(),
                bucket,
                key: self.permit.key().clone(),
                upload,
                principal: self.permit.principal(),
                initiated_ms: now_ms,
                metadata: seal(keys, upload, &record)?,
            };
            let info = info(&row, &record);
            let row = keys.authenticate(row).map_err(DriveError::sealing)?;
            match self.commit(Mutation::CreateUpload(row)).await? {
                Ok(_) => return Ok((info, Receipt::default())),
                Err(Conflict::KeyClosed { .. }) => self.reopen_keys().await?,
                Err(Conflict::Missing) => {
                    self.shared.buckets.forget(self.org(), &name);
                    return Err(DriveError::NoSuchBucket);
                }
                Err(conflict) => return Err(DriveError::refused(&conflict)),
            }
        }
        Err(DriveError::contended())
    }
}

impl Session<AbortUpload> {
    pub(super) async fn abort_upload(
        mut self,
        allowance: &Allowance,
        upload: UploadId,
    ) -> Done<()> {
        let accounting = self.accounting(allowance)?;
        let name = self.permit.object_bucket().clone();
        let bucket = self.bucket(&name).await?.bucket;
        let mutation = Mutation::AbortUpload {
            bucket,
            key: self.permit.key().clone(),
            upload,
            accounting,
        };
        match self.commit(mutation).await? {
            Ok(_) => Ok(((), Receipt::default())),
            Err(Conflict::Missing) => Err(DriveError::NoSuchUpload),
            Err(conflict) => Err(DriveError::refused(&conflict)),
        }
    }
}

impl Session<ListUploads> {
    pub(super) async fn list_uploads(
        mut self,
        delimiter: Option<String>,
        after: UploadMarker,
        max: u32,
    ) -> Done<UploadListing> {
        let name = self.permit.listed_bucket().clone();
        let prefix = self.permit.prefix().clone();
        let bucket = self.bucket(&name).await?.bucket;
        let max = max.min(PAGE_MAX);
        if max == 0 {
            let empty = UploadListing {
                entries: Vec::new(),
                next: None,
            };
            return Ok((empty, Receipt::default()));
        }
        let delimiter = delimiter.filter(|delimiter| !delimiter.is_empty());
        let query = ListQuery {
            prefix: prefix.clone(),
            after: match after {
                UploadMarker { key, .. } if key.is_empty() => None,
                UploadMarker { key, upload: None } => {
                    Some(marked(key, prefix.as_str(), delimiter.as_deref()))
                }
                UploadMarker {
                    key,
                    upload: Some(upload),
                } => Some(After::Upload(key, upload)),
            },
            delimiter,
            max,
        };
        let listed = self.catalog.uploads(bucket, &query).await?;
        let page = self
            .verify_page(listed.entries, move |keys, row: UploadRow, _| {
                if row.bucket != bucket || !row.key.as_str().starts_with(prefix.as_str()) {
                    return Err(DriveError::damaged(name_of(&row), "it is in another list"));
                }
                let record = open(keys, &row)?;
                Ok(info(&row, &record))
            })
            .await?;
        let entries: Vec<_> = page
            .into_iter()
            .map(|entry| match entry {
                ListEntry::Row(upload) => ListedUpload::Upload(upload),
                ListEntry::CommonPrefix(prefix) => ListedUpload::Prefix(prefix),
            })
            .collect();
        let next = match entries.last() {
            Some(last) if listed.truncated => Some(match last {
                ListedUpload::Upload(info) => UploadMarker {
                    key: info.key.as_str().to_owned(),
                    upload: Some(info.upload),
                },
                ListedUpload::Prefix(prefix) => UploadMarker {
                    key: prefix.clone(),
                    upload: None,
                },
            }),
            _ => None,
        };
        Ok((UploadListing { entries, next }, Receipt::default()))
    }
}

impl<A: Action> Session<A> {
    /// An upload in progress, with its metadata.
    pub(super) async fn upload(
        &mut self,
        bucket: BucketId,
        key: &ObjectKey,
        upload: UploadId,
    ) -> Result<Option<(UploadRow, UploadRecord)>, DriveError> {
        let Some(claimed) = self.catalog.upload(bucket, key, upload).await? else {
            return Ok(None);
        };
        let org = self.org();
        let what = || format!("upload {upload} of organization {org}");
        let row = self.verify(claimed, what).await?;
        if row.bucket != bucket || row.key != *key || row.upload != upload {
            return Err(DriveError::damaged(what(), "it stands under another name"));
        }
        let record = open(self.keys(), &row)?;
        Ok(Some((row, record)))
    }
}

/// What is told of an upload.
pub(super) fn info(row: &UploadRow, record: &UploadRecord) -> UploadInfo {
    UploadInfo {
        key: row.key.clone(),
        upload: row.upload,
        principal: row.principal,
        initiated_ms: row.initiated_ms,
        checksum: record.checksum,
    }
}

fn seal(keys: &OrgKeys, upload: UploadId, record: &UploadRecord) -> Result<Vec<u8>, DriveError> {
    let org = keys.org();
    keys.seal_record(place(&[org.bytes(), upload.bytes()]), &record.encode())
        .map_err(DriveError::sealing)
}

fn open(keys: &OrgKeys, row: &UploadRow) -> Result<UploadRecord, DriveError> {
    let primary_key: [&[u8]; 2] = [row.org.bytes(), row.upload.bytes()];
    let opened = keys
        .open_record(place(&primary_key), &row.metadata)
        .map_err(|refused| DriveError::damaged(name_of(row), refused))?;
    UploadRecord::decode(&opened).map_err(|malformed| malformed.in_row(name_of(row)))
}

fn name_of(row: &UploadRow) -> String {
    let UploadRow { org, upload, .. } = row;
    format!("upload {upload} of organization {org}")
}

fn place<'a>(primary_key: &'a [&'a [u8]]) -> Record<'a> {
    Record {
        table: "uploads",
        primary_key,
        column: "metadata",
    }
}
