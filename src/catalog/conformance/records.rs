//! Records: written together or not at all, guarded, found, and kept apart.

use futures_util::future::join_all;
use names::{AccountId, OrgId};

use super::world::{HOUR, World, assert_row, commit, tagged};
use crate::catalog::{
    Authenticated, Conflict, Effect, Mutation, OrgState, RecordGuard, RecordKind, RecordQuery,
    RecordRow, RecordWrite, Store,
};

use RecordKind::{Agent, Grant, Member, Secret, SecretVersion, Task};

pub(in crate::catalog) async fn records_are_written_found_and_deleted(store: &dyn Store) {
    let world = World::new(store, 801).await;
    let mut row = world.record_row(Agent);
    (row.lookup, row.expires_ms) = (Some([1; 32]), Some(HOUR + 5));
    let first = tagged(row.clone(), 1);
    assert_eq!(world.write([insert(&first)]).await, Ok(Effect::Done));
    // The same id and the same lookup in another kind are another record's.
    let mut namesake = world.record_row(Grant);
    (namesake.id, namesake.lookup, namesake.parent) = (row.id, row.lookup, None);
    let namesake = tagged(namesake, 1);
    assert_eq!(world.write([insert(&namesake)]).await, Ok(Effect::Done));
    world.assert_stands(&first).await;
    world.assert_stands(&namesake).await;

    let mut other = world.record_row(Agent);
    other.lookup = row.lookup;
    for taken in [tagged(other.clone(), 1), first.clone()] {
        let conflict = world.write([insert(&taken)]).await;
        assert_eq!(conflict, Err(Conflict::Exists));
    }
    other.lookup = Some([2; 32]);
    let other = tagged(other, 1);
    assert_eq!(world.write([insert(&other)]).await, Ok(Effect::Done));

    let change = |sequence, change: &dyn Fn(&mut RecordRow)| {
        let mut row = row.clone();
        row.sequence = sequence;
        change(&mut row);
        RecordWrite::Replace(tagged(row, 1))
    };
    for wrong in [
        change(1, &|_| {}),
        change(3, &|_| {}),
        change(2, &|row| row.created_ms += 1),
    ] {
        let what = format!("{wrong:?}");
        let conflict = world.write([wrong]).await;
        assert_eq!(conflict, Err(Conflict::Changed), "{what}");
    }
    let taken = change(2, &|row| row.lookup = Some([2; 32]));
    assert_eq!(world.write([taken]).await, Err(Conflict::Exists));
    let absent = change(2, &|row| row.id = [9; 16]);
    assert_eq!(world.write([absent]).await, Err(Conflict::Missing));
    world.assert_stands(&first).await;

    let all_but_its_id = |row: &mut RecordRow| {
        (row.state, row.sequence) = (7, 2);
        (row.parent, row.lookup, row.expires_ms) = (None, None, None);
        row.sealed = world.sealed(700);
    };
    let mut next = row.clone();
    all_but_its_id(&mut next);
    let next = tagged(next, 1);
    let replaced = world.write([RecordWrite::Replace(next.clone())]).await;
    assert_eq!(replaced, Ok(Effect::Done));
    world.assert_stands(&next).await;
    let by_old_name = store.record_by_lookup(world.org, Agent, &[1; 32]).await;
    assert!(by_old_name.expect("read").is_none());

    let delete = |id, sequence| RecordWrite::Delete {
        kind: Agent,
        id,
        sequence,
    };
    let stale = world.write([delete(row.id, 1)]).await;
    assert_eq!(stale, Err(Conflict::Changed));
    assert_eq!(world.write([delete(row.id, 2)]).await, Ok(Effect::Done));
    let gone = world.write([delete(row.id, 2)]).await;
    assert_eq!(gone, Err(Conflict::Missing));
    let found = store.record(world.org, Agent, &row.id).await;
    assert!(found.expect("read").is_none());
    world.assert_stands(&namesake).await;
    world.assert_stands(&other).await;
}

