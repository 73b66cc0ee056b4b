use std::collections::{BTreeMap, HashMap};

use names::{BucketId, OrgId};
use rusqlite::{Connection, Params, Result, Row as SqlRow, params};

use super::changes;
use super::columns::key_state;
use super::error::Applied;
use super::query::{all, execute, exists, int, one};
use crate::catalog::change::NAME_KEYS;
use crate::catalog::{ChangedRow, Class, Conflict, KeyState, Meter, Row, RowTag, UsageDelta};

/// A transaction that mutations are being applied in, and what it will append when it ends.
pub(super) struct Batch<'t> {
    conn: &'t Connection,
    now_ms: u64,
    unnamed: &'t [UnnamedKey],
    changes: BTreeMap<OrgId, Vec<ChangedRow>>,
    usage: BTreeMap<(OrgId, u64, Meter), i64>,
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
            keys: HashMap::new(),
        }
    }

    /// The database's clock.
    pub(super) fn now_ms(&self) -> u64 {
        self.now_ms
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
            Some(KeyState::Closed) | None => Err(Conflict::KeyClosed { version }.into()),
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
        match record_key_version(record) {
            Some(version) if version != tag.key_version => {
                Err(Conflict::KeyClosed { version }.into())
            }
            _ => Ok(()),
        }
    }

    /// A walk found nothing that names this key.
    pub(super) fn is_unnamed(&self, key: &UnnamedKey) -> bool {
        self.unnamed.contains(key)
    }

    /// Notes that a row of an organization is about to change.
    pub(super) fn changed<R: Row>(&mut self, org: OrgId, old: Option<RowTag>, new: Option<RowTag>) {
        self.note(org, R::TABLE, old, new);
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
        let meter = (org, delta.hour_ms, delta.meter);
        let sum = self.usage.entry(meter).or_default();
        *sum = sum.saturating_add(delta.amount);
    }

    /// Appends what was noted: the last statements before the commit.
    pub(super) fn finish(self) -> Result<Told> {
        for ((org, hour_ms, meter), amount) in &self.usage {
            if *amount != 0 {
                append_usage(self.conn, *org, *hour_ms, *meter, *amount)?;
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
    meter: Meter,
    amount: i64,
) -> Result<()> {
    execute(
        conn,
        "INSERT INTO usage_deltas (org_id, hour_ms, meter, delta, amount)
         SELECT ?1, ?2, ?3, COALESCE(MAX(delta), 0) + 1, ?4 FROM usage_deltas
         WHERE org_id = ?1 AND hour_ms = ?2 AND meter = ?3",
        params![org.bytes(), int(hour_ms)?, meter as u8, amount],
    )?;
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
