use moka::sync::Cache;
use names::{BucketName, OrgId};

use crate::catalog::{BucketRow, Stamp};

/// Verified bucket rows, each good for as long as the catalog's stamp is the one under which it
/// was read. What is not there is not remembered.
pub(super) struct BucketCache(Cache<(OrgId, BucketName), (Stamp, BucketRow)>);

impl BucketCache {
    pub(super) fn new() -> Self {
        Self(Cache::new(BUCKETS_MAX))
    }

    /// The bucket of this name, if it is remembered and nothing has changed since.
    pub(super) fn find(
        &self,
        org: OrgId,
        name: &BucketName,
        stamp: Option<Stamp>,
    ) -> Option<BucketRow> {
        let (read_under, bucket) = self.0.get(&(org, name.clone()))?;
        (Some(read_under) == stamp).then_some(bucket)
    }

    /// Remembers a bucket that was read after `stamp` was taken.
    pub(super) fn remember(&self, bucket: &BucketRow, stamp: Option<Stamp>) {
        if let Some(stamp) = stamp {
            let key = (bucket.org, bucket.name.clone());
            self.0.insert(key, (stamp, bucket.clone()));
        }
    }

    /// Forgets a bucket that turned out to be gone.
    pub(super) fn forget(&self, org: OrgId, name: &BucketName) {
        self.0.invalidate(&(org, name.clone()));
    }
}

/// About 300 bytes each.
const BUCKETS_MAX: u64 = 10_000;
