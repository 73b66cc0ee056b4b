//! The activity log's segments, usage, the log of changes, leases and nodes, and the walk over all
//! rows with a tag.

use std::collections::BTreeMap;

use super::world::{HOUR, World, commit_version, tagged};
use crate::catalog::{
    AuditSegmentRow, Authenticated, Change, ChangedRow, Conflict, Effect, Meter, Mutation,
    OrgState, RecordKind, RowTag, SEGMENT_SPAN_MS_MAX, Store, TaggedRow, UsageDelta, UsageSubject,
};

pub(in crate::catalog) async fn segments_are_appended_in_order(store: &dyn Store) {
    let world = World::new(store, 601).await;
    let (one, other) = (world.node(), world.node());
    let append = |node, number| Mutation::AppendAudit(world.segment(node, number));
    let stale = |current| Err(Conflict::Stale { current });
    assert_eq!(world.commit(append(one, 1)).await, stale(0));
    let mut segments = Vec::new();
    for number in 0..4 {
        let segment = world.segment(one, number);
        segments.push(segment.clone());
        world.done(Mutation::AppendAudit(segment)).await;
        assert_eq!(world.commit(append(one, number)).await, stale(number));
        assert_eq!(world.commit(append(one, number + 2)).await, stale(number));
    }
    assert_eq!(world.commit(append(other, 0)).await, Ok(Effect::Done));
    let page = |from, max| store.audit_segments(world.org, one, from, max);
    assert_eq!(page(0, 10).await.expect("a page"), segments);
    assert_eq!(page(1, 2).await.expect("a page"), segments[1..3]);
    assert_eq!(page(4, 2).await.expect("a page"), []);
    let mut chains = vec![(one, 4), (other, 1)];
    chains.sort();
    assert_eq!(store.audit_chains(world.org).await.expect("chains"), chains);
    let foreign = World::new(store, 602).await;
    assert_eq!(foreign.commit(append(one, 4)).await, Err(Conflict::Missing));
    assert_eq!(store.audit_chains(foreign.org).await.expect("chains"), []);
}

pub(in crate::catalog) async fn segments_of_a_time_are_read_both_ways(store: &dyn Store) {
    let world = World::new(store, 603).await;
    let foreign = World::new(store, 604).await;
    let nodes = [world.node(), world.node(), world.node()];
    let mut segments = Vec::new();
    for number in 0..12 {
        for (at, node) in nodes.into_iter().enumerate() {
            let last_ms = HOUR + 10 * (number / 2) + 3 * at as u64;
            let segment = AuditSegmentRow {
                first_ms: last_ms - number % 4,
                last_ms,
                ..world.segment(node, number)
            };
            segments.push(segment.clone());
            world.done(Mutation::AppendAudit(segment)).await;
            let theirs = foreign.segment(node, number);
            foreign.done(Mutation::AppendAudit(theirs)).await;
        }
    }
    segments.sort_by_key(|row| (row.last_ms, *row.node.bytes(), row.number));
    for (from, until) in [
        (0, i64::MAX.unsigned_abs()),
        (HOUR + 13, HOUR + 26),
        (HOUR + 14, HOUR + 14),
        (HOUR + 25, HOUR + 26),
        (HOUR + 1_000, HOUR + 2_000),
    ] {
        let mut expected: Vec<_> = segments
            .iter()
            .filter(|row| row.last_ms >= from && row.first_ms < until)
            .cloned()
            .collect();
        for backwards in [false, true] {
            for max in [1, 4, 100] {
                let mut read = Vec::new();
                loop {
                    let last: Option<&AuditSegmentRow> = read.last();
                    let at = last.map(|row| (row.node, row.number));
                    let page = match backwards {
                        false => store.audit_segments_between(world.org, from, until, at, max),
                        true => store.audit_segments_backwards(world.org, from, until, at, max),
                    };
                    let page = page.await.expect("a page");
                    assert!(page.len() <= max as usize);
                    if page.is_empty() {
                        break;
                    }
                    read.extend(page);
                }
                assert_eq!(read, expected, "{from} {until} {backwards} {max}");
            }
            expected.reverse();
        }
    }
}

