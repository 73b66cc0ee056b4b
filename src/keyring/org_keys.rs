use envelope::{
    ChunkSize, EtagPlace, Expected, Header, Kek, NewBlob, Opened, Place, RecordPlace, RowMac,
    Sealer, Whole, new_blob_id,
};
use names::{BlobId, BucketId, OrgId, VersionId};
use zeroize::Zeroizing;

use super::locked::Locked;
use super::random::Chance;
use crate::catalog::{Authenticated, FieldSink, KeyState, Row, RowTag, Unverified};
use crate::clock::Clock;
use crate::entropy::Entropy;

/// The keys of one organization that are not destroyed, opened: seals and opens its small records,
/// and puts MACs on its rows and checks them.
///
/// Everything new is made under the newest open version; what is old names its own, and no other
/// is ever tried on it.
pub struct OrgKeys {
    org: OrgId,
    newest: Locked<Kek>,
    /// Those that only open: closed by a rotation, or not the newest.
    others: Vec<Locked<Kek>>,
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
    /// It was opened, and does not hold what this program writes.
    #[error("a record of {table} does not decode")]
    Unreadable {
        /// The table.
        table: &'static str,
    },
    /// A version of a secret names no secret.
    #[error("a version of a secret names no secret")]
    NoSecret,
    /// Its MAC, or what is sealed in it, is not what was written.
    #[error("{0}")]
    Envelope(#[from] envelope::Error),
}

impl OrgKeys {
    /// Takes the opened versions of an organization's key; `None` when none takes writes, or when
    /// one is another organization's.
    pub(super) fn new(
        org: OrgId,
        mut versions: Vec<(Kek, KeyState)>,
        clock: Clock,
        entropy: Entropy,
    ) -> Option<Self> {
        if versions.iter().any(|(kek, _)| kek.org_id() != *org.bytes()) {
            return None;
        }
        versions.sort_by_key(|(kek, _)| kek.version());
        let newest = versions
            .iter()
            .rposition(|(_, state)| *state == KeyState::Open)?;
        let (newest, _) = versions.remove(newest);
        Some(Self {
            org,
            newest: Locked::new(newest),
            others: versions
                .into_iter()
                .map(|(kek, _)| Locked::new(kek))
                .collect(),
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
        self.newest.version()
    }

    /// Whether a version is among them.
    pub fn holds(&self, version: u32) -> bool {
        self.version(version).is_ok()
    }

    /// Puts a MAC on a row.
    pub fn authenticate<R: Row>(&self, row: R) -> Result<Authenticated<R>, RowRefused> {
        let kek = &self.newest;
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

    /// Puts a MAC on a text that no table holds. `kind` takes the place of the table's name and is
    /// none.
    pub fn authenticate_text(&self, kind: &str, text: &[u8]) -> RowTag {
        RowTag {
            key_version: self.newest.version(),
            mac: self.newest.row_mac(kind).bytes(text).finish(),
        }
    }

    /// Checks the MAC of such a text, in constant time.
    pub fn verify_text(&self, kind: &str, text: &[u8], tag: RowTag) -> Result<(), RowRefused> {
        let kek = self.version(tag.key_version)?;
        Ok(kek.row_mac(kind).bytes(text).verify(&tag.mac)?)
    }

    /// Seals the columns of a row.
    pub fn seal_record(&self, record: Record<'_>, bytes: &[u8]) -> Result<Vec<u8>, RowRefused> {
        self.seal_at(record.place(), bytes)
    }

    /// Opens the columns of a row.
    pub fn open_record(
        &self,
        record: Record<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, RowRefused> {
        self.open_at(record.place(), sealed)
    }

    /// Wraps a record under the newest version; its bytes stay as they are.
    pub fn rewrap_record(&self, record: Record<'_>, sealed: &[u8]) -> Result<Vec<u8>, RowRefused> {
        self.rewrap_at(record.place(), sealed)
    }

    /// Seals a record anew under the newest version, with a data key that no other ever wrapped.
    pub fn reseal_record(&self, record: Record<'_>, sealed: &[u8]) -> Result<Vec<u8>, RowRefused> {
        self.reseal_at(record.place(), sealed)
    }

    /// Seals a record or secret for its place.
    pub(super) fn seal_at(&self, place: Place<'_>, bytes: &[u8]) -> Result<Vec<u8>, RowRefused> {
        let chance = Chance(&self.entropy);
        let now_ms = self.clock.now_ms();
        let sealed = envelope::seal_record(&self.newest, &place, now_ms, bytes, &chance)?;
        Ok(sealed)
    }

    /// Opens a record or secret for its place.
    pub(super) fn open_at(
        &self,
        place: Place<'_>,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, RowRefused> {
        let kek = self.version(key_version(sealed)?)?;
        Ok(envelope::open_record(kek, &self.placed(place), sealed)?)
    }

    /// Wraps a record or secret under the newest version.
    pub(super) fn rewrap_at(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, RowRefused> {
        let old = self.version(key_version(sealed)?)?;
        let chance = Chance(&self.entropy);
        let place = self.placed(place);
        let rewrapped = envelope::rewrap_record(old, &self.newest, &place, sealed, &chance)?;
        Ok(rewrapped)
    }

    /// Seals a record or secret anew under the newest version.
    pub(super) fn reseal_at(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, RowRefused> {
        self.seal_at(place, &self.open_at(place, sealed)?)
    }

    /// Seals the ETag of a version under the newest key.
    pub fn seal_etag(
        &self,
        bucket: BucketId,
        version: VersionId,
        etag: &[u8; 16],
    ) -> Result<[u8; 32], RowRefused> {
        Ok(self.newest.seal_etag(&place(bucket, version), etag)?)
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

    /// Begins a body in the blob store: its fresh name, and what seals it under the newest key.
    pub fn sealer(&self, place: Place<'_>) -> Result<(BlobId, Sealer), RowRefused> {
        let chance = Chance(&self.entropy);
        let blob = self.new_blob(place, &chance)?;
        let sealer = Sealer::new(&self.newest, &blob, &chance)?;
        Ok((BlobId::from_bytes(blob.blob_id), sealer))
    }

    /// Seals a small body that is kept in a row, with its footer map, under the newest key.
    pub fn seal_whole(
        &self,
        place: Place<'_>,
        plaintext: &[u8],
        footer: &[u8],
    ) -> Result<Vec<u8>, RowRefused> {
        let chance = Chance(&self.entropy);
        let blob = self.new_blob(place, &chance)?;
        let sealed = envelope::seal_whole(&self.newest, &blob, plaintext, footer, &chance)?;
        Ok(sealed)
    }

    /// Opens a small body that is kept in a row. The row names no blob id for it; `commitment`,
    /// which its MAC covers, binds the body to it.
    pub fn open_whole(
        &self,
        place: Place<'_>,
        commitment: &[u8; 32],
        sealed: &[u8],
    ) -> Result<Whole, RowRefused> {
        let header = header(sealed)?;
        let expected = self.expected(place, header.blob_id(), commitment);
        let kek = self.version(header.kek_version())?;
        Ok(envelope::open_whole(kek, &expected, None, sealed)?)
    }

    /// Verifies the header of a body in the blob store against what its row says; only then is
    /// there a key for its chunks.
    pub fn open_blob(
        &self,
        place: Place<'_>,
        blob: BlobId,
        commitment: &[u8; 32],
        header: &[u8],
    ) -> Result<Opened, RowRefused> {
        let header = Header::parse(header)?;
        let expected = self.expected(place, *blob.bytes(), commitment);
        let kek = self.version(header.kek_version())?;
        Ok(header.open(kek, &expected, None)?)
    }

    /// Wraps the header of a body under the newest version; its chunks stay as they are.
    pub fn rewrap_header(&self, place: Place<'_>, old: &[u8]) -> Result<Header, RowRefused> {
        let old = Header::parse(old)?;
        let commitment = old.commitment();
        let expected = self.expected(place, old.blob_id(), &commitment);
        let kek = self.version(old.kek_version())?;
        Ok(old.rewrap(kek, &self.newest, &expected, &Chance(&self.entropy))?)
    }

    fn new_blob<'a>(
        &self,
        place: Place<'a>,
        chance: &Chance<'_>,
    ) -> Result<NewBlob<'a>, RowRefused> {
        let created_ms = self.clock.now_ms();
        Ok(NewBlob {
            place,
            blob_id: new_blob_id(created_ms, chance)?,
            created_ms,
            chunk_size: ChunkSize::DEFAULT,
            customer_key: None,
        })
    }

    fn expected<'a>(
        &self,
        place: Place<'a>,
        blob_id: envelope::Id,
        commitment: &'a [u8; 32],
    ) -> Expected<'a> {
        Expected {
            org_id: *self.org.bytes(),
            place,
            blob_id,
            chunk_size: ChunkSize::DEFAULT,
            commitment: Some(commitment),
        }
    }

    /// Where its keys lie in memory.
    #[cfg(test)]
    pub(super) fn extents(&self) -> Vec<envelope::Extent> {
        use envelope::Extents as _;
        let all = std::iter::once(&self.newest).chain(&self.others);
        all.flat_map(|kek| kek.extents()).collect()
    }

    fn version(&self, version: u32) -> Result<&Kek, RowRefused> {
        std::iter::once(&self.newest)
            .chain(&self.others)
            .find(|kek| kek.version() == version)
            .map(|kek| &**kek)
            .ok_or(RowRefused::NoKey { version })
    }

    fn row_mac<R: Row>(&self, kek: &Kek, row: &R) -> Result<RowMac, RowRefused> {
        if row.authority() != self.org {
            return Err(RowRefused::Foreign { table: R::TABLE });
        }
        let mut fields = Fields(kek.row_mac(R::TABLE));
        row.fields(&mut fields);
        Ok(fields.0)
    }

    fn placed<'a>(&self, place: Place<'a>) -> RecordPlace<'a> {
        RecordPlace {
            org_id: *self.org.bytes(),
            place,
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

/// Gives each field to the MAC.
struct Fields(RowMac);

impl FieldSink for Fields {
    fn null(&mut self) {
        self.0.add_null();
    }

    fn bytes(&mut self, value: &[u8]) {
        self.0.add_bytes(value);
    }
}

/// The header that a sealed blob begins with.
fn header(sealed: &[u8]) -> Result<Header, RowRefused> {
    let header = sealed.get(..envelope::HEADER_LEN).unwrap_or(sealed);
    Ok(Header::parse(header)?)
}

/// The version that it names.
fn key_version(sealed: &[u8]) -> Result<u32, RowRefused> {
    Ok(header(sealed)?.kek_version())
}

fn place(bucket: BucketId, version: VersionId) -> EtagPlace {
    EtagPlace {
        bucket_id: *bucket.bytes(),
        version_id: *version.bytes(),
    }
}
