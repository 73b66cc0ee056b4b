use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::door::Deed;
use super::request_id::RequestId;
use super::serve::Pipeline;
use crate::audit::{AuditError, Decision, Event};
use crate::authz::{
    Action, Allowance, Caller, Permit, Receipt, Refusal, Rights, Standing, authorize,
    record_activity, record_usage,
};

/// One call of an authenticated caller, from its authentication to the end of its answer. It is
/// recorded exactly once, also when the client breaks off and nobody is left to be answered.
pub struct Call {
    pipeline: Arc<Pipeline>,
    id: RequestId,
    begun: Duration,
    source: IpAddr,
    caller: Caller,
    rights: Arc<Rights>,
    standing: Standing,
    deed: Deed,
    is_closed: bool,
}

/// A request that has come in.
#[derive(Clone, Copy)]
pub(super) struct Arrival {
    pub(super) id: RequestId,
    pub(super) begun: Duration,
    pub(super) source: IpAddr,
}

/// Who calls, what that principal may do, and how its organization stands.
pub(super) struct Who {
    pub(super) caller: Caller,
    pub(super) rights: Arc<Rights>,
    pub(super) standing: Standing,
}

impl Call {
    /// Lets the caller do `A` to `resource`, or says by which rule not.
    pub fn permit<A: Action>(&self, resource: A::Resource) -> Result<Permit<A>, Refusal> {
        authorize(&self.caller, &self.rights, self.standing, resource)
    }

    /// Leave to use resources.
    pub fn allowance(&self) -> Allowance {
        self.pipeline.metering.allow(&self.caller)
    }

    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// What the caller may do now, before its credential narrows it.
    pub fn rights(&self) -> &Arc<Rights> {
        &self.rights
    }

    /// How the caller's organization stands.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Notes something that the call does beside the deed that it is recorded by: the read of a
    /// copy's source, one deletion of many.
    pub fn note(
        &self,
        action: &'static str,
        resource: String,
        decision: Decision,
    ) -> Result<(), AuditError> {
        let event = self.event(action, resource, decision, Receipt::default());
        self.pipeline
            .audit
            .note(record_activity(self.caller()), event)
    }

    /// Records durably that something beside the deed was found damaged.
    pub async fn record(
        &self,
        action: &'static str,
        resource: String,
        decision: Decision,
    ) -> Result<(), AuditError> {
        let event = self.event(action, resource, decision, Receipt::default());
        self.pipeline
            .audit
            .record(record_activity(self.caller()), event)
            .await
    }

    pub(super) fn begin(pipeline: Arc<Pipeline>, arrival: Arrival, who: Who, deed: Deed) -> Self {
        let Arrival { id, begun, source } = arrival;
        let Who {
            caller,
            rights,
            standing,
        } = who;
        Self {
            pipeline,
            id,
            begun,
            source,
            caller,
            rights,
            standing,
            deed,
            is_closed: false,
        }
    }

    pub(super) fn id(&self) -> RequestId {
        self.id
    }

    pub(super) fn operation(&self) -> &'static str {
        self.deed.operation
    }

    /// Whether the log will take what is about to be done.
    pub(super) fn check_log(&self) -> Result<(), AuditError> {
        self.pipeline.audit.check(record_activity(self.caller()))
    }

    /// Records durably, before the answer leaves, that the caller was refused or that something
    /// is damaged.
    pub(super) async fn record_deed(&self, decision: Decision) -> Result<(), AuditError> {
        let Deed {
            action, resource, ..
        } = &self.deed;
        self.record(action, resource.clone(), decision).await
    }

    /// Notes what was answered, and counts it. The call is closed, whatever is returned.
    pub(super) fn close(&mut self, status: StatusCode, receipt: Receipt) -> Result<(), AuditError> {
        let decision = Decision::Allowed {
            status: status.as_u16(),
        };
        let resource = std::mem::take(&mut self.deed.resource);
        let event = self.event(self.deed.action, resource, decision, receipt);
        let noted = self
            .pipeline
            .audit
            .note(record_activity(self.caller()), event);
        self.close_recorded(status, receipt);
        noted
    }

    /// Counts what was answered to a call that has been recorded already.
    pub(super) fn close_recorded(&mut self, status: StatusCode, receipt: Receipt) {
        self.is_closed = true;
        if !status.is_server_error() {
            self.pipeline
                .metering
                .record(record_usage(self.caller()), receipt);
        }
        self.pipeline
            .answered(self.id, self.deed.operation, status, self.begun, receipt);
    }

    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    fn event(
        &self,
        action: &'static str,
        resource: String,
        decision: Decision,
        receipt: Receipt,
    ) -> Event {
        Event {
            at_ms: self.pipeline.clock.now_ms(),
            request_id: self.id.to_string(),
            actor: self.caller().credential().to_string(),
            source: Some(self.source),
            action,
            resource,
            decision,
            bytes: (receipt.bytes_in, receipt.bytes_out),
        }
    }
}

/// A call that is given up under way may have done its work: a client that resets its stream right
/// after a deletion would otherwise leave no trace of it.
impl Drop for Call {
    fn drop(&mut self) {
        if self.is_closed {
            return;
        }
        let status = match StatusCode::from_u16(CLIENT_CLOSED_REQUEST) {
            Ok(status) if !std::thread::panicking() => status,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if let Err(error) = self.close(status, Receipt::default()) {
            tracing::error!(request_id = %self.id, %error, "a call given up was not recorded");
        }
    }
}

/// What nginx logs when nobody is left to be answered.
const CLIENT_CLOSED_REQUEST: u16 = 499;
