use hmac::{Hmac, KeyInit};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::{
    Extent, Extents, Id, Kind, Random, Result, RowMac, Secret,
    aead::Cipher,
    kdf::{Label, Prk},
    random::random_secret,
};

/// One version of an organization's key, with the keys derived from it: what a keyring caches.
///
/// ```text
/// KEK ─┬─ object key ─┐
///      ├─ secret key ─┼─ wrap key, one per sealed blob
///      ├─ record key ─┘
///      ├─ row key     MAC over catalog rows
///      └─ ETag key    AES-256-GCM
/// ```
///
/// All are derived when it is made, so that a row's MAC or an ETag costs no derivation. All are
/// wiped when it is dropped.
pub struct Kek {
    org_id: Id,
    version: u32,
    key: Secret<32>,
    derived: Box<Derived>,
}

struct Derived {
    object: Prk,
    secret: Prk,
    record: Prk,
    row: Hmac<Sha256>,
    etag: Cipher,
    check: [u8; 8],
    commitment: [u8; 32],
}

impl Extents for Kek {
    fn extents(&self) -> Vec<Extent> {
        let Derived { etag, .. } = &*self.derived;
        let boxed = [Extent::of(self.key.expose()), Extent::of(&*self.derived)];
        boxed.into_iter().chain([etag.extent()]).collect()
    }
}

impl Kek {
    /// A fresh random key.
    ///
    /// # Errors
    /// [`Error::RandomFailed`](crate::Error::RandomFailed).
    pub fn generate(org_id: Id, version: u32, random: &dyn Random) -> Result<Self> {
        Ok(Self::from_secret(org_id, version, random_secret(random)?))
    }

    /// A key of known bytes, for test vectors. Keys come from [`generate`](Self::generate) or
    /// out of a wrapped record, nowhere else.
    pub fn danger_from_bytes(org_id: Id, version: u32, key: &[u8; 32]) -> Self {
        Self::from_secret(org_id, version, Secret::new(key))
    }

    pub(crate) fn from_secret(org_id: Id, version: u32, key: Secret<32>) -> Self {
        let root = Prk::new(key.expose());
        let version_bytes = version.to_be_bytes();
        let info: [&[u8]; 3] = [&org_id, &version_bytes, &[]];
        let purpose = |label| -> Zeroizing<[u8; 32]> { root.expand(label, info) };
        let derived = Box::new(Derived {
            object: Prk::new(&purpose(Label::KEK_OBJECT)),
            secret: Prk::new(&purpose(Label::KEK_SECRET)),
            record: Prk::new(&purpose(Label::KEK_RECORD)),
            row: Hmac::new_from_slice(purpose(Label::KEK_ROW).as_slice())
                .expect("HMAC takes keys of any length"),
            etag: Cipher::small(&purpose(Label::KEK_ETAG)),
            check: *root.expand(Label::KEK_CHECK, info),
            commitment: *root.expand(Label::KEK_COMMIT, info),
        });
        Self {
            org_id,
            version,
            key,
            derived,
        }
    }

    /// The organization whose key this is.
    pub fn org_id(&self) -> Id {
        self.org_id
    }

    /// Which of the organization's keys this is.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The key's bytes, for a provider that wraps them elsewhere (KMS, Transit).
    pub fn expose(&self) -> &[u8; 32] {
        self.key.expose()
    }

    /// Begins the authentication code of a row of `table`, under the row key.
    pub fn row_mac(&self, table: &str) -> RowMac {
        RowMac::begin(self.derived.row.clone(), table, &self.org_id)
    }

    /// The key from which the wrap keys of a kind are expanded.
    pub(crate) fn purpose(&self, kind: Kind) -> &Prk {
        match kind {
            Kind::Object | Kind::Part | Kind::Manifest | Kind::DeleteMarker => &self.derived.object,
            Kind::Secret => &self.derived.secret,
            Kind::Record => &self.derived.record,
        }
    }

    pub(crate) fn etag_cipher(&self) -> &Cipher {
        &self.derived.etag
    }

    /// Eight bytes that tell this key from another one before anything is unwrapped.
    pub(crate) fn check(&self) -> &[u8; 8] {
        &self.derived.check
    }

    pub(crate) fn check_matches(&self, check: &[u8; 8]) -> bool {
        self.derived.check.ct_eq(check).into()
    }

    pub(crate) fn commitment(&self) -> &[u8; 32] {
        &self.derived.commitment
    }

    pub(crate) fn commitment_matches(&self, commitment: &[u8; 32]) -> bool {
        self.derived.commitment.ct_eq(commitment).into()
    }
}
