use std::collections::BTreeMap;

use names::PrincipalId;
use serde_json::Value as Json;

use super::agent_view::{
    AgentRecordRequest, AgentRecordView, AgentRequest, AgentView, TaskRequest, TaskView,
};
use super::ask::{Ask, done, made, shown, tagged};
use super::endpoint::Endpoint;
use super::problem::Problem;
use super::public::label;
use super::route::{Audience, PAGED, Parameter, ParameterKind, Route};
use super::service::Api;
use super::view::PageView;
use crate::authz::{
    Action, ManageAgents, OfHome, OfSubject, ReadAgentRecords, ReadAgents, SubjectKind,
    WriteAgentRecords,
};
use crate::http::pipeline::{Answer, Call};
use crate::tenancy::{AgentProfile, AgentRecordKind, Expected, Label, RecordCursor, Value};

/// What is asked about agents and what they keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agents {
    Create,
    List,
    Show,
    Change,
    Delete,
    Suspend,
    Resume,
    ListRecords,
    ShowRecord,
    PutRecord,
    DeleteRecord,
    ListTasks,
    AppendTask,
}

const AGENT: Option<SubjectKind> = Some(SubjectKind::Agent);

const fn route(route: Route, action: &'static str) -> Route {
    route.does(action, AGENT)
}

pub(super) const ROUTES: &[Route] = &[
    route(
        Route::get(
            "/organizations/{org}/agents",
            "ListAgents",
            Audience::Organization,
            Endpoint::Agents(Agents::List),
            "Lists agents.",
        ),
        ReadAgents::NAME,
    )
    .asks(PAGED)
    .gives::<PageView<AgentView>>(),
    route(
        Route::post(
            "/organizations/{org}/agents",
            "CreateAgent",
            Audience::Organization,
            Endpoint::Agents(Agents::Create),
            "Makes an agent, which starts with no rights but its own home.",
        ),
        ManageAgents::NAME,
    )
    .takes::<AgentRequest>()
    .makes::<AgentView>(),
    route(
        Route::get(
            "/organizations/{org}/agents/{agent}",
            "GetAgent",
            Audience::Organization,
            Endpoint::Agents(Agents::Show),
            "Shows an agent.",
        ),
        ReadAgents::NAME,
    )
    .gives::<AgentView>(),
    route(
        Route::put(
            "/organizations/{org}/agents/{agent}",
            "ChangeAgent",
            Audience::Organization,
            Endpoint::Agents(Agents::Change),
            "Says something else about an agent.",
        ),
        ManageAgents::NAME,
    )
    .takes::<AgentRequest>()
    .gives::<AgentView>(),
    route(
        Route::delete(
            "/organizations/{org}/agents/{agent}",
            "DeleteAgent",
            Audience::Organization,
            Endpoint::Agents(Agents::Delete),
            "Deletes an agent with its credentials, grants, records and tasks.",
        ),
        ManageAgents::NAME,
    ),
    route(
        Route::post(
            "/organizations/{org}/agents/{agent}/suspend",
            "SuspendAgent",
            Audience::Organization,
            Endpoint::Agents(Agents::Suspend),
            "Refuses an agent's credentials until it is resumed.",
        ),
        ManageAgents::NAME,
    )
    .gives::<AgentView>(),
    route(
        Route::post(
            "/organizations/{org}/agents/{agent}/resume",
            "ResumeAgent",
            Audience::Organization,
            Endpoint::Agents(Agents::Resume),
            "Lets a suspended agent work again.",
        ),
        ManageAgents::NAME,
    )
    .gives::<AgentView>(),
    Route::get(
        "/organizations/{org}/agents/{agent}/records",
        "ListAgentRecords",
        Audience::Organization,
        Endpoint::Agents(Agents::ListRecords),
        "Lists what an agent keeps: skills, settings, knowledge, conversations.",
    )
    .does(ReadAgentRecords::NAME, AGENT)
    .asks(RECORDS)
    .gives::<PageView<AgentRecordView>>(),
    Route::get(
        "/organizations/{org}/agents/{agent}/records/{kind}/{name}",
        "GetAgentRecord",
        Audience::Organization,
        Endpoint::Agents(Agents::ShowRecord),
        "Shows something that an agent keeps.",
    )
    .does(ReadAgentRecords::NAME, AGENT)
    .gives::<AgentRecordView>(),
    Route::put(
        "/organizations/{org}/agents/{agent}/records/{kind}/{name}",
        "PutAgentRecord",
        Audience::Organization,
        Endpoint::Agents(Agents::PutRecord),
        "Lets an agent keep something.",
    )
    .does(WriteAgentRecords::NAME, AGENT)
    .takes::<AgentRecordRequest>()
    .gives::<AgentRecordView>(),
    Route::delete(
        "/organizations/{org}/agents/{agent}/records/{kind}/{name}",
        "DeleteAgentRecord",
        Audience::Organization,
        Endpoint::Agents(Agents::DeleteRecord),
        "Deletes something that an agent keeps.",
    )
    .does(WriteAgentRecords::NAME, AGENT),
    Route::get(
        "/organizations/{org}/agents/{agent}/tasks",
        "ListTasks",
        Audience::Organization,
        Endpoint::Agents(Agents::ListTasks),
        "Lists an agent's task history, the oldest first.",
    )
    .does(ReadAgentRecords::NAME, AGENT)
    .asks(TASKS)
    .gives::<PageView<TaskView>>(),
    Route::post(
        "/organizations/{org}/agents/{agent}/tasks",
        "AppendTask",
        Audience::Organization,
        Endpoint::Agents(Agents::AppendTask),
        "Adds a line to an agent's task history; none is ever changed.",
    )
    .does(WriteAgentRecords::NAME, AGENT)
    .takes::<TaskRequest>()
    .makes::<TaskView>(),
];

