//! What is damaged on the disk is not delivered: an answer breaks off before the first wrong
//! byte, visibly, and that is recorded.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bulkhead::audit::Outcome;
use bulkhead::blobs::install_crypto_provider;
use bulkhead::entropy::Entropy;
use http::{Method, StatusCode};
use object_store::aws::AmazonS3Builder;
use object_store::{ObjectStoreExt, RetryConfig};

use crate::support::attacker::{Attacker, blob_files, literal};
use crate::support::client::Client;
use crate::support::house::House;
use crate::support::logs::Logs;
use crate::support::raw::{self, RawAnswer};
use crate::support::text::element;

#[tokio::test]
async fn an_answer_breaks_off_before_a_damaged_chunk() {
    let scene = Scene::settle().await;
    let file = scene.file();
    let mut broken_off = 0;
    for chunk in 0..=CHUNKS {
        let position = HEADER_BYTES + chunk as u64 * STRIDE_BYTES + 17;
        flip(&file, position);
        let answer = scene.get(None).await;
        let expected = &scene.content[..chunk * CHUNK_BYTES];
        if answer.status == StatusCode::OK {
            broken_off += 1;
            scene.assert_broken_off(&answer, expected);
        } else {
            assert!(chunk < READ_CHUNKS, "{chunk}: {answer:?}");
            scene.assert_refused(&answer);
        }
        flip(&file, position);
    }
    assert_eq!(broken_off, CHUNKS + 1 - READ_CHUNKS);
    assert!(scene.get(None).await.is_whole());
    scene.assert_recorded().await;
}

#[tokio::test]
async fn a_range_is_served_if_what_it_needs_is_sound() {
    let scene = Scene::settle().await;
    let damaged = 9;
    let start = damaged * CHUNK_BYTES;
    flip(&scene.file(), HEADER_BYTES + damaged as u64 * STRIDE_BYTES);
    for (range, outcome) in [
        // All of it before the damage, or after.
        (0..start, Ok(())),
        (start + CHUNK_BYTES..scene.content.len(), Ok(())),
        // It begins in the damaged chunk, or needs one byte of it.
        (
            start..scene.content.len(),
            Err(StatusCode::INTERNAL_SERVER_ERROR),
        ),
        (
            start + 1000..start + 1001,
            Err(StatusCode::INTERNAL_SERVER_ERROR),
        ),
        // It comes to the damage.
        (0..scene.content.len(), Err(StatusCode::PARTIAL_CONTENT)),
        (CHUNK_BYTES + 5..start + 1, Err(StatusCode::PARTIAL_CONTENT)),
    ] {
        let field = format!("bytes={}-{}", range.start, range.end - 1);
        let answer = scene.get(Some(&field)).await;
        match outcome {
            Ok(()) => {
                assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{field}");
                assert!(answer.body == scene.content[range], "{field}");
            }
            Err(StatusCode::PARTIAL_CONTENT) => {
                assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{field}");
                let right = &scene.content[range.start..start];
                assert!(!answer.is_whole(), "{field}");
                assert!(right.starts_with(&answer.body), "{field}");
                assert!(!answer.body.is_empty(), "{field}");
            }
            Err(_) => scene.assert_refused(&answer),
        }
    }
}

#[tokio::test]
async fn a_blob_that_is_cut_or_gone_is_refused() {
    let scene = Scene::settle().await;
    let file = scene.file();
    let whole = fs::read(&file).expect("a blob");
    let body_end = HEADER_BYTES + CHUNKS as u64 * STRIDE_BYTES + TAIL_BYTES as u64 + TAG_BYTES;
    for length in [
        0,
        100,
        HEADER_BYTES,
        HEADER_BYTES + 5 * STRIDE_BYTES,
        HEADER_BYTES + CHUNKS as u64 * STRIDE_BYTES,
        body_end - 1,
    ] {
        let length = usize::try_from(length).expect("small");
        fs::write(&file, &whole[..length]).expect("a file of our own");
        scene.assert_refused(&scene.get(None).await);
        // What it still has, it has.
        let range = scene.get(Some("bytes=0-99")).await;
        if length < STRIDE_BYTES as usize {
            scene.assert_refused(&range);
        } else {
            assert!(range.body == scene.content[..100], "{length}");
        }
    }
    fs::remove_file(&file).expect("a file of our own");
    scene.assert_refused(&scene.get(None).await);
    scene.assert_recorded().await;
    fs::write(&file, &whole).expect("a file of our own");
    assert!(scene.get(None).await.is_whole());
}

