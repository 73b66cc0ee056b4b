//! A provisioned gateway without its listeners, on a real catalog in a directory of its own, and
//! clients that sign for it.

use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use names::{AccessKeyId, NodeId, OrgId, Slug};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use time::OffsetDateTime;
use time::macros::format_description;
use wire::sigv4::Request;

use super::provision::{self, ProvisionError};
use super::{Act, Administration};
use crate::audit::Audit;
use crate::authn::{Authn, AuthnError, Signed};
use crate::authz::{Caller, InOrganization, Narrowing, Operator, Scope, Standing, authorize};
use crate::catalog::{Jobs, PlatformCatalog, SqliteStore, Store, doors};
use crate::clock::{Clock, ManualClock};
use crate::config;
use crate::entropy::Entropy;
use crate::keyring::Keyring;
use crate::tenancy::{
    CredentialRequest, NewAccessKey, NewCredential, NewCredentialKind, Organization, Ownership,
    Shown, Tenancy, TenancyError,
};

/// Where processes of one gateway find their data.
pub(crate) struct Place {
    dir: TempDir,
    pub(crate) clock: Clock,
    pub(crate) hand: ManualClock,
}

/// One process.
pub(crate) struct World {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) platform: PlatformCatalog,
    pub(crate) jobs: Jobs,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) tenancy: Arc<Tenancy>,
    pub(crate) authn: Authn,
    pub(crate) administration: Arc<Administration>,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    pub(crate) operator: Operator,
}

impl Place {
    pub(crate) fn new() -> Self {
        let (clock, hand) = Clock::manual(NOW_MS);
        Self {
            dir: tempfile::tempdir().unwrap(),
            clock,
            hand,
        }
    }

    pub(crate) fn catalog_path(&self) -> PathBuf {
        self.dir.path().join("data").join("catalog.sqlite")
    }

    pub(crate) fn root_path(&self) -> PathBuf {
        self.dir.path().join("root.key")
    }

    pub(crate) fn store(&self) -> Arc<dyn Store> {
        SqliteStore::open(&self.catalog_path(), 2, self.clock.clone()).unwrap()
    }

    /// Starts a process: nothing is made but what the platform itself needs.
    pub(crate) async fn start(&self) -> World {
        self.start_on(self.store()).await.unwrap()
    }

    pub(crate) async fn start_on(&self, store: Arc<dyn Store>) -> Result<World, ProvisionError> {
        let (clock, entropy) = (self.clock.clone(), Entropy::system());
        let (catalog, platform, jobs) = doors(Arc::clone(&store));
        store.poll().await?;
        let root = provision::root_file(&self.root_path(), &platform, &entropy).await?;
        let keyring = Arc::new(Keyring::new(
            platform.clone(),
            root,
            64,
            clock.clone(),
            entropy.clone(),
        ));
        provision::platform(&keyring).await?;
        let tenancy = Arc::new(Tenancy::new(
            platform.clone(),
            Arc::clone(&keyring),
            clock.clone(),
            entropy.clone(),
        ));
        let authn = Authn::new(
            platform.clone(),
            Arc::clone(&keyring),
            REGION.to_owned(),
            clock.clone(),
            entropy.clone(),
        );
        let audit = Arc::new(Audit::new(
            NodeId::from_bytes(entropy.uuid_v7(clock.now_ms())),
            catalog,
            platform.clone(),
            Arc::clone(&keyring),
            &config::Audit::default(),
            clock.clone(),
        ));
        let administration = Arc::new(Administration::new(
            Arc::clone(&tenancy),
            audit,
            clock.clone(),
        ));
        Ok(World {
            store,
            platform,
            jobs,
            keyring,
            tenancy,
            authn,
            administration,
            clock,
            entropy,
            operator: Operator::authenticated(),
        })
    }
}

