//! The log of changes as it is counted, and pruned.

use std::mem;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use names::OrgId;

use super::logs::tag_of;
use super::world::{World, commit, commit_version, tagged};
use crate::catalog::{
    CensusEntry, Conflict, Effect, FoldedChanges, LogBase, Mutation, PruneChanges, RecordKind,
    SealedRowSet, Store,
};

pub(in crate::catalog) async fn a_census_counts_every_row_once(store: &dyn Store) {
    let world = World::new(store, 981).await;
    let bucket = world.bucket("docs").await;
    world.object(bucket, "key", 1).await;
    let upload = world.upload(bucket, "key").await;
    world.part((bucket, "key"), upload, 1, &[]).await;
    for kind in [RecordKind::Member, RecordKind::Secret] {
        world.insert(tagged(world.record_row(kind), 1)).await;
    }
    let credential = tagged(world.credential_row(1), 1);
    world.done(Mutation::CreateCredential(credential)).await;

    let (rows, _) = store.tags(world.org, None, 100).await.expect("a page");
    let mut walked: Vec<_> = rows.iter().map(|row| tag_of(row).mac).collect();
    let census = census(store).await;
    let rows = census.iter().filter_map(|entry| match entry {
        CensusEntry::Row { org, mac, table } if *org == world.org => Some((*mac, *table)),
        _ => None,
    });
    let (mut counted, mut tables): (Vec<_>, Vec<_>) = rows.unzip();
    walked.sort_unstable();
    counted.sort_unstable();
    assert_eq!(counted, walked);
    assert_eq!(counted.len(), 9);
    tables.sort_unstable();
    tables.dedup();
    let expected = [
        "buckets",
        "credentials",
        "org_keys",
        "organizations",
        "records",
        "upload_parts",
    ];
    assert_eq!(tables[..6], expected);
    assert_eq!(tables[6..], ["uploads", "versions"]);

    // In this order, and to the end of the log.
    let stage = |entry: &CensusEntry| match entry {
        CensusEntry::Base(_) => 0,
        CensusEntry::Folded(_) => 1,
        CensusEntry::Change(_) => 2,
        CensusEntry::Row { .. } => 3,
    };
    assert!(census.iter().map(stage).is_sorted());
    let mut changes = census.iter().filter_map(|entry| match entry {
        CensusEntry::Change(change) => Some((change.seq, change.head)),
        _ => None,
    });
    assert_eq!(
        changes.next_back(),
        Some(store.last_change().await.expect("it"))
    );

    // It is broken off when its taker has enough.
    let taken = Arc::new(Mutex::new(0));
    let counting = Arc::clone(&taken);
    let take = Box::new(move |_| {
        *counting.lock().expect("a lock") += 1;
        ControlFlow::Break(())
    });
    store.census(take).await.expect("a census");
    assert_eq!(*taken.lock().expect("a lock"), 1);
}

pub(in crate::catalog) async fn changes_are_pruned_from_where_the_log_begins(store: &dyn Store) {
    let world = World::new(store, 982).await;
    let other = World::new(store, 983).await;
    let bucket = world.bucket("docs").await;
    for sequence in 1..=5 {
        world.object(bucket, "key", sequence).await;
    }
    let base = store.log_base().await.expect("a base");
    let last = store.last_change().await.expect("a change");
    let changes = store.changes_since(base.seq, 1_000).await.expect("changes");
    let set = |rows| SealedRowSet {
        rows,
        sum: [rows as u8; 32],
    };
    let middle = &changes[changes.len() - 3];
    let folded = |head, rows: Option<i64>| FoldedChanges {
        org: world.org,
        head,
        set: rows.map(set),
    };
    let prune = |from_seq, (seq, head): (u64, [u8; 32]), of: FoldedChanges| {
        Mutation::PruneChanges(PruneChanges {
            from_seq,
            seq,
            head,
            rows: set(7),
            folded: vec![of],
        })
    };
    let to_middle = |from_seq| {
        prune(
            from_seq,
            (middle.seq, middle.head),
            folded([1; 32], Some(3)),
        )
    };
    let platform = OrgId::PLATFORM;

    // From elsewhere, to what is not there, or by an organization: nothing is done.
    let after_last = prune(base.seq, (last.0 + 1, last.1), folded([1; 32], None));
    let other_head = prune(base.seq, (middle.seq, [9; 32]), folded([1; 32], None));
    for (mutation, org, conflict) in [
        (to_middle(base.seq + 1), platform, Conflict::Changed),
        (after_last, platform, Conflict::Missing),
        (other_head, platform, Conflict::Missing),
        (to_middle(base.seq), world.org, Conflict::Missing),
    ] {
        assert_eq!(commit(store, org, mutation).await, Err(conflict));
    }
    assert_eq!(store.log_base().await.expect("a base"), base);
    let kept = store.changes_since(0, 1_000).await.expect("changes");
    assert_eq!(kept, changes);

    let done = commit(store, platform, to_middle(base.seq)).await;
    assert_eq!(done, Ok(Effect::Done));
    let begins = LogBase {
        seq: middle.seq,
        head: middle.head,
        rows: Some(set(7)),
    };
    assert_eq!(store.log_base().await.expect("a base"), begins);
    let kept = store.changes_since(0, 1_000).await.expect("changes");
    assert_eq!(kept, changes[changes.len() - 2..]);
    assert_eq!(store.last_change().await.expect("a change"), last);
    let asked = [world.org, other.org];
    let left = store.folded_changes(&asked).await.expect("what is left");
    assert_eq!(left, [folded([1; 32], Some(3))]);
    assert_eq!(
        commit(store, platform, to_middle(base.seq)).await,
        Err(Conflict::Changed),
        "a second time"
    );

    // All of it: the chain goes on from where it was.
    let rest = prune(middle.seq, last, folded([2; 32], Some(4)));
    assert_eq!(commit(store, platform, rest).await, Ok(Effect::Done));
    assert_eq!(store.last_change().await.expect("a change"), last);
    assert!(store.changes_since(0, 10).await.expect("none").is_empty());
    let left = store.folded_changes(&asked).await.expect("what is left");
    assert_eq!(left, [folded([2; 32], Some(4))]);
    let put = world.put(bucket, "key", 6, world.inline(192), &[]);
    world.done(commit_version(put)).await;
    let next = store.changes_since(0, 10).await.expect("a change");
    assert_eq!(next.len(), 1);
    assert_eq!(next[0].seq, last.0 + 1);
    assert!(next[0].follows(&last.1));

    // What comes to nothing is kept no longer.
    let end = (next[0].seq, next[0].head);
    let rest = prune(last.0, end, folded([3; 32], None));
    assert_eq!(commit(store, platform, rest).await, Ok(Effect::Done));
    let left = store.folded_changes(&asked).await.expect("what is left");
    assert_eq!(left, []);
    let begins = census(store)
        .await
        .into_iter()
        .find_map(|entry| match entry {
            CensusEntry::Base(base) => Some(base.seq),
            _ => None,
        });
    assert_eq!(begins, Some(end.0));
}

async fn census(store: &dyn Store) -> Vec<CensusEntry> {
    let taken = Arc::new(Mutex::new(Vec::new()));
    let taking = Arc::clone(&taken);
    let take = Box::new(move |entry| {
        taking.lock().expect("a lock").push(entry);
        ControlFlow::Continue(())
    });
    store.census(take).await.expect("a census");
    mem::take(&mut *taken.lock().expect("a lock"))
}
