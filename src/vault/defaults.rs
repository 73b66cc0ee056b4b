use minicbor::{CborLen, Decode, Encode};

use super::changes::Session;
use super::error::{Field, VaultError};
use super::record::{unreadable, whole};
use super::service::{ATTEMPTS_MAX, Vault};
use super::versions::VERSIONS_MAX;
use crate::authz::{ManageSettings, Permit, PutSecret, ReadSettings};
use crate::catalog::{CommitError, Conflict, Mutation, RecordKind, RecordWrite};
use crate::keyring::RecordDraft;

/// How an organization wants its secrets kept that do not say so themselves, by whoever writes by
/// it: the configuration of a mount, as HashiCorp Vault has it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode, CborLen)]
#[cbor(map)]
pub struct Defaults {
    /// How many versions are kept.
    #[n(0)]
    pub versions_max: Option<u32>,
    /// Whether writes have to check the version that they replace, whatever the secret says.
    #[n(1)]
    pub check_required: bool,
    /// How long after it was made a version is deleted at the latest, milliseconds.
    #[n(2)]
    pub delete_versions_after_ms: Option<u64>,
}

impl Vault {
    /// What the organization has said.
    pub async fn defaults(&self, permit: Permit<ReadSettings>) -> Result<Defaults, VaultError> {
        let session = self.session(&permit).await?;
        Ok(find(&session)
            .await?
            .map_or_else(Defaults::default, |held| held.defaults))
    }

    /// The same for a write that is about to be done by it.
    pub async fn defaults_for(&self, permit: &Permit<PutSecret>) -> Result<Defaults, VaultError> {
        let session = self.session(permit).await?;
        Ok(find(&session)
            .await?
            .map_or_else(Defaults::default, |held| held.defaults))
    }

    /// Says something else.
    pub async fn change_defaults(
        &self,
        permit: Permit<ManageSettings>,
        change: impl Fn(&mut Defaults),
    ) -> Result<Defaults, VaultError> {
        for _ in 0..ATTEMPTS_MAX {
            let session = self.session(&permit).await?;
            let held = find(&session).await?;
            let is_new = held.is_none();
            let mut held = held.unwrap_or_else(|| {
                let now_ms = self.clock.now_ms();
                let id = self.entropy.uuid_v7(now_ms);
                Held::new(draft(&session, id, now_ms, 0))
            });
            change(&mut held.defaults);
            if held
                .defaults
                .versions_max
                .is_some_and(|max| max > VERSIONS_MAX)
            {
                return Err(VaultError::invalid(
                    Field::VersionsMax,
                    "a secret keeps at most 100 versions",
                ));
            }
            held.draft.sequence += 1;
            let bytes = minicbor::to_vec(held.defaults).map_err(VaultError::damaged)?;
            let row = session.keys.seal_row(held.draft, &bytes)?;
            let write = match is_new {
                true => RecordWrite::Insert(row),
                false => RecordWrite::Replace(row),
            };
            let mutation = Mutation::CommitRecords {
                writes: vec![write],
                guards: Vec::new(),
            };
            match session.catalog.commit(mutation).await {
                Ok(_) => return Ok(held.defaults),
                Err(CommitError::Conflict(Conflict::Exists | Conflict::Missing)) => {}
                Err(CommitError::Conflict(conflict)) => match conflict.into() {
                    VaultError::Changed => {}
                    error => return Err(error),
                },
                Err(CommitError::Store(error)) => return Err(error.into()),
            }
        }
        Err(VaultError::Changed)
    }
}

/// What was said, and the record that it stands in.
struct Held {
    draft: RecordDraft,
    defaults: Defaults,
}

impl Held {
    fn new(draft: RecordDraft) -> Self {
        Self {
            draft,
            defaults: Defaults::default(),
        }
    }
}

async fn find(session: &Session) -> Result<Option<Held>, VaultError> {
    let lookup = session.named(NAME, &[]);
    let claimed = session
        .catalog
        .record_by_lookup(RecordKind::Setting, &lookup)
        .await?;
    let Some(claimed) = claimed else {
        return Ok(None);
    };
    let (row, bytes) = session.keys.open_row(claimed)?;
    if row.lookup != Some(lookup) || row.state != STATE {
        return Err(unreadable());
    }
    Ok(Some(Held {
        draft: draft(session, row.id, row.created_ms, row.sequence),
        defaults: whole(&bytes)?,
    }))
}

fn draft(session: &Session, id: [u8; 16], created_ms: u64, sequence: u64) -> RecordDraft {
    RecordDraft {
        kind: RecordKind::Setting,
        id,
        parent: None,
        lookup: Some(session.named(NAME, &[])),
        state: STATE,
        created_ms,
        expires_ms: None,
        sequence,
    }
}

/// What the blind name of the one record is of.
const NAME: &str = "vault-defaults";
/// Its one state.
const STATE: u8 = 1;
