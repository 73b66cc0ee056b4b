use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures_util::{StreamExt, stream};
use names::{NodeId, PrincipalId};
use prometheus_client::registry::Registry;
use tokio::sync::{Notify, Semaphore, oneshot};

use super::chain::{Chain, Door};
use super::counters::Counters;
use super::entry::Entry;
use super::event::{Decision, Event, PlatformEvent};
use super::queue::CROWDED;
use super::refusals::Refusals;
use super::verify::ChainHead;
use super::writer::{Writer, lock, outcome};
use crate::authz::{AppendActivity, Permit};
use crate::catalog::{Catalog, PlatformCatalog};
use crate::clock::Clock;
use crate::config;
use crate::keyring::Keyring;

/// The activity log of every organization, as this node writes it.
///
/// Each organization has a chain of sealed segments per node, and so per process: a node's
/// identifier is made when it starts. An organization whose key is sealed or destroyed is recorded
/// in the platform's log.
///
/// An idle log costs half a kilobyte of memory until the process ends.
pub struct Audit(pub(super) Arc<Writer>);

/// Why an event was not recorded. The call that it belongs to is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// This principal had more refusals recorded in this second than it may. It was counted, and
    /// the count is recorded.
    #[error("too many refusals in this second")]
    SlowDown,
    /// The log cannot be written. The text is for the operator's log.
    #[error("the activity log cannot be written: {0}")]
    Unavailable(String),
}

impl Audit {
    /// The logs of this process. `node` must be fresh: its chains begin at number 0.
    pub fn new(
        node: NodeId,
        catalog: Catalog,
        platform: PlatformCatalog,
        keyring: Arc<Keyring>,
        settings: &config::Audit,
        clock: Clock,
    ) -> Self {
        Self(Arc::new(Writer {
            node,
            catalog,
            platform_catalog: platform,
            keyring,
            clock,
            // The other half is for the write.
            delay: settings.batch_delay_max / 2,
            refusals_per_second_max: settings.refusals_per_second_max,
            chains: RwLock::default(),
            platform: Arc::new(Chain::new(Door::Platform)),
            listed: Mutex::default(),
            waiting: Notify::new(),
            full: Mutex::default(),
            hurry: Notify::new(),
            sweeps: Arc::new(Semaphore::new(SWEEPS_MAX)),
            gather: Mutex::default(),
            gathering: Notify::new(),
            grown: Mutex::default(),
            stopped: AtomicBool::new(false),
            counters: Counters::default(),
        }))
    }

    /// Records what must not be lost: refusals, damage, what is intended to change a policy or to
    /// show a secret. Durable when it returns; concurrent ones share a segment. If it fails the
    /// event may still be written later.
    ///
    /// # Errors
    ///
    /// `SlowDown` for a refusal over the rate of its principal and for what such a principal
    /// intends in that second, `Unavailable` if the log cannot be written now.
    pub async fn record(
        &self,
        permit: Permit<AppendActivity>,
        event: Event,
    ) -> Result<(), AuditError> {
        let principal = permit.principal();
        let chain = self.chain(permit);
        let admit = match event.decision {
            Decision::Refused { .. } => Some(Refusals::admit as Admit),
            Decision::Intended => Some(Refusals::admit_intent as Admit),
            Decision::Allowed { .. } | Decision::Damaged { .. } | Decision::Stated { .. } => None,
        };
        let mut entry = Entry::of(event);
        if let Some(admit) = admit {
            let second = self.0.clock.monotonic().as_secs();
            let max = self.0.refusals_per_second_max;
            let admitted = admit(&mut chain.queue().refusals, principal, entry, second, max);
            let Some(admitted) = admitted else {
                self.0.counters.limited.inc();
                self.0.list(&chain);
                return Err(AuditError::SlowDown);
            };
            entry = admitted;
        }
        self.record_in(&chain, entry).await
    }

