use std::sync::Arc;

use names::{BucketName, OrgId};
use tokio::task::spawn_blocking;

use super::DriveError;
use super::service::Shared;
use crate::authz::{Action, Allowance, Limit, Permit};
use crate::catalog::{
    Accounting, BucketRow, Class, CommitError, Conflict, Effect, ListEntry, Mutation, OrgCatalog,
    Row, StoredLimits, Unverified,
};
use crate::keyring::{OrgKeys, RowRefused};

/// What one call works with: its permit, and what that opened: the organization's catalog and keys.
pub(super) struct Session<A: Action> {
    pub(super) shared: Arc<Shared>,
    pub(super) permit: Permit<A>,
    pub(super) catalog: OrgCatalog,
    keys: Arc<OrgKeys>,
}

impl<A: Action> Session<A> {
    pub(super) async fn open(shared: &Arc<Shared>, permit: Permit<A>) -> Result<Self, DriveError> {
        let keys = shared.keyring.open(&permit).await?;
        Ok(Self {
            catalog: shared.catalog.open(&permit),
            shared: Arc::clone(shared),
            permit,
            keys,
        })
    }

    pub(super) fn org(&self) -> OrgId {
        self.permit.org()
    }

    pub(super) fn keys(&self) -> &Arc<OrgKeys> {
        &self.keys
    }

    /// Takes the keys from the catalog again: a version is closed or unknown that was not when
    /// they were opened.
    pub(super) async fn reopen_keys(&mut self) -> Result<(), DriveError> {
        self.shared.keyring.forget(self.org());
        self.keys = self.shared.keyring.open(&self.permit).await?;
        Ok(())
    }

    /// Sees to it that a version of the key that something names is at hand, if there is such a
    /// one: another node may have made it since the keys were opened.
    pub(super) async fn know_key(&mut self, version: u32) -> Result<(), DriveError> {
        if !self.keys.holds(version) {
            self.reopen_keys().await?;
        }
        Ok(())
    }

    /// Believes a row. `what` names it in the log.
    pub(super) async fn verify<R: Row>(
        &mut self,
        claimed: Unverified<R>,
        what: impl FnOnce() -> String,
    ) -> Result<R, DriveError> {
        self.know_key(claimed.tag().key_version).await?;
        self.keys
            .verify(claimed)
            .map_err(|refused| DriveError::damaged(what(), refused))
    }

    /// Believes rows, and makes of each what `open` says, which gets the key version of its tag;
    /// many of them on the blocking pool.
    pub(super) async fn verify_all<R: Row, T: Send + 'static>(
        &mut self,
        claimed: Vec<Unverified<R>>,
        open: impl Fn(&OrgKeys, R, u32) -> Result<T, DriveError> + Send + 'static,
    ) -> Result<Vec<T>, DriveError> {
        let is_known = |row: &Unverified<R>| self.keys.holds(row.tag().key_version);
        if !claimed.iter().all(is_known) {
            self.reopen_keys().await?;
        }
        let keys = Arc::clone(&self.keys);
        let org = self.org();
        let is_small = claimed.len() <= ROWS_INLINE_MAX;
        let verify = move || {
            claimed
                .into_iter()
                .map(|row| {
                    let key_version = row.tag().key_version;
                    let verified = keys.verify(row).map_err(|refused: RowRefused| {
                        let what = format!("a row of {} in organization {org}", R::TABLE);
                        DriveError::damaged(what, refused)
                    })?;
                    open(&keys, verified, key_version)
                })
                .collect()
        };
        match is_small {
            true => verify(),
            false => spawn_blocking(verify).await?,
        }
    }

    /// Believes the rows of a page, each in its place among the common prefixes.
    pub(super) async fn verify_page<R: Row, T: Send + 'static>(
        &mut self,
        page: Vec<ListEntry<Unverified<R>>>,
        open: impl Fn(&OrgKeys, R, u32) -> Result<T, DriveError> + Send + 'static,
    ) -> Result<Vec<ListEntry<T>>, DriveError> {
        let mut places = Vec::with_capacity(page.len());
        let mut claimed = Vec::with_capacity(page.len());
        for entry in page {
            places.push(match entry {
                ListEntry::CommonPrefix(prefix) => Some(prefix),
                ListEntry::Row(row) => {
                    claimed.push(row);
                    None
                }
            });
        }
        let mut opened = self.verify_all(claimed, open).await?.into_iter();
        Ok(places
            .into_iter()
            .filter_map(|place| match place {
                Some(prefix) => Some(ListEntry::CommonPrefix(prefix)),
                None => opened.next().map(ListEntry::Row),
            })
            .collect())
    }

    /// The bucket of this name. What belongs to another organization and what does not exist are
    /// the same here: names live inside the organization.
    pub(super) async fn bucket(&mut self, name: &BucketName) -> Result<BucketRow, DriveError> {
        // Before the row is read, so that a change in between is not missed.
        let stamp = self.catalog.stamp(Class::Buckets);
        if let Some(bucket) = self.shared.buckets.find(self.org(), name, stamp) {
            return Ok(bucket);
        }
        let claimed = self.catalog.bucket(name).await?;
        let claimed = claimed.ok_or(DriveError::NoSuchBucket)?;
        let org = self.org();
        let bucket = self
            .verify(claimed, || format!("a bucket's row in organization {org}"))
            .await?;
        if bucket.name != *name {
            let what = format!("bucket {} in organization {org}", bucket.bucket);
            return Err(DriveError::damaged(what, "its row has another name"));
        }
        self.shared.buckets.remember(&bucket, stamp);
        Ok(bucket)
    }

    /// Applies one mutation. The inner result is the catalog's judgement of it.
    pub(super) async fn commit(
        &self,
        mutation: Mutation,
    ) -> Result<Result<Effect, Conflict>, DriveError> {
        match self.catalog.commit(mutation).await {
            Ok(effect) => Ok(Ok(effect)),
            Err(CommitError::Conflict(conflict)) => Ok(Err(conflict)),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    /// Bookkeeping of a change. The allowance was given to the organization that the permit is
    /// for, or nothing is changed.
    pub(super) fn accounting(&self, allowance: &Allowance) -> Result<Accounting, DriveError> {
        if allowance.org() != self.org() {
            let reason = "the allowance is another organization's".to_owned();
            return Err(DriveError::Unavailable(reason));
        }
        Ok(Accounting {
            hour_ms: allowance.hour_ms(),
            trash_not_before_ms: self.shared.trash_not_before_ms(),
            limits: StoredLimits {
                bytes_max: self.permit.limits().of(Limit::StoredBytes),
                objects_max: self.permit.limits().of(Limit::Objects),
            },
        })
    }
}

/// Verifying a row takes about a microsecond, and a switch to the blocking pool and back ten to
/// twenty on a busy machine.
const ROWS_INLINE_MAX: usize = 128;

/// How often a change is tried again that lost to another before it is given up.
pub(super) const ATTEMPTS_MAX: u32 = 32;
