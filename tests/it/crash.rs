//! A server that is killed in the middle of its work, again and again, on the same data.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bulkhead::entropy::Entropy;
use http::{Method, StatusCode};
use names::BlobId;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::support::attacker::{blob_files, blob_of};
use crate::support::client::{Answer, Client, Failure};
use crate::support::faults::{Fault, Faults};
use crate::support::house::House;
use crate::support::preload::Preload;
use crate::support::text::{element, elements};
use crate::support::trace::{Event, Trace};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_nothing_mix_nothing_and_leave_nothing_behind() {
    let (trace, faults) = (Trace::new(), Faults::new());
    // A slow disk: what is between a write and its answer lasts long enough for a kill to meet it.
    faults.begin(&[
        Fault::Slow("/catalog.sqlite-wal", 100),
        Fault::Slow("/blobs/orgs/", 5_000),
    ]);
    let mut environment = Preload::both(trace.environment(), faults.environment());
    for (name, value) in [
        ("DRIVE_COLLECT_INTERVAL", "50ms"),
        ("DRIVE_TRASH_DELAY", "1ms"),
        ("DRIVE_ORPHAN_SWEEP_INTERVAL", "50ms"),
        ("DRIVE_ORPHAN_AGE", "1m"),
        ("AUDIT_CHECKPOINT_INTERVAL", "100ms"),
    ] {
        environment.push((format!("BULKHEAD_{name}"), value.into()));
    }
    let mut house = House::start_in(environment).await;
    ok(house.client().send(Method::PUT, "/crash", &[], "").await);
    let draw = Draw::new(SEED);
    let mut objects = Objects::new();
    for round in 0..ROUNDS {
        let kill_after = 20 + draw.below(200);
        objects = write_until_killed(&mut house, objects, kill_after, round).await;
        lose_what_was_not_synced(&house.data(), &trace);
        house.restart().await;
        settle(&house.client(), &mut objects).await;
        let verified = house.command(&["verify", "--json"]);
        let findings = verified["findings"].as_array().expect("a list");
        assert!(findings.is_empty(), "round {round}: {verified}");
    }

    abort_uploads(&house.client()).await;
    let status = house.stop();
    assert!(status.success(), "{status}\n{}", house.log());
    age_orphans(&house.data());
    age_locks(&house.data());
    faults.end();
    let before = house.log().len();
    house.restart().await;
    let needed = live(&objects).filter(|body| body.is_blob()).count();
    while blob_files(&house.data()).len() != needed {
        let log = house.log();
        assert!(!log[before..].contains("ERROR"), "{}", &log[before..]);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    settle(&house.client(), &mut objects).await;
}

/// What stands under each key.
type Objects = BTreeMap<String, State>;

/// What a key may hold.
#[derive(Debug, Clone, Copy, Default)]
struct State {
    /// What the last acknowledged request left.
    acknowledged: Option<Body>,
    /// What a later request that had no answer would leave.
    attempted: Option<Option<Body>>,
}

/// A body that no other request sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Body {
    seed: u64,
    length: usize,
}

impl Body {
    fn bytes(self) -> Vec<u8> {
        let mut bytes = vec![0; self.length];
        Entropy::danger_seeded(self.seed).fill(&mut bytes);
        bytes
    }

    fn is_blob(self) -> bool {
        self.length > INLINE_MAX
    }
}

/// Numbers from a seed.
struct Draw(Entropy);

impl Draw {
    fn new(seed: u64) -> Self {
        Self(Entropy::danger_seeded(seed))
    }

    fn number(&self) -> u64 {
        u64::from_le_bytes(self.0.bytes())
    }

    fn below(&self, end: u64) -> u64 {
        self.number() % end
    }

    fn body(&self, lengths: std::ops::Range<usize>) -> Body {
        Body {
            seed: self.number(),
            length: lengths.start + self.below(lengths.len() as u64) as usize,
        }
    }
}

/// Counts acknowledged answers, and says when it is time.
struct Acknowledged {
    count: AtomicU64,
    kill_after: u64,
    enough: Notify,
}

impl Acknowledged {
    fn add(&self) {
        if self.count.fetch_add(1, Ordering::Relaxed) + 1 == self.kill_after {
            self.enough.notify_one();
        }
    }
}

