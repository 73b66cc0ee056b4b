use std::sync::Arc;
use std::time::Duration;

use names::{OrgId, Slug};

use super::super::*;
use crate::authz::{Caller, CredentialKind, Narrowing, Scope, Standing, record_activity};
use crate::catalog::{Class, RecordKind};
use crate::ops::fixture::{Place, World};

fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

/// Somebody in an organization.
async fn caller(world: &World, org: OrgId) -> Caller {
    let key = world.access_key(org).await;
    let sent = world.client(&key).get("UNSIGNED-PAYLOAD");
    world.authenticate(&sent).await.unwrap().0
}

#[tokio::test]
async fn an_organization_is_made_once_with_keys_of_its_own() {
    let world = Place::new().start().await;
    let acme = world.organization("acme").await;
    assert_eq!(acme.slug, Some(slug("acme")));
    assert_eq!(acme.standing, Standing::Active);
    let again = world
        .tenancy
        .create_organization(&world.operator, slug("acme"), Ownership::Provisioned)
        .await;
    assert!(matches!(again, Err(TenancyError::SlugTaken)), "{again:?}");
    let find = async |name| {
        let slug = slug(name);
        world.tenancy.organization(&world.operator, &slug).await
    };
    assert_eq!(find("acme").await.unwrap(), acme);
    let missing = find("other").await;
    assert!(matches!(missing, Err(TenancyError::NoSuchOrganization)));
    assert_eq!(world.platform.org_keys(acme.org).await.unwrap().len(), 1);
    assert!(world.platform.name_key(acme.org).await.unwrap().is_some());
    let members = world
        .platform
        .count_records(acme.org, RecordKind::Member, None);
    assert_eq!(members.await.unwrap(), 0);
}

#[tokio::test]
async fn organizations_are_listed_by_age_in_pages() {
    let world = Place::new().start().await;
    let mut made = Vec::new();
    for name in ["one", "two", "three"] {
        made.push(world.organization(name).await);
    }
    made.sort_by_key(|organization| organization.org);
    let page = async |after, max| {
        world
            .tenancy
            .organizations(&world.operator, after, max)
            .await
            .unwrap()
    };
    assert_eq!(page(None, 10).await, made);
    assert_eq!(page(None, 2).await, made[..2]);
    assert_eq!(page(Some(made[1].org), 2).await, made[2..]);
}

#[tokio::test]
async fn states_change_as_the_table_says() {
    use Standing::{Active, Sealed, Suspended};
    use Transition::{Resume, Seal, Suspend, Unseal};
    let world = Place::new().start().await;
    let mut number = 0;
    for (path, transition, expected) in [
        (&[][..], Suspend, Ok(Suspended)),
        (&[], Resume, Ok(Active)),
        (&[], Seal, Ok(Sealed)),
        (&[], Unseal, Ok(Active)),
        (&[Suspend], Suspend, Ok(Suspended)),
        (&[Suspend], Resume, Ok(Active)),
        (&[Suspend], Seal, Ok(Sealed)),
        (&[Suspend], Unseal, Ok(Suspended)),
        (&[Seal], Suspend, Err("sealed")),
        (&[Seal], Resume, Err("sealed")),
        (&[Seal], Seal, Ok(Sealed)),
        (&[Seal], Unseal, Ok(Active)),
    ] {
        number += 1;
        let org = world.organization(&format!("org-{number}")).await.org;
        for step in path {
            let change = world.tenancy.change_state(&world.operator, org, *step);
            change.await.unwrap();
        }
        let change = world.tenancy.change_state(&world.operator, org, transition);
        let changed = match change.await {
            Ok(organization) => Ok(organization.standing),
            Err(TenancyError::State(state)) => Err(state),
            Err(error) => panic!("{error}"),
        };
        assert_eq!(changed, expected, "{path:?}, then {transition:?}");
        if let Ok(expected) = expected {
            let caller = Caller::authenticated(
                org,
                names::PrincipalId::from_bytes([1; 16]),
                names::AccessKeyId::parse("BKTEST").unwrap(),
                CredentialKind::AccessKey,
                Arc::new(Narrowing::NONE),
            );
            assert_eq!(world.tenancy.standing(&caller).await.unwrap(), expected);
        }
    }
}