/// A read takes the header from the catalog, where it is wrapped anew when keys are rotated, and
/// the length from the row. The copy of it in the blob and the footer are for a catalog that is
/// lost.
#[tokio::test]
async fn a_header_counts_where_it_is_read() {
    let scene = Scene::settle().await;
    let file = scene.file();
    let end = fs::metadata(&file).expect("a blob").len();
    for position in [0, 20, 40, 100, HEADER_BYTES - 1, end - 200, end - 5] {
        flip(&file, position);
        let answer = scene.get(None).await;
        assert!(answer.body == scene.content, "{position}");
        flip(&file, position);
    }
    let blob = file.file_name().and_then(|name| name.to_str());
    let blob: names::BlobId = blob.and_then(|name| name.parse().ok()).expect("a blob");
    let attacker = Attacker::at(&scene.house);
    let row = format!("blob_id = {}", literal(blob.bytes()));
    let header = attacker.find_one(&format!("SELECT header FROM blobs WHERE {row}"));
    assert_eq!(header.len() as u64, HEADER_BYTES);
    for position in 0..header.len() {
        let mut changed = header.clone();
        changed[position] ^= 1;
        let changed = literal(&changed);
        attacker.change(&format!("UPDATE blobs SET header = {changed} WHERE {row}"));
        scene.assert_refused(&scene.get(None).await);
    }
    let header = literal(&header);
    attacker.change(&format!("UPDATE blobs SET header = {header} WHERE {row}"));
    assert!(scene.get(None).await.is_whole());
    scene.assert_recorded().await;
}

#[tokio::test]
async fn an_answer_breaks_off_where_a_part_is_gone() {
    let scene = Scene::settle().await;
    let parts = [bytes(2, PART_BYTES), bytes(3, 100_000)];
    let target = "/docs/parts";
    let ask = async |method: Method, query: String, body: Vec<u8>| {
        let target = format!("{target}?{query}");
        let answer = scene.client.send(method, &target, &[], body).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, StatusCode::OK, "{target}: {answer:?}");
        answer
    };
    let before: BTreeSet<_> = scene.files().into_iter().collect();
    let begun = ask(Method::POST, "uploads=".into(), Vec::new()).await;
    let upload = element(&begun.body, "UploadId");
    let mut list = String::new();
    for (number, part) in (1..).zip(&parts) {
        let query = format!("partNumber={number}&uploadId={upload}");
        let answer = ask(Method::PUT, query, part.clone()).await;
        let etag = answer.headers["etag"].to_str().expect("text");
        list += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let list = format!("<CompleteMultipartUpload>{list}</CompleteMultipartUpload>");
    ask(Method::POST, format!("uploadId={upload}"), list.into()).await;

    let mut made = scene.files();
    made.retain(|file| !before.contains(file));
    made.sort_by_key(|file| fs::metadata(file).expect("a blob").len());
    fs::remove_file(&made[0]).expect("a file of our own");
    let answer = raw::get(scene.house.api(), &scene.house.key, target, None).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert!(!answer.is_whole());
    assert!(!answer.body.is_empty() && parts[0].starts_with(&answer.body));
    fs::remove_file(&made[1]).expect("a file of our own");
    let answer = raw::get(scene.house.api(), &scene.house.key, target, None).await;
    scene.assert_refused(&answer);
    scene.assert_recorded().await;
}

/// Clients that were not written for this test do not take what broke off for a success.
#[tokio::test]
async fn no_client_sees_a_success() {
    let scene = Scene::settle().await;
    install_crypto_provider();
    let store = AmazonS3Builder::new()
        .with_endpoint(format!("http://{}", scene.house.api()))
        .with_allow_http(true)
        .with_region("us-east-1")
        .with_bucket_name("docs")
        .with_access_key_id(&scene.house.key.id)
        .with_secret_access_key(&scene.house.key.secret)
        .with_retry(RetryConfig {
            max_retries: 2,
            ..RetryConfig::default()
        })
        .build()
        .expect("a client");
    let path = object_store::path::Path::from("large");
    let sound = store.get(&path).await.expect("an answer").bytes().await;
    assert!(sound.expect("a body") == scene.content);

    for chunk in [0, 1, 8, CHUNKS] {
        let position = HEADER_BYTES + chunk as u64 * STRIDE_BYTES;
        flip(&scene.file(), position);
        let answer = scene.client.send(Method::GET, LARGE, &[], "").await;
        let is_success = answer.is_ok_and(|answer| answer.status.is_success());
        assert!(!is_success, "{chunk}: the tests' client");
        let bytes = match store.get(&path).await {
            Ok(answer) => answer.bytes().await,
            Err(error) => Err(error),
        };
        assert!(bytes.is_err(), "{chunk}: object_store");
        flip(&scene.file(), position);
    }
}

