use names::{BucketId, ObjectKey, PartNumber, UploadId};

use super::bodies::BODY_BYTES_MAX;
use super::session::Session;
use super::{DriveError, Incoming};
use crate::authz::{Action, Limit, PutObject, PutPart};
use crate::catalog::Accounting;

/// How many bytes a body may have before more would be stored than the organization's plan allows.
///
/// It is looked at before the body is taken, so that one is not stored for nothing; what decides is
/// that there is room when the catalog applies the commit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Headroom(Option<u64>);

impl Headroom {
    /// Refuses a body that says that it has more; of one that says nothing, the most bytes that it
    /// may turn out to have.
    pub(super) fn admit(self, body: &Incoming) -> Result<u64, DriveError> {
        match self.0 {
            Some(room) if body.length.is_some_and(|length| length > room) => {
                Err(DriveError::OverLimit(Limit::StoredBytes))
            }
            Some(room) => Ok(room.min(BODY_BYTES_MAX)),
            None => Ok(BODY_BYTES_MAX),
        }
    }

    /// Why a body was cut off that turned out to be longer.
    pub(super) fn exceeded(self, error: DriveError) -> DriveError {
        match (error, self.0) {
            (DriveError::EntityTooLarge, Some(room)) if room < BODY_BYTES_MAX => {
                DriveError::OverLimit(Limit::StoredBytes)
            }
            (error, _) => error,
        }
    }
}

impl<A: Action> Session<A> {
    /// The room that is left, and that of what is about to be replaced.
    async fn room(&self, max: u64, replaced: u64) -> Result<Headroom, DriveError> {
        let stored = self.catalog.stored().await?.bytes;
        let stored = u64::try_from(stored).unwrap_or(0);
        Ok(Headroom(Some(
            max.saturating_sub(stored.saturating_sub(replaced)),
        )))
    }
}

impl Session<PutObject> {
    /// The room for an object.
    pub(super) async fn room_for_object(
        &mut self,
        accounting: &Accounting,
        bucket: BucketId,
        key: &ObjectKey,
    ) -> Result<Headroom, DriveError> {
        let Some(max) = accounting.limits.bytes_max else {
            return Ok(Headroom(None));
        };
        let current = self.current(bucket, key).await?;
        self.room(max, current.map_or(0, |current| current.row.size))
            .await
    }
}

impl Session<PutPart> {
    /// The room for a part.
    pub(super) async fn room_for_part(
        &mut self,
        accounting: &Accounting,
        upload: UploadId,
        part: PartNumber,
    ) -> Result<Headroom, DriveError> {
        let Some(max) = accounting.limits.bytes_max else {
            return Ok(Headroom(None));
        };
        let before = PartNumber::new(u64::from(part.value()).saturating_sub(1)).ok();
        let found = self.parts(upload, before, 1).await?;
        let replaced = found
            .iter()
            .find(|found| found.row.part == part)
            .map_or(0, |found| found.row.size);
        self.room(max, replaced).await
    }
}
