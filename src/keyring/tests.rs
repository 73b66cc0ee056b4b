use std::fs;
use std::os::unix::fs::PermissionsExt;

use envelope::{Extent, Extents, Kek};
use names::{BucketId, BucketName, OrgId, VersionId};

use super::locked::Pages;
use super::random::Chance;
use super::*;
use crate::catalog::{
    Authenticated, BucketRow, Class, KeyState, RecordKind, RecordRow, RowTag, Unverified,
};
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::ops::fixture::Place;

fn keys(org: u8, versions: std::ops::RangeInclusive<u32>) -> OrgKeys {
    let org = OrgId::from_bytes([org; 16]);
    // From one seed for each version, so that two rings of one organization hold the same keys.
    let keks = versions
        .map(|version| {
            let entropy = Entropy::danger_seeded(u64::from(version));
            let kek = Kek::generate(*org.bytes(), version, &Chance(&entropy)).unwrap();
            (kek, KeyState::Open)
        })
        .collect();
    let (clock, _hand) = Clock::manual(1_767_225_600_000);
    OrgKeys::new(org, keks, clock, Entropy::danger_seeded(0)).unwrap()
}

fn bucket(org: u8) -> BucketRow {
    BucketRow {
        org: OrgId::from_bytes([org; 16]),
        name: BucketName::parse("docs").unwrap(),
        bucket: BucketId::from_bytes([3; 16]),
        created_ms: 5,
        sequence: 1,
    }
}

fn stored(row: &Authenticated<BucketRow>) -> Unverified<BucketRow> {
    Unverified::new(row.row().clone(), row.tag())
}

#[test]
fn a_row_is_believed_only_as_it_was_written() {
    let keys = keys(1, 1..=1);
    let row = keys.authenticate(bucket(1)).unwrap();
    assert_eq!(keys.verify(stored(&row)), Ok(bucket(1)));
    let changed = [
        BucketRow {
            name: BucketName::parse("dogs").unwrap(),
            ..bucket(1)
        },
        BucketRow {
            bucket: BucketId::from_bytes([4; 16]),
            ..bucket(1)
        },
        BucketRow {
            created_ms: 6,
            ..bucket(1)
        },
        BucketRow {
            sequence: 2,
            ..bucket(1)
        },
    ];
    for changed in changed {
        let refused = keys.verify(Unverified::new(changed, row.tag()));
        assert!(matches!(refused, Err(RowRefused::Envelope(_))));
    }
}

#[test]
fn a_row_of_another_organization_is_refused_whatever_it_claims() {
    let (ours, theirs) = (keys(1, 1..=1), keys(2, 1..=1));
    let row = theirs.authenticate(bucket(2)).unwrap();
    // As it is; and with our organization written into it.
    assert_eq!(
        ours.verify(stored(&row)),
        Err(RowRefused::Foreign { table: "buckets" })
    );
    assert!(ours.verify(Unverified::new(bucket(1), row.tag())).is_err());
    assert!(ours.authenticate(bucket(2)).is_err());
}

#[test]
fn a_version_of_the_key_that_is_gone_opens_nothing() {
    let (before, both, after) = (keys(1, 1..=1), keys(1, 1..=2), keys(1, 2..=2));
    let record = Record {
        table: "buckets",
        primary_key: &[b"docs"],
        column: "notes",
    };
    let row = before.authenticate(bucket(1)).unwrap();
    let sealed = before.seal_record(record, b"kept").unwrap();
    assert_eq!(both.verify(stored(&row)), Ok(bucket(1)));
    assert_eq!(**both.open_record(record, &sealed).unwrap(), *b"kept");
    assert_eq!(
        after.verify(stored(&row)),
        Err(RowRefused::NoKey { version: 1 })
    );
    assert!(after.open_record(record, &sealed).is_err());
    // A tag that only claims the version that is there.
    let claimed = RowTag {
        key_version: 2,
        ..row.tag()
    };
    assert!(after.verify(Unverified::new(bucket(1), claimed)).is_err());

    let moved = both.rewrap_record(record, &sealed).unwrap();
    assert_eq!(**after.open_record(record, &moved).unwrap(), *b"kept");
    assert_eq!(both.authenticate(bucket(1)).unwrap().tag().key_version, 2);
}

