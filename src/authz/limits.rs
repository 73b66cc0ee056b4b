use std::fmt;

/// What an organization may have or use only so much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Limit {
    /// Agents.
    Agents,
    /// Members.
    Members,
    /// Secrets.
    Secrets,
    /// Bytes of plaintext in objects and parts.
    StoredBytes,
    /// Objects.
    Objects,
    /// Requests in an hour of the clock (UTC).
    RequestsPerHour,
    /// Requests in a month of the calendar (UTC).
    RequestsPerMonth,
    /// Bytes of answer bodies in an hour of the clock (UTC).
    EgressBytesPerHour,
    /// Bytes of answer bodies in a month of the calendar (UTC).
    EgressBytesPerMonth,
}

impl Limit {
    /// All there are.
    pub const ALL: [Self; 9] = [
        Self::Agents,
        Self::Members,
        Self::Secrets,
        Self::StoredBytes,
        Self::Objects,
        Self::RequestsPerHour,
        Self::RequestsPerMonth,
        Self::EgressBytesPerHour,
        Self::EgressBytesPerMonth,
    ];

    /// As plans, problems and logs name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::Members => "members",
            Self::Secrets => "secrets",
            Self::StoredBytes => "stored_bytes",
            Self::Objects => "objects",
            Self::RequestsPerHour => "requests_per_hour",
            Self::RequestsPerMonth => "requests_per_month",
            Self::EgressBytesPerHour => "egress_bytes_per_hour",
            Self::EgressBytesPerMonth => "egress_bytes_per_month",
        }
    }

    /// The limit of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.as_str() == name)
    }

    /// Whether it is on a use that begins anew with each hour or month, and not on what there is.
    pub fn is_rate(self) -> bool {
        match self {
            Self::Agents | Self::Members | Self::Secrets | Self::StoredBytes | Self::Objects => {
                false
            }
            Self::RequestsPerHour
            | Self::RequestsPerMonth
            | Self::EgressBytesPerHour
            | Self::EgressBytesPerMonth => true,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much an organization may have and use. What nothing is said of has no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits([Option<u64>; Limit::ALL.len()]);

impl Limits {
    /// No limit on anything.
    pub const NONE: Self = Self([None; Limit::ALL.len()]);

    /// The most that there may be.
    pub fn of(&self, limit: Limit) -> Option<u64> {
        self.0[limit as usize]
    }

    /// The same with this limit.
    #[must_use]
    pub fn with(mut self, limit: Limit, max: u64) -> Self {
        self.0[limit as usize] = Some(max);
        self
    }

    /// The limits that are set.
    pub fn iter(&self) -> impl Iterator<Item = (Limit, u64)> {
        Limit::ALL
            .into_iter()
            .filter_map(|limit| Some((limit, self.of(limit)?)))
    }
}
