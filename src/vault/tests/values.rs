use std::time::Duration;

use zeroize::Zeroizing;

use super::world::{World, new_value, secret, secret_of};
use crate::authz::{DeleteSecret, RevealSecret};
use crate::vault::{
    Check, Deletion, Field, Kind, NewSecret, NewValue, Recovery, Selector, Settings, State, Tags,
    Value, VaultError, VersionState,
};

#[tokio::test]
async fn a_value_comes_back_as_it_was_given() {
    let world = World::open().await;
    let made = world.create("stripe/live", "sk_live_1").await.unwrap();
    assert_eq!(made.version.unwrap().number, 1);
    let revealed = world.reveal("stripe/live", Selector::Current).await;
    assert_eq!(revealed.unwrap(), "sk_live_1");

    let bytes = NewSecret {
        value: Some(NewValue {
            value: Value::Binary(Zeroizing::new(vec![0, 255, 10])),
            ..new_value("")
        }),
        ..secret("")
    };
    world.vault.create(world.may("raw"), bytes).await.unwrap();
    let revealed = world.vault.reveal(world.may("raw"), &Selector::Current);
    let revealed = revealed.await.unwrap();
    assert!(!revealed.value.is_text());
    assert_eq!(revealed.value.expose(), [0, 255, 10]);
}

#[tokio::test]
async fn another_organizations_secret_is_not_there() {
    let world = World::open().await;
    world.create("stripe/live", "ours").await.unwrap();
    let permit = secret_of::<RevealSecret>(world.theirs, "stripe/live");
    let found = world.vault.reveal(permit, &Selector::Current).await;
    assert!(matches!(found, Err(VaultError::NoSuchSecret)));
    // The same path of theirs is another secret.
    let permit = secret_of(world.theirs, "stripe/live");
    world.vault.create(permit, secret("theirs")).await.unwrap();
    assert_eq!(
        world
            .reveal("stripe/live", Selector::Current)
            .await
            .unwrap(),
        "ours"
    );
    let permit = secret_of::<DeleteSecret>(world.theirs, "stripe/live");
    world.vault.delete(permit, Deletion::Now).await.unwrap();
    assert!(world.reveal("stripe/live", Selector::Current).await.is_ok());
}

#[tokio::test]
async fn a_token_makes_a_write_idempotent() {
    let world = World::open().await;
    let with_token = |value: &str, last: char| NewValue {
        token: Some(format!("{}{last}", "t".repeat(31))),
        ..new_value(value)
    };
    let new = |value: &str| NewSecret {
        value: Some(with_token(value, '1')),
        ..secret("")
    };
    let first = world
        .vault
        .create(world.may("a"), new("one"))
        .await
        .unwrap();
    let again = world
        .vault
        .create(world.may("a"), new("one"))
        .await
        .unwrap();
    assert_eq!(first.secret, again.secret);
    let other = world.vault.create(world.may("a"), new("two")).await;
    assert!(matches!(other, Err(VaultError::Exists)));

    let put = world
        .vault
        .put(world.may("a"), with_token("two", '2'))
        .await
        .unwrap();
    assert_eq!(put.version.as_ref().unwrap().number, 2);
    let again = world
        .vault
        .put(world.may("a"), with_token("two", '2'))
        .await
        .unwrap();
    assert_eq!(again.secret.versions.len(), 2);
    let other = world
        .vault
        .put(world.may("a"), with_token("three", '2'))
        .await;
    assert!(matches!(other, Err(VaultError::TokenReused)));
    assert_eq!(world.reveal("a", Selector::Current).await.unwrap(), "two");
}

#[tokio::test]
async fn a_check_names_the_version_that_is_replaced() {
    let world = World::open().await;
    let checked = |value: &str, seen| NewValue {
        check: Check::Version(seen),
        ..new_value(value)
    };
    let new = |seen| NewSecret {
        value: Some(checked("one", seen)),
        settings: Settings {
            check_required: true,
            ..Settings::default()
        },
        ..secret("")
    };
    let early = world.vault.create(world.may("a"), new(1)).await;
    assert!(matches!(early, Err(VaultError::CheckFailed { current: 0 })));
    world.vault.create(world.may("a"), new(0)).await.unwrap();
    let stale = world.vault.put(world.may("a"), checked("two", 0)).await;
    assert!(matches!(stale, Err(VaultError::CheckFailed { current: 1 })));
    let unchecked = world.put("a", "two").await;
    assert!(matches!(unchecked, Err(VaultError::CheckRequired)));
    let fresh = world.vault.put(world.may("a"), checked("two", 1)).await;
    assert_eq!(fresh.unwrap().version.unwrap().number, 2);
}

