use std::collections::BTreeMap;

use minicbor::{CborLen, Decode, Encode};
use names::{BucketName, Slug};

use super::Furnishing;
use super::wish::Blueprint;
use crate::authz::Scope;
use crate::tenancy::{AgentProfile, Email, Label};

/// A blueprint as it stands in a plan: whoever goes on with it makes what it said at first, whatever
/// the templates say since.
#[derive(Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct KeptBlueprint {
    #[n(0)]
    slug: String,
    #[n(1)]
    name: Option<String>,
    #[n(2)]
    owner: Option<String>,
    #[n(3)]
    plan: Option<String>,
    #[n(4)]
    agents: Vec<KeptAgent>,
    #[n(5)]
    access_key: Option<KeptScope>,
    #[n(6)]
    buckets: Vec<String>,
}

#[derive(Encode, Decode, CborLen)]
#[cbor(map)]
struct KeptAgent {
    #[n(0)]
    name: String,
    #[n(1)]
    department: Option<String>,
    #[n(2)]
    project: Option<String>,
    #[n(3)]
    settings: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Encode, Decode, CborLen)]
#[cbor(index_only)]
enum KeptScope {
    #[n(0)]
    Full,
    #[n(1)]
    ReadOnly,
}

impl KeptBlueprint {
    /// What it says, if it is what was kept.
    pub(super) fn blueprint(&self) -> Option<Blueprint> {
        let agents = self.agents.iter().map(KeptAgent::profile);
        let buckets = self.buckets.iter();
        Some(Blueprint {
            slug: Slug::parse(&self.slug).ok()?,
            name: label(&self.name)?,
            owner: match &self.owner {
                Some(owner) => Some(Email::parse(owner).ok()?),
                None => None,
            },
            furnishing: Furnishing {
                plan: match &self.plan {
                    Some(plan) => Some(Slug::parse(plan).ok()?),
                    None => None,
                },
                agents: agents.collect::<Option<_>>()?,
                access_key: self.access_key.map(|scope| match scope {
                    KeptScope::Full => Scope::Full,
                    KeptScope::ReadOnly => Scope::ReadOnly,
                }),
                buckets: buckets
                    .map(|bucket| BucketName::parse(bucket).ok())
                    .collect::<Option<_>>()?,
            },
        })
    }
}

impl KeptAgent {
    fn profile(&self) -> Option<AgentProfile> {
        let settings = self.settings.iter();
        Some(AgentProfile {
            name: Label::parse(&self.name).ok()?,
            department: label(&self.department)?,
            project: label(&self.project)?,
            settings: settings
                .map(|(name, value)| Some((Label::parse(name).ok()?, value.clone())))
                .collect::<Option<_>>()?,
        })
    }
}

impl From<&Blueprint> for KeptBlueprint {
    fn from(blueprint: &Blueprint) -> Self {
        let Blueprint {
            slug,
            name,
            owner,
            furnishing,
        } = blueprint;
        let Furnishing {
            plan,
            agents,
            access_key,
            buckets,
        } = furnishing;
        Self {
            slug: slug.to_string(),
            name: name.as_ref().map(ToString::to_string),
            owner: owner.as_ref().map(|owner| owner.as_str().to_owned()),
            plan: plan.as_ref().map(ToString::to_string),
            agents: agents.iter().map(KeptAgent::from).collect(),
            access_key: access_key.map(|scope| match scope {
                Scope::Full => KeptScope::Full,
                Scope::ReadOnly => KeptScope::ReadOnly,
            }),
            buckets: buckets.iter().map(ToString::to_string).collect(),
        }
    }
}

impl From<&AgentProfile> for KeptAgent {
    fn from(profile: &AgentProfile) -> Self {
        let settings = profile.settings.iter();
        Self {
            name: profile.name.to_string(),
            department: profile.department.as_ref().map(ToString::to_string),
            project: profile.project.as_ref().map(ToString::to_string),
            settings: settings
                .map(|(name, value)| (name.to_string(), value.clone()))
                .collect(),
        }
    }
}

/// Nothing where what was kept is no label.
fn label(kept: &Option<String>) -> Option<Option<Label>> {
    match kept {
        Some(text) => Label::parse(text).ok().map(Some),
        None => Some(None),
    }
}
