//! The gateway with all its real parts in this process, on stores that count their calls, under a
//! clock that stands still.

use std::collections::BTreeMap;
use std::future::ready;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bulkhead::audit::{ActivityReader, Audit, AuditReader, Entry, Logged};
use bulkhead::authn::{Authn, OpenId};
use bulkhead::authz::{Operator, Scope, read_activity_as_operator};
use bulkhead::blobs::{self, Blobs, FaultyBlobs, ObjectBlobs};
use bulkhead::catalog::{
    self, Catalog, Fault, FaultyStore, PlatformCatalog, SqliteStore, Store, doors,
};
use bulkhead::clock::{Clock, ManualClock};
use bulkhead::config;
use bulkhead::drive::{Drive, DriveSettings};
use bulkhead::entropy::Entropy;
use bulkhead::http::OperatorToken;
use bulkhead::http::api::{Api, Parts};
use bulkhead::http::kv::Kv;
use bulkhead::http::net::{Listener, Peer, Stop};
use bulkhead::http::pipeline::Pipeline;
use bulkhead::http::s3::S3;
use bulkhead::http::secrets_manager::SecretsManager;
use bulkhead::http::sts::Sts;
use bulkhead::keyring::Keyring;
use bulkhead::metering::{Credits, Metering, Usage};
use bulkhead::ops::provision::{self, Provisioner, ProvisionerParts, Templates};
use bulkhead::ops::{Administration, Destroyer, Replays};
use bulkhead::telemetry::Metrics;
use bulkhead::tenancy::{Ownership, SignUps, Tenancy};
use bulkhead::vault::Vault;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{Either, Full};
use names::{NodeId, OrgId, Slug};
use tempfile::TempDir;

use super::client::Client;
use super::sign::Key;

/// A gateway that answers at two ports until the test ends.
pub struct Gateway {
    /// The address of S3 and Secrets Manager.
    pub api: SocketAddr,
    /// The address of `/api/v1` and `/v1`.
    pub control: SocketAddr,
    /// What was answered.
    pub metrics: Metrics,
    store: Arc<FaultyStore>,
    blobs: Arc<FaultyBlobs>,
    catalog: Catalog,
    platform: PlatformCatalog,
    keyring: Arc<Keyring>,
    tenancy: Arc<Tenancy>,
    audit: Arc<Audit>,
    metering: Arc<Metering>,
    clock: Clock,
    operator: Operator,
    hand: ManualClock,
    _directory: TempDir,
}

/// An organization and a key that may do everything in it.
pub struct Tenant {
    /// Its identifier.
    pub org: OrgId,
    /// The key.
    pub key: Key,
}

/// How often the stores were called. What the keyring reads, it reads from the catalog.
pub type Calls = (catalog::Calls, blobs::Calls);