/// Lets every worker write to keys of its own, kills the server after so many answers, and returns
/// what may stand under the keys then.
async fn write_until_killed(
    house: &mut House,
    mut objects: Objects,
    kill_after: u64,
    round: u64,
) -> Objects {
    let client = Arc::new(house.client());
    let acknowledged = Arc::new(Acknowledged {
        count: AtomicU64::new(0),
        kill_after,
        enough: Notify::new(),
    });
    let mut workers = JoinSet::new();
    for number in 0..WORKERS {
        let own = (0..KEYS_PER_WORKER).map(|key| {
            let key = format!("{number}/{key}");
            let state = objects.remove(&key).unwrap_or_default();
            (key, state)
        });
        let mut worker = Worker {
            client: Arc::clone(&client),
            acknowledged: Arc::clone(&acknowledged),
            draw: Draw::new(SEED ^ (round << 32) ^ (number << 16)),
            objects: own.collect(),
        };
        workers.spawn(async move {
            while worker.step().await.is_ok() {}
            worker.objects
        });
    }
    tokio::select! {
        () = acknowledged.enough.notified() => house.kill(),
        ended = workers.join_next() => {
            let ended = ended.expect("workers").map(drop);
            panic!("a worker has ended before the server: {ended:?}\n{}", house.log());
        }
    }
    workers.join_all().await.into_iter().flatten().collect()
}

struct Worker {
    client: Arc<Client>,
    acknowledged: Arc<Acknowledged>,
    draw: Draw,
    objects: Objects,
}

impl Worker {
    /// One change of one key. An error is the server's end.
    async fn step(&mut self) -> Result<(), Failure> {
        let at = self.draw.below(self.objects.len() as u64) as usize;
        let key = self.objects.keys().nth(at).expect("within").clone();
        let target = format!("/crash/{key}");
        match self.draw.below(8) {
            0..=2 => {
                let body = self.draw.body(1..INLINE_MAX);
                self.change(&key, Some(body), Method::PUT, &target, body.bytes())
                    .await
            }
            3..=4 => {
                let body = self.draw.body(BLOB_LENGTHS);
                self.change(&key, Some(body), Method::PUT, &target, body.bytes())
                    .await
            }
            5..=6 => self.upload(&key, &target).await,
            _ => {
                self.change(&key, None, Method::DELETE, &target, Vec::new())
                    .await
            }
        }
    }

    /// A body in one part, which is the last and so may be short.
    async fn upload(&mut self, key: &str, target: &str) -> Result<(), Failure> {
        let body = self.draw.body(BLOB_LENGTHS);
        let begun = self
            .send(Method::POST, &format!("{target}?uploads="), Vec::new())
            .await?;
        let upload = element(&begun.body, "UploadId");
        let part = format!("{target}?partNumber=1&uploadId={upload}");
        let part = self.send(Method::PUT, &part, body.bytes()).await?;
        let etag = part.headers["etag"].to_str()?;
        let parts = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>\
             </CompleteMultipartUpload>"
        );
        let complete = format!("{target}?uploadId={upload}");
        self.change(key, Some(body), Method::POST, &complete, parts.into())
            .await
    }

    /// Sends the request that leaves `after` under the key.
    async fn change(
        &mut self,
        key: &str,
        after: Option<Body>,
        method: Method,
        target: &str,
        body: Vec<u8>,
    ) -> Result<(), Failure> {
        self.state(key).attempted = Some(after);
        self.send(method, target, body).await?;
        *self.state(key) = State {
            acknowledged: after,
            attempted: None,
        };
        Ok(())
    }

    async fn send(&self, method: Method, target: &str, body: Vec<u8>) -> Result<Answer, Failure> {
        let answer = self.client.send(method, target, &[], body).await?;
        assert!(answer.status.is_success(), "{target}: {answer:?}");
        self.acknowledged.add();
        Ok(answer)
    }

    fn state(&mut self, key: &str) -> &mut State {
        self.objects.get_mut(key).expect("a key of its own")
    }
}

/// Compares every key with what it may hold. What it holds is what it must hold from now on.
async fn settle(client: &Client, objects: &mut Objects) {
    for (key, state) in objects.iter_mut() {
        let target = format!("/crash/{key}");
        let answer = client.send(Method::GET, &target, &[], "").await;
        let answer = answer.expect("an answer");
        let found = match answer.status {
            StatusCode::OK => Some(&answer.body),
            StatusCode::NOT_FOUND => None,
            status => panic!("{key}: {status}, {state:?}"),
        };
        let holds = |allowed: &Option<Body>| match (allowed, found) {
            (Some(body), Some(found)) => body.bytes() == *found,
            (None, None) => true,
            _ => false,
        };
        let allowed = [Some(state.acknowledged), state.attempted];
        let held = allowed.into_iter().flatten().find(holds);
        let length = found.map(|body| body.len());
        state.acknowledged = held.unwrap_or_else(|| panic!("{key}: {length:?}, {state:?}"));
        state.attempted = None;
    }
    let listed = ok(client
        .send(Method::GET, "/crash?list-type=2", &[], "")
        .await);
    let listed: BTreeSet<_> = elements(&listed.body, "Key").into_iter().collect();
    let held = objects.iter().filter(|(_, s)| s.acknowledged.is_some());
    let held: BTreeSet<_> = held.map(|(key, _)| key.as_str()).collect();
    assert_eq!(listed, held);
}

