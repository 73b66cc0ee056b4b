use std::time::Duration;

use super::world::*;
use crate::drive::conditions::Unmet;
use crate::drive::*;

fn any() -> Option<EtagCondition> {
    Some(EtagCondition::Any)
}

fn one(etag: impl ToString) -> Option<EtagCondition> {
    Some(EtagCondition::OneOf(vec!["0".repeat(32), etag.to_string()]))
}

fn if_match(condition: Option<EtagCondition>) -> WriteConditions {
    WriteConditions {
        if_match: condition,
        ..WriteConditions::default()
    }
}

fn if_none_match(condition: Option<EtagCondition>) -> WriteConditions {
    WriteConditions {
        if_none_match: condition,
        ..WriteConditions::default()
    }
}

fn failed(outcome: Result<Written, DriveError>) -> &'static str {
    match outcome {
        Err(DriveError::PreconditionFailed { condition }) => condition,
        other => panic!("{other:?}"),
    }
}

/// The sequence of ceph/s3-tests' test_put_object_if_match.
#[tokio::test]
async fn a_write_happens_only_under_its_conditions() {
    let world = World::new().await;
    let ours = &world.ours;
    let etag = ours.put_if("k", b"1", if_none_match(any())).await.unwrap();
    let etag = etag.etag;
    assert_eq!(
        failed(ours.put_if("k", b"2", if_none_match(any())).await),
        "If-None-Match"
    );
    assert_eq!(
        failed(ours.put_if("k", b"2", if_none_match(one(etag))).await),
        "If-None-Match"
    );
    ours.put_if("k", b"1", if_none_match(one("bad")))
        .await
        .unwrap();
    ours.put_if("k", b"1", if_match(one(etag))).await.unwrap();
    assert_eq!(
        failed(ours.put_if("k", b"2", if_match(one("bad"))).await),
        "If-Match"
    );
    assert_eq!(ours.get("k").await.unwrap(), b"1");
    ours.delete("k").await;
    for condition in [any(), one(etag)] {
        let put = ours.put_if("k", b"2", if_match(condition)).await;
        assert!(matches!(put, Err(DriveError::NoSuchKey)));
    }
    ours.put_if("k", b"1", if_none_match(one(etag)))
        .await
        .unwrap();
    ours.put_if("k", b"3", if_match(any())).await.unwrap();
    assert_eq!(ours.get("k").await.unwrap(), b"3");
}

#[tokio::test]
async fn a_deletion_happens_only_under_its_conditions() {
    let world = World::new().await;
    let ours = &world.ours;
    let written = ours.put("k", b"four").await;
    let seconds = (written.modified_ms / 1000) as i64;
    for (conditions, meant) in [
        (
            DeleteConditions {
                if_match: one("bad"),
                ..DeleteConditions::default()
            },
            "If-Match",
        ),
        (
            DeleteConditions {
                modified: Some(seconds + 1),
                ..DeleteConditions::default()
            },
            "x-amz-if-match-last-modified-time",
        ),
        (
            DeleteConditions {
                if_match: one(written.etag),
                size: Some(5),
                modified: Some(seconds),
            },
            "x-amz-if-match-size",
        ),
    ] {
        let deleted = ours.delete_if("k", conditions.clone()).await;
        assert!(
            matches!(deleted, Err(DriveError::PreconditionFailed { condition }) if condition == meant)
        );
        // What is not there needs no deletion.
        ours.delete_if("nothing", conditions).await.unwrap();
    }
    assert_eq!(ours.get("k").await.unwrap(), b"four");
    let all = DeleteConditions {
        if_match: one(written.etag),
        size: Some(4),
        modified: Some(seconds),
    };
    ours.delete_if("k", all).await.unwrap();
    assert!(matches!(ours.get("k").await, Err(DriveError::NoSuchKey)));
    ours.delete("k").await;
}

