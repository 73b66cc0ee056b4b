use minicbor::{Decode, Encode};
use names::{AccessKeyId, AccountId, PrincipalId};

use super::codec;
use crate::authz::{Caller, CredentialKind, LinkHolder, OfLink, Rights, Role, Subject};

/// Who did something, by what, and on whose behalf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// The credential's public name, or `operator`.
    pub name: String,
    /// What the principal is.
    pub kind: ActorKind,
    /// The principal; nothing for the operator.
    pub principal: Option<PrincipalId>,
    /// What was shown; nothing for the operator.
    pub credential: Option<ShownCredential>,
    /// The account of the person behind a member or a session.
    pub account: Option<AccountId>,
    /// The credential that made the one that was shown.
    pub parent: Option<AccessKeyId>,
}

/// What somebody is who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
pub enum ActorKind {
    /// The platform's operator.
    #[n(0)]
    Operator,
    /// The organization as a whole.
    #[n(1)]
    Organization,
    /// A member.
    #[n(2)]
    Member {
        /// The member's role then.
        #[cbor(n(0), with = "codec::role")]
        role: Role,
    },
    /// An agent.
    #[n(3)]
    Agent,
    /// Nobody any more: a member that was removed, an agent that was deleted.
    #[n(4)]
    Nobody,
    /// Whoever holds the token of a share link.
    #[n(5)]
    LinkHolder,
}

/// What a caller showed, as a log keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Encode, Decode)]
#[cbor(index_only)]
pub enum ShownCredential {
    /// An access key.
    #[n(0)]
    AccessKey,
    /// An API token.
    #[n(1)]
    ApiToken,
    /// An account's session.
    #[n(2)]
    Session,
    /// A session of STS.
    #[n(3)]
    StsSession,
}

impl Actor {
    /// Whoever was authenticated as `caller`, and has `rights`.
    pub fn of(caller: &Caller, rights: &Rights) -> Self {
        let (kind, member) = match rights.subject {
            Subject::Organization => (ActorKind::Organization, None),
            Subject::Member { account, role } => (ActorKind::Member { role }, Some(account)),
            Subject::Agent => (ActorKind::Agent, None),
            Subject::Nobody => (ActorKind::Nobody, None),
        };
        let (credential, account) = match caller.kind() {
            CredentialKind::AccessKey => (ShownCredential::AccessKey, member),
            CredentialKind::ApiToken => (ShownCredential::ApiToken, member),
            CredentialKind::Session(account) => (ShownCredential::Session, Some(account)),
            CredentialKind::StsSession => (ShownCredential::StsSession, member),
        };
        Self {
            name: caller.credential().as_str().to_owned(),
            kind,
            principal: Some(caller.principal()),
            credential: Some(credential),
            account,
            parent: caller.parent().cloned(),
        }
    }

    /// Whoever holds the token of a share link.
    pub fn link_holder(holder: &LinkHolder) -> Self {
        let link = holder.link();
        Self {
            name: OfLink { link }.to_string(),
            kind: ActorKind::LinkHolder,
            principal: None,
            credential: None,
            account: None,
            parent: None,
        }
    }

    /// The platform's operator.
    pub fn operator() -> Self {
        Self {
            name: OPERATOR.to_owned(),
            kind: ActorKind::Operator,
            principal: None,
            credential: None,
            account: None,
            parent: None,
        }
    }
}

impl ActorKind {
    /// As exports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operator => OPERATOR,
            Self::Organization => "organization",
            Self::Member { .. } => "member",
            Self::Agent => "agent",
            Self::Nobody => "nobody",
            Self::LinkHolder => "link-holder",
        }
    }

    /// The member's role.
    pub fn role(self) -> Option<Role> {
        match self {
            Self::Member { role } => Some(role),
            Self::Operator | Self::Organization | Self::Agent | Self::Nobody | Self::LinkHolder => {
                None
            }
        }
    }
}

impl ShownCredential {
    /// As exports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessKey => "access-key",
            Self::ApiToken => "api-token",
            Self::Session => "session",
            Self::StsSession => "sts-session",
        }
    }
}

/// The operator's name in every log.
const OPERATOR: &str = "operator";
