use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Whether `path` is `dir` or stands below it once every symbolic link is followed, also those
/// that point to what does not exist yet. Neither has to exist.
pub(super) fn is_within(path: &Path, dir: &Path) -> io::Result<bool> {
    Ok(resolve(path)?.starts_with(resolve(dir)?))
}

/// The path that opening or creating `path` would reach. `std::fs::canonicalize` does the same
/// for what exists; the root key of a first start does not.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let mut reached = PathBuf::new();
    let mut pending: VecDeque<OsString> = parts(&std::path::absolute(path)?);
    let mut links = 0;
    while let Some(part) = pending.pop_front() {
        if part == ".." {
            reached.pop();
            continue;
        }
        // Joining an absolute part, the root or the target of a link, starts again from there.
        let next = reached.join(&part);
        match std::fs::read_link(&next) {
            Ok(_) if links == LINKS_MAX => return Err(io::Error::other("too many symbolic links")),
            Ok(target) => {
                links += 1;
                for part in parts(&target).into_iter().rev() {
                    pending.push_front(part);
                }
            }
            // Not a link, or not there: the path goes through it as it is written.
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput | io::ErrorKind::NotFound
                ) =>
            {
                reached = next;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(reached)
}

fn parts(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter(|part| *part != Component::CurDir)
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

/// As Linux limits them (path_resolution(7)).
const LINKS_MAX: usize = 40;
