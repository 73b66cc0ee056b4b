//! Buckets and versions.

use names::BucketId;

use super::world::{
    World, accounting, assert_row, blob_row, bucket_name, commit, commit_version, object_key,
    tagged,
};
use crate::catalog::{CatalogError, Conflict, Effect, Expect, Mutation, Store};

pub(in crate::catalog) async fn buckets_are_made_found_and_deleted(store: &dyn Store) {
    let world = World::new(store, 101).await;
    let rows: Vec<_> = ["one", "three", "two", "two-b"]
        .map(|name| tagged(world.bucket_row(name), 1))
        .into();
    for row in rows.iter().rev() {
        assert_eq!(
            world.commit(Mutation::CreateBucket(row.clone())).await,
            Ok(Effect::Done)
        );
    }
    let found = store
        .bucket(world.org, &bucket_name("two"))
        .await
        .expect("read");
    assert_row(found.as_slice(), &rows[2..3]);

    let another = tagged(world.bucket_row("two"), 1);
    assert_eq!(
        world.commit(Mutation::CreateBucket(another)).await,
        Err(Conflict::Exists)
    );

    let page = |prefix: &'static str, after: Option<&'static str>, max| async move {
        store
            .buckets(world.org, prefix, after, max)
            .await
            .expect("a page")
    };
    assert_row(&page("", None, 1_000).await, &rows);
    assert_row(&page("", None, 2).await, &rows[..2]);
    assert_row(&page("", Some("three"), 1_000).await, &rows[2..]);
    assert_row(&page("t", None, 1_000).await, &rows[1..]);
    assert_row(&page("two", Some("one"), 1_000).await, &rows[2..]);
    assert_row(&page("two", Some("two"), 1_000).await, &rows[3..]);
    assert_row(&page("two", Some("z"), 1_000).await, &[]);
    assert_row(&page("x", None, 1_000).await, &[]);

    let bucket = rows[0].row().bucket;
    let delete = |bucket| Mutation::DeleteBucket {
        name: bucket_name("one"),
        bucket,
    };
    let wrong = BucketId::from_bytes([1; 16]);
    assert_eq!(world.commit(delete(wrong)).await, Err(Conflict::Missing));
    world.object(bucket, "key", 1).await;
    assert_eq!(world.commit(delete(bucket)).await, Err(Conflict::NotEmpty));
    world
        .done(Mutation::DeleteVersion {
            bucket,
            key: object_key("key"),
            expect: Expect::Any,
            accounting: accounting(),
        })
        .await;
    assert_eq!(world.commit(delete(bucket)).await, Ok(Effect::Done));
    assert_eq!(world.commit(delete(bucket)).await, Err(Conflict::Missing));
    assert_row(&page("", None, 1_000).await, &rows[1..]);
}

pub(in crate::catalog) async fn organizations_do_not_meet(store: &dyn Store) {
    let (one, other) = (World::new(store, 111).await, World::new(store, 112).await);
    let (of_one, of_other) = (one.bucket("docs").await, other.bucket("docs").await);
    one.object(of_one, "key", 1).await;

    let theirs = tagged(other.bucket_row("more"), 1);
    let conflict = commit(store, one.org, Mutation::CreateBucket(theirs)).await;
    assert_eq!(conflict, Err(Conflict::Missing), "a row of another");
    let into_theirs = one.put(of_other, "key", 1, one.inline(192), &[]);
    let conflict = one.commit(commit_version(into_theirs)).await;
    assert_eq!(conflict, Err(Conflict::Missing), "a bucket of another");
    let of_theirs = other.put(of_one, "key", 1, other.inline(192), &[]);
    let conflict = commit(store, one.org, commit_version(of_theirs)).await;
    assert_eq!(conflict, Err(Conflict::Missing), "a version of another");

    let key = object_key("key");
    assert!(
        store
            .version(other.org, of_one, &key)
            .await
            .expect("read")
            .is_none()
    );
    assert!(
        store
            .version(other.org, of_other, &key)
            .await
            .expect("read")
            .is_none()
    );
    assert!(
        store
            .version(one.org, of_one, &key)
            .await
            .expect("read")
            .is_some()
    );

    // The same blob id in two organizations is two blobs.
    let blob = one.blob();
    let mine = one.put(of_one, "blob", 1, one.in_blobs(&[blob]), &[blob]);
    one.done(commit_version(mine)).await;
    let named = other.put(of_other, "blob", 1, other.in_blobs(&[blob]), &[]);
    assert_eq!(
        other.commit(commit_version(named)).await,
        Err(Conflict::BlobGone(blob))
    );
    assert_eq!(store.blobs(other.org, &[blob]).await.expect("read"), []);
}

