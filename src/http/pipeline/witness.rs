use std::net::IpAddr;
use std::sync::Arc;

use super::request_id::RequestId;
use super::serve::Pipeline;
use crate::audit::{Actor, AuditError, Decision, Event};
use crate::authz::{Caller, Rights, Rule, record_activity};

/// Records what is done for a call beside its deed, by whoever goes on with a streamed answer while
/// the call itself waits for that to end.
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
        let event = Event {
            at_ms: self.pipeline.clock.now_ms(),
            request_id: self.id.to_string(),
            actor: Actor::of(&self.caller, &self.rights),
            source: Some(self.source),
            action,
            operation: Some(self.operation),
            resource,
            rule,
            decision,
            bytes: (0, 0),
        };
        let permit = record_activity(&self.caller);
        self.pipeline.audit.record(permit, event).await
    }
}
