//! The chunk layer, for sealer and opener alike: C2SP chunked-encryption in raw mode.

use crate::{
    Kind,
    aead::{Cipher, NONCE_LEN},
    dek::Content,
    header::IDENTITY_LEN,
    layout::Layout,
};

/// A blob's verified content keys.
pub(crate) struct ContentKeys {
    pub(crate) chunk: Cipher,
    pub(crate) footer: Cipher,
    base_nonce: [u8; NONCE_LEN],
    identity: [u8; IDENTITY_LEN],
}

impl ContentKeys {
    pub(crate) fn new(kind: Kind, content: &Content, identity: [u8; IDENTITY_LEN]) -> Self {
        let chunk = if kind.hides_length() {
            Cipher::small(content.chunk_key())
        } else {
            Cipher::bulk(content.chunk_key())
        };
        Self {
            chunk,
            footer: Cipher::small(content.footer_key()),
            base_nonce: *content.base_nonce(),
            identity,
        }
    }

    /// Base nonce XOR be96(index). Indices stay below 2^32, so no two chunks share one.
    pub(crate) fn nonce(&self, index: u64) -> [u8; NONCE_LEN] {
        let mut nonce = self.base_nonce;
        for (byte, index) in nonce[4..].iter_mut().zip(index.to_be_bytes()) {
            *byte ^= index;
        }
        nonce
    }

    /// The footer's additional data: identity ‖ be64(chunks) ‖ be64(plaintext length).
    pub(crate) fn footer_aad(&self, layout: &Layout) -> [u8; IDENTITY_LEN + 16] {
        let mut aad = [0; IDENTITY_LEN + 16];
        aad[..64].copy_from_slice(&self.identity);
        aad[64..72].copy_from_slice(&layout.chunks().to_be_bytes());
        aad[72..].copy_from_slice(&layout.plaintext_len().to_be_bytes());
        aad
    }
}
