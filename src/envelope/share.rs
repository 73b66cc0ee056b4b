//! What a share link holds, sealed under a key that follows from the link's token alone: whoever
//! has the organization's key, or the root, cannot open it.

use zeroize::Zeroizing;

use crate::{
    Error, Field, Id, Result, Secret,
    aead::{Cipher, NONCE_ZERO, TAG_LEN},
    kdf::{Label, Prk},
};

/// The link that something is sealed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SharePlace {
    /// Whose link it is.
    pub org_id: Id,
    /// Which link.
    pub link_id: Id,
    /// Which secret it shares.
    pub secret_id: Id,
}

/// Seals `plaintext`, which becomes a tag longer. A token is drawn for one link and seals one
/// thing: its key sees one nonce.
///
/// ```text
/// AES-256-GCM(E(token, "share", org ‖ link ‖ secret, 32), nonce 0^12, no additional data)
/// ```
///
/// # Errors
/// [`Error::Misuse`] beyond 64 GiB.
pub fn seal_for_token(token: &Secret<32>, place: &SharePlace, plaintext: &[u8]) -> Result<Vec<u8>> {
    let mut sealed = Vec::with_capacity(plaintext.len() + TAG_LEN);
    sealed.extend_from_slice(plaintext);
    let tag = cipher(token, place)
        .seal(&NONCE_ZERO, &[], &mut sealed)
        .map_err(|_| Error::Misuse("a shared secret has less than 64 GiB"))?;
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

/// Opens what [`seal_for_token`] sealed.
///
/// # Errors
/// [`Error::Damaged`] with another token, for another link, or when a byte is another.
pub fn open_with_token(
    token: &Secret<32>,
    place: &SharePlace,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>> {
    let damaged = Error::Damaged(Field::Share);
    let (body, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(damaged)?;
    let mut plaintext = Zeroizing::new(body.to_vec());
    cipher(token, place)
        .open(&NONCE_ZERO, &[], &mut plaintext, tag)
        .map_err(|_| damaged)?;
    Ok(plaintext)
}

fn cipher(token: &Secret<32>, place: &SharePlace) -> Cipher {
    let SharePlace {
        org_id,
        link_id,
        secret_id,
    } = place;
    let key = Prk::new(token.expose()).expand::<32>(Label::SHARE, [org_id, link_id, secret_id]);
    Cipher::small(&key)
}
