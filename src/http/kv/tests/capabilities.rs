use std::time::Duration;

use names::Effect;
use serde_json::{Value, json};

use super::house::{Holder, House};
use crate::http::kv::{Operation, ROUTES};

#[tokio::test]
async fn capabilities_are_what_the_routes_of_a_path_let_the_caller_do() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    let reader = house
        .narrowed(&ada, &[(Effect::Allow, "vault:reveal", "secret:*")])
        .await;
    let mut holders = vec![house.lasting(&ada, 86_400_000).await, reader];
    let actions = ["list", "describe", "reveal", "put", "delete", "use"];
    for action in actions.map(|action| format!("vault:{action}")) {
        let agent = house.agent(&ada, &[&action], &["secret:red/*"]).await;
        holders.push(agent.1);
    }
    let both = ["vault:put", "vault:reveal"];
    holders.push(house.agent(&ada, &both, &["secret:red/*"]).await.1);

    let mut refused = 0;
    for holder in &holders {
        for (name, folder) in [("red/a", "red/"), ("blue/a", "blue")] {
            for route in ROUTES {
                // It ends the token.
                if route.operation == Operation::RevokeSelf || route.action.is_none() {
                    continue;
                }
                let template = route.place.template();
                let path = template
                    .replace("{path}", name)
                    .replace("{folder}", folder)
                    .replace("{mount}", "secret");
                let capabilities = capabilities(&house, holder, &path).await;
                for method in route.methods {
                    let is_said = capabilities.contains(&json!(capability(method)));
                    let is_allowed = is_allowed(&house, holder, method, &path).await;
                    assert_eq!(is_said, is_allowed, "{method} {path}: {capabilities:?}");
                    refused += u32::from(!is_allowed);
                }
            }
        }
    }
    assert!(refused > 50, "{refused}");
}

#[tokio::test]
async fn capabilities_are_told_of_one_path_and_of_many() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    let (_, agent) = house
        .agent(
            &ada,
            &["vault:reveal", "vault:list", "vault:put"],
            &["secret:red/*"],
        )
        .await;
    let all = [
        (
            "secret/data/red/a",
            json!(["create", "patch", "read", "update"]),
        ),
        (
            "/secret/data/red/a",
            json!(["create", "patch", "read", "update"]),
        ),
        ("secret/undelete/red/a", json!(["update"])),
        ("secret/delete/red/a", json!(["deny"])),
        (
            "secret/metadata/red/a",
            json!(["create", "list", "patch", "update"]),
        ),
        ("secret/metadata/red/", json!(["list"])),
        ("secret/metadata/", json!(["deny"])),
        ("secret/data/blue/a", json!(["deny"])),
        ("secret/config", json!(["deny"])),
        ("secret/data/", json!(["deny"])),
        ("secret/data/red/../blue/a", json!(["deny"])),
        ("auth/token/lookup-self", json!(["read"])),
        ("auth/token/create", json!(["deny"])),
        ("sys/capabilities-self", json!(["update"])),
        ("sys/internal/ui/mounts/secret", json!(["read"])),
        ("sys/internal/ui/mounts/kv", json!(["deny"])),
        ("sys/raw/x", json!(["deny"])),
        // Nothing in a body is encoded, and no name takes the place of what every answer has.
        (
            "secret/data/red/a%2fb",
            json!(["create", "patch", "read", "update"]),
        ),
        ("request_id", json!(["deny"])),
    ];
    let paths: Vec<_> = all.iter().map(|(path, _)| *path).collect();
    let body = json!({ "paths": paths }).to_string();
    let asked = house.post(&agent, "sys/capabilities-self", &body).await;
    assert_eq!(asked.status, 200, "{}", asked.body);
    for (path, expected) in &all {
        assert_eq!(asked.body["data"][path], *expected, "{path}");
        if *path != "request_id" {
            assert_eq!(asked.body[path], *expected, "{path}");
        }
    }
    assert!(asked.body["data"].get("capabilities").is_none());
    let request = asked.headers["x-amz-request-id"].to_str().unwrap();
    assert_eq!(asked.body["request_id"], request);

    for body in [
        json!({ "path": "secret/undelete/red/a" }),
        json!({ "paths": "secret/undelete/red/a" }),
        json!({ "paths": [" secret/undelete/red/a "], "path": "secret/config" }),
    ] {
        let one = house
            .ask(&agent, "PUT", "sys/capabilities-self", &body.to_string())
            .await;
        assert_eq!(one.body["capabilities"], json!(["update"]));
        let expected = json!({
            "capabilities": ["update"], "secret/undelete/red/a": ["update"]
        });
        assert_eq!(one.data(200), expected);
    }
    for (body, text) in [
        ("{}", "paths must be supplied"),
        (r#"{"paths":[],"path":""}"#, "paths must be supplied"),
        (r#"{"paths":["a",""]}"#, "missing path"),
        ("[]", "the body is no JSON object of the expected form"),
    ] {
        let answer = house.post(&agent, "sys/capabilities-self", body).await;
        answer.fails(400, text);
    }
}

/// What a path says of itself.
async fn capabilities(house: &House, holder: &Holder, path: &str) -> Vec<Value> {
    let body = json!({ "path": path }).to_string();
    let asked = house.post(holder, "sys/capabilities-self", &body).await;
    asked.data(200)["capabilities"].as_array().unwrap().clone()
}

/// What a policy calls it.
fn capability(method: &str) -> &'static str {
    match method {
        "GET" => "read",
        "LIST" => "list",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "update",
    }
}

async fn is_allowed(house: &House, holder: &Holder, method: &str, path: &str) -> bool {
    let body = r#"{"data":{"a":"b"},"versions":[1],"paths":["x"]}"#;
    let answer = match method {
        "PATCH" => house.patch(holder, path, body).await,
        _ => house.ask(holder, method, path, body).await,
    };
    // So many refusals in one second are answered otherwise.
    house.place.hand.advance(Duration::from_secs(1));
    match answer.status {
        403 => false,
        // Tokens are not renewed, whoever asks.
        200 | 204 | 400 | 404 => true,
        status => panic!("{method} {path}: {status} {}", answer.body),
    }
}
