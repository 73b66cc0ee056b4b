use names::{BucketName, Slug};

use super::{Furnishing, ProvisioningError, Templates};
use crate::authz::Scope;
use crate::tenancy::{AgentProfile, Email, Label};

/// What a call asks for: an organization, and what stands in it from its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Its short name.
    pub slug: Slug,
    /// What people call it; the short name, if nothing is said.
    pub name: Option<Label>,
    /// Who is invited to own it.
    pub owner: Option<Email>,
    /// The template that says what the call does not.
    pub template: Option<String>,
    /// The plan that it is put on.
    pub plan: Part<Option<Slug>>,
    /// Its first agents.
    pub agents: Part<Vec<AgentProfile>>,
    /// How far its first access key reaches, if it gets one.
    pub access_key: Part<Option<Scope>>,
    /// Its first buckets.
    pub buckets: Part<Vec<BucketName>>,
}

/// A part of what is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part<T> {
    /// What the template says; nothing, if there is none.
    OfTemplate,
    /// This, whatever the template says.
    Chosen(T),
}

/// What an organization is made with: all that a call and its template said, when it was first
/// sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Blueprint {
    pub(super) slug: Slug,
    pub(super) name: Option<Label>,
    pub(super) owner: Option<Email>,
    pub(super) furnishing: Furnishing,
}

impl Wish {
    /// Whether it is for the organization and nothing else.
    pub fn is_bare(&self) -> bool {
        let nothing = Furnishing::default();
        self.template.is_none()
            && self.name.is_none()
            && self.owner.is_none()
            && self.over(nothing.clone()) == nothing
    }

    /// What it comes to with the templates that there are now.
    pub(super) fn blueprint(&self, templates: &Templates) -> Result<Blueprint, ProvisioningError> {
        let template = match &self.template {
            Some(name) => templates
                .named(name)
                .ok_or(ProvisioningError::NoSuchTemplate)?
                .clone(),
            None => Furnishing::default(),
        };
        Ok(Blueprint {
            slug: self.slug.clone(),
            name: self.name.clone(),
            owner: self.owner.clone(),
            furnishing: self.over(template),
        })
    }

    fn over(&self, template: Furnishing) -> Furnishing {
        Furnishing {
            plan: self.plan.or(template.plan),
            agents: self.agents.or(template.agents),
            access_key: self.access_key.or(template.access_key),
            buckets: self.buckets.or(template.buckets),
        }
    }
}

impl<T: Clone> Part<T> {
    fn or(&self, of_template: T) -> T {
        match self {
            Self::OfTemplate => of_template,
            Self::Chosen(chosen) => chosen.clone(),
        }
    }
}

impl<T> From<Option<T>> for Part<T> {
    /// What is not said is the template's.
    fn from(said: Option<T>) -> Self {
        said.map_or(Self::OfTemplate, Self::Chosen)
    }
}
