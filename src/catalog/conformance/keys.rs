//! Keys: which of them take writes, what names them, and how one is rotated away.

use names::{BlobId, OrgId, RootId};

use super::world::{
    World, accounting, assert_row, blob_row, commit, commit_version, key_row, object_key, tagged,
};
use crate::catalog::{
    Authenticated, BlobRow, Body, Conflict, Effect, KeyState, Mutation, NameKeyRow, NamesKey,
    OrgKeyRow, RecordKind, Rewrap, RowTag, Store,
};

pub(in crate::catalog) async fn keys_are_added_closed_and_deleted(store: &dyn Store) {
    let world = World::new(store, 501).await;
    let add = |version| {
        let row = world.key_row(version, KeyState::Open, 1);
        Mutation::AddKey(tagged(row, 1))
    };
    assert_eq!(world.commit(add(1)).await, Err(Conflict::Exists));
    assert_eq!(world.commit(add(3)).await, Err(Conflict::Changed));
    assert_eq!(world.commit(add(2)).await, Ok(Effect::Done));
    let one = tagged(world.key_row(1, KeyState::Open, 1), 1);
    let two = tagged(world.key_row(2, KeyState::Open, 1), 1);
    assert_row(
        &store.org_keys(world.org).await.expect("keys"),
        &[one.clone(), two.clone()],
    );

    let closed = tagged(world.key_row(1, KeyState::Closed, 2), 1);
    let replace = |old: RowTag, new: &Authenticated<OrgKeyRow>| Mutation::ReplaceKey {
        old,
        new: new.clone(),
    };
    let stale = replace(two.tag(), &closed);
    assert_eq!(world.commit(stale).await, Err(Conflict::Changed));
    let delete = |version| Mutation::DeleteKey { version };
    assert_eq!(
        world.commit(delete(1)).await,
        Err(Conflict::Changed),
        "it is open"
    );
    assert_eq!(
        world.commit(replace(one.tag(), &closed)).await,
        Ok(Effect::Done)
    );
    assert_row(
        &store.org_keys(world.org).await.expect("keys"),
        &[closed.clone(), two.clone()],
    );
    let named = world.commit(delete(1)).await;
    assert_eq!(named, Err(Conflict::InUse), "the name key names it");
    let move_name_key = async |old_key_version, version| {
        let new = world.name_key_row(version);
        let rewrap = Rewrap::NameKey {
            old_key_version,
            new,
        };
        let moved = world.done(Mutation::Rewrap(vec![rewrap])).await;
        assert_eq!(moved, Effect::Rewrapped(1));
    };
    move_name_key(1, 2).await;
    assert_eq!(world.commit(delete(1)).await, Ok(Effect::Done));
    assert_eq!(
        world.commit(delete(1)).await,
        Err(Conflict::Changed),
        "it is gone"
    );
    // A rewrap that comes late does not bring it back.
    let late = replace(closed.tag(), &closed);
    assert_eq!(world.commit(late).await, Err(Conflict::Changed));
    assert_row(
        &store.org_keys(world.org).await.expect("keys"),
        std::slice::from_ref(&two),
    );

    // The newest number is never free again.
    let closed = tagged(world.key_row(2, KeyState::Closed, 2), 1);
    world.done(replace(two.tag(), &closed)).await;
    assert_eq!(world.commit(delete(2)).await, Err(Conflict::InUse));
    assert_eq!(world.commit(add(3)).await, Ok(Effect::Done));
    move_name_key(2, 3).await;
    assert_eq!(world.commit(delete(2)).await, Ok(Effect::Done));
    assert_eq!(world.commit(add(2)).await, Err(Conflict::Exists));

    let foreign = tagged(key_row(OrgId::from_bytes([8; 16]), 4, KeyState::Open, 1), 1);
    assert_eq!(
        world.commit(Mutation::AddKey(foreign)).await,
        Err(Conflict::Missing)
    );
    let unknown = tagged(world.key_row(4, KeyState::Open, 1), 77);
    assert_eq!(
        world.commit(Mutation::AddKey(unknown)).await,
        Err(Conflict::KeyClosed { version: 77 })
    );
}

pub(in crate::catalog) async fn wrapped_keys_are_found_by_their_root(store: &dyn Store) {
    let world = World::new(store, 511).await;
    let root = RootId::from_bytes([7; 16]);
    let of = |root, version| async move {
        let rows = store
            .org_keys_wrapped_before(root, version, 10_000)
            .await
            .expect("keys");
        rows.iter()
            .filter(|row| row.unverified().org == world.org)
            .count()
    };
    assert_eq!(of(root, 1).await, 0);
    assert_eq!(of(root, 2).await, 1);
    assert_eq!(of(RootId::from_bytes([9; 16]), 1).await, 1);
    let page = store
        .org_keys_wrapped_before(root, 2, 1)
        .await
        .expect("keys");
    assert_eq!(page.len(), 1);
}

