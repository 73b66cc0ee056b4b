mod files;
mod group;
mod many;
mod processes;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use names::OrgId;
use rusqlite::Connection;
use tempfile::TempDir;

use super::SqliteStore;
use super::open::open_writer;
use crate::catalog::conformance::conforms;
use crate::catalog::conformance::world::{World, make_platform_key, object_key};
use crate::catalog::{Bound, CatalogError, Conflict, Effect, Mutation, Store};
use crate::clock::Clock;

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_conforms() {
    let (_directory, path) = path();
    let store = SqliteStore::open(&path, 2, Clock::system()).unwrap();
    conforms(&*store).await;
}

#[tokio::test]
async fn one_thread_and_one_reader_are_enough() {
    let (_directory, path) = path();
    let store = SqliteStore::open(&path, 1, Clock::system()).unwrap();
    conforms(&*store).await;
}

/// Counts the instructions of SQLite's machine on a connection.
pub(super) fn count_steps(conn: &mut Connection, steps: &Arc<AtomicU64>) {
    let steps = Arc::clone(steps);
    let count = move || {
        steps.fetch_add(1, Ordering::SeqCst);
        false
    };
    conn.progress_handler(1, Some(count)).unwrap();
}

/// A place for a catalog whose directory does not exist yet.
fn path() -> (TempDir, PathBuf) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("some/below/catalog.sqlite");
    (directory, path)
}

/// A store whose writer a test can reach.
fn store(path: &Path) -> SqliteStore {
    let conn = open_writer(path).unwrap();
    SqliteStore::with_writer(path, 2, Clock::system(), conn).unwrap()
}

/// An organization in a store that holds nothing.
async fn world(store: &dyn Store) -> World<'_> {
    make_platform_key(store).await;
    World::new(store, 1).await
}

/// Another look at an organization that exists.
fn again<'s>(store: &'s dyn Store, org: OrgId, seed: u64) -> World<'s> {
    World {
        org,
        ..World::empty(store, seed)
    }
}

type Answer = Result<Vec<Result<Effect, Conflict>>, CatalogError>;

/// A call of its own for one mutation.
async fn call(store: &dyn Store, org: OrgId, mutation: Mutation) -> Answer {
    store.commit(vec![Bound { org, mutation }]).await
}

fn open(path: &Path) -> Arc<dyn Store> {
    SqliteStore::open(path, 2, Clock::system()).unwrap()
}

async fn stands(world: &World<'_>, bucket: names::BucketId, key: &str) -> bool {
    let key = object_key(key);
    let read = world.store.version(world.org, bucket, &key).await;
    read.unwrap().is_some()
}
