use std::sync::Arc;

use super::world::{World, new_value, secret};
use crate::authz::{Limit, Limits};
use crate::vault::VaultError;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn with_one_place_left_one_of_many_is_made() {
    let world = Arc::new(World::open().await);
    world.create("first", "x").await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for index in 0..64 {
        let world = Arc::clone(&world);
        tasks.spawn(async move {
            let limits = Limits::NONE.with(Limit::Secrets, 2);
            let permit = world.may(&format!("racer/{index}")).within(limits);
            world.vault.create(permit, secret("x")).await
        });
    }
    let outcomes = tasks.join_all().await;
    assert_eq!(outcomes.iter().filter(|made| made.is_ok()).count(), 1);
    for refused in outcomes.into_iter().filter_map(Result::err) {
        assert!(
            matches!(refused, VaultError::LimitReached { max: 2 }),
            "{refused:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writes_at_once_all_become_versions() {
    let world = Arc::new(World::open().await);
    world.create("a", "0").await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for index in 1..=8 {
        let world = Arc::clone(&world);
        tasks.spawn(async move {
            let value = new_value(&index.to_string());
            world.vault.put(world.may("a"), value).await.unwrap()
        });
    }
    let mut numbers: Vec<_> = tasks
        .join_all()
        .await
        .into_iter()
        .map(|written| written.version.unwrap().number)
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [2, 3, 4, 5, 6, 7, 8, 9]);
}
