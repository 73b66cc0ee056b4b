use std::sync::Arc;
use std::time::Duration;

use names::OrgId;

use super::EMPTY;
use crate::authn::AuthnError;
use crate::authn::proven::AGE_MAX;
use crate::catalog::Class;
use crate::ops::fixture::Place;

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
