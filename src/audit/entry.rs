use std::borrow::Cow;
use std::net::IpAddr;

use minicbor::{Decode, Encode};
use names::{AccountId, NodeId, OrgId, PrincipalId};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::actor::{ActorKind, ShownCredential};
use super::codec;
use super::event::{Decision, Event, PlatformEvent};
use crate::authz::Role;

/// An event as it stands in a log, its texts cut to the lengths that a log takes.
///
/// The numbers are those of the CBOR map that it is stored as; one that is given up is never used
/// again.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Entry {
    /// When, milliseconds since the epoch.
    #[n(0)]
    pub at_ms: u64,
    /// When the last of the events happened that it stands for.
    #[n(1)]
    pub until_ms: u64,
    /// How many events it stands for.
    #[n(2)]
    pub count: u64,
    /// In the platform's log: whose event it is, when that organization's own log could not be
    /// written because its key is sealed or destroyed.
    #[cbor(n(3), with = "codec::org", has_nil)]
    pub org: Option<OrgId>,
    /// The identifier of the request, the first if there are several; empty for the platform's own.
    #[n(4)]
    pub request_id: String,
    /// The credential's public name, or `operator`; empty before authentication.
    #[n(5)]
    pub actor: String,
    /// From where.
    #[n(6)]
    pub source: Option<IpAddr>,
    /// The action's name in policies; `platform` for the platform's own.
    #[n(7)]
    pub action: Cow<'static, str>,
    /// What it was done to, as the caller named it.
    #[n(8)]
    pub resource: String,
    /// What became of it.
    #[n(9)]
    pub outcome: Outcome,
    /// Plaintext bytes taken in.
    #[n(10)]
    pub bytes_in: u64,
    /// Plaintext bytes handed out.
    #[n(11)]
    pub bytes_out: u64,
    /// Who; nothing for the operator and before authentication.
    #[cbor(n(12), with = "codec::principal", has_nil)]
    pub principal: Option<PrincipalId>,
    /// What the principal is.
    #[n(13)]
    pub kind: Option<ActorKind>,
    /// What was shown.
    #[n(14)]
    pub credential: Option<ShownCredential>,
    /// The account of the person behind it.
    #[cbor(n(15), with = "codec::account", has_nil)]
    pub account: Option<AccountId>,
    /// The public name of the credential that made the one that was shown.
    #[n(16)]
    pub parent: Option<String>,
    /// The rule that allowed it: `role:owner`, `grant:` and its identifier, `home`, ….
    #[n(17)]
    pub rule: Option<Cow<'static, str>>,
    /// What it is called in the protocol that it was asked for in.
    #[n(18)]
    pub operation: Option<Cow<'static, str>>,
}

/// What became of a call, as it stands in a log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode, Decode)]
pub enum Outcome {
    /// It was let and done.
    #[n(0)]
    Allowed {
        /// HTTP status.
        #[n(0)]
        status: u16,
    },
    /// It was refused.
    #[n(1)]
    Refused {
        /// By which rule.
        #[n(0)]
        reason: String,
    },
    /// What was stored is not what was written.
    #[n(2)]
    Damaged {
        /// What was found.
        #[n(0)]
        reason: String,
    },
    /// The platform states it.
    #[n(3)]
    Stated {
        /// What.
        #[n(0)]
        reason: String,
    },
    /// It was about to be tried. Another entry of the same request tells what became of it; if
    /// there is none, nobody knows.
    #[n(4)]
    Intended,
}

/// An entry at its place in a log.
#[derive(Debug, Clone, Copy)]
pub struct Logged<'a> {
    /// Whose log.
    pub org: OrgId,
    /// Which node's chain.
    pub node: NodeId,
    /// The number of the segment in that chain.
    pub segment: u64,
    /// What happened.
    pub entry: &'a Entry,
}

