use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use names::{NodeId, OrgId};
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;

use super::file::{Appended, CheckpointFile};
use super::line::{Checkpoint, Line};
use super::prune::prune;
use crate::audit::{Audit, ChainHead, Head};
use crate::catalog::{CatalogError, Change, PlatformCatalog, SealedRowSet};
use crate::clock::Clock;
use crate::config;
use crate::keyring::{Keyring, KeyringError, RowRefused, RowSet, RowSetOf, RowSets};

/// Appends a signed checkpoint to the operator's file whenever the catalog or a log has changed.
///
/// A checkpoint is signed only over a chain that goes on from the one before: a catalog that was
/// rolled back is reported and gets none. Several processes may append to one file; each reads
/// first what the others have appended.
///
/// What a checkpoint has covered for long enough is pruned from the log of changes. A checkpoint
/// holds the head of the chain and what all rows came to, so that `verify` goes on from there:
///
/// ```text
/// changes   1 ───────── pruned ───────── 812 │ 813 ──── 990 ──── 1204
/// kept      the head, and what they left of  │           │         │
///           each organization's rows         │        checkpoints
/// ```
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
    /// What would be pruned is not what a checkpoint has covered: it is evidence, and stays.
    #[error(
        "the log of changes is not what checkpoint {anchored} has covered, and none of it is pruned"
    )]
    NotCovered {
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
    /// Checkpoints up to which nothing has been pruned yet.
    anchors: VecDeque<Anchor>,
    /// What grew and stands in no checkpoint yet.
    grown: BTreeMap<(OrgId, NodeId), Head>,
}

#[derive(Clone, Copy)]
struct Last {
    hash: [u8; 32],
    anchor: Anchor,
}

/// What a checkpoint says of the log of changes.
#[derive(Clone, Copy)]
pub(super) struct Anchor {
    pub(super) at_ms: u64,
    pub(super) seq: u64,
    pub(super) head: [u8; 32],
    pub(super) rows: SealedRowSet,
}

/// What was appended to the file since it was read last.
#[derive(Default)]
struct News {
    /// The last line that reads like one.
    line: Option<String>,
    last: Option<Last>,
    /// Those that the last line vouches for: each holds the hash of the one before.
    anchors: VecDeque<Anchor>,
    /// Whether it vouches for those that had been read before, too.
    is_linked: bool,
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
                self.prune_logged().await;
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

    /// Prunes the changes that a checkpoint has covered for longer than any cache can still want
    /// them. Returns how many went.
    pub async fn prune(&self) -> Result<u64, CheckpointError> {
        let before_ms = self.clock.now_ms().saturating_sub(KEPT_MS);
        let base = self.platform.log_base().await?;
        let due = {
            let mut state = self.state.lock().await;
            state.anchors.retain(|anchor| anchor.seq > base.seq);
            let newest_first = state.anchors.iter().rev();
            newest_first
                .copied()
                .find(|anchor| anchor.at_ms <= before_ms)
        };
        match due {
            Some(anchor) => {
                let sets = self.keyring.row_sets().await?;
                prune(&self.platform, &sets, base, anchor).await
            }
            None => Ok(0),
        }
    }

    async fn prune_logged(&self) {
        match self.prune().await {
            Ok(0) => {}
            Ok(changes) => tracing::info!(changes, "pruned what a checkpoint covers"),
            Err(error) => tracing::error!(%error, "the log of changes is not pruned"),
        }
    }

    async fn append_logged(&self, audit: &Audit) {
        if let Err(error) = self.append(audit.chain_heads()).await {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(%error, cause, "no checkpoint was written");
        }
    }

