//! Others that have the file open.

use std::thread;
use std::time::Duration;

use futures_util::future::join_all;
use names::OrgId;
use rusqlite::Connection;

use super::{again, open, path, stands, world};
use crate::catalog::conformance::world::{
    World, commit, commit_version, make_platform_key, tagged,
};
use crate::catalog::sqlite::SqliteStore;
use crate::catalog::{
    Class, Effect, Expect, Mutation, PruneChanges, RecordKind, STALE_AFTER, SealedRowSet,
};
use crate::clock::Clock;

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_write_to_one_file() {
    let (_directory, path) = path();
    let (one, other) = (open(&path), open(&path));
    let mine = world(&*one).await;
    let theirs = again(&*other, mine.org, 2);
    let bucket = mine.bucket("docs").await;
    let create = |world: &World<'_>, n: u64| {
        let mut commit = world.put(bucket, &format!("key-{n}"), 1, world.inline(192), &[]);
        commit.expect = Expect::Absent;
        commit_version(commit)
    };
    let (of_one, of_other) = tokio::join!(
        join_all((0..100).map(|n| mine.commit(create(&mine, n)))),
        join_all((0..100).map(|n| theirs.commit(create(&theirs, n)))),
    );
    for (n, (one, other)) in of_one.into_iter().zip(of_other).enumerate() {
        assert!(one.is_ok() != other.is_ok(), "{n}: {one:?} {other:?}");
        assert!(stands(&theirs, bucket, &format!("key-{n}")).await);
    }
    assert_eq!(mine.stored().await, (100 * 192, 100));
    let mut head = [0; 32];
    for (change, seq) in one.changes_since(0, 1_000).await.unwrap().iter().zip(1..) {
        assert_eq!(change.seq, seq);
        assert!(change.follows(&head));
        head = change.head;
    }
    assert_eq!(other.last_change().await.unwrap().1, head);
}

#[tokio::test]
async fn a_poll_tells_of_what_others_changed() {
    let (_directory, path) = path();
    let (clock, hand) = Clock::manual(1_000_000);
    let one = SqliteStore::open(&path, 1, clock.clone()).unwrap();
    let other = SqliteStore::open(&path, 1, clock).unwrap();
    let theirs = world(&*other).await;
    let mine = again(&*one, theirs.org, 2);
    one.poll().await.unwrap();
    let stamp = |class| one.coherence().stamp(theirs.org, class);
    let (rights, buckets) = (stamp(Class::Rights), stamp(Class::Buckets));
    assert!(rights.is_some() && buckets.is_some());

    let bucket = theirs.bucket("theirs").await;
    theirs.object(bucket, "key", 1).await;
    assert_eq!(stamp(Class::Buckets), buckets, "nobody has told yet");
    one.poll().await.unwrap();
    assert_ne!(stamp(Class::Buckets), buckets);
    assert_eq!(stamp(Class::Rights), rights);
    let buckets = stamp(Class::Buckets);
    one.poll().await.unwrap();
    assert_eq!(stamp(Class::Buckets), buckets, "nothing is told twice");

    // A change of this process, between two of the other, hides neither.
    let member = tagged(theirs.record_row(RecordKind::Member), 1);
    theirs.insert(member).await;
    mine.bucket("mine").await;
    theirs.bucket("more").await;
    let buckets = stamp(Class::Buckets);
    one.poll().await.unwrap();
    assert_ne!(stamp(Class::Rights), rights);
    assert_ne!(stamp(Class::Buckets), buckets);

    // Whoever does not poll knows nothing.
    hand.advance(STALE_AFTER + Duration::from_millis(1));
    assert_eq!(stamp(Class::Rights), None);
    one.poll().await.unwrap();
    assert!(stamp(Class::Rights).is_some());
}

