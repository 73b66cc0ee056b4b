//! Organizations, and what is left when one is destroyed.

use names::{BlobId, OrgId};

use super::world::{HOUR, World, assert_row, commit, commit_version, tagged};
use crate::catalog::{
    Conflict, Effect, KeyState, Mutation, OrgState, OrganizationRow, RecordKind, Store,
};

pub(in crate::catalog) async fn organizations_are_made_with_their_key(store: &dyn Store) {
    let world = World::empty(store, 401);
    assert!(store.organization(world.org).await.expect("read").is_none());
    let members: [_; 2] = std::array::from_fn(|n| {
        let mut row = world.record_row(RecordKind::Member);
        row.lookup = Some([n as u8; 32]);
        tagged(row, 1)
    });
    assert_eq!(world.create(members.to_vec()).await, Ok(Effect::Done));
    assert_eq!(world.create(Vec::new()).await, Err(Conflict::Exists));

    let row = tagged(world.organization_row(OrgState::Active, 1), 1);
    let found = store.organization(world.org).await.expect("read");
    assert_row(found.as_slice(), std::slice::from_ref(&row));
    let found = store
        .organization_by_slug(&world.slug())
        .await
        .expect("read");
    assert_row(found.as_slice(), std::slice::from_ref(&row));
    let keys = store.org_keys(world.org).await.expect("keys");
    assert_row(&keys, &[tagged(world.key_row(1, KeyState::Open, 1), 1)]);
    for member in &members {
        let id = &member.row().id;
        let found = store.record(world.org, RecordKind::Member, id).await;
        assert_row(
            found.expect("read").as_slice(),
            std::slice::from_ref(member),
        );
    }
    assert!(store.name_key(world.org).await.expect("read").is_some());

    // A slug that is taken; another organization's key, name key or record; a name key or record
    // under another key; a record of the platform's; one twice.
    let other = World::empty(store, 402);
    let fresh = || other.organization_row(OrgState::Active, 1);
    let mut taken = fresh();
    taken.slug = Some(world.slug());
    let create = |organization, name_key, records| Mutation::CreateOrganization {
        organization: Box::new(tagged(organization, 1)),
        key: tagged(other.key_row(1, KeyState::Open, 1), 1),
        name_key,
        records,
    };
    let name_key = |version| other.name_key_row(version);
    let member = || other.record_row(RecordKind::Member);
    let foreign = world.record_row(RecordKind::Member);
    let account = other.record_row(RecordKind::Account);
    let twice = vec![tagged(member(), 1); 2];
    let mut namesakes = vec![member(), member()];
    namesakes
        .iter_mut()
        .for_each(|row| row.lookup = Some([1; 32]));
    let namesakes = namesakes.into_iter().map(|row| tagged(row, 1)).collect();
    let mut sealed_elsewhere = member();
    sealed_elsewhere.sealed[..192].copy_from_slice(&other.header(2));
    let closed = || Conflict::KeyClosed { version: 2 };
    for (mutation, conflict) in [
        (create(taken, name_key(1), vec![]), Conflict::Exists),
        (
            create(fresh(), world.name_key_row(1), vec![]),
            Conflict::Missing,
        ),
        (create(fresh(), name_key(2), vec![]), closed()),
        (
            create(fresh(), name_key(1), vec![tagged(foreign, 1)]),
            Conflict::Missing,
        ),
        (
            create(fresh(), name_key(1), vec![tagged(account, 1)]),
            Conflict::Missing,
        ),
        (
            create(fresh(), name_key(1), vec![tagged(member(), 2)]),
            closed(),
        ),
        (
            create(fresh(), name_key(1), vec![tagged(sealed_elsewhere, 1)]),
            closed(),
        ),
        (create(fresh(), name_key(1), twice), Conflict::Exists),
        (create(fresh(), name_key(1), namesakes), Conflict::Exists),
    ] {
        let what = format!("{mutation:?}");
        assert_eq!(other.commit(mutation).await, Err(conflict), "{what}");
    }
    assert!(store.organization(other.org).await.expect("read").is_none());
    assert_eq!(store.org_keys(other.org).await.expect("keys").len(), 0);

    let platform = Mutation::CreateOrganization {
        organization: Box::new(tagged(fresh(), 1)),
        key: tagged(other.key_row(1, KeyState::Open, 1), 1),
        name_key: name_key(1),
        records: Vec::new(),
    };
    assert_eq!(
        commit(store, OrgId::PLATFORM, platform).await,
        Err(Conflict::Missing)
    );
}

