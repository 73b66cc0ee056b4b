use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt;
use names::{BlobId, NodeId, OrgId};

use super::OpsError;
use super::lock::Lock;
use crate::blobs::{BlobEntry, Blobs};
use crate::catalog::{Effect, Jobs, Mutation};
use crate::clock::Clock;
use crate::config;

/// Deletes blobs that nothing names any more: those that were replaced or deleted, once their
/// readers have had their time, and those that a crash left before any row named them.
///
/// ```text
/// trash that is due ─┐
///                    ├─► claim ─► delete from the store ─► forget the claim
/// old orphans ───────┘     │
///                  a commit that names a claimed blob fails
/// ```
///
/// The claim is a transaction that looks for names again, and conflicts with every commit that
/// names the blob: no clock and no lock decides whether a blob is needed. A crash after the claim
/// leaves it to the next round.
pub struct Collector {
    jobs: Jobs,
    blobs: Arc<dyn Blobs>,
    settings: CollectorSettings,
    node: NodeId,
    clock: Clock,
}

/// When a collector does what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CollectorSettings {
    /// How often replaced and deleted blobs are collected.
    pub collect_interval: Duration,
    /// How often the store is searched for orphans.
    pub orphan_sweep_interval: Duration,
    /// The age at which a blob that no row names counts as left over from a crash.
    pub orphan_age: Duration,
}

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Collected {
    /// Blobs deleted from the store.
    pub blobs: u64,
    /// What unfinished writers had left and no list shows.
    pub leftovers: u64,
}

impl Collector {
    /// What collects on behalf of this process.
    pub fn new(
        jobs: Jobs,
        blobs: Arc<dyn Blobs>,
        settings: CollectorSettings,
        node: NodeId,
        clock: Clock,
    ) -> Self {
        Self {
            jobs,
            blobs,
            settings,
            node,
            clock,
        }
    }

    /// Collects whenever it is time, until `stop` is done.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        let work = async {
            let mut swept: Option<Duration> = None;
            loop {
                tokio::time::sleep(self.settings.collect_interval).await;
                log("collecting garbage", self.collect().await);
                let now = self.clock.monotonic();
                let since = |before: Duration| now.saturating_sub(before);
                if swept.is_none_or(|at| since(at) >= self.settings.orphan_sweep_interval) {
                    swept = Some(now);
                    log("searching for orphans", self.sweep().await);
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = stop => {}
        }
    }

    /// One round over the trash. Nothing is done while another process is at it.
    pub async fn collect(&self) -> Result<Collected, OpsError> {
        let Some(mut lock) = self.lock("collect").await? else {
            return Ok(Collected::default());
        };
        let renewal = lock.renewal();
        let outcome = renewal.during(self.collect_trash(&mut lock)).await;
        lock.release().await;
        outcome
    }

    /// One search through the whole store for orphans and leftovers. Nothing is done while another
    /// process is at it.
    pub async fn sweep(&self) -> Result<Collected, OpsError> {
        let Some(mut lock) = self.lock("sweep").await? else {
            return Ok(Collected::default());
        };
        let renewal = lock.renewal();
        let outcome = renewal.during(self.sweep_store(&mut lock)).await;
        lock.release().await;
        outcome
    }

    async fn lock(&self, job: &str) -> Result<Option<Lock>, OpsError> {
        Ok(Lock::take(&self.jobs, job.to_owned(), self.node, &self.clock).await?)
    }

    async fn collect_trash(&self, lock: &mut Lock) -> Result<Collected, OpsError> {
        let mut blobs = self.resume(lock).await?;
        loop {
            let now_ms = self.clock.now_ms();
            let mut claimed = 0;
            // Organizations take turns: each gives up a batch at a time.
            for org in self.jobs.orgs_with_trash(now_ms, ORGS_PER_ROUND).await? {
                lock.keep().await?;
                let deleted = self.claim_and_delete(org, Vec::new()).await?;
                claimed += deleted.claimed;
                blobs += deleted.deleted;
            }
            if claimed == 0 {
                return Ok(Collected {
                    blobs,
                    leftovers: 0,
                });
            }
        }
    }

