use names::{BlobId, OrgId};
use rusqlite::params;

use super::super::batch::Batch;
use super::super::error::Applied;
use super::super::query::{int, unsigned};
use super::references::{is_claimed, refs};
use crate::catalog::Effect;

pub(super) fn claim(
    batch: &mut Batch<'_>,
    org: OrgId,
    candidates: &[BlobId],
    now_ms: u64,
    blobs_max: u32,
) -> Applied<Effect> {
    let due = batch.all(
        "SELECT not_before_ms, blob_id FROM trash WHERE org_id = ?1 AND not_before_ms <= ?2
         ORDER BY not_before_ms, blob_id LIMIT ?3",
        params![org.bytes(), int(now_ms)?, blobs_max],
        |row| Ok((unsigned(row, 0)?, BlobId::from_bytes(row.get(1)?))),
    )?;
    let mut claimed = Vec::new();
    for (not_before_ms, blob) in due {
        batch.execute(
            "DELETE FROM trash WHERE org_id = ?1 AND not_before_ms = ?2 AND blob_id = ?3",
            params![org.bytes(), int(not_before_ms)?, blob.bytes()],
        )?;
        // Nobody can have come to name it again; if a count says so still, the blob stays.
        if refs(batch, org, blob)?.unwrap_or(0) > 0 {
            continue;
        }
        batch.execute(
            "DELETE FROM blobs WHERE org_id = ?1 AND blob_id = ?2",
            params![org.bytes(), blob.bytes()],
        )?;
        insert(batch, org, blob)?;
        claimed.push(blob);
    }
    for blob in candidates {
        if claimed.len() >= blobs_max as usize {
            break;
        }
        if claimed.contains(blob) || refs(batch, org, *blob)?.is_some() {
            continue;
        }
        // Claimed before and never forgotten: it may be deleted still.
        if !is_claimed(batch, org, *blob)? {
            insert(batch, org, *blob)?;
        }
        claimed.push(*blob);
    }
    Ok(Effect::Claimed(claimed))
}

pub(super) fn forget(batch: &mut Batch<'_>, org: OrgId, blobs: &[BlobId]) -> Applied<Effect> {
    for blob in blobs {
        batch.execute(
            "DELETE FROM gc_claims WHERE org_id = ?1 AND blob_id = ?2",
            params![org.bytes(), blob.bytes()],
        )?;
    }
    Ok(Effect::Done)
}

fn insert(batch: &Batch<'_>, org: OrgId, blob: BlobId) -> rusqlite::Result<usize> {
    batch.execute(
        "INSERT INTO gc_claims (org_id, blob_id) VALUES (?1, ?2)",
        params![org.bytes(), blob.bytes()],
    )
}
