use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use names::{NodeId, OrgId};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::file::{Appended, CheckpointFile};
use super::line::{Checkpoint, Line};
use crate::audit::{Audit, ChainHead, Head};
use crate::catalog::{CatalogError, PlatformCatalog};
use crate::clock::Clock;
use crate::config;
use crate::keyring::{Keyring, KeyringError, RowRefused};

/// Appends a signed checkpoint to the operator's file whenever the catalog or a log has changed.
///
/// A checkpoint is signed only over a chain that goes on from the one before: a catalog that was
/// rolled back is reported and gets none. Several processes may append to one file; each reads
/// first what the others have appended.
pub struct Checkpoints {
    path: PathBuf,
    interval: Duration,
    platform: PlatformCatalog,
    keyring: Arc<Keyring>,
    node: NodeId,
    clock: Clock,
    state: Mutex<State>,
}

/// Why no checkpoint was written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error("the checkpoint file {}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file's last line is not what was written.
    #[error("the last line of the checkpoint file {} was altered: {reason}", path.display())]
    Altered {
        /// Which.
        path: PathBuf,
        /// How that shows.
        reason: RowRefused,
    },
    /// The catalog is not the one that the last checkpoint was taken of, grown.
    #[error(
        "the catalog does not go on from checkpoint {anchored}: it was rolled back or altered \
         (if you have restored a backup, begin a new checkpoint file)"
    )]
    NotContinued {
        /// The last change that the checkpoint knows.
        anchored: u64,
    },
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// The platform's key cannot be had.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
}

/// What is known of the file, up to where it was read.
#[derive(Default)]
struct State {
    end: u64,
    last: Option<Last>,
    /// What grew and stands in no checkpoint yet.
    grown: BTreeMap<(OrgId, NodeId), Head>,
}

#[derive(Clone, Copy)]
struct Last {
    hash: [u8; 32],
    seq: u64,
    head: [u8; 32],
}

/// Whether a checkpoint is written though it would say nothing new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Changed,
    Always,
}

impl Checkpoints {
    /// What writes checkpoints on behalf of this process.
    pub fn new(
        settings: &config::Audit,
        platform: PlatformCatalog,
        keyring: Arc<Keyring>,
        node: NodeId,
        clock: Clock,
    ) -> Self {
        Self {
            path: settings.checkpoint_file.clone(),
            interval: settings.checkpoint_interval,
            platform,
            keyring,
            node,
            clock,
            state: Mutex::default(),
        }
    }

    /// Writes checkpoints at the interval until `stop` is done, and a last one.
    pub async fn run(&self, audit: &Audit, stop: impl Future<Output = ()> + Send) {
        let work = async {
            loop {
                self.append_logged(audit).await;
                tokio::time::sleep(self.interval).await;
            }
        };
        tokio::select! {
            () = work => {}
            () = stop => {}
        }
        self.append_logged(audit).await;
    }

    /// Appends a checkpoint if something has changed since the last. Returns whether it did.
    pub async fn append(&self, grown: Vec<ChainHead>) -> Result<bool, CheckpointError> {
        let mut state = self.state.lock().await;
        for chain in grown {
            state.grown.insert((chain.org, chain.node), chain.head);
        }
        self.write(&mut state, When::Changed).await
    }

    /// Appends a checkpoint under the newest version of the platform's key, though nothing else
    /// has changed: the one before loses its key.
    pub async fn resign(&self) -> Result<(), CheckpointError> {
        let mut state = self.state.lock().await;
        self.write(&mut state, When::Always).await.map(drop)
    }

    async fn append_logged(&self, audit: &Audit) {
        if let Err(error) = self.append(audit.chain_heads()).await {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, cause, "no checkpoint was written");
        }
    }

    async fn write(&self, state: &mut State, when: When) -> Result<bool, CheckpointError> {
        let (mut file, appended) = self.lock_and_read(state.end).await?;
        let platform = self.keyring.open_platform().await?;
        if let Some(line) = appended.lines.iter().rev().find_map(|l| Line::read(l).ok()) {
            line.verify(&platform)
                .map_err(|reason| CheckpointError::Altered {
                    path: self.path.clone(),
                    reason,
                })?;
            state.last = Some(Last {
                hash: line.hash,
                seq: line.claimed.seq,
                head: line.claimed.head,
            });
        }
        state.end = appended.end;
        let (seq, head) = self.platform.last_change().await?;
        let unchanged = state
            .last
            .is_some_and(|last| (last.seq, last.head) == (seq, head));
        if unchanged && state.grown.is_empty() && when == When::Changed {
            return Ok(false);
        }
        self.require_continued(state.last, seq, head).await?;
        let checkpoint = Checkpoint {
            at_ms: self.clock.now_ms(),
            node: self.node,
            seq,
            head,
            logs: state
                .grown
                .iter()
                .map(|((org, node), head)| ChainHead {
                    org: *org,
                    node: *node,
                    head: *head,
                })
                .collect(),
            previous: state.last.map_or([0; 32], |last| last.hash),
        };
        let line = checkpoint.sign(&platform);
        let hash = Line::read(&line).map(|line| line.hash);
        let torn = appended.torn;
        let end = spawn_blocking(move || file.append(&line, torn)).await;
        state.end = self.io(end)?;
        state.last = hash.ok().map(|hash| Last { hash, seq, head });
        state.grown.clear();
        Ok(true)
    }

    async fn lock_and_read(
        &self,
        start: u64,
    ) -> Result<(CheckpointFile, Appended), CheckpointError> {
        let path = self.path.clone();
        let read = spawn_blocking(move || {
            let mut file = CheckpointFile::lock(&path)?;
            let appended = file.lines_from(start)?;
            Ok((file, appended))
        })
        .await;
        self.io(read)
    }

    /// The chain of changes, computed again from where the last checkpoint left it, has to come to
    /// what the catalog says it is.
    async fn require_continued(
        &self,
        last: Option<Last>,
        seq: u64,
        head: [u8; 32],
    ) -> Result<(), CheckpointError> {
        let (anchored, mut computed) = last.map_or((0, [0; 32]), |last| (last.seq, last.head));
        let not_continued = CheckpointError::NotContinued { anchored };
        if anchored > seq {
            return Err(not_continued);
        }
        let mut at = anchored;
        while at < seq {
            let changes = self.platform.changes_since(at, CHANGES_PER_PAGE).await?;
            let Some(end) = changes.last().map(|change| change.seq) else {
                return Err(not_continued);
            };
            for change in changes.iter().take_while(|change| change.seq <= seq) {
                if !change.follows(&computed) {
                    return Err(not_continued);
                }
                computed = change.head;
            }
            at = end;
        }
        if computed != head {
            return Err(not_continued);
        }
        Ok(())
    }

    fn io<T>(
        &self,
        outcome: Result<io::Result<T>, tokio::task::JoinError>,
    ) -> Result<T, CheckpointError> {
        outcome
            .map_err(io::Error::other)
            .flatten()
            .map_err(|source| CheckpointError::File {
                path: self.path.clone(),
                source,
            })
    }
}

/// How many changes are read at a time.
const CHANGES_PER_PAGE: u32 = 1000;
