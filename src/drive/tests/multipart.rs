use md5::{Digest, Md5};
use names::{Checksum, ChecksumAlgorithm, ChecksumKind, UploadId};

use super::world::*;
use crate::drive::digests::checksum_of;
use crate::drive::*;

const MIB: usize = 1 << 20;
/// The shortest part that need not be the last.
const PART: usize = 5 * MIB;

fn multipart_etag(parts: &[&[u8]]) -> Etag {
    let md5s: Vec<u8> = parts.iter().flat_map(|part| md5(part)).collect();
    Etag {
        bytes: Md5::digest(md5s).into(),
        parts: parts.len() as u16,
    }
}

#[tokio::test]
async fn parts_become_an_object() {
    let world = World::new().await;
    let ours = &world.ours;
    let parts = [bytes(1, PART), bytes(2, PART + 3), bytes(3, 1000)];
    let headers = ObjectHeaders {
        content_type: Some("video/mp4".into()),
        ..ObjectHeaders::default()
    };
    let upload = NewUpload {
        headers: headers.clone(),
        checksum: None,
    };
    let upload = ours.begin("k", upload).await;
    // In any order, one of them twice, under numbers with gaps.
    let mut infos = Vec::new();
    for (number, sent) in [
        (7, &parts[2]),
        (3, &parts[2]),
        (2, &parts[0]),
        (3, &parts[1]),
    ] {
        let info = ours.part("k", upload, number, body(sent)).await.unwrap();
        assert_eq!((info.size, info.etag), (sent.len() as u64, md5_etag(sent)));
        infos.retain(|other: &PartInfo| other.part != info.part);
        infos.push(info);
    }
    infos.sort_by_key(|info| info.part);
    assert!(matches!(ours.get("k").await, Err(DriveError::NoSuchKey)));

    let written = ours
        .complete("k", completion(upload, &infos))
        .await
        .unwrap();
    let slices: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    assert_eq!(written.etag, multipart_etag(&slices));
    let whole = parts.concat();
    assert_same(&ours.get("k").await.unwrap(), &whole, "the object");
    let info = ours.head("k").await.unwrap();
    assert_eq!((info.headers, info.parts), (headers, 3));
    assert_eq!((info.size, info.etag), (whole.len() as u64, written.etag));

    // By part: counted in order, whatever their numbers were.
    for (number, meant) in (1..).zip(&parts) {
        let request = ReadRequest {
            part: Some(part(number)),
            ..ReadRequest::default()
        };
        let (selection, found) = ours.read("k", request).await.unwrap();
        assert!(selection.is_partial);
        assert_same(&found, meant, "a part");
    }
    let request = ReadRequest {
        part: Some(part(4)),
        ..ReadRequest::default()
    };
    assert!(matches!(
        ours.read("k", request).await,
        Err(DriveError::InvalidPartNumber)
    ));
    // Across the border.
    let range = RangeRequest::Between(PART as u64 - 5, PART as u64 + 4);
    let found = ours.get_range("k", range).await.unwrap();
    assert_eq!(found, whole[PART - 5..PART + 5]);
    assert_gone(&world, "k", upload).await;
}

async fn assert_gone(world: &World, key: &str, upload: UploadId) {
    let ours = &world.ours;
    let part = ours.part(key, upload, 1, body(b"x")).await;
    assert!(matches!(part, Err(DriveError::NoSuchUpload)));
    let aborted = world
        .drive
        .abort_upload(ours.object(key), ours.allowance(), upload)
        .await;
    assert!(matches!(aborted, Err(DriveError::NoSuchUpload)));
    let listed = world
        .drive
        .list_parts(ours.object(key), upload, None, 10)
        .await;
    assert!(matches!(listed, Err(DriveError::NoSuchUpload)));
}

