//! Multipart uploads, and the blobs that versions and parts share.

use names::{BlobId, BucketId, PartNumber, UploadId};

use super::world::{
    DUE, HOUR, World, accounting, assert_row, blob_row, bucket_name, commit_version, object_key,
    slices, tagged,
};
use crate::catalog::{
    Body, CommitVersion, CompletedUpload, Conflict, Effect, Expect, Mutation, PartRow, RowTag,
    Store,
};

pub(in crate::catalog) async fn uploads_and_parts_are_kept(store: &dyn Store) {
    let world = World::new(store, 301).await;
    let bucket = world.bucket("docs").await;
    let row = tagged(world.upload_row(bucket, "key"), 1);
    let upload = row.row().upload;
    let key = object_key("key");
    let create = Mutation::CreateUpload(row.clone());
    assert_eq!(world.commit(create).await, Ok(Effect::Done));
    let again = Mutation::CreateUpload(row.clone());
    assert_eq!(world.commit(again).await, Err(Conflict::Exists));
    let nowhere = world.upload_row(BucketId::from_bytes([3; 16]), "key");
    assert_eq!(
        world
            .commit(Mutation::CreateUpload(tagged(nowhere, 1)))
            .await,
        Err(Conflict::Missing)
    );
    let found = store
        .upload(world.org, bucket, &key, upload)
        .await
        .expect("read");
    assert_row(found.as_slice(), &[row]);
    let elsewhere = store
        .upload(world.org, bucket, &object_key("other"), upload)
        .await;
    assert!(elsewhere.expect("read").is_none());

    let rows = [1, 2, 10, 10_000].map(|part| tagged(world.part_row(upload, part, &[]), 1));
    for row in &rows {
        world.done(put(bucket, "key", row.clone(), &[])).await;
    }
    let page = |after: Option<u64>, max| async move {
        let after = after.map(|part| PartNumber::new(part).expect("a part number"));
        store
            .parts(world.org, upload, after, max)
            .await
            .expect("a page")
    };
    assert_row(&page(None, 1_000).await, &rows);
    assert_row(&page(None, 2).await, &rows[..2]);
    assert_row(&page(Some(2), 1_000).await, &rows[2..]);
    assert_row(&page(Some(10_000), 1_000).await, &[]);

    for (key, upload) in [("other", upload), ("key", UploadId::from_bytes([4; 16]))] {
        let part = tagged(world.part_row(upload, 1, &[]), 1);
        let conflict = world.commit(put(bucket, key, part, &[])).await;
        assert_eq!(conflict, Err(Conflict::Missing));
        let conflict = world.commit(abort(bucket, key, upload)).await;
        assert_eq!(conflict, Err(Conflict::Missing));
    }
    assert_eq!(
        world.commit(abort(bucket, "key", upload)).await,
        Ok(Effect::Done)
    );
    assert!(
        store
            .upload(world.org, bucket, &key, upload)
            .await
            .expect("read")
            .is_none()
    );
    assert_row(&page(None, 1_000).await, &[]);
}