impl Entry {
    /// What a log takes of an event.
    pub(super) fn of(event: Event) -> Self {
        let outcome = match event.decision {
            Decision::Intended => Outcome::Intended,
            Decision::Allowed { status } => Outcome::Allowed { status },
            Decision::Refused { rule } => Outcome::Refused {
                reason: cut(rule, REASON_BYTES_MAX),
            },
            Decision::Damaged { what } => Outcome::Damaged {
                reason: cut(what, REASON_BYTES_MAX),
            },
            Decision::Stated { what } => Outcome::Stated {
                reason: cut(what, REASON_BYTES_MAX),
            },
        };
        Self {
            at_ms: event.at_ms,
            until_ms: event.at_ms,
            count: 1,
            org: None,
            request_id: cut(event.request_id, NAME_BYTES_MAX),
            actor: cut(event.actor.name, NAME_BYTES_MAX),
            source: event.source,
            action: Cow::Borrowed(event.action),
            resource: cut(event.resource, RESOURCE_BYTES_MAX),
            outcome,
            bytes_in: event.bytes.0,
            bytes_out: event.bytes.1,
            principal: event.actor.principal,
            kind: Some(event.actor.kind),
            credential: event.actor.credential,
            account: event.actor.account,
            parent: event.actor.parent.map(|parent| parent.as_str().to_owned()),
            rule: event.rule.map(codec::rule),
            operation: event.operation.map(Cow::Borrowed),
        }
    }

    /// What the platform's log takes of an event of its own.
    pub(super) fn of_platform(event: PlatformEvent) -> Self {
        let reason = cut(event.what, REASON_BYTES_MAX);
        Self::of_nobody(
            event.at_ms,
            event.source,
            "platform",
            Outcome::Stated { reason },
        )
    }

    /// What the platform's log takes of a sign-in that failed: nothing that tells for whom.
    pub(super) fn of_refused_sign_in(at_ms: u64, source: IpAddr) -> Self {
        let reason = "the sign-in is refused".to_owned();
        Self::of_nobody(at_ms, Some(source), SIGN_IN, Outcome::Refused { reason })
    }

    fn of_nobody(
        at_ms: u64,
        source: Option<IpAddr>,
        action: &'static str,
        outcome: Outcome,
    ) -> Self {
        Self {
            at_ms,
            until_ms: at_ms,
            count: 1,
            org: None,
            request_id: String::new(),
            actor: String::new(),
            source,
            action: Cow::Borrowed(action),
            resource: String::new(),
            outcome,
            bytes_in: 0,
            bytes_out: 0,
            principal: None,
            kind: None,
            credential: None,
            account: None,
            parent: None,
            rule: None,
            operation: None,
        }
    }

    /// Whether it tells the same as `other`, of another moment: what was found damaged once is
    /// found damaged by every call that reads it.
    pub(super) fn repeats(&self, other: &Self) -> bool {
        self.outcome == other.outcome
            && self.resource == other.resource
            && self.actor == other.actor
            && self.action == other.action
            && self.source == other.source
    }

    /// Stands for `other`, too.
    pub(super) fn absorb(&mut self, other: &Self) {
        self.at_ms = self.at_ms.min(other.at_ms);
        self.until_ms = self.until_ms.max(other.until_ms);
        self.count = self.count.saturating_add(other.count);
        self.bytes_in = self.bytes_in.saturating_add(other.bytes_in);
        self.bytes_out = self.bytes_out.saturating_add(other.bytes_out);
    }

    /// How many bytes it takes in a segment at most; in memory it is about twice as many.
    pub(super) fn weight(&self) -> usize {
        FIXED_BYTES
            + self.request_id.len()
            + self.actor.len()
            + self.action.len()
            + self.resource.len()
            + self.parent.as_deref().map_or(0, str::len)
            + self.rule.as_deref().map_or(0, str::len)
            + self.operation.as_deref().map_or(0, str::len)
            + self.outcome.reason().map_or(0, str::len)
    }
}

impl Outcome {
    /// The HTTP status of what was let.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Allowed { status } => Some(*status),
            Self::Refused { .. } | Self::Damaged { .. } | Self::Stated { .. } | Self::Intended => {
                None
            }
        }
    }

    /// The rule that refused, what was found, what is stated.
    pub(super) fn reason(&self) -> Option<&str> {
        match self {
            Self::Allowed { .. } | Self::Intended => None,
            Self::Refused { reason } | Self::Damaged { reason } | Self::Stated { reason } => {
                Some(reason)
            }
        }
    }
}

