//! What every store of blobs must do. Each check uses organizations of its own, so that all of
//! them can run against one store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use names::{BlobId, OrgId};

use super::{BlobEntry, BlobError, Blobs, READ_SIZE};

/// Runs every check.
pub(super) async fn conforms(blobs: Arc<dyn Blobs>) {
    let blobs = &*blobs;
    blobs.check().await.expect("a store that answers");
    returns_what_was_put(blobs).await;
    returns_every_range(blobs).await;
    returns_whole_strides(blobs).await;
    refuses_a_range_beyond_the_end(blobs).await;
    streams_large_blobs(blobs).await;
    forgets_an_aborted_blob(blobs).await;
    misses_what_was_never_put(blobs).await;
    deletes_more_than_once(blobs).await;
    keeps_organizations_apart(blobs).await;
    lists_what_there_is(blobs).await;
    takes_concurrent_writers(blobs).await;
    keeps_whole_blobs_when_it_sweeps(blobs).await;
}

async fn returns_what_was_put(blobs: &dyn Blobs) {
    for (n, size) in [0, 1, 4096, 65_552, READ_SIZE, READ_SIZE + 1]
        .into_iter()
        .enumerate()
    {
        let (org, blob, content) = (org(1), blob(1, n), content(n, size));
        blobs
            .put(org, blob, pieces(&content, 1000))
            .await
            .expect("put");
        let read = read(blobs, org, blob, 0..size as u64).await.expect("read");
        assert!(read == content, "{size} bytes");
    }
}

async fn returns_every_range(blobs: &dyn Blobs) {
    let (org, blob, content) = (org(2), blob(2, 0), content(2, 3 * 65_552 + 17));
    let end = content.len() as u64;
    blobs
        .put(org, blob, pieces(&content, 70_000))
        .await
        .expect("put");
    let edges = [
        0,
        1,
        65_551,
        65_552,
        65_553,
        2 * 65_552,
        end - 17,
        end - 1,
        end,
    ];
    for start in edges {
        for stop in edges.into_iter().filter(|stop| start <= *stop) {
            let read = read(blobs, org, blob, start..stop).await.expect("read");
            let expected = &content[start as usize..stop as usize];
            assert!(read == expected, "{start}..{stop}");
        }
    }
}

async fn returns_whole_strides(blobs: &dyn Blobs) {
    let (org, blob, content) = (org(3), blob(3, 0), content(3, 2 * READ_SIZE + 70_000));
    let end = content.len() as u64;
    blobs
        .put(org, blob, pieces(&content, READ_SIZE))
        .await
        .expect("put");
    for stride in [1, 1000, 65_552, READ_SIZE + 5, 4 * READ_SIZE] {
        let mut reader = blobs.read(org, blob, 7..end, stride).await.expect("read");
        let mut read = Vec::new();
        while let Some(buffer) = reader.next().await.expect("next") {
            assert!(!buffer.is_empty());
            let is_last = 7 + (read.len() + buffer.len()) as u64 == end;
            assert!(is_last || buffer.len() % stride == 0, "stride {stride}");
            read.extend(buffer);
        }
        assert!(read == content[7..], "stride {stride}");
        assert!(
            reader.next().await.expect("next").is_none(),
            "after the end"
        );
    }
}

async fn refuses_a_range_beyond_the_end(blobs: &dyn Blobs) {
    let (org, blob) = (org(4), blob(4, 0));
    blobs
        .put(org, blob, pieces(&content(4, 100), 100))
        .await
        .expect("put");
    for range in [0..101, 99..101, 100..101, 5000..6000] {
        match read(blobs, org, blob, range.clone()).await {
            Err(BlobError::Damaged { blob: named, .. }) => assert_eq!(named, blob),
            other => panic!("{range:?}: {other:?}"),
        }
    }
}