impl World {
    pub(crate) fn act(&self) -> Act<'_> {
        Act {
            operator: &self.operator,
            request_id: "test",
            source: None,
        }
    }

    pub(crate) async fn organization(&self, slug: &str) -> Organization {
        let slug = Slug::parse(slug).unwrap();
        self.tenancy
            .create_organization(&self.operator, slug, Ownership::Provisioned)
            .await
            .unwrap()
    }

    pub(crate) async fn access_key(&self, org: OrgId) -> NewAccessKey {
        let draft = self
            .tenancy
            .draft_access_key(&self.operator, org, Scope::Full);
        self.tenancy
            .create_access_key(&self.operator, draft)
            .await
            .unwrap()
    }

    /// Makes a credential for whoever is authenticated by `client`.
    pub(crate) async fn own_credential(
        &self,
        client: &Client,
        kind: NewCredentialKind,
        lasts_ms: u64,
    ) -> Result<NewCredential, TenancyError> {
        let (caller, _) = self
            .authenticate(&client.get("UNSIGNED-PAYLOAD"))
            .await
            .unwrap();
        let rights = self.tenancy.rights(&caller).await.unwrap();
        let permit = authorize(&caller, &rights, Standing::Active, InOrganization).unwrap();
        let request = CredentialRequest {
            kind,
            narrowing: Narrowing::NONE,
            expires_ms: Some(self.clock.now_ms() + lasts_ms),
            label: None,
        };
        self.tenancy
            .create_own_credential(permit, &caller, request)
            .await
    }

    /// A client with a session of STS that was made by another's credential.
    pub(crate) async fn session(&self, client: &Client, lasts_ms: u64) -> Client {
        let made = self.own_credential(client, NewCredentialKind::StsSession, lasts_ms);
        let NewCredential { credential, shown } = made.await.unwrap();
        let Shown::SecretWithToken(secret, token) = shown else {
            panic!("a session has a token");
        };
        Client::new(credential.id.as_str(), &secret, self.clock.now_ms()).with_token(&token)
    }

    pub(crate) async fn revoke(&self, org: OrgId, id: &AccessKeyId) {
        self.tenancy
            .revoke_access_key(&self.operator, org, id)
            .await
            .unwrap();
    }

    /// A client with this access key.
    pub(crate) fn client(&self, key: &NewAccessKey) -> Client {
        Client::new(key.id.as_str(), &key.secret, self.clock.now_ms())
    }

    pub(crate) async fn authenticate(&self, sent: &Sent) -> Result<(Caller, Signed), AuthnError> {
        let headers: Vec<_> = sent
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        let request = Request {
            method: sent.method,
            path: sent.path,
            query: &sent.query,
            headers: &headers,
        };
        self.authn.sigv4(&request, "s3").await
    }
}

/// Signs requests by itself, from the published algorithm.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) region: String,
    pub(crate) service: String,
    pub(crate) at_ms: u64,
    /// The session token of STS.
    pub(crate) token: Option<String>,
}

/// A request as a client sent it.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, String)>,
}

