use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use names::{NodeId, OrgId};

use super::OpsError;
use super::abandoned::{AbandonedUploadSettings, AbandonedUploads};
use super::administration::DESTROY_ORGANIZATION;
use super::certificate::Certificate;
use super::destroy::{Destroyed, Destroyer, Run};
use super::lock::Lock;
use crate::audit::{Audit, Decision, Event, PlatformEvent};
use crate::authz::{OfSecret, Operator, record_activity_as_operator};
use crate::catalog::{
    CommitError, Conflict, Effect, JobCatalog, Jobs, Mutation, RecordKind, RecordRow, RecordWrite,
    Unverified,
};
use crate::clock::Clock;
use crate::keyring::Keyring;
use crate::vault::{Due, DueSecret, Ended, Vault};

/// Ends what has run out:
///
/// ```text
/// credentials, invitations, grants, kept answers, links   deleted; they were refused since their end
/// multipart uploads that nobody goes on with              given up; told in the activity log
/// secrets whose recovery window has ended                 deleted with their values
/// secrets that expire, or that somebody is reminded of    told in the activity log
/// organizations whose grace period has ended              destroyed, with a certificate in the log
/// destructions that were cut                              brought to their end, with the same
/// ```
///
/// What has run out is refused by whoever reads it, so nothing hangs on when this runs. One process
/// does it at a time.
pub struct Expirer {
    jobs: Jobs,
    destroyer: Destroyer,
    vault: Arc<Vault>,
    audit: Arc<Audit>,
    operator: Operator,
    node: NodeId,
    clock: Clock,
    uploads: Option<AbandonedUploads>,
}

/// What a round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expired {
    /// Records deleted.
    pub records: u64,
    /// Secrets deleted.
    pub secrets: u64,
    /// Secrets of which something was told.
    pub reminders: u64,
    /// Multipart uploads given up.
    pub uploads: u64,
    /// Organizations destroyed, and destructions brought to their end that others began.
    pub organizations: u64,
}

impl Expirer {
    /// Ends what has run out on behalf of this process.
    pub fn new(
        jobs: Jobs,
        destroyer: Destroyer,
        vault: Arc<Vault>,
        audit: Arc<Audit>,
        operator: Operator,
        node: NodeId,
        clock: Clock,
    ) -> Self {
        Self {
            jobs,
            destroyer,
            vault,
            audit,
            operator,
            node,
            clock,
            uploads: None,
        }
    }

    /// Lets it give up multipart uploads, too.
    #[must_use]
    pub fn giving_up_uploads(
        self,
        keyring: Arc<Keyring>,
        settings: AbandonedUploadSettings,
    ) -> Self {
        let uploads = AbandonedUploads::new(
            self.jobs.clone(),
            keyring,
            Arc::clone(&self.audit),
            Operator::authenticated(),
            self.clock.clone(),
            settings,
        );
        Self {
            uploads: Some(uploads),
            ..self
        }
    }

    /// Works whenever it is time, until `stop` is done.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        let work = async {
            loop {
                tokio::time::sleep(INTERVAL).await;
                match self.round().await {
                    Ok(Expired {
                        records: 0,
                        secrets: 0,
                        reminders: 0,
                        uploads: 0,
                        organizations: 0,
                    }) => {}
                    Ok(expired) => tracing::info!(?expired, "ended what had run out"),
                    Err(error) => tracing::error!(%error, "ending what has run out"),
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = stop => {}
        }
    }

    /// One round. Nothing is done while another process is at it.
    pub async fn round(&self) -> Result<Expired, OpsError> {
        let job = "expire".to_owned();
        let Some(mut lock) = Lock::take(&self.jobs, job, self.node, &self.clock).await? else {
            return Ok(Expired::default());
        };
        let renewal = lock.renewal();
        let outcome = renewal.during(self.under(&mut lock)).await;
        lock.release().await;
        outcome
    }

    async fn under(&self, lock: &mut Lock) -> Result<Expired, OpsError> {
        self.delete_credentials(lock).await?;
        let mut expired = Expired::default();
        for kind in KINDS {
            expired.records += self.delete_records(lock, kind).await?;
        }
        self.end_secrets(lock, &mut expired).await?;
        if let Some(uploads) = &self.uploads {
            expired.uploads = uploads.give_up(lock).await?;
        }
        expired.organizations = self.destroy_organizations(lock).await?;
        Ok(expired)
    }

    /// Those of all organizations. For a day each can still be told from one that never was.
    async fn delete_credentials(&self, lock: &mut Lock) -> Result<(), OpsError> {
        let platform = self.jobs.open(OrgId::PLATFORM, JOB);
        let now_ms = self.clock.now_ms().saturating_sub(TOLD_MS);
        let delete = || Mutation::DeleteExpiredCredentials {
            now_ms,
            rows_max: PAGE,
        };
        while let Effect::Purged { more: true } = platform.commit(delete()).await? {
            lock.keep().await?;
        }
        Ok(())
    }

    async fn delete_records(&self, lock: &mut Lock, kind: RecordKind) -> Result<u64, OpsError> {
        let now_ms = self.clock.now_ms();
        let mut deleted = 0;
        loop {
            lock.keep().await?;
            let page = self.jobs.expired_records(kind, now_ms, PAGE).await?;
            let before = deleted;
            for (org, rows) in by_organization(page) {
                deleted += self.delete_of(org, rows).await?;
            }
            // What somebody changes at the same moment waits for the next round.
            if deleted == before {
                return Ok(deleted);
            }
        }
    }