pub(in crate::catalog) async fn completing_keeps_what_the_version_names(store: &dyn Store) {
    let world = World::new(store, 311).await;
    let bucket = world.bucket("docs").await;
    let upload = world.upload(bucket, "key").await;
    let blobs: Vec<BlobId> = (0..5).map(|_| world.blob()).collect();
    let at = (bucket, "key");
    world.part(at, upload, 1, &blobs[0..1]).await;
    // The first part is put again, and the third is not taken into the object.
    let one = world.part(at, upload, 1, &blobs[1..2]).await;
    let two = world.part(at, upload, 2, &blobs[2..4]).await;
    world.part(at, upload, 3, &blobs[4..5]).await;
    assert_eq!(world.stored().await, (400, 0));
    assert_eq!(world.garbage().await, [blobs[0]]);

    let complete = |parts: Vec<(u64, RowTag)>| complete(&world, at, upload, &blobs[1..4], parts);
    let stale = RowTag {
        key_version: 1,
        mac: [1; 32],
    };
    for wrong in [vec![(1, one), (2, stale)], vec![(1, one), (4, two)]] {
        let conflict = world.commit(commit_version(complete(wrong))).await;
        assert_eq!(conflict, Err(Conflict::Changed));
    }
    let mut gone = complete(vec![(1, one), (2, two)]);
    if let Some(completes) = &mut gone.completes {
        completes.upload = UploadId::from_bytes([5; 16]);
    }
    let conflict = world.commit(commit_version(gone)).await;
    assert_eq!(conflict, Err(Conflict::Missing));
    assert_eq!(world.garbage().await, [], "what was claimed is forgotten");

    let done = world
        .commit(commit_version(complete(vec![(1, one), (2, two)])))
        .await;
    assert_eq!(done, Ok(Effect::Replaced(None)));
    assert_eq!(world.stored().await, (300, 1));
    assert_eq!(world.garbage().await, [blobs[4]]);
    assert!(
        store
            .parts(world.org, upload, None, 10)
            .await
            .expect("read")
            .is_empty()
    );
    let again = world
        .commit(commit_version(complete(vec![(1, one), (2, two)])))
        .await;
    assert_eq!(again, Err(Conflict::Stale { current: 1 }));

    world.done(delete(bucket, "key")).await;
    assert_eq!(world.stored().await, (0, 0));
    let mut left = blobs[1..4].to_vec();
    left.sort();
    assert_eq!(world.garbage().await, left);
}

pub(in crate::catalog) async fn blobs_live_as_long_as_something_names_them(store: &dyn Store) {
    let world = World::new(store, 321).await;
    let bucket = world.bucket("docs").await;
    let blob = world.blob();
    let original = world.put(bucket, "original", 1, world.in_blobs(&[blob]), &[blob]);
    world.done(commit_version(original)).await;
    let copy = world.put(bucket, "copy", 1, world.in_blobs(&[blob, blob]), &[]);
    world.done(commit_version(copy)).await;
    let upload = world.upload(bucket, "key").await;
    let part = tagged(world.part_row(upload, 1, &[blob]), 1);
    world.done(put(bucket, "key", part, &[])).await;

    world.done(delete(bucket, "original")).await;
    assert_eq!(world.garbage().await, []);
    // A copy onto itself names the blob before and after.
    let onto_itself = world.put(bucket, "copy", 2, world.in_blobs(&[blob]), &[]);
    world.done(commit_version(onto_itself)).await;
    assert_eq!(world.garbage().await, []);
    world.done(delete(bucket, "copy")).await;
    assert_eq!(world.garbage().await, []);
    world.done(abort(bucket, "key", upload)).await;

    // Garbage is not named again, from before it is due until after it is gone.
    let late = || world.put(bucket, "late", 1, world.in_blobs(&[blob]), &[]);
    let gone = Err(Conflict::BlobGone(blob));
    assert_eq!(world.commit(commit_version(late())).await, gone);
    assert_eq!(world.claim(DUE - 1, &[], 10).await, []);
    assert_eq!(world.claim(DUE, &[], 10).await, [blob]);
    assert_eq!(world.commit(commit_version(late())).await, gone);
    assert_eq!(store.blobs(world.org, &[blob]).await.expect("read"), []);
    assert_eq!(world.claim(DUE, &[], 10).await, []);
}

pub(in crate::catalog) async fn uploads_of_one_key_end_by_themselves(store: &dyn Store) {
    let world = World::new(store, 391).await;
    let bucket = world.bucket("docs").await;
    let (key, blobs) = ("key", [world.blob(), world.blob()]);
    let mut uploads = Vec::new();
    for blob in blobs {
        let upload = world.upload(bucket, key).await;
        world.part((bucket, key), upload, 1, &[blob]).await;
        uploads.push(upload);
    }
    world.done(abort(bucket, key, uploads[0])).await;
    assert_eq!(world.garbage().await, blobs[..1]);
    let key = object_key(key);
    for (upload, stands) in uploads.into_iter().zip([false, true]) {
        let found = store.upload(world.org, bucket, &key, upload).await;
        assert_eq!(found.expect("read").is_some(), stands);
        let parts = store.parts(world.org, upload, None, 10).await;
        assert_eq!(parts.expect("a page").len(), usize::from(stands));
    }
}

