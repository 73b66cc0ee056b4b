use names::{BucketName, Slug};

use crate::authz::Scope;
use crate::tenancy::{AgentProfile, Email, Label};

/// What an organization is made with, in one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its short name.
    pub slug: Slug,
    /// What people call it; the short name, if nothing is said.
    pub name: Option<Label>,
    /// The plan that it is put on.
    pub plan: Option<Slug>,
    /// Who is invited to own it.
    pub owner: Option<Email>,
    /// Its first agents; at most [`AGENTS_MAX`](Self::AGENTS_MAX).
    pub agents: Vec<AgentProfile>,
    /// How far its first access key reaches, if it gets one.
    pub access_key: Option<Scope>,
    /// Its first buckets; at most [`BUCKETS_MAX`](Self::BUCKETS_MAX).
    pub buckets: Vec<BucketName>,
}

impl Template {
    /// How many agents an organization is made with at most.
    pub const AGENTS_MAX: usize = 32;
    /// How many buckets it is made with at most.
    pub const BUCKETS_MAX: usize = 32;

    /// Whether it makes the organization and nothing else.
    pub fn is_bare(&self) -> bool {
        let Self {
            slug: _,
            name,
            plan,
            owner,
            agents,
            access_key,
            buckets,
        } = self;
        name.is_none()
            && plan.is_none()
            && owner.is_none()
            && agents.is_empty()
            && access_key.is_none()
            && buckets.is_empty()
    }
}
