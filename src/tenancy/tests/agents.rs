use futures_util::future::join_all;
use names::PrincipalId;

use super::super::*;
use super::house::*;
use crate::authz::{
    InOrganization, Limit, Limits, ListOwnCredentials, ManageAgents, ManageCredentials, Narrowing,
    ReadAgentRecords, ReadAgents, Refusal, Role, ShowSelf, SubjectKind, WriteAgentRecords,
};
use crate::catalog::RecordKind;

async fn key_for(house: &House, by: &Person, agent: PrincipalId) -> NewCredential {
    let permit = house.one::<ManageCredentials>(&by.caller, SubjectKind::Agent, agent);
    let request = CredentialRequest {
        kind: NewCredentialKind::AccessKey,
        narrowing: Narrowing::NONE,
        expires_ms: None,
        label: None,
    };
    let made = house
        .tenancy()
        .create_agent_credential(permit.await, request);
    made.await.unwrap()
}

#[tokio::test]
async fn of_many_made_at_once_as_many_are_as_there_are_places() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    for _ in 0..3 {
        house.agent(&ada, "before").await;
    }
    let limits = Limits::NONE.with(Limit::Agents, 4);
    house.limited(ada.caller.org(), limits).await;
    let made = join_all((0..64).map(|number| {
        let (house, ada) = (&house, &ada);
        async move {
            let permit = house
                .all::<ManageAgents>(&ada.caller, SubjectKind::Agent)
                .await;
            let profile = agent_profile(&format!("a{number}"));
            house.tenancy().create_agent(permit, profile).await
        }
    }))
    .await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    for refused in made.into_iter().filter_map(Result::err) {
        let expected = matches!(
            refused,
            TenancyError::LimitReached {
                what: "agents",
                max: 4
            }
        );
        assert!(expected, "{refused:?}");
    }
    let org = ada.caller.org();
    let count = house
        .world
        .platform
        .count_records(org, RecordKind::Agent, None);
    assert_eq!(count.await.unwrap(), 4);
}

#[tokio::test]
async fn an_agent_is_what_was_said_of_it() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let made = house.agent(&ada, "helper").await;
    let show = async || {
        let permit = house.one::<ReadAgents>(&ada.caller, SubjectKind::Agent, made.id);
        house.tenancy().agent(permit.await).await.unwrap()
    };
    assert_eq!(show().await, made);
    assert_eq!(made.profile, agent_profile("helper"));
    let change = async |etag| {
        let permit = house.one::<ManageAgents>(&ada.caller, SubjectKind::Agent, made.id);
        let profile = AgentProfile {
            project: Some(label("p")),
            ..agent_profile("other")
        };
        house
            .tenancy()
            .change_agent(permit.await, profile, etag)
            .await
    };
    let changed = change(Some(made.etag)).await.unwrap();
    assert_eq!(
        (show().await, changed.created_ms),
        (changed.clone(), made.created_ms)
    );
    assert!(matches!(
        change(Some(made.etag)).await,
        Err(TenancyError::Changed)
    ));
    let list = house
        .all::<ReadAgents>(&ada.caller, SubjectKind::Agent)
        .await;
    assert_eq!(
        house.tenancy().agents(list, None, 9).await.unwrap(),
        [changed]
    );
    let mut profile = agent_profile("x");
    profile.settings = (0..65)
        .map(|n| (label(&format!("s{n}")), String::new()))
        .collect();
    let permit = house
        .all::<ManageAgents>(&ada.caller, SubjectKind::Agent)
        .await;
    let refused = house.tenancy().create_agent(permit, profile).await;
    assert!(matches!(refused, Err(TenancyError::Invalid(_))));
}

