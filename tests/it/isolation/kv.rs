//! The same wall on `/v1`: the owner of one organization asks every route for a secret of another
//! organization's, and whoever shows a token of one names the other.

use bulkhead::http::kv::{Operation, ROUTES, Route};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{TOKEN, difference, raw};
use crate::support::bearer::{Bearer, PASSWORD};
use crate::support::client::{Answer, Client};
use crate::support::gateway::Gateway;
use crate::support::sign::Key;

#[tokio::test]
async fn what_is_anothers_answers_and_costs_as_what_is_nowhere_on_the_vault() {
    let gateway = Gateway::start(TOKEN).await;
    let victim = Owner::new(&gateway, "victim").await;
    let stranger = Owner::new(&gateway, "stranger").await;
    for _ in 0..2 {
        let value = json!({ "data": { "password": "hunter2" } });
        let target = format!("secret/data/{THEIRS}");
        let made = victim.ask("POST", &target, &value).await;
        assert_eq!(made.status, StatusCode::OK);
    }
    let before = victim.snapshot().await;

    for route in ROUTES {
        // It ends the stranger's session, whatever is where.
        if route.operation == Operation::RevokeSelf {
            continue;
        }
        for method in route.methods {
            let mut seen = Vec::new();
            for name in [THEIRS, NOWHERE] {
                // What caches hold is the same before each.
                let warm = stranger
                    .ask("LIST", "secret/metadata/warm", &Value::Null)
                    .await;
                assert_eq!(warm.status, StatusCode::NOT_FOUND);
                let nothing = format!("secret/metadata/{name}");
                let warm = stranger.ask("GET", &nothing, &Value::Null).await;
                assert_eq!(warm.status, StatusCode::NOT_FOUND);
                let calls = gateway.calls();
                let answer = stranger
                    .ask(method, &path(route, name), &body(route, name))
                    .await;
                let cost = difference(&gateway.calls(), &calls);
                seen.push((shown(&answer, name), cost));
                let target = format!("secret/metadata/{name}");
                let clean = stranger.ask("DELETE", &target, &Value::Null).await;
                assert_eq!(clean.status, StatusCode::NO_CONTENT);
            }
            assert_eq!(
                seen[0], seen[1],
                "{method} {}: theirs, then nowhere",
                route.name
            );
        }
    }
    assert_eq!(victim.snapshot().await, before);

    // A namespace that is another's, that is nobody's, and a token that is nobody's.
    for route in ROUTES.iter().filter(|route| route.action.is_some()) {
        let mut seen = Vec::new();
        for (token, namespace) in [
            (stranger.token.as_str(), victim.organization.as_str()),
            (&stranger.token, "nobody-at-all"),
            ("bkt_BKNOBODYKNOWSTHISKEY_SECRET", &stranger.organization),
        ] {
            let fields = [("x-vault-token", token), ("x-vault-namespace", namespace)];
            let target = format!("/v1/{}", path(route, THEIRS));
            let method = Method::from_bytes(route.methods[0].as_bytes()).expect("a method");
            let sent = stranger.client.send_unsigned(method, &target, &fields, "");
            seen.push(raw(&sent.await.expect("an answer")));
        }
        assert!(seen[0].starts_with("403"), "{}: {}", route.name, seen[0]);
        assert_eq!(seen[0], seen[1], "{}", route.name);
        assert_eq!(seen[0], seen[2], "{}", route.name);
    }
    let metrics = gateway.metrics.encode().expect("metrics");
    for route in ROUTES {
        let line = format!("operation=\"{}\"", route.name);
        let is_reached = metrics.contains(&line) || route.operation == Operation::RevokeSelf;
        assert!(is_reached, "{} was not reached", route.name);
    }
}

/// Whoever owns an organization.
struct Owner {
    client: Client,
    token: String,
    organization: String,
}

impl Owner {
    async fn new(gateway: &Gateway, who: &str) -> Self {
        let operator = Bearer::new(gateway.control, TOKEN);
        let email = format!("{who}@example.com");
        let account = json!({ "email": email, "name": who, "password": PASSWORD });
        let made = operator.post("/operator/accounts", account).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let log_in = json!({ "email": email, "password": PASSWORD });
        let anybody = Bearer::showing(gateway.control, None);
        let session = anybody.post("/sessions", log_in).await;
        let nobody = Key {
            id: "BKNOBODYSIGNSWITHTHIS".to_owned(),
            secret: "unused".to_owned(),
        };
        Self {
            client: Client::new(gateway.control, nobody),
            token: session.text("token").to_owned(),
            organization: session.text("organization").to_owned(),
        }
    }

    async fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        let kind = match method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let fields = [
            ("x-vault-token", self.token.as_str()),
            ("content-type", kind),
        ];
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let target = format!("/v1/{path}");
        let sent = self
            .client
            .send_unsigned(method, &target, &fields, body.to_string());
        sent.await.expect("an answer")
    }

    /// Everything that it can see of its secret.
    async fn snapshot(&self) -> Vec<Vec<u8>> {
        let mut seen = Vec::new();
        for path in [
            format!("secret/data/{THEIRS}"),
            format!("secret/data/{THEIRS}?version=1"),
            format!("secret/metadata/{THEIRS}"),
            "secret/metadata?list=true".to_owned(),
        ] {
            let answer = self.ask("GET", &path, &Value::Null).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
            seen.push(body["data"].to_string().into_bytes());
        }
        seen
    }
}

/// The path of a route for what bears this name.
pub(super) fn path(route: &Route, name: &str) -> String {
    let folder = name.split('/').next().unwrap_or_default();
    route
        .place
        .template()
        .replace("{path}", name)
        .replace("{folder}", folder)
        .replace("{mount}", &format!("secret/{name}"))
}

/// What is sent to a route. One that is added must say here what another organization would send
/// to it.
fn body(route: &Route, name: &str) -> Value {
    match route.operation {
        Operation::WriteValue | Operation::PatchValue => json!({ "data": { "a": "b" } }),
        Operation::ChangeVersions(_) => json!({ "versions": [1, 2] }),
        Operation::ReadCapabilities => json!({ "path": format!("secret/data/{name}") }),
        Operation::WriteConfig => json!({ "max_versions": 5 }),
        Operation::WriteMetadata | Operation::PatchMetadata => json!({ "cas_required": false }),
        Operation::LogIn => json!({ "role_id": "nobody", "secret_id": "nothing" }),
        Operation::ReadValue
        | Operation::ReadSubkeys
        | Operation::ReadMetadata
        | Operation::DeleteCurrent
        | Operation::DeleteMetadata
        | Operation::List
        | Operation::ReadConfig
        | Operation::LookupSelf
        | Operation::RenewSelf
        | Operation::RevokeSelf
        | Operation::ReadMounts
        | Operation::ReadUiMounts
        | Operation::ReadUiMount
        | Operation::ReadHealth
        | Operation::ReadSealStatus
        | Operation::ReadInit
        | Operation::ReadLeader => Value::Null,
    }
}

/// An answer without the name that it echoes.
fn shown(answer: &Answer, name: &str) -> String {
    raw(answer).replace(name, "{name}")
}

const THEIRS: &str = "red/theirs";
const NOWHERE: &str = "blu/nobody";
