use std::sync::Arc;

use names::{AccessKeyId, AccountId, OrgId, Policy, PrincipalId};

use super::role::Role;

/// What an access key lets its principal do at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All that the principal may do.
    Full,
    /// Only what changes nothing.
    ReadOnly,
}

/// How a credential narrows its principal's rights. It can only narrow: what it lets be done, the
/// principal has to be allowed as well, now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Narrowing {
    /// Whether it may write.
    pub scope: Scope,
    /// The role that it is limited to.
    pub role: Option<Role>,
    /// Policies, each of which has to allow.
    pub policies: Vec<Policy>,
}

impl Narrowing {
    /// All that the principal may do.
    pub const NONE: Self = Self {
        scope: Scope::Full,
        role: None,
        policies: Vec::new(),
    };

    /// Only whether it may write.
    pub fn to(scope: Scope) -> Self {
        Self {
            scope,
            ..Self::NONE
        }
    }
}

/// Whether an organization may be worked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// All calls.
    Active,
    /// Reads only.
    Suspended,
    /// Reads only, until it is destroyed or restored.
    Deleting,
    /// Keys are evicted; every call answers that the organization is sealed.
    Sealed,
    /// The keys are gone.
    Destroyed,
}

/// What a caller has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialKind {
    /// An access key, by a signature.
    AccessKey,
    /// An API token, as a bearer.
    ApiToken,
    /// What an account got for its password, or for a login at its identity provider: it may
    /// switch to another organization of the account, which no other credential can.
    Session(AccountId),
    /// What STS handed out, by a signature.
    StsSession,
}

/// Who calls: a principal of exactly one organization, proven by a credential.
///
/// Only `authn` makes one, after it has checked the proof.
#[derive(Debug, Clone)]
pub struct Caller {
    org: OrgId,
    principal: PrincipalId,
    credential: AccessKeyId,
    kind: CredentialKind,
    narrowing: Arc<Narrowing>,
    parent: Option<AccessKeyId>,
}

impl Caller {
    /// States that the holder of `credential` has proven to hold its secret.
    pub fn authenticated(
        org: OrgId,
        principal: PrincipalId,
        credential: AccessKeyId,
        kind: CredentialKind,
        narrowing: Arc<Narrowing>,
    ) -> Self {
        Self {
            org,
            principal,
            credential,
            kind,
            narrowing,
            parent: None,
        }
    }

    /// States that another credential of the same principal made the one that was shown.
    #[must_use]
    pub fn made_by(self, parent: AccessKeyId) -> Self {
        Self {
            parent: Some(parent),
            ..self
        }
    }

    /// The one organization that the credential belongs to.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Whose credential it is.
    pub fn principal(&self) -> PrincipalId {
        self.principal
    }

    /// The credential, by its public name.
    pub fn credential(&self) -> &AccessKeyId {
        &self.credential
    }

    /// The credential that made it, if one did.
    pub fn parent(&self) -> Option<&AccessKeyId> {
        self.parent.as_ref()
    }

    /// What it is.
    pub fn kind(&self) -> CredentialKind {
        self.kind
    }

    /// How far the credential reaches.
    pub fn narrowing(&self) -> &Arc<Narrowing> {
        &self.narrowing
    }
}

/// Who somebody is at an identity provider, proven by a token that it signed.
///
/// Only `authn` makes one, after it has checked the token. The e-mail address that a provider tells
/// is no part of it: whoever may choose it there could become anybody here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    issuer: String,
    subject: String,
}

impl Identity {
    /// States that `issuer` has signed that its user is `subject`.
    pub fn verified(issuer: String, subject: String) -> Self {
        Self { issuer, subject }
    }

    /// The identity provider, as its tokens name it.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Its name for the user, which it gives to nobody else.
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

/// Whoever holds the token of a share link, proven by it. It is nobody of the organization, and has
/// no right but to open that link.
///
/// Only `vault` makes one, after it has checked the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkHolder {
    org: OrgId,
    link: [u8; 16],
}

impl LinkHolder {
    /// States that the token of this link of `org` was shown.
    pub fn proven(org: OrgId, link: [u8; 16]) -> Self {
        Self { org, link }
    }

    /// Whose link it is.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Which link.
    pub fn link(&self) -> [u8; 16] {
        self.link
    }
}

/// The platform's operator, proven by the operator token or by holding the root key file and the
/// data directory on this machine. Belongs to no organization and gets no permit for data.
#[derive(Debug)]
pub struct Operator {
    _made_by_authentication: (),
}

impl Operator {
    /// States that the operator's token has been checked, or that the command line runs with the
    /// root key at hand.
    pub fn authenticated() -> Self {
        Self {
            _made_by_authentication: (),
        }
    }
}
