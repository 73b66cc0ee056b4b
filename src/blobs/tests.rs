use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use futures_util::{FutureExt, TryStreamExt};
use rustix::process::{Resource, getrlimit};
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::conformance::{assert_missing, blob, conforms, content, list, org, pieces, read};
use super::s3_server::S3Server;
use super::{
    BlobEntry, BlobError, Blobs, Calls, DiskBlobs, Fault, FaultyBlobs, ObjectBlobs, S3Credentials,
    S3Settings, WRITE_SIZE, layout, open,
};
use crate::config;

#[tokio::test(flavor = "multi_thread")]
async fn disk_conforms() {
    let (_directory, blobs) = disk();
    conforms(Arc::new(blobs)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_conforms() {
    conforms(Arc::new(ObjectBlobs::memory())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_conforms() {
    let server = S3Server::start();
    conforms(Arc::new(s3(&server, ""))).await;
    conforms(Arc::new(s3(&server, "below/a prefix"))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_store_without_faults_conforms() {
    conforms(Arc::new(FaultyBlobs::new(Arc::new(ObjectBlobs::memory())))).await;
}

#[test]
fn a_path_is_read_in_the_one_way_it_is_written() {
    let (org, blob) = (org(0xab), blob(1, 0x1f));
    let path = layout::blob_path(org, blob);
    assert_eq!(path, format!("orgs/{org}/1f/{blob}"));
    assert_eq!(layout::parse_path(&path), Some((org, blob)));
    for foreign in [
        format!("orgs/{org}/1e/{blob}"),
        format!("orgs/{org}/1F/{blob}"),
        format!("orgs/{org}/1f/{blob}#1"),
        format!("orgs/{org}/1f/{blob}/more"),
        format!("orgs/{}/1f/{blob}", org.to_string().to_uppercase()),
        format!("else/{org}/1f/{blob}"),
        format!("orgs/{org}/{blob}"),
        String::new(),
    ] {
        assert_eq!(layout::parse_path(&foreign), None, "{foreign}");
    }
}

#[test]
fn errors_of_the_system_are_told_apart() {
    let judge = |errno| {
        let error = io::Error::from(errno);
        BlobError::from_blob_io(org(1), blob(1, 1), "writing", &error)
    };
    use rustix::io::Errno;
    assert!(matches!(judge(Errno::NOSPC), BlobError::Full(_)));
    assert!(matches!(judge(Errno::DQUOT), BlobError::Full(_)));
    assert!(matches!(judge(Errno::IO), BlobError::Unavailable(_)));
    assert!(matches!(judge(Errno::ACCESS), BlobError::Unavailable(_)));
    assert!(matches!(judge(Errno::NOENT), BlobError::NotFound { .. }));
    assert!(matches!(judge(Errno::EXIST), BlobError::Exists { .. }));
}

#[test]
fn errors_of_an_object_store_are_told_apart() {
    let generic = |text: &str| object_store::Error::Generic {
        store: "S3",
        source: text.into(),
    };
    let missing = |text: &str| object_store::Error::NotFound {
        path: "orgs".into(),
        source: text.into(),
    };
    let judge = |error| BlobError::from_blob_object_store(org(1), blob(1, 1), "writing", &error);
    for text in [
        "status code: 507 Insufficient Storage: ",
        "status code: 403 Forbidden: <Error><Code>QuotaExceeded</Code></Error>",
        "status code: 507 : <Error><Code>XMinioStorageFull</Code></Error>",
    ] {
        assert!(matches!(judge(generic(text)), BlobError::Full(_)), "{text}");
    }
    let slow = generic("status code: 503: <Error><Code>SlowDown</Code></Error>");
    assert!(matches!(judge(slow), BlobError::Unavailable(_)));
    let blob = missing("<Code>NoSuchKey</Code>");
    assert!(matches!(judge(blob), BlobError::NotFound { .. }));
    let bucket = missing("<Code>NoSuchBucket</Code>");
    assert!(matches!(judge(bucket), BlobError::Unavailable(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_settings_choose_the_store() {
    let directory = tempfile::tempdir().unwrap();
    let server = S3Server::start();
    let path = directory.path().join("blobs");
    let bucket = config::S3Blobs {
        endpoint: server.endpoint(),
        bucket: S3Server::BUCKET.into(),
        region: S3Server::REGION.into(),
        prefix: "a/b".into(),
        access_key_id: S3Server::ACCESS_KEY_ID.into(),
        secret_access_key: config::Secret::new(S3Server::SECRET_ACCESS_KEY.into()),
        allow_http: true,
        path_style: true,
    };
    for (settings, shared) in [
        (config::Blobs::Disk { path: path.clone() }, true),
        (config::Blobs::S3(bucket), true),
        (config::Blobs::Memory, false),
    ] {
        let first = open(&settings).unwrap();
        first.check().await.unwrap();
        first
            .put(org(1), blob(1, 1), pieces(b"sealed", 6))
            .await
            .unwrap();
        let second = open(&settings).unwrap();
        assert_eq!(list(&*second, org(1)).await.len(), usize::from(shared));
    }
    assert!(path.join(layout::blob_path(org(1), blob(1, 1))).is_file());
    let (below, above) = (s3(&server, "a/b"), s3(&server, ""));
    assert_eq!(list(&below, org(1)).await.len(), 1);
    assert_eq!(list(&above, org(1)).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_directories_are_the_owners_alone() {
    let (directory, blobs) = disk();
    blobs
        .put(org(1), blob(1, 1), pieces(b"sealed", 6))
        .await
        .unwrap();
    let path = directory
        .path()
        .join("blobs")
        .join(layout::blob_path(org(1), blob(1, 1)));
    assert_eq!(fs::read(&path).unwrap(), b"sealed");
    assert_eq!(mode(&path), 0o600);
    for above in path.ancestors().skip(1).take(4) {
        assert_eq!(mode(above), 0o700, "{}", above.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_not_used_twice_on_disk() {
    let (_directory, blobs) = disk();
    blobs
        .put(org(1), blob(1, 1), pieces(b"first", 5))
        .await
        .unwrap();
    let again = blobs.put(org(1), blob(1, 1), pieces(b"second", 6)).await;
    assert!(matches!(again, Err(BlobError::Exists { .. })), "{again:?}");
    assert_eq!(
        read(&blobs, org(1), blob(1, 1), 0..5).await.unwrap(),
        b"first"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_writer_removes_its_file() {
    let (_directory, blobs) = disk();
    let mut writer = blobs.writer(org(1), blob(1, 1), None).await.unwrap();
    // The second write waits for the first, so that the file is there.
    for piece in pieces(&content(1, 2 * WRITE_SIZE), WRITE_SIZE) {
        writer.write(piece).await.unwrap();
    }
    assert_eq!(list(&blobs, org(1)).await.len(), 1);
    drop(writer);
    await_until(async || list(&blobs, org(1)).await.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_blob_is_read_to_its_end_after_it_was_deleted() {
    let (_directory, blobs) = disk();
    let content = content(1, 3 << 20);
    blobs
        .put(org(1), blob(1, 1), pieces(&content, 1 << 20))
        .await
        .unwrap();
    let mut reader = blobs.read(org(1), blob(1, 1), 0..3 << 20, 1).await.unwrap();
    blobs.delete(org(1), blob(1, 1)).await.unwrap();
    let mut seen = Vec::new();
    while let Some(buffer) = reader.next().await.unwrap() {
        seen.extend(buffer);
    }
    assert!(seen == content);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_vanished_is_made_again() {
    let (directory, blobs) = disk();
    blobs
        .put(org(1), blob(1, 1), pieces(b"one", 3))
        .await
        .unwrap();
    fs::remove_dir_all(directory.path().join("blobs/orgs").join(org(1).to_string())).unwrap();
    blobs
        .put(org(1), blob(1, 1), pieces(b"two", 3))
        .await
        .unwrap();
    assert_eq!(
        read(&blobs, org(1), blob(1, 1), 0..3).await.unwrap(),
        b"two"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_files_are_passed_over() {
    let (directory, blobs) = disk();
    blobs
        .put(org(1), blob(1, 1), pieces(b"ours", 4))
        .await
        .unwrap();
    let orgs = directory.path().join("blobs/orgs");
    let ours = orgs.join(org(1).to_string());
    fs::write(orgs.join("README"), "").unwrap();
    fs::create_dir_all(orgs.join("lost+found/01")).unwrap();
    fs::write(ours.join("note"), "").unwrap();
    fs::write(ours.join("01/half#1"), "").unwrap();
    fs::create_dir(ours.join("01").join(blob(1, 1 + 256).to_string())).unwrap();
    fs::create_dir(ours.join("ff")).unwrap();
    fs::write(ours.join("ff").join(blob(1, 2).to_string()), "").unwrap();
    let all: Vec<BlobEntry> = blobs.list_all().try_collect().await.unwrap();
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(
        (all[0].org, all[0].blob, all[0].size),
        (org(1), blob(1, 1), 4)
    );
}

/// The size of a file is limited as a full disk would limit it: the write fails half way. The
/// limit holds for a whole process, so the test runs itself again in one of its own.
#[test]
fn a_blob_that_finds_no_room_is_refused_and_removed() {
    if getrlimit(Resource::Fsize).current.is_none() {
        let output = Command::new("sh")
            .args(["-c", r#"trap "" XFSZ; ulimit -f 1024; exec "$0" "$@""#])
            .arg(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "blobs::tests::a_blob_that_finds_no_room_is_refused_and_removed",
            ])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && text.contains("1 passed"),
            "{text}"
        );
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let (_directory, blobs) = disk();
        let large = pieces(&content(1, 4 << 20), 100_000);
        let put = blobs.put(org(1), blob(1, 1), large).await;
        assert!(matches!(put, Err(BlobError::Full(_))), "{put:?}");
        await_until(async || list(&blobs, org(1)).await.is_empty()).await;
        blobs
            .put(org(1), blob(1, 2), pieces(b"small", 5))
            .await
            .unwrap();
        assert_eq!(
            read(&blobs, org(1), blob(1, 2), 0..5).await.unwrap(),
            b"small"
        );
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_upload_is_swept_once_it_is_old() {
    let server = S3Server::start();
    let blobs = s3(&server, "some/where");
    // One in progress: begun, with parts on their way, neither finished nor dropped.
    let mut writer = blobs.writer(org(1), blob(1, 1), None).await.unwrap();
    for piece in pieces(&content(1, 24 << 20), 1 << 20) {
        writer.write(piece).await.unwrap();
    }
    assert_eq!(list(&blobs, org(1)).await, []);
    let begun = UNIX_EPOCH + Duration::from_millis(blob(1, 1).created_ms());
    assert_eq!(blobs.sweep_leftovers(begun).await.unwrap(), 0);
    // Another prefix of the bucket is another store.
    let later = begun + Duration::from_millis(1);
    assert_eq!(
        s3(&server, "else/where")
            .sweep_leftovers(later)
            .await
            .unwrap(),
        0
    );
    assert_eq!(blobs.sweep_leftovers(later).await.unwrap(), 1);
    assert_eq!(blobs.sweep_leftovers(later).await.unwrap(), 0);
    let finished = writer.finish().await;
    assert!(
        matches!(finished, Err(BlobError::Unavailable(_))),
        "{finished:?}"
    );
    assert_missing(&blobs, org(1), blob(1, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_abandoned_writer_aborts_its_upload() {
    let server = S3Server::start();
    let blobs = s3(&server, "");
    let mut writer = blobs.writer(org(1), blob(1, 1), None).await.unwrap();
    for piece in pieces(&content(1, 24 << 20), 1 << 20) {
        writer.write(piece).await.unwrap();
    }
    assert_eq!(blobs.uploads_open().await.unwrap(), 1);
    drop(writer);
    await_until(async || blobs.uploads_open().await.unwrap() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_server_is_unavailable() {
    let mut server = S3Server::start();
    let blobs = s3(&server, "");
    blobs
        .put(org(1), blob(1, 1), pieces(b"sealed", 6))
        .await
        .unwrap();
    server.kill();
    let is_unavailable = |error: &BlobError| matches!(error, BlobError::Unavailable(_));
    let put = blobs.put(org(1), blob(1, 2), pieces(b"sealed", 6)).await;
    assert!(put.as_ref().is_err_and(is_unavailable), "{put:?}");
    let read = read(&blobs, org(1), blob(1, 1), 0..6).await;
    assert!(read.as_ref().is_err_and(is_unavailable), "{read:?}");
    let deleted = blobs.delete(org(1), blob(1, 1)).await;
    assert!(deleted.as_ref().is_err_and(is_unavailable), "{deleted:?}");
    let listed: Result<Vec<BlobEntry>, BlobError> = blobs.list_all().try_collect().await;
    assert!(listed.as_ref().is_err_and(is_unavailable), "{listed:?}");
    let swept = blobs.sweep_leftovers(UNIX_EPOCH).await;
    assert!(swept.as_ref().is_err_and(is_unavailable), "{swept:?}");
    assert!(blobs.check().await.as_ref().is_err_and(is_unavailable));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_bucket_or_key_is_the_operators_turn() {
    let server = S3Server::start();
    let mut settings = s3_settings(&server, "");
    settings.bucket = "another".into();
    assert_refused(&ObjectBlobs::s3(&settings).unwrap()).await;
    let mut settings = s3_settings(&server, "");
    settings.credentials = Some(S3Credentials {
        access_key_id: S3Server::ACCESS_KEY_ID.into(),
        secret_access_key: Zeroizing::new("wrong-secret".into()),
        session_token: None,
    });
    assert_refused(&ObjectBlobs::s3(&settings).unwrap()).await;
}

/// Neither may look like a blob that is missing.
async fn assert_refused(blobs: &dyn Blobs) {
    let is_unavailable = |error: &BlobError| {
        let text = error.to_string();
        assert!(!text.contains("wrong-secret"), "{text}");
        matches!(error, BlobError::Unavailable(_))
    };
    let read = read(blobs, org(1), blob(1, 1), 0..6).await;
    assert!(read.as_ref().is_err_and(is_unavailable), "{read:?}");
    let put = blobs.put(org(1), blob(1, 1), pieces(b"sealed", 6)).await;
    assert!(put.as_ref().is_err_and(is_unavailable), "{put:?}");
    let checked = blobs.check().await;
    assert!(checked.as_ref().is_err_and(is_unavailable), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn writers_share_the_memory_for_parts() {
    let server = S3Server::start();
    let mut settings = s3_settings(&server, "");
    settings.upload_memory_bytes_max = 1;
    let blobs = ObjectBlobs::s3(&settings).unwrap();
    // Room for one part: eight writers of more than two parts each take turns, and all end.
    let content = content(1, 12 << 20);
    let write = |n| {
        let pieces = pieces(&content, 1 << 20);
        blobs.put(org(1), blob(1, n), pieces)
    };
    futures_util::future::try_join_all((0..8).map(write))
        .await
        .unwrap();
    let mut first = blobs.writer(org(1), blob(1, 8), None).await.unwrap();
    first
        .write(Bytes::from_static(b"holds the room"))
        .await
        .unwrap();
    let mut second = blobs.writer(org(1), blob(1, 9), None).await.unwrap();
    let mut waiting = second.write(Bytes::from_static(b"waits"));
    assert!(waiting.as_mut().now_or_never().is_none());
    first.finish().await.unwrap();
    waiting.await.unwrap();
    second.finish().await.unwrap();
    assert_eq!(list(&blobs, org(1)).await.len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_store_fails_when_it_was_told_to() {
    let memory: Arc<dyn Blobs> = Arc::new(ObjectBlobs::memory());
    let faulty = FaultyBlobs::new(Arc::clone(&memory));
    // One piece and one finish succeed; the next piece does not.
    faulty.fail_writes_after(2, Fault::Full);
    faulty
        .put(org(1), blob(1, 1), pieces(b"sealed", 6))
        .await
        .unwrap();
    let put = faulty.put(org(1), blob(1, 2), pieces(b"sealed", 6)).await;
    assert!(matches!(put, Err(BlobError::Full(_))), "{put:?}");
    faulty.fail_writes_after(1, Fault::Unavailable);
    let put = faulty.put(org(1), blob(1, 3), pieces(b"sealed", 6)).await;
    assert!(matches!(put, Err(BlobError::Unavailable(_))), "{put:?}");
    assert_eq!(list(&*memory, org(1)).await.len(), 1);

    faulty.fail_reads_after(0, Fault::Unavailable);
    let failed = read(&faulty, org(1), blob(1, 1), 0..6).await;
    assert!(
        matches!(failed, Err(BlobError::Unavailable(_))),
        "{failed:?}"
    );
    assert!(faulty.heal());
    assert!(!faulty.heal());
    faulty.damage(blob(1, 1), 4);
    let damaged = read(&faulty, org(1), blob(1, 1), 2..6).await.unwrap();
    assert_eq!(damaged, [b'a', b'l', b'e' ^ 0xff, b'd']);
    faulty.heal();
    assert_eq!(
        read(&faulty, org(1), blob(1, 1), 0..6).await.unwrap(),
        b"sealed"
    );
    faulty.delete(org(1), blob(1, 1)).await.unwrap();

    faulty.fail_writes_after(1, Fault::Unanswered);
    let put = faulty.put(org(1), blob(1, 4), pieces(b"sealed", 6)).await;
    assert!(matches!(put, Err(BlobError::Unavailable(_))), "{put:?}");
    assert_eq!(list(&*memory, org(1)).await.len(), 1);
    let deleted = faulty.delete(org(1), blob(1, 4)).await;
    assert!(matches!(deleted, Err(BlobError::Unavailable(_))));
    assert_eq!(list(&*memory, org(1)).await.len(), 0);
    let calls = Calls {
        written: 4,
        read: 3,
        deleted: 2,
        listed: 0,
    };
    assert_eq!(faulty.calls(), calls);
}

fn disk() -> (TempDir, DiskBlobs) {
    let directory = tempfile::tempdir().unwrap();
    let blobs = DiskBlobs::open(&directory.path().join("blobs")).unwrap();
    (directory, blobs)
}

fn s3(server: &S3Server, prefix: &str) -> ObjectBlobs {
    ObjectBlobs::s3(&s3_settings(server, prefix)).unwrap()
}

fn s3_settings(server: &S3Server, prefix: &str) -> S3Settings {
    S3Settings {
        endpoint: Some(server.endpoint()),
        region: S3Server::REGION.into(),
        prefix: prefix.into(),
        credentials: Some(S3Credentials {
            access_key_id: S3Server::ACCESS_KEY_ID.into(),
            secret_access_key: Zeroizing::new(S3Server::SECRET_ACCESS_KEY.into()),
            session_token: None,
        }),
        part_size_bytes: 5 << 20,
        ..S3Settings::new(S3Server::BUCKET)
    }
}

/// Waits for what happens in the background.
async fn await_until(condition: impl AsyncFn() -> bool) {
    while !condition().await {
        tokio::task::yield_now().await;
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
