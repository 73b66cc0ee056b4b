use names::NodeId;
use rusqlite::{Connection, Result, params};

use super::query::{all, execute, int, one, unsigned};

/// Takes or renews the lock of a job. Every new holding has a higher token than all before it; a
/// renewal keeps its own.
pub(super) fn lease(
    conn: &Connection,
    job: &str,
    holder: NodeId,
    seconds: u32,
    now_ms: u64,
) -> Result<Option<u64>> {
    let until_ms = int(now_ms.saturating_add(u64::from(seconds) * 1_000))?;
    let stands = one(
        conn,
        "SELECT holder_id, token, until_ms FROM leases WHERE job = ?1",
        params![job.as_bytes()],
        |row| {
            Ok((
                NodeId::from_bytes(row.get(0)?),
                unsigned(row, 1)?,
                unsigned(row, 2)?,
            ))
        },
    )?;
    let token = match stands {
        None => {
            execute(
                conn,
                "INSERT INTO leases (job, holder_id, token, until_ms) VALUES (?1, ?2, 1, ?3)",
                params![job.as_bytes(), holder.bytes(), until_ms],
            )?;
            return Ok(Some(1));
        }
        Some((other, _, until_ms)) if now_ms < until_ms && other != holder => return Ok(None),
        Some((_, token, until_ms)) if now_ms < until_ms => token,
        Some((_, token, _)) => token + 1,
    };
    execute(
        conn,
        "UPDATE leases SET holder_id = ?2, token = ?3, until_ms = ?4 WHERE job = ?1",
        params![job.as_bytes(), holder.bytes(), int(token)?, until_ms],
    )?;
    Ok(Some(token))
}

/// Gives a lock back. Its token stays, so that the next one is higher.
pub(super) fn release(conn: &Connection, job: &str, holder: NodeId) -> Result<()> {
    execute(
        conn,
        "UPDATE leases SET until_ms = 0 WHERE job = ?1 AND holder_id = ?2",
        params![job.as_bytes(), holder.bytes()],
    )?;
    Ok(())
}

/// A node lives, and has seen changes up to a number.
pub(super) fn node_seen(conn: &Connection, node: NodeId, seen_seq: u64, now_ms: u64) -> Result<()> {
    let row = params![node.bytes(), int(seen_seq)?, int(now_ms)?];
    let stands = execute(
        conn,
        "UPDATE nodes SET seen_seq = ?2, seen_ms = ?3 WHERE node_id = ?1",
        row,
    )?;
    if stands == 0 {
        execute(
            conn,
            "INSERT INTO nodes (node_id, seen_seq, seen_ms) VALUES (?1, ?2, ?3)",
            row,
        )?;
    }
    Ok(())
}

/// A node stops.
pub(super) fn node_gone(conn: &Connection, node: NodeId) -> Result<()> {
    execute(
        conn,
        "DELETE FROM nodes WHERE node_id = ?1",
        params![node.bytes()],
    )?;
    Ok(())
}

/// The nodes that said so within `seconds`.
pub(super) fn nodes(conn: &Connection, seconds: u32, now_ms: u64) -> Result<Vec<(NodeId, u64)>> {
    let since_ms = now_ms.saturating_sub(u64::from(seconds) * 1_000);
    all(
        conn,
        "SELECT node_id, seen_seq FROM nodes WHERE seen_ms >= ?1 ORDER BY node_id",
        params![int(since_ms)?],
        |row| Ok((NodeId::from_bytes(row.get(0)?), unsigned(row, 1)?)),
    )
}