    /// Deletes what had been claimed when a process ended, or would not be deleted then.
    async fn resume(&self, lock: &mut Lock) -> Result<u64, OpsError> {
        let (mut deleted, mut stuck) = (0, 0);
        loop {
            lock.keep().await?;
            // What cannot be deleted stands in the way of every page.
            let claims = self.jobs.claims(BATCH.saturating_add(stuck)).await?;
            let before = deleted;
            stuck = 0;
            for (org, blob) in claims {
                match self.delete(org, &[blob]).await? {
                    0 => stuck += 1,
                    _ => deleted += 1,
                }
            }
            if deleted == before {
                return Ok(deleted);
            }
        }
    }

    async fn sweep_store(&self, lock: &mut Lock) -> Result<Collected, OpsError> {
        let age_ms = u64::try_from(self.settings.orphan_age.as_millis()).unwrap_or(u64::MAX);
        let before_ms = self.clock.now_ms().saturating_sub(age_ms);
        let before = UNIX_EPOCH + Duration::from_millis(before_ms);
        let mut collected = Collected::default();
        let mut entries = self.blobs.list_all().ready_chunks(BATCH as usize);
        while let Some(chunk) = entries.next().await {
            lock.keep().await?;
            let mut old: Vec<(OrgId, BlobId)> = Vec::new();
            for entry in chunk {
                let entry = entry?;
                if is_old(&entry, before_ms, before) {
                    old.push((entry.org, entry.blob));
                }
            }
            old.sort_unstable();
            for of_one in old.chunk_by(|(one, _), (next, _)| one == next) {
                let candidates = of_one.iter().map(|(_, blob)| *blob).collect();
                collected.blobs += self
                    .claim_and_delete(of_one[0].0, candidates)
                    .await?
                    .deleted;
            }
        }
        collected.leftovers = self.blobs.sweep_leftovers(before).await?;
        Ok(collected)
    }

    /// Claims what is due in the trash, and the orphans among the candidates, and deletes it.
    async fn claim_and_delete(
        &self,
        org: OrgId,
        candidates: Vec<BlobId>,
    ) -> Result<Deleted, OpsError> {
        let claim = Mutation::ClaimBlobs {
            candidates,
            now_ms: self.clock.now_ms(),
            blobs_max: BATCH,
        };
        match self.jobs.open(org, "collect").commit(claim).await? {
            Effect::Claimed(blobs) => Ok(Deleted {
                claimed: blobs.len() as u64,
                deleted: self.delete(org, &blobs).await?,
            }),
            _ => Ok(Deleted::default()),
        }
    }

    /// Deletes claimed blobs, and only then forgets the claims. One that cannot be deleted keeps
    /// its claim for the next round. Returns how many are gone.
    async fn delete(&self, org: OrgId, blobs: &[BlobId]) -> Result<u64, OpsError> {
        let mut gone = Vec::with_capacity(blobs.len());
        for blob in blobs {
            match self.blobs.delete(org, *blob).await {
                Ok(()) => gone.push(*blob),
                Err(error) => tracing::error!(%error, "garbage stays for another round"),
            }
        }
        let count = gone.len() as u64;
        if count > 0 {
            let forget = Mutation::ForgetClaims(gone);
            self.jobs.open(org, "collect").commit(forget).await?;
        }
        Ok(count)
    }
}

/// What came of one claim.
#[derive(Debug, Clone, Copy, Default)]
struct Deleted {
    claimed: u64,
    deleted: u64,
}

impl From<&config::Drive> for CollectorSettings {
    fn from(drive: &config::Drive) -> Self {
        Self {
            collect_interval: drive.collect_interval,
            orphan_sweep_interval: drive.orphan_sweep_interval,
            orphan_age: drive.orphan_age,
        }
    }
}

/// By its name, which says when its writer began, and by the store, which says when it was last
/// written to: a slow upload is old by the first alone. A name from the future tells nothing of
/// its age.
fn is_old(entry: &BlobEntry, before_ms: u64, before: SystemTime) -> bool {
    entry.blob.created_ms() < before_ms && entry.modified < before
}

fn log(doing: &str, outcome: Result<Collected, OpsError>) {
    match outcome {
        Ok(Collected {
            blobs: 0,
            leftovers: 0,
        }) => {}
        Ok(Collected { blobs, leftovers }) => tracing::info!(blobs, leftovers, "{doing}"),
        Err(error) => tracing::error!(%error, "{doing} is put off to the next round"),
    }
}

/// How many blobs are claimed in one transaction.
const BATCH: u32 = 128;

/// How many organizations are asked for at a time.
const ORGS_PER_ROUND: u32 = 256;
