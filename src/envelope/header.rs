use subtle::ConstantTimeEq;

use crate::{
    ChunkSize, CustomerKey, Error, Field, Id, Kek, Kind, Opened, Place, Random, Result,
    dek::{Content, Dek},
    random::random_bytes,
};

/// The first 192 bytes of a blob: read and well-formed, **not yet verified**.
///
/// ```text
///   0:8    89 42 4C 4B 0D 0A 1A 0A   magic       ┐
///   8      1   format version                    │
///   9      1   suite                             │
///  10      log2 of the chunk size                │
///  11      kind                                  │ identity
///  12      flags: bit 0 = customer key           │ header[0:64]
///  13:16   0                                     │
///  16:32   org_id                                │
///  32:48   blob_id                               │
///  48:56   created, ms since the epoch           │
///  56:64   0                                     ┘
///  64:68   KEK version                           ┐
///  68:70   wrap algorithm, 1                     │ changed by rewrap
///  70:72   0                                     │
///  72:80   key check                             │
///  80:112  wrap salt                             │
/// 112:160  sealed data key                       ┘
/// 160:192  commitment
/// ```
///
/// [`open`](Self::open) verifies it with the organization's key, and only then is there a key for
/// a chunk.
#[derive(Clone, PartialEq, Eq)]
pub struct Header {
    bytes: [u8; HEADER_LEN],
    kind: Kind,
    chunk_size: ChunkSize,
}

/// What the caller's row says about a blob, to be compared with what the blob says of itself.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The organization whose row it is.
    pub org_id: Id,
    /// What the blob is, and the place it was sealed for.
    pub place: Place<'a>,
    /// The blob's identifier.
    pub blob_id: Id,
    /// The chunk size.
    pub chunk_size: ChunkSize,
    /// The commitment, if the row holds it (rows of bodies do).
    pub commitment: Option<&'a [u8; 32]>,
}

/// The identity of a blob about to be sealed.
pub(crate) struct Identity {
    pub(crate) org_id: Id,
    pub(crate) kind: Kind,
    pub(crate) blob_id: Id,
    pub(crate) created_ms: u64,
    pub(crate) chunk_size: ChunkSize,
    pub(crate) customer_key: bool,
}