#[test]
fn records_and_etags_are_bound_to_their_places() {
    let keys = keys(1, 1..=1);
    let record = Record {
        table: "contents",
        primary_key: &[b"a", b"b"],
        column: "metadata",
    };
    let sealed = keys.seal_record(record, b"private").unwrap();
    assert!(keys.open_record(record, &sealed).is_ok());
    let other_row = Record {
        primary_key: &[b"ab", b""],
        ..record
    };
    assert!(keys.open_record(other_row, &sealed).is_err());
    assert!(keys.open_record(record, &sealed[..100]).is_err());

    let (bucket, version) = (
        BucketId::from_bytes([3; 16]),
        VersionId::from_bytes([4; 16]),
    );
    let etag = keys.seal_etag(bucket, version, &[8; 16]).unwrap();
    assert_eq!(keys.open_etag(bucket, version, 1, &etag), Ok([8; 16]));
    let elsewhere = VersionId::from_bytes([5; 16]);
    assert!(keys.open_etag(bucket, elsewhere, 1, &etag).is_err());
}

fn draft(kind: RecordKind) -> RecordDraft {
    RecordDraft {
        kind,
        id: [7; 16],
        parent: Some([8; 16]),
        lookup: Some([9; 32]),
        state: 1,
        created_ms: 5,
        expires_ms: Some(6),
        sequence: 1,
    }
}

/// As the database has it.
fn kept(record: &Authenticated<RecordRow>) -> Unverified<RecordRow> {
    Unverified::new(record.row().clone(), record.tag())
}

/// Every kind in turn, under the keys of whom it stands.
fn each_kind() -> impl Iterator<Item = (RecordKind, OrgKeys)> {
    RecordKind::ALL.into_iter().map(|kind| {
        let acme = keys(1, 1..=1);
        let keys = match kind.stands_in(acme.org()) {
            true => acme,
            false => keys(0, 1..=1),
        };
        (kind, keys)
    })
}

#[test]
fn a_record_is_opened_as_it_was_sealed_and_as_nothing_else() {
    for (kind, keys) in each_kind() {
        let record = keys.seal_row(draft(kind), b"private").unwrap();
        let (row, bytes) = keys.open_row(kept(&record)).unwrap();
        assert_eq!((&row, bytes.as_slice()), (record.row(), &b"private"[..]));
        let next = RecordDraft::after(&row);
        let expected = RecordDraft {
            sequence: 2,
            ..draft(kind)
        };
        assert_eq!(next, expected);

        let another = match kind {
            RecordKind::Task => RecordKind::Ledger,
            _ => RecordKind::Task,
        };
        let changes: [&dyn Fn(&mut RecordRow); 11] = [
            &|row| row.kind = another,
            &|row| row.id[0] ^= 1,
            &|row| row.parent = None,
            &|row| row.parent = Some([9; 16]),
            &|row| row.lookup = None,
            &|row| row.lookup = Some([8; 32]),
            &|row| row.state += 1,
            &|row| row.created_ms += 1,
            &|row| row.expires_ms = None,
            &|row| row.sequence += 1,
            &|row| row.sealed[200] ^= 1,
        ];
        for (n, change) in changes.into_iter().enumerate() {
            let mut row = record.row().clone();
            change(&mut row);
            let refused = keys.open_row(Unverified::new(row, record.tag()));
            assert!(refused.is_err(), "{kind}: change {n}");
        }
    }
}

