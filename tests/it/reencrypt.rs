//! A key has leaked: `bulkhead rotate --reencrypt` beside a server at work.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};

use crate::support::attacker::{Attacker, blob_files, blob_of};
use crate::support::client::{Answer, Client};
use crate::support::house::House;
use crate::support::text::element;

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_sealed_anew_beside_a_server_at_work() {
    let house = House::start_with(&[
        ("DRIVE_TRASH_DELAY", "2s"),
        ("DRIVE_COLLECT_INTERVAL", "100ms"),
    ])
    .await;
    let acme = house.create_organization("acme");
    let client = Arc::new(house.client_of(&acme.key));
    ask(&client, Method::PUT, "/docs", Bytes::new()).await;
    let kept: Vec<(String, Bytes)> = [1, 100, 16_385, 300_000, 3 << 20]
        .map(|length| (format!("/docs/kept-{length}"), content(length)))
        .into();
    for (target, body) in &kept {
        ask(&client, Method::PUT, target, body.clone()).await;
    }
    let upload = ask(&client, Method::POST, "/docs/later?uploads=", Bytes::new()).await;
    let upload = element(&upload.body, "UploadId");
    let part = format!("/docs/later?partNumber=1&uploadId={upload}");
    let part = ask(&client, Method::PUT, &part, content(400_000)).await;
    let told = told(&client, &kept).await;
    // So that what is looked for below is not of another organization.
    let mut before: BTreeSet<_> = blob_files(&house.data()).into_iter().collect();
    assert!(before.len() >= 4);
    let attacker = Attacker::at(&house);
    let wrapped = "SELECT substr(header, 113, 48) FROM blobs
         UNION SELECT substr(metadata, 113, 48) FROM contents
         UNION SELECT substr(body, 113, 48) FROM contents WHERE body IS NOT NULL";
    let data_keys: BTreeSet<_> = attacker.find(wrapped).into_iter().collect();

    let is_done = Arc::new(AtomicBool::new(false));
    let clients = tokio::spawn(work(
        Arc::clone(&client),
        kept.clone(),
        Arc::clone(&is_done),
    ));
    let rotated = tokio::task::block_in_place(|| {
        house.command(&["rotate", "--org", &acme.slug, "--reencrypt"])
    });
    is_done.store(true, Ordering::SeqCst);
    let written = clients.await.expect("a client that is served");
    assert!(written > 0);

    assert_eq!(rotated["version"], 2);
    assert_eq!(rotated["deleted"], serde_json::json!([1]));
    assert_eq!(rotated["damaged"], serde_json::json!([]));
    let sealed = &rotated["sealed_anew"];
    assert!(sealed["objects"].as_u64() >= Some(5), "{rotated}");
    assert!(sealed["bytes"].as_u64() >= Some(3 << 20), "{rotated}");
    assert_eq!(sealed["parts"], 1);
    assert_eq!(self::told(&client, &kept).await, told);
    let keys = attacker.rows("SELECT version FROM org_keys WHERE org_id != zeroblob(16)");
    assert!(keys.len() >= 2, "the first organization keeps its own");

    // The server deletes what the leaked key opens, once its readers have had their time.
    loop {
        before.retain(|file| file.exists());
        if before.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let left: Vec<_> = attacker.find(wrapped);
    assert!(left.iter().all(|data_key| !data_keys.contains(data_key)));
    let named = attacker.find("SELECT blob_id FROM blobs");
    for file in blob_files(&house.data()) {
        let blob = blob_of(&file).bytes().to_vec();
        assert!(named.contains(&blob), "{} is an orphan", file.display());
    }

    let etag = part.headers["etag"].to_str().expect("text");
    let parts = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
         </CompleteMultipartUpload>"
    );
    let complete = format!("/docs/later?uploadId={upload}");
    ask(&client, Method::POST, &complete, parts.into()).await;
    let later = ask(&client, Method::GET, "/docs/later", Bytes::new()).await;
    assert!(later.body == content(400_000));

    for command in [&["verify"][..], &["audit", "verify", "--org", &acme.slug]] {
        let verified = house.run(command);
        let said = String::from_utf8_lossy(&verified.stdout);
        assert!(verified.status.success(), "{command:?}: {said}");
    }
    let log = house.run(&["audit", "export", "--org", &acme.slug]);
    let log = String::from_utf8_lossy(&log.stdout).into_owned();
    assert!(log.contains("bulkhead:ReencryptData"), "{log}");
}

/// Reads what is kept, writes, overwrites, copies and deletes, until it is told to stop. Returns how
/// often.
async fn work(client: Arc<Client>, kept: Vec<(String, Bytes)>, is_done: Arc<AtomicBool>) -> u64 {
    let mut rounds = 0;
    while !is_done.load(Ordering::SeqCst) || rounds == 0 {
        for (target, body) in &kept {
            let read = ask(&client, Method::GET, target, Bytes::new()).await;
            assert!(read.body == *body, "{target}");
        }
        let target = format!("/docs/written-{}", rounds % 7);
        let body = content(20_000 + rounds as usize);
        ask(&client, Method::PUT, &target, body.clone()).await;
        let read = ask(&client, Method::GET, &target, Bytes::new()).await;
        assert!(read.body == body, "{target}");
        let source = [("x-amz-copy-source", "/docs/kept-300000")];
        let copy = client.send(Method::PUT, "/docs/a-copy", &source, "").await;
        assert_eq!(copy.expect("an answer").status, StatusCode::OK);
        let read = ask(&client, Method::GET, "/docs/a-copy", Bytes::new()).await;
        assert!(read.body == content(300_000));
        let gone = client.send(Method::DELETE, &target, &[], "").await;
        assert_eq!(gone.expect("an answer").status, StatusCode::NO_CONTENT);
        rounds += 1;
    }
    rounds
}

/// What a client is told of objects.
async fn told(client: &Client, kept: &[(String, Bytes)]) -> Vec<Vec<String>> {
    let mut told = Vec::new();
    for (target, _) in kept {
        let answer = ask(client, Method::HEAD, target, Bytes::new()).await;
        let field = |name: &str| format!("{:?}", answer.headers.get(name));
        told.push(
            ["etag", "last-modified", "content-length", "content-type"]
                .map(field)
                .into(),
        );
    }
    told
}

async fn ask(client: &Client, method: Method, target: &str, body: Bytes) -> Answer {
    let answer = client.send(method, target, &[], body).await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK, "{target}: {answer:?}");
    answer
}

/// Bytes in which no stretch equals its neighbours.
fn content(length: usize) -> Bytes {
    (0..length)
        .map(|at| (at / 251 + at % 251) as u8)
        .collect::<Vec<_>>()
        .into()
}