impl Header {
    /// Reads the 192 bytes and refuses what no writer of this format writes: magic, version,
    /// suite, reserved bytes, and values unknown.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Unsupported`].
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let bytes: [u8; HEADER_LEN] = bytes
            .try_into()
            .map_err(|_| Error::Damaged(Field::Length))?;
        if bytes[..8] != MAGIC {
            return Err(Error::Damaged(Field::Magic));
        }
        if bytes[8] != VERSION {
            return Err(Error::Unsupported(Field::Version));
        }
        if bytes[9] != SUITE {
            return Err(Error::Unsupported(Field::Suite));
        }
        if bytes[12] & !FLAG_CUSTOMER_KEY != 0 {
            return Err(Error::Unsupported(Field::Flags));
        }
        if bytes[68..70] != WRAP_ALGORITHM {
            return Err(Error::Unsupported(Field::WrapAlgorithm));
        }
        let mut reserved = bytes[13..16]
            .iter()
            .chain(&bytes[56..64])
            .chain(&bytes[70..72]);
        if reserved.any(|byte| *byte != 0) {
            return Err(Error::Damaged(Field::Reserved));
        }
        let chunk_size = ChunkSize::from_log2(bytes[10])?;
        let kind = Kind::from_byte(bytes[11])?;
        Ok(Self {
            bytes,
            kind,
            chunk_size,
        })
    }

    /// The bytes as they stand in the blob and in its row.
    pub fn as_bytes(&self) -> &[u8; HEADER_LEN] {
        &self.bytes
    }

    /// What the blob claims to be.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The chunk size it claims.
    pub fn chunk_size(&self) -> ChunkSize {
        self.chunk_size
    }

    /// Whether a customer's key took part.
    pub fn needs_customer_key(&self) -> bool {
        self.bytes[12] & FLAG_CUSTOMER_KEY != 0
    }

    /// The organization it claims to belong to.
    pub fn org_id(&self) -> Id {
        self.array::<16, 16>()
    }

    /// The identifier it claims.
    pub fn blob_id(&self) -> Id {
        self.array::<32, 16>()
    }

    /// When it was made, by its own word: milliseconds since the epoch.
    pub fn created_ms(&self) -> u64 {
        u64::from_be_bytes(self.array::<48, 8>())
    }

    /// The one version of the organization's key that opens it. No other is to be tried.
    pub fn kek_version(&self) -> u32 {
        u32::from_be_bytes(self.array::<64, 4>())
    }

    /// The commitment to the content keys, which rows of bodies hold.
    pub fn commitment(&self) -> [u8; 32] {
        self.array::<160, 32>()
    }

    /// Verifies the header in the order of the format's rule 1, and gives the content keys:
    /// everything equals what the row says; key check; unwrap; commitment in constant time.
    ///
    /// # Errors
    /// [`Error::Foreign`] when it is another blob than the row names, [`Error::WrongKey`] when
    /// `kek` is not the key it names, [`Error::Damaged`] when it was changed, and the errors of
    /// customers' keys.
    pub fn open(
        &self,
        kek: &Kek,
        expected: &Expected<'_>,
        customer_key: Option<&CustomerKey>,
    ) -> Result<Opened> {
        self.compare(expected)?;
        let dek = self.unwrap_dek(kek)?;
        match (self.needs_customer_key(), customer_key) {
            (true, None) => return Err(Error::CustomerKeyMissing),
            (false, Some(_)) => return Err(Error::CustomerKeyUnexpected),
            _ => {}
        }
        let content = dek.content(
            &self.identity(),
            &expected.place,
            &self.org_id(),
            customer_key,
        )?;
        if !bool::from(content.commitment().ct_eq(&self.commitment())) {
            return Err(match customer_key {
                Some(_) => Error::CustomerKeyWrong,
                None => Error::Damaged(Field::Commitment),
            });
        }
        Ok(Opened::new(self, content))
    }

    /// Wraps the data key again, under another version of the organization's key: how a rotation
    /// moves a blob. Identity, data key and commitment stay, so the blob's own bytes need not
    /// change and only its row takes the new header. A blob with a customer's key needs no
    /// customer for it; then the commitment cannot be checked here, and is when it is opened.
    ///
    /// # Errors
    /// As [`open`](Self::open); nothing that fails verification is wrapped again.
    pub fn rewrap(
        &self,
        old: &Kek,
        new: &Kek,
        expected: &Expected<'_>,
        random: &dyn Random,
    ) -> Result<Self> {
        self.compare(expected)?;
        if new.org_id() != self.org_id() {
            return Err(Error::WrongKey(Field::OrgId));
        }
        let dek = self.unwrap_dek(old)?;
        if !self.needs_customer_key() {
            let content = dek.content(&self.identity(), &expected.place, &self.org_id(), None)?;
            if !bool::from(content.commitment().ct_eq(&self.commitment())) {
                return Err(Error::Damaged(Field::Commitment));
            }
        }
        let mut header = self.clone();
        header.wrap_dek(new, &dek, &random_bytes(random)?)?;
        Ok(header)
    }

    /// A new blob's header, with its content keys.
    pub(crate) fn seal(
        kek: &Kek,
        identity: &Identity,
        place: &Place<'_>,
        customer_key: Option<&CustomerKey>,
        random: &dyn Random,
    ) -> Result<(Self, Content)> {
        let mut header = Self {
            bytes: identity.to_bytes(),
            kind: identity.kind,
            chunk_size: identity.chunk_size,
        };
        let dek = Dek::generate(random)?;
        header.wrap_dek(kek, &dek, &random_bytes(random)?)?;
        let content = dek.content(&header.identity(), place, &identity.org_id, customer_key)?;
        header.bytes[160..].copy_from_slice(content.commitment());
        Ok((header, content))
    }

    /// header[0:64], which the content keys and the footer are bound to.
    pub(crate) fn identity(&self) -> [u8; IDENTITY_LEN] {
        self.array::<0, IDENTITY_LEN>()
    }

    fn compare(&self, expected: &Expected<'_>) -> Result<()> {
        if self.org_id() != expected.org_id {
            return Err(Error::Foreign(Field::OrgId));
        }
        if self.kind != expected.place.kind() {
            return Err(Error::Foreign(Field::Kind));
        }
        if self.blob_id() != expected.blob_id {
            return Err(Error::Foreign(Field::BlobId));
        }
        if self.chunk_size != expected.chunk_size {
            return Err(Error::Foreign(Field::ChunkSize));
        }
        match expected.commitment {
            Some(commitment) if !bool::from(commitment.ct_eq(&self.commitment())) => {
                Err(Error::Foreign(Field::Commitment))
            }
            _ => Ok(()),
        }
    }

    fn unwrap_dek(&self, kek: &Kek) -> Result<Dek> {
        if kek.org_id() != self.org_id() {
            return Err(Error::WrongKey(Field::OrgId));
        }
        if kek.version() != self.kek_version() {
            return Err(Error::WrongKey(Field::KekVersion));
        }
        if !kek.check_matches(&self.array::<72, 8>()) {
            return Err(Error::WrongKey(Field::KeyCheck));
        }
        Dek::unwrap(kek, self.kind, &self.wrap_aad(), &self.array::<112, 48>())
    }

    fn wrap_dek(&mut self, kek: &Kek, dek: &Dek, salt: &[u8; 32]) -> Result<()> {
        self.bytes[64..68].copy_from_slice(&kek.version().to_be_bytes());
        self.bytes[68..70].copy_from_slice(&WRAP_ALGORITHM);
        self.bytes[72..80].copy_from_slice(kek.check());
        self.bytes[80..112].copy_from_slice(salt);
        let wrapped = dek.wrap(kek, self.kind, &self.wrap_aad())?;
        self.bytes[112..160].copy_from_slice(&wrapped);
        Ok(())
    }

    fn wrap_aad(&self) -> [u8; WRAP_AAD_LEN] {
        self.array::<0, WRAP_AAD_LEN>()
    }

    fn array<const AT: usize, const N: usize>(&self) -> [u8; N] {
        const { assert!(AT + N <= HEADER_LEN, "a field of the header") };
        let mut array = [0; N];
        array.copy_from_slice(&self.bytes[AT..AT + N]);
        array
    }
}

impl Identity {
    fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8] = VERSION;
        bytes[9] = SUITE;
        bytes[10] = self.chunk_size.log2();
        bytes[11] = self.kind as u8;
        bytes[12] = if self.customer_key {
            FLAG_CUSTOMER_KEY
        } else {
            0
        };
        bytes[16..32].copy_from_slice(&self.org_id);
        bytes[32..48].copy_from_slice(&self.blob_id);
        bytes[48..56].copy_from_slice(&self.created_ms.to_be_bytes());
        bytes
    }
}

/// The length of a blob's header in bytes.
pub const HEADER_LEN: usize = 192;
pub(crate) const IDENTITY_LEN: usize = 64;
pub(crate) const WRAP_AAD_LEN: usize = 112;
const MAGIC: [u8; 8] = *b"\x89BLK\r\n\x1a\n";
const VERSION: u8 = 1;
const SUITE: u8 = 1;
const WRAP_ALGORITHM: [u8; 2] = [0, 1];
const FLAG_CUSTOMER_KEY: u8 = 1;
