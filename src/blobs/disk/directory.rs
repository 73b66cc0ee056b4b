use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use names::{BlobId, OrgId};
use rustix::fs::Access;

use super::super::layout;
use crate::durable::{directory_of, make_directories, make_directory, sync_directory};

/// The directory below which the blobs lie, and what is known of the directories in it.
pub(super) struct Directory {
    root: PathBuf,
    /// For each organization one bit per shard whose directory, and whose parents' entries for
    /// it, have been synced since this process began. A directory that is merely there proves
    /// nothing: another writer, or a process killed earlier, may have made it unsynced.
    durable: Mutex<HashMap<OrgId, [u64; 4]>>,
}

impl Directory {
    /// Makes `root` and `root/orgs` where missing, and syncs them into their parents.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        make_directories(root)?;
        let root = root.canonicalize()?;
        make_directory(&root.join(layout::ROOT))?;
        sync_directory(&root)?;
        sync_directory(directory_of(&root))?;
        Ok(Self {
            root,
            durable: Mutex::new(HashMap::new()),
        })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn blob(&self, org: OrgId, blob: BlobId) -> PathBuf {
        self.root.join(layout::blob_path(org, blob))
    }

    /// Creates a blob's file, and the directories on the way to it where they are missing.
    pub(super) fn create(&self, org: OrgId, blob: BlobId) -> io::Result<File> {
        let path = self.blob(org, blob);
        let create = || {
            OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
        };
        match create() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.mark(org, blob, false);
                make_directory(&self.org(org))?;
                make_directory(&self.shard(org, blob))?;
                create()
            }
            created => created,
        }
    }

    /// Makes the entry of a synced file durable: its shard directory is synced, and, the first
    /// time in this process, the directories above. They come after the file so that one commit
    /// of the file system's journal covers all of them.
    pub(super) fn sync_entry(&self, org: OrgId, blob: BlobId) -> io::Result<()> {
        sync_directory(&self.shard(org, blob))?;
        if self.is_durable(org, blob) {
            return Ok(());
        }
        sync_directory(&self.org(org))?;
        sync_directory(&self.root.join(layout::ROOT))?;
        self.mark(org, blob, true);
        Ok(())
    }

    /// Whether the directory is there and may be written to.
    pub(super) fn check(&self) -> io::Result<()> {
        let orgs = self.root.join(layout::ROOT);
        rustix::fs::access(&orgs, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from)
    }

    fn org(&self, org: OrgId) -> PathBuf {
        self.root.join(layout::org_path(org))
    }

    fn shard(&self, org: OrgId, blob: BlobId) -> PathBuf {
        let mut path = self.blob(org, blob);
        path.pop();
        path
    }

    fn is_durable(&self, org: OrgId, blob: BlobId) -> bool {
        let (word, bit) = position(blob);
        let durable = self.durable.lock().unwrap_or_else(|e| e.into_inner());
        durable.get(&org).is_some_and(|bits| bits[word] & bit != 0)
    }

    fn mark(&self, org: OrgId, blob: BlobId, is_durable: bool) {
        let (word, bit) = position(blob);
        let mut durable = self.durable.lock().unwrap_or_else(|e| e.into_inner());
        let bits = &mut durable.entry(org).or_default()[word];
        *bits = if is_durable {
            *bits | bit
        } else {
            *bits & !bit
        };
    }
}

fn position(blob: BlobId) -> (usize, u64) {
    let shard = layout::shard(blob);
    (usize::from(shard / 64), 1 << (shard % 64))
}
