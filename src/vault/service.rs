use std::sync::Arc;

use names::SecretPath;
use subtle::ConstantTimeEq;
use uuid::Uuid;

use super::cache::Listings;
use super::changes::{Outcome, Session, Values};
use super::checks::check_new;
use super::defaults::Defaults;
use super::error::VaultError;
use super::model::{
    Change, Deletion, Description, GoneVersion, NewSecret, NewValue, Revealed, Selector, StageMove,
    State, Value, VersionInfo, VersionState, Written, stages,
};
use super::policy::Policies;
use super::record::Held;
use super::update::apply;
use super::versions::Addition;
use crate::authz::{
    Action, DeleteSecret, DescribeSecret, Limit, ListSecrets, OfSecret, Permit, PutSecret,
    RevealSecret,
};
use crate::catalog::Catalog;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::keyring::Keyring;

/// The credential vault: secrets of organizations. Each call takes the permit for it, and works in
/// that permit's organization alone.
///
/// ```text
/// secret   path, tags, stages …          one record, found by its blind path
///   └─ version   value                   one record each, sealed for this secret and version
/// ```
///
/// Every change is one commit that compares the secret's sequence; who loses reads again.
pub struct Vault {
    catalog: Catalog,
    pub(super) keyring: Arc<Keyring>,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
    pub(super) listings: Listings,
    pub(super) policies: Policies,
}

/// A page of secrets.
#[derive(Debug)]
pub struct SecretPage {
    /// The secrets, by path.
    pub secrets: Vec<Arc<Description>>,
    /// Whether there are more.
    pub truncated: bool,
}

impl Vault {
    /// Secrets in `catalog`, sealed with the keys of `keyring`.
    pub fn new(catalog: Catalog, keyring: Arc<Keyring>, clock: Clock, entropy: Entropy) -> Self {
        Self {
            catalog,
            keyring,
            clock,
            entropy,
            listings: Listings::new(),
            policies: Policies::new(),
        }
    }

    /// Makes a secret; [`VaultError::Exists`] if there is one at the path, unless it was made by a
    /// write with the same token and value.
    pub async fn create(
        &self,
        permit: Permit<PutSecret>,
        new: NewSecret,
    ) -> Result<Written, VaultError> {
        self.create_by(permit, new, Defaults::default()).await
    }

    /// The same by what the organization has said.
    pub async fn create_by(
        &self,
        permit: Permit<PutSecret>,
        new: NewSecret,
        defaults: Defaults,
    ) -> Result<Written, VaultError> {
        check_new(&new, defaults)?;
        let name = new.value.as_ref().map(|value| self.version_name(value));
        for _ in 0..ATTEMPTS_MAX {
            let session = self.session(&permit).await?;
            if let Some(held) = session.find(&permit).await? {
                return self
                    .made_before(&session, held, &new, name.as_deref())
                    .await;
            }
            let mut held = self.fresh(permit.path(), &new);
            let mut values = Values::default();
            let mut version = None;
            if let (Some(value), Some(name)) = (&new.value, &name) {
                let id = self.entropy.uuid_v7(self.clock.now_ms());
                held.add(addition(value, name, id, defaults), self.clock.now_ms())?;
                values.added.push((id, &value.value));
                version = held.version(name).cloned();
            }
            let outcome = Outcome::Kept(values);
            let secrets_max = permit.limits().of(Limit::Secrets);
            match session.commit(None, &held, outcome, secrets_max).await {
                Err(VaultError::Changed) => {}
                Err(error) => return Err(error),
                Ok(sequence) => {
                    held.description.sequence = sequence;
                    return Ok(Written {
                        secret: held.description,
                        version,
                    });
                }
            }
        }
        Err(VaultError::Changed)
    }

    /// Writes a value; the write of a token that was done before changes nothing.
    pub async fn put(
        &self,
        permit: Permit<PutSecret>,
        value: NewValue,
    ) -> Result<Written, VaultError> {
        self.put_by(permit, value, Defaults::default()).await
    }

    /// The same by what the organization has said.
    pub async fn put_by(
        &self,
        permit: Permit<PutSecret>,
        value: NewValue,
        defaults: Defaults,
    ) -> Result<Written, VaultError> {
        self.update_by(permit, &Change::default(), value, defaults)
            .await
    }

    /// Shows the value of a version. Whoever calls has recorded it before.
    pub async fn reveal(
        &self,
        permit: Permit<RevealSecret>,
        which: &Selector,
    ) -> Result<Revealed, VaultError> {
        let session = self.session(&permit).await?;
        let held = active(session.find(&permit).await?)?;
        let (version, value) = self.select(&held, which)?;
        let value = session.value(&held, value).await?;
        Ok(Revealed {
            secret: held.description,
            version,
            value,
        })
    }

    /// A secret without its values, also one that is scheduled for deletion.
    pub async fn describe(
        &self,
        permit: Permit<DescribeSecret>,
    ) -> Result<Description, VaultError> {
        self.described(&permit).await
    }

