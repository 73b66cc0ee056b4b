//! The same wall on `/api/v1`: the owner of one organization asks every route for what is another
//! organization's.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use bulkhead::http::api::{Given, ROOT, Route, routes};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{TOKEN, difference, raw};
use crate::support::bearer::{Bearer, PASSWORD};
use crate::support::client::Client;
use crate::support::gateway::{Calls, Gateway};

#[tokio::test]
async fn what_is_anothers_answers_and_costs_as_what_is_nowhere_on_the_api() {
    let gateway = Gateway::start(TOKEN).await;
    let victim = Settled::new(gateway.control, "victim").await;
    let stranger = Settled::new(gateway.control, "stranger").await;
    let before = victim.snapshot().await;
    let nowhere = victim.names.nowhere();

    let mut compared = 0;
    for route in routes() {
        for aim in aims(route, &stranger.names, &victim.names) {
            let theirs = ask(route, &aim);
            let missing = ask(route, &aim.aimed_nowhere(&victim.names, &nowhere));
            if theirs == missing {
                continue;
            }
            compared += 1;
            let mut seen = Vec::new();
            for request in [&theirs, &missing] {
                let (answer, cost) = sent(&gateway, &stranger, request).await;
                let shown = hidden(answer, &[&victim.names, &nowhere]);
                seen.push((shown, cost));
            }
            assert_eq!(
                seen[0], seen[1],
                "{}: theirs, then nowhere: {theirs:?}",
                route.id
            );
        }
    }
    assert!(compared > 60, "{compared}");
    assert_eq!(victim.snapshot().await, before);
}

/// An organization with one of everything, and its owner.
pub(super) struct Settled {
    pub(super) owner: Bearer,
    client: Client,
    token: String,
    pub(super) names: Names,
}

/// What stands in the places of the segments in braces, and in bodies.
#[derive(Debug, Clone)]
pub(super) struct Names(BTreeMap<&'static str, String>);

/// A request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) target: String,
    pub(super) body: Value,
}

impl Settled {
    pub(super) async fn new(control: SocketAddr, who: &str) -> Self {
        let operator = Bearer::new(control, TOKEN);
        let email = format!("{who}@example.com");
        let account = json!({ "email": email, "name": who, "password": PASSWORD });
        let made = operator.post("/operator/accounts", account).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let log_in = json!({ "email": email, "password": PASSWORD });
        let anybody = Bearer::showing(control, None);
        let token = anybody.post("/sessions", log_in).await;
        let token = token.text("token").to_owned();
        let owner = Bearer::new(control, &token);
        let seen = owner.get("/self").await;
        let org = seen.text("organization").to_owned();
        let create = async |path: &str, body: Value| {
            let path = format!("/organizations/{org}/{path}");
            let made = owner.post(&path, body).await;
            assert_eq!(made.status, 201, "{}", made.body);
            made
        };
        let invited = json!({ "email": format!("guest-of-{email}"), "role": "member" });
        let invitation = create("invitations", invited).await;
        let agent = create("agents", json!({ "name": "Robot" })).await;
        let agent_id = agent.text("id").to_owned();
        let team = create("teams", json!({ "name": "Crew" })).await;
        let grant = json!({
            "subject": { "agent": agent_id },
            "actions": ["s3:GetObject"],
            "resources": ["drive:docs/*"],
        });
        let grant = create("grants", grant).await;
        let credentials = format!("agents/{agent_id}/credentials");
        let credential = create(&credentials, json!({ "kind": "api-token" })).await;
        let robot = Bearer::new(control, credential.text("token"));
        let home = format!("/organizations/{org}/agents/{agent_id}");
        let record = json!({ "value": "step by step" });
        let path = format!("{home}/records/skill/walk");
        let put = robot.send(Method::PUT, &path, &[], record).await;
        assert_eq!(put.status, 200, "{}", put.body);
        let task = json!({ "title": "walk" });
        let appended = robot.post(&format!("{home}/tasks"), task).await;
        assert_eq!(appended.status, 201, "{}", appended.body);
        let secret = json!({ "path": format!("of-{who}"), "value": { "text": "kept" } });
        create("secrets", secret).await;
        let share = create(&format!("secrets/of-{who}/shares"), json!({})).await;
        let text = |name: &str, reply: &crate::support::bearer::Reply| reply.text(name).to_owned();
        let names = Names(BTreeMap::from([
            ("org", org.clone()),
            ("member", text("principal", &seen)),
            ("principal", agent_id.clone()),
            ("invitation", text("id", &invitation)),
            ("invitation token", text("token", &invitation)),
            ("team", text("id", &team)),
            ("agent", agent_id),
            ("kind", "skill".to_owned()),
            ("name", "walk".to_owned()),
            ("grant", text("id", &grant)),
            ("credential", text("id", &credential)),
            ("key", text("id", &credential)),
            ("email", email),
            ("plan", "team".to_owned()),
            ("secret", format!("of-{who}")),
            ("stage", "AWSCURRENT".to_owned()),
            ("share", text("id", &share)),
            ("share token", format!("{}x", text("token", &share))),
            ("month", "2026-01".to_owned()),
        ]));
        let nobody = crate::support::sign::Key {
            id: "BKNOBODYSIGNSWITHTHIS".to_owned(),
            secret: "unused".to_owned(),
        };
        Self {
            owner,
            client: Client::new(control, nobody),
            token,
            names,
        }
    }

