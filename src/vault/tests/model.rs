//! Seeded operations against a map, on a catalog that fails and heals.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::world::{World, new_value, secret};
use crate::catalog::{Fault, FaultyStore, Store};
use crate::entropy::Entropy;
use crate::ops::fixture::Place;
use crate::vault::{Deletion, Selector, VaultError};

const PATHS: [&str; 4] = ["a", "a/b", "b", "/b"];

/// What a path may hold: after a write whose answer was lost, either of two.
type Model = BTreeMap<&'static str, Vec<Option<String>>>;

#[tokio::test]
async fn a_vault_on_a_failing_catalog_is_a_map() {
    for seed in 0..6 {
        for fault in [Fault::Unavailable, Fault::Unanswered, Fault::Full] {
            run(seed, fault).await;
        }
    }
}

async fn run(seed: u64, fault: Fault) {
    let place = Place::new();
    let store = Arc::new(FaultyStore::new(place.store()));
    let world = World::open_on(place, Arc::clone(&store) as Arc<dyn Store>).await;
    let chance = Entropy::danger_seeded(seed);
    let mut model: Model = PATHS.iter().map(|path| (*path, vec![None])).collect();
    for step in 0..120 {
        let [path, operation, fails] = chance.bytes::<3>();
        let path = PATHS[usize::from(path) % PATHS.len()];
        let fails = fails % 5 == 0;
        if fails {
            store.fail_commits_after(0, fault);
        }
        let value = format!("{seed}/{step}");
        let (after, done) = match operation % 4 {
            0 => {
                let made = world.vault.create(world.may(path), secret(&value)).await;
                (Some(value), made.map(drop))
            }
            1 | 2 => {
                let put = world.vault.put(world.may(path), new_value(&value)).await;
                (Some(value), put.map(drop))
            }
            _ => {
                let deleted = world.vault.delete(world.may(path), Deletion::Now).await;
                (None, deleted.map(drop))
            }
        };
        store.heal();
        let known = model.get_mut(path).unwrap();
        match done {
            Ok(()) => *known = vec![after],
            Err(VaultError::Unavailable(_)) => {
                assert!(fails, "{seed}: {path} failed by itself");
                if fault == Fault::Unanswered {
                    known.push(after);
                }
            }
            // A creation where there is one, or a change where there is none.
            Err(VaultError::Exists) => known.retain(Option::is_some),
            Err(VaultError::NoSuchSecret) => known.retain(Option::is_none),
            Err(error) => panic!("{seed}: {error:?}"),
        }
        assert!(!known.is_empty(), "{seed}, step {step}: {path}");
        let found = match world.reveal(path, Selector::Current).await {
            Ok(found) => Some(found),
            Err(VaultError::NoSuchSecret) => None,
            Err(error) => panic!("{seed}: {error:?}"),
        };
        assert!(
            known.contains(&found),
            "{seed}, step {step}: {path} holds {found:?}"
        );
        *known = vec![found];
    }
}
