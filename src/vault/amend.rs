//! Changes of a secret that build on what it is or was, without showing it to whoever asks.

use uuid::Uuid;

use super::changes::{Outcome, Values};
use super::checks::check_current;
use super::error::VaultError;
use super::model::{Change, Check, Description, Selector, Settings, Written, stages};
use super::service::{ATTEMPTS_MAX, Vault, active};
use super::shape::check_shape;
use super::update::apply;
use super::versions::{Addition, VERSIONS_MAX};
use crate::authz::{Permit, PutSecret, UseSecret};

impl Vault {
    /// Changes what is known of a secret besides its values, and how it is kept by how it was.
    pub async fn amend(
        &self,
        permit: Permit<PutSecret>,
        change: &Change,
        settings: impl Fn(&mut Settings),
    ) -> Result<Description, VaultError> {
        self.changing(&permit, |held| {
            settings(&mut held.description.settings);
            apply(change, &mut held.description)?;
            Ok(Outcome::Kept(Values::default()))
        })
        .await
    }

    /// Makes the value of an old version that of a new one, which becomes current. The old one
    /// stays as it is. Whoever may write may do this without being shown either.
    pub async fn roll_back(
        &self,
        permit: Permit<PutSecret>,
        number: u64,
        check: Check,
        sequence: Option<u64>,
    ) -> Result<Written, VaultError> {
        let id = self.entropy.uuid_v7(self.clock.now_ms());
        let name = Uuid::from_bytes(id).to_string();
        for _ in 0..ATTEMPTS_MAX {
            let session = self.session(&permit).await?;
            let mut held = active(session.find(&permit).await?)?;
            let before = held.description.sequence;
            if sequence.is_some_and(|sequence| sequence != before) {
                return Err(VaultError::Changed);
            }
            check_current(&held.description, check, Default::default())?;
            let (_, old) = self.select(&held, &Selector::Number(number))?;
            let value = session.value(&held, old).await?;
            // It may have become a secret of another kind since.
            check_shape(held.description.kind, &value)?;
            let addition = Addition {
                name: name.clone(),
                value: id,
                stages: vec![stages::CURRENT.to_owned()],
                versions_max: VERSIONS_MAX,
                delete_after_ms: None,
            };
            let dropped = held.add(addition, self.clock.now_ms())?;
            let outcome = Outcome::Kept(Values {
                added: vec![(id, &value)],
                dropped,
            });
            match session.commit(Some(before), &held, outcome, None).await {
                Err(VaultError::Changed) => {}
                Err(error) => return Err(error),
                Ok(sequence) => {
                    held.description.sequence = sequence;
                    let version = held.version(&name).cloned();
                    return Ok(Written {
                        secret: held.description,
                        version,
                    });
                }
            }
        }
        Err(VaultError::Changed)
    }

    /// Whether there is a value that could be used, without a word about it.
    pub async fn can_use(&self, permit: Permit<UseSecret>) -> Result<(), VaultError> {
        let session = self.session(&permit).await?;
        let held = active(session.find(&permit).await?)?;
        self.select(&held, &Selector::Current).map(|_| ())
    }
}