fn live(objects: &Objects) -> impl Iterator<Item = Body> {
    objects.values().filter_map(|state| state.acknowledged)
}

async fn abort_uploads(client: &Client) {
    let listed = ok(client.send(Method::GET, "/crash?uploads=", &[], "").await);
    let keys = elements(&listed.body, "Key");
    for (key, upload) in keys.iter().zip(elements(&listed.body, "UploadId")) {
        let target = format!("/crash/{key}?uploadId={upload}");
        ok(client.send(Method::DELETE, &target, &[], "").await);
    }
}

/// A power cut takes a file whose bytes were not synced, and one whose directory was not since.
/// What it would take of the catalog is looked at in `durability`.
fn lose_what_was_not_synced(data: &Path, trace: &Trace) {
    let (mut synced, mut durable) = (BTreeMap::<_, Vec<_>>::new(), BTreeSet::new());
    for event in trace.events() {
        if let Event::Synced(path) = event {
            durable.extend(synced.remove(&path).unwrap_or_default());
            if let Some(directory) = path.parent() {
                synced.entry(directory.to_owned()).or_default().push(path);
            }
        }
    }
    let data = data.canonicalize().expect("a directory");
    for file in blob_files(&data) {
        if !durable.contains(&file) {
            fs::remove_file(file).expect("a file of our own");
        }
    }
}

/// Lets the time pass for which killed processes still hold their locks.
fn age_locks(data: &Path) {
    let sql = "UPDATE leases SET until_ms = 0";
    open_catalog(data).execute(sql, []).expect("a table");
}

/// Makes every blob that the catalog does not know an hour older, by its name and by its file, and
/// leaves one more: whether a kill comes between a blob and its row is chance.
fn age_orphans(data: &Path) {
    let known = known_blobs(data);
    let mut files = blob_files(data);
    let planted = files[0].with_file_name(renamed(blob_of(&files[0]), |bytes| bytes[8] ^= 1));
    fs::copy(&files[0], &planted).expect("a copy");
    files.push(planted);
    for path in files {
        let blob = blob_of(&path);
        if known.contains(&blob) {
            continue;
        }
        let file = File::options().append(true).open(&path).expect("a file");
        let modified = file.metadata().and_then(|metadata| metadata.modified());
        let before = modified.expect("a time") - HOUR;
        file.set_modified(before).expect("a file of our own");
        let hour_ms = HOUR.as_millis() as u64;
        let created_ms = blob.created_ms() - hour_ms;
        let name = renamed(blob, |bytes| {
            bytes[..6].copy_from_slice(&created_ms.to_be_bytes()[2..]);
        });
        fs::rename(&path, path.with_file_name(name)).expect("a file of our own");
    }
}

fn renamed(blob: BlobId, change: impl FnOnce(&mut [u8; 16])) -> String {
    let mut bytes = *blob.bytes();
    change(&mut bytes);
    BlobId::from_bytes(bytes).to_string()
}

fn known_blobs(data: &Path) -> BTreeSet<BlobId> {
    let catalog = open_catalog(data);
    let mut query = catalog
        .prepare("SELECT blob_id FROM blobs")
        .expect("a table");
    let blobs = query
        .query_map([], |row| row.get::<_, Vec<u8>>(0))
        .expect("rows");
    blobs
        .map(|blob| BlobId::from_slice(&blob.expect("a row")).expect("an identifier"))
        .collect()
}

fn open_catalog(data: &Path) -> Connection {
    let path = data.join("catalog.sqlite");
    let catalog = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE);
    catalog.expect("a catalog")
}

fn ok(answer: Result<Answer, Failure>) -> Answer {
    let answer = answer.expect("an answer");
    assert!(answer.status.is_success(), "{answer:?}");
    answer
}

const SEED: u64 = 0x6372_6173;
const ROUNDS: u64 = 8;
const WORKERS: u64 = 8;
const KEYS_PER_WORKER: u64 = 6;
/// The default of `[drive] inline_max`, bytes.
const INLINE_MAX: usize = 16 << 10;
const BLOB_LENGTHS: std::ops::Range<usize> = 180 << 10..220 << 10;
const HOUR: Duration = Duration::from_secs(60 * 60);