async fn streams_large_blobs(blobs: &dyn Blobs) {
    let content = content(5, 20 * 1024 * 1024 + 1);
    // With the right size, none, one too small, and one too large.
    let hints = [Some(content.len() as u64), None, Some(1), Some(1 << 40)];
    for (n, hint) in hints.into_iter().enumerate() {
        let (org, blob) = (org(5), blob(5, n));
        let mut writer = blobs.writer(org, blob, hint).await.expect("a writer");
        for piece in pieces(&content, 300_001 + 777_777 * n) {
            writer.write(piece).await.expect("write");
        }
        writer.finish().await.expect("finish");
        let read = read(blobs, org, blob, 0..content.len() as u64)
            .await
            .expect("read");
        assert!(read == content, "with the hint {hint:?}");
        blobs.delete(org, blob).await.expect("delete");
    }
}

async fn forgets_an_aborted_blob(blobs: &dyn Blobs) {
    let org = org(6);
    for (n, size) in [0, 1000, 1 << 20, 20 << 20].into_iter().enumerate() {
        let blob = blob(6, n);
        let mut writer = blobs.writer(org, blob, None).await.expect("a writer");
        for piece in pieces(&content(6, size), 600_000) {
            writer.write(piece).await.expect("write");
        }
        writer.abort().await.expect("abort");
        assert_missing(blobs, org, blob).await;
    }
    assert_eq!(list(blobs, org).await, []);
}

async fn misses_what_was_never_put(blobs: &dyn Blobs) {
    let (present, absent) = (org(7), org(70));
    blobs
        .put(present, blob(7, 0), pieces(&content(7, 10), 10))
        .await
        .expect("put");
    assert_missing(blobs, present, blob(7, 1)).await;
    assert_missing(blobs, absent, blob(7, 0)).await;
    assert_eq!(list(blobs, absent).await, []);
    // Nothing is asked of a blob for an empty range, so it does not matter that it is missing.
    let nothing = read(blobs, absent, blob(7, 0), 5..5).await;
    assert!(nothing.expect("read").is_empty());
}

async fn deletes_more_than_once(blobs: &dyn Blobs) {
    let (org, first, second) = (org(8), blob(8, 0), blob(8, 1));
    for blob in [first, second] {
        blobs
            .put(org, blob, pieces(&content(8, 10), 10))
            .await
            .expect("put");
    }
    blobs.delete(org, first).await.expect("delete");
    assert_missing(blobs, org, first).await;
    blobs.delete(org, first).await.expect("delete once more");
    blobs
        .delete(org, blob(8, 2))
        .await
        .expect("delete what never was");
    assert_eq!(
        read(blobs, org, second, 0..10).await.expect("read"),
        content(8, 10)
    );
}

async fn keeps_organizations_apart(blobs: &dyn Blobs) {
    let (one, other, blob) = (org(9), org(90), blob(9, 0));
    blobs
        .put(one, blob, pieces(&content(9, 100), 100))
        .await
        .expect("put");
    blobs
        .put(other, blob, pieces(&content(90, 100), 100))
        .await
        .expect("put");
    assert_eq!(
        read(blobs, one, blob, 0..100).await.expect("read"),
        content(9, 100)
    );
    assert_eq!(
        read(blobs, other, blob, 0..100).await.expect("read"),
        content(90, 100)
    );
    blobs.delete(one, blob).await.expect("delete");
    assert_missing(blobs, one, blob).await;
    assert_eq!(
        read(blobs, other, blob, 0..100).await.expect("read"),
        content(90, 100)
    );
    assert_eq!(list(blobs, one).await, []);
}

async fn lists_what_there_is(blobs: &dyn Blobs) {
    let orgs = [org(10), org(100)];
    let mut expected = BTreeMap::new();
    for org in orgs {
        for n in 0..300 {
            let (blob, size) = (blob(10, n), n % 7);
            blobs
                .put(org, blob, pieces(&content(n, size), 10))
                .await
                .expect("put");
            expected.insert((org, blob), size as u64);
        }
    }
    let mut seen = BTreeMap::new();
    for entry in list(blobs, orgs[0]).await {
        assert_eq!(entry.org, orgs[0]);
        seen.insert((entry.org, entry.blob), entry.size);
    }
    assert_eq!(seen.len(), 300);
    let all: Vec<BlobEntry> = blobs.list_all().try_collect().await.expect("list_all");
    let now = now();
    for entry in all.iter().filter(|entry| orgs.contains(&entry.org)) {
        seen.insert((entry.org, entry.blob), entry.size);
        // A clock of another process on this machine, cut to whole seconds on some stores.
        let age = now.duration_since(entry.modified).unwrap_or_default();
        assert!(age < Duration::from_secs(3600), "{age:?}");
        assert!(entry.modified <= now + Duration::from_secs(3600));
    }
    assert_eq!(seen, expected);
    assert!(
        all.iter()
            .any(|entry| entry.org == org(9) || entry.org == org(90))
    );
}

