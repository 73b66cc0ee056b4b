//! What rows there are, and what the log of changes says of that, in one snapshot.

use std::ops::ControlFlow;

use names::OrgId;
use rusqlite::{Connection, Result, Row as SqlRow, params};

use super::changes;
use super::query::{one, unsigned};
use crate::catalog::{
    BucketRow, CensusEntry, CensusTaker, CredentialRow, FoldedChanges, LogBase, OrgKeyRow,
    OrganizationRow, PartRow, RecordRow, Row, SealedRowSet, UploadRow, VersionRow,
};

/// Gives every entry to `take`, until that breaks off.
pub(super) fn census(conn: &Connection, mut take: CensusTaker) -> Result<()> {
    let snapshot = conn.unchecked_transaction()?;
    // The end of the census is an end like any other.
    match entries(&snapshot, &mut take)? {
        ControlFlow::Continue(()) | ControlFlow::Break(()) => Ok(()),
    }
}

/// Where the log begins.
pub(super) fn base(conn: &Connection) -> Result<LogBase> {
    let base = one(
        conn,
        "SELECT seq, head, rows, sum FROM change_log_base WHERE id = 0",
        [],
        |row| {
            Ok(LogBase {
                seq: unsigned(row, 0)?,
                head: row.get(1)?,
                rows: Some(set(row, 2)?),
            })
        },
    )?;
    Ok(base.unwrap_or(LogBase {
        seq: 0,
        head: [0; 32],
        rows: None,
    }))
}

/// What is left of pruned changes of those among `orgs` of which anything is.
pub(super) fn folded(conn: &Connection, orgs: &[OrgId]) -> Result<Vec<FoldedChanges>> {
    let snapshot = conn.unchecked_transaction()?;
    let mut found = Vec::with_capacity(orgs.len());
    for org in orgs {
        found.extend(one(
            &snapshot,
            "SELECT org_id, head, rows, sum FROM folded_changes WHERE org_id = ?1",
            params![org.bytes()],
            read_folded,
        )?);
    }
    Ok(found)
}

fn entries(conn: &Connection, take: &mut CensusTaker) -> Result<ControlFlow<()>> {
    if take(CensusEntry::Base(base(conn)?)).is_break() {
        return Ok(ControlFlow::Break(()));
    }
    let folded = "SELECT org_id, head, rows, sum FROM folded_changes ORDER BY org_id";
    let done = each(
        conn,
        folded,
        |row| Ok(CensusEntry::Folded(read_folded(row)?)),
        take,
    )?;
    if done.is_break() {
        return Ok(done);
    }
    let log = "SELECT seq, org_id, at_ms, head, entries FROM change_log ORDER BY seq";
    let done = each(
        conn,
        log,
        |row| Ok(CensusEntry::Change(changes::read(row)?)),
        take,
    )?;
    if done.is_break() {
        return Ok(done);
    }
    for (table, sql) in TABLES {
        let done = each(
            conn,
            sql,
            |row| {
                Ok(CensusEntry::Row {
                    org: OrgId::from_bytes(row.get(0)?),
                    table,
                    mac: row.get(1)?,
                })
            },
            take,
        )?;
        if done.is_break() {
            return Ok(done);
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn each(
    conn: &Connection,
    sql: &str,
    read: impl Fn(&SqlRow<'_>) -> Result<CensusEntry>,
    take: &mut CensusTaker,
) -> Result<ControlFlow<()>> {
    let mut statement = conn.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if take(read(row)?).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

fn read_folded(row: &SqlRow<'_>) -> Result<FoldedChanges> {
    Ok(FoldedChanges {
        org: OrgId::from_bytes(row.get(0)?),
        head: row.get(1)?,
        set: Some(set(row, 2)?),
    })
}

/// A sealed set in two columns.
fn set(row: &SqlRow<'_>, first: usize) -> Result<SealedRowSet> {
    Ok(SealedRowSet {
        rows: row.get(first)?,
        sum: row.get(first + 1)?,
    })
}

/// The tables whose rows carry a MAC.
const TABLES: [(&str, &str); 8] = [
    (
        OrganizationRow::TABLE,
        "SELECT org_id, mac FROM organizations",
    ),
    (OrgKeyRow::TABLE, "SELECT org_id, mac FROM org_keys"),
    (CredentialRow::TABLE, "SELECT org_id, mac FROM credentials"),
    (BucketRow::TABLE, "SELECT org_id, mac FROM buckets"),
    (VersionRow::TABLE, "SELECT org_id, mac FROM versions"),
    (UploadRow::TABLE, "SELECT org_id, mac FROM uploads"),
    (PartRow::TABLE, "SELECT org_id, mac FROM upload_parts"),
    (RecordRow::TABLE, "SELECT org_id, mac FROM records"),
];