/// A server that has one large object.
struct Scene {
    house: House,
    client: Client,
    content: Vec<u8>,
    /// The requests that met damage.
    damaged: RefCell<BTreeSet<String>>,
}

impl Scene {
    async fn settle() -> Self {
        let house = House::start().await;
        let client = house.client();
        let content = bytes(1, CHUNKS * CHUNK_BYTES + TAIL_BYTES);
        for (target, body) in [("/docs", Vec::new()), (LARGE, content.clone())] {
            let answer = client.send(Method::PUT, target, &[], body).await;
            assert_eq!(
                answer.expect("an answer").status,
                StatusCode::OK,
                "{target}"
            );
        }
        Self {
            house,
            client,
            content,
            damaged: RefCell::default(),
        }
    }

    /// The one blob of the object.
    fn file(&self) -> PathBuf {
        let mut files = self.files();
        assert_eq!(files.len(), 1);
        files.remove(0)
    }

    fn files(&self) -> Vec<PathBuf> {
        blob_files(&self.house.data())
    }

    async fn get(&self, range: Option<&str>) -> RawAnswer {
        raw::get(self.house.api(), &self.house.key, LARGE, range).await
    }

    /// It has some whole chunks of what is expected, and did not come to its end.
    fn assert_broken_off(&self, answer: &RawAnswer, expected: &[u8]) {
        let RawAnswer { body, .. } = answer;
        assert_eq!(answer.length(), self.content.len());
        assert!(!answer.is_whole());
        assert!(expected.starts_with(body), "{} bytes", body.len());
        assert!(body.len().is_multiple_of(CHUNK_BYTES), "{}", body.len());
        self.met(answer);
    }

    /// It is an error, and was one before any byte.
    fn assert_refused(&self, answer: &RawAnswer) {
        assert_eq!(
            answer.status,
            StatusCode::INTERNAL_SERVER_ERROR,
            "{answer:?}"
        );
        assert_eq!(element(&answer.body, "Code"), "InternalError");
        self.met(answer);
    }

    fn met(&self, answer: &RawAnswer) {
        let id = answer.request_id().to_owned();
        self.damaged.borrow_mut().insert(id);
    }

    /// Each request that met damage stands in the operator's log and in the activity log.
    async fn assert_recorded(&self) {
        let log = self.house.log();
        let logs = Logs::of(&self.house).await;
        let entries = logs.organization("home").await.into_iter();
        let recorded = entries.filter(|entry| matches!(entry.outcome, Outcome::Damaged { .. }));
        let recorded: BTreeSet<_> = recorded.map(|entry| entry.request_id).collect();
        let damaged = self.damaged.borrow();
        assert!(!damaged.is_empty());
        for id in damaged.iter() {
            assert!(recorded.contains(id), "{id}: not in the activity log");
            let mut errors = log
                .lines()
                .filter(|line| line.contains("\"level\":\"ERROR\""));
            assert!(
                errors.any(|line| line.contains(id)),
                "{id}: not in the operator's log"
            );
        }
    }
}

/// Changes one bit of a file, or changes it back.
fn flip(file: &Path, position: u64) {
    let file = OpenOptions::new().read(true).write(true).open(file);
    let file = file.expect("a file of our own");
    let mut byte = [0];
    file.read_exact_at(&mut byte, position).expect("within");
    byte[0] ^= 0x10;
    file.write_all_at(&byte, position).expect("within");
}

fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    Entropy::danger_seeded(seed).fill(&mut bytes);
    bytes
}

const LARGE: &str = "/docs/large";
/// Whole chunks of the object, and what is left for its last.
const CHUNKS: usize = 20;
const TAIL_BYTES: usize = 1000;
/// Chunks that are read, and verified, at a time: before the first of them leaves.
const READ_CHUNKS: usize = 4;
const PART_BYTES: usize = 5 << 20;

// The bytes of a blob: a header, then chunks, each with its tag.
const HEADER_BYTES: u64 = 192;
const CHUNK_BYTES: usize = 64 << 10;
const TAG_BYTES: u64 = 16;
const STRIDE_BYTES: u64 = CHUNK_BYTES as u64 + TAG_BYTES;