impl Gateway {
    /// Starts a gateway whose operator shows `token`.
    pub async fn start(token: &str) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (clock, hand) = Clock::manual(Clock::system().now_ms());
        let entropy = Entropy::system();
        let path = directory.path().join("data").join("catalog.sqlite");
        let store = SqliteStore::open(&path, 2, clock.clone()).expect("a catalog");
        store.poll().await.expect("a catalog that answers");
        let store = Arc::new(FaultyStore::new(store));
        let (catalog, platform, jobs) = doors(Arc::clone(&store) as Arc<dyn Store>);
        let root_file = directory.path().join("root.key");
        let root = provision::root_file(&root_file, &platform, &entropy).await;
        let keyring = Arc::new(Keyring::new(
            platform.clone(),
            root.expect("a root key"),
            64,
            clock.clone(),
            entropy.clone(),
        ));
        provision::platform(&keyring).await.expect("a platform");
        let tenancy = Arc::new(Tenancy::new(
            platform.clone(),
            Arc::clone(&keyring),
            clock.clone(),
            entropy.clone(),
        ));
        let node = NodeId::from_bytes(entropy.uuid_v7(clock.now_ms()));
        let audit = Arc::new(Audit::new(
            node,
            catalog.clone(),
            platform.clone(),
            Arc::clone(&keyring),
            &config::Audit::default(),
            clock.clone(),
        ));
        let blobs = Arc::new(FaultyBlobs::new(Arc::new(ObjectBlobs::memory())));
        let drive = Arc::new(Drive::new(
            catalog.clone(),
            Arc::clone(&blobs) as Arc<dyn Blobs>,
            Arc::clone(&keyring),
            drive_settings(&config::Drive::default()),
            clock.clone(),
            entropy.clone(),
        ));
        let settings = config::Api::default();
        let authn = Authn::new(
            platform.clone(),
            Arc::clone(&keyring),
            settings.region.clone(),
            clock.clone(),
            entropy.clone(),
        );
        let metrics = Metrics::new();
        let credits = Arc::new(Credits::new(
            catalog.clone(),
            Arc::clone(&keyring),
            clock.clone(),
        ));
        let metering = Metering::new(catalog.clone(), clock.clone());
        let metering = Arc::new(metering.charging(Arc::clone(&credits)));
        let pipeline = Arc::new(Pipeline::new(
            node,
            authn,
            Arc::clone(&tenancy),
            Arc::clone(&audit),
            Arc::clone(&metering),
            metrics.clone(),
            clock.clone(),
            entropy.clone(),
        ));
        let open_id = OpenId::new(
            Vec::new(),
            Arc::clone(&keyring),
            clock.clone(),
            entropy.clone(),
        );
        let open_id = Arc::new(open_id.expect("providers"));
        let sts = Sts::new(Arc::clone(&tenancy), Arc::clone(&open_id), clock.clone());
        let administration =
            Administration::new(Arc::clone(&tenancy), Arc::clone(&audit), clock.clone());
        let administration = Arc::new(administration);
        let destroyer = Destroyer::new(
            jobs,
            platform.clone(),
            Arc::clone(&blobs) as Arc<dyn Blobs>,
            Arc::clone(&keyring),
            node,
            clock.clone(),
        );
        let provisioner = Provisioner::new(ProvisionerParts {
            platform: platform.clone(),
            keyring: Arc::clone(&keyring),
            tenancy: Arc::clone(&tenancy),
            administration: Arc::clone(&administration),
            drive: Arc::clone(&drive),
            templates: Templates::default(),
            clock: clock.clone(),
            entropy: entropy.clone(),
        });
        let vault = Arc::new(Vault::new(
            catalog.clone(),
            Arc::clone(&keyring),
            clock.clone(),
            entropy.clone(),
        ));
        let doors = (
            S3::new(Arc::clone(&drive), &settings),
            SecretsManager::new(Arc::clone(&vault), &settings),
            sts,
        );
        let kv = Kv::new(Arc::clone(&vault), Arc::clone(&tenancy), clock.clone());
        let secret = config::Secret::new(token.to_owned());
        let control = Api::new(
            OperatorToken::new(Some(&secret)),
            SignUps::Open,
            Parts {
                tenancy: Arc::clone(&tenancy),
                administration: Arc::clone(&administration),
                provisioner,
                destroyer,
                metering: Arc::clone(&metering),
                credits,
                usage: Usage::new(
                    catalog.clone(),
                    Arc::clone(&keyring),
                    clock.clone(),
                    entropy.clone(),
                ),
                activity: ActivityReader::new(
                    catalog.clone(),
                    platform.clone(),
                    Arc::clone(&keyring),
                ),
                replays: Replays::new(
                    catalog.clone(),
                    Arc::clone(&keyring),
                    clock.clone(),
                    entropy,
                ),
                vault,
                drive,
                open_id,
            },
        );
        Self {
            api: serve_api(Arc::clone(&pipeline), doors).await,
            control: serve_control(pipeline, control, kv).await,
            metrics,
            store,
            blobs,
            catalog,
            platform,
            keyring,
            tenancy,
            audit,
            metering,
            clock,
            operator: Operator::authenticated(),
            hand,
            _directory: directory,
        }
    }

    /// Makes an organization.
    pub async fn tenant(&self, slug: &str) -> Tenant {
        let slug = Slug::parse(slug).expect("a slug");
        let made = self
            .tenancy
            .create_organization(&self.operator, slug, Ownership::Provisioned)
            .await
            .expect("an organization");
        let draft = self
            .tenancy
            .draft_access_key(&self.operator, made.org, Scope::Full);
        let key = self.tenancy.create_access_key(&self.operator, draft).await;
        let key = key.expect("an access key");
        Tenant {
            org: made.org,
            key: Key {
                id: key.id.to_string(),
                secret: key.secret.to_string(),
            },
        }
    }

    /// A client of the S3 door.
    pub fn client(&self, tenant: &Tenant) -> Client {
        Client::new(self.api, tenant.key.clone())
    }

    /// A client of STS.
    pub fn sts_client(&self, tenant: &Tenant) -> Client {
        Client::of_service(self.api, tenant.key.clone(), "sts")
    }

    /// A client of Secrets Manager.
    pub fn secrets_client(&self, tenant: &Tenant) -> Client {
        Client::of_service(self.api, tenant.key.clone(), "secretsmanager")
    }

    /// Lets time pass.
    pub async fn pass(&self, time: Duration) {
        self.hand.advance(time);
        self.store.poll().await.expect("a catalog that answers");
    }

    /// The stores' calls so far.
    pub fn calls(&self) -> Calls {
        (self.store.calls(), self.blobs.calls())
    }

    /// Lets so many more commits succeed, and fails those that follow.
    pub fn fail_commits_after(&self, count: u64, fault: Fault) {
        self.store.fail_commits_after(count, fault);
    }

    /// Fails every read of blobs from now on.
    pub fn fail_blob_reads(&self) {
        self.blobs.fail_reads_after(0, blobs::Fault::Unavailable);
    }

    /// Ends all faults, and says whether a call has met one.
    pub fn heal(&self) -> bool {
        self.store.heal()
    }

    /// The time that it is (RFC 3339).
    pub fn now(&self) -> String {
        rfc_3339(self.clock.now_ms())
    }

    /// The time some hours ago (RFC 3339).
    pub fn hours_ago(&self, hours: u64) -> String {
        rfc_3339(self.clock.now_ms() - hours * HOUR_MS)
    }

    /// The time in an hour (RFC 3339).
    pub fn later(&self) -> String {
        rfc_3339(self.clock.now_ms() + HOUR_MS)
    }

    /// Writes what was used so far.
    pub async fn write_usage(&self) {
        self.metering.run(ready(())).await;
    }

    /// Writes what was noted into the activity logs. Nobody is answered any more after that.
    pub async fn close_logs(&self) {
        self.audit.run(ready(())).await;
    }

    /// What is written in an organization's activity log.
    pub async fn log(&self, tenant: &Tenant) -> Vec<Entry> {
        self.log_of(tenant.org).await
    }

    /// The same of an organization that was made over the API.
    pub async fn log_of(&self, org: OrgId) -> Vec<Entry> {
        let permit = read_activity_as_operator(&self.operator, org);
        let keyring = Arc::clone(&self.keyring);
        entries(AuditReader::new(&self.catalog, keyring, permit)).await
    }

    /// What is written in the platform's own.
    pub async fn platform_log(&self) -> Vec<Entry> {
        let (platform, keyring) = (self.platform.clone(), Arc::clone(&self.keyring));
        entries(AuditReader::platform(&self.operator, platform, keyring)).await
    }
}