    /// Records what was done and may wait for others: durable within `batch_delay_max` while
    /// [`run`](Self::run) runs.
    ///
    /// A call that [`check`](Self::check) let begin may end when the log cannot be written any
    /// more. What it did cannot be undone, so it is answered with an error and its event is kept
    /// all the same: it is written when the log can be again. It is lost only if the process ends
    /// before that. Only an intent that is durable before every write would close that gap, which
    /// costs each a commit of its own; changes of policy and reveals of secrets have one.
    ///
    /// # Errors
    ///
    /// `Unavailable` from the first write of the organization's log that fails until one succeeds.
    /// The event is dropped, too, when far more waits to be written than `check` lets begin, and
    /// once the node has stopped.
    pub fn note(&self, permit: Permit<AppendActivity>, event: Event) -> Result<(), AuditError> {
        if self.0.stopped.load(Ordering::Acquire) {
            return Err(stopped());
        }
        let chain = self.chain(permit);
        let hurry = {
            let mut queue = chain.queue();
            queue.note(Entry::of(event))?;
            queue.is_full() && !std::mem::replace(&mut queue.hurried, true)
        };
        self.0.list(&chain);
        if hurry {
            lock(&self.0.full).push(chain);
            self.0.hurry.notify_one();
        }
        Ok(())
    }

    /// Whether the log can be written, as far as is known now: asked before something is done that
    /// cannot be undone.
    ///
    /// # Errors
    ///
    /// `Unavailable` from the first write of the organization's log that fails until one succeeds,
    /// when too much waits to be written, and once the node has stopped.
    pub fn check(&self, permit: Permit<AppendActivity>) -> Result<(), AuditError> {
        if self.0.stopped.load(Ordering::Acquire) {
            return Err(stopped());
        }
        self.chain(permit).queue().check()
    }

    /// Records in the platform's log, gathered by source and text: what strangers do before they
    /// are authenticated. `what` is a text of ours, one of few, and quotes no request.
    pub fn note_platform(&self, event: PlatformEvent) {
        if lock(&self.0.gather).add(Entry::of_platform(event)) {
            self.0.gathering.notify_one();
        }
    }

    /// Records in the platform's log what the platform itself does. Durable when it returns.
    ///
    /// # Errors
    ///
    /// `Unavailable` if the platform's log cannot be written now.
    pub async fn record_platform(&self, event: PlatformEvent) -> Result<(), AuditError> {
        self.record_in(&self.0.platform, Entry::of_platform(event))
            .await
    }

    /// The ends of the chains that grew since it was last asked, for a checkpoint. Whoever asks
    /// keeps them until they stand in one.
    pub fn chain_heads(&self) -> Vec<ChainHead> {
        let node = self.0.node;
        std::mem::take(&mut *lock(&self.0.grown))
            .into_iter()
            .map(|(org, head)| ChainHead { org, node, head })
            .collect()
    }

    /// Shows what is counted, without a word about whose it is.
    pub fn register(&self, registry: &mut Registry) {
        self.0.counters.register(registry);
    }

