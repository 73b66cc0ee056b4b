use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use names::{
    AccessKeyId, AccountId, BucketName, NodeId, ObjectKey, OrgId, PartNumber, PrincipalId, Slug,
    UploadId,
};
use tempfile::TempDir;

use crate::audit::{Actor, Audit, Decision, Event};
use crate::authz::{
    Allowance, Caller, CompleteUpload, CreateBucket, CreateUpload, CredentialKind, DeleteObject,
    GetObject, InBucket, Narrowing, OfObject, Operator, PutObject, PutPart, Rights, Scope,
    Standing, authorize, record_activity_as_operator,
};
use crate::blobs::{BlobEntry, Blobs, DiskBlobs, FaultyBlobs};
use crate::catalog::{
    Catalog, JobCatalog, Jobs, Mutation, PlatformCatalog, RecordKind, RecordQuery, RecordWrite,
    SqliteStore, doors,
};
use crate::clock::{Clock, ManualClock};
use crate::config;
use crate::drive::{
    CompleteRequest, CopyRequest, DeleteConditions, Drive, DriveError, DriveSettings, Expected,
    Incoming, NamedPart, NewUpload, Piece, PutRequest, ReadRequest,
};
use crate::entropy::Entropy;
use crate::keyring::{Keyring, RecordDraft, RootFile};
use crate::ops::{
    Checkpoints, Collector, CollectorSettings, Destroyer, RootRotation, Rotation, Verifier,
};
use crate::tenancy::{Email, Label, NewAccount, Ownership, Password, SignUps, Tenancy};

/// A house: the files that last.
pub(super) struct House(TempDir);

/// A process in it: what ends with a crash.
pub(super) struct Process {
    pub(super) catalog: Catalog,
    pub(super) platform: PlatformCatalog,
    pub(super) jobs: Jobs,
    pub(super) keyring: Arc<Keyring>,
    pub(super) blobs: Arc<FaultyBlobs>,
    pub(super) drive: Drive,
    pub(super) audit: Audit,
    pub(super) tenancy: Tenancy,
    pub(super) node: NodeId,
    pub(super) clock: Clock,
    pub(super) hand: ManualClock,
    settings: config::Audit,
}

/// What an organization's objects must read as.
pub(super) struct Tenant {
    pub(super) org: OrgId,
    pub(super) objects: Vec<(&'static str, Vec<u8>)>,
    pub(super) upload: UploadId,
    parts: Vec<(PartNumber, String, Vec<u8>)>,
}

impl House {
    /// An empty one, with a root key.
    pub(super) fn new() -> Self {
        let house = Self(TempDir::new().unwrap());
        RootFile::create(&house.root_file(), &Entropy::system()).unwrap();
        house
    }

    /// As it stands, to go on from twice. No process may be in it.
    pub(super) fn copy(&self) -> Self {
        let copy = Self(TempDir::new().unwrap());
        copy_directory(self.0.path(), copy.0.path());
        copy
    }

    pub(super) fn root_file(&self) -> std::path::PathBuf {
        self.0.path().join("root.key")
    }

    pub(super) fn catalog_file(&self) -> std::path::PathBuf {
        self.0.path().join("data/catalog.db")
    }

    pub(super) fn checkpoint_file(&self) -> std::path::PathBuf {
        self.0.path().join("checkpoints.jsonl")
    }

