use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use names::{NodeId, OrgId};
use tokio::sync::{Notify, Semaphore, oneshot};

use super::chain::{Chain, Door, Pending, Tip};
use super::counters::Counters;
use super::entry::Entry;
use super::gather::Gather;
use super::log::AuditError;
use super::queue::{CROWDED, Done};
use super::segment::{self, Segment};
use super::verify::Head;
use crate::catalog::{
    AuditSegmentRow, Catalog, CatalogError, CommitError, Conflict, Mutation, OrgState,
    PlatformCatalog,
};
use crate::clock::Clock;
use crate::keyring::{Keyring, KeyringError, OrgKeys};

/// The logs that this node writes, and what writes them.
///
/// ```text
///  record ──► queue ──► whoever holds the tip takes what waits ──► seal ──► commit ──► answer all
///  note ────► queue ──► (listed) sweep after half of batch_delay_max ──┘
/// ```
///
/// One segment of a log is under way at a time, so that everything that comes meanwhile shares the
/// next one, and so that a log that is flooded takes its turns in the catalog like any other.
pub(super) struct Writer {
    pub(super) node: NodeId,
    pub(super) catalog: Catalog,
    pub(super) platform_catalog: PlatformCatalog,
    pub(super) keyring: Arc<Keyring>,
    pub(super) clock: Clock,
    pub(super) delay: Duration,
    pub(super) refusals_per_second_max: u32,
    pub(super) chains: RwLock<HashMap<OrgId, Arc<Chain>>>,
    pub(super) platform: Arc<Chain>,
    /// The logs in which something waits.
    pub(super) listed: Mutex<Vec<Arc<Chain>>>,
    /// Says that a log was listed.
    pub(super) waiting: Notify,
    /// Those of which a whole segment waits.
    pub(super) full: Mutex<Vec<Arc<Chain>>>,
    /// Says that there is one.
    pub(super) hurry: Notify,
    /// How many logs are swept at a time.
    pub(super) sweeps: Arc<Semaphore>,
    pub(super) gather: Mutex<Gather>,
    pub(super) gathering: Notify,
    /// The chains that grew since somebody asked.
    pub(super) grown: Mutex<BTreeMap<OrgId, Head>>,
    pub(super) stopped: AtomicBool,
    pub(super) counters: Counters,
}

impl Writer {
    /// Writes what waits in a log and is ripe, segment by segment.
    pub(super) async fn write_ripe(self: &Arc<Self>, chain: &Arc<Chain>) {
        let mut tip = chain.tip.lock().await;
        self.write_at(chain, &mut tip).await;
    }

    /// Writes what waits in a log because it has waited long enough, unless somebody is writing
    /// it: then the next sweep looks again.
    pub(super) async fn write_due(self: &Arc<Self>, chain: &Arc<Chain>) {
        if let Ok(mut tip) = chain.tip.try_lock() {
            self.write_at(chain, &mut tip).await;
        } else {
            self.list(chain);
        }
    }

    /// Records entries in a log and returns once they are durable; gives them back when too much
    /// waits already.
    pub(super) async fn record(
        self: &Arc<Self>,
        chain: &Arc<Chain>,
        entries: Vec<Entry>,
    ) -> Result<Result<(), AuditError>, Vec<Entry>> {
        let (done, written) = oneshot::channel();
        chain.queue().record(entries, done)?;
        self.write_soon(chain);
        Ok(outcome(written).await)
    }

    /// Has a log written by a task of its own, so that no caller who goes away takes the others'
    /// segment with it.
    pub(super) fn write_soon(self: &Arc<Self>, chain: &Arc<Chain>) {
        let (writer, chain) = (Arc::clone(self), Arc::clone(chain));
        tokio::spawn(async move { writer.write_ripe(&chain).await });
    }

    /// Lets the next sweep find a log.
    pub(super) fn list(&self, chain: &Arc<Chain>) {
        let mut queue = chain.queue();
        if !queue.listed {
            queue.listed = true;
            drop(queue);
            lock(&self.listed).push(Arc::clone(chain));
            self.waiting.notify_one();
        }
    }

