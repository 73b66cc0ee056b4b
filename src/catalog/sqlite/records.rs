//! Reads of records.

use names::{AccountId, OrgId};
use rusqlite::{Connection, Result, params};

use super::columns::{record_columns, unverified};
use super::query::{all, int, one, unsigned};
use crate::catalog::{RecordKind, RecordQuery, RecordRow, Unverified};

macro_rules! select {
    ($from:literal) => {
        concat!("SELECT ", record_columns!(), " FROM records WHERE ", $from)
    };
}

pub(super) fn record(
    conn: &Connection,
    org: OrgId,
    kind: RecordKind,
    id: &[u8; 16],
) -> Result<Option<Unverified<RecordRow>>> {
    one(
        conn,
        select!("org_id = ?1 AND kind = ?2 AND id = ?3"),
        params![org.bytes(), kind as u8, id],
        unverified,
    )
}

pub(super) fn record_by_lookup(
    conn: &Connection,
    org: OrgId,
    kind: RecordKind,
    lookup: &[u8; 32],
) -> Result<Option<Unverified<RecordRow>>> {
    one(
        conn,
        select!("org_id = ?1 AND kind = ?2 AND lookup = ?3"),
        params![org.bytes(), kind as u8, lookup],
        unverified,
    )
}

/// A statement for each choice, so that every one has the index that it needs.
pub(super) fn records(
    conn: &Connection,
    org: OrgId,
    kind: RecordKind,
    query: &RecordQuery,
) -> Result<Vec<Unverified<RecordRow>>> {
    macro_rules! page {
        ($narrowed:literal) => {
            concat!(
                select!("org_id = ?1 AND kind = ?2 AND id > ?3"),
                $narrowed,
                " ORDER BY id LIMIT ?4"
            )
        };
    }
    let after = query.after.as_ref().map_or(&[][..], |id| &id[..]);
    let (org, kind, max) = (org.bytes(), kind as u8, query.max);
    match (query.parent, query.state) {
        (None, None) => all(conn, page!(""), params![org, kind, after, max], unverified),
        (Some(parent), None) => all(
            conn,
            page!(" AND parent = ?5"),
            params![org, kind, after, max, parent],
            unverified,
        ),
        (None, Some(state)) => all(
            conn,
            page!(" AND state = ?5"),
            params![org, kind, after, max, state],
            unverified,
        ),
        // A parent has few; the sum keeps the index of states, in which there are many, out of it.
        (Some(parent), Some(state)) => all(
            conn,
            page!(" AND parent = ?5 AND state + 0 = ?6"),
            params![org, kind, after, max, parent, state],
            unverified,
        ),
    }
}

pub(super) fn count_records(
    conn: &Connection,
    org: OrgId,
    kind: RecordKind,
    state: Option<u8>,
) -> Result<u64> {
    let (org, kind) = (org.bytes(), kind as u8);
    let count = match state {
        None => one(
            conn,
            "SELECT COUNT(*) FROM records WHERE org_id = ?1 AND kind = ?2",
            params![org, kind],
            |row| unsigned(row, 0),
        ),
        Some(state) => one(
            conn,
            "SELECT COUNT(*) FROM records WHERE org_id = ?1 AND kind = ?2 AND state = ?3",
            params![org, kind, state],
            |row| unsigned(row, 0),
        ),
    };
    Ok(count?.unwrap_or(0))
}

pub(super) fn seats(
    conn: &Connection,
    account: AccountId,
    after: Option<OrgId>,
    max: u32,
) -> Result<Vec<Unverified<RecordRow>>> {
    let after = after.map(|org| *org.bytes());
    all(
        conn,
        select!("kind = ?1 AND parent = ?2 AND org_id > ?3 ORDER BY org_id, id LIMIT ?4"),
        params![
            RecordKind::Member as u8,
            account.bytes(),
            after.as_ref().map_or(&[][..], |org| &org[..]),
            max,
        ],
        unverified,
    )
}

pub(super) fn expired_records(
    conn: &Connection,
    kind: RecordKind,
    now_ms: u64,
    max: u32,
) -> Result<Vec<Unverified<RecordRow>>> {
    all(
        conn,
        select!("kind = ?1 AND expires_ms <= ?2 ORDER BY expires_ms LIMIT ?3"),
        params![kind as u8, int(now_ms)?, max],
        unverified,
    )
}
