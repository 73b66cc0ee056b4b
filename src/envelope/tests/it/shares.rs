//! What is sealed for the holder of a token.

use envelope::{Error, Field, Secret, SharePlace, open_with_token, seal_for_token};

const PLACE: SharePlace = SharePlace {
    org_id: [1; 16],
    link_id: [2; 16],
    secret_id: [3; 16],
};

#[test]
fn it_opens_with_its_token_at_its_place_alone() {
    let token = Secret::new(&[7; 32]);
    for plaintext in [&b""[..], b"one", &[9; 70_000]] {
        let sealed = seal_for_token(&token, &PLACE, plaintext).unwrap();
        assert_eq!(sealed.len(), plaintext.len() + 16);
        let opened = open_with_token(&token, &PLACE, &sealed).unwrap();
        assert_eq!(*opened, plaintext);
        let damaged = |place: &SharePlace, token: &Secret<32>, sealed: &[u8]| {
            matches!(
                open_with_token(token, place, sealed),
                Err(Error::Damaged(Field::Share))
            )
        };
        for at in [0, sealed.len() / 2, sealed.len() - 1] {
            let mut edited = sealed.clone();
            edited[at] ^= 1;
            assert!(damaged(&PLACE, &token, &edited));
        }
        assert!(damaged(&PLACE, &token, &sealed[..sealed.len() - 1]));
        assert!(damaged(&PLACE, &token, &sealed[..15]));
        assert!(damaged(&PLACE, &Secret::new(&[8; 32]), &sealed));
        let (mut org, mut link, mut secret) = (PLACE, PLACE, PLACE);
        org.org_id[15] ^= 1;
        link.link_id[0] ^= 1;
        secret.secret_id[0] ^= 1;
        for elsewhere in [org, link, secret] {
            assert!(damaged(&elsewhere, &token, &sealed));
        }
    }
}

/// Computed by another implementation (HMAC of Python's library and AES-GCM of OpenSSL), so that the
/// format stays what it is.
#[test]
fn a_sealed_share_is_of_these_bytes() {
    let sealed = seal_for_token(&Secret::new(&[7; 32]), &PLACE, b"one").unwrap();
    assert_eq!(
        hex::encode(sealed),
        "c4d3157fbab602b8992c5f2cf3c81ac37e381c"
    );
}