    async fn write_at(self: &Arc<Self>, chain: &Arc<Chain>, tip: &mut Tip) {
        loop {
            let pending = match tip.pending.take() {
                Some(pending) => pending,
                None => {
                    let batch = chain.queue().take_ripe(self.clock.monotonic().as_secs());
                    let Some(batch) = batch else { break };
                    if batch.entries.is_empty() {
                        answer(batch.waiters, &Ok(()));
                        continue;
                    }
                    match tip.prepare(batch, self.clock.now_ms()) {
                        Ok(pending) => pending,
                        Err(error) => {
                            // Texts and numbers have no way not to be encoded.
                            tracing::error!(error, "a segment of a log was lost");
                            continue;
                        }
                    }
                }
            };
            let waiting = chain.queue().waiting();
            match self.write(chain, tip, pending).await {
                Ok(()) => {
                    if chain.queue().failed.take().is_some() {
                        tracing::info!("an activity log is written again");
                    }
                }
                Err((pending, error)) => {
                    tip.pending = Some(pending);
                    let mut queue = chain.queue();
                    if queue.failed.is_none() {
                        tracing::error!(error, "an activity log cannot be written");
                    }
                    queue.fail(error, waiting);
                    break;
                }
            }
        }
        let idle = tip.pending.is_none() && chain.queue().is_empty();
        if !idle {
            self.list(chain);
        }
    }

    /// Writes one segment and answers who waits for it. If it fails they are answered, too, but
    /// the segment is given back: it may stand already, and nothing in it is to be lost.
    async fn write(
        self: &Arc<Self>,
        chain: &Chain,
        tip: &mut Tip,
        mut pending: Pending,
    ) -> Result<(), (Pending, String)> {
        let waiters = std::mem::take(&mut pending.waiters);
        match self.append(chain, tip, &mut pending).await {
            Ok(()) => {
                answer(waiters, &Ok(()));
                Ok(())
            }
            Err(error) => {
                self.counters.failures.inc();
                answer(waiters, &Err(AuditError::Unavailable(error.clone())));
                Err((pending, error))
            }
        }
    }

    async fn append(
        self: &Arc<Self>,
        chain: &Chain,
        tip: &mut Tip,
        pending: &mut Pending,
    ) -> Result<(), String> {
        for _ in 0..ATTEMPTS_MAX {
            let Some(keys) = self.keys(&chain.door).await? else {
                return self.divert(chain, pending).await;
            };
            let number = tip.head.segments;
            let row = pending
                .plaintext
                .seal(&keys, self.node, number)
                .map_err(|error| error.to_string())?;
            match self.commit(&chain.door, row).await {
                Ok(()) => {
                    self.stands(&chain.door, tip, pending);
                    return Ok(());
                }
                // The key was rotated: seal again under the new one.
                Err(CommitError::Conflict(Conflict::KeyClosed { .. })) => {
                    self.keyring.forget(chain.door.org());
                }
                Err(CommitError::Conflict(Conflict::Stale { .. })) => {
                    if self.find_standing(&chain.door, &keys, tip, pending).await? {
                        return Ok(());
                    }
                }
                Err(CommitError::Store(error)) => {
                    if !matches!(error, CatalogError::Full) {
                        tip.may_stand(pending.plaintext.hash);
                    }
                    return Err(error.to_string());
                }
                Err(CommitError::Conflict(conflict)) => return Err(conflict.to_string()),
            }
        }
        Err("the organization's key is closed again and again".to_owned())
    }

    /// Another segment stands in the place of the next one. If it is one that this node tried to
    /// write, the tip moves behind it; returns whether it is this very one. Nobody else writes
    /// this chain, so any other is a sign of tampering.
    async fn find_standing(
        &self,
        door: &Door,
        keys: &OrgKeys,
        tip: &mut Tip,
        pending: &mut Pending,
    ) -> Result<bool, String> {
        let number = tip.head.segments;
        let row = self
            .standing(door, number)
            .await
            .map_err(|error| error.to_string())?
            .ok_or_else(|| FOREIGN.to_owned())?;
        let (stands, hash) = segment::open(keys, self.node, number, &row)?;
        if !tip.has_tried(&hash) {
            return Err(FOREIGN.to_owned());
        }
        if hash == pending.plaintext.hash {
            self.stands(door, tip, pending);
            return Ok(true);
        }
        tip.advance(hash, stands.written_ms);
        let entries = entries(pending)?;
        pending.plaintext = tip.follow(entries, self.clock.now_ms())?;
        Ok(false)
    }

    /// States that the segment that was pending is written.
    fn stands(&self, door: &Door, tip: &mut Tip, pending: &Pending) {
        tip.advance(pending.plaintext.hash, pending.plaintext.written_ms);
        lock(&self.grown).insert(door.org(), tip.head);
        self.counters.segments.inc();
        self.counters.events.inc_by(pending.plaintext.events);
    }

