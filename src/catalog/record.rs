//! Records: the one table for everything small that an organization, or the platform as
//! organization 0, keeps sealed.

use std::fmt;

use names::OrgId;

use super::coherence::Class;
use super::row::{Authenticated, FieldSink, Row};

/// What a record is. The number is what rows, MACs and sealed places hold: never used for anything
/// else again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum RecordKind {
    /// A person's account. Platform only.
    Account = 1,
    /// An account at an identity provider that signs an account in; its parent is that account.
    /// Platform only.
    OidcLink = 2,
    /// A plan that organizations are on. Platform only.
    Plan = 3,
    /// What a request that may be sent again answered the first time.
    Idempotency = 4,
    /// The organization's own: its display name, plan and settings that decide.
    Profile = 16,
    /// A member: its id is the principal, its parent the account, its state the role.
    Member = 17,
    /// An invitation to become a member.
    Invitation = 18,
    /// A team.
    Team = 19,
    /// A principal's seat in a team; its parent is the principal.
    TeamSeat = 20,
    /// An agent: its id is the principal.
    Agent = 21,
    /// A grant; its parent is the principal or team that it is given to.
    Grant = 22,
    /// What an agent keeps as its context; its parent is the agent.
    AgentRecord = 23,
    /// A task of an agent, which is its parent.
    Task = 24,
    /// A line of the credit ledger.
    Ledger = 25,
    /// A setting that decides no right.
    Setting = 26,
    /// A secret, without its values.
    Secret = 27,
    /// A value of a secret, which is its parent.
    SecretVersion = 28,
    /// A link that shares something with whoever holds it.
    ShareLink = 29,
}

/// As what the bytes of a record are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealing {
    /// As the column `body` of the table `records`: an envelope of kind 6, under the record key.
    /// The primary key in its place is organization, kind (one byte) and id.
    Record,
    /// As the version of a secret: an envelope of kind 4, under the secret key. The secret is the
    /// record's parent, the version its id.
    SecretVersion,
}

impl RecordKind {
    /// All there are, by number.
    pub const ALL: [Self; 18] = [
        Self::Account,
        Self::OidcLink,
        Self::Plan,
        Self::Idempotency,
        Self::Profile,
        Self::Member,
        Self::Invitation,
        Self::Team,
        Self::TeamSeat,
        Self::Agent,
        Self::Grant,
        Self::AgentRecord,
        Self::Task,
        Self::Ledger,
        Self::Setting,
        Self::Secret,
        Self::SecretVersion,
        Self::ShareLink,
    ];

    /// The kind that has this number.
    pub fn of(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Which caches may hold records of this kind, if any do.
    ///
    /// Accounts are not among the rights: a change of the platform's rights outdates what is kept
    /// of every organization.
    pub fn class(self) -> Option<Class> {
        match self {
            Self::Plan
            | Self::Profile
            | Self::Member
            | Self::Team
            | Self::TeamSeat
            | Self::Agent
            | Self::Grant => Some(Class::Rights),
            Self::Account | Self::OidcLink => Some(Class::Accounts),
            Self::Secret | Self::SecretVersion => Some(Class::Secrets),
            Self::Idempotency
            | Self::Invitation
            | Self::AgentRecord
            | Self::Task
            | Self::Ledger
            | Self::Setting
            | Self::ShareLink => None,
        }
    }

    /// As what its bytes are sealed.
    pub fn sealing(self) -> Sealing {
        match self {
            Self::SecretVersion => Sealing::SecretVersion,
            _ => Sealing::Record,
        }
    }

    /// Whether `org` keeps records of this kind.
    pub fn stands_in(self, org: OrgId) -> bool {
        match self {
            Self::Account | Self::OidcLink | Self::Plan => org.is_platform(),
            Self::Idempotency => true,
            _ => !org.is_platform(),
        }
    }

    /// Whether it is deleted in the transaction that destroys an organization's keys, as all is
    /// that decides rights or holds secrets. The rest, which may be much, is purged after.
    pub(super) fn goes_with_the_keys(self) -> bool {
        !matches!(
            self,
            Self::Idempotency | Self::AgentRecord | Self::Task | Self::Ledger | Self::Setting
        )
    }

    /// What the log of changes calls the table, so that it tells the kind: `records/17`.
    pub(super) fn in_change_log(self) -> String {
        format!("{}/{}", RecordRow::TABLE, self as u8)
    }

    /// The kind that the log of changes tells.
    pub(super) fn of_change(table: &str) -> Option<Self> {
        let number = table.strip_prefix(RecordRow::TABLE)?.strip_prefix('/')?;
        Self::of(number.parse().ok()?)
    }
}

/// One word or two, as an operator reads them.
impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Account => "account",
            Self::OidcLink => "OIDC link",
            Self::Plan => "plan",
            Self::Idempotency => "idempotency",
            Self::Profile => "profile",
            Self::Member => "member",
            Self::Invitation => "invitation",
            Self::Team => "team",
            Self::TeamSeat => "team seat",
            Self::Agent => "agent",
            Self::Grant => "grant",
            Self::AgentRecord => "agent record",
            Self::Task => "task",
            Self::Ledger => "ledger",
            Self::Setting => "setting",
            Self::Secret => "secret",
            Self::SecretVersion => "secret version",
            Self::ShareLink => "share link",
        })
    }
}