impl Client {
    pub(crate) fn new(id: &str, secret: &str, at_ms: u64) -> Self {
        Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
            region: REGION.to_owned(),
            service: "s3".to_owned(),
            at_ms,
            token: None,
        }
    }

    /// The same with a session token.
    pub(crate) fn with_token(&self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self.clone()
        }
    }

    /// A GET that is signed in its header and says so of its body.
    pub(crate) fn get(&self, payload: &str) -> Sent {
        self.sign(
            Sent::new("GET", "/docs/report.txt", "", "localhost"),
            payload,
        )
    }

    /// Signs a request in its header, with what it says of its body.
    pub(crate) fn sign(&self, mut sent: Sent, payload: &str) -> Sent {
        let timestamp = self.timestamp();
        for (name, value) in [
            ("x-amz-content-sha256", payload),
            ("x-amz-date", &timestamp),
        ] {
            sent.headers.push((name.to_owned(), value.to_owned()));
        }
        self.authorize(sent, payload)
    }

    /// Signs a request over its body, of which it says nothing: as clients of every service but S3
    /// do.
    pub(crate) fn sign_over(&self, mut sent: Sent, body: &[u8]) -> Sent {
        let field = ("x-amz-date".to_owned(), self.timestamp());
        sent.headers.push(field);
        self.authorize(sent, &hex::encode(Sha256::digest(body)))
    }

    fn authorize(&self, mut sent: Sent, payload: &str) -> Sent {
        if let Some(token) = &self.token {
            let field = ("x-amz-security-token".to_owned(), token.clone());
            sent.headers.push(field);
        }
        sent.headers.sort();
        let signature = self.signature(&sent, payload);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{},SignedHeaders={},Signature={signature}",
            self.id,
            self.scope(),
            sent.signed_headers()
        );
        sent.headers
            .push(("authorization".to_owned(), authorization));
        sent
    }

    /// A presigned GET.
    pub(crate) fn presigned(&self, expires_seconds: u32) -> Sent {
        let mut sent = Sent {
            method: "GET",
            path: "/docs/report.txt",
            query: format!(
                "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}%2F{}&X-Amz-Date={}\
                 &X-Amz-Expires={expires_seconds}{}&X-Amz-SignedHeaders=host",
                self.id,
                self.scope().replace('/', "%2F"),
                self.timestamp(),
                self.token
                    .as_ref()
                    .map(|token| format!("&X-Amz-Security-Token={token}"))
                    .unwrap_or_default()
            ),
            headers: vec![("host".to_owned(), "localhost".to_owned())],
        };
        let signature = self.signature(&sent, "UNSIGNED-PAYLOAD");
        sent.query.push_str("&X-Amz-Signature=");
        sent.query.push_str(&signature);
        sent
    }

    fn signature(&self, sent: &Sent, payload: &str) -> String {
        let headers: String = sent
            .headers
            .iter()
            .map(|(name, value)| format!("{name}:{value}\n"))
            .collect();
        let canonical = format!(
            "{}\n{}\n{}\n{headers}\n{}\n{payload}",
            sent.method,
            sent.path,
            sent.query,
            sent.signed_headers()
        );
        let message = format!(
            "AWS4-HMAC-SHA256\n{}\n{}\n{}",
            self.timestamp(),
            self.scope(),
            hex::encode(Sha256::digest(canonical))
        );
        let mut key = format!("AWS4{}", self.secret).into_bytes();
        let date = &self.timestamp()[..8];
        for step in [date, &self.region, &self.service, "aws4_request", &message] {
            key = hmac_sha256(&key, step.as_bytes()).to_vec();
        }
        hex::encode(key)
    }

    fn scope(&self) -> String {
        let date = &self.timestamp()[..8];
        format!("{date}/{}/{}/aws4_request", self.region, self.service)
    }

    fn timestamp(&self) -> String {
        let seconds = i64::try_from(self.at_ms / 1000).unwrap();
        OffsetDateTime::from_unix_timestamp(seconds)
            .unwrap()
            .format(format_description!(
                "[year][month][day]T[hour][minute][second]Z"
            ))
            .unwrap()
    }
}

impl Sent {
    /// A request that is not signed yet. `query` is in its canonical form.
    pub(crate) fn new(method: &'static str, path: &'static str, query: &str, host: &str) -> Self {
        Self {
            method,
            path,
            query: query.to_owned(),
            headers: vec![("host".to_owned(), host.to_owned())],
        }
    }

    fn signed_headers(&self) -> String {
        let names: Vec<_> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.join(";")
    }
}

/// RFC 2104, for keys of at most one block.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    assert!(key.len() <= 64);
    let padded = |pad: u8| {
        let mut block = [pad; 64];
        for (byte, key) in block.iter_mut().zip(key) {
            *byte ^= key;
        }
        block
    };
    let inner = Sha256::new()
        .chain_update(padded(0x36))
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(padded(0x5c))
        .chain_update(inner)
        .finalize()
        .into()
}

/// Runs a job until it has waited `steps` times, and ends it there as a crash does. Returns what
/// it gave if it came to its end before.
pub(crate) async fn crash_after<T>(steps: usize, job: impl Future<Output = T>) -> Option<T> {
    let mut job = pin!(job);
    let mut waited = 0;
    std::future::poll_fn(|context| match job.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if waited == steps => Poll::Ready(None),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}

/// 2026-01-01T00:00:00Z.
const NOW_MS: u64 = 1_767_225_600_000;
pub(crate) const REGION: &str = "us-east-1";
