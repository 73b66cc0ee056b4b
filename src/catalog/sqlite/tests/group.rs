//! What waits is committed together, and what fails does not take others with it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;

use futures_util::future::join_all;
use names::BucketId;
use rusqlite::Connection;
use rustix::process::{Resource, getrlimit};

use super::{Answer, again, call, open, path, stands, store, world};
use crate::catalog::conformance::world::{World, commit_version, tagged};
use crate::catalog::sqlite::SqliteStore;
use crate::catalog::sqlite::open::open_writer;
use crate::catalog::{CatalogError, Conflict, Effect, Mutation, Store};
use crate::clock::Clock;

#[tokio::test]
async fn what_waits_is_committed_together() {
    let (_directory, path) = path();
    let store = store(&path);
    let world = world(&store).await;
    let bucket = world.bucket("docs").await;
    let (before, _) = store.last_change().await.unwrap();
    let answers = together(&store, &world, (0..100).map(|n| put(&world, bucket, n))).await;
    assert_eq!(answers.len(), 100);
    for answer in answers {
        assert_eq!(answer.unwrap(), [Ok(Effect::Replaced(None))]);
    }
    // One change for the organization and the transaction, and one row for each of two meters, of
    // the organization and of the bucket.
    let changes = store.changes_since(before, 1_000).await.unwrap();
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].entries.len(), 100);
    let deltas: i64 = count(&path, "SELECT COUNT(*) FROM usage_deltas");
    assert_eq!(deltas, 4);
}

#[tokio::test]
async fn a_group_has_an_end() {
    let (_directory, path) = path();
    let store = store(&path);
    let world = world(&store).await;
    let bucket = world.bucket("docs").await;
    let (before, _) = store.last_change().await.unwrap();
    together(&store, &world, (0..300).map(|n| put(&world, bucket, n))).await;
    let changes = store.changes_since(before, 1_000).await.unwrap();
    let sizes: Vec<_> = changes.iter().map(|change| change.entries.len()).collect();
    assert_eq!(sizes, [128, 128, 44]);
}