pub(in crate::catalog) async fn a_name_key_is_made_once(store: &dyn Store) {
    let platform = OrgId::PLATFORM;
    assert!(store.name_key(platform).await.expect("read").is_none());
    let world = World::new(store, 521).await;
    let row = NameKeyRow {
        org: platform,
        ..world.name_key_row(1)
    };
    let create = |row: &NameKeyRow| Mutation::CreateNameKey(row.clone());
    let done = commit(store, platform, create(&row)).await;
    assert_eq!(done, Ok(Effect::Done));
    let again = commit(store, platform, create(&row)).await;
    assert_eq!(again, Err(Conflict::Exists));
    assert_eq!(store.name_key(platform).await.expect("read"), Some(row));
    // An organization has one from the start.
    let row = world.name_key_row(1);
    assert_eq!(world.commit(create(&row)).await, Err(Conflict::Exists));
    let other = World::new(store, 522).await;
    assert_eq!(
        other.commit(create(&world.name_key_row(1))).await,
        Err(Conflict::Missing)
    );
    assert_eq!(
        other.commit(create(&other.name_key_row(2))).await,
        Err(Conflict::KeyClosed { version: 2 })
    );
}

pub(in crate::catalog) async fn a_closed_key_takes_no_writes(store: &dyn Store) {
    let world = World::new(store, 531).await;
    let bucket = world.bucket("docs").await;
    let upload = world.upload(bucket, "key").await;
    world.rotate().await;
    let closed = Err(Conflict::KeyClosed { version: 1 });

    let row = tagged(world.bucket_row("more"), 1);
    assert_eq!(world.commit(Mutation::CreateBucket(row)).await, closed);
    let row = tagged(world.upload_row(bucket, "more"), 1);
    assert_eq!(world.commit(Mutation::CreateUpload(row)).await, closed);
    let segment = world.segment(world.node(), 0);
    assert_eq!(world.commit(Mutation::AppendAudit(segment)).await, closed);
    let name_key = Mutation::CreateNameKey(world.name_key_row(1));
    assert_eq!(world.commit(name_key).await, closed);

    // Each of the places where a version or part can name a key.
    let blob = world.blob();
    let put = |row_key, content_key, blob_key| {
        let mut content = world.in_blobs(&[blob]);
        content.key_version = content_key;
        let mut commit = world.put(bucket, "key", 1, content, &[]);
        commit.version = tagged(commit.version.row().clone(), row_key);
        commit.new_blobs = vec![blob_row(blob, blob_key)];
        commit_version(commit)
    };
    for keys in [(1, 2, 2), (2, 1, 2), (2, 2, 1)] {
        assert_eq!(
            world.commit(put(keys.0, keys.1, keys.2)).await,
            closed,
            "{keys:?}"
        );
    }
    let part = |row_key, record_key, blob_key| {
        let mut row = world.part_row(upload, 1, &[blob]);
        row.metadata[..192].copy_from_slice(&world.header(record_key));
        Mutation::PutPart {
            bucket,
            key: object_key("key"),
            part: tagged(row, row_key),
            new_blobs: vec![blob_row(blob, blob_key)],
            accounting: accounting(),
        }
    };
    for keys in [(1, 1, 2), (2, 1, 2), (2, 2, 1)] {
        assert_eq!(
            world.commit(part(keys.0, keys.1, keys.2)).await,
            closed,
            "{keys:?}"
        );
    }
    assert_eq!(store.blobs(world.org, &[blob]).await.expect("read"), []);
    assert_eq!(world.commit(part(2, 2, 2)).await, Ok(Effect::Done));
    let unknown = put(3, 2, 2);
    assert_eq!(
        world.commit(unknown).await,
        Err(Conflict::KeyClosed { version: 3 })
    );
}