#[tokio::test]
async fn whoever_slept_while_changes_were_pruned_trusts_no_cache() {
    let (_directory, path) = path();
    let (one, other) = (open(&path), open(&path));
    let theirs = world(&*other).await;
    let bystander = World::new(&*other, 77).await;
    let stamp = async |org| loop {
        // A poll makes stamps fresh, for as long as this thread is not put aside.
        one.poll().await.unwrap();
        if let Some(stamp) = one.coherence().stamp(org, Class::Rights) {
            return stamp;
        }
    };
    let before = (stamp(theirs.org).await, stamp(bystander.org).await);
    assert_eq!(stamp(theirs.org).await, before.0);

    let member = tagged(theirs.record_row(RecordKind::Member), 1);
    theirs.insert(member).await;
    let (seq, head) = other.last_change().await.unwrap();
    let prune = PruneChanges {
        from_seq: 0,
        seq,
        head,
        rows: SealedRowSet {
            rows: 0,
            sum: [0; 32],
        },
        folded: Vec::new(),
    };
    let prune = Mutation::PruneChanges(prune);
    assert_eq!(
        commit(&*other, OrgId::PLATFORM, prune).await,
        Ok(Effect::Done)
    );
    let after = (stamp(theirs.org).await, stamp(bystander.org).await);
    assert_ne!(after.0, before.0);
    assert_ne!(after.1, before.1, "nobody knows whose changes went");
    assert_eq!(stamp(theirs.org).await, after.0, "it is told once");
}

#[tokio::test]
async fn readers_do_not_wait_for_a_writer() {
    let (_directory, path) = path();
    let store = open(&path);
    let world = world(&*store).await;
    let bucket = world.bucket("docs").await;
    world.object(bucket, "key", 1).await;
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch("BEGIN IMMEDIATE; DELETE FROM versions;")
        .unwrap();
    assert!(stands(&world, bucket, "key").await);
    let query = crate::catalog::ListQuery {
        max: 10,
        ..Default::default()
    };
    let listed = store.list(world.org, bucket, &query).await.unwrap();
    assert_eq!(listed.entries.len(), 1);
    // A commit waits, and is done when the other has ended.
    let commit = world.put(bucket, "key", 2, world.inline(192), &[]);
    let (done, ()) = tokio::join!(world.commit(commit_version(commit)), async {
        other.execute_batch("ROLLBACK").unwrap();
    });
    assert!(matches!(done, Ok(Effect::Replaced(Some(_)))), "{done:?}");
}

#[test]
fn all_may_open_a_new_file_at_once() {
    let (_directory, path) = path();
    thread::scope(|scope| {
        let opening: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| SqliteStore::open(&path, 1, Clock::system()).map(drop)))
            .collect();
        for opened in opening {
            opened.join().unwrap().unwrap();
        }
    });
}

#[tokio::test]
async fn a_lease_ends_by_the_clock() {
    let (_directory, path) = path();
    let (clock, hand) = Clock::manual(1_000_000);
    let store = SqliteStore::open(&path, 1, clock).unwrap();
    make_platform_key(&*store).await;
    let world = World::new(&*store, 1).await;
    let (one, other) = (world.node(), world.node());
    let lease = async |holder| store.lease("a job", holder, 10).await.unwrap();
    let first = lease(one).await.unwrap();
    hand.advance(Duration::from_millis(9_999));
    assert_eq!(lease(other).await, None);
    hand.advance(Duration::from_millis(1));
    let second = lease(other).await.unwrap();
    assert!(second > first);
    assert_eq!(lease(one).await, None);
    hand.advance(Duration::from_secs(9));
    assert_eq!(lease(other).await, Some(second), "renewed");
    hand.advance(Duration::from_secs(9));
    assert_eq!(lease(one).await, None);

    store.node_seen(one, 1).await.unwrap();
    hand.advance(Duration::from_secs(5));
    assert_eq!(store.nodes(5).await.unwrap(), [(one, 1)]);
    assert_eq!(store.nodes(4).await.unwrap(), []);
}
