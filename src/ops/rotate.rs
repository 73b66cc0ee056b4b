use std::collections::BTreeSet;
use std::sync::Arc;

use names::{NodeId, OrgId};
use serde::Serialize;

use super::OpsError;
use super::checkpoint::Checkpoints;
use super::lock::Lock;
use super::reencrypt::SealedAnew;
use super::rewrap::{describe, rewrap};
use super::scrub::scrub;
use crate::authz::Operator;
use crate::catalog::{CommitError, Conflict, Effect, JobCatalog, Jobs, KeyState, Mutation};
use crate::clock::Clock;
use crate::drive::Drive;
use crate::keyring::{KeyVersion, Keyring};

/// Rotates organizations' keys, and the platform's, while all of them work on.
///
/// ```text
/// add version 2 ── close version 1 ── until nothing names 1: verify, wrap under 2, compare and set
///      │                 │                                        │
///  writes take 2    commits that name 1 fail and wrap again   delete 1 ── scrub
/// ```
///
/// A key that has leaked is rotated likewise, but what it wrapped is sealed anew: a new wrap would
/// not take the data keys back from whoever has it.
///
/// Where it stands is read from the keys' own rows, so that it goes on wherever a crash ended it.
pub struct Rotation {
    jobs: Jobs,
    pub(super) keyring: Arc<Keyring>,
    pub(super) drive: Arc<Drive>,
    checkpoints: Arc<Checkpoints>,
    node: NodeId,
    clock: Clock,
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rotated {
    /// Whose key.
    pub organization: String,
    /// The version that takes the writes.
    pub version: u32,
    /// Whether it ended a rotation that had been begun before.
    pub resumed: bool,
    /// The versions that were deleted.
    pub deleted: Vec<u32>,
    /// How many things were put under the new version, their data keys wrapped again.
    pub rewrapped: u64,
    /// What was sealed under fresh data keys, if the old versions had leaked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed_anew: Option<SealedAnew>,
    /// What was not what was written. It was left as it is, and keeps its version from being
    /// deleted.
    pub damaged: Vec<String>,
    /// Whether the deleted versions are gone from the catalog's pages and log, too; if not, why.
    pub scrub_failed: Option<String>,
}

impl Rotation {
    /// What rotates on behalf of this process.
    pub fn new(
        jobs: Jobs,
        keyring: Arc<Keyring>,
        drive: Arc<Drive>,
        checkpoints: Arc<Checkpoints>,
        node: NodeId,
        clock: Clock,
    ) -> Self {
        Self {
            jobs,
            keyring,
            drive,
            checkpoints,
            node,
            clock,
        }
    }

    /// Rotates the key of an organization, or of the platform (organization 0); ends the rotation
    /// that is under way, if there is one.
    pub async fn rotate(&self, _operator: &Operator, org: OrgId) -> Result<Rotated, OpsError> {
        self.run(org, Reason::Routine).await
    }

    /// Rotates a key that has leaked: all that its versions ever reached is sealed anew. Ends the
    /// re-encryption that is under way, if there is one; after a rotation that is, another version
    /// is made, since what that one has wrapped already is known to whoever has the key.
    pub async fn reencrypt(&self, _operator: &Operator, org: OrgId) -> Result<Rotated, OpsError> {
        self.run(org, Reason::Leak).await
    }

    async fn run(&self, org: OrgId, reason: Reason) -> Result<Rotated, OpsError> {
        let name = format!("rotate {org}");
        let mut lock = Lock::demand(&self.jobs, name, self.node, &self.clock).await?;
        let outcome = self.under(&mut lock, org, reason).await;
        lock.release().await;
        outcome
    }

    async fn under(
        &self,
        lock: &mut Lock,
        org: OrgId,
        reason: Reason,
    ) -> Result<Rotated, OpsError> {
        let job = self.jobs.open(org, "rotate");
        let versions = self.keyring.versions(&job).await?;
        let Some((_, before)) = versions.split_last() else {
            return Err(OpsError::NoKeys);
        };
        let reason = match versions.iter().any(has_leaked) {
            // Whoever asked for that is to have it, however it was cut.
            true => Reason::Leak,
            false => reason,
        };
        let resumed = !before.is_empty()
            && match reason {
                Reason::Routine => true,
                // Only then was the newest made for it, and holds nothing of before.
                Reason::Leak => before.iter().all(has_leaked),
            };
        if !resumed {
            self.keyring.add_version(&job).await?;
        }
        let version = self.keyring.open_for_job(&job).await?.newest_version();
        let mut rotated = Rotated {
            organization: org.to_string(),
            version,
            resumed,
            deleted: Vec::new(),
            rewrapped: 0,
            sealed_anew: None,
            damaged: Vec::new(),
            scrub_failed: None,
        };
        let old: Vec<u32> = self
            .keyring
            .versions(&job)
            .await?
            .iter()
            .map(|one| one.version)
            .filter(|one| *one != version)
            .collect();
        for old in &old {
            match reason {
                Reason::Routine => self.keyring.close_version(&job, *old).await?,
                Reason::Leak => self.keyring.condemn_version(&job, *old).await?,
            }
        }
        match reason {
            Reason::Routine => {
                for old in old {
                    self.give_up(lock, &job, old, &mut rotated).await?;
                }
            }
            Reason::Leak => {
                self.seal_all_anew(lock, &job, &old, &mut rotated).await?;
            }
        }
        if !rotated.deleted.is_empty() {
            let scrubbed = scrub(&self.jobs).await;
            rotated.scrub_failed = scrubbed.err().map(|error| error.to_string());
        }
        Ok(rotated)
    }

