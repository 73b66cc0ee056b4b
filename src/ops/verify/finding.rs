use serde::Serialize;

/// Something in the catalog or in the checkpoint file that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// A row's MAC does not verify: it was written by somebody without the key.
    #[error("{row} was altered: {reason}")]
    Altered {
        /// Which row.
        row: RowName,
        /// How that shows.
        reason: String,
    },
    /// A row is genuine, and older than what was last written in its place.
    #[error("{row} was rolled back: change {change} replaced it")]
    RolledBack {
        /// Which row.
        row: RowName,
        /// The change that wrote what ought to be there.
        change: u64,
    },
    /// A row is genuine and was deleted once.
    #[error("{row} was restored: change {change} deleted it")]
    Restored {
        /// Which row.
        row: RowName,
        /// The change that deleted it.
        change: u64,
    },
    /// A row is genuine and no change wrote it: it was written to another copy of the catalog, or
    /// the log of changes was cut.
    #[error("{row} was written by no change that is in the log")]
    Unlogged {
        /// Which row.
        row: RowName,
    },
    /// A row that was written and never deleted is not there. The log holds its MAC, not its name.
    #[error("a row of {table} of {organization}, written by change {change}, is missing")]
    Missing {
        /// The table.
        table: String,
        /// Whose row.
        organization: String,
        /// The change that wrote it.
        change: u64,
    },
    /// What a row names does not fit it: the content of a version, a blob's header.
    #[error("{row} does not fit what it names: {reason}")]
    Unfit {
        /// Which row.
        row: RowName,
        /// What does not fit.
        reason: String,
    },
    /// What an organization stores is not what its meters add up to.
    #[error("what {organization} stores is counted in two ways: {reason}")]
    Miscounted {
        /// Whose.
        organization: String,
        /// Which ways disagree.
        reason: String,
    },
    /// The keys that the rows stand under cannot be had, so that nothing is known of them.
    #[error("the keys of {organization} cannot be had: {reason}")]
    NoKeys {
        /// Whose.
        organization: String,
        /// Why.
        reason: String,
    },
    /// A change does not follow the one before it.
    #[error("change {change} does not follow the one before it: the log was altered")]
    Unchained {
        /// Which.
        change: u64,
    },
    /// The log ends before the change that a checkpoint names.
    #[error("the log of changes ends at {last}, and a checkpoint has seen {anchored}: it was cut")]
    Cut {
        /// The last change there is.
        last: u64,
        /// The change that a checkpoint names.
        anchored: u64,
    },
    /// Changes are gone from the beginning of the log that no checkpoint covers.
    #[error(
        "the log of changes begins with {begins}, and no checkpoint covers what came before: the \
         last one has seen {anchored}"
    )]
    Overpruned {
        /// The first change that the log may hold.
        begins: u64,
        /// The last change that a checkpoint names.
        anchored: u64,
    },
    /// What was kept of pruned changes comes, with the changes since, to other rows than a
    /// checkpoint has seen.
    #[error(
        "what is kept of pruned changes was altered: up to change {change} it does not come to the \
         rows that the checkpoint in line {line} has seen"
    )]
    Unaccounted {
        /// The change that the checkpoint names.
        change: u64,
        /// The line of the checkpoint file.
        line: u64,
    },
    /// Rows are there, or missing, of which only pruned changes tell.
    #[error(
        "rows of {organization} were put back, altered or taken away, of which change {change} or \
         one before it tells: there are {}", in_words(*surplus)
    )]
    Unlike {
        /// Whose.
        organization: String,
        /// The last change of which is kept what it left, and no more.
        change: u64,
        /// How many rows there are too many; less than none, how many too few.
        surplus: i64,
    },
    /// A change is another than a checkpoint says.
    #[error("change {change} is not the one that the checkpoint in line {line} has seen")]
    Replaced {
        /// Which.
        change: u64,
        /// The line of the checkpoint file.
        line: u64,
    },
    /// A line of the checkpoint file is not what was written.
    #[error("line {line} of the checkpoint file: {reason}")]
    Checkpoint {
        /// Which, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

fn in_words(surplus: i64) -> String {
    match surplus {
        0 => "as many as there should be, but others".to_owned(),
        1.. => format!("{surplus} too many"),
        ..0 => format!("{} too few", surplus.unsigned_abs()),
    }
}

/// A row, by table, organization and primary key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowName {
    /// The table.
    pub table: &'static str,
    /// Whose row.
    pub organization: String,
    /// The rest of its primary key.
    pub key: String,
}

impl std::fmt::Display for RowName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} of {}", self.table, self.key, self.organization)
    }
}
