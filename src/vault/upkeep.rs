//! Changes of a secret by whoever may write or delete it and need not be shown what it is.

use super::changes::{Outcome, Values};
use super::checks::check_described;
use super::error::VaultError;
use super::model::{Description, Settings, VersionInfo, VersionState, stages};
use super::record::Held;
use super::service::Vault;
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

    /// Deletes versions so that they can be brought back. Unknown numbers are passed over.
    pub async fn delete_versions(
        &self,
        permit: Permit<DeleteSecret>,
        numbers: &[u64],
    ) -> Result<Description, VaultError> {
        let now_ms = self.clock.now_ms();
        self.changing(&permit, |held| {
            for version in chosen(held, numbers) {
                if version.state_at(now_ms) == VersionState::Live {
                    version.state = VersionState::Deleted { at_ms: now_ms };
                }
            }
            Ok(Outcome::Kept(Values::default()))
        })
        .await
    }

    /// Brings deleted versions back.
    pub async fn undelete_versions(
        &self,
        permit: Permit<PutSecret>,
        numbers: &[u64],
    ) -> Result<Description, VaultError> {
        self.changing(&permit, |held| {
            for version in chosen(held, numbers) {
                if matches!(version.state, VersionState::Deleted { .. }) {
                    version.state = VersionState::Live;
                }
            }
            Ok(Outcome::Kept(Values::default()))
        })
        .await
    }

    /// Destroys the values of versions for good. What is known of the versions stays.
    pub async fn destroy_versions(
        &self,
        permit: Permit<DeleteSecret>,
        numbers: &[u64],
    ) -> Result<Description, VaultError> {
        self.changing(&permit, |held| {
            let mut values = Values::default();
            let versions = held.description.versions.iter_mut().zip(&held.values);
            for (version, value) in versions {
                if numbers.contains(&version.number) && version.state != VersionState::Destroyed {
                    version.state = VersionState::Destroyed;
                    values.dropped.push(*value);
                }
            }
            Ok(Outcome::Kept(values))
        })
        .await
    }
}

fn chosen<'a>(held: &'a mut Held, numbers: &'a [u64]) -> impl Iterator<Item = &'a mut VersionInfo> {
    let versions = held.description.versions.iter_mut();
    versions.filter(|version| numbers.contains(&version.number))
}
