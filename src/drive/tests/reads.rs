use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use names::{BlobId, OrgId, PartNumber};

use super::world::*;
use crate::blobs::{BlobEntry, BlobError, BlobReader, BlobWriter, Blobs, Fault, ObjectBlobs};
use crate::drive::*;

const CHUNK: usize = 64 * 1024;

#[tokio::test]
async fn ranges_are_cut_exactly() {
    let world = World::new().await;
    for (key, length) in [("small", 1000_usize), ("large", 9 * CHUNK + 17)] {
        let all = bytes(1, length);
        world.ours.put(key, &all).await;
        let last = length as u64 - 1;
        for (first, end) in [
            (0, 0),
            (0, last),
            (1, last - 1),
            (last, last),
            (last / 2, last),
            (500, 700),
        ] {
            let meant = &all[first as usize..=end as usize];
            let range = RangeRequest::Between(first, end);
            assert_same(&world.ours.get_range(key, range).await.unwrap(), meant, key);
        }
        for border in (0..length).step_by(CHUNK) {
            let around = border.saturating_sub(2)..(border + 3).min(length);
            let range = RangeRequest::Between(around.start as u64, around.end as u64 - 1);
            let found = world.ours.get_range(key, range).await.unwrap();
            assert_same(&found, &all[around], key);
        }
        let from = world
            .ours
            .get_range(key, RangeRequest::From(last - 3))
            .await;
        assert_eq!(from.unwrap(), all[length - 4..]);
        let beyond = world
            .ours
            .get_range(key, RangeRequest::Between(last, u64::MAX));
        assert_eq!(beyond.await.unwrap(), all[length - 1..]);
        let end = world.ours.get_range(key, RangeRequest::Last(5)).await;
        assert_eq!(end.unwrap(), all[length - 5..]);
        let more = world
            .ours
            .get_range(key, RangeRequest::Last(u64::MAX))
            .await;
        assert_same(&more.unwrap(), &all, key);
        for outside in [
            RangeRequest::From(last + 1),
            RangeRequest::Between(last + 1, last + 2),
            RangeRequest::Last(0),
        ] {
            let read = world.ours.get_range(key, outside).await;
            let size = length as u64;
            assert!(matches!(read, Err(DriveError::InvalidRange { size: found }) if found == size));
        }
    }
    world.ours.put("empty", b"").await;
    for range in [RangeRequest::From(0), RangeRequest::Last(1)] {
        assert!(matches!(
            world.ours.get_range("empty", range).await,
            Err(DriveError::InvalidRange { size: 0 })
        ));
    }
}

#[tokio::test]
async fn a_range_reads_no_more_than_its_chunks() {
    let world = World::new().await;
    let all = bytes(1, 20 * CHUNK);
    world.ours.put("k", &all).await;
    let blob = world.stored_blobs().await[0];
    // Every chunk but the tenth is broken.
    for chunk in (0..20).filter(|chunk| *chunk != 10) {
        let inside = 192 + chunk * (CHUNK as u64 + 16) + 5;
        world.blobs.damage(blob.blob, inside);
    }
    let first = 10 * CHUNK as u64;
    let range = RangeRequest::Between(first, first + CHUNK as u64 - 1);
    let found = world.ours.get_range("k", range).await.unwrap();
    assert_same(&found, &all[10 * CHUNK..11 * CHUNK], "the tenth chunk");
    let range = RangeRequest::Between(first, first + CHUNK as u64);
    let beyond = world.ours.get_range("k", range).await;
    assert!(matches!(beyond, Err(DriveError::Damaged(_))));
}

#[tokio::test]
async fn a_head_touches_no_blob() {
    let world = World::new().await;
    world.ours.put("k", &bytes(1, 3 * CHUNK)).await;
    let before = world.blobs.calls();
    world.ours.head("k").await.unwrap();
    let request = ReadRequest {
        range: Some(RangeRequest::From(5)),
        ..ReadRequest::default()
    };
    let (selection, receipt) = world
        .drive
        .head(world.ours.object("k"), request)
        .await
        .unwrap();
    assert!(selection.is_partial);
    assert_eq!(selection.range, 5..3 * CHUNK as u64);
    assert_eq!(receipt, crate::authz::Receipt::default());
    assert_eq!(world.blobs.calls(), before);
}

#[tokio::test]
async fn an_object_written_whole_is_its_own_first_part() {
    let world = World::new().await;
    for length in [0, 10, 3 * CHUNK] {
        let all = bytes(1, length);
        world.ours.put("k", &all).await;
        let part = |number| ReadRequest {
            part: Some(PartNumber::new(number).unwrap()),
            ..ReadRequest::default()
        };
        let (selection, found) = world.ours.read("k", part(1)).await.unwrap();
        assert_eq!((found, selection.is_partial), (all, true));
        assert!(matches!(
            world.ours.read("k", part(2)).await,
            Err(DriveError::InvalidPartNumber)
        ));
    }
}

