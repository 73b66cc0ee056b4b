use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use envelope::{RootKey, Secret};
use names::RootId;
use rustix::io::Errno;
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use super::locked::Locked;
use super::random::Chance;
use crate::durable::{directory_of, sync_directory};
use crate::entropy::Entropy;

/// The root keys of one root, newest last, from a file that only its owner reads.
///
/// ```toml
/// id = "4b340ee3-a271-4cdb-9a0b-c6eb1c157a4c"
///
/// [[keys]]
/// version = 1
/// key = "…64 hexadecimal digits…"
/// ```
///
/// Rotation appends a version; once no organization's key is wrapped by an old one, that version
/// is removed, and with it every copy of a wrapped key that a backup of the catalog still holds.
/// The file is replaced as a whole, so that a crash leaves the one before or the one after.
pub struct RootFile {
    path: PathBuf,
    id: RootId,
    keys: Vec<Locked<RootKey>>,
    read_from: Option<FileIdentity>,
}

/// Tells a file from the one that another process puts in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
    modified: (i64, i64),
}

/// Why the root key file cannot be used. The texts are the operator's and hold nothing of a key.
#[derive(Debug, thiserror::Error)]
pub enum RootFileError {
    /// It cannot be read or written.
    #[error("the root key file {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others than its owner may read or write it.
    #[error(
        "the root key file {} has mode {mode:04o}: make it 0600, so that only its owner reads it",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not what this program writes.
    #[error("the root key file {} is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, without a word of its content.
        reason: &'static str,
    },
    /// The last version cannot be removed.
    #[error("the newest root key takes the writes and cannot be removed")]
    Newest,
}

impl RootFileError {
    /// Whether there is no file of this name.
    pub fn is_missing(&self) -> bool {
        self.is_of(io::ErrorKind::NotFound)
    }

    /// Whether the file could not be made because there is one.
    pub fn is_taken(&self) -> bool {
        self.is_of(io::ErrorKind::AlreadyExists)
    }

    fn is_of(&self, kind: io::ErrorKind) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == kind)
    }
}

impl RootFile {
    /// Makes a root with its first version in a new file of mode 0600. A file that is there
    /// already is never overwritten, and nobody ever sees half of one: it is written beside and
    /// takes its name as a whole.
    pub fn create(path: &Path, entropy: &Entropy) -> Result<Self, RootFileError> {
        let id = RootId::from_bytes(entropy.uuid_v4());
        let mut root = Self {
            path: path.to_owned(),
            id,
            keys: Vec::new(),
            read_from: None,
        };
        root.keys.push(root.fresh(1, entropy)?);
        // A name of its own, since another process may be starting, too.
        let beside = beside(path, &format!(".{}", hex::encode(entropy.bytes::<8>())));
        let written = (|| {
            let mut file = open_private(&beside)?;
            file.write_all(root.to_text().as_bytes())?;
            file.sync_all()?;
            name_unless_taken(&beside, path)?;
            sync_directory(directory_of(path))?;
            file.metadata()
        })();
        match written {
            Ok(written) => root.read_from = Some(FileIdentity::of(&written)),
            Err(source) => {
                // What is there, if anything, holds a key that nothing was wrapped with.
                let _ = fs::remove_file(&beside);
                return Err(root.io(source));
            }
        }
        Ok(root)
    }

    /// Reads the file, and refuses one that others than its owner can reach.
    pub fn open(path: &Path) -> Result<Self, RootFileError> {
        let io = |source| RootFileError::Io {
            path: path.to_owned(),
            source,
        };
        let mut file = File::open(path).map_err(io)?;
        // Of the open file, not of the path: what is checked is what is read.
        let metadata = file.metadata().map_err(io)?;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(RootFileError::Exposed {
                path: path.to_owned(),
                mode,
            });
        }
        let mut text = Zeroizing::new(String::with_capacity(BYTES_MAX));
        let read = (&mut file)
            .take(BYTES_MAX as u64)
            .read_to_string(&mut text)
            .map_err(io)?;
        if read == BYTES_MAX {
            return Err(damaged(path, "it is too long"));
        }
        let mut root = Self::parse(path, &text)?;
        root.read_from = Some(FileIdentity::of(&metadata));
        Ok(root)
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Which file it was read from.
    pub(super) fn read_from(&self) -> Option<FileIdentity> {
        self.read_from
    }

    /// Which root it is: wrapped keys name it.
    pub fn id(&self) -> RootId {
        self.id
    }

    /// The version that wraps.
    pub fn newest(&self) -> &RootKey {
        self.keys
            .last()
            .expect("a root file holds at least one key")
    }

    /// The version that a wrapped key names, if it has not been destroyed.
    pub fn version(&self, version: u32) -> Option<&RootKey> {
        let mut keys = self.keys.iter().map(|key| &**key);
        keys.find(|key| key.version() == version)
    }

    /// All versions, oldest first.
    pub fn versions(&self) -> impl Iterator<Item = u32> {
        self.keys.iter().map(|key| key.version())
    }

