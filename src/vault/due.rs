//! What time brings to secrets: the end of a recovery window, an expiry, a reminder.

use names::SecretPath;

use super::changes::deletions;
use super::error::VaultError;
use super::model::{Settings, State};
use super::record::Held;
use super::service::Vault;
use crate::catalog::{
    CommitError, Conflict, JobCatalog, Mutation, RecordRow, RecordWrite, Unverified,
};
use crate::keyring::RecordDraft;

/// What became of a secret whose time had come.
pub enum Ended {
    /// Its recovery window was over: it is gone, with its values.
    Gone,
    /// There is something to tell of it, and then to [note](Vault::told) that it was told.
    Due(Box<DueSecret>),
    /// It was restored, deleted or changed meanwhile: nothing.
    Nothing,
}

/// A secret of which something is to be told.
pub struct DueSecret {
    row: RecordRow,
    held: Held,
    what: Vec<Due>,
    now_ms: u64,
}

/// What there is to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// It has stopped to be of use.
    Expired,
    /// Somebody should think of it.
    Reminder,
}

impl DueSecret {
    /// The secret.
    pub fn path(&self) -> &SecretPath {
        &self.held.description.path
    }

    /// What there is to tell.
    pub fn what(&self) -> &[Due] {
        &self.what
    }
}

impl Due {
    /// What may come to a secret, with its times.
    pub(super) fn of(settings: &Settings) -> impl Iterator<Item = (Self, u64)> {
        let times = [
            (Self::Expired, settings.expires_ms),
            (Self::Reminder, settings.remind_ms),
        ];
        times
            .into_iter()
            .filter_map(|(due, at_ms)| Some((due, at_ms?)))
    }
}

impl Vault {
    /// Looks at a secret whose time has come by its row. One whose recovery window has ended is
    /// deleted with its values.
    pub async fn end(
        &self,
        job: &JobCatalog,
        claimed: Unverified<RecordRow>,
    ) -> Result<Ended, VaultError> {
        let keys = self.keyring.open_for_job(job).await?;
        let (row, bytes) = keys.open_row(claimed)?;
        let held = Held::decode(&row, &bytes)?;
        let now_ms = self.clock.now_ms();
        match held.description.state {
            State::Deleted { at_ms } if at_ms <= now_ms => {}
            State::Deleted { .. } => return Ok(Ended::Nothing),
            State::Active => {
                let is_due = |at_ms: u64| held.told_ms < at_ms && at_ms <= now_ms;
                let what: Vec<_> = Due::of(&held.description.settings)
                    .filter(|(_, at_ms)| is_due(*at_ms))
                    .map(|(due, _)| due)
                    .collect();
                return Ok(Ended::Due(Box::new(DueSecret {
                    row,
                    held,
                    what,
                    now_ms,
                })));
            }
        }
        match commit(job, deletions(&held)).await? {
            true => Ok(Ended::Gone),
            false => Ok(Ended::Nothing),
        }
    }

    /// Notes that what was due has been told. Says whether it did: what was changed meanwhile is
    /// told again.
    pub async fn told(&self, job: &JobCatalog, due: DueSecret) -> Result<bool, VaultError> {
        let DueSecret {
            row,
            mut held,
            now_ms,
            ..
        } = due;
        held.told_ms = now_ms;
        let (state, expires_ms) = held.row_state();
        let draft = RecordDraft {
            state,
            expires_ms,
            ..RecordDraft::after(&row)
        };
        let keys = self.keyring.open_for_job(job).await?;
        let row = keys.seal_row(draft, &held.encode()?)?;
        commit(job, vec![RecordWrite::Replace(row)]).await
    }
}

async fn commit(job: &JobCatalog, writes: Vec<RecordWrite>) -> Result<bool, VaultError> {
    let guards = Vec::new();
    match job.commit(Mutation::CommitRecords { writes, guards }).await {
        Ok(_) => Ok(true),
        Err(CommitError::Conflict(Conflict::Changed | Conflict::Missing)) => Ok(false),
        Err(CommitError::Conflict(conflict)) => Err(conflict.into()),
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}
