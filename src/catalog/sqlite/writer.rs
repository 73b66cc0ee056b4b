use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::{mpsc, oneshot, watch};

use super::apply::apply;
use super::batch::{Batch, Told, UnnamedKey};
use super::census;
use super::changes;
use super::error::{Failure, catalog_error, is_busy, is_unwritten};
use crate::catalog::{Bound, CatalogError, ChangedRow, Coherence, Conflict, Effect};
use crate::clock::Clock;

/// What each mutation of a call came to.
pub(super) type Outcomes = Vec<Result<Effect, Conflict>>;

/// The one thread that writes, behind a queue.
///
/// It takes what waits into one transaction, so that many callers share one sync of the disk. A
/// mutation that is refused has written nothing and its neighbours stand; after an error of SQL
/// the transaction is rolled back and every call is tried again alone.
///
/// When a commit fails otherwise than in a write, it is not known what the disk holds: the
/// kernel forgets what it could not write, and a second sync would succeed without it. Nothing is
/// retried then; the thread stops, and the process has to.
pub(super) struct Writer {
    queue: Option<mpsc::Sender<Task>>,
    stopped: watch::Receiver<Option<CatalogError>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// What the writer tells the rest of the process after a commit.
#[derive(Clone)]
pub(super) struct Announcer {
    pub(super) coherence: Coherence,
    /// The last change up to which all have been told.
    pub(super) told_seq: Arc<AtomicU64>,
}

enum Task {
    Commit(Call),
    /// Something else to be done between two groups.
    Other(Box<dyn FnOnce(&Work) + Send>),
}

/// A call to `commit`.
struct Call {
    mutations: Vec<Bound>,
    unnamed: Vec<UnnamedKey>,
    reply: oneshot::Sender<Result<Outcomes, CatalogError>>,
}

/// Where a transaction failed.
enum Failed {
    /// It never began: an earlier one failed for good.
    Stopped(CatalogError),
    /// Before the commit: rolled back, nothing happened.
    Before(rusqlite::Error),
    /// In the commit, and not in a write: unknown what is on the disk.
    Unknown(rusqlite::Error),
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        conn: Connection,
        clock: Clock,
        announcer: Announcer,
    ) -> Result<Self, CatalogError> {
        let (queue, tasks) = mpsc::channel(QUEUE_LENGTH);
        let (stop, stopped) = watch::channel(None);
        let work = Work {
            conn,
            clock,
            announcer,
            stop,
        };
        let thread = thread::Builder::new()
            .name("catalog".to_owned())
            .spawn(move || work.run(tasks))
            .map_err(|error| CatalogError::Unavailable(format!("no thread to write: {error}")))?;
        Ok(Self {
            queue: Some(queue),
            stopped,
            thread: Some(thread),
        })
    }

    /// Applies mutations and returns when they are durable.
    pub(super) async fn commit(
        &self,
        mutations: Vec<Bound>,
        unnamed: Vec<UnnamedKey>,
    ) -> Result<Outcomes, CatalogError> {
        let (reply, answer) = oneshot::channel();
        let call = Call {
            mutations,
            unnamed,
            reply,
        };
        self.send(Task::Commit(call)).await?;
        answer.await.map_err(|_| self.reason())?
    }

    /// Runs `work` in a transaction of its own and returns when it is durable.
    pub(super) async fn transact<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, CatalogError> {
        self.run(move |thread| thread.transact(work)).await
    }

    /// Runs `work` on the writer's connection between two transactions.
    pub(super) async fn outside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, CatalogError> {
        self.run(move |thread| work(&thread.conn).map_err(|error| catalog_error(&error)))
            .await
    }