    /// Records in the platform's log what the organization's own cannot hold any more.
    async fn divert(self: &Arc<Self>, chain: &Chain, pending: &Pending) -> Result<(), String> {
        let org = chain.door.org();
        let mut entries = entries(pending)?;
        for entry in &mut entries {
            entry.org = Some(org);
        }
        match self.record(&self.platform, entries).await {
            Ok(written) => written.map_err(|error| error.to_string()),
            Err(_) => Err(CROWDED.to_owned()),
        }
    }

    /// The keys that seal a log; nothing when the organization is sealed or destroyed, or its rows
    /// are not what was written. Its events go to the platform's log then, since what is refused
    /// because of tampering has to be recorded somewhere.
    async fn keys(&self, door: &Door) -> Result<Option<Arc<OrgKeys>>, String> {
        let opened = match door {
            Door::Platform => {
                let keys = self.keyring.open_platform().await;
                return keys.map(Some).map_err(|error| error.to_string());
            }
            Door::Organization(permit) => {
                if !self.takes_events(permit.org()).await? {
                    return Ok(None);
                }
                self.keyring.open(permit).await
            }
        };
        match opened {
            Ok(keys) => Ok(Some(keys)),
            Err(KeyringError::NoKey) => Ok(None),
            Err(error @ (KeyringError::NoRoot { .. } | KeyringError::Refused(_))) => {
                tracing::error!(%error, "an organization's log goes to the platform's");
                Ok(None)
            }
            Err(
                error @ (KeyringError::Catalog(_)
                | KeyringError::NotMade(_)
                | KeyringError::NoNameKey),
            ) => Err(error.to_string()),
        }
    }

    /// Whether an organization's own log is written: its keys are not evicted or gone.
    async fn takes_events(&self, org: OrgId) -> Result<bool, String> {
        let row = self.platform_catalog.organization(org).await;
        let Some(row) = row.map_err(|error| error.to_string())? else {
            return Ok(false);
        };
        let platform = self.keyring.open_platform().await;
        match platform.map_err(|error| error.to_string())?.verify(row) {
            Ok(row) => Ok(match row.state {
                OrgState::Active | OrgState::Suspended | OrgState::Deleting => true,
                OrgState::Sealed | OrgState::Destroyed => false,
            }),
            Err(error) => {
                tracing::error!(%error, "an organization's log goes to the platform's");
                Ok(false)
            }
        }
    }

    async fn commit(&self, door: &Door, row: AuditSegmentRow) -> Result<(), CommitError> {
        let append = Mutation::AppendAudit(row);
        match door {
            Door::Organization(permit) => self.catalog.open(permit).commit(append).await,
            Door::Platform => {
                let platform = &self.platform_catalog;
                platform.commit(OrgId::PLATFORM, append).await
            }
        }
        .map(drop)
    }

    /// The segment of this node's chain that has that number.
    async fn standing(
        &self,
        door: &Door,
        number: u64,
    ) -> Result<Option<AuditSegmentRow>, CatalogError> {
        let node = self.node;
        let rows = match door {
            Door::Organization(permit) => {
                let catalog = self.catalog.open(permit);
                catalog.audit_segments(node, number, 1).await?
            }
            Door::Platform => {
                let platform = &self.platform_catalog;
                let org = OrgId::PLATFORM;
                platform.audit_segments(org, node, number, 1).await?
            }
        };
        Ok(rows.into_iter().find(|row| row.number == number))
    }
}

impl Door {
    fn org(&self) -> OrgId {
        match self {
            Self::Organization(permit) => permit.org(),
            Self::Platform => OrgId::PLATFORM,
        }
    }
}

/// What came of a write that was waited for.
pub(super) async fn outcome(
    written: oneshot::Receiver<Result<(), AuditError>>,
) -> Result<(), AuditError> {
    written
        .await
        .unwrap_or_else(|_| Err(AuditError::Unavailable("the writer ended".to_owned())))
}

/// Locks what is held for moments only.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(waiters: Vec<Done>, outcome: &Result<(), AuditError>) {
    for waiter in waiters {
        // Whoever has stopped waiting wants no answer.
        let _ = waiter.send(outcome.clone());
    }
}

fn entries(pending: &Pending) -> Result<Vec<Entry>, String> {
    Segment::decode(&pending.plaintext.bytes)
        .map(|segment| segment.entries)
        .map_err(|error| error.to_string())
}

/// How often a segment is sealed again because of a rotation or of an earlier write.
const ATTEMPTS_MAX: u32 = 4;

/// What is wrong when the chain of this process has grown or shrunk without it.
const FOREIGN: &str = "the end of this node's chain is not what it wrote";
