use super::changes::{Outcome, Session, Values};
use super::checks::{check_current, check_described, check_value};
use super::defaults::Defaults;
use super::error::VaultError;
use super::model::{Change, Description, NewValue, VersionInfo, Written};
use super::record::Held;
use super::service::{ATTEMPTS_MAX, Vault, active, addition};
use super::shape::check_shape;
use crate::authz::{Action, OfSecret, Permit, PutSecret};

impl Vault {
    /// Changes what is known of a secret and writes a value, both or neither. The write of a token
    /// that was done before adds no version.
    pub async fn update(
        &self,
        permit: Permit<PutSecret>,
        change: &Change,
        value: NewValue,
    ) -> Result<Written, VaultError> {
        self.update_by(permit, change, value, Defaults::default())
            .await
    }

    /// The same by what the organization has said.
    pub(super) async fn update_by(
        &self,
        permit: Permit<PutSecret>,
        change: &Change,
        value: NewValue,
        defaults: Defaults,
    ) -> Result<Written, VaultError> {
        check_value(&value)?;
        let name = self.version_name(&value);
        let id = self.entropy.uuid_v7(self.clock.now_ms());
        for _ in 0..ATTEMPTS_MAX {
            let session = self.session(&permit).await?;
            let mut held = active(session.find(&permit).await?)?;
            let before = held.description.sequence;
            let is_changed = apply(change, &mut held.description)?;
            check_shape(held.description.kind, &value.value)?;
            let was_written = self.was_written(&session, &held, &name, &value).await?;
            let outcome = match was_written {
                Some(_) if !is_changed => Outcome::Unchanged,
                Some(_) => {
                    held.description.changed_ms = self.clock.now_ms();
                    Outcome::Kept(Values::default())
                }
                None => {
                    check_current(&held.description, value.check, defaults)?;
                    let addition = addition(&value, &name, id, defaults);
                    let dropped = held.add(addition, self.clock.now_ms())?;
                    Outcome::Kept(Values {
                        added: vec![(id, &value.value)],
                        dropped,
                    })
                }
            };
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

    /// Whether there is a secret at the permit's path, and whether it is the one that bears the
    /// suffix, if one is named.
    pub async fn is_there<A>(
        &self,
        permit: &Permit<A>,
        suffix: Option<&str>,
    ) -> Result<bool, VaultError>
    where
        A: Action<Resource = OfSecret>,
    {
        let session = self.session(permit).await?;
        let held = session.find(permit).await?;
        Ok(held.is_some_and(|held| suffix.is_none_or(|suffix| suffix == held.description.suffix)))
    }

    /// The version that a write of this token made before, if it made one of this value.
    async fn was_written(
        &self,
        session: &Session,
        held: &Held,
        name: &str,
        value: &NewValue,
    ) -> Result<Option<VersionInfo>, VaultError> {
        let Some(version) = held.version(name).cloned() else {
            return Ok(None);
        };
        self.is_same(session, held, &version, &value.value).await?;
        Ok(Some(version))
    }
}

/// Changes a description, and says whether that makes it another.
pub(super) fn apply(change: &Change, description: &mut Description) -> Result<bool, VaultError> {
    let before = description.clone();
    if change
        .sequence
        .is_some_and(|sequence| sequence != description.sequence)
    {
        return Err(VaultError::Changed);
    }
    if let Some(kind) = change.kind {
        description.kind = kind;
    }
    if let Some(text) = &change.description {
        description.description = text.clone();
    }
    if let Some(settings) = &change.settings {
        description.settings = settings.clone();
    }
    let tags = change.tag.iter();
    description
        .tags
        .extend(tags.map(|(name, value)| (name.clone(), value.clone())));
    for name in &change.untag {
        description.tags.remove(name);
    }
    check_described(
        &description.description,
        &description.tags,
        &description.settings,
    )?;
    Ok(*description != before)
}
