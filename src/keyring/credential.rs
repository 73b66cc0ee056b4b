use minicbor::{CborLen, Decode, Decoder, Encode};
use names::{AccessKeyId, AccountId, Effect, Glob, Policy, Statement};
use zeroize::Zeroizing;

use super::org_keys::{OrgKeys, Record, RowRefused};
use crate::authz::{CredentialKind, Narrowing, Role, Scope};
use crate::catalog::{CredentialRow, Row};

/// What the row of a credential holds sealed: its public name, what proves it, and how far it
/// reaches.
///
/// The record is sealed under the platform's key for its place in the credential directory, so
/// that a caller is authenticated before any organization's key is touched.
pub struct Credential {
    id: AccessKeyId,
    proof: Proof,
    kind: CredentialKind,
    narrowing: Narrowing,
    label: Option<String>,
    parent: Option<AccessKeyId>,
    identity: Option<[u8; 16]>,
}

/// What proves a credential.
pub enum Proof {
    /// The secret half of an access key: signatures are computed with it.
    Secret(Zeroizing<String>),
    /// The SHA-256 of a bearer token's secret half: whoever reads the record still cannot show it.
    TokenDigest([u8; 32]),
    /// The secret half of an access key, and the SHA-256 of the session token that has to come
    /// with every signature.
    SecretWithToken(Zeroizing<String>, [u8; 32]),
}

impl Credential {
    /// How many credentials may have made one another before the last: whoever verifies it reads
    /// the row of each.
    pub const ANCESTORS_MAX: usize = 8;

    /// A credential whose halves were just drawn.
    pub fn new(id: AccessKeyId, proof: Proof, kind: CredentialKind, narrowing: Narrowing) -> Self {
        Self {
            id,
            proof,
            kind,
            narrowing,
            label: None,
            parent: None,
            identity: None,
        }
    }

    /// The same, with what its owner calls it.
    pub fn labelled(self, label: Option<String>) -> Self {
        Self { label, ..self }
    }

    /// The same, as one that another credential made and that ends with it.
    pub fn made_by(self, parent: Option<AccessKeyId>) -> Self {
        Self { parent, ..self }
    }

    /// The same, as one that a linked identity was shown for, and that ends with that link.
    pub fn got_by(self, identity: Option<[u8; 16]>) -> Self {
        Self { identity, ..self }
    }

    /// The link of the identity that it was got by and that it ends with, if there is one.
    pub fn identity(&self) -> Option<&[u8; 16]> {
        self.identity.as_ref()
    }

    /// The credential that made it and that it ends with, if there is one.
    pub fn parent(&self) -> Option<&AccessKeyId> {
        self.parent.as_ref()
    }

    /// What its owner calls it.
    pub fn label(&self) -> Option<&str> {
        self.label.as_deref()
    }

    /// Its public half.
    pub fn id(&self) -> &AccessKeyId {
        &self.id
    }

    /// What it is.
    pub fn kind(&self) -> CredentialKind {
        self.kind
    }

    /// How far it reaches.
    pub fn narrowing(&self) -> &Narrowing {
        &self.narrowing
    }

    /// What proves it. The one exit.
    pub fn expose(&self) -> &Proof {
        &self.proof
    }

    /// Seals it for the row with this blind name.
    pub fn seal(&self, platform: &OrgKeys, lookup: &[u8; 32]) -> Result<Vec<u8>, RowRefused> {
        let (secret, digest) = match &self.proof {
            Proof::Secret(secret) => (Some(secret.as_str()), None),
            Proof::TokenDigest(digest) => (None, Some(digest)),
            Proof::SecretWithToken(secret, digest) => (Some(secret.as_str()), Some(digest)),
        };
        let (kind, account) = match &self.kind {
            CredentialKind::AccessKey => (ACCESS_KEY, None),
            CredentialKind::ApiToken => (API_TOKEN, None),
            CredentialKind::Session(account) => (SESSION, Some(account.bytes())),
            CredentialKind::StsSession => (STS_SESSION, None),
        };
        let stored = Stored {
            id: self.id.as_str(),
            secret,
            scope: match self.narrowing.scope {
                Scope::Full => FULL,
                Scope::ReadOnly => READ_ONLY,
            },
            kind,
            digest: digest.map(|digest| &digest[..]),
            account: account.map(|account| &account[..]),
            role: self.narrowing.role.map(|role| role as u8),
            policies: self.narrowing.policies.iter().map(stored_policy).collect(),
            label: self.label.as_deref(),
            parent: self.parent.as_ref().map(AccessKeyId::as_str),
            identity: self.identity.as_ref().map(|identity| &identity[..]),
        };
        // At its full size from the start, so that no copy is left behind by growing.
        let size = minicbor::len(&stored);
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        minicbor::encode(&stored, &mut *bytes).map_err(|_| UNREADABLE)?;
        platform.seal_record(record(&[lookup]), &bytes)
    }

    /// Opens what a row holds, once the row's MAC has been verified.
    pub fn open(platform: &OrgKeys, row: &CredentialRow) -> Result<Self, RowRefused> {
        let bytes = platform.open_record(record(&[&row.lookup]), &row.sealed)?;
        let mut decoder = Decoder::new(&bytes);
        let stored: Stored<'_> = decoder.decode().map_err(|_| UNREADABLE)?;
        if decoder.position() != bytes.len() {
            return Err(UNREADABLE);
        }
        Self::of(&stored).ok_or(UNREADABLE)
    }

