use std::collections::BTreeSet;

use serde::Serialize;

use super::OpsError;
use super::lock::Lock;
use super::rewrap::{describe, describe_row, seal_anew};
use super::rotate::{Rotated, Rotation};
use crate::catalog::{CommitError, Conflict, Effect, JobCatalog, Mutation, TagCursor};
use crate::drive::{Resealed, Resealer};

/// What a re-encryption sealed under fresh data keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct SealedAnew {
    /// Objects, copies among them.
    pub objects: u64,
    /// Parts of uploads in progress.
    pub parts: u64,
    /// Bytes of both; those that copies share once.
    pub bytes: u64,
    /// All else: records, secrets, uploads, segments of the activity log, and rows that only carry
    /// a MAC.
    pub rows: u64,
}

/// What a walk leaves under an old key.
#[derive(Default)]
struct Left {
    /// Bodies, and the blobs that hold them; and what others changed at that moment.
    bodies: BTreeSet<String>,
    /// What is not what was written.
    refused: BTreeSet<String>,
}

impl Rotation {
    /// Seals all that versions of a key ever wrapped anew, which have leaked, and deletes them.
    ///
    /// ```text
    /// ┌─► records, secrets, logs, … ─► nothing left? ─► delete the versions
    /// │                                    │ no
    /// └────── bodies, row by row ◄─────────┘
    /// ```
    ///
    /// What is small goes first. Copies that are made meanwhile name old blobs once more: so it
    /// goes round until the catalog finds none. What was damaged is left, and keeps all versions.
    pub(super) async fn seal_all_anew(
        &self,
        lock: &mut Lock,
        job: &JobCatalog,
        old: &[u32],
        rotated: &mut Rotated,
    ) -> Result<(), OpsError> {
        let mut sealed = SealedAnew::default();
        let outcome = self.rounds(lock, job, old, rotated, &mut sealed).await;
        rotated.sealed_anew = Some(sealed);
        outcome
    }

    async fn rounds(
        &self,
        lock: &mut Lock,
        job: &JobCatalog,
        old: &[u32],
        rotated: &mut Rotated,
        sealed: &mut SealedAnew,
    ) -> Result<(), OpsError> {
        let mut resealer = self.drive.resealer(job.clone()).await?;
        // Of the bodies, in the last round over them.
        let mut damaged = None;
        for _ in 0..ROUNDS_MAX {
            let mut left = Left::default();
            for version in old {
                self.seal_rows(lock, job, *version, &mut left, sealed)
                    .await?;
            }
            if left.count() == 0 {
                if self.delete_all(job, old, rotated).await? {
                    return Ok(());
                }
            } else if let Some(damaged) = &damaged
                && !(left.refused.is_empty() && BTreeSet::is_empty(damaged))
            {
                rotated.damaged = left.refused.union(damaged).cloned().collect();
                return Ok(());
            }
            damaged = Some(self.seal_bodies(lock, job, &mut resealer, sealed).await?);
        }
        Err(OpsError::Stuck {
            org: job.org(),
            version: old.first().copied().unwrap_or_default(),
        })
    }

    /// Seals everything anew that names a version, but for bodies.
    async fn seal_rows(
        &self,
        lock: &mut Lock,
        job: &JobCatalog,
        version: u32,
        left: &mut Left,
        sealed: &mut SealedAnew,
    ) -> Result<(), OpsError> {
        let enough = left.count() + LEFT_MAX;
        // Bodies stand in the way of every page, until they are sealed.
        while left.count() <= enough {
            lock.keep().await?;
            let before = left.count();
            let max = BATCH.saturating_add(u32::try_from(before).unwrap_or(u32::MAX));
            let named = job.named_by_key(version, max).await?;
            let keys = self.keyring.open_for_job(job).await?;
            let (mut batch, mut names) = (Vec::new(), Vec::new());
            for one in named {
                let name = describe(&one);
                if left.has(&name) {
                    continue;
                }
                match seal_anew(one, &keys) {
                    Ok(Some(rewrap)) => {
                        batch.push(rewrap);
                        names.push(name);
                    }
                    Ok(None) => {
                        left.bodies.insert(name);
                    }
                    Err(reason) => {
                        tracing::error!(org = %job.org(), what = %name, %reason, "left under the old key");
                        left.refused.insert(name);
                    }
                }
            }
            if batch.is_empty() {
                if left.count() == before {
                    return Ok(());
                }
                continue;
            }
            match job.commit(Mutation::Rewrap(batch)).await? {
                Effect::Rewrapped(count) if count > 0 => sealed.rows += u64::from(count),
                // Blobs of bodies that are not sealed yet, or others changed all of it.
                _ => left.bodies.extend(names),
            }
            // Others have work, too.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Seals the bodies of all versions and parts anew, and returns those that are damaged.
    async fn seal_bodies(
        &self,
        lock: &mut Lock,
        job: &JobCatalog,
        resealer: &mut Resealer,
        sealed: &mut SealedAnew,
    ) -> Result<BTreeSet<String>, OpsError> {
        let mut damaged = BTreeSet::new();
        let mut place = Some(TagCursor::at_bodies());
        while let Some(from) = place {
            lock.keep().await?;
            let (rows, next) = job.tags(Some(from), PAGE).await?;
            let names: Vec<String> = rows.iter().map(describe_row).collect();
            let page = async { Ok(resealer.reseal(rows).await?) };
            let page = lock.renewal().during(page).await?;
            sealed.add(page.sealed);
            for (index, reason) in page.damaged {
                let name = &names[index];
                tracing::error!(org = %job.org(), what = %name, %reason, "left under the old key");
                damaged.insert(name.clone());
            }
            place = next;
        }
        Ok(damaged)
    }

    /// Deletes the versions; false if something has come to name one again.
    async fn delete_all(
        &self,
        job: &JobCatalog,
        old: &[u32],
        rotated: &mut Rotated,
    ) -> Result<bool, OpsError> {
        self.before_deletion(job).await?;
        for version in old {
            if rotated.deleted.contains(version) {
                continue;
            }
            let version = *version;
            match job.commit(Mutation::DeleteKey { version }).await {
                Ok(_) => {
                    self.keyring.forget(job.org());
                    rotated.deleted.push(version);
                }
                Err(CommitError::Conflict(Conflict::InUse)) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }
}

impl Left {
    fn count(&self) -> usize {
        self.bodies.len() + self.refused.len()
    }

    fn has(&self, name: &str) -> bool {
        self.bodies.contains(name) || self.refused.contains(name)
    }
}

impl SealedAnew {
    fn add(&mut self, one: Resealed) {
        self.objects += one.objects;
        self.parts += one.parts;
        self.bytes += one.bytes;
    }
}

/// How many things are put under the new key in one transaction: see the same of a rotation.
const BATCH: u32 = 32;

/// How many rows with bodies are read, and small ones committed, at a time: those of objects with
/// thousands of parts are megabytes each.
const PAGE: u32 = 16;

/// How much of a version is put aside before the bodies are sealed, which is most of it.
const LEFT_MAX: usize = 64;

/// Each round finds only what was copied during the one before.
const ROUNDS_MAX: u32 = 100;
