//! The pipeline with all its real parts, behind a real listener and the S3 door.

mod intents;

use std::collections::BTreeMap;
use std::future::ready;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use http::{Request, StatusCode};
use md5::{Digest, Md5};
use names::{NodeId, OrgId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::{Call, Deed, Door, Head, Intent, Pipeline, Read, Refused};
use crate::audit::{ActorKind, Audit, AuditReader, Entry, Outcome, ShownCredential};
use crate::authn::Authn;
use crate::authz::{Caller, Operator, Scope, read_activity_as_operator, read_usage_as_operator};
use crate::blobs::{Blobs, FaultyBlobs, ObjectBlobs};
use crate::catalog::{Catalog, PlatformCatalog, doors};
use crate::config;
use crate::drive::{Drive, DriveSettings};
use crate::http::net::{Listener, Peer, RequestBody, Stop};
use crate::http::s3::{S3, S3Error};
use crate::keyring::Keyring;
use crate::metering::Metering;
use crate::ops::fixture::{Client, Place, Sent, World};
use crate::telemetry::Metrics;

#[tokio::test]
async fn a_refusal_is_in_the_log_before_its_answer() {
    let house = House::open().await;
    let reader = house.client(Scope::ReadOnly).await;
    let answer = house.send(&reader, "PUT", "/docs/secret", "").await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("<Code>AccessDenied</Code>"));
    // Nobody has written a batch.
    let log = house.log().await;
    let entry = log.iter().find(|entry| entry.action == "s3:PutObject");
    let entry = entry.expect("the refusal is recorded");
    assert_eq!(entry.resource, "docs/secret");
    assert_eq!(entry.request_id, answer.request_id);
    assert_eq!(entry.actor, reader.id);
    assert_eq!(entry.source, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    let Outcome::Refused { reason } = &entry.outcome else {
        panic!("refused: {entry:?}");
    };
    assert_eq!(reason, "the access key is read-only");
    assert_eq!(entry.rule, None);
    assert_eq!(entry.operation.as_deref(), Some("PutObject"));
    assert_eq!(entry.kind, Some(ActorKind::Organization));
    assert_eq!(entry.credential, Some(ShownCredential::AccessKey));
    assert!(entry.principal.is_some());
}

#[tokio::test]
async fn what_is_done_is_noted_and_metered_with_its_bytes() {
    let house = House::open().await;
    let client = house.client(Scope::Full).await;
    let body = vec![7; 100_000];
    let put = house.send(&client, "PUT", "/docs/a", body.clone()).await;
    let get = house.send(&client, "GET", "/docs/a", "").await;
    assert_eq!((put.status, get.status), (200, 200));
    assert_eq!(get.body.len(), body.len());
    assert_eq!(house.send(&client, "HEAD", "/docs/a", "").await.status, 200);
    assert_eq!(house.send(&client, "GET", "/docs/b", "").await.status, 404);
    assert_eq!(
        house.send(&client, "GET", "/docs?acl=", "").await.status,
        501
    );
    assert_eq!(house.log().await, []);

    house.audit.run(ready(())).await;
    let seen: Vec<_> = house
        .log()
        .await
        .into_iter()
        .map(|entry| {
            let Outcome::Allowed { status } = entry.outcome else {
                panic!("{entry:?}");
            };
            let bytes = (entry.bytes_in, entry.bytes_out);
            (entry.action.into_owned(), entry.resource, status, bytes)
        })
        .collect();
    let expected = [
        ("s3:CreateBucket", "docs", 200, (0, 0)),
        ("s3:PutObject", "docs/a", 200, (100_000, 0)),
        ("s3:GetObject", "docs/a", 200, (0, 100_000)),
        ("s3:GetObject", "docs/a", 200, (0, 0)),
        ("s3:GetObject", "docs/b", 404, (0, 0)),
        ("s3:GetBucketAcl", "docs", 501, (0, 0)),
    ];
    let expected = expected.map(|(action, resource, status, bytes)| {
        (action.to_owned(), resource.to_owned(), status, bytes)
    });
    assert_eq!(seen, expected);

    house.metering.run(ready(())).await;
    let permit = read_usage_as_operator(&house.operator, house.org);
    let usage = house
        .metering
        .usage(permit, 0, u64::MAX >> 1)
        .await
        .unwrap();
    let [hour] = &usage[..] else {
        panic!("one hour: {usage:?}");
    };
    // What is not built is answered as a mistake of ours would be, and costs nothing.
    assert_eq!(
        (hour.requests, hour.ingress_bytes, hour.egress_bytes),
        (5, 100_000, 100_000)
    );
}

#[tokio::test]
async fn each_of_many_deletions_has_its_line() {
    let house = House::open().await;
    let client = house.client(Scope::Full).await;
    house.send(&client, "PUT", "/docs/a", "a").await;
    let body = "<Delete><Object><Key>a</Key></Object><Object><Key>b</Key>\
                <VersionId>v</VersionId></Object></Delete>";
    let answer = house.send(&client, "POST", "/docs?delete=", body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("<Deleted><Key>a</Key></Deleted>"));
    assert!(
        answer
            .body
            .contains("<Code>NotImplemented</Code><Key>b</Key>")
    );
    house.audit.run(ready(())).await;
    let lines: Vec<_> = house
        .log()
        .await
        .into_iter()
        .filter(|entry| entry.action == "s3:DeleteObject")
        .inspect(|entry| assert_eq!(entry.rule.as_deref(), Some("organization"), "{entry:?}"))
        .map(|entry| (entry.resource, entry.outcome, entry.request_id))
        .collect();
    let line = |resource: &str, status| {
        let outcome = Outcome::Allowed { status };
        (resource.to_owned(), outcome, answer.request_id.clone())
    };
    assert_eq!(
        lines,
        [line("docs/a", 204), line("docs/b", 501), line("docs", 200)]
    );
}

#[tokio::test]
async fn a_read_that_is_broken_off_is_recorded_as_far_as_it_got() {
    let house = House::open().await;
    let client = house.client(Scope::Full).await;
    let length = 32 << 20;
    house
        .send(&client, "PUT", "/docs/large", vec![7; length])
        .await;
    let mut stream = house.send_head(&client, "/docs/large").await;
    let mut some = [0; 4096];
    stream.read_exact(&mut some).await.unwrap();
    assert!(some.starts_with(b"HTTP/1.1 200 OK\r\n"));
    drop(stream);
    house.answered("GetObject").await;

    house.audit.run(ready(())).await;
    let log = house.log().await;
    let entry = log.iter().find(|entry| entry.action == "s3:GetObject");
    let delivered = entry.expect("the read is recorded").bytes_out;
    assert!((1..length as u64).contains(&delivered), "{delivered}");
}

/// Does what it is asked, and takes for ever.
struct Slow(Notify);

impl Door for Slow {
    type Asked = ();
    type Proof = <S3 as Door>::Proof;
    type Error = S3Error;

    async fn authenticate(
        &self,
        authn: &Authn,
        head: &Head,
        _: &mut RequestBody,
    ) -> Result<(Caller, Self::Proof), S3Error> {
        let fields = head.fields();
        let request = wire::sigv4::Request {
            method: head.method().as_str(),
            path: head.path(),
            query: head.query(),
            headers: &fields,
        };
        Ok(authn.sigv4(&request, "s3").await?)
    }

    fn read(&self, _: &Head, _: &Self::Proof) -> Result<Read<()>, S3Error> {
        Ok(Read {
            organization: None,
            deed: Deed {
                operation: "Slow",
                action: "s3:DeleteObject",
                resource: "docs/a".to_owned(),
                intent: Intent::None,
            },
            asked: (),
        })
    }

    async fn perform(
        &self,
        _: &Call,
        _: Self::Proof,
        (): (),
        _: Head,
        _: RequestBody,
    ) -> Result<super::Answer, S3Error> {
        self.0.notify_one();
        std::future::pending().await
    }

    fn refuse(&self, _: &Refused<'_>, error: &S3Error) -> super::Answer {
        panic!("nobody is left to be answered: {error:?}");
    }
}

#[tokio::test]
async fn whoever_breaks_off_after_a_deletion_leaves_a_trace() {
    let door = Arc::new(Slow(Notify::new()));
    let house = House::serve(|_| Arc::clone(&door)).await;
    let client = house.client(Scope::Full).await;
    let stream = TcpStream::connect(house.address).await.unwrap();
    let (mut send, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let sent = client.sign(Sent::new("DELETE", "/docs/a", "", "localhost"), UNSIGNED);
    let mut request = Request::delete("http://localhost/docs/a");
    for (name, value) in sent.headers.iter().filter(|(name, _)| name != "host") {
        request = request.header(name, value);
    }
    let request = request.body(()).unwrap();
    let (answer, mut stream) = send.send_request(request, true).unwrap();
    door.0.notified().await;
    stream.send_reset(h2::Reason::CANCEL);
    drop(answer);
    house.answered("Slow").await;

    house.audit.run(ready(())).await;
    let [entry] = &house.log().await[..] else {
        panic!("one entry: {:?}", house.log().await);
    };
    assert_eq!(entry.action, "s3:DeleteObject");
    assert_eq!(entry.outcome, Outcome::Allowed { status: 499 });
}

#[tokio::test]
async fn damage_breaks_the_answer_off_and_is_in_the_log() {
    let house = House::open().await;
    let client = house.client(Scope::Full).await;
    house
        .send(&client, "PUT", "/docs/large", vec![7; 2 << 20])
        .await;
    let blobs: Vec<_> = house.blobs.list(house.org).collect().await;
    for blob in blobs {
        house.blobs.damage(blob.unwrap().blob, 1 << 20);
    }
    let mut stream = house.send_head(&client, "/docs/large").await;
    let mut answer = Vec::new();
    // The connection ends before the length that was announced.
    let _reset = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(answer.len() < 2 << 20, "{}", answer.len());
    house.answered("GetObject").await;
    // Nobody has written a batch.
    let log = house.log().await;
    let mut damage = log
        .iter()
        .filter(|entry| matches!(entry.outcome, Outcome::Damaged { .. }));
    let resource = damage.next().map(|entry| entry.resource.as_str());
    assert_eq!(resource, Some("docs/large"), "{log:?}");
}

#[tokio::test]
async fn nothing_is_answered_that_cannot_be_recorded() {
    let house = House::open().await;
    let client = house.client(Scope::Full).await;
    let length = 32 << 20;
    house
        .send(&client, "PUT", "/docs/large", vec![7; length])
        .await;
    house.send(&client, "PUT", "/docs/small", "small").await;
    // A read that has begun when the log stops taking anything is not brought to its end.
    let mut stream = house.send_head(&client, "/docs/large").await;
    let mut answer = vec![0; 4096];
    stream.read_exact(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    house.audit.run(ready(())).await;
    let _reset = stream.read_to_end(&mut answer).await;
    assert!(answer.len() < length, "{}", answer.len());

    let written = house.blobs.calls().written;
    for (method, path, body) in [
        ("PUT", "/docs/new", vec![7; 1 << 20]),
        ("HEAD", "/docs/small", Vec::new()),
        ("GET", "/docs/small", Vec::new()),
        ("GET", "/docs", Vec::new()),
    ] {
        let answer = house.send(&client, method, path, body).await;
        assert_eq!(answer.status, 503, "{method} {path}");
    }
    assert_eq!(
        house.blobs.calls().written,
        written,
        "nothing is done, either"
    );
}

#[tokio::test]
async fn strangers_are_in_the_platforms_log_alone() {
    let house = House::open().await;
    let client = house.client(Scope::Full).await;
    let wrong = Client {
        secret: "wrong".to_owned(),
        ..client.clone()
    };
    let unknown = Client {
        id: "BKNOBODYKNOWSTHISKEY".to_owned(),
        ..client.clone()
    };
    for (stranger, code) in [
        (&wrong, "SignatureDoesNotMatch"),
        (&unknown, "InvalidAccessKeyId"),
    ] {
        let answer = house.send(stranger, "GET", "/docs/a", "").await;
        assert_eq!(answer.status, 403);
        assert!(answer.body.contains(code), "{}", answer.body);
    }
    let anonymous = reqwest::get(format!("http://{}/docs/a", house.address));
    assert_eq!(anonymous.await.unwrap().status(), 403);
    house.audit.run(ready(())).await;
    let [made] = &house.log().await[..] else {
        panic!("the bucket alone: {:?}", house.log().await);
    };
    assert_eq!(made.action, "s3:CreateBucket");

    let mut seen = Vec::new();
    AuditReader::platform(
        &house.operator,
        house.platform.clone(),
        Arc::clone(&house.keyring),
    )
    .walk(&BTreeMap::new(), |logged| {
        if let Outcome::Stated { reason } = &logged.entry.outcome {
            seen.push((reason.clone(), logged.entry.source));
        }
    })
    .await
    .unwrap();
    let source = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    for what in ["not signed", "does not match", "not known"] {
        assert!(
            seen.iter()
                .any(|(text, from)| text.contains(what) && *from == source),
            "{what}: {seen:?}"
        );
    }
    assert!(!format!("{seen:?}").contains(&client.id));
}

#[tokio::test]
async fn the_host_of_another_organization_knows_no_key() {
    let house = House::open().await;
    house.world.organization("other").await;
    let client = house.client(Scope::Full).await;
    house.send(&client, "PUT", "/docs/a", "mine").await;
    for (host, status) in [
        ("docs.home.s3.test", 200),
        ("DOCS.home.s3.test:9000", 200),
        ("docs.other.s3.test", 403),
        ("docs.nobody.s3.test", 403),
        ("home.s3.test", 400),
    ] {
        let answer = house.send_to(host, &client, "GET", "/a").await;
        assert_eq!(answer.status, status, "{host}: {}", answer.body);
        let is_unknown = answer.body.contains("<Code>InvalidAccessKeyId</Code>");
        assert_eq!(is_unknown, status == 403, "{host}: {}", answer.body);
    }
}

/// A server with one organization, which has a bucket, `docs`.
struct House {
    world: World,
    org: OrgId,
    catalog: Catalog,
    platform: PlatformCatalog,
    keyring: Arc<Keyring>,
    audit: Arc<Audit>,
    metering: Arc<Metering>,
    metrics: Metrics,
    blobs: Arc<FaultyBlobs>,
    operator: Operator,
    pipeline: Arc<Pipeline>,
    address: SocketAddr,
    _serving: JoinHandle<()>,
    place: Place,
}

struct Answer {
    status: u16,
    request_id: String,
    body: String,
}

impl House {
    async fn open() -> Self {
        let api = config::Api {
            domain: Some("s3.test".to_owned()),
            ..config::Api::default()
        };
        let house = Self::serve(|drive| Arc::new(S3::new(drive, &api))).await;
        let client = house.client(Scope::Full).await;
        assert_eq!(house.send(&client, "PUT", "/docs", "").await.status, 200);
        house
    }

    async fn serve<D: Door>(door: impl FnOnce(Arc<Drive>) -> Arc<D>) -> Self {
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
    async fn client(&self, scope: Scope) -> Client {
        let World {
            tenancy, operator, ..
        } = &self.world;
        let draft = tenancy.draft_access_key(operator, self.org, scope);
        let key = tenancy.create_access_key(operator, draft).await.unwrap();
        self.world.client(&key)
    }

    async fn send(
        &self,
        client: &Client,
        method: &'static str,
        target: &'static str,
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        self.exchange("localhost", client, method, target, body.into())
            .await
    }

    async fn send_to(
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
    async fn send_head(&self, client: &Client, path: &'static str) -> TcpStream {
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
    async fn answered(&self, operation: &str) {
        let line = format!("bulkhead_requests_total{{operation=\"{operation}\"");
        while !self.metrics.encode().unwrap().contains(&line) {
            tokio::task::yield_now().await;
        }
    }

    /// What is written in the organization's log.
    async fn log(&self) -> Vec<Entry> {
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

const UNSIGNED: &str = "UNSIGNED-PAYLOAD";
