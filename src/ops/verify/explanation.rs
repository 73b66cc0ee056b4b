use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

use names::OrgId;

use super::finding::Finding;
use super::tally::Tallied;
use crate::catalog::{CensusEntry, Change};
use crate::keyring::{RowSet, RowSets};
use crate::ops::checkpoint::left;

/// A row's MAC, by which the log of changes names it.
pub(super) type Mac = [u8; 32];

/// Takes a second census, of the organizations whose rows are not those that were written, and says
/// of as many rows as the log still tells of what became of them. It follows the last
/// [`FOLLOWED_MAX`] rows of the log, so that memory stays bounded; of what came before, as of what
/// was pruned, the sums tell whose rows are others.
pub(super) struct Explanation {
    sets: RowSets,
    unlike: BTreeSet<OrgId>,
    /// How many rows of the log come before those that are followed.
    skipped: u64,
    /// The last change that is not followed.
    unfollowed_seq: u64,
    balances: BTreeMap<OrgId, [RowSet; 2]>,
    tables: Vec<String>,
    current: HashMap<Mac, Written>,
    replaced: HashMap<Mac, Replaced>,
    stale: Vec<Stale>,
    unlogged: Vec<Stale>,
}

/// What is explained.
pub(super) struct Explained {
    /// Rows that are there and ought not to be, by their MACs.
    pub(super) strays: HashMap<Mac, Stray>,
    /// What else is wrong.
    pub(super) findings: Vec<Finding>,
}

/// A row that ought not to be there.
pub(super) struct Stray {
    pub(super) org: OrgId,
    pub(super) table: &'static str,
    pub(super) fate: Fate,
}

/// What had become of it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fate {
    /// A later change replaced it.
    Replaced { change: u64 },
    /// A later change deleted it.
    Deleted { change: u64 },
    /// No change wrote it.
    Unknown,
}

/// Which change wrote a row that is current.
struct Written {
    table: u16,
    org: OrgId,
    seq: u64,
    is_seen: bool,
}

#[derive(Clone, Copy)]
struct Replaced {
    seq: u64,
    by: Option<Mac>,
}

struct Stale {
    org: OrgId,
    table: &'static str,
    mac: Mac,
}

impl Explanation {
    /// Of what a first census has come to.
    pub(super) fn new(sets: RowSets, tallied: &Tallied) -> Self {
        Self {
            sets,
            unlike: tallied.unlike.clone(),
            skipped: tallied.entries_unlike.saturating_sub(FOLLOWED_MAX),
            unfollowed_seq: 0,
            balances: BTreeMap::new(),
            tables: Vec::new(),
            current: HashMap::new(),
            replaced: HashMap::new(),
            stale: Vec::new(),
            unlogged: Vec::new(),
        }
    }