    /// Writes batches as they are due, until `stop` is done; then everything that waits.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        tokio::select! {
            () = stop => {}
            () = self.sweep_when_due() => {}
            () = self.gather_by_interval() => {}
        }
        self.0.stopped.store(true, Ordering::Release);
        self.finish().await;
    }

    async fn record_in(&self, chain: &Arc<Chain>, entry: Entry) -> Result<(), AuditError> {
        match self.0.record(chain, vec![entry]).await {
            Ok(written) => written,
            Err(_) => Err(AuditError::Unavailable(CROWDED.to_owned())),
        }
    }

    fn chain(&self, permit: Permit<AppendActivity>) -> Arc<Chain> {
        let org = permit.org();
        let chains = self.0.chains.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(chain) = chains.get(&org) {
            return Arc::clone(chain);
        }
        drop(chains);
        let mut chains = self
            .0
            .chains
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let chain = chains
            .entry(org)
            .or_insert_with(|| Arc::new(Chain::new(Door::Organization(permit))));
        Arc::clone(chain)
    }

    /// Sleeps while nothing waits. From the first event on it lets others gather, but not beside a
    /// whole segment.
    async fn sweep_when_due(&self) {
        loop {
            self.0.waiting.notified().await;
            let due = tokio::time::sleep(self.0.delay);
            tokio::pin!(due);
            loop {
                tokio::select! {
                    () = &mut due => break,
                    () = self.0.hurry.notified() => {
                        for chain in std::mem::take(&mut *lock(&self.0.full)) {
                            self.sweep(chain);
                        }
                    }
                }
            }
            for chain in std::mem::take(&mut *lock(&self.0.listed)) {
                let mut queue = chain.queue();
                queue.listed = false;
                queue.due = true;
                drop(queue);
                self.sweep(chain);
            }
        }
    }

    /// Has a log written when its turn comes.
    fn sweep(&self, chain: Arc<Chain>) {
        let writer = Arc::clone(&self.0);
        tokio::spawn(async move {
            // The semaphore is never closed.
            let _turn = Arc::clone(&writer.sweeps).acquire_owned().await;
            writer.write_due(&chain).await;
        });
    }

    async fn gather_by_interval(&self) {
        loop {
            self.0.gathering.notified().await;
            tokio::time::sleep(GATHER_INTERVAL).await;
            self.write_gathered().await;
        }
    }

    async fn write_gathered(&self) {
        let entries = lock(&self.0.gather).take();
        if entries.is_empty() {
            return;
        }
        if let Err(entries) = self.0.record(&self.0.platform, entries).await {
            let mut gather = lock(&self.0.gather);
            for entry in entries {
                gather.add(entry);
            }
            self.0.gathering.notify_one();
        }
    }

    /// Writes everything that waits, the organizations' logs before the platform's, in which they
    /// may end. A catalog that is gone gets a few more chances.
    async fn finish(&self) {
        self.write_gathered().await;
        for wait in FINISH_WAITS {
            let chains: Vec<_> = self
                .0
                .chains
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .values()
                .map(Arc::clone)
                .collect();
            let failed = stream::iter(chains)
                .map(|chain| self.drain(chain))
                .buffer_unordered(SWEEPS_MAX)
                .filter(|drained| std::future::ready(drained.is_err()))
                .count()
                .await;
            let platform = self.drain(Arc::clone(&self.0.platform)).await;
            if failed == 0 && platform.is_ok() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
        let chains = self.0.chains.read().unwrap_or_else(PoisonError::into_inner);
        let lost: usize = chains.values().map(|chain| chain.queue().len()).sum();
        tracing::error!(
            events = lost,
            "the node stops with activity that it could not write"
        );
    }

    /// Writes everything that waits in a log, also refusals that are only counted.
    async fn drain(&self, chain: Arc<Chain>) -> Result<(), AuditError> {
        let (done, written) = oneshot::channel();
        chain.queue().wait(done);
        self.0.write_ripe(&chain).await;
        outcome(written).await?;
        let counted = chain.queue().refusals.take_counted(u64::MAX);
        match self.0.record(&chain, counted).await {
            Ok(written) => written,
            Err(_) => Err(AuditError::Unavailable(CROWDED.to_owned())),
        }
    }
}

/// Whether an entry has a line of its own, or is counted.
type Admit = fn(&mut Refusals, PrincipalId, Entry, u64, u32) -> Option<Entry>;

fn stopped() -> AuditError {
    AuditError::Unavailable("the node has stopped".to_owned())
}

/// How many logs are swept at a time. Their segments share commits, and others' commits do not
/// queue behind all of them.
const SWEEPS_MAX: usize = 64;

/// How long refusals before authentication are gathered.
const GATHER_INTERVAL: Duration = Duration::from_secs(10);

/// How long to wait between the attempts to write what is left when the node stops.
const FINISH_WAITS: [Duration; 5] = [
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1_600),
];
