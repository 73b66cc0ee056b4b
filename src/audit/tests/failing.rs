use super::*;

#[tokio::test]
async fn a_log_that_cannot_be_written_refuses_and_loses_nothing_it_accepted() {
    let world = World::new().await;
    world.break_log(ONE);
    world
        .audit
        .note(permit(ONE, 1), allowed("accepted"))
        .unwrap();
    let failed = world
        .audit
        .record(permit(ONE, 1), damaged("recorded"))
        .await;
    assert!(matches!(failed, Err(AuditError::Unavailable(_))));
    for _ in 0..3 {
        let refused = world.audit.check(permit(ONE, 1));
        assert!(matches!(refused, Err(AuditError::Unavailable(_))));
        // What had begun before is told that the log failed, and is not forgotten.
        let done = world.audit.note(permit(ONE, 1), allowed("done"));
        assert!(matches!(done, Err(AuditError::Unavailable(_))));
        // Concurrent ones are all answered.
        let records = (0..8).map(|_| world.audit.record(permit(ONE, 1), damaged("again")));
        for failed in join_all(records).await {
            assert!(matches!(failed, Err(AuditError::Unavailable(_))));
        }
    }
    // The other organization's log is not touched by it.
    world.audit.check(permit(TWO, 1)).unwrap();
    world.audit.note(permit(TWO, 1), allowed("two")).unwrap();
    world
        .audit
        .record(permit(TWO, 1), damaged("two"))
        .await
        .unwrap();

    world.mend_log();
    world
        .audit
        .record(permit(ONE, 1), damaged("mended"))
        .await
        .unwrap();
    world.audit.note(permit(ONE, 1), allowed("noted")).unwrap();
    world.flush().await;
    let entries = world.sound(ONE).await;
    for (kept, times) in [
        ("accepted", 1),
        ("recorded", 1),
        ("done", 3),
        ("mended", 1),
        ("noted", 1),
    ] {
        let found = entries.iter().filter(|entry| entry.resource == kept);
        assert_eq!(found.count(), times, "{kept}");
    }
}

#[tokio::test]
async fn a_log_mends_by_itself() {
    let world = World::new().await;
    world.break_log(ONE);
    let failed = world.audit.record(permit(ONE, 1), damaged("kept")).await;
    assert!(failed.is_err());
    let audit = Arc::clone(&world.audit);
    let running = tokio::spawn(async move { audit.run(pending()).await });
    world.mend_log();
    while world.audit.note(permit(ONE, 1), allowed("noted")).is_err() {
        tokio::task::yield_now().await;
    }
    running.abort();
    assert!(resources(&world.sound(ONE).await).contains(&"kept"));
}

#[tokio::test]
async fn what_waits_is_bounded_for_each_organization() {
    let world = World::new().await;
    let mut begun = 0;
    while world.audit.check(permit(ONE, 1)).is_ok() {
        world.audit.note(permit(ONE, 1), allowed("x")).unwrap();
        begun += 1;
        assert!(begun <= QUEUE_ENTRIES_MAX);
    }
    // As much again had begun before, at most.
    let mut accepted = begun;
    while world.audit.note(permit(ONE, 1), allowed("x")).is_ok() {
        accepted += 1;
        assert!(accepted <= HEADROOM * QUEUE_ENTRIES_MAX);
    }
    assert!(accepted > begun);
    world.audit.note(permit(TWO, 1), allowed("y")).unwrap();
    let long = "z".repeat(1 << 20);
    let mut accepted_long = 0;
    while world.audit.note(permit(TWO, 1), allowed(&long)).is_ok() {
        accepted_long += 1;
    }
    assert!(
        accepted_long < accepted / 2,
        "{accepted_long} of {accepted}"
    );
    world.flush().await;
    assert_eq!(world.sound(ONE).await.len(), accepted);
    let entries = world.sound(TWO).await;
    assert_eq!(entries.len(), accepted_long + 1);
    assert!(entries[1].resource.len() <= 1_100 && entries[1].resource.ends_with('…'));
}