    /// Deletes rows together, or one by one if others changed some of them.
    async fn delete_of(&self, org: OrgId, rows: Vec<AsRead>) -> Result<u64, OpsError> {
        let job = self.jobs.open(org, JOB);
        let commit = async |rows: &[AsRead]| {
            let writes = rows.iter().map(|row| row.deletion()).collect();
            let guards = Vec::new();
            match job.commit(Mutation::CommitRecords { writes, guards }).await {
                Ok(_) => Ok(true),
                Err(CommitError::Conflict(Conflict::Changed | Conflict::Missing)) => Ok(false),
                Err(error) => Err(OpsError::from(error)),
            }
        };
        if commit(&rows).await? {
            return Ok(rows.len() as u64);
        }
        let mut deleted = 0;
        for row in rows.chunks(1) {
            deleted += u64::from(commit(row).await?);
        }
        Ok(deleted)
    }

    async fn end_secrets(&self, lock: &mut Lock, expired: &mut Expired) -> Result<(), OpsError> {
        let kind = RecordKind::Secret;
        loop {
            let now_ms = self.clock.now_ms();
            let page = self.jobs.expired_records(kind, now_ms, PAGE).await?;
            let before = *expired;
            for row in page {
                lock.keep().await?;
                let job = self.jobs.open(row.unverified().org, JOB);
                match self.vault.end(&job, row).await {
                    Ok(Ended::Gone) => expired.secrets += 1,
                    Ok(Ended::Due(due)) => {
                        expired.reminders += u64::from(self.tell(&job, *due).await);
                    }
                    Ok(Ended::Nothing) => {}
                    // One organization's damage or seal keeps no other's secrets.
                    Err(error) => {
                        tracing::error!(org = %job.org(), %error, "a secret outlives its end");
                    }
                }
            }
            if *expired == before {
                return Ok(());
            }
        }
    }

    /// Tells in the organization's log what there is to tell of a secret, and only then notes that
    /// it was told.
    async fn tell(&self, job: &JobCatalog, due: DueSecret) -> bool {
        let org = job.org();
        for what in due.what() {
            let (action, text) = match what {
                Due::Expired => ("vault:expire", "the secret has expired"),
                Due::Reminder => ("vault:remind", "somebody wanted to think of the secret now"),
            };
            let path = due.path().clone();
            let stated = Decision::Stated {
                what: text.to_owned(),
            };
            let resource = OfSecret::at(path).to_string();
            let event = Event::of_operator(self.clock.now_ms(), action, resource, stated);
            let permit = record_activity_as_operator(&self.operator, org);
            if let Err(error) = self.audit.record(permit, event).await {
                tracing::error!(%org, %error, "it is told of a secret later what time brought");
                return false;
            }
        }
        match self.vault.told(job, due).await {
            Ok(is_noted) => is_noted,
            Err(error) => {
                tracing::error!(%org, %error, "it is told of a secret twice what time brought");
                false
            }
        }
    }

    async fn destroy_organizations(&self, lock: &mut Lock) -> Result<u64, OpsError> {
        let now_ms = self.clock.now_ms();
        let due = self
            .jobs
            .organizations_due_for_destruction(now_ms, PAGE)
            .await?;
        let mut destroyed = 0;
        for row in due {
            lock.keep().await?;
            let org = row.unverified().org;
            match self.destroyer.destroy_due(&self.operator, org).await {
                Ok(Some(Destroyed { certificate, run })) => {
                    let how = match run {
                        Run::First => "after its grace period",
                        Run::Later if certificate.is_swept() => "brought to its end",
                        // That it was begun stands in the log, or will with its end.
                        Run::Later => continue,
                    };
                    destroyed += 1;
                    self.record(&certificate, how).await?;
                }
                // Restored meanwhile.
                Ok(None) => {}
                // Somebody is at it.
                Err(OpsError::Busy { .. }) => {}
                Err(error) => tracing::error!(%org, %error, "an organization outlives its end"),
            }
        }
        Ok(destroyed)
    }

    async fn record(&self, certificate: &Certificate, how: &str) -> Result<(), OpsError> {
        let json = serde_json::to_string(certificate).unwrap_or_default();
        let event = PlatformEvent {
            at_ms: self.clock.now_ms(),
            source: None,
            what: format!("{DESTROY_ORGANIZATION} {how}: {json}"),
        };
        Ok(self.audit.record_platform(event).await?)
    }
}

/// A record as it was read.
struct AsRead {
    kind: RecordKind,
    id: [u8; 16],
    sequence: u64,
}

impl AsRead {
    fn deletion(&self) -> RecordWrite {
        RecordWrite::Delete {
            kind: self.kind,
            id: self.id,
            sequence: self.sequence,
        }
    }
}

fn by_organization(page: Vec<Unverified<RecordRow>>) -> BTreeMap<OrgId, Vec<AsRead>> {
    let mut found: BTreeMap<OrgId, Vec<AsRead>> = BTreeMap::new();
    for row in &page {
        let row = row.unverified();
        found.entry(row.org).or_default().push(AsRead {
            kind: row.kind,
            id: row.id,
            sequence: row.sequence,
        });
    }
    found
}

/// What means nothing after its end. What is counted after it, as credit is, is not among them.
const KINDS: [RecordKind; 4] = [
    RecordKind::Invitation,
    RecordKind::Grant,
    RecordKind::Idempotency,
    RecordKind::ShareLink,
];
const INTERVAL: Duration = Duration::from_secs(60);
const TOLD_MS: u64 = 24 * 3_600_000;
const PAGE: u32 = 500;
const JOB: &str = "expire";
