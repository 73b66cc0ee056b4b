use names::{Glob, GrantId, PrincipalId, SecretPath};

use super::ask::{Ask, done, made, shown, time_ms};
use super::endpoint::Endpoint;
use super::grant_view::{
    ExplainRequest, ExplanationView, GrantRequest, GrantSubjectView, GrantView,
};
use super::problem::Problem;
use super::public::label;
use super::route::{Audience, Parameter, ParameterKind, Route};
use super::service::Api;
use super::view::PageView;
use crate::authz::{
    Action, ManageGrants, OfSubject, ReadGrants, Resource, SubjectKind, resource_named,
};
use crate::http::pipeline::{Answer, Call};
use crate::tenancy::{GrantFilter, GrantSubject, GrantTerms};

/// What is asked about grants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grants {
    Create,
    List,
    Show,
    Revoke,
    Explain,
}

const GRANT: Option<SubjectKind> = Some(SubjectKind::Grant);

pub(super) const ROUTES: &[Route] = &[
    Route::get(
        "/organizations/{org}/grants",
        "ListGrants",
        Audience::Organization,
        Endpoint::Grants(Grants::List),
        "Lists grants.",
    )
    .does(ReadGrants::NAME, GRANT)
    .asks(LISTED)
    .gives::<PageView<GrantView>>(),
    Route::post(
        "/organizations/{org}/grants",
        "CreateGrant",
        Audience::Organization,
        Endpoint::Grants(Grants::Create),
        "Grants actions on resources to a member, an agent or a team.",
    )
    .does(ManageGrants::NAME, GRANT)
    .takes::<GrantRequest>()
    .makes::<GrantView>(),
    Route::get(
        "/organizations/{org}/grants/{grant}",
        "GetGrant",
        Audience::Organization,
        Endpoint::Grants(Grants::Show),
        "Shows a grant.",
    )
    .does(ReadGrants::NAME, GRANT)
    .gives::<GrantView>(),
    Route::delete(
        "/organizations/{org}/grants/{grant}",
        "RevokeGrant",
        Audience::Organization,
        Endpoint::Grants(Grants::Revoke),
        "Takes a grant back.",
    )
    .does(ManageGrants::NAME, GRANT),
    Route::post(
        "/organizations/{org}/access/explain",
        "ExplainAccess",
        Audience::Organization,
        Endpoint::Grants(Grants::Explain),
        "Says by which rule a principal may do something, or why not. Nothing is done.",
    )
    .does(ReadGrants::NAME, None)
    .takes::<ExplainRequest>()
    .gives::<ExplanationView>(),
];

const LISTED: &[Parameter] = &[
    Parameter {
        name: "resource",
        about: "Those that are about this resource.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "after",
        about: "The `next` of the page before.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "limit",
        about: "How many at most.",
        kind: ParameterKind::Number(1, super::ask::LIMIT_MAX),
    },
];

pub(super) async fn answer(
    api: &Api,
    call: &Call,
    ask: &Ask,
    what: Grants,
) -> Result<Answer, Problem> {
    let tenancy = &api.tenancy;
    let all = || OfSubject::all(SubjectKind::Grant);
    let one = || OfSubject::one(SubjectKind::Grant, ask.segment("grant"));
    match what {
        Grants::Create => {
            let terms = terms(ask.json()?)?;
            let permit = call.permit::<ManageGrants>(all())?;
            let grant = tenancy.grant(permit, terms).await?;
            call.made(OfSubject::one(SubjectKind::Grant, grant.id.to_string()).to_string());
            made(&GrantView::from(&grant))
        }
        Grants::List => {
            let page = ask.page(|after| after.parse::<GrantId>().ok())?;
            let filter = match ask.parameter("resource") {
                Some(resource) => GrantFilter::About(resource),
                None => GrantFilter::Any,
            };
            let permit = call.permit::<ReadGrants>(all())?;
            let found = tenancy
                .grants(permit, filter, page.after, page.max())
                .await?;
            let (found, next) = page.cut(found, |grant| grant.id.to_string());
            let items = found.iter().map(GrantView::from).collect();
            shown(&PageView { items, next })
        }
        Grants::Show => {
            let grant = tenancy.grant_shown(call.permit(one())?).await?;
            shown(&GrantView::from(&grant))
        }
        Grants::Revoke => {
            tenancy.revoke_grant(call.permit(one())?).await?;
            Ok(done())
        }
        Grants::Explain => {
            let ExplainRequest {
                principal,
                action,
                resource,
            } = ask.json()?;
            let principal = principal
                .parse::<PrincipalId>()
                .map_err(|_| Problem::invalid("it is no identifier").at("principal"))?;
            let permit = call.permit::<ReadGrants>(all())?;
            let resource = named(api, call, &resource).await?;
            let explained = tenancy
                .explain(permit, principal, &action, &*resource)
                .await?;
            shown(&ExplanationView {
                allowed: explained.is_ok(),
                rule: match explained {
                    Ok(rule) => rule.to_string(),
                    Err(refusal) => refusal.to_string(),
                },
            })
        }
    }
}

/// The resource that policies name so, a secret with what it says itself of who may do what to it.
async fn named(api: &Api, call: &Call, text: &str) -> Result<Box<dyn Resource>, Problem> {
    let path = text
        .strip_prefix("secret:")
        .filter(|path| !path.ends_with('*'));
    if let Some(Ok(path)) = path.map(SecretPath::parse) {
        return Ok(Box::new(call.secret(&api.vault, path).await?));
    }
    resource_named(text).ok_or_else(|| {
        let problem = Problem::invalid(
            "a resource is organization, drive:bucket/key, secret:path, agent:<id> or another kind \
             and its identifier; a star at its end makes it a listing",
        );
        problem.at("resource")
    })
}

fn terms(request: GrantRequest) -> Result<GrantTerms, Problem> {
    let globs = |texts: &[String], field: &'static str| -> Result<Vec<Glob>, Problem> {
        texts
            .iter()
            .map(|text| {
                Glob::parse(text).map_err(|error| Problem::invalid(error.to_string()).at(field))
            })
            .collect()
    };
    let no_id = |_| Problem::invalid("it is no identifier").at("subject");
    Ok(GrantTerms {
        subject: match request.subject {
            GrantSubjectView::Member(id) => GrantSubject::Member(id.parse().map_err(no_id)?),
            GrantSubjectView::Agent(id) => GrantSubject::Agent(id.parse().map_err(no_id)?),
            GrantSubjectView::Team(id) => GrantSubject::Team(id.parse().map_err(no_id)?),
        },
        actions: globs(&request.actions, "actions")?,
        resources: globs(&request.resources, "resources")?,
        expires_ms: end(request.expires_at.as_deref())?,
        note: request.note.map(|note| label(&note, "note")).transpose()?,
    })
}

/// The end of something that a request may name.
pub(super) fn end(text: Option<&str>) -> Result<Option<u64>, Problem> {
    let invalid = || Problem::invalid("a time is written as in RFC 3339").at("expires_at");
    text.map(|text| time_ms(text).ok_or_else(invalid))
        .transpose()
}
