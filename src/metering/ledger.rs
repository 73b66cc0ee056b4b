use std::sync::Arc;

use minicbor::{CborLen, Decode, Decoder, Encode};

use super::account::{Account, COUNTED_MS, Counted};
use super::credit_error::CreditError;
use super::line::{Line, LineBody};
use crate::authz::{Action, Permit};
use crate::catalog::{
    Authenticated, Catalog, CommitError, Conflict, Mutation, OrgCatalog, RecordKind, RecordQuery,
    RecordRow, RecordWrite, Unverified, UsageDelta,
};
use crate::keyring::{Keyring, OrgKeys, RecordDraft};

/// The ledger of one organization, as a permit opened it.
pub(super) struct Ledger {
    catalog: OrgCatalog,
    keys: Arc<OrgKeys>,
}

/// An account as it was read; without a row it is about to be opened.
pub(super) struct Held {
    pub(super) row: Option<RecordRow>,
    pub(super) account: Account,
}

impl Ledger {
    /// Opens that of the permit's organization.
    pub(super) async fn open<A: Action>(
        catalog: &Catalog,
        keyring: &Keyring,
        permit: &Permit<A>,
    ) -> Result<Self, CreditError> {
        let mut keys = keyring.open(permit).await?;
        let catalog = catalog.open(permit);
        // Another process may have rotated them since they were opened.
        if let Some(claimed) = catalog.record(RecordKind::Ledger, &ACCOUNT).await?
            && !keys.holds(claimed.tag().key_version)
        {
            keyring.forget(permit.org());
            keys = keyring.open(permit).await?;
        }
        Ok(Self { catalog, keys })
    }

    /// The account, or one that is about to be opened, and what was counted since it counts.
    pub(super) async fn read(&self, now_ms: u64) -> Result<(Held, Vec<UsageDelta>), CreditError> {
        let until_ms = i64::MAX.unsigned_abs();
        if let Some(held) = self.account().await? {
            let since_ms = held.account.since_ms();
            let sums = self.catalog.usage(since_ms, until_ms).await?;
            return Ok((held, sums));
        }
        let hour_ms = now_ms - now_ms % HOUR_MS;
        let since_ms = hour_ms.saturating_sub(COUNTED_MS);
        let sums = self.catalog.usage(since_ms, until_ms).await?;
        let stored = self.catalog.stored().await?;
        let counted = Counted {
            sums: &sums,
            now_ms,
        };
        let account = Account::opened(counted, stored, since_ms);
        Ok((Held { row: None, account }, sums))
    }

    pub(super) async fn account(&self) -> Result<Option<Held>, CreditError> {
        let Some(claimed) = self.catalog.record(RecordKind::Ledger, &ACCOUNT).await? else {
            return Ok(None);
        };
        let (row, account) = self.opened(claimed)?;
        if row.id != ACCOUNT {
            return Err(CreditError::Damaged("an account is misplaced".to_owned()));
        }
        Ok(Some(Held {
            row: Some(row),
            account,
        }))
    }

    pub(super) async fn line(&self, number: u64) -> Result<Option<Line>, CreditError> {
        if number == 0 {
            return Ok(None);
        }
        let id = id_of(number);
        match self.catalog.record(RecordKind::Ledger, &id).await? {
            Some(claimed) => Ok(Some(self.line_of(claimed)?)),
            None => Ok(None),
        }
    }

    pub(super) async fn line_by_lookup(
        &self,
        lookup: &[u8; 32],
    ) -> Result<Option<Line>, CreditError> {
        let found = self.catalog.record_by_lookup(RecordKind::Ledger, lookup);
        match found.await? {
            Some(claimed) => Ok(Some(self.line_of(claimed)?)),
            None => Ok(None),
        }
    }

    /// Up to `max` lines after one, each of which follows from the one before.
    pub(super) async fn following(
        &self,
        before: Option<&Line>,
        max: u32,
    ) -> Result<Vec<Line>, CreditError> {
        let query = RecordQuery {
            after: Some(id_of(before.map_or(0, |line| line.number))),
            max,
            ..RecordQuery::default()
        };
        let claimed = self.catalog.records(RecordKind::Ledger, query).await?;
        let mut lines: Vec<Line> = Vec::with_capacity(claimed.len());
        for claimed in claimed {
            let line = self.line_of(claimed)?;
            if !line.follows(lines.last().or(before)) {
                return Err(gap(line.number));
            }
            lines.push(line);
        }
        Ok(lines)
    }