#[tokio::test]
async fn a_sealed_or_destroyed_organization_is_recorded_in_the_platforms_log() {
    let world = World::new().await;
    world
        .audit
        .record(permit(ONE, 1), refused("before"))
        .await
        .unwrap();
    world.stand(ONE, OrgState::Sealed, 2).await;
    world
        .audit
        .record(permit(ONE, 1), refused("sealed"))
        .await
        .unwrap();
    world.audit.note(permit(ONE, 1), allowed("noted")).unwrap();
    world.flush().await;
    world.stand(ONE, OrgState::Active, 3).await;
    world
        .audit
        .record(permit(ONE, 1), refused("after"))
        .await
        .unwrap();
    assert_eq!(resources(&world.sound(ONE).await), ["after", "before"]);
    let diverted = world.sound(OrgId::PLATFORM).await;
    assert_eq!(resources(&diverted), ["noted", "sealed"]);
    assert!(diverted.iter().all(|entry| entry.org == Some(ONE)));

    let platform = world.keyring.open_platform().await.unwrap();
    let destroyed = platform
        .authenticate(row(ONE, OrgState::Destroyed, 4))
        .unwrap();
    let destruction = Mutation::DestroyOrganization(destroyed);
    world.platform.commit(ONE, destruction).await.unwrap();
    world
        .audit
        .record(permit(ONE, 1), refused("destroyed"))
        .await
        .unwrap();
    let diverted = world.sound(OrgId::PLATFORM).await;
    assert_eq!(resources(&diverted), ["destroyed", "noted", "sealed"]);
}

#[tokio::test]
async fn a_row_that_decides_and_is_altered_does_not_silence_the_log() {
    let world = World::new().await;
    world
        .database()
        .execute(
            "UPDATE organizations SET created_ms = 1 WHERE org_id = ?1",
            params![ONE.bytes()],
        )
        .unwrap();
    world
        .audit
        .record(permit(ONE, 1), damaged("altered"))
        .await
        .unwrap();
    let diverted = world.sound(OrgId::PLATFORM).await;
    assert_eq!(resources(&diverted), ["altered"]);
    assert_eq!(diverted[0].org, Some(ONE));
}

#[tokio::test]
async fn a_key_that_another_node_closes_is_replaced_between_segments() {
    let world = World::new().await;
    world
        .audit
        .record(permit(ONE, 1), refused("old"))
        .await
        .unwrap();
    // The other node's catalog: this one has not heard of what it does.
    let path: PathBuf = world.dir.path().join("catalog");
    let other = SqliteStore::open(&path, 1, world.clock.clone()).unwrap();
    let (_, platform, jobs) = doors(other);
    let root = RootFile::open(&world.dir.path().join("root.key")).unwrap();
    let entropy = Entropy::danger_seeded(2);
    let keyring = Keyring::new(platform, root, 16, world.clock.clone(), entropy);
    let job = jobs.open(ONE, "rotate");
    assert_eq!(keyring.add_version(&job).await.unwrap(), 2);
    keyring.close_version(&job, 1).await.unwrap();

    world
        .audit
        .record(permit(ONE, 1), refused("new"))
        .await
        .unwrap();
    assert_eq!(resources(&world.sound(ONE).await), ["new", "old"]);
    let versions = sealed_under(&world);
    assert_eq!(versions, [1, 2]);
}

#[tokio::test]
async fn a_rewrapped_segment_stays_in_its_chain() {
    let world = World::new().await;
    for at in ["a", "b"] {
        world
            .audit
            .record(permit(ONE, 1), refused(at))
            .await
            .unwrap();
    }
    let job = world.jobs.open(ONE, "rotate");
    world.keyring.add_version(&job).await.unwrap();
    world.keyring.close_version(&job, 1).await.unwrap();
    let keys = world.keyring.open(&permit(ONE, 1)).await.unwrap();
    let rows = world.store.audit_segments(ONE, NODE, 0, 8).await.unwrap();
    let record = crate::keyring::Record {
        table: "audit_segments",
        primary_key: &[ONE.bytes(), NODE.bytes(), &0_u64.to_be_bytes()],
        column: "events",
    };
    let sealed = keys.rewrap_record(record, &rows[0].sealed).unwrap();
    world
        .database()
        .execute(
            "UPDATE audit_segments SET sealed = ?1, key_version = 2 WHERE number = 0",
            params![sealed],
        )
        .unwrap();
    assert_eq!(sealed_under(&world), [2, 1]);
    assert_eq!(resources(&world.sound(ONE).await), ["a", "b"]);
}