impl Logged<'_> {
    /// The entry as one line of JSON, without the line's end:
    ///
    /// | field | |
    /// | --- | --- |
    /// | `time` | when, RFC 3339 in UTC with milliseconds |
    /// | `org` `node` `segment` | where it stands: the organization, the chain, the segment's number |
    /// | `request_id` | the identifier that the answer showed |
    /// | `actor` | the credential's public name, or `operator` |
    /// | `credential` | `access-key`, `api-token`, `session` or `sts-session` |
    /// | `principal` `kind` `role` | whose it is: `member` with a role, `agent`, `organization`, `operator`, or `nobody` any more |
    /// | `account` `parent` | on whose behalf: the person's account, the credential that made this one |
    /// | `source` | the address it came from |
    /// | `action` `operation` `resource` | what was done, what the protocol calls it, to what |
    /// | `decision` | `allowed`, `refused`, `damaged`, `intended` before it took effect, or `stated` by the platform |
    /// | `status` | the HTTP status of what was allowed |
    /// | `rule` | what allowed it: `organization`, `role:…`, `grant:…`, `home`, `own`, `secret-policy`, `operator` |
    /// | `reason` | the rule that refused, what was found damaged, what is stated |
    /// | `bytes_in` `bytes_out` | plaintext bytes that moved |
    /// | `count` `until` | how many events it stands for, and when the last of them happened |
    /// | `of_org` | in the platform's log: the organization whose event it is |
    ///
    /// A field that says nothing (an empty text, no bytes, a count of one) is left out.
    pub fn json(&self) -> String {
        let entry = self.entry;
        let several = entry.count > 1;
        let line = Line {
            time: rfc3339(entry.at_ms),
            org: self.org.to_string(),
            node: self.node.to_string(),
            segment: self.segment,
            request_id: said(&entry.request_id),
            actor: said(&entry.actor),
            credential: entry.credential.map(ShownCredential::as_str),
            principal: entry.principal.map(|principal| principal.to_string()),
            kind: entry.kind.map(ActorKind::as_str),
            role: entry.kind.and_then(ActorKind::role).map(Role::as_str),
            account: entry.account.map(|account| account.to_string()),
            parent: entry.parent.as_deref(),
            source: entry.source,
            action: &entry.action,
            operation: entry.operation.as_deref(),
            resource: said(&entry.resource),
            decision: entry.outcome.decided().as_str(),
            status: entry.outcome.status(),
            rule: entry.rule.as_deref(),
            reason: entry.outcome.reason(),
            bytes_in: moved(entry.bytes_in),
            bytes_out: moved(entry.bytes_out),
            count: several.then_some(entry.count),
            until: several.then(|| rfc3339(entry.until_ms)),
            of_org: entry.org.map(|org| org.to_string()),
        };
        // A struct of texts and numbers has no way to fail.
        serde_json::to_string(&line).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Line<'a> {
    time: String,
    org: String,
    node: String,
    segment: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<IpAddr>,
    action: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resource: Option<&'a str>,
    decision: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_in: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes_out: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    of_org: Option<String>,
}

pub(super) fn said(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

pub(super) fn moved(bytes: u64) -> Option<u64> {
    (bytes > 0).then_some(bytes)
}

/// The time as people read it; as a number if no calendar reaches it.
fn rfc3339(ms: u64) -> String {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| ms.to_string())
}

/// Cuts a text to at most `bytes_max`, at the border of a character, and marks that it was cut.
fn cut(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max - CUT.len()));
        text.push_str(CUT);
    }
    text
}

/// A bucket's name, a slash and an object's key fit: 63 + 1 + 1,024.
const RESOURCE_BYTES_MAX: usize = 1_100;

/// Rules and findings are sentences of ours.
const REASON_BYTES_MAX: usize = 512;

/// Access keys and request identifiers are shorter by far.
const NAME_BYTES_MAX: usize = 128;

/// What an entry takes in a segment besides its texts, at most.
const FIXED_BYTES: usize = 192;

/// The action of every sign-in.
pub(super) const SIGN_IN: &str = "bulkhead:SignIn";

/// Stands at the end of a text that was cut.
const CUT: &str = "…";
