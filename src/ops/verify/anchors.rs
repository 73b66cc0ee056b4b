use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use names::{NodeId, OrgId};

use super::finding::Finding;
use crate::audit::Head;
use crate::keyring::{OrgKeys, RowRefused};
use crate::ops::checkpoint::{CheckpointFile, Line};

/// What the checkpoint file says of the catalog and of the logs, as far as it is to be believed.
#[derive(Debug, Default)]
pub(crate) struct Anchors {
    /// The changes that checkpoints have seen, in the order of the file.
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
}

impl Anchors {
    /// Reads the file; without one there are no anchors. Blocks.
    pub(crate) fn read(path: &Path, platform: &OrgKeys) -> io::Result<Self> {
        let Some(mut file) = CheckpointFile::lock_shared(path)? else {
            return Ok(Self::default());
        };
        Ok(Self::of(&file.lines_from(0)?.lines, platform))
    }

    /// Follows the chain of lines. Each holds the hash of the one before, so that a line whose key
    /// was rotated away is vouched for by the next one that verifies.
    pub(super) fn of(lines: &[String], platform: &OrgKeys) -> Self {
        let mut anchors = Self::default();
        let mut previous = [0; 32];
        let mut unreadable: Option<u64> = None;
        let mut unvouched: Option<u64> = None;
        for (number, text) in (1..).zip(lines) {
            let Ok(line) = Line::read(text) else {
                // Cut short by a crash, if the next line follows the one before.
                unreadable = unreadable.or(Some(number));
                continue;
            };
            if line.claimed.previous != previous {
                anchors.wrong(
                    number,
                    "it does not follow the one before: lines were altered or are missing",
                );
            }
            match line.verify(platform) {
                Ok(()) => unvouched = None,
                Err(RowRefused::NoKey { .. }) => unvouched = unvouched.or(Some(number)),
                Err(_) => {
                    anchors.wrong(number, "it was altered: its MAC does not verify");
                    previous = line.hash;
                    continue;
                }
            }
            if anchors
                .changes
                .last()
                .is_some_and(|last| last.seq > line.claimed.seq)
            {
                anchors.wrong(number, "it has seen less than the one before");
            }
            unreadable = None;
            previous = line.hash;
            anchors.changes.push(Anchor {
                line: number,
                seq: line.claimed.seq,
                head: line.claimed.head,
            });
            for chain in line.claimed.logs {
                let chains = anchors.logs.entry(chain.org).or_default();
                chains.insert(chain.node, chain.head);
            }
        }
        if let Some(number) = unreadable {
            anchors.wrong(number, "it is no checkpoint");
        }
        if let Some(number) = unvouched {
            anchors.wrong(
                number,
                "the key that signed it is gone, and no later line vouches for it",
            );
        }
        anchors
    }

    fn wrong(&mut self, line: u64, reason: &str) {
        self.findings.push(Finding::Checkpoint {
            line,
            reason: reason.to_owned(),
        });
    }
}
