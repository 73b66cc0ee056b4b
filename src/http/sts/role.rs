use names::PrincipalId;
use wire::sts::{RoleArn, SessionName};

use super::error::StsError;
use crate::authz::{Caller, CredentialKind, Rights, Role, Subject};
use crate::tenancy::IssuedCredential;

/// What a session is limited to, as Amazon's resource names say it:
///
/// ```text
/// arn:aws:iam::123456789012:role/viewer              a role, which narrows a caller's rights
/// arn:aws:iam::123456789012:role/agents/0190…        an agent, for whom a provider vouches
/// arn:aws:sts::123456789012:assumed-role/viewer/ci   a session of either, by its own name
/// ```
///
/// The account is the number of the caller's own organization: of another's no role is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Assumed {
    /// A role of the organization.
    Role(Role),
    /// An agent of it.
    Agent(PrincipalId),
}

/// Who calls, as Amazon names it.
pub(super) struct Named {
    pub(super) arn: String,
    pub(super) user_id: String,
    pub(super) account: String,
}

impl Assumed {
    /// What a name stands for in an organization with this account number, if for anything.
    pub(super) fn of(role: &RoleArn, account: &str) -> Option<Self> {
        if role.account() != account {
            return None;
        }
        match role.name().strip_prefix(AGENTS) {
            Some(id) => {
                let agent: PrincipalId = id.parse().ok()?;
                (agent.to_string() == id).then_some(Self::Agent(agent))
            }
            None => role.name().parse().ok().map(Self::Role),
        }
    }

    /// As the name of a session of it says.
    pub(super) fn session_arn(self, account: &str, session: &str) -> String {
        match self {
            Self::Role(role) => format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
            Self::Agent(agent) => {
                format!("arn:aws:sts::{account}:assumed-role/{agent}/{session}")
            }
        }
    }
}

impl Named {
    /// Whoever shows `shown`.
    pub(super) fn of(caller: &Caller, rights: &Rights, shown: &IssuedCredential) -> Self {
        let account = caller.org().account_number();
        let principal = caller.principal();
        // Sessions of a role have a name, and those of a session token have none.
        let session = match (caller.kind(), &shown.label) {
            (CredentialKind::StsSession, Some(label)) => Some(label),
            _ => None,
        };
        let assumed = match (shown.narrowing.role, rights.subject) {
            (Some(role), _) => Some(Assumed::Role(role)),
            (None, Subject::Agent) => Some(Assumed::Agent(principal)),
            (None, _) => None,
        };
        let (arn, user_id) = match (session, assumed) {
            (Some(session), Some(assumed)) => (
                assumed.session_arn(&account, session),
                format!("{principal}:{session}"),
            ),
            _ => match rights.subject {
                Subject::Organization => (format!("arn:aws:iam::{account}:root"), account.clone()),
                Subject::Agent => (
                    format!("arn:aws:iam::{account}:user/{AGENTS}{principal}"),
                    principal.to_string(),
                ),
                Subject::Member { .. } | Subject::Nobody => (
                    format!("arn:aws:iam::{account}:user/{principal}"),
                    principal.to_string(),
                ),
            },
        };
        Self {
            arn,
            user_id,
            account,
        }
    }
}

/// What a request for a session of a role is recorded by.
pub(super) fn resource(role: &RoleArn, session: &SessionName) -> String {
    format!("role:{}/{session}", role.name())
}

/// One answer for a role that is not there, that is another organization's and that is above the
/// caller.
pub(super) fn no_such_role(action: &'static str) -> StsError {
    StsError::denied(
        "the role is none of the organization's, or above the caller",
        format!("Not authorized to perform sts:{action}."),
    )
}

/// The path of agents among roles and users.
const AGENTS: &str = "agents/";
