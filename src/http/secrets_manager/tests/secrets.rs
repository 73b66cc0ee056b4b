//! What the operations do.

use serde_json::{Value as Json, json};

use super::house::House;

#[tokio::test]
async fn a_secret_is_found_by_its_name_and_by_its_arn() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    let client = &tenant.client;
    let arn = house.create(&tenant, "prod/db", "hunter2").await;
    let account = tenant.org.account_number();
    let (partial, suffix) = arn.rsplit_once('-').unwrap();
    assert_eq!(
        partial,
        format!("arn:aws:secretsmanager:us-east-1:{account}:secret:prod/db")
    );
    assert_eq!(suffix.len(), 6);
    for id in ["prod/db", &arn, partial] {
        let shown = house
            .ask(client, "GetSecretValue", json!({"SecretId": id}))
            .await;
        assert_eq!(shown["SecretString"], "hunter2", "{id}");
        assert_eq!(shown["ARN"], arn, "{id}");
        assert_eq!(shown["Name"], "prod/db");
        assert_eq!(shown["VersionStages"], json!(["AWSCURRENT"]));
        assert_eq!(shown["CreatedDate"], 1_767_225_600.0);
    }
    // A name that ends as an ARN does is no less a name.
    let odd = house.create(&tenant, "prod/db-abcdef", "other").await;
    let odd_partial = odd.rsplit_once('-').unwrap().0;
    for id in ["prod/db-abcdef", &odd, odd_partial] {
        let shown = house
            .ask(client, "GetSecretValue", json!({"SecretId": id}))
            .await;
        assert_eq!(shown["SecretString"], "other", "{id}");
    }
    // Whose name is used again is another secret.
    let body = json!({"SecretId": "prod/db", "ForceDeleteWithoutRecovery": true});
    house.ask(client, "DeleteSecret", body).await;
    house.create(&tenant, "prod/db", "new").await;
    for operation in ["GetSecretValue", "DescribeSecret", "DeleteSecret"] {
        let code = house
            .refused(client, operation, json!({"SecretId": arn}))
            .await;
        assert_eq!(code, "ResourceNotFoundException", "{operation}");
    }
    let shown = house
        .ask(client, "GetSecretValue", json!({"SecretId": partial}))
        .await;
    assert_eq!(shown["SecretString"], "new");
}

#[tokio::test]
async fn a_token_writes_once() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    let client = &tenant.client;
    let token = "t".repeat(32);
    let create =
        |value: &str| json!({"Name": "a", "SecretString": value, "ClientRequestToken": token});
    let first = house.ask(client, "CreateSecret", create("one")).await;
    assert_eq!(first["VersionId"], token);
    assert_eq!(
        house.ask(client, "CreateSecret", create("one")).await,
        first
    );
    let code = house.refused(client, "CreateSecret", create("two")).await;
    assert_eq!(code, "ResourceExistsException");

    let token = "u".repeat(64);
    let put = |operation: &'static str, value: &str| {
        let body = json!({"SecretId": "a", "SecretString": value, "ClientRequestToken": token});
        (operation, body)
    };
    for operation in ["PutSecretValue", "UpdateSecret"] {
        for _ in 0..2 {
            let (operation, body) = put(operation, "two");
            let written = house.ask(client, operation, body).await;
            assert_eq!(written["VersionId"], token, "{operation}");
        }
        let (operation, body) = put(operation, "three");
        let code = house.refused(client, operation, body).await;
        assert_eq!(code, "ResourceExistsException", "{operation}");
        // Text and bytes of the same spelling are not the same.
        let body = json!({"SecretId": "a", "SecretBinary": "dHdv", "ClientRequestToken": token});
        let code = house.refused(client, operation, body).await;
        assert_eq!(code, "ResourceExistsException", "{operation}");
    }
    let body = json!({"SecretId": "a", "IncludeDeprecated": true});
    let listed = house.ask(client, "ListSecretVersionIds", body).await;
    assert_eq!(listed["Versions"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_update_changes_all_of_it_or_nothing() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    let client = &tenant.client;
    house.create(&tenant, "a", "one").await;
    let token = "t".repeat(32);
    let update = |value: &str, description: &str| {
        json!({
            "SecretId": "a", "SecretString": value, "Description": description,
            "ClientRequestToken": token,
        })
    };
    house
        .ask(client, "UpdateSecret", update("two", "second"))
        .await;
    let code = house
        .refused(client, "UpdateSecret", update("three", "third"))
        .await;
    assert_eq!(code, "ResourceExistsException");
    let shown = describe(&house, client).await;
    assert_eq!(shown["Description"], "second");
    // The value is there already; the description is not.
    house
        .ask(client, "UpdateSecret", update("two", "third"))
        .await;
    let shown = describe(&house, client).await;
    assert_eq!(shown["Description"], "third");
    assert_eq!(shown["VersionIdsToStages"].as_object().unwrap().len(), 2);
}

#[tokio::test]
async fn the_first_version_is_the_current_one_whatever_else_it_is() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    let client = &tenant.client;
    house
        .ask(client, "CreateSecret", json!({"Name": "a"}))
        .await;
    let answer = house
        .send(client, "GetSecretValue", &json!({"SecretId": "a"}))
        .await;
    assert_eq!(answer.code(), "ResourceNotFoundException");
    assert!(answer.text.contains("staging label: AWSCURRENT"));
    let body = json!({"SecretId": "a", "SecretString": "x", "VersionStages": ["AWSPENDING"]});
    let written = house.ask(client, "PutSecretValue", body).await;
    assert_eq!(
        written["VersionStages"],
        json!(["AWSPENDING", "AWSCURRENT"])
    );
}

