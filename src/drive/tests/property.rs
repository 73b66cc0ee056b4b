//! What the peers corrupt data with: ranges, parts, copies, rotated and leaked keys, in any mixture.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use zeroize::Zeroizing;

use super::world::*;
use crate::authz::Operator;
use crate::blobs::s3_server::S3Server;
use crate::blobs::{BlobEntry, Blobs, DiskBlobs, ObjectBlobs, S3Credentials, S3Settings};
use crate::drive::*;

const CHUNK: usize = 64 * 1024;
/// As short as a part may be that is not the last.
pub(super) const PART: usize = 5 << 20;

/// Numbers that a seed gives.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % end
    }

    /// A length, more often than not one at which something changes.
    pub(super) fn length(&mut self) -> usize {
        let borders = [
            0,
            1,
            INLINE_MAX as usize,
            CHUNK,
            2 * CHUNK,
            4 * CHUNK,
            8 * CHUNK,
        ];
        let border = borders[self.below(borders.len())];
        match self.below(3) {
            0 => border,
            1 => border + self.below(3) + 1,
            _ => self.below(border + 100),
        }
    }

    pub(super) fn range(&mut self, length: usize) -> std::ops::Range<usize> {
        let start = self.below(length);
        start..start + 1 + self.below(length - start)
    }
}

/// The same objects twice: in the Drive, and as they must be.
struct Checked {
    world: World,
    objects: BTreeMap<String, Vec<u8>>,
    chance: Chance,
}

impl Checked {
    async fn new(seed: u64, blobs: Arc<dyn Blobs>) -> Self {
        let mut checked = Self {
            world: World::over(settings(), blobs).await,
            objects: BTreeMap::new(),
            chance: Chance(seed),
        };
        // Something to copy long parts from.
        checked.put("base", bytes(seed, 2 * PART + 12_345)).await;
        checked
    }

    async fn put(&mut self, key: &str, meant: Vec<u8>) {
        self.world.ours.put(key, &meant).await;
        self.objects.insert(key.to_owned(), meant);
    }

    fn some_key(&mut self) -> String {
        let at = self.chance.below(self.objects.len());
        self.objects.keys().nth(at).cloned().unwrap()
    }

    async fn step(&mut self) {
        let key = format!("key {}", self.chance.below(6));
        match self.chance.below(11) {
            0 | 1 => {
                let seed = self.chance.below(1_000_000) as u64;
                let length = self.chance.length();
                self.put(&key, bytes(seed, length)).await;
            }
            2 | 3 => {
                let source = self.some_key();
                if source != key {
                    let copy = self.world.ours.copy(&source, &key, CopyRequest::default());
                    copy.await.unwrap();
                    let meant = self.objects[&source].clone();
                    self.objects.insert(key, meant);
                }
            }
            4..=6 => self.upload(&key).await,
            7 => {
                self.world.ours.delete(&key).await;
                self.objects.remove(&key);
            }
            8 => self.world.rotate().await,
            9 => self.world.reencrypt().await,
            _ => self.world.collect().await,
        }
    }

    /// An upload of one to three parts, some of them copied, with a rotation now and then.
    async fn upload(&mut self, key: &str) {
        let ours = self.world.ours.clone();
        let upload = ours.begin(key, NewUpload::default()).await;
        let mut infos = Vec::new();
        let mut meant = Vec::new();
        let count = 1 + self.chance.below(3);
        for number in 1..=count as u64 {
            let is_last = number == count as u64;
            let source = if is_last {
                self.some_key()
            } else {
                "base".to_owned()
            };
            let available = self.objects[&source].len();
            let info = match self.chance.below(2) {
                0 if available > 0 => {
                    let mut range = self.chance.range(available);
                    if !is_last {
                        range.start = range.start.min(available - PART);
                        range.end = range.end.max(range.start + PART);
                    }
                    meant.extend_from_slice(&self.objects[&source][range.clone()]);
                    let asked = RangeRequest::Between(range.start as u64, range.end as u64 - 1);
                    ours.copy_part((&source, Some(asked)), key, upload, number)
                        .await
                }
                _ => {
                    let more = if is_last { 0 } else { PART };
                    let sent = bytes(number, self.chance.length() + more);
                    meant.extend_from_slice(&sent);
                    ours.part(key, upload, number, body(&sent)).await
                }
            };
            infos.push(info.unwrap());
            match self.chance.below(12) {
                0 | 1 => self.world.rotate().await,
                2 => self.world.reencrypt().await,
                _ => {}
            }
        }
        ours.complete(key, completion(upload, &infos))
            .await
            .unwrap();
        self.objects.insert(key.to_owned(), meant);
    }

