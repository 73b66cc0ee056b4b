use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use names::{NodeId, OrgId};

use super::OpsError;
use super::certificate::{Certificate, Pending};
use super::lock::Lock;
use super::scrub::scrub;
use crate::authz::Operator;
use crate::blobs::{BlobError, Blobs};
use crate::catalog::{
    CommitError, Conflict, Destruction, Effect, JobCatalog, Jobs, Meter, Mutation,
    NODE_ALIVE_SECONDS, OrgState, OrganizationRow, PlatformCatalog,
};
use crate::clock::Clock;
use crate::keyring::Keyring;

/// Destroys organizations' keys, and with them all that was ever sealed under them.
///
/// ```text
/// keys, credentials, rights deleted in one transaction      nothing opens from here on
///   ── every node has seen it or is dead ── rows ── blobs ── pages and log ── certificate
/// ```
///
/// Every step may be taken again: whoever is told that something is pending runs it again, and so
/// does the job that ends what has run out, until nothing is left that a run could do.
pub struct Destroyer {
    jobs: Jobs,
    platform: PlatformCatalog,
    blobs: Arc<dyn Blobs>,
    keyring: Arc<Keyring>,
    node: NodeId,
    clock: Clock,
    backups_lifetime: Option<Duration>,
}

impl Destroyer {
    /// What destroys on behalf of this process.
    pub fn new(
        jobs: Jobs,
        platform: PlatformCatalog,
        blobs: Arc<dyn Blobs>,
        keyring: Arc<Keyring>,
        node: NodeId,
        clock: Clock,
    ) -> Self {
        Self {
            jobs,
            platform,
            blobs,
            keyring,
            node,
            clock,
            backups_lifetime: None,
        }
    }

    /// Lets certificates say when the last backup of the keys expires, by how long backups are
    /// kept.
    #[must_use]
    pub fn with_backups_kept(self, lifetime: Option<Duration>) -> Self {
        Self {
            backups_lifetime: lifetime,
            ..self
        }
    }

    /// Destroys an organization's key and everything under it, or goes on with that, and tells
    /// what is outstanding.
    pub async fn destroy(&self, _operator: &Operator, org: OrgId) -> Result<Certificate, OpsError> {
        if org.is_platform() {
            return Err(OpsError::NoSuchOrganization);
        }
        let destroyed = self.locked(org, Which::Any).await?;
        Ok(destroyed.ok_or(OpsError::Changed)?.certificate)
    }

    /// The same of an organization whose grace period has ended, if it was not restored, or whose
    /// destruction was cut.
    pub async fn destroy_due(
        &self,
        _operator: &Operator,
        org: OrgId,
    ) -> Result<Option<Destroyed>, OpsError> {
        self.locked(org, Which::Due).await
    }

    /// Goes on with what is outstanding of an organization that was destroyed, and certifies how
    /// that stands now; [`OpsError::NoSuchOrganization`] if it was not.
    pub async fn certificate(
        &self,
        _operator: &Operator,
        org: OrgId,
    ) -> Result<Certificate, OpsError> {
        if org.is_platform() {
            return Err(OpsError::NoSuchOrganization);
        }
        let destroyed = self.locked(org, Which::Destroyed).await?;
        Ok(destroyed.ok_or(OpsError::NoSuchOrganization)?.certificate)
    }

    async fn locked(&self, org: OrgId, which: Which) -> Result<Option<Destroyed>, OpsError> {
        let name = format!("destroy {org}");
        let mut lock = Lock::demand(&self.jobs, name, self.node, &self.clock).await?;
        let renewal = lock.renewal();
        let outcome = renewal.during(self.under(&mut lock, org, which)).await;
        lock.release().await;
        outcome
    }