pub(in crate::catalog) async fn segments_are_found_by_their_time(store: &dyn Store) {
    let world = World::new(store, 605).await;
    let nodes = [world.node(), world.node()];
    // First and last event of each, by node and number. The clock of a node may go back.
    let spans: [&[(u64, u64)]; 2] = [
        &[(10, 20), (20, 30), (31, 31), (50, 90), (70, 80)],
        &[(5, 30), (30, 30), (60, 61)],
    ];
    let mut segments = Vec::new();
    for (node, spans) in nodes.into_iter().zip(spans) {
        for ((first_ms, last_ms), number) in spans.iter().zip(0..) {
            let mut segment = world.segment(node, number);
            (segment.first_ms, segment.last_ms) = (*first_ms, *last_ms);
            segments.push(segment.clone());
            world.done(Mutation::AppendAudit(segment)).await;
        }
    }
    segments.sort_by_key(|segment| (segment.last_ms, segment.node, segment.number));
    let page = async |from_ms, until_ms, after, max| {
        store
            .audit_segments_between(world.org, from_ms, until_ms, after, max)
            .await
            .expect("a page")
    };
    for (from_ms, until_ms) in [
        (0, u64::MAX),
        (0, 5),
        (0, 6),
        (20, 21),
        (21, 30),
        (30, 31),
        (60, 61),
        (81, 90),
        (90, 91),
        (91, 1_000),
        (31, 31),
    ] {
        let expected: Vec<_> = segments
            .iter()
            .filter(|segment| segment.last_ms >= from_ms && segment.first_ms < until_ms)
            .cloned()
            .collect();
        for max in [1, 3, 100] {
            let (mut pages, mut after) = (Vec::new(), None);
            loop {
                let found = page(from_ms, until_ms, after, max).await;
                assert!(found.len() <= max as usize);
                let Some(last) = found.last() else { break };
                after = Some((last.node, last.number));
                pages.extend(found);
            }
            assert_eq!(pages, expected, "{from_ms}..{until_ms}, {max} at a time");
        }
    }
    // After a segment that is not there, or that is before the time.
    assert_eq!(page(0, 100, Some((nodes[0], 9)), 10).await, []);
    let before = (segments[0].node, segments[0].number);
    assert_eq!(page(90, 100, Some(before), 10).await, segments[7..]);
    // One that goes on for longer than a segment may is found by its end.
    let mut long = world.segment(nodes[0], 5);
    let end = 1_000 + 2 * SEGMENT_SPAN_MS_MAX;
    (long.first_ms, long.last_ms) = (1_000, end);
    world.done(Mutation::AppendAudit(long.clone())).await;
    assert_eq!(page(1_000, 1_001, None, 10).await, []);
    assert_eq!(page(end, end + 1, None, 10).await, [long]);
    let other = World::new(store, 606).await;
    let theirs = store.audit_segments_between(other.org, 0, u64::MAX, None, 10);
    assert_eq!(theirs.await.expect("a page"), []);
}

pub(in crate::catalog) async fn usage_adds_up_before_and_after_it_is_folded(store: &dyn Store) {
    let world = World::new(store, 611).await;
    let mut model = BTreeMap::new();
    let mut add = |hour: u64, meter: Meter, amount: i64| {
        let hour_ms = HOUR + hour * 3_600_000;
        *model.entry((hour_ms, meter)).or_insert(0) += amount;
        UsageDelta {
            hour_ms,
            meter,
            subject: UsageSubject::Whole,
            amount,
        }
    };
    let rounds = [
        vec![add(0, Meter::Requests, 1), add(0, Meter::Requests, 2)],
        vec![
            add(0, Meter::EgressBytes, 1 << 40),
            add(1, Meter::Requests, 5),
        ],
        vec![
            add(1, Meter::SecretReads, 100),
            add(2, Meter::IngressBytes, 7),
        ],
        vec![
            add(1, Meter::SecretReads, -40),
            add(1, Meter::SecretUses, -1),
        ],
    ];
    let expect = |model: &BTreeMap<(u64, Meter), i64>, until_ms| -> Vec<UsageDelta> {
        let within = model.iter().filter(|((hour_ms, _), _)| *hour_ms < until_ms);
        let delta = |((hour_ms, meter), amount): (&(u64, Meter), &i64)| UsageDelta {
            hour_ms: *hour_ms,
            meter: *meter,
            subject: UsageSubject::Whole,
            amount: *amount,
        };
        within.map(delta).collect()
    };
    for (n, deltas) in rounds.into_iter().enumerate() {
        world.done(Mutation::AddUsage(deltas)).await;
        if n % 2 == 0 {
            assert_eq!(world.done(Mutation::FoldUsage).await, Effect::Done);
        }
    }
    let usage = |from_ms, until_ms| store.usage(world.org, from_ms, until_ms);
    let all = expect(&model, u64::MAX);
    assert_eq!(usage(0, u64::MAX).await.expect("usage"), all);
    let until = HOUR + 3_600_000;
    assert_eq!(
        usage(HOUR, until).await.expect("usage"),
        expect(&model, until)
    );
    assert_eq!(usage(until, u64::MAX).await.expect("usage"), all[2..]);
    world.done(Mutation::FoldUsage).await;
    world.done(Mutation::FoldUsage).await;
    assert_eq!(usage(0, u64::MAX).await.expect("usage"), all);
    let other = World::new(store, 612).await;
    assert_eq!(
        store.usage(other.org, 0, u64::MAX).await.expect("usage"),
        []
    );
}