    /// The catalog as whoever can write the database has it.
    pub(super) fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.catalog_file()).unwrap()
    }

    /// Whether bytes stand anywhere in the files of the catalog.
    pub(super) fn catalog_holds(&self, bytes: &[u8]) -> bool {
        let directory = self.catalog_file();
        let files = fs::read_dir(directory.parent().unwrap()).unwrap();
        files
            .map(|file| file.unwrap().path())
            .filter(|path| path.is_file())
            .any(|path| {
                let file = fs::read(path).unwrap();
                file.windows(bytes.len()).any(|window| window == bytes)
            })
    }

    /// Starts a process, at a time later than all processes before it.
    pub(super) async fn start(&self) -> Process {
        let process = self.start_unprovisioned().await;
        crate::ops::provision::platform(&process.keyring)
            .await
            .unwrap();
        process
    }

    /// Starts a process that does not look whether the platform has its keys.
    pub(super) async fn start_unprovisioned(&self) -> Process {
        let entropy = Entropy::system();
        let now_ms = Clock::system().now_ms();
        let (clock, hand) = Clock::manual(now_ms + next_start() * HOUR_MS);
        fs::create_dir_all(self.catalog_file().parent().unwrap()).unwrap();
        let store = SqliteStore::open(&self.catalog_file(), 2, clock.clone()).unwrap();
        let (catalog, platform, jobs) = doors(store);
        let root = RootFile::open(&self.root_file()).unwrap();
        let keyring = Arc::new(Keyring::new(
            platform.clone(),
            root,
            100,
            clock.clone(),
            entropy.clone(),
        ));
        let disk = DiskBlobs::open(&self.0.path().join("data/blobs")).unwrap();
        let blobs = Arc::new(FaultyBlobs::new(Arc::new(disk)));
        let node = NodeId::from_bytes(entropy.uuid_v4());
        let settings = config::Audit {
            checkpoint_file: self.checkpoint_file(),
            ..config::Audit::default()
        };
        let drive = Drive::new(
            catalog.clone(),
            Arc::clone(&blobs) as Arc<dyn Blobs>,
            Arc::clone(&keyring),
            DriveSettings {
                inline_max: 1000,
                memory_max: 64 << 20,
                opaque_etags: false,
                trash_delay: TRASH_DELAY,
            },
            clock.clone(),
            entropy.clone(),
        );
        let audit = Audit::new(
            node,
            catalog.clone(),
            platform.clone(),
            Arc::clone(&keyring),
            &settings,
            clock.clone(),
        );
        let tenancy = Tenancy::new(
            platform.clone(),
            Arc::clone(&keyring),
            clock.clone(),
            entropy,
        );
        Process {
            catalog,
            platform,
            jobs,
            keyring,
            blobs,
            drive,
            audit,
            tenancy,
            node,
            clock,
            hand,
            settings,
        }
    }
}

impl Process {
    pub(super) fn checkpoints(&self) -> Checkpoints {
        Checkpoints::new(
            &self.settings,
            self.platform.clone(),
            Arc::clone(&self.keyring),
            self.node,
            self.clock.clone(),
        )
    }

    pub(super) fn rotation(&self) -> Rotation {
        Rotation::new(
            self.jobs.clone(),
            Arc::clone(&self.keyring),
            Arc::new(self.checkpoints()),
            self.node,
            self.clock.clone(),
        )
    }

    pub(super) fn root_rotation(&self) -> RootRotation {
        RootRotation::new(
            self.jobs.clone(),
            self.platform.clone(),
            Arc::clone(&self.keyring),
            self.node,
            self.clock.clone(),
        )
    }

    pub(super) fn destroyer(&self) -> Destroyer {
        Destroyer::new(
            self.jobs.clone(),
            self.platform.clone(),
            Arc::clone(&self.blobs) as Arc<dyn Blobs>,
            Arc::clone(&self.keyring),
            self.node,
            self.clock.clone(),
        )
    }

    pub(super) fn collector(&self) -> Collector {
        Collector::new(
            self.jobs.clone(),
            Arc::clone(&self.blobs) as Arc<dyn Blobs>,
            CollectorSettings::from(&config::Drive::default()),
            self.node,
            self.clock.clone(),
        )
    }

    pub(super) fn verifier(&self) -> Verifier {
        Verifier::new(
            self.jobs.clone(),
            self.platform.clone(),
            Arc::clone(&self.keyring),
            &self.settings,
        )
    }

    /// Does what a server does after each poll, and then makes an organization.
    pub(super) async fn tend_and_create(&self, slug: &str) {
        self.keyring.tend().await;
        let slug = Slug::parse(slug).unwrap();
        self.tenancy
            .create_organization(&operator(), slug, Ownership::Provisioned)
            .await
            .unwrap();
    }

