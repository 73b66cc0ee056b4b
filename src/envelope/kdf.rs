//! `E(key, label, info, n)`: HKDF-Expand-SHA256 (RFC 5869, section 2.3) with a label of our own.

use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

/// A key from which others are expanded. Its HMAC state is computed once, and wiped when dropped.
pub(crate) struct Prk(Hkdf<Sha256>);

/// What a derived key is for: the text before the zero byte in HKDF's info.
///
/// Purposes never share a key, so every use has a label of its own.
#[derive(Clone, Copy)]
pub(crate) struct Label(&'static str);

impl Label {
    pub(crate) const KEK_OBJECT: Self = Self("bulkhead/1/kek-object\0");
    pub(crate) const KEK_SECRET: Self = Self("bulkhead/1/kek-secret\0");
    pub(crate) const KEK_RECORD: Self = Self("bulkhead/1/kek-record\0");
    pub(crate) const KEK_ROW: Self = Self("bulkhead/1/kek-row\0");
    pub(crate) const KEK_ETAG: Self = Self("bulkhead/1/kek-etag\0");
    pub(crate) const KEK_CHECK: Self = Self("bulkhead/1/kek-check\0");
    pub(crate) const KEK_COMMIT: Self = Self("bulkhead/1/kek-commit\0");
    pub(crate) const ROOT_WRAP: Self = Self("bulkhead/1/root-wrap\0");
    pub(crate) const WRAP: Self = Self("bulkhead/1/wrap\0");
    pub(crate) const SHARE: Self = Self("bulkhead/1/share\0");
    pub(crate) const CONTENT: Self = Self("bulkhead/1/content\0");
    /// Not an expansion: the message of an HMAC over the customer's key begins with it.
    pub(crate) const SSE_C: Self = Self("bulkhead/1/sse-c\0");

    pub(crate) fn as_bytes(self) -> &'static [u8] {
        self.0.as_bytes()
    }
}

impl Prk {
    pub(crate) fn new(key: &[u8; 32]) -> Self {
        Self(Hkdf::from_prk(key).expect("32 bytes are the length of a SHA-256 key"))
    }

    /// Expands to `N` bytes; `info` is what is concatenated after the label.
    pub(crate) fn expand<const N: usize>(
        &self,
        label: Label,
        info: [&[u8]; 3],
    ) -> Zeroizing<[u8; N]> {
        const { assert!(N <= 255 * 32, "the limit of HKDF-Expand") };
        let [a, b, c] = info;
        let mut out = Zeroizing::new([0; N]);
        self.0
            .expand_multi_info(&[label.as_bytes(), a, b, c], out.as_mut_slice())
            .expect("the length is checked at compile time");
        out
    }
}