pub(in crate::catalog) async fn organizations_are_replaced_in_sequence(store: &dyn Store) {
    let world = World::new(store, 411).await;
    let replace = |state, sequence| {
        let row = world.organization_row(state, sequence);
        Mutation::ReplaceOrganization(tagged(row, 1))
    };
    for wrong in [0, 1, 3, u64::MAX] {
        let conflict = world.commit(replace(OrgState::Suspended, wrong)).await;
        assert_eq!(conflict, Err(Conflict::Changed));
    }
    world.done(replace(OrgState::Suspended, 2)).await;
    let row = tagged(world.organization_row(OrgState::Suspended, 2), 1);
    let found = store.organization(world.org).await.expect("read");
    assert_row(found.as_slice(), &[row]);

    let other = World::new(store, 412).await;
    let mut taken = world.organization_row(OrgState::Active, 3);
    taken.slug = Some(other.slug());
    let taken = Mutation::ReplaceOrganization(tagged(taken, 1));
    assert_eq!(world.commit(taken).await, Err(Conflict::Exists));
    let absent = World::empty(store, 413);
    let nothing = absent.organization_row(OrgState::Active, 2);
    let nothing = Mutation::ReplaceOrganization(tagged(nothing, 1));
    assert_eq!(absent.commit(nothing).await, Err(Conflict::Missing));
}

pub(in crate::catalog) async fn organizations_are_paged(store: &dyn Store) {
    for seed in 421..426 {
        World::new(store, seed).await;
    }
    let all = store.organizations(None, 10_000).await.expect("a page");
    let ids: Vec<OrgId> = all.iter().map(|row| row.unverified().org).collect();
    assert!(ids.len() >= 5 && ids.is_sorted() && !ids.contains(&OrgId::PLATFORM));
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = store.organizations(after, 2).await.expect("a page");
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = Some(last.unverified().org);
        paged.extend(page.iter().map(|row| row.unverified().org));
    }
    assert_eq!(paged, ids);
}

pub(in crate::catalog) async fn organizations_wait_out_their_grace(store: &dyn Store) {
    let mut rows = Vec::new();
    for (seed, delete_after_ms) in [(451, 30), (452, 10), (453, 20)] {
        let world = World::new(store, seed).await;
        let mut row = world.organization_row(OrgState::Deleting, 2);
        row.delete_after_ms = Some(delete_after_ms);
        let row = tagged(row, 1);
        world.done(Mutation::ReplaceOrganization(row.clone())).await;
        let found = store.organization(world.org).await.expect("read");
        assert_row(found.as_slice(), std::slice::from_ref(&row));
        rows.push((world, row));
    }
    // One that was asked to be deleted, and is to stay after all; and one that is gone.
    let kept = World::new(store, 454).await;
    let mut row = kept.organization_row(OrgState::Active, 2);
    row.delete_after_ms = Some(1);
    kept.done(Mutation::ReplaceOrganization(tagged(row, 1)))
        .await;
    let (gone, row) = &rows[1];
    let mut destroyed = row.row().clone();
    (destroyed.state, destroyed.slug, destroyed.sequence) = (OrgState::Destroyed, None, 3);
    gone.insert(tagged(gone.record_row(RecordKind::Task), 1))
        .await;
    let due = async |now_ms, max| {
        let page = store.organizations_due_for_destruction(now_ms, max).await;
        page.expect("a page")
    };
    assert_row(&due(9, 10).await, &[]);
    assert_row(&due(10, 10).await, std::slice::from_ref(row));
    let by_time = [1, 2, 0].map(|n: usize| rows[n].1.clone());
    assert_row(&due(30, 10).await, &by_time);
    assert_row(&due(30, 2).await, &by_time[..2]);
    let mut swept = destroyed.clone();
    (swept.delete_after_ms, swept.sequence) = (None, 4);
    let destroyed = tagged(destroyed, 1);
    gone.done(Mutation::DestroyOrganization(destroyed.clone()))
        .await;
    // Its keys are gone; what else there is of it may not be.
    assert_row(&due(10, 10).await, std::slice::from_ref(&destroyed));
    gone.done(Mutation::ReplaceOrganization(tagged(swept, 1)))
        .await;
    assert_row(&due(30, 10).await, &by_time[1..]);
}

