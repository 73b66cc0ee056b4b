use super::*;

#[test]
fn strangers_are_gathered_and_none_is_lost() {
    let stranger = |source: IpAddr, what: &str| {
        Entry::of_platform(PlatformEvent {
            at_ms: NOW_MS,
            source: Some(source),
            what: what.to_owned(),
        })
    };
    let mut gather = Gather::default();
    let v4 = IpAddr::from([192, 0, 2, 1]);
    assert!(gather.add(stranger(v4, "no such access key")));
    for _ in 0..999 {
        assert!(!gather.add(stranger(v4, "no such access key")));
    }
    gather.add(stranger(v4, "wrong signature"));
    // One network of IPv6, whatever the host.
    for host in 0..1_000 {
        let v6 = IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 7, host]);
        gather.add(stranger(v6, "no such access key"));
    }
    let entries = gather.take();
    let mut counts: Vec<_> = entries.iter().map(|entry| entry.count).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 1_000, 1_000]);
    assert!(gather.take().is_empty());

    for n in 0..10_000_u32 {
        gather.add(stranger(
            IpAddr::from(n.to_be_bytes()),
            "no such access key",
        ));
    }
    let entries = gather.take();
    assert_eq!(entries.len(), gather::ENTRIES_MAX + 1);
    assert_eq!(total(&entries), 10_000);
}

#[test]
fn an_entry_is_a_line_of_json() {
    let line = |entry: &Entry| {
        let logged = Logged {
            org: ONE,
            node: NODE,
            segment: 7,
            entry,
        };
        serde_json::from_str::<serde_json::Value>(&logged.json()).unwrap()
    };
    let place = serde_json::json!({
        "time": "2026-01-01T00:00:00Z",
        "org": "01010101-0101-0101-0101-010101010101",
        "node": "09090909-0909-0909-0909-090909090909",
        "segment": 7,
    });
    let with = |more: serde_json::Value| {
        let mut line = place.clone();
        line.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        line
    };
    assert_eq!(
        line(&Entry::of(allowed("docs/\n\"a\""))),
        with(serde_json::json!({
            "request_id": "request", "actor": "BHAK", "credential": "sts-session",
            "principal": "03030303-0303-0303-0303-030303030303", "kind": "member", "role": "viewer",
            "account": "04040404-0404-0404-0404-040404040404", "parent": "BHPARENT",
            "operation": "HeadObject", "rule": "role:viewer", "source": "192.0.2.1",
            "action": "s3:GetObject", "resource": "docs/\n\"a\"", "decision": "allowed",
            "status": 200, "bytes_in": 1, "bytes_out": 2,
        }))
    );
    let mut several = Entry::of(Event {
        bytes: (0, 0),
        source: None,
        ..refused("")
    });
    several.absorb(&several.clone());
    several.until_ms += 1_500;
    several.org = Some(TWO);
    assert_eq!(
        line(&several),
        with(serde_json::json!({
            "request_id": "request", "actor": "BHAK", "credential": "sts-session",
            "principal": "03030303-0303-0303-0303-030303030303", "kind": "member", "role": "viewer",
            "account": "04040404-0404-0404-0404-040404040404", "parent": "BHPARENT",
            "operation": "HeadObject", "rule": "role:viewer", "action": "s3:GetObject",
            "decision": "refused", "reason": "read-only", "count": 2,
            "until": "2026-01-01T00:00:01.5Z",
            "of_org": "02020202-0202-0202-0202-020202020202",
        }))
    );
    assert!(
        !Logged {
            org: ONE,
            node: NODE,
            segment: 0,
            entry: &Entry::of(allowed("a\nb"))
        }
        .json()
        .contains('\n')
    );
}

