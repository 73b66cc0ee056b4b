use names::{BlobId, OrgId};

/// The first directory, so that a bucket can hold other things beside the blobs.
pub(super) const ROOT: &str = "orgs";

/// `orgs/<org_id>/<shard>/<blob_id>`, relative to the store's root, `/` between the parts.
pub(super) fn blob_path(org: OrgId, blob: BlobId) -> String {
    format!("{ROOT}/{org}/{:02x}/{blob}", shard(blob))
}

/// `orgs/<org_id>`, below which lies all that belongs to an organization.
pub(super) fn org_path(org: OrgId) -> String {
    format!("{ROOT}/{org}")
}

/// The last byte of the identifier: its random end, since a UUIDv7 begins with the time.
pub(super) fn shard(blob: BlobId) -> u8 {
    blob.bytes()[15]
}

/// Reads a path back. What is not the one way of writing a blob's path is not a blob's path, so
/// that foreign files in a bucket or directory are passed over and never collected.
pub(super) fn parse_path(path: &str) -> Option<(OrgId, BlobId)> {
    let mut parts = path.split('/').skip(1);
    let org = parts.next()?.parse().ok()?;
    let blob = parts.nth(1)?.parse().ok()?;
    (blob_path(org, blob) == path).then_some((org, blob))
}
