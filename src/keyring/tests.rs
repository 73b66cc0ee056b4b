use std::fs;
use std::os::unix::fs::PermissionsExt;

use envelope::Kek;
use names::{BucketId, BucketName, OrgId, VersionId};

use super::random::Chance;
use super::*;
use crate::catalog::{Authenticated, BucketRow, KeyState, RowTag, Unverified};
use crate::clock::Clock;
use crate::entropy::Entropy;

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
