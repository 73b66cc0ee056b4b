use std::pin::pin;
use std::time::Duration;

use names::NodeId;

use super::OpsError;
use crate::catalog::{CatalogError, Jobs};
use crate::clock::Clock;

/// The lock of a job: as long as this process renews it, no other one does the same job.
///
/// It keeps work from being done twice; no job relies on it for safety. Every step of every job
/// is a transaction that judges by itself, so that two processes at the same job are slow, not
/// wrong.
pub(super) struct Lock {
    jobs: Jobs,
    job: String,
    holder: NodeId,
    clock: Clock,
    renewed: Duration,
}

impl Lock {
    /// Takes the lock, unless another has it.
    pub(super) async fn take(
        jobs: &Jobs,
        job: String,
        holder: NodeId,
        clock: &Clock,
    ) -> Result<Option<Self>, CatalogError> {
        let renewed = clock.monotonic();
        let token = jobs.lease(&job, holder, LOCK_SECONDS).await?;
        Ok(token.map(|_| Self {
            jobs: jobs.clone(),
            job,
            holder,
            clock: clock.clone(),
            renewed,
        }))
    }

    /// Takes the lock of a job that somebody waits for.
    pub(super) async fn demand(
        jobs: &Jobs,
        job: String,
        holder: NodeId,
        clock: &Clock,
    ) -> Result<Self, OpsError> {
        let taken = Self::take(jobs, job.clone(), holder, clock).await?;
        taken.ok_or(OpsError::Busy {
            job,
            seconds: LOCK_SECONDS,
        })
    }

    /// Keeps the lock: called between the steps of a job.
    pub(super) async fn keep(&mut self) -> Result<(), OpsError> {
        let now = self.clock.monotonic();
        if now.saturating_sub(self.renewed) < RENEW_AFTER {
            return Ok(());
        }
        let token = self
            .jobs
            .lease(&self.job, self.holder, LOCK_SECONDS)
            .await?;
        if token.is_none() {
            return Err(OpsError::LockLost {
                job: self.job.clone(),
            });
        }
        self.renewed = now;
        Ok(())
    }

    /// Keeps the lock while a long step is under way, which ends where it stands if it is lost.
    pub(super) async fn during<T>(&mut self, step: impl Future<Output = T>) -> Result<T, OpsError> {
        let mut step = pin!(step);
        loop {
            tokio::select! {
                done = &mut step => return Ok(done),
                () = tokio::time::sleep(RENEW_AFTER) => self.keep().await?,
            }
        }
    }

    /// Gives the lock back, whatever came of the job.
    pub(super) async fn release(self) {
        if let Err(error) = self.jobs.release(&self.job, self.holder).await {
            tracing::warn!(job = %self.job, %error, "a lock is held until it runs out");
        }
    }
}

/// How long a lock outlives a process that ended in the middle of its job.
const LOCK_SECONDS: u32 = 30;

/// Well before it runs out, and not at every step.
const RENEW_AFTER: Duration = Duration::from_secs(5);