pub(in crate::catalog) async fn records_change_together_or_not_at_all(store: &dyn Store) {
    let world = World::new(store, 811).await;
    let named = |name: u8| {
        let mut row = world.record_row(Agent);
        row.lookup = Some([name; 32]);
        tagged(row, 1)
    };
    let (one, two) = (named(1), named(2));
    let both = [insert(&one), insert(&two)];
    assert_eq!(world.write(both).await, Ok(Effect::Done));

    // The last of them fails.
    let (new, absent) = (named(3), named(4));
    let (before, _) = store.last_change().await.expect("the last change");
    let writes = [
        insert(&new),
        replace(&one, |row| row.state = 9),
        delete(&two),
        replace(&absent, |_| {}),
    ];
    assert_eq!(world.write(writes).await, Err(Conflict::Missing));
    let missing = world.write([insert(&new), insert(&one)]).await;
    assert_eq!(missing, Err(Conflict::Exists));
    let found = store.record(world.org, Agent, &new.row().id).await;
    assert!(found.expect("read").is_none());
    world.assert_stands(&one).await;
    world.assert_stands(&two).await;
    let (after, _) = store.last_change().await.expect("the last change");
    assert_eq!(before, after, "and nothing is in the log of changes");

    // A record changes once.
    for twice in [
        [insert(&new), insert(&new)],
        [replace(&one, |_| {}), delete(&one)],
        [
            replace(&one, |_| {}),
            replace(&one, |row| row.sequence += 1),
        ],
    ] {
        let what = format!("{twice:?}");
        let conflict = world.write(twice).await;
        assert_eq!(conflict, Err(Conflict::Changed), "{what}");
    }

    // A record of another kind bears a lookup that is about to be taken, which is no matter.
    let mut namesake = world.record_row(Task);
    namesake.lookup = Some([3; 32]);
    world.insert(tagged(namesake, 1)).await;
    let (before, _) = store.last_change().await.expect("the last change");

    // Lookups are judged as they are in the end: two records change theirs, a third takes what
    // one gives up.
    let namesakes = world.write([insert(&named(5)), insert(&named(5))]).await;
    assert_eq!(namesakes, Err(Conflict::Exists));
    let clash = [
        replace(&one, |row| row.lookup = Some([2; 32])),
        insert(&new),
    ];
    assert_eq!(world.write(clash).await, Err(Conflict::Exists));
    let mut heir = world.record_row(Agent);
    heir.lookup = Some([2; 32]);
    let heir = tagged(heir, 1);
    let writes = [
        replace(&one, |row| row.lookup = Some([3; 32])),
        replace(&two, |row| row.lookup = Some([1; 32])),
        insert(&heir),
    ];
    assert_eq!(world.write(writes).await, Ok(Effect::Done));
    for (lookup, id) in [(1, two.row().id), (2, heir.row().id), (3, one.row().id)] {
        let lookup = [lookup; 32];
        let found = store.record_by_lookup(world.org, Agent, &lookup).await;
        let found = found.expect("read").map(|row| row.unverified().id);
        assert_eq!(found, Some(id), "{lookup:?}");
    }

    // One change tells of all, each with its kind.
    let change = store.changes_since(before, 10).await.expect("changes");
    let entries = &change[0].entries;
    assert_eq!((change.len(), entries.len()), (1, 3));
    assert!(entries.iter().all(|entry| entry.table == "records/21"));
    let olds = entries.iter().filter_map(|entry| entry.old_mac).count();
    assert_eq!(olds, 2);
}

