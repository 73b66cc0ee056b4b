use names::Glob;

use super::*;
use crate::authz::{Permit, ReadActivity};

/// What was recorded in `ONE`, by two nodes in turn: one event a second, in segments of some.
struct Log {
    world: World,
    reader: ActivityReader,
    /// The events in the order in which they happened.
    recorded: Vec<Event>,
}

impl Log {
    async fn of(seconds: u64) -> Self {
        let world = World::new().await;
        let twin_node = NodeId::from_bytes([8; 16]);
        let twin = audit(
            &world.catalog,
            &world.platform,
            &world.keyring,
            twin_node,
            &world.clock,
        );
        let mut recorded = Vec::new();
        for second in 0..seconds {
            let event = nth(second);
            recorded.push(event.clone());
            let audit = if second % 8 < 4 { &world.audit } else { &twin };
            audit.note(permit(ONE, 1), event).unwrap();
            world.audit.note(permit(TWO, 1), allowed("theirs")).unwrap();
            if second % 4 == 3 {
                world.flush().await;
                twin.run(ready(())).await;
                twin.0
                    .stopped
                    .store(false, std::sync::atomic::Ordering::Release);
            }
        }
        let reader = ActivityReader::new(
            world.catalog.clone(),
            world.platform.clone(),
            Arc::clone(&world.keyring),
        );
        Self {
            world,
            reader,
            recorded,
        }
    }

    async fn page(
        &self,
        query: &ActivityQuery,
        cursor: Option<Cursor>,
        max: usize,
    ) -> ActivityPage {
        let page = self.reader.page(reading(), query, cursor, max).await;
        page.unwrap()
    }

    /// Everything that is sought, in pages of `max`.
    async fn all(&self, query: &ActivityQuery, max: usize) -> Vec<Entry> {
        let mut found = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.page(query, cursor, max).await;
            assert!(page.found.len() <= max);
            assert_eq!(page.illegible, []);
            found.extend(page.found.into_iter().map(|found| found.entry));
            // As it is sent to a caller and comes back.
            cursor = page.next.map(|next| next.to_string().parse().unwrap());
            if cursor.is_none() {
                return found;
            }
        }
    }
}

fn reading() -> Permit<ReadActivity> {
    read_activity_as_operator(&Operator::authenticated(), ONE)
}

fn nth(second: u64) -> Event {
    let decision = match second % 5 {
        0 => Decision::Refused {
            rule: "no role".to_owned(),
        },
        1 => Decision::Intended,
        2 => Decision::Damaged {
            what: "a chunk".to_owned(),
        },
        _ => Decision::Allowed { status: 200 },
    };
    let by = u8::try_from(second % 3).unwrap();
    Event {
        at_ms: NOW_MS + second * 1_000,
        actor: Actor {
            name: format!("BHAK{by}"),
            principal: Some(PrincipalId::from_bytes([by; 16])),
            account: Some(AccountId::from_bytes([by + 10; 16])),
            parent: (by == 2).then(|| AccessKeyId::parse("BHAK0").unwrap()),
            ..actor()
        },
        action: if second.is_multiple_of(2) {
            "s3:GetObject"
        } else {
            "vault:reveal"
        },
        ..event(&format!("docs/{}", second % 7), decision)
    }
}

