use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use names::AccessKeyId;
use wire::sigv4::SigV4Error;

use super::{EMPTY, api_token};
use crate::authn::AuthnError;
use crate::catalog::FaultyStore;
use crate::ops::fixture::{Client, Place};

/// What the catalog is asked for tells nobody whether an access key exists, or whose it is.
#[tokio::test]
async fn unknown_revoked_and_wrong_take_the_same_reads() {
    let place = Place::new();
    let store = Arc::new(FaultyStore::new(place.store()));
    let world = place.start_on(store.clone()).await.unwrap();
    let (acme, evil) = (
        world.organization("acme").await,
        world.organization("evil").await,
    );
    let (revoked, alive) = (
        world.access_key(acme.org).await,
        world.access_key(acme.org).await,
    );
    world.revoke(acme.org, &revoked.id).await;
    let own = world.client(&world.access_key(evil.org).await);
    let now_ms = world.clock.now_ms();
    let unknown = Client::new("BKAAAAAAAAAAAAAAAAAA", &own.secret, now_ms);
    let revoked_and_right = world.client(&revoked);
    let revoked_and_wrong = Client::new(revoked.id.as_str(), &own.secret, now_ms);
    let wrong = Client::new(alive.id.as_str(), &own.secret, now_ms);
    let reads = async |client: &Client| {
        let before = store.calls();
        let refused = world.authenticate(&client.get(EMPTY)).await.err();
        let mut calls = store.calls();
        for (method, count) in &before {
            *calls.entry(*method).or_default() -= count;
        }
        calls.retain(|_, count| *count > 0);
        (calls, refused.expect("it has to be refused").to_string())
    };
    // What the process keeps of the platform's keys is there from here on.
    assert!(world.authenticate(&own.get(EMPTY)).await.is_ok());
    let one_read = BTreeMap::from([("credential", 1)]);
    for (client, is_known) in [
        (unknown, false),
        (revoked_and_right, false),
        (revoked_and_wrong, false),
        (wrong, true),
    ] {
        // Nothing is kept of a refusal.
        for _ in 0..2 {
            let (calls, refused) = reads(&client).await;
            assert_eq!(calls, one_read);
            let expected = match is_known {
                true => AuthnError::from(SigV4Error::Mismatch),
                false => AuthnError::UnknownAccessKey,
            };
            assert_eq!(refused, expected.to_string());
        }
    }
    assert_eq!(world.authn.proven_len(), 1);
    let before = store.calls();
    assert!(world.authenticate(&own.get(EMPTY)).await.is_ok());
    assert_eq!(store.calls(), before, "what was proven is not read again");
}

#[tokio::test]
async fn unknown_revoked_and_wrong_tokens_take_the_same_reads() {
    let place = Place::new();
    let store = Arc::new(FaultyStore::new(place.store()));
    let world = place.start_on(store.clone()).await.unwrap();
    let acme = world.organization("acme").await;
    let key = world.client(&world.access_key(acme.org).await);
    let (id, revoked) = api_token(&world, &key, 900_000).await;
    let (_, alive) = api_token(&world, &key, 900_000).await;
    let (_, ended) = api_token(&world, &key, 1).await;
    world
        .revoke(acme.org, &AccessKeyId::parse(&id).unwrap())
        .await;
    place.hand.advance(Duration::from_millis(1));
    let secret = alive.rsplit('_').next().unwrap();
    let one_read = BTreeMap::from([("credential", 1)]);
    for token in [
        format!("bkt_BKAAAAAAAAAAAAAAAAAA_{secret}"),
        revoked.clone(),
        format!("bkt_{id}_{secret}"),
        ended,
        format!("{}A", &alive[..alive.len() - 1]),
    ] {
        for _ in 0..2 {
            let before = store.calls();
            let refused = world.authn.bearer(&token).await;
            assert!(matches!(refused, Err(AuthnError::UnknownToken)), "{token}");
            let mut calls = store.calls();
            for (method, count) in &before {
                *calls.entry(*method).or_default() -= count;
            }
            calls.retain(|_, count| *count > 0);
            assert_eq!(calls, one_read, "{token}");
        }
    }
    assert!(world.authn.bearer(&alive).await.is_ok());
    let before = store.calls();
    assert!(world.authn.bearer(&alive).await.is_ok());
    assert_eq!(store.calls(), before, "what was proven is not read again");
}

