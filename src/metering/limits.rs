use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use names::OrgId;

use super::credit_error::CreditError;
use super::usage::UsageError;
use crate::authz::{Limit, Limits, Refusal};
use crate::catalog::{OrgCatalog, RecordKind};

/// What a request is about to do, as far as limits ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It governs the organization, or tells of its usage: counted, and never refused for a limit
    /// or for lack of credit.
    Free,
    /// It reads.
    Read,
    /// It changes something.
    Write,
}

/// A limit of which four fifths or more are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nearing {
    /// Which.
    pub limit: Limit,
    /// How much is used.
    pub used: u64,
    /// How much there may be.
    pub max: u64,
}

/// How much of a limit is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitUse {
    /// Of what.
    pub limit: Limit,
    /// How much is used; of a rate, in the hour or month that it is now.
    pub used: u64,
    /// How much there may be.
    pub max: u64,
}

/// Why a request is not let in.
#[derive(Debug, thiserror::Error)]
pub enum NotAdmitted {
    /// By a limit of its plan, or for lack of credit.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It cannot be told.
    #[error(transparent)]
    Unknown(#[from] UsageError),
    /// How much credit there is cannot be told.
    #[error(transparent)]
    Credit(#[from] CreditError),
}

impl LimitUse {
    /// Whether four fifths or more are used.
    pub fn is_near(&self) -> bool {
        is_near(self.used, self.max)
    }
}

/// Four fifths of a limit, which is when it is warned of.
pub(super) fn is_near(used: u64, max: u64) -> bool {
    u128::from(used) * 5 >= u128::from(max) * 4
}

/// What limits on what there is have been warned of, and when that was looked at.
#[derive(Default)]
pub(super) struct Levels(Mutex<HashMap<OrgId, Level>>);

#[derive(Default)]
struct Level {
    looked: Option<Duration>,
    /// Something was changed since.
    is_changed: bool,
    warned: BTreeSet<Limit>,
}

impl Levels {
    /// Notes that there may be more, or less, than when it was looked at.
    pub(super) fn changed(&self, org: OrgId) {
        if let Some(level) = self.all().get_mut(&org) {
            level.is_changed = true;
        }
    }

    /// Whether it is time to look again: whoever is told so looks.
    pub(super) fn is_due(&self, org: OrgId, now: Duration) -> bool {
        let mut all = self.all();
        let level = all.entry(org).or_default();
        let age = level.looked.map(|looked| now.saturating_sub(looked));
        let is_due = age.is_none_or(|age| age >= LOOK_INTERVAL && level.is_changed);
        if is_due {
            level.looked = Some(now);
            level.is_changed = false;
        }
        is_due
    }

    /// Says of which limits is to be warned: once, until it is less again.
    pub(super) fn near(&self, org: OrgId, levels: &[LimitUse]) -> Vec<Nearing> {
        let mut all = self.all();
        let warned = &mut all.entry(org).or_default().warned;
        let mut near = Vec::new();
        for level in levels {
            if !level.is_near() {
                warned.remove(&level.limit);
            } else if warned.insert(level.limit) {
                near.push(Nearing {
                    limit: level.limit,
                    used: level.used,
                    max: level.max,
                });
            }
        }
        near
    }

    fn all(&self) -> MutexGuard<'_, HashMap<OrgId, Level>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How much there is of what `limits` limits.
pub(super) async fn levels(
    catalog: &OrgCatalog,
    limits: &Limits,
) -> Result<Vec<LimitUse>, UsageError> {
    let mut levels = Vec::new();
    for (limit, max) in limits.iter() {
        let positive = |amount: i64| u64::try_from(amount).unwrap_or(0);
        let used = match limit {
            Limit::Agents => catalog.count_records(RecordKind::Agent, None).await?,
            Limit::Members => catalog.count_records(RecordKind::Member, None).await?,
            Limit::Secrets => catalog.count_records(RecordKind::Secret, None).await?,
            Limit::StoredBytes => positive(catalog.stored().await?.bytes),
            Limit::Objects => positive(catalog.stored().await?.objects),
            _ => continue,
        };
        levels.push(LimitUse { limit, used, max });
    }
    Ok(levels)
}

/// How long what there is is not counted again, however much is changed.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
