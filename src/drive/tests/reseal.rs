//! Bodies that are sealed anew, beside whoever changes them.

use names::{ChecksumAlgorithm, ChecksumKind, VersionId};

use super::property::{PART, interrupted, read_while};
use super::world::*;
use crate::authz::Operator;
use crate::blobs::Blobs;
use crate::catalog::{JobCatalog, TagCursor, TaggedRow};
use crate::drive::*;

#[tokio::test]
async fn a_client_sees_no_difference() {
    let world = World::new().await;
    let ours = &world.ours;
    let headers = ObjectHeaders {
        content_type: Some("text/plain".into()),
        user: vec![("x-amz-meta-one".into(), "1".into())],
        ..ObjectHeaders::default()
    };
    let mut keys = Vec::new();
    let inline_max = INLINE_MAX as usize;
    for length in [0, 100, inline_max, inline_max + 1, 65_536, 65_537, 300_000] {
        let key = format!("whole/{length}");
        let request = PutRequest {
            headers: headers.clone(),
            ..PutRequest::default()
        };
        let expected = Expected {
            checksum: Some(ExpectedChecksum::Compute(ChecksumAlgorithm::Sha256)),
            ..Expected::default()
        };
        let sent = expecting(&bytes(1, length), expected);
        ours.try_put(&key, request, sent).await.unwrap();
        let copy = format!("copies/{length}");
        ours.copy(&key, &copy, CopyRequest::default())
            .await
            .unwrap();
        keys.extend([key, copy]);
    }
    let request = NewUpload {
        headers,
        checksum: Some((ChecksumAlgorithm::Crc32, ChecksumKind::Composite)),
    };
    let upload = ours.begin("parts", request.clone()).await;
    let mut infos = Vec::new();
    for (number, length) in [(1, PART), (2, PART + 65_521)] {
        let sent = body(&bytes(number, length));
        infos.push(ours.part("parts", upload, number, sent).await.unwrap());
    }
    let range = Some(RangeRequest::Between(77, 65_533));
    let copied = ours.copy_part(("whole/300000", range), "parts", upload, 3);
    infos.push(copied.await.unwrap());
    ours.complete("parts", completion(upload, &infos))
        .await
        .unwrap();
    keys.push("parts".into());
    let unfinished = ours.begin("later", request).await;
    let mut later = Vec::new();
    for (number, length) in [(1, PART), (2, 0)] {
        let sent = body(&bytes(number, length));
        later.push(ours.part("later", unfinished, number, sent).await.unwrap());
    }
    let (seen, listed) = (world.seen(&keys).await, world.listed().await);

    world.reencrypt().await;
    assert_eq!(world.seen(&keys).await, seen);
    assert_eq!(world.listed().await, listed);
    ours.complete("later", completion(unfinished, &later))
        .await
        .unwrap();
    assert_same(&ours.get("later").await.unwrap(), &bytes(1, PART), "later");
}

#[tokio::test]
async fn whoever_changes_an_object_meanwhile_wins() {
    let world = World::new().await;
    let ours = &world.ours;
    for key in ["small", "replaced", "deleted", "kept"] {
        let length = if key == "small" { 10 } else { 100_000 };
        ours.put(key, &bytes(1, length)).await;
    }
    let upload = ours.begin("upload", NewUpload::default()).await;
    for number in 1..=2 {
        let sent = body(&bytes(number, 100_000));
        ours.part("upload", upload, number, sent).await.unwrap();
    }
    let (job, mut resealer) = world.leak().await;
    let rows = bodies(&job).await;
    assert_eq!(rows.len(), 4 + 2);
    ours.put("small", &bytes(2, 10)).await;
    ours.put("replaced", &bytes(2, 100_000)).await;
    ours.delete("deleted").await;
    let sent = body(&bytes(9, 200_000));
    ours.part("upload", upload, 1, sent).await.unwrap();

    let stored = world.stored_blobs().await.len();
    let mut done = Vec::new();
    for row in rows {
        done.push(one(&mut resealer, row).await);
    }
    let sealed: Vec<_> = done.iter().map(|one| (one.objects, one.parts)).collect();
    // In the order of their keys, and the parts.
    assert_eq!(sealed, [(0, 0), (1, 0), (0, 0), (0, 0), (0, 0), (0, 1)]);
    assert_eq!(
        world.stored_blobs().await.len(),
        stored + 2,
        "what was sealed in vain is gone"
    );
    assert_same(&ours.get("small").await.unwrap(), &bytes(2, 10), "small");
    let replaced = ours.get("replaced").await.unwrap();
    assert_same(&replaced, &bytes(2, 100_000), "replaced");
    assert!(ours.get("deleted").await.is_err());
    let kept = ours.get("kept").await.unwrap();
    assert_same(&kept, &bytes(1, 100_000), "kept");
    for row in bodies(&job).await {
        let again = one(&mut resealer, row).await;
        assert_eq!(again, Resealed::default(), "nothing old is left");
    }
}

