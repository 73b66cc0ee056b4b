//! What is another organization's answers, and costs, as what exists nowhere.

use std::collections::BTreeMap;

use serde_json::json;

use super::house::{Holder, House};
use crate::http::kv::{Operation, ROUTES, Route};

#[tokio::test]
async fn what_is_anothers_answers_and_costs_as_what_is_nowhere() {
    let house = House::open().await;
    let (ada, eve) = (house.owner("ada").await, house.owner("eve").await);
    let write = r#"{"data":{"password":"hunter2"}}"#;
    for _ in 0..2 {
        house
            .post(&ada, "secret/data/red/theirs", write)
            .await
            .data(200);
    }
    let before = snapshot(&house, &ada).await;
    for route in ROUTES.iter().filter(|route| route.action.is_some()) {
        // What one has been asked for, the next is found as.
        house.get(&eve, "secret/data/warm").await.is_missing();
        for method in route.methods {
            if route.operation == Operation::RevokeSelf {
                continue;
            }
            let mut seen = Vec::new();
            for name in ["red/theirs", "red/nobody"] {
                let calls = house.calls();
                let answer = ask(&house, &eve, route, method, name).await;
                let cost = difference(&house.calls(), &calls);
                seen.push((answer, cost));
                house
                    .ask(&eve, "DELETE", &format!("secret/metadata/{name}"), "")
                    .await
                    .is_done();
                let _forgotten = house.list(&eve, "secret/metadata").await;
            }
            assert_eq!(
                seen[0], seen[1],
                "{method} {}: theirs, then nowhere",
                route.name
            );
        }
    }
    assert_eq!(snapshot(&house, &ada).await, before);
}

async fn ask(house: &House, eve: &Holder, route: &Route, method: &str, name: &str) -> String {
    let folder = name.split('/').next().unwrap();
    let mount = format!("secret/{name}");
    let path = route
        .place
        .template()
        .replace("{path}", name)
        .replace("{folder}", folder)
        .replace("{mount}", &mount);
    let body = match route.operation {
        Operation::WriteValue | Operation::PatchValue => json!({"data": {"a": "b"}}),
        Operation::DeleteVersions | Operation::UndeleteVersions | Operation::DestroyVersions => {
            json!({"versions": [1, 2]})
        }
        Operation::WriteMetadata | Operation::PatchMetadata => json!({"cas_required": true}),
        _ => json!(null),
    };
    let body = match body {
        serde_json::Value::Null => String::new(),
        body => body.to_string(),
    };
    let answer = match method {
        "PATCH" => house.patch(eve, &path, &body).await,
        method => house.ask(eve, method, &path, &body).await,
    };
    let mut shown = format!("{} {}", answer.status, answer.body);
    for name in ["x-amz-request-id", "date"] {
        if let Some(value) = answer.headers.get(name) {
            shown = shown.replace(value.to_str().unwrap(), "{changing}");
        }
    }
    shown
}

async fn snapshot(house: &House, ada: &Holder) -> Vec<String> {
    let mut seen = Vec::new();
    for path in [
        "secret/data/red/theirs",
        "secret/data/red/theirs?version=1",
        "secret/metadata/red/theirs",
        "secret/metadata?list=true",
    ] {
        seen.push(house.get(ada, path).await.data(200).to_string());
    }
    seen
}

fn difference(
    after: &crate::catalog::Calls,
    before: &crate::catalog::Calls,
) -> BTreeMap<String, u64> {
    after
        .iter()
        .map(|(method, count)| {
            let earlier = before.get(method).copied().unwrap_or_default();
            ((*method).to_string(), count - earlier)
        })
        .filter(|(_, count)| *count > 0)
        .collect()
}