const AFTER: Parameter = Parameter {
    name: "after",
    about: "The `next` of the page before.",
    kind: ParameterKind::Text,
};
const LIMIT: Parameter = Parameter {
    name: "limit",
    about: "How many at most.",
    kind: ParameterKind::Number(1, super::ask::LIMIT_MAX),
};

const RECORDS: &[Parameter] = &[
    Parameter {
        name: "kind",
        about: "Of which kind.",
        kind: ParameterKind::OneOf(&["skill", "setting", "knowledge", "conversation"]),
    },
    AFTER,
    LIMIT,
];

const TASKS: &[Parameter] = &[
    Parameter {
        name: "from",
        about: "From when on.",
        kind: ParameterKind::Time,
    },
    Parameter {
        name: "until",
        about: "Until before when.",
        kind: ParameterKind::Time,
    },
    AFTER,
    LIMIT,
];

pub(super) async fn answer(
    api: &Api,
    call: &Call,
    ask: &Ask,
    what: Agents,
) -> Result<Answer, Problem> {
    let tenancy = &api.tenancy;
    let one = || OfSubject::one(SubjectKind::Agent, ask.segment("agent"));
    match what {
        Agents::Create => {
            let profile = profile(ask.json()?)?;
            let permit = call.permit::<ManageAgents>(OfSubject::all(SubjectKind::Agent))?;
            let agent = tenancy.create_agent(permit, profile).await?;
            call.made(OfSubject::one(SubjectKind::Agent, agent.id.to_string()).to_string());
            made(&AgentView::from(&agent))
        }
        Agents::List => {
            let page = ask.page(|after| after.parse::<PrincipalId>().ok())?;
            let permit = call.permit::<ReadAgents>(OfSubject::all(SubjectKind::Agent))?;
            let found = tenancy.agents(permit, page.after, page.max()).await?;
            let (found, next) = page.cut(found, |agent| agent.id.to_string());
            let items = found.iter().map(AgentView::from).collect();
            shown(&PageView { items, next })
        }
        Agents::Show => {
            let agent = tenancy.agent(call.permit::<ReadAgents>(one())?).await?;
            tagged(&AgentView::from(&agent), agent.etag)
        }
        Agents::Change => {
            let profile = profile(ask.json()?)?;
            let permit = call.permit::<ManageAgents>(one())?;
            let agent = tenancy
                .change_agent(permit, profile, ask.if_match()?)
                .await?;
            tagged(&AgentView::from(&agent), agent.etag)
        }
        Agents::Delete => {
            let permit = call.permit::<ManageAgents>(one())?;
            tenancy.delete_agent(permit, ask.if_match()?).await?;
            Ok(done())
        }
        Agents::Suspend => {
            let agent = tenancy.suspend_agent(call.permit(one())?).await?;
            tagged(&AgentView::from(&agent), agent.etag)
        }
        Agents::Resume => {
            let agent = tenancy.resume_agent(call.permit(one())?).await?;
            tagged(&AgentView::from(&agent), agent.etag)
        }
        Agents::ListRecords
        | Agents::ShowRecord
        | Agents::PutRecord
        | Agents::DeleteRecord
        | Agents::ListTasks
        | Agents::AppendTask => kept(api, call, ask, what).await,
    }
}