    async fn check(&mut self) {
        let keys: Vec<_> = self.objects.keys().cloned().collect();
        for key in keys {
            let meant = &self.objects[&key];
            let info = self.world.ours.head(&key).await.unwrap();
            assert_eq!(info.size, meant.len() as u64);
            if meant.is_empty() {
                assert!(self.world.ours.get(&key).await.unwrap().is_empty());
                continue;
            }
            let range = self.chance.range(meant.len());
            let asked = RangeRequest::Between(range.start as u64, range.end as u64 - 1);
            let found = self.world.ours.get_range(&key, asked).await.unwrap();
            assert_same(
                &found,
                &self.objects[&key][range.clone()],
                &format!("{key} {range:?}"),
            );
        }
    }

    async fn check_all(&self) {
        for (key, meant) in &self.objects {
            assert_same(&self.world.ours.get(key).await.unwrap(), meant, key);
        }
    }
}

async fn run(seed: u64, blobs: Arc<dyn Blobs>) {
    let mut checked = Checked::new(seed, blobs).await;
    for _ in 0..30 {
        checked.step().await;
        checked.check().await;
    }
    checked.world.rotate().await;
    checked.world.collect().await;
    checked.check_all().await;
    let before = checked.world.stored_blobs().await;
    checked.world.reencrypt().await;
    checked.world.collect().await;
    checked.check_all().await;
    // Every blob is another one, and what copies share they share still.
    let after = checked.world.stored_blobs().await;
    assert_eq!(after.len(), before.len());
    let is_old = |entry: &BlobEntry| before.iter().any(|old| old.blob == entry.blob);
    assert!(!after.iter().any(is_old));
    // What nothing names is gone, and nothing else.
    for key in checked.objects.keys() {
        checked.world.ours.delete(key).await;
    }
    checked.world.collect().await;
    assert_eq!(checked.world.stored_blobs().await, []);
}

#[tokio::test]
async fn any_mixture_returns_the_exact_plaintext_from_memory() {
    for seed in 1..=3 {
        run(seed, Arc::new(ObjectBlobs::memory())).await;
    }
}