/// RFC 9110, 13.2.2, all of it.
#[test]
fn conditions_of_reads_have_their_precedence() {
    let etag = md5_etag(b"x");
    let conditions = |if_match, if_none_match, modified, unmodified| ReadConditions {
        if_match,
        if_none_match,
        if_modified_since: modified,
        if_unmodified_since: unmodified,
    };
    let good = || one(etag);
    let bad = || one("bad");
    let failed = |header| Err(Unmet::Failed(header));
    let (before, after) = (Some(99), Some(100));
    for (conditions, meant) in [
        (conditions(None, None, None, None), Ok(())),
        (conditions(good(), None, None, None), Ok(())),
        (conditions(any(), None, None, None), Ok(())),
        (conditions(bad(), None, None, None), failed("If-Match")),
        // If-Match decides for If-Unmodified-Since.
        (conditions(good(), None, None, before), Ok(())),
        (conditions(bad(), None, None, after), failed("If-Match")),
        (
            conditions(None, None, None, before),
            failed("If-Unmodified-Since"),
        ),
        (conditions(None, None, None, after), Ok(())),
        (
            conditions(None, good(), None, None),
            Err(Unmet::NotModified),
        ),
        (conditions(None, any(), None, None), Err(Unmet::NotModified)),
        (conditions(None, bad(), None, None), Ok(())),
        // If-None-Match decides for If-Modified-Since.
        (conditions(None, bad(), after, None), Ok(())),
        (
            conditions(None, good(), before, None),
            Err(Unmet::NotModified),
        ),
        (conditions(None, None, after, None), Err(Unmet::NotModified)),
        (conditions(None, None, before, None), Ok(())),
        // 412 comes before 304.
        (conditions(bad(), good(), None, None), failed("If-Match")),
        (
            conditions(good(), good(), None, None),
            Err(Unmet::NotModified),
        ),
    ] {
        assert_eq!(conditions.check(etag, 100_999), meant, "{conditions:?}");
    }
}

#[tokio::test]
async fn a_read_that_finds_nothing_new_tells_what_is_there() {
    let world = World::new().await;
    let written = world.ours.put("k", b"1").await;
    let request = ReadRequest {
        conditions: ReadConditions {
            if_none_match: one(written.etag),
            ..ReadConditions::default()
        },
        ..ReadRequest::default()
    };
    match world.ours.read("k", request).await {
        Err(DriveError::NotModified(info)) => assert_eq!(info.etag, written.etag),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_create_one_wins() {
    let world = World::new().await;
    for (key, length) in [("small", 10), ("large", 100_000)] {
        let tasks: Vec<_> = (0..64)
            .map(|number| {
                let ours = world.ours.clone();
                tokio::spawn(async move {
                    let sent = bytes(number, length);
                    let put = ours.put_if(key, &sent, if_none_match(any())).await;
                    (sent, put)
                })
            })
            .collect();
        let mut winners = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                (sent, Ok(_)) => winners.push(sent),
                (_, Err(DriveError::PreconditionFailed { condition })) => {
                    assert_eq!(condition, "If-None-Match");
                }
                (_, Err(other)) => panic!("{other}"),
            }
        }
        assert_eq!(winners.len(), 1, "{key}");
        assert_eq!(world.ours.get(key).await.unwrap(), winners[0]);
    }
}

/// Compare and set as clients do it: no increment is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_counter_kept_by_if_match_counts_everything() {
    let world = World::new().await;
    world.ours.put("counter", b"0").await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let ours = world.ours.clone();
            tokio::spawn(async move {
                let mut counted = 0;
                while counted < 10 {
                    let request = ReadRequest::default();
                    let (selection, bytes) = ours.read("counter", request).await.unwrap();
                    let count: u64 = String::from_utf8(bytes).unwrap().parse().unwrap();
                    let next = (count + 1).to_string();
                    let condition = if_match(one(selection.info.etag));
                    match ours.put_if("counter", next.as_bytes(), condition).await {
                        Ok(_) => counted += 1,
                        Err(
                            DriveError::PreconditionFailed { .. } | DriveError::ConditionalConflict,
                        ) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(world.ours.get("counter").await.unwrap(), b"80");
}

/// All at once to one key: each is applied, in some order, and the last one stands.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_writes_to_one_key_all_succeed() {
    let world = World::new().await;
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let ours = world.ours.clone();
            tokio::spawn(async move { ours.put("k", format!("{number}").as_bytes()).await })
        })
        .collect();
    let mut etags = Vec::new();
    for task in tasks {
        etags.push(task.await.unwrap().etag);
    }
    assert!(etags.contains(&world.ours.head("k").await.unwrap().etag));
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_bring_an_old_version_back() {
    let world = World::new().await;
    world.ours.put("k", b"first").await;
    world.hand.set_ms(1_000_000);
    // Another process, which has not drawn the numbers that this one has.
    let other = world.another();
    for text in ["second", "third"] {
        other.put("k", text.as_bytes()).await;
        assert_eq!(world.ours.get("k").await.unwrap(), text.as_bytes());
    }
    world.hand.advance(Duration::from_secs(1));
    world.ours.put("k", b"fourth").await;
    assert_eq!(world.ours.get("k").await.unwrap(), b"fourth");
}