#[tokio::test]
async fn a_suspended_agent_may_nothing_until_it_is_resumed() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let agent = house.agent(&ada, "helper").await;
    let caller = caller(ada.caller.org(), agent.id);
    assert!(
        house
            .permit::<ShowSelf>(&caller, InOrganization)
            .await
            .is_ok()
    );
    let permit = async || {
        house
            .one::<ManageAgents>(&ada.caller, SubjectKind::Agent, agent.id)
            .await
    };
    let suspended = house.tenancy().suspend_agent(permit().await).await.unwrap();
    assert_eq!(suspended.state, AgentState::Suspended);
    let refused = house.permit::<ShowSelf>(&caller, InOrganization).await;
    assert_eq!(refused.unwrap_err(), Refusal::Gone);
    house.tenancy().resume_agent(permit().await).await.unwrap();
    assert!(
        house
            .permit::<ShowSelf>(&caller, InOrganization)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_deleted_agent_leaves_nothing() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let org = ada.caller.org();
    let (agent, other) = (
        house.agent(&ada, "one").await,
        house.agent(&ada, "two").await,
    );
    let key = key_for(&house, &ada, agent.id).await;
    for agent in [agent.id, other.id] {
        let caller = caller(org, agent);
        for number in 0..3 {
            let permit = house
                .home::<WriteAgentRecords>(&caller, agent)
                .await
                .unwrap();
            let title = label(&format!("task {number}"));
            let detail = Value::text("done".to_owned()).unwrap();
            house
                .tenancy()
                .append_task(permit, &title, &detail)
                .await
                .unwrap();
            let permit = house
                .home::<WriteAgentRecords>(&caller, agent)
                .await
                .unwrap();
            let put = house.tenancy().put_agent_record(
                permit,
                AgentRecordKind::Skill,
                &title,
                detail,
                Expected::Any,
            );
            put.await.unwrap();
        }
        let granted = terms(GrantSubject::Agent(agent), "vault:use", "secret:*");
        house.grant(&ada, granted).await.unwrap();
    }
    let caller = caller(org, agent.id);
    let late = house
        .home::<WriteAgentRecords>(&caller, agent.id)
        .await
        .unwrap();
    let permit = house
        .one::<ManageAgents>(&ada.caller, SubjectKind::Agent, agent.id)
        .await;
    house.tenancy().delete_agent(permit, None).await.unwrap();
    for (kind, left) in [
        (RecordKind::Agent, 1),
        (RecordKind::Task, 3),
        (RecordKind::AgentRecord, 3),
        (RecordKind::Grant, 1),
    ] {
        let count = house
            .world
            .platform
            .count_records(org, kind, None)
            .await
            .unwrap();
        assert_eq!(count, left, "{kind}");
    }
    let revoked = house
        .tenancy()
        .credential_of(org, &key.credential.id)
        .await
        .unwrap();
    assert!(revoked.unwrap().0.revoked_ms.is_some());
    let refused = house.permit::<ShowSelf>(&caller, InOrganization).await;
    assert_eq!(refused.unwrap_err(), Refusal::Gone);
    let detail = Value::text(String::new()).unwrap();
    let refused = house
        .tenancy()
        .append_task(late, &label("late"), &detail)
        .await;
    assert!(matches!(refused, Err(TenancyError::NoSuch("agent"))));
}