async fn takes_concurrent_writers(blobs: &dyn Blobs) {
    let org = org(11);
    let write = |n: usize| async move {
        let content = content(n, n * 40_000);
        let mut writer = blobs.writer(org, blob(11, n), None).await?;
        for piece in pieces(&content, 50_000) {
            writer.write(piece).await?;
        }
        writer.finish().await?;
        let read = read(blobs, org, blob(11, n), 0..content.len() as u64).await?;
        assert!(read == content, "writer {n}");
        Ok::<(), BlobError>(())
    };
    try_join_all((0..32).map(write)).await.expect("all writers");
    assert_eq!(list(blobs, org).await.len(), 32);
}

async fn keeps_whole_blobs_when_it_sweeps(blobs: &dyn Blobs) {
    let (org, blob) = (org(12), blob(12, 0));
    blobs
        .put(org, blob, pieces(&content(12, 100), 100))
        .await
        .expect("put");
    let later = now() + Duration::from_secs(3600);
    assert_eq!(blobs.sweep_leftovers(later).await.expect("sweep"), 0);
    assert_eq!(
        read(blobs, org, blob, 0..100).await.expect("read"),
        content(12, 100)
    );
}

/// Reads a range whole, in buffers of whole sealed chunks.
pub(super) async fn read(
    blobs: &dyn Blobs,
    org: OrgId,
    blob: BlobId,
    range: std::ops::Range<u64>,
) -> Result<Vec<u8>, BlobError> {
    let mut reader = blobs.read(org, blob, range, 65_552).await?;
    let mut read = Vec::new();
    while let Some(buffer) = reader.next().await? {
        read.extend(buffer);
    }
    Ok(read)
}

pub(super) async fn list(blobs: &dyn Blobs, org: OrgId) -> Vec<BlobEntry> {
    blobs.list(org).try_collect().await.expect("list")
}

pub(super) async fn assert_missing(blobs: &dyn Blobs, org: OrgId, blob: BlobId) {
    match read(blobs, org, blob, 0..1).await {
        Err(BlobError::NotFound { org: o, blob: b }) => assert_eq!((o, b), (org, blob)),
        other => panic!("{org}/{blob}: {:?}", other.map(|content| content.len())),
    }
}

/// The machine's clock, as a file that was just made tells it.
fn now() -> SystemTime {
    let file = tempfile::tempfile().expect("a file");
    let modified = file.metadata().and_then(|metadata| metadata.modified());
    modified.expect("its time")
}

pub(super) fn org(n: u8) -> OrgId {
    OrgId::from_bytes([n; 16])
}

/// A name whose time is in the seventies and whose last byte, the shard, is that of `n`.
pub(super) fn blob(check: u8, n: usize) -> BlobId {
    let mut bytes = [0; 16];
    bytes[3] = check;
    bytes[6] = 0x70;
    bytes[8..].copy_from_slice(&(n as u64).to_be_bytes());
    BlobId::from_bytes(bytes)
}

/// Bytes that differ at every place and with `seed`.
pub(super) fn content(seed: usize, size: usize) -> Vec<u8> {
    let mut state = seed as u64 ^ 0x2545_F491_4F6C_DD1D;
    let mut content = Vec::with_capacity(size + 8);
    while content.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        content.extend(state.to_le_bytes());
    }
    content.truncate(size);
    content
}

pub(super) fn pieces(content: &[u8], size: usize) -> Vec<Bytes> {
    content.chunks(size).map(Bytes::copy_from_slice).collect()
}
