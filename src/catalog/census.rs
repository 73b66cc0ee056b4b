use std::ops::ControlFlow;

use names::OrgId;

use super::change::Change;

/// What a set of rows comes to, as the keyring made it: the catalog keeps it, and can neither make
/// nor read one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedRowSet {
    /// How many rows; less than none only if the log is not what was written.
    pub rows: i64,
    /// The sum over all rows, masked.
    pub sum: [u8; 32],
}

/// Where the log of changes begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogBase {
    /// The number of the last change before it; 0 when none was ever pruned.
    pub seq: u64,
    /// The head of the chain there; zeros when none was.
    pub head: [u8; 32],
    /// What all rows came to there; nothing when none was pruned, since there were none.
    pub rows: Option<SealedRowSet>,
}

/// What the changes that were pruned had left of an organization's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoldedChanges {
    /// Whose rows.
    pub org: OrgId,
    /// The head of the chain when changes of this organization were last pruned.
    pub head: [u8; 32],
    /// What they came to then; nothing left is no row of its own.
    pub set: Option<SealedRowSet>,
}

/// An entry of a census: all that the log of changes and the tables say, in one snapshot, of which
/// rows there are. They come in this order.
#[derive(Debug)]
pub enum CensusEntry {
    /// Where the log begins: once.
    Base(LogBase),
    /// What is left of changes before that, by organization.
    Folded(FoldedChanges),
    /// A change since, from the oldest to the newest.
    Change(Change),
    /// A row with a MAC.
    Row {
        /// Whose.
        org: OrgId,
        /// Its table.
        table: &'static str,
        /// Its MAC.
        mac: [u8; 32],
    },
}

/// Takes a census in, and may break it off.
pub type CensusTaker = Box<dyn FnMut(CensusEntry) -> ControlFlow<()> + Send>;
