use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use names::{AccessKeyId, OrgId};
use wire::sigv4::{PayloadHash, SigV4Error};

use super::AuthnError;
use super::proven::AGE_MAX;
use crate::authz::{CredentialKind, Scope};
use crate::catalog::{Class, FaultyStore};
use crate::ops::fixture::{Client, Place, Sent, World};
use crate::tenancy::{NewCredentialKind, Shown};

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A request whose signature is of somebody who does not hold the secret.
fn forged(world: &World, id: &AccessKeyId) -> Sent {
    let secret = "0".repeat(40);
    Client::new(id.as_str(), &secret, world.clock.now_ms()).get(EMPTY)
}

#[tokio::test]
async fn a_signature_of_every_kind_is_verified() {
    let world = Place::new().start().await;
    let acme = world.organization("acme").await;
    let key = world.access_key(acme.org).await;
    assert_eq!((key.id.as_str().len(), key.secret.len()), (20, 40));
    assert!(key.id.as_str().starts_with("BK"));
    let client = world.client(&key);
    for (payload, kind) in [
        ("UNSIGNED-PAYLOAD", PayloadHash::Unsigned),
        (EMPTY, PayloadHash::Sha256(hex_32(EMPTY))),
        (
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            PayloadHash::StreamingSigned,
        ),
        (
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            PayloadHash::StreamingSignedTrailer,
        ),
        (
            "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            PayloadHash::StreamingUnsignedTrailer,
        ),
    ] {
        let proven = world.authenticate(&client.get(payload)).await.unwrap();
        assert_eq!(proven.1.presented.payload(), kind);
    }
    // Read from the directory, then from what was kept.
    for _ in 0..2 {
        let proven = world.authenticate(&client.presigned(60)).await.unwrap();
        assert_eq!(proven.0.org(), acme.org);
        assert_eq!(proven.0.credential(), &key.id);
        assert_eq!(proven.0.narrowing().scope, Scope::Full);
    }
}

fn hex_32(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).unwrap();
    bytes
}

#[tokio::test]
async fn what_is_not_signed_as_it_was_sent_is_refused() {
    let place = Place::new();
    let world = place.start().await;
    let acme = world.organization("acme").await;
    let key = world.access_key(acme.org).await;
    let client = world.client(&key);
    let refused = async |sent: &Sent| match world.authenticate(sent).await {
        Err(error) => error,
        Ok(_) => panic!("it has to be refused"),
    };
    let changed = |change: fn(&mut Sent)| {
        let mut sent = client.get(EMPTY);
        change(&mut sent);
        sent
    };
    let set = |sent: &mut Sent, name: &str, value: &str| {
        sent.headers.retain(|(other, _)| other != name);
        sent.headers.push((name.to_owned(), value.to_owned()));
    };
    // Before and after the access key is known to the cache.
    for _ in 0..2 {
        for sent in [
            changed(|sent| sent.method = "DELETE"),
            changed(|sent| sent.path = "/docs/other.txt"),
            changed(|sent| sent.query = "versions=".to_owned()),
            changed(|sent| sent.headers[0].1 = "elsewhere".to_owned()),
            changed(|sent| sent.headers[1].1 = "UNSIGNED-PAYLOAD".to_owned()),
            forged(&world, &key.id),
        ] {
            let error = refused(&sent).await;
            let mismatch = matches!(error, AuthnError::Signature(SigV4Error::Mismatch));
            assert!(mismatch, "{error:?}");
        }
        let mut added = client.get(EMPTY);
        set(&mut added, "x-amz-copy-source", "/docs/secret.txt");
        let error = refused(&added).await;
        assert!(matches!(
            error,
            AuthnError::Signature(SigV4Error::HeaderUnsigned)
        ));
        // A token that was added is not what was signed; one that was signed is of no session.
        let mut in_header = client.get(EMPTY);
        set(&mut in_header, "x-amz-security-token", "t");
        let error = refused(&in_header).await;
        assert!(matches!(
            error,
            AuthnError::Signature(SigV4Error::HeaderUnsigned)
        ));
        for token in ["x-amz-security-token", "X-Amz-Security-Token"] {
            let mut in_query = client.presigned(60);
            in_query.query.push_str(&format!("&{token}=t"));
            let error = refused(&in_query).await;
            let mismatch = matches!(error, AuthnError::Signature(SigV4Error::Mismatch));
            assert!(mismatch, "{error:?}");
        }
        let superfluous = client.with_token("t");
        for sent in [superfluous.get(EMPTY), superfluous.presigned(60)] {
            assert!(matches!(refused(&sent).await, AuthnError::InvalidToken));
        }
        let elsewhere = Client {
            region: "eu-central-1".to_owned(),
            ..client.clone()
        };
        let error = refused(&elsewhere.get(EMPTY)).await;
        assert_eq!(
            error.to_string(),
            "the region 'eu-central-1' is wrong; expecting 'us-east-1'"
        );
        let sts = Client {
            service: "sts".to_owned(),
            ..client.clone()
        };
        assert!(matches!(
            refused(&sts.get(EMPTY)).await,
            AuthnError::WrongScope {
                part: "service",
                ..
            }
        ));
        let mut unsigned = client.get(EMPTY);
        unsigned.headers.retain(|(name, _)| name != "authorization");
        assert!(matches!(refused(&unsigned).await, AuthnError::Anonymous));
        assert!(world.authenticate(&client.get(EMPTY)).await.is_ok());
    }
    let (get, presigned) = (client.get(EMPTY), client.presigned(60));
    place.hand.advance(Duration::from_secs(61));
    world.store.poll().await.unwrap();
    let error = refused(&presigned).await;
    assert!(matches!(error, AuthnError::Signature(SigV4Error::Expired)));
    assert!(world.authenticate(&get).await.is_ok());
    place.hand.advance(Duration::from_secs(15 * 60));
    world.store.poll().await.unwrap();
    let error = refused(&get).await;
    assert!(matches!(error, AuthnError::Signature(SigV4Error::Skewed)));
}