pub(in crate::catalog) async fn records_are_paged_by_parent_and_state(store: &dyn Store) {
    let world = World::new(store, 821).await;
    let mut rows: Vec<_> = (0..12_u8)
        .map(|n| {
            let mut row = world.record_row(Task);
            (row.parent, row.state) = (Some([n % 2; 16]), n % 3);
            tagged(row, 1)
        })
        .collect();
    rows.sort_by_key(|row| row.row().id);
    assert_eq!(world.write(rows.iter().map(insert)).await, Ok(Effect::Done));
    for state in [0, 2] {
        let mut row = world.record_row(Grant);
        row.state = state;
        world.insert(tagged(row, 1)).await;
    }
    for parent in [None, Some([0; 16]), Some([1; 16]), Some([2; 16])] {
        for state in [None, Some(0), Some(2), Some(3)] {
            let is_asked = |row: &&Authenticated<RecordRow>| {
                let row = row.row();
                parent.is_none_or(|parent| row.parent == Some(parent))
                    && state.is_none_or(|state| row.state == state)
            };
            let expected: Vec<_> = rows.iter().filter(is_asked).cloned().collect();
            for max in [1, 2, 100] {
                let (mut pages, mut after) = (Vec::new(), None);
                loop {
                    let query = RecordQuery {
                        parent,
                        state,
                        after,
                        max,
                    };
                    let page = store.records(world.org, Task, query).await;
                    let page = page.expect("a page");
                    assert!(page.len() <= max as usize);
                    let Some(last) = page.last() else { break };
                    after = Some(last.unverified().id);
                    pages.extend(page);
                }
                assert_row(&pages, &expected);
            }
            if parent.is_none() {
                let count = store.count_records(world.org, Task, state).await;
                assert_eq!(count.expect("a count"), expected.len() as u64);
            }
        }
    }
}

pub(in crate::catalog) async fn guards_are_judged_as_of_after_the_writes(store: &dyn Store) {
    let world = World::new(store, 831).await;
    let member = |state| {
        let mut row = world.record_row(Member);
        row.state = state;
        tagged(row, 1)
    };
    let (owner, other) = (member(1), member(2));
    let both = [insert(&owner), insert(&other)];
    assert_eq!(world.write(both).await, Ok(Effect::Done));
    let at_most = |state, max| RecordGuard::AtMost {
        kind: Member,
        state,
        max,
    };
    let at_least = |state, min| RecordGuard::AtLeast {
        kind: Member,
        state,
        min,
    };
    let unchanged = |row: &Authenticated<RecordRow>, sequence| RecordGuard::Unchanged {
        kind: Member,
        id: row.row().id,
        sequence,
    };
    let exists = |row: &Authenticated<RecordRow>| RecordGuard::Exists {
        kind: row.row().kind,
        id: row.row().id,
    };
    let limit = |max| Conflict::LimitReached { kind: Member, max };
    let too_few = Conflict::TooFew { kind: Member };
    let (done, changed, missing) = (Ok(Effect::Done), Conflict::Changed, Conflict::Missing);
    let third = member(2);
    let promote = || replace(&other, |row| row.state = 1);
    let demote = || replace(&owner, |row| row.state = 2);
    let absent = member(1);
    let refused: [(Vec<RecordWrite>, RecordGuard, _); 15] = [
        (vec![insert(&third)], at_most(None, 2), limit(2)),
        (vec![insert(&third)], at_most(Some(2), 1), limit(1)),
        (vec![promote()], at_most(Some(1), 1), limit(1)),
        (vec![], at_most(None, 1), limit(1)),
        (vec![], at_most(None, 0), limit(0)),
        (vec![delete(&owner)], at_least(Some(1), 1), too_few.clone()),
        (vec![demote()], at_least(Some(1), 1), too_few.clone()),
        (vec![insert(&third)], at_least(None, 4), too_few.clone()),
        (vec![], at_least(Some(9), 1), too_few),
        (vec![], unchanged(&owner, 2), changed.clone()),
        (vec![demote()], unchanged(&owner, 1), changed.clone()),
        (vec![delete(&owner)], unchanged(&owner, 1), changed.clone()),
        (vec![], unchanged(&absent, 1), changed),
        (vec![], exists(&absent), missing.clone()),
        (vec![delete(&other)], exists(&other), missing),
    ];
    for (writes, guard, conflict) in refused {
        let what = format!("{writes:?} {guard:?}");
        let outcome = world.guarded(writes, [guard]).await;
        assert_eq!(outcome, Err(conflict), "{what}");
    }
    world.assert_stands(&owner).await;
    world.assert_stands(&other).await;

    // What goes makes room for what comes, and what comes counts for what is demanded.
    let guards = [at_most(None, 2), at_least(None, 2), exists(&third)];
    let writes = vec![delete(&other), insert(&third)];
    assert_eq!(world.guarded(writes, guards).await, done);
    let fourth = member(1);
    let guards = [
        at_least(Some(1), 1),
        at_most(Some(1), 1),
        unchanged(&owner, 2),
        unchanged(&third, 1),
        exists(&fourth),
    ];
    let writes = vec![demote(), insert(&fourth)];
    assert_eq!(world.guarded(writes, guards).await, done);
    // Of another kind nothing counts.
    let grant = tagged(world.record_row(Grant), 1);
    let guards = [at_most(None, 3), at_least(None, 3), exists(&grant)];
    let writes = vec![insert(&grant)];
    assert_eq!(world.guarded(writes, guards).await, done);
}

