use crate::{
    Error, Extent, Extents, Field, Id, Kek, Random, Result, Secret,
    aead::{Cipher, NONCE_ZERO, TAG_LEN},
    kdf::{Label, Prk},
    random::{random_bytes, random_secret},
};

/// One version of a root key held in a file. Wiped when dropped.
pub struct RootKey {
    id: Id,
    version: u32,
    key: Secret<32>,
}

/// Who can open a wrapped organization key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Provider {
    /// A root key in a file.
    File = 1,
    /// AWS KMS.
    AwsKms = 2,
    /// The Transit engine of Vault or OpenBao.
    Transit = 3,
}

/// The root key that wraps an organization's key somewhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteRoot {
    /// Where it is held; not [`Provider::File`].
    pub provider: Provider,
    /// Our identifier of it.
    pub id: Id,
    /// Its version.
    pub version: u32,
}

/// A wrapped organization key as the catalog keeps it: read and well-formed, **not yet
/// verified**.
///
/// ```text
///  0:8    "BLKK" 1 provider 0 0
///  8:24   root id
/// 24:28   root version
/// 28:44   org_id
/// 44:48   KEK version
/// 48:80   commitment to the KEK
/// 80:112  salt
/// 112..   file: the KEK sealed with a key from root and record[0:112]; else the provider's own
/// ```
pub struct WrappedKek<'a> {
    prefix: &'a [u8; PREFIX_LEN],
    ciphertext: &'a [u8],
    provider: Provider,
}

/// Wraps an organization's key under a root key held in a file.
///
/// # Errors
/// [`Error::RandomFailed`].
pub fn wrap_kek(root: &RootKey, kek: &Kek, random: &dyn Random) -> Result<Vec<u8>> {
    let prefix = prefix(Provider::File, &root.id, root.version, kek, random)?;
    let mut record = Vec::with_capacity(FILE_RECORD_LEN);
    record.extend_from_slice(&prefix);
    let mut sealed = Secret::new(kek.expose());
    let tag = root
        .cipher(&prefix)
        .seal(&NONCE_ZERO, &prefix, sealed.as_mut())
        .map_err(|_| Error::Misuse("a KEK has 32 bytes"))?;
    record.extend_from_slice(sealed.expose());
    record.extend_from_slice(&tag);
    Ok(record)
}

/// The record of an organization's key that another provider wrapped: `ciphertext` is its answer
/// to [`Kek::expose`], with the organization and the version as encryption context or associated
/// data.
///
/// # Errors
/// [`Error::RandomFailed`]; [`Error::Misuse`] for the file provider or an empty ciphertext.
pub fn wrapped_elsewhere(
    root: &RemoteRoot,
    kek: &Kek,
    ciphertext: &[u8],
    random: &dyn Random,
) -> Result<Vec<u8>> {
    if root.provider == Provider::File || ciphertext.is_empty() {
        return Err(Error::Misuse(
            "a remote provider's ciphertext is its own and not empty",
        ));
    }
    let prefix = prefix(root.provider, &root.id, root.version, kek, random)?;
    Ok([prefix.as_slice(), ciphertext].concat())
}

impl Extents for RootKey {
    fn extents(&self) -> Vec<Extent> {
        vec![Extent::of(self.key.expose())]
    }
}

impl RootKey {
    /// A fresh random root key.
    ///
    /// # Errors
    /// [`Error::RandomFailed`].
    pub fn generate(id: Id, version: u32, random: &dyn Random) -> Result<Self> {
        Ok(Self::new(id, version, random_secret(random)?))
    }

    /// The root key that a file holds.
    pub fn new(id: Id, version: u32, key: Secret<32>) -> Self {
        Self { id, version, key }
    }

    /// Its identifier.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Its version.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The key's bytes, to be written to its file.
    pub fn expose(&self) -> &[u8; 32] {
        self.key.expose()
    }

    fn cipher(&self, prefix: &[u8; PREFIX_LEN]) -> Cipher {
        let key = Prk::new(self.key.expose()).expand(Label::ROOT_WRAP, [prefix, &[], &[]]);
        Cipher::small(&key)
    }
}

