use std::collections::{BTreeMap, HashMap};

use names::{BucketId, OrgId};
use rusqlite::{Connection, Params, Result, Row as SqlRow, params};

use super::census;
use super::changes;
use super::columns::{key_state, subject_columns};
use super::error::Applied;
use super::query::{all, execute, exists, int, one};
use super::read;
use crate::catalog::change::NAME_KEYS;
use crate::catalog::{
    ChangedRow, Class, Conflict, KeyState, LogBase, Meter, RecordKind, Row, RowTag, Stored,
    StoredLimits, UsageDelta, UsageSubject,
};

/// A transaction that mutations are being applied in, and what it will append when it ends.
pub(super) struct Batch<'t> {
    conn: &'t Connection,
    now_ms: u64,
    unnamed: &'t [UnnamedKey],
    changes: BTreeMap<OrgId, Vec<ChangedRow>>,
    usage: BTreeMap<(OrgId, u64, UsageSubject, Meter), i64>,
    /// What organizations store, before this transaction and with its changes.
    stored: BTreeMap<OrgId, [Stored; 2]>,
    /// The states of keys that commits named: most of a group name the same one.
    keys: HashMap<(OrgId, u32), Option<KeyState>>,
}

/// A version of a key that was closed, under this MAC, when a walk found nothing that names it.
/// Nothing can have come to name it since: no mutation may name a closed key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UnnamedKey {
    pub(super) org: OrgId,
    pub(super) version: u32,
    pub(super) mac: [u8; 32],
}

/// What a transaction changed that caches may hold.
#[derive(Debug)]
pub(super) struct Told {
    /// The last change before it, and its own last.
    pub(super) seqs: (u64, u64),
    pub(super) classes: Vec<(OrgId, Class)>,
}

impl<'t> Batch<'t> {
    pub(super) fn new(conn: &'t Connection, now_ms: u64, unnamed: &'t [UnnamedKey]) -> Self {
        Self {
            conn,
            now_ms,
            unnamed,
            changes: BTreeMap::new(),
            usage: BTreeMap::new(),
            stored: BTreeMap::new(),
            keys: HashMap::new(),
        }
    }