/// What an agent keeps is for it and for whom it was granted to: for no role.
#[tokio::test]
async fn what_an_agent_keeps_is_its_own() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let (agent, other) = (
        house.agent(&ada, "one").await,
        house.agent(&ada, "two").await,
    );
    let org = ada.caller.org();
    for stranger in [&ada.caller, &caller(org, other.id)] {
        assert!(
            house
                .home::<ReadAgentRecords>(stranger, agent.id)
                .await
                .is_err()
        );
        assert!(
            house
                .home::<WriteAgentRecords>(stranger, agent.id)
                .await
                .is_err()
        );
    }
    let own = caller(org, agent.id);
    let put = async |name: &str, text: &str, expected| {
        let permit = house
            .home::<WriteAgentRecords>(&own, agent.id)
            .await
            .unwrap();
        let value = Value::text(text.to_owned()).unwrap();
        let (kind, name) = (AgentRecordKind::Knowledge, label(name));
        house
            .tenancy()
            .put_agent_record(permit, kind, &name, value, expected)
            .await
    };
    let get = async |name: &str| {
        let permit = house
            .home::<ReadAgentRecords>(&own, agent.id)
            .await
            .unwrap();
        let (kind, name) = (AgentRecordKind::Knowledge, label(name));
        house
            .tenancy()
            .agent_record_named(permit, kind, &name)
            .await
    };
    let first = put("a", "1", Expected::Absent).await.unwrap();
    assert_eq!(get("a").await.unwrap(), first);
    let twice = put("a", "2", Expected::Absent).await;
    assert!(matches!(twice, Err(TenancyError::Changed)));
    let second = put("a", "2", Expected::Etag(first.etag)).await.unwrap();
    assert_eq!(second.value.as_str(), "2");
    for stale in [
        put("a", "3", Expected::Etag(first.etag)).await,
        put("b", "3", Expected::Etag(1)).await,
    ] {
        assert!(matches!(stale, Err(TenancyError::Changed)));
    }
    put("b", "3", Expected::Any).await.unwrap();
    let list = async |kind, after, max| {
        let permit = house
            .home::<ReadAgentRecords>(&own, agent.id)
            .await
            .unwrap();
        house
            .tenancy()
            .agent_records(permit, kind, after, max)
            .await
            .unwrap()
    };
    let all = list(None, None, 9).await;
    assert_eq!((all.items.len(), all.next), (2, None));
    let page = list(Some(AgentRecordKind::Knowledge), None, 1).await;
    let next = RecordCursor::parse(&page.next.unwrap().to_string()).unwrap();
    let rest = list(Some(AgentRecordKind::Knowledge), Some(next), 1).await;
    assert_eq!([page.items, rest.items].concat(), all.items);
    assert!(
        list(Some(AgentRecordKind::Skill), None, 9)
            .await
            .items
            .is_empty()
    );
    // Another agent has other records under the same names.
    let theirs = caller(org, other.id);
    let permit = house
        .home::<ReadAgentRecords>(&theirs, other.id)
        .await
        .unwrap();
    let missing = house
        .tenancy()
        .agent_record_named(permit, AgentRecordKind::Knowledge, &label("a"))
        .await;
    assert!(matches!(missing, Err(TenancyError::NoSuch("record"))));
    let permit = house
        .home::<WriteAgentRecords>(&own, agent.id)
        .await
        .unwrap();
    let deleted = house
        .tenancy()
        .delete_agent_record(permit, AgentRecordKind::Knowledge, &label("a"), None)
        .await;
    deleted.unwrap();
    assert!(matches!(
        get("a").await,
        Err(TenancyError::NoSuch("record"))
    ));
    // A grant that names the agent opens it.
    let viewer = house.joined(&ada, "viewer", Role::Viewer).await;
    let granted = terms(
        GrantSubject::Member(viewer.principal()),
        "bulkhead:ReadAgentRecords",
        &format!("agent:{}", agent.id),
    );
    house.grant(&ada, granted).await.unwrap();
    assert!(
        house
            .home::<ReadAgentRecords>(&viewer.caller, agent.id)
            .await
            .is_ok()
    );
    assert!(
        house
            .home::<WriteAgentRecords>(&viewer.caller, agent.id)
            .await
            .is_err()
    );
    assert!(
        house
            .home::<ReadAgentRecords>(&viewer.caller, other.id)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn tasks_are_paged_by_time() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let agent = house.agent(&ada, "one").await;
    let own = caller(ada.caller.org(), agent.id);
    let mut appended = Vec::new();
    for number in 0..7 {
        let permit = house
            .home::<WriteAgentRecords>(&own, agent.id)
            .await
            .unwrap();
        let detail = Value::json(format!("{{\"n\":{number}}}")).unwrap();
        let task = house
            .tenancy()
            .append_task(permit, &label("t"), &detail)
            .await;
        appended.push(task.unwrap());
        house
            .place
            .hand
            .advance(std::time::Duration::from_millis(10));
    }
    let list = async |from, until, after, max| {
        let permit = house
            .home::<ReadAgentRecords>(&own, agent.id)
            .await
            .unwrap();
        house
            .tenancy()
            .tasks(permit, from, until, after, max)
            .await
            .unwrap()
    };
    let begin = appended[0].at_ms;
    assert_eq!(list(0, u64::MAX, None, 100).await.items, appended);
    assert_eq!(
        list(begin + 10, begin + 30, None, 100).await.items,
        appended[1..3]
    );
    assert_eq!(
        list(begin + 1, begin + 11, None, 100).await.items,
        appended[1..2]
    );
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = list(begin + 10, begin + 60, after, 2).await;
        seen.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, appended[1..6]);
}

#[test]
fn values_are_bounded_and_json_where_they_say_so() {
    assert!(Value::text("a".repeat(65_536)).is_ok());
    assert!(Value::text("a".repeat(65_537)).is_err());
    assert!(Value::json("{\"a\":[1]}".to_owned()).is_ok());
    for bad in ["", "{", "{}x", "nul"] {
        assert!(Value::json(bad.to_owned()).is_err(), "{bad}");
    }
    assert!(Value::json(format!("\"{}\"", "a".repeat(65_535))).is_err());
}

#[tokio::test]
async fn an_agent_has_credentials_of_its_own() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let (agent, other) = (
        house.agent(&ada, "one").await,
        house.agent(&ada, "two").await,
    );
    let key = key_for(&house, &ada, agent.id).await;
    assert_eq!(key.credential.principal, agent.id);
    let list = async |id| {
        let own = caller(ada.caller.org(), id);
        let permit = house
            .permit::<ListOwnCredentials>(&own, InOrganization)
            .await
            .unwrap();
        house
            .tenancy()
            .own_credentials(permit, None, 9)
            .await
            .unwrap()
    };
    assert_eq!(list(agent.id).await, [key.credential]);
    assert!(list(other.id).await.is_empty());
    let nobody = PrincipalId::from_bytes([9; 16]);
    let permit = house
        .one::<ManageCredentials>(&ada.caller, SubjectKind::Agent, nobody)
        .await;
    let request = CredentialRequest {
        kind: NewCredentialKind::ApiToken,
        narrowing: Narrowing::NONE,
        expires_ms: None,
        label: None,
    };
    let refused = house
        .tenancy()
        .create_agent_credential(permit, request)
        .await;
    assert!(matches!(refused.err(), Some(TenancyError::NoSuch("agent"))));
}