#[tokio::test]
async fn what_is_sought_is_found_over_all_chains_in_pages_of_any_size() {
    let log = Log::of(64).await;
    let key = |id: &str| Some(AccessKeyId::parse(id).unwrap());
    let queries = [
        ActivityQuery::default(),
        ActivityQuery {
            from_ms: Some(NOW_MS + 10_000),
            until_ms: Some(NOW_MS + 30_000),
            ..ActivityQuery::default()
        },
        ActivityQuery {
            principal: Some(PrincipalId::from_bytes([1; 16])),
            ..ActivityQuery::default()
        },
        ActivityQuery {
            account: Some(AccountId::from_bytes([11; 16])),
            ..ActivityQuery::default()
        },
        ActivityQuery {
            credential: key("BHAK0"),
            ..ActivityQuery::default()
        },
        ActivityQuery {
            credential: key("BHAK2"),
            ..ActivityQuery::default()
        },
        ActivityQuery {
            action: Some(Glob::parse("VAULT:*").unwrap()),
            ..ActivityQuery::default()
        },
        ActivityQuery {
            resource: Some("docs/6".to_owned()),
            ..ActivityQuery::default()
        },
        ActivityQuery {
            decision: Some(Decided::Refused),
            ..ActivityQuery::default()
        },
        ActivityQuery {
            decision: Some(Decided::Intended),
            principal: Some(PrincipalId::from_bytes([0; 16])),
            until_ms: Some(NOW_MS + 40_000),
            ..ActivityQuery::default()
        },
        ActivityQuery {
            resource: Some("theirs".to_owned()),
            ..ActivityQuery::default()
        },
    ];
    let by =
        |event: &Event, by: u8| event.actor.principal == Some(PrincipalId::from_bytes([by; 16]));
    type Sought<'a> = Box<dyn Fn(&Event) -> bool + 'a>;
    let sought: [Sought<'_>; 11] = [
        Box::new(|_| true),
        Box::new(|e| (NOW_MS + 10_000..NOW_MS + 30_000).contains(&e.at_ms)),
        Box::new(|e| by(e, 1)),
        Box::new(|e| by(e, 1)),
        // With what it made.
        Box::new(|e| by(e, 0) || by(e, 2)),
        Box::new(|e| by(e, 2)),
        Box::new(|e| e.action == "vault:reveal"),
        Box::new(|e| e.resource == "docs/6"),
        Box::new(|e| matches!(e.decision, Decision::Refused { .. })),
        Box::new(|e| e.decision == Decision::Intended && by(e, 0) && e.at_ms < NOW_MS + 40_000),
        Box::new(|_| false),
    ];
    for (query, is_sought) in queries.into_iter().zip(sought) {
        let expected: Vec<_> = log
            .recorded
            .iter()
            .filter(|event| is_sought(event))
            .map(|event| Entry::of(event.clone()))
            .collect();
        for max in [1, 3, 1_000] {
            let query = ActivityQuery {
                order: Order::OldestFirst,
                ..query.clone()
            };
            assert_eq!(log.all(&query, max).await, expected, "{query:?} {max}");
            let query = ActivityQuery {
                order: Order::NewestFirst,
                ..query
            };
            let newest: Vec<_> = expected.iter().rev().cloned().collect();
            assert_eq!(log.all(&query, max).await, newest, "{query:?} {max}");
        }
    }
}

#[tokio::test]
async fn a_cursor_stays_where_it_is_while_the_log_grows() {
    let log = Log::of(16).await;
    let newest = ActivityQuery::default();
    let first = log.page(&newest, None, 5).await;
    for second in 16..24 {
        log.world
            .audit
            .record(permit(ONE, 1), nth(second))
            .await
            .unwrap();
    }
    let second = log.page(&newest, first.next, 5).await;
    let seen = first.found.iter().chain(&second.found);
    let seen: Vec<_> = seen.map(|found| found.entry.at_ms).collect();
    let expected: Vec<_> = (6..16).rev().map(|n| NOW_MS + n * 1_000).collect();
    assert_eq!(seen, expected);
}

/// However little is found, a page ends, and says where to go on.
#[tokio::test]
async fn a_page_costs_no_more_than_so_many_segments() {
    let world = World::new().await;
    for n in 0..70 {
        world.hand.advance(Duration::from_secs(1));
        let event = Event {
            at_ms: world.clock.now_ms(),
            ..refused_once(n)
        };
        world.audit.record(permit(ONE, 1), event).await.unwrap();
    }
    let reader = ActivityReader::new(
        world.catalog.clone(),
        world.platform.clone(),
        Arc::clone(&world.keyring),
    );
    let query = ActivityQuery {
        resource: Some("0".to_owned()),
        ..ActivityQuery::default()
    };
    let first = reader.page(reading(), &query, None, 10).await.unwrap();
    assert_eq!(first.found, []);
    let next = reader
        .page(reading(), &query, first.next, 10)
        .await
        .unwrap();
    assert_eq!((next.found.len(), next.next), (1, None));
}

fn refused_once(n: u64) -> Event {
    Event {
        resource: n.to_string(),
        ..refused("")
    }
}

