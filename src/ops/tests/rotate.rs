use names::OrgId;

use super::crash_after;
use super::files::pattern;
use super::world::{House, operator};
use crate::catalog::KeyState;
use crate::ops::OpsError;

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_moves_everything_and_deletes_the_old_key() {
    let house = House::new();
    let process = house.start().await;
    let (tenant, other) = (process.tenant("acme").await, process.tenant("other").await);
    let job = process.job(tenant.org);
    let wrapped = process.platform.org_keys(tenant.org).await.unwrap();
    let wrapped = wrapped[0].unverified().wrapped.clone();
    assert!(house.catalog_holds(&wrapped), "what is looked for below");

    let rotated = process
        .rotation()
        .rotate(&operator(), tenant.org)
        .await
        .unwrap();
    assert_eq!((rotated.version, rotated.resumed), (2, false));
    assert_eq!(rotated.deleted, [1]);
    assert_eq!(rotated.damaged, [""; 0]);
    assert_eq!(rotated.scrub_failed, None);
    // A profile, a member, a secret with its version, a task, a bucket, versions and contents of
    // five objects, blobs of three, an upload with two parts and their blobs, an activity log, a
    // name key.
    assert_eq!(rotated.rewrapped, 5 + 1 + 5 + 5 + 3 + 1 + 2 + 2 + 1 + 1);

    assert!(job.named_by_key(1, 10).await.unwrap().is_empty());
    let versions = process.keyring.versions(&job).await.unwrap();
    assert_eq!(versions.len(), 1);
    assert_eq!(
        (versions[0].version, versions[0].state),
        (2, KeyState::Open)
    );
    assert!(!house.catalog_holds(&wrapped), "the old key is scrubbed");
    assert_eq!(process.findings().await, [""; 0]);
    process.assert_whole(&tenant).await;
    process.assert_whole(&other).await;
    process.record(tenant.org, "bulkhead:Test").await;

    let again = process
        .rotation()
        .rotate(&operator(), tenant.org)
        .await
        .unwrap();
    assert_eq!((again.version, again.deleted), (3, vec![2]));
    process.assert_whole(&other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platforms_key_is_rotated_alike() {
    let house = House::new();
    let process = house.start().await;
    let tenant = process.tenant("acme").await;
    let checkpoints = process.checkpoints();
    assert!(
        checkpoints
            .append(process.audit.chain_heads())
            .await
            .unwrap()
    );

    let rotated = process
        .rotation()
        .rotate(&operator(), OrgId::PLATFORM)
        .await
        .unwrap();
    assert_eq!((rotated.version, rotated.deleted), (2, vec![1]));
    // An organization, its account, its access key, its wrapped key, the platform's two wrapped
    // keys, of which the old one was put under the new one when it was closed.
    assert!(rotated.rewrapped >= 5);

    // Also for a process that has nothing cached, and with the signature of the first line gone.
    let process = house.start().await;
    assert_eq!(process.findings().await, [""; 0]);
    process.assert_whole(&tenant).await;
    let operator = operator();
    let keys = process.tenancy.access_keys(&operator, tenant.org, None, 10);
    assert_eq!(keys.await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_ends_anywhere_is_ended_by_the_next() {
    let house = House::new();
    let tenant = {
        let process = house.start().await;
        process.tenant("acme").await
    };
    let mut resumed = 0;
    for steps in 0.. {
        let house = house.copy();
        let process = house.start().await;
        let ended = crash_after(steps, process.rotation().rotate(&operator(), tenant.org)).await;
        drop(process);

        let process = house.start().await;
        if ended.is_none() {
            let rotation = process.rotation();
            let rotated = rotation.rotate(&operator(), tenant.org).await.unwrap();
            resumed += u32::from(rotated.resumed);
        }
        let job = process.job(tenant.org);
        let versions = process.keyring.versions(&job).await.unwrap();
        assert_eq!(versions.len(), 1, "after {steps} steps");
        assert_eq!(process.findings().await, [""; 0], "after {steps} steps");
        process.assert_whole(&tenant).await;
        if let Some(ended) = ended {
            ended.unwrap();
            break;
        }
    }
    assert!(resumed > 3, "no crash was in the middle");
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_go_on_while_the_key_is_rotated() {
    let house = House::new();
    let process = house.start().await;
    let tenant = process.tenant("acme").await;
    let rotation = process.rotation();
    let writes = async {
        for size in (0..60).map(|round| round * 53) {
            let key = format!("written/{size}");
            process.put(tenant.org, &key, &pattern(size)).await.unwrap();
        }
    };
    let rotations = async {
        for _ in 0..5 {
            rotation.rotate(&operator(), tenant.org).await.unwrap();
        }
    };
    tokio::join!(writes, rotations);
    for size in (0..60).map(|round| round * 53) {
        let read = process.get(tenant.org, &format!("written/{size}")).await;
        assert!(read.unwrap() == pattern(size), "{size} bytes");
    }
    assert_eq!(process.findings().await, [""; 0]);
    process.assert_whole(&tenant).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_is_left_and_keeps_its_key() {
    let house = House::new();
    let process = house.start().await;
    let tenant = process.tenant("acme").await;
    let flip = "UPDATE versions SET size = size + 1 WHERE key = CAST('small' AS BLOB)";
    let flip_blob = "UPDATE blobs SET header = CAST(substr(header, 1, 150) || zeroblob(42) AS BLOB)
                     WHERE blob_id = (SELECT min(blob_id) FROM blobs WHERE refs = 1)";
    let database = house.database();
    database
        .execute_batch("CREATE TABLE kept AS SELECT * FROM blobs")
        .unwrap();
    assert_eq!(database.execute(flip, []).unwrap(), 1);
    assert_eq!(database.execute(flip_blob, []).unwrap(), 1);

    let rotation = process.rotation();
    let rotated = rotation.rotate(&operator(), tenant.org).await.unwrap();
    assert_eq!(rotated.damaged.len(), 2, "{:?}", rotated.damaged);
    assert_eq!(rotated.deleted, [0; 0]);
    let job = process.job(tenant.org);
    let versions = process.keyring.versions(&job).await.unwrap();
    let states: Vec<_> = versions
        .iter()
        .map(|one| (one.version, one.state))
        .collect();
    assert_eq!(states, [(1, KeyState::Closed), (2, KeyState::Open)]);
    let read = process.get(tenant.org, "copied").await.unwrap();
    assert!(read == pattern(200_000), "what is sound works on");
    assert!(process.get(tenant.org, "small").await.is_err());

    database
        .execute_batch(
            "UPDATE versions SET size = size - 1 WHERE key = CAST('small' AS BLOB);
             UPDATE blobs SET header = (SELECT header FROM kept WHERE kept.blob_id = blobs.blob_id)
             WHERE blob_id = (SELECT min(blob_id) FROM blobs WHERE refs = 1);
             DROP TABLE kept",
        )
        .unwrap();
    let rotated = rotation.rotate(&operator(), tenant.org).await.unwrap();
    assert!(rotated.resumed);
    assert_eq!((rotated.version, rotated.deleted), (2, vec![1]));
    assert_eq!(rotated.rewrapped, 2);
    process.assert_whole(&tenant).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_do_not_rotate_one_key_at_once() {
    let house = House::new();
    let (one, two) = (house.start().await, house.start().await);
    let tenant = one.tenant("acme").await;
    let lock = format!("rotate {}", tenant.org);
    // By the clock of the process that started later.
    two.jobs.lease(&lock, two.node, 30).await.unwrap().unwrap();
    let refused = one.rotation().rotate(&operator(), tenant.org).await;
    assert!(matches!(refused, Err(OpsError::Busy { .. })), "{refused:?}");
    two.jobs.release(&lock, two.node).await.unwrap();
    one.rotation()
        .rotate(&operator(), tenant.org)
        .await
        .unwrap();
}
