use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use names::{OrgId, PrincipalId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::ask::{Ask, shown, time_ms};
use super::billing::csv;
use super::endpoint::Endpoint;
use super::operator::slug;
use super::problem::Problem;
use super::route::{Audience, Parameter, ParameterKind, ROOT, Route};
use super::service::Api;
use super::view::rfc_3339;
use crate::authz::{Action, InOrganization, Permit, ReadUsage, SendUsage, read_usage_as_operator};
use crate::http::pipeline::{Answer, Call, Content};
use crate::metering::{Dimension, EventError, Sent, UsageEvent, Used, UsedBy};
use crate::ops::Act;
use crate::tenancy::{CostCenter, CostCenterKind};

/// What is asked about usage and its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OfUsage {
    Groups,
    Send,
    CloudEvents,
    Csv,
}

pub(super) const ROUTES: &[Route] = &[
    Route::get(
        "/organizations/{org}/usage/groups",
        "GroupUsage",
        Audience::OperatorOrOrganization,
        Endpoint::Usage(OfUsage::Groups),
        "Shows what was used by agent, member, team, bucket, department or project.",
    )
    .does(ReadUsage::NAME, None)
    .asks(GROUPS)
    .gives::<UsageGroupsView>(),
    Route::post(
        "/organizations/{org}/usage/events",
        "SendUsageEvents",
        Audience::Organization,
        Endpoint::Usage(OfUsage::Send),
        "Counts events of what runs outside of the gateway, each once however often it is sent.",
    )
    .does(SendUsage::NAME, None)
    .takes::<UsageEventsRequest>()
    .gives::<SentEventsView>(),
    Route::get(
        "/organizations/{org}/usage/events",
        "ExportUsageEvents",
        Audience::OperatorOrOrganization,
        Endpoint::Usage(OfUsage::CloudEvents),
        "Exports usage by hour as a batch of CloudEvents 1.0: of hours that have ended.",
    )
    .does(ReadUsage::NAME, None)
    .asks(EXPORT)
    .streams(CLOUD_EVENTS),
    Route::get(
        "/organizations/{org}/usage/csv",
        "ExportUsage",
        Audience::OperatorOrOrganization,
        Endpoint::Usage(OfUsage::Csv),
        "Exports usage by hour as CSV (RFC 4180): of hours that have ended.",
    )
    .does(ReadUsage::NAME, None)
    .asks(EXPORT)
    .streams("text/csv"),
];

const FROM: Parameter = Parameter {
    name: "from",
    about: "From when on; a day ago, if nothing is said.",
    kind: ParameterKind::Time,
};
const UNTIL: Parameter = Parameter {
    name: "until",
    about: "Until before when; now, if nothing is said. At most 31 days after `from`.",
    kind: ParameterKind::Time,
};
const METER: Parameter = Parameter {
    name: "meter",
    about: "Of this meter alone.",
    kind: ParameterKind::Text,
};

const GROUPS: &[Parameter] = &[
    Parameter {
        name: "by",
        about: "By what it is told apart; agents, if nothing is said.",
        kind: ParameterKind::OneOf(&["agent", "member", "team", "bucket", "department", "project"]),
    },
    METER,
    FROM,
    UNTIL,
];

const EXPORT: &[Parameter] = &[
    Parameter {
        name: "by",
        about: "By what it is told apart; not at all, if nothing is said.",
        kind: ParameterKind::OneOf(&["organization", "principal", "bucket"]),
    },
    METER,
    FROM,
    UNTIL,
];

/// What was used, told apart.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UsageGroups")]
pub struct UsageGroupsView {
    /// One for each that used something.
    pub items: Vec<UsageGroupView>,
}

/// What one of them used.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UsageGroup")]
pub struct UsageGroupView {
    /// Its identifier, or the tag; nothing for what belongs to none, or to what is gone.
    pub key: Option<String>,
    /// What people call it, if they call it anything.
    pub name: Option<String>,
    /// How much, by the name of the meter.
    pub used: BTreeMap<&'static str, i64>,
}