#[test]
fn a_segment_is_read_as_it_was_written_and_nothing_else_is() {
    let entries = vec![
        Entry::of(allowed("a")),
        Entry {
            org: Some(TWO),
            source: Some(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])),
            count: 3,
            ..Entry::of(refused("b"))
        },
        Entry::of_platform(PlatformEvent {
            at_ms: 1,
            source: None,
            what: "started".to_owned(),
        }),
    ];
    let plaintext = Segment {
        previous: [7; 32],
        written_ms: 5,
        entries: entries.clone(),
    }
    .encode()
    .unwrap();
    assert_eq!((plaintext.first_ms, plaintext.last_ms), (1, NOW_MS));
    let read = Segment::decode(&plaintext.bytes).unwrap();
    assert_eq!((read.previous, read.written_ms), ([7; 32], 5));
    assert_eq!(read.entries, entries);
    for cut in 0..plaintext.bytes.len() {
        assert!(Segment::decode(&plaintext.bytes[..cut]).is_err(), "{cut}");
    }
    let mut longer = plaintext.bytes.clone();
    longer.push(0);
    assert!(Segment::decode(&longer).is_err());
    let mut newer = plaintext.bytes;
    newer[1] = 2;
    assert!(Segment::decode(&newer).is_err());
}

/// Written by the first version, which knew of an actor only the credential's name.
#[test]
fn an_entry_of_the_first_version_is_read() {
    let mut encoder = minicbor::Encoder::new(Vec::new());
    encoder.map(12).unwrap();
    for (key, number) in [(0, NOW_MS), (1, NOW_MS), (2, 1), (10, 1), (11, 2)] {
        encoder.u8(key).unwrap().u64(number).unwrap();
    }
    encoder.u8(3).unwrap().bytes(TWO.bytes()).unwrap();
    let texts = [
        (4, "request"),
        (5, "BHAK"),
        (7, "s3:GetObject"),
        (8, "docs/a"),
    ];
    for (key, text) in texts {
        encoder.u8(key).unwrap().str(text).unwrap();
    }
    let source = IpAddr::from([192, 0, 2, 1]);
    encoder.u8(6).unwrap().encode(source).unwrap();
    // Allowed, 200.
    encoder.u8(9).unwrap().array(2).unwrap().u8(0).unwrap();
    encoder.array(1).unwrap().u16(200).unwrap();
    let read: Entry = minicbor::decode(encoder.writer()).unwrap();
    let expected = Entry {
        org: Some(TWO),
        principal: None,
        kind: None,
        credential: None,
        account: None,
        parent: None,
        rule: None,
        operation: None,
        ..Entry::of(allowed("docs/a"))
    };
    assert_eq!(read, expected);
}

#[test]
fn who_acted_is_read_as_it_was_written() {
    let kinds = [
        ActorKind::Operator,
        ActorKind::Organization,
        ActorKind::Agent,
        ActorKind::Nobody,
    ];
    let members = Role::ALL.map(|role| ActorKind::Member { role });
    for kind in kinds.into_iter().chain(members) {
        let entry = Entry::of(Event {
            actor: Actor {
                kind,
                ..Actor::operator()
            },
            rule: Some(Rule::Grant([7; 16])),
            ..allowed("a")
        });
        let read: Entry = minicbor::decode(&minicbor::to_vec(&entry).unwrap()).unwrap();
        assert_eq!(read, entry);
        assert_eq!(read.kind, Some(kind));
        let grant = "grant:07070707-0707-0707-0707-070707070707";
        assert_eq!(read.rule.as_deref(), Some(grant));
    }
    let rules = Role::ALL.map(Rule::Role).into_iter().chain([
        Rule::Organization,
        Rule::Home,
        Rule::Own,
        Rule::Operator,
        Rule::Grant([9; 16]),
    ]);
    for rule in rules {
        assert_eq!(codec::rule(rule), rule.to_string());
    }
}

#[test]
fn a_caller_is_the_actor_of_its_events() {
    let account = AccountId::from_bytes([4; 16]);
    let parent = AccessKeyId::parse("BHPARENT").unwrap();
    let caller = |kind| {
        Caller::authenticated(
            ONE,
            PrincipalId::from_bytes([3; 16]),
            AccessKeyId::parse("BHAK").unwrap(),
            kind,
            Arc::new(Narrowing::NONE),
        )
    };
    let member = Rights {
        subject: Subject::Member {
            account,
            role: Role::Viewer,
        },
        grants: vec![],
    };
    let sts = caller(CredentialKind::StsSession).made_by(parent);
    assert_eq!(Actor::of(&sts, &member), actor());
    let key = Actor::of(&caller(CredentialKind::AccessKey), &Rights::ORGANIZATION);
    let expected = Actor {
        kind: ActorKind::Organization,
        credential: Some(ShownCredential::AccessKey),
        account: None,
        parent: None,
        ..actor()
    };
    assert_eq!(key, expected);
}

