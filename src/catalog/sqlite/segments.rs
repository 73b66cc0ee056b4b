//! Reads of activity logs: their segments and chains.

use names::{NodeId, OrgId};
use rusqlite::{Connection, Result, params};

use super::columns::{audit_columns, audit_segment};
use super::query::{all, int, one, unsigned};
use crate::catalog::{AuditSegmentRow, SEGMENT_SPAN_MS_MAX};

pub(super) fn audit_segments(
    conn: &Connection,
    org: OrgId,
    node: NodeId,
    from: u64,
    max: u32,
) -> Result<Vec<AuditSegmentRow>> {
    all(
        conn,
        concat!(
            "SELECT ",
            audit_columns!(),
            " FROM audit_segments
              WHERE org_id = ?1 AND node_id = ?2 AND number >= ?3 ORDER BY number LIMIT ?4"
        ),
        params![org.bytes(), node.bytes(), int(from)?, max],
        audit_segment,
    )
}

/// By the time of the last event, so that a page begins where the one before ended; what ends
/// later than a segment's span after the time cannot have begun in it.
pub(super) fn audit_segments_between(
    conn: &Connection,
    org: OrgId,
    (from_ms, until_ms): (u64, u64),
    after: Option<(NodeId, u64)>,
    max: u32,
) -> Result<Vec<AuditSegmentRow>> {
    let snapshot = conn.unchecked_transaction()?;
    let mut from = (from_ms, Vec::new(), 0);
    if let Some((node, number)) = after {
        let last_ms = one(
            &snapshot,
            "SELECT last_ms FROM audit_segments WHERE org_id = ?1 AND node_id = ?2 AND number = ?3",
            params![org.bytes(), node.bytes(), int(number)?],
            |row| unsigned(row, 0),
        )?;
        // Nothing comes after a segment that is not there.
        let Some(last_ms) = last_ms else {
            return Ok(Vec::new());
        };
        if last_ms >= from_ms {
            from = (last_ms, node.bytes().to_vec(), number.saturating_add(1));
        }
    }
    let span_end_ms = until_ms.saturating_add(SEGMENT_SPAN_MS_MAX);
    let [until_ms, span_end_ms] =
        [until_ms, span_end_ms].map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
    all(
        &snapshot,
        concat!(
            "SELECT ",
            audit_columns!(),
            " FROM audit_segments
              WHERE org_id = ?1 AND (last_ms, node_id, number) >= (?2, ?3, ?4)
              AND last_ms < ?5 AND first_ms < ?6
              ORDER BY last_ms, node_id, number LIMIT ?7"
        ),
        params![
            org.bytes(),
            int(from.0)?,
            from.1,
            int(from.2)?,
            span_end_ms,
            until_ms,
            max,
        ],
        audit_segment,
    )
}

/// The same, from the last on.
pub(super) fn audit_segments_backwards(
    conn: &Connection,
    org: OrgId,
    (from_ms, until_ms): (u64, u64),
    before: Option<(NodeId, u64)>,
    max: u32,
) -> Result<Vec<AuditSegmentRow>> {
    let snapshot = conn.unchecked_transaction()?;
    let [from_ms, until_ms, span_end_ms] = [
        from_ms,
        until_ms,
        until_ms.saturating_add(SEGMENT_SPAN_MS_MAX),
    ]
    .map(|ms| i64::try_from(ms).unwrap_or(i64::MAX));
    // Before every segment that ends then.
    let mut end = (span_end_ms, Vec::new(), 0);
    if let Some((node, number)) = before {
        let last_ms: Option<i64> = one(
            &snapshot,
            "SELECT last_ms FROM audit_segments WHERE org_id = ?1 AND node_id = ?2 AND number = ?3",
            params![org.bytes(), node.bytes(), int(number)?],
            |row| row.get(0),
        )?;
        // Nothing comes before a segment that is not there.
        let Some(last_ms) = last_ms else {
            return Ok(Vec::new());
        };
        if last_ms < span_end_ms {
            end = (last_ms, node.bytes().to_vec(), int(number)?);
        }
    }
    all(
        &snapshot,
        concat!(
            "SELECT ",
            audit_columns!(),
            " FROM audit_segments
              WHERE org_id = ?1 AND (last_ms, node_id, number) < (?2, ?3, ?4)
              AND last_ms >= ?5 AND first_ms < ?6
              ORDER BY last_ms DESC, node_id DESC, number DESC LIMIT ?7"
        ),
        params![org.bytes(), end.0, end.1, end.2, from_ms, until_ms, max],
        audit_segment,
    )
}

pub(super) fn audit_chains(conn: &Connection, org: OrgId) -> Result<Vec<(NodeId, u64)>> {
    let snapshot = conn.unchecked_transaction()?;
    let mut chains = Vec::new();
    let mut after = Vec::new();
    // From node to node, without reading the segments between.
    while let Some(node) = one(
        &snapshot,
        "SELECT node_id FROM audit_segments WHERE org_id = ?1 AND node_id > ?2
         ORDER BY node_id LIMIT 1",
        params![org.bytes(), after],
        |row| row.get(0).map(NodeId::from_bytes),
    )? {
        let last = one(
            &snapshot,
            "SELECT number FROM audit_segments WHERE org_id = ?1 AND node_id = ?2
             ORDER BY number DESC LIMIT 1",
            params![org.bytes(), node.bytes()],
            |row| unsigned(row, 0),
        )?;
        chains.push((node, last.map_or(0, |last| last + 1)));
        after = node.bytes().to_vec();
    }
    Ok(chains)
}