/// What is sealed does not open at another place, not even under a MAC that vouches for it there.
#[test]
fn a_record_opens_at_its_place_alone() {
    for (kind, keys) in each_kind() {
        let record = keys.seal_row(draft(kind), b"private").unwrap();
        let vouched = |change: &dyn Fn(&mut RecordRow)| {
            let mut row = record.row().clone();
            change(&mut row);
            keys.open_row(kept(&keys.authenticate(row).unwrap()))
        };
        assert!(vouched(&|row| row.state = 9).is_ok(), "{kind}");
        let is_version = kind == RecordKind::SecretVersion;
        assert!(vouched(&|row| row.id[15] ^= 1).is_err(), "{kind}");
        for other in RecordKind::ALL.into_iter().filter(|other| *other != kind) {
            assert!(vouched(&|row| row.kind = other).is_err(), "{kind} {other}");
        }
        // To the secret that it is a version of, a version is bound; to its parent no other kind.
        let elsewhere = vouched(&|row| row.parent = Some([4; 16]));
        assert_eq!(elsewhere.is_err(), is_version, "{kind}");
        let orphan = vouched(&|row| row.parent = None);
        assert_eq!(orphan.is_err(), is_version, "{kind}");
    }
}

#[test]
fn a_record_of_another_organization_does_not_open() {
    let (ours, theirs) = (keys(1, 1..=1), keys(2, 1..=1));
    for kind in [RecordKind::Member, RecordKind::SecretVersion] {
        let record = theirs.seal_row(draft(kind), b"private").unwrap();
        let foreign = RowRefused::Foreign { table: "records" };
        assert_eq!(ours.open_row(kept(&record)).err(), Some(foreign));
        let mut claimed = record.row().clone();
        claimed.org = ours.org();
        let as_ours = Unverified::new(claimed.clone(), record.tag());
        assert!(ours.open_row(as_ours).is_err());
        let vouched = ours.authenticate(claimed).unwrap();
        assert!(ours.open_row(kept(&vouched)).is_err());
    }
    // What is the platform's is sealed by nobody else, and the other way round.
    let platform = keys(0, 1..=1);
    let foreign = Some(RowRefused::Foreign { table: "records" });
    let account = ours.seal_row(draft(RecordKind::Account), b"");
    assert_eq!(account.err(), foreign);
    let member = platform.seal_row(draft(RecordKind::Member), b"");
    assert_eq!(member.err(), foreign);
    let orphan = RecordDraft {
        parent: None,
        ..draft(RecordKind::SecretVersion)
    };
    let refused = ours.seal_row(orphan, b"").err();
    assert_eq!(refused, Some(RowRefused::NoSecret));
}

#[test]
fn a_record_moves_to_the_newest_key_as_it_is() {
    let (before, both, after) = (keys(1, 1..=1), keys(1, 1..=2), keys(1, 2..=2));
    for kind in [RecordKind::Grant, RecordKind::SecretVersion] {
        let record = before.seal_row(draft(kind), b"private").unwrap();
        assert!(after.open_row(kept(&record)).is_err());
        let (old, moved) = both.rewrap_row(kept(&record)).unwrap();
        assert_eq!((old, moved.tag().key_version), (record.tag(), 2));
        let (row, bytes) = after.open_row(kept(&moved)).unwrap();
        assert_eq!(bytes.as_slice(), b"private");
        let sealed = record.row().sealed.clone();
        assert_eq!(row.sealed[192..], sealed[192..], "only its header is new");
        assert_eq!(RecordRow { sealed, ..row }, *record.row());
        // A rotation makes nothing authentic that was not.
        let mut altered = record.row().clone();
        altered.state = 2;
        assert!(
            both.rewrap_row(Unverified::new(altered, record.tag()))
                .is_err()
        );
    }
}

