use names::{NodeId, OrgId};

use super::entry::Entry;
use super::segment::{self, Hash};
use crate::catalog::AuditSegmentRow;
use crate::keyring::OrgKeys;

/// The end of a chain: how many segments it has, and the hash of the last one's plaintext.
///
/// Kept outside the catalog, it tells later whether the chain was cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Head {
    /// How many segments there are; the last has this number minus one.
    pub segments: u64,
    /// SHA-256 of the last segment's plaintext; zeros while there is none.
    pub hash: [u8; 32],
}

/// The end of one chain of one log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainHead {
    /// Whose log; organization 0 has the platform's.
    pub org: OrgId,
    /// Which node's chain.
    pub node: NodeId,
    /// Its end.
    pub head: Head,
}

/// What is wrong with a chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// Segments are not there.
    #[error("segments {from} until before {until} are missing")]
    Missing {
        /// The first that is missing.
        from: u64,
        /// The next that is there.
        until: u64,
    },
    /// A segment is not what was written in its place.
    #[error("segment {number} is not what was written: {what}")]
    Altered {
        /// Which.
        number: u64,
        /// How that shows.
        what: String,
    },
    /// A segment comes after one that has its number or a higher one.
    #[error("segment {number} is out of order")]
    OutOfOrder {
        /// Which.
        number: u64,
    },
    /// A segment does not hold the hash of the one before.
    #[error("segment {number} does not follow the one before it")]
    Unchained {
        /// Which.
        number: u64,
    },
    /// A segment says that it was written before the one before it.
    #[error("segment {number} was written before the one before it")]
    BackInTime {
        /// Which.
        number: u64,
    },
    /// There are fewer segments than when the checkpoint was made.
    #[error("{segments} segments are left of at least {anchored}")]
    Cut {
        /// How many there are.
        segments: u64,
        /// How many there were.
        anchored: u64,
    },
    /// The segment that the checkpoint names is another.
    #[error("segment {number} is not the one that the checkpoint names")]
    Replaced {
        /// Which.
        number: u64,
    },
}

/// What verifying one chain has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainReport {
    /// Which node's chain.
    pub node: NodeId,
    /// How many segments opened.
    pub segments: u64,
    /// How many events they record.
    pub events: u64,
    /// When the first event happened, milliseconds since the epoch, if there is one.
    pub first_ms: Option<u64>,
    /// When the last happened.
    pub last_ms: Option<u64>,
    /// The end of the chain; nothing when the last segment did not open.
    pub head: Option<Head>,
    /// What is wrong. An empty list is a sound chain.
    pub findings: Vec<Finding>,
}

/// What verifying a log has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whose log.
    pub org: OrgId,
    /// Its chains.
    pub chains: Vec<ChainReport>,
}

/// Verifies one chain, segment by segment: that each opens in its place, that none is missing, and
/// that each holds the hash of the one before.
///
/// A segment that does not open breaks the chain at one place; what follows is verified against
/// itself from there on, and every finding is reported.
pub struct Verifier {
    node: NodeId,
    /// A checkpoint's word about this chain.
    anchor: Option<Head>,
    /// The number that comes next.
    next: u64,
    /// The hash that the next segment has to hold; nothing after one that is missing or altered.
    follows: Option<Hash>,
    written_ms: u64,
    segments: u64,
    events: u64,
    span_ms: Option<(u64, u64)>,
    findings: Vec<Finding>,
}

impl Verifier {
    /// Begins at the beginning of `node`'s chain, of which a checkpoint may have said `anchor`.
    pub fn new(node: NodeId, anchor: Option<Head>) -> Self {
        Self {
            node,
            anchor,
            next: 0,
            follows: Some(Head::default().hash),
            written_ms: 0,
            segments: 0,
            events: 0,
            span_ms: None,
            findings: Vec::new(),
        }
    }

    /// Takes the next segment and returns what is recorded in it: nothing if it does not open.
    pub fn take(&mut self, keys: &OrgKeys, row: &AuditSegmentRow) -> Vec<Entry> {
        let number = row.number;
        if number < self.next {
            self.findings.push(Finding::OutOfOrder { number });
            return Vec::new();
        }
        if number > self.next {
            self.findings.push(Finding::Missing {
                from: self.next,
                until: number,
            });
            self.follows = None;
        }
        self.next = number.saturating_add(1);
        match self.open(keys, row) {
            Ok((entries, hash)) => {
                self.follows = Some(hash);
                self.segments += 1;
                entries
            }
            Err(what) => {
                self.findings.push(Finding::Altered { number, what });
                self.follows = None;
                Vec::new()
            }
        }
    }

    /// Ends the chain.
    pub fn finish(mut self) -> ChainReport {
        if let Some(anchor) = self.anchor
            && self.next < anchor.segments
        {
            self.findings.push(Finding::Cut {
                segments: self.next,
                anchored: anchor.segments,
            });
        }
        ChainReport {
            node: self.node,
            segments: self.segments,
            events: self.events,
            first_ms: self.span_ms.map(|(first, _)| first),
            last_ms: self.span_ms.map(|(_, last)| last),
            head: self.follows.map(|hash| Head {
                segments: self.next,
                hash,
            }),
            findings: self.findings,
        }
    }

    fn open(
        &mut self,
        keys: &OrgKeys,
        row: &AuditSegmentRow,
    ) -> Result<(Vec<Entry>, Hash), String> {
        let number = row.number;
        let (segment, hash) = segment::open(keys, self.node, number, row)?;
        segment.check_span(row)?;
        if self.follows.is_some_and(|hash| hash != segment.previous) {
            self.findings.push(Finding::Unchained { number });
        }
        if segment.written_ms < self.written_ms {
            self.findings.push(Finding::BackInTime { number });
        }
        self.written_ms = self.written_ms.max(segment.written_ms);
        if let Some(anchor) = self.anchor
            && anchor.segments == self.next
            && anchor.hash != hash
        {
            self.findings.push(Finding::Replaced { number });
        }
        for entry in &segment.entries {
            self.events = self.events.saturating_add(entry.count);
            let (first, last) = self.span_ms.unwrap_or((entry.at_ms, entry.until_ms));
            self.span_ms = Some((first.min(entry.at_ms), last.max(entry.until_ms)));
        }
        Ok((segment.entries, hash))
    }
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.chains.iter().all(|chain| chain.findings.is_empty())
    }
}