pub(in crate::catalog) async fn changes_are_chained(store: &dyn Store) {
    let (seq, mut head) = store.last_change().await.expect("the last change");
    let world = World::empty(store, 621);
    let member = tagged(world.record_row(RecordKind::Member), 1);
    let member_tag = member.tag();
    world.create(vec![member]).await.expect("no conflict");
    let bucket_row = tagged(world.bucket_row("docs"), 1);
    let bucket = bucket_row.row().bucket;
    world.done(Mutation::CreateBucket(bucket_row.clone())).await;
    let first = world.put(bucket, "key", 1, world.inline(192), &[]);
    let second = world.put(bucket, "key", 2, world.inline(192), &[]);
    let (one, two) = (first.version.tag(), second.version.tag());
    world.done(commit_version(first)).await;
    world.done(commit_version(second)).await;
    let node = world.node();
    world
        .done(Mutation::AppendAudit(world.segment(node, 0)))
        .await;
    let refused = world.put(bucket, "key", 2, world.inline(192), &[]);
    world
        .commit(commit_version(refused))
        .await
        .expect_err("a conflict");

    let changes = store.changes_since(seq, 1_000).await.expect("changes");
    let entry = |table: &str, old: Option<RowTag>, new: Option<RowTag>| ChangedRow {
        table: table.to_owned(),
        old_mac: old.map(|tag| tag.mac),
        new_mac: new.map(|tag| tag.mac),
    };
    let organization = tagged(world.organization_row(OrgState::Active, 1), 1).tag();
    let key = tagged(world.key_row(1, crate::catalog::KeyState::Open, 1), 1).tag();
    let entries: Vec<_> = changes
        .iter()
        .map(|change| change.entries.clone())
        .collect();
    assert_eq!(
        entries,
        [
            vec![
                entry("organizations", None, Some(organization)),
                entry("org_keys", None, Some(key)),
                entry("name_keys", None, None),
                entry("records/17", None, Some(member_tag)),
            ],
            vec![entry("buckets", None, Some(bucket_row.tag()))],
            vec![entry("versions", None, Some(one))],
            vec![entry("versions", Some(one), Some(two))],
        ]
    );
    for (change, number) in changes.iter().zip(seq + 1..) {
        assert_eq!((change.seq, change.org), (number, world.org));
        assert!(change.follows(&head), "{change:?}");
        head = change.head;
    }
    let last = changes
        .last()
        .map(|change: &Change| (change.seq, change.head));
    assert_eq!(store.last_change().await.ok(), last);
    let page = store.changes_since(seq + 1, 2).await.expect("changes");
    assert_eq!(page, changes[1..3]);
}