    /// Returns when the thread has stopped for good, with the reason.
    pub(super) async fn stopped(&self) -> CatalogError {
        let mut stopped = self.stopped.clone();
        // An error says that the thread is gone, be it by a panic.
        let _ = stopped.wait_for(Option::is_some).await;
        self.reason()
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Work) -> Result<T, CatalogError> + Send + 'static,
    ) -> Result<T, CatalogError> {
        let (reply, answer) = oneshot::channel();
        let work = move |thread: &Work| {
            // Whoever asked may have gone.
            let _ = reply.send(work(thread));
        };
        self.send(Task::Other(Box::new(work))).await?;
        answer.await.map_err(|_| self.reason())?
    }

    async fn send(&self, task: Task) -> Result<(), CatalogError> {
        let Some(queue) = &self.queue else {
            return Err(self.reason());
        };
        queue.send(task).await.map_err(|_| self.reason())
    }

    fn reason(&self) -> CatalogError {
        let reason = self.stopped.borrow().clone();
        reason.unwrap_or_else(|| CatalogError::Unavailable("the writer has ended".to_owned()))
    }
}

impl Drop for Writer {
    /// Lets the thread finish what it was given and close the file.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been seen by everybody who waited for it.
            let _ = thread.join();
        }
    }
}

/// What the thread owns.
struct Work {
    conn: Connection,
    clock: Clock,
    announcer: Announcer,
    stop: watch::Sender<Option<CatalogError>>,
}

impl Work {
    fn run(self, mut tasks: mpsc::Receiver<Task>) {
        let mut next = tasks.blocking_recv();
        while let Some(task) = next.take() {
            match task {
                Task::Commit(first) => {
                    let mut calls = vec![first];
                    next = fill(&mut calls, &mut tasks);
                    self.commit(calls);
                }
                Task::Other(work) => work(&self),
            }
            if self.stop.borrow().is_some() {
                return;
            }
            if next.is_none() {
                next = tasks.blocking_recv();
            }
        }
    }

    /// Commits calls together, or one by one when that fails.
    fn commit(&self, calls: Vec<Call>) {
        match self.attempt(&calls) {
            Ok(outcomes) => answer(calls, outcomes),
            Err(Failed::Before(error)) if calls.len() > 1 && is_of_one_call(&error) => {
                tracing::warn!(%error, "a group of commits is tried again one by one");
                for call in calls {
                    self.commit(vec![call]);
                }
            }
            Err(failed) => refuse(calls, &self.failed(failed)),
        }
    }

    fn attempt(&self, calls: &[Call]) -> Result<Vec<Outcomes>, Failed> {
        let tx = self.begin()?;
        let unnamed: Vec<_> = calls.iter().flat_map(|call| call.unnamed.clone()).collect();
        let mut batch = Batch::new(&tx, self.clock.now_ms(), &unnamed);
        let mut outcomes = Vec::with_capacity(calls.len());
        for call in calls {
            let mut of_call = Vec::with_capacity(call.mutations.len());
            for Bound { org, mutation } in &call.mutations {
                of_call.push(match apply(&mut batch, *org, mutation) {
                    Ok(effect) => Ok(effect),
                    Err(Failure::Conflict(conflict)) => Err(conflict),
                    Err(Failure::Sql(error)) => return Err(Failed::Before(error)),
                });
            }
            outcomes.push(of_call);
        }
        let told = batch.finish().map_err(Failed::Before)?;
        commit(tx)?;
        self.announcer.announce(&told);
        Ok(outcomes)
    }

    fn transact<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, CatalogError> {
        let attempt = || {
            let tx = self.begin()?;
            let value = work(&tx).map_err(Failed::Before)?;
            commit(tx)?;
            Ok(value)
        };
        attempt().map_err(|failed| self.failed(failed))
    }

