use std::sync::Arc;

use http::{Response, StatusCode};

use super::answer::{Answer, Body};
use super::call::Arrival;
use super::request_id::RequestId;
use super::serve::Pipeline;
use crate::audit::{AuditError, SignIn, SignInMethod};
use crate::authz::{Caller, Rights};
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
