//! Keys that leaked: what they wrapped is not wrapped again, and bodies that were sealed anew take
//! the place of the same bodies.

use names::{BlobId, BucketId};
use sha2::{Digest, Sha256};

use super::world::{DUE, World, accounting, blob_row, commit_version, object_key, slices, tagged};
use crate::catalog::{
    Authenticated, Body, Conflict, Content, Effect, Expect, KeyState, Mutation, NamesKey, PartRow,
    Reseal, ResealedRow, Rewrap, RowTag, Store, VersionRow,
};

pub(in crate::catalog) async fn what_a_leaked_key_wrapped_is_not_wrapped_again(store: &dyn Store) {
    let world = World::new(store, 701).await;
    let bucket = world.bucket("docs").await;
    let [kept, gone] = [world.blob(), world.blob()];
    world.object(bucket, "inline", 1).await;
    for (key, blob) in [("kept", kept), ("gone", gone)] {
        let commit = world.put(bucket, key, 1, world.in_blobs(&[blob]), &[blob]);
        world.done(commit_version(commit)).await;
    }
    world.done(delete(bucket, "gone")).await;
    let node = world.node();
    world
        .done(Mutation::AppendAudit(world.segment(node, 0)))
        .await;
    world.leak().await;

    let named = store.named_by_key(world.org, 1, 100).await.expect("a page");
    let mut wrapped_again = Vec::new();
    for one in &named {
        let rewrap = world.rewrapped(one);
        let is_header = matches!(
            rewrap,
            Rewrap::Content { .. } | Rewrap::Blob { .. } | Rewrap::AuditSegment { .. }
        );
        let done = world.done(Mutation::Rewrap(vec![rewrap])).await;
        if is_header && done == Effect::Rewrapped(1) {
            let NamesKey::Blob(row) = one else {
                panic!("{one:?} was wrapped again");
            };
            wrapped_again.push(row.blob);
        }
    }
    assert_eq!(wrapped_again, [gone], "nothing but what nobody names");

    let mut sealed = world.sealed(512);
    let anew = |sealed: &[u8]| {
        Mutation::Rewrap(vec![Rewrap::SealedSegment {
            node,
            number: 0,
            old_key_version: 1,
            sealed: sealed.to_vec(),
            key_version: 2,
        }])
    };
    let closed = Err(Conflict::KeyClosed { version: 1 });
    assert_eq!(world.commit(anew(&sealed)).await, closed);
    sealed[..192].copy_from_slice(&world.header(2));
    assert_eq!(world.done(anew(&sealed)).await, Effect::Rewrapped(1));
    assert_eq!(world.done(anew(&sealed)).await, Effect::Rewrapped(0));
    let segments = store.audit_segments(world.org, node, 0, 10).await;
    let [segment] = <[_; 1]>::try_from(segments.expect("a page")).expect("one segment");
    assert_eq!((segment.sealed, segment.key_version), (sealed, 2));

    // It goes like any closed one, once nothing names it.
    let delete = || Mutation::DeleteKey { version: 1 };
    assert_eq!(world.commit(delete()).await, Err(Conflict::InUse));
}

pub(in crate::catalog) async fn a_body_sealed_anew_takes_the_place_of_the_same(store: &dyn Store) {
    let world = World::new(store, 711).await;
    let bucket = world.bucket("docs").await;
    let [own, shared, new, other] = [(); 4].map(|()| world.blob());
    let content = world.in_blobs(&[own, shared]);
    let commit = world.put(bucket, "object", 7, content, &[own, shared]);
    let (row, old) = (commit.version.row().clone(), commit.version.tag());
    world.done(commit_version(commit)).await;
    let copy = world.put(bucket, "copy", 1, world.in_blobs(&[shared]), &[]);
    world.done(commit_version(copy)).await;
    world.leak().await;
    let recount = store.recount(world.org).await.expect("read");

    let content = |blobs: &[BlobId]| Content {
        metadata: [&world.header(2)[..], &[0; 320]].concat(),
        body: Body::Blobs(slices(blobs, 0)),
        key_version: 2,
    };
    let anew = |row: &VersionRow, content: Content, blobs: &[BlobId]| {
        let digest = Sha256::digest(content.digest_input().expect("a header")).into();
        let new = VersionRow {
            etag: [9; 32],
            content_digest: digest,
            ..row.clone()
        };
        reseal(
            ResealedRow::Version {
                old,
                new: tagged(new, 2),
                content,
            },
            blobs,
        )
    };
    let whole = || anew(&row, content(&[new, other]), &[new, other]);

    // It says the same, but for what is sealed.
    let mut longer = slices(&[new, other], 0);
    longer[1].length = 99;
    let longer = Content {
        body: Body::Blobs(longer),
        ..content(&[])
    };
    for row in [
        VersionRow {
            size: 1,
            ..row.clone()
        },
        VersionRow {
            modified_ms: 1,
            ..row.clone()
        },
        VersionRow {
            parts: 2,
            ..row.clone()
        },
        VersionRow {
            version: names::VersionId::from_bytes([1; 16]),
            ..row.clone()
        },
    ] {
        let changed = anew(&row, content(&[new, other]), &[new, other]);
        assert_eq!(world.commit(changed).await, Err(Conflict::Changed));
    }
    for other_body in [
        longer,
        content(&[new]),
        Content {
            key_version: 2,
            ..world.inline(192)
        },
    ] {
        let mut other_body = other_body;
        other_body.metadata = content(&[]).metadata;
        let changed = anew(&row, other_body, &[new]);
        assert_eq!(world.commit(changed).await, Err(Conflict::Changed));
    }
    let unknown = anew(&row, content(&[new, other]), &[new]);
    assert_eq!(world.commit(unknown).await, Err(Conflict::BlobGone(other)));
    let known = anew(&row, content(&[new, shared]), &[new, shared]);
    assert_eq!(world.commit(known).await, Err(Conflict::Exists));
    let closed = Err(Conflict::KeyClosed { version: 1 });
    let under_old = Content {
        key_version: 1,
        ..content(&[new, other])
    };
    assert_eq!(
        world.commit(anew(&row, under_old, &[new, other])).await,
        closed
    );
    let elsewhere = World::new(store, 712).await;
    assert_eq!(elsewhere.commit(whole()).await, Err(Conflict::Missing));
    assert_eq!(
        store.blobs(world.org, &[new, other]).await.expect("read"),
        []
    );

    let (seq, _) = store.last_change().await.expect("read");
    assert_eq!(world.done(whole()).await, Effect::Resealed(vec![shared]));
    assert_eq!(world.commit(whole()).await, Err(Conflict::Changed));
    let found = store
        .object(world.org, bucket, &row.key)
        .await
        .expect("read");
    let (found, held) = found.expect("an object");
    assert_eq!(found.tag().key_version, 2);
    assert_eq!(held.body, content(&[new, other]).body);
    let same = VersionRow {
        etag: row.etag,
        content_digest: row.content_digest,
        ..found.unverified().clone()
    };
    assert_eq!(same, row);
    let told = store.changes_since(seq, 10).await.expect("changes");
    let told: Vec<_> = told.iter().flat_map(|change| &change.entries).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].old_mac, Some(old.mac));
    assert_eq!(told[0].new_mac, Some(found.tag().mac));
    assert_eq!(store.recount(world.org).await.expect("read"), recount);

    // Only what nobody names is garbage, and everything new is named.
    assert_eq!(claimed(&world).await, [own]);
    world.done(delete(bucket, "copy")).await;
    world.done(delete(bucket, "object")).await;
    let mut garbage = claimed(&world).await;
    garbage.sort_unstable();
    let mut all = vec![shared, new, other];
    all.sort_unstable();
    assert_eq!(garbage, all);
}