    /// Everything that its owner can see.
    pub(super) async fn snapshot(&self) -> Vec<Value> {
        let mut seen = Vec::new();
        let of_org = routes().filter(|route| {
            route.method == Method::GET
                && route.path.contains("{org}")
                && matches!(route.gives.body, Given::Json(_))
                && !["ListActivity", "GetUsage", "GroupUsage"].contains(&route.id)
        });
        for route in of_org.filter(|route| names_known(route, &self.names)) {
            let request = ask(route, &self.names);
            let path = request.target.strip_prefix(ROOT).expect("a path");
            let mut shown = self.owner.get(path).await.body;
            // When a credential was last used is told with a delay.
            if let Some(items) = shown.get_mut("items").and_then(Value::as_array_mut) {
                for item in items {
                    item["last_used_at"] = Value::Null;
                }
            }
            seen.push(shown);
        }
        seen
    }
}

impl Names {
    pub(super) fn of(&self, name: &str) -> &str {
        let known = self.0.get(name);
        known.unwrap_or_else(|| panic!("what another organization has as {{{name}}} is not said"))
    }

    /// Names of the same form that nobody bears.
    pub(super) fn nowhere(&self) -> Self {
        let mut nowhere = self.clone();
        for (name, value) in &mut nowhere.0 {
            match *name {
                // A kind is one of a few for everybody, and a record is its agent's.
                "kind" | "name" | "stage" => {}
                "email" => *value = format!("no-{value}"),
                _ => {
                    let last = value.pop().expect("a name");
                    value.push(if last == '2' { '3' } else { '2' });
                }
            }
        }
        nowhere
    }

    /// The same with names of nobody in the places of the victim's.
    pub(super) fn aimed_nowhere(&self, victim: &Self, nowhere: &Self) -> Self {
        let mut aimed = self.clone();
        for (name, value) in &mut aimed.0 {
            if value == victim.of(name) {
                *value = nowhere.of(name).to_owned();
            }
        }
        aimed
    }
}

/// All names the victim's; all but the organization; and each one alone.
pub(super) fn aims(route: &Route, own: &Names, victim: &Names) -> Vec<Names> {
    let mut mixes = vec![victim.clone()];
    let mut all_but_org = victim.clone();
    all_but_org.0.insert("org", own.of("org").to_owned());
    mixes.push(all_but_org);
    for name in route.segment_names().filter(|name| *name != "org") {
        let mut one = own.clone();
        one.0.insert(name, victim.of(name).to_owned());
        mixes.push(one);
    }
    mixes
}

fn names_known(route: &Route, names: &Names) -> bool {
    route.segment_names().all(|name| names.0.contains_key(name))
}

pub(super) fn ask(route: &Route, names: &Names) -> Request {
    let segments = route.path.split('/').map(|segment| {
        let name = segment
            .strip_prefix('{')
            .and_then(|rest| rest.strip_suffix('}'));
        name.map_or(segment, |name| names.of(name))
    });
    let path = segments.collect::<Vec<_>>().join("/");
    Request {
        method: route.method.clone(),
        target: format!("{ROOT}{path}"),
        body: match route.takes {
            Some(_) => body(route, names),
            None => Value::Null,
        },
    }
}

