use std::collections::BTreeMap;

use names::{BucketName, Slug};

use crate::authz::Scope;
use crate::config::{self, AccessKeyReach, ConfigError, TemplateAgent};
use crate::tenancy::{AgentProfile, Label};

/// What stands in organizations from their start, by the names that calls may give.
#[derive(Debug, Clone, Default)]
pub struct Templates(BTreeMap<String, Furnishing>);

/// What stands in an organization from its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Furnishing {
    /// The plan that it is put on.
    pub plan: Option<Slug>,
    /// Its first agents; at most [`AGENTS_MAX`](Self::AGENTS_MAX).
    pub agents: Vec<AgentProfile>,
    /// How far its first access key reaches, if it gets one.
    pub access_key: Option<Scope>,
    /// Its first buckets; at most [`BUCKETS_MAX`](Self::BUCKETS_MAX).
    pub buckets: Vec<BucketName>,
}

impl Templates {
    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// If one says what no organization can have, with the line where it does.
    pub fn read(settings: &[config::Template]) -> Result<Self, ConfigError> {
        let read = settings
            .iter()
            .map(|template| Ok((template.name.clone(), Furnishing::read(template)?)));
        read.collect::<Result<_, _>>().map(Self)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Furnishing> {
        self.0.get(name)
    }
}

impl Furnishing {
    /// How many agents an organization is made with at most.
    pub const AGENTS_MAX: usize = 32;
    /// How many buckets it is made with at most.
    pub const BUCKETS_MAX: usize = 32;

    fn read(template: &config::Template) -> Result<Self, ConfigError> {
        if template.agents.len() > Self::AGENTS_MAX {
            return Err(template.error("agents", "32 at most"));
        }
        if template.buckets.len() > Self::BUCKETS_MAX {
            return Err(template.error("buckets", "32 at most"));
        }
        let plan = template.plan.as_deref().map(|plan| {
            Slug::parse(plan).map_err(|error| template.error("plan", &error.to_string()))
        });
        let buckets = template.buckets.iter().map(|bucket| {
            BucketName::parse(bucket)
                .map_err(|error| template.error("buckets", &format!("`{bucket}`: {error}")))
        });
        Ok(Self {
            plan: plan.transpose()?,
            agents: template
                .agents
                .iter()
                .map(agent)
                .collect::<Result<_, _>>()?,
            access_key: template.access_key.map(|reach| match reach {
                AccessKeyReach::Full => Scope::Full,
                AccessKeyReach::ReadOnly => Scope::ReadOnly,
            }),
            buckets: buckets.collect::<Result<_, _>>()?,
        })
    }
}

fn agent(agent: &TemplateAgent) -> Result<AgentProfile, ConfigError> {
    let label =
        |text: &str, key| Label::parse(text).map_err(|error| agent.error(key, &error.to_string()));
    let tag = |text: &Option<String>, key| {
        let text = text.as_deref().map(|text| label(text, key));
        text.transpose()
    };
    Ok(AgentProfile {
        name: label(&agent.name, "name")?,
        department: tag(&agent.department, "department")?,
        project: tag(&agent.project, "project")?,
        settings: BTreeMap::new(),
    })
}