pub(in crate::catalog) async fn every_row_with_a_tag_is_walked(store: &dyn Store) {
    let world = World::empty(store, 641);
    let kinds = [
        RecordKind::Member,
        RecordKind::Member,
        RecordKind::SecretVersion,
    ];
    let records = kinds.map(|kind| tagged(world.record_row(kind), 1));
    let first = records.iter().map(Authenticated::tag);
    let credentials = [(); 2].map(|()| tagged(world.credential_row(1), 1));
    let mut written = vec![
        tagged(world.organization_row(OrgState::Active, 1), 1).tag(),
        tagged(world.key_row(1, crate::catalog::KeyState::Open, 1), 1).tag(),
    ];
    written.extend(first);
    world.create(records.into()).await.expect("no conflict");
    for credential in credentials {
        written.push(credential.tag());
        world.done(Mutation::CreateCredential(credential)).await;
    }
    let mut contents = BTreeMap::new();
    for name in ["docs", "more"] {
        let row = tagged(world.bucket_row(name), 1);
        let bucket = row.row().bucket;
        written.push(row.tag());
        world.done(Mutation::CreateBucket(row)).await;
        for key in ["a", "a/b", "b"] {
            for sequence in [1, 2] {
                let mut commit = world.put(bucket, key, sequence, world.inline(192), &[]);
                let mut row = commit.version.row().clone();
                row.is_null = false;
                contents.insert(row.version, commit.content.clone());
                commit.version = tagged(row, 1);
                written.push(commit.version.tag());
                world.done(commit_version(commit)).await;
            }
            let row = tagged(world.upload_row(bucket, key), 1);
            let upload = row.row().upload;
            written.push(row.tag());
            world.done(Mutation::CreateUpload(row)).await;
            for part in [1, 2] {
                written.push(
                    world
                        .part((bucket, key), upload, part, &[world.blob()])
                        .await,
                );
            }
        }
    }
    written.sort_by_key(|tag| tag.mac);
    for max in [1, 3, 7, 1_000] {
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let (rows, next) = store.tags(world.org, after, max).await.expect("a page");
            assert!(rows.len() <= max as usize);
            for row in rows {
                if let TaggedRow::Version(row, content, _) = &row {
                    assert_eq!(contents.get(&row.unverified().version), Some(content));
                }
                seen.push(tag_of(&row));
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        seen.sort_by_key(|tag| tag.mac);
        assert_eq!(seen, written, "{max} at a time");
    }
    let nobody = World::empty(store, 642);
    let (rows, next) = store.tags(nobody.org, None, 10).await.expect("a page");
    assert!(rows.is_empty() && next.is_none());
}

pub(in crate::catalog) async fn one_node_holds_a_lease(store: &dyn Store) {
    let world = World::new(store, 651).await;
    let (one, other) = (world.node(), world.node());
    let lease = |holder, seconds| async move {
        store
            .lease("a job of the suite", holder, seconds)
            .await
            .expect("a lease")
    };
    let first = lease(one, 3_600).await.expect("nobody holds it");
    assert_eq!(lease(other, 3_600).await, None);
    assert_eq!(lease(one, 3_600).await, Some(first), "a renewal");
    let release = |holder| store.release("a job of the suite", holder);
    release(other).await.expect("a release");
    assert_eq!(
        lease(other, 3_600).await,
        None,
        "only its holder gives it back"
    );
    release(one).await.expect("a release");
    let second = lease(other, 0).await.expect("it was given back");
    assert!(second > first);
    let third = lease(one, 3_600).await.expect("it has run out");
    assert!(third > second);
    assert_eq!(lease(other, 3_600).await, None);
    let elsewhere = store.lease("another job of the suite", other, 1).await;
    assert!(elsewhere.expect("a lease").is_some());
    release(one).await.expect("a release");
}

pub(in crate::catalog) async fn nodes_say_what_they_have_seen(store: &dyn Store) {
    let world = World::new(store, 661).await;
    let (one, other) = (world.node(), world.node());
    store.node_seen(one, 5).await.expect("seen");
    store.node_seen(other, 6).await.expect("seen");
    store.node_seen(one, 7).await.expect("seen");
    let mut expected = vec![(one, 7), (other, 6)];
    expected.sort();
    assert_eq!(store.nodes(3_600).await.expect("nodes"), expected);
    store.node_gone(one).await.expect("gone");
    assert_eq!(store.nodes(3_600).await.expect("nodes"), [(other, 6)]);
    store.node_gone(other).await.expect("gone");
}

pub(super) fn tag_of(row: &TaggedRow) -> RowTag {
    match row {
        TaggedRow::Record(row) => row.tag(),
        TaggedRow::Bucket(row) => row.tag(),
        TaggedRow::Version(row, ..) => row.tag(),
        TaggedRow::Upload(row) => row.tag(),
        TaggedRow::Part(row, _) => row.tag(),
        TaggedRow::Organization(row) => row.tag(),
        TaggedRow::OrgKey(row) => row.tag(),
        TaggedRow::Credential(row) => row.tag(),
    }
}
