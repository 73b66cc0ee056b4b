use super::*;

/// Every way to tamper with a chain that needs no key, and what it comes to.
#[tokio::test]
async fn tampering_with_a_chain_is_found() {
    let world = World::new().await;
    for at in ["a", "b", "c", "d"] {
        world
            .audit
            .record(permit(ONE, 1), damaged(at))
            .await
            .unwrap();
        world
            .audit
            .record(permit(TWO, 1), damaged(at))
            .await
            .unwrap();
    }
    let heads = world.audit.chain_heads();
    let anchors: BTreeMap<_, _> = heads
        .iter()
        .filter(|head| head.org == ONE)
        .map(|head| (head.node, head.head))
        .collect();
    let altered =
        |number| move |f: &Finding| matches!(f, Finding::Altered { number: n, .. } if *n == number);
    let swap = "UPDATE audit_segments SET number = 9 WHERE org_id = :one AND number = 1;
                UPDATE audit_segments SET number = 1 WHERE org_id = :one AND number = 2;
                UPDATE audit_segments SET number = 2 WHERE org_id = :one AND number = 9";
    type Expected = Vec<Box<dyn Fn(&Finding) -> bool>>;
    let cases: Vec<(&str, Expected)> = vec![
        (
            "UPDATE audit_segments SET sealed = CAST(sealed || x'00' AS BLOB) WHERE org_id = :one AND number = 2",
            vec![Box::new(altered(2))],
        ),
        (
            "UPDATE audit_segments SET first_ms = first_ms + 1 WHERE org_id = :one AND number = 2",
            vec![Box::new(altered(2))],
        ),
        (
            "UPDATE audit_segments SET last_ms = 0 WHERE org_id = :one AND number = 0",
            vec![Box::new(altered(0))],
        ),
        (
            "UPDATE audit_segments SET sealed =
                 (SELECT sealed FROM audit_segments WHERE org_id = :two AND number = 1)
             WHERE org_id = :one AND number = 1",
            vec![Box::new(altered(1))],
        ),
        (swap, vec![Box::new(altered(1)), Box::new(altered(2))]),
        (
            "DELETE FROM audit_segments WHERE org_id = :one AND number IN (1, 2)",
            vec![Box::new(|f| *f == Finding::Missing { from: 1, until: 3 })],
        ),
        (
            "DELETE FROM audit_segments WHERE org_id = :one AND number = 0",
            vec![Box::new(|f| *f == Finding::Missing { from: 0, until: 1 })],
        ),
        (
            "DELETE FROM audit_segments WHERE org_id = :one AND number = 3",
            vec![Box::new(|f| {
                *f == Finding::Cut {
                    segments: 3,
                    anchored: 4,
                }
            })],
        ),
        (
            "DELETE FROM audit_segments WHERE org_id = :one",
            vec![Box::new(|f| {
                *f == Finding::Cut {
                    segments: 0,
                    anchored: 4,
                }
            })],
        ),
    ];
    for (sql, expected) in cases {
        let database = world.database();
        database
            .execute_batch("CREATE TABLE kept AS SELECT * FROM audit_segments")
            .unwrap();
        let sql = sql
            .replace(":one", &format!("x'{}'", hex::encode(ONE.bytes())))
            .replace(":two", &format!("x'{}'", hex::encode(TWO.bytes())));
        database.execute_batch(&sql).unwrap();
        let (_, report) = world.read_since(ONE, &anchors).await;
        let findings = &report.chains[0].findings;
        assert_eq!(findings.len(), expected.len(), "{sql}: {findings:?}");
        for (finding, expected) in findings.iter().zip(&expected) {
            assert!(expected(finding), "{sql}: {finding:?}");
        }
        world.sound(TWO).await;
        database
            .execute_batch(
                "DELETE FROM audit_segments;
                 INSERT INTO audit_segments SELECT * FROM kept; DROP TABLE kept",
            )
            .unwrap();
        let (_, report) = world.read_since(ONE, &anchors).await;
        assert!(report.is_sound(), "restored: {report:?}");
    }
}

/// Whoever holds the key can seal another segment in a place, but not one that the next follows
/// and a checkpoint names.
#[tokio::test]
async fn a_segment_that_was_replaced_by_a_sealed_one_is_found() {
    let world = World::new().await;
    for at in ["a", "b", "c"] {
        world
            .audit
            .record(permit(ONE, 1), damaged(at))
            .await
            .unwrap();
    }
    let keys = world.keyring.open(&permit(ONE, 1)).await.unwrap();
    let rows = world.store.audit_segments(ONE, NODE, 0, 8).await.unwrap();
    let (second, hash) = segment::open(&keys, NODE, 1, &rows[1]).unwrap();
    let (third, _) = segment::open(&keys, NODE, 2, &rows[2]).unwrap();
    assert_eq!(third.previous, hash);
    let reseal = |number: usize, segment: Segment| {
        let plaintext = segment.encode().unwrap();
        let mut rows = rows.clone();
        rows[number] = plaintext.seal(&keys, NODE, number as u64).unwrap();
        rows
    };
    let anchor = Some(Head { segments: 2, hash });
    let findings = |rows: &[crate::catalog::AuditSegmentRow]| {
        let mut verifier = Verifier::new(NODE, anchor);
        for row in rows {
            verifier.take(&keys, row);
        }
        verifier.finish().findings
    };
    assert_eq!(findings(&rows), []);

    let other = Entry {
        resource: "forged".to_owned(),
        ..second.entries[0].clone()
    };
    let forged = Segment {
        entries: vec![other],
        ..second
    };
    assert_eq!(
        findings(&reseal(1, forged)),
        [
            Finding::Replaced { number: 1 },
            Finding::Unchained { number: 2 }
        ]
    );
    let early = Segment {
        written_ms: third.written_ms - 1,
        ..third
    };
    assert_eq!(
        findings(&reseal(2, early)),
        [Finding::BackInTime { number: 2 }]
    );
    let doubled = [rows[0].clone(), rows[1].clone(), rows[1].clone()];
    assert_eq!(findings(&doubled), [Finding::OutOfOrder { number: 1 }]);
}

#[tokio::test]
async fn the_calendar_may_be_set_back_between_segments() {
    let world = World::new().await;
    world
        .audit
        .record(permit(ONE, 1), damaged("a"))
        .await
        .unwrap();
    world.hand.set_ms(NOW_MS - 60_000);
    world
        .audit
        .record(permit(ONE, 1), damaged("b"))
        .await
        .unwrap();
    assert_eq!(world.sound(ONE).await.len(), 2);
}
