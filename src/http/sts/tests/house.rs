//! A server of S3 and STS with organizations, people and agents in it.

use std::collections::BTreeMap;
use std::future::ready;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use names::{Glob, NodeId, OrgId, PrincipalId, Slug};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;

use crate::audit::{Audit, AuditReader, Entry};
use crate::authn::{Authn, OpenId, Provider};
use crate::authz::{
    Action, Caller, InOrganization, ManageAgents, ManageGrants, ManagePeople, Narrowing, OfSubject,
    Operator, Permit, Role, Scope, SubjectKind, authorize, read_activity_as_operator,
};
use crate::blobs::{Blobs, ObjectBlobs};
use crate::catalog::{Catalog, doors};
use crate::config;
use crate::drive::{Drive, DriveSettings};
use crate::http::net::{Listener, Peer, Stop};
use crate::http::pipeline::Pipeline;
use crate::http::s3::S3;
use crate::http::sts::Sts;
use crate::metering::Metering;
use crate::ops::fixture::{Client, Place, Sent, World};
use crate::telemetry::Metrics;
use crate::tenancy::{
    AgentProfile, CredentialRequest, Email, GrantSubject, GrantTerms, Label, NewAccount,
    NewCredentialKind, Ownership, Password, Shown, SignedIn,
};

pub(super) struct House {
    pub(super) place: Place,
    pub(super) world: World,
    pub(super) provider: Provider,
    catalog: Catalog,
    audit: Arc<Audit>,
    operator: Operator,
    address: SocketAddr,
    _serving: JoinHandle<()>,
}

/// What was answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
}

impl Answer {
    /// What stands in an element.
    pub(super) fn element(&self, name: &str) -> &str {
        let begin = self.body.split_once(&format!("<{name}>"));
        let found = begin.and_then(|(_, rest)| rest.split_once('<'));
        found.unwrap_or_else(|| panic!("<{name}> in {self:?}")).0
    }

    /// Status and code of an error.
    pub(super) fn error(&self) -> (u16, &str) {
        (self.status, self.element("Code"))
    }

    /// The whole of it but for what names the request.
    pub(super) fn without_request(&self) -> (u16, String) {
        let id = self.element("RequestId");
        (self.status, self.body.replace(id, "{request}"))
    }
}

/// Somebody who works in an organization.
pub(super) struct Person {
    pub(super) caller: Caller,
    pub(super) client: Client,
    signed_in: SignedIn,
    email: Email,
}

