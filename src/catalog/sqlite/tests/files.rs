//! The file: how it is made, migrated, found again, and what is left in it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use names::OrgId;
use rusqlite::Connection;

use super::{again, open, path, stands, store, world};
use crate::catalog::conformance::world::{World, make_platform_key, object_key, tagged};
use crate::catalog::sqlite::SqliteStore;
use crate::catalog::{CatalogError, ListQuery, Mutation, OrgState, Store};
use crate::clock::Clock;

#[tokio::test]
async fn what_was_committed_is_found_again() {
    let (_directory, path) = path();
    let (org, bucket, last) = {
        let store = open(&path);
        let world = world(&*store).await;
        let bucket = world.bucket("docs").await;
        world.object(bucket, "key", 1).await;
        (world.org, bucket, store.last_change().await.unwrap())
    };
    let store = open(&path);
    let world = again(&*store, org, 2);
    assert!(stands(&world, bucket, "key").await);
    assert_eq!(store.last_change().await.unwrap(), last);
    world.object(bucket, "key", 2).await;
    assert_eq!(world.stored().await, (192, 1));
}

/// A copy of the files, taken while they are open, is what a process that was killed leaves.
#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let (directory, path) = path();
    let store = open(&path);
    let world = world(&*store).await;
    let bucket = world.bucket("docs").await;
    for n in 0..20 {
        world.object(bucket, &format!("key-{n}"), 1).await;
        let copy = directory.path().join(format!("copy-{n}"));
        fs::create_dir(&copy).unwrap();
        for file in ["catalog.sqlite", "catalog.sqlite-wal"] {
            fs::copy(path.with_file_name(file), copy.join(file)).unwrap();
        }
        let store = open(&copy.join("catalog.sqlite"));
        let world = again(&*store, world.org, 2);
        for m in 0..=n {
            assert!(
                stands(&world, bucket, &format!("key-{m}")).await,
                "{m} of {n}"
            );
        }
        assert_eq!(world.stored().await.1, n + 1);
    }
}

#[test]
fn files_are_private() {
    let (_directory, path) = path();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let opened = open(&path);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(mode(path.parent().unwrap().parent().unwrap()), 0o700);
    for file in ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"] {
        assert_eq!(mode(&path.with_file_name(file)), 0o600, "{file}");
    }
    drop(opened);
    fs::set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
    drop(open(&path));
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_newer_schema_is_refused() {
    let (_directory, path) = path();
    drop(open(&path));
    let conn = Connection::open(&path).unwrap();
    conn.execute(
        "INSERT INTO refinery_schema_history (version, name, applied_on, checksum)
         SELECT version + 1000, 'later', applied_on, '1' FROM refinery_schema_history",
        [],
    )
    .unwrap();
    let refused = SqliteStore::open(&path, 1, Clock::system()).err().unwrap();
    let text = refused.to_string();
    assert!(
        text.contains("schema 1001, written by a newer program"),
        "{text}"
    );
    conn.execute(
        "DELETE FROM refinery_schema_history WHERE version > 1000",
        [],
    )
    .unwrap();
    drop(open(&path));
}