#[tokio::test]
async fn a_segment_that_was_tampered_with_shows_itself_and_nothing_else() {
    let log = Log::of(16).await;
    let numbers = |sql: &str| {
        let database = log.world.database();
        let sql = sql
            .replace(":one", &format!("x'{}'", hex::encode(ONE.bytes())))
            .replace(":two", &format!("x'{}'", hex::encode(TWO.bytes())))
            .replace(":node", &format!("x'{}'", hex::encode(NODE.bytes())));
        assert_eq!(database.execute(&sql, []).unwrap(), 1, "{sql}");
    };
    let oldest = ActivityQuery {
        order: Order::OldestFirst,
        ..ActivityQuery::default()
    };
    let sound = log.page(&oldest, None, 100).await;
    assert_eq!((sound.found.len(), sound.illegible.len()), (16, 0));
    // Its own bytes changed; another organization's in its place.
    for change in [
        "UPDATE audit_segments SET sealed = CAST(sealed || x'00' AS BLOB)
         WHERE org_id = :one AND node_id = :node AND number = 0",
        "UPDATE audit_segments SET sealed = (SELECT sealed FROM audit_segments
             WHERE org_id = :two AND node_id = :node AND number = 0)
         WHERE org_id = :one AND node_id = :node AND number = 0",
        "UPDATE audit_segments SET sealed = (SELECT sealed FROM audit_segments
             WHERE org_id = :one AND node_id = :node AND number = 1)
         WHERE org_id = :one AND node_id = :node AND number = 0",
    ] {
        numbers(change);
        let page = log.page(&oldest, None, 100).await;
        let illegible: Vec<_> = page.illegible.iter().map(|i| (i.node, i.segment)).collect();
        assert_eq!(illegible, [(NODE, 0)], "{change}");
        assert_eq!(page.found.len(), 12, "{change}");
        assert!(
            page.found
                .iter()
                .all(|found| found.entry.resource != "theirs")
        );
    }
    // Moved in time, so that another search would find it.
    numbers(
        "UPDATE audit_segments SET last_ms = last_ms + 86400000
         WHERE org_id = :one AND node_id = :node AND number = 1",
    );
    let page = log.page(&oldest, None, 100).await;
    assert_eq!((page.illegible.len(), page.found.len()), (2, 8));
}

/// Another node has rotated the key, and this one has not heard of it yet.
#[tokio::test]
async fn a_segment_sealed_under_a_key_made_meanwhile_is_read() {
    let log = Log::of(4).await;
    let path: PathBuf = log.world.dir.path().join("catalog");
    let store = SqliteStore::open(&path, 1, log.world.clock.clone()).unwrap();
    store.poll().await.unwrap();
    let (catalog, platform, _) = doors(store);
    let root = RootFile::open(&log.world.dir.path().join("root.key")).unwrap();
    let (clock, entropy) = (log.world.clock.clone(), Entropy::danger_seeded(2));
    let keyring = Arc::new(Keyring::new(platform.clone(), root, 16, clock, entropy));
    let reader = ActivityReader::new(catalog, platform, keyring);
    let query = ActivityQuery::default();
    let before = reader.page(reading(), &query, None, 10).await.unwrap();
    assert_eq!((before.found.len(), before.illegible.len()), (4, 0));

    let job = log.world.jobs.open(ONE, "rotate");
    log.world.keyring.add_version(&job).await.unwrap();
    log.world.keyring.close_version(&job, 1).await.unwrap();
    log.world
        .audit
        .record(permit(ONE, 1), nth(9))
        .await
        .unwrap();
    let after = reader.page(reading(), &query, None, 10).await.unwrap();
    assert_eq!((after.found.len(), after.illegible.len()), (5, 0));
}

#[tokio::test]
async fn the_platforms_log_is_searched_too() {
    let log = Log::of(4).await;
    log.world
        .audit
        .sign_in_refused(NOW_MS, IpAddr::from([192, 0, 2, 1]));
    log.world.flush().await;
    let query = ActivityQuery {
        decision: Some(Decided::Refused),
        ..ActivityQuery::default()
    };
    let operator = Operator::authenticated();
    let page = log.reader.platform_page(&operator, &query, None, 10).await;
    let page = page.unwrap();
    assert_eq!((page.org, page.found.len()), (OrgId::PLATFORM, 1));
}

#[test]
fn a_cursor_is_text_of_one_form() {
    let cursor = Cursor {
        node: NODE,
        number: 7,
        passed: 3,
    };
    let text = cursor.to_string();
    assert_eq!(text.parse(), Ok(cursor));
    let past = Cursor {
        number: u64::MAX,
        ..cursor
    };
    for wrong in ["", "%", &text[1..], &format!("{text}A"), &past.to_string()] {
        assert_eq!(wrong.parse::<Cursor>(), Err(InvalidCursor), "{wrong}");
    }
}

#[test]
fn a_segment_spans_a_day_at_most() {
    let chain = Chain::new(Door::Platform);
    let mut queue = chain.queue();
    let day_ms = crate::catalog::SEGMENT_SPAN_MS_MAX;
    for at_ms in [NOW_MS, NOW_MS + day_ms, NOW_MS + day_ms + 1, NOW_MS + 1] {
        let event = Event {
            at_ms,
            ..allowed("a")
        };
        queue.note(Entry::of(event)).unwrap();
    }
    let (done, _written) = tokio::sync::oneshot::channel();
    queue.wait(done);
    let sizes: Vec<_> = std::iter::from_fn(|| queue.take_ripe(0))
        .map(|batch| batch.entries.len())
        .collect();
    assert_eq!(sizes, [2, 2]);
}
