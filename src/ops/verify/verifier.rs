use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use names::{BlobId, OrgId};
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::anchors::Anchors;
use super::finding::{Finding, RowName};
use super::replay::{Fate, Mac, Replay, fates, touched_since};
use super::rows::{Authorities, Inspected, Verdict, blob_fits};
use crate::authz::Operator;
use crate::catalog::{
    BlobRow, CredentialRow, JobCatalog, Jobs, OrgKeyRow, OrgState, OrganizationRow,
    PlatformCatalog, Recount, Row, Slice,
};
use crate::config;
use crate::keyring::{Keyring, KeyringError, OrgKeys};
use crate::ops::OpsError;
use crate::ops::checkpoint::CheckpointError;

/// Looks for what a MAC alone does not show: an old row put back, a row taken away, a log cut.
///
/// ```text
/// log of changes ── replayed ──► the MACs that are current ─┐
///        │ chain computed again, compared with checkpoints   ├─► findings
/// every row ── MAC verified ──► the MACs that are there ─────┘
/// ```
///
/// The catalog may be in use meanwhile: what changes during the walk is excused by the log of
/// those very changes.
pub struct Verifier {
    jobs: Jobs,
    platform: PlatformCatalog,
    keyring: Arc<Keyring>,
    checkpoint_file: PathBuf,
}

/// What a verification has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// How many changes were replayed.
    pub changes: u64,
    /// How many checkpoints the file holds.
    pub checkpoints: u64,
    /// How many organizations there are.
    pub organizations: u64,
    /// How many rows were verified.
    pub rows: u64,
    /// What is wrong. An empty list is a sound catalog.
    pub findings: Vec<Finding>,
}

/// What is gathered on the way.
struct Walk {
    replay: Replay,
    rows: u64,
    findings: Vec<Finding>,
    /// Genuine rows that are not current, and what does not fit: both are excused if the row was
    /// changed while the walk went on.
    stale: Vec<(RowName, Mac)>,
    unfit: Vec<(Mac, Finding)>,
}

impl Verifier {
    /// What verifies on behalf of this process.
    pub fn new(
        jobs: Jobs,
        platform: PlatformCatalog,
        keyring: Arc<Keyring>,
        settings: &config::Audit,
    ) -> Self {
        Self {
            jobs,
            platform,
            keyring,
            checkpoint_file: settings.checkpoint_file.clone(),
        }
    }

    /// The ends of the activity logs' chains that the checkpoint file names, with what is wrong
    /// with the file.
    pub(crate) async fn anchors(&self) -> Result<Anchors, OpsError> {
        let platform = self.keyring.open_platform().await?;
        let path = self.checkpoint_file.clone();
        let read = spawn_blocking(move || Anchors::read(&path, &platform)).await;
        let read = read.map_err(std::io::Error::other).flatten();
        Ok(read.map_err(|source| CheckpointError::File {
            path: self.checkpoint_file.clone(),
            source,
        })?)
    }

    /// Verifies the whole catalog.
    pub async fn verify(&self, _operator: &Operator) -> Result<Verification, OpsError> {
        let mut anchors = self.anchors().await?;
        let mut findings = std::mem::take(&mut anchors.findings);
        let replay = Replay::of(&self.platform, &anchors, &mut findings).await?;
        let (changes, seq) = (replay.changes, replay.seq);
        let mut walk = Walk {
            replay,
            rows: 0,
            findings,
            stale: Vec::new(),
            unfit: Vec::new(),
        };
        let organizations = self.walk(&mut walk).await?;
        let excused = touched_since(&self.platform, seq).await?;
        let rows = walk.rows;
        let findings = self.judge(walk, &excused).await?;
        Ok(Verification {
            changes,
            checkpoints: anchors.changes.len() as u64,
            organizations,
            rows,
            findings,
        })
    }

