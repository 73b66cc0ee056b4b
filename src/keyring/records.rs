use envelope::Place;
use zeroize::Zeroizing;

use super::org_keys::{OrgKeys, RowRefused};
use crate::catalog::{Authenticated, RecordKind, RecordRow, Row, RowTag, Sealing, Unverified};

/// A record about to be written, without what is sealed in it. Its organization is that of the
/// keys that seal it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecordDraft {
    /// What it is.
    pub kind: RecordKind,
    /// Which of its kind.
    pub id: [u8; 16],
    /// What it belongs to; for a version of a secret that secret.
    pub parent: Option<[u8; 16]>,
    /// A blind name, unique among the records of the organization and kind.
    pub lookup: Option<[u8; 32]>,
    /// Its state or role.
    pub state: u8,
    /// When it was made; it stays.
    pub created_ms: u64,
    /// From when on it holds no longer.
    pub expires_ms: Option<u64>,
    /// 1 for a new record, then one more with every change.
    pub sequence: u64,
}

impl RecordDraft {
    /// What comes after a record: the same, counted one further, for the caller to change.
    pub fn after(row: &RecordRow) -> Self {
        Self {
            kind: row.kind,
            id: row.id,
            parent: row.parent,
            lookup: row.lookup,
            state: row.state,
            created_ms: row.created_ms,
            expires_ms: row.expires_ms,
            sequence: row.sequence.saturating_add(1),
        }
    }
}

impl OrgKeys {
    /// Seals a record for its place and puts a MAC on it.
    pub fn seal_row(
        &self,
        draft: RecordDraft,
        bytes: &[u8],
    ) -> Result<Authenticated<RecordRow>, RowRefused> {
        let mut row = RecordRow {
            org: self.org(),
            kind: draft.kind,
            id: draft.id,
            parent: draft.parent,
            lookup: draft.lookup,
            state: draft.state,
            created_ms: draft.created_ms,
            expires_ms: draft.expires_ms,
            sealed: Vec::new(),
            sequence: draft.sequence,
        };
        if !row.kind.stands_in(row.org) {
            return Err(FOREIGN);
        }
        row.sealed = at_place(&row, |place| self.seal_at(place, bytes))?;
        self.authenticate(row)
    }

    /// Checks the MAC of a record, and only then opens what is sealed in it.
    pub fn open_row(
        &self,
        claimed: Unverified<RecordRow>,
    ) -> Result<(RecordRow, Zeroizing<Vec<u8>>), RowRefused> {
        let row = self.verify(claimed)?;
        let bytes = at_place(&row, |place| self.open_at(place, &row.sealed))?;
        Ok((row, bytes))
    }

    /// Puts a record that is what was written under the newest version of the key, and returns the
    /// tag that it carried. Its bytes and its sequence stay as they are.
    pub fn rewrap_row(
        &self,
        claimed: Unverified<RecordRow>,
    ) -> Result<(RowTag, Authenticated<RecordRow>), RowRefused> {
        let old = claimed.tag();
        let mut row = self.verify(claimed)?;
        row.sealed = at_place(&row, |place| self.rewrap_at(place, &row.sealed))?;
        Ok((old, self.authenticate(row)?))
    }

    /// Seals a record that is what was written anew under the newest version of the key, with a
    /// data key that no other ever wrapped, and returns the tag that it carried. What it says and
    /// its sequence stay as they are.
    pub fn reseal_row(
        &self,
        claimed: Unverified<RecordRow>,
    ) -> Result<(RowTag, Authenticated<RecordRow>), RowRefused> {
        let old = claimed.tag();
        let mut row = self.verify(claimed)?;
        row.sealed = at_place(&row, |place| self.reseal_at(place, &row.sealed))?;
        Ok((old, self.authenticate(row)?))
    }
}

/// Does something at the place that a record is sealed for (see [`RecordKind::sealing`]).
fn at_place<T>(
    row: &RecordRow,
    act: impl FnOnce(Place<'_>) -> Result<T, RowRefused>,
) -> Result<T, RowRefused> {
    match row.kind.sealing() {
        Sealing::Record => act(Place::Record {
            table: RecordRow::TABLE,
            primary_key: &[row.org.bytes(), &[row.kind as u8], &row.id],
            column: "body",
        }),
        Sealing::SecretVersion => act(Place::Secret {
            secret_id: &row.parent.ok_or(RowRefused::NoSecret)?,
            version_id: &row.id,
        }),
    }
}

const FOREIGN: RowRefused = RowRefused::Foreign {
    table: RecordRow::TABLE,
};