#[test]
fn a_record_is_sealed_anew_under_a_data_key_that_the_old_key_never_wrapped() {
    let (before, both, after) = (keys(1, 1..=1), keys(1, 1..=2), keys(1, 2..=2));
    // All of them draw from one seed; these must not draw the same again.
    let drawn = both.seal_row(draft(RecordKind::Grant), b"");
    assert!(drawn.is_ok());
    for kind in [RecordKind::Grant, RecordKind::SecretVersion] {
        let record = before.seal_row(draft(kind), b"private").unwrap();
        let (old, moved) = both.reseal_row(kept(&record)).unwrap();
        assert_eq!((old, moved.tag().key_version), (record.tag(), 2));
        let (row, bytes) = after.open_row(kept(&moved)).unwrap();
        assert_eq!(bytes.as_slice(), b"private");
        let sealed = record.row().sealed.clone();
        assert_ne!(row.sealed[32..48], sealed[32..48], "its identity");
        assert_ne!(row.sealed[160..192], sealed[160..192], "its commitment");
        assert_ne!(row.sealed[192..], sealed[192..], "its bytes");
        assert_eq!(RecordRow { sealed, ..row }, *record.row());
        let mut altered = record.row().clone();
        altered.state = 2;
        let altered = Unverified::new(altered, record.tag());
        assert!(both.reseal_row(altered).is_err());
    }
    let record = Record {
        table: "contents",
        primary_key: &[b"a", b"b"],
        column: "metadata",
    };
    let sealed = before.seal_record(record, b"kept").unwrap();
    let anew = both.reseal_record(record, &sealed).unwrap();
    assert_ne!(anew[192..], sealed[192..]);
    assert_eq!(**after.open_record(record, &anew).unwrap(), *b"kept");
    let mut damaged = sealed;
    damaged[200] ^= 1;
    assert!(both.reseal_record(record, &damaged).is_err());
}

#[tokio::test]
async fn blind_names_are_an_organizations_own_and_outlive_its_keys() {
    let world = Place::new().start().await;
    let (acme, other) = (
        world.organization("acme").await.org,
        world.organization("other").await.org,
    );
    let names = async |org| {
        let job = world.jobs.open(org, "test");
        world.keyring.names_for_job(&job).await.unwrap()
    };
    let before = names(acme).await.lookup("secret", b"prod/database");
    let platform = world.keyring.platform_lookup("secret", b"prod/database");
    for another in [
        names(acme).await.lookup("secret", b"prod/data"),
        names(acme).await.lookup("agent", b"prod/database"),
        names(other).await.lookup("secret", b"prod/database"),
        platform.await.unwrap(),
    ] {
        assert_ne!(another, before);
    }
    let again = world.keyring.platform_lookup("access-key", b"BKTEST").await;
    let id = names::AccessKeyId::parse("BKTEST").unwrap();
    let as_access_key = world.keyring.access_key_lookup(&id).await;
    assert_eq!(again.unwrap(), as_access_key.unwrap());

    // Kept as long as the keys are, and dropped with them.
    world.store.poll().await.unwrap();
    let held = names(acme).await;
    assert!(std::sync::Arc::ptr_eq(&held, &names(acme).await), "kept");
    assert_eq!(std::sync::Arc::strong_count(&held), 2);
    world.keyring.forget(acme);
    assert_eq!(std::sync::Arc::strong_count(&held), 1);
    let held = names(acme).await;
    world.store.coherence().changed(acme, Class::Secrets);
    world.keyring.tend().await;
    assert_eq!(std::sync::Arc::strong_count(&held), 2, "no right changed");
    world.store.coherence().changed(acme, Class::Rights);
    world.keyring.tend().await;
    assert_eq!(std::sync::Arc::strong_count(&held), 1);

    let job = world.jobs.open(acme, "test");
    world.keyring.add_version(&job).await.unwrap();
    world.keyring.close_version(&job, 1).await.unwrap();
    assert_eq!(names(acme).await.lookup("secret", b"prod/database"), before);
    let nobody = world.jobs.open(OrgId::from_bytes([9; 16]), "test");
    let refused = world.keyring.names_for_job(&nobody).await.err();
    assert!(matches!(refused, Some(KeyringError::NoKey)), "{refused:?}");
}

