use names::{ChecksumAlgorithm, ChecksumKind};

use super::world::*;
use crate::drive::digests::checksum_of;
use crate::drive::*;

#[tokio::test]
async fn a_copy_refers_to_the_same_blobs_and_stands_by_itself() {
    let world = World::new().await;
    let ours = &world.ours;
    let headers = ObjectHeaders {
        content_type: Some("text/plain".into()),
        ..ObjectHeaders::default()
    };
    for (number, length) in [(0, 0), (1, 100), (2, 300_000)] {
        let (from, to) = (format!("from {number}"), format!("to {number}"));
        let meant = bytes(number, length);
        let request = PutRequest {
            headers: headers.clone(),
            ..PutRequest::default()
        };
        let put = ours.try_put(&from, request, body(&meant)).await.unwrap();
        let blobs = world.stored_blobs().await;
        let calls = world.blobs.calls();

        let copied = ours.copy(&from, &to, CopyRequest::default()).await.unwrap();
        assert_eq!(world.blobs.calls(), calls, "no byte was read");
        assert_eq!(world.stored_blobs().await, blobs, "no byte was written");
        assert_eq!((copied.etag, copied.size), (put.etag, put.size));
        assert_ne!(copied.version, put.version);
        assert_eq!(ours.head(&to).await.unwrap().headers, headers);

        ours.delete(&from).await;
        assert_same(&ours.get(&to).await.unwrap(), &meant, "the copy");
    }
}

#[tokio::test]
async fn a_copy_may_have_other_headers_and_another_checksum() {
    let world = World::new().await;
    let ours = &world.ours;
    for length in [100, 300_000] {
        let meant = bytes(4, length);
        let expected = Expected {
            checksum: Some(ExpectedChecksum::Compute(ChecksumAlgorithm::Crc32)),
            ..Expected::default()
        };
        let sent = expecting(&meant, expected);
        ours.try_put("from", PutRequest::default(), sent)
            .await
            .unwrap();
        let stored = |algorithm| {
            Some(StoredChecksum {
                checksum: checksum_of(algorithm, &meant),
                kind: ChecksumKind::FullObject,
            })
        };
        let kept = ours.copy("from", "to", CopyRequest::default()).await;
        assert_eq!(kept.unwrap().checksum, stored(ChecksumAlgorithm::Crc32));

        let headers = ObjectHeaders {
            user: vec![("new".into(), "yes".into())],
            ..ObjectHeaders::default()
        };
        let request = CopyRequest {
            headers: Some(headers.clone()),
            checksum: Some(ChecksumAlgorithm::Sha256),
            ..CopyRequest::default()
        };
        let changed = ours.copy("from", "to", request).await.unwrap();
        assert_eq!(changed.checksum, stored(ChecksumAlgorithm::Sha256));
        let info = ours.head("to").await.unwrap();
        assert_eq!((info.headers, info.checksum), (headers, changed.checksum));
        assert_same(&ours.get("to").await.unwrap(), &meant, "the copy");
    }
}

#[tokio::test]
async fn a_copy_onto_itself_has_to_change_something() {
    let world = World::new().await;
    let ours = &world.ours;
    for length in [100, 300_000] {
        let meant = bytes(4, length);
        ours.put("k", &meant).await;
        let same = ours.copy("k", "k", CopyRequest::default()).await;
        assert!(matches!(same, Err(DriveError::InvalidRequest(_))));
        let request = CopyRequest {
            headers: Some(ObjectHeaders {
                content_type: Some("text/html".into()),
                ..ObjectHeaders::default()
            }),
            ..CopyRequest::default()
        };
        ours.copy("k", "k", request).await.unwrap();
        let info = ours.head("k").await.unwrap();
        assert_eq!(info.headers.content_type.as_deref(), Some("text/html"));
        assert_same(&ours.get("k").await.unwrap(), &meant, "the object");
    }
}

#[tokio::test]
async fn conditions_hold_on_both_sides_of_a_copy() {
    let world = World::new().await;
    let ours = &world.ours;
    let source = ours.put("from", b"1").await;
    ours.put("to", b"2").await;
    let is = |etag: Etag| Some(EtagCondition::OneOf(vec![etag.to_string()]));
    let modified = i64::try_from(source.modified_ms / 1000).unwrap();
    let conditions = ReadConditions::default;
    for (source, meant) in [
        (
            ReadConditions {
                if_match: is(md5_etag(b"other")),
                ..conditions()
            },
            "x-amz-copy-source-if-match",
        ),
        (
            ReadConditions {
                if_none_match: is(source.etag),
                ..conditions()
            },
            "x-amz-copy-source-if-none-match",
        ),
        (
            ReadConditions {
                if_modified_since: Some(modified),
                ..conditions()
            },
            "x-amz-copy-source-if-modified-since",
        ),
        (
            ReadConditions {
                if_unmodified_since: Some(modified - 1),
                ..conditions()
            },
            "x-amz-copy-source-if-unmodified-since",
        ),
    ] {
        let request = CopyRequest {
            source,
            ..CopyRequest::default()
        };
        let copy = ours.copy("from", "to", request).await;
        assert!(
            matches!(copy, Err(DriveError::PreconditionFailed { condition }) if condition == meant)
        );
    }
    let request = CopyRequest {
        conditions: WriteConditions {
            if_none_match: Some(EtagCondition::Any),
            ..WriteConditions::default()
        },
        ..CopyRequest::default()
    };
    let copy = ours.copy("from", "to", request.clone()).await;
    assert!(matches!(
        copy,
        Err(DriveError::PreconditionFailed {
            condition: "If-None-Match"
        })
    ));
    assert_eq!(ours.get("to").await.unwrap(), b"2");
    ours.copy("from", "new", request).await.unwrap();
    assert!(matches!(
        ours.copy("nothing", "new", CopyRequest::default()).await,
        Err(DriveError::NoSuchKey)
    ));
}
