//! What a request costs does not depend on how many organizations there are.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use names::{BucketId, KeyPrefix};

use super::{again, call, count_steps, path};
use crate::catalog::conformance::world::{
    World, bucket_name, commit_version, make_platform_key, object_key, tagged,
};
use crate::catalog::sqlite::SqliteStore;
use crate::catalog::sqlite::open::open_writer;
use crate::catalog::{Bound, CredentialQuery, ListQuery, Mutation, RecordKind, RecordQuery, Store};
use crate::clock::Clock;

/// The instructions of SQLite's machine that each call takes: a row that is found by an index takes
/// the same among ten and among a hundred thousand, and one that is searched for does not.
type Costs = BTreeMap<&'static str, u64>;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_costs_the_same_among_ten_and_among_a_hundred_thousand_organizations() {
    let (_few, few) = path();
    let (_many, many) = path();
    let (few, many) = (costs(&few, 10).await, costs(&many, 100_000).await);
    assert_eq!(few, many);
    assert!(few.values().all(|steps| *steps > 0), "{few:?}");
}

async fn costs(path: &Path, organizations: u64) -> Costs {
    let steps = Arc::new(AtomicU64::new(0));
    let mut conn = open_writer(path).unwrap();
    count_steps(&mut conn, &steps);
    // A catalog of a test need not survive the machine.
    conn.pragma_update(None, "synchronous", "OFF").unwrap();
    let store = SqliteStore::with_writer(path, 1, Clock::system(), conn).unwrap();
    make_platform_key(&store).await;
    for first in (0..organizations).step_by(GROUP) {
        let seeds = first..organizations.min(first + GROUP as u64);
        let bounds = seeds.flat_map(|seed| organization(&store, seed)).collect();
        for outcome in store.commit(bounds).await.unwrap() {
            outcome.unwrap();
        }
    }
    // One in the middle, with something in it.
    let seed = organizations / 2;
    let org = World::empty(&store, seed).org;
    let world = again(&store, org, u64::MAX);
    let bucket = world.bucket("docs").await;
    for key in ["a", "b", "c"] {
        world.object(bucket, key, 1).await;
    }
    measure(&store, &steps, &world, seed, bucket).await
}

/// What is made with an organization.
fn organization(store: &SqliteStore, seed: u64) -> [Bound; 2] {
    let world = World::empty(store, seed);
    let mut profile = world.record_row(RecordKind::Profile);
    profile.parent = None;
    profile.lookup = Some(lookup(seed));
    let mut credential = world.credential_row(1);
    credential.lookup = lookup(seed);
    let bound = |mutation| Bound {
        org: world.org,
        mutation,
    };
    [
        bound(world.creation(vec![tagged(profile, 1)])),
        bound(Mutation::CreateCredential(tagged(credential, 1))),
    ]
}

async fn measure(
    store: &SqliteStore,
    steps: &Arc<AtomicU64>,
    world: &World<'_>,
    seed: u64,
    bucket: BucketId,
) -> Costs {
    let (org, name, key) = (world.org, bucket_name("docs"), object_key("b"));
    store.keys.count_steps(steps);
    store.pages.count_steps(steps);
    let mut costs = Costs::new();
    macro_rules! cost {
        ($what:literal, $call:expr) => {
            // The first time also plans the statement.
            for _ in 0..2 {
                steps.store(0, Ordering::SeqCst);
                let _found = $call.await.unwrap();
                costs.insert($what, steps.load(Ordering::SeqCst));
            }
        };
    }
    let slug = world.slug();
    let list = ListQuery {
        prefix: KeyPrefix::parse("").unwrap(),
        delimiter: None,
        after: None,
        max: 10,
    };
    cost!("organization", store.organization(org));
    cost!("organization by slug", store.organization_by_slug(&slug));
    cost!("keys", store.org_keys(org));
    cost!("name key", store.name_key(org));
    cost!("credential", store.credential(&lookup(seed)));
    let credentials = || CredentialQuery {
        principal: None,
        kind: None,
        after: None,
        max: 10,
    };
    cost!("credentials", store.credentials(org, credentials()));
    let kind = RecordKind::Profile;
    let records = || RecordQuery {
        parent: None,
        state: None,
        after: None,
        max: 10,
    };
    cost!(
        "record by name",
        store.record_by_lookup(org, kind, &lookup(seed))
    );
    cost!("records", store.records(org, kind, records()));
    cost!("count of records", store.count_records(org, kind, None));
    cost!("bucket", store.bucket(org, &name));
    cost!("buckets", store.buckets(org, "", None, 10));
    cost!("object", store.object(org, bucket, &key));
    cost!("version", store.version(org, bucket, &key));
    cost!("list", store.list(org, bucket, &list));
    cost!("stored", store.stored(org));
    cost!("usage", store.usage(org, 0, i64::MAX as u64));
    cost!("put", async {
        let put = world.put(bucket, "b", 2, world.inline(192), &[]);
        call(store, org, commit_version(put)).await
    });
    costs
}

/// What finds a credential and a record of an organization.
fn lookup(seed: u64) -> [u8; 32] {
    let mut lookup = [7; 32];
    // Spread as digests are.
    let spread = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    lookup[..8].copy_from_slice(&spread.to_be_bytes());
    lookup
}

/// How many organizations are made in one transaction.
const GROUP: usize = 1_000;
