use std::future::ready;

use futures_util::future::join_all;
use serde_json::json;
use zeroize::Zeroizing;

use super::house::{Holder, House};
use crate::audit::Outcome;
use crate::authz::{OfSecret, PutSecret};
use crate::vault::{Check, Deletion, Kind, NewSecret, NewValue, Recovery, Settings, Tags, Value};

#[tokio::test]
async fn values_are_written_read_and_told_apart_by_their_numbers() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    house.get(&ada, "secret/data/team/db").await.missing();
    let made = house
        .post(
            &ada,
            "secret/data/team/db",
            r#"{"data":{"password":"one"}}"#,
        )
        .await
        .data(200);
    assert_eq!(
        made,
        json!({
            "created_time": "2026-01-01T00:00:00Z", "custom_metadata": null, "deletion_time": "",
            "destroyed": false, "version": 1
        })
    );
    // Numbers and texts come back as they were sent, byte for byte.
    let sent = r#"{"data": {"n": 1.00e2, "big": 12345678901234567890123, "t": "\u00e9"}}"#;
    house
        .ask(&ada, "PUT", "secret/data/team/db", sent)
        .await
        .data(200);
    let read = house.get(&ada, "secret/data/team/db").await;
    let request = read.headers["x-amz-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(read.body["request_id"], request);
    for (member, value) in [
        ("lease_id", json!("")),
        ("renewable", json!(false)),
        ("lease_duration", json!(0)),
        ("wrap_info", json!(null)),
        ("warnings", json!(null)),
        ("auth", json!(null)),
        ("mount_type", json!("kv")),
    ] {
        assert_eq!(read.body.get(member), Some(&value), "{member}");
    }
    assert_eq!(read.body["data"]["metadata"]["version"], 2);
    assert_eq!(read.body["data"]["data"]["t"], "\u{e9}");
    let raw = house.raw(&ada, "GET", "/v1/secret/data/team/db").await.1;
    assert!(raw.contains(r#""data":{"n": 1.00e2, "big": 12345678901234567890123, "t": "\u00e9"}"#));

    for (version, expected) in [("1", "one"), ("01", "one")] {
        let path = format!("secret/data/team/db?version={version}");
        let read = house.get(&ada, &path).await.data(200);
        assert_eq!(read["data"]["password"], expected);
    }
    let current = house.get(&ada, "secret/data/team/db?version=0").await;
    assert_eq!(current.data(200)["metadata"]["version"], 2);
    house
        .get(&ada, "secret/data/team/db?version=3")
        .await
        .missing();
    let wrong = house.get(&ada, "secret/data/team/db?version=x").await;
    wrong.fails(400, "the version is a number");
}

#[tokio::test]
async fn a_write_may_check_what_it_replaces_and_may_have_to() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    let write = async |cas: &str, status: u16| {
        let body = format!(r#"{{"data":{{"a":"b"}},"options":{{{cas}}}}}"#);
        let answer = house.post(&ada, "secret/data/a", &body).await;
        if status == 200 {
            return answer.data(200)["version"].clone();
        }
        answer.fails(
            400,
            "check-and-set parameter did not match the current version",
        );
        json!(null)
    };
    write(r#""cas":1"#, 400).await;
    assert_eq!(write(r#""cas":0"#, 200).await, 1);
    write(r#""cas":0"#, 400).await;
    write(r#""cas":2"#, 400).await;
    assert_eq!(write(r#""cas":"1""#, 200).await, 2);
    assert_eq!(write("", 200).await, 3);

    let body = r#"{"cas_required":true}"#;
    house.post(&ada, "secret/metadata/a", body).await.done();
    for body in [r#"{"data":{}}"#, r#"{"data":{},"options":{}}"#] {
        let refused = house.post(&ada, "secret/data/a", body).await;
        refused.fails(400, "check-and-set parameter required for this call");
        let refused = house.patch(&ada, "secret/data/a", body).await;
        refused.fails(400, "check-and-set parameter required for this call");
    }
    assert_eq!(write(r#""cas":3"#, 200).await, 4);
}

#[tokio::test]
async fn a_deleted_version_answers_what_is_left_of_it_and_comes_back() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    for value in ["one", "two"] {
        let body = format!(r#"{{"data":{{"a":"{value}"}}}}"#);
        house.post(&ada, "secret/data/a", &body).await.data(200);
    }
    house.ask(&ada, "DELETE", "secret/data/a", "").await.done();
    let gone = house.get(&ada, "secret/data/a").await.data(404);
    assert_eq!(gone["metadata"]["custom_metadata"], json!(null));
    let custom = json!({ "owner": "sales" });
    let body = json!({ "custom_metadata": custom }).to_string();
    house.post(&ada, "secret/metadata/a", &body).await.done();
    let gone = house.get(&ada, "secret/data/a").await.data(404);
    assert_eq!(gone["data"], json!(null));
    assert_eq!(gone["metadata"]["custom_metadata"], custom);
    assert_eq!(gone["metadata"]["deletion_time"], "2026-01-01T00:00:00Z");
    assert_eq!(gone["metadata"]["version"], 2);
    let names = house.get(&ada, "secret/subkeys/a").await.data(404);
    assert_eq!(names["subkeys"], json!(null));
    assert_eq!(names["metadata"]["custom_metadata"], custom);
    let first = house.get(&ada, "secret/data/a?version=1").await.data(200);
    assert_eq!(first["data"]["a"], "one");
    let patched = house
        .patch(&ada, "secret/data/a", r#"{"data":{"b":"c"}}"#)
        .await;
    let patched = patched.data(404);
    assert_eq!(
        (&patched["version"], &patched["custom_metadata"]),
        (&json!(2), &custom)
    );

    let numbers = r#"{"versions":[1,"2",9]}"#;
    house.post(&ada, "secret/undelete/a", numbers).await.done();
    let back = house.get(&ada, "secret/data/a").await.data(200);
    assert_eq!(back["data"]["a"], "two");
    house.post(&ada, "secret/delete/a", numbers).await.done();
    house.get(&ada, "secret/data/a?version=1").await.data(404);
    house.post(&ada, "secret/undelete/a", numbers).await.done();

    let one = r#"{"versions":[1]}"#;
    house.ask(&ada, "PUT", "secret/destroy/a", one).await.done();
    house.post(&ada, "secret/undelete/a", one).await.done();
    let gone = house.get(&ada, "secret/data/a?version=1").await.data(404);
    assert_eq!(
        (&gone["data"], &gone["metadata"]["destroyed"]),
        (&json!(null), &json!(true))
    );
    assert_eq!(gone["metadata"]["custom_metadata"], custom);
    for path in ["secret/delete/a", "secret/undelete/a", "secret/destroy/a"] {
        let none = house.post(&ada, path, "{}").await;
        none.fails(400, "No version number provided");
        // Of a secret that is not there, nothing becomes.
        let nowhere = path.replace("/a", "/nowhere");
        house.post(&ada, &nowhere, numbers).await.done();
    }
    house
        .ask(&ada, "DELETE", "secret/data/nowhere", "")
        .await
        .done();
}

#[tokio::test]
async fn a_patch_merges_and_wants_to_be_one() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    let body = r#"{"data":{"kept":1.0,"changed":"a","gone":"b","deep":{"x":1,"y":2}}}"#;
    let patch = r#"{"data":{"changed":"c","gone":null,"deep":{"y":null,"z":3}}}"#;
    house.patch(&ada, "secret/data/a", patch).await.missing();
    house.post(&ada, "secret/data/a", body).await.data(200);
    let made = house.patch(&ada, "secret/data/a", patch).await.data(200);
    assert_eq!(made["version"], 2);
    let read = house.get(&ada, "secret/data/a").await.data(200);
    let expected = json!({"kept": 1.0, "changed": "c", "deep": {"x": 1, "z": 3}});
    assert_eq!(read["data"], expected);
    let stale = r#"{"data":{"a":1},"options":{"cas":1}}"#;
    let refused = house.patch(&ada, "secret/data/a", stale).await;
    refused.fails(
        400,
        "check-and-set parameter did not match the current version",
    );
    let fresh = r#"{"data":{"a":1},"options":{"cas":2}}"#;
    house.patch(&ada, "secret/data/a", fresh).await.data(200);
    let plain = house.ask(&ada, "PATCH", "secret/data/a", patch).await;
    plain.fails(
        415,
        "PATCH requires Content-Type of application/merge-patch+json",
    );

    let names = house.get(&ada, "secret/subkeys/a").await.data(200);
    let expected =
        json!({"kept": null, "changed": null, "deep": {"x": null, "z": null}, "a": null});
    assert_eq!(names["subkeys"], expected);
    let names = house.get(&ada, "secret/subkeys/a?depth=1&version=2").await;
    let expected = json!({"kept": null, "changed": null, "deep": null});
    assert_eq!(names.data(200)["subkeys"], expected);

    // Who may write and not see learns nothing by patching.
    let (_, writer) = house.agent(&ada, &["vault:put"], &["secret:*"]).await;
    house
        .patch(&writer, "secret/data/a", patch)
        .await
        .fails(403, "permission denied");
    house.post(&writer, "secret/data/a", body).await.data(200);
    house
        .get(&writer, "secret/data/a")
        .await
        .fails(403, "permission denied");
    house
        .get(&writer, "secret/subkeys/a")
        .await
        .fails(403, "permission denied");
}

#[tokio::test]
async fn of_many_at_once_each_gets_a_number_and_one_the_first() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    let first = (0..8).map(|_| {
        let body = r#"{"data":{"a":0},"options":{"cas":0}}"#;
        house.post(&ada, "secret/data/a", body)
    });
    let answers = join_all(first).await;
    let made = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(made, 1);
    // Patches that do not say what they saw lose nothing of each other.
    let patches = (0..8).map(|number| {
        let body = format!(r#"{{"data":{{"n{number}":{number}}}}}"#);
        let house = &house;
        let ada = &ada;
        async move { house.patch(ada, "secret/data/a", &body).await.data(200) }
    });
    let mut numbers: Vec<_> = join_all(patches)
        .await
        .iter()
        .map(|made| made["version"].as_u64().unwrap())
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (2..10).collect::<Vec<_>>());
    let read = house.get(&ada, "secret/data/a").await.data(200);
    assert_eq!(read["data"].as_object().unwrap().len(), 9);
}

#[tokio::test]
async fn secrets_of_other_doors_are_read_as_they_are() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    let text = |text: &str| Value::Text(Zeroizing::new(text.to_owned()));
    for (path, kind, value, expected) in [
        (
            "text",
            Kind::Opaque,
            text("plain"),
            json!({"value": "plain"}),
        ),
        ("key", Kind::ApiKey, text("[1]"), json!({"value": "[1]"})),
        (
            "json",
            Kind::Opaque,
            text(r#"{"a":"b"}"#),
            json!({"a": "b"}),
        ),
        (
            "twice",
            Kind::Opaque,
            text(r#"{"a":1,"a":2}"#),
            json!({"value": r#"{"a":1,"a":2}"#}),
        ),
        (
            "basic",
            Kind::Basic,
            text(r#"{"username":"u","password":"p"}"#),
            json!({"username": "u", "password": "p"}),
        ),
        (
            "bytes",
            Kind::Opaque,
            Value::Binary(Zeroizing::new(vec![0, 255])),
            json!({"value": "AP8=", "encoding": "base64"}),
        ),
    ] {
        make(&house, &ada, path, kind, value).await;
        let read = house.get(&ada, &format!("secret/data/{path}")).await;
        assert_eq!(read.data(200)["data"], expected, "{path}");
    }
    let names = house.get(&ada, "secret/subkeys/text").await.data(200);
    assert_eq!(names["subkeys"], json!({"value": null}));
    let patched = house
        .patch(&ada, "secret/data/text", r#"{"data":{"a":1}}"#)
        .await;
    patched.fails(400, "the value is no JSON object, and cannot be patched");
    // What its kind asks for is asked for here, too.
    let refused = house
        .post(&ada, "secret/data/basic", r#"{"data":{"a":1}}"#)
        .await;
    refused.fails(400, "the value lacks a member that its kind has");
    let body = r#"{"data":{"username":"v","password":"q"}}"#;
    house.post(&ada, "secret/data/basic", body).await.data(200);

    // What begins with a slash, as names elsewhere may, is not here.
    make(&house, &ada, "/slash", Kind::Opaque, text("x")).await;
    let (status, _) = house.raw(&ada, "GET", "/v1/secret/data//slash").await;
    assert_eq!(status, 400);
    let keys = house.list(&ada, "secret/metadata").await.data(200);
    assert_eq!(
        keys["keys"],
        json!(["basic", "bytes", "json", "key", "text", "twice"])
    );
}

#[tokio::test]
async fn what_is_scheduled_for_deletion_is_not_there() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    house
        .post(&ada, "secret/data/a", r#"{"data":{"a":"b"}}"#)
        .await
        .data(200);
    let path = names::SecretPath::parse("a").unwrap();
    let permit = house.permit(&ada, OfSecret::at(path)).await;
    let later = Deletion::Scheduled(Recovery::DEFAULT);
    house.vault.delete(permit, later).await.unwrap();
    for path in [
        "secret/data/a",
        "secret/metadata/a",
        "secret/subkeys/a",
        "secret/metadata?list=true",
    ] {
        house.get(&ada, path).await.missing();
    }
    house
        .patch(&ada, "secret/data/a", r#"{"data":{}}"#)
        .await
        .missing();
    house.patch(&ada, "secret/metadata/a", "{}").await.missing();
    house.ask(&ada, "DELETE", "secret/data/a", "").await.done();
    let refused = house.post(&ada, "secret/data/a", r#"{"data":{}}"#).await;
    refused.fails(400, "the secret is scheduled for deletion");
    house
        .ask(&ada, "DELETE", "secret/metadata/a", "")
        .await
        .done();
    let again = house.post(&ada, "secret/data/a", r#"{"data":{}}"#).await;
    assert_eq!(again.data(200)["version"], 1);
}

#[tokio::test]
async fn a_value_has_64_kib_and_a_body_not_much_more() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    let body = |length: usize| format!(r#"{{"data":{{"a":"{}"}}}}"#, "x".repeat(length - 8));
    house
        .post(&ada, "secret/data/a", &body(65_536))
        .await
        .data(200);
    let read = house.get(&ada, "secret/data/a").await.data(200);
    assert_eq!(read["data"]["a"].as_str().unwrap().len(), 65_528);
    let over = house.post(&ada, "secret/data/a", &body(65_537)).await;
    over.fails(400, "a value has 1 to 65,536 bytes");
    let huge = house.post(&ada, "secret/data/a", &body(600 << 10)).await;
    huge.fails(413, "the body is too large");
    for body in [
        "",
        "{",
        "[]",
        r#"{"data":"hunter2"}"#,
        r#"{"data":{"a":1,"a":"hunter2"}}"#,
    ] {
        let answer = house.post(&ada, "secret/data/a", body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(
            !answer.body.to_string().contains("hunter2"),
            "{}",
            answer.body
        );
    }
    assert_eq!(
        house.get(&ada, "secret/metadata/a").await.data(200)["current_version"],
        1
    );
}

#[tokio::test]
async fn what_is_shown_stands_in_the_log_before_and_no_value_does() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    let body = r#"{"data":{"password":"hunter2"}}"#;
    house
        .post(&ada, "secret/data/team/db", body)
        .await
        .data(200);
    let before = house.log(ada.org).await.len();
    house.get(&ada, "secret/data/team/db").await.data(200);
    // Nobody has written a batch.
    let log = house.log(ada.org).await;
    let intent = log[before..]
        .iter()
        .find(|entry| entry.outcome == Outcome::Intended)
        .expect("the reveal is recorded");
    assert_eq!(intent.action, "vault:reveal");
    assert_eq!(intent.resource, "secret:team/db");
    assert_eq!(intent.operation.as_deref(), Some("KvReadValue"));
    house
        .patch(&ada, "secret/data/team/db", body)
        .await
        .data(200);
    let log = house.log(ada.org).await;
    let reveals = log
        .iter()
        .filter(|entry| entry.action == "vault:reveal" && entry.outcome == Outcome::Intended);
    assert_eq!(reveals.count(), 2, "a patch reads, too");
    assert!(!format!("{log:?}").contains("hunter2"));

    house.audit.run(ready(())).await;
    for path in [
        "secret/data/team/db",
        "secret/subkeys/team/db",
        "secret/metadata/team/db",
    ] {
        let refused = house.get(&ada, path).await;
        refused.fails(503, "not possible now");
    }
    let refused = house.post(&ada, "secret/data/new", body).await;
    refused.fails(503, "not possible now");
}

async fn make(house: &House, holder: &Holder, path: &str, kind: Kind, value: Value) {
    let path = names::SecretPath::parse(path).unwrap();
    let permit = house.permit::<PutSecret>(holder, OfSecret::at(path)).await;
    let new = NewSecret {
        kind,
        description: String::new(),
        tags: Tags::new(),
        settings: Settings::default(),
        value: Some(NewValue {
            value,
            token: None,
            stages: Vec::new(),
            check: Check::Any,
            versions_max: 10,
        }),
    };
    house.vault.create(permit, new).await.unwrap();
}
