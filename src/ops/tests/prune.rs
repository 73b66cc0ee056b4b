use std::fs;
use std::time::Duration;

use names::OrgId;
use rusqlite::params;

use super::world::{House, Process, operator};
use crate::catalog::Fault;
use crate::keyring::{RowSet, RowSetOf};
use crate::ops::checkpoint::{CheckpointError, Checkpoints};

const KEPT: Duration = Duration::from_secs(3_600);

#[track_caller]
fn assert_has(findings: &[String], expected: &str) {
    assert!(
        findings.iter().any(|one| one.contains(expected)),
        "expected `{expected}`: {findings:#?}"
    );
}

/// A house in which all changes are pruned up to a checkpoint, and in which some came after it.
struct Pruned {
    house: House,
    process: Process,
    org: OrgId,
    checkpoints: Checkpoints,
    /// The last change that was pruned.
    seq: u64,
}

impl Pruned {
    async fn new() -> Self {
        let house = House::new();
        let process = house.start().await;
        let org = process.tenant("acme").await.org;
        process.tenant("other").await;
        process.put(org, "before", b"one").await.unwrap();
        // What whoever can write the database keeps of the time before.
        house
            .database()
            .execute_batch(
                "CREATE TABLE old_versions AS SELECT * FROM versions;
                 CREATE TABLE old_contents AS SELECT * FROM contents;",
            )
            .unwrap();
        process.put(org, "before", b"two").await.unwrap();
        process.delete(org, "small").await.unwrap();
        let checkpoints = process.checkpoints();
        assert!(checkpoints.append(Vec::new()).await.unwrap());
        let (seq, _) = process.platform.last_change().await.unwrap();
        assert_eq!(checkpoints.prune().await.unwrap(), 0, "it is too young");
        process.hand.advance(KEPT);
        assert_eq!(checkpoints.prune().await.unwrap(), seq);
        process.put(org, "after", b"one").await.unwrap();
        Self {
            house,
            process,
            org,
            checkpoints,
            seq,
        }
    }

    /// What `verify` finds once statements were run by whoever can write the database.
    async fn found(&self, statements: &[&str]) -> Vec<String> {
        let database = self.house.database();
        for statement in statements {
            let with_org = statement.contains("?1");
            let changed = match with_org {
                true => database.execute(statement, params![self.org.bytes()]),
                false => database.execute(statement, []),
            };
            assert!(changed.unwrap() > 0, "{statement}");
        }
        self.process.findings().await
    }
}