    /// Up to `max` secrets below the permit's path that `matches`, after one, by path.
    pub async fn list(
        &self,
        permit: Permit<ListSecrets>,
        after: Option<&SecretPath>,
        max: usize,
        matches: impl Fn(&Description) -> bool,
    ) -> Result<SecretPage, VaultError> {
        let session = self.session(&permit).await?;
        let listing = self.listings.of(&session).await?;
        let prefix = permit.path_prefix().as_str();
        let mut found = listing
            .below(prefix, after)
            .filter(|secret| secret.is_shown_by(&permit) && matches(secret));
        let secrets: Vec<_> = found.by_ref().take(max).map(Arc::clone).collect();
        Ok(SecretPage {
            secrets,
            truncated: found.next().is_some(),
        })
    }

    /// Changes what is known of a secret besides its values.
    pub async fn change(
        &self,
        permit: Permit<PutSecret>,
        change: &Change,
    ) -> Result<Description, VaultError> {
        self.changing(&permit, |held| {
            apply(change, &mut held.description)?;
            Ok(Outcome::Kept(Values::default()))
        })
        .await
    }

    /// Moves a stage from one version to another.
    pub async fn move_stage(
        &self,
        permit: Permit<PutSecret>,
        wanted: &StageMove,
    ) -> Result<Description, VaultError> {
        self.changing(&permit, |held| {
            held.move_stage(wanted)?;
            Ok(Outcome::Kept(Values::default()))
        })
        .await
    }

    /// Deletes a secret, at once or after a time within which it can be restored. Returns what it
    /// was, with the time of its end.
    pub async fn delete(
        &self,
        permit: Permit<DeleteSecret>,
        deletion: Deletion,
    ) -> Result<Description, VaultError> {
        for _ in 0..ATTEMPTS_MAX {
            let session = self.session(&permit).await?;
            let held = session.find(&permit).await?;
            let mut held = held.ok_or(VaultError::NoSuchSecret)?;
            let before = held.description.sequence;
            let now_ms = self.clock.now_ms();
            let outcome = match (deletion, held.description.state) {
                (Deletion::Now, _) => {
                    held.description.state = State::Deleted { at_ms: now_ms };
                    Outcome::Gone
                }
                (Deletion::Scheduled(_), State::Deleted { .. }) => return Err(VaultError::Deleted),
                (Deletion::Scheduled(recovery), State::Active) => {
                    let at_ms = now_ms.saturating_add(recovery.ms());
                    held.description.state = State::Deleted { at_ms };
                    Outcome::Kept(Values::default())
                }
            };
            match session.commit(Some(before), &held, outcome, None).await {
                Err(VaultError::Changed) => {}
                Err(error) => return Err(error),
                Ok(_) => return Ok(held.description),
            }
        }
        Err(VaultError::Changed)
    }

    /// Takes a scheduled deletion back.
    pub async fn restore(&self, permit: Permit<PutSecret>) -> Result<Description, VaultError> {
        self.changing_any(&permit, |held| {
            if held.description.state == State::Active {
                return Ok(Outcome::Unchanged);
            }
            held.description.state = State::Active;
            Ok(Outcome::Kept(Values::default()))
        })
        .await
    }

    /// The time by which it works, milliseconds since the epoch.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    pub(super) async fn described<A>(&self, permit: &Permit<A>) -> Result<Description, VaultError>
    where
        A: Action<Resource = OfSecret>,
    {
        let session = self.session(permit).await?;
        let held = session.find(permit).await?;
        Ok(held.ok_or(VaultError::NoSuchSecret)?.description)
    }

    pub(super) async fn session<A: Action>(
        &self,
        permit: &Permit<A>,
    ) -> Result<Session, VaultError> {
        Session::open(&self.catalog, &self.keyring, permit).await
    }

