use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;

use futures_util::stream::{self, BoxStream, StreamExt};
use names::{BlobId, OrgId};
use tokio::sync::mpsc::{self, Sender};
use tokio::task::spawn_blocking;

use super::super::{BlobEntry, BlobError, layout};

/// Lists the blobs of one organization, or of all, on the blocking pool and never further ahead
/// than a batch.
pub(super) fn walk(
    root: &Path,
    org: Option<OrgId>,
) -> BoxStream<'static, Result<BlobEntry, BlobError>> {
    let orgs = root.join(layout::ROOT);
    let (sender, receiver) = mpsc::channel(BATCH);
    spawn_blocking(move || {
        let walked = match org {
            Some(org) => walk_org(&orgs, org, &sender),
            None => walk_orgs(&orgs, &sender),
        };
        if let Err(Stop::Failed(error)) = walked {
            let error = BlobError::from_io("listing blobs", &error);
            // A closed channel is a caller that wants no more.
            let _ = sender.blocking_send(Err(error));
        }
    });
    stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|entry| (entry, receiver))
    })
    .boxed()
}

type Entries = Sender<Result<BlobEntry, BlobError>>;

/// How many entries wait for the caller at most.
const BATCH: usize = 1024;

enum Stop {
    Failed(io::Error),
    Unwanted,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

fn walk_orgs(orgs: &Path, sender: &Entries) -> Result<(), Stop> {
    for entry in present(fs::read_dir(orgs))?.into_iter().flatten() {
        if let Some(org) = name(&entry?) {
            walk_org(orgs, org, sender)?;
        }
    }
    Ok(())
}

fn walk_org(orgs: &Path, org: OrgId, sender: &Entries) -> Result<(), Stop> {
    let directory = orgs.join(org.to_string());
    for shard in present(fs::read_dir(directory))?.into_iter().flatten() {
        let shard = shard?;
        if !shard.file_type()?.is_dir() {
            continue;
        }
        let shard_name = shard.file_name();
        for entry in present(fs::read_dir(shard.path()))?.into_iter().flatten() {
            let entry = entry?;
            let Some(blob) = name::<BlobId>(&entry) else {
                continue;
            };
            let is_in_place = shard_name.to_str() == Some(&format!("{:02x}", layout::shard(blob)));
            let Some(metadata) = present(entry.metadata())?.filter(|m| m.is_file() && is_in_place)
            else {
                continue;
            };
            let entry = BlobEntry {
                org,
                blob,
                size: metadata.len(),
                modified: metadata.modified()?,
            };
            sender
                .blocking_send(Ok(entry))
                .map_err(|_| Stop::Unwanted)?;
        }
    }
    Ok(())
}

/// What was deleted while we walked is not there.
fn present<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some),
    }
}

/// Parses an identifier that stands in the one way we write it.
fn name<T: std::str::FromStr + ToString>(entry: &DirEntry) -> Option<T> {
    let text = entry.file_name();
    let id: T = text.to_str()?.parse().ok()?;
    (text.to_str() == Some(&id.to_string())).then_some(id)
}
