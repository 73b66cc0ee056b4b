//! The same mixture on stores that fail in the middle of it. Every step is begun again and again,
//! the first time on a store that fails at once, the next time on one that fails a write later,
//! until it comes to its end without a fault. After each attempt what was acknowledged is whole,
//! what was refused has not happened, and where an answer was lost it has happened whole or not
//! at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use names::{BlobId, UploadId};

use super::property::{Chance, PART};
use super::world::*;
use crate::authz::Operator;
use crate::blobs::{self, Blobs, DiskBlobs, ObjectBlobs};
use crate::catalog::{self, Body, Meter, Store, TaggedRow};
use crate::drive::*;

/// Which store fails, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Catalog(catalog::Fault),
    Blobs(blobs::Fault),
}

/// A change, as a client or the operator asks for it.
#[derive(Debug, Clone)]
enum Step {
    Put(String, Bytes),
    Copy(String, String),
    Delete(String),
    Begin(String),
    Part(UploadId, u64, Bytes),
    CopyPart(UploadId, u64, String, std::ops::Range<usize>),
    Complete(UploadId),
    Abort(UploadId),
    Rotate,
    Collect,
}

#[derive(Clone)]
struct Bytes(Arc<Vec<u8>>);

/// What must be stored.
#[derive(Clone, Default)]
struct Kept {
    objects: BTreeMap<String, (Bytes, Etag)>,
    uploads: Vec<Upload>,
}

#[derive(Clone)]
struct Upload {
    key: String,
    /// Nobody was told it where the answer was lost.
    id: Option<UploadId>,
    parts: BTreeMap<u64, Bytes>,
}

/// The parts of an upload by number: how long each is, and its ETag.
type Parts = BTreeMap<u64, (u64, String)>;

/// What stands in lists: sizes and ETags by key, and the same by part for uploads in progress.
#[derive(Debug, PartialEq, Eq)]
struct Listed {
    objects: BTreeMap<String, (u64, String)>,
    uploads: Vec<(String, Parts)>,
}

/// The same objects twice: in a Drive whose stores fail, and as they must be.
struct Failing {
    world: World,
    fault: Fault,
    kept: Kept,
    chance: Chance,
    refused: usize,
    lost: usize,
}

impl Failing {
    async fn new(seed: u64, fault: Fault, blobs: Arc<dyn Blobs>) -> Self {
        let world = World::over(settings(), blobs).await;
        // Far beyond the time at which the store says that blobs were written, so that it is
        // their names that say which are old.
        world.advance(100 * 365 * DAY).await;
        let mut failing = Self {
            world,
            fault,
            kept: Kept::default(),
            chance: Chance(seed),
            refused: 0,
            lost: 0,
        };
        let base = Bytes::new(seed, 2 * PART + 12_345);
        failing.run(Step::Put("base".to_owned(), base)).await;
        failing
    }

    /// Takes a step, through every failure that it can meet.
    async fn run(&mut self, step: Step) {
        for writes in 0.. {
            match self.fault {
                Fault::Catalog(fault) => self.world.store.fail_commits_after(writes, fault),
                Fault::Blobs(fault) => self.world.blobs.fail_writes_after(writes, fault),
            }
            let outcome = self.attempt(&step).await;
            let has_failed = self.world.store.heal() | self.world.blobs.heal();
            let context = format!("{step:?}, after {writes} writes");
            self.settle(&step, outcome.is_ok(), &context).await;
            if !has_failed {
                assert_eq!(outcome, Ok(()), "{context}");
                break;
            }
        }
        if matches!(step, Step::Collect) {
            self.check_blobs().await;
        }
    }

