//! A server with this door, and people and agents with tokens for it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use http::{HeaderMap, Method, Response};
use names::{Effect, Glob, OrgId, Policy, PrincipalId, Statement};
use serde_json::Value as Json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::audit::{Audit, AuditReader, Entry};
use crate::authn::Authn;
use crate::authz::{
    Action, Caller, CreateOwnCredential, InOrganization, ManageAgents, ManageCredentials,
    ManageGrants, Narrowing, OfSubject, Permit, SubjectKind, authorize, read_activity_as_operator,
};
use crate::catalog::{Catalog, doors};
use crate::config;
use crate::http::kv::Kv;
use crate::http::net::{Listener, Peer, Stop};
use crate::http::pipeline::{Body, Pipeline};
use crate::metering::Metering;
use crate::ops::fixture::{Place, World};
use crate::telemetry::Metrics;
use crate::tenancy::{
    AgentProfile, CredentialRequest, Email, GrantSubject, GrantTerms, Label, NewAccount,
    NewCredentialKind, Password, Shown,
};
use crate::vault::Vault;

pub(super) struct House {
    pub(super) world: World,
    pub(super) vault: Arc<Vault>,
    pub(super) audit: Arc<Audit>,
    pub(super) place: Place,
    pub(super) address: SocketAddr,
    catalog: Catalog,
    _serving: JoinHandle<()>,
}

/// Somebody with a token.
pub(super) struct Holder {
    pub(super) org: OrgId,
    pub(super) slug: String,
    pub(super) token: String,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Json,
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
        let authn = Authn::new(
            platform,
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
            Arc::new(Metering::new(catalog.clone(), clock.clone())),
            Metrics::new(),
            clock.clone(),
            entropy.clone(),
        ));
        let vault = Arc::new(Vault::new(catalog.clone(), keyring, clock.clone(), entropy));
        let kv = Arc::new(Kv::new(
            Arc::clone(&vault),
            Arc::clone(&world.tenancy),
            clock,
        ));
        let any_port = (Ipv4Addr::LOCALHOST, 0).into();
        let listener = Listener::bind("control", any_port, None).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let net = config::Net::default();
            let answer = move |request, peer: Arc<Peer>| {
                let (pipeline, kv) = (Arc::clone(&pipeline), Arc::clone(&kv));
                async move {
                    let answered: Result<Response<Body>, _> =
                        kv.answer(&pipeline, request, &peer).await;
                    answered.unwrap_or_else(|_| panic!("a path of ours"))
                }
            };
            listener.serve(&net, Stop::new(), answer).await;
        });
        Self {
            world,
            vault,
            audit,
            place,
            address,
            catalog,
            _serving: serving,
        }
    }

    /// Somebody who owns an organization, with a session.
    pub(super) async fn owner(&self, name: &str) -> Holder {
        let World {
            tenancy, operator, ..
        } = &self.world;
        let email = Email::parse(&format!("{name}@example.com")).unwrap();
        let password = "correct horse battery";
        let wish = NewAccount {
            email: email.clone(),
            name: Label::parse(name).unwrap(),
            password: Password::choose(password.to_owned().into()).unwrap(),
        };
        tenancy.create_account(operator, wish).await.unwrap();
        let shown = Password::present(password.to_owned().into());
        let session = tenancy.log_in(&email, shown, None).await.unwrap();
        Holder {
            org: session.org,
            slug: session.slug.unwrap().to_string(),
            token: session.token.to_string(),
        }
    }

    /// A token of a new agent of the owner's organization, which was granted `actions` on
    /// `resources`, with its identifier.
    pub(super) async fn agent(
        &self,
        owner: &Holder,
        actions: &[&str],
        resources: &[&str],
    ) -> (PrincipalId, Holder) {
        let tenancy = &self.world.tenancy;
        let permit = self.permit::<ManageAgents>(owner, OfSubject::all(SubjectKind::Agent));
        let profile = AgentProfile {
            name: Label::parse("agent").unwrap(),
            department: None,
            project: None,
            settings: BTreeMap::new(),
        };
        let agent = tenancy.create_agent(permit.await, profile).await;
        let agent = agent.unwrap().id;
        let terms = GrantTerms {
            subject: GrantSubject::Agent(agent),
            actions: globs(actions),
            resources: globs(resources),
            expires_ms: None,
            note: None,
        };
        let permit = self.permit::<ManageGrants>(owner, OfSubject::all(SubjectKind::Grant));
        tenancy.grant(permit.await, terms).await.unwrap();
        let one = OfSubject::one(SubjectKind::Agent, agent.to_string());
        let permit = self.permit::<ManageCredentials>(owner, one);
        let made = tenancy
            .create_agent_credential(permit.await, request(Narrowing::NONE, None))
            .await
            .unwrap();
        (agent, owner.with_token(&made.shown))
    }

    /// A token of the same principal that is limited by a policy of these statements.
    pub(super) async fn narrowed(
        &self,
        holder: &Holder,
        statements: &[(Effect, &str, &str)],
    ) -> Holder {
        let statements = statements.iter();
        let statements = statements.map(|(effect, action, resource)| Statement {
            effect: *effect,
            actions: globs(&[action]),
            resources: globs(&[resource]),
            prefixes: None,
        });
        let narrowing = Narrowing {
            policies: vec![Policy {
                statements: statements.collect(),
            }],
            ..Narrowing::NONE
        };
        self.own_token(holder, request(narrowing, None)).await
    }

    /// A token of the same principal that lasts so long.
    pub(super) async fn lasting(&self, holder: &Holder, ms: u64) -> Holder {
        let end = self.world.clock.now_ms() + ms;
        self.own_token(holder, request(Narrowing::NONE, Some(end)))
            .await
    }

    async fn own_token(&self, holder: &Holder, request: CredentialRequest) -> Holder {
        let permit = self.permit::<CreateOwnCredential>(holder, InOrganization);
        let (permit, caller) = (permit.await, self.caller(&holder.token).await);
        let made = self
            .world
            .tenancy
            .create_own_credential(permit, &caller, request)
            .await
            .unwrap();
        holder.with_token(&made.shown)
    }

    pub(super) async fn permit<A: Action>(
        &self,
        holder: &Holder,
        resource: A::Resource,
    ) -> Permit<A> {
        let caller = self.caller(&holder.token).await;
        let rights = self.world.tenancy.rights(&caller).await.unwrap();
        let standing = self.world.tenancy.standing(&caller).await.unwrap();
        authorize(&caller, &rights, standing, resource).unwrap()
    }

    pub(super) async fn caller(&self, token: &str) -> Caller {
        self.world.authn.bearer(token).await.unwrap()
    }

    pub(super) async fn get(&self, holder: &Holder, path: &str) -> Answer {
        self.ask(holder, "GET", path, "").await
    }

    pub(super) async fn post(&self, holder: &Holder, path: &str, body: &str) -> Answer {
        self.ask(holder, "POST", path, body).await
    }

    pub(super) async fn list(&self, holder: &Holder, path: &str) -> Answer {
        self.ask(holder, "LIST", path, "").await
    }

    pub(super) async fn patch(&self, holder: &Holder, path: &str, body: &str) -> Answer {
        let kind = ("content-type", "application/merge-patch+json");
        self.send(
            "PATCH",
            path,
            &[("x-vault-token", &holder.token), kind],
            body,
        )
        .await
    }

    pub(super) async fn ask(
        &self,
        holder: &Holder,
        method: &str,
        path: &str,
        body: &str,
    ) -> Answer {
        let field = ("x-vault-token", holder.token.as_str());
        self.send(method, path, &[field], body).await
    }

    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = reqwest::Client::new()
            .request(method, format!("http://{}/v1/{path}", self.address))
            .body(body.to_owned());
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Answer::of(status, headers, &answer.bytes().await.unwrap())
    }

    /// Sends a path that no well-behaved client lets through, and returns the status and the body.
    pub(super) async fn raw(&self, holder: &Holder, method: &str, target: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let token = &holder.token;
        let head = format!(
            "{method} {target} HTTP/1.1\r\nhost: localhost\r\nx-vault-token: {token}\r\n\
             content-length: 0\r\nconnection: close\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        (status, body)
    }

    /// What is written in an organization's log.
    pub(super) async fn log(&self, org: OrgId) -> Vec<Entry> {
        let permit = read_activity_as_operator(&self.world.operator, org);
        let mut entries = Vec::new();
        AuditReader::new(&self.catalog, Arc::clone(&self.world.keyring), permit)
            .walk(&BTreeMap::new(), |logged| {
                entries.push(logged.entry.clone());
            })
            .await
            .unwrap();
        entries
    }
}

