use std::collections::{BTreeMap, BTreeSet};

use names::{BlobId, OrgId};
use rusqlite::params;

use super::super::batch::Batch;
use super::super::error::Applied;
use super::super::query::int;
use crate::catalog::{BlobRow, Conflict, Slice};

/// By how much a mutation changes the number of versions and parts that name a blob.
///
/// A blob that nobody names any more stands in `trash`; nobody may come to name it again, and
/// only a claim takes it out. So a copy and an overwrite cannot pass each other: whichever is
/// applied second finds the other's count.
#[derive(Debug, Default)]
pub(super) struct References(BTreeMap<BlobId, i64>);

impl References {
    /// A version or part with these slices comes.
    pub(super) fn add(&mut self, slices: &[Slice]) {
        for blob in blobs_of(slices) {
            *self.0.entry(blob).or_default() += 1;
        }
    }

    /// A version or part with these slices goes.
    pub(super) fn drop(&mut self, slices: &[Slice]) {
        for blob in blobs_of(slices) {
            *self.0.entry(blob).or_default() -= 1;
        }
    }

    /// Writes the new blobs and the counts, and lists as garbage what nobody names any more.
    pub(super) fn apply(
        self,
        batch: &Batch<'_>,
        org: OrgId,
        new_blobs: &[BlobRow],
        trash_not_before_ms: u64,
    ) -> rusqlite::Result<()> {
        for new in new_blobs {
            let refs = self.0.get(&new.blob).copied().unwrap_or(0);
            batch.execute(
                "INSERT INTO blobs (org_id, blob_id, header, key_version, sealed_len, refs)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    org.bytes(),
                    new.blob.bytes(),
                    new.header,
                    new.key_version,
                    int(new.sealed_len)?,
                    refs,
                ],
            )?;
            if refs == 0 {
                trash(batch, org, new.blob, trash_not_before_ms)?;
            }
        }
        let is_new = |blob| new_blobs.iter().any(|new| new.blob == blob);
        for (blob, change) in self.0 {
            if change == 0 || is_new(blob) {
                continue;
            }
            let refs: Option<i64> = batch.one(
                "UPDATE blobs SET refs = refs + ?3 WHERE org_id = ?1 AND blob_id = ?2
                 RETURNING refs",
                params![org.bytes(), blob.bytes(), change],
                |row| row.get(0),
            )?;
            if refs == Some(0) {
                trash(batch, org, blob, trash_not_before_ms)?;
            }
        }
        Ok(())
    }
}

/// Judges the blobs that a version or part is about to name: its new ones are new, and not so
/// late that they have been claimed as orphans; all others are named by something still.
pub(super) fn judge(
    batch: &mut Batch<'_>,
    org: OrgId,
    slices: &[Slice],
    new_blobs: &[BlobRow],
) -> Applied<()> {
    let mut new = BTreeSet::new();
    for row in new_blobs {
        batch.key_open(org, row.key_version)?;
        if is_claimed(batch, org, row.blob)? {
            return Err(Conflict::BlobGone(row.blob).into());
        }
        if !new.insert(row.blob) || refs(batch, org, row.blob)?.is_some() {
            return Err(Conflict::Exists.into());
        }
    }
    for blob in blobs_of(slices).difference(&new) {
        if refs(batch, org, *blob)?.is_none_or(|refs| refs <= 0) {
            return Err(Conflict::BlobGone(*blob).into());
        }
    }
    Ok(())
}

/// How many versions and parts name a blob that the catalog knows.
pub(super) fn refs(batch: &Batch<'_>, org: OrgId, blob: BlobId) -> rusqlite::Result<Option<i64>> {
    batch.one(
        "SELECT refs FROM blobs WHERE org_id = ?1 AND blob_id = ?2",
        params![org.bytes(), blob.bytes()],
        |row| row.get(0),
    )
}

/// Whether a blob may be deleted from the store at any moment.
pub(super) fn is_claimed(batch: &Batch<'_>, org: OrgId, blob: BlobId) -> rusqlite::Result<bool> {
    batch.exists(
        "SELECT 1 FROM gc_claims WHERE org_id = ?1 AND blob_id = ?2",
        params![org.bytes(), blob.bytes()],
    )
}

fn trash(
    batch: &Batch<'_>,
    org: OrgId,
    blob: BlobId,
    not_before_ms: u64,
) -> rusqlite::Result<usize> {
    batch.execute(
        "INSERT INTO trash (org_id, not_before_ms, blob_id) VALUES (?1, ?2, ?3)",
        params![org.bytes(), int(not_before_ms)?, blob.bytes()],
    )
}

fn blobs_of(slices: &[Slice]) -> BTreeSet<BlobId> {
    slices.iter().map(|slice| slice.blob).collect()
}
