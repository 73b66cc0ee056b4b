//! What was changed anywhere, cut anywhere, or moved elsewhere does not open.

use envelope::{
    ChunkSize, EtagPlace, Expected, HEADER_LEN, Header, Kek, Layout, NewBlob, Place, RecordPlace,
    RootKey, TRAILER_LEN, WrappedKek, open_record, open_whole, rewrap_record, seal_record,
    seal_whole, wrap_kek,
};

use crate::support::{Seeded, kek};

const BLOB_ID: [u8; 16] = [7; 16];
const FOOTER: &[u8] = &[0xa0];

fn chunk_size() -> ChunkSize {
    ChunkSize::from_log2(14).unwrap()
}

fn sealed_body(kek: &Kek, len: usize) -> Vec<u8> {
    let blob = NewBlob {
        place: Place::Object,
        blob_id: BLOB_ID,
        created_ms: 1_767_225_600_000,
        chunk_size: chunk_size(),
        customer_key: None,
    };
    let body: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
    seal_whole(kek, &blob, &body, FOOTER, &Seeded::new(len as u64)).unwrap()
}

fn expected(org: u8) -> Expected<'static> {
    Expected {
        org_id: [org; 16],
        place: Place::Object,
        blob_id: BLOB_ID,
        chunk_size: chunk_size(),
        commitment: None,
    }
}

fn record_place(org: u8) -> RecordPlace<'static> {
    RecordPlace {
        org_id: [org; 16],
        place: Place::Record {
            table: "grants",
            primary_key: &[b"one", b"two"],
            column: "pattern",
        },
    }
}

/// Changes one byte at a time, each in another way, and puts it back.
fn each_changed(bytes: &[u8], mut refused: impl FnMut(&[u8]) -> bool) {
    let mut changed = bytes.to_vec();
    for at in 0..bytes.len() {
        let mask = (at as u8).wrapping_mul(37) | 1;
        changed[at] ^= mask;
        assert!(
            refused(&changed),
            "byte {at} changed by {mask:#04x} went unnoticed"
        );
        changed[at] ^= mask;
    }
    assert!(!refused(&changed), "unchanged, it has to open");
}

#[test]
fn every_byte_of_a_blob_counts() {
    let kek = kek(1, 1);
    // Empty; one short chunk; a full chunk with an empty last one; two chunks.
    for len in [0, 1_000, 1 << 14, (1 << 14) + 1] {
        each_changed(&sealed_body(&kek, len), |blob| {
            open_whole(&kek, &expected(1), None, blob).is_err()
        });
    }
}

#[test]
fn every_byte_of_a_record_counts() {
    let kek = kek(1, 1);
    for len in [0, 252, 253] {
        let record = record_place(1);
        let sealed = seal_record(&kek, &record.place, 1, &vec![5; len], &Seeded::new(3)).unwrap();
        each_changed(&sealed, |sealed| match open_record(&kek, &record, sealed) {
            Err(_) => true,
            Ok(opened) => {
                assert_eq!(*opened, vec![5; len]);
                false
            }
        });
    }
}

#[test]
fn every_byte_of_a_wrapped_key_counts() {
    let random = Seeded::new(4);
    let root = RootKey::generate([9; 16], 2, &random).unwrap();
    let wrapped = wrap_kek(&root, &kek(1, 5), &random).unwrap();
    each_changed(&wrapped, |wrapped| {
        WrappedKek::parse(wrapped)
            .and_then(|wrapped| wrapped.unwrap(&root, [1; 16], 5))
            .is_err()
    });
    let wrapped = WrappedKek::parse(&wrapped).unwrap();
    assert!(wrapped.unwrap(&root, [1; 16], 6).is_err());
    assert!(wrapped.unwrap(&root, [2; 16], 5).is_err());
    let other_root = RootKey::generate([9; 16], 2, &random).unwrap();
    assert!(wrapped.unwrap(&other_root, [1; 16], 5).is_err());
}

#[test]
fn every_byte_of_a_sealed_etag_and_of_a_row_mac_counts() {
    let kek = kek(1, 1);
    let place = EtagPlace {
        bucket_id: [3; 16],
        version_id: [4; 16],
    };
    let sealed = kek.seal_etag(&place, &[8; 16]).unwrap();
    each_changed(&sealed, |sealed| kek.open_etag(&place, sealed).is_err());
    let mac = || kek.row_mac("grants").bytes(b"a").null().bytes(b"");
    each_changed(&mac().finish(), |stored| mac().verify(stored).is_err());
    for other in [
        kek.row_mac("grant").bytes(b"a").null().bytes(b""),
        kek.row_mac("grants").bytes(b"a").bytes(b"").null(),
        kek.row_mac("grants").bytes(b"a").null(),
        kek.row_mac("grants").null().bytes(b"a").bytes(b""),
    ] {
        assert!(other.verify(&mac().finish()).is_err());
    }
}