fn sealed_under(world: &World) -> Vec<u32> {
    let database = world.database();
    let mut versions = database
        .prepare("SELECT key_version FROM audit_segments WHERE org_id = ?1 ORDER BY number")
        .unwrap();
    let versions = versions.query_map(params![ONE.bytes()], |row| row.get(0));
    versions.unwrap().map(Result::unwrap).collect()
}

/// The catalog wrote a segment and the answer was lost.
#[tokio::test]
async fn a_write_of_unknown_outcome_is_found_again() {
    for same in [true, false] {
        let world = World::new().await;
        world
            .audit
            .record(permit(ONE, 1), damaged("a"))
            .await
            .unwrap();
        let chain = world.audit.0.chains.read().unwrap()[&ONE].clone();
        {
            let mut tip = chain.tip.lock().await;
            let keys = world.keyring.open(&permit(ONE, 1)).await.unwrap();
            let entries = vec![Entry::of(damaged("b"))];
            let lost = tip.follow(entries.clone(), NOW_MS).unwrap();
            let row = lost.seal(&keys, NODE, 1).unwrap();
            let catalog = world.catalog.open(&permit(ONE, 1));
            catalog.commit(Mutation::AppendAudit(row)).await.unwrap();
            tip.may_stand(lost.hash);
            if same {
                let waiters = vec![];
                let batch = super::queue::Batch { entries, waiters };
                tip.pending = Some(tip.prepare(batch, NOW_MS).unwrap());
            }
        }
        world
            .audit
            .record(permit(ONE, 1), damaged("c"))
            .await
            .unwrap();
        assert_eq!(resources(&world.sound(ONE).await), ["a", "b", "c"]);
        let heads = world.audit.chain_heads();
        assert_eq!(heads[0].head.segments, 3);
    }
}

#[tokio::test]
async fn a_chain_that_another_has_changed_takes_no_more() {
    let world = World::new().await;
    for at in ["a", "b"] {
        world
            .audit
            .record(permit(ONE, 1), damaged(at))
            .await
            .unwrap();
    }
    // Cut behind the node's back.
    let database = world.database();
    let cut = "DELETE FROM audit_segments WHERE number = 1";
    database.execute(cut, []).unwrap();
    let failed = world.audit.record(permit(ONE, 1), damaged("c")).await;
    assert!(matches!(failed, Err(AuditError::Unavailable(_))));

    // Written to by a second process with the same identifier.
    let twin = audit(
        &world.catalog,
        &world.platform,
        &world.keyring,
        NODE,
        &world.clock,
    );
    world
        .audit
        .record(permit(TWO, 1), damaged("mine"))
        .await
        .unwrap();
    let failed = twin.record(permit(TWO, 1), damaged("twin")).await;
    assert!(matches!(failed, Err(AuditError::Unavailable(_))));
    assert_eq!(resources(&world.sound(TWO).await), ["mine"]);
}

#[tokio::test]
async fn a_writer_whose_caller_goes_away_writes_for_the_others() {
    let world = World::new().await;
    {
        let gone = world.audit.record(permit(ONE, 1), damaged("gone"));
        tokio::pin!(gone);
        // Queued, and dropped before it is written.
        assert!(futures_util::poll!(&mut gone).is_pending());
    }
    world
        .audit
        .record(permit(ONE, 1), damaged("stays"))
        .await
        .unwrap();
    assert_eq!(resources(&world.sound(ONE).await), ["gone", "stays"]);
}

#[tokio::test]
async fn what_strangers_did_waits_for_room_in_the_platforms_log() {
    let world = World::new().await;
    let chain = &world.audit.0.platform;
    {
        let mut queue = chain.queue();
        let filler = Entry::of(allowed("filler"));
        while queue.note(filler.clone()).is_ok() {}
    }
    let stranger = PlatformEvent {
        at_ms: NOW_MS,
        source: None,
        what: "no such access key".to_owned(),
    };
    world.audit.note_platform(stranger.clone());
    let full = world.audit.record_platform(stranger).await;
    assert!(matches!(full, Err(AuditError::Unavailable(_))));
    world.flush().await;
    assert_eq!(lock(&world.audit.0.gather).take().len(), 1, "given back");
}