/// Events of what runs outside of the gateway.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UsageEvents")]
pub struct UsageEventsRequest {
    /// 1 to 100 events: all of them are counted, or none.
    pub events: Vec<UsageEventRequest>,
}

/// An event: its identifier is what makes it one.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "UsageEvent")]
pub struct UsageEventRequest {
    /// What whoever sends it calls it: 1 to 200 bytes.
    pub id: String,
    /// `agent_runs`, `input_tokens`, `output_tokens`, `tool_calls` or `compute_seconds`.
    pub meter: String,
    /// How much was used.
    pub amount: u64,
    /// When (RFC 3339): within the last day.
    pub at: String,
    /// By which agent or member.
    pub principal: Option<String>,
}

/// What became of events.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SentEvents")]
pub struct SentEventsView {
    /// How many were counted now.
    pub counted: usize,
    /// How many had been counted before, and changed nothing.
    pub counted_before: usize,
}

/// What a member or agent asks.
pub(super) async fn answer(
    api: &Api,
    call: &Call,
    ask: &Ask,
    what: OfUsage,
) -> Result<Answer, Problem> {
    if what == OfUsage::Send {
        let UsageEventsRequest { events } = ask.json()?;
        let permit = call.permit::<SendUsage>(InOrganization)?;
        return sent(api, &permit, events).await;
    }
    let permit = call.permit::<ReadUsage>(InOrganization)?;
    answer_reader(api, &permit, ask, what).await
}

/// What the operator asks.
pub(super) async fn answer_operator(
    api: &Api,
    act: &Act<'_>,
    ask: &Ask,
    what: OfUsage,
) -> Result<Answer, Problem> {
    let found = api.administration.organization(act, &slug(ask)?).await?;
    let permit = read_usage_as_operator(act.operator, found.org);
    answer_reader(api, &permit, ask, what).await
}

async fn answer_reader(
    api: &Api,
    permit: &Permit<ReadUsage>,
    ask: &Ask,
    what: OfUsage,
) -> Result<Answer, Problem> {
    match what {
        OfUsage::Groups => groups(api, permit, ask).await,
        OfUsage::CloudEvents => {
            let used = exported(api, permit, ask).await?;
            let events: Vec<Value> = used
                .iter()
                .map(|used| cloud_event(permit.org(), used))
                .collect();
            let mut answer = Answer::empty(StatusCode::OK);
            let kind = HeaderValue::from_static(CLOUD_EVENTS);
            answer.head.headers_mut().insert(CONTENT_TYPE, kind);
            let body = serde_json::to_vec(&events).map_err(Problem::internal)?;
            answer.content = Content::Whole(Bytes::from(body));
            Ok(answer)
        }
        OfUsage::Csv => Ok(csv(usage_csv(
            permit.org(),
            &exported(api, permit, ask).await?,
        ))),
        OfUsage::Send => Err(Problem::not_for_you("this is for members and agents")),
    }
}

async fn sent(
    api: &Api,
    permit: &Permit<SendUsage>,
    events: Vec<UsageEventRequest>,
) -> Result<Answer, Problem> {
    if !(1..=EVENTS_MAX).contains(&events.len()) {
        return Err(Problem::invalid("there are 1 to 100 events").at("events"));
    }
    let read = events.into_iter().enumerate().map(|(at, event)| {
        let wrong =
            |what: &str, field: &str| Problem::invalid(what).at(format!("events[{at}].{field}"));
        let principal = event.principal.as_deref().map(str::parse::<PrincipalId>);
        Ok(UsageEvent {
            id: event.id,
            meter: event.meter,
            amount: event.amount,
            at_ms: time_ms(&event.at)
                .ok_or_else(|| wrong("a time is written as in RFC 3339", "at"))?,
            principal: principal
                .transpose()
                .map_err(|_| wrong("it is no identifier", "principal"))?,
        })
    });
    let read = read.collect::<Result<Vec<_>, Problem>>()?;
    let sent = api.usage.send(permit, &read).await?;
    let counted = sent.iter().filter(|sent| **sent == Sent::Counted).count();
    shown(&SentEventsView {
        counted,
        counted_before: sent.len() - counted,
    })
}

