use std::fs;

use rusqlite::params;

use super::world::{House, Process, operator};
use crate::catalog::{Mutation, RecordKind, RecordQuery, RecordWrite};
use crate::keyring::RecordDraft;
use crate::ops::checkpoint::CheckpointError;

/// One finding, and nothing else.
#[track_caller]
fn assert_found(findings: &[String], expected: &str) {
    assert!(
        findings.len() == 1 && findings[0].contains(expected),
        "expected one finding with `{expected}`: {findings:#?}"
    );
}

async fn house() -> (House, Process) {
    let house = House::new();
    let process = house.start().await;
    process.tenant("acme").await;
    process.tenant("other").await;
    assert_eq!(process.findings().await, [""; 0]);
    (house, process)
}

#[tokio::test]
async fn a_row_that_was_altered_is_found() {
    for (change, named) in [
        (
            "UPDATE versions SET size = size + 1 WHERE key = CAST('large' AS BLOB)",
            "versions",
        ),
        (
            "UPDATE versions SET key = CAST('other' AS BLOB) WHERE key = CAST('large' AS BLOB)",
            "versions",
        ),
        ("UPDATE buckets SET created_ms = created_ms + 1", "buckets"),
        (
            "UPDATE records SET state = 9 WHERE kind = 17",
            "records member",
        ),
        ("UPDATE organizations SET state = 2", "organizations"),
        (
            "UPDATE credentials SET created_ms = created_ms + 1",
            "credentials",
        ),
        (
            "UPDATE uploads SET initiated_ms = initiated_ms + 1",
            "uploads",
        ),
        (
            "UPDATE upload_parts SET size = size + 1 WHERE part = 2",
            "upload_parts",
        ),
        (
            "UPDATE records SET created_ms = created_ms + 1 WHERE kind = 28",
            "records secret version",
        ),
        (
            "UPDATE credentials SET expires_ms = created_ms",
            "credentials",
        ),
    ] {
        let (house, process) = house().await;
        let acme: [u8; 16] = house
            .database()
            .query_row(
                "SELECT org_id FROM organizations ORDER BY org_id LIMIT 1",
                [],
                |row| row.get(0),
            )
            .unwrap();
        let joint = if change.contains("WHERE") {
            "AND"
        } else {
            "WHERE"
        };
        let changed = house
            .database()
            .execute(&format!("{change} {joint} org_id = ?1"), params![acme])
            .unwrap();
        assert_eq!(changed, 1, "{change}");
        let findings = process.findings().await;
        assert_found(&findings, "was altered");
        assert!(findings[0].starts_with(named), "{findings:?}");
    }
}

#[tokio::test]
async fn a_content_or_blob_that_was_swapped_is_found() {
    for (change, found) in [
        (
            "UPDATE contents SET metadata =
             (SELECT metadata FROM contents c JOIN versions v USING (org_id, version_id)
              WHERE v.key = CAST('large' AS BLOB) AND v.org_id = ?1)
             WHERE org_id = ?1 AND version_id =
             (SELECT version_id FROM versions WHERE key = CAST('small' AS BLOB) AND org_id = ?1)",
            "another version's",
        ),
        (
            "UPDATE contents SET body = CAST(substr(body, 1, 130) || zeroblob(20) || substr(body, 151) AS BLOB)
             WHERE org_id = ?1 AND version_id =
             (SELECT version_id FROM versions WHERE key = CAST('small' AS BLOB) AND org_id = ?1)",
            "its body",
        ),
        (
            "UPDATE contents SET metadata = CAST(substr(metadata, 1, 300) || zeroblob(20) || substr(metadata, 321) AS BLOB)
             WHERE org_id = ?1 AND version_id =
             (SELECT version_id FROM versions WHERE key = CAST('small' AS BLOB) AND org_id = ?1)",
            "its metadata",
        ),
        (
            "DELETE FROM blobs WHERE org_id = ?1 AND blob_id =
             (SELECT blob_id FROM blobs WHERE org_id = ?1 AND refs = 1 ORDER BY blob_id LIMIT 1)",
            "is not known",
        ),
        (
            "UPDATE blobs SET header = (SELECT header FROM blobs WHERE org_id = ?1 AND refs = 2)
             WHERE org_id = ?1 AND blob_id =
             (SELECT blob_id FROM blobs WHERE org_id = ?1 AND refs = 1 ORDER BY blob_id LIMIT 1)",
            "the header of blob",
        ),
    ] {
        let (house, process) = house().await;
        let database = house.database();
        let acme: [u8; 16] = database
            .query_row("SELECT min(org_id) FROM versions", [], |row| row.get(0))
            .unwrap();
        assert_eq!(database.execute(change, params![acme]).unwrap(), 1, "{change}");
        assert_found(&process.findings().await, found);
    }
}