    /// The database's clock.
    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// What was written so far and what stood before it, for whoever reads rows as readers do.
    pub(super) fn conn(&self) -> &'t Connection {
        self.conn
    }

    pub(super) fn execute(&self, sql: &str, params: impl Params) -> Result<usize> {
        execute(self.conn, sql, params)
    }

    pub(super) fn exists(&self, sql: &str, params: impl Params) -> Result<bool> {
        exists(self.conn, sql, params)
    }

    pub(super) fn one<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&SqlRow<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        one(self.conn, sql, params, read)
    }

    pub(super) fn all<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&SqlRow<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        all(self.conn, sql, params, read)
    }

    /// The handle is what binds a mutation to an organization: a row of another one is, behind
    /// it, not there.
    pub(super) fn same_org(&self, handle: OrgId, row: OrgId) -> Applied<()> {
        if handle == row {
            Ok(())
        } else {
            Err(Conflict::Missing.into())
        }
    }

    /// A bucket of this organization has this identifier.
    pub(super) fn bucket_exists(&self, org: OrgId, bucket: BucketId) -> Applied<()> {
        let exists = self.exists(
            "SELECT 1 FROM buckets WHERE org_id = ?1 AND bucket_id = ?2",
            params![org.bytes(), bucket.bytes()],
        )?;
        if exists {
            Ok(())
        } else {
            Err(Conflict::Missing.into())
        }
    }

    /// The version of the organization's key takes writes.
    pub(super) fn key_open(&mut self, org: OrgId, version: u32) -> Applied<()> {
        let state = match self.keys.get(&(org, version)) {
            Some(state) => *state,
            None => {
                let state = self.one(
                    "SELECT state FROM org_keys WHERE org_id = ?1 AND version = ?2",
                    params![org.bytes(), version],
                    |row| key_state(row, 0),
                )?;
                self.keys.insert((org, version), state);
                state
            }
        };
        match state {
            Some(KeyState::Open) => Ok(()),
            Some(KeyState::Closed | KeyState::Leaked) | None => {
                Err(Conflict::KeyClosed { version }.into())
            }
        }
    }

    /// The key that a row's tag names takes writes, and the record that is sealed in the row
    /// names no other: a row names one key, or a walk for the other one would miss it.
    pub(super) fn sealed_key_open(
        &mut self,
        org: OrgId,
        tag: RowTag,
        record: &[u8],
    ) -> Applied<()> {
        self.key_open(org, tag.key_version)?;
        self.sealed_under(tag.key_version, tag, record)
    }

    /// A row's tag and the record that is sealed in it name this version of a key and no other.
    pub(super) fn sealed_under(&self, version: u32, tag: RowTag, record: &[u8]) -> Applied<()> {
        let named = [Some(tag.key_version), record_key_version(record)];
        match named.into_iter().flatten().find(|named| *named != version) {
            Some(version) => Err(Conflict::KeyClosed { version }.into()),
            None => Ok(()),
        }
    }

    /// Where the log of changes begins.
    pub(super) fn log_base(&self) -> Result<LogBase> {
        census::base(self.conn)
    }

    /// A sealed record that stands under no tag names this version of a key and no other.
    pub(super) fn record_under(&self, version: u32, record: &[u8]) -> Applied<()> {
        match record_key_version(record) {
            Some(named) if named != version => Err(Conflict::KeyClosed { version: named }.into()),
            _ => Ok(()),
        }
    }

    /// Whether somebody else has a version of an organization's key.
    pub(super) fn is_leaked(&self, org: OrgId, version: u32) -> Result<bool> {
        self.exists(
            "SELECT 1 FROM org_keys WHERE org_id = ?1 AND version = ?2 AND state = ?3",
            params![org.bytes(), version, KeyState::Leaked as u8],
        )
    }

    /// A walk found nothing that names this key.
    pub(super) fn is_unnamed(&self, key: &UnnamedKey) -> bool {
        self.unnamed.contains(key)
    }

    /// Notes that a row of an organization is about to change.
    pub(super) fn changed<R: Row>(&mut self, org: OrgId, old: Option<RowTag>, new: Option<RowTag>) {
        self.note(org, R::TABLE, old, new);
    }

    /// Notes that a record of an organization is about to change.
    pub(super) fn record_changed(
        &mut self,
        org: OrgId,
        kind: RecordKind,
        old: Option<RowTag>,
        new: Option<RowTag>,
    ) {
        self.note(org, &kind.in_change_log(), old, new);
    }

    /// Notes that an organization's keys are about to change.
    pub(super) fn keys_changed(&mut self) {
        self.keys.clear();
    }

    /// Notes that an organization's name key is about to change.
    pub(super) fn name_key_changed(&mut self, org: OrgId) {
        self.note(org, NAME_KEYS, None, None);
    }

    fn note(&mut self, org: OrgId, table: &str, old: Option<RowTag>, new: Option<RowTag>) {
        self.changes.entry(org).or_default().push(ChangedRow {
            table: table.to_owned(),
            old_mac: old.map(|tag| tag.mac),
            new_mac: new.map(|tag| tag.mac),
        });
    }

    /// Counts usage; appended when the transaction ends, once for every meter.
    pub(super) fn count(&mut self, org: OrgId, delta: UsageDelta) {
        let meter = (org, delta.hour_ms, delta.subject, delta.meter);
        let sum = self.usage.entry(meter).or_default();
        *sum = sum.saturating_add(delta.amount);
    }

    /// There is room for what is about to be stored. What makes it no more is never refused.
    pub(super) fn has_room(
        &mut self,
        org: OrgId,
        limits: &StoredLimits,
        change: Stored,
    ) -> Applied<()> {
        let [_, stored] = self.stored(org)?;
        for (meter, stored, change, max) in [
            (
                Meter::StoredBytes,
                stored.bytes,
                change.bytes,
                limits.bytes_max,
            ),
            (
                Meter::Objects,
                stored.objects,
                change.objects,
                limits.objects_max,
            ),
        ] {
            let max = max.map_or(i64::MAX, |max| i64::try_from(max).unwrap_or(i64::MAX));
            if change > 0 && stored.saturating_add(change) > max {
                return Err(Conflict::OverLimit { meter }.into());
            }
        }
        Ok(())
    }

    /// Counts what comes to be stored or goes, in the hour and for good, for the organization and
    /// for the bucket.
    pub(super) fn store(
        &mut self,
        org: OrgId,
        bucket: BucketId,
        hour_ms: u64,
        change: Stored,
    ) -> Result<()> {
        for subject in [UsageSubject::Whole, UsageSubject::Bucket(bucket)] {
            for (meter, amount) in [
                (Meter::StoredBytes, change.bytes),
                (Meter::Objects, change.objects),
            ] {
                let delta = UsageDelta {
                    hour_ms,
                    meter,
                    subject,
                    amount,
                };
                self.count(org, delta);
            }
        }
        let [before, stored] = self.stored(org)?;
        self.stored.insert(org, [before, stored.plus(change)]);
        Ok(())
    }

    fn stored(&mut self, org: OrgId) -> Result<[Stored; 2]> {
        if let Some(stored) = self.stored.get(&org) {
            return Ok(*stored);
        }
        let stored = [read::stored(self.conn, org)?; 2];
        self.stored.insert(org, stored);
        Ok(stored)
    }

    /// Appends what was noted: the last statements before the commit.
    pub(super) fn finish(self) -> Result<Told> {
        for ((org, hour_ms, subject, meter), amount) in &self.usage {
            if *amount != 0 {
                append_usage(self.conn, *org, *hour_ms, subject, *meter, *amount)?;
            }
        }
        for (org, [before, stored]) in &self.stored {
            if before != stored {
                write_stored(self.conn, *org, *stored)?;
            }
        }
        let mut last = if self.changes.is_empty() {
            (0, [0; 32])
        } else {
            changes::last(self.conn)?
        };
        let before = last.0;
        let mut classes = Vec::new();
        for (org, entries) in &self.changes {
            last = changes::append(self.conn, last, *org, self.now_ms, entries)?;
            for class in entries.iter().filter_map(ChangedRow::class) {
                if !classes.contains(&(*org, class)) {
                    classes.push((*org, class));
                }
            }
        }
        Ok(Told {
            seqs: (before, last.0),
            classes,
        })
    }
}

