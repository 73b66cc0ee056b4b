use names::OrgId;

/// A row that decides a right, a key, or what is current, and therefore carries a MAC.
///
/// ENVELOPE.md, rule 5: HMAC-SHA256 over the table and the organization, then every field in the
/// order given here. Adding, dropping or re-ordering a field makes every old row invalid.
pub trait Row: Clone + Send + Sync + 'static {
    /// The table's name, the first thing that the MAC covers.
    const TABLE: &'static str;

    /// Under whose row key the row stands. Rows about organizations, credentials and wrapped keys
    /// stand under the platform's.
    fn authority(&self) -> OrgId;

    /// Gives every field to `fields`, in schema order.
    fn fields(&self, fields: &mut dyn FieldSink);
}

/// Takes the fields of a row one by one.
pub trait FieldSink {
    /// A field that has no value.
    fn null(&mut self);
    /// A field of bytes or text.
    fn bytes(&mut self, value: &[u8]);
    /// A number, as eight bytes, big-endian.
    fn number(&mut self, value: u64) {
        self.bytes(&value.to_be_bytes());
    }
}

/// The MAC of a row and the version of the organization's key that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowTag {
    /// The version of the key whose row key made the MAC.
    pub key_version: u32,
    /// HMAC-SHA256, 32 bytes.
    pub mac: [u8; 32],
}

/// A row with the MAC that its authority put on it: what a mutation takes.
///
/// Only `keyring` makes one.
#[derive(Debug, Clone)]
pub struct Authenticated<R> {
    row: R,
    tag: RowTag,
}

impl<R: Row> Authenticated<R> {
    /// States that `tag` was computed over `row`.
    pub fn new(row: R, tag: RowTag) -> Self {
        Self { row, tag }
    }

    /// The row.
    pub fn row(&self) -> &R {
        &self.row
    }

    /// Its MAC.
    pub fn tag(&self) -> RowTag {
        self.tag
    }
}

/// A row as the database returned it: nothing in it may be believed before `keyring` has verified
/// its MAC and returned the `R`.
#[derive(Debug, Clone)]
pub struct Unverified<R> {
    row: R,
    tag: RowTag,
}

impl<R: Row> Unverified<R> {
    /// Takes a row and its MAC from storage.
    pub fn new(row: R, tag: RowTag) -> Self {
        Self { row, tag }
    }

    /// The row, for whoever checks the MAC or moves the row unread.
    pub fn unverified(&self) -> &R {
        &self.row
    }

    /// The MAC that storage claims.
    pub fn tag(&self) -> RowTag {
        self.tag
    }

    /// Parts with the claim once the MAC has been checked.
    pub fn into_checked(self) -> R {
        self.row
    }
}