pub(in crate::catalog) async fn a_bucket_that_goes_takes_its_uploads_with_it(store: &dyn Store) {
    let world = World::new(store, 331).await;
    let bucket = world.bucket("docs").await;
    let blobs = [world.blob(), world.blob()];
    for (key, blob) in ["one", "two"].into_iter().zip(&blobs) {
        let upload = world.upload(bucket, key).await;
        world.part((bucket, key), upload, 1, &[*blob]).await;
    }
    assert_eq!(world.stored().await, (200, 0));
    let delete = Mutation::DeleteBucket {
        name: bucket_name("docs"),
        bucket,
    };
    assert_eq!(world.commit(delete).await, Ok(Effect::Done));
    assert_eq!(world.stored().await, (0, 0));
    // By the database's clock, which is not the one of the checks.
    assert_eq!(world.claim(0, &[], 10).await, []);
    let mut claimed = world.claim(i64::MAX as u64, &[], 10).await;
    claimed.sort();
    let mut expected = blobs.to_vec();
    expected.sort();
    assert_eq!(claimed, expected);
    let upload = tagged(world.upload_row(bucket, "three"), 1);
    assert_eq!(
        world.commit(Mutation::CreateUpload(upload)).await,
        Err(Conflict::Missing)
    );
}

pub(in crate::catalog) async fn claims_and_commits_exclude_each_other(store: &dyn Store) {
    let world = World::new(store, 341).await;
    let bucket = world.bucket("docs").await;
    // Every blob was written for a commit that is about to come, and looks like an orphan.
    let blobs: Vec<BlobId> = (0..64).map(|_| world.blob()).collect();
    let commits = blobs.iter().map(|blob| {
        let commit = world.put(
            bucket,
            &blob.to_string(),
            1,
            world.in_blobs(&[*blob]),
            &[*blob],
        );
        world.commit(commit_version(commit))
    });
    let claims = blobs.chunks(4).map(|blobs| world.claim(0, blobs, 64));
    let (commits, claims) = tokio::join!(
        futures_util::future::join_all(commits),
        futures_util::future::join_all(claims)
    );
    let claimed: Vec<BlobId> = claims.into_iter().flatten().collect();
    for (blob, outcome) in blobs.iter().zip(commits) {
        let expected = if claimed.contains(blob) {
            Err(Conflict::BlobGone(*blob))
        } else {
            Ok(Effect::Replaced(None))
        };
        assert_eq!(outcome, expected);
    }

    // A claim that stands is found until it is forgotten, and may be made again.
    let orphan = world.blob();
    assert_eq!(world.claim(0, &[orphan], 10).await, [orphan]);
    assert_eq!(world.claim(0, &[orphan], 10).await, [orphan]);
    let own = |claims: Vec<(names::OrgId, BlobId)>| {
        let own = claims.into_iter().filter(|(org, _)| *org == world.org);
        own.map(|(_, blob)| blob).collect::<Vec<_>>()
    };
    let stays = world.blob();
    assert_eq!(world.claim(0, &[stays], 10).await, [stays]);
    let claims = own(store.claims(10_000).await.expect("claims"));
    assert!(
        claims.contains(&stays)
            && claims.contains(&orphan)
            && claimed.iter().all(|blob| claims.contains(blob))
    );
    assert_eq!(store.claims(0).await.expect("claims"), []);
    let late = world.put(bucket, "late", 1, world.in_blobs(&[orphan]), &[orphan]);
    assert_eq!(
        world.commit(commit_version(late)).await,
        Err(Conflict::BlobGone(orphan))
    );
    // A claim bars its own blob alone, and is forgotten alone.
    let other = world.blob();
    let fresh = world.put(bucket, "fresh", 1, world.in_blobs(&[other]), &[other]);
    world.done(commit_version(fresh)).await;
    world.done(Mutation::ForgetClaims(vec![orphan])).await;
    let claims: Vec<_> = claims.into_iter().filter(|blob| *blob != orphan).collect();
    assert_eq!(own(store.claims(10_000).await.expect("claims")), claims);
    world.done(Mutation::ForgetClaims(claims)).await;
    assert_eq!(own(store.claims(10_000).await.expect("claims")), []);

    // What is known is not an orphan.
    let known = world.blob();
    let commit = world.put(bucket, "known", 1, world.in_blobs(&[known]), &[known]);
    world.done(commit_version(commit)).await;
    assert_eq!(world.claim(0, &[known], 10).await, []);
    let again = world.put(bucket, "again", 1, world.in_blobs(&[known]), &[known]);
    assert_eq!(
        world.commit(commit_version(again)).await,
        Err(Conflict::Exists)
    );
}