pub(in crate::catalog) async fn versions_are_read_as_they_were_committed(store: &dyn Store) {
    let world = World::new(store, 121).await;
    let bucket = world.bucket("docs").await;
    let (first, second) = (world.blob(), world.blob());
    for (key, content, blobs) in [
        ("inline", world.inline(5_000), vec![]),
        (
            "blobs",
            world.in_blobs(&[first, second, first]),
            vec![first, second],
        ),
    ] {
        let commit = world.put(bucket, key, 7, content.clone(), &blobs);
        let version = commit.version.clone();
        assert_eq!(
            world.commit(commit_version(commit)).await,
            Ok(Effect::Replaced(None))
        );
        let key = object_key(key);
        let read = store.version(world.org, bucket, &key).await.expect("read");
        assert_row(read.as_slice(), std::slice::from_ref(&version));
        let (read, held) = store
            .object(world.org, bucket, &key)
            .await
            .expect("read")
            .expect("an object");
        assert_row(&[read], &[version]);
        assert_eq!(held, content);
    }
    let mut read = store
        .blobs(world.org, &[second, world.blob(), first])
        .await
        .expect("read");
    read.sort_by_key(|row| row.blob);
    let mut written = [first, second].map(|blob| blob_row(blob, 1));
    written.sort_by_key(|row| row.blob);
    assert_eq!(read, written);
    let absent = object_key("absent");
    assert!(
        store
            .object(world.org, bucket, &absent)
            .await
            .expect("read")
            .is_none()
    );
}

pub(in crate::catalog) async fn a_commit_replaces_the_null_version(store: &dyn Store) {
    let world = World::new(store, 131).await;
    let bucket = world.bucket("docs").await;
    let key = object_key("key");
    let first = world.object(bucket, "key", 5).await;

    for sequence in [4, 5] {
        let late = world.put(bucket, "key", sequence, world.inline(192), &[]);
        assert_eq!(
            world.commit(commit_version(late)).await,
            Err(Conflict::Stale { current: 5 })
        );
    }
    let next = world.put(bucket, "key", 6, world.inline(192), &[]);
    let second = next.version.row().version;
    assert_eq!(
        world.commit(commit_version(next)).await,
        Ok(Effect::Replaced(Some(first)))
    );
    let current = store.version(world.org, bucket, &key).await.expect("read");
    assert_eq!(current.map(|row| row.unverified().version), Some(second));

    // A version that is not null stays beside it, and the one committed last is current.
    let mut kept = world.put(bucket, "key", 7, world.inline(192), &[]);
    let mut row = kept.version.row().clone();
    row.is_null = false;
    let third = row.version;
    kept.version = tagged(row, 1);
    assert_eq!(
        world.commit(commit_version(kept)).await,
        Ok(Effect::Replaced(None))
    );
    let current = store.version(world.org, bucket, &key).await.expect("read");
    assert_eq!(current.map(|row| row.unverified().version), Some(third));
    let next = world.put(bucket, "key", 8, world.inline(192), &[]);
    let fourth = next.version.row().version;
    assert_eq!(
        world.commit(commit_version(next)).await,
        Ok(Effect::Replaced(Some(second)))
    );
    let delete = || Mutation::DeleteVersion {
        bucket,
        key: key.clone(),
        expect: Expect::Any,
        accounting: accounting(),
    };
    assert_eq!(
        world.commit(delete()).await,
        Ok(Effect::Replaced(Some(fourth)))
    );
    let current = store.version(world.org, bucket, &key).await.expect("read");
    assert_eq!(current.map(|row| row.unverified().version), Some(third));
    assert_eq!(world.commit(delete()).await, Ok(Effect::Replaced(None)));
    assert_eq!(
        world.stored().await,
        (store.object(world.org, bucket, &key).await.expect("read"))
            .map(|(row, _)| (row.unverified().size as i64, 1))
            .expect("the kept version")
    );
}

