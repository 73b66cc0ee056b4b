use http::StatusCode;
use names::Slug;

use super::answer::Answer;
use super::call::Call;
use super::head::Head;
use super::request_id::RequestId;
use crate::audit::AuditError;
use crate::authn::{Authn, AuthnError};
use crate::authz::{Caller, Refusal};
use crate::http::net::RequestBody;
use crate::tenancy::TenancyError;

/// A protocol that callers speak: how its requests are read and its answers written. What is
/// between, the pipeline does alike for all.
pub trait Door: Send + Sync + 'static {
    /// A request that has been read.
    type Asked: Send;
    /// What the caller has shown, as far as the request is read and answered by it.
    type Proof: Send + Sync;
    /// What went wrong, in the words of the protocol.
    type Error: DoorError;

    /// Finds out who calls, before anything else of the request is looked at. A door whose
    /// signatures cover the body reads it here.
    fn authenticate(
        &self,
        authn: &Authn,
        head: &Head,
        body: &mut RequestBody,
    ) -> impl Future<Output = Result<(Caller, Self::Proof), Self::Error>> + Send;

    /// Reads what is asked for, of whoever has been authenticated.
    fn read(&self, head: &Head, proof: &Self::Proof) -> Result<Read<Self::Asked>, Self::Error>;

    /// Does it: obtains permits from the call, hands them to services, and forms the answer.
    fn perform(
        &self,
        call: &Call,
        proof: Self::Proof,
        asked: Self::Asked,
        head: Head,
        body: RequestBody,
    ) -> impl Future<Output = Result<Answer, Self::Error>> + Send;

    /// Forms the answer to what went wrong.
    fn refuse(&self, request: &Refused<'_>, error: &Self::Error) -> Answer;
}

/// A request that has been read.
pub struct Read<A> {
    /// The organization in whose name the host stands: only its own credentials are known there.
    pub organization: Option<Slug>,
    /// What it is.
    pub deed: Deed,
    /// What is asked for.
    pub asked: A,
}

/// A request that is not answered as it asked.
pub struct Refused<'a> {
    /// Its identifier.
    pub id: RequestId,
    /// Which process answers, opaque.
    pub host: &'a str,
    /// Whether the answer has no body: the request was a HEAD.
    pub is_head: bool,
    /// Its path as it came.
    pub path: &'a str,
}

/// What a request is, for logs, metrics and the activity log.
#[derive(Debug, Clone)]
pub struct Deed {
    /// The operation's name in the protocol.
    pub operation: &'static str,
    /// The action's name in policies.
    pub action: &'static str,
    /// What it is done to, as the caller named it.
    pub resource: String,
    /// What the activity log holds before it is done.
    pub intent: Intent,
}

/// What the activity log holds of a deed before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Nothing: its outcome is noted.
    None,
    /// That it is about to be tried, durably: changes of a member, a role, a grant, a credential
    /// or a plan, and whatever shows a secret. Without that line it is not begun.
    Durable,
}

impl Deed {
    /// What could not be read, by its path as it came.
    pub(super) fn unknown(path: &str) -> Self {
        Self {
            operation: UNKNOWN,
            action: UNKNOWN,
            resource: path.chars().take(RESOURCE_CHARS_MAX).collect(),
            intent: Intent::None,
        }
    }
}

/// An error of a door, as the pipeline sees it.
pub trait DoorError:
    From<AuthnError> + From<TenancyError> + From<Refusal> + From<AuditError> + Send + Sync
{
    /// Whose turn it is.
    fn fault(&self) -> &Fault;

    /// What will be answered.
    fn status(&self) -> StatusCode;
}

/// Whose turn it is after a call that failed, which decides what is recorded of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The caller's: what it asked for cannot be, or is not there. Noted with the status.
    Caller,
    /// The caller's, who may not. Recorded before the answer leaves, with the rule.
    Refused(String),
    /// The operator's: something is unavailable. The text is for the log.
    Operator(String),
    /// Ours, or an attacker's who can write to a store: what is stored is not what was written.
    /// Recorded before the answer leaves. The text is for logs.
    Damaged(String),
}

/// The operation and action of what could not be read.
pub(super) const UNKNOWN: &str = "unknown";
/// As long as a key may be, and a bucket's name before it.
const RESOURCE_CHARS_MAX: usize = 1088;