#[tokio::test]
async fn what_a_checkpoint_covers_is_pruned_and_verified_without() {
    let pruned = Pruned::new().await;
    let (process, org) = (&pruned.process, pruned.org);
    let logged = || -> i64 {
        let database = pruned.house.database();
        let sql = "SELECT count(*) FROM change_log";
        database.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    assert_eq!(logged(), 1);
    let verified = process.verifier().verify(&operator()).await.unwrap();
    assert_eq!(verified.findings, []);
    assert_eq!((verified.pruned, verified.changes), (pruned.seq, 1));
    assert_eq!(pruned.checkpoints.prune().await.unwrap(), 0);

    // Overwriting for ever keeps an hour of the log.
    for round in 0..3 {
        for n in 0..40_u8 {
            process.put(org, "after", &[round, n]).await.unwrap();
        }
        assert!(pruned.checkpoints.append(Vec::new()).await.unwrap());
        process.hand.advance(KEPT);
        pruned.checkpoints.prune().await.unwrap();
        assert_eq!(logged(), 0);
        assert_eq!(process.findings().await, [""; 0]);
    }

    // What comes to an end is kept no longer than its changes.
    let folded = || -> i64 {
        let sql = "SELECT sum(rows) FROM folded_changes WHERE org_id = ?1";
        let database = pruned.house.database();
        database
            .query_row(sql, [org.bytes()], |row| row.get(0))
            .unwrap()
    };
    assert!(folded() > 10);
    let destroyer = process.destroyer();
    let _certificate = destroyer.destroy(&operator(), org).await.unwrap();
    assert_eq!(process.findings().await, [""; 0]);
    pruned.checkpoints.append(Vec::new()).await.unwrap();
    process.hand.advance(KEPT);
    assert!(pruned.checkpoints.prune().await.unwrap() > 0);
    assert_eq!(folded(), 1, "the organization's own row");
    assert_eq!(process.findings().await, [""; 0]);
}

#[tokio::test]
async fn pruning_goes_on_where_it_was_cut() {
    let house = House::new();
    let process = house.start().await;
    let org = process.tenant("acme").await.org;
    for n in 0..600_u32 {
        let bytes = n.to_be_bytes();
        process.put(org, "overwritten", &bytes).await.unwrap();
    }
    let checkpoints = process.checkpoints();
    checkpoints.append(Vec::new()).await.unwrap();
    let (seq, _) = process.platform.last_change().await.unwrap();
    process.put(org, "overwritten", b"last").await.unwrap();
    // The process ends between the checkpoint and what it allows; another one goes on, and ends
    // with its first batch done, or done without its knowing.
    drop((checkpoints, process));
    for (batches, fault) in [(1, Fault::Unavailable), (0, Fault::Unanswered)] {
        let house = house.copy();
        let process = house.start().await;
        let checkpoints = process.checkpoints();
        checkpoints.append(Vec::new()).await.unwrap();
        process.hand.advance(KEPT);
        process.store.fail_commits_after(batches, fault);
        let cut = checkpoints.prune().await;
        assert!(matches!(cut, Err(CheckpointError::Catalog(_))), "{cut:?}");
        assert!(process.store.heal());
        let base = process.platform.log_base().await.unwrap();
        assert!(base.seq > 0 && base.seq < seq, "{base:?}");
        assert_eq!(process.findings().await, [""; 0], "in its middle");
        drop((checkpoints, process));

        let process = house.start().await;
        assert_eq!(process.findings().await, [""; 0]);
        let checkpoints = process.checkpoints();
        process.put(org, "overwritten", b"more").await.unwrap();
        checkpoints.append(Vec::new()).await.unwrap();
        let rest = checkpoints.prune().await.unwrap();
        assert!(rest > 0);
        assert!(process.platform.log_base().await.unwrap().seq >= seq);
        assert_eq!(process.findings().await, [""; 0]);
    }
}

#[tokio::test]
async fn two_that_prune_at_once_prune_once() {
    let pruned = Pruned::new().await;
    let process = &pruned.process;
    for n in 0..600_u32 {
        let bytes = n.to_be_bytes();
        process.put(pruned.org, "after", &bytes).await.unwrap();
    }
    pruned.checkpoints.append(Vec::new()).await.unwrap();
    let other = process.checkpoints();
    other.append(Vec::new()).await.unwrap();
    process.hand.advance(KEPT);
    let (one, other) = tokio::join!(pruned.checkpoints.prune(), other.prune());
    // One may see its changes go while it reads them, and leaves the rest to the other.
    let done = [one, other].into_iter().flatten().sum::<u64>();
    assert_eq!(done, 601);
    assert_eq!(process.findings().await, [""; 0]);
}

/// Whoever can write the database, and of which changes nothing is left but what they came to.
#[tokio::test]
async fn rows_of_pruned_changes_that_were_put_back_or_taken_away_are_found() {
    let of_org = "WHERE org_id = ?1 AND key = CAST('before' AS BLOB)";
    let contents = "INSERT OR IGNORE INTO contents SELECT * FROM old_contents WHERE org_id = ?1";

    let pruned = Pruned::new().await;
    let rolled_back = [
        &format!("DELETE FROM versions {of_org}")[..],
        &format!("INSERT INTO versions SELECT * FROM old_versions {of_org}"),
        contents,
    ];
    let findings = pruned.found(&rolled_back).await;
    assert_has(&findings, "as many as there should be, but others");
    assert_has(&findings, &format!("rows of {} were put back", pruned.org));

    let pruned = Pruned::new().await;
    let small = "WHERE org_id = ?1 AND key = CAST('small' AS BLOB)";
    let restored = [
        &format!("INSERT INTO versions SELECT * FROM old_versions {small}")[..],
        contents,
    ];
    assert_has(&pruned.found(&restored).await, "1 too many");

    let pruned = Pruned::new().await;
    let gone = format!("DELETE FROM versions {of_org}");
    assert_has(&pruned.found(&[&gone]).await, "1 too few");

    // Of what the log still tells, it is told which row.
    let pruned = Pruned::new().await;
    let process = &pruned.process;
    process.put(pruned.org, "before", b"three").await.unwrap();
    let old = "key = CAST('before' AS BLOB) AND org_id = ?1";
    let newest = format!(
        "INSERT INTO versions SELECT * FROM kept WHERE {old} AND sequence =
         (SELECT max(sequence) FROM kept WHERE {old})"
    );
    process.put(pruned.org, "before", b"four").await.unwrap();
    let kept = "CREATE TABLE kept AS SELECT * FROM versions; ";
    let contents = "CREATE TABLE kept_contents AS SELECT * FROM contents";
    pruned
        .house
        .database()
        .execute_batch(&format!("{kept}{contents}"))
        .unwrap();
    process.put(pruned.org, "before", b"five").await.unwrap();
    let back = "INSERT INTO contents SELECT * FROM kept_contents WHERE org_id = ?1 AND version_id
                NOT IN (SELECT version_id FROM contents WHERE org_id = ?1)";
    let gone = format!("DELETE FROM versions {of_org}");
    let findings = pruned.found(&[&gone, &newest, back]).await;
    assert_eq!(findings.len(), 1, "{findings:#?}");
    assert_has(&findings, "was rolled back");
}

#[tokio::test]
async fn what_is_kept_of_pruned_changes_is_held_against_checkpoints() {
    for (change, found) in [
        (
            "UPDATE folded_changes SET sum = zeroblob(32) WHERE org_id = ?1",
            "what is kept of pruned changes was altered",
        ),
        (
            "UPDATE folded_changes SET rows = rows + 1 WHERE org_id = ?1",
            "what is kept of pruned changes was altered",
        ),
        (
            "DELETE FROM folded_changes WHERE org_id = ?1",
            "what is kept of pruned changes was altered",
        ),
        (
            "UPDATE folded_changes SET head = zeroblob(32) WHERE org_id = ?1",
            "what is kept of pruned changes was altered",
        ),
        (
            "UPDATE change_log_base SET head = zeroblob(32)",
            "does not follow the one before",
        ),
        (
            "UPDATE change_log_base SET seq = seq - 1",
            "does not follow the one before",
        ),
        ("DELETE FROM change_log_base", "does not follow"),
        ("DELETE FROM change_log", "it was cut"),
    ] {
        let pruned = Pruned::new().await;
        pruned.checkpoints.append(Vec::new()).await.unwrap();
        assert_eq!(pruned.process.findings().await, [""; 0]);
        assert_has(&pruned.found(&[change]).await, found);
    }
}

/// Whoever can write the database prunes by themselves, as they see it done.
#[tokio::test]
async fn a_log_that_was_pruned_by_somebody_else_is_found() {
    let pruned = Pruned::new().await;
    let (process, org) = (&pruned.process, pruned.org);
    process.delete(org, "after").await.unwrap();
    process.put(org, "later", b"one").await.unwrap();
    let prune = [
        "UPDATE change_log_base SET (seq, head) =
         (SELECT seq, head FROM change_log ORDER BY seq DESC LIMIT 1)",
        "DELETE FROM change_log",
    ];
    // Further than any checkpoint has seen, and up to what one has seen.
    let house = pruned.house.copy();
    for statement in prune {
        house.database().execute(statement, []).unwrap();
    }
    let findings = house.start().await.findings().await;
    assert_has(&findings, "no checkpoint covers what came before");
    pruned.checkpoints.append(Vec::new()).await.unwrap();
    assert_eq!(process.findings().await, [""; 0]);
    let findings = pruned.found(&prune).await;
    assert_has(&findings, "what is kept of pruned changes was altered");
    // Nor does the next round go on from there.
    process.put(org, "later", b"two").await.unwrap();
    pruned.checkpoints.append(Vec::new()).await.unwrap();
    process.hand.advance(KEPT);
    let refused = pruned.checkpoints.prune().await;
    assert!(
        matches!(refused, Err(CheckpointError::NotCovered { .. })),
        "{refused:?}"
    );
}

/// One organization, with all that tells of it, as it was before.
#[tokio::test]
async fn an_organization_that_was_put_back_with_its_sums_is_found() {
    let pruned = Pruned::new().await;
    let (process, org) = (&pruned.process, pruned.org);
    let tables = ["versions", "contents", "blobs", "stored", "folded_changes"];
    for table in tables {
        let sql = format!("CREATE TABLE then_{table} AS SELECT * FROM {table}");
        pruned.house.database().execute_batch(&sql).unwrap();
    }
    process.delete(org, "after").await.unwrap();
    process.put(org, "before", b"three").await.unwrap();
    pruned.checkpoints.append(Vec::new()).await.unwrap();
    process.hand.advance(KEPT);
    assert!(pruned.checkpoints.prune().await.unwrap() > 0);
    assert_eq!(process.findings().await, [""; 0]);
    for table in tables {
        let sql = format!(
            "DELETE FROM {table} WHERE org_id = ?1;
             INSERT INTO {table} SELECT * FROM then_{table} WHERE org_id = ?1"
        );
        for statement in sql.split(';') {
            pruned
                .house
                .database()
                .execute(statement, [org.bytes()])
                .unwrap();
        }
    }
    let findings = process.findings().await;
    assert_has(&findings, "what is kept of pruned changes was altered");
}

#[tokio::test]
async fn an_anchor_older_than_what_was_pruned_is_found() {
    let pruned = Pruned::new().await;
    let (process, house) = (&pruned.process, &pruned.house);
    let older = fs::read(house.checkpoint_file()).unwrap();
    pruned.checkpoints.append(Vec::new()).await.unwrap();
    process.hand.advance(KEPT);
    assert_eq!(pruned.checkpoints.prune().await.unwrap(), 1);
    assert_eq!(process.findings().await, [""; 0]);

    fs::write(house.checkpoint_file(), older).unwrap();
    let begins = pruned.seq + 2;
    let expected = format!(
        "the log of changes begins with {begins}, and no checkpoint covers what came before: the \
         last one has seen {}",
        pruned.seq
    );
    assert_eq!(process.findings().await, [&expected[..]]);
    process.put(pruned.org, "after", b"two").await.unwrap();
    let refused = process.checkpoints().append(Vec::new()).await;
    assert!(
        matches!(refused, Err(CheckpointError::NotContinued { .. })),
        "{refused:?}"
    );

    // Without any: a new file begins with the catalog as it stands, and is held against from then on.
    fs::remove_file(house.checkpoint_file()).unwrap();
    assert_has(&process.findings().await, "the last one has seen 0");
    let checkpoints = process.checkpoints();
    assert!(checkpoints.append(Vec::new()).await.unwrap());
    assert_eq!(process.findings().await, [""; 0]);
    process.hand.advance(KEPT);
    assert_eq!(checkpoints.prune().await.unwrap(), 1);
    assert_eq!(process.findings().await, [""; 0]);
}

#[tokio::test]
async fn what_was_altered_before_it_was_pruned_is_kept() {
    for change in [
        "DELETE FROM change_log WHERE seq = (SELECT min(seq) FROM change_log)",
        "UPDATE change_log SET entries = CAST(substr(entries, 1, length(entries) - 1) || x'00' AS BLOB)
         WHERE seq = (SELECT min(seq) FROM change_log)",
        "UPDATE change_log_base SET sum = zeroblob(32)",
    ] {
        let pruned = Pruned::new().await;
        let process = &pruned.process;
        process.put(pruned.org, "after", b"two").await.unwrap();
        pruned.checkpoints.append(Vec::new()).await.unwrap();
        process.hand.advance(KEPT);
        let changed = pruned.house.database().execute(change, []).unwrap();
        assert_eq!(changed, 1, "{change}");
        let refused = pruned.checkpoints.prune().await;
        assert!(
            matches!(refused, Err(CheckpointError::NotCovered { .. })),
            "{change}: {refused:?}"
        );
        assert_eq!(process.platform.log_base().await.unwrap().seq, pruned.seq);
    }
}

#[tokio::test]
async fn an_older_copy_of_a_pruned_catalog_is_found_by_its_checkpoints() {
    let pruned = Pruned::new().await;
    let old = pruned.house.copy();
    let process = &pruned.process;
    process.put(pruned.org, "after", b"two").await.unwrap();
    pruned.checkpoints.append(Vec::new()).await.unwrap();
    fs::copy(pruned.house.checkpoint_file(), old.checkpoint_file()).unwrap();
    assert_has(&old.start().await.findings().await, "it was cut");
}

#[tokio::test]
async fn rotating_the_platforms_key_changes_nothing_of_it() {
    let pruned = Pruned::new().await;
    let process = &pruned.process;
    let rotation = process.rotation();
    for org in [OrgId::PLATFORM, pruned.org] {
        rotation.rotate(&operator(), org).await.unwrap();
        assert_eq!(process.findings().await, [""; 0]);
    }
    pruned.checkpoints.append(Vec::new()).await.unwrap();
    process.hand.advance(KEPT);
    assert!(pruned.checkpoints.prune().await.unwrap() > 0);
    assert_eq!(process.findings().await, [""; 0]);
}

#[tokio::test]
async fn sets_of_rows_add_up_in_any_order_and_are_masked() {
    let house = House::new();
    let process = house.start().await;
    let sets = process.keyring.row_sets().await.unwrap();
    let (one, two) = (OrgId::from_bytes([1; 16]), OrgId::from_bytes([2; 16]));
    let rows: Vec<RowSet> = (0..200_u8).map(|n| sets.row(one, &[n; 32])).collect();
    let sum = |rows: &[RowSet]| {
        let rows = rows.iter().copied();
        rows.fold(RowSet::default(), RowSet::plus)
    };
    let all = sum(&rows);
    let mut backwards = rows.clone();
    backwards.reverse();
    assert_eq!(sum(&backwards), all);
    assert_eq!(all.rows(), 200);
    assert_eq!(all.minus(sum(&rows[..150])), sum(&rows[150..]));
    assert_eq!(all.minus(all), RowSet::default());
    assert_eq!(RowSet::default().minus(all).plus(all), RowSet::default());
    assert_ne!(sets.row(one, &[1; 32]), sets.row(two, &[1; 32]));

    let mut masked = Vec::new();
    for of in [RowSetOf::All, RowSetOf::Folded(one), RowSetOf::Folded(two)] {
        for head in [[0; 32], [1; 32]] {
            let sealed = sets.seal(of, &head, all);
            assert_eq!(sets.open(of, &head, &sealed), all);
            masked.push(sealed.sum);
        }
    }
    masked.sort_unstable();
    masked.dedup();
    assert_eq!(masked.len(), 6, "no two masks are the same");

    // By another platform's key it is something else.
    let elsewhere = House::new().start().await;
    let theirs = elsewhere.keyring.row_sets().await.unwrap();
    assert_ne!(theirs.row(one, &[1; 32]), sets.row(one, &[1; 32]));
}
