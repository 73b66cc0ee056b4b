use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};

use names::{BucketName, OrgId, Slug};

use super::*;
use crate::blobs::ObjectBlobs;
use crate::catalog::{Fault, FaultyStore, RecordKind, doors};
use crate::config::Config;
use crate::drive::{Drive, DriveSettings};
use crate::keyring::KeyringError;
use crate::ops::fixture::{Client, Place, World};

/// An access key as it was shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Shown {
    id: String,
    secret: String,
}

/// Makes the first start in a process, and returns what it showed, whatever came of it.
async fn show(world: &World) -> (Option<Shown>, Result<(), ProvisionError>) {
    let shown = Mutex::new(None);
    let outcome = first_start(&world.act(), &world.administration, |first| {
        assert_eq!(first.slug.as_str(), "home");
        *shown.lock().unwrap() = Some(Shown {
            id: first.access_key.id().to_string(),
            secret: first.access_key.expose().to_owned(),
        });
        Ok(())
    })
    .await;
    (shown.into_inner().unwrap(), outcome)
}

async fn start(world: &World) -> Result<Option<Shown>, ProvisionError> {
    let (shown, outcome) = show(world).await;
    outcome.map(|()| shown)
}

async fn works(world: &World, shown: &Shown) -> bool {
    let client = Client::new(&shown.id, &shown.secret, world.clock.now_ms());
    let sent = client.get("UNSIGNED-PAYLOAD");
    world.authenticate(&sent).await.is_ok()
}

/// The ids of all access keys of `home`.
async fn ids(world: &World) -> BTreeSet<String> {
    let home = Slug::parse("home").unwrap();
    let listed = world
        .administration
        .access_keys(&world.act(), &home, None, 100)
        .await
        .unwrap();
    listed.into_iter().map(|key| key.id.to_string()).collect()
}

/// How many organizations there are.
async fn count(world: &World) -> usize {
    let act = world.act();
    let all = world.administration.organizations(&act, None, 10).await;
    all.unwrap().len()
}

#[tokio::test]
async fn the_first_start_shows_one_key_and_the_next_none() {
    let place = Place::new();
    let world = place.start().await;
    let shown = start(&world).await.unwrap().unwrap();
    assert!(works(&world, &shown).await);
    assert_eq!(start(&world).await.unwrap(), None);
    let again = place.start().await;
    assert_eq!(start(&again).await.unwrap(), None);
    assert!(works(&again, &shown).await);
    let home = again
        .administration
        .organization(&again.act(), &Slug::parse("home").unwrap())
        .await
        .unwrap();
    // Its owner is whoever the operator invites.
    let members = again
        .platform
        .count_records(home.org, RecordKind::Member, None);
    assert_eq!(members.await.unwrap(), 0);
    let log = again.platform.audit_chains(home.org).await.unwrap();
    assert!(!log.is_empty(), "the organization's log knows of its key");
}

#[tokio::test]
async fn where_organizations_were_made_nothing_is_shown() {
    let world = Place::new().start().await;
    world.organization("acme").await;
    assert_eq!(start(&world).await.unwrap(), None);
    assert_eq!(count(&world).await, 1);
}

#[tokio::test]
async fn a_sealed_home_without_a_key_does_not_keep_the_program_from_starting() {
    let world = Place::new().start().await;
    let home = world.organization("home").await;
    world
        .tenancy
        .change_state(&world.operator, home.org, crate::tenancy::Transition::Seal)
        .await
        .unwrap();
    assert_eq!(start(&world).await.unwrap(), None);
}