#[tokio::test]
async fn rows_that_were_rolled_back_restored_or_taken_away_are_told_apart() {
    let (house, process) = house().await;
    let database = house.database();
    let org = process.platform.organizations(None, 1).await.unwrap()[0]
        .unverified()
        .org;
    let keep = |name: &str, key: &str| {
        let sql = format!(
            "CREATE TABLE {name} AS SELECT * FROM versions WHERE key = CAST('{key}' AS BLOB) AND org_id = ?1;"
        );
        assert_eq!(database.execute(&sql, [org.bytes()]).unwrap_or(0), 0);
    };
    keep("old_small", "small");
    keep("old_large", "large");
    let contents = "CREATE TABLE old_contents AS SELECT * FROM contents";
    database.execute_batch(contents).unwrap();
    process.put(org, "small", b"newer").await.unwrap();
    process.delete(org, "large").await.unwrap();
    database
        .execute_batch(
            "DELETE FROM versions WHERE key = CAST('small' AS BLOB) AND org_id IN (SELECT org_id FROM old_small);
             INSERT INTO versions SELECT * FROM old_small;
             INSERT INTO versions SELECT * FROM old_large;
             INSERT OR IGNORE INTO contents SELECT * FROM old_contents;
             DROP TABLE old_small; DROP TABLE old_large; DROP TABLE old_contents",
        )
        .unwrap();
    let gone = "DELETE FROM buckets WHERE org_id = ?1";
    assert_eq!(database.execute(gone, [org.bytes()]).unwrap(), 1);

    let findings = process.findings().await;
    let count = |text: &str| findings.iter().filter(|one| one.contains(text)).count();
    assert_eq!(count("was rolled back"), 1, "{findings:#?}");
    assert_eq!(count("was restored"), 1, "{findings:#?}");
    assert_eq!(count("a row of buckets"), 1, "{findings:#?}");
    assert_eq!(findings.len(), 3, "{findings:#?}");
}

#[tokio::test]
async fn records_that_were_rolled_back_restored_or_taken_away_are_told_apart() {
    let (house, process) = house().await;
    let tenant = process.tenant("third").await;
    let (job, database) = (process.job(tenant.org), house.database());
    let org = tenant.org.bytes();
    let member = job.records(RecordKind::Member, one()).await.unwrap();
    let secret = job.records(RecordKind::Secret, one()).await.unwrap();
    let keys = process.keyring.open_for_job(&job).await.unwrap();
    let (member, _) = keys.open_row(member[0].clone()).unwrap();
    let (secret, _) = keys.open_row(secret[0].clone()).unwrap();
    database
        .execute_batch("CREATE TABLE kept AS SELECT * FROM records")
        .unwrap();
    // The owner is demoted, and the secret deleted.
    let demoted = RecordDraft {
        state: member.state + 1,
        ..RecordDraft::after(&member)
    };
    let writes = vec![
        RecordWrite::Replace(keys.seal_row(demoted, b"").unwrap()),
        RecordWrite::Delete {
            kind: secret.kind,
            id: secret.id,
            sequence: secret.sequence,
        },
    ];
    let guards = Vec::new();
    job.commit(Mutation::CommitRecords { writes, guards })
        .await
        .unwrap();
    assert_eq!(process.findings().await, [""; 0]);

    // Whoever can write the database puts both back, and takes a task away.
    let put_back = "DELETE FROM records WHERE org_id = ?1 AND kind IN (17, 24);
                    INSERT INTO records SELECT * FROM kept WHERE org_id = ?1 AND kind IN (17, 27)";
    for statement in put_back.split(';') {
        assert_eq!(database.execute(statement, [org]).unwrap(), 2);
    }
    let findings = process.findings().await;
    let count = |text: &str| findings.iter().filter(|one| one.contains(text)).count();
    let name = hex::encode(member.id);
    let rolled_back = format!("records member {name} of {} was rolled back", tenant.org);
    assert_eq!(count(&rolled_back), 1, "{findings:#?}");
    assert_eq!(count("records secret "), 1, "{findings:#?}");
    assert_eq!(count("was restored"), 1, "{findings:#?}");
    assert_eq!(count("a row of records/24"), 1, "{findings:#?}");
    assert_eq!(findings.len(), 3, "{findings:#?}");
}