#[tokio::test]
async fn standing_follows_every_change_and_no_other() {
    let place = Place::new();
    let (world, beside) = (place.start().await, place.start().await);
    let acme = world.organization("acme").await;
    let caller = caller(&world, acme.org).await;
    let standing = async || world.tenancy.standing(&caller).await.unwrap();
    assert_eq!(standing().await, Standing::Active);
    world
        .tenancy
        .change_state(&world.operator, acme.org, Transition::Suspend)
        .await
        .unwrap();
    assert_eq!(standing().await, Standing::Suspended);
    // By another process: with the next poll, or at once when none came lately.
    beside
        .tenancy
        .change_state(&beside.operator, acme.org, Transition::Resume)
        .await
        .unwrap();
    world.store.poll().await.unwrap();
    assert_eq!(standing().await, Standing::Active);
    beside
        .tenancy
        .change_state(&beside.operator, acme.org, Transition::Suspend)
        .await
        .unwrap();
    place.hand.advance(Duration::from_millis(1001));
    assert_eq!(standing().await, Standing::Suspended);
}

#[tokio::test]
async fn sealing_drops_the_keys_here_and_elsewhere() {
    let place = Place::new();
    let (world, beside) = (place.start().await, place.start().await);
    let acme = world.organization("acme").await;
    let caller = caller(&world, acme.org).await;
    let mut held = Vec::new();
    for process in [&world, &beside] {
        process.store.poll().await.unwrap();
        let keys = process.keyring.open(&record_activity(&caller)).await;
        let keys = keys.unwrap();
        assert_eq!(Arc::strong_count(&keys), 2, "kept");
        held.push(keys);
    }
    world
        .tenancy
        .change_state(&world.operator, acme.org, Transition::Seal)
        .await
        .unwrap();
    assert_eq!(Arc::strong_count(&held[0]), 1);
    beside.store.poll().await.unwrap();
    let standing = beside.tenancy.standing(&caller).await.unwrap();
    assert_eq!(standing, Standing::Sealed);
    assert_eq!(Arc::strong_count(&held[1]), 1);
    let draft = world
        .tenancy
        .draft_access_key(&world.operator, acme.org, Scope::Full);
    let refused = world
        .tenancy
        .create_access_key(&world.operator, draft)
        .await;
    assert!(matches!(refused, Err(TenancyError::State("sealed"))));
}

#[tokio::test]
async fn a_host_name_names_the_callers_organization_or_none() {
    let world = Place::new().start().await;
    let (acme, other) = (
        world.organization("acme").await,
        world.organization("other").await,
    );
    let caller = caller(&world, acme.org).await;
    let is_named = async |name| world.tenancy.is_named(&caller, &slug(name)).await.unwrap();
    assert!(is_named("acme").await);
    assert!(!is_named("other").await && !is_named("nobody").await);
    assert_ne!(acme.org, other.org);
}

#[tokio::test]
async fn access_keys_are_listed_without_secrets_and_revoked_for_good() {
    let world = Place::new().start().await;
    let (acme, other) = (
        world.organization("acme").await,
        world.organization("other").await,
    );
    let mut ids = Vec::new();
    for scope in [Scope::Full, Scope::ReadOnly, Scope::Full] {
        let draft = world
            .tenancy
            .draft_access_key(&world.operator, acme.org, scope);
        let made = world.tenancy.create_access_key(&world.operator, draft);
        ids.push((made.await.unwrap().id, scope));
    }
    let list = async |org, after: Option<&names::AccessKeyId>, max| {
        let listed = world
            .tenancy
            .access_keys(&world.operator, org, after, max)
            .await;
        listed.unwrap()
    };
    let all = list(acme.org, None, 10).await;
    let mut listed: Vec<_> = all.iter().map(|key| (key.id.clone(), key.scope)).collect();
    listed.sort_by(|one, other| one.0.as_str().cmp(other.0.as_str()));
    ids.sort_by(|one, other| one.0.as_str().cmp(other.0.as_str()));
    assert_eq!(listed, ids);
    assert!(list(other.org, None, 10).await.is_empty());
    let first = list(acme.org, None, 2).await;
    let rest = list(acme.org, Some(&first[1].id), 2).await;
    assert_eq!([first, rest].concat(), all);

    let id = &ids[0].0;
    let revoke = async |org, id| {
        world
            .tenancy
            .revoke_access_key(&world.operator, org, id)
            .await
    };
    let elsewhere = revoke(other.org, id).await;
    assert!(matches!(elsewhere, Err(TenancyError::NoSuchAccessKey)));
    let unknown = names::AccessKeyId::parse("BKAAAAAAAAAAAAAAAAAA").unwrap();
    let unknown = revoke(acme.org, &unknown).await;
    assert!(matches!(unknown, Err(TenancyError::NoSuchAccessKey)));
    let revoked = async || {
        let all = list(acme.org, None, 10).await;
        all.into_iter()
            .filter(|key| key.revoked_ms.is_some())
            .collect::<Vec<_>>()
    };
    assert!(revoked().await.is_empty());
    revoke(acme.org, id).await.unwrap();
    let once = revoked().await;
    assert_eq!((once.len(), &once[0].id), (1, id));
    revoke(acme.org, id).await.unwrap();
    assert_eq!(revoked().await, once, "as of when it was revoked");
}

