//! A disk that takes nothing, or says that it has lost something, under the running program.

use http::{Method, StatusCode};
use tokio::task::JoinSet;

use crate::support::attacker::blob_files;
use crate::support::client::{Answer, Client};
use crate::support::faults::{Errno, Fault, Faults};
use crate::support::house::House;
use crate::support::raw;

#[tokio::test]
async fn a_write_that_finds_no_room_is_refused_and_the_server_lives_on() {
    let faults = Faults::new();
    let mut house = start(&faults).await;
    let client = house.client();
    for path in [CATALOG_LOG, BLOBS] {
        for error in [Errno::Full, Errno::Quota, Errno::Io] {
            let what = format!("{path}, {error:?}");
            let blobs = blob_files(&house.data()).len();
            faults.begin(&[Fault::Write(path, error)]);
            // A row can be written still where only blobs have no room.
            let refused = if path == BLOBS {
                &[BLOB][..]
            } else {
                &KEYS[..]
            };
            for key in refused {
                for _ in 0..3 {
                    let answer = send(&client, Method::PUT, key, body(key, "between")).await;
                    assert_unavailable(&answer, &what);
                }
            }
            if path == CATALOG_LOG {
                let answer = send(&client, Method::DELETE, INLINE, "").await;
                assert_unavailable(&answer, &what);
            }
            faults.end();

            // What was noted meanwhile has to be written before anything else is done.
            while send(&client, Method::HEAD, INLINE, "").await.status != StatusCode::OK {}
            for key in KEYS {
                let answer = send(&client, Method::GET, key, "").await;
                assert_eq!(answer.body, body(key, "before"), "{what}, {key}");
            }
            if path == BLOBS {
                assert_eq!(blob_files(&house.data()).len(), blobs, "{what}");
            }
            for key in KEYS {
                put(&client, key, body(key, "after")).await;
                put(&client, key, body(key, "before")).await;
            }
        }
    }
    let status = house.stop();
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn a_blob_that_cannot_be_synced_is_refused_and_the_server_lives_on() {
    let faults = Faults::new();
    let house = start(&faults).await;
    let client = house.client();
    let blobs = blob_files(&house.data()).len();
    faults.begin(&[Fault::Sync(BLOBS, Errno::Io)]);
    let answer = send(&client, Method::PUT, BLOB, body(BLOB, "between")).await;
    assert_unavailable(&answer, "a sync");
    faults.end();
    assert_eq!(blob_files(&house.data()).len(), blobs);
    let answer = send(&client, Method::GET, BLOB, "").await;
    assert_eq!(answer.body, body(BLOB, "before"));
    put(&client, BLOB, body(BLOB, "after")).await;
}

/// What the kernel could not write it forgets, and a second sync would succeed without it: nobody
/// knows what is on the disk until the next start has looked.
#[tokio::test]
async fn a_catalog_that_cannot_be_synced_ends_the_server_and_loses_nothing() {
    let faults = Faults::new();
    let mut house = start(&faults).await;
    let client = house.client();
    let many: Vec<_> = (0..WRITERS).map(|n| format!("/docs/many/{n}")).collect();
    let mut begun = Vec::new();
    for key in &many {
        put(&client, key, body(key, "before")).await;
        begun.push(raw::begin_put(house.api(), &house.key, key, BODY_BYTES).await);
    }
    faults.begin(&[Fault::Sync(CATALOG_LOG, Errno::Io)]);
    let mut waiting = JoinSet::new();
    for (key, begun) in many.iter().zip(begun) {
        let between = body(key, "between");
        waiting.spawn(async move { begun.finish(&between).await });
    }
    for answer in waiting.join_all().await {
        let answer = answer.expect("an answer, though the server is about to end");
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    }
    let status = house.ended();
    assert_eq!(status.code(), Some(1), "{}", house.log());
    assert!(house.log().contains("it has stopped since a commit failed"));

    faults.end();
    house.restart().await;
    let client = house.client();
    for key in KEYS {
        let answer = send(&client, Method::GET, key, "").await;
        assert_eq!(answer.body, body(key, "before"), "{key}");
    }
    for key in &many {
        let answer = send(&client, Method::GET, key, "").await;
        let allowed = [body(key, "before"), body(key, "between")];
        assert!(allowed.iter().any(|body| *body == answer.body), "{key}");
        put(&client, key, body(key, "after")).await;
    }
    house.command(&["verify", "--json"]);
}

/// A server that has stored an object in a row and one in a blob.
async fn start(faults: &Faults) -> House {
    let mut environment = faults.environment();
    // A log that could not be written is tried again soon.
    environment.push(("BULKHEAD_AUDIT_BATCH_DELAY_MAX".into(), "10ms".into()));
    let house = House::start_in(environment).await;
    let client = house.client();
    put(&client, "/docs", "").await;
    for key in KEYS {
        put(&client, key, body(key, "before")).await;
    }
    house
}

async fn send(
    client: &Client,
    method: Method,
    target: &str,
    body: impl Into<bytes::Bytes>,
) -> Answer {
    let answer = client.send(method, target, &[], body).await;
    answer.expect("an answer")
}

async fn put(client: &Client, target: &str, body: impl Into<bytes::Bytes>) {
    let answer = send(client, Method::PUT, target, body).await;
    assert_eq!(answer.status, StatusCode::OK, "{target}: {answer:?}");
}

fn assert_unavailable(answer: &Answer, what: &str) {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(answer.status, status, "{what}: {answer:?}");
}

/// A body that no other key and no other time has, long enough for its key.
fn body(key: &str, time: &str) -> Vec<u8> {
    let length = if key == BLOB { BLOB_BYTES } else { BODY_BYTES };
    format!("{time} {key} ")
        .bytes()
        .cycle()
        .take(length)
        .collect()
}

const INLINE: &str = "/docs/inline";
const BLOB: &str = "/docs/blob";
const KEYS: [&str; 2] = [INLINE, BLOB];
const BODY_BYTES: usize = 1000;
const BLOB_BYTES: usize = 200_000;
const WRITERS: usize = 8;
const CATALOG_LOG: &str = "/catalog.sqlite-wal";
const BLOBS: &str = "/blobs/orgs/";
