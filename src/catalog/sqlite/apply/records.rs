use std::collections::{BTreeMap, BTreeSet};

use names::OrgId;
use rusqlite::params;

use super::super::batch::Batch;
use super::super::columns::tag;
use super::super::error::Applied;
use super::super::query::{int, unsigned};
use super::organizations;
use crate::catalog::{
    Authenticated, Conflict, Effect, RecordGuard, RecordKind, RecordRow, RecordWrite, RowTag,
    Sealing,
};

/// Judges every write and guard before the first is written: what guards are about is what stands
/// together with what is about to change.
pub(super) fn commit(
    batch: &mut Batch<'_>,
    org: OrgId,
    writes: &[RecordWrite],
    guards: &[RecordGuard],
) -> Applied<Effect> {
    organizations::stands(batch, org)?;
    let mut changes = Changes::default();
    for write in writes {
        changes.add(batch, org, write)?;
    }
    changes.judge_lookups(batch, org)?;
    for guard in guards {
        changes.judge(batch, org, guard)?;
    }
    changes.apply(batch, org)?;
    Ok(Effect::Done)
}

/// Judges the first records of an organization that is about to be made with one version of its
/// key.
pub(super) fn judge_first(
    batch: &Batch<'_>,
    org: OrgId,
    key_version: u32,
    records: &[Authenticated<RecordRow>],
) -> Applied<()> {
    let (mut ids, mut lookups) = (BTreeSet::new(), BTreeSet::new());
    for record in records {
        let row = record.row();
        belongs(batch, org, row)?;
        batch.sealed_under(key_version, record.tag(), &row.sealed)?;
        let is_new = ids.insert((row.kind, row.id));
        let is_free = row
            .lookup
            .is_none_or(|lookup| lookups.insert((row.kind, lookup)));
        if !is_new || !is_free {
            return Err(Conflict::Exists.into());
        }
    }
    Ok(())
}

/// Writes a record that has been judged.
pub(super) fn insert(
    batch: &mut Batch<'_>,
    old: Option<RowTag>,
    new: &Authenticated<RecordRow>,
) -> rusqlite::Result<()> {
    let (row, tag) = (new.row(), new.tag());
    batch.record_changed(row.org, row.kind, old, Some(tag));
    batch.execute(
        "INSERT INTO records (org_id, kind, id, parent, lookup, state, created_ms, expires_ms,
                              sealed, sequence, key_version, mac)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            row.org.bytes(),
            row.kind as u8,
            row.id,
            row.parent,
            row.lookup,
            row.state,
            int(row.created_ms)?,
            row.expires_ms.map(int).transpose()?,
            row.sealed,
            int(row.sequence)?,
            tag.key_version,
            tag.mac,
        ],
    )?;
    Ok(())
}

/// Deletes up to `max` of an organization's records of one kind, and returns how many.
pub(super) fn delete_some(
    batch: &mut Batch<'_>,
    org: OrgId,
    kind: RecordKind,
    max: usize,
) -> rusqlite::Result<usize> {
    let max = i64::try_from(max).unwrap_or(i64::MAX);
    let records: Vec<([u8; 16], RowTag)> = batch.all(
        "SELECT id, key_version, mac FROM records WHERE org_id = ?1 AND kind = ?2
         ORDER BY id LIMIT ?3",
        params![org.bytes(), kind as u8, max],
        |row| Ok((row.get(0)?, tag(row, 1)?)),
    )?;
    for (id, tag) in &records {
        batch.record_changed(org, kind, Some(*tag), None);
        delete(batch, org, kind, id)?;
    }
    Ok(records.len())
}

fn delete(
    batch: &Batch<'_>,
    org: OrgId,
    kind: RecordKind,
    id: &[u8; 16],
) -> rusqlite::Result<usize> {
    batch.execute(
        "DELETE FROM records WHERE org_id = ?1 AND kind = ?2 AND id = ?3",
        params![org.bytes(), kind as u8, id],
    )
}