pub(in crate::catalog) async fn one_of_many_gets_the_last_place(store: &dyn Store) {
    let world = World::new(store, 841).await;
    for _ in 0..3 {
        world.insert(tagged(world.record_row(Agent), 1)).await;
    }
    let guard = RecordGuard::AtMost {
        kind: Agent,
        state: None,
        max: 4,
    };
    let agents: Vec<_> = (0..64)
        .map(|_| tagged(world.record_row(Agent), 1))
        .collect();
    let asked = agents
        .iter()
        .map(|agent| world.guarded(vec![insert(agent)], [guard]));
    let outcomes = join_all(asked).await;
    let limit = Conflict::LimitReached {
        kind: Agent,
        max: 4,
    };
    let done = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(done, 1);
    for (agent, outcome) in agents.iter().zip(outcomes) {
        match outcome {
            Ok(_) => world.assert_stands(agent).await,
            Err(conflict) => assert_eq!(conflict, limit),
        }
    }
    let count = store.count_records(world.org, Agent, None).await;
    assert_eq!(count.expect("a count"), 4);

    // Of two last owners who leave at once, one stays.
    let owners = [(); 2].map(|()| tagged(world.record_row(Member), 1));
    let both = owners.iter().map(insert);
    assert_eq!(world.write(both).await, Ok(Effect::Done));
    let leave = owners.iter().map(|owner| {
        let guard = RecordGuard::AtLeast {
            kind: Member,
            state: Some(1),
            min: 1,
        };
        world.guarded(vec![delete(owner)], [guard])
    });
    let mut outcomes = join_all(leave).await;
    outcomes.sort_by_key(Result::is_err);
    let stays = Err(Conflict::TooFew { kind: Member });
    assert_eq!(outcomes, [Ok(Effect::Done), stays]);
}

