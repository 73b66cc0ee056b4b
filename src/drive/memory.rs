use std::sync::Arc;

use moka::sync::Cache;
use names::OrgId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::DriveError;

/// The bytes of body buffers that all requests share.
///
/// Two rules keep it from coming to a stand. Whoever waits for room holds none, so nobody waits
/// in a circle. And no organization has more than half of it, so that one with a thousand slow
/// connections leaves room for the others.
pub(super) struct Memory {
    total: Arc<Semaphore>,
    share_units: u32,
    shares: Cache<OrgId, Arc<Semaphore>>,
}

/// Room for some bytes, until it is dropped.
pub(super) struct Reserved {
    _share: OwnedSemaphorePermit,
    _total: OwnedSemaphorePermit,
}

impl Memory {
    /// Memory of `bytes_max`, but never less than what two bodies need to go on.
    pub(super) fn new(bytes_max: u64, body_bytes_min: usize) -> Self {
        let share_units = units(bytes_max / 2).max(units(body_bytes_min as u64));
        Self {
            total: Arc::new(Semaphore::new(share_units as usize * 2)),
            share_units,
            shares: Cache::new(ORGANIZATIONS_MAX),
        }
    }

    /// Room for `bytes`, at once or not at all.
    pub(super) fn try_reserve(&self, org: OrgId, bytes: usize) -> Option<Reserved> {
        let units = self.units(bytes);
        let share = self.share(org).try_acquire_many_owned(units).ok()?;
        let total = Arc::clone(&self.total).try_acquire_many_owned(units).ok()?;
        Some(Reserved {
            _share: share,
            _total: total,
        })
    }

    /// Waits for room for `bytes`. The caller holds no other room, or it might wait for itself.
    pub(super) async fn reserve(&self, org: OrgId, bytes: usize) -> Result<Reserved, DriveError> {
        let units = self.units(bytes);
        let closed = |_| DriveError::Unavailable("no body buffers are given any more".into());
        let share = self.share(org).acquire_many_owned(units).await;
        let share = share.map_err(closed)?;
        let total = Arc::clone(&self.total).acquire_many_owned(units).await;
        Ok(Reserved {
            _share: share,
            _total: total.map_err(closed)?,
        })
    }

    fn share(&self, org: OrgId) -> Arc<Semaphore> {
        self.shares
            .get_with(org, || Arc::new(Semaphore::new(self.share_units as usize)))
    }

    fn units(&self, bytes: usize) -> u32 {
        units(bytes as u64).min(self.share_units)
    }
}

/// Counted in KiB, since a semaphore counts no further than `u32` in one step.
fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX / 2)
}

/// How many organizations' shares are remembered. One that is forgotten while it is in use begins
/// a second share, within the same total.
const ORGANIZATIONS_MAX: u64 = 10_000;