pub(in crate::catalog) async fn a_part_sealed_anew_takes_the_place_of_the_same(store: &dyn Store) {
    let world = World::new(store, 721).await;
    let bucket = world.bucket("docs").await;
    let upload = world.upload(bucket, "key").await;
    let [before, now] = [world.blob(), world.blob()];
    let row = world.part_row(upload, 3, &[before]);
    let part = tagged(row.clone(), 1);
    let old = part.tag();
    world
        .done(Mutation::PutPart {
            bucket,
            key: object_key("key"),
            part,
            new_blobs: vec![blob_row(before, 1)],
            accounting: accounting(),
        })
        .await;
    world.leak().await;
    let anew = |old: RowTag, row: &PartRow| {
        let mut metadata = row.metadata.clone();
        metadata[..192].copy_from_slice(&[&b"\x89BLK\r\n\x1a\n"[..], &[0; 184]].concat());
        metadata[64..68].copy_from_slice(&2_u32.to_be_bytes());
        let new: Authenticated<PartRow> = tagged(
            PartRow {
                metadata,
                slices: slices(&[now], 3),
                ..row.clone()
            },
            2,
        );
        reseal(ResealedRow::Part { old, new }, &[now])
    };
    let longer = PartRow {
        size: 101,
        ..row.clone()
    };
    assert_eq!(
        world.commit(anew(old, &longer)).await,
        Err(Conflict::Changed)
    );
    let other = PartRow {
        modified_ms: 1,
        ..row.clone()
    };
    assert_eq!(
        world.commit(anew(old, &other)).await,
        Err(Conflict::Changed)
    );
    assert_eq!(world.done(anew(old, &row)).await, Effect::Resealed(vec![]));
    assert_eq!(world.commit(anew(old, &row)).await, Err(Conflict::Changed));
    let parts = store.parts(world.org, upload, None, 10).await;
    let [found] = <[_; 1]>::try_from(parts.expect("a page")).expect("one part");
    assert_eq!(found.unverified().slices, slices(&[now], 3));
    assert_eq!(claimed(&world).await, [before]);
}

impl World<'_> {
    /// Adds the second version of the key; somebody has the first.
    async fn leak(&self) {
        let two = tagged(self.key_row(2, KeyState::Open, 1), 1);
        self.done(Mutation::AddKey(two)).await;
        self.done(Mutation::ReplaceKey {
            old: tagged(self.key_row(1, KeyState::Open, 1), 1).tag(),
            new: tagged(self.key_row(1, KeyState::Leaked, 2), 1),
        })
        .await;
    }
}

fn reseal(row: ResealedRow, blobs: &[BlobId]) -> Mutation {
    Mutation::Reseal(Box::new(Reseal {
        row,
        new_blobs: blobs.iter().map(|blob| blob_row(*blob, 2)).collect(),
        trash_not_before_ms: DUE,
    }))
}

fn delete(bucket: BucketId, key: &str) -> Mutation {
    Mutation::DeleteVersion {
        bucket,
        key: object_key(key),
        expect: Expect::Any,
        accounting: accounting(),
    }
}

async fn claimed(world: &World<'_>) -> Vec<BlobId> {
    let claim = Mutation::ClaimBlobs {
        candidates: Vec::new(),
        now_ms: DUE,
        blobs_max: 10,
    };
    match world.done(claim).await {
        Effect::Claimed(blobs) => blobs,
        other => panic!("{other:?}"),
    }
}
