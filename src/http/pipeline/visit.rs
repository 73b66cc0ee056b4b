use std::sync::Arc;

use http::{Response, StatusCode};

use super::answer::{Answer, Body};
use super::call::Arrival;
use super::door::{DoorError, Fault};
use super::request_id::RequestId;
use super::serve::{Pipeline, log_cause};
use crate::audit::{Actor, AuditError, Decision, Event, SignIn, SignInMethod};
use crate::authz::{Action, Caller, LinkHolder, OpenShare, Rights, Rule, record_activity_of_link};
use crate::http::net::Peer;

/// A request of somebody who is to be authenticated by it: a sign-in, a sign-up. Nobody calls yet,
/// so no organization's log is open to it but that of the session which it comes to.
pub struct Visit {
    pipeline: Arc<Pipeline>,
    arrival: Arrival,
}

impl Pipeline {
    /// Takes a request in.
    pub fn visit(self: &Arc<Self>, peer: &Peer) -> Visit {
        Visit {
            pipeline: Arc::clone(self),
            arrival: Arrival {
                id: RequestId::draw(&self.entropy),
                begun: self.clock.monotonic(),
                source: peer.address.ip(),
            },
        }
    }
}

impl Visit {
    /// Names the request, in its answer and in logs.
    pub fn id(&self) -> RequestId {
        self.arrival.id
    }

    /// Who calls by a session that was just made.
    pub async fn caller<E: DoorError>(&self, token: &str) -> Result<Caller, E> {
        Ok(self.pipeline.authn.bearer(token).await?)
    }

    /// Records durably that somebody signed in, and returns who calls by the new session. It is
    /// told to nobody if it cannot be recorded.
    pub async fn admit<E: DoorError>(
        &self,
        token: &str,
        method: SignInMethod,
    ) -> Result<Caller, E> {
        let caller = self.caller::<E>(token).await?;
        let rights = self.pipeline.tenancy.rights(&caller).await?;
        self.signed_in(&caller, &rights, method).await?;
        Ok(caller)
    }

    /// Logs what went wrong and is not the caller's turn. What was found damaged is in the
    /// platform's log as well: nobody calls yet in whose organization's it could be.
    pub fn log_cause(&self, operation: &'static str, error: &impl DoorError) {
        log_cause(self.arrival.id, operation, error.fault());
        if let Fault::Damaged(what) = error.fault() {
            self.pipeline.note_damage(self.arrival.source, what);
        }
    }

    /// Records durably that somebody signed in, in the log of the organization that the session is
    /// for, before the session is made to work. `caller` is who calls by it.
    pub async fn signed_in(
        &self,
        caller: &Caller,
        rights: &Rights,
        method: SignInMethod,
    ) -> Result<(), AuditError> {
        let sign_in = SignIn {
            at_ms: self.pipeline.clock.now_ms(),
            request_id: self.arrival.id.to_string(),
            source: self.arrival.source,
            method,
        };
        self.pipeline.audit.signed_in(caller, rights, sign_in).await
    }

    /// Records durably, in the log of the organization whose it is, what becomes of a share link in
    /// the hands of `holder`.
    pub async fn record_of_link(
        &self,
        holder: &LinkHolder,
        operation: &'static str,
        resource: String,
        decision: Decision,
    ) -> Result<(), AuditError> {
        let link = holder.link();
        let event = Event {
            at_ms: self.pipeline.clock.now_ms(),
            request_id: self.arrival.id.to_string(),
            actor: Actor::link_holder(holder),
            source: Some(self.arrival.source),
            action: OpenShare::NAME,
            operation: Some(operation),
            resource,
            rule: match decision {
                Decision::Refused { .. } => None,
                _ => Some(Rule::ShareLink(link)),
            },
            decision,
            bytes: (0, 0),
        };
        let permit = record_activity_of_link(holder);
        self.pipeline.audit.record(permit, event).await
    }

    /// Notes in the platform's log, gathered by source, what somebody was refused who is nobody yet.
    pub fn note_refused(&self, what: &'static str) {
        let source = self.arrival.source;
        self.pipeline.note_platform(source, what.to_owned());
    }

    /// Notes that somebody was not let in: in the platform's log, gathered by source, without a
    /// word about whom.
    pub fn sign_in_refused(&self) {
        let at_ms = self.pipeline.clock.now_ms();
        let source = self.arrival.source;
        self.pipeline.audit.sign_in_refused(at_ms, source);
    }

    /// Answers, and counts it as an answer to `operation`.
    pub fn answer(self, operation: &'static str, answer: Answer) -> Response<Body> {
        let Arrival { id, begun, .. } = self.arrival;
        let status: StatusCode = answer.head.status();
        let receipt = answer.receipt;
        self.pipeline
            .answered(id, operation, status, begun, receipt);
        self.pipeline.send(id, answer)
    }
}