#[test]
fn what_an_entry_weighs_is_no_less_than_what_it_takes() {
    for entry in [
        Entry::of(allowed("")),
        Entry::of(refused(&"x".repeat(1_100))),
        Entry {
            org: Some(ONE),
            count: u64::MAX,
            bytes_in: u64::MAX,
            bytes_out: u64::MAX,
            until_ms: u64::MAX,
            at_ms: u64::MAX,
            source: Some(IpAddr::from([0xffff_u16; 8])),
            ..Entry::of(damaged("y"))
        },
    ] {
        let bytes = minicbor::to_vec(&entry).unwrap();
        assert!(bytes.len() <= entry.weight(), "{}", bytes.len());
    }
}

#[test]
fn a_queue_gives_what_is_ripe_and_answers_whom_it_should() {
    let chain = Chain::new(Door::Platform);
    let mut queue = chain.queue();
    queue.note(Entry::of(allowed("a"))).unwrap();
    assert!(
        queue.take_ripe(0).is_none(),
        "nobody waits and it is not due"
    );
    let (done, _written) = tokio::sync::oneshot::channel();
    queue.record(vec![Entry::of(refused("b"))], done).unwrap();
    queue.note(Entry::of(allowed("c"))).unwrap();
    let batch = queue.take_ripe(0).unwrap();
    assert_eq!((batch.entries.len(), batch.waiters.len()), (3, 1));
    assert!(queue.take_ripe(0).is_none());

    for _ in 0..4_500 {
        queue.note(Entry::of(allowed("d"))).unwrap();
    }
    let (done, _written) = tokio::sync::oneshot::channel();
    queue.wait(done);
    let batches: Vec<_> = std::iter::from_fn(|| queue.take_ripe(0)).collect();
    let sizes: Vec<_> = batches.iter().map(|batch| batch.entries.len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 4_500);
    assert!(sizes.iter().all(|size| *size <= 2_000), "{sizes:?}");
    // Whoever waits is answered with the last of what was queued before, be it one entry.
    let answered = |batches: &[super::super::queue::Batch]| -> Vec<usize> {
        batches.iter().map(|batch| batch.waiters.len()).collect()
    };
    assert_eq!(answered(&batches).iter().sum::<usize>(), 1);
    assert_eq!(answered(&batches).last(), Some(&1));
    for _ in 0..=sizes[0] {
        queue.note(Entry::of(allowed("d"))).unwrap();
    }
    let (done, _written) = tokio::sync::oneshot::channel();
    queue.wait(done);
    let batches: Vec<_> = std::iter::from_fn(|| queue.take_ripe(0)).collect();
    assert_eq!(answered(&batches), [0, 1]);
}

/// There is one for every organization that was ever active in this process.
#[test]
fn an_idle_log_is_small() {
    assert!(size_of::<Chain>() <= 512, "{}", size_of::<Chain>());
}

#[test]
fn a_failed_write_answers_those_who_waited_when_it_began() {
    let chain = Chain::new(Door::Platform);
    let mut queue = chain.queue();
    let (before, mut told) = tokio::sync::oneshot::channel();
    queue.record(vec![Entry::of(refused("a"))], before).unwrap();
    let waiting = queue.waiting();
    let (after, mut untold) = tokio::sync::oneshot::channel();
    queue.record(vec![Entry::of(refused("b"))], after).unwrap();
    queue.fail("broken".to_owned(), waiting);
    assert_eq!(
        told.try_recv().unwrap(),
        Err(AuditError::Unavailable("broken".to_owned()))
    );
    assert!(untold.try_recv().is_err(), "not answered yet");
    assert!(queue.note(Entry::of(allowed("c"))).is_err());
    let batch = queue.take_ripe(0).unwrap();
    assert_eq!((batch.entries.len(), batch.waiters.len()), (3, 1));
}
