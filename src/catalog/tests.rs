use std::sync::Arc;

use names::{BucketName, OrgId};
use tempfile::TempDir;

use super::conformance::{conforms, world::World, world::make_platform_key};
use super::{
    CatalogError, CommitError, Conflict, Effect, Fault, FaultyStore, Mutation, SqliteStore, Store,
    UsageDelta, UsageSubject, doors,
};
use crate::authz::{Operator, record_activity_as_operator};
use crate::catalog::Meter;
use crate::clock::Clock;

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_store_without_faults_conforms() {
    let (_directory, store) = sqlite();
    conforms(&FaultyStore::new(store)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_store_fails_when_it_is_told_to() {
    let (_directory, store) = sqlite();
    let store = FaultyStore::new(store);
    make_platform_key(&store).await;
    let world = World::new(&store, 1).await;
    let create = |name| {
        let row = super::conformance::world::tagged(world.bucket_row(name), 1);
        store.commit(vec![super::Bound {
            org: world.org,
            mutation: Mutation::CreateBucket(row),
        }])
    };
    let found = async |name| {
        let name = BucketName::parse(name).unwrap();
        store
            .bucket(world.org, &name)
            .await
            .map(|row| row.is_some())
    };
    let done = vec![Ok(Effect::Done)];
    let before = store.calls()["commit"];

    store.fail_commits_after(1, Fault::Full);
    assert_eq!(create("one").await.unwrap(), done);
    assert!(matches!(create("two").await, Err(CatalogError::Full)));
    assert!(matches!(create("two").await, Err(CatalogError::Full)));
    assert!(store.node_gone(world.node()).await.is_err());
    store.fail_commits_after(0, Fault::Unavailable);
    assert!(matches!(
        create("two").await,
        Err(CatalogError::Unavailable(_))
    ));
    assert!(!found("two").await.unwrap());
    store.fail_commits_after(0, Fault::Unanswered);
    assert!(matches!(
        create("two").await,
        Err(CatalogError::Unavailable(_))
    ));
    assert!(found("two").await.unwrap());

    store.fail_reads_after(1, Fault::Unavailable);
    assert!(found("one").await.unwrap());
    assert!(found("one").await.is_err());
    assert!(store.heal());
    assert!(!store.heal());
    assert!(found("one").await.unwrap());
    assert_eq!(create("three").await.unwrap(), done);
    let calls = store.calls();
    assert_eq!((calls["bucket"], calls["commit"] - before), (5, 6));
    assert_eq!(calls["node_gone"], 1);
}

#[tokio::test]
async fn a_permit_opens_no_door_to_rights_and_keys() {
    let (_directory, store) = sqlite();
    let (catalog, platform, jobs) = doors(Arc::clone(&store));
    make_platform_key(&*store).await;
    let world = World::new(&*store, 1).await;
    let permit = record_activity_as_operator(&Operator::authenticated(), world.org);
    let handle = catalog.open(&permit);
    assert_eq!(handle.org(), world.org);
    let missing = |result: Result<Effect, CommitError>| {
        matches!(result, Err(CommitError::Conflict(Conflict::Missing)))
    };

    let delete = || Mutation::DeleteKey { version: 1 };
    assert!(missing(handle.commit(delete()).await));
    let name_key = || Mutation::CreateNameKey(world.name_key_row(1));
    assert!(missing(handle.commit(name_key()).await));
    let usage = Mutation::AddUsage(vec![UsageDelta {
        hour_ms: 0,
        meter: Meter::Requests,
        subject: UsageSubject::Whole,
        amount: 1,
    }]);
    assert_eq!(handle.commit(usage).await.unwrap(), Effect::Done);
    assert_eq!(handle.usage(0, u64::MAX).await.unwrap().len(), 1);

    // The platform and a job may ask.
    let exists = platform.commit(world.org, name_key()).await;
    assert!(matches!(
        exists,
        Err(CommitError::Conflict(Conflict::Exists))
    ));
    let job = jobs.open(world.org, "a test");
    assert!(matches!(
        job.commit(delete()).await,
        Err(CommitError::Conflict(Conflict::Changed))
    ));
    assert_eq!((job.org(), job.job()), (world.org, "a test"));
    assert!(!world.org.is_platform() && OrgId::PLATFORM.is_platform());
}

fn sqlite() -> (TempDir, Arc<dyn Store>) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("catalog.sqlite");
    let store = SqliteStore::open(&path, 2, Clock::system()).unwrap();
    (directory, store)
}
