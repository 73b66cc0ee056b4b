//! Making an organization, from a short name alone or from a template.

use http::header::LOCATION;
use http::{HeaderName, HeaderValue, StatusCode};
use names::{BucketName, Slug};

use super::ask::{Ask, made};
use super::organization_view::OrganizationView;
use super::people::invitation_view;
use super::problem::Problem;
use super::provision_view::{
    FirstAccessKeyView, FirstAgentView, NewFirstAgent, NewOrganization, ProvisionedView,
};
use super::public::{email_of, label};
use super::route::ROOT;
use super::service::Api;
use crate::http::pipeline::Answer;
use crate::ops::Act;
use crate::ops::provision::{Furnishing, Provisioned, ProvisioningError, Wish};
use crate::tenancy::{AgentProfile, Label, Ownership};

/// Makes an organization. With an idempotency key the call may be sent again, also after a crash
/// in its middle: it goes on with the same organization. A template needs one, since what it makes
/// is more than one transaction, and half of it would otherwise be left behind.
pub(super) async fn create(api: &Api, act: &Act<'_>, ask: &Ask) -> Result<Answer, Problem> {
    let wish = Wish::try_from(ask.json::<NewOrganization>()?)?;
    let location = format!("{ROOT}/organizations/{}", wish.slug);
    let location = HeaderValue::from_str(&location).map_err(Problem::internal)?;
    let mut answer = match ask.idempotency_key()? {
        Some(key) => {
            let request = [ask.route.id.as_bytes(), ask.body()];
            let done = api.provisioner.provision(act, key, &request, &wish);
            shown(&done.await?)?
        }
        None if wish.is_bare() => {
            let made_alone = api
                .administration
                .create_organization(act, wish.slug, Ownership::Provisioned)
                .await?;
            made(&OrganizationView::from(&made_alone))?
        }
        None => {
            return Err(Problem::invalid(
                "what makes more than the organization itself takes an idempotency key",
            )
            .at("idempotency-key"));
        }
    };
    answer.head.headers_mut().insert(LOCATION, location);
    Ok(answer)
}

fn shown(provisioned: &Provisioned) -> Result<Answer, Problem> {
    let agents = provisioned.agents.iter();
    let mut answer = made(&ProvisionedView {
        organization: OrganizationView::from(&provisioned.organization),
        plan: provisioned.plan.as_ref().map(ToString::to_string),
        invitation: provisioned.invitation.as_ref().map(invitation_view),
        agents: agents
            .map(|agent| FirstAgentView {
                id: agent.id.to_string(),
                name: agent.profile.name.to_string(),
            })
            .collect(),
        access_key: provisioned
            .access_key
            .as_ref()
            .map(|key| FirstAccessKeyView {
                id: key.id.as_str(),
                secret: &key.secret,
                scope: key.scope.into(),
            }),
        buckets: provisioned
            .buckets
            .iter()
            .map(ToString::to_string)
            .collect(),
    })?;
    if provisioned.is_repetition {
        let headers = answer.head.headers_mut();
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(answer)
}

impl TryFrom<NewOrganization> for Wish {
    type Error = Problem;

    fn try_from(asked: NewOrganization) -> Result<Self, Problem> {
        let NewOrganization {
            slug,
            name,
            owner,
            template,
            plan,
            agents,
            access_key,
            buckets,
        } = asked;
        let agents = agents.map(|agents| match agents.len() {
            0..=Furnishing::AGENTS_MAX => agents.into_iter().map(profile).collect(),
            _ => Err(Problem::invalid("there may be 32 first agents").at("agents")),
        });
        let buckets = buckets.map(|buckets| match buckets.len() {
            0..=Furnishing::BUCKETS_MAX => buckets.iter().map(|name| bucket(name)).collect(),
            _ => Err(Problem::invalid("there may be 32 first buckets").at("buckets")),
        });
        let plan = plan.map(|plan| plan.map(|plan| slug_of(&plan, "plan")).transpose());
        Ok(Self {
            slug: slug_of(&slug, "slug")?,
            name: labelled(name.as_deref(), "name")?,
            owner: owner
                .map(|owner| email_of(&owner.email).map_err(|problem| problem.at("owner.email")))
                .transpose()?,
            template,
            plan: plan.transpose()?.into(),
            agents: agents.transpose()?.into(),
            access_key: access_key.map(|key| key.map(|key| key.scope.into())).into(),
            buckets: buckets.transpose()?.into(),
        })
    }
}

fn bucket(name: &str) -> Result<BucketName, Problem> {
    BucketName::parse(name).map_err(|error| Problem::invalid(error.to_string()).at("buckets"))
}

fn profile(asked: NewFirstAgent) -> Result<AgentProfile, Problem> {
    Ok(AgentProfile {
        name: label(&asked.name, "agents.name")?,
        department: labelled(asked.department.as_deref(), "agents.department")?,
        project: labelled(asked.project.as_deref(), "agents.project")?,
        settings: std::collections::BTreeMap::new(),
    })
}

fn labelled(text: Option<&str>, field: &'static str) -> Result<Option<Label>, Problem> {
    text.map(|text| label(text, field)).transpose()
}

fn slug_of(text: &str, field: &'static str) -> Result<Slug, Problem> {
    Slug::parse(text).map_err(|error| Problem::invalid(error.to_string()).at(field))
}

impl From<ProvisioningError> for Problem {
    fn from(error: ProvisioningError) -> Self {
        use ProvisioningError as E;
        match error {
            E::AnotherRequest => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "idempotency-key-reused",
                error.to_string(),
            ),
            E::NoSuchTemplate => Self::no_such("template").at("template"),
            E::Administration(error) => error.into(),
            E::Contended | E::Keyring(_) | E::Catalog(_) => Self::unavailable(error),
            E::Refused(_) | E::Damaged(_) => Self::damaged(error.to_string()),
        }
    }
}

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