/// Whoever can write the database, and moves what is sealed in it.
#[tokio::test]
async fn a_record_that_was_moved_is_found() {
    for change in [
        // Into another organization, as another kind, to another id, to another parent.
        "UPDATE records SET org_id = (SELECT max(org_id) FROM records) WHERE kind = 24 AND org_id = ?1",
        "UPDATE records SET kind = 23 WHERE kind = 24 AND org_id = ?1",
        "UPDATE records SET id = zeroblob(16) WHERE kind = 28 AND org_id = ?1",
        "UPDATE records SET parent = zeroblob(16) WHERE kind = 28 AND org_id = ?1",
        "UPDATE records SET lookup = zeroblob(32) WHERE kind = 27 AND org_id = ?1",
        "UPDATE records SET expires_ms = 1 WHERE kind = 24 AND org_id = ?1",
        "UPDATE records SET sealed = (SELECT sealed FROM records WHERE kind = 28 AND org_id = ?1)
         WHERE kind = 27 AND org_id = ?1",
    ] {
        let (house, process) = house().await;
        let database = house.database();
        if change.contains("max(org_id)") {
            let room = "DELETE FROM records WHERE kind = 24 AND org_id <> ?1";
            let orgs = "SELECT min(org_id) FROM records WHERE kind = 24";
            let acme: [u8; 16] = database.query_row(orgs, [], |row| row.get(0)).unwrap();
            assert_eq!(database.execute(room, [acme]).unwrap(), 1);
        }
        let orgs = "SELECT min(org_id) FROM records WHERE kind = 24";
        let acme: [u8; 16] = database.query_row(orgs, [], |row| row.get(0)).unwrap();
        assert_eq!(database.execute(change, [acme]).unwrap(), 1, "{change}");
        let findings = process.findings().await;
        let altered = findings.iter().filter(|one| one.contains("was altered"));
        assert_eq!(altered.count(), 1, "{change}: {findings:#?}");
    }
}

#[tokio::test]
async fn what_is_stored_and_counted_otherwise_is_found() {
    for change in [
        "UPDATE stored SET bytes = bytes - 1 WHERE org_id = ?1",
        "UPDATE stored SET objects = 0 WHERE org_id = ?1",
        "DELETE FROM stored WHERE org_id = ?1",
        "UPDATE usage_deltas SET amount = amount + 1 WHERE org_id = ?1 AND subject_kind = 0
         AND meter = 2 AND delta = 1",
        "UPDATE usage_deltas SET amount = amount + 1 WHERE org_id = ?1 AND subject_kind = 2
         AND meter = 1 AND delta = 1",
    ] {
        let (house, process) = house().await;
        let database = house.database();
        let orgs = "SELECT min(org_id) FROM stored";
        let acme: [u8; 16] = database.query_row(orgs, [], |row| row.get(0)).unwrap();
        assert_eq!(database.execute(change, [acme]).unwrap(), 1, "{change}");
        assert_found(&process.findings().await, "is counted in two ways");
    }
}

fn one() -> RecordQuery {
    RecordQuery {
        max: 1,
        ..RecordQuery::default()
    }
}

#[tokio::test]
async fn a_log_that_was_cut_altered_or_begun_anew_is_found() {
    let (house, process) = house().await;
    let tenant = process.tenant("third").await;
    let checkpoints = process.checkpoints();
    assert!(
        checkpoints
            .append(process.audit.chain_heads())
            .await
            .unwrap()
    );
    assert!(
        !checkpoints.append(Vec::new()).await.unwrap(),
        "nothing new"
    );
    let (last, _) = process.platform.last_change().await.unwrap();
    drop(process);

    // Cut, with the rows that it wrote left as they are.
    let cut = house.copy();
    let sql = "DELETE FROM change_log WHERE seq = ?1";
    cut.database().execute(sql, [last as i64]).unwrap();
    let process = cut.start().await;
    let findings = process.findings().await;
    let has = |text: &str| findings.iter().any(|one| one.contains(text));
    assert!(has("it was cut"), "{findings:#?}");
    let refused = process.checkpoints().resign().await;
    assert!(matches!(refused, Err(CheckpointError::NotContinued { .. })));

    // One change less in its middle.
    let torn = house.copy();
    torn.database()
        .execute("DELETE FROM change_log WHERE seq = 3", [])
        .unwrap();
    let findings = torn.start().await.findings().await;
    assert!(
        findings
            .iter()
            .any(|one| one.contains("change 4 does not follow"))
    );

    // Another history of the same length, whole in itself.
    let anew = House::new();
    let process = anew.start().await;
    process.tenant("acme").await;
    process.tenant("other").await;
    process.tenant("third").await;
    drop(process);
    fs::copy(anew.catalog_file(), house.catalog_file()).unwrap();
    for suffix in ["-wal", "-shm"] {
        let name = |path: std::path::PathBuf| format!("{}{suffix}", path.display());
        let _ = fs::remove_file(name(house.catalog_file()));
        let _ = fs::copy(name(anew.catalog_file()), name(house.catalog_file()));
    }
    fs::copy(anew.root_file(), house.root_file()).unwrap();
    let findings = house.start().await.findings().await;
    let has = |text: &str| findings.iter().any(|one| one.contains(text));
    assert!(has("MAC does not verify"), "{findings:#?}");
    let _ = tenant;
}

