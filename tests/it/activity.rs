//! The activity log as its operator has it: `bulkhead audit` over the files of a server that stopped.

use http::Method;
use serde_json::Value;

use crate::support::house::{House, Organization};

/// Whoever can write the database, and has no key, changes nothing that is not found.
#[tokio::test]
async fn verification_finds_what_was_done_to_the_database_of_a_stopped_server() {
    let (mut house, acme) = lived_in().await;
    assert!(house.stop().success());
    let verify = ["audit", "verify", "--org", &acme.slug];
    let sound = house.run(&verify);
    assert!(sound.status.success(), "{sound:?}");

    // The chain in which the refusals stand: one segment each.
    let chain = "org_id = :org AND node_id = :node";
    for (done, found) in [
        (
            "UPDATE audit_segments SET sealed = CAST(substr(sealed, 1, 40) || zeroblob(1)
                 || substr(sealed, 42) AS BLOB) WHERE :chain AND number = 1",
            "segment 1 is not what was written",
        ),
        (
            "UPDATE audit_segments SET last_ms = last_ms + 1 WHERE :chain AND number = 1",
            "segment 1 is not what was written",
        ),
        (
            "DELETE FROM audit_segments WHERE :chain AND number = 1",
            "segments 1 until before 2 are missing",
        ),
        (
            "DELETE FROM audit_segments WHERE :chain AND number = 0",
            "segments 0 until before 1 are missing",
        ),
        (
            "UPDATE audit_segments SET number = 100 WHERE :chain AND number = 1;
             UPDATE audit_segments SET number = 1 WHERE :chain AND number = 2;
             UPDATE audit_segments SET number = 2 WHERE :chain AND number = 100",
            "segment 2 is not what was written",
        ),
        (
            "DELETE FROM audit_segments WHERE :chain AND number =
                 (SELECT max(number) FROM audit_segments WHERE :chain)",
            "segments are left of at least",
        ),
        (
            "DELETE FROM audit_segments WHERE :chain",
            "0 segments are left of at least",
        ),
    ] {
        let database = house.database();
        let (org, node): (Vec<u8>, Vec<u8>) = database
            .query_row(
                "SELECT org_id, node_id FROM audit_segments
                 WHERE org_id <> zeroblob(16) GROUP BY org_id, node_id
                 ORDER BY count(*) DESC LIMIT 1",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .expect("a chain");
        let literal = |bytes: &[u8]| format!("x'{}'", hex::encode(bytes));
        let sql = done
            .replace(":chain", chain)
            .replace(":org", &literal(&org))
            .replace(":node", &literal(&node));
        database
            .execute_batch("CREATE TABLE kept AS SELECT * FROM audit_segments")
            .expect("a copy");
        database.execute_batch(&sql).expect(&sql);
        drop(database);

        let verified = house.run(&verify);
        assert_eq!(verified.status.code(), Some(1), "{sql}");
        let printed = String::from_utf8_lossy(&verified.stdout);
        assert!(printed.contains(found), "{sql}: {printed}");

        house
            .database()
            .execute_batch(
                "DELETE FROM audit_segments;
                 INSERT INTO audit_segments SELECT * FROM kept; DROP TABLE kept",
            )
            .expect("restored");
        let restored = house.run(&verify);
        assert!(restored.status.success(), "{sql}: {restored:?}");
    }
}

