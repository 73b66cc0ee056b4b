//! AES-256-GCM twice: RustCrypto's for what is small, ring's for bodies.
//!
//! RustCrypto's key schedule is wiped when dropped, and it is the faster on 32 bytes. ring is two
//! to three times faster on chunks; **its key schedule cannot be wiped**, so a body's chunk key may
//! stay in freed memory. That key opens one blob alone, and neither the data key nor the
//! organization's key follows from it.

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{AeadInOut, inout::InOutBuf},
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use crate::Extent;

pub(crate) const TAG_LEN: usize = 16;
pub(crate) const NONCE_LEN: usize = 12;
/// For keys that seal one message only.
pub(crate) const NONCE_ZERO: [u8; NONCE_LEN] = [0; NONCE_LEN];

/// An AES-256-GCM key, used in place with the tag apart.
pub(crate) enum Cipher {
    /// Wiped when dropped: key wraps, footers, secrets, records, ETags.
    Small(Box<Aes256Gcm>),
    /// Fast, not wiped: bodies of objects and parts.
    Bulk(Box<LessSafeKey>),
}

/// The tag does not fit, or the message is longer than GCM allows.
pub(crate) struct Rejected;

impl Cipher {
    pub(crate) fn small(key: &[u8; 32]) -> Self {
        Self::Small(Box::new(Aes256Gcm::new(key.into())))
    }

    pub(crate) fn bulk(key: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, key).expect("32 bytes are an AES-256 key");
        Self::Bulk(Box::new(LessSafeKey::new(key)))
    }

    /// Where its key schedule lies.
    pub(crate) fn extent(&self) -> Extent {
        match self {
            Self::Small(key) => Extent::of(&**key),
            Self::Bulk(key) => Extent::of(&**key),
        }
    }

    pub(crate) fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
    ) -> Result<[u8; TAG_LEN], Rejected> {
        match self {
            Self::Small(key) => key
                .encrypt_inout_detached(nonce.into(), aad, InOutBuf::from(data))
                .map(Into::into)
                .map_err(|_| Rejected),
            Self::Bulk(key) => {
                let nonce = Nonce::assume_unique_for_key(*nonce);
                let tag = key
                    .seal_in_place_separate_tag(nonce, Aad::from(aad), data)
                    .map_err(|_| Rejected)?;
                tag.as_ref().try_into().map_err(|_| Rejected)
            }
        }
    }

    /// Opens in place. When it fails, `data` is zeroed: no unverified byte is left to be read.
    pub(crate) fn open(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        data: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), Rejected> {
        let opened = match self {
            Self::Small(key) => key
                .decrypt_inout_detached(nonce.into(), aad, InOutBuf::from(&mut *data), tag.into())
                .is_ok(),
            Self::Bulk(key) => {
                let nonce = Nonce::assume_unique_for_key(*nonce);
                let tag = (*tag).into();
                key.open_in_place_separate_tag(nonce, Aad::from(aad), tag, data, 0..)
                    .is_ok()
            }
        };
        if opened {
            Ok(())
        } else {
            data.fill(0);
            Err(Rejected)
        }
    }
}
