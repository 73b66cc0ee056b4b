use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use names::OrgId;
use serde::Serialize;
use tokio::task::spawn_blocking;

use super::anchors::Anchors;
use super::explanation::{Explanation, Fate, Mac, Stray};
use super::finding::{Finding, RowName};
use super::rows::{Authorities, Inspected, Verdict};
use super::tally::{Tallied, Tally};
use crate::authz::Operator;
use crate::catalog::{Jobs, OrgState, PlatformCatalog, Recount};
use crate::config;
use crate::keyring::{Keyring, KeyringError, RowSets};
use crate::ops::OpsError;
use crate::ops::checkpoint::CheckpointError;

/// Looks for what a MAC alone does not show: an old row put back, a row taken away, a log cut.
///
/// ```text
///                      ┌ what pruned changes had left ┐
/// a census, in one     │ every change since           ├─ sums of the rows that were written ─┐
/// snapshot of the ─────┤   (its chain and sums held   ┘                                      ├─ equal?
/// catalog              │    against checkpoints)                                             │
///                      └ the MAC of every row ────────── sums of the rows that are there ────┘
/// a walk ── every row ── MAC verified, with what it holds and names
/// ```
///
/// The catalog may be in use meanwhile: the census is one snapshot, and so is each page of the walk.
/// Memory grows with the number of organizations alone.
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
    /// How many before them were pruned, and are known by what they left.
    pub pruned: u64,
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
    rows: u64,
    findings: Vec<Finding>,
    /// Rows that ought not to be there, until they are met.
    strays: HashMap<Mac, Stray>,
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
        let pruned_seq = self.platform.log_base().await?.seq;
        let path = self.checkpoint_file.clone();
        let read = spawn_blocking(move || Anchors::read(&path, &platform, pruned_seq)).await;
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
        let sets = self.keyring.row_sets().await?;
        let tally = Tally::new(sets.clone(), &anchors);
        let tally = self.platform.census(tally, Tally::take).await?;
        let mut tallied = tally.finish();
        findings.append(&mut tallied.findings);
        let strays = match tallied.unlike.is_empty() {
            true => HashMap::new(),
            false => self.explain(sets, &tallied, &mut findings).await?,
        };
        let mut walk = Walk {
            rows: 0,
            findings,
            strays,
        };
        let organizations = self.walk(&mut walk).await?;
        walk.leave();
        Ok(Verification {
            changes: tallied.changes,
            pruned: tallied.pruned,
            checkpoints: anchors.checkpoints,
            organizations,
            rows: walk.rows,
            findings: walk.findings,
        })
    }

    /// Says of the organizations whose rows are others what became of which, and returns the rows
    /// that ought not to be there.
    async fn explain(
        &self,
        sets: RowSets,
        tallied: &Tallied,
        findings: &mut Vec<Finding>,
    ) -> Result<HashMap<Mac, Stray>, OpsError> {
        let explanation = Explanation::new(sets, tallied);
        let census = self.platform.census(explanation, Explanation::take);
        let explained = census.await?.finish();
        findings.extend(explained.findings);
        Ok(explained.strays)
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
            for row in rows {
                walk.take(Inspected::of(org, row, &authorities), keys);
            }
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(()),
            }
        }
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
    /// Takes a row in.
    fn take(&mut self, row: Inspected, keys: Keys) {
        let Inspected { name, mac, verdict } = row;
        // What stood under keys that are destroyed is being deleted.
        let is_going = keys == Keys::Destroyed && matches!(verdict, Verdict::Unknown);
        self.rows += u64::from(!is_going);
        let stray = self.strays.remove(&mac);
        match verdict {
            Verdict::Altered(reason) => {
                let reason = reason.to_string();
                self.findings.push(Finding::Altered { row: name, reason });
                return;
            }
            Verdict::Unfit(reasons) => {
                let unfit = |reason| Finding::Unfit {
                    row: name.clone(),
                    reason,
                };
                self.findings.extend(reasons.into_iter().map(unfit));
            }
            Verdict::Genuine | Verdict::Unknown => {}
        }
        if let Some(stray) = stray {
            self.stray(name, stray.fate);
        }
    }

    /// Names the strays that no page of the walk has met.
    fn leave(&mut self) {
        for (mac, stray) in std::mem::take(&mut self.strays) {
            let row = RowName {
                table: stray.table,
                organization: stray.org.to_string(),
                key: format!("with the MAC {}", hex::encode(mac)),
            };
            self.stray(row, stray.fate);
        }
    }

    fn stray(&mut self, row: RowName, fate: Fate) {
        self.findings.push(match fate {
            Fate::Replaced { change } => Finding::RolledBack { row, change },
            Fate::Deleted { change } => Finding::Restored { row, change },
            Fate::Unknown => Finding::Unlogged { row },
        });
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

const ORGS_PER_PAGE: u32 = 256;
const ROWS_PER_PAGE: u32 = 512;
