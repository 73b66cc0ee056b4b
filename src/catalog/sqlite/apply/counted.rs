use names::OrgId;
use rusqlite::params;

use super::super::batch::Batch;
use super::super::columns::{meter, subject, subject_columns};
use super::super::error::Applied;
use super::super::query::{int, unsigned};
use super::records;
use crate::catalog::{AuditSegmentRow, Conflict, Effect, RecordWrite, UsageDelta};

pub(super) fn append_audit(
    batch: &mut Batch<'_>,
    org: OrgId,
    segment: &AuditSegmentRow,
) -> Applied<Effect> {
    batch.same_org(org, segment.org)?;
    batch.key_open(org, segment.key_version)?;
    let last: Option<u64> = batch.one(
        "SELECT number FROM audit_segments WHERE org_id = ?1 AND node_id = ?2
         ORDER BY number DESC LIMIT 1",
        params![org.bytes(), segment.node.bytes()],
        |row| unsigned(row, 0),
    )?;
    if segment.number != last.map_or(0, |last| last + 1) {
        let current = last.unwrap_or(0);
        return Err(Conflict::Stale { current }.into());
    }
    batch.execute(
        "INSERT INTO audit_segments (org_id, node_id, number, first_ms, last_ms, sealed,
                                     key_version)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            org.bytes(),
            segment.node.bytes(),
            int(segment.number)?,
            int(segment.first_ms)?,
            int(segment.last_ms)?,
            segment.sealed,
            segment.key_version,
        ],
    )?;
    Ok(Effect::Done)
}

pub(super) fn add_usage(
    batch: &mut Batch<'_>,
    org: OrgId,
    deltas: &[UsageDelta],
) -> Applied<Effect> {
    judge_usage(deltas)?;
    for delta in deltas {
        batch.count(org, *delta);
    }
    Ok(Effect::Done)
}

/// The records decide: what they refuse is not counted.
pub(super) fn count_once(
    batch: &mut Batch<'_>,
    org: OrgId,
    writes: &[RecordWrite],
    usage: &[UsageDelta],
) -> Applied<Effect> {
    judge_usage(usage)?;
    records::commit(batch, org, writes, &[])?;
    add_usage(batch, org, usage)
}

/// What is stored is counted by the catalog itself.
fn judge_usage(deltas: &[UsageDelta]) -> Applied<()> {
    match deltas.iter().any(|delta| delta.meter.is_level()) {
        true => Err(Conflict::Missing.into()),
        false => Ok(()),
    }
}

/// Folds what earlier transactions appended; what this one appends waits for the next time.
pub(super) fn fold_usage(batch: &mut Batch<'_>, org: OrgId) -> Applied<Effect> {
    let sums = batch.all(
        "SELECT hour_ms, meter, subject_kind, subject, SUM(amount) FROM usage_deltas
         WHERE org_id = ?1 GROUP BY hour_ms, meter, subject_kind, subject",
        params![org.bytes()],
        |row| {
            Ok(UsageDelta {
                hour_ms: unsigned(row, 0)?,
                meter: meter(row, 1)?,
                subject: subject(row, 2)?,
                amount: row.get(4)?,
            })
        },
    )?;
    for sum in &sums {
        let (subject_kind, subject) = subject_columns(&sum.subject);
        let row = params![
            org.bytes(),
            subject_kind,
            int(sum.hour_ms)?,
            subject,
            sum.meter as u8,
            sum.amount,
        ];
        let stands = batch.execute(
            "UPDATE usage_totals SET amount = amount + ?6
             WHERE org_id = ?1 AND subject_kind = ?2 AND hour_ms = ?3 AND subject = ?4
             AND meter = ?5",
            row,
        )?;
        if stands == 0 {
            batch.execute(
                "INSERT INTO usage_totals (org_id, subject_kind, hour_ms, subject, meter, amount)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                row,
            )?;
        }
    }
    batch.execute(
        "DELETE FROM usage_deltas WHERE org_id = ?1",
        params![org.bytes()],
    )?;
    Ok(Effect::Done)
}