pub(in crate::catalog) async fn nothing_works_after_destruction(store: &dyn Store) {
    let world = World::empty(store, 441);
    let kinds = [
        RecordKind::Member,
        RecordKind::SecretVersion,
        RecordKind::Task,
        RecordKind::Ledger,
    ];
    let records = kinds.map(|kind| tagged(world.record_row(kind), 1));
    world.create(records.into()).await.expect("no conflict");
    let counts = async || {
        let mut counts = Vec::new();
        for kind in kinds {
            let count = store.count_records(world.org, kind, None).await;
            counts.push(count.expect("a count"));
        }
        counts
    };
    assert_eq!(counts().await, [1, 1, 1, 1]);
    let credential = tagged(world.credential_row(1), 1);
    world
        .done(Mutation::CreateCredential(credential.clone()))
        .await;
    let uses = vec![(credential.row().lookup, HOUR)];
    world.done(Mutation::NoteUses(uses)).await;
    let blobs: Vec<BlobId> = (0..3).map(|_| world.blob()).collect();
    let bucket = world.bucket("docs").await;
    for (n, blob) in blobs[..2].iter().enumerate() {
        let key = format!("key-{n}");
        let commit = world.put(bucket, &key, 1, world.in_blobs(&[*blob]), &[*blob]);
        world.done(commit_version(commit)).await;
    }
    let upload = world.upload(bucket, "upload").await;
    world.part((bucket, "upload"), upload, 1, &blobs[2..]).await;
    let node = world.node();
    world
        .done(Mutation::AppendAudit(world.segment(node, 0)))
        .await;

    let purge = |rows_max| Mutation::PurgeOrganization { rows_max };
    assert_eq!(world.commit(purge(10)).await, Err(Conflict::Changed));
    let destroy = |state, sequence| {
        let row = world.organization_row(state, sequence);
        Mutation::DestroyOrganization(tagged(row, 1))
    };
    for wrong in [
        destroy(OrgState::Destroyed, 3),
        destroy(OrgState::Sealed, 2),
    ] {
        assert_eq!(world.commit(wrong).await, Err(Conflict::Changed));
    }
    assert_eq!(store.org_keys(world.org).await.expect("keys").len(), 1);
    world.done(destroy(OrgState::Destroyed, 2)).await;

    assert_eq!(store.org_keys(world.org).await.expect("keys").len(), 0);
    assert_eq!(
        counts().await,
        [0, 0, 1, 1],
        "rights and secrets go with the keys"
    );
    assert!(store.name_key(world.org).await.expect("read").is_none());
    let lookup = &credential.row().lookup;
    assert!(store.credential(lookup).await.expect("read").is_none());
    let uses = store.credential_uses(world.org, &[*lookup]).await;
    assert_eq!(uses.expect("uses"), []);
    assert!(
        store
            .organization_by_slug(&world.slug())
            .await
            .expect("read")
            .is_none()
    );

    let closed = Err(Conflict::KeyClosed { version: 1 });
    let write = world.put(bucket, "late", 1, world.inline(192), &[]);
    assert_eq!(world.commit(commit_version(write)).await, closed);
    let row = tagged(world.bucket_row("more"), 1);
    assert_eq!(world.commit(Mutation::CreateBucket(row)).await, closed);
    let segment = Mutation::AppendAudit(world.segment(node, 1));
    assert_eq!(world.commit(segment).await, closed);
    let missing = Err(Conflict::Missing);
    let row = tagged(world.credential_row(1), 1);
    assert_eq!(world.commit(Mutation::CreateCredential(row)).await, missing);
    let key = tagged(world.key_row(2, KeyState::Open, 1), 1);
    assert_eq!(world.commit(Mutation::AddKey(key)).await, missing);
    let revived = tagged(world.organization_row(OrgState::Active, 3), 1);
    assert_eq!(
        world.commit(Mutation::ReplaceOrganization(revived)).await,
        Err(Conflict::Changed)
    );
    assert_eq!(world.create(Vec::new()).await, Err(Conflict::Exists));

    let mut rounds = 0;
    while world.done(purge(2)).await == (Effect::Purged { more: true }) {
        rounds += 1;
    }
    // A part, an upload, two versions, a bucket, a segment and two records.
    assert_eq!(rounds, 3);
    let purged = Effect::Purged { more: false };
    assert_eq!(world.done(purge(2)).await, purged);
    assert_eq!(world.stored().await, (0, 0));
    assert_eq!(counts().await, [0; 4]);
    assert!(
        store
            .buckets(world.org, "", None, 10)
            .await
            .expect("read")
            .is_empty()
    );
    assert_eq!(store.audit_chains(world.org).await.expect("chains"), []);
    let mut claimed = world.claim(i64::MAX as u64, &[], 10).await;
    claimed.sort();
    let mut expected = blobs;
    expected.sort();
    assert_eq!(claimed, expected);
    let left: Vec<OrganizationRow> = (store.organization(world.org).await.expect("read"))
        .map(|row| row.into_checked())
        .into_iter()
        .collect();
    assert_eq!(left, [world.organization_row(OrgState::Destroyed, 2)]);
}

