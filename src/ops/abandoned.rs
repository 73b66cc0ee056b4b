use std::sync::Arc;
use std::time::Duration;

use names::OrgId;

use super::OpsError;
use super::lock::Lock;
use crate::audit::{Audit, Decision, Event};
use crate::authz::{AbortUpload, Action, OfObject, Operator, record_activity_as_operator};
use crate::catalog::{
    Accounting, CommitError, Conflict, JobCatalog, Jobs, Mutation, StoredLimits, UploadRow,
};
use crate::clock::Clock;
use crate::config;
use crate::keyring::{Keyring, OrgKeys};

/// Gives up multipart uploads that nobody goes on with, as their owner would: what they hold
/// becomes garbage and counts no more.
///
/// ```text
/// found by age ── MAC verified ── told in the organization's log ── given up, if it is idle still
/// ```
///
/// An organization that is not active, where nobody can go on, keeps its uploads until it is again.
/// Whether one is idle is judged inside the transaction, after every part and completion that was
/// acknowledged before it.
pub(super) struct AbandonedUploads {
    jobs: Jobs,
    keyring: Arc<Keyring>,
    audit: Arc<Audit>,
    operator: Operator,
    clock: Clock,
    settings: AbandonedUploadSettings,
}

/// When an upload counts as abandoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AbandonedUploadSettings {
    /// How long it has been begun, and has got no part. Zero: never.
    pub age: Duration,
    /// How long its blobs stay for the readers that have begun.
    pub trash_delay: Duration,
}

impl AbandonedUploads {
    /// What gives up uploads on behalf of this process.
    pub(super) fn new(
        jobs: Jobs,
        keyring: Arc<Keyring>,
        audit: Arc<Audit>,
        operator: Operator,
        clock: Clock,
        settings: AbandonedUploadSettings,
    ) -> Self {
        Self {
            jobs,
            keyring,
            audit,
            operator,
            clock,
            settings,
        }
    }

    /// Gives up those that are abandoned by now, and returns how many.
    pub(super) async fn give_up(&self, lock: &mut Lock) -> Result<u64, OpsError> {
        if self.settings.age.is_zero() {
            return Ok(0);
        }
        let idle_since_ms = self.clock.now_ms().saturating_sub(ms(self.settings.age));
        let (mut count, mut after) = (0, None);
        loop {
            let page = self
                .jobs
                .idle_uploads(idle_since_ms, after, UPLOADS_PER_PAGE)
                .await?;
            let Some(last) = page.last().map(|row| row.unverified()) else {
                return Ok(count);
            };
            after = Some((last.initiated_ms, last.org, last.upload));
            for claimed in page {
                lock.keep().await?;
                let job = self.jobs.open(claimed.unverified().org, JOB);
                let keys = match self.keyring.open_for_job(&job).await {
                    Ok(keys) => keys,
                    // Its log cannot be written, so that nothing is done in it; others go on.
                    Err(error) => {
                        tracing::error!(org = %job.org(), %error, "an abandoned upload stays");
                        continue;
                    }
                };
                match keys.verify(claimed) {
                    Ok(row) => {
                        count +=
                            u64::from(self.give_up_one(&job, &keys, row, idle_since_ms).await?);
                    }
                    // One that is damaged stays for whoever looks into it, and stops no other.
                    Err(error) => {
                        tracing::error!(org = %job.org(), %error, "an abandoned upload stays");
                    }
                }
            }
        }
    }

    async fn give_up_one(
        &self,
        job: &JobCatalog,
        keys: &OrgKeys,
        row: UploadRow,
        idle_since_ms: u64,
    ) -> Result<bool, OpsError> {
        let resource = resource(job, keys, &row).await?;
        let told = self.tell(job.org(), &resource, "nobody has gone on with the upload");
        if !told.await {
            return Ok(false);
        }
        let now_ms = self.clock.now_ms();
        let give_up = Mutation::AbandonUpload {
            bucket: row.bucket,
            key: row.key,
            upload: row.upload,
            idle_since_ms,
            accounting: Accounting {
                hour_ms: now_ms - now_ms % HOUR_MS,
                trash_not_before_ms: now_ms.saturating_add(ms(self.settings.trash_delay)),
                limits: StoredLimits::default(),
            },
        };
        match job.commit(give_up).await {
            Ok(_) => Ok(true),
            // Completed, aborted or gone on with at this moment: what was told is taken back.
            Err(CommitError::Conflict(Conflict::Changed | Conflict::Missing)) => {
                let text = "somebody has, at the same moment: it was not given up";
                self.tell(job.org(), &resource, text).await;
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Tells the organization's log; false if that cannot be written.
    async fn tell(&self, org: OrgId, resource: &str, what: &str) -> bool {
        let stated = Decision::Stated {
            what: what.to_owned(),
        };
        let (now_ms, resource) = (self.clock.now_ms(), resource.to_owned());
        let event = Event::of_operator(now_ms, AbortUpload::NAME, resource, stated);
        let permit = record_activity_as_operator(&self.operator, org);
        let recorded = self.audit.record(permit, event).await;
        if let Err(error) = &recorded {
            tracing::error!(%org, %error, "an abandoned upload stays until the log can be written");
        }
        recorded.is_ok()
    }
}

impl From<&config::Drive> for AbandonedUploadSettings {
    fn from(drive: &config::Drive) -> Self {
        Self {
            age: drive.abandoned_upload_age,
            trash_delay: drive.trash_delay,
        }
    }
}

/// The object that the upload was to become, as the log names it.
async fn resource(job: &JobCatalog, keys: &OrgKeys, row: &UploadRow) -> Result<String, OpsError> {
    let mut after: Option<String> = None;
    loop {
        let page = job.buckets(after.as_deref(), BUCKETS_PER_PAGE).await?;
        let Some(last) = page.last() else {
            // It went with its uploads, this one among them.
            return Ok(row.bucket.to_string());
        };
        after = Some(last.unverified().name.as_str().to_owned());
        let found = page
            .into_iter()
            .find(|bucket| bucket.unverified().bucket == row.bucket);
        if let Some(bucket) = found {
            return Ok(OfObject {
                bucket: keys.verify(bucket)?.name,
                key: row.key.clone(),
            }
            .to_string());
        }
    }
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

const JOB: &str = "expire";
const UPLOADS_PER_PAGE: u32 = 100;
const BUCKETS_PER_PAGE: u32 = 1_000;
/// Usage is counted by the hour.
const HOUR_MS: u64 = 3_600_000;
