//! A blob's data key: wrapped in its header, and what follows from it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    Error, Field, Id, Kek, Kind, Place, Random, Result, Secret,
    aead::{Cipher, NONCE_LEN, NONCE_ZERO},
    header::{IDENTITY_LEN, WRAP_AAD_LEN},
    kdf::{Label, Prk},
    random::random_secret,
};

/// A customer's key (SSE-C): it takes part in the content keys, and nothing of it is stored.
pub struct CustomerKey(Secret<32>);

impl CustomerKey {
    /// The key from the request, already decoded and checked against its digest.
    pub fn new(key: Secret<32>) -> Self {
        Self(key)
    }
}

/// A blob's data key, fresh for every attempt to write.
pub(crate) struct Dek(Secret<32>);

/// What a data key gives, as the format orders it: commitment ‖ chunk key ‖ footer key ‖ nonce.
pub(crate) struct Content(Zeroizing<[u8; 108]>);

impl Dek {
    pub(crate) fn generate(random: &dyn Random) -> Result<Self> {
        Ok(Self(random_secret(random)?))
    }

    /// Seals the key with the wrap key of this very header.
    pub(crate) fn wrap(&self, kek: &Kek, kind: Kind, aad: &[u8; WRAP_AAD_LEN]) -> Result<[u8; 48]> {
        let mut wrapped = Zeroizing::new([0; 48]);
        let (key, end) = wrapped.split_at_mut(32);
        key.copy_from_slice(self.0.expose());
        let tag = wrap_cipher(kek, kind, aad)
            .seal(&NONCE_ZERO, aad, key)
            .map_err(|_| Error::Misuse("a data key has 32 bytes"))?;
        end.copy_from_slice(&tag);
        Ok(*wrapped)
    }

    /// Opens a wrapped key.
    pub(crate) fn unwrap(
        kek: &Kek,
        kind: Kind,
        aad: &[u8; WRAP_AAD_LEN],
        wrapped: &[u8; 48],
    ) -> Result<Self> {
        let damaged = Error::Damaged(Field::WrappedDek);
        let (sealed, tag) = wrapped.split_first_chunk::<32>().ok_or(damaged)?;
        let tag = tag.try_into().map_err(|_| damaged)?;
        let mut dek = Self(Secret::new(sealed));
        wrap_cipher(kek, kind, aad)
            .open(&NONCE_ZERO, aad, dek.0.as_mut(), tag)
            .map_err(|_| damaged)?;
        Ok(dek)
    }

    /// Derives the content keys of a blob, bound to its identity and place.
    pub(crate) fn content(
        &self,
        identity: &[u8; IDENTITY_LEN],
        place: &Place<'_>,
        org_id: &Id,
        customer_key: Option<&CustomerKey>,
    ) -> Result<Content> {
        let context = place.context(org_id)?;
        let context_len = u32::try_from(context.len())
            .map_err(|_| Error::Misuse("a context is shorter than 4 GiB"))?
            .to_be_bytes();
        let prk = match customer_key {
            None => Prk::new(self.0.expose()),
            Some(key) => Prk::new(&self.mix(key)),
        };
        Ok(Content(prk.expand(
            Label::CONTENT,
            [identity, &context_len, &context],
        )))
    }

    /// What takes the data key's place when a customer's key takes part.
    fn mix(&self, customer_key: &CustomerKey) -> Zeroizing<[u8; 32]> {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(self.0.expose()).expect("HMAC takes keys of any length");
        mac.update(Label::SSE_C.as_bytes());
        mac.update(customer_key.0.expose());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

impl Content {
    /// Of these 108 bytes the only ones that are no secret.
    pub(crate) fn commitment(&self) -> &[u8; 32] {
        self.0.first_chunk().expect("108 bytes")
    }

    pub(crate) fn chunk_key(&self) -> &[u8; 32] {
        self.part(32)
    }

    pub(crate) fn footer_key(&self) -> &[u8; 32] {
        self.part(64)
    }

    pub(crate) fn base_nonce(&self) -> &[u8; NONCE_LEN] {
        self.0.last_chunk().expect("108 bytes")
    }

    fn part(&self, at: usize) -> &[u8; 32] {
        self.0[at..]
            .first_chunk()
            .expect("108 bytes, asked at 32 and 64")
    }
}

fn wrap_cipher(kek: &Kek, kind: Kind, aad: &[u8; WRAP_AAD_LEN]) -> Cipher {
    Cipher::small(&kek.purpose(kind).expand(Label::WRAP, [aad, &[], &[]]))
}
