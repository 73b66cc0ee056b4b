//! The directory of credentials, and when they were used.

use names::{OrgId, PrincipalId};

use super::world::{World, assert_row, commit, tagged};
use crate::catalog::{
    Authenticated, Conflict, CredentialKind, CredentialQuery, CredentialRow, Effect, Mutation,
    Store,
};

pub(in crate::catalog) async fn credentials_are_found_by_their_lookup(store: &dyn Store) {
    let world = World::new(store, 431).await;
    let mut rows: Vec<_> = (0..5).map(|_| tagged(world.credential_row(1), 1)).collect();
    rows.sort_by_key(|row| row.row().lookup);
    for row in &rows {
        world.done(Mutation::CreateCredential(row.clone())).await;
        let again = Mutation::CreateCredential(row.clone());
        assert_eq!(world.commit(again).await, Err(Conflict::Exists));
    }
    let found = store.credential(&rows[2].row().lookup).await.expect("read");
    assert_row(found.as_slice(), &rows[2..3]);
    assert!(store.credential(&[1; 32]).await.expect("read").is_none());
    let page = |after: Option<usize>, max| {
        let after = after.map(|at: usize| rows[at].row().lookup);
        let store = &store;
        async move {
            let query = CredentialQuery {
                after,
                max,
                ..CredentialQuery::default()
            };
            store.credentials(world.org, query).await.expect("a page")
        }
    };
    assert_row(&page(None, 100).await, &rows);
    assert_row(&page(None, 2).await, &rows[..2]);
    assert_row(&page(Some(1), 2).await, &rows[2..4]);
    assert_row(&page(Some(4), 2).await, &[]);

    let change = |change: &dyn Fn(&mut CredentialRow)| {
        let mut row = rows[0].row().clone();
        change(&mut row);
        Mutation::ReplaceCredential(tagged(row, 1))
    };
    let stale = change(&|row| row.revoked_ms = Some(5));
    assert_eq!(world.commit(stale).await, Err(Conflict::Changed));
    let revoke = change(&|row| (row.sequence, row.revoked_ms) = (2, Some(5)));
    assert_eq!(world.commit(revoke).await, Ok(Effect::Done));
    let revoked = store.credential(&rows[0].row().lookup).await.expect("read");
    let revoked = revoked.expect("the key").into_checked();
    assert_eq!((revoked.sequence, revoked.revoked_ms), (2, Some(5)));
    let revive = change(&|row| row.sequence = 3);
    assert_eq!(world.commit(revive).await, Err(Conflict::Changed));
    let absent = change(&|row| (row.sequence, row.lookup) = (2, [2; 32]));
    assert_eq!(world.commit(absent).await, Err(Conflict::Missing));

    // Another organization can neither take the lookup nor the key.
    let other = World::new(store, 432).await;
    let steal = |sequence| {
        let mut row = rows[1].row().clone();
        (row.org, row.sequence) = (other.org, sequence);
        row.principal = PrincipalId::from_bytes([1; 16]);
        tagged(row, 1)
    };
    assert_eq!(
        other.commit(Mutation::CreateCredential(steal(1))).await,
        Err(Conflict::Exists)
    );
    assert_eq!(
        other.commit(Mutation::ReplaceCredential(steal(2))).await,
        Err(Conflict::Missing)
    );
    let theirs = Mutation::ReplaceCredential(rows[1].clone());
    assert_eq!(other.commit(theirs).await, Err(Conflict::Missing));
    let nobody = World::empty(store, 433);
    let row = tagged(nobody.credential_row(1), 1);
    assert_eq!(
        nobody.commit(Mutation::CreateCredential(row)).await,
        Err(Conflict::Missing)
    );
}

pub(in crate::catalog) async fn credentials_are_paged_by_principal_and_kind(store: &dyn Store) {
    use CredentialKind::{AccessKey, ApiToken, Session, StsSession};
    let world = World::new(store, 461).await;
    let principals = [1, 2].map(|n| PrincipalId::from_bytes([n; 16]));
    let mut rows = Vec::new();
    for kind in [AccessKey, ApiToken, Session, Session, StsSession] {
        for principal in principals {
            let mut row = world.credential_row(1);
            (row.principal, row.kind) = (principal, kind);
            row.expires_ms = (kind != AccessKey).then_some(i64::MAX as u64);
            let row = tagged(row, 1);
            world.done(Mutation::CreateCredential(row.clone())).await;
            rows.push(row);
        }
    }
    rows.sort_by_key(|row| row.row().lookup);
    let nobody = PrincipalId::from_bytes([3; 16]);
    for principal in [None, Some(principals[0]), Some(nobody)] {
        for kind in [None, Some(Session), Some(AccessKey)] {
            let is_asked = |row: &&Authenticated<CredentialRow>| {
                let row = row.row();
                principal.is_none_or(|principal| row.principal == principal)
                    && kind.is_none_or(|kind| row.kind == kind)
            };
            let expected: Vec<_> = rows.iter().filter(is_asked).cloned().collect();
            for max in [1, 3, 100] {
                let (mut pages, mut after) = (Vec::new(), None);
                loop {
                    let query = CredentialQuery {
                        principal,
                        kind,
                        after,
                        max,
                    };
                    let page = store.credentials(world.org, query).await.expect("a page");
                    assert!(page.len() <= max as usize);
                    let Some(last) = page.last() else { break };
                    after = Some(last.unverified().lookup);
                    pages.extend(page);
                }
                assert_row(&pages, &expected);
            }
        }
    }
    // What a credential is, it stays.
    let mut other = rows[0].row().clone();
    other.sequence = 2;
    other.kind = match other.kind {
        ApiToken => Session,
        _ => ApiToken,
    };
    let other = Mutation::ReplaceCredential(tagged(other, 1));
    assert_eq!(world.commit(other).await, Err(Conflict::Changed));
}

