use std::sync::Arc;
use std::time::Duration;

use names::NodeId;
use time::OffsetDateTime;

use super::crash_after;
use super::tenant::Tenant;
use super::world::{House, Process, operator};
use crate::catalog::{NODE_ALIVE_SECONDS, OrgState};
use crate::keyring::KeyringError;
use crate::ops::{Certificate, Pending};

fn what_is_pending(certificate: &Certificate) -> Vec<&'static str> {
    let pending = certificate.pending.iter();
    pending
        .map(|one| match one {
            Pending::Nodes { .. } => "nodes",
            Pending::Blobs { .. } => "blobs",
            Pending::Scrub { .. } => "scrub",
            Pending::Root { .. } => "root",
            Pending::Backups { .. } => "backups",
        })
        .collect()
}

pub(super) async fn assert_gone(house: &House, process: &Process, tenant: &Tenant) {
    let org = tenant.org;
    let opened = process.keyring.open_for_job(&process.job(org)).await;
    assert!(matches!(opened, Err(KeyringError::NoKey)));
    assert!(process.stored(org).await.is_empty(), "no blob is left");
    let row = process.platform.organization(org).await.unwrap().unwrap();
    assert_eq!(row.unverified().state, OrgState::Destroyed);
    assert_eq!(row.unverified().slug, None);
    let database = house.database();
    for table in [
        "org_keys",
        "name_keys",
        "credentials",
        "records",
        "buckets",
        "versions",
        "contents",
        "uploads",
        "upload_parts",
        "audit_segments",
    ] {
        let count = format!("SELECT count(*) FROM {table} WHERE org_id = ?1");
        let left: u32 = database
            .query_row(&count, [org.bytes()], |row| row.get(0))
            .unwrap();
        assert_eq!(left, 0, "{table}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_destroyed_organization_is_nowhere() {
    let house = House::new();
    let process = house.start().await;
    let (tenant, other) = (process.tenant("acme").await, process.tenant("other").await);
    let rows = process.platform.org_keys(tenant.org).await.unwrap();
    let wrapped = rows[0].unverified().wrapped.clone();
    let sealed = &wrapped[112..];
    assert!(house.catalog_holds(sealed), "what is looked for below");
    assert!(house.catalog_holds(b"joined"), "and the names of objects");

    let destroyer = process.destroyer();
    let certificate = destroyer.destroy(&operator(), tenant.org).await.unwrap();
    assert_eq!(what_is_pending(&certificate), ["root", "backups"]);
    assert!(!certificate.complete);
    assert_eq!(certificate.key_versions_destroyed, 1);
    assert_eq!(certificate.objects_destroyed, 5);
    assert!(certificate.bytes_destroyed > 2 * (5 << 20));
    assert!(certificate.blobs_deleted >= 5);
    assert_gone(&house, &process, &tenant).await;
    assert!(!house.catalog_holds(sealed), "the wrapped key is scrubbed");
    assert!(process.get(tenant.org, "small").await.is_err());
    process.assert_whole(&other).await;
    assert_eq!(process.findings().await, [""; 0]);

    // Once no root is left that wrapped the key, no copy of the catalog helps any more.
    let root = process.root_rotation();
    root.rotate(&operator()).await.unwrap();
    let between = destroyer.destroy(&operator(), tenant.org).await.unwrap();
    assert_eq!(what_is_pending(&between), ["root", "backups"]);
    root.destroy_version(&operator(), 1).await.unwrap();
    let last = destroyer.destroy(&operator(), tenant.org).await.unwrap();
    assert_eq!(what_is_pending(&last), ["backups"]);
    assert!(last.complete);
    assert_eq!(last.destroyed_at, certificate.destroyed_at);
    assert_eq!(last.objects_destroyed, 5, "also when asked again");
    process.get(other.org, "large").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_destruction_that_ends_anywhere_goes_on() {
    let house = House::new();
    let tenant = house.start().await.tenant("acme").await;
    for steps in 0.. {
        let house = house.copy();
        let process = house.start().await;
        let ended = crash_after(steps, process.destroyer().destroy(&operator(), tenant.org)).await;
        drop(process);
        let process = house.start().await;
        let certificate = process.destroyer().destroy(&operator(), tenant.org).await;
        let certificate = certificate.unwrap();
        assert_eq!(what_is_pending(&certificate), ["root", "backups"]);
        assert_eq!(certificate.objects_destroyed, 5, "after {steps} steps");
        assert_gone(&house, &process, &tenant).await;
        assert_eq!(process.findings().await, [""; 0], "after {steps} steps");
        if ended.is_some() {
            break;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_node_that_has_not_seen_it_is_waited_for() {
    let house = House::new();
    let process = house.start().await;
    let tenant = process.tenant("acme").await;
    let deaf = NodeId::from_bytes([7; 16]);
    process.platform.node_seen(deaf, 1).await.unwrap();

    let destroyer = process.destroyer();
    let hand = process.hand.clone();
    let time_passes = async {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            // It states that it lives, and never that it has seen more.
            process.platform.node_seen(deaf, 1).await.unwrap();
            hand.advance(Duration::from_secs(1));
        }
    };
    let operator = operator();
    let certificate = tokio::select! {
        certificate = destroyer.destroy(&operator, tenant.org) => certificate.unwrap(),
        () = time_passes => unreachable!("time does not end"),
    };
    assert_eq!(what_is_pending(&certificate), ["nodes", "root", "backups"]);
    let Pending::Nodes { nodes } = &certificate.pending[0] else {
        unreachable!("it was the first");
    };
    assert_eq!(*nodes, [deaf.to_string()]);
    assert_gone(&house, &process, &tenant).await;

    // One statement may be under way: this one comes after it, and is the last.
    process.platform.node_seen(deaf, 1).await.unwrap();
    process
        .hand
        .advance(Duration::from_secs(u64::from(NODE_ALIVE_SECONDS) + 1));
    let certificate = destroyer.destroy(&operator, tenant.org).await.unwrap();
    assert_eq!(what_is_pending(&certificate), ["root", "backups"]);
}

#[tokio::test(start_paused = true)]
async fn a_node_that_follows_drops_the_keys_before_it_says_so() {
    let house = House::new();
    let (process, server) = (house.start().await, house.start().await);
    let tenant = process.tenant("acme").await;
    let keyring = Arc::clone(&server.keyring);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let following = {
        let (platform, keyring, node) = (server.platform.clone(), keyring.clone(), server.node);
        tokio::spawn(async move {
            let tend = || keyring.tend();
            let stopped = async { drop(stopped.await) };
            platform.follow(node, tend, stopped).await;
        })
    };
    while process
        .jobs
        .nodes(NODE_ALIVE_SECONDS)
        .await
        .unwrap()
        .is_empty()
    {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let held = keyring.open_for_job(&server.job(tenant.org)).await.unwrap();
    assert_eq!(Arc::strong_count(&held), 2, "the keyring keeps it");

    let certificate = process.destroyer().destroy(&operator(), tenant.org).await;
    assert_eq!(what_is_pending(&certificate.unwrap()), ["root", "backups"]);
    assert_eq!(Arc::strong_count(&held), 1, "the keyring has dropped it");
    let opened = keyring.open_for_job(&server.job(tenant.org)).await;
    assert!(matches!(opened, Err(KeyringError::NoKey)));

    stop.send(()).unwrap();
    following.await.unwrap();
    assert!(
        process
            .jobs
            .nodes(NODE_ALIVE_SECONDS)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn a_blob_that_would_not_go_is_pending_until_it_does() {
    use crate::blobs::Fault;
    let house = House::new();
    let process = house.start().await;
    let tenant = process.tenant("acme").await;
    process.blobs.fail_writes_after(1, Fault::Unavailable);
    let destroyer = process.destroyer();
    let certificate = destroyer.destroy(&operator(), tenant.org).await.unwrap();
    assert_eq!(what_is_pending(&certificate), ["blobs", "root", "backups"]);
    assert_eq!(certificate.blobs_deleted, 1);
    process.blobs.heal();
    let certificate = destroyer.destroy(&operator(), tenant.org).await.unwrap();
    assert_eq!(what_is_pending(&certificate), ["root", "backups"]);
    assert_gone(&house, &process, &tenant).await;
}

#[tokio::test(start_paused = true)]
async fn a_certificate_says_until_when_backups_hold_the_keys() {
    let house = House::new();
    let process = house.start().await;
    let tenant = process.tenant("acme").await;
    let kept = Duration::from_secs(30 * 86_400);
    let destroyer = process.destroyer().with_backups_kept(Some(kept));
    let certificate = destroyer.destroy(&operator(), tenant.org).await.unwrap();
    assert_eq!(what_is_pending(&certificate), ["root", "backups"]);
    let Some(Pending::Backups { until: Some(until) }) = certificate.pending.last() else {
        panic!("{certificate:?}");
    };
    let parse = |text: &str| {
        OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).unwrap()
    };
    let difference = parse(until) - parse(&certificate.destroyed_at);
    assert_eq!(difference, kept);

    process.hand.advance(kept - Duration::from_secs(1));
    let before = destroyer.destroy(&operator(), tenant.org).await.unwrap();
    assert_eq!(what_is_pending(&before), ["root", "backups"]);
    process.hand.advance(Duration::from_secs(1));
    let after = destroyer.destroy(&operator(), tenant.org).await.unwrap();
    assert_eq!(what_is_pending(&after), ["root"]);
}