    async fn under(
        &self,
        lock: &mut Lock,
        org: OrgId,
        which: Which,
    ) -> Result<Option<Destroyed>, OpsError> {
        let job = self.jobs.open(org, "destroy");
        let Some((destruction, run)) = self.delete_keys(&job, which).await? else {
            return Ok(None);
        };
        self.keyring.forget(org);
        let mut pending = Vec::new();
        let nodes = self.wait_for_nodes(lock).await?;
        if !nodes.is_empty() {
            let nodes = nodes.iter().map(ToString::to_string).collect();
            pending.push(Pending::Nodes { nodes });
        }
        self.purge(lock, &job).await?;
        let (blobs_deleted, failed) = self.delete_blobs(lock, org).await?;
        pending.extend(failed);
        if let Err(error) = scrub(&self.jobs).await {
            let reason = error.to_string();
            pending.push(Pending::Scrub { reason });
        }
        if pending.is_empty() {
            self.close(&job).await?;
        }
        pending.extend(self.pending_root(&destruction));
        let now_ms = self.clock.now_ms();
        pending.extend(Pending::backups(
            &destruction,
            self.backups_lifetime,
            now_ms,
        ));
        let issued_ms = self.clock.now_ms();
        let certificate = Certificate::new(org, &destruction, blobs_deleted, issued_ms, pending);
        Ok(Some(Destroyed { certificate, run }))
    }

