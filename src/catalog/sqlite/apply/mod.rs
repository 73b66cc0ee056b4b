//! Mutations, judged and applied inside a transaction: every one reads all that it depends on
//! before its first write, so that one that is refused has written nothing.

mod buckets;
mod counted;
mod credentials;
mod garbage;
mod keys;
mod organizations;
mod prune;
mod purge;
mod records;
mod references;
mod reseal;
mod rewrap;
mod uploads;
mod versions;

use names::OrgId;

use super::batch::Batch;
use super::error::Applied;
use crate::catalog::{Effect, Mutation};

/// Applies one mutation in an organization.
pub(super) fn apply(batch: &mut Batch<'_>, org: OrgId, mutation: &Mutation) -> Applied<Effect> {
    match mutation {
        Mutation::CreateBucket(bucket) => buckets::create(batch, org, bucket),
        Mutation::DeleteBucket { name, bucket } => buckets::delete(batch, org, name, *bucket),
        Mutation::CommitVersion(commit) => versions::commit(batch, org, commit),
        Mutation::DeleteVersion {
            bucket,
            key,
            expect,
            accounting,
        } => versions::delete(batch, org, *bucket, key, *expect, accounting),
        Mutation::CreateUpload(upload) => uploads::create(batch, org, upload),
        Mutation::PutPart {
            bucket,
            key,
            part,
            new_blobs,
            accounting,
        } => uploads::put_part(batch, org, (*bucket, key), part, new_blobs, accounting),
        Mutation::AbortUpload {
            bucket,
            key,
            upload,
            accounting,
        } => uploads::abort(batch, org, *bucket, key, *upload, accounting),
        Mutation::AbandonUpload {
            bucket,
            key,
            upload,
            idle_since_ms,
            accounting,
        } => uploads::abandon(
            batch,
            org,
            (*bucket, key),
            *upload,
            *idle_since_ms,
            accounting,
        ),
        Mutation::AppendAudit(segment) => counted::append_audit(batch, org, segment),
        Mutation::CommitRecords { writes, guards } => records::commit(batch, org, writes, guards),
        Mutation::AddUsage(deltas) => counted::add_usage(batch, org, deltas),
        Mutation::CountOnce { writes, usage } => counted::count_once(batch, org, writes, usage),
        Mutation::NoteUses(uses) => credentials::note_uses(batch, org, uses),
        Mutation::CreateOrganization {
            organization,
            key,
            name_key,
            records,
        } => organizations::create(batch, org, organization, key, name_key, records),
        Mutation::ReplaceOrganization(row) => organizations::replace(batch, org, row),
        Mutation::CreatePlatformKey(key) => keys::create_platform(batch, org, key),
        Mutation::AddKey(key) => keys::add(batch, org, key),
        Mutation::ReplaceKey { old, new } => keys::replace(batch, org, *old, new),
        Mutation::DeleteKey { version } => keys::delete(batch, org, *version),
        Mutation::CreateNameKey(key) => keys::create_name_key(batch, org, key),
        Mutation::CreateCredential(row) => credentials::create(batch, org, row),
        Mutation::ReplaceCredential(row) => credentials::replace(batch, org, row),
        Mutation::DeleteExpiredCredentials { now_ms, rows_max } => {
            credentials::delete_expired(batch, org, *now_ms, *rows_max)
        }
        Mutation::DestroyOrganization(row) => organizations::destroy(batch, org, row),
        Mutation::PurgeOrganization { rows_max } => purge::purge(batch, org, *rows_max),
        Mutation::Rewrap(rewraps) => rewrap::rewrap(batch, org, rewraps),
        Mutation::Reseal(reseal) => reseal::reseal(batch, org, reseal),
        Mutation::ClaimBlobs {
            candidates,
            now_ms,
            blobs_max,
        } => garbage::claim(batch, org, candidates, *now_ms, *blobs_max),
        Mutation::ForgetClaims(blobs) => garbage::forget(batch, org, blobs),
        Mutation::FoldUsage => counted::fold_usage(batch, org),
        Mutation::PruneChanges(prune) => prune::prune(batch, org, prune),
    }
}