/// What is sent to a route. One that is added must say here what another organization would send
/// to it.
fn body(route: &Route, names: &Names) -> Value {
    match route.id {
        "AcceptInvitation" => json!({ "token": names.of("invitation token") }),
        "AppendTask" => json!({ "title": "run" }),
        "AssignPlan" => json!({ "plan": null }),
        "ChangePlan" => json!({ "name": "another" }),
        "CreatePlan" => json!({ "slug": "another", "name": "another" }),
        "ChangeAccount" | "ChangeProfile" => json!({ "name": "another" }),
        "ChangeAgent" | "CreateAgent" | "CreateTeam" | "RenameTeam" => json!({ "name": "another" }),
        "ChangeMember" => json!({ "role": "viewer" }),
        "CreateAccessKey" => json!({}),
        "CreateAccount" | "SignUp" => {
            json!({ "email": names.of("email"), "name": "Nobody", "password": PASSWORD })
        }
        "CreateAgentCredential" | "CreateOwnCredential" => json!({ "kind": "api-token" }),
        "CreateGrant" => json!({
            "subject": { "agent": names.of("agent") },
            "actions": ["s3:GetObject"],
            "resources": ["drive:docs/*"],
        }),
        "ChangeSecret" => json!({ "description": "another" }),
        "CreateSecret" => json!({ "path": names.of("secret") }),
        "PutSecretVersion" => {
            // What is drawn by chance is not compared.
            json!({ "value": { "text": "another" }, "token": "0123456789abcdef0123456789abcdef" })
        }
        "RollBackSecret" => json!({ "version": 9 }),
        "MoveSecretStage" => json!({ "to": "0123456789abcdef0123456789abcdef" }),
        "DeleteSecretVersions" | "UndeleteSecretVersions" | "DestroySecretVersions" => {
            json!({ "versions": [1] })
        }
        "ShareSecret" => json!({ "version": 9 }),
        "OpenShare" => json!({ "token": names.of("share token") }),
        "CreateOrganization" => json!({ "slug": "another" }),
        "DeleteOrganization" => json!({ "grace_days": 7 }),
        "DestroyOrganization" => json!({ "confirm": names.of("org") }),
        "ExplainAccess" => json!({
            "principal": names.of("principal"),
            "action": "s3:GetObject",
            "resource": "drive:docs/plan",
        }),
        "GrantCredit" => json!({ "units": 1, "reason": "gift" }),
        "Invite" => json!({ "email": "friend@example.com", "role": "viewer" }),
        "JoinAsNewAccount" => json!({
            "token": format!("{}x", names.of("invitation token")),
            "name": "Nobody",
            "password": PASSWORD,
        }),
        "BeginOidcLogIn" => {
            json!({ "provider": "work", "redirect_uri": "https://console.example/" })
        }
        "LinkAgentIdentity" => json!({ "issuer": "https://login.example", "subject": "runner" }),
        "LinkIdentity" | "LogInByOidc" => json!({
            "provider": "work",
            "redirect_uri": "https://console.example/",
            "ticket": "1.a",
            "state": "a",
            "code": "a",
            "organization": names.of("org"),
        }),
        "LogIn" => json!({ "email": names.of("email"), "password": "is not this one" }),
        "PutAgentRecord" => json!({ "value": "run" }),
        "SendUsageEvents" => json!({ "events": [{
            "id": "run-1",
            "meter": "agent_runs",
            "amount": 1,
            "at": "2026-01-01T00:00:00Z",
            "principal": names.of("agent"),
        }] }),
        "SwitchOrganization" => json!({ "organization": names.of("org") }),
        id => panic!("what another organization would send to {id} is not said"),
    }
}

async fn sent(
    gateway: &Gateway,
    stranger: &Settled,
    request: &Request,
) -> (String, Vec<(String, u64)>) {
    let authorization = format!("Bearer {}", stranger.token);
    let mut fields = vec![("authorization", authorization.as_str())];
    if !request.body.is_null() {
        fields.push(("content-type", "application/json"));
    }
    let body = match &request.body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    // What caches hold is the same before each.
    let warm = stranger.owner.get("/self").await;
    assert_eq!(warm.status, StatusCode::OK);
    let before: Calls = gateway.calls();
    let answer = stranger
        .client
        .send_unsigned(request.method.clone(), &request.target, &fields, body)
        .await
        .expect("an answer");
    (raw(&answer), difference(&gateway.calls(), &before))
}

/// An answer without the names that it echoes.
pub(super) fn hidden(mut answer: String, all: &[&Names]) -> String {
    for names in all {
        for (name, value) in &names.0 {
            answer = answer.replace(value, &format!("{{{name}}}"));
        }
    }
    answer
}