/// What an agent keeps, in its home.
async fn kept(api: &Api, call: &Call, ask: &Ask, what: Agents) -> Result<Answer, Problem> {
    let tenancy = &api.tenancy;
    let home = OfHome {
        agent: ask.id::<PrincipalId>("agent", "agent")?,
    };
    let reads = || call.permit::<ReadAgentRecords>(home.clone());
    let writes = || call.permit::<WriteAgentRecords>(home.clone());
    match what {
        Agents::ListRecords => {
            let page = ask.page(RecordCursor::parse)?;
            let kind = ask.parameter("kind").and_then(AgentRecordKind::named);
            let found = tenancy
                .agent_records(reads()?, kind, page.after, page.limit)
                .await?;
            shown(&PageView {
                items: found.items.iter().map(AgentRecordView::from).collect(),
                next: found.next.map(|next| next.to_string()),
            })
        }
        Agents::ShowRecord => {
            let (kind, name) = named(ask)?;
            let record = tenancy.agent_record_named(reads()?, kind, &name).await?;
            tagged(&AgentRecordView::from(&record), record.etag)
        }
        Agents::PutRecord => {
            let (kind, name) = named(ask)?;
            let AgentRecordRequest { value } = ask.json()?;
            let expected = match ask.if_match()? {
                Some(etag) => Expected::Etag(etag),
                None => Expected::Any,
            };
            let value = stored(value)?;
            let record = tenancy
                .put_agent_record(writes()?, kind, &name, value, expected)
                .await?;
            tagged(&AgentRecordView::from(&record), record.etag)
        }
        Agents::DeleteRecord => {
            let (kind, name) = named(ask)?;
            let etag = ask.if_match()?;
            tenancy
                .delete_agent_record(writes()?, kind, &name, etag)
                .await?;
            Ok(done())
        }
        Agents::ListTasks => {
            let page = ask.page(RecordCursor::parse)?;
            let (from, until) = (ask.time("from")?, ask.time("until")?);
            let limit = i64::MAX.unsigned_abs();
            let (from, until) = (from.unwrap_or(0), until.unwrap_or(limit));
            let found = tenancy
                .tasks(reads()?, from, until, page.after, page.limit)
                .await?;
            shown(&PageView {
                items: found.items.iter().map(TaskView::from).collect(),
                next: found.next.map(|next| next.to_string()),
            })
        }
        _ => {
            let TaskRequest { title, detail } = ask.json()?;
            let (title, detail) = (label(&title, "title")?, stored(detail)?);
            let task = tenancy.append_task(writes()?, &title, &detail).await?;
            made(&TaskView::from(&task))
        }
    }
}

fn profile(request: AgentRequest) -> Result<AgentProfile, Problem> {
    let AgentRequest {
        name,
        department,
        project,
        settings,
    } = request;
    let tag = |text: Option<String>, field| text.map(|text| label(&text, field)).transpose();
    let settings: Result<BTreeMap<_, _>, Problem> = settings
        .into_iter()
        .map(|(name, value)| Ok((label(&name, "settings")?, value)))
        .collect();
    Ok(AgentProfile {
        name: label(&name, "name")?,
        department: tag(department, "department")?,
        project: tag(project, "project")?,
        settings: settings?,
    })
}

/// The kind and name of a record, as the path has them.
fn named(ask: &Ask) -> Result<(AgentRecordKind, Label), Problem> {
    let kind = AgentRecordKind::named(ask.segment("kind"));
    let name = Label::parse(ask.segment("name"));
    match (kind, name) {
        (Some(kind), Ok(name)) => Ok((kind, name)),
        _ => Err(Problem::no_such("record")),
    }
}

/// A text stays a text; everything else is JSON.
fn stored(value: Json) -> Result<Value, Problem> {
    let value = match value {
        Json::String(text) => Value::text(text),
        other => Value::json(other.to_string()),
    };
    value.map_err(|error| Problem::invalid(error.to_string()).at("value"))
}
