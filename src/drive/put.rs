use envelope::Place;
use names::{ChecksumKind, VersionId};

use super::bodies::Received;
use super::commit::{Draft, DraftBody, NotCommitted, object_footer};
use super::record::ObjectRecord;
use super::service::Done;
use super::session::Session;
use super::{Incoming, PutRequest, StoredChecksum, Written};
use crate::authz::{Allowance, PutObject, Receipt};

impl Session<PutObject> {
    pub(super) async fn put(
        mut self,
        allowance: &Allowance,
        request: PutRequest,
        body: Incoming,
    ) -> Done<Written> {
        let accounting = self.accounting(allowance)?;
        let name = self.permit.object_bucket().clone();
        let key = self.permit.key().clone();
        let bucket = self.bucket(&name).await?;
        let expect = self.expectation(&bucket, &key, &request.conditions).await?;

        let room = self
            .room_for_object(&accounting, bucket.bucket, &key)
            .await?;
        let limits = (Some(self.shared.settings.inline_max), room.admit(&body)?);
        let received = self
            .shared
            .receive(self.keys(), Place::Object, body, limits)
            .await
            .map_err(|error| room.exceeded(error))?;

        let now_ms = self.shared.clock.now_ms();
        let version = VersionId::from_bytes(self.shared.entropy.uuid_v7(now_ms));
        let (Received::Small(_, digested) | Received::Large(_, digested)) = &received;
        let etag = self.shared.etag(digested);
        let record = ObjectRecord {
            headers: request.headers,
            checksum: digested.checksum.map(|checksum| StoredChecksum {
                checksum,
                kind: ChecksumKind::FullObject,
            }),
            ..ObjectRecord::default()
        };
        let (size, body) = match received {
            Received::Small(plaintext, _) => (plaintext.len() as u64, DraftBody::Inline(plaintext)),
            Received::Large(hashed, _) => {
                let footer = object_footer(&name, &key, version, &record, etag, now_ms);
                let blob = hashed.finish(&footer).await?;
                let body = DraftBody::Blobs {
                    slices: vec![blob.slice],
                    new_blobs: vec![blob.row],
                };
                (blob.slice.length, body)
            }
        };
        let draft = Draft {
            bucket,
            key,
            version,
            size,
            etag,
            record,
            body,
            conditions: request.conditions,
            expect,
            completes: None,
            accounting,
        };
        let written = self.commit_version(draft).await;
        let written = written.map_err(NotCommitted::of_whole)?;
        let receipt = Receipt {
            bytes_in: size,
            bytes_out: 0,
        };
        Ok((written, receipt))
    }
}