#[test]
fn what_is_no_database_is_refused() {
    let (_directory, path) = path();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "a note of four kilobytes\n".repeat(170)).unwrap();
    let refused = SqliteStore::open(&path, 1, Clock::system()).err();
    assert!(
        matches!(refused, Some(CatalogError::Damaged(_))),
        "{refused:?}"
    );
    let nowhere = path.join("below a file");
    let refused = SqliteStore::open(&nowhere, 1, Clock::system()).err();
    assert!(
        matches!(refused, Some(CatalogError::Unavailable(_))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn damage_is_called_damage() {
    let (_directory, path) = path();
    let store = open(&path);
    let world = world(&*store).await;
    let bucket = world.bucket("docs").await;
    world.object(bucket, "key", 1).await;
    let key = object_key("key");
    let query = ListQuery {
        max: 10,
        ..ListQuery::default()
    };
    let conn = Connection::open(&path).unwrap();
    let damage = |sql| assert_eq!(conn.execute(sql, []).unwrap(), 1, "{sql}");
    let damaged = |result: Result<(), CatalogError>| {
        let is_damage = matches!(result, Err(CatalogError::Damaged(_)));
        assert!(is_damage, "{result:?}");
    };

    damage("UPDATE organizations SET state = 9");
    damaged(store.organization(world.org).await.map(drop));
    damage("UPDATE organizations SET state = 1");
    assert!(store.organization(world.org).await.unwrap().is_some());

    damage("UPDATE versions SET etag = x'00'");
    damaged(store.version(world.org, bucket, &key).await.map(drop));
    damage("UPDATE versions SET etag = zeroblob(32), size = -1");
    damaged(store.version(world.org, bucket, &key).await.map(drop));
    damage("UPDATE versions SET size = 1");
    assert!(stands(&world, bucket, "key").await);

    damage("DELETE FROM contents");
    damaged(store.object(world.org, bucket, &key).await.map(drop));
    damaged(store.tags(world.org, None, 10).await.map(drop));
    let listed = store.list(world.org, bucket, &query).await.unwrap();
    assert_eq!(listed.entries.len(), 1, "no content is needed");
    damage("UPDATE versions SET key = x'ff00'");
    let listed = store.list(world.org, bucket, &query).await.unwrap();
    assert_eq!(listed.entries.len(), 0, "above every key");
    damage("UPDATE versions SET key = x'61ff'");
    damaged(store.list(world.org, bucket, &query).await.map(drop));
}

/// Rule 7 of ENVELOPE.md: of a destroyed organization's wrapped keys nothing is left in the file,
/// however often its pages were split and merged before.
/// None is ever left by the program, and a destroyed organization leaves nothing whoever made it.
#[tokio::test]
async fn parts_of_no_upload_are_purged_with_their_organization_alone() {
    let (_directory, path) = path();
    let store = open(&path);
    let world = world(&*store).await;
    let other = World::new(&*store, 2).await;
    for world in [&other, &world] {
        let bucket = world.bucket("docs").await;
        let upload = world.upload(bucket, "key").await;
        let blob = world.blob();
        world.part((bucket, "key"), upload, 1, &[blob]).await;
    }
    let conn = Connection::open(&path).unwrap();
    let parts = |org: OrgId| -> i64 {
        let sql = "SELECT COUNT(*) FROM upload_parts WHERE org_id = ?1";
        conn.query_row(sql, [org.bytes()], |row| row.get(0))
            .unwrap()
    };
    let lost = "UPDATE upload_parts SET upload_id = x'00112233445566778899aabbccddeeff'";
    assert_eq!(conn.execute(lost, []).unwrap(), 2);
    let more = "INSERT INTO upload_parts SELECT org_id, upload_id, 2, size, modified_ms, metadata,
                slices, key_version, mac FROM upload_parts";
    assert_eq!(conn.execute(more, []).unwrap(), 2);
    let row = tagged(world.organization_row(OrgState::Destroyed, 2), 1);
    world.done(Mutation::DestroyOrganization(row)).await;
    // An upload first, then the parts, and a bucket last.
    for left in [2, 1, 0] {
        world
            .done(Mutation::PurgeOrganization { rows_max: 1 })
            .await;
        assert_eq!((parts(world.org), parts(other.org)), (left, 2));
    }
}

#[tokio::test]
async fn scrubbing_leaves_nothing_of_destroyed_keys() {
    let (_directory, path) = path();
    let store = store(&path);
    make_platform_key(&store).await;
    let mut worlds = Vec::new();
    for seed in 0..400 {
        let world = World::new(&store, 1_000 + seed).await;
        worlds.push(world);
    }
    let destroyed: Vec<_> = worlds.iter().step_by(3).collect();
    for world in &destroyed {
        let row = world.organization_row(OrgState::Destroyed, 2);
        world
            .done(Mutation::DestroyOrganization(tagged(row, 1)))
            .await;
    }
    let found = |org: names::OrgId| {
        let marker = format!("the wrapped key 1 of {org}").into_bytes();
        let files = fs::read_dir(path.parent().unwrap()).unwrap();
        let within = |bytes: Vec<u8>| bytes.windows(marker.len()).any(|part| part == marker);
        files
            .filter(|file| within(fs::read(file.as_ref().unwrap().path()).unwrap()))
            .count()
    };
    assert!(
        destroyed.iter().any(|world| found(world.org) > 0),
        "the log has them"
    );

    let reader = Connection::open(&path).unwrap();
    reader
        .execute_batch("BEGIN; SELECT COUNT(*) FROM org_keys;")
        .unwrap();
    store
        .writer
        .outside(|conn| conn.busy_timeout(Duration::ZERO))
        .await
        .unwrap();
    let in_the_way = store.scrub().await;
    assert!(
        matches!(in_the_way, Err(CatalogError::Unavailable(_))),
        "{in_the_way:?}"
    );
    reader.execute_batch("COMMIT").unwrap();
    store.scrub().await.unwrap();
    for world in &destroyed {
        assert_eq!(found(world.org), 0);
    }
    let kept = worlds.iter().skip(1).step_by(3);
    assert!(kept.map(|world| found(world.org)).all(|files| files == 1));
}
