use names::Effect;
use serde_json::json;

use super::house::House;

#[tokio::test]
async fn what_is_known_of_a_secret_is_shown_changed_and_deleted() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    house.get(&ada, "secret/metadata/a").await.missing();
    let body = r#"{"max_versions":2,"delete_version_after":"3h25m19s",
        "custom_metadata":{"owner":"sales","tier":"one"}}"#;
    house.post(&ada, "secret/metadata/a", body).await.done();
    let empty = house.get(&ada, "secret/metadata/a").await.data(200);
    let expected = json!({
        "cas_required": false, "created_time": "2026-01-01T00:00:00Z", "current_version": 0,
        "custom_metadata": {"owner": "sales", "tier": "one"},
        "delete_version_after": "3h25m19s", "max_versions": 2, "oldest_version": 0,
        "updated_time": "2026-01-01T00:00:00Z", "versions": {}
    });
    assert_eq!(empty, expected);
    house.get(&ada, "secret/data/a").await.missing();

    for number in 1..=3 {
        let body = r#"{"data":{"a":"b"}}"#;
        let made = house.post(&ada, "secret/data/a", body).await.data(200);
        assert_eq!(made["version"], number);
        assert_eq!(made["deletion_time"], "2026-01-01T03:25:19Z");
        assert_eq!(made["custom_metadata"]["owner"], "sales");
    }
    let shown = house.get(&ada, "secret/metadata/a").await.data(200);
    assert_eq!(
        (&shown["current_version"], &shown["oldest_version"]),
        (&json!(3), &json!(2))
    );
    let version = json!({
        "created_time": "2026-01-01T00:00:00Z", "deletion_time": "2026-01-01T03:25:19Z",
        "destroyed": false
    });
    assert_eq!(shown["versions"], json!({"2": version, "3": version}));
    let read = house.get(&ada, "secret/data/a").await.data(200);
    assert_eq!(read["metadata"]["deletion_time"], "2026-01-01T03:25:19Z");
    house
        .place
        .hand
        .advance(std::time::Duration::from_secs(4 * 3_600));
    assert_eq!(
        house.get(&ada, "secret/data/a").await.data(404)["data"],
        json!(null)
    );

    // What is not named stays.
    let body = r#"{"cas_required":true,"max_versions":null}"#;
    house
        .ask(&ada, "PUT", "secret/metadata/a", body)
        .await
        .done();
    let shown = house.get(&ada, "secret/metadata/a").await.data(200);
    assert_eq!(
        (&shown["cas_required"], &shown["max_versions"]),
        (&json!(true), &json!(2))
    );
    let body = r#"{"max_versions":null,"delete_version_after":"0s","custom_metadata":
        {"tier":null,"more":"x"}}"#;
    house.patch(&ada, "secret/metadata/a", body).await.done();
    let shown = house.get(&ada, "secret/metadata/a").await.data(200);
    assert_eq!(shown["max_versions"], 0);
    assert_eq!(shown["delete_version_after"], "0s");
    assert_eq!(
        shown["custom_metadata"],
        json!({"owner": "sales", "more": "x"})
    );
    assert_eq!(shown["cas_required"], true);
    house.patch(&ada, "secret/metadata/b", body).await.missing();

    for bad in [
        r#"{"max_versions":101}"#,
        r#"{"max_versions":-1}"#,
        r#"{"delete_version_after":"soon"}"#,
        r#"{"delete_version_after":"-1s"}"#,
        r#"{"custom_metadata":{"a":1}}"#,
        r#"{"custom_metadata":{"a":""}}"#,
        r#"{"cas_required":"yes"}"#,
        "[]",
        "null",
    ] {
        let answer = house.post(&ada, "secret/metadata/a", bad).await;
        assert_eq!(answer.status, 400, "{bad}");
        let answer = house.patch(&ada, "secret/metadata/a", bad).await;
        assert_eq!(answer.status, 400, "{bad}");
    }
    // Clients that have nothing to say send nothing, also to make a secret (vaultrs).
    house.post(&ada, "secret/metadata/a", "").await.done();
    house.patch(&ada, "secret/metadata/a", "").await.done();
    house.post(&ada, "secret/metadata/made", "").await.done();
    house.get(&ada, "secret/metadata/made").await.data(200);
    house
        .ask(&ada, "DELETE", "secret/metadata/a", "")
        .await
        .done();
    house.get(&ada, "secret/metadata/a").await.missing();
    house.get(&ada, "secret/data/a?version=2").await.missing();
    house
        .ask(&ada, "DELETE", "secret/metadata/a", "")
        .await
        .done();
}