/// What was used, summed up by what it is told apart by.
async fn groups(api: &Api, permit: &Permit<ReadUsage>, ask: &Ask) -> Result<Answer, Problem> {
    let by = ask.parameter("by").unwrap_or("agent");
    let dimension = match by {
        "bucket" => Dimension::Bucket,
        _ => Dimension::Principal,
    };
    let window = window(api, ask)?;
    let used = metered(api.usage.by(permit, window, dimension).await?, ask)?;
    let centers: BTreeMap<PrincipalId, CostCenter> = match dimension {
        Dimension::Principal => {
            let centers = api.tenancy.cost_centers(permit).await?;
            let centers = centers.into_iter();
            centers.map(|center| (center.principal, center)).collect()
        }
        _ => BTreeMap::new(),
    };
    let buckets = match dimension {
        Dimension::Bucket => api.usage.bucket_names(permit).await?,
        _ => BTreeMap::new(),
    };
    let mut groups: BTreeMap<Group, BTreeMap<&'static str, i64>> = BTreeMap::new();
    for used in &used {
        let of = match used.subject {
            UsedBy::Organization => Vec::new(),
            UsedBy::Bucket(bucket) => {
                let name = buckets.get(&bucket).cloned();
                vec![Group::keyed(bucket.to_string(), name)]
            }
            UsedBy::Principal(id) => groups_of(by, centers.get(&id), id),
        };
        for group in of {
            let sum = groups
                .entry(group)
                .or_default()
                .entry(used.meter)
                .or_default();
            *sum = sum.saturating_add(used.amount);
        }
    }
    let items = groups.into_iter().map(|(group, used)| UsageGroupView {
        key: group.key,
        name: group.name,
        used,
    });
    shown(&UsageGroupsView {
        items: items.collect(),
    })
}

/// What a principal's use belongs to.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Group {
    key: Option<String>,
    name: Option<String>,
}

impl Group {
    /// What belongs to none.
    const NONE: Self = Self {
        key: None,
        name: None,
    };

    fn keyed(key: String, name: Option<String>) -> Self {
        Self {
            key: Some(key),
            name,
        }
    }
}

/// The groups that a principal's use counts in. It counts in each of its teams; what is in none, or
/// was used by whoever is gone, counts as nobody's.
fn groups_of(by: &str, center: Option<&CostCenter>, id: PrincipalId) -> Vec<Group> {
    let tag = |tag: Option<&String>| match tag {
        Some(tag) => vec![Group::keyed(tag.clone(), None)],
        None => vec![Group::NONE],
    };
    match (by, center) {
        ("agent", Some(center)) => match &center.kind {
            CostCenterKind::Agent(name) => vec![Group::keyed(id.to_string(), Some(name.clone()))],
            CostCenterKind::Member => Vec::new(),
        },
        ("member", Some(center)) => match &center.kind {
            CostCenterKind::Member => vec![Group::keyed(id.to_string(), None)],
            CostCenterKind::Agent(_) => Vec::new(),
        },
        ("department", center) => tag(center.and_then(|center| center.department.as_ref())),
        ("project", center) => tag(center.and_then(|center| center.project.as_ref())),
        ("team", Some(center)) if !center.teams.is_empty() => {
            let teams = center.teams.iter();
            let teams = teams.map(|(id, name)| Group::keyed(id.to_string(), Some(name.clone())));
            teams.collect()
        }
        _ => vec![Group::NONE],
    }
}