pub(in crate::catalog) async fn a_key_goes_when_nothing_names_it(store: &dyn Store) {
    let world = World::empty(store, 541);
    let kinds = [
        RecordKind::Member,
        RecordKind::Task,
        RecordKind::SecretVersion,
    ];
    let records = kinds.map(|kind| tagged(world.record_row(kind), 1));
    world.create(records.into()).await.expect("no conflict");
    let bucket = world.bucket("docs").await;
    let upload = world.upload(bucket, "upload").await;
    let blobs: Vec<BlobId> = (0..4).map(|_| world.blob()).collect();
    world.part((bucket, "upload"), upload, 1, &blobs[..1]).await;
    for n in 0..5_u64 {
        world.object(bucket, &format!("inline-{n}"), 1).await;
    }
    for blob in &blobs[1..] {
        let commit = world.put(
            bucket,
            &blob.to_string(),
            1,
            world.in_blobs(&[*blob]),
            &[*blob],
        );
        world.done(commit_version(commit)).await;
    }
    let node = world.node();
    for number in 0..2 {
        world
            .done(Mutation::AppendAudit(world.segment(node, number)))
            .await;
    }
    // Three records, a bucket, eight versions and contents, four blobs, an upload, a part, two
    // segments and the name key.
    let named = store
        .named_by_key(world.org, 1, 1_000)
        .await
        .expect("a page");
    assert_eq!(named.len(), 3 + 1 + 8 + 8 + 4 + 1 + 1 + 2 + 1);
    assert_eq!(
        store
            .named_by_key(world.org, 1, 3)
            .await
            .expect("a page")
            .len(),
        3
    );
    assert_eq!(
        store
            .named_by_key(world.org, 2, 3)
            .await
            .expect("a page")
            .len(),
        0
    );

    let delete = || Mutation::DeleteKey { version: 1 };
    world.rotate().await;
    assert_eq!(world.commit(delete()).await, Err(Conflict::InUse));
    let before = world.contents_of(bucket).await;
    let mut rounds = 0;
    loop {
        let page = store.named_by_key(world.org, 1, 4).await.expect("a page");
        if page.is_empty() {
            break;
        }
        assert_eq!(world.commit(delete()).await, Err(Conflict::InUse));
        let rewraps: Vec<_> = page.iter().map(|named| world.rewrapped(named)).collect();
        let count = rewraps.len() as u32;
        // A page that is not rewrapped comes again.
        let again = store.named_by_key(world.org, 1, 4).await.expect("a page");
        assert_eq!(again.len(), page.len());
        let rewrapped = world.done(Mutation::Rewrap(rewraps)).await;
        assert_eq!(rewrapped, Effect::Rewrapped(count));
        let rewraps = page.iter().map(|named| world.rewrapped(named)).collect();
        let nothing = world.done(Mutation::Rewrap(rewraps)).await;
        assert_eq!(nothing, Effect::Rewrapped(0), "the old values are gone");
        rounds += 1;
    }
    assert_eq!(rounds, 8);
    let after = world.contents_of(bucket).await;
    assert_eq!(before.len(), after.len());
    for ((old_row, old), (row, new)) in before.iter().zip(&after) {
        assert_eq!(new.key_version, 2);
        assert_eq!(row.etag, [2; 32], "a resealed ETag");
        let mut same = row.clone();
        same.etag = old_row.etag;
        assert_eq!(same, *old_row);
        assert_eq!(old.metadata[192..], new.metadata[192..]);
        assert_eq!(new.metadata[64..68], 2_u32.to_be_bytes());
        match (&old.body, &new.body) {
            (Body::Inline(old), Body::Inline(new)) => {
                assert_eq!(old[192..], new[192..]);
                assert_eq!(new[64..68], 2_u32.to_be_bytes());
            }
            (old, new) => assert_eq!(old, new),
        }
    }
    let rows: Vec<BlobRow> = store.blobs(world.org, &blobs).await.expect("read");
    assert!(
        rows.iter()
            .all(|row| row.key_version == 2 && row.header == [2; 192])
    );
    let segments = store
        .audit_segments(world.org, node, 0, 10)
        .await
        .expect("read");
    assert!(segments.iter().all(|row| row.key_version == 2));
    assert_eq!(world.commit(delete()).await, Ok(Effect::Done));
    assert_eq!(store.org_keys(world.org).await.expect("keys").len(), 1);
}

