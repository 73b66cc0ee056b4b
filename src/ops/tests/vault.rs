//! What jobs do to secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use super::expire::{expirer, may, secret, vault};
use super::world::{House, operator};
use crate::audit::{AuditReader, Outcome};
use crate::authz::{
    DescribeSecret, PutSecret, RevealSecret, ShareSecret, Standing, open_share,
    read_activity_as_operator,
};
use crate::ops::Expired;
use crate::vault::{
    FoundShare, Lifetime, NewSecret, Selector, Settings, ShareToken, Value, VaultError,
};

#[tokio::test]
async fn what_time_brings_to_a_secret_is_told_once() {
    let house = House::new();
    let process = house.start().await;
    let org = process.tenant("acme").await.org;
    let vault = vault(&process);
    let now_ms = process.clock.now_ms();
    let settings = Settings {
        expires_ms: Some(now_ms + 2 * DAY_MS),
        remind_ms: Some(now_ms + DAY_MS),
        ..Settings::default()
    };
    let new = NewSecret {
        settings,
        ..secret()
    };
    vault.create(may::<PutSecret>(org, "a"), new).await.unwrap();
    let expirer = expirer(&process);
    for expected in [0, 1, 1, 0] {
        assert_eq!(expirer.round().await.unwrap().reminders, expected);
        assert_eq!(expirer.round().await.unwrap(), Expired::default());
        process.hand.advance(Duration::from_millis(DAY_MS));
    }
    // It stays what it is.
    let shown = vault.describe(may::<DescribeSecret>(org, "a")).await;
    assert_eq!(shown.unwrap().versions.len(), 1);
    let mut told = Vec::new();
    let permit = read_activity_as_operator(&operator(), org);
    AuditReader::new(&process.catalog, process.keyring.clone(), permit)
        .walk(&BTreeMap::new(), |logged| {
            let entry = logged.entry;
            if let Outcome::Stated { .. } = entry.outcome {
                told.push((entry.action.to_string(), entry.resource.clone()));
            }
        })
        .await
        .unwrap();
    let of_secret = |action: &str| (action.to_owned(), "secret:a".to_owned());
    assert_eq!(told, ["vault:remind", "vault:expire"].map(of_secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_the_vault_keeps_opens_once_the_old_key_is_gone() {
    let house = House::new();
    let process = house.start().await;
    let org = process.tenant("acme").await.org;
    let vault = vault(&process);
    vault
        .create(may::<PutSecret>(org, "a"), secret())
        .await
        .unwrap();
    let value = secret().value.unwrap();
    vault.put(may::<PutSecret>(org, "a"), value).await.unwrap();
    let (permit, reveal) = (may::<ShareSecret>(org, "a"), may::<RevealSecret>(org, "a"));
    let share = vault
        .share(permit, reveal, &Selector::Number(1), Lifetime::DEFAULT)
        .await
        .unwrap();

    let rotated = process.rotation().rotate(&operator(), org).await.unwrap();
    assert_eq!((rotated.version, rotated.deleted), (2, vec![1]));
    assert_eq!(rotated.damaged, [""; 0]);

    // With nothing cached.
    process.keyring.forget(org);
    for number in [1, 2] {
        let permit = may::<RevealSecret>(org, "a");
        let revealed = vault.reveal(permit, &Selector::Number(number)).await;
        assert_is_value(&revealed.unwrap().value);
    }
    let token = ShareToken::parse(&share.token).unwrap();
    let holder = vault.link_holder(&token).await.unwrap();
    let permit = open_share(&holder, Standing::Active).unwrap();
    let FoundShare::Ready(ready) = vault.find_share(&permit).await.unwrap() else {
        panic!("it was not opened");
    };
    let opened = vault.open_share(&permit, &token, *ready).await.unwrap();
    assert_is_value(&opened.value);
    assert!(matches!(
        vault.find_share(&permit).await,
        Ok(FoundShare::Opened(_))
    ));
    let other = ShareToken::parse("bkl_");
    assert!(matches!(other, Err(VaultError::NoSuchShare)));
}

fn assert_is_value(value: &Value) {
    assert_eq!(value.expose(), secret().value.unwrap().value.expose());
}

const DAY_MS: u64 = 24 * 3_600_000;
