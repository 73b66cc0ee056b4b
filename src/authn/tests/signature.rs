use std::time::Duration;

use names::AccessKeyId;
use wire::sigv4::{PayloadHash, SigV4Error};

use super::EMPTY;
use crate::authn::AuthnError;
use crate::authz::Scope;
use crate::ops::fixture::{Client, Place, Sent, World};

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

/// A request whose signature is of somebody who does not hold the secret.
fn forged(world: &World, id: &AccessKeyId) -> Sent {
    let secret = "0".repeat(40);
    Client::new(id.as_str(), &secret, world.clock.now_ms()).get(EMPTY)
}

fn hex_32(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).unwrap();
    bytes
}
