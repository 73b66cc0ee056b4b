//! Records with what they hold: every one is verified and opened before it is believed, and every
//! change is compared and set.

use std::sync::Arc;

use minicbor::{CborLen, Decode, Decoder, Encode};
use names::OrgId;
use zeroize::Zeroizing;

use super::error::TenancyError;
use super::service::Tenancy;
use crate::catalog::{
    CommitError, Conflict, Mutation, RecordGuard, RecordKind, RecordQuery, RecordRow, RecordWrite,
    Unverified,
};
use crate::keyring::{OrgKeys, RecordDraft};

/// What a kind of record holds sealed, as CBOR.
pub(super) trait Body: Encode<()> + CborLen<()> + for<'b> Decode<'b, ()> {
    const KIND: RecordKind;
}

/// A record that was verified and opened.
#[derive(Debug, Clone)]
pub(super) struct Held<B> {
    pub(super) row: RecordRow,
    pub(super) body: B,
}

impl<B: Body> Held<B> {
    /// The guard that it is still as it was read.
    pub(super) fn unchanged(&self) -> RecordGuard {
        RecordGuard::Unchanged {
            kind: B::KIND,
            id: self.row.id,
            sequence: self.row.sequence,
        }
    }

    /// Deletes it as it was read.
    pub(super) fn deletion(&self) -> RecordWrite {
        RecordWrite::Delete {
            kind: B::KIND,
            id: self.row.id,
            sequence: self.row.sequence,
        }
    }

    /// Replaces it as it was read by what it holds now.
    pub(super) fn replacement(&self, keys: &OrgKeys) -> Result<RecordWrite, TenancyError> {
        write(keys, RecordDraft::after(&self.row), &self.body).map(RecordWrite::Replace)
    }

    /// Refuses to go on where the caller saw another state of it.
    pub(super) fn expect(&self, etag: Option<u64>) -> Result<(), TenancyError> {
        match etag {
            Some(etag) if etag != self.row.sequence => Err(TenancyError::Changed),
            _ => Ok(()),
        }
    }
}

/// Makes a new record.
pub(super) fn insertion<B: Body>(
    keys: &OrgKeys,
    draft: RecordDraft,
    body: &B,
) -> Result<RecordWrite, TenancyError> {
    write(keys, draft, body).map(RecordWrite::Insert)
}

/// A new record without parent, lookup and end, in state 1: what differs is changed by whoever
/// drafts it.
pub(super) fn draft<B: Body>(id: [u8; 16], created_ms: u64) -> RecordDraft {
    RecordDraft {
        kind: B::KIND,
        id,
        parent: None,
        lookup: None,
        state: 1,
        created_ms,
        expires_ms: None,
        sequence: 1,
    }
}

/// Seals what a record holds.
pub(super) fn write<B: Body>(
    keys: &OrgKeys,
    draft: RecordDraft,
    body: &B,
) -> Result<crate::catalog::Authenticated<RecordRow>, TenancyError> {
    // At its full size from the start, so that no copy is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(minicbor::len(body)));
    minicbor::encode(body, &mut *bytes).map_err(|_| unreadable(B::KIND))?;
    Ok(keys.seal_row(draft, &bytes)?)
}

impl Tenancy {
    /// The keys of an organization.
    pub(super) async fn keys(&self, org: OrgId) -> Result<Arc<OrgKeys>, TenancyError> {
        Ok(self.keyring.open_as_platform(&self.catalog, org).await?)
    }

    /// A record by its id.
    pub(super) async fn record<B: Body>(
        &self,
        org: OrgId,
        id: &[u8; 16],
    ) -> Result<Option<Held<B>>, TenancyError> {
        let Some(claimed) = self.catalog.record(org, B::KIND, id).await? else {
            return Ok(None);
        };
        let held = self.opened::<B>(org, claimed).await?;
        if held.row.id == *id {
            Ok(Some(held))
        } else {
            Err(misplaced(B::KIND))
        }
    }

    /// A record by its blind name.
    pub(super) async fn record_by_lookup<B: Body>(
        &self,
        org: OrgId,
        lookup: &[u8; 32],
    ) -> Result<Option<Held<B>>, TenancyError> {
        let found = self.catalog.record_by_lookup(org, B::KIND, lookup).await?;
        let Some(claimed) = found else {
            return Ok(None);
        };
        let held = self.opened::<B>(org, claimed).await?;
        if held.row.lookup == Some(*lookup) {
            Ok(Some(held))
        } else {
            Err(misplaced(B::KIND))
        }
    }

