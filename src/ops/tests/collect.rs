use std::time::Duration;

use bytes::Bytes;
use names::BlobId;

use super::crash_after;
use super::files::pattern;
use super::world::{House, TRASH_DELAY};
use crate::blobs::{Blobs, Fault};
use crate::drive::DriveError;
use crate::entropy::Entropy;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

#[tokio::test]
async fn what_was_replaced_goes_when_its_readers_have_had_their_time() {
    let house = House::new();
    let process = house.start().await;
    let tenant = process.tenant("acme").await;
    process
        .put(tenant.org, "object", &pattern(5000))
        .await
        .unwrap();
    let before = process.stored(tenant.org).await.len();
    process
        .put(tenant.org, "object", &pattern(6000))
        .await
        .unwrap();
    process.delete(tenant.org, "copied").await.unwrap();
    let collector = process.collector();
    assert_eq!(collector.collect().await.unwrap().blobs, 0);
    assert_eq!(process.stored(tenant.org).await.len(), before + 1);

    process.hand.advance(TRASH_DELAY);
    assert_eq!(collector.collect().await.unwrap().blobs, 1);
    assert_eq!(process.stored(tenant.org).await.len(), before);
    let read = process.get(tenant.org, "large").await.unwrap();
    assert!(
        read == pattern(200_000),
        "a copy is gone, not what it names"
    );
    process.delete(tenant.org, "large").await.unwrap();
    process.hand.advance(TRASH_DELAY);
    assert_eq!(collector.collect().await.unwrap().blobs, 1);
    assert!(process.jobs.claims(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn only_old_blobs_that_nothing_names_are_orphans() {
    let house = House::new();
    let process = house.start().await;
    let tenant = process.tenant("acme").await;
    let named = process.stored(tenant.org).await.len();
    let entropy = Entropy::system();
    let orphan = async |created_ms: u64| {
        let blob = BlobId::from_bytes(entropy.uuid_v7(created_ms));
        let body = vec![Bytes::from_static(b"left by a crash")];
        process.blobs.put(tenant.org, blob, body).await.unwrap();
        blob
    };
    let now_ms = process.clock.now_ms();
    let old = orphan(now_ms).await;
    let future = orphan(now_ms + 10 * 365 * DAY.as_millis() as u64).await;
    let collector = process.collector();
    assert_eq!(collector.sweep().await.unwrap().blobs, 0, "both are young");
    process.hand.advance(DAY + Duration::from_secs(3600));
    let young = orphan(process.clock.now_ms()).await;
    assert_eq!(collector.sweep().await.unwrap().blobs, 1);
    let left = process.stored(tenant.org).await;
    let is_left = |blob| left.iter().any(|entry| entry.blob == blob);
    assert!(!is_left(old) && is_left(young) && is_left(future));
    assert_eq!(left.len(), named + 2);
    process.assert_whole(&tenant).await;
}

#[tokio::test]
async fn a_slow_upload_is_not_old_by_its_name_alone() {
    let house = House::new();
    let process = house.start().await;
    let tenant = process.tenant("acme").await;
    let named = process.stored(tenant.org).await.len();
    // Begun long ago, and finished in this moment.
    let begun_ms = process.clock.now_ms() - 3 * DAY.as_millis() as u64;
    let blob = BlobId::from_bytes(Entropy::system().uuid_v7(begun_ms));
    let body = vec![Bytes::from_static(b"about to be named")];
    process.blobs.put(tenant.org, blob, body).await.unwrap();
    assert_eq!(process.collector().sweep().await.unwrap().blobs, 0);
    assert_eq!(process.stored(tenant.org).await.len(), named + 1);
}

#[tokio::test]
async fn a_collection_that_ends_anywhere_is_ended_by_the_next() {
    let house = House::new();
    let tenant = {
        let process = house.start().await;
        let tenant = process.tenant("acme").await;
        process.delete(tenant.org, "joined").await.unwrap();
        tenant
    };
    let mut ended_between = 0;
    for steps in 0.. {
        let house = house.copy();
        let process = house.start().await;
        process.hand.advance(10 * DAY);
        let ended = crash_after(steps, process.collector().collect()).await;
        drop(process);
        let process = house.start().await;
        process.hand.advance(20 * DAY);
        let claims = process.jobs.claims(10).await.unwrap().len();
        ended_between += u32::from(claims > 0);
        process.collector().collect().await.unwrap();
        assert!(process.jobs.claims(10).await.unwrap().is_empty());
        // A large one and the two parts of the upload.
        assert_eq!(
            process.stored(tenant.org).await.len(),
            3,
            "after {steps} steps"
        );
        process.get(tenant.org, "copied").await.unwrap();
        if ended.is_some() {
            break;
        }
    }
    assert!(ended_between > 0, "no crash was after the claim");
}

#[tokio::test]
async fn a_blob_that_cannot_be_deleted_keeps_its_claim_and_nothing_else_waits_for_it() {
    let house = House::new();
    let process = house.start().await;
    let tenant = process.tenant("acme").await;
    process.delete(tenant.org, "joined").await.unwrap();
    process.hand.advance(TRASH_DELAY);
    process.blobs.fail_writes_after(1, Fault::Unavailable);
    let collector = process.collector();
    assert_eq!(collector.collect().await.unwrap().blobs, 1);
    assert_eq!(process.jobs.claims(10).await.unwrap().len(), 1);
    process.blobs.heal();
    assert_eq!(collector.collect().await.unwrap().blobs, 1);
    assert!(process.jobs.claims(10).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blob_that_a_copy_has_come_to_name_is_never_collected() {
    let house = House::new();
    let process = house.start().await;
    let tenant = process.tenant("acme").await;
    let (org, collector) = (tenant.org, process.collector());
    let (mut copied, mut missed) = (0, 0);
    for round in 0..60 {
        let (from, to) = (format!("from/{round}"), format!("to/{round}"));
        let body = pattern(2000 + round);
        process.put(org, &from, &body).await.unwrap();
        let collect = async {
            process.delete(org, &from).await.unwrap();
            process.hand.advance(TRASH_DELAY);
            collector.collect().await.unwrap();
        };
        let copy = async {
            // So that the copy comes in the middle of the rest, too.
            for _ in 0..round % 7 {
                tokio::task::yield_now().await;
            }
            process.copy(org, &from, &to).await
        };
        let outcome = match round % 2 {
            0 => tokio::join!(copy, collect).0,
            _ => tokio::join!(collect, copy).1,
        };
        collector.collect().await.unwrap();
        match outcome {
            Ok(()) => {
                copied += 1;
                let read = process.get(org, &to).await.unwrap();
                assert!(read == body, "round {round}");
            }
            Err(DriveError::NoSuchKey) => missed += 1,
            Err(error) => panic!("round {round}: {error}"),
        }
    }
    assert!(
        copied > 0 && missed > 0,
        "{copied} came in time, {missed} late"
    );
    assert_eq!(process.findings().await, [""; 0]);
    process.assert_whole(&tenant).await;
}