#[tokio::test]
async fn the_mount_says_how_secrets_are_kept_that_do_not_say_so_themselves() {
    let house = House::open().await;
    let (ada, eve) = (house.owner("ada").await, house.owner("eve").await);
    let unsaid = json!({"cas_required": false, "delete_version_after": "0s", "max_versions": 0});
    let said = json!({"cas_required": false, "delete_version_after": "1h0m0s", "max_versions": 2});
    assert_eq!(house.get(&ada, "secret/config").await.data(200), unsaid);
    let body = r#"{"max_versions":2,"delete_version_after":3600}"#;
    house.post(&ada, "secret/config", body).await.done();
    house.ask(&ada, "PUT", "secret/config", "{}").await.done();
    assert_eq!(house.get(&ada, "secret/config").await.data(200), said);
    assert_eq!(house.get(&eve, "secret/config").await.data(200), unsaid);
    let refused = house
        .post(&ada, "secret/config", r#"{"max_versions":101}"#)
        .await;
    assert_eq!(refused.status, 400);

    let write = r#"{"data":{"a":"b"}}"#;
    for name in ["first", "own"] {
        let own = r#"{"max_versions":3,"delete_version_after":"30m"}"#;
        if name == "own" {
            house.post(&ada, "secret/metadata/own", own).await.done();
        }
        for _ in 0..4 {
            house
                .post(&ada, &format!("secret/data/{name}"), write)
                .await
                .data(200);
        }
    }
    for (name, kept, end) in [
        ("first", 2, "2026-01-01T01:00:00Z"),
        ("own", 3, "2026-01-01T00:30:00Z"),
    ] {
        let shown = house
            .get(&ada, &format!("secret/metadata/{name}"))
            .await
            .data(200);
        let versions = shown["versions"].as_object().unwrap();
        assert_eq!(versions.len(), kept, "{name}");
        assert!(
            versions
                .values()
                .all(|version| version["deletion_time"] == end),
            "{name}"
        );
    }
    let made = house.post(&eve, "secret/data/first", write).await.data(200);
    assert_eq!(made["deletion_time"], "");

    house
        .post(&ada, "secret/config", r#"{"cas_required":true}"#)
        .await
        .done();
    for path in ["secret/data/first", "secret/data/new"] {
        let refused = house.post(&ada, path, write).await;
        refused.fails(400, "check-and-set parameter required for this call");
    }
    let refused = house.patch(&ada, "secret/data/first", write).await;
    refused.fails(400, "check-and-set parameter required for this call");
    let checked = r#"{"data":{"a":"b"},"options":{"cas":4}}"#;
    house
        .post(&ada, "secret/data/first", checked)
        .await
        .data(200);

    let (_, agent) = house.agent(&ada, &["vault:*"], &["secret:*"]).await;
    house
        .get(&agent, "secret/config")
        .await
        .fails(403, "permission denied");
    house
        .post(&agent, "secret/config", "{}")
        .await
        .fails(403, "permission denied");
    let checked = r#"{"data":{"a":"b"},"options":{"cas":0}}"#;
    house
        .post(&agent, "secret/data/agents", checked)
        .await
        .data(200);
}

#[tokio::test]
async fn a_listing_shows_names_and_folders_once() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    house.list(&ada, "secret/metadata").await.missing();
    for path in ["a", "a/x", "a/y/z", "a-b", "b%20c/%C3%A4", "team/db"] {
        let path = format!("secret/data/{path}");
        house.post(&ada, &path, r#"{"data":{}}"#).await.data(200);
    }
    let keys = async |path: &str| house.list(&ada, path).await.data(200)["keys"].clone();
    let all = json!(["a", "a-b", "a/", "b c/", "team/"]);
    for path in ["secret/metadata", "secret/metadata/"] {
        assert_eq!(keys(path).await, all);
    }
    let listed = house.get(&ada, "secret/metadata?list=true").await;
    assert_eq!(listed.data(200)["keys"], all);
    for path in ["secret/metadata/a", "secret/metadata/a/"] {
        assert_eq!(keys(path).await, json!(["x", "y/"]));
    }
    assert_eq!(keys("secret/metadata/b%20c").await, json!(["\u{e4}"]));
    for path in [
        "secret/metadata/te",
        "secret/metadata/team/db",
        "secret/metadata/nowhere",
    ] {
        house.list(&ada, path).await.missing();
    }
    // Deleted versions leave the name; deleted secrets do not.
    house
        .ask(&ada, "DELETE", "secret/data/team/db", "")
        .await
        .done();
    assert_eq!(keys("secret/metadata/team").await, json!(["db"]));
    house
        .ask(&ada, "DELETE", "secret/metadata/team/db", "")
        .await
        .done();
    house.list(&ada, "secret/metadata/team").await.missing();
}

/// GHSA-xp3c-q7vf-5vrx of OpenBao: a listing walked around a denial.
#[tokio::test]
async fn a_listing_shows_nothing_that_may_not_be_listed() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    for path in ["red/a", "red/b", "redder/c", "blue/d"] {
        let path = format!("secret/data/{path}");
        house.post(&ada, &path, r#"{"data":{}}"#).await.data(200);
    }
    let (_, red) = house
        .agent(&ada, &["vault:list", "vault:describe"], &["secret:red/*"])
        .await;
    let keys = house.list(&red, "secret/metadata/red").await.data(200);
    assert_eq!(keys["keys"], json!(["a", "b"]));
    for path in [
        "secret/metadata",
        "secret/metadata/",
        "secret/metadata/r",
        "secret/metadata/redder",
        "secret/metadata/blue",
        "secret/metadata/blue/",
        "secret/metadata/nowhere",
    ] {
        house.list(&red, path).await.fails(403, "permission denied");
        let asked = format!("{path}?list=true");
        house
            .get(&red, &asked)
            .await
            .fails(403, "permission denied");
    }
    for target in [
        "/v1/secret/metadata/red/../blue",
        "/v1/secret/metadata/red/%2e%2e/blue",
        "/v1/secret/metadata/red%2f..%2fblue",
        "/v1/secret/metadata/red/..%2f",
        "/v1/secret/metadata///",
        "/v1/secret/metadata/*",
        "/v1/secret/metadata/%2a",
        "/v1/secret/metadata//red",
    ] {
        let (status, body) = house.raw(&red, "LIST", target).await;
        assert_eq!(status, 400, "{target}: {body}");
        assert!(!body.contains("keys"), "{target}: {body}");
    }
    // Here it is a letter like others.
    let (status, _) = house.raw(&red, "LIST", "/v1/secret/metadata/+").await;
    assert_eq!(status, 403);
    house
        .get(&red, "secret/metadata/blue/d")
        .await
        .fails(403, "permission denied");
    house.get(&red, "secret/metadata/red/a").await.data(200);
    house
        .get(&red, "secret/data/red/a")
        .await
        .fails(403, "permission denied");

    // What is denied by name is in no listing, however it is asked for.
    let allow = (Effect::Allow, "vault:*", "secret:*");
    for (action, resource) in [
        ("vault:list", "secret:blue/*"),
        ("vault:list", "secret:blue/d"),
        ("vault:*", "secret:*/d"),
    ] {
        let denied = house
            .narrowed(&ada, &[allow, (Effect::Deny, action, resource)])
            .await;
        for path in ["secret/metadata", "secret/metadata/blue"] {
            house
                .list(&denied, path)
                .await
                .fails(403, "permission denied");
        }
    }
    let denied = house
        .narrowed(
            &ada,
            &[allow, (Effect::Deny, "vault:list", "secret:blue/*")],
        )
        .await;
    let keys = house.list(&denied, "secret/metadata/red").await.data(200);
    assert_eq!(keys["keys"], json!(["a", "b"]));
}