async fn entries(log: AuditReader) -> Vec<Entry> {
    let mut entries = Vec::new();
    let taken = |logged: Logged<'_>| entries.push(logged.entry.clone());
    let walked = log.walk(&BTreeMap::new(), taken).await;
    walked.expect("a log that can be read");
    entries
}

async fn serve_api(pipeline: Arc<Pipeline>, doors: (S3, SecretsManager, Sts)) -> SocketAddr {
    let (listener, address) = listen("api").await;
    let doors = Arc::new(doors);
    tokio::spawn(async move {
        let answer = move |request: Request<_>, peer: Arc<Peer>| {
            let (pipeline, doors) = (Arc::clone(&pipeline), Arc::clone(&doors));
            async move {
                let (s3, secrets, sts) = &*doors;
                if SecretsManager::is_asked(request.headers()) {
                    pipeline.answer(secrets, request, &peer).await
                } else if Sts::is_asked(&request) {
                    pipeline.answer(sts, request, &peer).await
                } else {
                    pipeline.answer(s3, request, &peer).await
                }
            }
        };
        let net = config::Net::default();
        listener.serve(&net, Stop::new(), answer).await;
    });
    address
}

async fn serve_control(pipeline: Arc<Pipeline>, api: Api, kv: Kv) -> SocketAddr {
    let (listener, address) = listen("control").await;
    let (api, kv) = (Arc::new(api), Arc::new(kv));
    tokio::spawn(async move {
        let answer = move |request, peer: Arc<Peer>| {
            let (pipeline, api) = (Arc::clone(&pipeline), Arc::clone(&api));
            let kv = Arc::clone(&kv);
            async move {
                let answer = match api.answer(&pipeline, request, &peer).await {
                    Err(request) => kv.answer(&pipeline, request, &peer).await,
                    answer => answer,
                };
                answer.map_or_else(
                    |_| Response::new(Either::Left(Full::<Bytes>::default())),
                    |answer| answer.map(Either::Right),
                )
            }
        };
        let net = config::Net::default();
        listener.serve(&net, Stop::new(), answer).await;
    });
    address
}

async fn listen(name: &'static str) -> (Listener, SocketAddr) {
    let any_port = (Ipv4Addr::LOCALHOST, 0).into();
    let listener = Listener::bind(name, any_port, None).await.expect("a port");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}

fn rfc_3339(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1_000).expect("a time");
    let at = time::OffsetDateTime::from_unix_timestamp(seconds).expect("a time");
    let text = at.format(&time::format_description::well_known::Rfc3339);
    text.expect("a time")
}

const HOUR_MS: u64 = 3_600_000;

fn drive_settings(settings: &config::Drive) -> DriveSettings {
    DriveSettings {
        inline_max: settings.inline_max,
        memory_max: settings.memory_max,
        opaque_etags: settings.opaque_etags,
        trash_delay: settings.trash_delay,
    }
}
