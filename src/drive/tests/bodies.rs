use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use names::{Checksum, ChecksumAlgorithm, ChecksumKind};
use sha2::{Digest, Sha256};

use super::world::*;
use crate::blobs::Fault;
use crate::drive::digests::checksum_of;
use crate::drive::*;

const CHUNK: usize = 64 * 1024;
const BATCH: usize = 4 * CHUNK;

#[tokio::test]
async fn bodies_of_every_length_come_back() {
    let world = World::new().await;
    let inline = INLINE_MAX as usize;
    let lengths = [
        0,
        1,
        inline - 1,
        inline,
        inline + 1,
        CHUNK - 1,
        CHUNK,
        CHUNK + 1,
        BATCH - 1,
        BATCH,
        BATCH + 1,
        3 * BATCH,
        5 * BATCH + CHUNK + 7,
    ];
    for (seed, length) in (1..).zip(lengths) {
        let meant = bytes(seed, length);
        for is_announced in [true, false] {
            let sent = match is_announced {
                true => body(&meant),
                false => unannounced(&meant, Expected::default(), None),
            };
            let what = format!("{length} bytes, announced: {is_announced}");
            let before = world.stored_blobs().await.len();
            let (written, receipt) = world
                .drive
                .put(
                    world.ours.object(&what),
                    world.ours.allowance(),
                    PutRequest::default(),
                    sent,
                )
                .await
                .unwrap();
            assert_eq!(receipt.bytes_in, length as u64);
            assert_eq!(
                (written.size, written.etag),
                (length as u64, md5_etag(&meant))
            );
            assert_same(&world.ours.get(&what).await.unwrap(), &meant, &what);
            let blobs = world.stored_blobs().await.len() - before;
            assert_eq!(blobs, usize::from(length > inline), "{what}");
        }
    }
}