/// Whoever can write the database, but holds no key.
#[tokio::test]
async fn a_transplanted_row_is_refused() {
    let place = Place::new();
    let world = place.start().await;
    let (acme, evil) = (
        world.organization("acme").await,
        world.organization("evil").await,
    );
    let (theirs, ours) = (
        world.access_key(acme.org).await,
        world.access_key(evil.org).await,
    );
    let lookup_of = async |id| world.keyring.access_key_lookup(id).await.unwrap();
    let (their_lookup, our_lookup) = (lookup_of(&theirs.id).await, lookup_of(&ours.id).await);
    let database = rusqlite::Connection::open(place.catalog_path()).unwrap();
    database
        .execute_batch(
            "ATTACH ':memory:' AS kept; CREATE TABLE kept.credentials AS SELECT * FROM credentials",
        )
        .unwrap();
    let attacks: [(&str, &[&[u8]]); 6] = [
        // Our key in their organization.
        (
            "UPDATE credentials SET org_id = ?2 WHERE lookup = ?1",
            &[&our_lookup, acme.org.bytes()],
        ),
        // Our secret in their row.
        (
            "UPDATE credentials SET sealed = (SELECT sealed FROM credentials WHERE lookup = ?2)
             WHERE lookup = ?1",
            &[&their_lookup, &our_lookup],
        ),
        // The same with the MAC that went with it.
        (
            "UPDATE credentials SET (sealed, mac, sequence) =
             (SELECT sealed, mac, sequence FROM credentials WHERE lookup = ?2) WHERE lookup = ?1",
            &[&their_lookup, &our_lookup],
        ),
        // Our whole row under their name.
        (
            "UPDATE credentials SET (org_id, principal_id, sealed, created_ms, sequence, mac) =
             (SELECT org_id, principal_id, sealed, created_ms, sequence, mac FROM credentials
              WHERE lookup = ?2) WHERE lookup = ?1",
            &[&their_lookup, &our_lookup],
        ),
        // Everything of theirs but the secret.
        (
            "UPDATE credentials SET (org_id, principal_id, created_ms, mac) =
             (SELECT org_id, principal_id, created_ms, mac FROM credentials WHERE lookup = ?2)
             WHERE lookup = ?1",
            &[&our_lookup, &their_lookup],
        ),
        // Another principal.
        (
            "UPDATE credentials SET principal_id = ?2 WHERE lookup = ?1",
            &[&our_lookup, acme.org.bytes()],
        ),
    ];
    let ours = world.client(&ours);
    let as_them = Client::new(theirs.id.as_str(), &ours.secret, ours.at_ms);
    for (attack, values) in attacks {
        let changed = database
            .execute(attack, rusqlite::params_from_iter(values))
            .unwrap();
        assert_eq!(changed, 1, "{attack}");
        let attacked = if values[0] == our_lookup {
            &ours
        } else {
            &as_them
        };
        // A process that remembers nothing of how it was.
        let fresh = place.start().await;
        let refused = fresh.authenticate(&attacked.get(EMPTY)).await;
        assert!(
            matches!(refused, Err(AuthnError::Damaged(_))),
            "{attack}: {:?}",
            refused.map(|proven| proven.0)
        );
        database
            .execute_batch(
                "DELETE FROM main.credentials;
                 INSERT INTO main.credentials SELECT * FROM kept.credentials",
            )
            .unwrap();
        assert!(
            fresh.authenticate(&ours.get(EMPTY)).await.is_ok(),
            "{attack}"
        );
    }
    // Revoked keys come back by no change of the row.
    let key = world.access_key(evil.org).await;
    world.revoke(evil.org, &key.id).await;
    database
        .execute("UPDATE credentials SET revoked_ms = NULL, sequence = 1", [])
        .unwrap();
    let fresh = place.start().await;
    let refused = fresh.authenticate(&world.client(&key).get(EMPTY)).await;
    assert!(matches!(refused, Err(AuthnError::Damaged(_))));
}
