use crate::{
    Error, Field, Id, Kek, Result,
    aead::{NONCE_LEN, TAG_LEN},
};

/// The row an ETag belongs to: under another bucket, version or organization it does not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EtagPlace {
    /// The bucket's identifier.
    pub bucket_id: Id,
    /// The internal version id, a UUIDv7. It gives the nonce, so **one version id has one ETag,
    /// for ever**: a changed ETag needs a new version id.
    pub version_id: Id,
}

impl Kek {
    /// Seals a 16-byte ETag for its row: 16 bytes of ciphertext and the tag.
    ///
    /// # Errors
    /// [`Error::Misuse`], which does not happen for 16 bytes.
    pub fn seal_etag(&self, place: &EtagPlace, etag: &[u8; 16]) -> Result<[u8; 32]> {
        let mut sealed = [0; 32];
        let (body, end) = sealed.split_at_mut(etag.len());
        body.copy_from_slice(etag);
        let tag = self
            .etag_cipher()
            .seal(&nonce(place), &self.etag_aad(place), body)
            .map_err(|_| Error::Misuse("an ETag has 16 bytes"))?;
        end.copy_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens a sealed ETag. The key schedule is cached, so a page of a thousand is cheap.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it is not this row's, or not 32 bytes.
    pub fn open_etag(&self, place: &EtagPlace, sealed: &[u8]) -> Result<[u8; 16]> {
        let damaged = Error::Damaged(Field::Etag);
        let (etag, tag) = sealed.split_first_chunk::<16>().ok_or(damaged)?;
        let tag: &[u8; TAG_LEN] = tag.try_into().map_err(|_| damaged)?;
        let mut etag = *etag;
        self.etag_cipher()
            .open(&nonce(place), &self.etag_aad(place), &mut etag, tag)
            .map_err(|_| damaged)?;
        Ok(etag)
    }

    fn etag_aad(&self, place: &EtagPlace) -> [u8; 48] {
        let mut aad = [0; 48];
        aad[..16].copy_from_slice(&self.org_id());
        aad[16..32].copy_from_slice(&place.bucket_id);
        aad[32..].copy_from_slice(&place.version_id);
        aad
    }
}

/// Bytes 4..16 of the version id: the low bits of its time and all that is random in it.
fn nonce(place: &EtagPlace) -> [u8; NONCE_LEN] {
    let [_, _, _, _, nonce @ ..] = place.version_id;
    nonce
}