#[test]
fn a_cut_or_lengthened_blob_does_not_open() {
    let kek = kek(1, 1);
    let whole = sealed_body(&kek, 3 << 14);
    let layout = Layout::new(chunk_size(), 3 << 14).unwrap();
    let start = layout.footer_start() as usize;
    let tail = whole[start..].to_vec();
    let stride = chunk_size().stride();
    // At every border between chunks, with the true footer put behind the cut.
    for chunks in 0..4 {
        let mut cut = whole[..HEADER_LEN + chunks * stride].to_vec();
        assert!(open_whole(&kek, &expected(1), None, &cut).is_err());
        cut.extend_from_slice(&tail);
        assert!(open_whole(&kek, &expected(1), None, &cut).is_err());
    }
    // Two chunks in each other's place.
    let mut swapped = whole.clone();
    let (first, second) = swapped[HEADER_LEN..].split_at_mut(stride);
    first.swap_with_slice(&mut second[..stride]);
    assert!(open_whole(&kek, &expected(1), None, &swapped).is_err());
    for len in (0..HEADER_LEN + 32).chain(whole.len() - tail.len() - TRAILER_LEN..whole.len()) {
        assert!(open_whole(&kek, &expected(1), None, &whole[..len]).is_err());
    }
    let mut longer = whole.clone();
    longer.push(0);
    assert!(open_whole(&kek, &expected(1), None, &longer).is_err());
    assert!(open_whole(&kek, &expected(1), None, &whole).is_ok());
}

#[test]
fn no_organization_opens_what_is_anothers() {
    let organizations = [1, 2, 3, 4];
    let place = EtagPlace {
        bucket_id: [3; 16],
        version_id: [4; 16],
    };
    for a in organizations {
        let theirs = kek(a, 1);
        let body = sealed_body(&theirs, 100);
        let record =
            seal_record(&theirs, &record_place(a).place, 1, b"x", &Seeded::new(5)).unwrap();
        let etag = theirs.seal_etag(&place, &[8; 16]).unwrap();
        let mac = theirs.row_mac("grants").bytes(b"a").finish();
        for b in organizations {
            let ours = kek(b, 1);
            let same = a == b;
            // By the other's key, by the other's row, and by both.
            assert_eq!(open_whole(&ours, &expected(a), None, &body).is_ok(), same);
            assert_eq!(open_whole(&theirs, &expected(b), None, &body).is_ok(), same);
            assert_eq!(open_whole(&ours, &expected(b), None, &body).is_ok(), same);
            assert_eq!(open_record(&ours, &record_place(a), &record).is_ok(), same);
            assert_eq!(open_record(&ours, &record_place(b), &record).is_ok(), same);
            assert_eq!(ours.open_etag(&place, &etag).is_ok(), same);
            assert_eq!(
                ours.row_mac("grants").bytes(b"a").verify(&mac).is_ok(),
                same
            );
        }
    }
}

#[test]
fn a_blob_opens_only_as_what_its_row_says() {
    let kek = kek(1, 1);
    let blob = sealed_body(&kek, 10);
    let header = Header::parse(&blob[..HEADER_LEN]).unwrap();
    let commitment = header.commitment();
    let right = Expected {
        commitment: Some(&commitment),
        ..expected(1)
    };
    assert!(open_whole(&kek, &right, None, &blob).is_ok());
    for wrong in [
        Expected {
            place: Place::Part,
            ..right
        },
        Expected {
            blob_id: [8; 16],
            ..right
        },
        Expected {
            chunk_size: ChunkSize::DEFAULT,
            ..right
        },
        Expected {
            commitment: Some(&[0; 32]),
            ..right
        },
    ] {
        assert!(open_whole(&kek, &wrong, None, &blob).is_err());
    }
    // A record copied to another row or column.
    let record = record_place(1);
    let sealed = seal_record(&kek, &record.place, 1, b"x", &Seeded::new(5)).unwrap();
    for (table, primary_key, column) in [
        ("grant", [b"one".as_slice(), b"two"], "pattern"),
        ("grants", [b"one", b"tw"], "pattern"),
        ("grants", [b"onet", b"wo"], "pattern"),
        ("grants", [b"one", b"two"], "patter"),
    ] {
        let elsewhere = RecordPlace {
            place: Place::Record {
                table,
                primary_key: &primary_key,
                column,
            },
            ..record
        };
        assert!(open_record(&kek, &elsewhere, &sealed).is_err());
    }
}

#[test]
fn a_rewrap_moves_the_key_and_keeps_the_content() {
    let (old, new) = (kek(1, 1), kek(1, 2));
    let random = Seeded::new(6);
    let body = sealed_body(&old, 40_000);
    let header = Header::parse(&body[..HEADER_LEN]).unwrap();
    let rewrapped = header.rewrap(&old, &new, &expected(1), &random).unwrap();
    assert_eq!(rewrapped.as_bytes()[..64], header.as_bytes()[..64]);
    assert_eq!(rewrapped.commitment(), header.commitment());
    let moved = [rewrapped.as_bytes().as_slice(), &body[HEADER_LEN..]].concat();
    let (before, after) = (
        open_whole(&old, &expected(1), None, &body).unwrap(),
        open_whole(&new, &expected(1), None, &moved).unwrap(),
    );
    assert_eq!(*before.plaintext, *after.plaintext);
    assert!(open_whole(&old, &expected(1), None, &moved).is_err());
    assert!(open_whole(&new, &expected(1), None, &body).is_err());
    // Nothing damaged is wrapped anew, and nothing moves to another organization.
    let mut damaged = *header.as_bytes();
    damaged[150] ^= 1;
    let damaged = Header::parse(&damaged).unwrap();
    assert!(damaged.rewrap(&old, &new, &expected(1), &random).is_err());
    assert!(
        header
            .rewrap(&old, &kek(2, 1), &expected(1), &random)
            .is_err()
    );

    let record = record_place(1);
    let sealed = seal_record(&old, &record.place, 1, b"kept", &random).unwrap();
    let sealed = rewrap_record(&old, &new, &record, &sealed, &random).unwrap();
    assert_eq!(**open_record(&new, &record, &sealed).unwrap(), *b"kept");
    assert!(open_record(&old, &record, &sealed).is_err());
}