    /// Puts what names a closed version under the newest, and deletes the version.
    async fn give_up(
        &self,
        lock: &mut Lock,
        job: &JobCatalog,
        version: u32,
        rotated: &mut Rotated,
    ) -> Result<(), OpsError> {
        loop {
            let damaged = self.rewrap_all(lock, job, version, rotated).await?;
            if !damaged.is_empty() {
                rotated.damaged.extend(damaged);
                return Ok(());
            }
            self.before_deletion(job).await?;
            match job.commit(Mutation::DeleteKey { version }).await {
                Ok(_) => {
                    self.keyring.forget(job.org());
                    rotated.deleted.push(version);
                    return Ok(());
                }
                // A commit that had begun before the version was closed.
                Err(CommitError::Conflict(Conflict::InUse)) => lock.keep().await?,
                Err(error) => return Err(error.into()),
            }
        }
    }

    pub(super) async fn before_deletion(&self, job: &JobCatalog) -> Result<(), OpsError> {
        if job.org().is_platform() {
            // The last signed checkpoint is to be verifiable after its key is gone.
            self.checkpoints.resign().await?;
        }
        Ok(())
    }

    /// Returns what could not be put under the newest version because it is not what was written.
    async fn rewrap_all(
        &self,
        lock: &mut Lock,
        job: &JobCatalog,
        version: u32,
        rotated: &mut Rotated,
    ) -> Result<BTreeSet<String>, OpsError> {
        let mut damaged = BTreeSet::new();
        let mut rounds_in_vain = 0;
        loop {
            lock.keep().await?;
            // What is damaged stands in the way of every page.
            let max = BATCH.saturating_add(u32::try_from(damaged.len()).unwrap_or(u32::MAX));
            let named = job.named_by_key(version, max).await?;
            let keys = self.keyring.open_for_job(job).await?;
            let known = damaged.len();
            let mut batch = Vec::new();
            for one in named {
                let name = describe(&one);
                if damaged.contains(&name) {
                    continue;
                }
                match rewrap(one, &keys) {
                    Ok(rewrap) => batch.push(rewrap),
                    Err(reason) => {
                        tracing::error!(org = %job.org(), what = %name, %reason, "left under the old key");
                        damaged.insert(name);
                    }
                }
            }
            if batch.is_empty() {
                if damaged.len() == known {
                    return Ok(damaged);
                }
                continue;
            }
            match job.commit(Mutation::Rewrap(batch)).await {
                Ok(Effect::Rewrapped(count)) if count > 0 => {
                    rotated.rewrapped += u64::from(count);
                    rounds_in_vain = 0;
                }
                // All of it was changed by others meanwhile, or the newest key by another process.
                Ok(_) | Err(CommitError::Conflict(Conflict::KeyClosed { .. })) => {
                    self.keyring.forget(job.org());
                    rounds_in_vain += 1;
                }
                Err(error) => return Err(error.into()),
            }
            if rounds_in_vain == ROUNDS_IN_VAIN_MAX {
                return Err(OpsError::Stuck {
                    org: job.org(),
                    version,
                });
            }
            // Others have work, too.
            tokio::task::yield_now().await;
        }
    }
}

/// Why a key is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// It has been in use for long enough.
    Routine,
    /// Somebody else may have it.
    Leak,
}

fn has_leaked(version: &KeyVersion) -> bool {
    version.state == KeyState::Leaked
}

/// How many things are put under the new key in one transaction: a fraction of what the catalog
/// commits together, so that requests find their place beside it.
const BATCH: u32 = 32;

/// Others change rows now and then; not a whole batch, every time.
const ROUNDS_IN_VAIN_MAX: u32 = 1000;