/// What a mutation makes of records, each by kind and id.
#[derive(Default)]
struct Changes<'w>(BTreeMap<(RecordKind, [u8; 16]), Change<'w>>);

struct Change<'w> {
    old: Option<Standing>,
    new: Option<&'w Authenticated<RecordRow>>,
}

/// What a change needs to know of the record that stands.
struct Standing {
    state: u8,
    created_ms: u64,
    sequence: u64,
    tag: RowTag,
}

impl<'w> Changes<'w> {
    fn add(&mut self, batch: &mut Batch<'_>, org: OrgId, write: &'w RecordWrite) -> Applied<()> {
        let (kind, id) = match write {
            RecordWrite::Insert(new) | RecordWrite::Replace(new) => (new.row().kind, new.row().id),
            RecordWrite::Delete { kind, id, .. } => (*kind, *id),
        };
        if let RecordWrite::Insert(new) | RecordWrite::Replace(new) = write {
            belongs(batch, org, new.row())?;
            batch.sealed_key_open(org, new.tag(), &new.row().sealed)?;
        }
        let old = find(batch, org, kind, &id)?;
        let new = match (write, &old) {
            (RecordWrite::Insert(_), Some(_)) => return Err(Conflict::Exists.into()),
            (RecordWrite::Insert(new), None) => Some(new),
            (RecordWrite::Replace(new), Some(old)) => {
                organizations::follows(old.sequence, new.row().sequence)?;
                if old.created_ms != new.row().created_ms {
                    return Err(Conflict::Changed.into());
                }
                Some(new)
            }
            (RecordWrite::Delete { sequence, .. }, Some(old)) => {
                if old.sequence != *sequence {
                    return Err(Conflict::Changed.into());
                }
                None
            }
            (RecordWrite::Replace(_) | RecordWrite::Delete { .. }, None) => {
                return Err(Conflict::Missing.into());
            }
        };
        match self.0.insert((kind, id), Change { old, new }) {
            None => Ok(()),
            // One of the two cannot be the next after what was read.
            Some(_) => Err(Conflict::Changed.into()),
        }
    }

    /// No lookup is another record's once all changes are made.
    fn judge_lookups(&self, batch: &Batch<'_>, org: OrgId) -> Applied<()> {
        let mut taken = BTreeSet::new();
        for row in self.new_rows() {
            let Some(lookup) = row.lookup else { continue };
            if !taken.insert((row.kind, lookup)) {
                return Err(Conflict::Exists.into());
            }
            let holder: Option<[u8; 16]> = batch.one(
                "SELECT id FROM records WHERE org_id = ?1 AND kind = ?2 AND lookup = ?3",
                params![org.bytes(), row.kind as u8, lookup],
                |row| row.get(0),
            )?;
            // A holder that changes too gives its lookup up, or was met above.
            if holder.is_some_and(|id| !self.0.contains_key(&(row.kind, id))) {
                return Err(Conflict::Exists.into());
            }
        }
        Ok(())
    }

    fn judge(&self, batch: &Batch<'_>, org: OrgId, guard: &RecordGuard) -> Applied<()> {
        match *guard {
            RecordGuard::AtMost { kind, state, max } => {
                let enough = max.saturating_add(1);
                if self.count(batch, org, (kind, state), enough)? > max {
                    return Err(Conflict::LimitReached { kind, max }.into());
                }
            }
            RecordGuard::AtLeast { kind, state, min } => {
                if self.count(batch, org, (kind, state), min)? < min {
                    return Err(Conflict::TooFew { kind }.into());
                }
            }
            RecordGuard::Unchanged { kind, id, sequence } => {
                if self.sequence(batch, org, kind, &id)? != Some(sequence) {
                    return Err(Conflict::Changed.into());
                }
            }
            RecordGuard::Exists { kind, id } => {
                if self.sequence(batch, org, kind, &id)?.is_none() {
                    return Err(Conflict::Missing.into());
                }
            }
        }
        Ok(())
    }

