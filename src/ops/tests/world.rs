use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use names::{AccessKeyId, NodeId, OrgId, PrincipalId, Slug};
use tempfile::TempDir;

use crate::audit::{Actor, Audit, Decision, Event};
use crate::authz::{Caller, CredentialKind, Narrowing, Operator, record_activity_as_operator};
use crate::blobs::{Blobs, DiskBlobs, FaultyBlobs};
use crate::catalog::{
    Catalog, FaultyStore, JobCatalog, Jobs, PlatformCatalog, SqliteStore, Store, doors,
};
use crate::clock::{Clock, ManualClock};
use crate::config;
use crate::drive::{Drive, DriveSettings};
use crate::entropy::Entropy;
use crate::keyring::{Keyring, RootFile};
use crate::ops::{
    Checkpoints, Collector, CollectorSettings, Destroyer, RootRotation, Rotation, Verifier,
};
use crate::tenancy::{Ownership, Tenancy};

/// A house: the files that last.
pub(super) struct House(TempDir);

/// A process in it: what ends with a crash.
pub(super) struct Process {
    pub(super) store: Arc<FaultyStore>,
    pub(super) catalog: Catalog,
    pub(super) platform: PlatformCatalog,
    pub(super) jobs: Jobs,
    pub(super) keyring: Arc<Keyring>,
    pub(super) blobs: Arc<FaultyBlobs>,
    pub(super) drive: Arc<Drive>,
    pub(super) audit: Audit,
    pub(super) tenancy: Tenancy,
    pub(super) node: NodeId,
    pub(super) clock: Clock,
    pub(super) hand: ManualClock,
    settings: config::Audit,
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
        let store = Arc::new(FaultyStore::new(store));
        let (catalog, platform, jobs) = doors(Arc::clone(&store) as Arc<dyn Store>);
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
        let drive = Arc::new(Drive::new(
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
        ));
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
            store,
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
            Arc::clone(&self.drive),
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
pub(super) const HOUR_MS: u64 = 3_600_000;