    fn line_of(&self, claimed: Unverified<RecordRow>) -> Result<Line, CreditError> {
        let (row, body) = self.opened::<LineBody>(claimed)?;
        let LineBody {
            entry,
            amount,
            balance,
            owed,
        } = body;
        Ok(Line {
            number: u64::try_from(u128::from_be_bytes(row.id)).map_err(|_| unreadable())?,
            at_ms: row.created_ms,
            entry,
            amount,
            balance,
            owed,
        })
    }

    fn opened<B: for<'b> Decode<'b, ()>>(
        &self,
        claimed: Unverified<RecordRow>,
    ) -> Result<(RecordRow, B), CreditError> {
        let (row, bytes) = self.keys.open_row(claimed)?;
        if row.kind != RecordKind::Ledger || row.org != self.catalog.org() {
            return Err(unreadable());
        }
        let mut decoder = Decoder::new(&bytes);
        let body = decoder.decode().map_err(|_| unreadable())?;
        Ok((row, body))
    }

    /// Tries once to add lines, and to make the account what they leave. `named` is a line that
    /// has a blind name. Whoever lost a race reads again.
    pub(super) async fn commit(
        &self,
        held: &Held,
        account: &Account,
        lines: &[Line],
        named: Option<(u64, [u8; 32])>,
    ) -> Result<bool, CreditError> {
        let mut writes = Vec::with_capacity(lines.len() + 1);
        for line in lines {
            let lookup =
                named.and_then(|(number, lookup)| (number == line.number).then_some(lookup));
            let draft = RecordDraft {
                kind: RecordKind::Ledger,
                id: id_of(line.number),
                parent: None,
                lookup,
                state: LINE,
                created_ms: line.at_ms,
                expires_ms: None,
                sequence: 1,
            };
            let body = LineBody {
                entry: line.entry.clone(),
                amount: line.amount,
                balance: line.balance,
                owed: line.owed,
            };
            writes.push(RecordWrite::Insert(self.sealed(draft, &body)?));
        }
        writes.push(match &held.row {
            Some(row) => RecordWrite::Replace(self.sealed(RecordDraft::after(row), account)?),
            None => {
                let draft = RecordDraft {
                    kind: RecordKind::Ledger,
                    id: ACCOUNT,
                    parent: None,
                    lookup: None,
                    state: HEAD,
                    created_ms: account.at_ms,
                    expires_ms: None,
                    sequence: 1,
                };
                RecordWrite::Insert(self.sealed(draft, account)?)
            }
        });
        let guards = Vec::new();
        let mutation = Mutation::CommitRecords { writes, guards };
        match self.catalog.commit(mutation).await {
            Ok(_) => Ok(true),
            Err(CommitError::Conflict(
                Conflict::Exists | Conflict::Changed | Conflict::KeyClosed { .. },
            )) => Ok(false),
            Err(CommitError::Conflict(conflict)) => {
                Err(CreditError::Unavailable(conflict.to_string()))
            }
            Err(CommitError::Store(error)) => Err(error.into()),
        }
    }

    fn sealed<B: Encode<()> + CborLen<()>>(
        &self,
        draft: RecordDraft,
        body: &B,
    ) -> Result<Authenticated<RecordRow>, CreditError> {
        let bytes = minicbor::to_vec(body).map_err(|_| unreadable())?;
        Ok(self.keys.seal_row(draft, &bytes)?)
    }
}

fn unreadable() -> CreditError {
    CreditError::Damaged("a record of a ledger is not what was written".to_owned())
}

pub(super) fn gap(number: u64) -> CreditError {
    CreditError::Damaged(format!("line {number} of a ledger does not follow"))
}

fn id_of(number: u64) -> [u8; 16] {
    u128::from(number).to_be_bytes()
}

/// The account's own place among the records of the ledger: before all lines.
const ACCOUNT: [u8; 16] = [0; 16];
const LINE: u8 = 1;
const HEAD: u8 = 2;
const HOUR_MS: u64 = 3_600_000;