    async fn write(&self, state: &mut State, when: When) -> Result<bool, CheckpointError> {
        let pruned_seq = self.platform.log_base().await?.seq;
        let (mut file, appended, news) = self.lock_and_read(state, pruned_seq).await?;
        let platform = self.keyring.open_platform().await?;
        if let Some(line) = news.line.as_deref().and_then(|line| Line::read(line).ok()) {
            line.verify(&platform)
                .map_err(|reason| CheckpointError::Altered {
                    path: self.path.clone(),
                    reason,
                })?;
            state.last = news.last;
            if !news.is_linked {
                state.anchors.clear();
            }
            state.anchors.extend(news.anchors);
        }
        state.end = appended.end;
        let (seq, head) = self.platform.last_change().await?;
        let unchanged = state
            .last
            .is_some_and(|last| (last.anchor.seq, last.anchor.head) == (seq, head));
        if unchanged && state.grown.is_empty() && when == When::Changed {
            return Ok(false);
        }
        let sets = self.keyring.row_sets().await?;
        let rows = self.follow(&sets, state.last, seq, head).await?;
        let anchor = Anchor {
            at_ms: self.clock.now_ms(),
            seq,
            head,
            rows: sets.seal(RowSetOf::All, &head, rows),
        };
        let checkpoint = Checkpoint {
            at_ms: anchor.at_ms,
            node: self.node,
            seq,
            head,
            rows: anchor.rows,
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
        state.last = hash.ok().map(|hash| Last { hash, anchor });
        state.anchors.push_back(anchor);
        state.grown.clear();
        Ok(true)
    }

    /// Reads what was appended to the file, and keeps of it what goes beyond what was pruned.
    async fn lock_and_read(
        &self,
        state: &State,
        pruned_seq: u64,
    ) -> Result<(CheckpointFile, Appended, News), CheckpointError> {
        let (path, start) = (self.path.clone(), state.end);
        let mut previous = state.last.map_or([0; 32], |last| last.hash);
        let read = spawn_blocking(move || {
            let mut file = CheckpointFile::lock(&path)?;
            let mut news = News {
                is_linked: true,
                ..News::default()
            };
            let appended = file.each_line_from(start, |text| {
                let Ok(line) = Line::read(text) else { return };
                if line.claimed.previous != previous {
                    news.anchors.clear();
                    news.is_linked = false;
                }
                previous = line.hash;
                let anchor = Anchor {
                    at_ms: line.claimed.at_ms,
                    seq: line.claimed.seq,
                    head: line.claimed.head,
                    rows: line.claimed.rows,
                };
                if anchor.seq > pruned_seq {
                    news.anchors.push_back(anchor);
                }
                let hash = line.hash;
                news.last = Some(Last { hash, anchor });
                news.line = Some(text.to_owned());
            })?;
            Ok((file, appended, news))
        })
        .await;
        self.io(read)
    }

    /// The chain of changes, computed again from where the last checkpoint left it, has to come to
    /// what the catalog says it is. Returns what all rows come to there.
    async fn follow(
        &self,
        sets: &RowSets,
        last: Option<Last>,
        seq: u64,
        head: [u8; 32],
    ) -> Result<RowSet, CheckpointError> {
        let (anchored, mut computed, mut rows) = match last {
            Some(Last { anchor, .. }) => {
                let rows = sets.open(RowSetOf::All, &anchor.head, &anchor.rows);
                (anchor.seq, anchor.head, rows)
            }
            None => self.begin(sets).await?,
        };
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
                rows = rows.plus(difference(sets, change));
            }
            at = end;
        }
        if computed != head {
            return Err(not_continued);
        }
        Ok(rows)
    }

    /// Where the first checkpoint of a file begins. There is nothing to hold the catalog against:
    /// what it says of changes that were pruned is taken as it stands.
    async fn begin(&self, sets: &RowSets) -> Result<(u64, [u8; 32], RowSet), CheckpointError> {
        let base = self.platform.log_base().await?;
        let Some(rows) = base.rows else {
            return Ok((base.seq, base.head, RowSet::default()));
        };
        tracing::warn!(
            path = %self.path.display(),
            seq = base.seq,
            "a new checkpoint file begins with what the catalog says of changes that were pruned"
        );
        let rows = sets.open(RowSetOf::All, &base.head, &rows);
        Ok((base.seq, base.head, rows))
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

/// What a change makes of the set of all rows.
pub(in crate::ops) fn difference(sets: &RowSets, change: &Change) -> RowSet {
    let of =
        |mac: Option<[u8; 32]>| mac.map_or_else(RowSet::default, |mac| sets.row(change.org, &mac));
    let entries = change.entries.iter();
    entries.fold(RowSet::default(), |set, entry| {
        set.plus(of(entry.new_mac)).minus(of(entry.old_mac))
    })
}

/// How long a change stays that a checkpoint covers. Caches want it for seconds, and one that slept
/// for longer learns that it has missed some (see [`Coherence`](crate::catalog::Coherence));
/// `verify` tells by it which row was put back, not only whose.
const KEPT_MS: u64 = 3_600_000;

/// How many changes are read at a time.
const CHANGES_PER_PAGE: u32 = 1000;
