use http::HeaderValue;
use http::header::LOCATION;
use names::Slug;

use super::ask::{Ask, made, shown, tagged};
use super::endpoint::Endpoint;
use super::operator::slug;
use super::plan_view::{
    AssignedPlanView, LimitUseView, LimitUsesView, NewPlanRequest, PlanAssignment, PlanRequest,
    PlanView,
};
use super::problem::Problem;
use super::public::label;
use super::route::{Audience, PAGED, ROOT, Route};
use super::service::Api;
use super::view::PageView;
use crate::authz::{Action, InOrganization, Limits, Permit, ReadUsage, read_usage_as_operator};
use crate::http::pipeline::{Answer, Call};
use crate::ops::Act;

/// What is asked about plans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plans {
    Create,
    List,
    Show,
    Change,
    Assign,
    ShowAssigned,
    Limits,
}

pub(super) const ROUTES: &[Route] = &[
    Route::post(
        "/plans",
        "CreatePlan",
        Audience::Operator,
        Endpoint::Plans(Plans::Create),
        "Makes a plan that organizations can be put on.",
    )
    .takes::<NewPlanRequest>()
    .makes::<PlanView>(),
    Route::get(
        "/plans",
        "ListPlans",
        Audience::Operator,
        Endpoint::Plans(Plans::List),
        "Lists plans by age.",
    )
    .asks(PAGED)
    .gives::<PageView<PlanView>>(),
    Route::get(
        "/plans/{plan}",
        "GetPlan",
        Audience::Operator,
        Endpoint::Plans(Plans::Show),
        "Shows a plan.",
    )
    .gives::<PlanView>(),
    Route::put(
        "/plans/{plan}",
        "ChangePlan",
        Audience::Operator,
        Endpoint::Plans(Plans::Change),
        "Says something else in a plan, from now on for whoever is on it.",
    )
    .takes::<PlanRequest>()
    .gives::<PlanView>(),
    Route::put(
        "/organizations/{org}/plan",
        "AssignPlan",
        Audience::Operator,
        Endpoint::Plans(Plans::Assign),
        "Puts an organization on a plan, or takes it off.",
    )
    .takes::<PlanAssignment>()
    .gives::<AssignedPlanView>(),
    Route::get(
        "/organizations/{org}/plan",
        "GetAssignedPlan",
        Audience::OperatorOrOrganization,
        Endpoint::Plans(Plans::ShowAssigned),
        "Shows the plan that an organization is on.",
    )
    .does(ReadUsage::NAME, None)
    .gives::<AssignedPlanView>(),
    Route::get(
        "/organizations/{org}/limits",
        "GetLimits",
        Audience::OperatorOrOrganization,
        Endpoint::Plans(Plans::Limits),
        "Shows how much of each limit is used, and warns from four fifths on.",
    )
    .does(ReadUsage::NAME, None)
    .gives::<LimitUsesView>(),
];

/// What a member or agent asks.
pub(super) async fn answer(api: &Api, call: &Call, what: Plans) -> Result<Answer, Problem> {
    let permit = call.permit::<ReadUsage>(InOrganization)?;
    match what {
        Plans::ShowAssigned => {
            let plan = api.tenancy.own_plan(&permit).await?;
            shown(&AssignedPlanView {
                plan: plan.as_ref().map(PlanView::from),
            })
        }
        Plans::Limits => {
            let terms = api.tenancy.own_terms(&permit).await?;
            limits_of(api, permit, &terms.limits).await
        }
        _ => Err(Problem::not_for_you("this is for the platform's operator")),
    }
}

/// What the operator asks.
pub(super) async fn answer_operator(
    api: &Api,
    act: &Act<'_>,
    ask: &Ask,
    what: Plans,
) -> Result<Answer, Problem> {
    let administration = &api.administration;
    match what {
        Plans::Create => {
            let (slug, request) = ask.json::<NewPlanRequest>()?.split();
            let slug = Slug::parse(&slug)
                .map_err(|error| Problem::invalid(error.to_string()).at("slug"))?;
            let (name, terms) = (label(&request.name, "name")?, request.terms()?);
            let location = HeaderValue::from_str(&format!("{ROOT}/plans/{slug}"))
                .map_err(Problem::internal)?;
            let plan = administration
                .create_plan(act, &slug, &name, &terms)
                .await?;
            let mut answer = made(&PlanView::from(&plan))?;
            answer.head.headers_mut().insert(LOCATION, location);
            Ok(answer)
        }
        Plans::List => {
            let page = ask.page(|after| Slug::parse(after).ok())?;
            let found = api
                .tenancy
                .plans(act.operator, page.after.as_ref(), page.max())
                .await?;
            let (found, next) = page.cut(found, |plan| plan.slug.to_string());
            shown(&PageView {
                items: found.iter().map(PlanView::from).collect(),
                next,
            })
        }
        Plans::Show => {
            let plan = api.tenancy.plan_named(act.operator, &plan(ask)?).await?;
            tagged(&PlanView::from(&plan), plan.etag)
        }
        Plans::Change => {
            let request: PlanRequest = ask.json()?;
            let (name, terms) = (label(&request.name, "name")?, request.terms()?);
            let plan = administration
                .change_plan(act, &plan(ask)?, &name, &terms, ask.if_match()?)
                .await?;
            tagged(&PlanView::from(&plan), plan.etag)
        }
        Plans::Assign => {
            let PlanAssignment { plan } = ask.json()?;
            let plan = plan.as_deref().map(Slug::parse).transpose();
            let plan = plan.map_err(|error| Problem::invalid(error.to_string()).at("plan"))?;
            let assigned = administration
                .assign_plan(act, &api.credits, &slug(ask)?, plan.as_ref())
                .await?;
            shown(&AssignedPlanView {
                plan: assigned.as_ref().map(PlanView::from),
            })
        }
        Plans::ShowAssigned => {
            let found = administration.organization(act, &slug(ask)?).await?;
            let permit = read_usage_as_operator(act.operator, found.org);
            let plan = api.tenancy.own_plan(&permit).await?;
            shown(&AssignedPlanView {
                plan: plan.as_ref().map(PlanView::from),
            })
        }
        Plans::Limits => {
            let found = administration.organization(act, &slug(ask)?).await?;
            let permit = read_usage_as_operator(act.operator, found.org);
            let terms = api.tenancy.own_terms(&permit).await?;
            limits_of(api, permit, &terms.limits).await
        }
    }
}

async fn limits_of(
    api: &Api,
    permit: Permit<ReadUsage>,
    limits: &Limits,
) -> Result<Answer, Problem> {
    let found = api.metering.limits(permit, limits).await?;
    shown(&LimitUsesView {
        items: found.iter().map(LimitUseView::from).collect(),
    })
}

/// A segment that is no slug names no plan.
fn plan(ask: &Ask) -> Result<Slug, Problem> {
    Slug::parse(ask.segment("plan")).map_err(|_| Problem::no_such("plan"))
}
