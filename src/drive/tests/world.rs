use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use md5::{Digest, Md5};
use names::{
    AccessKeyId, BucketName, KeyPrefix, NodeId, ObjectKey, OrgId, PartNumber, PrincipalId, UploadId,
};
use tempfile::TempDir;

use crate::authz::{
    Action, Allowance, Caller, CredentialKind, InBucket, InOrganization, Narrowing, OfObject,
    Operator, Permit, Rights, Standing, UnderPrefix, authorize,
};
use crate::blobs::{BlobEntry, Blobs, FaultyBlobs, ObjectBlobs};
use crate::catalog::{FaultyStore, Jobs, PlatformCatalog, SqliteStore, Store, doors};
use crate::clock::{Clock, ManualClock};
use crate::config;
use crate::drive::*;
use crate::entropy::Entropy;
use crate::keyring::{Keyring, RootFile};
use crate::ops::{Checkpoints, Collector, CollectorSettings, Rotation};
use crate::tenancy::{Ownership, Tenancy};

/// A Drive over a catalog in a file and blobs in memory, with one organization that has a bucket.
pub(super) struct World {
    pub(super) dir: TempDir,
    pub(super) drive: Arc<Drive>,
    pub(super) blobs: Arc<FaultyBlobs>,
    pub(super) store: Arc<FaultyStore>,
    pub(super) keyring: Arc<Keyring>,
    pub(super) jobs: Jobs,
    pub(super) clock: Clock,
    pub(super) hand: ManualClock,
    platform: PlatformCatalog,
    tenancy: Tenancy,
    pub(super) ours: Tenant,
}

/// A caller and the bucket that it works in.
#[derive(Clone)]
pub(super) struct Tenant {
    pub(super) drive: Arc<Drive>,
    pub(super) caller: Caller,
    pub(super) bucket: BucketName,
}

const NODE: NodeId = NodeId::from_bytes([8; 16]);

pub(super) const INLINE_MAX: u64 = 4096;

pub(super) fn settings() -> DriveSettings {
    DriveSettings {
        inline_max: INLINE_MAX,
        memory_max: 16 << 20,
        opaque_etags: false,
        trash_delay: Duration::from_secs(3600),
    }
}

impl World {
    pub(super) async fn new() -> Self {
        Self::with(settings()).await
    }

    pub(super) async fn with(settings: DriveSettings) -> Self {
        Self::over(settings, Arc::new(ObjectBlobs::memory())).await
    }

    pub(super) async fn over(settings: DriveSettings, inner: Arc<dyn Blobs>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(1_767_225_600_000);
        let entropy = Entropy::danger_seeded(1);
        let path = dir.path().join("catalog.sqlite");
        let sqlite = SqliteStore::open(&path, 2, clock.clone()).unwrap();
        let store = Arc::new(FaultyStore::new(sqlite));
        store.poll().await.unwrap();
        let (catalog, platform, jobs) = doors(Arc::clone(&store) as Arc<dyn Store>);
        let root = RootFile::create(&dir.path().join("root.key"), &entropy).unwrap();
        let keyring = Keyring::new(platform.clone(), root, 10, clock.clone(), entropy.clone());
        let keyring = Arc::new(keyring);
        keyring.provision_platform().await.unwrap();
        let blobs = Arc::new(FaultyBlobs::new(inner));
        let drive = Arc::new(Drive::new(
            catalog,
            Arc::clone(&blobs) as Arc<dyn Blobs>,
            Arc::clone(&keyring),
            settings,
            clock.clone(),
            entropy.clone(),
        ));
        let tenancy = Tenancy::new(
            platform.clone(),
            Arc::clone(&keyring),
            clock.clone(),
            entropy,
        );
        let ours = found(&tenancy, &drive, "ours").await;
        Self {
            dir,
            drive,
            blobs,
            store,
            keyring,
            jobs,
            clock,
            hand,
            platform,
            tenancy,
            ours,
        }
    }

    /// Another organization, with a bucket of the same name.
    pub(super) async fn other(&self) -> Tenant {
        found(&self.tenancy, &self.drive, "theirs").await
    }