    /// What is wrong with the catalog, in words.
    pub(super) async fn findings(&self) -> Vec<String> {
        let verified = self.verifier().verify(&operator()).await.unwrap();
        let findings = verified.findings.iter();
        findings.map(ToString::to_string).collect()
    }

    pub(super) fn job(&self, org: OrgId) -> JobCatalog {
        self.jobs.open(org, "test")
    }

    /// An account for whoever owns an organization. It has not logged in, and so has no other.
    async fn owner(&self, name: &str) -> AccountId {
        let wish = NewAccount {
            email: Email::parse(&format!("{name}@example.com")).unwrap(),
            name: Label::parse(name).unwrap(),
            password: Password::choose("correct horse battery".to_owned().into()).unwrap(),
        };
        let email = wish.email.clone();
        let signed_up = self.tenancy.sign_up(SignUps::Open, wish, None).await;
        signed_up.unwrap();
        let account = self.tenancy.account_named(&operator(), &email).await;
        account.unwrap().id
    }

    /// An organization with one of everything: an owner, access keys, a bucket, objects inline, in
    /// a blob, in parts and copied, an upload with two parts, a secret, a task, an activity log.
    pub(super) async fn tenant(&self, slug: &str) -> Tenant {
        let operator = operator();
        let owner = self.owner(slug).await;
        let slug = Slug::parse(slug).unwrap();
        let made = self
            .tenancy
            .create_organization(&operator, slug, Ownership::Of(owner))
            .await
            .unwrap();
        let org = made.org;
        let draft = self.tenancy.draft_access_key(&operator, org, Scope::Full);
        self.tenancy
            .create_access_key(&operator, draft)
            .await
            .unwrap();
        let bucket = InBucket { bucket: bucket() };
        let permit = authorize::<CreateBucket>(
            &caller(org),
            &Rights::ORGANIZATION,
            Standing::Active,
            bucket,
        )
        .unwrap();
        let _made = self.drive.create_bucket(permit).await.unwrap();

        let (small, large) = (b"a few bytes".to_vec(), pattern(200_000));
        self.put(org, "small", &small).await.unwrap();
        self.put(org, "large", &large).await.unwrap();
        self.copy(org, "large", "copied").await.unwrap();
        self.put(org, "replaced", b"old").await.unwrap();
        self.put(org, "replaced", b"new").await.unwrap();

        let (upload, parts) = self.begin_upload(org, "joined", &[5 << 20, 70_000]).await;
        let joined: Vec<u8> = parts.iter().flat_map(|(_, _, part)| part.clone()).collect();
        self.complete(org, "joined", upload, &parts).await;
        let (upload, parts) = self.begin_upload(org, "later", &[5 << 20, 10]).await;
        self.keep_secret(org).await;
        self.record(org, "bulkhead:Test").await;
        Tenant {
            org,
            objects: vec![
                ("small", small),
                ("large", large.clone()),
                ("copied", large),
                ("replaced", b"new".to_vec()),
                ("joined", joined),
            ],
            upload,
            parts,
        }
    }

    /// Every object reads as it was written, and the upload can be completed.
    pub(super) async fn assert_whole(&self, tenant: &Tenant) {
        for (key, expected) in &tenant.objects {
            let read = self.get(tenant.org, key).await.unwrap();
            assert!(read == *expected, "{key} is not what was written");
        }
        self.complete(tenant.org, "later", tenant.upload, &tenant.parts)
            .await;
        let expected: Vec<u8> = tenant
            .parts
            .iter()
            .flat_map(|(_, _, part)| part.clone())
            .collect();
        let read = self.get(tenant.org, "later").await.unwrap();
        assert!(read == expected, "the upload is not what was written");
        assert_eq!(self.secret(tenant.org).await, SECRET);
    }