pub(in crate::catalog) async fn expectations_are_judged_where_they_are_applied(store: &dyn Store) {
    let world = World::new(store, 141).await;
    let bucket = world.bucket("docs").await;
    let put = |sequence, expect| {
        let mut commit = world.put(bucket, "key", sequence, world.inline(192), &[]);
        commit.expect = expect;
        (commit.version.row().version, commit_version(commit))
    };
    let delete = |key: &str, expect| Mutation::DeleteVersion {
        bucket,
        key: object_key(key),
        expect,
        accounting: accounting(),
    };
    let stranger = world
        .version_row(bucket, "other", 1, &world.inline(192))
        .version;

    let none = Err(Conflict::Expectation { current: None });
    assert_eq!(
        world.commit(put(1, Expect::Version(stranger)).1).await,
        none
    );
    assert_eq!(
        world.commit(delete("key", Expect::Version(stranger))).await,
        none
    );
    let nothing = delete("key", Expect::Absent);
    assert_eq!(world.commit(nothing).await, Ok(Effect::Replaced(None)));

    let (first, commit) = put(1, Expect::Absent);
    assert_eq!(world.commit(commit).await, Ok(Effect::Replaced(None)));
    let taken = Err(Conflict::Expectation {
        current: Some(first),
    });
    assert_eq!(world.commit(put(2, Expect::Absent).1).await, taken);
    assert_eq!(
        world.commit(put(2, Expect::Version(stranger)).1).await,
        taken
    );
    assert_eq!(world.commit(delete("key", Expect::Absent)).await, taken);
    assert_eq!(
        world.commit(delete("key", Expect::Version(stranger))).await,
        taken
    );

    let (second, commit) = put(2, Expect::Version(first));
    assert_eq!(
        world.commit(commit).await,
        Ok(Effect::Replaced(Some(first)))
    );
    assert_eq!(
        world.commit(delete("key", Expect::Version(second))).await,
        Ok(Effect::Replaced(Some(second)))
    );

    let gone = Mutation::DeleteVersion {
        bucket: BucketId::from_bytes([9; 16]),
        key: object_key("key"),
        expect: Expect::Any,
        accounting: accounting(),
    };
    assert_eq!(world.commit(gone).await, Err(Conflict::Missing));
}

pub(in crate::catalog) async fn one_of_many_creates_wins(store: &dyn Store) {
    let world = World::new(store, 151).await;
    let bucket = world.bucket("docs").await;
    let commits = (0..64).map(|n| {
        let mut commit = world.put(bucket, "key", 1 + n, world.inline(192), &[]);
        commit.expect = Expect::Absent;
        let version = commit.version.row().version;
        let world = &world;
        async move { (version, world.commit(commit_version(commit)).await) }
    });
    let outcomes = futures_util::future::join_all(commits).await;
    let won: Vec<_> = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.is_ok())
        .collect();
    assert_eq!(won.len(), 1, "{outcomes:?}");
    let winner = won[0].0;
    for (version, outcome) in &outcomes {
        let lost = Err(Conflict::Expectation {
            current: Some(winner),
        });
        assert!(*version == winner || *outcome == lost, "{outcome:?}");
    }
    let key = object_key("key");
    let current = store.version(world.org, bucket, &key).await.expect("read");
    assert_eq!(current.map(|row| row.unverified().version), Some(winner));
    assert_eq!(world.stored().await.1, 1);
}

pub(in crate::catalog) async fn a_conflict_leaves_its_neighbours_alone(store: &dyn Store) {
    let world = World::new(store, 161).await;
    let bucket = world.bucket("docs").await;
    let blob = world.blob();
    let good = |n: u64| world.put(bucket, &format!("key-{n}"), 1, world.inline(192), &[]);
    let bad = world.put(bucket, "bad", 1, world.in_blobs(&[blob]), &[]);
    let bound = |mutation| crate::catalog::Bound {
        org: world.org,
        mutation,
    };
    let outcomes = store
        .commit(vec![
            bound(commit_version(good(1))),
            bound(commit_version(bad)),
            bound(commit_version(good(2))),
        ])
        .await
        .expect("a commit");
    assert_eq!(
        outcomes,
        [
            Ok(Effect::Replaced(None)),
            Err(Conflict::BlobGone(blob)),
            Ok(Effect::Replaced(None)),
        ]
    );
    for (key, stands) in [("key-1", true), ("bad", false), ("key-2", true)] {
        let read = store.version(world.org, bucket, &object_key(key)).await;
        assert_eq!(read.expect("read").is_some(), stands, "{key}");
    }
    assert_eq!(world.stored().await, (384, 2));
}

pub(in crate::catalog) async fn a_number_too_large_for_sql_is_refused_alone(store: &dyn Store) {
    let world = World::new(store, 171).await;
    let bucket = world.bucket("docs").await;
    let good = world.put(bucket, "good", 1, world.inline(192), &[]);
    let mut bad = world.put(bucket, "bad", 1, world.inline(192), &[]);
    let mut row = bad.version.row().clone();
    row.size = u64::MAX;
    bad.version = tagged(row, 1);
    let of = |mutation| {
        store.commit(vec![crate::catalog::Bound {
            org: world.org,
            mutation,
        }])
    };
    let (good, bad) = tokio::join!(of(commit_version(good)), of(commit_version(bad)));
    assert_eq!(good.expect("a commit"), [Ok(Effect::Replaced(None))]);
    assert!(matches!(bad, Err(CatalogError::Unavailable(_))), "{bad:?}");
    let read = store.version(world.org, bucket, &object_key("bad")).await;
    assert!(read.expect("read").is_none());
}