#[tokio::test]
async fn a_completion_asked_for_twice_answers_twice() {
    let world = World::new().await;
    let ours = &world.ours;
    let upload = ours.begin("k", NewUpload::default()).await;
    let info = ours.part("k", upload, 1, body(b"part")).await.unwrap();
    let mut request = completion(upload, &[info]);
    request.conditions.if_none_match = Some(EtagCondition::Any);
    let first = ours.complete("k", request.clone()).await.unwrap();
    let second = ours.complete("k", request.clone()).await.unwrap();
    assert_eq!(
        (first.version, first.etag, first.size),
        (second.version, second.etag, second.size)
    );
    // Other parts were not what made it.
    let mut other = request.clone();
    other.parts[0].etag = "0".repeat(32);
    assert!(matches!(
        ours.complete("k", other).await,
        Err(DriveError::NoSuchUpload)
    ));
    // Nor did this upload make what stands there now; a copy is nobody's completion either.
    ours.copy("k", "copy", CopyRequest::default())
        .await
        .unwrap();
    let elsewhere = ours.complete("copy", request.clone()).await;
    assert!(matches!(elsewhere, Err(DriveError::NoSuchUpload)));
    ours.put("k", b"part").await;
    let replaced = ours.complete("k", request).await;
    assert!(matches!(replaced, Err(DriveError::NoSuchUpload)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn completions_at_once_all_answer_the_same() {
    let world = World::new().await;
    let upload = world.ours.begin("k", NewUpload::default()).await;
    let info = world
        .ours
        .part("k", upload, 1, body(b"part"))
        .await
        .unwrap();
    let mut request = completion(upload, &[info]);
    // What one of them makes does not stand in the way of the others.
    request.conditions.if_none_match = Some(EtagCondition::Any);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (ours, request) = (world.ours.clone(), request.clone());
            tokio::spawn(async move { ours.complete("k", request).await.unwrap().version })
        })
        .collect();
    let mut versions = Vec::new();
    for task in tasks {
        versions.push(task.await.unwrap());
    }
    versions.dedup();
    assert_eq!(versions.len(), 1);
}

#[tokio::test]
async fn a_completion_that_is_not_right_changes_nothing() {
    let world = World::new().await;
    let ours = &world.ours;
    ours.put("k", b"before").await;
    let upload = ours.begin("k", NewUpload::default()).await;
    let mut infos = Vec::new();
    for (number, length) in [(1, PART), (2, 10), (3, 10)] {
        let sent = bytes(number, length);
        infos.push(ours.part("k", upload, number, body(&sent)).await.unwrap());
    }
    let right = completion(upload, &infos);
    let with = |change: fn(&mut CompleteRequest)| {
        let mut request = right.clone();
        change(&mut request);
        request
    };
    type Check = fn(&DriveError) -> bool;
    let cases: [(CompleteRequest, Check); 10] = [
        (with(|r| r.parts.clear()), |e| {
            matches!(e, DriveError::InvalidRequest(_))
        }),
        (with(|r| r.parts.reverse()), |e| {
            matches!(e, DriveError::InvalidPartOrder)
        }),
        (with(|r| r.parts[1].part = part(1)), |e| {
            matches!(e, DriveError::InvalidPartOrder)
        }),
        (with(|r| r.parts[2].part = part(9999)), |e| {
            matches!(e, DriveError::InvalidPart)
        }),
        (with(|r| r.parts[0].etag = "f".repeat(32)), |e| {
            matches!(e, DriveError::InvalidPart)
        }),
        // The second one is not the last.
        (right.clone(), |e| matches!(e, DriveError::EntityTooSmall)),
        (
            with(|r| {
                r.parts.pop();
                r.size = Some(7);
            }),
            |e| matches!(e, DriveError::InvalidRequest(_)),
        ),
        (
            with(|r| {
                r.parts.pop();
                r.conditions.if_none_match = Some(EtagCondition::Any);
            }),
            |e| matches!(e, DriveError::PreconditionFailed { .. }),
        ),
        (
            with(|r| {
                r.parts.pop();
                r.conditions.if_match = Some(EtagCondition::OneOf(vec!["bad".into()]));
            }),
            |e| matches!(e, DriveError::PreconditionFailed { .. }),
        ),
        (with(|r| r.upload = UploadId::from_bytes([9; 16])), |e| {
            matches!(e, DriveError::NoSuchUpload)
        }),
    ];
    for (number, (request, is_right)) in cases.into_iter().enumerate() {
        let refused = ours.complete("k", request).await.unwrap_err();
        assert!(is_right(&refused), "case {number}: {refused}");
    }
    // Under another key it is not there.
    let mut short = right.clone();
    short.parts.pop();
    short.size = Some(PART as u64 + 10);
    let elsewhere = ours.complete("other", short.clone()).await;
    assert!(matches!(elsewhere, Err(DriveError::NoSuchUpload)));
    assert_eq!(ours.get("k").await.unwrap(), b"before");
    ours.complete("k", short).await.unwrap();
}

#[tokio::test]
async fn checksums_of_parts_make_the_checksum_of_the_whole() {
    let world = World::new().await;
    let ours = &world.ours;
    let parts = [bytes(1, PART), bytes(2, 1001)];
    let whole = parts.concat();
    use ChecksumAlgorithm::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
    use ChecksumKind::{Composite, FullObject};
    for (algorithm, kind) in [
        (Crc32, FullObject),
        (Crc32c, FullObject),
        (Crc64Nvme, FullObject),
        (Crc32, Composite),
        (Crc32c, Composite),
        (Sha1, Composite),
        (Sha256, Composite),
    ] {
        let what = format!("{} {kind:?}", algorithm.name());
        let of_parts = parts.each_ref().map(|part| checksum_of(algorithm, part));
        let meant = match kind {
            FullObject => checksum_of(algorithm, &whole),
            Composite => {
                let joined: Vec<u8> = of_parts.iter().flat_map(Checksum::bytes).copied().collect();
                checksum_of(algorithm, &joined)
            }
        };
        let upload = NewUpload {
            headers: ObjectHeaders::default(),
            checksum: Some((algorithm, kind)),
        };
        let upload = ours.begin("k", upload).await;
        // One that the client sends, and one that it leaves to us.
        let sent = Expected {
            checksum: Some(ExpectedChecksum::Value(of_parts[0])),
            ..Expected::default()
        };
        let first = ours.part("k", upload, 1, expecting(&parts[0], sent)).await;
        let second = ours.part("k", upload, 2, body(&parts[1])).await;
        let infos = [first.unwrap(), second.unwrap()];
        assert_eq!(
            infos.each_ref().map(|info| info.checksum),
            of_parts.map(Some)
        );
        let wrong = Expected {
            checksum: Some(ExpectedChecksum::Compute(match algorithm {
                Crc32 => Crc32c,
                _ => Crc32,
            })),
            ..Expected::default()
        };
        let mixed = ours.part("k", upload, 2, expecting(&parts[1], wrong)).await;
        assert!(matches!(mixed, Err(DriveError::InvalidRequest(_))));

        let mut request = completion(upload, &infos);
        request.checksum = Some(of_parts[0]);
        let bad = ours.complete("k", request.clone()).await;
        assert!(matches!(bad, Err(DriveError::BadDigest(header)) if header == algorithm.header()));
        request.checksum = Some(meant);
        request.checksum_kind = Some(match kind {
            FullObject => Composite,
            Composite => FullObject,
        });
        let bad = ours.complete("k", request.clone()).await;
        assert!(matches!(bad, Err(DriveError::InvalidRequest(_))));
        request.checksum_kind = Some(kind);
        let mut bad = request.clone();
        bad.parts[0].checksum = Some(of_parts[1]);
        let bad = ours.complete("k", bad).await;
        assert!(matches!(bad, Err(DriveError::InvalidPart)));

        let stored = Some(StoredChecksum {
            checksum: meant,
            kind,
        });
        let written = ours.complete("k", request).await.unwrap();
        assert_eq!(written.checksum, stored, "{what}");
        assert_eq!(ours.head("k").await.unwrap().checksum, stored, "{what}");
        let request = ReadRequest {
            part: Some(part(2)),
            ..ReadRequest::default()
        };
        let (selection, _) = world.drive.head(ours.object("k"), request).await.unwrap();
        assert_eq!(selection.part_checksum, Some(of_parts[1]), "{what}");
    }
}

#[tokio::test]
async fn parts_are_made_of_objects_and_their_ranges() {
    let world = World::new().await;
    let ours = &world.ours;
    let (small, large) = (bytes(1, 100), bytes(2, 2 * PART));
    ours.put("small", &small).await;
    ours.put("large", &large).await;
    ours.put("empty", b"").await;
    let upload = NewUpload {
        headers: ObjectHeaders::default(),
        checksum: Some((ChecksumAlgorithm::Crc64Nvme, ChecksumKind::FullObject)),
    };
    let upload = ours.begin("k", upload).await;
    let between =
        |first: usize, end: usize| Some(RangeRequest::Between(first as u64, end as u64 - 1));
    let mut infos = Vec::new();
    let mut whole = Vec::new();
    for (number, from, range, meant) in [
        (
            1,
            "large",
            between(1000, 1000 + PART),
            &large[1000..1000 + PART],
        ),
        (2, "large", None, &large[..]),
        (3, "large", between(77, 78 + PART), &large[77..78 + PART]),
        (4, "small", between(10, 20), &small[10..20]),
    ] {
        let blobs = world.stored_blobs().await.len();
        let info = ours.copy_part((from, range), "k", upload, number).await;
        let info = info.unwrap();
        assert_eq!(
            (info.size, info.etag),
            (meant.len() as u64, md5_etag(meant))
        );
        let checksum = checksum_of(ChecksumAlgorithm::Crc64Nvme, meant);
        assert_eq!(info.checksum, Some(checksum));
        let written = world.stored_blobs().await.len() - blobs;
        assert_eq!(written, usize::from(from == "small"), "by reference");
        infos.push(info);
        whole.extend_from_slice(meant);
    }
    let written = ours
        .complete("k", completion(upload, &infos))
        .await
        .unwrap();
    let checksum = checksum_of(ChecksumAlgorithm::Crc64Nvme, &whole);
    assert_eq!(written.checksum.unwrap().checksum, checksum);
    for source in ["small", "large"] {
        ours.delete(source).await;
    }
    assert_same(&ours.get("k").await.unwrap(), &whole, "the object");

    // The whole of what is made of slices, and of nothing.
    let upload = ours.begin("again", NewUpload::default()).await;
    let one = ours
        .copy_part(("k", None), "again", upload, 1)
        .await
        .unwrap();
    let two = ours
        .copy_part(("empty", None), "again", upload, 2)
        .await
        .unwrap();
    assert_eq!((one.etag, two.size), (md5_etag(&whole), 0));
    ours.complete("again", completion(upload, &[one, two]))
        .await
        .unwrap();
    assert_same(&ours.get("again").await.unwrap(), &whole, "the copy");
    assert_eq!(ours.head("again").await.unwrap().parts, 2);

    let upload = ours.begin("k", NewUpload::default()).await;
    let size = whole.len();
    for outside in [between(0, size + 1), between(size, size + 1)] {
        let copied = ours.copy_part(("k", outside), "k", upload, 1).await;
        assert!(matches!(copied, Err(DriveError::InvalidRange { .. })));
    }
}

/// Copies of copies of small slices do not make rows that grow without bound.
#[tokio::test]
async fn a_part_has_few_slices_for_its_length() {
    let world = World::new().await;
    let ours = &world.ours;
    let piece = bytes(1, PART);
    ours.put("piece", &piece).await;
    let mut source = "piece".to_owned();
    let mut meant = piece.clone();
    for round in 0..4 {
        let key = format!("round {round}");
        let upload = ours.begin(&key, NewUpload::default()).await;
        let mut infos = Vec::new();
        for number in 1..=2 {
            let copied = ours.copy_part((&source, None), &key, upload, number).await;
            infos.push(copied.unwrap());
        }
        ours.complete(&key, completion(upload, &infos))
            .await
            .unwrap();
        meant = [&meant[..], &meant].concat();
        source = key;
    }
    assert_same(&ours.get(&source).await.unwrap(), &meant, "the object");
    // 16 times the piece, as slices of 5 MiB: 16; but no part may have more than four.
    let database = rusqlite::Connection::open(world.dir.path().join("catalog.sqlite")).unwrap();
    let longest: u32 = database
        .query_one("SELECT max(length(slices)) / 76 FROM contents", (), |row| {
            row.get(0)
        })
        .unwrap();
    assert!(longest <= 8, "{longest} slices");
}

#[tokio::test]
async fn parts_and_uploads_are_listed_in_pages() {
    let world = World::new().await;
    let ours = &world.ours;
    let checksum = Some((ChecksumAlgorithm::Sha1, ChecksumKind::Composite));
    let new = NewUpload {
        headers: ObjectHeaders::default(),
        checksum,
    };
    let upload = ours.begin("a/1", new).await;
    for number in [5, 1, 3] {
        ours.part("a/1", upload, number, body(b"x")).await.unwrap();
    }
    let page = async |after, max| {
        let list = world
            .drive
            .list_parts(ours.object("a/1"), upload, after, max);
        let (listing, _) = list.await.unwrap();
        assert_eq!(
            (listing.upload.checksum, listing.upload.upload),
            (checksum, upload)
        );
        let numbers: Vec<_> = listing.parts.iter().map(|info| info.part.value()).collect();
        (numbers, listing.is_truncated)
    };
    assert_eq!(page(None, 1000).await, (vec![1, 3, 5], false));
    assert_eq!(page(None, 2).await, (vec![1, 3], true));
    assert_eq!(page(Some(part(3)), 2).await, (vec![5], false));
    assert_eq!(page(None, 0).await, (vec![], false));

    for key in ["a/1", "a/2", "b"] {
        ours.begin(key, NewUpload::default()).await;
    }
    for (delimiter, meant) in [
        (None, vec!["a/1", "a/1", "a/2", "b"]),
        (Some("/"), vec!["a/*", "b"]),
    ] {
        for max in 1..=4 {
            let mut found = Vec::new();
            let mut after = UploadMarker::default();
            loop {
                let list = world.drive.list_uploads(
                    ours.prefix(""),
                    delimiter.map(Into::into),
                    after,
                    max,
                );
                let (listing, _) = list.await.unwrap();
                found.extend(listing.entries.iter().map(|entry| match entry {
                    ListedUpload::Upload(info) => info.key.to_string(),
                    ListedUpload::Prefix(prefix) => format!("{prefix}*"),
                }));
                match listing.next {
                    Some(next) => after = next,
                    None => break,
                }
            }
            assert_eq!(found, meant, "{delimiter:?} {max}");
        }
    }
    let _ = world
        .drive
        .abort_upload(ours.object("a/1"), ours.allowance(), upload)
        .await
        .unwrap();
    assert_gone(&world, "a/1", upload).await;
}

#[tokio::test]
async fn an_upload_of_another_organization_is_not_there() {
    let world = World::new().await;
    let theirs = world.other().await;
    let upload = world.ours.begin("k", NewUpload::default()).await;
    let part = theirs.part("k", upload, 1, body(b"x")).await;
    assert!(matches!(part, Err(DriveError::NoSuchUpload)));
    theirs.put("theirs", b"x").await;
    let copied = world.drive.copy_part(
        theirs.object("theirs"),
        world.ours.object("k"),
        world.ours.allowance(),
        upload,
        part_one(),
        None,
        ReadConditions::default(),
    );
    assert!(matches!(copied.await, Err(DriveError::NoSuchBucket)));
}

fn part_one() -> names::PartNumber {
    part(1)
}