    fn of(stored: &Stored<'_>) -> Option<Self> {
        let digest = match stored.digest {
            Some(digest) => Some(digest.try_into().ok()?),
            None => None,
        };
        let secret = stored
            .secret
            .map(|secret| Zeroizing::new(secret.to_owned()));
        Some(Self {
            id: AccessKeyId::parse(stored.id).ok()?,
            kind: match (stored.kind, stored.account) {
                (ACCESS_KEY, None) => CredentialKind::AccessKey,
                (API_TOKEN, None) => CredentialKind::ApiToken,
                (SESSION, Some(account)) => {
                    CredentialKind::Session(AccountId::from_slice(account).ok()?)
                }
                (STS_SESSION, None) => CredentialKind::StsSession,
                _ => return None,
            },
            proof: match (stored.kind, secret, digest) {
                (ACCESS_KEY, Some(secret), None) => Proof::Secret(secret),
                (API_TOKEN | SESSION, None, Some(digest)) => Proof::TokenDigest(digest),
                (STS_SESSION, Some(secret), Some(digest)) => Proof::SecretWithToken(secret, digest),
                _ => return None,
            },
            narrowing: Narrowing {
                scope: match stored.scope {
                    FULL => Scope::Full,
                    READ_ONLY => Scope::ReadOnly,
                    _ => return None,
                },
                role: match stored.role {
                    Some(role) => Some(Role::of(role)?),
                    None => None,
                },
                policies: stored.policies.iter().map(policy).collect::<Option<_>>()?,
            },
            label: stored.label.map(str::to_owned),
            parent: match stored.parent {
                Some(parent) => Some(AccessKeyId::parse(parent).ok()?),
                None => None,
            },
            identity: match stored.identity {
                Some(identity) => Some(identity.try_into().ok()?),
                None => None,
            },
        })
    }
}

/// The record as CBOR.
#[derive(CborLen, Encode, Decode)]
#[cbor(map)]
struct Stored<'a> {
    #[b(0)]
    id: &'a str,
    #[b(1)]
    secret: Option<&'a str>,
    #[n(2)]
    scope: u8,
    #[n(3)]
    kind: u8,
    #[b(4)]
    #[cbor(with = "minicbor::bytes")]
    digest: Option<&'a [u8]>,
    #[b(5)]
    #[cbor(with = "minicbor::bytes")]
    account: Option<&'a [u8]>,
    #[n(6)]
    role: Option<u8>,
    #[b(7)]
    policies: Vec<StoredPolicy<'a>>,
    #[b(8)]
    label: Option<&'a str>,
    #[b(9)]
    parent: Option<&'a str>,
    #[b(10)]
    #[cbor(with = "minicbor::bytes")]
    identity: Option<&'a [u8]>,
}

/// The statements of a policy.
type StoredPolicy<'a> = Vec<StoredStatement<'a>>;

#[derive(CborLen, Encode, Decode)]
#[cbor(map)]
struct StoredStatement<'a> {
    #[n(0)]
    denies: bool,
    #[b(1)]
    actions: Vec<&'a str>,
    #[b(2)]
    resources: Vec<&'a str>,
    #[b(3)]
    prefixes: Option<Vec<&'a str>>,
}

fn stored_policy(policy: &Policy) -> StoredPolicy<'_> {
    fn texts(globs: &[Glob]) -> Vec<&str> {
        globs.iter().map(Glob::as_str).collect()
    }
    policy
        .statements
        .iter()
        .map(|statement| StoredStatement {
            denies: statement.effect == Effect::Deny,
            actions: texts(&statement.actions),
            resources: texts(&statement.resources),
            prefixes: statement.prefixes.as_deref().map(texts),
        })
        .collect()
}

fn policy(stored: &StoredPolicy<'_>) -> Option<Policy> {
    let globs = |texts: &[&str]| -> Option<Vec<Glob>> {
        texts.iter().map(|text| Glob::parse(text).ok()).collect()
    };
    let statements = stored.iter().map(|stored| {
        Some(Statement {
            effect: if stored.denies {
                Effect::Deny
            } else {
                Effect::Allow
            },
            actions: globs(&stored.actions)?,
            resources: globs(&stored.resources)?,
            prefixes: match &stored.prefixes {
                Some(prefixes) => Some(globs(prefixes)?),
                None => None,
            },
        })
    });
    Some(Policy {
        statements: statements.collect::<Option<_>>()?,
    })
}

fn record<'a>(primary_key: &'a [&'a [u8]]) -> Record<'a> {
    Record {
        table: CredentialRow::TABLE,
        primary_key,
        column: "secret",
    }
}

const FULL: u8 = 1;
const READ_ONLY: u8 = 2;
const ACCESS_KEY: u8 = 1;
const API_TOKEN: u8 = 2;
const SESSION: u8 = 3;
const STS_SESSION: u8 = 4;
const UNREADABLE: RowRefused = RowRefused::Unreadable {
    table: CredentialRow::TABLE,
};