pub(in crate::catalog) async fn garbage_is_claimed_oldest_first(store: &dyn Store) {
    let world = World::new(store, 351).await;
    let bucket = world.bucket("docs").await;
    let mut blobs = Vec::new();
    for n in 0..6_u64 {
        let blob = world.blob();
        let key = format!("key-{n}");
        let commit = world.put(bucket, &key, 1, world.in_blobs(&[blob]), &[blob]);
        world.done(commit_version(commit)).await;
        let mut accounting = accounting();
        accounting.trash_not_before_ms = DUE + 10 - n;
        world
            .done(Mutation::DeleteVersion {
                bucket,
                key: object_key(&key),
                expect: Expect::Any,
                accounting,
            })
            .await;
        blobs.insert(0, blob);
    }
    let due = |now_ms| async move {
        let orgs = store
            .orgs_with_trash(now_ms, 1_000)
            .await
            .expect("organizations");
        orgs.contains(&world.org)
    };
    assert!(!due(DUE + 4).await && due(DUE + 5).await);
    assert_eq!(
        store.orgs_with_trash(u64::MAX >> 1, 0).await.expect("none"),
        []
    );
    assert_eq!(world.claim(DUE + 8, &[], 2).await, blobs[..2]);
    assert_eq!(world.claim(DUE + 8, &[], 10).await, blobs[2..4]);
    assert_eq!(world.claim(DUE + 10, &[world.blob()], 2).await, blobs[4..]);
    assert!(!due(u64::MAX >> 1).await);

    // What became garbage at one time is claimed one by one all the same.
    let mut twins = vec![world.blob(), world.blob()];
    for blob in &twins {
        let commit = world.put(bucket, "twin", 1, world.in_blobs(&[*blob]), &[*blob]);
        world.done(commit_version(commit)).await;
        world.done(delete(bucket, "twin")).await;
    }
    twins.sort();
    assert_eq!(world.claim(DUE, &[], 1).await, twins[..1]);
    assert_eq!(world.claim(DUE, &[], 1).await, twins[1..]);
}

fn put(
    bucket: BucketId,
    key: &str,
    part: crate::catalog::Authenticated<PartRow>,
    new_blobs: &[BlobId],
) -> Mutation {
    Mutation::PutPart {
        bucket,
        key: object_key(key),
        part,
        new_blobs: new_blobs.iter().map(|blob| blob_row(*blob, 1)).collect(),
        accounting: accounting(),
    }
}

fn abort(bucket: BucketId, key: &str, upload: UploadId) -> Mutation {
    Mutation::AbortUpload {
        bucket,
        key: object_key(key),
        upload,
        accounting: accounting(),
    }
}

