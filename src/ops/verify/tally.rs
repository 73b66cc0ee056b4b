use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use names::OrgId;

use super::anchors::{Anchor, Anchors};
use super::finding::Finding;
use crate::catalog::{CensusEntry, Change, LogBase};
use crate::keyring::{RowSet, RowSetOf, RowSets};
use crate::ops::checkpoint::{difference, left};

/// Adds up a census: by organization, what pruned changes had left, with every change since, on one
/// side, and the rows that are there on the other. On the way the chain of changes is computed again
/// and compared, as are the sums, with what checkpoints have seen.
pub(super) struct Tally {
    sets: RowSets,
    /// By the number of the change that they have seen.
    anchored: BTreeMap<u64, Vec<Anchor>>,
    last_anchored: u64,
    base: LogBase,
    is_log_begun: bool,
    seq: u64,
    head: [u8; 32],
    rows: RowSet,
    changes: u64,
    balances: BTreeMap<OrgId, Balance>,
    findings: Vec<Finding>,
}

/// What a census comes to.
pub(super) struct Tallied {
    /// How many changes the log holds.
    pub(super) changes: u64,
    /// How many were pruned.
    pub(super) pruned: u64,
    /// What is wrong with the log.
    pub(super) findings: Vec<Finding>,
    /// The organizations whose rows are not those that were written.
    pub(super) unlike: BTreeSet<OrgId>,
    /// How many rows the log tells of in these organizations, as written or as gone.
    pub(super) entries_unlike: u64,
}

/// Both sides of an organization.
#[derive(Default)]
struct Balance {
    written: RowSet,
    found: RowSet,
    /// How many rows the log tells of.
    entries: u64,
}

impl Tally {
    /// An empty one, to be held against checkpoints.
    pub(super) fn new(sets: RowSets, anchors: &Anchors) -> Self {
        let mut anchored: BTreeMap<u64, Vec<Anchor>> = BTreeMap::new();
        for anchor in &anchors.changes {
            anchored.entry(anchor.seq).or_default().push(*anchor);
        }
        let base = LogBase {
            seq: 0,
            head: [0; 32],
            rows: None,
        };
        Self {
            sets,
            anchored,
            last_anchored: anchors.seq,
            base,
            is_log_begun: false,
            seq: base.seq,
            head: base.head,
            rows: RowSet::default(),
            changes: 0,
            balances: BTreeMap::new(),
            findings: Vec::new(),
        }
    }

    /// Takes an entry in.
    pub(super) fn take(&mut self, entry: CensusEntry) -> ControlFlow<()> {
        match entry {
            CensusEntry::Base(base) => self.begin_at(base),
            CensusEntry::Folded(folded) => {
                let left = left(&self.sets, &folded);
                self.rows = self.rows.plus(left);
                let balance = self.balances.entry(folded.org).or_default();
                balance.written = balance.written.plus(left);
            }
            CensusEntry::Change(change) => {
                self.begin_log();
                self.change(&change);
            }
            CensusEntry::Row { org, mac, .. } => {
                let row = self.sets.row(org, &mac);
                let balance = self.balances.entry(org).or_default();
                balance.found = balance.found.plus(row);
            }
        }
        ControlFlow::Continue(())
    }

    /// What it came to.
    pub(super) fn finish(mut self) -> Tallied {
        self.begin_log();
        // What is left was seen by checkpoints, and is not in the log.
        if let Some((seq, seen)) = self.anchored.pop_last() {
            self.findings.push(match seq > self.seq {
                true => Finding::Cut {
                    last: self.seq,
                    anchored: seq,
                },
                false => Finding::Replaced {
                    change: seq,
                    line: seen.first().map_or(0, |anchor| anchor.line),
                },
            });
        }
        let is_unlike = |balance: &Balance| balance.written != balance.found;
        self.balances.retain(|_, balance| is_unlike(balance));
        Tallied {
            changes: self.changes,
            pruned: self.base.seq,
            findings: self.findings,
            entries_unlike: self.balances.values().map(|balance| balance.entries).sum(),
            unlike: self.balances.into_keys().collect(),
        }
    }

    fn begin_at(&mut self, base: LogBase) {
        (self.seq, self.head, self.base) = (base.seq, base.head, base);
        // What older checkpoints have seen is gone with them.
        self.anchored = self.anchored.split_off(&base.seq);
        if base.seq > 0 && self.anchored.is_empty() {
            self.findings.push(Finding::Overpruned {
                begins: base.seq.saturating_add(1),
                anchored: self.last_anchored,
            });
        }
    }

    /// All that was folded has been added up.
    fn begin_log(&mut self) {
        if !self.is_log_begun {
            self.is_log_begun = true;
            self.compare();
        }
    }

    fn change(&mut self, change: &Change) {
        if !change.follows(&self.head) || self.seq.checked_add(1) != Some(change.seq) {
            let change = change.seq;
            self.findings.push(Finding::Unchained { change });
        }
        self.changes += 1;
        (self.seq, self.head) = (change.seq, change.head);
        let difference = difference(&self.sets, change);
        self.rows = self.rows.plus(difference);
        let balance = self.balances.entry(change.org).or_default();
        balance.written = balance.written.plus(difference);
        balance.entries += change.entries.len() as u64;
        self.compare();
    }

    /// Holds the log, as far as it has come, against the checkpoints that have seen as much.
    fn compare(&mut self) {
        let Some(seen) = self.anchored.remove(&self.seq) else {
            return;
        };
        let change = self.seq;
        if let Some(other) = seen.iter().find(|anchor| anchor.head != self.head) {
            let line = other.line;
            self.findings.push(Finding::Replaced { change, line });
        }
        // Of a log that is another the sums would say the same once more.
        if !self.findings.is_empty() {
            return;
        }
        let rows = |anchor: &Anchor| self.sets.open(RowSetOf::All, &anchor.head, &anchor.rows);
        if let Some(other) = seen.iter().find(|anchor| rows(anchor) != self.rows) {
            let line = other.line;
            self.findings.push(Finding::Unaccounted { change, line });
        }
    }
}