    /// Changes a secret that is in use.
    pub(super) async fn changing<'a, A>(
        &self,
        permit: &Permit<A>,
        mut decide: impl FnMut(&mut Held) -> Result<Outcome<'a>, VaultError>,
    ) -> Result<Description, VaultError>
    where
        A: Action<Resource = OfSecret>,
    {
        self.changing_any(permit, |held| match held.description.state {
            State::Active => decide(held),
            State::Deleted { .. } => Err(VaultError::Deleted),
        })
        .await
    }

    async fn changing_any<'a, A>(
        &self,
        permit: &Permit<A>,
        mut decide: impl FnMut(&mut Held) -> Result<Outcome<'a>, VaultError>,
    ) -> Result<Description, VaultError>
    where
        A: Action<Resource = OfSecret>,
    {
        for _ in 0..ATTEMPTS_MAX {
            let session = self.session(permit).await?;
            let held = session.find(permit).await?;
            let mut held = held.ok_or(VaultError::NoSuchSecret)?;
            let before = held.description.sequence;
            let outcome = decide(&mut held)?;
            if !matches!(outcome, Outcome::Unchanged) {
                held.description.changed_ms = self.clock.now_ms();
            }
            match session.commit(Some(before), &held, outcome, None).await {
                Err(VaultError::Changed) => {}
                Err(error) => return Err(error),
                Ok(sequence) => {
                    held.description.sequence = sequence;
                    return Ok(held.description);
                }
            }
        }
        Err(VaultError::Changed)
    }

    /// The version that is meant, with the record of its value.
    pub(super) fn select(
        &self,
        held: &Held,
        which: &Selector,
    ) -> Result<(VersionInfo, [u8; 16]), VaultError> {
        let is_meant = |version: &VersionInfo| match which {
            Selector::Current => version.has_stage(stages::CURRENT),
            Selector::Number(number) => version.number == *number,
            Selector::Name(name) => version.name == *name,
            Selector::Stage(stage) => version.has_stage(stage),
            Selector::NameAndStage(name, stage) => {
                version.name == *name && version.has_stage(stage)
            }
        };
        let mut versions = held.description.versions.iter().zip(&held.values);
        let (version, value) = versions
            .find(|(version, _)| is_meant(version))
            .ok_or(VaultError::NoSuchVersion)?;
        let state = version.state_at(self.clock.now_ms());
        let version = VersionInfo {
            state,
            ..version.clone()
        };
        match state {
            VersionState::Live => Ok((version, *value)),
            VersionState::Deleted { .. } | VersionState::Destroyed => {
                let secret = held.description.clone();
                Err(VaultError::VersionGone(Box::new(GoneVersion {
                    secret,
                    version,
                })))
            }
        }
    }

    /// A creation that meets a secret: done before, if it was the same.
    async fn made_before(
        &self,
        session: &Session,
        held: Held,
        new: &NewSecret,
        name: Option<&str>,
    ) -> Result<Written, VaultError> {
        if let State::Deleted { .. } = held.description.state {
            return Err(VaultError::Deleted);
        }
        let (Some(value), Some(name)) = (&new.value, name) else {
            return Err(VaultError::Exists);
        };
        let version = held.version(name).cloned().ok_or(VaultError::Exists)?;
        match self.is_same(session, &held, &version, &value.value).await {
            Ok(()) => Ok(Written {
                secret: held.description,
                version: Some(version),
            }),
            Err(VaultError::TokenReused) => Err(VaultError::Exists),
            Err(error) => Err(error),
        }
    }

    /// Whether a version holds this value; compared in constant time.
    pub(super) async fn is_same(
        &self,
        session: &Session,
        held: &Held,
        version: &VersionInfo,
        value: &Value,
    ) -> Result<(), VaultError> {
        let mut versions = held.description.versions.iter().zip(&held.values);
        let stored = versions.find(|(held, _)| held.number == version.number);
        let (_, stored) = stored.ok_or(VaultError::NoSuchVersion)?;
        if version.state == VersionState::Destroyed {
            return Err(VaultError::TokenReused);
        }
        let stored = session.value(held, *stored).await?;
        let is_same = stored.is_text() == value.is_text()
            && bool::from(stored.expose().ct_eq(value.expose()));
        if is_same {
            Ok(())
        } else {
            Err(VaultError::TokenReused)
        }
    }

    fn fresh(&self, path: &SecretPath, new: &NewSecret) -> Held {
        let now_ms = self.clock.now_ms();
        Held {
            description: Description {
                path: path.clone(),
                id: self.entropy.uuid_v7(now_ms),
                suffix: self.suffix(),
                kind: new.kind,
                description: new.description.clone(),
                tags: new.tags.clone(),
                settings: new.settings.clone(),
                policy: None,
                state: State::Active,
                versions: Vec::new(),
                created_ms: now_ms,
                changed_ms: now_ms,
                sequence: 0,
            },
            values: Vec::new(),
            last_number: 0,
            told_ms: 0,
        }
    }

    pub(super) fn version_name(&self, value: &NewValue) -> String {
        value.token.clone().unwrap_or_else(|| {
            let drawn = Uuid::from_bytes(self.entropy.uuid_v7(self.clock.now_ms()));
            drawn.to_string()
        })
    }

    /// Of an alphabet of 64, without the two that are no letters or digits: even enough for a
    /// name that keeps nothing.
    fn suffix(&self) -> String {
        let bytes: [u8; 6] = self.entropy.bytes();
        bytes
            .iter()
            .map(|byte| char::from(SUFFIX_ALPHABET[usize::from(*byte) % SUFFIX_ALPHABET.len()]))
            .collect()
    }
}

/// A secret that can be used.
pub(super) fn active(held: Option<Held>) -> Result<Held, VaultError> {
    let held = held.ok_or(VaultError::NoSuchSecret)?;
    match held.description.state {
        State::Active => Ok(held),
        State::Deleted { .. } => Err(VaultError::Deleted),
    }
}

pub(super) fn addition(value: &NewValue, name: &str, id: [u8; 16], defaults: Defaults) -> Addition {
    let stages = match value.stages.is_empty() {
        true => vec![stages::CURRENT.to_owned()],
        false => value.stages.clone(),
    };
    Addition {
        name: name.to_owned(),
        value: id,
        stages,
        versions_max: defaults.versions_max.unwrap_or(value.versions_max),
        delete_after_ms: defaults.delete_versions_after_ms,
    }
}

const SUFFIX_ALPHABET: &[u8; 62] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// A change in between is a write of somebody else; each round one of them is done.
pub(super) const ATTEMPTS_MAX: u32 = 64;
