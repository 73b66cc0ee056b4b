use std::collections::VecDeque;

use tokio::sync::oneshot;

use super::entry::{Entry, Outcome};
use super::log::AuditError;
use super::refusals::Refusals;
use crate::catalog::SEGMENT_SPAN_MS_MAX;

/// What waits to be written into one log.
#[derive(Default)]
pub(super) struct Queue {
    entries: VecDeque<Entry>,
    weight: usize,
    /// How many entries were ever queued.
    queued: u64,
    /// How many of them were taken.
    taken: u64,
    waiters: VecDeque<Waiter>,
    /// What is over the rate that each principal's refusals are recorded at.
    pub(super) refusals: Refusals,
    /// What waits has waited long enough.
    pub(super) due: bool,
    /// Whether a sweep will find the log.
    pub(super) listed: bool,
    /// Whether the writer has been asked to hurry since entries were last taken.
    pub(super) hurried: bool,
    /// Why the last write failed. Nothing that nobody waits for is taken until one succeeds.
    pub(super) failed: Option<String>,
}

/// Where the outcome of a write goes.
pub(super) type Done = oneshot::Sender<Result<(), AuditError>>;

/// Somebody who waits until everything that was queued before is durable.
struct Waiter {
    behind: u64,
    done: Done,
}

/// What goes into one segment, and who waits for it.
pub(super) struct Batch {
    pub(super) entries: Vec<Entry>,
    pub(super) waiters: Vec<Done>,
}

impl Queue {
    /// Queues an entry that nobody waits for. It tells of what has been done already, so it is
    /// kept even if the log cannot be written now: `check` refused new calls long before the room
    /// for it ends.
    pub(super) fn note(&mut self, entry: Entry) -> Result<(), AuditError> {
        let weight = entry.weight();
        if !self.has_room(HEADROOM, 1, weight) {
            return Err(AuditError::Unavailable(CROWDED.to_owned()));
        }
        self.queued += 1;
        self.weight += weight;
        self.entries.push_back(entry);
        match &self.failed {
            Some(failed) => Err(AuditError::Unavailable(failed.clone())),
            None => Ok(()),
        }
    }

    /// Whether something may be done now that has to be noted afterwards.
    pub(super) fn check(&self) -> Result<(), AuditError> {
        match &self.failed {
            Some(failed) => Err(AuditError::Unavailable(failed.clone())),
            None if !self.has_room(1, 1, 0) => Err(AuditError::Unavailable(CROWDED.to_owned())),
            None => Ok(()),
        }
    }

    /// Queues entries and who waits for them; gives all of them back when they do not fit.
    pub(super) fn record(&mut self, entries: Vec<Entry>, done: Done) -> Result<(), Vec<Entry>> {
        let weight: usize = entries.iter().map(Entry::weight).sum();
        if !self.has_room(1, entries.len(), weight) {
            return Err(entries);
        }
        self.queued += entries.len() as u64;
        self.weight += weight;
        self.entries.extend(entries);
        self.wait(done);
        Ok(())
    }

    /// Waits for everything that is queued.
    pub(super) fn wait(&mut self, done: Done) {
        self.waiters.push_back(Waiter {
            behind: self.queued,
            done,
        });
    }