#[tokio::test]
async fn a_revoked_key_is_refused_on_the_next_request() {
    let world = Place::new().start().await;
    let acme = world.organization("acme").await;
    let (key, other) = (
        world.access_key(acme.org).await,
        world.access_key(acme.org).await,
    );
    let client = world.client(&key);
    let proven = world.authenticate(&client.get(EMPTY)).await.unwrap();
    assert_eq!(world.authn.proven_len(), 1);
    assert_eq!(Arc::strong_count(&proven.1.signing_key), 2, "kept");
    world.revoke(acme.org, &key.id).await;
    let refused = world.authenticate(&client.get(EMPTY)).await;
    assert!(matches!(refused, Err(AuthnError::UnknownAccessKey)));
    assert_eq!(Arc::strong_count(&proven.1.signing_key), 1, "wiped");
    let other = world.client(&other);
    assert!(world.authenticate(&other.get(EMPTY)).await.is_ok());
}

#[tokio::test]
async fn a_revocation_of_another_process_holds_with_the_next_poll() {
    let place = Place::new();
    let (world, beside) = (place.start().await, place.start().await);
    let acme = world.organization("acme").await;
    let key = world.access_key(acme.org).await;
    let client = world.client(&key);
    world.store.poll().await.unwrap();
    let proven = world.authenticate(&client.get(EMPTY)).await.unwrap();
    beside.revoke(acme.org, &key.id).await;
    world.store.poll().await.unwrap();
    world.authn.tend();
    assert_eq!(Arc::strong_count(&proven.1.signing_key), 1, "wiped");
    let refused = world.authenticate(&client.get(EMPTY)).await;
    assert!(matches!(refused, Err(AuthnError::UnknownAccessKey)));
}

#[tokio::test]
async fn a_row_under_a_version_of_the_platforms_key_that_was_just_added_is_believed() {
    let place = Place::new();
    let (world, beside) = (place.start().await, place.start().await);
    let acme = world.organization("acme").await;
    // What this process keeps of the platform's keys is current, as far as it knows.
    let keys = world.keyring.open_platform().await.unwrap();
    assert_eq!(keys.newest_version(), 1);
    let platform = beside.jobs.open(OrgId::PLATFORM, "test");
    beside.keyring.add_version(&platform).await.unwrap();
    let key = beside.access_key(acme.org).await;
    let sent = world.client(&key).get(EMPTY);
    assert!(world.authenticate(&sent).await.is_ok());
    let listed = world
        .tenancy
        .access_keys(&world.operator, acme.org, None, 10);
    assert_eq!(listed.await.unwrap()[0].id, key.id);
}

#[tokio::test]
async fn a_key_of_one_organization_proves_nothing_in_another() {
    let world = Place::new().start().await;
    let (acme, evil) = (
        world.organization("acme").await,
        world.organization("evil").await,
    );
    let (ours, theirs) = (
        world.access_key(acme.org).await,
        world.access_key(evil.org).await,
    );
    let client = Client::new(ours.id.as_str(), &theirs.secret, world.clock.now_ms());
    let refused = world.authenticate(&client.get(EMPTY)).await;
    assert!(matches!(
        refused,
        Err(AuthnError::Signature(SigV4Error::Mismatch))
    ));
    let proven = world
        .authenticate(&world.client(&theirs).get(EMPTY))
        .await
        .unwrap();
    assert_eq!(proven.0.org(), evil.org);
}