fn append_usage(
    conn: &Connection,
    org: OrgId,
    hour_ms: u64,
    subject: &UsageSubject,
    meter: Meter,
    amount: i64,
) -> Result<()> {
    let (subject_kind, subject) = subject_columns(subject);
    execute(
        conn,
        "INSERT INTO usage_deltas (org_id, subject_kind, hour_ms, subject, meter, delta, amount)
         SELECT ?1, ?2, ?3, ?4, ?5, COALESCE(MAX(delta), 0) + 1, ?6 FROM usage_deltas
         WHERE org_id = ?1 AND subject_kind = ?2 AND hour_ms = ?3 AND subject = ?4 AND meter = ?5",
        params![
            org.bytes(),
            subject_kind,
            int(hour_ms)?,
            subject,
            meter as u8,
            amount,
        ],
    )?;
    Ok(())
}

fn write_stored(conn: &Connection, org: OrgId, stored: Stored) -> Result<()> {
    if stored == Stored::default() {
        execute(
            conn,
            "DELETE FROM stored WHERE org_id = ?1",
            params![org.bytes()],
        )?;
        return Ok(());
    }
    let row = params![org.bytes(), stored.bytes, stored.objects];
    let stands = execute(
        conn,
        "UPDATE stored SET bytes = ?2, objects = ?3 WHERE org_id = ?1",
        row,
    )?;
    if stands == 0 {
        execute(
            conn,
            "INSERT INTO stored (org_id, bytes, objects) VALUES (?1, ?2, ?3)",
            row,
        )?;
    }
    Ok(())
}

/// The key version that the header of a sealed record names (ENVELOPE.md, "Bytes of a sealed
/// blob"); `None` for what has no such header and therefore opens under no key.
fn record_key_version(record: &[u8]) -> Option<u32> {
    const MAGIC: [u8; 8] = *b"\x89BLK\r\n\x1a\n";
    const KEY_VERSION: std::ops::Range<usize> = 64..68;
    if !record.starts_with(&MAGIC) {
        return None;
    }
    let bytes = record.get(KEY_VERSION)?.try_into().ok()?;
    Some(u32::from_be_bytes(bytes))
}