pub(in crate::catalog) async fn a_rewrap_changes_nothing_else(store: &dyn Store) {
    let world = World::new(store, 551).await;
    let bucket = world.bucket("docs").await;
    world.object(bucket, "key", 1).await;
    let blob = world.blob();
    let commit = world.put(bucket, "blob", 1, world.in_blobs(&[blob]), &[blob]);
    world.done(commit_version(commit)).await;
    let key = object_key("key");
    let (row, content) = store
        .object(world.org, bucket, &key)
        .await
        .expect("read")
        .expect("an object");
    let (row, old) = (row.unverified().clone(), row.tag());

    // Under a key that is not there, or of another organization.
    let under = |version| {
        Mutation::Rewrap(vec![Rewrap::Version {
            old,
            new: tagged(row.clone(), version),
        }])
    };
    assert_eq!(
        world.commit(under(2)).await,
        Err(Conflict::KeyClosed { version: 2 })
    );
    let other = World::new(store, 552).await;
    assert_eq!(other.commit(under(1)).await, Err(Conflict::Missing));
    let of_platform = Mutation::Rewrap(vec![Rewrap::OrgKey {
        old: tagged(world.key_row(1, KeyState::Open, 1), 1).tag(),
        new: tagged(world.key_row(1, KeyState::Open, 1), 1),
    }]);
    assert_eq!(world.commit(of_platform).await, Err(Conflict::Missing));

    world.rotate().await;
    // What else the new row says is not written.
    let mut changed = row.clone();
    (changed.size, changed.modified_ms, changed.etag) = (9, 9, [9; 32]);
    let header = vec![2; 192];
    let of_content = |metadata_header: &[u8], body_header: Option<&[u8]>| Rewrap::Content {
        version: row.version,
        old_key_version: 1,
        metadata_header: metadata_header.to_vec(),
        body_header: body_header.map(<[u8]>::to_vec),
        key_version: 2,
    };
    let rewraps = vec![
        Rewrap::Version {
            old,
            new: tagged(changed.clone(), 2),
        },
        // No header of 192 bytes, and none for the body that there is.
        of_content(&header[1..], Some(&header)),
        of_content(&header, Some(&header[1..])),
        of_content(&header, None),
        Rewrap::Blob {
            blob,
            old_key_version: 2,
            header: header.clone(),
            key_version: 2,
        },
    ];
    assert_eq!(
        world.done(Mutation::Rewrap(rewraps)).await,
        Effect::Rewrapped(1)
    );
    let (read, held) = store
        .object(world.org, bucket, &key)
        .await
        .expect("read")
        .expect("an object");
    let mut expected = row;
    expected.etag = [9; 32];
    assert_eq!(read.unverified(), &expected);
    assert_eq!(read.tag(), tagged(changed, 2).tag());
    assert_eq!(held, content);
    assert_eq!(
        store.blobs(world.org, &[blob]).await.expect("read"),
        [blob_row(blob, 1)]
    );
}

/// Runs last: the platform's key is everybody's.
pub(in crate::catalog) async fn the_platforms_key_is_rotated(store: &dyn Store) {
    let platform = OrgId::PLATFORM;
    let world = World::new(store, 561).await;
    let of_platform = World {
        org: platform,
        ..World::empty(store, 563)
    };
    let account = tagged(of_platform.record_row(RecordKind::Account), 1);
    of_platform.insert(account.clone()).await;
    let credential = tagged(world.credential_row(1), 1);
    world.done(Mutation::CreateCredential(credential)).await;

    let two = tagged(key_row(platform, 2, KeyState::Open, 1), 2);
    assert_eq!(
        commit(store, platform, Mutation::AddKey(two)).await,
        Ok(Effect::Done)
    );
    let close = Mutation::ReplaceKey {
        old: tagged(key_row(platform, 1, KeyState::Open, 1), 1).tag(),
        new: tagged(key_row(platform, 1, KeyState::Closed, 2), 2),
    };
    assert_eq!(commit(store, platform, close).await, Ok(Effect::Done));
    let other = World::empty(store, 562);
    assert_eq!(
        other.create(Vec::new()).await,
        Err(Conflict::KeyClosed { version: 1 })
    );

    let organizations = store
        .organizations(None, 10_000)
        .await
        .expect("a page")
        .len();
    let (mut count, mut seen) = (0, 0);
    loop {
        let page = store.named_by_key(platform, 1, 50).await.expect("a page");
        if page.is_empty() {
            break;
        }
        let of_platform = |named: &&NamesKey| matches!(named, NamesKey::Organization(_));
        seen += page.iter().filter(of_platform).count();
        let rewraps = page.iter().map(|named| world.rewrapped(named)).collect();
        match commit(store, platform, Mutation::Rewrap(rewraps)).await {
            Ok(Effect::Rewrapped(done)) => {
                assert_eq!(done as usize, page.len());
                count += done as usize;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, organizations);
    assert!(
        count > 2 * organizations,
        "keys, credentials and accounts too"
    );
    let id = &account.row().id;
    let found = store.record(platform, RecordKind::Account, id).await;
    let found = found.expect("read").expect("the account");
    assert_eq!(found.tag().key_version, 2);
    let delete = Mutation::DeleteKey { version: 1 };
    assert_eq!(commit(store, platform, delete).await, Ok(Effect::Done));
    assert_eq!(store.org_keys(platform).await.expect("keys").len(), 1);
}
