use names::BucketId;

use super::service::Done;
use super::session::{ATTEMPTS_MAX, Session};
use super::{Bucket, DriveError};
use crate::authz::{CreateBucket, DeleteBucket, HeadBucket, ListBuckets, Receipt};
use crate::catalog::{BucketRow, Conflict, Mutation};

impl Session<ListBuckets> {
    pub(super) async fn list_buckets(
        mut self,
        prefix: &str,
        after: Option<&str>,
        max: u32,
    ) -> Done<(Vec<Bucket>, bool)> {
        let max = max.min(PAGE_MAX);
        if max == 0 {
            return Ok(((Vec::new(), false), Receipt::default()));
        }
        let claimed = self.catalog.buckets(prefix, after, max + 1).await?;
        let mut buckets = self
            .verify_all(claimed, |_, row, _| Ok(Bucket::from(row)))
            .await?;
        let is_truncated = buckets.len() > max as usize;
        buckets.truncate(max as usize);
        Ok(((buckets, is_truncated), Receipt::default()))
    }
}

impl Session<CreateBucket> {
    pub(super) async fn create_bucket(mut self) -> Done<Bucket> {
        let now_ms = self.shared.clock.now_ms();
        let row = BucketRow {
            org: self.org(),
            name: self.permit.bucket().clone(),
            bucket: BucketId::from_bytes(self.shared.entropy.uuid_v7(now_ms)),
            created_ms: now_ms,
            sequence: 1,
        };
        for _ in 0..ATTEMPTS_MAX {
            let authenticated = self.keys().authenticate(row.clone());
            let mutation = Mutation::CreateBucket(authenticated.map_err(DriveError::sealing)?);
            match self.commit(mutation).await? {
                Ok(_) => return Ok((row.into(), Receipt::default())),
                Err(Conflict::Exists) => return Err(DriveError::BucketExists),
                Err(Conflict::KeyClosed { .. }) => self.reopen_keys().await?,
                Err(conflict) => return Err(DriveError::refused(&conflict)),
            }
        }
        Err(DriveError::contended())
    }
}

impl Session<HeadBucket> {
    pub(super) async fn head_bucket(mut self) -> Done<Bucket> {
        let name = self.permit.bucket().clone();
        let bucket = self.bucket(&name).await?;
        Ok((bucket.into(), Receipt::default()))
    }
}

impl Session<DeleteBucket> {
    pub(super) async fn delete_bucket(mut self) -> Done<()> {
        let name = self.permit.bucket().clone();
        let BucketRow { bucket, .. } = self.bucket(&name).await?;
        let name_then = name.clone();
        let deleted = self.commit(Mutation::DeleteBucket { name, bucket }).await?;
        self.shared.buckets.forget(self.org(), &name_then);
        match deleted {
            Ok(_) => Ok(((), Receipt::default())),
            Err(Conflict::Missing) => Err(DriveError::NoSuchBucket),
            Err(Conflict::NotEmpty) => Err(DriveError::BucketNotEmpty),
            Err(conflict) => Err(DriveError::refused(&conflict)),
        }
    }
}

impl From<BucketRow> for Bucket {
    fn from(row: BucketRow) -> Self {
        Self {
            name: row.name,
            bucket: row.bucket,
            created_ms: row.created_ms,
        }
    }
}

/// The longest page of buckets, as Amazon's.
const PAGE_MAX: u32 = 10_000;
