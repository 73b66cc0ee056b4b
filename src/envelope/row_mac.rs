use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::{Error, Field, Id, Result};

/// The authentication code of one catalog row, field by field in schema order.
///
/// ```text
/// HMAC-SHA256(row key, be32(len) ‖ table ‖ be32(16) ‖ org_id ‖ field ‖ field ‖ …)
///     field = 00                      NULL
///           | 01 ‖ be32(len) ‖ bytes
/// ```
///
/// Made by [`Kek::row_mac`](crate::Kek::row_mac).
#[must_use]
pub struct RowMac(Hmac<Sha256>);

impl RowMac {
    pub(crate) fn begin(keyed: Hmac<Sha256>, table: &str, org_id: &Id) -> Self {
        let mut mac = Self(keyed);
        mac.item(table.as_bytes());
        mac.item(org_id);
        mac
    }

    /// Adds a field that is NULL.
    pub fn null(mut self) -> Self {
        self.add_null();
        self
    }

    /// Adds a field that holds bytes; no bytes are not NULL.
    ///
    /// # Panics
    /// On 4 GiB or more, which no database field holds.
    pub fn bytes(mut self, bytes: &[u8]) -> Self {
        self.add_bytes(bytes);
        self
    }

    /// [`null`](Self::null) in place: the state is several hundred bytes, and a page has many rows.
    pub fn add_null(&mut self) {
        self.0.update(&[0]);
    }

    /// [`bytes`](Self::bytes) in place.
    ///
    /// # Panics
    /// On 4 GiB or more, which no database field holds.
    pub fn add_bytes(&mut self, bytes: &[u8]) {
        let [a, b, c, d] = be32_len(bytes);
        self.0.update(&[1, a, b, c, d]);
        self.0.update(bytes);
    }

    /// Adds a field that may be NULL.
    pub fn field(self, field: Option<&[u8]>) -> Self {
        match field {
            None => self.null(),
            Some(bytes) => self.bytes(bytes),
        }
    }

    /// The code to store with the row.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into_bytes().into()
    }

    /// Compares with the stored code, in constant time.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the row is not the one that was written.
    pub fn verify(self, stored: &[u8]) -> Result<()> {
        if self.finish().ct_eq(stored).into() {
            Ok(())
        } else {
            Err(Error::Damaged(Field::RowMac))
        }
    }

    fn item(&mut self, bytes: &[u8]) {
        self.0.update(&be32_len(bytes));
        self.0.update(bytes);
    }
}

fn be32_len(bytes: &[u8]) -> [u8; 4] {
    let len = u32::try_from(bytes.len()).expect("a field is shorter than 4 GiB");
    len.to_be_bytes()
}