    /// Takes an entry in.
    pub(super) fn take(&mut self, entry: CensusEntry) -> ControlFlow<()> {
        match entry {
            CensusEntry::Base(base) => self.unfollowed_seq = base.seq,
            CensusEntry::Folded(folded) if self.unlike.contains(&folded.org) => {
                self.written(folded.org, left(&self.sets, &folded));
            }
            CensusEntry::Change(change) if self.unlike.contains(&change.org) => {
                self.change(&change);
            }
            CensusEntry::Row { org, table, mac } if self.unlike.contains(&org) => {
                self.row(org, table, mac);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    /// What it came to.
    pub(super) fn finish(mut self) -> Explained {
        let mut strays = HashMap::new();
        // The rows that are missing because an older one stands in their place.
        let mut displaced: HashSet<Mac> = HashSet::new();
        for Stale { org, table, mac } in std::mem::take(&mut self.stale) {
            let (change, by) = self.end_of(mac);
            displaced.extend(by);
            let fate = match by {
                Some(_) => Fate::Replaced { change },
                None => Fate::Deleted { change },
            };
            self.not_found(org, &mac);
            strays.insert(mac, Stray { org, table, fate });
        }
        for Stale { org, table, mac } in std::mem::take(&mut self.unlogged) {
            self.not_found(org, &mac);
            let fate = Fate::Unknown;
            strays.insert(mac, Stray { org, table, fate });
        }
        let current = std::mem::take(&mut self.current);
        let mut missing = Vec::new();
        for (mac, written) in current.into_iter().filter(|(_, row)| !row.is_seen) {
            self.found(written.org, self.sets.row(written.org, &mac));
            if !displaced.contains(&mac) {
                missing.push(written);
            }
        }
        missing.sort_unstable_by_key(|written| (written.seq, written.table));
        let mut findings: Vec<_> = missing.iter().map(|row| self.missing(row)).collect();
        findings.extend(self.unexplained());
        Explained { strays, findings }
    }

    fn change(&mut self, change: &Change) {
        let (org, seq) = (change.org, change.seq);
        for entry in &change.entries {
            let of = |mac: Option<Mac>| mac.map(|mac| self.sets.row(org, &mac));
            let new = of(entry.new_mac).unwrap_or_default();
            let difference = new.minus(of(entry.old_mac).unwrap_or_default());
            self.written(org, difference);
            if self.skipped > 0 {
                self.skipped -= 1;
                self.unfollowed_seq = seq;
                continue;
            }
            if let Some(old) = entry.old_mac {
                self.current.remove(&old);
                let by = entry.new_mac;
                self.replaced.insert(old, Replaced { seq, by });
            }
            if let Some(new) = entry.new_mac {
                let table = self.table(&entry.table);
                self.replaced.remove(&new);
                let written = Written {
                    table,
                    org,
                    seq,
                    is_seen: false,
                };
                self.current.insert(new, written);
            }
        }
    }

    fn row(&mut self, org: OrgId, table: &'static str, mac: Mac) {
        let found = self.sets.row(org, &mac);
        match self.current.get_mut(&mac) {
            // One MAC verifies in one place alone: who walks over the rows finds the other.
            Some(written) if written.is_seen || written.org != org => return,
            Some(written) => written.is_seen = true,
            None if self.replaced.contains_key(&mac) => {
                self.stale.push(Stale { org, table, mac });
            }
            // All changes that there ever were have been followed.
            None if self.unfollowed_seq == 0 => self.unlogged.push(Stale { org, table, mac }),
            None => {}
        }
        self.found(org, found);
    }

    /// The last change of a row that was replaced, and what it left in its place.
    fn end_of(&self, mac: Mac) -> (u64, Option<Mac>) {
        let (mut change, mut by) = (0, Some(mac));
        // No MAC comes twice: one that is written again has been replaced no more.
        while let Some(replaced) = by.and_then(|mac| self.replaced.get(&mac)) {
            (change, by) = (replaced.seq, replaced.by);
        }
        (change, by)
    }

    /// What no row that the log tells of accounts for.
    fn unexplained(&self) -> Vec<Finding> {
        let unlike = self.balances.iter();
        unlike
            .filter(|(_, [written, found])| written != found)
            .map(|(org, [written, found])| Finding::Unlike {
                organization: org.to_string(),
                change: self.unfollowed_seq,
                surplus: found.minus(*written).rows(),
            })
            .collect()
    }

    fn missing(&self, written: &Written) -> Finding {
        let table = self.tables.get(usize::from(written.table));
        Finding::Missing {
            table: table.cloned().unwrap_or_default(),
            organization: written.org.to_string(),
            change: written.seq,
        }
    }

    fn written(&mut self, org: OrgId, difference: RowSet) {
        let [written, _] = self.balances.entry(org).or_default();
        *written = written.plus(difference);
    }

    fn found(&mut self, org: OrgId, row: RowSet) {
        let [_, found] = self.balances.entry(org).or_default();
        *found = found.plus(row);
    }

    fn not_found(&mut self, org: OrgId, mac: &Mac) {
        let row = self.sets.row(org, mac);
        let [_, found] = self.balances.entry(org).or_default();
        *found = found.minus(row);
    }

    /// A table's number: a name for each of many rows would be much.
    fn table(&mut self, name: &str) -> u16 {
        let known = self.tables.iter().position(|table| table == name);
        let number = known.unwrap_or_else(|| {
            self.tables.push(name.to_owned());
            self.tables.len() - 1
        });
        u16::try_from(number).unwrap_or(u16::MAX)
    }
}

/// Some 200 MB.
const FOLLOWED_MAX: u64 = 1_000_000;
