use std::fmt;
use std::str::FromStr;

use super::action::{Access, Area};

/// What a member of an organization is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Role {
    /// Everything, the end of the organization included. There is always one.
    Owner = 1,
    /// Everything but the end of the organization, its export and its plan.
    Admin = 2,
    /// The files of the organization, and what it was granted.
    Member = 3,
    /// Reads the files of the organization.
    Viewer = 4,
    /// Usage, plan and credits.
    Billing = 5,
}

impl Role {
    /// Every role, from the highest to the lowest.
    pub const ALL: [Self; 5] = [
        Self::Owner,
        Self::Admin,
        Self::Member,
        Self::Viewer,
        Self::Billing,
    ];

    /// The role that a row stores so.
    pub fn of(stored: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|role| *role as u8 == stored)
    }

    /// As people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Viewer => "viewer",
            Self::Billing => "billing",
        }
    }

    /// Whether whoever has this role may give `other` to somebody, or take it from somebody: none
    /// above one's own.
    pub fn may_give(self, other: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => other != Self::Owner,
            Self::Member | Self::Viewer | Self::Billing => false,
        }
    }

    /// Whether this role allows all that `other` does.
    pub fn covers(self, other: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => !matches!(other, Self::Owner | Self::Billing),
            Self::Member => matches!(other, Self::Member | Self::Viewer),
            Self::Viewer | Self::Billing => other == self,
        }
    }

    /// The table: what the role by itself allows, outside of the homes of agents.
    pub(super) fn allows(self, area: Area, access: Access) -> bool {
        let reads = access == Access::Read;
        match (self, area) {
            (_, Area::Own) => access != Access::Record,
            (Self::Owner, _) => access != Access::Record,
            (Self::Admin, Area::Lifecycle) => false,
            (Self::Admin, Area::Billing) => reads,
            (Self::Admin, _) => access != Access::Record,
            (Self::Member, Area::Drive) => true,
            (Self::Viewer, Area::Drive) => reads,
            (Self::Member | Self::Viewer, Area::People | Area::Agents | Area::Settings) => reads,
            (Self::Billing, Area::Billing) => access != Access::Record,
            (Self::Billing, Area::Settings) => reads,
            (Self::Member | Self::Viewer | Self::Billing, _) => false,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text is not a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a role is one of owner, admin, member, viewer and billing")]
pub struct InvalidRole;

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        let role = Self::ALL.into_iter().find(|role| role.as_str() == text);
        role.ok_or(InvalidRole)
    }
}