impl House {
    pub(super) async fn new() -> Self {
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let place = Place::new();
        let world = place.start().await;
        let provider = Provider::start().await;
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
        let settings = config::Drive::default();
        let drive = Drive::new(
            catalog.clone(),
            Arc::new(ObjectBlobs::memory()) as Arc<dyn Blobs>,
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
        let authn = Authn::new(
            platform,
            Arc::clone(&keyring),
            "us-east-1".to_owned(),
            clock.clone(),
            entropy.clone(),
        );
        let open_id = OpenId::new(
            vec![provider.settings()],
            keyring,
            clock.clone(),
            entropy.clone(),
        );
        let sts = Sts::new(
            Arc::clone(&world.tenancy),
            Arc::new(open_id.unwrap()),
            clock.clone(),
        );
        let pipeline = Arc::new(Pipeline::new(
            node,
            authn,
            Arc::clone(&world.tenancy),
            Arc::clone(&audit),
            Arc::new(Metering::new(catalog.clone(), clock.clone())),
            Metrics::new(),
            clock,
            entropy,
        ));
        let s3 = S3::new(Arc::new(drive), &config::Api::default());
        let (s3, sts) = (Arc::new(s3), Arc::new(sts));
        let any_port = (Ipv4Addr::LOCALHOST, 0).into();
        let listener = Listener::bind("api", any_port, None).await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let answer = move |request, peer: Arc<Peer>| {
                let pipeline = Arc::clone(&pipeline);
                let (s3, sts) = (Arc::clone(&s3), Arc::clone(&sts));
                async move {
                    if Sts::is_asked(&request) {
                        return pipeline.answer(&*sts, request, &peer).await;
                    }
                    pipeline.answer(&*s3, request, &peer).await
                }
            };
            let net = config::Net::default();
            listener.serve(&net, Stop::new(), answer).await;
        });
        Self {
            place,
            world,
            provider,
            catalog,
            audit,
            operator: Operator::authenticated(),
            address,
            _serving: serving,
        }
    }

    pub(super) fn pass(&self, seconds: u64) {
        self.place.hand.advance(Duration::from_secs(seconds));
    }

    /// An organization and a key that stands for it as a whole.
    pub(super) async fn organization(&self, slug: &str) -> (OrgId, Client) {
        let slug = Slug::parse(slug).unwrap();
        let operator = &self.operator;
        let made = self
            .world
            .tenancy
            .create_organization(operator, slug, Ownership::Provisioned)
            .await;
        let org = made.unwrap().org;
        (org, self.key(org, Scope::Full).await)
    }

    /// A new key that stands for an organization as a whole.
    pub(super) async fn key(&self, org: OrgId, scope: Scope) -> Client {
        let tenancy = &self.world.tenancy;
        let draft = tenancy.draft_access_key(&self.operator, org, scope);
        let key = tenancy.create_access_key(&self.operator, draft).await;
        self.world.client(&key.unwrap())
    }

    /// The owner of an organization of its own.
    pub(super) async fn owner(&self, name: &str) -> Person {
        let email = Email::parse(&format!("{name}@example.com")).unwrap();
        let wish = NewAccount {
            email: email.clone(),
            name: Label::parse(name).unwrap(),
            password: Password::choose(PASSWORD.to_owned().into()).unwrap(),
        };
        let tenancy = &self.world.tenancy;
        tenancy.create_account(&self.operator, wish).await.unwrap();
        let password = Password::present(PASSWORD.to_owned().into());
        let session = tenancy.log_in(&email, password, None).await.unwrap();
        self.person(email, &session.token).await
    }

    /// Somebody who has joined the organization of `by`.
    pub(super) async fn joined(&self, by: &Person, name: &str, role: Role) -> Person {
        let person = self.owner(name).await;
        let tenancy = &self.world.tenancy;
        let all = OfSubject::all(SubjectKind::Invitation);
        let permit = self.permit::<ManagePeople>(&by.caller, all).await;
        let invited = tenancy.invite(permit, &person.email, role, None).await;
        tenancy
            .accept_invitation(&person.signed_in, &invited.unwrap().token)
            .await
            .unwrap();
        let session = tenancy.switch(&person.signed_in, by.caller.org()).await;
        self.person(person.email, &session.unwrap().token).await
    }

    async fn person(&self, email: Email, token: &str) -> Person {
        let caller = self.world.authn.bearer(token).await.unwrap();
        let request = CredentialRequest {
            kind: NewCredentialKind::AccessKey,
            narrowing: Narrowing::NONE,
            expires_ms: None,
            label: None,
        };
        let permit = self.permit(&caller, InOrganization).await;
        let made = self
            .world
            .tenancy
            .create_own_credential(permit, &caller, request)
            .await
            .unwrap();
        let Shown::Secret(secret) = made.shown else {
            panic!("an access key has a secret");
        };
        let id = made.credential.id.to_string();
        Person {
            client: Client::new(&id, &secret, self.world.clock.now_ms()),
            signed_in: SignedIn::of(&caller).unwrap(),
            caller,
            email,
        }
    }

    pub(super) async fn permit<A: Action>(
        &self,
        caller: &Caller,
        resource: A::Resource,
    ) -> Permit<A> {
        let tenancy = &self.world.tenancy;
        let rights = tenancy.rights(caller).await.unwrap();
        let standing = tenancy.standing(caller).await.unwrap();
        authorize(caller, &rights, standing, resource).unwrap()
    }

    pub(super) async fn one<A: Action<Resource = OfSubject>>(
        &self,
        by: &Person,
        kind: SubjectKind,
        id: impl ToString,
    ) -> Permit<A> {
        self.permit(&by.caller, OfSubject::one(kind, id.to_string()))
            .await
    }

    /// An agent of the organization of `by`, which may read what lies in a bucket.
    pub(super) async fn agent(&self, by: &Person, name: &str, bucket: &str) -> PrincipalId {
        let tenancy = &self.world.tenancy;
        let all = OfSubject::all(SubjectKind::Agent);
        let permit = self.permit::<ManageAgents>(&by.caller, all).await;
        let profile = AgentProfile {
            name: Label::parse(name).unwrap(),
            department: None,
            project: None,
            settings: BTreeMap::new(),
        };
        let agent = tenancy.create_agent(permit, profile).await.unwrap().id;
        let all = OfSubject::all(SubjectKind::Grant);
        let permit = self.permit::<ManageGrants>(&by.caller, all).await;
        let terms = GrantTerms {
            subject: GrantSubject::Agent(agent),
            actions: vec![Glob::parse("s3:GetObject").unwrap()],
            resources: vec![Glob::parse(&format!("drive:{bucket}/*")).unwrap()],
            expires_ms: None,
            note: None,
        };
        tenancy.grant(permit, terms).await.unwrap();
        agent
    }

    /// Asks STS for something, with a signature.
    pub(super) async fn sts(&self, client: &Client, form: &str) -> Answer {
        let body = format!("{form}&Version=2011-06-15");
        let sent = self.signed(client, "sts", &body);
        self.send(sent, body).await
    }

    /// Asks for a session, and returns whoever works by it.
    pub(super) async fn session(&self, client: &Client, form: &str) -> Client {
        let answer = self.sts(client, form).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        self.shown(&answer)
    }

    /// Whoever works by what an answer shows.
    pub(super) fn shown(&self, answer: &Answer) -> Client {
        Client::new(
            answer.element("AccessKeyId"),
            answer.element("SecretAccessKey"),
            self.world.clock.now_ms(),
        )
        .with_token(answer.element("SessionToken"))
    }

    /// The head of a request that is signed for a service over its body.
    pub(super) fn signed(&self, client: &Client, service: &str, body: &str) -> Sent {
        let signer = Client {
            service: service.to_owned(),
            at_ms: self.world.clock.now_ms(),
            ..client.clone()
        };
        let hash = hex::encode(Sha256::digest(body));
        signer.sign(Sent::new("POST", "/", "", "localhost"), &hash)
    }

    /// Sends a form.
    pub(super) async fn send(&self, sent: Sent, body: String) -> Answer {
        let mut request = reqwest::Client::new()
            .request(sent.method.parse().unwrap(), self.url(&sent))
            .header(
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            )
            .body(body);
        for (name, value) in &sent.headers {
            request = request.header(name, value);
        }
        Answer::of(request).await
    }

    /// Asks STS for something without a signature.
    pub(super) async fn unsigned(&self, form: &str) -> Answer {
        let sent = Sent::new("POST", "/", "", "localhost");
        self.send(sent, format!("{form}&Version=2011-06-15")).await
    }

    /// Asks S3 for something, and returns the status, and the code of an error.
    pub(super) async fn s3(
        &self,
        client: &Client,
        method: &'static str,
        path: &'static str,
    ) -> String {
        let signer = Client {
            at_ms: self.world.clock.now_ms(),
            ..client.clone()
        };
        let sent = signer.sign(Sent::new(method, path, "", "localhost"), "UNSIGNED-PAYLOAD");
        let mut request = reqwest::Client::new()
            .request(method.parse().unwrap(), self.url(&sent))
            // A bucket is made of nothing.
            .body(match (method, path.matches('/').count()) {
                ("PUT", 2) => "text",
                _ => "",
            });
        for (name, value) in &sent.headers {
            request = request.header(name, value);
        }
        let answer = Answer::of(request).await;
        match answer.status {
            200 => "200".to_owned(),
            status => format!("{status} {}", answer.element("Code")),
        }
    }

    fn url(&self, sent: &Sent) -> String {
        format!("http://{}{}?{}", self.address, sent.path, sent.query)
    }

    /// What is written in an organization's log by now.
    pub(super) async fn log(&self, org: OrgId) -> Vec<Entry> {
        let permit = read_activity_as_operator(&self.operator, org);
        let mut entries = Vec::new();
        AuditReader::new(&self.catalog, Arc::clone(&self.world.keyring), permit)
            .walk(&BTreeMap::new(), |logged| {
                entries.push(logged.entry.clone())
            })
            .await
            .unwrap();
        entries
    }

    /// The same after everything that was noted; nobody is answered any more then.
    pub(super) async fn last_log(&self, org: OrgId) -> Vec<Entry> {
        self.audit.run(ready(())).await;
        self.log(org).await
    }
}

impl Answer {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        Self {
            status: response.status().as_u16(),
            body: response.text().await.unwrap(),
        }
    }
}

/// The parameters that ask for a role of an organization.
pub(super) fn role(org: OrgId, name: &str, session: &str) -> String {
    let arn = format!("arn:aws:iam::{}:role/{name}", org.account_number());
    format!("&RoleArn={}&RoleSessionName={session}", encoded(&arn))
}

/// A policy of one statement that allows an action, as a parameter.
pub(super) fn policy(action: &str, resource: &str) -> String {
    policies(&[action], resource)
}

/// The same of several actions.
pub(super) fn policies(actions: &[&str], resource: &str) -> String {
    let policy = serde_json::json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resource}],
    });
    format!("&Policy={}", encoded(&policy.to_string()))
}

pub(super) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

const PASSWORD: &str = "correct horse battery";