fn delete(bucket: BucketId, key: &str) -> Mutation {
    Mutation::DeleteVersion {
        bucket,
        key: object_key(key),
        expect: Expect::Any,
        accounting: accounting(),
    }
}

fn complete(
    world: &World<'_>,
    (bucket, key): (BucketId, &str),
    upload: UploadId,
    blobs: &[BlobId],
    parts: Vec<(u64, RowTag)>,
) -> CommitVersion {
    let mut content = world.in_blobs(blobs);
    content.body = Body::Blobs(slices(blobs, 1));
    let mut commit = world.put(bucket, key, 1, content, &[]);
    let part = |(part, tag)| (PartNumber::new(part).expect("a part number"), tag);
    commit.completes = Some(CompletedUpload {
        upload,
        parts: parts.into_iter().map(part).collect(),
    });
    commit
}

impl World<'_> {
    /// Claims what is due and what looks like an orphan.
    pub(in crate::catalog) async fn claim(
        &self,
        now_ms: u64,
        candidates: &[BlobId],
        blobs_max: u32,
    ) -> Vec<BlobId> {
        let claim = Mutation::ClaimBlobs {
            candidates: candidates.to_vec(),
            now_ms,
            blobs_max,
        };
        match self.done(claim).await {
            Effect::Claimed(blobs) => blobs,
            other => panic!("{other:?}"),
        }
    }

    /// Claims all garbage there is, and forgets it.
    pub(in crate::catalog) async fn garbage(&self) -> Vec<BlobId> {
        let mut blobs = self.claim(DUE, &[], 1_000).await;
        self.done(Mutation::ForgetClaims(blobs.clone())).await;
        blobs.sort();
        blobs
    }
}

pub(in crate::catalog) async fn an_upload_is_abandoned_only_while_it_is_idle(store: &dyn Store) {
    let world = World::new(store, 984).await;
    let bucket = world.bucket("docs").await;
    let (old, with_part) = (
        world.upload(bucket, "old").await,
        world.upload(bucket, "gone-on-with").await,
    );
    let blob = world.blob();
    let key = (bucket, "gone-on-with");
    world
        .part(key, with_part, 5, std::slice::from_ref(&blob))
        .await;
    let idle = async |idle_since_ms| {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.idle_uploads(idle_since_ms, after, 1).await;
            let page = page.expect("a page");
            let Some(row) = page.first().map(|row| row.unverified()) else {
                return found;
            };
            after = Some((row.initiated_ms, row.org, row.upload));
            if row.org == world.org {
                found.push(row.upload);
            }
        }
    };
    // Begun in the hour itself; the part came 5 ms later.
    assert_eq!(idle(HOUR).await, []);
    assert_eq!(idle(HOUR + 5).await, [old]);
    let mut both = vec![old, with_part];
    both.sort();
    assert_eq!(idle(HOUR + 6).await, both);

    let abandon = |key: &str, upload, idle_since_ms| {
        world.commit(Mutation::AbandonUpload {
            bucket,
            key: object_key(key),
            upload,
            idle_since_ms,
            accounting: accounting(),
        })
    };
    let stored = world.stored().await;
    let changed = Err(Conflict::Changed);
    assert_eq!(abandon("old", old, HOUR).await, changed);
    let with = "gone-on-with";
    assert_eq!(abandon(with, with_part, HOUR + 5).await, changed);
    assert_eq!(world.stored().await, stored);
    assert_eq!(abandon("old", old, HOUR + 1).await, Ok(Effect::Done));
    assert_eq!(
        abandon("old", old, HOUR + 1).await,
        Err(Conflict::Missing),
        "it is gone, as when it was completed"
    );
    assert_eq!(abandon(with, with_part, HOUR + 6).await, Ok(Effect::Done));
    assert_eq!(world.stored().await, (0, 0));
    assert_eq!(idle(HOUR + 6).await, []);
    let due = store.orgs_with_trash(DUE, 1_000).await.expect("those");
    assert!(due.contains(&world.org), "its blob is garbage");
}