#[tokio::test]
async fn what_was_proven_is_read_again_once_it_may_have_changed() {
    let place = Place::new();
    let world = place.start().await;
    let acme = world.organization("acme").await;
    let key = world.access_key(acme.org).await;
    let client = world.client(&key);
    let coherence = world.store.coherence().clone();
    let mut kept = Vec::new();
    for invalidate in [
        &(|| {}) as &dyn Fn(),
        &|| coherence.changed(acme.org, Class::Rights),
        &|| coherence.changed(OrgId::PLATFORM, Class::Rights),
        &|| {
            place.hand.advance(AGE_MAX + Duration::from_millis(1));
            coherence.polled(world.clock.monotonic());
        },
        // No poll for over a second: this process may have missed a change.
        &|| place.hand.advance(Duration::from_millis(1001)),
    ] {
        invalidate();
        let proven = world.authenticate(&client.get(EMPTY)).await.unwrap();
        kept.push(proven.1.signing_key);
    }
    for (one, next) in kept.iter().zip(&kept[1..]) {
        assert!(!Arc::ptr_eq(one, next), "a proof outlived a change");
    }
    coherence.polled(world.clock.monotonic());
    let proven = world.authenticate(&client.get(EMPTY)).await.unwrap();
    // Changes elsewhere are none here.
    coherence.changed(acme.org, Class::Buckets);
    coherence.changed(OrgId::from_bytes([9; 16]), Class::Rights);
    let again = world.authenticate(&client.get(EMPTY)).await.unwrap();
    assert!(Arc::ptr_eq(&proven.1.signing_key, &again.1.signing_key));
}

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

#[tokio::test]
async fn a_session_of_sts_needs_its_token() {
    let place = Place::new();
    let world = place.start().await;
    let acme = world.organization("acme").await;
    let key = world.client(&world.access_key(acme.org).await);
    let session = world.session(&key, 900_000).await;
    let other = world.session(&key, 900_000).await;
    let refused = async |sent: &Sent| match world.authenticate(sent).await {
        Err(error) => error.to_string(),
        Ok(_) => panic!("it has to be refused"),
    };
    let without = Client {
        token: None,
        ..session.clone()
    };
    let wrong = session.with_token("wrong");
    let of_another = session.with_token(other.token.as_deref().unwrap());
    let empty = session.with_token("");
    let forged = Client {
        secret: "0".repeat(40),
        ..session.clone()
    };
    // Before and after the session is known to the cache.
    for _ in 0..2 {
        for (client, expected) in [
            (&without, AuthnError::UnknownAccessKey),
            (&wrong, AuthnError::InvalidToken),
            (&of_another, AuthnError::InvalidToken),
            (&empty, AuthnError::InvalidToken),
            (&forged, AuthnError::from(SigV4Error::Mismatch)),
        ] {
            for sent in [client.get(EMPTY), client.presigned(60)] {
                assert_eq!(refused(&sent).await, expected.to_string());
            }
        }
        let mut twice = session.get(EMPTY);
        let token = session.token.clone().unwrap();
        twice
            .headers
            .push(("x-amz-security-token".to_owned(), token));
        let expected = SigV4Error::TokenMalformed("the session token is given twice");
        assert_eq!(refused(&twice).await, expected.to_string());
        for sent in [session.get(EMPTY), session.presigned(60)] {
            let (caller, _) = world.authenticate(&sent).await.unwrap();
            assert_eq!(caller.credential().as_str(), session.id);
            assert_eq!(caller.kind(), CredentialKind::StsSession);
            assert_eq!(caller.parent().map(AccessKeyId::as_str), Some(&*key.id));
        }
    }
}

#[tokio::test]
async fn a_session_of_sts_ends_at_its_time_also_in_the_cache() {
    let place = Place::new();
    let world = place.start().await;
    let acme = world.organization("acme").await;
    let key = world.client(&world.access_key(acme.org).await);
    let session = world.session(&key, 900_000).await;
    place.hand.advance(Duration::from_millis(899_999));
    world.store.poll().await.unwrap();
    let now = |client: &Client| Client {
        at_ms: world.clock.now_ms(),
        ..client.clone()
    };
    assert!(world.authenticate(&now(&session).get(EMPTY)).await.is_ok());
    let kept = world.authn.proven_len();
    assert!(world.authenticate(&now(&session).get(EMPTY)).await.is_ok());
    assert_eq!(world.authn.proven_len(), kept);
    place.hand.advance(Duration::from_millis(1));
    let ended = world.authenticate(&now(&session).get(EMPTY)).await;
    assert!(matches!(ended, Err(AuthnError::ExpiredToken)));
    // Who does not hold it is told nothing new.
    let forged = Client {
        secret: "0".repeat(40),
        ..now(&session)
    };
    let refused = world.authenticate(&forged.get(EMPTY)).await;
    assert!(matches!(
        refused,
        Err(AuthnError::Signature(SigV4Error::Mismatch))
    ));
    let refused = world
        .authenticate(&now(&session).with_token("wrong").get(EMPTY))
        .await;
    assert!(matches!(refused, Err(AuthnError::InvalidToken)));
}

