use std::sync::Arc;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::error::OpsError;
use crate::authz::{KeepAnswer, Permit};
use crate::catalog::{
    Catalog, CommitError, Conflict, Mutation, OrgCatalog, RecordKind, RecordWrite,
};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::keyring::{Keyring, OrgKeys, RecordDraft};

/// What requests were answered that may be sent again: a client that lost an answer sends its
/// request with the same key, and gets the answer without the work being done twice.
///
/// An answer may hold a secret, so it is sealed under the organization's key, and lasts a day.
pub struct Replays {
    catalog: Catalog,
    keyring: Arc<Keyring>,
    clock: Clock,
    entropy: Entropy,
}

/// What is known of a request with a key.
pub enum Replay {
    /// Nothing: it is to be done, and its answer kept.
    Fresh(Pending),
    /// It was done.
    Answered(Answered),
    /// Somebody does it right now, or did and broke off.
    UnderWay,
    /// The key was used for another request.
    Another,
}

/// An answer that was kept.
pub struct Answered {
    /// Its status.
    pub status: u16,
    /// Its body.
    pub body: Zeroizing<Vec<u8>>,
}

/// A request under way whose answer is to be kept.
pub struct Pending {
    catalog: OrgCatalog,
    keys: Arc<OrgKeys>,
    draft: RecordDraft,
    digest: [u8; 32],
}

impl Replays {
    /// Keeps answers in `catalog`.
    pub fn new(catalog: Catalog, keyring: Arc<Keyring>, clock: Clock, entropy: Entropy) -> Self {
        Self {
            catalog,
            keyring,
            clock,
            entropy,
        }
    }

    /// Begins a request of the permit's principal with `key`; `request` is all that tells it from
    /// another: method, path and body.
    pub async fn begin(
        &self,
        permit: Permit<KeepAnswer>,
        key: &str,
        request: &[&[u8]],
    ) -> Result<Replay, OpsError> {
        let keys = self.keyring.open(&permit).await?;
        let names = self.keyring.names(&permit).await?;
        let catalog = self.catalog.open(&permit);
        let mut name = permit.principal().bytes().to_vec();
        name.extend_from_slice(key.as_bytes());
        let lookup = names.lookup(KEYS, &name);
        let digest = digest(request);
        let now_ms = self.clock.now_ms();
        for _ in 0..ATTEMPTS_MAX {
            let found = catalog
                .record_by_lookup(RecordKind::Idempotency, &lookup)
                .await?;
            let draft = match found {
                None => RecordDraft {
                    kind: RecordKind::Idempotency,
                    id: self.entropy.uuid_v7(now_ms),
                    parent: None,
                    lookup: Some(lookup),
                    state: UNDER_WAY,
                    created_ms: now_ms,
                    expires_ms: Some(now_ms.saturating_add(KEPT_MS)),
                    sequence: 1,
                },
                Some(claimed) => {
                    let (row, bytes) = keys.open_row(claimed)?;
                    let is_over = row.expires_ms.is_none_or(|end_ms| end_ms <= now_ms);
                    if !is_over {
                        return Ok(known(row.state, &digest, &bytes));
                    }
                    let gone = RecordWrite::Delete {
                        kind: RecordKind::Idempotency,
                        id: row.id,
                        sequence: row.sequence,
                    };
                    commit(&catalog, gone).await?;
                    continue;
                }
            };
            let row = keys.seal_row(draft, &digest)?;
            if commit(&catalog, RecordWrite::Insert(row)).await? {
                return Ok(Replay::Fresh(Pending {
                    catalog,
                    keys,
                    draft,
                    digest,
                }));
            }
        }
        Ok(Replay::UnderWay)
    }
}

impl Pending {
    /// Keeps the answer.
    pub async fn answered(self, status: u16, body: &[u8]) -> Result<(), OpsError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(34 + body.len()));
        bytes.extend_from_slice(&self.digest);
        bytes.extend_from_slice(&status.to_be_bytes());
        bytes.extend_from_slice(body);
        let draft = RecordDraft {
            state: ANSWERED,
            sequence: self.draft.sequence + 1,
            ..self.draft
        };
        let row = self.keys.seal_row(draft, &bytes)?;
        commit(&self.catalog, RecordWrite::Replace(row)).await?;
        Ok(())
    }

    /// Forgets the request: it was refused, and may be sent again.
    pub async fn refused(self) -> Result<(), OpsError> {
        let gone = RecordWrite::Delete {
            kind: RecordKind::Idempotency,
            id: self.draft.id,
            sequence: self.draft.sequence,
        };
        commit(&self.catalog, gone).await?;
        Ok(())
    }
}

fn known(state: u8, request: &[u8; 32], bytes: &[u8]) -> Replay {
    let Some((digest, rest)) = bytes.split_first_chunk::<32>() else {
        return Replay::UnderWay;
    };
    if !bool::from(digest.ct_eq(request)) {
        return Replay::Another;
    }
    match rest.split_first_chunk::<2>() {
        Some((status, body)) if state == ANSWERED => Replay::Answered(Answered {
            status: u16::from_be_bytes(*status),
            body: Zeroizing::new(body.to_vec()),
        }),
        _ => Replay::UnderWay,
    }
}

/// Whether it was done; not, if somebody was as quick.
async fn commit(catalog: &OrgCatalog, write: RecordWrite) -> Result<bool, OpsError> {
    let mutation = Mutation::CommitRecords {
        writes: vec![write],
        guards: Vec::new(),
    };
    match catalog.commit(mutation).await {
        Ok(_) => Ok(true),
        Err(CommitError::Conflict(Conflict::Exists | Conflict::Changed | Conflict::Missing)) => {
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// What tells a request from another.
pub(super) fn digest(request: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for piece in request {
        hash.update((piece.len() as u64).to_be_bytes());
        hash.update(piece);
    }
    hash.finalize().into()
}

/// What blind names of keys are of.
const KEYS: &str = "idempotency-key";
const UNDER_WAY: u8 = 1;
const ANSWERED: u8 = 2;
/// How long an answer is kept, milliseconds: a day.
const KEPT_MS: u64 = 24 * 3_600_000;
const ATTEMPTS_MAX: u32 = 4;