    pub(super) async fn stored_blobs(&self) -> Vec<BlobEntry> {
        let listed: Vec<_> = self.blobs.list_all().collect().await;
        let mut blobs: Vec<_> = listed.into_iter().map(Result::unwrap).collect();
        blobs.sort_by_key(|entry| entry.blob);
        blobs
    }

    /// Another process on the same catalog and blobs, which remembers nothing.
    pub(super) fn another(&self) -> Tenant {
        let drive = Drive::new(
            doors(Arc::clone(&self.store) as Arc<dyn Store>).0,
            Arc::clone(&self.blobs) as Arc<dyn Blobs>,
            Arc::clone(&self.keyring),
            settings(),
            self.clock.clone(),
            Entropy::danger_seeded(2),
        );
        Tenant {
            drive: Arc::new(drive),
            ..self.ours.clone()
        }
    }

    /// Puts everything under a new key and deletes the old one.
    pub(super) fn rotation(&self) -> Rotation {
        let settings = config::Audit {
            checkpoint_file: self.dir.path().join("checkpoints"),
            ..config::Audit::default()
        };
        let checkpoints = Checkpoints::new(
            &settings,
            self.platform.clone(),
            Arc::clone(&self.keyring),
            NODE,
            self.clock.clone(),
        );
        Rotation::new(
            self.jobs.clone(),
            Arc::clone(&self.keyring),
            Arc::clone(&self.drive),
            Arc::new(checkpoints),
            NODE,
            self.clock.clone(),
        )
    }

    pub(super) async fn rotate(&self) {
        let operator = Operator::authenticated();
        let rotated = self.rotation().rotate(&operator, self.ours.org()).await;
        let rotated = rotated.unwrap();
        assert_eq!(rotated.damaged, Vec::<String>::new());
        assert_eq!(rotated.deleted.len(), 1);
    }

    /// Seals everything anew under a new key and deletes the old one.
    pub(super) async fn reencrypt(&self) {
        let operator = Operator::authenticated();
        let rotated = self.rotation().reencrypt(&operator, self.ours.org()).await;
        let rotated = rotated.unwrap();
        assert_eq!(rotated.damaged, Vec::<String>::new());
        assert_eq!(rotated.deleted.len(), 1);
    }

    /// Lets replaced blobs run out of time, and deletes them.
    pub(super) async fn collect(&self) {
        self.advance(Duration::from_secs(2 * 3600)).await;
        self.collector().collect().await.unwrap();
    }

    /// What deletes replaced blobs, and those that nothing has come to name.
    pub(super) fn collector(&self) -> Collector {
        Collector::new(
            self.jobs.clone(),
            Arc::clone(&self.blobs) as Arc<dyn Blobs>,
            CollectorSettings::from(&config::Drive::default()),
            NODE,
            self.clock.clone(),
        )
    }

    /// Lets time go by, at the end of which this process knows of every change.
    pub(super) async fn advance(&self, time: Duration) {
        self.hand.advance(time);
        self.store.poll().await.unwrap();
    }

    /// Writes to the catalog's file behind its back, as an attacker or a bad disk would.
    pub(super) fn tamper(&self, sql: &str) -> usize {
        let path = self.dir.path().join("catalog.sqlite");
        let database = rusqlite::Connection::open(path).unwrap();
        database.execute(sql, ()).unwrap()
    }
}

async fn found(tenancy: &Tenancy, drive: &Arc<Drive>, slug: &str) -> Tenant {
    let operator = Operator::authenticated();
    let slug = names::Slug::parse(slug).unwrap();
    let made = tenancy
        .create_organization(&operator, slug, Ownership::Provisioned)
        .await
        .unwrap();
    let tenant = Tenant {
        drive: Arc::clone(drive),
        caller: Caller::authenticated(
            made.org,
            PrincipalId::from_bytes([7; 16]),
            AccessKeyId::parse("BHTEST").unwrap(),
            CredentialKind::AccessKey,
            Arc::new(Narrowing::NONE),
        ),
        bucket: BucketName::parse("docs").unwrap(),
    };
    let _ = drive.create_bucket(tenant.bucket()).await.unwrap();
    tenant
}

impl Tenant {
    pub(super) fn org(&self) -> OrgId {
        self.caller.org()
    }

