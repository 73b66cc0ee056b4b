//! Changes of a secret by whoever may write or delete it and need not be shown what it is.

use super::changes::{Outcome, Values};
use super::error::VaultError;
use super::model::{Description, Settings, VersionState, stages};
use super::service::{Vault, check_described};
use crate::authz::{DeleteSecret, Permit, PutSecret};

impl Vault {
    /// Changes how a secret is kept.
    pub async fn change_settings(
        &self,
        permit: Permit<PutSecret>,
        change: impl Fn(&mut Settings),
    ) -> Result<Description, VaultError> {
        self.changing(&permit, |held| {
            let description = &mut held.description;
            change(&mut description.settings);
            check_described(
                &description.description,
                &description.tags,
                &description.settings,
            )?;
            Ok(Outcome::Kept(Values::default()))
        })
        .await
    }

    /// Deletes the current version so that it can be brought back. Where there is none, or it is
    /// deleted already, nothing changes.
    pub async fn delete_current_version(
        &self,
        permit: Permit<DeleteSecret>,
    ) -> Result<Description, VaultError> {
        let now_ms = self.clock.now_ms();
        self.changing(&permit, |held| {
            let mut versions = held.description.versions.iter_mut();
            let current = versions.find(|version| version.has_stage(stages::CURRENT));
            match current {
                Some(current) if current.state_at(now_ms) == VersionState::Live => {
                    current.state = VersionState::Deleted { at_ms: now_ms };
                    Ok(Outcome::Kept(Values::default()))
                }
                _ => Ok(Outcome::Unchanged),
            }
        })
        .await
    }
}
