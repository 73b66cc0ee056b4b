use std::time::Duration;

use names::AccessKeyId;

use super::{EMPTY, api_token};
use crate::authn::AuthnError;
use crate::authz::CredentialKind;
use crate::ops::fixture::{Client, Place};

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
