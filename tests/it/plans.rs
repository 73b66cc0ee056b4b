//! Plans and their limits, as the operator sets them and as callers meet them.

use futures_util::future::join_all;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::bearer::{Bearer, PASSWORD, Reply};
use crate::support::client::{Answer, Client};
use crate::support::gateway::Gateway;

#[tokio::test]
async fn a_plan_is_made_listed_changed_and_assigned() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    gateway.tenant("acme").await;
    let team = json!({
        "slug": "team",
        "name": "Team",
        "limits": { "agents": 3, "egress_bytes_per_month": 1_000_000 },
        "prices": { "requests": { "units": 5, "per": 1_000 } },
        "billing": "prepaid",
    });
    let made = operator.post("/plans", team.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.headers["location"], "/api/v1/plans/team");
    assert_eq!(made.body["limits"]["agents"], 3);
    assert_eq!(made.body["limits"]["members"], Value::Null);
    assert_eq!(made.body["prices"], team["prices"]);
    let again = operator.post("/plans", team).await;
    assert_eq!((again.status, again.code()), (409, "slug-taken"));
    for (wrong, field) in [
        (json!({ "slug": "x", "name": "" }), "name"),
        (json!({ "slug": "X", "name": "x" }), "slug"),
        (
            json!({ "slug": "x", "name": "x", "limits": { "agent": 1 } }),
            "limits.agent",
        ),
        (
            json!({ "slug": "x", "name": "x", "prices": { "luck": { "units": 1, "per": 1 } } }),
            "prices.luck",
        ),
        (
            json!({ "slug": "x", "name": "x", "prices": { "requests": { "units": 1, "per": 0 } } }),
            "prices.requests",
        ),
    ] {
        let reply = operator.post("/plans", wrong.clone()).await;
        assert_eq!((reply.status, reply.text("field")), (400, field), "{wrong}");
    }

    let shown = operator.get("/plans/team").await;
    assert_eq!(shown.body, made.body);
    let change = async |tag: &str, name: &str| {
        let body = json!({ "name": name, "limits": { "agents": 4 } });
        let fields = [("if-match", tag)];
        operator
            .send(Method::PUT, "/plans/team", &fields, body)
            .await
    };
    let changed = change(shown.etag(), "Crew").await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(changed.text("billing"), "postpaid");
    let late = change(shown.etag(), "Late").await;
    assert!([409, 412].contains(&late.status), "{}", late.body);
    assert_eq!(operator.get("/plans/team").await.text("name"), "Crew");
    assert_eq!(operator.get("/plans/none").await.status, 404);
    let listed = operator.get("/plans").await;
    assert_eq!(listed.body["items"], json!([changed.body]));

    let none = operator.get("/organizations/acme/plan").await;
    assert_eq!(none.body, json!({ "plan": null }));
    let missing = assign(&operator, "acme", Some("none")).await;
    assert_eq!(missing.status, 404);
    let assigned = assign(&operator, "acme", Some("team")).await;
    assert_eq!(assigned.body, json!({ "plan": changed.body }));
    let shown = operator.get("/organizations/acme/plan").await;
    assert_eq!(shown.body, assigned.body);
    assert_eq!(assign(&operator, "acme", None).await.body, none.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_puts_at_once_the_one_that_there_is_room_for_succeeds() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    for (slug, limits, size) in [
        ("counted", json!({ "objects": 3 }), 1),
        ("weighed", json!({ "stored_bytes": 30 }), 10),
        // Too large to be kept in the catalog.
        ("heavy", json!({ "stored_bytes": 300_000 }), 100_000),
    ] {
        let tenant = gateway.tenant(slug).await;
        let client = gateway.client(&tenant);
        put(&client, "/docs", "").await;
        for key in ["/docs/a", "/docs/b"] {
            let stored = put(&client, key, &"x".repeat(size)).await;
            assert_eq!(stored.status, StatusCode::OK);
        }
        plan(&operator, slug, limits).await;
        let bodies = "x".repeat(size);
        let puts = (0..64).map(|n| {
            let (client, body) = (&client, &bodies);
            async move { put(client, &format!("/docs/{n}"), body).await }
        });
        let answers = join_all(puts).await;
        let stored = |answer: &&Answer| answer.status == StatusCode::OK;
        assert_eq!(answers.iter().filter(stored).count(), 1, "{slug}");
        for refused in answers.iter().filter(|answer| !stored(answer)) {
            let text = String::from_utf8_lossy(&refused.body);
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{text}");
            assert!(text.contains("<Code>QuotaExceeded</Code>"), "{text}");
        }
        let listed = client.send(Method::GET, "/docs", &[], "").await;
        let listed = String::from_utf8_lossy(&listed.expect("an answer").body).into_owned();
        assert_eq!(listed.matches("<Key>").count(), 3);
        // What makes it no more is never refused, and what is deleted makes room.
        let replaced = put(&client, "/docs/a", &bodies).await;
        assert_eq!(replaced.status, StatusCode::OK, "{slug}");
        let refused = put(&client, "/docs/z", &"x".repeat(size + 1)).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{slug}");
        let gone = client.send(Method::DELETE, "/docs/a", &[], "").await;
        assert_eq!(gone.expect("an answer").status, StatusCode::NO_CONTENT);
        let stored = put(&client, "/docs/z", &bodies).await;
        assert_eq!(stored.status, StatusCode::OK, "{slug}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_requests_at_once_as_many_are_answered_as_are_left_in_the_hour() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    let tenant = gateway.tenant("acme").await;
    let other = gateway.tenant("other").await;
    let (client, other) = (gateway.client(&tenant), gateway.client(&other));
    let list = async |client: &Client| {
        let answer = client.send(Method::GET, "/", &[], "").await;
        answer.expect("an answer")
    };
    // What was answered before the plan counts, too.
    for _ in 0..3 {
        assert_eq!(list(&client).await.status, StatusCode::OK);
    }
    plan(&operator, "acme", json!({ "requests_per_hour": 4 })).await;
    let answers = join_all((0..64).map(|_| list(&client))).await;
    let answered = |answer: &&Answer| answer.status == StatusCode::OK;
    assert_eq!(answers.iter().filter(answered).count(), 1);
    for refused in answers.iter().filter(|answer| !answered(answer)) {
        let text = String::from_utf8_lossy(&refused.body);
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{text}");
        assert!(text.contains("<Code>QuotaExceeded</Code>"), "{text}");
        assert!(text.contains("<Limit>requests_per_hour</Limit>"), "{text}");
    }
    // Nobody else notices.
    assert_eq!(list(&other).await.status, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_agents_at_once_the_one_that_there_is_place_for_is_made() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    let (owner, slug, org) = owner(&gateway, "ann@example.com").await;
    let path = format!("/organizations/{org}/agents");
    plan(&operator, &slug, json!({ "agents": 1 })).await;
    let made = (0..64).map(|n| owner.post(&path, json!({ "name": format!("a{n}") })));
    let made = join_all(made).await;
    assert_eq!(made.iter().filter(|made| made.status == 201).count(), 1);
    for refused in made.iter().filter(|made| made.status != 201) {
        assert_eq!((refused.status, refused.code()), (409, "limit-reached"));
        assert_eq!(refused.text("limit"), "agents");
    }
    let limits = owner.get(&format!("/organizations/{org}/limits")).await;
    let expected = json!({ "limit": "agents", "used": 1, "max": 1, "warning": true });
    assert_eq!(limits.body["items"], json!([expected]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_secrets_at_once_the_one_that_there_is_place_for_is_made() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    let client = gateway.secrets_client(&gateway.tenant("acme").await);
    plan(&operator, "acme", json!({ "secrets": 1 })).await;
    let create = |n| {
        let body = json!({ "Name": format!("s{n}"), "SecretString": "x" }).to_string();
        let client = &client;
        async move {
            let answer = client.ask("secretsmanager.CreateSecret", &body).await;
            answer.expect("an answer")
        }
    };
    let made = join_all((0..64).map(create)).await;
    let is_made = |answer: &&Answer| answer.status == StatusCode::OK;
    assert_eq!(made.iter().filter(is_made).count(), 1);
    for refused in made.iter().filter(|answer| !is_made(answer)) {
        let text = String::from_utf8_lossy(&refused.body);
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{text}");
        // Not the code that clients take for a call to be tried again.
        assert!(text.contains("InvalidRequestException"), "{text}");
        assert!(text.contains("allows 1 secrets"), "{text}");
    }
    let hourly = json!({ "slug": "hourly", "name": "x", "limits": { "requests_per_hour": 64 } });
    assert_eq!(operator.post("/plans", hourly).await.status, 201);
    let assigned = assign(&operator, "acme", Some("hourly")).await;
    assert_eq!(assigned.status, 200, "{}", assigned.body);
    let refused = create(64).await;
    let text = String::from_utf8_lossy(&refused.body);
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{text}");
    assert!(text.contains("InvalidRequestException"), "{text}");
}

#[tokio::test]
async fn an_exhausted_hour_answers_when_there_is_more_and_lets_its_usage_be_read() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    let (owner, slug, org) = owner(&gateway, "ann@example.com").await;
    plan(&operator, &slug, json!({ "requests_per_hour": 0 })).await;
    let refused = owner.get(&format!("/organizations/{org}/agents")).await;
    assert_eq!((refused.status, refused.code()), (429, "limit-reached"));
    assert_eq!(refused.text("limit"), "requests_per_hour");
    let until = refused.headers["retry-after"].to_str().expect("text");
    assert!(until.ends_with(":00:00 GMT"), "{until}");
    for open in ["usage", "limits", "plan"] {
        let reply = owner.get(&format!("/organizations/{org}/{open}")).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
}

#[tokio::test]
async fn a_warning_stands_in_the_log_once_four_fifths_are_used() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    let tenant = gateway.tenant("acme").await;
    let client = gateway.client(&tenant);
    put(&client, "/docs", "").await;
    put(&client, "/docs/a", &"x".repeat(80)).await;
    let limits = json!({ "stored_bytes": 100, "objects": 100, "requests_per_month": 10 });
    plan(&operator, "acme", limits).await;
    // Two were answered before.
    for _ in 0..7 {
        let listed = client.send(Method::GET, "/docs", &[], "").await;
        assert_eq!(listed.expect("an answer").status, StatusCode::OK);
    }
    let shown = operator.get("/organizations/acme/limits").await;
    let warned = shown.body["items"].as_array().expect("a list").iter();
    let warned = warned.filter(|level| level["warning"] == true);
    let warned: Vec<_> = warned.map(|level| &level["limit"]).collect();
    assert_eq!(warned[0], "stored_bytes");
    gateway.close_logs().await;
    let log = gateway.log(&tenant).await;
    let warnings = log
        .iter()
        .filter(|entry| entry.action == "bulkhead:NearLimit");
    let mut warnings: Vec<_> = warnings.map(|entry| entry.resource.as_str()).collect();
    warnings.sort_unstable();
    assert_eq!(warnings, ["limit:requests_per_month", "limit:stored_bytes"]);
}

/// Puts an organization on a new plan of its own.
async fn plan(operator: &Bearer, slug: &str, limits: Value) {
    let plan = json!({ "slug": slug, "name": slug, "limits": limits });
    let made = operator.post("/plans", plan).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let assigned = assign(operator, slug, Some(slug)).await;
    assert_eq!(assigned.status, 200, "{}", assigned.body);
}

async fn assign(operator: &Bearer, slug: &str, plan: Option<&str>) -> Reply {
    let path = format!("/organizations/{slug}/plan");
    let body = json!({ "plan": plan });
    operator.send(Method::PUT, &path, &[], body).await
}

/// Somebody, and the slug and identifier of the personal organization.
async fn owner(gateway: &Gateway, email: &str) -> (Bearer, String, String) {
    let operator = Bearer::new(gateway.control, TOKEN);
    let account = json!({ "email": email, "name": "Ann", "password": PASSWORD });
    let made = operator.post("/operator/accounts", account).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let owner = Bearer::log_in(gateway.control, email, None).await;
    let org = owner.get("/self").await.text("organization").to_owned();
    let shown = owner.get(&format!("/organizations/{org}")).await;
    let slug = shown.text("slug").to_owned();
    (owner, slug, org)
}

async fn put(client: &Client, target: &str, body: &str) -> Answer {
    let answer = client.send(Method::PUT, target, &[], body.to_owned());
    answer.await.expect("an answer")
}

const TOKEN: &str = "the operator's token, which is long enough";
