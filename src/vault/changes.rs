use std::sync::Arc;

use names::SecretPath;

use super::error::VaultError;
use super::model::Value;
use super::record::{Held, encode_value, unreadable};
use crate::authz::{Action, OfSecret, Permit};
use crate::catalog::{
    CommitError, Conflict, Mutation, OrgCatalog, RecordGuard, RecordKind, RecordRow, RecordWrite,
};
use crate::keyring::{Keyring, NameIndex, OrgKeys, RecordDraft};

/// A call under way, in the organization of its permit alone.
pub(super) struct Session {
    pub(super) catalog: OrgCatalog,
    pub(super) keys: Arc<OrgKeys>,
    names: Arc<NameIndex>,
}

/// What a change does to the values of a secret, beside its record.
#[derive(Default)]
pub(super) struct Values<'a> {
    /// Values to store, each under the id that the secret's record names.
    pub(super) added: Vec<([u8; 16], &'a Value)>,
    /// Values to delete.
    pub(super) dropped: Vec<[u8; 16]>,
}

/// What becomes of a secret.
pub(super) enum Outcome<'a> {
    /// It is made or changed.
    Kept(Values<'a>),
    /// It goes, with all its values.
    Gone,
    /// It stays as it is.
    Unchanged,
}

impl Session {
    pub(super) async fn open<A: Action>(
        catalog: &crate::catalog::Catalog,
        keyring: &Keyring,
        permit: &Permit<A>,
    ) -> Result<Self, VaultError> {
        Ok(Self {
            keys: keyring.open(permit).await?,
            names: keyring.names(permit).await?,
            catalog: catalog.open(permit),
        })
    }

    /// The secret that a permit is for, if its policy is still the one by which that was made.
    pub(super) async fn find<A>(&self, permit: &Permit<A>) -> Result<Option<Held>, VaultError>
    where
        A: Action<Resource = OfSecret>,
    {
        let held = self.at(permit.path()).await?;
        let policy = held.as_ref().and_then(|held| held.description.rules());
        match permit.is_by(policy.map(|rules| &**rules)) {
            true => Ok(held),
            false => Err(VaultError::Changed),
        }
    }

    /// The secret at a path. What another organization has there is not looked at.
    pub(super) async fn at(&self, path: &SecretPath) -> Result<Option<Held>, VaultError> {
        let lookup = self.lookup(path);
        let claimed = self
            .catalog
            .record_by_lookup(RecordKind::Secret, &lookup)
            .await?;
        let Some(claimed) = claimed else {
            return Ok(None);
        };
        let (row, bytes) = self.keys.open_row(claimed)?;
        let held = Held::decode(&row, &bytes)?;
        // The row is found by a blind name; what it holds sealed must be what was asked for.
        if row.lookup != Some(lookup) || held.description.path != *path {
            return Err(unreadable());
        }
        Ok(Some(held))
    }

    /// The value that a secret's record names.
    pub(super) async fn value(&self, held: &Held, value: [u8; 16]) -> Result<Value, VaultError> {
        let claimed = self
            .catalog
            .record(RecordKind::SecretVersion, &value)
            .await?;
        let claimed = claimed.ok_or(VaultError::NoSuchVersion)?;
        let (row, bytes) = self.keys.open_row(claimed)?;
        if row.id != value || row.parent != Some(held.description.id) {
            return Err(unreadable());
        }
        super::record::decode_value(&bytes)
    }

    /// Tries once to make what was read what it is now. Whoever lost a race or met a closed key is
    /// told [`VaultError::Changed`], reads again and decides again.
    pub(super) async fn commit(
        &self,
        before: Option<u64>,
        held: &Held,
        outcome: Outcome<'_>,
        secrets_max: Option<u64>,
    ) -> Result<u64, VaultError> {
        let (writes, sequence) = match outcome {
            Outcome::Unchanged => return Ok(before.unwrap_or_default()),
            Outcome::Gone if before.is_none() => return Err(VaultError::NoSuchSecret),
            Outcome::Gone => (deletions(held), 0),
            Outcome::Kept(values) => self.writes(before, held, values)?,
        };
        let guards = match (before, secrets_max) {
            (None, Some(max)) => vec![RecordGuard::AtMost {
                kind: RecordKind::Secret,
                state: None,
                max,
            }],
            _ => Vec::new(),
        };
        let mutation = Mutation::CommitRecords { writes, guards };
        match self.catalog.commit(mutation).await {
            Ok(_) => Ok(sequence),
            // Somebody made a secret at the same path, or removed this one.
            Err(CommitError::Conflict(Conflict::Exists | Conflict::Missing)) => {
                Err(VaultError::Changed)
            }
            Err(CommitError::Conflict(conflict)) => Err(conflict.into()),
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    fn writes(
        &self,
        before: Option<u64>,
        held: &Held,
        values: Values<'_>,
    ) -> Result<(Vec<RecordWrite>, u64), VaultError> {
        let description = &held.description;
        let (state, expires_ms) = held.row_state();
        let sequence = before.map_or(1, |before| before + 1);
        let draft = RecordDraft {
            kind: RecordKind::Secret,
            id: description.id,
            parent: None,
            lookup: Some(self.lookup(&description.path)),
            state,
            created_ms: description.created_ms,
            expires_ms,
            sequence,
        };
        let row = self.keys.seal_row(draft, &held.encode()?)?;
        let mut writes = vec![match before {
            Some(_) => RecordWrite::Replace(row),
            None => RecordWrite::Insert(row),
        }];
        for (id, value) in values.added {
            let draft = RecordDraft {
                kind: RecordKind::SecretVersion,
                id,
                parent: Some(description.id),
                lookup: None,
                state: VALUE,
                created_ms: description.changed_ms,
                expires_ms: None,
                sequence: 1,
            };
            let row = self.keys.seal_row(draft, &encode_value(value)?)?;
            writes.push(RecordWrite::Insert(row));
        }
        writes.extend(values.dropped.into_iter().map(deletion));
        Ok((writes, sequence))
    }

    /// The blind name of what is called so, among what `of` says.
    pub(super) fn named(&self, of: &str, name: &[u8]) -> [u8; 32] {
        self.names.lookup(of, name)
    }

    fn lookup(&self, path: &SecretPath) -> [u8; 32] {
        self.named(PATHS, path.as_str().as_bytes())
    }
}

/// What deletes a secret as it was read, with its values.
pub(super) fn deletions(held: &Held) -> Vec<RecordWrite> {
    let versions = held.description.versions.iter().zip(&held.values);
    let mut writes: Vec<_> = versions
        .filter(|(version, _)| version.state != super::VersionState::Destroyed)
        .map(|(_, value)| deletion(*value))
        .collect();
    writes.push(RecordWrite::Delete {
        kind: RecordKind::Secret,
        id: held.description.id,
        sequence: held.description.sequence,
    });
    writes
}

/// Values never change: each is made once, and goes once.
fn deletion(value: [u8; 16]) -> RecordWrite {
    RecordWrite::Delete {
        kind: RecordKind::SecretVersion,
        id: value,
        sequence: 1,
    }
}

/// Reads a record of the kind of secrets.
pub(super) fn opened(
    keys: &OrgKeys,
    claimed: crate::catalog::Unverified<RecordRow>,
) -> Result<Held, VaultError> {
    let (row, bytes) = keys.open_row(claimed)?;
    Held::decode(&row, &bytes)
}

/// What blind names of secrets are of.
const PATHS: &str = "secret-path";
/// The one state of a value.
const VALUE: u8 = 1;
