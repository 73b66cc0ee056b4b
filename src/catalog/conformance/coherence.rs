//! What caches hear of changes.

use names::OrgId;

use super::records::{insert, replace};
use super::world::{World, tagged};
use crate::catalog::{Class, Effect, KeyState, Mutation, OrgState, RecordKind, RecordWrite, Store};

pub(in crate::catalog) async fn caches_hear_of_changes(store: &dyn Store) {
    let world = World::new(store, 631).await;
    let other = World::new(store, 632).await;
    let stamp = async |org: OrgId| loop {
        // A poll makes stamps fresh, for as long as this thread is not put aside.
        store.poll().await.expect("a poll");
        let of = |class| store.coherence().stamp(org, class);
        if let (Some(rights), Some(buckets)) = (of(Class::Rights), of(Class::Buckets)) {
            return (rights, buckets);
        }
    };
    let theirs = stamp(other.org).await;

    let mut before = stamp(world.org).await;
    let bucket = world.bucket("docs").await;
    let mut now = stamp(world.org).await;
    assert_eq!(now.0, before.0);
    assert_ne!(now.1, before.1, "a bucket");

    before = now;
    world.object(bucket, "key", 1).await;
    let upload = world.upload(bucket, "key").await;
    world.part((bucket, "key"), upload, 1, &[]).await;
    world.done(Mutation::AddUsage(vec![])).await;
    now = stamp(world.org).await;
    assert_eq!(now, before, "objects");

    let credential = tagged(world.credential_row(1), 1);
    let mut revoked = credential.row().clone();
    (revoked.sequence, revoked.revoked_ms) = (2, Some(1));
    world.done(Mutation::CreateCredential(credential)).await;
    now = stamp(world.org).await;
    assert_eq!(now, before, "a credential that nobody can have kept");
    let suspended = world.organization_row(OrgState::Suspended, 2);
    for mutation in [
        Mutation::ReplaceCredential(tagged(revoked, 1)),
        Mutation::AddKey(tagged(world.key_row(2, KeyState::Open, 1), 1)),
        Mutation::ReplaceOrganization(tagged(suspended, 1)),
    ] {
        before = stamp(world.org).await;
        let what = format!("{mutation:?}");
        world.done(mutation).await;
        now = stamp(world.org).await;
        assert_ne!(now.0, before.0, "{what}");
        assert_eq!(now.1, before.1, "{what}");
    }
    let refused = world.organization_row(OrgState::Active, 2);
    let refused = Mutation::ReplaceOrganization(tagged(refused, 1));
    world.commit(refused).await.expect_err("a conflict");
    assert_eq!(stamp(world.org).await, now);
    assert_eq!(stamp(other.org).await, theirs);
}

pub(in crate::catalog) async fn caches_hear_of_the_records_that_they_hold(store: &dyn Store) {
    let world = World::new(store, 891).await;
    let other = World::new(store, 892).await;
    let platform = World {
        org: OrgId::PLATFORM,
        ..World::empty(store, 893)
    };
    let stamps = async |org: OrgId| loop {
        // A poll makes stamps fresh, for as long as this thread is not put aside.
        store.poll().await.expect("a poll");
        let stamps = CLASSES.map(|class| store.coherence().stamp(org, class));
        if stamps.iter().all(Option::is_some) {
            return stamps;
        }
    };
    let theirs = stamps(other.org).await;
    for kind in RecordKind::ALL {
        let world = match kind.stands_in(world.org) {
            true => &world,
            false => &platform,
        };
        let record = tagged(world.record_row(kind), 1);
        let next = replace(&record, |row| row.state += 1);
        let gone = RecordWrite::Delete {
            kind,
            id: record.row().id,
            sequence: 2,
        };
        for write in [insert(&record), next, gone] {
            let what = format!("{kind}: {write:?}");
            let before = stamps(world.org).await;
            assert_eq!(world.write([write]).await, Ok(Effect::Done), "{what}");
            let after = stamps(world.org).await;
            for (n, class) in CLASSES.into_iter().enumerate() {
                let changed = before[n] != after[n];
                assert_eq!(changed, kind.class() == Some(class), "{what}: {class:?}");
            }
        }
    }
    assert_eq!(stamps(other.org).await, theirs);
    // The platform's rights are part of what is kept of everybody.
    assert_ne!(RecordKind::Account.class(), Some(Class::Rights));
    assert_eq!(RecordKind::Profile.class(), Some(Class::Rights));
}

const CLASSES: [Class; 4] = [
    Class::Rights,
    Class::Buckets,
    Class::Accounts,
    Class::Secrets,
];