#[tokio::test]
async fn a_key_that_was_not_shown_does_not_work() {
    let world = Place::new().start().await;
    let unseen = Mutex::new(None);
    let failed = first_start(&world.act(), &world.administration, |first| {
        *unseen.lock().unwrap() = Some(Shown {
            id: first.access_key.id().to_string(),
            secret: first.access_key.expose().to_owned(),
        });
        Err(io::ErrorKind::BrokenPipe.into())
    })
    .await;
    assert!(matches!(failed, Err(ProvisionError::Unseen(_))));
    let unseen = unseen.into_inner().unwrap().unwrap();
    assert!(!works(&world, &unseen).await);
    let shown = start(&world).await.unwrap().unwrap();
    assert!(works(&world, &shown).await);
    assert_eq!(ids(&world).await, BTreeSet::from([shown.id]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn processes_that_start_at_once_agree() {
    for _ in 0..8 {
        let place = Place::new();
        // As in a process: each opens catalog, root key file and keys by itself.
        let one = async || {
            let world = place.start().await;
            let shown = start(&world).await.unwrap();
            (world, shown)
        };
        let started = futures_util::future::join_all([one(), one(), one()]).await;
        let shown: BTreeSet<_> = started
            .iter()
            .filter_map(|(_, shown)| shown.clone())
            .collect();
        assert!(!shown.is_empty());
        for (world, _) in &started {
            for key in &shown {
                assert!(works(world, key).await, "shown, and does not work");
            }
            let shown_ids = shown.iter().map(|key| key.id.clone()).collect();
            assert_eq!(ids(world).await, shown_ids, "works, and was never shown");
            assert_eq!(count(world).await, 1);
            let keys = world.platform.org_keys(OrgId::PLATFORM).await.unwrap();
            assert_eq!(keys.len(), 1);
        }
    }
}

#[tokio::test]
async fn a_missing_root_key_file_is_never_made_anew() {
    let place = Place::new();
    place.start().await;
    let path = place.root_path();
    let away = path.with_extension("away");
    std::fs::rename(&path, &away).unwrap();
    let refused = place.start_on(place.store()).await.err();
    assert!(matches!(refused, Some(ProvisionError::RootMissing { .. })));
    assert!(!path.exists());
    std::fs::rename(&away, &path).unwrap();
    assert!(place.start_on(place.store()).await.is_ok());
}

#[tokio::test]
async fn the_root_key_file_of_another_catalog_is_refused() {
    let (place, other) = (Place::new(), Place::new());
    place.start().await;
    other.start().await;
    std::fs::copy(other.root_path(), place.root_path()).unwrap();
    let refused = place.start_on(place.store()).await.err();
    assert!(matches!(
        refused,
        Some(ProvisionError::Keys(KeyringError::NoRoot { .. }))
    ));
}

/// A start that ends at any of its writes, done or not, leaves what the next one completes.
#[tokio::test]
async fn wherever_a_start_ends_the_next_one_shows_a_key() {
    for fault in [Fault::Unavailable, Fault::Unanswered] {
        let mut ended_at_all = false;
        for commits in 0.. {
            let place = Place::new();
            let store = Arc::new(FaultyStore::new(place.store()));
            store.fail_commits_after(commits, fault);
            let mut shown = Vec::new();
            let ended = match place.start_on(store).await {
                Ok(world) => {
                    let (first, ended) = show(&world).await;
                    shown.extend(first);
                    ended.is_err()
                }
                Err(_) => true,
            };
            let world = place.start().await;
            let (next, completed) = show(&world).await;
            completed.unwrap();
            shown.extend(next);

            let mut working = BTreeSet::new();
            for key in &shown {
                if works(&world, key).await {
                    working.insert(key.id.clone());
                }
            }
            let at = format!("{fault:?} after {commits} commits");
            assert!(!working.is_empty(), "{at}: no key is shown that works");
            assert_eq!(ids(&world).await, working, "{at}: one works unseen");
            assert_eq!(count(&world).await, 1, "{at}");
            let act = world.act();
            let home = Slug::parse("home").unwrap();
            let home = world.administration.organization(&act, &home).await;
            let name_key = world.platform.name_key(home.unwrap().org).await.unwrap();
            assert!(name_key.is_some(), "{at}");
            ended_at_all |= ended;
            if !ended {
                break;
            }
        }
        assert!(ended_at_all);
    }
}

/// What makes organizations in a process whose settings have one template, with a bucket.
fn provisioner(world: &World, bucket: &str) -> Provisioner {
    let text = format!("[[template]]\nname = \"standard\"\nbuckets = [{bucket:?}]\n");
    let config = Config::from_sources(Some(("b.toml".as_ref(), &text)), []).unwrap();
    let (catalog, ..) = doors(Arc::clone(&world.store));
    let drive = Drive::new(
        catalog,
        Arc::new(ObjectBlobs::memory()),
        Arc::clone(&world.keyring),
        DriveSettings {
            inline_max: 1000,
            memory_max: 64 << 20,
            opaque_etags: false,
            trash_delay: std::time::Duration::ZERO,
        },
        world.clock.clone(),
        world.entropy.clone(),
    );
    Provisioner::new(ProvisionerParts {
        platform: world.platform.clone(),
        keyring: Arc::clone(&world.keyring),
        tenancy: Arc::clone(&world.tenancy),
        administration: Arc::clone(&world.administration),
        drive: Arc::new(drive),
        templates: Templates::read(&config.templates).unwrap(),
        clock: world.clock.clone(),
        entropy: world.entropy.clone(),
    })
}

/// A call that was cut goes on with what its template said when it came first, if anything of it
/// was written.
#[tokio::test]
async fn what_is_under_way_is_finished_as_its_template_was() {
    let wish = Wish {
        slug: Slug::parse("acme").unwrap(),
        name: None,
        owner: None,
        template: Some("standard".to_owned()),
        plan: Part::OfTemplate,
        agents: Part::OfTemplate,
        access_key: Part::OfTemplate,
        buckets: Part::OfTemplate,
    };
    for commits in 0.. {
        let place = Place::new();
        let store = Arc::new(FaultyStore::new(place.store()));
        let world = place.start_on(store.clone()).await.unwrap();
        let (before, after) = (provisioner(&world, "before"), provisioner(&world, "after"));
        store.fail_commits_after(commits, Fault::Unavailable);
        let request: &[&[u8]] = &[b"request"];
        let cut = before.provision(&world.act(), "key", request, &wish).await;
        store.heal();
        let done = after.provision(&world.act(), "key", request, &wish).await;
        let done = done.unwrap();
        let bucket = if commits == 0 { "after" } else { "before" };
        assert_eq!(
            done.buckets,
            [BucketName::parse(bucket).unwrap()],
            "after {commits} commits"
        );
        assert_eq!(done.is_repetition, cut.is_ok());
        if cut.is_ok() {
            assert!(commits > 3, "{commits} commits are not all of it");
            break;
        }
    }
}
