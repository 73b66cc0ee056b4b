//! Usage by its parts, credit, and statements, as operators and members see them.

use futures_util::future::join_all;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::bearer::{Bearer, PASSWORD, Reply};
use crate::support::client::{Answer, Client};
use crate::support::gateway::Gateway;
use crate::support::house::House;
use crate::support::sign::Key;

#[tokio::test]
async fn an_organization_without_credit_is_told_so_and_no_other_notices() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    let owner = Owner::new(&gateway, "ann@example.com").await;
    let other = Owner::new(&gateway, "bob@example.com").await;
    let files = owner.client(&gateway).await;
    let list = async || {
        let answer = files.send(Method::GET, "/", &[], "").await;
        answer.expect("an answer")
    };
    assert_eq!(list().await.status, StatusCode::OK);

    let plan = json!({
        "slug": "paid", "name": "Paid", "billing": "prepaid",
        "prices": { "requests": { "units": 1, "per": 1 } },
    });
    owner.plan(&operator, plan).await;
    let refused = owner.get("agents").await;
    assert_eq!((refused.status, refused.code()), (402, "no-credit"));
    let refused = list().await;
    let text = String::from_utf8_lossy(&refused.body);
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(text.contains("<Code>AccountProblem</Code>"), "{text}");
    // What tells of its usage is still told, and what governs it is still done.
    for open in [
        "usage",
        "usage/groups",
        "limits",
        "plan",
        "credits",
        "ledger",
    ] {
        let reply = owner.get(open).await;
        assert_eq!(reply.status, 200, "{open}: {}", reply.body);
    }
    assert_eq!(other.get("agents").await.status, 200);

    let grant = json!({ "units": 4, "reason": "a gift", "reference": "gift 1" });
    let granted = owner.grant(&operator, grant.clone()).await;
    assert_eq!((granted.status, granted.text("kind")), (201, "grant"));
    let again = owner.grant(&operator, grant).await;
    assert_eq!((again.status, &again.body), (201, &granted.body));
    assert_eq!(again.headers["idempotent-replayed"], "true");
    let other_grant = json!({ "units": 5, "reason": "a gift", "reference": "gift 1" });
    let refused = owner.grant(&operator, other_grant).await;
    assert_eq!((refused.status, refused.code()), (409, "reference-used"));
    let mut answered = 0;
    while list().await.status == StatusCode::OK {
        answered += 1;
        gateway.write_usage().await;
        assert!(answered < 100, "the credit is never used up");
    }
    // What tells of usage is counted as any other request is; nothing was asked in between.
    let before = owner.get("credits").await;
    assert_eq!(
        before.body["available"].as_i64(),
        Some(-before.body["owed"].as_i64().expect("a number"))
    );
    assert!((1..=4).contains(&answered), "{answered}");
    assert_eq!(owner.get("agents").await.code(), "no-credit");
    assert_eq!(other.get("agents").await.status, 200);
    let more = json!({ "units": 1_000, "reason": "paid" });
    assert_eq!(owner.grant(&operator, more).await.status, 201);
    assert_eq!(list().await.status, StatusCode::OK);
    assert_eq!(owner.get("agents").await.status, 200);
}

