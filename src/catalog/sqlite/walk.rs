//! Walks over all rows of an organization: those with a tag, and those that name a key.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use names::OrgId;
use rusqlite::{Connection, Result, params};

use super::batch::UnnamedKey;
use super::columns::{NoContent, content, content_columns, key_state};
use super::query::{damaged, one};
use super::read;
use super::tables::{Scope, TABLES, Table};
use crate::catalog::store::BODIES;
use crate::catalog::{
    BlobRow, Body, Content, KeyState, NamesKey, Slice, TagCursor, TaggedRow, VersionRow,
};

/// Up to `max` rows with a tag from a place on, and where to go on if there may be more.
pub(super) fn tags(
    conn: &Connection,
    org: OrgId,
    from: Option<TagCursor>,
    max: u32,
) -> Result<(Vec<TaggedRow>, Option<TagCursor>)> {
    let snapshot = conn.unchecked_transaction()?;
    let mut place = from.unwrap_or_else(TagCursor::start);
    let mut rows = Vec::new();
    while let Some(table) = TABLES.get(usize::from(place.table)) {
        if table.is_tagged() {
            let left = max - rows.len() as u32;
            let page = table.page(&snapshot, Scope::Tags(org), &place.from, left)?;
            let last = page.last().map(|found| table.after(&found.place));
            for found in page {
                rows.extend(tagged(&snapshot, org, found.row)?);
            }
            if rows.len() as u32 >= max {
                if let Some(from) = last {
                    place.from = from;
                }
                return Ok((rows, Some(place)));
            }
        }
        place = TagCursor {
            table: place.table + 1,
            from: Vec::new(),
        };
    }
    Ok((rows, None))
}

/// Up to `max` rows that name a version of the organization's key, from a place on, and the place
/// of the first of them.
fn named(
    conn: &Connection,
    org: OrgId,
    version: u32,
    from: Option<&TagCursor>,
    max: u32,
) -> Result<(Vec<NamesKey>, Option<TagCursor>)> {
    let mut place = from.cloned().unwrap_or_else(TagCursor::start);
    let (mut rows, mut first) = (Vec::new(), None);
    while let Some(table) = TABLES.get(usize::from(place.table)) {
        let left = max - rows.len() as u32;
        if left == 0 {
            break;
        }
        let scope = Scope::Named(org, version);
        for found in table.page(conn, scope, &place.from, left)? {
            first.get_or_insert(TagCursor {
                table: place.table,
                from: found.place,
            });
            rows.push(found.row);
        }
        place = TagCursor {
            table: place.table + 1,
            from: Vec::new(),
        };
    }
    Ok((rows, first))
}

/// The tag of a key, if it is closed.
fn closed_key(conn: &Connection, org: OrgId, version: u32) -> Result<Option<[u8; 32]>> {
    let stands = one(
        conn,
        "SELECT state, mac FROM org_keys WHERE org_id = ?1 AND version = ?2",
        params![org.bytes(), version],
        |row| Ok((key_state(row, 0)?, row.get(1)?)),
    )?;
    Ok(stands.and_then(|(state, mac)| (state != KeyState::Open).then_some(mac)))
}

/// Shows that nothing names a key that is closed.
pub(super) fn unnamed(conn: &Connection, org: OrgId, version: u32) -> Result<Option<UnnamedKey>> {
    let snapshot = conn.unchecked_transaction()?;
    let Some(mac) = closed_key(&snapshot, org, version)? else {
        return Ok(None);
    };
    let (named, _) = named(&snapshot, org, version, None, 1)?;
    Ok(named.is_empty().then_some(UnnamedKey { org, version, mac }))
}

/// Goes on where the last page began: what came before it named the key no more, and nothing can
/// come to name one that is closed. When it comes to the end it looks once more from the start.
pub(super) fn named_by_key(
    conn: &Connection,
    walks: &Mutex<HashMap<(OrgId, u32), TagCursor>>,
    org: OrgId,
    version: u32,
    max: u32,
) -> Result<Vec<NamesKey>> {
    let walks = || walks.lock().unwrap_or_else(PoisonError::into_inner);
    let snapshot = conn.unchecked_transaction()?;
    let closed = closed_key(&snapshot, org, version)?.is_some();
    let from = walks().remove(&(org, version)).filter(|_| closed);
    let (mut rows, mut first) = named(&snapshot, org, version, from.as_ref(), max)?;
    if rows.is_empty() && from.is_some() {
        (rows, first) = named(&snapshot, org, version, None, max)?;
    }
    if let Some(first) = first.filter(|_| closed) {
        walks().insert((org, version), first);
    }
    Ok(rows)
}

impl TagCursor {
    fn start() -> Self {
        Self {
            table: 0,
            from: Vec::new(),
        }
    }
}

/// A row with a tag as `verify` takes it: a version comes with what it holds.
fn tagged(conn: &Connection, org: OrgId, row: NamesKey) -> Result<Option<TaggedRow>> {
    Ok(Some(match row {
        NamesKey::Record(row) => TaggedRow::Record(row),
        NamesKey::Bucket(row) => TaggedRow::Bucket(row),
        NamesKey::Version(row) => {
            let content = content_of(conn, org, row.unverified())?;
            let blobs = match &content.body {
                Body::Inline(_) => Vec::new(),
                Body::Blobs(slices) => blobs_of(conn, org, slices)?,
            };
            TaggedRow::Version(row, content, blobs)
        }
        NamesKey::Upload(row) => TaggedRow::Upload(row),
        NamesKey::Part(row) => {
            let blobs = blobs_of(conn, org, &row.unverified().slices)?;
            TaggedRow::Part(row, blobs)
        }
        NamesKey::Organization(row) => TaggedRow::Organization(row),
        NamesKey::OrgKey(row) => TaggedRow::OrgKey(row),
        NamesKey::Credential(row) => TaggedRow::Credential(row),
        NamesKey::Content(..)
        | NamesKey::Blob(_)
        | NamesKey::AuditSegment(_)
        | NamesKey::NameKey(_) => return Ok(None),
    }))
}

fn content_of(conn: &Connection, org: OrgId, version: &VersionRow) -> Result<Content> {
    let held = one(
        conn,
        concat!(
            "SELECT ",
            content_columns!(),
            " FROM contents c WHERE c.org_id = ?1 AND c.version_id = ?2"
        ),
        params![org.bytes(), version.version.bytes()],
        |row| content(row, 0),
    )?;
    held.flatten().ok_or_else(|| damaged(0, NoContent))
}

fn blobs_of(conn: &Connection, org: OrgId, slices: &[Slice]) -> Result<Vec<BlobRow>> {
    let mut ids: Vec<_> = slices.iter().map(|slice| slice.blob).collect();
    ids.sort_unstable();
    ids.dedup();
    ids.iter()
        .filter_map(|id| read::blob(conn, org, *id).transpose())
        .collect()
}

const _: () = assert!(matches!(TABLES[BODIES as usize], Table::Versions));