#[tokio::test]
async fn what_a_revoked_key_made_ends_with_it() {
    let place = Place::new();
    let world = place.start().await;
    let acme = world.organization("acme").await;
    let made_by = world.access_key(acme.org).await;
    let key = world.client(&made_by);
    let session = world.session(&key, 900_000).await;
    let chained = world.session(&session, 900_000).await;
    for client in [&session, &chained] {
        assert!(world.authenticate(&client.get(EMPTY)).await.is_ok());
    }
    world.revoke(acme.org, &made_by.id).await;
    for client in [&session, &chained] {
        let refused = world.authenticate(&client.get(EMPTY)).await;
        assert!(matches!(refused, Err(AuthnError::UnknownAccessKey)));
    }
}

#[tokio::test]
async fn a_bearer_token_is_proven_by_its_secret() {
    let place = Place::new();
    let world = place.start().await;
    let acme = world.organization("acme").await;
    let key = world.client(&world.access_key(acme.org).await);
    let (id, token) = api_token(&world, &key, 900_000).await;
    let (other_id, other) = api_token(&world, &key, 900_000).await;
    let secret = other.rsplit('_').next().unwrap();
    let last = token.chars().last().unwrap();
    let flipped = if last == 'A' { 'B' } else { 'A' };
    for _ in 0..2 {
        for wrong in [
            String::new(),
            "Bearer".to_owned(),
            format!("bkt_{id}"),
            format!("bkt_{id}_"),
            format!("bkt_{id}_{secret}"),
            format!("{}{flipped}", &token[..token.len() - 1]),
            token[..token.len() - 1].to_owned(),
            format!("{token}A"),
            token.replacen("bkt", "bks", 1),
            format!("bkt_BKAAAAAAAAAAAAAAAAAA_{secret}"),
            // An access key is no bearer token.
            format!("bkt_{}_{}", key.id, key.secret.replace(['-', '_'], "A")),
            format!("bks_{}_{}", key.id, key.secret.replace(['-', '_'], "A")),
        ] {
            let refused = world.authn.bearer(&wrong).await;
            assert!(matches!(refused, Err(AuthnError::UnknownToken)), "{wrong}");
        }
        let caller = world.authn.bearer(&token).await.unwrap();
        assert_eq!(caller.org(), acme.org);
        assert_eq!(caller.credential().as_str(), id);
        assert_eq!(caller.kind(), CredentialKind::ApiToken);
    }
    // A token signs nothing, whatever is taken for its secret.
    for secret in ["", secret] {
        let signs = Client::new(&other_id, secret, world.clock.now_ms());
        let refused = world.authenticate(&signs.get(EMPTY)).await;
        assert!(matches!(refused, Err(AuthnError::UnknownAccessKey)));
    }
}

#[tokio::test]
async fn a_bearer_token_ends_and_is_revoked_also_in_the_cache() {
    let place = Place::new();
    let world = place.start().await;
    let acme = world.organization("acme").await;
    let key = world.client(&world.access_key(acme.org).await);
    let (_, ending) = api_token(&world, &key, 1_000).await;
    let (id, revoked) = api_token(&world, &key, 900_000).await;
    for token in [&ending, &revoked] {
        assert!(world.authn.bearer(token).await.is_ok());
        assert!(world.authn.bearer(token).await.is_ok());
    }
    assert_eq!(world.authn.proven_len(), 3, "two tokens and the key");
    place.hand.advance(Duration::from_millis(999));
    assert!(world.authn.bearer(&ending).await.is_ok());
    place.hand.advance(Duration::from_millis(1));
    let ended = world.authn.bearer(&ending).await;
    assert!(matches!(ended, Err(AuthnError::UnknownToken)));
    world.store.poll().await.unwrap();
    assert!(world.authn.bearer(&revoked).await.is_ok());
    world
        .revoke(acme.org, &AccessKeyId::parse(&id).unwrap())
        .await;
    let refused = world.authn.bearer(&revoked).await;
    assert!(matches!(refused, Err(AuthnError::UnknownToken)));
    world.authn.tend();
    assert_eq!(world.authn.proven_len(), 0, "nothing outdated is kept");
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

async fn api_token(world: &World, client: &Client, lasts_ms: u64) -> (String, String) {
    let made = world.own_credential(client, NewCredentialKind::ApiToken, lasts_ms);
    let made = made.await.unwrap();
    let Shown::Bearer(token) = made.shown else {
        panic!("a token is a bearer");
    };
    (made.credential.id.to_string(), token.to_string())
}