#[tokio::test]
async fn a_statement_adds_up_to_the_ledger_to_the_last_unit() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    let owner = Owner::new(&gateway, "ann@example.com").await;
    let plan = json!({
        "slug": "paid", "name": "Paid",
        "prices": {
            "requests": { "units": 7, "per": 3 },
            "input_tokens": { "units": 1, "per": 1_000 },
        },
    });
    owner.plan(&operator, plan).await;
    let grant = json!({ "units": 20, "priority": 1, "reason": "first" });
    owner.grant(&operator, grant).await;
    for round in 0..5 {
        let event = json!({ "events": [{
            "id": format!("run {round}"),
            "meter": "input_tokens",
            "amount": 1_234,
            "at": gateway.now(),
        }] });
        let sent = owner.post("usage/events", event).await;
        assert_eq!(sent.status, 200, "{}", sent.body);
        gateway.write_usage().await;
        let grant = json!({ "units": 10, "reason": format!("round {round}") });
        owner.grant(&operator, grant).await;
    }
    let ledger = owner.get("ledger").await;
    let lines = ledger.body["items"].as_array().expect("lines");
    let sum: i64 = lines.iter().map(|line| number(&line["amount"])).sum();
    let credit = owner.get("credits").await;
    assert_eq!(number(&credit.body["balance"]), sum);
    let month = gateway.now()[..7].to_owned();
    let statement = owner.get(&format!("statements/{month}")).await;
    let of = |name: &str| number(&statement.body[name]);
    assert_eq!(statement.body["lines"], ledger.body["items"]);
    assert_eq!(statement.body["is_final"], false);
    assert_eq!((of("opening_balance"), of("granted")), (0, 70));
    assert_eq!(
        of("granted") - of("charged") - of("expired"),
        of("closing_balance")
    );
    assert_eq!(
        of("owed_before") + of("due") - of("charged"),
        of("owed_after")
    );
    assert_eq!(of("closing_balance"), sum);
    let used = statement.body["used"].as_object().expect("uses");
    let due: i64 = used.values().map(|total| number(&total["units"])).sum();
    assert_eq!(due, of("due"));
    assert_eq!(number(&used["input_tokens"]["quantity"]), 5 * 1_234);
    assert_eq!(number(&used["input_tokens"]["units"]), 6);
    for wrong in ["2026-13", "now", "2026-1"] {
        let reply = owner.get(&format!("statements/{wrong}")).await;
        assert_eq!(reply.status, 404, "{wrong}");
    }

    let csv = owner
        .text(&gateway, &format!("statements/{month}/csv"))
        .await;
    assert_eq!(
        csv.headers["content-type"],
        "text/csv; charset=utf-8; header=present"
    );
    let text = String::from_utf8(csv.body.to_vec()).expect("text");
    let rows: Vec<Vec<&str>> = text
        .trim_end()
        .split("\r\n")
        .map(|row| row.split(',').collect())
        .collect();
    let column = |name: &str| {
        rows[0]
            .iter()
            .position(|head| *head == name)
            .expect("a column")
    };
    let total = |name: &str| -> i64 {
        let at = column(name);
        let cells = rows[1..]
            .iter()
            .map(|row| row[at])
            .filter(|cell| !cell.is_empty());
        cells
            .map(|cell| cell.parse::<i64>().expect("a number"))
            .sum()
    };
    assert!(rows.iter().all(|row| row.len() == rows[0].len()));
    assert_eq!(total("amount_units"), sum);
    assert_eq!(total("due_units"), due);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_counted_once_however_often_it_is_sent() {
    let gateway = Gateway::start(TOKEN).await;
    let owner = Owner::new(&gateway, "ann@example.com").await;
    let agent = owner.post("agents", json!({ "name": "Robot" })).await;
    let event = |id: &str, amount: u64| {
        json!({
            "id": id, "meter": "output_tokens", "amount": amount, "at": gateway.now(),
            "principal": agent.text("id"),
        })
    };
    let many = json!({ "events": [event("one", 5), event("two", 7), event("one", 5)] });
    let sent = join_all((0..16).map(|_| owner.post("usage/events", many.clone()))).await;
    let counted: i64 = sent.iter().map(|sent| number(&sent.body["counted"])).sum();
    let before = sent.iter().map(|sent| number(&sent.body["counted_before"]));
    assert_eq!((counted, before.sum::<i64>()), (2, 16 * 3 - 2));

    // One that is wrong keeps all of its request from being counted.
    for (wrong, status, field) in [
        (event("one", 6), 409, "events[1].id"),
        (
            json!({ "id": "x", "meter": "requests", "amount": 1, "at": gateway.now() }),
            400,
            "events[1]",
        ),
        (
            json!({ "id": "", "meter": "tool_calls", "amount": 1, "at": gateway.now() }),
            400,
            "events[1]",
        ),
        (
            json!({ "id": "x", "meter": "tool_calls", "amount": 1, "at": "2020-01-01T00:00:00Z" }),
            400,
            "events[1]",
        ),
        (
            json!({ "id": "x", "meter": "tool_calls", "amount": 1, "at": "today" }),
            400,
            "events[1].at",
        ),
        (
            json!({ "id": "x", "meter": "tool_calls", "amount": 1, "at": gateway.now(), "principal": "00000000-0000-7000-8000-000000000000" }),
            400,
            "events[1]",
        ),
    ] {
        let both = json!({ "events": [event("three", 100), wrong] });
        let refused = owner.post("usage/events", both).await;
        assert_eq!(
            (refused.status, refused.text("field")),
            (status, field),
            "{}",
            refused.body
        );
    }
    let negative = json!({ "events": [{ "id": "x", "meter": "tool_calls", "amount": -1, "at": gateway.now() }] });
    assert_eq!(owner.post("usage/events", negative).await.status, 400);
    let usage = owner.get("usage").await;
    let hours = usage.body["items"].as_array().expect("hours");
    let tokens: i64 = hours
        .iter()
        .map(|hour| number(&hour["output_tokens"]))
        .sum();
    assert_eq!(tokens, 12);
}