    /// A secret with one version, found by its path, and a task.
    async fn keep_secret(&self, org: OrgId) {
        let job = self.job(org);
        let keys = self.keyring.open_for_job(&job).await.unwrap();
        let names = self.keyring.names_for_job(&job).await.unwrap();
        let secret = RecordDraft {
            kind: RecordKind::Secret,
            id: [1; 16],
            parent: None,
            lookup: Some(names.lookup("secret", SECRET_PATH)),
            state: 0,
            created_ms: self.clock.now_ms(),
            expires_ms: None,
            sequence: 1,
        };
        let of_kind = |kind| RecordDraft {
            kind,
            parent: Some([1; 16]),
            lookup: None,
            ..secret
        };
        let records = [
            (secret, SECRET_PATH),
            (of_kind(RecordKind::SecretVersion), SECRET),
            (of_kind(RecordKind::Task), b"a task"),
        ];
        let write =
            |(draft, bytes)| RecordWrite::Insert(keys.seal_row(draft, bytes).expect("sealed"));
        let writes = records.map(write).into();
        let guards = Vec::new();
        job.commit(Mutation::CommitRecords { writes, guards })
            .await
            .unwrap();
    }

    /// What the secret holds.
    pub(super) async fn secret(&self, org: OrgId) -> Vec<u8> {
        let job = self.job(org);
        let keys = self.keyring.open_for_job(&job).await.unwrap();
        let names = self.keyring.names_for_job(&job).await.unwrap();
        let path = names.lookup("secret", SECRET_PATH);
        let found = job.record_by_lookup(RecordKind::Secret, &path).await;
        let (secret, held) = keys.open_row(found.unwrap().unwrap()).unwrap();
        assert_eq!(*held, SECRET_PATH);
        let query = RecordQuery {
            parent: Some(secret.id),
            max: 10,
            ..RecordQuery::default()
        };
        let versions = job.records(RecordKind::SecretVersion, query).await.unwrap();
        let [version] = <[_; 1]>::try_from(versions).unwrap();
        keys.open_row(version).unwrap().1.to_vec()
    }

    pub(super) async fn put(&self, org: OrgId, key: &str, body: &[u8]) -> Result<(), DriveError> {
        let permit = authorize::<PutObject>(
            &caller(org),
            &Rights::ORGANIZATION,
            Standing::Active,
            object(key),
        )
        .unwrap();
        let allowance = self.allowance(org);
        self.drive
            .put(permit, allowance, PutRequest::default(), incoming(body))
            .await
            .map(drop)
    }

    pub(super) async fn get(&self, org: OrgId, key: &str) -> Result<Vec<u8>, DriveError> {
        let permit = authorize::<GetObject>(
            &caller(org),
            &Rights::ORGANIZATION,
            Standing::Active,
            object(key),
        )
        .unwrap();
        let ((_, mut reader), _) = self.drive.get(permit, ReadRequest::default()).await?;
        let mut body = Vec::new();
        while let Some(piece) = reader.next().await? {
            body.extend_from_slice(&piece);
        }
        Ok(body)
    }

    pub(super) async fn copy(&self, org: OrgId, from: &str, to: &str) -> Result<(), DriveError> {
        let source = authorize::<GetObject>(
            &caller(org),
            &Rights::ORGANIZATION,
            Standing::Active,
            object(from),
        )
        .unwrap();
        let permit = authorize::<PutObject>(
            &caller(org),
            &Rights::ORGANIZATION,
            Standing::Active,
            object(to),
        )
        .unwrap();
        let allowance = self.allowance(org);
        self.drive
            .copy(source, permit, allowance, CopyRequest::default())
            .await
            .map(drop)
    }

    pub(super) async fn delete(&self, org: OrgId, key: &str) -> Result<(), DriveError> {
        let permit = authorize::<DeleteObject>(
            &caller(org),
            &Rights::ORGANIZATION,
            Standing::Active,
            object(key),
        )
        .unwrap();
        let allowance = self.allowance(org);
        self.drive
            .delete(permit, allowance, DeleteConditions::default())
            .await
            .map(drop)
    }

    pub(super) async fn record(&self, org: OrgId, action: &'static str) {
        let event = Event {
            at_ms: self.clock.now_ms(),
            request_id: "request".to_owned(),
            actor: Actor::operator(),
            source: None,
            action,
            operation: None,
            resource: "*".to_owned(),
            rule: None,
            decision: Decision::Allowed { status: 200 },
            bytes: (0, 0),
        };
        let permit = record_activity_as_operator(&operator(), org);
        self.audit.record(permit, event).await.unwrap();
    }