pub(in crate::catalog) async fn records_stay_in_their_organization(store: &dyn Store) {
    let (one, other) = (World::new(store, 851).await, World::new(store, 852).await);
    let mut row = one.record_row(Secret);
    row.lookup = Some([1; 32]);
    let row = tagged(row, 1);
    one.insert(row.clone()).await;
    let id = &row.row().id;
    assert!(
        store
            .record(other.org, Secret, id)
            .await
            .expect("read")
            .is_none()
    );
    let by_name = store.record_by_lookup(other.org, Secret, &[1; 32]).await;
    assert!(by_name.expect("read").is_none());
    let missing = Err(Conflict::Missing);
    // A row of theirs, as it is, and what changes it.
    for write in [
        insert(&tagged(one.record_row(Secret), 1)),
        replace(&row, |_| {}),
        delete(&row),
    ] {
        let what = format!("{write:?}");
        assert_eq!(other.write([write]).await, missing, "{what}");
    }
    let exists = RecordGuard::Exists {
        kind: Secret,
        id: *id,
    };
    assert_eq!(other.guarded(vec![], [exists]).await, missing);
    let count = RecordGuard::AtMost {
        kind: Secret,
        state: None,
        max: 0,
    };
    assert_eq!(other.guarded(vec![], [count]).await, Ok(Effect::Done));
    one.assert_stands(&row).await;
    // The same id and the same name are another record there.
    let mut theirs = row.row().clone();
    (theirs.org, theirs.sealed) = (other.org, other.sealed(512));
    let theirs = tagged(theirs, 1);
    assert_eq!(other.write([insert(&theirs)]).await, Ok(Effect::Done));
    one.assert_stands(&row).await;
    other.assert_stands(&theirs).await;

    // What is the platform's is nobody else's, and the other way round.
    let account = tagged(one.record_row(RecordKind::Account), 1);
    assert_eq!(one.write([insert(&account)]).await, missing);
    let platform = World {
        org: OrgId::PLATFORM,
        ..World::empty(store, 853)
    };
    let member = tagged(platform.record_row(Member), 1);
    assert_eq!(platform.write([insert(&member)]).await, missing);
    let account = tagged(platform.record_row(RecordKind::Account), 1);
    assert_eq!(platform.write([insert(&account)]).await, Ok(Effect::Done));
    platform.assert_stands(&account).await;

    // A version of a secret is sealed for that secret.
    let mut version = one.record_row(SecretVersion);
    version.parent = None;
    let version = tagged(version, 1);
    assert_eq!(one.write([insert(&version)]).await, missing);
    // Where there is no organization, or none any more, there are no records.
    let nobody = World::empty(store, 854);
    let record = tagged(nobody.record_row(Task), 1);
    assert_eq!(nobody.write([insert(&record)]).await, missing);
    let destroyed = World::new(store, 855).await;
    destroyed
        .insert(tagged(destroyed.record_row(Task), 1))
        .await;
    let end = destroyed.organization_row(OrgState::Destroyed, 2);
    let end = Mutation::DestroyOrganization(tagged(end, 1));
    destroyed.done(end).await;
    let record = tagged(destroyed.record_row(Task), 1);
    assert_eq!(destroyed.write([insert(&record)]).await, missing);
    assert_eq!(destroyed.write([]).await, missing);
}

pub(in crate::catalog) async fn a_record_names_an_open_key(store: &dyn Store) {
    let world = World::new(store, 861).await;
    let standing = tagged(world.record_row(Task), 1);
    world.insert(standing.clone()).await;
    world.rotate().await;
    let sealed_under = |row: &mut RecordRow, version| {
        row.sealed[..192].copy_from_slice(&world.header(version));
    };
    let closed = Err(Conflict::KeyClosed { version: 1 });
    for (record_key, row_key) in [(1, 1), (2, 1), (1, 2)] {
        let mut row = world.record_row(Task);
        sealed_under(&mut row, record_key);
        let new = tagged(row, row_key);
        assert_eq!(world.write([insert(&new)]).await, closed);
        let mut next = standing.row().clone();
        next.sequence = 2;
        sealed_under(&mut next, record_key);
        let next = RecordWrite::Replace(tagged(next, row_key));
        assert_eq!(world.write([next]).await, closed);
    }
    let mut row = world.record_row(Task);
    sealed_under(&mut row, 2);
    let open = tagged(row.clone(), 2);
    assert_eq!(world.write([insert(&open)]).await, Ok(Effect::Done));
    row.id = [1; 16];
    let unknown = world.write([insert(&tagged(row, 3))]).await;
    assert_eq!(unknown, Err(Conflict::KeyClosed { version: 3 }));
    // What stands under the closed one can go.
    assert_eq!(world.write([delete(&standing)]).await, Ok(Effect::Done));
}