/// Whatever byte of a blob is wrong, no byte of its chunk is handed out, nor one that follows.
#[tokio::test]
async fn a_wrong_byte_ends_the_body_before_its_chunk() {
    let world = World::new().await;
    let all = bytes(1, 11 * CHUNK + 100);
    world.ours.put("k", &all).await;
    let blob = world.stored_blobs().await[0];
    let stride = CHUNK as u64 + 16;
    for chunk in [0, 1, 3, 4, 5, 8, 11] {
        let start = 192 + chunk * stride;
        let end = (start + stride).min(192 + all.len() as u64 + 12 * 16);
        for offset in [start, start + 50, end - 16, end - 1] {
            world.blobs.heal();
            world.blobs.damage(blob.blob, offset);
            let opened = world
                .drive
                .get(world.ours.object("k"), ReadRequest::default())
                .await;
            let mut reader = match opened {
                Ok(((_, reader), _)) => reader,
                Err(DriveError::Damaged(_)) if chunk < 4 => continue,
                Err(other) => panic!("{other}"),
            };
            let mut found = Vec::new();
            let error = loop {
                match reader.next().await {
                    Ok(Some(piece)) => found.extend_from_slice(&piece),
                    Ok(None) => panic!("the body ended"),
                    Err(error) => break error,
                }
            };
            assert!(matches!(&error, DriveError::Damaged(text)
                if text.contains(&blob.blob.to_string()) && text.contains("a chunk")));
            assert!(found.len() <= chunk as usize * CHUNK);
            assert_same(&found, &all[..found.len()], "what came before");
            assert!(reader.next().await.is_err(), "nothing follows an error");
        }
    }
    // What no read needs does no harm: the header in the store and the footer.
    world.blobs.heal();
    world.blobs.damage(blob.blob, 100);
    world.blobs.damage(blob.blob, blob.size - 20);
    assert_same(&world.ours.get("k").await.unwrap(), &all, "the object");
}

#[tokio::test]
async fn a_store_that_fails_in_the_middle_breaks_the_body_off() {
    let world = World::new().await;
    let all = bytes(1, 16 * CHUNK);
    world.ours.put("k", &all).await;
    let mut broken = 0;
    for steps in 0.. {
        world.blobs.fail_reads_after(steps, Fault::Unavailable);
        let read = world.ours.get("k").await;
        world.blobs.heal();
        match read {
            Err(DriveError::Unavailable(_)) => broken += 1,
            other => {
                assert_same(&other.unwrap(), &all, "the object");
                break;
            }
        }
    }
    assert!(broken >= 5);
}

#[tokio::test]
async fn a_blob_that_is_lost_is_damage_not_absence() {
    let world = World::new().await;
    world.ours.put("k", &bytes(1, 3 * CHUNK)).await;
    let blob = world.stored_blobs().await[0].blob;
    world.blobs.delete(world.ours.org(), blob).await.unwrap();
    let read = world.ours.get("k").await;
    assert!(matches!(read, Err(DriveError::Damaged(text)) if text.contains(&blob.to_string())));
}

/// A store that does something just before it is read.
struct Interrupted {
    inner: ObjectBlobs,
    before: Mutex<Option<BoxFuture<'static, ()>>>,
}

#[async_trait]
impl Blobs for Interrupted {
    async fn writer(
        &self,
        org: OrgId,
        blob: BlobId,
        size: Option<u64>,
    ) -> Result<Box<dyn BlobWriter>, BlobError> {
        self.inner.writer(org, blob, size).await
    }

    async fn read(
        &self,
        org: OrgId,
        blob: BlobId,
        range: Range<u64>,
        stride: usize,
    ) -> Result<Box<dyn BlobReader>, BlobError> {
        let before = self.before.lock().unwrap().take();
        if let Some(before) = before {
            before.await;
        }
        self.inner.read(org, blob, range, stride).await
    }

    async fn delete(&self, org: OrgId, blob: BlobId) -> Result<(), BlobError> {
        self.inner.delete(org, blob).await
    }

    fn list(&self, org: OrgId) -> BoxStream<'static, Result<BlobEntry, BlobError>> {
        self.inner.list(org)
    }

    fn list_all(&self) -> BoxStream<'static, Result<BlobEntry, BlobError>> {
        self.inner.list_all()
    }

    async fn sweep_leftovers(&self, before: SystemTime) -> Result<u64, BlobError> {
        self.inner.sweep_leftovers(before).await
    }

    async fn check(&self) -> Result<(), BlobError> {
        self.inner.check().await
    }
}

#[tokio::test]
async fn a_reader_that_comes_too_late_for_a_version_gets_the_next() {
    let interrupted = Arc::new(Interrupted {
        inner: ObjectBlobs::memory(),
        before: Mutex::default(),
    });
    let world = World::over(settings(), Arc::clone(&interrupted) as Arc<dyn Blobs>).await;
    let (old, new) = (bytes(1, 3 * CHUNK), bytes(2, 2 * CHUNK));
    world.ours.put("k", &old).await;
    let blob = world.stored_blobs().await[0].blob;
    let (ours, blobs) = (world.ours.clone(), Arc::clone(&world.blobs));
    let replacement = new.clone();
    *interrupted.before.lock().unwrap() = Some(Box::pin(async move {
        ours.put("k", &replacement).await;
        blobs.delete(ours.org(), blob).await.unwrap();
    }));
    assert_same(&world.ours.get("k").await.unwrap(), &new, "the new version");
}
