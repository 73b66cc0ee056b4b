//! Rows moved and edited by whoever can write to the database.

use rusqlite::params;

use super::world::{World, secret, secret_of};
use crate::vault::{Selector, VaultError};

/// A row's columns that are not its place.
const BODY: &str =
    "parent, lookup, state, created_ms, expires_ms, sealed, sequence, key_version, mac";

fn is_damaged<T>(found: &Result<T, VaultError>) -> bool {
    matches!(found, Err(VaultError::Damaged(_)))
}

/// The ids of our values, the oldest first.
fn values(world: &World) -> Vec<Vec<u8>> {
    let database = world.database();
    let sql = "SELECT id FROM records WHERE org_id = ?1 AND kind = 28 ORDER BY id";
    let mut statement = database.prepare(sql).unwrap();
    let rows = statement.query_map([world.ours.bytes()], |row| row.get(0));
    rows.unwrap().map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_value_under_another_versions_name_does_not_open() {
    let world = World::open().await;
    world.create("a", "one").await.unwrap();
    world
        .place
        .hand
        .advance(std::time::Duration::from_millis(2));
    world.inner.store.poll().await.unwrap();
    world.put("a", "two").await.unwrap();
    let [first, second] = &values(&world)[..] else {
        panic!("two values");
    };
    let database = world.database();
    let set = "UPDATE records SET id = ?1 WHERE kind = 28 AND id = ?2";
    let other = vec![9; 16];
    for (to, from) in [(&other, first), (first, second), (second, &other)] {
        assert_eq!(database.execute(set, params![to, from]).unwrap(), 1);
    }
    assert!(is_damaged(&world.reveal("a", Selector::Number(1)).await));
    assert!(is_damaged(&world.reveal("a", Selector::Number(2)).await));
}

#[tokio::test]
async fn a_secret_at_another_path_or_of_another_organization_does_not_open() {
    let world = World::open().await;
    world.create("a", "one").await.unwrap();
    world.create("b", "two").await.unwrap();
    let permit = secret_of(world.theirs, "a");
    world.vault.create(permit, secret("theirs")).await.unwrap();
    let database = world.database();

    // The blind names of our two secrets change places.
    let sql = "SELECT id, lookup FROM records WHERE org_id = ?1 AND kind = 27";
    let mut statement = database.prepare(sql).unwrap();
    let rows: Vec<(Vec<u8>, Vec<u8>)> = statement
        .query_map([world.ours.bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let set = "UPDATE records SET lookup = ?1 WHERE org_id = ?2 AND id = ?3";
    let org = world.ours.bytes();
    for (lookup, id) in [
        (&vec![0; 32], &rows[0].0),
        (&rows[0].1, &rows[1].0),
        (&rows[1].1, &rows[0].0),
    ] {
        assert_eq!(database.execute(set, params![lookup, org, id]).unwrap(), 1);
    }
    assert!(is_damaged(&world.reveal("a", Selector::Current).await));
    assert!(is_damaged(&world.reveal("b", Selector::Current).await));

    // Their secret, whole, in our name.
    let sql = format!(
        "INSERT OR REPLACE INTO records (org_id, kind, id, {BODY})
         SELECT ?1, kind, id, {BODY} FROM records WHERE org_id = ?2"
    );
    database
        .execute(&sql, params![org, world.theirs.bytes()])
        .unwrap();
    let permit = world.may_list::<crate::authz::ListSecrets>("");
    assert!(is_damaged(
        &world.vault.list(permit, None, 9, |_| true).await
    ));
}

#[tokio::test]
async fn a_column_in_clear_that_is_edited_is_refused() {
    let world = World::open().await;
    for edit in [
        "state = 2, expires_ms = 5",
        "sequence = sequence + 1",
        "created_ms = created_ms + 1",
        "expires_ms = 5",
    ] {
        let path = format!("edit/{}", edit.len());
        world.create(&path, "one").await.unwrap();
        let sql = format!(
            "UPDATE records SET {edit} WHERE kind = 27
             AND id = (SELECT max(id) FROM records WHERE kind = 27)"
        );
        assert_eq!(world.database().execute(&sql, ()).unwrap(), 1);
        let found = world.reveal(&path, Selector::Current).await;
        assert!(is_damaged(&found), "{edit}");
        world
            .place
            .hand
            .advance(std::time::Duration::from_millis(2));
        world.inner.store.poll().await.unwrap();
    }
}