    /// A page of records.
    pub(super) async fn records<B: Body>(
        &self,
        org: OrgId,
        query: RecordQuery,
    ) -> Result<Vec<Held<B>>, TenancyError> {
        let claimed = self.catalog.records(org, B::KIND, query).await?;
        let mut page = Vec::with_capacity(claimed.len());
        for claimed in claimed {
            let held = self.opened::<B>(org, claimed).await?;
            let is_asked_for = query.parent.is_none_or(|one| held.row.parent == Some(one))
                && query.state.is_none_or(|state| held.row.state == state)
                && query.after.is_none_or(|after| held.row.id > after);
            if !is_asked_for {
                return Err(misplaced(B::KIND));
            }
            page.push(held);
        }
        Ok(page)
    }

    /// All records of a kind, or all that belong to one thing.
    pub(super) async fn all_records<B: Body>(
        &self,
        org: OrgId,
        parent: Option<[u8; 16]>,
    ) -> Result<Vec<Held<B>>, TenancyError> {
        let mut all: Vec<Held<B>> = Vec::new();
        loop {
            let query = RecordQuery {
                parent,
                state: None,
                after: all.last().map(|held| held.row.id),
                max: PAGE,
            };
            let page = self.records::<B>(org, query).await?;
            let is_last = page.len() < PAGE as usize;
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// Verifies a record and opens it.
    pub(super) async fn opened<B: Body>(
        &self,
        org: OrgId,
        claimed: Unverified<RecordRow>,
    ) -> Result<Held<B>, TenancyError> {
        let mut keys = self.keys(org).await?;
        if !keys.holds(claimed.tag().key_version) {
            // Another process may have rotated them since they were opened.
            self.keyring.forget(org);
            keys = self.keys(org).await?;
        }
        let (row, bytes) = keys.open_row(claimed)?;
        if row.org != org || row.kind != B::KIND {
            return Err(misplaced(B::KIND));
        }
        let mut decoder = Decoder::new(&bytes);
        let body = decoder.decode().map_err(|_| unreadable(B::KIND))?;
        if decoder.position() == bytes.len() {
            Ok(Held { row, body })
        } else {
            Err(unreadable(B::KIND))
        }
    }

    /// Commits changes of records in an organization: all or none.
    pub(super) async fn commit_records(
        &self,
        org: OrgId,
        writes: Vec<RecordWrite>,
        guards: Vec<RecordGuard>,
    ) -> Result<(), Refused> {
        let mutation = Mutation::CommitRecords { writes, guards };
        match self.catalog.commit(org, mutation).await {
            Ok(_) => Ok(()),
            Err(CommitError::Conflict(conflict)) => Err(Refused::Conflict(conflict)),
            Err(CommitError::Store(error)) => Err(Refused::Store(error.into())),
        }
    }
}

/// Why a commit of records was refused.
pub(super) enum Refused {
    Conflict(Conflict),
    Store(TenancyError),
}

impl Refused {
    /// Whether it may go through when everything is read again.
    pub(super) fn is_worth_retrying(&self) -> bool {
        matches!(
            self,
            Self::Conflict(Conflict::Changed | Conflict::KeyClosed { .. })
        )
    }
}

/// What a conflict means where nothing better is known of it.
impl From<Refused> for TenancyError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Store(error) => error,
            Refused::Conflict(Conflict::LimitReached { kind, max }) => Self::LimitReached {
                what: plural(kind),
                max,
            },
            Refused::Conflict(Conflict::TooFew { .. }) => Self::LastOwner,
            Refused::Conflict(conflict) => conflict.into(),
        }
    }
}

fn plural(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Member => "members",
        RecordKind::Agent => "agents",
        RecordKind::Team => "teams",
        RecordKind::TeamSeat => "seats in teams",
        RecordKind::Grant => "grants",
        RecordKind::Invitation => "invitations",
        RecordKind::AgentRecord => "records of agents",
        _ => "records",
    }
}

fn misplaced(kind: RecordKind) -> TenancyError {
    TenancyError::Damaged(format!("a record of the kind {kind} is misplaced"))
}

fn unreadable(kind: RecordKind) -> TenancyError {
    TenancyError::Damaged(format!("a record of the kind {kind} does not decode"))
}

/// How many records are read at a time where all are needed.
const PAGE: u32 = 500;
/// How often a change is tried again when somebody else's came in between.
pub(super) const ATTEMPTS_MAX: u32 = 4;