#[tokio::test]
async fn who_names_version_and_stage_means_one_version() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    let client = &tenant.client;
    house.create(&tenant, "a", "one").await;
    let body = json!({"SecretId": "a", "SecretString": "two"});
    let second = house.ask(client, "PutSecretValue", body).await;
    let version = &second["VersionId"];
    let get = |version: &Json, stage: &str| json!({"SecretId": "a", "VersionId": version, "VersionStage": stage});
    let shown = house
        .ask(client, "GetSecretValue", get(version, "AWSCURRENT"))
        .await;
    assert_eq!(shown["SecretString"], "two");
    let code = house
        .refused(client, "GetSecretValue", get(version, "AWSPREVIOUS"))
        .await;
    assert_eq!(code, "InvalidRequestException");
    let nobody = json!("0".repeat(32));
    let code = house
        .refused(client, "GetSecretValue", get(&nobody, "AWSCURRENT"))
        .await;
    assert_eq!(code, "ResourceNotFoundException");
}

#[tokio::test]
async fn a_listing_goes_on_where_it_ended_in_every_order() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    let client = &tenant.client;
    let names = ["c", "a", "e", "b", "d"];
    for name in names {
        house.create(&tenant, name, "x").await;
        house.place.hand.advance(std::time::Duration::from_secs(1));
    }
    let tag = json!({"SecretId": "a", "Tags": [{"Key": "team", "Value": "blue"}]});
    house.ask(client, "TagResource", tag).await;
    for (by, order, expected) in [
        ("created-date", "asc", "caebd"),
        ("created-date", "desc", "dbeac"),
        ("last-changed-date", "asc", "cebda"),
        ("last-changed-date", "desc", "adbec"),
        ("name", "asc", "abcde"),
        ("name", "desc", "edcba"),
    ] {
        let mut seen = String::new();
        let mut body = json!({"SortBy": by, "SortOrder": order, "MaxResults": 2});
        loop {
            let page = house.ask(client, "ListSecrets", body.clone()).await;
            for secret in page["SecretList"].as_array().unwrap() {
                seen.push_str(secret["Name"].as_str().unwrap());
            }
            if page["NextToken"].is_null() {
                break;
            }
            body["NextToken"] = page["NextToken"].clone();
        }
        assert_eq!(seen, expected, "{by} {order}");
        // The token of one order means nothing in another.
        if let Some(token) = body.get("NextToken") {
            let other = json!({"SortBy": "name", "SortOrder": "asc", "NextToken": token});
            let answer = house.send(client, "ListSecrets", &other).await;
            let is_same = (by, order) == ("name", "asc");
            assert_eq!(answer.status == 200, is_same, "{by} {order}");
        }
    }
    for (key, values, expected) in [
        ("name", json!(["a"]), "a"),
        ("name", json!(["!a"]), "cebd"),
        ("name", json!(["a", "b"]), "ab"),
        ("tag-key", json!(["te"]), "a"),
        ("tag-value", json!(["blue"]), "a"),
        ("tag-value", json!(["!blue"]), "cebd"),
        ("all", json!(["BLUE team"]), "a"),
        ("all", json!(["lue"]), ""),
        ("description", json!(["x"]), ""),
        ("primary-region", json!(["us-east-1"]), ""),
        ("owning-service", json!(["!rds"]), "caebd"),
    ] {
        let body = json!({"Filters": [{"Key": key, "Values": values}]});
        let page = house.ask(client, "ListSecrets", body).await;
        let seen: String = page["SecretList"]
            .as_array()
            .unwrap()
            .iter()
            .map(|secret| secret["Name"].as_str().unwrap())
            .collect();
        assert_eq!(seen, expected, "{key} {values}");
    }
}

async fn describe(house: &House, client: &crate::ops::fixture::Client) -> Json {
    house
        .ask(client, "DescribeSecret", json!({"SecretId": "a"}))
        .await
}