#[tokio::test]
async fn what_copies_share_is_sealed_once_for_all_of_them() {
    let world = World::new().await;
    let ours = &world.ours;
    ours.put("a", &bytes(1, 100_000)).await;
    for copy in ["b", "c", "d"] {
        ours.copy("a", copy, CopyRequest::default()).await.unwrap();
    }
    let (job, mut resealer) = world.leak().await;
    let mut rows = bodies(&job).await.into_iter();
    let mut next = async || one(&mut resealer, rows.next().unwrap()).await;
    let sealed = |bytes| Resealed {
        objects: 1,
        bytes,
        ..Resealed::default()
    };
    assert_eq!(next().await, sealed(100_000));
    assert_eq!(next().await, sealed(0));
    assert_eq!(world.stored_blobs().await.len(), 2);
    // A copy that is made of one that is not sealed yet.
    ours.copy("c", "e", CopyRequest::default()).await.unwrap();
    // Nobody names the new bytes any more: they may be collected, and are not named again.
    ours.delete("a").await;
    ours.delete("b").await;
    assert_eq!(next().await, Resealed::default());
    let mut bytes_sealed = 0;
    for row in bodies(&job).await {
        bytes_sealed += one(&mut resealer, row).await.bytes;
    }
    assert_eq!(bytes_sealed, 100_000);
    for key in ["c", "d", "e"] {
        assert_same(&ours.get(key).await.unwrap(), &bytes(1, 100_000), key);
    }
    world.collect().await;
    assert_eq!(world.stored_blobs().await.len(), 1);
}

/// A slow client's body is in the blob store by then, under the key that has leaked.
#[tokio::test]
async fn a_body_under_way_does_not_keep_a_key_that_leaked() {
    let world = World::new().await;
    let ours = &world.ours;
    let reencrypt = || {
        let (rotation, org) = (world.rotation(), ours.org());
        async move {
            let operator = Operator::authenticated();
            let rotated = rotation.reencrypt(&operator, org).await.unwrap();
            assert_eq!(rotated.deleted.len(), 1);
        }
    };
    let meant = bytes(1, 400_000);
    let sent = interrupted(&meant, reencrypt());
    ours.try_put("k", PutRequest::default(), sent)
        .await
        .unwrap();
    let upload = ours.begin("u", NewUpload::default()).await;
    let sent = interrupted(&meant, reencrypt());
    let part = ours.part("u", upload, 1, sent).await.unwrap();
    // Version 3 is the newest, and `k` was committed under version 2 and sealed anew with the rest.
    world.collect().await;
    let stored = world.stored_blobs().await;
    assert_eq!(stored.len(), 2);
    for entry in stored {
        let reader = world.blobs.read(entry.org, entry.blob, 64..68, 1).await;
        let version = reader.unwrap().next().await.unwrap().unwrap();
        assert_eq!(version, 3_u32.to_be_bytes());
    }
    ours.complete("u", completion(upload, &[part]))
        .await
        .unwrap();
    for key in ["k", "u"] {
        assert_same(&world.another().get(key).await.unwrap(), &meant, key);
    }
}

#[tokio::test]
async fn a_reader_that_has_begun_reads_to_the_end() {
    read_while(World::reencrypt).await;
}

impl World {
    /// Another key takes the writes from now on, and whatever the one before wrapped is known.
    async fn leak(&self) -> (JobCatalog, Resealer) {
        let job = self.jobs.open(self.ours.org(), "rotate");
        assert_eq!(self.keyring.add_version(&job).await.unwrap(), 2);
        self.keyring.condemn_version(&job, 1).await.unwrap();
        let resealer = self.drive.resealer(job.clone()).await.unwrap();
        (job, resealer)
    }

    /// All that a client is told of objects, and what is in them.
    async fn seen(&self, keys: &[String]) -> Vec<(String, VersionId, [u8; 16])> {
        let mut seen = Vec::new();
        for key in keys {
            let info = self.ours.head(key).await.unwrap();
            let read = self.ours.get(key).await.unwrap();
            seen.push((format!("{info:?}"), info.version, md5(&read)));
        }
        seen
    }

    async fn listed(&self) -> String {
        let request = ListRequest {
            max: 1000,
            ..ListRequest::default()
        };
        let list = self.drive.list(self.ours.prefix(""), request).await;
        format!("{:?}", list.unwrap().0)
    }
}

/// The rows that have bodies.
async fn bodies(job: &JobCatalog) -> Vec<TaggedRow> {
    let (rows, _) = job.tags(Some(TagCursor::at_bodies()), 100).await.unwrap();
    let has_body = |row: &TaggedRow| matches!(row, TaggedRow::Version(..) | TaggedRow::Part(..));
    rows.into_iter().filter(has_body).collect()
}

async fn one(resealer: &mut Resealer, row: TaggedRow) -> Resealed {
    let page = resealer.reseal(vec![row]).await.unwrap();
    assert_eq!(page.damaged, []);
    page.sealed
}