    async fn attempt(&self, step: &Step) -> Result<(), String> {
        let ours = &self.world.ours;
        match step {
            Step::Put(key, meant) => {
                let put = ours.try_put(key, PutRequest::default(), body(&meant.0));
                let written = put.await.map_err(refused)?;
                assert_eq!(written.etag, md5_etag(&meant.0));
            }
            Step::Copy(from, to) => {
                let copy = ours.copy(from, to, CopyRequest::default());
                copy.await.map_err(refused)?;
            }
            Step::Delete(key) => {
                let delete = ours.delete_if(key, DeleteConditions::default());
                delete.await.map_err(refused)?;
            }
            Step::Begin(key) => {
                let object = ours.object(key);
                let begin = self.world.drive.create_upload(object, NewUpload::default());
                let _begun = begin.await.map_err(refused)?;
            }
            Step::Part(upload, number, sent) => {
                let key = self.key_of(*upload);
                let part = ours.part(key, *upload, *number, body(&sent.0));
                part.await.map_err(refused)?;
            }
            Step::CopyPart(upload, number, from, range) => {
                let asked = RangeRequest::Between(range.start as u64, range.end as u64 - 1);
                let key = self.key_of(*upload);
                let part = ours.copy_part((from, Some(asked)), key, *upload, *number);
                part.await.map_err(refused)?;
            }
            Step::Complete(upload) => {
                let Some(parts) = self.kept.upload(*upload) else {
                    return Ok(());
                };
                let complete = ours.complete(&parts.key, parts.completion(*upload));
                let written = complete.await.map_err(refused)?;
                assert_eq!(written.etag, parts.etag());
            }
            Step::Abort(upload) => {
                let Some(Upload { key, .. }) = self.kept.upload(*upload) else {
                    return Ok(());
                };
                let (object, allowance) = (ours.object(key), ours.allowance());
                let abort = self.world.drive.abort_upload(object, allowance, *upload);
                let _given_up = abort.await.map_err(refused)?;
            }
            Step::Rotate => {
                let operator = Operator::authenticated();
                let rotation = self.world.rotation();
                let rotated = rotation.rotate(&operator, ours.org()).await;
                let rotated = rotated.map_err(|error| error.to_string())?;
                assert_eq!(rotated.damaged, [""; 0]);
                assert!(!rotated.deleted.is_empty());
            }
            Step::Collect => {
                self.world.advance(2 * DAY).await;
                let collector = self.world.collector();
                let collected = collector.collect().await;
                collected.map_err(|error| error.to_string())?;
                let swept = collector.sweep().await;
                swept.map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    /// Finds out what has become of an attempt, and whether it may be that.
    async fn settle(&mut self, step: &Step, is_acknowledged: bool, context: &str) {
        let (found, ids) = self.listed().await;
        let after = self.kept.after(step);
        let has_happened = found == after.listed();
        if is_acknowledged {
            assert!(has_happened, "{context}: acknowledged, and {found:?}");
        } else if self.fault == Fault::Catalog(catalog::Fault::Unanswered) {
            let has_not = found == self.kept.listed();
            assert!(has_happened || has_not, "{context}: {found:?}");
            self.lost += usize::from(has_happened && !has_not);
        } else {
            assert_eq!(found, self.kept.listed(), "{context}: refused");
        }
        self.refused += usize::from(!is_acknowledged);
        if has_happened {
            self.kept = after;
            self.kept.learn(&ids);
        }
        self.check_usage(context).await;
        self.check_some(context).await;
    }

    async fn listed(&self) -> (Listed, Vec<(String, UploadId)>) {
        let (ours, drive) = (&self.world.ours, &self.world.drive);
        let request = ListRequest {
            max: 1000,
            ..ListRequest::default()
        };
        let (listing, _) = drive.list(ours.prefix(""), request).await.unwrap();
        let objects = listing.entries.into_iter().map(|entry| match entry {
            ListedObject::Object {
                key, size, etag, ..
            } => (key.as_str().to_owned(), (size, etag.to_string())),
            ListedObject::Prefix(prefix) => panic!("{prefix} without a delimiter"),
        });
        let objects = objects.collect();
        let list = drive.list_uploads(ours.prefix(""), None, UploadMarker::default(), 1000);
        let (listing, _) = list.await.unwrap();
        let (mut uploads, mut ids) = (Vec::new(), Vec::new());
        for entry in listing.entries {
            let ListedUpload::Upload(UploadInfo { key, upload, .. }) = entry else {
                panic!("a prefix without a delimiter");
            };
            let key = key.as_str().to_owned();
            let list = drive.list_parts(ours.object(&key), upload, None, 1000);
            let (listing, _) = list.await.unwrap();
            let parts = listing.parts.into_iter().map(|info| {
                let number = u64::from(info.part.value());
                (number, (info.size, info.etag.to_string()))
            });
            uploads.push((key.clone(), parts.collect()));
            ids.push((key, upload));
        }
        uploads.sort();
        (Listed { objects, uploads }, ids)
    }

    /// The usage that is counted is the sum of what is stored.
    async fn check_usage(&self, context: &str) {
        let usage = self
            .world
            .store
            .usage(self.world.ours.org(), 0, i64::MAX as u64);
        let usage = usage.await.unwrap();
        let counted = |meter| -> i64 {
            let of_meter = usage.iter().filter(|delta| delta.meter == meter);
            of_meter.map(|delta| delta.amount).sum()
        };
        let objects = self.kept.objects.values().map(|(bytes, _)| bytes.0.len());
        let parts = self.kept.uploads.iter().flat_map(|it| it.parts.values());
        let stored: usize = objects.chain(parts.map(|part| part.0.len())).sum();
        assert_eq!(counted(Meter::StoredBytes), stored as i64, "{context}");
        let count = self.kept.objects.len() as i64;
        assert_eq!(counted(Meter::Objects), count, "{context}");
    }

    /// A stretch of every object reads as it was written.
    async fn check_some(&mut self, context: &str) {
        for (key, (meant, _)) in &self.kept.objects {
            if meant.0.is_empty() {
                continue;
            }
            let range = self.chance.range(meant.0.len());
            let range = range.start..range.end.min(range.start + 100_000);
            let asked = RangeRequest::Between(range.start as u64, range.end as u64 - 1);
            let found = self.world.ours.get_range(key, asked).await.unwrap();
            assert_same(&found, &meant.0[range], &format!("{key}, {context}"));
        }
    }

    /// What is stored is named, and what is named is stored.
    async fn check_blobs(&self) {
        let job = self.world.jobs.open(self.world.ours.org(), "test");
        let (rows, rest) = job.tags(None, 10_000).await.unwrap();
        assert_eq!(rest, None);
        let slices = rows.into_iter().flat_map(|row| match row {
            TaggedRow::Version(_, content, _) => match content.body {
                Body::Blobs(slices) => slices,
                Body::Inline(_) => Vec::new(),
            },
            TaggedRow::Part(part, _) => part.unverified().slices.clone(),
            _ => Vec::new(),
        });
        let named: BTreeSet<BlobId> = slices.map(|slice| slice.blob).collect();
        let stored = self.world.stored_blobs().await;
        let stored: BTreeSet<BlobId> = stored.iter().map(|entry| entry.blob).collect();
        assert_eq!(stored, named, "stored on the left, named on the right");
        let named: Vec<_> = named.into_iter().collect();
        assert_eq!(job.blobs(&named).await.unwrap().len(), named.len());
        assert_eq!(self.world.jobs.claims(10).await.unwrap(), []);
    }

    async fn check_all(&self) {
        // A process that has no memory of any failure.
        let fresh = self.world.another();
        for (key, (meant, etag)) in &self.kept.objects {
            assert_same(&fresh.get(key).await.unwrap(), &meant.0, key);
            assert_eq!(fresh.head(key).await.unwrap().etag, *etag);
        }
    }

    fn some_step(&mut self) -> Step {
        let key = format!("key {}", self.chance.below(4));
        let upload = match self.kept.uploads.len() {
            0 => None,
            count => self.kept.uploads[self.chance.below(count)].id,
        };
        match (self.chance.below(12), upload) {
            (0 | 1, _) => {
                let seed = self.chance.below(1_000_000) as u64;
                Step::Put(key, Bytes::new(seed, self.chance.length()))
            }
            (2, _) => {
                let at = self.chance.below(self.kept.objects.len());
                let from = self.kept.objects.keys().nth(at).unwrap().clone();
                match from == key {
                    true => Step::Delete(key),
                    false => Step::Copy(from, key),
                }
            }
            (3, _) => Step::Delete(key),
            (4, _) | (5..=8, None) => Step::Begin(key),
            (5, Some(upload)) => {
                let number = 1 + self.chance.below(3) as u64;
                let seed = self.chance.below(1_000_000) as u64;
                let more = if number < 3 { PART } else { 0 };
                let length = more + self.chance.length();
                Step::Part(upload, number, Bytes::new(seed, length))
            }
            (6, Some(upload)) => {
                let start = self.chance.below(PART);
                let length = PART + self.chance.below(10_000);
                let number = 1 + self.chance.below(2) as u64;
                Step::CopyPart(upload, number, "base".to_owned(), start..start + length)
            }
            (7 | 8, Some(upload)) => match self.kept.upload(upload) {
                Some(kept) if kept.parts.is_empty() => Step::Abort(upload),
                _ => Step::Complete(upload),
            },
            (9, Some(upload)) if self.chance.below(3) == 0 => Step::Abort(upload),
            (9 | 10, _) => Step::Rotate,
            _ => Step::Collect,
        }
    }

    fn key_of(&self, upload: UploadId) -> &str {
        &self.kept.upload(upload).unwrap().key
    }
}

impl Kept {
    fn upload(&self, id: UploadId) -> Option<&Upload> {
        self.uploads.iter().find(|upload| upload.id == Some(id))
    }

    /// The same after a step that was taken as a whole.
    fn after(&self, step: &Step) -> Self {
        let mut after = self.clone();
        match step {
            Step::Put(key, bytes) => {
                let kept = (bytes.clone(), md5_etag(&bytes.0));
                after.objects.insert(key.clone(), kept);
            }
            Step::Copy(from, to) => {
                let kept = self.objects[from].clone();
                after.objects.insert(to.clone(), kept);
            }
            Step::Delete(key) => {
                after.objects.remove(key);
            }
            Step::Begin(key) => after.uploads.push(Upload {
                key: key.clone(),
                id: None,
                parts: BTreeMap::new(),
            }),
            Step::Part(upload, number, bytes) => after.set_part(*upload, *number, bytes.clone()),
            Step::CopyPart(upload, number, from, range) => {
                let bytes = self.objects[from].0.0[range.clone()].to_vec();
                after.set_part(*upload, *number, Bytes(Arc::new(bytes)));
            }
            Step::Complete(id) => {
                if let Some(upload) = self.upload(*id) {
                    let parts: Vec<_> = upload.parts.values().map(|part| &part.0[..]).collect();
                    let kept = (Bytes(Arc::new(parts.concat())), upload.etag());
                    after.objects.insert(upload.key.clone(), kept);
                }
                after.uploads.retain(|upload| upload.id != Some(*id));
            }
            Step::Abort(id) => after.uploads.retain(|upload| upload.id != Some(*id)),
            Step::Rotate | Step::Collect => {}
        }
        after
    }

    fn set_part(&mut self, id: UploadId, number: u64, bytes: Bytes) {
        let mut uploads = self.uploads.iter_mut();
        let upload = uploads.find(|upload| upload.id == Some(id)).unwrap();
        upload.parts.insert(number, bytes);
    }

    /// Takes the identifier of a new upload from a list.
    fn learn(&mut self, ids: &[(String, UploadId)]) {
        for (key, id) in ids {
            if self.upload(*id).is_none() {
                let mut uploads = self.uploads.iter_mut();
                let new = uploads.find(|upload| upload.id.is_none() && upload.key == *key);
                new.unwrap().id = Some(*id);
            }
        }
    }

    fn listed(&self) -> Listed {
        let of_object = |(bytes, etag): &(Bytes, Etag)| (bytes.0.len() as u64, etag.to_string());
        let of_part = |bytes: &Bytes| (bytes.0.len() as u64, md5_etag(&bytes.0).to_string());
        let objects = self.objects.iter();
        let uploads = self.uploads.iter().map(|upload| {
            let parts = upload.parts.iter();
            let parts = parts.map(|(number, bytes)| (*number, of_part(bytes)));
            (upload.key.clone(), parts.collect())
        });
        let mut uploads: Vec<_> = uploads.collect();
        uploads.sort();
        Listed {
            objects: objects
                .map(|(key, object)| (key.clone(), of_object(object)))
                .collect(),
            uploads,
        }
    }
}

impl Upload {
    fn etag(&self) -> Etag {
        let sums = self.parts.values().flat_map(|part| md5(&part.0));
        Etag {
            bytes: md5(&sums.collect::<Vec<u8>>()),
            parts: self.parts.len() as u16,
        }
    }

    fn completion(&self, upload: UploadId) -> CompleteRequest {
        let parts = self.parts.iter().map(|(number, bytes)| NamedPart {
            part: part(*number),
            etag: md5_etag(&bytes.0).to_string(),
            checksum: None,
        });
        CompleteRequest {
            parts: parts.collect(),
            ..completion(upload, &[])
        }
    }
}

impl Bytes {
    fn new(seed: u64, length: usize) -> Self {
        Self(Arc::new(bytes(seed, length)))
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// A fault of a store is the operator's turn, whatever was under way.
fn refused(error: DriveError) -> String {
    assert!(matches!(error, DriveError::Unavailable(_)), "{error}");
    error.to_string()
}

async fn run(seed: u64, fault: Fault, blobs: Arc<dyn Blobs>) {
    let mut failing = Failing::new(seed, fault, blobs).await;
    for _ in 0..STEPS {
        let step = failing.some_step();
        failing.run(step).await;
    }
    failing.run(Step::Rotate).await;
    failing.run(Step::Collect).await;
    failing.check_all().await;
    assert!(failing.refused > STEPS, "{} were refused", failing.refused);
    let loses = fault == Fault::Catalog(catalog::Fault::Unanswered);
    assert_eq!(failing.lost > 0, loses, "{} were lost", failing.lost);

    let keys: Vec<_> = failing.kept.objects.keys().cloned().collect();
    for key in keys {
        failing.run(Step::Delete(key)).await;
    }
    let uploads: Vec<_> = failing.kept.uploads.iter().filter_map(|it| it.id).collect();
    for upload in uploads {
        failing.run(Step::Abort(upload)).await;
    }
    failing.run(Step::Collect).await;
    assert_eq!(failing.world.stored_blobs().await, []);
}

#[tokio::test(start_paused = true)]
async fn a_catalog_that_is_full_loses_nothing_and_leaves_nothing() {
    let fault = Fault::Catalog(catalog::Fault::Full);
    run(1, fault, Arc::new(ObjectBlobs::memory())).await;
}

#[tokio::test(start_paused = true)]
async fn a_catalog_that_does_not_answer_loses_nothing_and_leaves_nothing() {
    let fault = Fault::Catalog(catalog::Fault::Unavailable);
    run(2, fault, Arc::new(ObjectBlobs::memory())).await;
}

#[tokio::test(start_paused = true)]
async fn a_catalog_whose_answers_are_lost_has_done_all_of_a_change_or_nothing() {
    let fault = Fault::Catalog(catalog::Fault::Unanswered);
    run(3, fault, Arc::new(ObjectBlobs::memory())).await;
    run(4, fault, Arc::new(ObjectBlobs::memory())).await;
}

#[tokio::test]
async fn a_blob_store_that_is_full_loses_nothing_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let blobs = DiskBlobs::open(directory.path()).unwrap();
    run(5, Fault::Blobs(blobs::Fault::Full), Arc::new(blobs)).await;
}

#[tokio::test]
async fn a_blob_store_that_does_not_answer_loses_nothing_and_leaves_nothing() {
    let fault = Fault::Blobs(blobs::Fault::Unavailable);
    run(6, fault, Arc::new(ObjectBlobs::memory())).await;
}

#[tokio::test]
async fn a_blob_store_whose_answers_are_lost_loses_nothing_and_leaves_nothing() {
    let fault = Fault::Blobs(blobs::Fault::Unanswered);
    run(7, fault, Arc::new(ObjectBlobs::memory())).await;
}

/// How many steps a run takes before it is wound up.
const STEPS: usize = 25;
const DAY: Duration = Duration::from_secs(24 * 3600);
