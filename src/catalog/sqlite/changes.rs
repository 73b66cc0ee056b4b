//! The log of changed rows in its table.

use names::OrgId;
use rusqlite::{Connection, Result, Row as SqlRow, params};

use super::census;
use super::query::{all, damaged, execute, int, one, unsigned};
use crate::catalog::Change;
use crate::catalog::change::{ChangedRow, decode_entries, encode_entries, head_after};

/// The number and head of the last change, be it one that was pruned.
pub(super) fn last(conn: &Connection) -> Result<(u64, [u8; 32])> {
    let last = one(
        conn,
        "SELECT seq, head FROM change_log ORDER BY seq DESC LIMIT 1",
        [],
        |row| Ok((unsigned(row, 0)?, row.get(1)?)),
    )?;
    match last {
        Some(last) => Ok(last),
        None => {
            let base = census::base(conn)?;
            Ok((base.seq, base.head))
        }
    }
}

/// Appends a change after the last and returns its number and the chain's new head.
pub(super) fn append(
    conn: &Connection,
    (seq, head): (u64, [u8; 32]),
    org: OrgId,
    at_ms: u64,
    entries: &[ChangedRow],
) -> Result<(u64, [u8; 32])> {
    let entries = encode_entries(entries);
    let (seq, head) = (seq + 1, head_after(&head, org, &entries));
    execute(
        conn,
        "INSERT INTO change_log (seq, org_id, at_ms, head, entries) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![int(seq)?, org.bytes(), int(at_ms)?, head, entries],
    )?;
    Ok((seq, head))
}

/// Up to `max` changes after `seq`.
pub(super) fn since(conn: &Connection, seq: u64, max: u32) -> Result<Vec<Change>> {
    all(
        conn,
        "SELECT seq, org_id, at_ms, head, entries FROM change_log
         WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        params![int(seq)?, max],
        read,
    )
}

/// A change, in the order of columns that [`since`] reads.
pub(super) fn read(row: &SqlRow<'_>) -> Result<Change> {
    #[derive(Debug, thiserror::Error)]
    #[error("not whole entries")]
    struct NotEntries;

    let entries = row.get_ref(4)?;
    let entries = entries.as_blob().map_err(|error| damaged(4, error))?;
    Ok(Change {
        seq: unsigned(row, 0)?,
        org: OrgId::from_bytes(row.get(1)?),
        at_ms: unsigned(row, 2)?,
        head: row.get(3)?,
        entries: decode_entries(entries).ok_or_else(|| damaged(4, NotEntries))?,
    })
}