    pub(super) fn permit<A: Action>(&self, resource: A::Resource) -> Permit<A> {
        authorize(
            &self.caller,
            &Rights::ORGANIZATION,
            Standing::Active,
            resource,
        )
        .unwrap()
    }

    pub(super) fn organization<A: Action<Resource = InOrganization>>(&self) -> Permit<A> {
        self.permit(InOrganization)
    }

    pub(super) fn bucket<A: Action<Resource = InBucket>>(&self) -> Permit<A> {
        self.permit(InBucket {
            bucket: self.bucket.clone(),
        })
    }

    pub(super) fn object<A: Action<Resource = OfObject>>(&self, key: &str) -> Permit<A> {
        self.permit(OfObject {
            bucket: self.bucket.clone(),
            key: ObjectKey::parse(key).unwrap(),
        })
    }

    pub(super) fn prefix<A: Action<Resource = UnderPrefix>>(&self, prefix: &str) -> Permit<A> {
        self.permit(UnderPrefix {
            bucket: self.bucket.clone(),
            prefix: KeyPrefix::parse(prefix).unwrap(),
        })
    }

    pub(super) fn allowance(&self) -> Allowance {
        Allowance::grant(self.org(), 0)
    }

    /// The same caller in another bucket.
    pub(super) fn in_bucket(&self, bucket: &str) -> Self {
        Self {
            bucket: BucketName::parse(bucket).unwrap(),
            ..self.clone()
        }
    }

    pub(super) async fn put(&self, key: &str, bytes: &[u8]) -> Written {
        self.try_put(key, PutRequest::default(), body(bytes))
            .await
            .unwrap()
    }

    pub(super) async fn try_put(
        &self,
        key: &str,
        request: PutRequest,
        body: Incoming,
    ) -> Result<Written, DriveError> {
        let put = self
            .drive
            .put(self.object(key), self.allowance(), request, body);
        put.await.map(|(written, _)| written)
    }

    pub(super) async fn put_if(
        &self,
        key: &str,
        bytes: &[u8],
        conditions: WriteConditions,
    ) -> Result<Written, DriveError> {
        let request = PutRequest {
            conditions,
            ..PutRequest::default()
        };
        self.try_put(key, request, body(bytes)).await
    }

    pub(super) async fn get(&self, key: &str) -> Result<Vec<u8>, DriveError> {
        let (_, bytes) = self.read(key, ReadRequest::default()).await?;
        Ok(bytes)
    }

    pub(super) async fn get_range(
        &self,
        key: &str,
        range: RangeRequest,
    ) -> Result<Vec<u8>, DriveError> {
        let request = ReadRequest {
            range: Some(range),
            ..ReadRequest::default()
        };
        let (_, bytes) = self.read(key, request).await?;
        Ok(bytes)
    }

    pub(super) async fn read(
        &self,
        key: &str,
        request: ReadRequest,
    ) -> Result<(Selection, Vec<u8>), DriveError> {
        let ((selection, reader), receipt) = self.drive.get(self.object(key), request).await?;
        let length = reader.length();
        let bytes = drain(reader).await?;
        assert_eq!(bytes.len() as u64, length);
        assert_eq!((receipt.bytes_in, receipt.bytes_out), (0, length));
        assert_eq!(selection.range.end - selection.range.start, length);
        Ok((selection, bytes))
    }

    pub(super) async fn head(&self, key: &str) -> Result<ObjectInfo, DriveError> {
        let head = self.drive.head(self.object(key), ReadRequest::default());
        head.await.map(|(selection, _)| selection.info)
    }

    pub(super) async fn delete(&self, key: &str) {
        self.delete_if(key, DeleteConditions::default())
            .await
            .unwrap();
    }

    pub(super) async fn delete_if(
        &self,
        key: &str,
        conditions: DeleteConditions,
    ) -> Result<(), DriveError> {
        let delete = self
            .drive
            .delete(self.object(key), self.allowance(), conditions);
        delete.await.map(|((), _)| ())
    }

    pub(super) async fn copy(
        &self,
        from: &str,
        to: &str,
        request: CopyRequest,
    ) -> Result<Written, DriveError> {
        let copy = self.drive.copy(
            self.object(from),
            self.object(to),
            self.allowance(),
            request,
        );
        copy.await.map(|(written, _)| written)
    }