#[tokio::test]
async fn pieces_of_every_size_make_the_same_body() {
    let world = World::new().await;
    let meant = bytes(3, 2 * BATCH + 100);
    for size in [1021, CHUNK, CHUNK + 1, BATCH, 2 * BATCH + 100] {
        let pieces: Vec<_> = meant
            .chunks(size)
            .map(|piece| Ok(Piece::Data(Bytes::copy_from_slice(piece))))
            .flat_map(|piece| [piece, Ok(Piece::Data(Bytes::new()))])
            .collect();
        let sent = Incoming {
            length: Some(meant.len() as u64),
            expected: Expected::default(),
            pieces: stream::iter(pieces).boxed(),
        };
        let written = world.ours.try_put("k", PutRequest::default(), sent).await;
        assert_eq!(written.unwrap().etag, md5_etag(&meant));
        assert_same(&world.ours.get("k").await.unwrap(), &meant, "the body");
    }
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_is_refused() {
    let world = World::new().await;
    world.ours.put("k", b"before").await;
    for length in [10, 2 * BATCH] {
        let sent = bytes(1, length);
        for (announced, meant) in [
            (length + 1, IncomingError::Broken),
            (length + BATCH, IncomingError::Broken),
            (length - 1, IncomingError::TooLong),
            (0, IncomingError::TooLong),
        ] {
            let sent = Incoming {
                length: Some(announced as u64),
                ..body(&sent)
            };
            let put = world.ours.try_put("k", PutRequest::default(), sent).await;
            assert!(matches!(put, Err(DriveError::Incoming(why)) if why == meant));
        }
    }
    assert_untouched(&world).await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_before_it_comes() {
    let world = World::new().await;
    let sent = Incoming {
        length: Some((5 << 30) + 1),
        expected: Expected::default(),
        pieces: stream::pending().boxed(),
    };
    let put = world.ours.try_put("k", PutRequest::default(), sent).await;
    assert!(matches!(put, Err(DriveError::EntityTooLarge)));
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing() {
    let world = World::new().await;
    world.ours.put("k", b"before").await;
    for reason in [
        IncomingError::Broken,
        IncomingError::Idle,
        IncomingError::Signature,
        IncomingError::Framing("a test's"),
    ] {
        for length in [10, 3 * BATCH] {
            let mut sent = pieces(&bytes(1, length));
            sent.push(Err(reason));
            let sent = Incoming {
                length: Some(4 * BATCH as u64),
                expected: Expected::default(),
                pieces: stream::iter(sent).boxed(),
            };
            let put = world.ours.try_put("k", PutRequest::default(), sent).await;
            assert!(matches!(put, Err(DriveError::Incoming(why)) if why == reason));
        }
    }
    assert_untouched(&world).await;
}

#[tokio::test]
async fn what_a_client_says_of_a_body_is_checked_before_it_is_seen() {
    let world = World::new().await;
    world.ours.put("k", b"before").await;
    for length in [0, 100, 2 * BATCH + 3] {
        let sent = bytes(9, length);
        let right = |expected| expecting(&sent, expected);
        let mut cases = vec![(
            Expected {
                md5: Some([1; 16]),
                ..Expected::default()
            },
            None,
            "Content-MD5",
        )];
        for algorithm in ChecksumAlgorithm::ALL {
            let wrong = Checksum::new(algorithm, &vec![1; algorithm.length()]).unwrap();
            let checksum = |checksum| Expected {
                checksum: Some(checksum),
                ..Expected::default()
            };
            let header = algorithm.header();
            cases.push((checksum(ExpectedChecksum::Value(wrong)), None, header));
            let trailer = checksum(ExpectedChecksum::Trailer(algorithm));
            cases.push((trailer, Some(Piece::Checksum(wrong)), header));
        }
        for (expected, trailer, meant) in cases {
            let body = unannounced(&sent, expected, trailer);
            let put = world.ours.try_put("k", PutRequest::default(), body).await;
            assert!(
                matches!(put, Err(DriveError::BadDigest(what)) if what == meant),
                "{meant}"
            );
        }
        let signed = right(Expected {
            sha256: Some([1; 32]),
            ..Expected::default()
        });
        let put = world.ours.try_put("k", PutRequest::default(), signed).await;
        assert!(matches!(put, Err(DriveError::Sha256Mismatch)));
        let unsent = right(Expected {
            checksum: Some(ExpectedChecksum::Trailer(ChecksumAlgorithm::Crc32)),
            ..Expected::default()
        });
        let put = world.ours.try_put("k", PutRequest::default(), unsent).await;
        assert!(matches!(
            put,
            Err(DriveError::Incoming(IncomingError::Trailer(_)))
        ));
    }
    assert_untouched(&world).await;
}

#[tokio::test]
async fn what_is_right_is_kept_with_the_object() {
    let world = World::new().await;
    for length in [0, 100, 2 * BATCH + 3] {
        let sent = bytes(9, length);
        for algorithm in ChecksumAlgorithm::ALL {
            let value = checksum_of(algorithm, &sent);
            for (expected, trailer) in [
                (ExpectedChecksum::Value(value), None),
                (ExpectedChecksum::Value(value), Some(value)),
                (ExpectedChecksum::Trailer(algorithm), Some(value)),
                (ExpectedChecksum::Compute(algorithm), None),
            ] {
                let expected = Expected {
                    md5: Some(md5(&sent)),
                    sha256: Some(Sha256::digest(&sent).into()),
                    checksum: Some(expected),
                };
                let body = unannounced(&sent, expected, trailer.map(Piece::Checksum));
                let put = world.ours.try_put("k", PutRequest::default(), body).await;
                let meant = Some(StoredChecksum {
                    checksum: value,
                    kind: ChecksumKind::FullObject,
                });
                assert_eq!(put.unwrap().checksum, meant);
                assert_eq!(world.ours.head("k").await.unwrap().checksum, meant);
            }
        }
    }
}

/// Known values, so that the algorithms are Amazon's and not merely consistent.
#[test]
fn checksums_are_the_published_ones() {
    for (algorithm, meant) in [
        (ChecksumAlgorithm::Crc32, "y/Q5Jg=="),
        (ChecksumAlgorithm::Crc32c, "4waSgw=="),
        (ChecksumAlgorithm::Crc64Nvme, "rosUhgp5mIg="),
        (ChecksumAlgorithm::Sha1, "98O8HYCOBHMq32eZZczDTKeuNEE="),
        (
            ChecksumAlgorithm::Sha256,
            "FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSOsiU=",
        ),
    ] {
        let found = checksum_of(algorithm, b"123456789").to_string();
        assert_eq!(found, meant, "{}", algorithm.name());
    }
}

#[tokio::test]
async fn headers_and_metadata_come_back() {
    let world = World::new().await;
    let headers = ObjectHeaders {
        content_type: Some("text/plain".into()),
        cache_control: Some("no-store".into()),
        content_disposition: Some("attachment; filename=\"ä\"".into()),
        content_encoding: Some("gzip".into()),
        content_language: Some("de".into()),
        expires: Some("soon".into()),
        user: vec![("b".into(), "2".into()), ("a".into(), String::new())],
    };
    let long = bytes(1, BATCH);
    for sent in [&b"short"[..], &long] {
        let request = PutRequest {
            headers: headers.clone(),
            ..PutRequest::default()
        };
        world.ours.try_put("k", request, body(sent)).await.unwrap();
        let info = world.ours.head("k").await.unwrap();
        assert_eq!(info.headers, headers);
        assert_eq!((info.size, info.parts), (sent.len() as u64, 0));
        assert_eq!(info.modified_ms, world.clock.now_ms());
    }
}

#[tokio::test]
async fn the_blob_store_and_the_catalog_see_neither_bytes_nor_metadata() {
    let dir = tempfile::tempdir().unwrap();
    let disk = crate::blobs::DiskBlobs::open(dir.path()).unwrap();
    let world = World::over(settings(), Arc::new(disk)).await;
    let needle = b"a secret that is looked for";
    let request = PutRequest {
        headers: ObjectHeaders {
            user: vec![("note".into(), String::from_utf8_lossy(needle).into())],
            ..ObjectHeaders::default()
        },
        ..PutRequest::default()
    };
    world
        .ours
        .try_put("small", request.clone(), body(needle))
        .await
        .unwrap();
    let large = needle.repeat(10_000);
    world
        .ours
        .try_put("large-object-key", request, body(&large))
        .await
        .unwrap();
    let etag = md5(&large);
    let mut looked_at = 0;
    for root in [dir.path(), world.dir.path()] {
        for file in files(root) {
            let found = std::fs::read(&file).unwrap();
            let holds = |what: &[u8]| found.windows(what.len()).any(|window| window == what);
            assert!(!holds(needle), "{file:?} holds plaintext");
            assert!(!holds(&etag), "{file:?} holds an ETag");
            if root == dir.path() {
                assert!(!holds(b"large-object-key"), "{file:?} holds a key");
            }
            looked_at += found.len();
        }
    }
    assert!(looked_at > large.len());
}

#[tokio::test]
async fn a_blob_store_that_fails_fails_the_put_and_nothing_else() {
    let world = World::new().await;
    world.ours.put("k", b"before").await;
    let sent = bytes(5, 3 * BATCH);
    let mut refused = 0;
    for steps in 0.. {
        world.blobs.fail_writes_after(steps, Fault::Full);
        let put = world.ours.try_put("k", PutRequest::default(), body(&sent));
        let put = put.await;
        world.blobs.heal();
        match put {
            Err(DriveError::Unavailable(_)) => refused += 1,
            other => {
                other.unwrap();
                break;
            }
        }
        assert_untouched(&world).await;
    }
    assert!(refused >= 6, "a step for each write and for the finish");
    assert_same(&world.ours.get("k").await.unwrap(), &sent, "the body");
}

#[tokio::test]
async fn opaque_etags_are_no_digest() {
    let world = World::with(DriveSettings {
        opaque_etags: true,
        ..settings()
    })
    .await;
    let long = bytes(1, 2 * BATCH);
    for sent in [&b"short"[..], &long] {
        let one = world.ours.put("k", sent).await.etag;
        let other = world.ours.put("k", sent).await.etag;
        assert_ne!(one, other);
        assert!(one.to_string().ends_with("-1"));
        let info = world.ours.head("k").await.unwrap();
        assert_eq!((info.etag, info.parts), (other, 0));
        assert_same(&world.ours.get("k").await.unwrap(), sent, "the body");
        // What the client says is checked all the same.
        let wrong = Expected {
            md5: Some([1; 16]),
            ..Expected::default()
        };
        let put = world
            .ours
            .try_put("k", PutRequest::default(), expecting(sent, wrong));
        assert!(matches!(
            put.await,
            Err(DriveError::BadDigest("Content-MD5"))
        ));
    }
}

/// More bodies at once than the memory has room for, some of them slow: none waits for ever, and
/// one organization does not keep the others out.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn bodies_share_little_memory() {
    let world = World::with(DriveSettings {
        memory_max: 1 << 20,
        ..settings()
    })
    .await;
    let meant = Arc::new(bytes(2, 9 * CHUNK + 5));
    // These never end, and hold what they hold.
    let mut slow = Vec::new();
    let begun = Arc::new(AtomicU64::new(0));
    for number in 0..8 {
        let ours = world.ours.clone();
        let begun = Arc::clone(&begun);
        let sent = stream::iter(pieces(&meant))
            .inspect(move |_| {
                begun.fetch_add(1, Ordering::SeqCst);
            })
            .chain(stream::pending());
        slow.push(tokio::spawn(async move {
            let sent = Incoming {
                length: None,
                expected: Expected::default(),
                pieces: sent.boxed(),
            };
            let key = format!("slow {number}");
            ours.try_put(&key, PutRequest::default(), sent).await
        }));
    }
    while begun.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    let theirs = world.other().await;
    let mut tasks = Vec::new();
    for number in 0..32 {
        let (theirs, meant) = (theirs.clone(), Arc::clone(&meant));
        tasks.push(tokio::spawn(async move {
            let key = format!("{number}");
            theirs.put(&key, &meant).await;
            assert_same(&theirs.get(&key).await.unwrap(), &meant, &key);
            let upload = theirs.begin(&key, NewUpload::default()).await;
            let range = Some(RangeRequest::Between(1, 8 * CHUNK as u64));
            theirs
                .copy_part((&key, range), &key, upload, 1)
                .await
                .unwrap();
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for task in slow {
        task.abort();
    }
}

async fn assert_untouched(world: &World) {
    assert_eq!(world.ours.get("k").await.unwrap(), b"before");
    assert_eq!(world.stored_blobs().await, [], "a blob is left");
}

fn files(root: &std::path::Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}
