//! Project Wycheproof's vectors, on each of the implementations that the envelope is built on: a
//! library that breaks under one of them must not be taken.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{AeadInOut, inout::InOutBuf},
};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha2::Sha256;
use wycheproof::TestResult;

#[test]
fn aes_256_gcm() {
    let set = wycheproof::aead::TestSet::load(wycheproof::aead::TestName::AesGcm).unwrap();
    let mut tried = 0;
    for group in set.test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            continue;
        }
        for test in group.tests {
            let valid = test.result != TestResult::Invalid;
            let key: [u8; 32] = test.key.as_ref().try_into().unwrap();
            let nonce: [u8; 12] = test.nonce.as_ref().try_into().unwrap();
            let tag: [u8; 16] = test.tag.as_ref().try_into().unwrap();
            tried += 1;

            let mut opened = test.ct.to_vec();
            let rust_crypto = Aes256Gcm::new(&key.into()).decrypt_inout_detached(
                &nonce.into(),
                &test.aad,
                InOutBuf::from(opened.as_mut_slice()),
                &tag.into(),
            );
            assert_eq!(
                rust_crypto.is_ok(),
                valid,
                "RustCrypto, case {}",
                test.tc_id
            );
            assert!(!valid || opened == test.pt.as_ref());

            let mut opened = [test.ct.as_ref(), &tag].concat();
            let ring_key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key).unwrap());
            let ring = ring_key.open_in_place(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(test.aad.as_ref()),
                &mut opened,
            );
            assert_eq!(ring.is_ok(), valid, "ring, case {}", test.tc_id);
            assert!(!valid || ring.unwrap() == test.pt.as_ref());
        }
    }
    assert!(
        tried > 60,
        "only {tried} cases fit AES-256-GCM as it is used"
    );
}

#[test]
fn hmac_sha256() {
    let set = wycheproof::mac::TestSet::load(wycheproof::mac::TestName::HmacSha256).unwrap();
    let mut tried = 0;
    for group in set.test_groups {
        for test in group.tests {
            let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&test.key).unwrap();
            mac.update(&test.msg);
            let valid = test.result != TestResult::Invalid;
            let verified = mac.verify_truncated_left(&test.tag).is_ok();
            assert_eq!(verified, valid, "case {}", test.tc_id);
            tried += 1;
        }
    }
    assert!(tried > 100, "only {tried} cases");
}

#[test]
fn hkdf_sha256() {
    let set = wycheproof::hkdf::TestSet::load(wycheproof::hkdf::TestName::HkdfSha256).unwrap();
    let mut tried = 0;
    for group in set.test_groups {
        for test in group.tests {
            let hkdf = Hkdf::<Sha256>::new(Some(&test.salt), &test.ikm);
            let mut okm = vec![0; test.size];
            let expanded = hkdf.expand(&test.info, &mut okm).is_ok();
            let valid = test.result != TestResult::Invalid;
            assert_eq!(expanded, valid, "case {}", test.tc_id);
            assert!(!valid || okm == test.okm.as_ref(), "case {}", test.tc_id);
            tried += 1;
        }
    }
    assert!(tried > 60, "only {tried} cases");
}