pub(in crate::catalog) async fn what_expired_is_deleted(store: &dyn Store) {
    let (one, other) = (World::new(store, 471).await, World::new(store, 472).await);
    let mut rows = Vec::new();
    for (world, expires_ms) in [
        (&one, Some(3)),
        (&other, Some(1)),
        (&one, Some(2)),
        (&one, Some(4)),
        (&other, None),
    ] {
        let mut row = world.credential_row(1);
        row.expires_ms = expires_ms;
        let row = tagged(row, 1);
        world.done(Mutation::CreateCredential(row.clone())).await;
        let uses = vec![(row.row().lookup, 5)];
        world.done(Mutation::NoteUses(uses)).await;
        rows.push((world, row));
    }
    let delete = |rows_max| Mutation::DeleteExpiredCredentials {
        now_ms: 3,
        rows_max,
    };
    assert_eq!(one.commit(delete(10)).await, Err(Conflict::Missing));
    let (before, _) = store.last_change().await.expect("the last change");
    let platform = OrgId::PLATFORM;
    let more = commit(store, platform, delete(2)).await;
    assert_eq!(more, Ok(Effect::Purged { more: true }));
    let left = async || {
        let mut left = Vec::new();
        for (world, row) in &rows {
            let lookup = row.row().lookup;
            let found = store.credential(&lookup).await.expect("read").is_some();
            let used = store.credential_uses(world.org, &[lookup]).await;
            assert_eq!(used.expect("uses").len(), usize::from(found));
            left.push(found);
        }
        left
    };
    assert_eq!(left().await, [true, false, false, true, true]);
    let rest = commit(store, platform, delete(2)).await;
    assert_eq!(rest, Ok(Effect::Purged { more: false }));
    assert_eq!(left().await, [false, false, false, true, true]);
    let none = commit(store, platform, delete(2)).await;
    assert_eq!(none, Ok(Effect::Purged { more: false }));
    // Told as changes of the organizations whose they were.
    let changes = store.changes_since(before, 10).await.expect("changes");
    let mut gone: Vec<_> = changes
        .iter()
        .flat_map(|change| {
            let entries = change.entries.iter();
            entries.map(|entry| (change.org, entry.old_mac, entry.new_mac))
        })
        .collect();
    let mut expected: Vec<_> = [0, 1, 2]
        .map(|n: usize| (rows[n].0.org, Some(rows[n].1.tag().mac), None))
        .into();
    gone.sort();
    expected.sort();
    assert_eq!(gone, expected);
}

pub(in crate::catalog) async fn the_last_use_is_noted(store: &dyn Store) {
    let (world, other) = (World::new(store, 481).await, World::new(store, 482).await);
    let mut lookups = Vec::new();
    for _ in 0..3 {
        let row = tagged(world.credential_row(1), 1);
        lookups.push(row.row().lookup);
        world.done(Mutation::CreateCredential(row)).await;
    }
    let uses = async |org| {
        let uses = store.credential_uses(org, &lookups).await;
        let mut uses = uses.expect("uses");
        uses.sort_by_key(|(lookup, _)| lookups.iter().position(|one| one == lookup));
        uses
    };
    assert_eq!(uses(world.org).await, []);
    let unknown = [9; 32];
    let noted = vec![(lookups[0], 5), (lookups[1], 7), (unknown, 1)];
    world.done(Mutation::NoteUses(noted)).await;
    let noted = vec![(lookups[0], 6), (lookups[1], 6)];
    world.done(Mutation::NoteUses(noted)).await;
    let expected = [(lookups[0], 6), (lookups[1], 7)];
    assert_eq!(uses(world.org).await, expected);
    let of_nobody = store.credential_uses(world.org, &[unknown]).await;
    assert_eq!(of_nobody.expect("uses"), []);
    // Of another's credential nobody says a thing, or hears one.
    let theirs = vec![(lookups[0], 100), (lookups[2], 100)];
    other.done(Mutation::NoteUses(theirs)).await;
    assert_eq!(uses(other.org).await, []);
    assert_eq!(uses(world.org).await, expected);
}