#[tokio::test]
async fn a_conflict_in_a_group_is_its_own() {
    let (_directory, path) = path();
    let store = store(&path);
    let world = world(&store).await;
    let bucket = world.bucket("docs").await;
    let blob = world.blob();
    let refused = world.put(bucket, "refused", 1, world.in_blobs(&[blob]), &[]);
    let (before, _) = store.last_change().await.unwrap();
    let mutations = [
        put(&world, bucket, 1),
        commit_version(refused),
        put(&world, bucket, 2),
    ];
    let answers = together(&store, &world, mutations).await;
    let outcomes: Vec<_> = answers.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(
        outcomes,
        [
            Ok(Effect::Replaced(None)),
            Err(Conflict::BlobGone(blob)),
            Ok(Effect::Replaced(None)),
        ]
    );
    assert!(!stands(&world, bucket, "refused").await);
    assert_eq!(store.changes_since(before, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn after_an_error_of_sql_every_call_is_tried_alone() {
    let (_directory, path) = path();
    let store = store(&path);
    let world = world(&store).await;
    let bucket = world.bucket("docs").await;
    // A number that SQL cannot hold: found in the middle of the writes of its mutation.
    let mut broken = world.put(bucket, "broken", 1, world.inline(192), &[]);
    let mut row = broken.version.row().clone();
    row.modified_ms = u64::MAX;
    broken.version = tagged(row, 1);
    let (before, _) = store.last_change().await.unwrap();
    let mutations = [
        put(&world, bucket, 1),
        commit_version(broken),
        put(&world, bucket, 2),
    ];
    let answers = together(&store, &world, mutations).await;
    let [first, second, third] = <[Answer; 3]>::try_from(answers).unwrap();
    assert_eq!(first.unwrap(), [Ok(Effect::Replaced(None))]);
    assert!(
        matches!(second, Err(CatalogError::Unavailable(_))),
        "{second:?}"
    );
    assert_eq!(third.unwrap(), [Ok(Effect::Replaced(None))]);
    assert!(!stands(&world, bucket, "broken").await);
    assert!(stands(&world, bucket, "key-1").await && stands(&world, bucket, "key-2").await);
    assert_eq!(world.stored().await, (384, 2));
    assert_eq!(store.changes_since(before, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_finds_no_room_is_not_committed() {
    let (_directory, path) = path();
    let store = store(&path);
    let world = world(&store).await;
    let bucket = world.bucket("docs").await;
    let limit = |pages: i64| {
        store.writer.outside(move |conn| {
            conn.pragma_update_and_check(None, "max_page_count", pages, |row| row.get::<_, i64>(0))
        })
    };
    let pages = limit(1).await.unwrap();
    assert!(pages > 1, "as many as there are: {pages}");
    let large = world.put(bucket, "large", 1, world.inline(1 << 20), &[]);
    let mutations = [
        put(&world, bucket, 1),
        commit_version(large),
        put(&world, bucket, 2),
    ];
    for answer in together(&store, &world, mutations).await {
        assert!(matches!(answer, Err(CatalogError::Full)), "{answer:?}");
    }
    for key in ["key-1", "large", "key-2"] {
        assert!(!stands(&world, bucket, key).await, "{key}");
    }
    assert_eq!(world.stored().await, (0, 0));
    limit(1 << 20).await.unwrap();
    let later = call(&store, world.org, put(&world, bucket, 1)).await;
    assert_eq!(later.unwrap(), [Ok(Effect::Replaced(None))]);
}

#[tokio::test]
async fn a_commit_that_fails_stops_the_catalog() {
    let (_directory, path) = path();
    let (org, bucket) = {
        let store = open(&path);
        let world = world(&*store).await;
        (world.org, world.bucket("docs").await)
    };
    let mut conn = open_writer(&path).unwrap();
    let mut commits = 0;
    let fails_on_second = move || {
        commits += 1;
        commits == 2
    };
    conn.commit_hook(Some(fails_on_second)).unwrap();
    let store = SqliteStore::with_writer(&path, 2, Clock::system(), conn).unwrap();
    let world = again(&store, org, 2);
    let first = call(&store, org, put(&world, bucket, 1)).await;
    assert_eq!(first.unwrap(), [Ok(Effect::Replaced(None))]);

    let mutations = [put(&world, bucket, 2), put(&world, bucket, 3)];
    for answer in together(&store, &world, mutations).await {
        assert!(
            matches!(answer, Err(CatalogError::Unavailable(_))),
            "{answer:?}"
        );
    }
    let reason = store.stopped().await.to_string();
    assert!(
        reason.contains("has stopped since a commit failed"),
        "{reason}"
    );
    // Nothing is tried again, though the disk would take it.
    let later = call(&store, org, put(&world, bucket, 4)).await;
    assert_eq!(later.unwrap_err().to_string(), reason);
    assert_eq!(store.ready().await.unwrap_err().to_string(), reason);
    let lease = store.lease("a job", world.node(), 1).await;
    assert_eq!(lease.unwrap_err().to_string(), reason);
    assert!(stands(&world, bucket, "key-1").await, "reads go on");
    assert!(!stands(&world, bucket, "key-2").await);
    drop(store);

    let store = open(&path);
    let world = again(&*store, org, 3);
    let next = call(&*store, org, put(&world, bucket, 2)).await;
    assert_eq!(next.unwrap(), [Ok(Effect::Replaced(None))]);
}

/// The size of a file is limited, so that the log cannot be written to its end: the kernel gives
/// an error that is not "no room". The limit holds for a whole process, so the test runs itself
/// again in one of its own.
#[test]
fn a_log_that_cannot_be_written_takes_nothing_and_loses_nothing() {
    const NAME: &str = "catalog::sqlite::tests::group::\
                        a_log_that_cannot_be_written_takes_nothing_and_loses_nothing";
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if getrlimit(Resource::Fsize).current.is_some() {
        let acknowledged = runtime.block_on(commit_until_it_fails(Path::new("catalog.sqlite")));
        fs::write("acknowledged", acknowledged.to_string()).unwrap();
        return;
    }
    let directory = tempfile::TempDir::new().unwrap();
    let output = Command::new("sh")
        .args(["-c", r#"trap "" XFSZ; ulimit -f 2048; exec "$0" "$@""#])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", NAME])
        .current_dir(&directory)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
    let acknowledged = fs::read_to_string(directory.path().join("acknowledged")).unwrap();
    let acknowledged: u64 = acknowledged.parse().unwrap();
    assert!(acknowledged > 10, "{acknowledged}");

    let store = open(&directory.path().join("catalog.sqlite"));
    runtime.block_on(async {
        let rows = store.organizations(None, 10).await.unwrap();
        let org = rows[0].unverified().org;
        let world = again(&*store, org, 2);
        let buckets = store.buckets(org, "", None, 10).await.unwrap();
        let bucket = buckets[0].unverified().bucket;
        for n in 0..acknowledged {
            assert!(stands(&world, bucket, &format!("key-{n}")).await, "{n}");
        }
        let refused = format!("key-{acknowledged}");
        assert!(!stands(&world, bucket, &refused).await, "{refused}");
        let next = call(&*store, org, put(&world, bucket, u64::MAX)).await;
        assert_eq!(next.unwrap(), [Ok(Effect::Replaced(None))]);
    });
}

async fn commit_until_it_fails(path: &Path) -> u64 {
    let store = open(path);
    let world = world(&*store).await;
    let bucket = world.bucket("docs").await;
    let mut acknowledged = 0;
    loop {
        match call(&*store, world.org, put(&world, bucket, acknowledged)).await {
            Ok(_) => acknowledged += 1,
            Err(CatalogError::Unavailable(reason)) => {
                assert!(!reason.contains("has stopped"), "{reason}");
                store.ready().await.unwrap();
                let refused = format!("key-{acknowledged}");
                assert!(!stands(&world, bucket, &refused).await, "{refused}");
                return acknowledged;
            }
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn a_writer_that_panics_is_a_catalog_that_stops() {
    let (_directory, path) = path();
    let store = store(&path);
    let world = world(&store).await;
    let panics = |_: &Connection| -> rusqlite::Result<()> { panic!("as the test wants") };
    let gone = store.writer.outside(panics).await;
    assert!(matches!(gone, Err(CatalogError::Unavailable(_))));
    assert!(matches!(
        store.stopped().await,
        CatalogError::Unavailable(_)
    ));
    let fold = call(&store, world.org, Mutation::FoldUsage).await;
    assert!(matches!(fold, Err(CatalogError::Unavailable(_))));
}

/// Has calls wait while the writer is busy, so that they form one group.
async fn together(
    store: &SqliteStore,
    world: &World<'_>,
    mutations: impl IntoIterator<Item = Mutation>,
) -> Vec<Answer> {
    let (free, is_free) = mpsc::channel();
    let busy = store.writer.outside(move |_| {
        // An error would say that the test has ended.
        let _ = is_free.recv();
        Ok(())
    });
    let calls = join_all(
        mutations
            .into_iter()
            .map(|mutation| call(store, world.org, mutation)),
    );
    // Each is polled once, in this order and without a pause, before the writer is freed.
    let calls = tokio::task::unconstrained(calls);
    let (busy, answers, ()) = tokio::join!(biased; busy, calls, async {
        free.send(()).unwrap();
    });
    busy.unwrap();
    answers
}

fn put(world: &World<'_>, bucket: BucketId, n: u64) -> Mutation {
    let key = format!("key-{n}");
    commit_version(world.put(bucket, &key, 1, world.inline(192), &[]))
}

fn count(path: &Path, sql: &str) -> i64 {
    let conn = Connection::open(path).unwrap();
    conn.query_row(sql, [], |row| row.get(0)).unwrap()
}