    fn begin(&self) -> Result<Transaction<'_>, Failed> {
        if let Some(reason) = &*self.stop.borrow() {
            return Err(Failed::Stopped(reason.clone()));
        }
        Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate)
            .map_err(Failed::Before)
    }

    fn failed(&self, failed: Failed) -> CatalogError {
        match failed {
            Failed::Stopped(reason) => reason,
            Failed::Before(error) => catalog_error(&error),
            Failed::Unknown(error) => {
                tracing::error!(%error, "the catalog stops: a commit failed, and what is on the disk is not known");
                let reason = format!("it has stopped since a commit failed: {error}");
                let reason = CatalogError::Unavailable(reason);
                self.stop.send_replace(Some(reason.clone()));
                reason
            }
        }
    }
}

impl Announcer {
    /// Tells of what other processes committed since the last time. What this one committed is in
    /// the log too, but has been passed over as far as nothing foreign came in between; to tell
    /// twice costs a cache one more look.
    pub(super) fn catch_up(&self, conn: &Connection) -> rusqlite::Result<()> {
        loop {
            let snapshot = conn.unchecked_transaction()?;
            let told = self.told_seq.load(Ordering::SeqCst);
            let base = census::base(&snapshot)?;
            if told < base.seq {
                // This process slept so long that what it has not seen was pruned.
                self.coherence.all_changed();
                self.told_seq.fetch_max(base.seq, Ordering::SeqCst);
                continue;
            }
            let changes = changes::since(&snapshot, told, CHANGES_AT_ONCE)?;
            let Some(last) = changes.last() else {
                return Ok(());
            };
            let last = last.seq;
            for change in changes {
                for class in change.entries.iter().filter_map(ChangedRow::class) {
                    self.coherence.changed(change.org, class);
                }
            }
            self.told_seq.fetch_max(last, Ordering::SeqCst);
        }
    }

    /// Tells caches of a commit, before its caller hears of it.
    fn announce(&self, told: &Told) {
        for (org, class) in &told.classes {
            self.coherence.changed(*org, *class);
        }
        let (before, last) = told.seqs;
        // Only if nobody else's change lies between: the next poll has to tell of that.
        let _ = self
            .told_seq
            .compare_exchange(before, last, Ordering::SeqCst, Ordering::SeqCst);
    }
}

/// Takes what else waits, as long as the group is small. Returns a task that does not belong.
fn fill(calls: &mut Vec<Call>, tasks: &mut mpsc::Receiver<Task>) -> Option<Task> {
    let mut mutations = calls.iter().map(|call| call.mutations.len()).sum::<usize>();
    while mutations < GROUP_MUTATIONS {
        match tasks.try_recv() {
            Ok(Task::Commit(call)) => {
                mutations += call.mutations.len();
                calls.push(call);
            }
            Ok(other) => return Some(other),
            Err(_) => return None,
        }
    }
    None
}

fn commit(tx: Transaction<'_>) -> Result<(), Failed> {
    tx.commit().map_err(|error| {
        // The commit record comes last: without it the transaction is rolled back when it is
        // dropped.
        if is_unwritten(&error) {
            Failed::Before(error)
        } else {
            Failed::Unknown(error)
        }
    })
}

/// Whether a call of the group may be the cause: not of a disk that takes nothing, nor of another
/// process that writes.
fn is_of_one_call(error: &rusqlite::Error) -> bool {
    !is_unwritten(error) && !is_busy(error)
}

fn answer(calls: Vec<Call>, outcomes: Vec<Outcomes>) {
    for (call, outcomes) in calls.into_iter().zip(outcomes) {
        // Whoever asked may have gone.
        let _ = call.reply.send(Ok(outcomes));
    }
}

fn refuse(calls: Vec<Call>, error: &CatalogError) {
    for call in calls {
        // Whoever asked may have gone.
        let _ = call.reply.send(Err(error.clone()));
    }
}

/// How many mutations share a transaction, about.
const GROUP_MUTATIONS: usize = 128;
/// How many calls wait in the queue; more wait before it.
const QUEUE_LENGTH: usize = 1_024;

/// How many changes are read at once.
const CHANGES_AT_ONCE: u32 = 1_000;
