use std::collections::BTreeSet;

use names::{BlobId, OrgId};
use rusqlite::params;

use super::super::batch::Batch;
use super::super::columns::{slices, unverified, version_columns};
use super::super::error::Applied;
use super::super::query::int;
use super::super::read;
use super::references::{self, References, refs};
use crate::catalog::{
    Authenticated, Body, Conflict, Content, Effect, PartRow, Reseal, ResealedRow, RowTag, Slice,
    Unverified, VersionRow, encode_slices,
};

/// Only sealed bytes, the blobs that hold them, key versions and tags are written: like a rotation,
/// a re-encryption cannot change what a row says, not even by mistake.
pub(super) fn reseal(batch: &mut Batch<'_>, org: OrgId, reseal: &Reseal) -> Applied<Effect> {
    match &reseal.row {
        ResealedRow::Version { old, new, content } => {
            version(batch, org, reseal, *old, (new, content))
        }
        ResealedRow::Part { old, new } => part(batch, org, reseal, *old, new),
    }
}

fn version(
    batch: &mut Batch<'_>,
    org: OrgId,
    reseal: &Reseal,
    old: RowTag,
    (new, content): (&Authenticated<VersionRow>, &Content),
) -> Applied<Effect> {
    let (row, tag) = (new.row(), new.tag());
    batch.same_org(org, row.org)?;
    batch.key_open(org, tag.key_version)?;
    batch.key_open(org, content.key_version)?;
    batch.record_under(content.key_version, &content.metadata)?;
    let stands: Option<Unverified<VersionRow>> = batch.one(
        concat!(
            "SELECT ",
            version_columns!(),
            " FROM versions v WHERE v.org_id = ?1 AND v.bucket_id = ?2 AND v.key = ?3
              AND v.sequence = ?4"
        ),
        params![
            org.bytes(),
            row.bucket.bytes(),
            row.key.as_bytes(),
            int(row.sequence)?
        ],
        unverified,
    )?;
    let stands = stands.filter(|row| row.tag() == old);
    let stands = stands.ok_or(Conflict::Changed)?.into_checked();
    let held: Option<Option<Vec<Slice>>> = batch.one(
        "SELECT slices, slices IS NULL FROM contents WHERE org_id = ?1 AND version_id = ?2",
        params![org.bytes(), row.version.bytes()],
        |row| match row.get(1)? {
            true => Ok(None),
            false => slices(row, 0).map(Some),
        },
    )?;
    let same = VersionRow {
        etag: row.etag,
        content_digest: row.content_digest,
        ..stands
    };
    let (body, named) = match &content.body {
        Body::Inline(sealed) => (Some(sealed), None),
        Body::Blobs(slices) => (None, Some(slices)),
    };
    let before = match (held.ok_or(Conflict::Changed)?, named) {
        (None, None) => Vec::new(),
        (Some(before), Some(named)) if are_alike(&before, named) => before,
        _ => return Err(Conflict::Changed.into()),
    };
    if same != *row {
        return Err(Conflict::Changed.into());
    }
    let named = named.map(Vec::as_slice).unwrap_or_default();
    references::judge(batch, org, named, &reseal.new_blobs)?;

    batch.changed::<VersionRow>(org, Some(old), Some(tag));
    batch.execute(
        "UPDATE versions SET etag = ?5, content_digest = ?6, key_version = ?7, mac = ?8
         WHERE org_id = ?1 AND bucket_id = ?2 AND key = ?3 AND sequence = ?4",
        params![
            org.bytes(),
            row.bucket.bytes(),
            row.key.as_bytes(),
            int(row.sequence)?,
            row.etag,
            row.content_digest,
            tag.key_version,
            tag.mac,
        ],
    )?;
    batch.execute(
        "UPDATE contents SET metadata = ?3, body = ?4, slices = ?5, key_version = ?6
         WHERE org_id = ?1 AND version_id = ?2",
        params![
            org.bytes(),
            row.version.bytes(),
            content.metadata,
            body,
            body.is_none().then(|| encode_slices(named)),
            content.key_version,
        ],
    )?;
    replace(batch, org, reseal, (&before, named))
}

fn part(
    batch: &mut Batch<'_>,
    org: OrgId,
    reseal: &Reseal,
    old: RowTag,
    new: &Authenticated<PartRow>,
) -> Applied<Effect> {
    let (row, tag) = (new.row(), new.tag());
    batch.same_org(org, row.org)?;
    batch.sealed_key_open(org, tag, &row.metadata)?;
    let stands = read::part(batch.conn(), org, row.upload, row.part)?;
    let stands = stands.filter(|row| row.tag() == old);
    let stands = stands.ok_or(Conflict::Changed)?.into_checked();
    let before = stands.slices.clone();
    let same = PartRow {
        metadata: row.metadata.clone(),
        slices: row.slices.clone(),
        ..stands
    };
    if same != *row || !are_alike(&before, &row.slices) {
        return Err(Conflict::Changed.into());
    }
    references::judge(batch, org, &row.slices, &reseal.new_blobs)?;

    batch.changed::<PartRow>(org, Some(old), Some(tag));
    batch.execute(
        "UPDATE upload_parts SET metadata = ?4, slices = ?5, key_version = ?6, mac = ?7
         WHERE org_id = ?1 AND upload_id = ?2 AND part = ?3",
        params![
            org.bytes(),
            row.upload.bytes(),
            row.part.value(),
            row.metadata,
            encode_slices(&row.slices),
            tag.key_version,
            tag.mac,
        ],
    )?;
    replace(batch, org, reseal, (&before, &row.slices))
}

/// Counts who names which blob, and tells which of those that were replaced others name still.
fn replace(
    batch: &mut Batch<'_>,
    org: OrgId,
    reseal: &Reseal,
    (before, named): (&[Slice], &[Slice]),
) -> Applied<Effect> {
    let mut references = References::default();
    references.add(named);
    references.drop(before);
    references.apply(batch, org, &reseal.new_blobs, reseal.trash_not_before_ms)?;
    let kept: BTreeSet<BlobId> = named.iter().map(|slice| slice.blob).collect();
    let before: BTreeSet<BlobId> = before.iter().map(|slice| slice.blob).collect();
    let mut shared = Vec::new();
    for blob in before.difference(&kept) {
        if refs(batch, org, *blob)?.unwrap_or(0) > 0 {
            shared.push(*blob);
        }
    }
    Ok(Effect::Resealed(shared))
}

/// Whether slices are the same stretches of plaintext, in whatever blobs.
fn are_alike(before: &[Slice], now: &[Slice]) -> bool {
    let same = |(before, now): (&Slice, &Slice)| {
        let moved = Slice {
            blob: now.blob,
            commitment: now.commitment,
            ..*before
        };
        moved == *now
    };
    before.len() == now.len() && before.iter().zip(now).all(same)
}