impl<'a> WrappedKek<'a> {
    /// Reads a record, and refuses what no writer of this format writes.
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Unsupported`].
    pub fn parse(record: &'a [u8]) -> Result<Self> {
        let (prefix, ciphertext) = record
            .split_first_chunk::<PREFIX_LEN>()
            .ok_or(Error::Damaged(Field::Length))?;
        if prefix[..4] != MAGIC {
            return Err(Error::Damaged(Field::Magic));
        }
        if prefix[4] != VERSION {
            return Err(Error::Unsupported(Field::Version));
        }
        let provider = match prefix[5] {
            1 => Provider::File,
            2 => Provider::AwsKms,
            3 => Provider::Transit,
            _ => return Err(Error::Unsupported(Field::Provider)),
        };
        if prefix[6..8] != [0, 0] {
            return Err(Error::Damaged(Field::Reserved));
        }
        let well_sized = match provider {
            Provider::File => record.len() == FILE_RECORD_LEN,
            Provider::AwsKms | Provider::Transit => !ciphertext.is_empty(),
        };
        if !well_sized {
            return Err(Error::Damaged(Field::Length));
        }
        Ok(Self {
            prefix,
            ciphertext,
            provider,
        })
    }

    /// Who can open it.
    pub fn provider(&self) -> Provider {
        self.provider
    }

    /// The root key it names.
    pub fn root_id(&self) -> Id {
        self.array::<8, 16>()
    }

    /// The version of that root key.
    pub fn root_version(&self) -> u32 {
        u32::from_be_bytes(self.array::<24, 4>())
    }

    /// The organization it claims to belong to.
    pub fn org_id(&self) -> Id {
        self.array::<28, 16>()
    }

    /// The version of the organization's key that it claims to hold.
    pub fn kek_version(&self) -> u32 {
        u32::from_be_bytes(self.array::<44, 4>())
    }

    /// The wrapped bytes: for a remote provider, what to send it.
    pub fn ciphertext(&self) -> &'a [u8] {
        self.ciphertext
    }

    /// Opens it with the root key it names, and checks the commitment in constant time.
    ///
    /// # Errors
    /// [`Error::Foreign`] when it is another organization's or version's than the row says,
    /// [`Error::WrongKey`] when it names another root key, [`Error::Damaged`] when it was changed.
    pub fn unwrap(&self, root: &RootKey, org_id: Id, kek_version: u32) -> Result<Kek> {
        self.compare(org_id, kek_version)?;
        if self.provider != Provider::File {
            return Err(Error::WrongKey(Field::Provider));
        }
        if self.root_id() != root.id {
            return Err(Error::WrongKey(Field::RootId));
        }
        if self.root_version() != root.version {
            return Err(Error::WrongKey(Field::RootVersion));
        }
        let damaged = Error::Damaged(Field::WrappedKek);
        let (sealed, tag) = self.ciphertext.split_first_chunk::<32>().ok_or(damaged)?;
        let tag: &[u8; TAG_LEN] = tag.try_into().map_err(|_| damaged)?;
        let mut key = Secret::new(sealed);
        root.cipher(self.prefix)
            .open(&NONCE_ZERO, self.prefix, key.as_mut(), tag)
            .map_err(|_| damaged)?;
        self.commit(key)
    }

    /// Takes over what a remote provider unwrapped, checking the commitment in constant time. The
    /// salt and the root's name are then covered by the row's MAC alone.
    ///
    /// # Errors
    /// [`Error::Foreign`] as for [`unwrap`](Self::unwrap); [`Error::Damaged`] when the key is not
    /// the one committed to; [`Error::WrongKey`] for the file provider's records.
    pub fn unwrapped_elsewhere(
        &self,
        key: Secret<32>,
        org_id: Id,
        kek_version: u32,
    ) -> Result<Kek> {
        self.compare(org_id, kek_version)?;
        if self.provider == Provider::File {
            return Err(Error::WrongKey(Field::Provider));
        }
        self.commit(key)
    }

    fn compare(&self, org_id: Id, kek_version: u32) -> Result<()> {
        if self.org_id() != org_id {
            return Err(Error::Foreign(Field::OrgId));
        }
        if self.kek_version() != kek_version {
            return Err(Error::Foreign(Field::KekVersion));
        }
        Ok(())
    }

    fn commit(&self, key: Secret<32>) -> Result<Kek> {
        let kek = Kek::from_secret(self.org_id(), self.kek_version(), key);
        if kek.commitment_matches(&self.array::<48, 32>()) {
            Ok(kek)
        } else {
            Err(Error::Damaged(Field::Commitment))
        }
    }

    fn array<const AT: usize, const N: usize>(&self) -> [u8; N] {
        const { assert!(AT + N <= PREFIX_LEN, "a field of the record") };
        let mut array = [0; N];
        array.copy_from_slice(&self.prefix[AT..AT + N]);
        array
    }
}

fn prefix(
    provider: Provider,
    root_id: &Id,
    root_version: u32,
    kek: &Kek,
    random: &dyn Random,
) -> Result<[u8; PREFIX_LEN]> {
    let mut prefix = [0; PREFIX_LEN];
    prefix[..4].copy_from_slice(&MAGIC);
    prefix[4] = VERSION;
    prefix[5] = provider as u8;
    prefix[8..24].copy_from_slice(root_id);
    prefix[24..28].copy_from_slice(&root_version.to_be_bytes());
    prefix[28..44].copy_from_slice(&kek.org_id());
    prefix[44..48].copy_from_slice(&kek.version().to_be_bytes());
    prefix[48..80].copy_from_slice(kek.commitment());
    prefix[80..].copy_from_slice(&random_bytes::<32>(random)?);
    Ok(prefix)
}

const MAGIC: [u8; 4] = *b"BLKK";
const VERSION: u8 = 1;
const PREFIX_LEN: usize = 112;
const FILE_RECORD_LEN: usize = PREFIX_LEN + 32 + TAG_LEN;