#[tokio::test]
async fn an_export_tells_who_did_what_by_which_rule() {
    let (mut house, acme) = lived_in().await;
    assert!(house.stop().success());
    let lines = export(&house, &["--org", &acme.slug]);
    let find = |operation: &str, resource: &str| {
        let is_it = |line: &&Value| line["operation"] == operation && line["resource"] == resource;
        lines.iter().find(is_it).unwrap_or_else(|| {
            panic!("{operation} {resource}: {lines:#?}");
        })
    };
    let put = find("PutObject", "docs/a");
    for (field, expected) in [
        ("decision", "allowed"),
        ("actor", acme.key.id.as_str()),
        ("credential", "access-key"),
        ("kind", "organization"),
        ("rule", "organization"),
        ("source", "127.0.0.1"),
    ] {
        assert_eq!(put[field], expected, "{put}");
    }
    assert!(put["principal"].is_string());
    let refused = find("PutObject", "docs/refused0");
    assert_eq!(refused["decision"], "refused");
    assert_eq!(refused["reason"], "the access key is read-only");
    assert_eq!(refused["rule"], Value::Null);
    // An act of the operator: its intent, then its outcome.
    let acts: Vec<_> = lines
        .iter()
        .filter(|line| line["action"] == "bulkhead:CreateAccessKey")
        .map(|line| (line["kind"].as_str(), line["decision"].as_str()))
        .collect();
    let act = |decision| (Some("operator"), Some(decision));
    assert_eq!(acts[..2], [act("intended"), act("allowed")]);

    // From a time on, until before it, and in the other form.
    let middle = refused["time"].as_str().expect("a time");
    let after = export(&house, &["--org", &acme.slug, "--from", middle]);
    let before = export(&house, &["--org", &acme.slug, "--until", middle]);
    let has = |lines: &[Value], resource: &str| lines.iter().any(|l| l["resource"] == resource);
    let makes = |line: &Value| line["action"] == "bulkhead:CreateAccessKey";
    assert!(
        has(&after, "docs/refused0") && !after.iter().any(makes),
        "{after:#?}"
    );
    assert!(before.iter().any(makes) && !has(&before, "docs/refused0"));
    let exports = |line: &&Value| line["action"] == "bulkhead:ExportActivity";
    assert_eq!(after.iter().filter(exports).count(), 2, "itself, too");
    let ocsf = export(&house, &["--org", &acme.slug, "--format", "ocsf"]);
    assert!(ocsf.len() > lines.len());
    assert!(
        ocsf.iter()
            .all(|event| event["metadata"]["version"] == "1.3.0")
    );
    assert!(!export(&house, &["--platform"]).is_empty());

    let database = house.database();
    let damaged = "UPDATE audit_segments SET sealed = CAST(sealed || x'00' AS BLOB)
                   WHERE org_id <> zeroblob(16) AND number = 1";
    assert!(database.execute(damaged, []).expect("an update") > 0);
    drop(database);
    let exported = house.run(&["audit", "export", "--org", &acme.slug]);
    assert_eq!(exported.status.code(), Some(1), "{exported:?}");
    let left = String::from_utf8_lossy(&exported.stdout);
    assert!(
        !left.is_empty() && !left.contains("docs/refused1"),
        "{left}"
    );
}

/// A server with an organization in which something was done, and five things were refused.
async fn lived_in() -> (House, Organization) {
    let house = House::start().await;
    let acme = house.create_organization("acme");
    let reader = house.create_key(&acme.slug, &["--read-only"]);
    let client = house.client_of(&acme.key);
    for (target, body) in [("/docs", ""), ("/docs/a", "a")] {
        let answer = client.send(Method::PUT, target, &[], body).await;
        assert_eq!(answer.expect("an answer").status, 200, "{target}");
    }
    let reader = house.client_of(&reader);
    for n in 0..5 {
        let target = format!("/docs/refused{n}");
        let answer = reader.send(Method::PUT, &target, &[], "x").await;
        assert_eq!(answer.expect("an answer").status, 403, "{target}");
    }
    (house, acme)
}

fn export(house: &House, arguments: &[&str]) -> Vec<Value> {
    let arguments = [&["audit", "export"], arguments].concat();
    let exported = house.run(&arguments);
    assert!(exported.status.success(), "{exported:?}");
    let printed = String::from_utf8(exported.stdout).expect("text");
    let line = |line: &str| serde_json::from_str(line).expect("JSON");
    printed.lines().map(line).collect()
}
