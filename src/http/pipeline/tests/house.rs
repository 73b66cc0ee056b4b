use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest, Md5};
use names::{NodeId, OrgId};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::audit::{Audit, AuditReader, Entry};
use crate::authn::{Authn, Signed};
use crate::authz::{Caller, Operator, Scope, read_activity_as_operator};
use crate::blobs::{Blobs, FaultyBlobs, ObjectBlobs};
use crate::catalog::{Catalog, PlatformCatalog, doors};
use crate::config;
use crate::drive::{Drive, DriveSettings};
use crate::http::net::{Listener, Peer, Stop};
use crate::http::pipeline::{Door, Head, Pipeline};
use crate::http::s3::{S3, S3Error};
use crate::keyring::Keyring;
use crate::metering::Metering;
use crate::ops::fixture::{Client, Place, Sent, World};
use crate::telemetry::Metrics;

/// A server with one organization, which has a bucket, `docs`.
pub(super) struct House {
    pub(super) world: World,
    pub(super) org: OrgId,
    pub(super) catalog: Catalog,
    pub(super) platform: PlatformCatalog,
    pub(super) keyring: Arc<Keyring>,
    pub(super) audit: Arc<Audit>,
    pub(super) metering: Arc<Metering>,
    pub(super) metrics: Metrics,
    pub(super) blobs: Arc<FaultyBlobs>,
    pub(super) operator: Operator,
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) address: SocketAddr,
    _serving: JoinHandle<()>,
    pub(super) place: Place,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) request_id: String,
    pub(super) body: String,
}

impl House {
    pub(super) async fn open() -> Self {
        let api = config::Api {
            domain: Some("s3.test".to_owned()),
            ..config::Api::default()
        };
        let house = Self::serve(|drive| Arc::new(S3::new(drive, &api))).await;
        let client = house.client(Scope::Full).await;
        assert_eq!(house.send(&client, "PUT", "/docs", "").await.status, 200);
        house
    }

    pub(super) async fn serve<D: Door>(door: impl FnOnce(Arc<Drive>) -> Arc<D>) -> Self {
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let place = Place::new();
        let world = place.start().await;
        let (clock, entropy) = (world.clock.clone(), world.entropy.clone());
        let (catalog, platform, _) = doors(Arc::clone(&world.store));
        let keyring = Arc::clone(&world.keyring);
        let node = NodeId::from_bytes(entropy.uuid_v7(clock.now_ms()));
        let audit = Arc::new(Audit::new(
            node,
            catalog.clone(),
            platform.clone(),
            Arc::clone(&keyring),
            &config::Audit::default(),
            clock.clone(),
        ));
        let metering = Arc::new(Metering::new(catalog.clone(), clock.clone()));
        let blobs = Arc::new(FaultyBlobs::new(Arc::new(ObjectBlobs::memory())));
        let settings = config::Drive::default();
        let drive = Drive::new(
            catalog.clone(),
            Arc::clone(&blobs) as Arc<dyn Blobs>,
            Arc::clone(&keyring),
            DriveSettings {
                inline_max: settings.inline_max,
                memory_max: settings.memory_max,
                opaque_etags: settings.opaque_etags,
                trash_delay: settings.trash_delay,
            },
            clock.clone(),
            entropy.clone(),
        );
        let metrics = Metrics::new();
        let authn = Authn::new(
            platform.clone(),
            Arc::clone(&keyring),
            "us-east-1".to_owned(),
            clock.clone(),
            entropy.clone(),
        );
        let pipeline = Arc::new(Pipeline::new(
            node,
            authn,
            Arc::clone(&world.tenancy),
            Arc::clone(&audit),
            Arc::clone(&metering),
            metrics.clone(),
            clock,
            entropy,
        ));
        let door = door(Arc::new(drive));
        let answering = Arc::clone(&pipeline);
        let any_port = (Ipv4Addr::LOCALHOST, 0).into();
        let listener = Listener::bind("api", any_port, None).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let net = config::Net::default();
            let answer = move |request, peer: Arc<Peer>| {
                let (pipeline, door) = (Arc::clone(&answering), Arc::clone(&door));
                async move { pipeline.answer(&*door, request, &peer).await }
            };
            listener.serve(&net, Stop::new(), answer).await;
        });
        let org = world.organization("home").await.org;
        Self {
            world,
            org,
            catalog,
            platform,
            keyring,
            audit,
            metering,
            metrics,
            blobs,
            operator: Operator::authenticated(),
            pipeline,
            address,
            _serving: serving,
            place,
        }
    }

    /// A client with a new access key.
    pub(super) async fn client(&self, scope: Scope) -> Client {
        let World {
            tenancy, operator, ..
        } = &self.world;
        let draft = tenancy.draft_access_key(operator, self.org, scope);
        let key = tenancy.create_access_key(operator, draft).await.unwrap();
        self.world.client(&key)
    }

    pub(super) async fn send(
        &self,
        client: &Client,
        method: &'static str,
        target: &'static str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        self.exchange("localhost", client, method, target, body.into())
            .await
    }

    pub(super) async fn send_to(
        &self,
        host: &str,
        client: &Client,
        method: &'static str,
        target: &'static str,
    ) -> Answer {
        self.exchange(host, client, method, target, Vec::new())
            .await
    }

    async fn exchange(
        &self,
        host: &str,
        client: &Client,
        method: &'static str,
        target: &'static str,
        body: Vec<u8>,
    ) -> Answer {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let sent = client.sign(Sent::new(method, path, query, host), UNSIGNED);
        let url = format!("http://{}{target}", self.address);
        let mut request = reqwest::Client::new()
            .request(method.parse().unwrap(), url)
            .header("content-md5", STANDARD.encode(Md5::digest(&body)))
            .body(body);
        for (name, value) in &sent.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            request_id: response.headers()["x-amz-request-id"]
                .to_str()
                .unwrap()
                .to_owned(),
            body: response.text().await.unwrap(),
        }
    }

    /// Sends a GET and leaves its answer to be read.
    pub(super) async fn send_head(&self, client: &Client, path: &'static str) -> TcpStream {
        let sent = client.sign(Sent::new("GET", path, "", "localhost"), UNSIGNED);
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let fields: String = sent
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let head = format!("GET {path} HTTP/1.1\r\n{fields}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    /// Waits until an operation has been answered for the first time.
    pub(super) async fn answered(&self, operation: &str) {
        let line = format!("bulkhead_requests_total{{operation=\"{operation}\"");
        while !self.metrics.encode().unwrap().contains(&line) {
            tokio::task::yield_now().await;
        }
    }

    /// What is written in the organization's log.
    pub(super) async fn log(&self) -> Vec<Entry> {
        let permit = read_activity_as_operator(&self.operator, self.org);
        let mut entries = Vec::new();
        AuditReader::new(&self.catalog, Arc::clone(&self.keyring), permit)
            .walk(&BTreeMap::new(), |logged| {
                entries.push(logged.entry.clone())
            })
            .await
            .unwrap();
        entries
    }
}

/// Who has signed a request, as the S3 door finds out.
pub(super) async fn signed(authn: &Authn, head: &Head) -> Result<(Caller, Signed), S3Error> {
    let fields = head.fields();
    let request = wire::sigv4::Request {
        method: head.method().as_str(),
        path: head.path(),
        query: head.query(),
        headers: &fields,
    };
    Ok(authn.sigv4(&request, "s3").await?)
}

pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
