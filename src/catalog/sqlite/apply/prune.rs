use names::OrgId;
use rusqlite::params;

use super::super::batch::Batch;
use super::super::error::Applied;
use super::super::query::int;
use crate::catalog::{Conflict, Effect, FoldedChanges, PruneChanges, SealedRowSet};

/// What is compared is where the log begins: what was folded so far can have changed only with it.
pub(super) fn prune(batch: &mut Batch<'_>, org: OrgId, prune: &PruneChanges) -> Applied<Effect> {
    // The log is the platform's, though it tells of everybody's rows.
    batch.same_org(org, OrgId::PLATFORM)?;
    let PruneChanges {
        from_seq,
        seq,
        head,
        rows,
        folded,
    } = prune;
    if batch.log_base()?.seq != *from_seq {
        return Err(Conflict::Changed.into());
    }
    let stands = batch.exists(
        "SELECT 1 FROM change_log WHERE seq = ?1 AND head = ?2",
        params![int(*seq)?, head],
    )?;
    if !stands {
        return Err(Conflict::Missing.into());
    }
    batch.execute(
        "DELETE FROM change_log WHERE seq <= ?1",
        params![int(*seq)?],
    )?;
    batch.execute("DELETE FROM change_log_base", [])?;
    batch.execute(
        "INSERT INTO change_log_base (id, seq, head, rows, sum) VALUES (0, ?1, ?2, ?3, ?4)",
        params![int(*seq)?, head, rows.rows, rows.sum],
    )?;
    for FoldedChanges { org, head, set } in folded {
        batch.execute(
            "DELETE FROM folded_changes WHERE org_id = ?1",
            params![org.bytes()],
        )?;
        if let Some(SealedRowSet { rows, sum }) = set {
            batch.execute(
                "INSERT INTO folded_changes (org_id, head, rows, sum) VALUES (?1, ?2, ?3, ?4)",
                params![org.bytes(), head, rows, sum],
            )?;
        }
    }
    Ok(Effect::Done)
}
