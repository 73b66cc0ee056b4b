use std::time::Duration;

use names::NodeId;

use super::OpsError;
use crate::catalog::{CatalogError, Jobs};
use crate::clock::Clock;

/// The lock of a job: as long as this process renews it, no other one does the same job. It is
/// renewed between the steps of a job ([`keep`](Self::keep)), and beside steps that may outlast it
/// ([`renewal`](Self::renewal)).
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

    /// What renews the lock beside the work.
    pub(super) fn renewal(&self) -> Renewal {
        Renewal {
            jobs: self.jobs.clone(),
            job: self.job.clone(),
            holder: self.holder,
        }
    }

    /// Gives the lock back, whatever came of the job.
    pub(super) async fn release(self) {
        if let Err(error) = self.jobs.release(&self.job, self.holder).await {
            tracing::warn!(job = %self.job, %error, "a lock is held until it runs out");
        }
    }
}

/// Renews a lock while something is done that may take longer than the lock lasts: the deletion of
/// a blob that a store is slow with, or the destruction of a whole organization within a round.
pub(super) struct Renewal {
    jobs: Jobs,
    job: String,
    holder: NodeId,
}

impl Renewal {
    /// Does the work, and breaks it off if the lock has gone to another process.
    pub(super) async fn during<T>(
        &self,
        work: impl Future<Output = Result<T, OpsError>>,
    ) -> Result<T, OpsError> {
        tokio::select! {
            outcome = work => outcome,
            error = self.renew() => Err(error),
        }
    }

    /// Until the lock is lost.
    async fn renew(&self) -> OpsError {
        loop {
            tokio::time::sleep(RENEW_AFTER).await;
            match self.jobs.lease(&self.job, self.holder, LOCK_SECONDS).await {
                Ok(Some(_)) => {}
                Ok(None) => {
                    return OpsError::LockLost {
                        job: self.job.clone(),
                    };
                }
                // The work itself meets what is wrong with the catalog, if that lasts.
                Err(error) => tracing::warn!(job = %self.job, %error, "a lock was not renewed"),
            }
        }
    }
}

/// How long a lock outlives a process that ended in the middle of its job.
const LOCK_SECONDS: u32 = 30;

/// Well before it runs out, and not at every step.
const RENEW_AFTER: Duration = Duration::from_secs(5);