    /// The blobs of an organization that are in the store.
    pub(super) async fn stored(&self, org: OrgId) -> Vec<BlobEntry> {
        self.blobs.list(org).try_collect().await.unwrap()
    }

    async fn begin_upload(
        &self,
        org: OrgId,
        key: &str,
        sizes: &[usize],
    ) -> (UploadId, Vec<(PartNumber, String, Vec<u8>)>) {
        let caller = caller(org);
        let permit = authorize::<CreateUpload>(
            &caller,
            &Rights::ORGANIZATION,
            Standing::Active,
            object(key),
        )
        .unwrap();
        let (upload, _) = self
            .drive
            .create_upload(permit, NewUpload::default())
            .await
            .unwrap();
        let mut parts = Vec::new();
        for (number, size) in (1..).zip(sizes) {
            let number = PartNumber::new(number).unwrap();
            let body = pattern(*size);
            let permit = authorize::<PutPart>(
                &caller,
                &Rights::ORGANIZATION,
                Standing::Active,
                object(key),
            )
            .unwrap();
            let (part, _) = self
                .drive
                .put_part(
                    permit,
                    self.allowance(org),
                    upload.upload,
                    number,
                    incoming(&body),
                )
                .await
                .unwrap();
            parts.push((number, part.etag.to_string(), body));
        }
        (upload.upload, parts)
    }

    async fn complete(
        &self,
        org: OrgId,
        key: &str,
        upload: UploadId,
        parts: &[(PartNumber, String, Vec<u8>)],
    ) {
        let permit = authorize::<CompleteUpload>(
            &caller(org),
            &Rights::ORGANIZATION,
            Standing::Active,
            object(key),
        )
        .unwrap();
        let request = CompleteRequest {
            upload,
            parts: parts
                .iter()
                .map(|(part, etag, _)| NamedPart {
                    part: *part,
                    etag: etag.clone(),
                    checksum: None,
                })
                .collect(),
            checksum: None,
            checksum_kind: None,
            size: None,
            conditions: Default::default(),
        };
        let _completed = self
            .drive
            .complete_upload(permit, self.allowance(org), request)
            .await
            .unwrap();
    }

    fn allowance(&self, org: OrgId) -> Allowance {
        let now_ms = self.clock.now_ms();
        Allowance::grant(org, now_ms - now_ms % HOUR_MS)
    }
}

pub(super) fn operator() -> Operator {
    Operator::authenticated()
}

pub(super) fn caller(org: OrgId) -> Caller {
    let key = AccessKeyId::parse("BKAAAAAAAAAAAAAAAAAA").unwrap();
    Caller::authenticated(
        org,
        PrincipalId::from_bytes([1; 16]),
        key,
        CredentialKind::AccessKey,
        Arc::new(Narrowing::NONE),
    )
}

/// Bytes in which no stretch equals its neighbours.
pub(super) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at / 251 + at % 251) as u8).collect()
}

fn bucket() -> BucketName {
    BucketName::parse("docs").unwrap()
}

fn object(key: &str) -> OfObject {
    OfObject {
        bucket: bucket(),
        key: ObjectKey::parse(key).unwrap(),
    }
}

fn incoming(body: &[u8]) -> Incoming {
    let piece = Piece::Data(Bytes::copy_from_slice(body));
    Incoming {
        length: Some(body.len() as u64),
        expected: Expected::default(),
        pieces: stream::iter([Ok(piece)]).boxed(),
    }
}

fn copy_directory(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_directory(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// So that a process that starts after a crash finds no lock of the one before.
fn next_start() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static STARTS: AtomicU64 = AtomicU64::new(0);
    STARTS.fetch_add(1, Ordering::Relaxed)
}

pub(super) const TRASH_DELAY: Duration = Duration::from_secs(3600);
const HOUR_MS: u64 = 3_600_000;

const SECRET_PATH: &[u8] = b"prod/database";
pub(super) const SECRET: &[u8] = b"the password of the database";