    /// How many records of a kind there are once all changes are made. Counts no further than it
    /// takes to tell whether there are `enough`, so that a guard costs as much as its number says.
    fn count(
        &self,
        batch: &Batch<'_>,
        org: OrgId,
        (kind, state): (RecordKind, Option<u8>),
        enough: u64,
    ) -> rusqlite::Result<u64> {
        let is_counted = |of| state.is_none_or(|state| state == of);
        let changes = self.0.iter().filter(|((of, _), _)| *of == kind);
        let (mut gone, mut come) = (0, 0);
        for (_, change) in changes {
            gone += u64::from(change.old.as_ref().is_some_and(|old| is_counted(old.state)));
            come += u64::from(change.new.is_some_and(|new| is_counted(new.row().state)));
        }
        let limit = i64::try_from(enough.saturating_add(gone)).unwrap_or(i64::MAX);
        let standing = match state {
            None => batch.one(
                "SELECT COUNT(*) FROM (SELECT 1 FROM records WHERE org_id = ?1 AND kind = ?2
                                       LIMIT ?3) AS counted",
                params![org.bytes(), kind as u8, limit],
                |row| unsigned(row, 0),
            ),
            Some(state) => batch.one(
                "SELECT COUNT(*) FROM (SELECT 1 FROM records WHERE org_id = ?1 AND kind = ?2
                                       AND state = ?4 LIMIT ?3) AS counted",
                params![org.bytes(), kind as u8, limit, state],
                |row| unsigned(row, 0),
            ),
        };
        Ok((standing?.unwrap_or(0) + come).saturating_sub(gone))
    }

    /// The sequence of a record once all changes are made.
    fn sequence(
        &self,
        batch: &Batch<'_>,
        org: OrgId,
        kind: RecordKind,
        id: &[u8; 16],
    ) -> rusqlite::Result<Option<u64>> {
        match self.0.get(&(kind, *id)) {
            Some(change) => Ok(change.new.map(|new| new.row().sequence)),
            None => Ok(find(batch, org, kind, id)?.map(|standing| standing.sequence)),
        }
    }

    /// What goes or is replaced goes first, so that no lookup is taken twice in between.
    fn apply(self, batch: &mut Batch<'_>, org: OrgId) -> rusqlite::Result<()> {
        for ((kind, id), change) in &self.0 {
            if change.old.is_some() {
                delete(batch, org, *kind, id)?;
            }
        }
        for ((kind, _), Change { old, new }) in self.0 {
            let old = old.map(|standing| standing.tag);
            match new {
                Some(new) => insert(batch, old, new)?,
                None => batch.record_changed(org, kind, old, None),
            }
        }
        Ok(())
    }

    fn new_rows(&self) -> impl Iterator<Item = &'w RecordRow> {
        self.0
            .values()
            .filter_map(|change| change.new.map(Authenticated::row))
    }
}

/// The row is of this organization, which keeps its kind; a version of a secret names the secret
/// that it is sealed for.
fn belongs(batch: &Batch<'_>, org: OrgId, row: &RecordRow) -> Applied<()> {
    batch.same_org(org, row.org)?;
    let names_secret = row.kind.sealing() == Sealing::Record || row.parent.is_some();
    if row.kind.stands_in(org) && names_secret {
        Ok(())
    } else {
        Err(Conflict::Missing.into())
    }
}

fn find(
    batch: &Batch<'_>,
    org: OrgId,
    kind: RecordKind,
    id: &[u8; 16],
) -> rusqlite::Result<Option<Standing>> {
    batch.one(
        "SELECT state, created_ms, sequence, key_version, mac FROM records
         WHERE org_id = ?1 AND kind = ?2 AND id = ?3",
        params![org.bytes(), kind as u8, id],
        |row| {
            Ok(Standing {
                state: row.get(0)?,
                created_ms: unsigned(row, 1)?,
                sequence: unsigned(row, 2)?,
                tag: tag(row, 3)?,
            })
        },
    )
}
