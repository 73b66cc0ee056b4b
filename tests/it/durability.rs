//! A killed process leaves what it wrote to the kernel; a power cut takes what was not synced.
//! So the order of syncs and answers is looked at itself.

use std::path::{Path, PathBuf};

use http::Method;

use crate::support::client::{Answer, Client};
use crate::support::house::House;
use crate::support::text::element;
use crate::support::trace::{Event, Trace};

#[tokio::test]
async fn an_answer_leaves_after_all_that_it_promises_is_synced() {
    let trace = Trace::new();
    let house = House::start_in(trace.environment()).await;
    let paths = Paths::of(&house);
    let client = house.client();
    let (inline, blob) = (vec![1; 1000], vec![2; 200 << 10]);

    let traced = Traced {
        client: &client,
        trace: &trace,
    };
    let (_, synced) = traced.send(Method::PUT, "/docs", "").await;
    paths.assert_row(&synced, "CreateBucket");

    for round in 0..3 {
        let (_, synced) = traced.send(Method::PUT, "/docs/blob", blob.clone()).await;
        paths.assert_blob(&synced, "PutObject of a blob");
        if round == 0 {
            paths.assert_new_directories(&synced);
        }
        let (_, synced) = traced
            .send(Method::PUT, "/docs/inline", inline.clone())
            .await;
        paths.assert_row(&synced, "PutObject of an inline body");
        let (_, synced) = traced.send(Method::DELETE, "/docs/inline", "").await;
        paths.assert_row(&synced, "DeleteObject");
    }

    let (answer, synced) = traced.send(Method::POST, "/docs/parts?uploads=", "").await;
    paths.assert_row(&synced, "CreateMultipartUpload");
    let upload = element(&answer.body, "UploadId");
    let target = format!("/docs/parts?partNumber=1&uploadId={upload}");
    let (answer, synced) = traced.send(Method::PUT, &target, blob).await;
    paths.assert_blob(&synced, "UploadPart");
    let etag = answer.headers["etag"].to_str().expect("text");
    let parts = format!(
        "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
         </CompleteMultipartUpload>"
    );
    let target = format!("/docs/parts?uploadId={upload}");
    let (_, synced) = traced.send(Method::POST, &target, parts).await;
    paths.assert_row(&synced, "CompleteMultipartUpload");
}

#[tokio::test]
async fn what_a_first_start_makes_is_found_after_a_power_cut() {
    let trace = Trace::new();
    let places = ["root", "checkpoints", "data"].map(|_| tempfile::tempdir().expect("a directory"));
    let [root, checkpoints, data] = places.each_ref().map(|place| {
        let path = place.path().canonicalize();
        path.expect("a directory")
    });
    let file = checkpoints.join("checkpoints.jsonl");
    let settings = [
        ("ROOT_FILE", root.join("root.key")),
        ("AUDIT_CHECKPOINT_FILE", file.clone()),
        ("DATA_DIR", data.join("deep/er")),
    ];
    let settings = settings.map(|(name, path)| {
        let path = path.display().to_string();
        (format!("BULKHEAD_{name}"), path)
    });
    let environment = trace.environment().into_iter().chain(settings);
    let mut house = House::start_in(environment.collect()).await;
    assert!(house.stop().success());

    let events = trace.events().into_iter();
    let synced = events.filter_map(|event| match event {
        Event::Synced(path) => Some(path),
        Event::Sending => None,
    });
    let synced: Vec<_> = synced.collect();
    let at = |path: &Path| synced.iter().position(|synced| synced == path);
    // Each directory after what is new in it, as far as that was made.
    for directory in [
        &root,
        &data,
        &data.join("deep"),
        &data.join("deep/er"),
        &data.join("deep/er/blobs"),
    ] {
        assert!(
            at(directory).is_some(),
            "{}: {synced:?}",
            directory.display()
        );
    }
    let (entry, line) = (at(&checkpoints), at(&file));
    assert!(entry.is_some() && entry < line, "{synced:?}");
}

/// One client whose requests follow each other.
struct Traced<'a> {
    client: &'a Client,
    trace: &'a Trace,
}

impl Traced<'_> {
    /// Sends a request, and returns the answer with what was synced before its first byte left.
    async fn send(
        &self,
        method: Method,
        target: &str,
        body: impl Into<bytes::Bytes>,
    ) -> (Answer, Vec<PathBuf>) {
        let before = self.trace.events().len();
        let answer = self.client.send(method, target, &[], body).await;
        let answer = answer.expect("an answer");
        assert!(answer.status.is_success(), "{target}: {answer:?}");
        let events = self.trace.events().split_off(before);
        let sent = events.iter().position(|event| *event == Event::Sending);
        let sent = sent.expect("the answer was sent through the C library");
        let synced = events.into_iter().take(sent).map(|event| match event {
            Event::Synced(path) => path,
            Event::Sending => unreachable!("it comes later"),
        });
        (answer, synced.collect())
    }
}

/// Where the server keeps what.
struct Paths {
    log: PathBuf,
    blobs: PathBuf,
}

impl Paths {
    fn of(house: &House) -> Self {
        let data = house.data().canonicalize().expect("a directory");
        Self {
            log: data.join("catalog.sqlite-wal"),
            blobs: data.join("blobs/orgs"),
        }
    }

    /// The commit is durable, and nothing else was needed.
    fn assert_row(&self, synced: &[PathBuf], what: &str) {
        assert!(synced.contains(&self.log), "{what}: {synced:?}");
        assert!(self.blob(synced).is_none(), "{what}: {synced:?}");
    }

    /// First the blob, then its name, then the commit that says it is there.
    fn assert_blob(&self, synced: &[PathBuf], what: &str) {
        let file = self.blob(synced);
        let file = file.unwrap_or_else(|| panic!("{what}: no blob in {synced:?}"));
        let shard = synced[file].parent().expect("a directory");
        let rest = &synced[file + 1..];
        let entry = rest.iter().position(|path| path == shard);
        let entry = entry.unwrap_or_else(|| panic!("{what}: no directory in {synced:?}"));
        assert!(rest[entry + 1..].contains(&self.log), "{what}: {synced:?}");
    }

    /// The directories that the first blob of an organization stands in are durable before the
    /// commit.
    fn assert_new_directories(&self, synced: &[PathBuf]) {
        let blob = &synced[self.blob(synced).expect("a blob")];
        let org = blob.ancestors().nth(2).expect("a directory");
        let commit = synced.iter().rposition(|path| *path == self.log);
        let before = &synced[..commit.expect("a commit")];
        for directory in [org, &self.blobs] {
            let found = before.iter().any(|path| path == directory);
            assert!(found, "{}: {synced:?}", directory.display());
        }
    }

    /// The position of the blob's file: three steps below the directory of all blobs.
    fn blob(&self, synced: &[PathBuf]) -> Option<usize> {
        let depth = |path: &Path| Some(path.strip_prefix(&self.blobs).ok()?.iter().count());
        synced.iter().position(|path| depth(path) == Some(3))
    }
}