#[tokio::test]
async fn a_deleted_secret_can_be_restored_and_nothing_else() {
    let world = World::open().await;
    world.create("a", "one").await.unwrap();
    let week = Deletion::Scheduled(Recovery::days(7).unwrap());
    let deleted = world.vault.delete(world.may("a"), week).await.unwrap();
    let end_ms = world.inner.clock.now_ms() + 7 * 24 * 3_600_000;
    assert_eq!(deleted.state, State::Deleted { at_ms: end_ms });
    assert!(matches!(
        world.reveal("a", Selector::Current).await,
        Err(VaultError::Deleted)
    ));
    assert!(matches!(
        world.put("a", "two").await,
        Err(VaultError::Deleted)
    ));
    assert!(matches!(
        world.create("a", "two").await,
        Err(VaultError::Deleted)
    ));
    let again = world.vault.delete(world.may("a"), week).await;
    assert!(matches!(again, Err(VaultError::Deleted)));
    let shown = world.vault.describe(world.may("a")).await.unwrap();
    assert_eq!(shown.state, deleted.state);

    world.vault.restore(world.may("a")).await.unwrap();
    assert_eq!(world.reveal("a", Selector::Current).await.unwrap(), "one");
    world
        .vault
        .delete(world.may("a"), Deletion::Now)
        .await
        .unwrap();
    let gone = world.vault.restore(world.may("a")).await;
    assert!(matches!(gone, Err(VaultError::NoSuchSecret)));
    // No value is left behind.
    let sql = "SELECT count(*) FROM records WHERE kind IN (27, 28)";
    let left: i64 = world
        .database()
        .query_row(sql, (), |row| row.get(0))
        .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn versions_are_deleted_brought_back_and_destroyed() {
    let world = World::open().await;
    world.create("a", "one").await.unwrap();
    world.put("a", "two").await.unwrap();
    let number = |number| Selector::Number(number);
    world
        .vault
        .delete_versions(world.may("a"), &[1, 9])
        .await
        .unwrap();
    let Err(VaultError::VersionGone(gone)) = world.reveal("a", number(1)).await else {
        panic!("deleted");
    };
    assert!(matches!(gone.version.state, VersionState::Deleted { .. }));
    assert_eq!(world.reveal("a", number(2)).await.unwrap(), "two");
    world
        .vault
        .undelete_versions(world.may("a"), &[1])
        .await
        .unwrap();
    assert_eq!(world.reveal("a", number(1)).await.unwrap(), "one");
    world
        .vault
        .destroy_versions(world.may("a"), &[1])
        .await
        .unwrap();
    world
        .vault
        .undelete_versions(world.may("a"), &[1])
        .await
        .unwrap();
    let Err(VaultError::VersionGone(gone)) = world.reveal("a", number(1)).await else {
        panic!("destroyed");
    };
    assert_eq!(gone.version.state, VersionState::Destroyed);
    let sql = "SELECT count(*) FROM records WHERE kind = 28";
    let left: i64 = world
        .database()
        .query_row(sql, (), |row| row.get(0))
        .unwrap();
    assert_eq!(left, 1);
}

#[tokio::test]
async fn a_version_ends_when_its_secret_says_so() {
    let world = World::open().await;
    let new = NewSecret {
        settings: Settings {
            delete_versions_after_ms: Some(1_000),
            ..Settings::default()
        },
        ..secret("one")
    };
    world.vault.create(world.may("a"), new).await.unwrap();
    assert!(world.reveal("a", Selector::Current).await.is_ok());
    world.place.hand.advance(Duration::from_secs(1));
    world.inner.store.poll().await.unwrap();
    let ended = world.reveal("a", Selector::Current).await;
    assert!(matches!(ended, Err(VaultError::VersionGone(_))));
}

#[tokio::test]
async fn what_is_too_long_or_of_another_shape_is_refused() {
    let world = World::open().await;
    assert!(world.create("most", &"x".repeat(65_536)).await.is_ok());
    for value in [&"x".repeat(65_537), ""] {
        let refused = world.create("a", value).await.unwrap_err();
        assert_eq!(field_of(refused), Field::Value);
    }
    let of_kind = |kind, value: &str| NewSecret {
        kind,
        ..secret(value)
    };
    for (kind, value, fits) in [
        (Kind::KeyValue, r#"{"a":"b"}"#, true),
        (Kind::KeyValue, "no object", false),
        (Kind::Basic, r#"{"username":"u","password":"p"}"#, true),
        (Kind::Basic, r#"{"username":"u"}"#, false),
        (Kind::Basic, r#"{"username":"u","password":1}"#, false),
        (
            Kind::Certificate,
            r#"{"certificate":"c","private_key":"k"}"#,
            true,
        ),
        (Kind::ApiKey, "any text", true),
    ] {
        let path = format!("shape/{}/{fits}", kind.as_str());
        let made = world
            .vault
            .create(world.may(&path), of_kind(kind, value))
            .await;
        assert_eq!(
            made.map_err(field_of).err(),
            (!fits).then_some(Field::Value),
            "{value}"
        );
    }
    let token = |length| NewSecret {
        value: Some(NewValue {
            token: Some("t".repeat(length)),
            ..new_value("x")
        }),
        ..secret("")
    };
    for (length, fits) in [(31, false), (32, true), (64, true), (65, false)] {
        let path = format!("token/{length}");
        let made = world.vault.create(world.may(&path), token(length)).await;
        assert_eq!(
            made.map_err(field_of).err(),
            (!fits).then_some(Field::Token),
            "{length}"
        );
    }
    let stages = |stages: Vec<String>| NewSecret {
        value: Some(NewValue {
            stages,
            ..new_value("x")
        }),
        ..secret("")
    };
    let many = (0..21).map(|n| n.to_string()).collect();
    let described = NewSecret {
        description: "d".repeat(2_049),
        ..secret("x")
    };
    let tagged = |name: &str| Tags::from([(name.to_owned(), String::new())]);
    let of_tags = NewSecret {
        tags: tagged(""),
        ..secret("x")
    };
    let of_custom = NewSecret {
        settings: Settings {
            custom: tagged("n"),
            ..Settings::default()
        },
        ..secret("x")
    };
    for (new, field) in [
        (stages(vec![String::new()]), Field::Stages),
        (stages(many), Field::Stages),
        (described, Field::Description),
        (of_tags, Field::Tags),
        (of_custom, Field::Custom),
    ] {
        let refused = world.vault.create(world.may("a"), new).await;
        assert_eq!(field_of(refused.unwrap_err()), field);
    }
}

/// What is said to be invalid.
fn field_of(error: VaultError) -> Field {
    match error {
        VaultError::Invalid { field, .. } => field,
        error => panic!("{error:?}"),
    }
}