#[tokio::test]
async fn usage_is_told_apart_by_agent_team_tag_and_bucket() {
    let gateway = Gateway::start(TOKEN).await;
    let owner = Owner::new(&gateway, "ann@example.com").await;
    let agent = async |name: &str, department: Value, project: Value| {
        let agent = json!({ "name": name, "department": department, "project": project });
        let made = owner.post("agents", agent).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.text("id").to_owned()
    };
    let one = agent("one", json!("sales"), json!("crm")).await;
    let two = agent("two", json!("sales"), Value::Null).await;
    let three = agent("three", json!("legal"), json!("crm")).await;
    let team = owner.post("teams", json!({ "name": "Crew" })).await;
    let team = team.text("id").to_owned();
    for member in [&one, &three] {
        let path = owner.path(&format!("teams/{team}/members/{member}"));
        let put = owner
            .bearer
            .send(Method::PUT, &path, &[], Value::Null)
            .await;
        assert!(put.status < 300, "{}", put.body);
    }
    for (agent, amount) in [(&one, 1), (&two, 10), (&three, 100)] {
        let event = json!({ "events": [{
            "id": agent, "meter": "tool_calls", "amount": amount, "at": gateway.now(),
            "principal": agent,
        }] });
        assert_eq!(owner.post("usage/events", event).await.status, 200);
    }
    let groups = async |by: &str| {
        let path = format!(
            "usage/groups?by={by}&meter=tool_calls&until={}",
            gateway.later()
        );
        let reply = owner.get(&path).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let items = reply.body["items"].as_array().expect("groups").clone();
        let told = items.iter().map(|group| {
            let key = group["key"].as_str().map(str::to_owned);
            (key, number(&group["used"]["tool_calls"]))
        });
        told.collect::<Vec<_>>()
    };
    let keyed = |key: &str, amount: i64| (Some(key.to_owned()), amount);
    let mut agents = [keyed(&one, 1), keyed(&two, 10), keyed(&three, 100)];
    agents.sort();
    assert_eq!(groups("agent").await, agents);
    assert_eq!(
        groups("department").await,
        [keyed("legal", 100), keyed("sales", 11)]
    );
    assert_eq!(groups("project").await, [(None, 10), keyed("crm", 101)]);
    assert_eq!(groups("team").await, [(None, 10), keyed(&team, 101)]);
    assert_eq!(groups("member").await, []);

    let files = owner.client(&gateway).await;
    for (target, body) in [("/docs", ""), ("/docs/a", "abc"), ("/docs/b", "de")] {
        let put = files.send(Method::PUT, target, &[], body).await;
        assert_eq!(put.expect("an answer").status, StatusCode::OK);
    }
    gateway.write_usage().await;
    let later = gateway.later();
    let buckets = owner
        .get(&format!("usage/groups?by=bucket&until={later}"))
        .await;
    let used = &buckets.body["items"][0]["used"];
    assert_eq!(
        (number(&used["stored_bytes"]), number(&used["objects"])),
        (5, 2)
    );
    assert_eq!(buckets.body["items"][0]["name"], "docs");
    // The bucket itself, and what was put into it.
    assert_eq!(
        (number(&used["requests"]), number(&used["ingress_bytes"])),
        (3, 5)
    );
    assert_eq!(buckets.body["items"].as_array().map(Vec::len), Some(1));
    let members = owner
        .get(&format!("usage/groups?by=member&until={later}"))
        .await;
    let used = &members.body["items"][0]["used"];
    assert_eq!(number(&used["ingress_bytes"]), 5);
    for wrong in ["by=nobody", "meter=luck", "from=2020-01-01T00:00:00Z"] {
        let reply = owner.get(&format!("usage/groups?{wrong}")).await;
        assert_eq!(reply.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn hours_that_have_ended_are_exported_as_cloud_events_and_csv() {
    let gateway = Gateway::start(TOKEN).await;
    let owner = Owner::new(&gateway, "ann@example.com").await;
    let agent = owner.post("agents", json!({ "name": "Robot" })).await;
    let at = gateway.hours_ago(2);
    let event = json!({ "events": [{
        "id": "one", "meter": "compute_seconds", "amount": 42, "at": at,
        "principal": agent.text("id"),
    }] });
    assert_eq!(owner.post("usage/events", event).await.status, 200);
    gateway.write_usage().await;
    // This hour has not ended.
    let events = owner.text(&gateway, "usage/events").await;
    assert_eq!(
        events.headers["content-type"],
        "application/cloudevents-batch+json"
    );
    let events: Value = serde_json::from_slice(&events.body).expect("JSON");
    let events = events.as_array().expect("a batch");
    assert_eq!(events.len(), 1, "{events:?}");
    let event = &events[0];
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["type"], "bulkhead.usage.hour");
    assert_eq!(event["data"]["meter"], "compute_seconds");
    assert_eq!(event["data"]["amount"], 42);
    assert_eq!(event["data"]["from"], event["time"]);
    let again = owner.text(&gateway, "usage/events").await;
    let again: Value = serde_json::from_slice(&again.body).expect("JSON");
    assert_eq!(again[0]["id"], event["id"]);

    let csv = owner.text(&gateway, "usage/csv?by=principal").await;
    let text = String::from_utf8(csv.body.to_vec()).expect("text");
    let hour = event["time"].as_str().expect("a time");
    let row = format!(
        "{},{hour},principal,{},compute_seconds,42\r\n",
        owner.org,
        agent.text("id")
    );
    assert_eq!(
        text,
        format!("organization,hour,kind,id,meter,amount\r\n{row}")
    );
}

#[tokio::test]
async fn who_may_see_and_send_what_is_as_roles_say() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    let owner = Owner::new(&gateway, "ann@example.com").await;
    let month = gateway.now()[..7].to_owned();
    let reads = [
        "usage".to_owned(),
        "usage/groups".to_owned(),
        "usage/events".to_owned(),
        "usage/csv".to_owned(),
        "limits".to_owned(),
        "plan".to_owned(),
        "credits".to_owned(),
        "ledger".to_owned(),
        format!("statements/{month}"),
        format!("statements/{month}/csv"),
    ];
    let mut matrix = Vec::new();
    for (role, may_read, may_send) in [
        ("owner", true, true),
        ("admin", true, false),
        ("member", false, false),
        ("viewer", false, false),
        ("billing", true, true),
    ] {
        let who = owner.joined(&gateway, role).await;
        for path in &reads {
            let answer = who.text(&gateway, path).await;
            let expected = if may_read { 200 } else { 403 };
            assert_eq!(answer.status.as_u16(), expected, "{role} {path}");
            matrix.push((role, path.clone(), may_read));
        }
        let event = json!({ "events": [{
            "id": role, "meter": "agent_runs", "amount": 1, "at": gateway.now(),
        }] });
        let sent = who.post("usage/events", event).await;
        assert_eq!(sent.status, if may_send { 200 } else { 403 }, "{role}");
        // What the operator does, no role does.
        let path = who.path("credits");
        let granted = who
            .bearer
            .post(&path, json!({ "units": 1, "reason": "x" }))
            .await;
        assert_eq!(
            (granted.status, granted.code()),
            (403, "not-for-this-credential")
        );
        let path = who.path("plan");
        let assigned = who
            .bearer
            .send(Method::PUT, &path, &[], json!({ "plan": null }))
            .await;
        assert_eq!(assigned.status, 403, "{role}");
        for path in ["/plans", "/plans/free"] {
            assert_eq!(who.bearer.get(path).await.status, 403, "{role} {path}");
        }
    }
    assert_eq!(matrix.len(), 50);
    for path in &reads {
        let target = format!("{ROOT}/organizations/{}/{path}", owner.slug);
        let authorization = format!("Bearer {TOKEN}");
        let fields = [("authorization", authorization.as_str())];
        let client = nobody(&gateway);
        let answer = client
            .send_unsigned(Method::GET, &target, &fields, "")
            .await;
        assert_eq!(answer.expect("an answer").status, StatusCode::OK, "{path}");
    }
    drop(operator);
}

#[tokio::test]
async fn the_running_program_charges_what_is_used_and_stops_who_has_no_credit() {
    let mut house = House::start_with(&[("CONTROL_OPERATOR_TOKEN", TOKEN)]).await;
    let (acme, other) = (
        house.create_organization("acme"),
        house.create_organization("other"),
    );
    let operator = Bearer::new(house.control(), TOKEN);
    let plan = json!({
        "slug": "paid", "name": "Paid", "billing": "prepaid",
        "prices": { "requests": { "units": 1, "per": 1 } },
    });
    assert_eq!(operator.post("/plans", plan).await.status, 201);
    let path = "/organizations/acme/plan";
    let assign = json!({ "plan": "paid" });
    let assigned = operator.send(Method::PUT, path, &[], assign).await;
    assert_eq!(assigned.status, 200, "{}", assigned.body);
    let grant = json!({ "units": 3, "reason": "a trial" });
    let granted = operator.post("/organizations/acme/credits", grant).await;
    assert_eq!(granted.status, 201, "{}", granted.body);

    let list = async |client: &Client| {
        let answer = client.send(Method::GET, "/", &[], "").await;
        answer.expect("an answer").status
    };
    let client = house.client_of(&acme.key);
    assert_eq!(list(&client).await, StatusCode::OK);
    // What is used is written within a second or so.
    while list(&client).await == StatusCode::OK {}
    assert_eq!(list(&house.client_of(&other.key)).await, StatusCode::OK);

    // It stands there after a crash, and a grant is enough to go on.
    house.kill();
    house.restart().await;
    let client = house.client_of(&acme.key);
    assert_eq!(list(&client).await, StatusCode::FORBIDDEN);
    let operator = Bearer::new(house.control(), TOKEN);
    let grant = json!({ "units": 1_000_000, "reason": "paid" });
    let granted = operator.post("/organizations/acme/credits", grant).await;
    assert_eq!(granted.status, 201, "{}", granted.body);
    assert_eq!(list(&client).await, StatusCode::OK);
    let lines = operator.get("/organizations/acme/ledger").await;
    let lines = lines.body["items"].as_array().expect("lines").clone();
    let sum: i64 = lines.iter().map(|line| number(&line["amount"])).sum();
    assert_eq!(number(&lines[lines.len() - 1]["balance"]), sum);
}

/// Somebody in an organization.
struct Owner {
    bearer: Bearer,
    token: String,
    org: String,
    slug: String,
}

impl Owner {
    /// The owner of a personal organization.
    async fn new(gateway: &Gateway, email: &str) -> Self {
        let operator = Bearer::new(gateway.control, TOKEN);
        let account = json!({ "email": email, "name": "Somebody", "password": PASSWORD });
        let made = operator.post("/operator/accounts", account).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let log_in = json!({ "email": email, "password": PASSWORD });
        let anybody = Bearer::showing(gateway.control, None);
        let session = anybody.post("/sessions", log_in).await;
        Self::of(gateway, session.text("token")).await
    }

    async fn of(gateway: &Gateway, token: &str) -> Self {
        let bearer = Bearer::new(gateway.control, token);
        let org = bearer.get("/self").await.text("organization").to_owned();
        let shown = bearer.get(&format!("/organizations/{org}")).await;
        Self {
            slug: shown.text("slug").to_owned(),
            token: token.to_owned(),
            bearer,
            org,
        }
    }

    /// Somebody else who joins the organization in a role.
    async fn joined(&self, gateway: &Gateway, role: &str) -> Self {
        let email = format!("{role}@example.com");
        let invited = self
            .post("invitations", json!({ "email": email, "role": role }))
            .await;
        let join = json!({ "token": invited.text("token"), "name": role, "password": PASSWORD });
        let anybody = Bearer::showing(gateway.control, None);
        let joined = anybody.post("/invitations/join", join).await;
        let own = Bearer::new(gateway.control, joined.text("token"));
        let switch = json!({ "organization": self.org });
        let switched = own.post("/sessions/switch", switch).await;
        let bearer = Bearer::new(gateway.control, switched.text("token"));
        Self {
            bearer,
            token: switched.text("token").to_owned(),
            org: self.org.clone(),
            slug: self.slug.clone(),
        }
    }

    fn path(&self, path: &str) -> String {
        format!("/organizations/{}/{path}", self.org)
    }

    async fn get(&self, path: &str) -> Reply {
        self.bearer.get(&self.path(path)).await
    }

    async fn post(&self, path: &str, body: Value) -> Reply {
        self.bearer.post(&self.path(path), body).await
    }

    /// An answer that need not be JSON.
    async fn text(&self, gateway: &Gateway, path: &str) -> Answer {
        let authorization = format!("Bearer {}", self.token);
        let fields = [("authorization", authorization.as_str())];
        let target = format!("{ROOT}{}", self.path(path));
        let client = nobody(gateway);
        let answer = client
            .send_unsigned(Method::GET, &target, &fields, "")
            .await;
        answer.expect("an answer")
    }

    /// A client of the S3 door with a new access key.
    async fn client(&self, gateway: &Gateway) -> Client {
        let made = self
            .bearer
            .post(
                &self.path("self/credentials"),
                json!({ "kind": "access-key" }),
            )
            .await;
        assert_eq!(made.status, 201, "{}", made.body);
        let key = Key {
            id: made.text("id").to_owned(),
            secret: made.text("secret").to_owned(),
        };
        Client::new(gateway.api, key)
    }

    async fn plan(&self, operator: &Bearer, plan: Value) {
        let made = operator.post("/plans", plan.clone()).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let path = format!("/organizations/{}/plan", self.slug);
        let body = json!({ "plan": plan["slug"] });
        let assigned = operator.send(Method::PUT, &path, &[], body).await;
        assert_eq!(assigned.status, 200, "{}", assigned.body);
    }

    async fn grant(&self, operator: &Bearer, grant: Value) -> Reply {
        let path = format!("/organizations/{}/credits", self.slug);
        operator.post(&path, grant).await
    }
}

fn nobody(gateway: &Gateway) -> Client {
    let nobody = Key {
        id: "BKNOBODYSIGNSWITHTHIS".to_owned(),
        secret: "unused".to_owned(),
    };
    Client::new(gateway.control, nobody)
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

const ROOT: &str = bulkhead::http::api::ROOT;
const TOKEN: &str = "the-operators-token-which-is-long-enough";