#[tokio::test]
async fn no_access_key_is_made_where_there_is_no_organization() {
    let world = Place::new().start().await;
    let draft =
        world
            .tenancy
            .draft_access_key(&world.operator, OrgId::from_bytes([7; 16]), Scope::Full);
    let refused = world
        .tenancy
        .create_access_key(&world.operator, draft)
        .await;
    assert!(matches!(refused, Err(TenancyError::NoSuchOrganization)));
}

/// Whoever can write the database, but holds no key.
#[tokio::test]
async fn a_changed_row_of_an_organization_is_refused() {
    let place = Place::new();
    let world = place.start().await;
    let (acme, evil) = (
        world.organization("acme").await,
        world.organization("evil").await,
    );
    let caller = caller(&world, evil.org).await;
    world
        .tenancy
        .change_state(&world.operator, evil.org, Transition::Suspend)
        .await
        .unwrap();
    let database = rusqlite::Connection::open(place.catalog_path()).unwrap();
    database
        .execute_batch(
            "ATTACH ':memory:' AS kept;
             CREATE TABLE kept.organizations AS SELECT * FROM organizations",
        )
        .unwrap();
    for attack in [
        // Lift the suspension.
        "UPDATE organizations SET state = 1 WHERE org_id = ?2",
        "UPDATE organizations SET state = 1, sequence = 1 WHERE org_id = ?2",
        "UPDATE organizations SET (state, sequence, mac) =
         (SELECT state, sequence, mac FROM organizations WHERE org_id = ?1) WHERE org_id = ?2",
        // Take their name.
        "UPDATE organizations SET slug = x'78' WHERE org_id = ?1;
         UPDATE organizations SET slug = x'61636d65' WHERE org_id = ?2",
        "DELETE FROM organizations WHERE org_id = ?2",
    ] {
        let attack = attack
            .replace("?1", &format!("x'{}'", hex::encode(acme.org.bytes())))
            .replace("?2", &format!("x'{}'", hex::encode(evil.org.bytes())));
        database.execute_batch(&attack).unwrap();
        let fresh = place.start().await;
        for answer in [
            fresh.tenancy.standing(&caller).await.map(drop),
            fresh
                .tenancy
                .is_named(&caller, &slug("acme"))
                .await
                .map(drop),
        ] {
            assert!(
                matches!(answer, Err(TenancyError::Damaged(_))),
                "{attack}: {answer:?}"
            );
        }
        database
            .execute_batch(
                "DELETE FROM main.organizations;
                 INSERT INTO main.organizations SELECT * FROM kept.organizations",
            )
            .unwrap();
        let standing = fresh.tenancy.standing(&caller).await.unwrap();
        assert_eq!(standing, Standing::Suspended, "{attack}");
    }
}

#[tokio::test]
async fn an_old_standing_is_read_again_after_half_a_minute() {
    let place = Place::new();
    let world = place.start().await;
    let acme = world.organization("acme").await;
    let caller = caller(&world, acme.org).await;
    assert!(world.tenancy.standing(&caller).await.is_ok());
    // Behind the back of every process: no stamp tells.
    let database = rusqlite::Connection::open(place.catalog_path()).unwrap();
    database
        .execute("UPDATE organizations SET state = 3", [])
        .unwrap();
    assert!(world.tenancy.standing(&caller).await.is_ok(), "still kept");
    place.hand.advance(Duration::from_millis(30_001));
    world.store.coherence().polled(world.clock.monotonic());
    let stamp = world.platform.stamp(acme.org, Class::Rights);
    assert!(stamp.is_some());
    assert!(matches!(
        world.tenancy.standing(&caller).await,
        Err(TenancyError::Damaged(_))
    ));
}