#[test]
fn only_open_versions_seal_and_closed_ones_still_open() {
    let ring = |states: [KeyState; 3]| {
        let org = OrgId::from_bytes([1; 16]);
        let keks = std::iter::zip(1.., states).map(|(version, state)| {
            let entropy = Entropy::danger_seeded(u64::from(version));
            let kek = Kek::generate(*org.bytes(), version, &Chance(&entropy)).unwrap();
            (kek, state)
        });
        let (clock, _hand) = Clock::manual(0);
        OrgKeys::new(org, keks.collect(), clock, Entropy::danger_seeded(0))
    };
    use KeyState::{Closed, Open};
    let (all, middle) = (
        ring([Open; 3]).unwrap(),
        ring([Closed, Open, Closed]).unwrap(),
    );
    assert_eq!((all.newest_version(), middle.newest_version()), (3, 2));
    let row = all.authenticate(bucket(1)).unwrap();
    assert_eq!(row.tag().key_version, 3);
    assert_eq!(middle.verify(stored(&row)), Ok(bucket(1)));
    assert_eq!(middle.authenticate(bucket(1)).unwrap().tag().key_version, 2);
    assert!(ring([Closed; 3]).is_none(), "nothing could be written");
}

#[test]
fn a_text_is_bound_to_its_kind_and_its_key() {
    let keys = keys(1, 1..=2);
    let tag = keys.authenticate_text("lines", b"text");
    assert_eq!(keys.verify_text("lines", b"text", tag), Ok(()));
    assert!(keys.verify_text("lines", b"next", tag).is_err());
    assert!(keys.verify_text("other", b"text", tag).is_err());
    let older = RowTag {
        key_version: 1,
        ..tag
    };
    assert!(keys.verify_text("lines", b"text", older).is_err());
}

#[test]
fn keys_of_two_organizations_make_no_ring() {
    let entropy = Entropy::danger_seeded(1);
    let kek = Kek::generate([2; 16], 1, &Chance(&entropy)).unwrap();
    let (clock, _hand) = Clock::manual(0);
    let ours = OrgId::from_bytes([1; 16]);
    assert!(
        OrgKeys::new(
            ours,
            vec![(kek, KeyState::Open)],
            clock.clone(),
            entropy.clone()
        )
        .is_none()
    );
    assert!(OrgKeys::new(ours, vec![], clock, entropy).is_none());
}

#[test]
fn a_root_file_is_made_once_found_again_and_rotated() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.key");
    let entropy = Entropy::danger_seeded(2);
    let mut made = RootFile::create(&path, &entropy).unwrap();
    assert!(
        RootFile::create(&path, &entropy).is_err(),
        "never overwritten"
    );
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);

    let found = RootFile::open(&path).unwrap();
    assert_eq!(found.id(), made.id());
    assert_eq!(found.newest().expose(), made.newest().expose());

    assert_eq!(made.rotate(&entropy).unwrap(), 2);
    let found = RootFile::open(&path).unwrap();
    assert_eq!(found.versions().collect::<Vec<_>>(), [1, 2]);
    assert_ne!(found.newest().expose(), found.version(1).unwrap().expose());

    let old = hex::encode(found.version(1).unwrap().expose());
    assert!(fs::read_to_string(&path).unwrap().contains(&old));
    assert!(made.danger_destroy(2).is_err(), "the newest stays");
    assert!(made.danger_destroy(1).unwrap());
    assert!(!made.danger_destroy(1).unwrap());
    assert!(!fs::read_to_string(&path).unwrap().contains(&old));
    let found = RootFile::open(&path).unwrap();
    assert_eq!(found.versions().collect::<Vec<_>>(), [2]);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600, "also after it was replaced");
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        1,
        "nothing is left beside it"
    );
}

