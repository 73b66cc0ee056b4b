//! Directories whose entries outlast a power loss.
//!
//! A file that is synced is not yet found again: its name stands in its directory, and the
//! directory has to be synced, too (fsync(2)).

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Syncs a directory, so that what it lists is found after a power loss. An empty path is the
/// directory that the process works in.
pub fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(or_here(path))?.sync_all()
}

/// The directory that lists `path`: the one to sync once a file has taken its name.
pub fn directory_of(path: &Path) -> &Path {
    or_here(path.parent().unwrap_or(path))
}

/// Makes a directory that only its owner reaches, if it is missing. Whoever made it has yet to
/// sync the directory that lists it.
pub fn make_directory(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(OF_OWNER).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Makes a directory and those above it where they are missing, each synced into the one that
/// lists it.
pub fn make_directories(path: &Path) -> io::Result<()> {
    let path = or_here(path);
    if path.is_dir() {
        return Ok(());
    }
    let above = directory_of(path);
    // The root, and a working directory that cannot be seen, have nothing above.
    if above != path {
        make_directories(above)?;
    }
    make_directory(path)?;
    sync_directory(above)
}

fn or_here(path: &Path) -> &Path {
    if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    }
}

const OF_OWNER: u32 = 0o700;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn directories_are_made_for_their_owner_alone() {
        let house = tempfile::tempdir().unwrap();
        let deep = house.path().join("a/b/c");
        for _ in 0..2 {
            make_directories(&deep).unwrap();
            for made in [deep.as_path(), directory_of(&deep)] {
                let mode = made.metadata().unwrap().permissions().mode();
                assert_eq!(mode & 0o7777, 0o700, "{made:?}");
                sync_directory(made).unwrap();
            }
        }
    }

    #[test]
    fn what_is_no_directory_is_not_taken_for_one() {
        let house = tempfile::tempdir().unwrap();
        let file = house.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(make_directories(&file.join("below")).is_err());
        assert!(sync_directory(&house.path().join("missing")).is_err());
        std::os::unix::fs::symlink("nowhere", house.path().join("broken")).unwrap();
        assert!(make_directories(&house.path().join("broken/below")).is_err());
    }

    #[test]
    fn a_name_alone_stands_in_the_directory_of_the_process() {
        assert_eq!(directory_of(Path::new("root.key")), Path::new("."));
        assert_eq!(directory_of(Path::new("data/root.key")), Path::new("data"));
        assert_eq!(directory_of(Path::new("/")), Path::new("/"));
        sync_directory(Path::new("")).unwrap();
        make_directories(Path::new("")).unwrap();
    }
}
