use names::{AccessKeyId, AccountId, Glob, PrincipalId};

use super::entry::{Entry, Outcome};
use super::source::Span;

/// What is sought in an activity log. What says nothing lets everything through.
#[derive(Debug, Clone, Default)]
pub struct ActivityQuery {
    /// From when on, milliseconds since the epoch.
    pub from_ms: Option<u64>,
    /// Until before when.
    pub until_ms: Option<u64>,
    /// By whom.
    pub principal: Option<PrincipalId>,
    /// By which credential, or by one that it made.
    pub credential: Option<AccessKeyId>,
    /// On whose behalf.
    pub account: Option<AccountId>,
    /// What: the action's name in policies, with `*` for any text.
    pub action: Option<Glob>,
    /// To what: how the resource begins.
    pub resource: Option<String>,
    /// What became of it.
    pub decision: Option<Decided>,
    /// What comes first.
    pub order: Order,
}

/// In which order a log is read: that of the last events of its segments, and in a segment that in
/// which it was recorded. What several nodes record in the same second may be told in another
/// order than it happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// What happened last.
    #[default]
    NewestFirst,
    /// What happened first.
    OldestFirst,
}

/// What became of a call, to be sought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decided {
    /// It was let.
    Allowed,
    /// It was refused.
    Refused,
    /// Something was found damaged.
    Damaged,
    /// It was about to be tried.
    Intended,
    /// The platform states it.
    Stated,
}

impl Decided {
    /// Every one.
    pub const ALL: [Self; 5] = [
        Self::Allowed,
        Self::Refused,
        Self::Damaged,
        Self::Intended,
        Self::Stated,
    ];

    /// As exports write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
            Self::Damaged => "damaged",
            Self::Intended => "intended",
            Self::Stated => "stated",
        }
    }

    /// What exports write so.
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|decided| decided.as_str() == text)
    }
}

impl Outcome {
    /// Which of the decisions it is.
    pub fn decided(&self) -> Decided {
        match self {
            Self::Allowed { .. } => Decided::Allowed,
            Self::Refused { .. } => Decided::Refused,
            Self::Damaged { .. } => Decided::Damaged,
            Self::Stated { .. } => Decided::Stated,
            Self::Intended => Decided::Intended,
        }
    }
}

impl ActivityQuery {
    /// The time that it asks for, as far as a catalog counts.
    pub(super) fn span(&self) -> Span {
        let limit = i64::MAX.unsigned_abs();
        let from = self.from_ms.unwrap_or(0).min(limit);
        let until = self.until_ms.unwrap_or(limit).min(limit);
        (from, until)
    }

    /// Whether it asks for this entry.
    pub(super) fn meets(&self, entry: &Entry) -> bool {
        let (from, until) = self.span();
        let is_credentials = |credential: &AccessKeyId| {
            let is_it = |name: &str| name == credential.as_str();
            is_it(&entry.actor) || entry.parent.as_deref().is_some_and(is_it)
        };
        entry.until_ms >= from
            && entry.at_ms < until
            && met(self.principal, |sought| entry.principal == Some(sought))
            && met(self.account, |sought| entry.account == Some(sought))
            && met(self.credential.as_ref(), is_credentials)
            && met(self.action.as_ref(), |sought| {
                sought.matches_ignoring_case(&entry.action)
            })
            && met(self.resource.as_deref(), |sought| {
                entry.resource.starts_with(sought)
            })
            && met(self.decision, |sought| entry.outcome.decided() == sought)
    }
}

fn met<T>(sought: Option<T>, is_met: impl FnOnce(T) -> bool) -> bool {
    sought.is_none_or(is_met)
}