#[tokio::test]
async fn any_mixture_returns_the_exact_plaintext_from_a_disk() {
    let directory = tempfile::tempdir().unwrap();
    let blobs = DiskBlobs::open(directory.path()).unwrap();
    run(4, Arc::new(blobs)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_mixture_returns_the_exact_plaintext_from_an_s3_server() {
    let server = S3Server::start();
    let settings = S3Settings {
        endpoint: Some(server.endpoint()),
        region: S3Server::REGION.into(),
        credentials: Some(S3Credentials {
            access_key_id: S3Server::ACCESS_KEY_ID.into(),
            secret_access_key: Zeroizing::new(S3Server::SECRET_ACCESS_KEY.into()),
            session_token: None,
        }),
        ..S3Settings::new(S3Server::BUCKET)
    };
    run(1, Arc::new(ObjectBlobs::s3(&settings).unwrap())).await;
}

/// A body of `meant` in the middle of which `then` happens.
pub(super) fn interrupted(
    meant: &[u8],
    then: impl Future<Output = ()> + Send + 'static,
) -> Incoming {
    let mut pieces = pieces(meant);
    let rest = pieces.split_off(pieces.len() / 2);
    let between = stream::once(async move {
        then.await;
        Ok(Piece::Data(bytes::Bytes::new()))
    });
    Incoming {
        length: Some(meant.len() as u64),
        expected: Expected::default(),
        pieces: stream::iter(pieces)
            .chain(between)
            .chain(stream::iter(rest))
            .boxed(),
    }
}

#[tokio::test]
async fn a_body_that_meets_a_closed_key_at_its_end_is_sealed_anew() {
    let world = World::new().await;
    let ours = &world.ours;
    for (number, length) in [(1, 100), (2, 5 * CHUNK)] {
        let meant = bytes(number, length);
        let close = |version: u32| {
            let (keyring, jobs, org) = (Arc::clone(&world.keyring), world.jobs.clone(), ours.org());
            async move {
                let job = jobs.open(org, "rotate");
                assert_eq!(keyring.add_version(&job).await.unwrap(), version + 1);
                keyring.close_version(&job, version).await.unwrap();
            }
        };
        let before = 2 * number as u32 - 1;
        let sent = interrupted(&meant, close(before));
        ours.try_put("k", PutRequest::default(), sent)
            .await
            .unwrap();
        assert_same(&ours.get("k").await.unwrap(), &meant, "the object");
        let upload = ours.begin("u", NewUpload::default()).await;
        let sent = interrupted(&meant, close(before + 1));
        let info = ours.part("u", upload, 1, sent).await.unwrap();
        ours.complete("u", completion(upload, &[info]))
            .await
            .unwrap();
        assert_same(&ours.get("u").await.unwrap(), &meant, "the object");
    }
}

/// A rotation begins and ends within the time that one body takes: nobody's upload fails of it.
#[tokio::test]
async fn a_body_outlives_the_key_it_was_begun_with() {
    let world = World::new().await;
    let ours = &world.ours;
    let rotate = |world: &World| {
        let (rotation, org) = (world.rotation(), world.ours.org());
        async move {
            let operator = Operator::authenticated();
            let rotated = rotation.rotate(&operator, org).await.unwrap();
            assert_eq!(rotated.deleted.len(), 1);
        }
    };
    for (number, length) in [(1, 100), (2, 5 * CHUNK)] {
        let meant = bytes(number, length);
        let sent = interrupted(&meant, rotate(&world));
        ours.try_put("k", PutRequest::default(), sent)
            .await
            .unwrap();
        assert_same(&ours.get("k").await.unwrap(), &meant, "the object");
        let upload = ours.begin("u", NewUpload::default()).await;
        let sent = interrupted(&meant, rotate(&world));
        let info = ours.part("u", upload, 1, sent).await.unwrap();
        ours.complete("u", completion(upload, &[info]))
            .await
            .unwrap();
        assert_same(&ours.get("u").await.unwrap(), &meant, "the object");
        world.rotate().await;
        assert_same(
            &world.another().get("k").await.unwrap(),
            &meant,
            "the object",
        );
    }
}

#[tokio::test]
async fn a_reader_outlives_the_key_it_began_with() {
    read_while(World::rotate).await;
}

/// What is read from before a change to behind it, and anew after it.
pub(super) async fn read_while(change: impl AsyncFnOnce(&World)) {
    let world = World::new().await;
    let ours = &world.ours;
    let parts = [bytes(1, PART), bytes(2, PART), bytes(3, 100)];
    let upload = ours.begin("k", NewUpload::default()).await;
    let mut infos = Vec::new();
    for (number, sent) in (1..).zip(&parts) {
        infos.push(ours.part("k", upload, number, body(sent)).await.unwrap());
    }
    ours.complete("k", completion(upload, &infos))
        .await
        .unwrap();
    let get = world.drive.get(ours.object("k"), ReadRequest::default());
    let ((_, mut reader), _) = get.await.unwrap();
    let mut found = reader.next().await.unwrap().unwrap().to_vec();
    change(&world).await;
    while let Some(piece) = reader.next().await.unwrap() {
        found.extend_from_slice(&piece);
    }
    assert_same(&found, &parts.concat(), "the object");
    assert_same(&ours.get("k").await.unwrap(), &parts.concat(), "the object");
}