    /// Deletes the keys, unless they are deleted already.
    async fn delete_keys(
        &self,
        job: &JobCatalog,
        which: Which,
    ) -> Result<Option<(Destruction, Run)>, OpsError> {
        let org = job.org();
        for _ in 0..ATTEMPTS {
            let platform = self.keyring.open_platform().await?;
            let row = self.platform.organization(org).await?;
            let row = platform.verify(row.ok_or(OpsError::NoSuchOrganization)?)?;
            if let Some(destruction) = row.destruction {
                return Ok(Some((destruction, Run::Later)));
            }
            // Judged by the row that the commit compares: whoever restores it in between wins.
            if !which.admits(&row, self.clock.now_ms()) {
                return Ok(None);
            }
            // Counted, not verified: a key that is damaged is destroyed like any other.
            let keys = self.platform.org_keys(org).await?.len();
            let [objects, bytes] = self.stored(job).await?;
            let (root, versions) = self.keyring.root_versions();
            let destruction = Destruction {
                at_ms: self.clock.now_ms(),
                key_versions: u32::try_from(keys).unwrap_or(u32::MAX),
                objects,
                bytes,
                root,
                root_version: versions.last().copied().unwrap_or_default(),
            };
            let destroyed = platform.authenticate(OrganizationRow {
                slug: None,
                state: OrgState::Destroyed,
                // Until it is closed, a job comes back to it.
                delete_after_ms: Some(destruction.at_ms),
                destruction: Some(destruction),
                sequence: row.sequence + 1,
                ..row
            })?;
            match job.commit(Mutation::DestroyOrganization(destroyed)).await {
                Ok(_) => return Ok(Some((destruction, Run::First))),
                // The row was changed meanwhile, or the platform's key rotated.
                Err(CommitError::Conflict(Conflict::Changed | Conflict::KeyClosed { .. })) => {
                    self.keyring.forget(OrgId::PLATFORM);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(OpsError::Changed)
    }

    /// Notes that no run has anything left to do.
    async fn close(&self, job: &JobCatalog) -> Result<(), OpsError> {
        for _ in 0..ATTEMPTS {
            let platform = self.keyring.open_platform().await?;
            let row = self.platform.organization(job.org()).await?;
            let row = platform.verify(row.ok_or(OpsError::NoSuchOrganization)?)?;
            if row.delete_after_ms.is_none() {
                return Ok(());
            }
            let closed = platform.authenticate(OrganizationRow {
                delete_after_ms: None,
                sequence: row.sequence + 1,
                ..row
            })?;
            match job.commit(Mutation::ReplaceOrganization(closed)).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Conflict(Conflict::Changed | Conflict::KeyClosed { .. })) => {
                    self.keyring.forget(OrgId::PLATFORM);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(OpsError::Changed)
    }

    /// Waits until every node that is alive has seen that the keys are gone, and has dropped them.
    /// A node that does not state what it has seen is dead soon: it trusts nothing that it keeps.
    /// Returns those that are outstanding after a while.
    async fn wait_for_nodes(&self, lock: &mut Lock) -> Result<Vec<NodeId>, OpsError> {
        let (seq, _) = self.platform.last_change().await?;
        let begun = self.clock.monotonic();
        loop {
            lock.keep().await?;
            let nodes = self.jobs.nodes(NODE_ALIVE_SECONDS).await?;
            let outstanding: Vec<NodeId> = nodes
                .into_iter()
                .filter(|(_, seen)| *seen < seq)
                .map(|(node, _)| node)
                .collect();
            let waited = self.clock.monotonic().saturating_sub(begun);
            if outstanding.is_empty() || waited > NODES_PATIENCE {
                return Ok(outstanding);
            }
            tokio::time::sleep(NODES_PAUSE).await;
        }
    }

    async fn purge(&self, lock: &mut Lock, job: &JobCatalog) -> Result<(), OpsError> {
        let purge = || Mutation::PurgeOrganization {
            rows_max: ROWS_PER_ROUND,
        };
        while let Effect::Purged { more: true } = job.commit(purge()).await? {
            lock.keep().await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Deletes every blob below the organization's path, and reports those that would not go.
    async fn delete_blobs(
        &self,
        lock: &mut Lock,
        org: OrgId,
    ) -> Result<(u64, Option<Pending>), OpsError> {
        let mut deleted = 0;
        let mut failed: Option<(u64, BlobError)> = None;
        let blobs = Arc::clone(&self.blobs);
        let deletions = self.blobs.list(org).map_ok(move |entry| {
            let blobs = Arc::clone(&blobs);
            async move { Ok(blobs.delete(org, entry.blob).await) }
        });
        let mut outcomes = deletions.try_buffer_unordered(DELETIONS_AT_ONCE);
        while let Some(outcome) = outcomes.next().await {
            match outcome {
                Ok(Ok(())) => deleted += 1,
                Ok(Err(error)) => {
                    let count = failed.as_ref().map_or(0, |(count, _)| *count);
                    failed = Some((count + 1, error));
                }
                // The list itself broke off.
                Err(error) => {
                    failed = Some((failed.map_or(0, |(count, _)| count), error));
                    break;
                }
            }
            lock.keep().await?;
        }
        let failed = failed.map(|(count, error)| Pending::Blobs {
            seen: count,
            reason: error.to_string(),
        });
        Ok((deleted, failed))
    }

    /// The root versions that are still there and may have wrapped the keys: all up to the newest
    /// one at the time, since a backup of the catalog may hold what an older one wrapped.
    fn pending_root(&self, destruction: &Destruction) -> Option<Pending> {
        let (root, versions) = self.keyring.root_versions();
        let versions: Vec<u32> = versions
            .into_iter()
            .filter(|version| *version <= destruction.root_version)
            .collect();
        // Another root than the one of that time is not ours to look into.
        let known = root == destruction.root;
        (!known || !versions.is_empty()).then(|| Pending::root(destruction, versions))
    }

    /// What is stored, by its meters: later the purge counts them down.
    async fn stored(&self, job: &JobCatalog) -> Result<[u64; 2], OpsError> {
        let deltas = job.usage(0, i64::MAX as u64).await?;
        Ok([Meter::Objects, Meter::StoredBytes].map(|meter| {
            let amounts = deltas
                .iter()
                .filter(|delta| delta.meter == meter)
                .map(|delta| delta.amount);
            u64::try_from(amounts.fold(0, i64::saturating_add)).unwrap_or(0)
        }))
    }
}

/// An organization whose keys are gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destroyed {
    /// How that stands now.
    pub certificate: Certificate,
    /// Which run this was.
    pub run: Run,
}

/// Which run of a destruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Run {
    /// The one that deleted the keys.
    First,
    /// One that went on with what was outstanding.
    Later,
}

/// Which organizations are destroyed.
#[derive(Debug, Clone, Copy)]
enum Which {
    /// Any: somebody says so.
    Any,
    /// Those whose grace period has ended, and those destroyed already.
    Due,
    /// None that is not destroyed already.
    Destroyed,
}

impl Which {
    fn admits(self, row: &OrganizationRow, now_ms: u64) -> bool {
        match self {
            Self::Any => true,
            Self::Destroyed => false,
            Self::Due => {
                row.state == OrgState::Deleting
                    && row.delete_after_ms.is_some_and(|due| due <= now_ms)
            }
        }
    }
}

/// How often the organization's row is read again because somebody else changed it.
const ATTEMPTS: u32 = 5;

/// How many rows are deleted in one transaction.
const ROWS_PER_ROUND: u32 = 500;

/// How many blobs are deleted at a time.
const DELETIONS_AT_ONCE: usize = 16;

/// A node that has not been heard of for [`NODE_ALIVE_SECONDS`] is outstanding no more, so this
/// runs out only on one that lives and does not follow.
const NODES_PATIENCE: Duration = Duration::from_secs(2 * NODE_ALIVE_SECONDS as u64);
const NODES_PAUSE: Duration = Duration::from_millis(100);
