use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{Extent, Extents, Random, Result, Secret, random::random_secret};

/// An organization's key for blind lookups: a name is found by its HMAC, without being readable.
///
/// It is random, of its own (no KEK gives it, so rotation keeps the lookups), and stored sealed
/// as a record. Wiped when dropped.
pub struct NameKey {
    key: Secret<32>,
    keyed: Box<Hmac<Sha256>>,
}

impl Extents for NameKey {
    fn extents(&self) -> Vec<Extent> {
        vec![Extent::of(self.key.expose()), Extent::of(&*self.keyed)]
    }
}

impl NameKey {
    /// A fresh random key.
    ///
    /// # Errors
    /// [`Error::RandomFailed`](crate::Error::RandomFailed).
    pub fn generate(random: &dyn Random) -> Result<Self> {
        Ok(Self::new(random_secret(random)?))
    }

    /// The key that an opened record holds.
    pub fn new(key: Secret<32>) -> Self {
        let keyed = Hmac::new_from_slice(key.expose()).expect("HMAC takes keys of any length");
        Self {
            key,
            keyed: Box::new(keyed),
        }
    }

    /// The key's bytes, to be sealed as a record.
    pub fn expose(&self) -> &[u8; 32] {
        self.key.expose()
    }

    /// The blind index of a name: `HMAC(name key, be32(len) ‖ kind ‖ be32(len) ‖ name)`. Names of
    /// two kinds never share an index.
    ///
    /// # Panics
    /// On a name of 4 GiB or more.
    pub fn index(&self, kind: &str, name: &[u8]) -> [u8; 32] {
        let mut mac = Hmac::clone(&self.keyed);
        for item in [kind.as_bytes(), name] {
            let len = u32::try_from(item.len()).expect("a name is shorter than 4 GiB");
            mac.update(&len.to_be_bytes());
            mac.update(item);
        }
        mac.finalize().into_bytes().into()
    }
}
