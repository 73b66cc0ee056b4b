use super::world::{World, new_value};
use crate::vault::{NewValue, Selector, StageMove, VaultError, VersionInfo, stages};

fn names(versions: &[VersionInfo]) -> Vec<(u64, Vec<&str>)> {
    versions
        .iter()
        .map(|version| {
            let stages = version.stages.iter().map(String::as_str).collect();
            (version.number, stages)
        })
        .collect()
}

#[tokio::test]
async fn the_current_version_becomes_the_previous_one() {
    let world = World::open().await;
    for value in ["one", "two", "three"] {
        match value {
            "one" => world.create("a", value).await.unwrap(),
            _ => world.put("a", value).await.unwrap(),
        };
    }
    let shown = world.vault.describe(world.may("a")).await.unwrap();
    assert_eq!(
        names(&shown.versions),
        [
            (1, vec![]),
            (2, vec![stages::PREVIOUS]),
            (3, vec![stages::CURRENT])
        ]
    );
    let stage = |stage: &str| Selector::Stage(stage.to_owned());
    assert_eq!(
        world.reveal("a", stage(stages::PREVIOUS)).await.unwrap(),
        "two"
    );
    let missing = world.reveal("a", stage(stages::PENDING)).await;
    assert!(matches!(missing, Err(VaultError::NoSuchVersion)));
}

#[tokio::test]
async fn a_pending_version_becomes_current_when_its_stage_moves() {
    let world = World::open().await;
    let first = world.create("a", "one").await.unwrap().version.unwrap();
    let pending = NewValue {
        stages: vec![stages::PENDING.to_owned()],
        ..new_value("two")
    };
    let second = world.vault.put(world.may("a"), pending).await.unwrap();
    let second = second.version.unwrap();
    assert_eq!(world.reveal("a", Selector::Current).await.unwrap(), "one");

    let moved = |from: Option<&VersionInfo>, to: Option<&VersionInfo>| StageMove {
        stage: stages::CURRENT.to_owned(),
        from: from.map(|version| version.name.clone()),
        to: to.map(|version| version.name.clone()),
    };
    // Where it is has to be named, and it is never taken away.
    for (wanted, is_needed) in [
        (moved(None, Some(&second)), false),
        (moved(Some(&second), Some(&second)), false),
        (moved(Some(&first), None), true),
    ] {
        let refused = world.vault.move_stage(world.may("a"), &wanted).await;
        match refused {
            Err(VaultError::StageElsewhere) => assert!(!is_needed),
            Err(VaultError::StageNeeded) => assert!(is_needed),
            other => panic!("{other:?}"),
        }
    }
    let wanted = moved(Some(&first), Some(&second));
    let shown = world
        .vault
        .move_stage(world.may("a"), &wanted)
        .await
        .unwrap();
    assert_eq!(
        names(&shown.versions),
        [
            (1, vec![stages::PREVIOUS]),
            (2, vec![stages::PENDING, stages::CURRENT])
        ]
    );
    assert_eq!(world.reveal("a", Selector::Current).await.unwrap(), "two");
    let unknown = StageMove {
        to: Some("nobody".to_owned()),
        ..wanted
    };
    let refused = world.vault.move_stage(world.may("a"), &unknown).await;
    assert!(matches!(refused, Err(VaultError::NoSuchVersion)));
}

#[tokio::test]
async fn the_oldest_versions_without_a_stage_go_first() {
    let world = World::open().await;
    world.create("a", "1").await.unwrap();
    let keep = NewValue {
        stages: vec!["KEEP".to_owned(), stages::CURRENT.to_owned()],
        ..new_value("2")
    };
    world.vault.put(world.may("a"), keep).await.unwrap();
    for value in 3..=14 {
        world.put("a", &value.to_string()).await.unwrap();
    }
    let shown = world.vault.describe(world.may("a")).await.unwrap();
    let numbers: Vec<_> = shown
        .versions
        .iter()
        .map(|version| version.number)
        .collect();
    assert_eq!(numbers, [2, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    assert_eq!(world.reveal("a", Selector::Number(2)).await.unwrap(), "2");
    let sql = "SELECT count(*) FROM records WHERE kind = 28";
    let left: i64 = world
        .database()
        .query_row(sql, (), |row| row.get(0))
        .unwrap();
    assert_eq!(left, 10);
}