/// Row by row, so that one more or less would show: an upload that went before its parts, or a
/// segment that was another organization's.
pub(in crate::catalog) async fn a_purge_takes_as_many_rows_as_it_may(store: &dyn Store) {
    let world = World::new(store, 491).await;
    let node = world.node();
    for neighbour in 492..496 {
        let neighbour = World::new(store, neighbour).await;
        let segment = neighbour.segment(node, 0);
        neighbour.done(Mutation::AppendAudit(segment)).await;
    }
    let (docs, more) = (world.bucket("docs").await, world.bucket("more").await);
    for (bucket, key) in [
        (docs, "open"),
        (docs, "open"),
        (docs, "other"),
        (more, "open"),
    ] {
        let upload = world.upload(bucket, key).await;
        for part in [1, 2] {
            let blob = world.blob();
            world.part((bucket, key), upload, part, &[blob]).await;
        }
    }
    for (bucket, key) in [(docs, "a"), (docs, "b"), (more, "a")] {
        let put = world.put(bucket, key, 1, world.inline(192), &[]);
        world.done(commit_version(put)).await;
    }
    for number in 0..3 {
        let segment = world.segment(node, number);
        world.done(Mutation::AppendAudit(segment)).await;
    }
    for kind in [RecordKind::Task, RecordKind::Task, RecordKind::Ledger] {
        world.insert(tagged(world.record_row(kind), 1)).await;
    }
    let row = world.organization_row(OrgState::Destroyed, 2);
    world
        .done(Mutation::DestroyOrganization(tagged(row, 1)))
        .await;

    let left = async || {
        let (rows, _) = store.tags(world.org, None, 1_000).await.expect("a page");
        let segments = store.audit_segments(world.org, node, 0, 10).await;
        // Its own row stays.
        rows.len() - 1 + segments.expect("segments").len()
    };
    // Four uploads of two parts, three versions, two buckets, three segments, three records.
    for rows in (0..4 + 8 + 3 + 2 + 3 + 3).rev() {
        let purge = Mutation::PurgeOrganization { rows_max: 1 };
        let more = rows > 0;
        assert_eq!(world.done(purge).await, Effect::Purged { more });
        assert_eq!(left().await, rows);
    }
    assert_eq!(world.stored().await, (0, 0));
}