    /// Appends a version, which wraps from now on.
    pub fn rotate(&mut self, entropy: &Entropy) -> Result<u32, RootFileError> {
        let version = self
            .newest()
            .version()
            .checked_add(1)
            .ok_or_else(|| damaged(&self.path, "there is no version after the newest"))?;
        let key = self.fresh(version, entropy)?;
        self.keys.push(key);
        match self.replace() {
            Ok(identity) => self.read_from = Some(identity),
            Err(error) => {
                self.keys.pop();
                return Err(error);
            }
        }
        Ok(version)
    }

    /// Removes a version for good: what it alone wraps can never be opened again. Returns whether
    /// it was there.
    pub fn danger_destroy(&mut self, version: u32) -> Result<bool, RootFileError> {
        if self.newest().version() == version {
            return Err(RootFileError::Newest);
        }
        let Some(at) = self.keys.iter().position(|key| key.version() == version) else {
            return Ok(false);
        };
        let key = self.keys.remove(at);
        match self.replace() {
            Ok(identity) => self.read_from = Some(identity),
            Err(error) => {
                self.keys.insert(at, key);
                return Err(error);
            }
        }
        Ok(true)
    }

    fn fresh(&self, version: u32, entropy: &Entropy) -> Result<Locked<RootKey>, RootFileError> {
        RootKey::generate(*self.id.bytes(), version, &Chance(entropy))
            .map(Locked::new)
            .map_err(|_| damaged(&self.path, "the system gives no randomness"))
    }

    /// Writes all versions beside the file and puts the new file in its place.
    fn replace(&self) -> Result<FileIdentity, RootFileError> {
        let beside = beside(&self.path, ".new");
        let written = (|| {
            // Left by a crash in this very place; the keys in it were never used.
            match fs::remove_file(&beside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = open_private(&beside)?;
            file.write_all(self.to_text().as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)?;
            sync_directory(directory_of(&self.path))?;
            Ok(FileIdentity::of(&file.metadata()?))
        })();
        written.map_err(|source| self.io(source))
    }

    fn parse(path: &Path, text: &str) -> Result<Self, RootFileError> {
        // The parser's own message would quote the line, and with it a key.
        let mut read: Text =
            toml::from_str(text).map_err(|_| damaged(path, "it is not a root key file"))?;
        let id = read
            .id
            .parse()
            .map_err(|_| damaged(path, "its id is not a UUID"))?;
        let mut keys: Vec<Locked<RootKey>> = Vec::with_capacity(read.keys.len());
        for one in &mut read.keys {
            let mut bytes = Zeroizing::new([0; 32]);
            let decoded = hex::decode_to_slice(&one.key, &mut *bytes);
            one.key.zeroize();
            decoded.map_err(|_| damaged(path, "a key is not 64 hexadecimal digits"))?;
            if keys
                .last()
                .is_some_and(|last| last.version() >= one.version)
            {
                return Err(damaged(path, "its versions do not ascend"));
            }
            keys.push(Locked::new(RootKey::new(
                *RootId::bytes(&id),
                one.version,
                Secret::new(&bytes),
            )));
        }
        if keys.is_empty() {
            return Err(damaged(path, "it holds no key"));
        }
        Ok(Self {
            path: path.to_owned(),
            id,
            keys,
            read_from: None,
        })
    }

    fn to_text(&self) -> Zeroizing<String> {
        // At its full size from the start, so that no copy of a key is left behind by growing.
        let mut text = Zeroizing::new(String::with_capacity(BYTES_MAX));
        text.push_str("# The root key of Bulkhead. Whoever reads this file reads every organization's data;\n");
        text.push_str("# without it nobody does. Back it up apart from the data.\n");
        // Writing to a String does not fail.
        let _ = writeln!(text, "id = \"{}\"", self.id);
        for key in &self.keys {
            let mut digits = Zeroizing::new([0; 64]);
            let _ = hex::encode_to_slice(key.expose(), &mut *digits);
            let _ = write!(text, "\n[[keys]]\nversion = {}\nkey = \"", key.version());
            for digit in digits.iter() {
                text.push(char::from(*digit));
            }
            text.push_str("\"\n");
        }
        text
    }

    fn io(&self, source: io::Error) -> RootFileError {
        RootFileError::Io {
            path: self.path.clone(),
            source,
        }
    }
}

impl FileIdentity {
    pub(super) fn of(metadata: &fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}

/// The file as TOML. Its strings are wiped as they are taken over.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    id: String,
    keys: Vec<TextKey>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextKey {
    version: u32,
    key: String,
}

impl Drop for TextKey {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// More than the file of any root that is rotated daily for a year.
const BYTES_MAX: usize = 64 * 1024;

fn damaged(path: &Path, reason: &'static str) -> RootFileError {
    RootFileError::Damaged {
        path: path.to_owned(),
        reason,
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut beside = path.to_owned().into_os_string();
    beside.push(suffix);
    beside.into()
}

/// Renames a file, and fails when there is one of the new name.
fn name_unless_taken(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // A file system that cannot: a second name, then away with the first.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::hard_link(from, to)?;
            fs::remove_file(from)
        }
        renamed => Ok(renamed?),
    }
}

fn open_private(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}
