use std::collections::{BTreeMap, HashMap, HashSet};

use names::OrgId;

use super::anchors::Anchors;
use super::finding::{Finding, RowName};
use crate::catalog::{CatalogError, Change, PlatformCatalog};

/// A row's MAC, by which the log of changes names it.
pub(super) type Mac = [u8; 32];

/// The rows that the log of changes says there are, each by its MAC.
pub(super) struct Replay {
    /// How many changes there were.
    pub(super) changes: u64,
    /// The last of them.
    pub(super) seq: u64,
    head: [u8; 32],
    tables: Vec<String>,
    rows: HashMap<Mac, Written>,
}

/// Which change wrote a row.
#[derive(Clone, Copy)]
struct Written {
    table: u16,
    org: OrgId,
    seq: u64,
}

/// What became of a genuine row that is not among the current ones.
pub(super) enum Fate {
    /// A later change replaced it, and left this MAC in its place.
    Replaced { change: u64, by: Mac },
    /// A later change deleted it.
    Deleted { change: u64 },
    /// No change wrote it.
    Unknown,
}

impl Replay {
    /// Replays every change that the log holds now, computing its chain again and comparing it
    /// with what checkpoints have seen.
    pub(super) async fn of(
        platform: &PlatformCatalog,
        anchors: &Anchors,
        findings: &mut Vec<Finding>,
    ) -> Result<Self, CatalogError> {
        let mut replay = Self {
            changes: 0,
            seq: 0,
            head: [0; 32],
            tables: Vec::new(),
            rows: HashMap::new(),
        };
        let mut anchored: BTreeMap<u64, Vec<(u64, [u8; 32])>> = BTreeMap::new();
        for anchor in &anchors.changes {
            let seen = anchored.entry(anchor.seq).or_default();
            seen.push((anchor.line, anchor.head));
        }
        if let Some(seen) = anchored.remove(&0) {
            compare(0, [0; 32], seen, findings);
        }
        each_change(platform, 0, |change| {
            if !change.follows(&replay.head) {
                findings.push(Finding::Unchained { change: change.seq });
            }
            replay.take(&change);
            if let Some(seen) = anchored.remove(&change.seq) {
                compare(change.seq, change.head, seen, findings);
            }
        })
        .await?;
        // What is left was seen by checkpoints, and is not in the log.
        if let Some((seq, seen)) = anchored.pop_last() {
            findings.push(match seq > replay.seq {
                true => Finding::Cut {
                    last: replay.seq,
                    anchored: seq,
                },
                false => Finding::Replaced {
                    change: seq,
                    line: seen.first().map_or(0, |(line, _)| *line),
                },
            });
        }
        Ok(replay)
    }

    /// Whether the row is current; it is then counted as seen.
    pub(super) fn see(&mut self, mac: &Mac) -> bool {
        self.rows.remove(mac).is_some()
    }

    /// Gives up rows of an organization whose keys are destroyed, but for the tables named.
    pub(super) fn forget(&mut self, org: OrgId, kept: &[&str]) {
        let tables = &self.tables;
        let is_kept = |written: &Written| {
            let table = tables.get(usize::from(written.table));
            table.is_some_and(|table| kept.contains(&table.as_str()))
        };
        self.rows
            .retain(|_, written| written.org != org || is_kept(written));
    }

    /// The current rows that were not seen, except those whose MAC is among `excused`.
    pub(super) fn missing(&self, excused: &HashSet<Mac>) -> Vec<Finding> {
        let unseen = self.rows.iter().filter(|(mac, _)| !excused.contains(*mac));
        let mut missing: Vec<Written> = unseen.map(|(_, written)| *written).collect();
        missing.sort_unstable_by_key(|written| (written.seq, written.table));
        let finding = |written: Written| Finding::Missing {
            table: self
                .tables
                .get(usize::from(written.table))
                .cloned()
                .unwrap_or_default(),
            organization: written.org.to_string(),
            change: written.seq,
        };
        missing.into_iter().map(finding).collect()
    }

    fn take(&mut self, change: &Change) {
        self.changes += 1;
        self.seq = change.seq;
        self.head = change.head;
        for entry in &change.entries {
            if let Some(old) = &entry.old_mac {
                self.rows.remove(old);
            }
            if let Some(new) = entry.new_mac {
                let table = self.table(&entry.table);
                let (org, seq) = (change.org, change.seq);
                self.rows.insert(new, Written { table, org, seq });
            }
        }
    }

    /// A table's number: a name for each of millions of rows would be many.
    fn table(&mut self, name: &str) -> u16 {
        let known = self.tables.iter().position(|table| table == name);
        let number = known.unwrap_or_else(|| {
            self.tables.push(name.to_owned());
            self.tables.len() - 1
        });
        u16::try_from(number).unwrap_or(u16::MAX)
    }
}

/// The MACs that changes after `seq` wrote or took away: rows that moved while they were walked
/// over.
pub(super) async fn touched_since(
    platform: &PlatformCatalog,
    seq: u64,
) -> Result<HashSet<Mac>, CatalogError> {
    let mut touched = HashSet::new();
    each_change(platform, seq, |change| {
        for entry in change.entries {
            touched.extend([entry.old_mac, entry.new_mac].into_iter().flatten());
        }
    })
    .await?;
    Ok(touched)
}

/// Follows genuine rows that are not current through the whole log.
pub(super) async fn fates(
    platform: &PlatformCatalog,
    rows: Vec<(RowName, Mac)>,
) -> Result<Vec<(RowName, Fate)>, CatalogError> {
    let mut fates: Vec<Fate> = rows.iter().map(|_| Fate::Unknown).collect();
    let known: HashMap<Mac, usize> = rows.iter().map(|(_, mac)| *mac).zip(0..).collect();
    // Where each of them, or what replaced it, stands as the log goes on.
    let mut current: HashMap<Mac, Vec<usize>> = HashMap::new();
    each_change(platform, 0, |change| {
        for entry in change.entries {
            let moved = entry.old_mac.and_then(|old| current.remove(&old));
            let moved = moved.unwrap_or_default();
            for index in &moved {
                fates[*index] = match entry.new_mac {
                    Some(by) => Fate::Replaced {
                        change: change.seq,
                        by,
                    },
                    None => Fate::Deleted { change: change.seq },
                };
            }
            if let Some(new) = entry.new_mac {
                let here = current.entry(new).or_default();
                here.extend(moved);
                if let Some(index) = known.get(&new) {
                    here.push(*index);
                }
                if here.is_empty() {
                    current.remove(&new);
                }
            }
        }
    })
    .await?;
    Ok(rows.into_iter().map(|(row, _)| row).zip(fates).collect())
}

async fn each_change(
    platform: &PlatformCatalog,
    after: u64,
    mut each: impl FnMut(Change),
) -> Result<(), CatalogError> {
    let mut at = after;
    loop {
        let changes = platform.changes_since(at, CHANGES_PER_PAGE).await?;
        let Some(last) = changes.last().map(|change| change.seq) else {
            return Ok(());
        };
        at = last;
        changes.into_iter().for_each(&mut each);
    }
}

fn compare(change: u64, head: [u8; 32], seen: Vec<(u64, [u8; 32])>, findings: &mut Vec<Finding>) {
    let other = seen.into_iter().find(|(_, anchored)| *anchored != head);
    if let Some((line, _)) = other {
        findings.push(Finding::Replaced { change, line });
    }
}

/// How many changes are read at a time.
const CHANGES_PER_PAGE: u32 = 1000;