/// A record. Authority: its organization, which may be the platform.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// Whose record.
    pub org: OrgId,
    /// What it is.
    pub kind: RecordKind,
    /// Which of its kind.
    pub id: [u8; 16],
    /// What it belongs to.
    pub parent: Option<[u8; 16]>,
    /// A blind name, unique among the records of the organization and kind.
    pub lookup: Option<[u8; 32]>,
    /// Its state or role, as its module reads it.
    pub state: u8,
    /// When it was made.
    pub created_ms: u64,
    /// From when on it holds no longer.
    pub expires_ms: Option<u64>,
    /// Everything else, sealed: see [`RecordKind::sealing`].
    pub sealed: Vec<u8>,
    /// Counts the changes of this row.
    pub sequence: u64,
}

impl Row for RecordRow {
    const TABLE: &'static str = "records";
    fn authority(&self) -> OrgId {
        self.org
    }
    fn fields(&self, fields: &mut dyn FieldSink) {
        fields.bytes(self.org.bytes());
        fields.number(self.kind as u64);
        fields.bytes(&self.id);
        match &self.parent {
            Some(parent) => fields.bytes(parent),
            None => fields.null(),
        }
        match &self.lookup {
            Some(lookup) => fields.bytes(lookup),
            None => fields.null(),
        }
        fields.number(u64::from(self.state));
        fields.number(self.created_ms);
        match self.expires_ms {
            Some(ms) => fields.number(ms),
            None => fields.null(),
        }
        fields.bytes(&self.sealed);
        fields.number(self.sequence);
    }
}

/// A change of one record. A mutation changes each record once at most.
#[derive(Debug)]
pub enum RecordWrite {
    /// Makes it ([`Conflict::Exists`](super::Conflict::Exists) when its id or lookup is taken).
    Insert(Authenticated<RecordRow>),
    /// Replaces the one whose sequence is the one before
    /// ([`Conflict::Changed`](super::Conflict::Changed),
    /// [`Conflict::Missing`](super::Conflict::Missing)). When it was made stays.
    Replace(Authenticated<RecordRow>),
    /// Deletes it as it was read.
    Delete {
        /// Its kind.
        kind: RecordKind,
        /// Which.
        id: [u8; 16],
        /// Its sequence.
        sequence: u64,
    },
}

/// What must hold once the writes of a mutation are done, or none of them is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordGuard {
    /// So many records at most ([`Conflict::LimitReached`](super::Conflict::LimitReached)).
    AtMost {
        /// Of this kind.
        kind: RecordKind,
        /// In this state, or in any.
        state: Option<u8>,
        /// How many.
        max: u64,
    },
    /// So many records at least ([`Conflict::TooFew`](super::Conflict::TooFew)).
    AtLeast {
        /// Of this kind.
        kind: RecordKind,
        /// In this state, or in any.
        state: Option<u8>,
        /// How many.
        min: u64,
    },
    /// A record is as it was read ([`Conflict::Changed`](super::Conflict::Changed), also when it is
    /// not there).
    Unchanged {
        /// Its kind.
        kind: RecordKind,
        /// Which.
        id: [u8; 16],
        /// Its sequence.
        sequence: u64,
    },
    /// A record is there ([`Conflict::Missing`](super::Conflict::Missing)).
    Exists {
        /// Its kind.
        kind: RecordKind,
        /// Which.
        id: [u8; 16],
    },
}

/// Which records of a kind, by id.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RecordQuery {
    /// Those that belong to this, or all.
    pub parent: Option<[u8; 16]>,
    /// Those in this state, or in any.
    pub state: Option<u8>,
    /// Those whose ids come after this one.
    pub after: Option<[u8; 16]>,
    /// How many at most.
    pub max: u32,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_kind_is_found_by_its_number_and_by_its_change() {
        let mut words = BTreeSet::new();
        for kind in RecordKind::ALL {
            assert_eq!(RecordKind::of(kind as u8), Some(kind));
            assert_eq!(RecordKind::of_change(&kind.in_change_log()), Some(kind));
            assert!(words.insert(kind.to_string()));
        }
        assert_eq!(RecordKind::Member.in_change_log(), "records/17");
        for unknown in [0, 5, 30, 255] {
            assert_eq!(RecordKind::of(unknown), None);
        }
        for table in [
            "records",
            "records/",
            "records/0",
            "records/017x",
            "records17",
        ] {
            assert_eq!(RecordKind::of_change(table), None, "{table}");
        }
    }

    #[test]
    fn kinds_are_the_platforms_or_an_organizations() {
        let acme = OrgId::from_bytes([1; 16]);
        let of = |org| -> Vec<RecordKind> {
            let kinds = RecordKind::ALL.into_iter();
            kinds.filter(|kind| kind.stands_in(org)).collect()
        };
        use RecordKind::{Account, Idempotency, OidcLink, Plan};
        assert_eq!(of(OrgId::PLATFORM), [Account, OidcLink, Plan, Idempotency]);
        assert_eq!(of(acme).len(), RecordKind::ALL.len() - 3);
    }
}