    /// Takes a segment's worth, if anybody waits for it or it is due or whole; then, too, the
    /// counts of refusals that are over by `second`.
    pub(super) fn take_ripe(&mut self, second: u64) -> Option<Batch> {
        let ripe = self.due || self.is_full() || !self.waiters.is_empty();
        if !ripe {
            return None;
        }
        let mut weight = 0;
        let mut count = 0;
        let (mut first_ms, mut last_ms) = (u64::MAX, 0);
        for entry in self.entries.iter().take(SEGMENT_ENTRIES_MAX) {
            first_ms = entry.at_ms.min(first_ms);
            last_ms = entry.until_ms.max(last_ms);
            let is_over = weight + entry.weight() > SEGMENT_BYTES_MAX
                || last_ms - first_ms > SEGMENT_SPAN_MS_MAX;
            if count > 0 && is_over {
                break;
            }
            weight += entry.weight();
            count += 1;
        }
        let mut entries = merge_damage(self.entries.drain(..count).collect());
        self.weight -= weight;
        self.taken += count as u64;
        self.hurried = false;
        if self.entries.is_empty() {
            self.due = false;
            // There are many logs, and most of them are idle.
            self.entries.shrink_to_fit();
        }
        let done = self
            .waiters
            .iter()
            .take_while(|waiter| waiter.behind <= self.taken)
            .count();
        let waiters = self.waiters.drain(..done).map(|waiter| waiter.done);
        let waiters = waiters.collect();
        self.waiters.shrink_to_fit();
        entries.extend(self.refusals.take_counted(second));
        Some(Batch { entries, waiters })
    }

    /// How many wait for an answer.
    pub(super) fn waiting(&self) -> usize {
        self.waiters.len()
    }

    /// States that a write failed, and tells the first `waiting` of those who wait: they waited
    /// when it began. Whoever came later has a write of its own to come. What waits stays.
    pub(super) fn fail(&mut self, error: String, waiting: usize) {
        for waiter in self.waiters.drain(..waiting.min(self.waiters.len())) {
            // Whoever has stopped waiting wants no answer.
            let _ = waiter
                .done
                .send(Err(AuditError::Unavailable(error.clone())));
        }
        self.failed = Some(error);
    }

    /// Whether a segment's worth waits.
    pub(super) fn is_full(&self) -> bool {
        self.weight >= SEGMENT_BYTES_MAX || self.entries.len() >= SEGMENT_ENTRIES_MAX
    }

    /// Whether nothing waits to be written.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && !self.refusals.is_counting()
    }

    /// How many entries wait.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether that much more fits into `times` what may wait.
    fn has_room(&self, times: usize, entries: usize, weight: usize) -> bool {
        self.entries.len() + entries <= times * QUEUE_ENTRIES_MAX
            && self.weight + weight <= times * QUEUE_BYTES_MAX
    }
}

/// Lets one entry stand for those that found the same damage: a client that reads a damaged object
/// again and again does not fill its log.
fn merge_damage(entries: Vec<Entry>) -> Vec<Entry> {
    let mut kept: Vec<Entry> = Vec::with_capacity(entries.len());
    let mut found: Vec<usize> = Vec::new();
    for entry in entries {
        if !matches!(entry.outcome, Outcome::Damaged { .. }) {
            kept.push(entry);
            continue;
        }
        let recent = found.iter().rev().take(DAMAGES_COMPARED_MAX);
        match recent.copied().find(|&at| kept[at].repeats(&entry)) {
            Some(at) => kept[at].absorb(&entry),
            None => {
                found.push(kept.len());
                kept.push(entry);
            }
        }
    }
    kept
}

/// How much goes into one segment: enough that a busy log has few, little enough that writing one
/// delays nobody.
pub(super) const SEGMENT_ENTRIES_MAX: usize = 2_000;
const SEGMENT_BYTES_MAX: usize = 256 << 10;

/// How much may wait in one log before calls are refused. More than one segment while the one
/// before is written, and a bound on what a log that cannot be written costs.
pub(super) const QUEUE_ENTRIES_MAX: usize = 20_000;
const QUEUE_BYTES_MAX: usize = 4 << 20;

/// How many times that much may wait when calls that were under way have ended, too: as many of
/// one organization's calls as may wait are never under way at once.
pub(super) const HEADROOM: usize = 2;

/// With how many others an entry of damage is compared: what repeats does so at once.
const DAMAGES_COMPARED_MAX: usize = 64;

/// Why an event finds no room.
pub(super) const CROWDED: &str = "too much waits to be written";
