use std::collections::BTreeMap;
use std::time::Duration;

use names::{AccessKeyId, Glob, PrincipalId};

use super::ask::{Ask, shown, tagged};
use super::endpoint::Endpoint;
use super::export::{self, EXPORT};
use super::organization_view::{
    DeletionRequest, OrganizationView, ProfileChangeRequest, ProfileView,
};
use super::problem::Problem;
use super::public::label;
use super::route::{Audience, Parameter, ParameterKind, Route};
use super::service::Api;
use super::usage_view::{ActivityPageView, HourUsageView};
use super::view::{PageView, rfc_3339};
use crate::audit::{ActivityQuery, Cursor, Decided, Order, ReadError};
use crate::authz::{
    Action, DeleteOrganization, ExportOrganization, InOrganization, ManageSettings, Permit,
    ReadActivity, ReadSettings, ReadUsage,
};
use crate::http::pipeline::{Answer, Call};
use crate::tenancy::{Label, ProfileChange};

/// What is asked of an organization as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OfOrganization {
    Show,
    ShowProfile,
    ChangeProfile,
    Usage,
    Activity,
    Delete,
    Restore,
    Export,
}

pub(super) const ROUTES: &[Route] = &[
    Route::get(
        "/organizations/{org}",
        "GetOrganization",
        Audience::OperatorOrOrganization,
        Endpoint::Organization(OfOrganization::Show),
        "Shows an organization.",
    )
    .does(ReadSettings::NAME, None)
    .gives::<OrganizationView>(),
    Route::get(
        "/organizations/{org}/profile",
        "GetProfile",
        Audience::Organization,
        Endpoint::Organization(OfOrganization::ShowProfile),
        "Shows name, plan and settings.",
    )
    .does(ReadSettings::NAME, None)
    .gives::<ProfileView>(),
    Route::patch(
        "/organizations/{org}/profile",
        "ChangeProfile",
        Audience::Organization,
        Endpoint::Organization(OfOrganization::ChangeProfile),
        "Changes name and settings.",
    )
    .does(ManageSettings::NAME, None)
    .takes::<ProfileChangeRequest>()
    .gives::<ProfileView>(),
    Route::get(
        "/organizations/{org}/usage",
        "GetUsage",
        Audience::OperatorOrOrganization,
        Endpoint::Organization(OfOrganization::Usage),
        "Shows what was used, by hour.",
    )
    .does(ReadUsage::NAME, None)
    .asks(USAGE)
    .gives::<PageView<HourUsageView>>(),
    Route::get(
        "/organizations/{org}/activity",
        "ListActivity",
        Audience::Organization,
        Endpoint::Organization(OfOrganization::Activity),
        "Lists what was done and refused.",
    )
    .does(ReadActivity::NAME, None)
    .asks(ACTIVITY)
    .gives::<ActivityPageView>(),
    Route::post(
        "/organizations/{org}/delete",
        "DeleteOrganization",
        Audience::Organization,
        Endpoint::Organization(OfOrganization::Delete),
        "Asks for the organization to be destroyed once a grace period has ended.",
    )
    .does(DeleteOrganization::NAME, None)
    .takes::<DeletionRequest>()
    .gives::<OrganizationView>(),
    Route::post(
        "/organizations/{org}/restore",
        "RestoreOrganization",
        Audience::Organization,
        Endpoint::Organization(OfOrganization::Restore),
        "Takes back that the organization is to be destroyed.",
    )
    .does(DeleteOrganization::NAME, None)
    .gives::<OrganizationView>(),
    Route::get(
        "/organizations/{org}/export",
        "ExportOrganization",
        Audience::Organization,
        Endpoint::Organization(OfOrganization::Export),
        "Streams all files, records and secrets, decrypted, as a tar archive, for its owner. An \
         archive that does not end with `MANIFEST.json` was cut.",
    )
    .does(ExportOrganization::NAME, None)
    .asks(EXPORT)
    .streams("application/x-tar"),
];

const FROM: Parameter = Parameter {
    name: "from",
    about: "From when on.",
    kind: ParameterKind::Time,
};
const UNTIL: Parameter = Parameter {
    name: "until",
    about: "Until before when.",
    kind: ParameterKind::Time,
};

const USAGE: &[Parameter] = &[FROM, UNTIL];