/// Usage of hours that have ended: what is exported once stays as it is.
async fn exported(api: &Api, permit: &Permit<ReadUsage>, ask: &Ask) -> Result<Vec<Used>, Problem> {
    let dimension = match ask.parameter("by") {
        Some("principal") => Dimension::Principal,
        Some("bucket") => Dimension::Bucket,
        _ => Dimension::Organization,
    };
    let (from_ms, until_ms) = window(api, ask)?;
    let until_ms = until_ms.min(api.usage.ended_ms());
    let used = api.usage.by(permit, (from_ms, until_ms), dimension).await?;
    metered(used, ask)
}

/// The time that is asked for.
fn window(api: &Api, ask: &Ask) -> Result<(u64, u64), Problem> {
    let now_ms = api.usage.now_ms();
    let until_ms = ask.time("until")?.unwrap_or(now_ms);
    let from_ms = ask.time("from")?.unwrap_or(until_ms.saturating_sub(DAY_MS));
    if until_ms.saturating_sub(from_ms) > WINDOW_MS_MAX {
        return Err(Problem::invalid("a window has 31 days at most").at("until"));
    }
    let limit = i64::MAX.unsigned_abs();
    Ok((from_ms.min(limit), until_ms.min(limit)))
}

/// What the meter counted that is asked for.
fn metered(used: Vec<Used>, ask: &Ask) -> Result<Vec<Used>, Problem> {
    let Some(meter) = ask.parameter("meter") else {
        return Ok(used);
    };
    if !crate::metering::is_meter(meter) {
        return Err(Problem::invalid("there is no such meter").at("meter"));
    }
    Ok(used
        .into_iter()
        .filter(|used| used.meter == meter)
        .collect())
}

/// CloudEvents 1.0.2, in the JSON format. The identifier tells hour, meter and part, so that
/// whoever gets it twice knows.
fn cloud_event(org: OrgId, used: &Used) -> Value {
    let hour = rfc_3339(used.hour_ms);
    let (kind, part) = part(used.subject);
    let subject = part
        .as_ref()
        .map_or_else(|| kind.to_owned(), |part| format!("{kind}/{part}"));
    json!({
        "specversion": "1.0",
        "id": format!("{hour}/{}/{subject}", used.meter),
        "source": format!("{ROOT}/organizations/{org}"),
        "type": "bulkhead.usage.hour",
        "subject": subject,
        "time": hour,
        "datacontenttype": "application/json",
        "data": {
            "organization": org.to_string(),
            "from": hour,
            "until": rfc_3339(used.hour_ms.saturating_add(HOUR_MS)),
            "meter": used.meter,
            "amount": used.amount,
        },
    })
}

/// Every field is a number, a time or a word of ours: none has to be quoted, and none is taken for
/// a formula.
fn usage_csv(org: OrgId, all: &[Used]) -> String {
    let mut text = String::from("organization,hour,kind,id,meter,amount\r\n");
    for used in all {
        let (kind, part) = part(used.subject);
        let (hour, part) = (rfc_3339(used.hour_ms), part.unwrap_or_default());
        let (meter, amount) = (used.meter, used.amount);
        text.push_str(&format!("{org},{hour},{kind},{part},{meter},{amount}\r\n"));
    }
    text
}

fn part(subject: UsedBy) -> (&'static str, Option<String>) {
    match subject {
        UsedBy::Organization => ("organization", None),
        UsedBy::Principal(principal) => ("principal", Some(principal.to_string())),
        UsedBy::Bucket(bucket) => ("bucket", Some(bucket.to_string())),
    }
}

impl From<EventError> for Problem {
    fn from(error: EventError) -> Self {
        let text = error.to_string();
        match error {
            EventError::Invalid { at, .. } => Self::invalid(text).at(format!("events[{at}]")),
            EventError::NameUsed { at } => Self::new(StatusCode::CONFLICT, "event-id-used", text)
                .at(format!("events[{at}].id")),
            EventError::Failed(error) => error.into(),
        }
    }
}

const CLOUD_EVENTS: &str = "application/cloudevents-batch+json";
const EVENTS_MAX: usize = 100;
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
const WINDOW_MS_MAX: u64 = 31 * DAY_MS;