impl Holder {
    fn with_token(&self, shown: &Shown) -> Self {
        let Shown::Bearer(token) = shown else {
            panic!("a bearer token");
        };
        Self {
            org: self.org,
            slug: self.slug.clone(),
            token: token.to_string(),
        }
    }
}

impl Answer {
    fn of(status: u16, headers: HeaderMap, body: &[u8]) -> Self {
        assert_eq!(headers["cache-control"], "no-store");
        let body = match body {
            [] => Json::Null,
            body => {
                assert_eq!(headers["content-type"], "application/json");
                serde_json::from_slice(body).unwrap()
            }
        };
        Self {
            status,
            headers,
            body,
        }
    }

    /// Makes sure of the status, and gives the data.
    #[track_caller]
    pub(super) fn data(self, status: u16) -> Json {
        assert_eq!(self.status, status, "{}", self.body);
        self.body["data"].clone()
    }

    /// Makes sure that it says nothing but this error.
    #[track_caller]
    pub(super) fn fails(self, status: u16, text: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.body, serde_json::json!({ "errors": [text] }));
    }

    /// Makes sure that it says that nothing is there.
    #[track_caller]
    pub(super) fn missing(self) {
        assert_eq!(self.status, 404, "{}", self.body);
        assert_eq!(self.body, serde_json::json!({ "errors": [] }));
    }

    #[track_caller]
    pub(super) fn done(self) {
        assert_eq!((self.status, self.body), (204, Json::Null));
    }
}

fn request(narrowing: Narrowing, expires_ms: Option<u64>) -> CredentialRequest {
    CredentialRequest {
        kind: NewCredentialKind::ApiToken,
        narrowing,
        expires_ms,
        label: None,
    }
}

fn globs(texts: &[&str]) -> Vec<Glob> {
    texts
        .iter()
        .map(|text| Glob::parse(text).unwrap())
        .collect()
}
