use std::net::IpAddr;
use std::sync::Arc;

use super::request_id::RequestId;
use super::serve::Pipeline;
use crate::audit::{Actor, AuditError, Decision, Event};
use crate::authz::{Caller, Receipt, Rights, Rule, record_activity};

/// Who records what is done for a call, in the log of its caller's organization. It may outlive the
/// call, with whoever goes on with a streamed answer.
#[derive(Clone)]
pub struct Witness {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) id: RequestId,
    pub(super) source: IpAddr,
    pub(super) caller: Caller,
    pub(super) rights: Arc<Rights>,
    pub(super) operation: &'static str,
}

impl Witness {
    /// Who calls.
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Records durably, before it leaves, what is about to be shown, or why it is not.
    pub async fn record(
        &self,
        action: &'static str,
        resource: String,
        rule: Option<Rule>,
        decision: Decision,
    ) -> Result<(), AuditError> {
        let event = self.event(action, resource, rule, decision, Receipt::default());
        let permit = record_activity(&self.caller);
        self.pipeline.audit.record(permit, event).await
    }

    /// Notes what was done, and how many bytes that moved.
    pub(super) fn note(
        &self,
        action: &'static str,
        resource: String,
        rule: Option<Rule>,
        decision: Decision,
        receipt: Receipt,
    ) -> Result<(), AuditError> {
        let event = self.event(action, resource, rule, decision, receipt);
        let permit = record_activity(&self.caller);
        self.pipeline.audit.note(permit, event)
    }

    /// Whether the log will take what is about to be done.
    pub(super) fn check_log(&self) -> Result<(), AuditError> {
        self.pipeline.audit.check(record_activity(&self.caller))
    }

    fn event(
        &self,
        action: &'static str,
        resource: String,
        rule: Option<Rule>,
        decision: Decision,
        receipt: Receipt,
    ) -> Event {
        Event {
            at_ms: self.pipeline.clock.now_ms(),
            request_id: self.id.to_string(),
            actor: Actor::of(&self.caller, &self.rights),
            source: Some(self.source),
            action,
            operation: Some(self.operation),
            resource,
            rule,
            decision,
            bytes: (receipt.bytes_in, receipt.bytes_out),
        }
    }
}
