//! What the activity log holds, and when.

use std::future::ready;

use serde_json::json;

use super::house::House;
use crate::audit::Outcome;

#[tokio::test]
async fn a_reveal_stands_in_the_log_before_the_value_leaves() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    let arn = house.create(&tenant, "prod/db", "hunter2").await;
    let body = json!({"SecretId": arn});
    let answer = house.send(&tenant.client, "GetSecretValue", &body).await;
    assert!(answer.text.contains("hunter2"));
    // Nobody has written a batch.
    let log = house.log(tenant.org).await;
    let reveals: Vec<_> = log
        .iter()
        .filter(|entry| entry.action == "vault:reveal")
        .collect();
    let [intent] = &reveals[..] else {
        panic!("one line: {log:?}");
    };
    assert_eq!(intent.outcome, Outcome::Intended);
    assert_eq!(intent.resource, "secret:prod/db");
    assert_eq!(intent.operation.as_deref(), Some("GetSecretValue"));
    assert_eq!(intent.actor, tenant.client.id);
    let id = answer.headers["x-amzn-requestid"].to_str().unwrap();
    assert_eq!(intent.request_id, id);

    house.audit.run(ready(())).await;
    let outcomes = house.logged(tenant.org, "vault:reveal").await;
    let allowed = Outcome::Allowed { status: 200 };
    assert_eq!(
        outcomes.last(),
        Some(&("secret:prod/db".to_owned(), allowed))
    );
    let written = format!("{:?}", house.log(tenant.org).await);
    assert!(!written.contains("hunter2"), "{written}");
}

#[tokio::test]
async fn each_value_of_a_batch_stands_in_the_log_before_any_leaves() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    for name in ["a", "b", "c"] {
        house.create(&tenant, name, "hunter2").await;
    }
    let body = json!({"SecretIdList": ["a", "nothing", "c"]});
    let shown = house.ask(&tenant.client, "BatchGetSecretValue", body).await;
    let values = shown["SecretValues"].as_array().unwrap();
    let names: Vec<_> = values.iter().map(|value| value["Name"].clone()).collect();
    assert_eq!(names, ["a", "c"]);
    assert_eq!(
        shown["Errors"],
        json!([{
            "SecretId": "nothing",
            "ErrorCode": "ResourceNotFoundException",
            "Message": "Secrets Manager can't find the specified secret.",
        }])
    );
    let mut logged = house.logged(tenant.org, "vault:reveal").await;
    logged.sort_by(|one, other| one.0.cmp(&other.0));
    let line = |name: &str| {
        let outcome = Outcome::Allowed { status: 200 };
        (format!("secret:{name}"), outcome)
    };
    assert_eq!(logged, [line("a"), line("c")]);

    let body = json!({"Filters": [{"Key": "name", "Values": ["!a"]}], "MaxResults": 1});
    let page = house.ask(&tenant.client, "BatchGetSecretValue", body).await;
    assert_eq!(page["SecretValues"][0]["Name"], "b");
    assert!(page["NextToken"].is_string());
}

#[tokio::test]
async fn nothing_is_shown_or_changed_that_cannot_be_recorded() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    house.create(&tenant, "a", "hunter2").await;
    house.break_log();
    for (operation, body) in [
        ("GetSecretValue", json!({"SecretId": "a"})),
        ("BatchGetSecretValue", json!({"SecretIdList": ["a"]})),
        ("BatchGetSecretValue", json!({"Filters": []})),
        (
            "PutSecretValue",
            json!({"SecretId": "a", "SecretString": "x"}),
        ),
        ("DeleteSecret", json!({"SecretId": "a"})),
        ("TagResource", json!({"SecretId": "a", "Tags": []})),
        ("CreateSecret", json!({"Name": "b"})),
    ] {
        let answer = house.send(&tenant.client, operation, &body).await;
        assert_eq!(answer.status, 503, "{operation}: {}", answer.text);
        assert_eq!(answer.code(), "ServiceUnavailableException");
        assert!(!answer.text.contains("hunter2"));
    }
    let sql = "SELECT count(*) FROM records WHERE kind = 27 OR kind = 28";
    let database = rusqlite::Connection::open(house.place.catalog_path()).unwrap();
    let kept: i64 = database.query_row(sql, (), |row| row.get(0)).unwrap();
    assert_eq!(kept, 2, "one secret, one version, as before");
}
