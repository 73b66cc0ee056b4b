//! A server with this door, and clients with access keys for it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::HeaderMap;
use names::{Glob, OrgId};
use serde_json::{Value as Json, json};
use tokio::task::JoinHandle;

use crate::audit::{Audit, AuditReader, Entry, Outcome};
use crate::authn::Authn;
use crate::authz::{Scope, read_activity_as_operator};
use crate::catalog::{Catalog, doors};
use crate::config;
use crate::http::net::{Listener, Peer, Stop};
use crate::http::pipeline::Pipeline;
use crate::http::secrets_manager::SecretsManager;
use crate::keyring::Keyring;
use crate::metering::Metering;
use crate::ops::fixture::{Client, Place, Sent, World};
use crate::telemetry::Metrics;
use crate::vault::Vault;

pub(super) struct House {
    pub(super) world: World,
    pub(super) audit: Arc<Audit>,
    pub(super) place: Place,
    pub(super) address: SocketAddr,
    catalog: Catalog,
    keyring: Arc<Keyring>,
    _serving: JoinHandle<()>,
}

/// An organization, and who holds a key of it.
pub(super) struct Tenant {
    pub(super) org: OrgId,
    pub(super) client: Client,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl House {
    pub(super) async fn open() -> Self {
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let place = Place::new();
        let world = place.start().await;
        let (clock, entropy) = (world.clock.clone(), world.entropy.clone());
        let (catalog, platform, _) = doors(Arc::clone(&world.store));
        let keyring = Arc::clone(&world.keyring);
        let node = names::NodeId::from_bytes(entropy.uuid_v7(clock.now_ms()));
        let audit = Arc::new(Audit::new(
            node,
            catalog.clone(),
            platform.clone(),
            Arc::clone(&keyring),
            &config::Audit::default(),
            clock.clone(),
        ));
        let settings = config::Api::default();
        let authn = Authn::new(
            platform,
            Arc::clone(&keyring),
            settings.region.clone(),
            clock.clone(),
            entropy.clone(),
        );
        let pipeline = Arc::new(Pipeline::new(
            node,
            authn,
            Arc::clone(&world.tenancy),
            Arc::clone(&audit),
            Arc::new(Metering::new(catalog.clone(), clock.clone())),
            Metrics::new(),
            clock.clone(),
            entropy.clone(),
        ));
        let vault = Vault::new(catalog.clone(), Arc::clone(&keyring), clock, entropy);
        let door = Arc::new(SecretsManager::new(Arc::new(vault), &settings));
        let any_port = (Ipv4Addr::LOCALHOST, 0).into();
        let listener = Listener::bind("api", any_port, None).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let net = config::Net::default();
            let answer = move |request, peer: Arc<Peer>| {
                let (pipeline, door) = (Arc::clone(&pipeline), Arc::clone(&door));
                async move { pipeline.answer(&*door, request, &peer).await }
            };
            listener.serve(&net, Stop::new(), answer).await;
        });
        Self {
            world,
            audit,
            place,
            address,
            catalog,
            keyring,
            _serving: serving,
        }
    }

    /// A new organization with a key that may do everything in it.
    pub(super) async fn tenant(&self, slug: &str) -> Tenant {
        let org = self.world.organization(slug).await.org;
        Tenant {
            org,
            client: self.client(org, Scope::Full).await,
        }
    }

    /// A client with a new key.
    pub(super) async fn client(&self, org: OrgId, scope: Scope) -> Client {
        let World {
            tenancy, operator, ..
        } = &self.world;
        let draft = tenancy.draft_access_key(operator, org, scope);
        let key = tenancy.create_access_key(operator, draft).await.unwrap();
        Client {
            service: "secretsmanager".to_owned(),
            ..self.world.client(&key)
        }
    }

    /// Asks, and expects that it is done.
    pub(super) async fn ask(&self, client: &Client, operation: &str, body: Json) -> Json {
        let answer = self.send(client, operation, &body).await;
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text);
        match answer.text.as_str() {
            "" => Json::Null,
            text => serde_json::from_str(text).unwrap(),
        }
    }

    /// Asks, and expects a refusal with status 400: returns its code.
    pub(super) async fn refused(&self, client: &Client, operation: &str, body: Json) -> String {
        let answer = self.send(client, operation, &body).await;
        assert_eq!(answer.status, 400, "{operation}: {}", answer.text);
        answer.code()
    }

    pub(super) async fn send(&self, client: &Client, operation: &str, body: &Json) -> Answer {
        let target = format!("secretsmanager.{operation}");
        let body = body.to_string();
        let sent = client.sign_over(request(&target), body.as_bytes());
        self.exchange(&sent, body.into_bytes()).await
    }

    /// Sends what was signed, with whatever body.
    pub(super) async fn exchange(&self, sent: &Sent, body: Vec<u8>) -> Answer {
        let url = format!("http://{}{}", self.address, sent.path);
        let mut request = reqwest::Client::new()
            .request(sent.method.parse().unwrap(), url)
            .body(body);
        for (name, value) in &sent.headers {
            request = request.header(name, value);
        }
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.unwrap(),
        }
    }

    /// Makes a secret and returns its ARN.
    pub(super) async fn create(&self, tenant: &Tenant, name: &str, value: &str) -> String {
        let body = json!({"Name": name, "SecretString": value});
        let made = self.ask(&tenant.client, "CreateSecret", body).await;
        made["ARN"].as_str().unwrap().to_owned()
    }

    /// What is written in an organization's log.
    pub(super) async fn log(&self, org: OrgId) -> Vec<Entry> {
        let permit = read_activity_as_operator(&self.world.operator, org);
        let mut entries = Vec::new();
        AuditReader::new(&self.catalog, Arc::clone(&self.keyring), permit)
            .walk(&BTreeMap::new(), |logged| {
                entries.push(logged.entry.clone())
            })
            .await
            .unwrap();
        entries
    }

    /// What is written of one action: to what it was done, and what became of it.
    pub(super) async fn logged(&self, org: OrgId, action: &str) -> Vec<(String, Outcome)> {
        let entries = self.log(org).await.into_iter();
        entries
            .filter(|entry| entry.action == action)
            .map(|entry| (entry.resource, entry.outcome))
            .collect()
    }

    /// From now on nothing can be written into any log.
    pub(super) fn break_log(&self) {
        rusqlite::Connection::open(self.place.catalog_path())
            .unwrap()
            .execute_batch(
                "CREATE TRIGGER broken BEFORE INSERT ON audit_segments
                 BEGIN SELECT RAISE(ABORT, 'broken'); END",
            )
            .unwrap();
    }
}

impl Answer {
    pub(super) fn json(&self) -> Json {
        serde_json::from_str(&self.text).unwrap()
    }

    /// The code of an error, which has to come with a message.
    pub(super) fn code(&self) -> String {
        let body = self.json();
        assert!(body["Message"].is_string(), "{body}");
        body["__type"].as_str().unwrap().to_owned()
    }

    /// As another request of another moment would be answered, too.
    pub(super) fn anonymous(mut self) -> Self {
        for name in ["date", "x-amz-request-id", "x-amzn-requestid"] {
            assert!(self.headers.remove(name).is_some(), "{name}");
        }
        self
    }
}

/// A request for an operation that is not signed yet.
pub(super) fn request(target: &str) -> Sent {
    let mut sent = Sent::new("POST", "/", "", "localhost");
    for (name, value) in [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", target),
    ] {
        sent.headers.push((name.to_owned(), value.to_owned()));
    }
    sent
}

pub(super) fn globs(texts: &[&str]) -> Vec<Glob> {
    texts
        .iter()
        .map(|text| Glob::parse(text).unwrap())
        .collect()
}
