use std::time::Duration;

use names::AccessKeyId;
use wire::sigv4::SigV4Error;

use super::EMPTY;
use crate::authn::AuthnError;
use crate::authz::CredentialKind;
use crate::ops::fixture::{Client, Place, Sent};

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