#[test]
fn a_root_file_that_is_exposed_or_damaged_is_refused_without_quoting_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("root.key");
    let root = RootFile::create(&path, &Entropy::danger_seeded(3)).unwrap();
    let key = hex::encode(root.newest().expose());
    let text = fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("version = 1", "version = one"),
        ("version = 1", "version = 1\nname = \"x\""),
        (key.as_str(), &key[1..]),
        (key.as_str(), "zz"),
        ("[[keys]]", "[[other]]"),
        ("id = \"", "id = \"x"),
    ] {
        fs::write(&path, text.replace(from, to)).unwrap();
        let error = RootFile::open(&path).err().expect(to);
        let shown = format!("{error} {error:?}");
        assert!(matches!(error, RootFileError::Damaged { .. }), "{shown}");
        assert!(!shown.contains(&key[1..20]), "the key is quoted: {shown}");
    }
    fs::write(&path, &text).unwrap();
    assert!(RootFile::open(&path).is_ok());
    for mode in [0o640, 0o604, 0o620] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let refused = RootFile::open(&path).err();
        assert!(matches!(refused, Some(RootFileError::Exposed { .. })));
    }
}

#[test]
fn a_page_is_locked_while_a_key_lies_on_it() {
    let size = region::page::size();
    let memory = vec![0_u8; 4 * size];
    // A page of which nobody else has a byte.
    let page = memory.as_ptr().align_offset(size) + size;
    let lock = |from: usize, bytes: usize| {
        let extent = Extent::of(&memory[page + from..page + from + bytes]);
        Pages::lock(&[extent, extent])
    };
    let is_locked = || is_locked(memory[page..].as_ptr().addr());
    assert!(!is_locked());
    let (one, other) = (lock(0, 32), lock(size - 1, 2));
    assert!(is_locked());
    drop(one);
    assert!(is_locked());
    drop(other);
    assert!(!is_locked());
    // Where nothing is, nothing can be locked.
    let nowhere = Extent {
        address: size,
        len: 1,
    };
    drop(Pages::lock(&[nowhere]));
}

#[tokio::test]
async fn keys_are_locked_into_memory() {
    let place = Place::new();
    let path = place.root_path().with_extension("locked");
    let root = RootFile::create(&path, &Entropy::danger_seeded(1)).unwrap();
    let read = RootFile::open(&path).unwrap();
    let roots = [&root, &read].map(|root| (root.newest().expose(), root.newest().extents()));
    for (key, extents) in roots {
        let address = key.as_ptr().addr();
        let holds = |one: &Extent| (one.address..one.address + one.len).contains(&address);
        assert!(extents.iter().any(holds) && extents.iter().all(is_whole_locked));
    }
    let keys = keys(1, 1..=3);
    assert_eq!(keys.extents().len(), 9);
    assert!(keys.extents().iter().all(is_whole_locked));
    let world = place.start().await;
    let org = world.organization("acme").await.org;
    let job = world.jobs.open(org, "test");
    let names = world.keyring.names_for_job(&job).await.unwrap();
    assert!(names.extents().iter().all(is_whole_locked));
}

fn is_whole_locked(extent: &Extent) -> bool {
    is_locked(extent.address) && is_locked(extent.address + extent.len - 1)
}

/// Whether the system says that it keeps the page of an address out of swap (proc(5), `smaps`).
fn is_locked(address: usize) -> bool {
    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    let mut is_here = false;
    for line in maps.lines() {
        let range = line
            .split(' ')
            .next()
            .and_then(|range| range.split_once('-'));
        let number = |text| usize::from_str_radix(text, 16).ok();
        if let Some((from, to)) = range.and_then(|(from, to)| Some((number(from)?, number(to)?))) {
            is_here = (from..to).contains(&address);
        }
        if is_here && let Some(flags) = line.strip_prefix("VmFlags:") {
            return flags.split(' ').any(|flag| flag == "lo");
        }
    }
    panic!("no mapping of {address:x}");
}