pub(in crate::catalog) async fn an_account_finds_its_seats(store: &dyn Store) {
    let account: [u8; 16] = World::empty(store, 870).chance.uuid_v4();
    let mut seats = Vec::new();
    for seed in 871..875 {
        let world = World::new(store, seed).await;
        let mut member = world.record_row(Member);
        member.parent = Some(account);
        let mut task = world.record_row(Task);
        task.parent = Some(account);
        let member = tagged(member, 1);
        let stranger = tagged(world.record_row(Member), 1);
        let writes = [insert(&member), insert(&tagged(task, 1)), insert(&stranger)];
        assert_eq!(world.write(writes).await, Ok(Effect::Done));
        seats.push(member);
    }
    seats.sort_by_key(|seat| seat.row().org);
    let page = async |after, max| {
        let account = AccountId::from_bytes(account);
        store.seats(account, after, max).await.expect("a page")
    };
    assert_row(&page(None, 10).await, &seats);
    assert_row(&page(None, 2).await, &seats[..2]);
    assert_row(&page(Some(seats[1].row().org), 2).await, &seats[2..]);
    assert_row(&page(Some(seats[3].row().org), 2).await, &[]);
}

pub(in crate::catalog) async fn what_expired_is_found_oldest_first(store: &dyn Store) {
    let (one, other) = (World::new(store, 881).await, World::new(store, 882).await);
    let kind = RecordKind::Invitation;
    let mut rows = Vec::new();
    for (world, expires_ms) in [
        (&one, Some(30)),
        (&other, Some(10)),
        (&one, Some(20)),
        (&one, None),
        (&other, Some(40)),
    ] {
        let mut row = world.record_row(kind);
        row.expires_ms = expires_ms;
        let row = tagged(row, 1);
        world.insert(row.clone()).await;
        rows.push(row);
    }
    let mut task = one.record_row(Task);
    task.expires_ms = Some(1);
    one.insert(tagged(task, 1)).await;
    let page = async |now_ms, max| {
        let page = store.expired_records(kind, now_ms, max).await;
        page.expect("a page")
    };
    assert_row(&page(9, 10).await, &[]);
    let by_age = [1, 2, 0].map(|n: usize| rows[n].clone());
    assert_row(&page(30, 10).await, &by_age);
    assert_row(&page(30, 2).await, &by_age[..2]);
    assert_eq!(other.write([delete(&rows[1])]).await, Ok(Effect::Done));
    assert_row(&page(30, 10).await, &by_age[1..]);
}

/// Makes a record.
pub(super) fn insert(record: &Authenticated<RecordRow>) -> RecordWrite {
    RecordWrite::Insert(record.clone())
}

/// The next of a record as it was first written.
pub(super) fn replace(
    record: &Authenticated<RecordRow>,
    change: impl Fn(&mut RecordRow),
) -> RecordWrite {
    let mut row = record.row().clone();
    row.sequence += 1;
    change(&mut row);
    RecordWrite::Replace(tagged(row, record.tag().key_version))
}

fn delete(record: &Authenticated<RecordRow>) -> RecordWrite {
    let row = record.row();
    RecordWrite::Delete {
        kind: row.kind,
        id: row.id,
        sequence: row.sequence,
    }
}

impl World<'_> {
    pub(super) async fn write(
        &self,
        writes: impl IntoIterator<Item = RecordWrite>,
    ) -> Result<Effect, Conflict> {
        self.guarded(writes.into_iter().collect(), []).await
    }

    async fn guarded(
        &self,
        writes: Vec<RecordWrite>,
        guards: impl IntoIterator<Item = RecordGuard>,
    ) -> Result<Effect, Conflict> {
        let guards = guards.into_iter().collect();
        let mutation = Mutation::CommitRecords { writes, guards };
        commit(self.store, self.org, mutation).await
    }

    /// A record is found as it was written, by its id and by its lookup.
    async fn assert_stands(&self, record: &Authenticated<RecordRow>) {
        let (store, row) = (self.store, record.row());
        let found = store.record(self.org, row.kind, &row.id).await;
        assert_row(
            found.expect("read").as_slice(),
            std::slice::from_ref(record),
        );
        if let Some(lookup) = &row.lookup {
            let found = store.record_by_lookup(self.org, row.kind, lookup).await;
            assert_row(
                found.expect("read").as_slice(),
                std::slice::from_ref(record),
            );
        }
    }
}
