use envelope::{EtagPlace, Kek, Place, RecordPlace, RowMac};
use names::{BucketId, OrgId, VersionId};
use zeroize::Zeroizing;

use super::random::Chance;
use crate::catalog::{Authenticated, FieldSink, Row, RowTag, Unverified};
use crate::clock::Clock;
use crate::entropy::Entropy;

/// The keys of one organization that are not destroyed, opened: seals and opens its small records,
/// and puts MACs on its rows and checks them.
///
/// Everything new is made under the newest version; what is old names its own, and no other is
/// ever tried on it.
pub struct OrgKeys {
    org: OrgId,
    /// Ascending and never empty.
    versions: Vec<Kek>,
    clock: Clock,
    entropy: Entropy,
}

/// The place of a sealed record in the catalog: copied to another, it does not open.
#[derive(Debug, Clone, Copy)]
pub struct Record<'a> {
    /// The table.
    pub table: &'a str,
    /// The columns of the primary key, in schema order.
    pub primary_key: &'a [&'a [u8]],
    /// The column that holds the record.
    pub column: &'a str,
}

/// Why a row or record is refused. For the log; a caller learns none of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RowRefused {
    /// It stands under another organization's authority than these keys'.
    #[error("a row of {table} stands under another organization")]
    Foreign {
        /// The table.
        table: &'static str,
    },
    /// It names a version of the key that is not there: destroyed, or never made.
    #[error("version {version} of the organization's key is not there")]
    NoKey {
        /// The version.
        version: u32,
    },
    /// Its MAC, or what is sealed in it, is not what was written.
    #[error("{0}")]
    Envelope(#[from] envelope::Error),
}

impl OrgKeys {
    /// Takes the opened versions of an organization's key; `None` without one, or when one is
    /// another organization's.
    pub(super) fn new(
        org: OrgId,
        mut versions: Vec<Kek>,
        clock: Clock,
        entropy: Entropy,
    ) -> Option<Self> {
        versions.sort_by_key(Kek::version);
        let ours = versions.iter().all(|kek| kek.org_id() == *org.bytes());
        (ours && !versions.is_empty()).then_some(Self {
            org,
            versions,
            clock,
            entropy,
        })
    }

    /// Whose keys they are.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// The version under which everything new is made.
    pub fn newest_version(&self) -> u32 {
        self.newest().version()
    }

    /// Puts a MAC on a row.
    pub fn authenticate<R: Row>(&self, row: R) -> Result<Authenticated<R>, RowRefused> {
        let kek = self.newest();
        let tag = RowTag {
            key_version: kek.version(),
            mac: self.row_mac(kek, &row)?.finish(),
        };
        Ok(Authenticated::new(row, tag))
    }

    /// Checks the MAC of a row, in constant time, and only then parts with it.
    pub fn verify<R: Row>(&self, claimed: Unverified<R>) -> Result<R, RowRefused> {
        let tag = claimed.tag();
        let kek = self.version(tag.key_version)?;
        self.row_mac(kek, claimed.unverified())?.verify(&tag.mac)?;
        Ok(claimed.into_checked())
    }

    /// Seals the columns of a row.
    pub fn seal_record(&self, record: Record<'_>, bytes: &[u8]) -> Result<Vec<u8>, RowRefused> {
        Ok(envelope::seal_record(
            self.newest(),
            &record.place(),
            self.clock.now_ms(),
            bytes,
            &Chance(&self.entropy),
        )?)
    }

    /// Opens the columns of a row.
    pub fn open_record(
        &self,
        record: Record<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, RowRefused> {
        let kek = self.version(key_version(sealed)?)?;
        Ok(envelope::open_record(kek, &self.placed(record), sealed)?)
    }

    /// Wraps a record under the newest version; its bytes stay as they are.
    pub fn rewrap_record(&self, record: Record<'_>, sealed: &[u8]) -> Result<Vec<u8>, RowRefused> {
        let old = self.version(key_version(sealed)?)?;
        Ok(envelope::rewrap_record(
            old,
            self.newest(),
            &self.placed(record),
            sealed,
            &Chance(&self.entropy),
        )?)
    }

    /// Seals the ETag of a version under the newest key.
    pub fn seal_etag(
        &self,
        bucket: BucketId,
        version: VersionId,
        etag: &[u8; 16],
    ) -> Result<[u8; 32], RowRefused> {
        Ok(self.newest().seal_etag(&place(bucket, version), etag)?)
    }

    /// Opens the ETag of a version whose row names `key_version`.
    pub fn open_etag(
        &self,
        bucket: BucketId,
        version: VersionId,
        key_version: u32,
        sealed: &[u8],
    ) -> Result<[u8; 16], RowRefused> {
        let kek = self.version(key_version)?;
        Ok(kek.open_etag(&place(bucket, version), sealed)?)
    }

    fn newest(&self) -> &Kek {
        self.versions.last().expect("an organization has a key")
    }

    fn version(&self, version: u32) -> Result<&Kek, RowRefused> {
        self.versions
            .iter()
            .find(|kek| kek.version() == version)
            .ok_or(RowRefused::NoKey { version })
    }

    fn row_mac<R: Row>(&self, kek: &Kek, row: &R) -> Result<RowMac, RowRefused> {
        if row.authority() != self.org {
            return Err(RowRefused::Foreign { table: R::TABLE });
        }
        let mut fields = Fields(Some(kek.row_mac(R::TABLE)));
        row.fields(&mut fields);
        Ok(fields.0.expect("every field gives the MAC back"))
    }

    fn placed<'a>(&self, record: Record<'a>) -> RecordPlace<'a> {
        RecordPlace {
            org_id: *self.org.bytes(),
            place: record.place(),
        }
    }
}

impl<'a> Record<'a> {
    fn place(&self) -> Place<'a> {
        Place::Record {
            table: self.table,
            primary_key: self.primary_key,
            column: self.column,
        }
    }
}

/// Carries the MAC from field to field.
struct Fields(Option<RowMac>);

impl FieldSink for Fields {
    fn null(&mut self) {
        self.0 = self.0.take().map(RowMac::null);
    }

    fn bytes(&mut self, value: &[u8]) {
        self.0 = self.0.take().map(|mac| mac.bytes(value));
    }
}

/// The version that a sealed blob's header names.
fn key_version(sealed: &[u8]) -> Result<u32, RowRefused> {
    let header = sealed.get(..envelope::HEADER_LEN).unwrap_or(sealed);
    Ok(envelope::Header::parse(header)?.kek_version())
}

fn place(bucket: BucketId, version: VersionId) -> EtagPlace {
    EtagPlace {
        bucket_id: *bucket.bytes(),
        version_id: *version.bytes(),
    }
}