    /// Walks over every row of every organization, and returns how many organizations there are.
    async fn walk(&self, walk: &mut Walk) -> Result<u64, OpsError> {
        self.walk_rows(walk, OrgId::PLATFORM, Keys::Platform)
            .await?;
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.platform.organizations(after, ORGS_PER_PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(count);
            };
            after = Some(last.unverified().org);
            for row in page {
                count += 1;
                let org = row.unverified().org;
                let platform = self.keyring.open_platform().await?;
                // One that is altered is found by the walk, with all other rows.
                let destroyed = platform
                    .verify(row)
                    .is_ok_and(|row| row.state == OrgState::Destroyed);
                if destroyed {
                    walk.replay.forget(org, &UNDER_THE_PLATFORM);
                }
                let keys = if destroyed {
                    Keys::Destroyed
                } else {
                    Keys::Own
                };
                self.walk_rows(walk, org, keys).await?;
                self.recount(walk, org).await?;
            }
        }
    }

    /// Compares what limits are judged by with what was metered. Both are changed in the
    /// transaction that stores, and read in one snapshot.
    async fn recount(&self, walk: &mut Walk, org: OrgId) -> Result<(), OpsError> {
        let Recount {
            stored,
            metered,
            in_buckets,
        } = self.jobs.open(org, "verify").recount().await?;
        if stored != metered || stored != in_buckets {
            walk.findings.push(Finding::Miscounted {
                organization: org.to_string(),
                reason: format!(
                    "{stored} for its limits, {metered} metered, {in_buckets} metered by bucket"
                ),
            });
        }
        Ok(())
    }

    async fn walk_rows(&self, walk: &mut Walk, org: OrgId, keys: Keys) -> Result<(), OpsError> {
        let job = self.jobs.open(org, "verify");
        let mut cursor = None;
        loop {
            let (rows, next) = job.tags(cursor, ROWS_PER_PAGE).await?;
            // Opened for each page: keys may be rotated while the walk goes on.
            let platform = self.keyring.open_platform().await?;
            let own = match keys {
                Keys::Platform | Keys::Destroyed => None,
                Keys::Own => match self.keyring.open_for_job(&job).await {
                    Ok(keys) => Some(keys),
                    Err(KeyringError::Catalog(error)) => return Err(error.into()),
                    Err(reason) => {
                        walk.no_keys(org, &reason);
                        None
                    }
                },
            };
            let authorities = Authorities {
                platform: &platform,
                own: own.as_deref(),
            };
            let mut named = Vec::new();
            for row in rows {
                let inspected = Inspected::of(org, row, &authorities);
                named.extend(walk.take(inspected, keys));
            }
            if let Some(own) = &own {
                check_blobs(walk, &job, own, named).await?;
            }
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn judge(&self, walk: Walk, excused: &HashSet<Mac>) -> Result<Vec<Finding>, OpsError> {
        let Walk {
            replay,
            mut findings,
            stale,
            unfit,
            ..
        } = walk;
        findings.extend(
            unfit
                .into_iter()
                .filter(|(mac, _)| !excused.contains(mac))
                .map(|(_, finding)| finding),
        );
        let stale: Vec<_> = stale
            .into_iter()
            .filter(|(_, mac)| !excused.contains(mac))
            .collect();
        let mut explained = excused.clone();
        if !stale.is_empty() {
            for (row, fate) in fates(&self.platform, stale).await? {
                findings.push(match fate {
                    Fate::Replaced { change, by } => {
                        // The row that is missing is the one that this one stands in the place of.
                        explained.insert(by);
                        Finding::RolledBack { row, change }
                    }
                    Fate::Deleted { change } => Finding::Restored { row, change },
                    Fate::Unknown => Finding::Unlogged { row },
                });
            }
        }
        findings.extend(replay.missing(&explained));
        Ok(findings)
    }
}

/// Whose keys the rows of an organization stand under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keys {
    /// The platform's alone: it has no data.
    Platform,
    /// The platform's and its own.
    Own,
    /// Its own are destroyed, and what stood under them is being deleted.
    Destroyed,
}

impl Walk {
    /// Takes a row in, and returns the blobs that it names.
    fn take(&mut self, row: Inspected, keys: Keys) -> Vec<(RowName, Mac, Slice)> {
        let Inspected {
            name,
            mac,
            verdict,
            slices,
        } = row;
        if keys == Keys::Destroyed && matches!(verdict, Verdict::Unknown) {
            return Vec::new();
        }
        self.rows += 1;
        let current = self.replay.see(&mac);
        match verdict {
            Verdict::Altered(reason) => {
                let reason = reason.to_string();
                self.findings.push(Finding::Altered { row: name, reason });
                return Vec::new();
            }
            Verdict::Unfit(reason) => {
                let row = name.clone();
                self.unfit.push((mac, Finding::Unfit { row, reason }));
            }
            Verdict::Genuine | Verdict::Unknown => {}
        }
        if !current {
            self.stale.push((name.clone(), mac));
        }
        let named = |slice| (name.clone(), mac, slice);
        slices.into_iter().map(named).collect()
    }

    fn no_keys(&mut self, org: OrgId, reason: &KeyringError) {
        let finding = Finding::NoKeys {
            organization: org.to_string(),
            reason: reason.to_string(),
        };
        if self.findings.last() != Some(&finding) {
            self.findings.push(finding);
        }
    }
}

/// Looks the blobs up that a page of rows names, and verifies their headers.
async fn check_blobs(
    walk: &mut Walk,
    job: &JobCatalog,
    keys: &OrgKeys,
    named: Vec<(RowName, Mac, Slice)>,
) -> Result<(), OpsError> {
    for some in named.chunks(BLOBS_PER_PAGE) {
        let ids: Vec<BlobId> = some.iter().map(|(_, _, slice)| slice.blob).collect();
        let rows = job.blobs(&ids).await?;
        let rows: BTreeMap<BlobId, BlobRow> = rows.into_iter().map(|row| (row.blob, row)).collect();
        for (row, mac, slice) in some {
            if let Err(reason) = blob_fits(slice, rows.get(&slice.blob), keys) {
                let row = row.clone();
                walk.unfit.push((*mac, Finding::Unfit { row, reason }));
            }
        }
    }
    Ok(())
}

/// The tables whose rows stand under the platform's key.
const UNDER_THE_PLATFORM: [&str; 3] = [
    OrganizationRow::TABLE,
    OrgKeyRow::TABLE,
    CredentialRow::TABLE,
];

const ORGS_PER_PAGE: u32 = 256;
const ROWS_PER_PAGE: u32 = 512;
const BLOBS_PER_PAGE: usize = 256;
