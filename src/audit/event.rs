use std::net::IpAddr;

use super::actor::Actor;
use crate::authz::Rule;

/// One thing that somebody did, or was refused, in an organization.
///
/// It names things and never quotes what they hold: no body, no secret, no signature. Its texts are
/// cut to what a log takes, a resource to 1,100 bytes.
#[derive(Debug, Clone)]
pub struct Event {
    /// When, milliseconds since the epoch.
    pub at_ms: u64,
    /// The request's identifier, as its answer shows it.
    pub request_id: String,
    /// Who.
    pub actor: Actor,
    /// From where.
    pub source: Option<IpAddr>,
    /// What: the action's name in policies.
    pub action: &'static str,
    /// What it is called in the protocol that it was asked for in.
    pub operation: Option<&'static str>,
    /// To what, as the caller named it.
    pub resource: String,
    /// The rule that allowed it, if it came so far. The rule that refused stands in the decision.
    pub rule: Option<Rule>,
    /// What became of it.
    pub decision: Decision,
    /// Plaintext bytes that moved, in and out.
    pub bytes: (u64, u64),
}

impl Event {
    /// What the operator, or the platform on behalf of the operator, does outside of any request.
    pub fn of_operator(
        at_ms: u64,
        action: &'static str,
        resource: String,
        decision: Decision,
    ) -> Self {
        Self {
            at_ms,
            request_id: String::new(),
            actor: Actor::operator(),
            source: None,
            action,
            operation: None,
            resource,
            rule: Some(Rule::Operator),
            decision,
            bytes: (0, 0),
        }
    }
}

/// What became of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It is about to be tried. Written before it can take effect; what became of it follows,
    /// unless the process ended between.
    Intended,
    /// It was let and done; the status that was answered.
    Allowed {
        /// HTTP status.
        status: u16,
    },
    /// It was refused, by this rule.
    Refused {
        /// The rule, in words.
        rule: String,
    },
    /// What was stored is not what was written: tampering or damage. The text is the operator's
    /// and the organization's.
    Damaged {
        /// What was found.
        what: String,
    },
    /// Nobody tried it: it is stated of what was used, or of what there is.
    Stated {
        /// What is stated.
        what: String,
    },
}

/// One thing that belongs to no organization's log: refusals before authentication, gathered per
/// source, and what the platform itself does.
#[derive(Debug, Clone)]
pub struct PlatformEvent {
    /// When, milliseconds since the epoch.
    pub at_ms: u64,
    /// From where.
    pub source: Option<IpAddr>,
    /// What, in words of ours.
    pub what: String,
}
