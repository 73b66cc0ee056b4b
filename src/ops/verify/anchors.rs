use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use names::{NodeId, OrgId};

use super::finding::Finding;
use crate::audit::Head;
use crate::catalog::SealedRowSet;
use crate::keyring::{OrgKeys, RowRefused};
use crate::ops::checkpoint::{CheckpointFile, Line};

/// What the checkpoint file says of the catalog and of the logs, as far as it is to be believed.
#[derive(Debug, Default)]
pub(crate) struct Anchors {
    /// How many lines of the file are checkpoints.
    pub(super) checkpoints: u64,
    /// The last change that any of them has seen.
    pub(super) seq: u64,
    /// What checkpoints have seen of the log as far as it was not pruned, in the order of the file.
    pub(super) changes: Vec<Anchor>,
    /// The ends of the chains of activity logs, as last seen.
    pub(crate) logs: BTreeMap<OrgId, BTreeMap<NodeId, Head>>,
    /// What is wrong with the file.
    pub(crate) findings: Vec<Finding>,
}

/// A change as a checkpoint has seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anchor {
    /// The line of the file, from 1.
    pub(super) line: u64,
    /// The number of the change.
    pub(super) seq: u64,
    /// The head of the chain there.
    pub(super) head: [u8; 32],
    /// What all rows came to there.
    pub(super) rows: SealedRowSet,
}

impl Anchors {
    /// Reads the file, and keeps of what it says of changes what goes back to `from_seq`; without a
    /// file there are no anchors. Blocks.
    pub(crate) fn read(path: &Path, platform: &OrgKeys, from_seq: u64) -> io::Result<Self> {
        let Some(mut file) = CheckpointFile::lock_shared(path)? else {
            return Ok(Self::default());
        };
        let mut reader = Reader {
            anchors: Self::default(),
            from_seq,
            number: 0,
            previous: [0; 32],
            unreadable: None,
            unvouched: None,
        };
        file.each_line_from(0, |text| reader.take(text, platform))?;
        Ok(reader.finish())
    }

    fn wrong(&mut self, line: u64, reason: &str) {
        self.findings.push(Finding::Checkpoint {
            line,
            reason: reason.to_owned(),
        });
    }
}

/// Follows the chain of lines. Each holds the hash of the one before, so that a line whose key was
/// rotated away is vouched for by the next one that verifies.
struct Reader {
    anchors: Anchors,
    from_seq: u64,
    /// The line that was read last, from 1.
    number: u64,
    previous: [u8; 32],
    unreadable: Option<u64>,
    unvouched: Option<u64>,
}

impl Reader {
    fn take(&mut self, text: &str, platform: &OrgKeys) {
        self.number += 1;
        let number = self.number;
        let Ok(line) = Line::read(text) else {
            // Cut short by a crash, if the next line follows the one before.
            self.unreadable = self.unreadable.or(Some(number));
            return;
        };
        if line.claimed.previous != self.previous {
            self.anchors.wrong(
                number,
                "it does not follow the one before: lines were altered or are missing",
            );
        }
        self.previous = line.hash;
        match line.verify(platform) {
            Ok(()) => self.unvouched = None,
            Err(RowRefused::NoKey { .. }) => self.unvouched = self.unvouched.or(Some(number)),
            Err(_) => {
                let reason = "it was altered: its MAC does not verify";
                self.anchors.wrong(number, reason);
                return;
            }
        }
        if self.anchors.seq > line.claimed.seq {
            self.anchors
                .wrong(number, "it has seen less than the one before");
        }
        self.unreadable = None;
        self.anchors.checkpoints += 1;
        self.anchors.seq = line.claimed.seq;
        if line.claimed.seq >= self.from_seq {
            self.anchors.changes.push(Anchor {
                line: number,
                seq: line.claimed.seq,
                head: line.claimed.head,
                rows: line.claimed.rows,
            });
        }
        for chain in line.claimed.logs {
            let chains = self.anchors.logs.entry(chain.org).or_default();
            chains.insert(chain.node, chain.head);
        }
    }

    fn finish(self) -> Anchors {
        let mut anchors = self.anchors;
        if let Some(number) = self.unreadable {
            anchors.wrong(number, "it is no checkpoint");
        }
        if let Some(number) = self.unvouched {
            anchors.wrong(
                number,
                "the key that signed it is gone, and no later line vouches for it",
            );
        }
        anchors
    }
}