#[tokio::test]
async fn an_older_copy_of_the_whole_catalog_is_found_by_its_checkpoints() {
    let house = House::new();
    let process = house.start().await;
    let tenant = process.tenant("acme").await;
    drop(process);
    let old = house.copy();
    let process = house.start().await;
    process.put(tenant.org, "newest", b"bytes").await.unwrap();
    process.checkpoints().append(Vec::new()).await.unwrap();
    drop(process);
    fs::copy(house.checkpoint_file(), old.checkpoint_file()).unwrap();
    assert_found(&old.start().await.findings().await, "it was cut");

    // Written on, so that it is as long: the chain is another.
    let process = old.start().await;
    process.put(tenant.org, "another", b"bytes").await.unwrap();
    let (last, _) = process.platform.last_change().await.unwrap();
    let findings = process.findings().await;
    assert_found(&findings, &format!("change {last} is not the one"));
}

#[tokio::test]
async fn a_checkpoint_file_that_was_changed_is_found() {
    let (house, process) = house().await;
    let org = process.platform.organizations(None, 1).await.unwrap()[0]
        .unverified()
        .org;
    for round in 0..4 {
        process.put(org, "object", &[round]).await.unwrap();
        process.record(org, "bulkhead:Test").await;
        // Each time by another process, as commands beside a server are.
        let checkpoints = process.checkpoints();
        checkpoints
            .append(process.audit.chain_heads())
            .await
            .unwrap();
    }
    assert_eq!(process.findings().await, [""; 0]);
    let path = house.checkpoint_file();
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    assert_eq!(lines.len(), 4);
    let with = |changed: Vec<String>| fs::write(&path, changed.join("\n") + "\n").unwrap();
    let own = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| (*line).to_owned())
            .collect::<Vec<_>>()
    };

    let mut altered = own(&lines);
    altered[1] = altered[1].replacen("\"at_ms\":1", "\"at_ms\":2", 1);
    with(altered);
    let findings = process.findings().await;
    assert!(
        findings
            .iter()
            .any(|one| one.contains("line 2 of the checkpoint file: it was altered"))
    );
    assert!(
        findings
            .iter()
            .any(|one| one.contains("line 3 of the checkpoint file: it does not follow"))
    );

    with(own(&[lines[0], lines[2], lines[3]]));
    assert_found(
        &process.findings().await,
        "line 2 of the checkpoint file: it does not follow",
    );

    with(own(&[lines[0], lines[1], lines[2], "no line"]));
    assert_found(
        &process.findings().await,
        "line 4 of the checkpoint file: it is no checkpoint",
    );

    // Cut short by a crash, and written on.
    fs::write(&path, format!("{whole}{}", &lines[3][..40])).unwrap();
    process.put(org, "object", b"more").await.unwrap();
    process.checkpoints().append(Vec::new()).await.unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 6);
    assert_eq!(process.findings().await, [""; 0]);

    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_in_use_is_not_accused() {
    let (_house, process) = house().await;
    let org = process.platform.organizations(None, 1).await.unwrap()[0]
        .unverified()
        .org;
    let writes = async {
        for round in 0..150_u32 {
            let key = format!("object/{}", round % 20);
            process.put(org, &key, &round.to_be_bytes()).await.unwrap();
            if round % 3 == 0 {
                process.delete(org, &key).await.unwrap();
            }
        }
        process.rotation().rotate(&operator(), org).await.unwrap();
    };
    let verifications = async {
        for _ in 0..10 {
            assert_eq!(process.findings().await, [""; 0]);
        }
    };
    tokio::join!(writes, verifications);
}

#[tokio::test]
async fn activity_logs_are_verified_against_their_anchors() {
    use crate::ops::LogVerifier;
    use std::sync::Arc;
    let (house, process) = house().await;
    let org = process.platform.organizations(None, 1).await.unwrap()[0]
        .unverified()
        .org;
    process.record(org, "bulkhead:Test").await;
    process
        .checkpoints()
        .append(process.audit.chain_heads())
        .await
        .unwrap();
    let logs = LogVerifier::new(
        process.verifier(),
        process.catalog.clone(),
        process.platform.clone(),
        Arc::clone(&process.keyring),
    );
    let all = logs.verify_all(&operator()).await.unwrap();
    assert_eq!(all.len(), 3);
    assert!(all.iter().all(|report| report.findings.is_empty()));
    let sql = "DELETE FROM audit_segments WHERE org_id = ?1 AND number =
               (SELECT max(number) FROM audit_segments WHERE org_id = ?1)";
    assert_eq!(house.database().execute(sql, [org.bytes()]).unwrap(), 1);
    let report = logs.verify(&operator(), org).await.unwrap();
    assert_found(&report.findings, "are left of at least");
}