const ACTIVITY: &[Parameter] = &[
    FROM,
    UNTIL,
    Parameter {
        name: "principal",
        about: "By whom: a principal's identifier.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "credential",
        about: "By which credential.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "action",
        about: "The action's name in policies, with `*` for any text.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "resource",
        about: "How the resource begins.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "decision",
        about: "What became of it.",
        kind: ParameterKind::OneOf(&["allowed", "refused", "damaged", "intended", "stated"]),
    },
    Parameter {
        name: "order",
        about: "What comes first.",
        kind: ParameterKind::OneOf(&["newest", "oldest"]),
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
    what: OfOrganization,
) -> Result<Answer, Problem> {
    match what {
        OfOrganization::Show => {
            let permit = call.permit::<ReadSettings>(InOrganization)?;
            let found = api.tenancy.own_organization(permit).await?;
            shown(&OrganizationView::from(&found))
        }
        OfOrganization::ShowProfile => {
            let permit = call.permit::<ReadSettings>(InOrganization)?;
            let profile = api.tenancy.profile(permit).await?;
            tagged(&ProfileView::from(&profile), profile.etag)
        }
        OfOrganization::ChangeProfile => {
            let permit = call.permit::<ManageSettings>(InOrganization)?;
            let ProfileChangeRequest { name, settings } = ask.json()?;
            let change = ProfileChange {
                name: name.map(|name| label(&name, "name")).transpose()?,
                settings: labelled(settings)?,
            };
            let profile = api
                .tenancy
                .change_profile(permit, &change, ask.if_match()?)
                .await?;
            tagged(&ProfileView::from(&profile), profile.etag)
        }
        OfOrganization::Usage => {
            let permit = call.permit::<ReadUsage>(InOrganization)?;
            usage_of(api, permit, ask).await
        }
        OfOrganization::Activity => {
            let permit = call.permit::<ReadActivity>(InOrganization)?;
            activity(api, permit, ask).await
        }
        OfOrganization::Delete => {
            let permit = call.permit::<DeleteOrganization>(InOrganization)?;
            let DeletionRequest { grace_days } = ask.json()?;
            let grace = grace_days.map(|days| Duration::from_secs(u64::from(days) * 86_400));
            let changed = api.tenancy.ask_deletion(permit, grace).await?;
            shown(&OrganizationView::from(&changed))
        }
        OfOrganization::Export => {
            let permit = call.permit::<ExportOrganization>(InOrganization)?;
            Ok(export::export(api, call, ask, permit))
        }
        OfOrganization::Restore => {
            let permit = call.permit::<DeleteOrganization>(InOrganization)?;
            let changed = api.tenancy.restore(permit).await?;
            shown(&OrganizationView::from(&changed))
        }
    }
}

/// What an organization used, by hour.
pub(super) async fn usage_of(
    api: &Api,
    permit: Permit<ReadUsage>,
    ask: &Ask,
) -> Result<Answer, Problem> {
    let (from, until) = (ask.time("from")?, ask.time("until")?);
    let limit = i64::MAX.unsigned_abs();
    let hours = api
        .metering
        .usage(permit, from.unwrap_or(0), until.unwrap_or(limit).min(limit))
        .await?;
    shown(&PageView {
        items: hours.iter().map(HourUsageView::from).collect(),
        next: None,
    })
}

async fn activity(api: &Api, permit: Permit<ReadActivity>, ask: &Ask) -> Result<Answer, Problem> {
    let invalid = |name: &'static str| Problem::invalid("it is not what it has to be").at(name);
    let page = ask.page(|after| after.parse::<Cursor>().ok())?;
    let query = ActivityQuery {
        from_ms: ask.time("from")?,
        until_ms: ask.time("until")?,
        principal: match ask.parameter("principal") {
            Some(text) => {
                let id = text.parse::<PrincipalId>();
                Some(id.map_err(|_| invalid("principal"))?)
            }
            None => None,
        },
        credential: match ask.parameter("credential") {
            Some(text) => Some(AccessKeyId::parse(text).map_err(|_| invalid("credential"))?),
            None => None,
        },
        account: None,
        action: match ask.parameter("action") {
            Some(text) => Some(Glob::parse(text).map_err(|_| invalid("action"))?),
            None => None,
        },
        resource: ask.parameter("resource").map(str::to_owned),
        decision: ask.parameter("decision").and_then(Decided::of),
        order: match ask.parameter("order") {
            Some("oldest") => Order::OldestFirst,
            _ => Order::NewestFirst,
        },
    };
    let max = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let found = api.activity.page(permit, &query, page.after, max).await?;
    let items = found
        .logged()
        .map(|logged| serde_json::from_str(&logged.json()).unwrap_or_default());
    shown(&ActivityPageView {
        items: items.collect(),
        illegible: found.illegible.iter().map(ToString::to_string).collect(),
        next: found.next.map(|next| next.to_string()),
    })
}

fn labelled(
    settings: BTreeMap<String, Option<String>>,
) -> Result<BTreeMap<Label, Option<String>>, Problem> {
    settings
        .into_iter()
        .map(|(name, value)| Ok((label(&name, "settings")?, value)))
        .collect()
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        Self::internal(error)
    }
}

impl From<&crate::metering::HourUsage> for HourUsageView {
    fn from(hour: &crate::metering::HourUsage) -> Self {
        Self {
            hour: rfc_3339(hour.hour_ms),
            stored_bytes: hour.stored_bytes_change,
            objects: hour.objects_change,
            requests: hour.requests,
            ingress_bytes: hour.ingress_bytes,
            egress_bytes: hour.egress_bytes,
            secret_reads: hour.secret_reads,
            secret_uses: hour.secret_uses,
            agent_runs: hour.agent_runs,
            input_tokens: hour.input_tokens,
            output_tokens: hour.output_tokens,
            tool_calls: hour.tool_calls,
            compute_seconds: hour.compute_seconds,
        }
    }
}