    pub(super) async fn begin(&self, key: &str, request: NewUpload) -> UploadId {
        let begun = self.drive.create_upload(self.object(key), request).await;
        begun.unwrap().0.upload
    }

    pub(super) async fn part(
        &self,
        key: &str,
        upload: UploadId,
        number: u64,
        body: Incoming,
    ) -> Result<PartInfo, DriveError> {
        let part = self.drive.put_part(
            self.object(key),
            self.allowance(),
            upload,
            part(number),
            body,
        );
        part.await.map(|(info, _)| info)
    }

    pub(super) async fn copy_part(
        &self,
        (from, range): (&str, Option<RangeRequest>),
        key: &str,
        upload: UploadId,
        number: u64,
    ) -> Result<PartInfo, DriveError> {
        let part = self.drive.copy_part(
            self.object(from),
            self.object(key),
            self.allowance(),
            upload,
            part(number),
            range,
            ReadConditions::default(),
        );
        part.await.map(|(info, _)| info)
    }

    pub(super) async fn complete(
        &self,
        key: &str,
        request: CompleteRequest,
    ) -> Result<Written, DriveError> {
        let complete = self
            .drive
            .complete_upload(self.object(key), self.allowance(), request);
        complete.await.map(|(written, _)| written)
    }
}

/// Reads to the end, or to the error.
pub(super) async fn drain(mut reader: ObjectReader) -> Result<Vec<u8>, DriveError> {
    let mut bytes = Vec::new();
    while let Some(piece) = reader.next().await? {
        assert!(!piece.is_empty());
        bytes.extend_from_slice(&piece);
        assert_eq!(reader.delivered(), bytes.len() as u64);
    }
    assert!(reader.next().await.unwrap().is_none());
    Ok(bytes)
}

pub(super) fn part(number: u64) -> PartNumber {
    PartNumber::new(number).unwrap()
}

/// A completion of these parts, all that was said of them repeated.
pub(super) fn completion(upload: UploadId, parts: &[PartInfo]) -> CompleteRequest {
    CompleteRequest {
        upload,
        parts: parts
            .iter()
            .map(|info| NamedPart {
                part: info.part,
                etag: info.etag.to_string(),
                checksum: info.checksum,
            })
            .collect(),
        checksum: None,
        checksum_kind: None,
        size: None,
        conditions: WriteConditions::default(),
    }
}

/// A body as it is sent, in pieces of an odd length, of which the client says the length.
pub(super) fn body(bytes: &[u8]) -> Incoming {
    expecting(bytes, Expected::default())
}

pub(super) fn expecting(bytes: &[u8], expected: Expected) -> Incoming {
    Incoming {
        length: Some(bytes.len() as u64),
        expected,
        pieces: stream::iter(pieces(bytes)).boxed(),
    }
}

/// The same without a length, with what comes behind it.
pub(super) fn unannounced(bytes: &[u8], expected: Expected, trailer: Option<Piece>) -> Incoming {
    let mut pieces = pieces(bytes);
    pieces.extend(trailer.map(Ok));
    Incoming {
        length: None,
        expected,
        pieces: stream::iter(pieces).boxed(),
    }
}

pub(super) fn pieces(bytes: &[u8]) -> Vec<Result<Piece, IncomingError>> {
    bytes
        .chunks(10_007)
        .map(|piece| Ok(Piece::Data(Bytes::copy_from_slice(piece))))
        .collect()
}

/// Bytes that differ at every place and between seeds.
pub(super) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub(super) fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

pub(super) fn md5_etag(bytes: &[u8]) -> Etag {
    Etag {
        bytes: md5(bytes),
        parts: 0,
    }
}

/// Fails with what came instead when bytes differ, without printing them all.
pub(super) fn assert_same(found: &[u8], meant: &[u8], what: &str) {
    assert_eq!(found.len(), meant.len(), "the length of {what}");
    let differs = found
        .iter()
        .zip(meant)
        .position(|(one, other)| one != other);
    assert_eq!(differs, None, "the first other byte of {what}");
}
