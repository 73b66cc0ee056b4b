use std::net::IpAddr;

use super::actor::Actor;
use super::entry::{Entry, SIGN_IN};
use super::event::{Decision, Event};
use super::log::{Audit, AuditError};
use super::writer::lock;
use crate::authz::{Caller, Rights, record_activity};

/// A sign-in that succeeded, which made a session that does not work yet.
#[derive(Debug)]
pub struct SignIn {
    /// When, milliseconds since the epoch.
    pub at_ms: u64,
    /// The request's identifier, as its answer shows it.
    pub request_id: String,
    /// From where.
    pub source: IpAddr,
    /// By what.
    pub method: SignInMethod,
}

/// By what somebody signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInMethod {
    /// The account's password.
    Password,
    /// A login at an identity provider.
    Oidc,
    /// A session of the same account for another organization.
    Switch,
    /// An agent's identifier and a token of it.
    AppRole,
}

impl Audit {
    /// Records a sign-in in the log of the organization that the session is for. `caller` is who
    /// calls once the session works; that it does is committed after this has returned.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the log cannot be written now: there is no session then.
    pub async fn signed_in(
        &self,
        caller: &Caller,
        rights: &Rights,
        sign_in: SignIn,
    ) -> Result<(), AuditError> {
        let event = Event {
            at_ms: sign_in.at_ms,
            request_id: sign_in.request_id,
            actor: Actor::of(caller, rights),
            source: Some(sign_in.source),
            action: SIGN_IN,
            operation: Some(sign_in.method.operation()),
            resource: format!("session/{}", caller.credential()),
            rule: None,
            decision: Decision::Allowed { status: 200 },
            bytes: (0, 0),
        };
        self.record(record_activity(caller), event).await
    }

    /// Notes in the platform's log, gathered by source, that a sign-in was refused. It takes no
    /// word about whom, so that nobody learns from the log who has an account, and no
    /// organization's log can be filled by who knows an address of one of its members.
    pub fn sign_in_refused(&self, at_ms: u64, source: IpAddr) {
        let entry = Entry::of_refused_sign_in(at_ms, source);
        if lock(&self.0.gather).add(entry) {
            self.0.gathering.notify_one();
        }
    }
}

impl SignInMethod {
    /// As logs name it.
    pub(super) fn operation(self) -> &'static str {
        match self {
            Self::Password => "SignInWithPassword",
            Self::Oidc => "SignInWithOidc",
            Self::Switch => "SwitchOrganization",
            Self::AppRole => "SignInWithAppRole",
        }
    }
}
