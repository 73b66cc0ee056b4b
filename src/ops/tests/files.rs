use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use names::{BucketName, ObjectKey, OrgId, PartNumber, UploadId};

use super::world::{HOUR_MS, Process, caller};
use crate::authz::{
    Allowance, CompleteUpload, CreateUpload, DeleteObject, GetObject, OfObject, PutObject, PutPart,
    Rights, Standing, authorize,
};
use crate::blobs::{BlobEntry, Blobs};
use crate::drive::{
    CompleteRequest, CopyRequest, DeleteConditions, DriveError, Expected, Incoming, NamedPart,
    NewUpload, Piece, PutRequest, ReadRequest,
};

impl Process {
    pub(super) async fn put(&self, org: OrgId, key: &str, body: &[u8]) -> Result<(), DriveError> {
        let permit = authorize::<PutObject>(
            &caller(org),
            &Rights::ORGANIZATION,
            Standing::Active,
            object(key),
        )
        .unwrap();
        let allowance = self.allowance(org);
        self.drive
            .put(permit, allowance, PutRequest::default(), incoming(body))
            .await
            .map(drop)
    }

    pub(super) async fn get(&self, org: OrgId, key: &str) -> Result<Vec<u8>, DriveError> {
        let permit = authorize::<GetObject>(
            &caller(org),
            &Rights::ORGANIZATION,
            Standing::Active,
            object(key),
        )
        .unwrap();
        let ((_, mut reader), _) = self.drive.get(permit, ReadRequest::default()).await?;
        let mut body = Vec::new();
        while let Some(piece) = reader.next().await? {
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    /// All that a client is told of an object.
    pub(super) async fn head(&self, org: OrgId, key: &str) -> String {
        let permit = authorize::<GetObject>(
            &caller(org),
            &Rights::ORGANIZATION,
            Standing::Active,
            object(key),
        )
        .unwrap();
        let head = self.drive.head(permit, ReadRequest::default()).await;
        format!("{:?}", head.unwrap().0)
    }

    pub(super) async fn copy(&self, org: OrgId, from: &str, to: &str) -> Result<(), DriveError> {
        let source = authorize::<GetObject>(
            &caller(org),
            &Rights::ORGANIZATION,
            Standing::Active,
            object(from),
        )
        .unwrap();
        let permit = authorize::<PutObject>(
            &caller(org),
            &Rights::ORGANIZATION,
            Standing::Active,
            object(to),
        )
        .unwrap();
        let allowance = self.allowance(org);
        self.drive
            .copy(source, permit, allowance, CopyRequest::default())
            .await
            .map(drop)
    }

    pub(super) async fn delete(&self, org: OrgId, key: &str) -> Result<(), DriveError> {
        let permit = authorize::<DeleteObject>(
            &caller(org),
            &Rights::ORGANIZATION,
            Standing::Active,
            object(key),
        )
        .unwrap();
        let allowance = self.allowance(org);
        self.drive
            .delete(permit, allowance, DeleteConditions::default())
            .await
            .map(drop)
    }

    /// The blobs of an organization that are in the store.
    pub(super) async fn stored(&self, org: OrgId) -> Vec<BlobEntry> {
        self.blobs.list(org).try_collect().await.unwrap()
    }

    /// Begins an upload with parts of the sizes given.
    pub(super) async fn begin_upload(
        &self,
        org: OrgId,
        key: &str,
        sizes: &[usize],
    ) -> (UploadId, Vec<(PartNumber, String, Vec<u8>)>) {
        let caller = caller(org);
        let permit = authorize::<CreateUpload>(
            &caller,
            &Rights::ORGANIZATION,
            Standing::Active,
            object(key),
        )
        .unwrap();
        let (upload, _) = self
            .drive
            .create_upload(permit, NewUpload::default())
            .await
            .unwrap();
        let mut parts = Vec::new();
        for (number, size) in (1..).zip(sizes) {
            let number = PartNumber::new(number).unwrap();
            let body = pattern(*size);
            let etag = self.add_part(org, key, upload.upload, number, &body).await;
            parts.push((number, etag, body));
        }
        (upload.upload, parts)
    }

    /// Uploads a part and returns its ETag.
    pub(super) async fn add_part(
        &self,
        org: OrgId,
        key: &str,
        upload: UploadId,
        number: PartNumber,
        body: &[u8],
    ) -> String {
        let permit = authorize::<PutPart>(
            &caller(org),
            &Rights::ORGANIZATION,
            Standing::Active,
            object(key),
        )
        .unwrap();
        let allowance = self.allowance(org);
        let (part, _) = self
            .drive
            .put_part(permit, allowance, upload, number, incoming(body))
            .await
            .unwrap();
        part.etag.to_string()
    }

    pub(super) async fn complete(
        &self,
        org: OrgId,
        key: &str,
        upload: UploadId,
        parts: &[(PartNumber, String, Vec<u8>)],
    ) {
        let permit = authorize::<CompleteUpload>(
            &caller(org),
            &Rights::ORGANIZATION,
            Standing::Active,
            object(key),
        )
        .unwrap();
        let request = CompleteRequest {
            upload,
            parts: parts
                .iter()
                .map(|(part, etag, _)| NamedPart {
                    part: *part,
                    etag: etag.clone(),
                    checksum: None,
                })
                .collect(),
            checksum: None,
            checksum_kind: None,
            size: None,
            conditions: Default::default(),
        };
        let _completed = self
            .drive
            .complete_upload(permit, self.allowance(org), request)
            .await
            .unwrap();
    }

    fn allowance(&self, org: OrgId) -> Allowance {
        let now_ms = self.clock.now_ms();
        Allowance::grant(org, now_ms - now_ms % HOUR_MS)
    }
}

/// Bytes in which no stretch equals its neighbours.
pub(super) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 251 + at % 251) as u8).collect()
}

pub(super) fn bucket() -> BucketName {
    BucketName::parse("docs").unwrap()
}

fn object(key: &str) -> OfObject {
    OfObject {
        bucket: bucket(),
        key: ObjectKey::parse(key).unwrap(),
    }
}

fn incoming(body: &[u8]) -> Incoming {
    let piece = Piece::Data(Bytes::copy_from_slice(body));
    Incoming {
        length: Some(body.len() as u64),
        expected: Expected::default(),
        pieces: stream::iter([Ok(piece)]).boxed(),
    }
}
