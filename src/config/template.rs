use serde::Deserialize;

use super::check::is_label;
use super::error::ConfigError;
use super::tree::{Places, Tree};

/// `[[template]]`: what an organization is made with, if the call that makes it names the template.
///
/// These are settings as they are written. Whoever makes organizations of them says what names
/// nothing that there may be, and with [`error`](Self::error) where it stands.
#[derive(Debug, Clone)]
pub struct Template {
    /// What calls name it by.
    pub name: String,
    /// The plan that an organization is put on.
    pub plan: Option<String>,
    /// How far its first access key reaches. None: it gets none.
    pub access_key: Option<AccessKeyReach>,
    /// Its first buckets.
    pub buckets: Vec<String>,
    /// Its first agents.
    pub agents: Vec<TemplateAgent>,
    pub(super) places: Places,
}

/// `[[template.agents]]`: an agent that an organization is made with.
#[derive(Debug, Clone)]
pub struct TemplateAgent {
    /// What it is called.
    pub name: String,
    /// Whose costs it makes.
    pub department: Option<String>,
    /// For what it makes them.
    pub project: Option<String>,
    pub(super) places: Places,
}

/// How far an access key reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccessKeyReach {
    /// All that an organization may do.
    Full,
    /// Only what changes nothing.
    ReadOnly,
}

/// `[[template]]` as it is written.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TemplateSection {
    pub(super) name: String,
    pub(super) plan: Option<String>,
    pub(super) access_key: Option<AccessKeyReach>,
    pub(super) buckets: Vec<String>,
    pub(super) agents: Vec<TemplateAgentSection>,
}

/// `[[template.agents]]` as it is written.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TemplateAgentSection {
    pub(super) name: String,
    pub(super) department: Option<String>,
    pub(super) project: Option<String>,
}

impl Template {
    /// An error in a setting of it, with the line.
    pub fn error(&self, key: &str, message: &str) -> ConfigError {
        self.places.error("[[template]]", key, message)
    }
}

impl TemplateAgent {
    /// An error in a setting of it, with the line.
    pub fn error(&self, key: &str, message: &str) -> ConfigError {
        self.places.error("[[template.agents]]", key, message)
    }
}

/// The templates that `[[template]]` names.
pub(super) fn templates(
    tree: &Tree,
    sections: Vec<TemplateSection>,
) -> Result<Vec<Template>, ConfigError> {
    let mut templates: Vec<Template> = Vec::new();
    for (at, section) in sections.into_iter().enumerate() {
        let TemplateSection {
            name,
            plan,
            access_key,
            buckets,
            agents,
        } = section;
        let inner = tree.places_within("template", at, "agents");
        let agents = agents.into_iter().zip(inner);
        let template = Template {
            name,
            plan,
            access_key,
            buckets,
            agents: agents
                .map(|(agent, places)| TemplateAgent {
                    name: agent.name,
                    department: agent.department,
                    project: agent.project,
                    places,
                })
                .collect(),
            places: tree.places("template", at),
        };
        let is_new = templates.iter().all(|other| other.name != template.name);
        if !is_label(&template.name) || !is_new {
            let expected = "1 to 63 of a-z, 0-9 and -, and no other template's";
            return Err(template.error("name", expected));
        }
        templates.push(template);
    }
    Ok(templates)
}
