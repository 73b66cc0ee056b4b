use names::{AccessKeyId, OrgId, PrincipalId};

/// What an access key lets its principal do at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// All that the principal may do.
    Full,
    /// Only what changes nothing.
    ReadOnly,
}

/// Whether an organization may be worked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// All calls.
    Active,
    /// Reads only.
    Suspended,
    /// Keys are evicted; every call answers that the organization is sealed.
    Sealed,
    /// The keys are gone.
    Destroyed,
}

/// Who calls: a principal of exactly one organization, proven by a credential.
///
/// Only `authn` makes one, after it has checked the proof.
#[derive(Debug, Clone)]
pub struct Caller {
    org: OrgId,
    principal: PrincipalId,
    access_key: AccessKeyId,
    scope: Scope,
}

impl Caller {
    /// States that the holder of `access_key` has proven to hold its secret.
    pub fn authenticated(
        org: OrgId,
        principal: PrincipalId,
        access_key: AccessKeyId,
        scope: Scope,
    ) -> Self {
        Self {
            org,
            principal,
            access_key,
            scope,
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
    pub fn access_key(&self) -> &AccessKeyId {
        &self.access_key
    }

    /// How far the credential reaches.
    pub fn scope(&self) -> Scope {
        self.scope
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
