use std::collections::BTreeMap;

use names::OrgId;

use super::service::{Anchor, CheckpointError, difference};
use crate::catalog::{
    Change, CommitError, Conflict, FoldedChanges, LogBase, Mutation, PlatformCatalog, PruneChanges,
};
use crate::keyring::{RowSet, RowSetOf, RowSets};

/// Prunes the log of changes up to a checkpoint, a batch in each transaction, and returns how many
/// changes went.
///
/// First all of it is held against the checkpoint. What goes is by then provable without it: each
/// batch leaves the head of the chain, from which the log goes on to the checkpoint's, and what it
/// made of each organization's rows, which with the rest of the log comes to the checkpoint's sum.
/// Whoever can write the database can do neither: they lack the key of the sums.
pub(super) async fn prune(
    platform: &PlatformCatalog,
    sets: &RowSets,
    mut base: LogBase,
    anchor: Anchor,
) -> Result<u64, CheckpointError> {
    require_covered(platform, sets, &base, &anchor).await?;
    let begin = base.seq;
    while base.seq < anchor.seq {
        let changes = page(platform, base.seq, &anchor).await?;
        let prune = fold(platform, sets, &base, &anchor, &changes).await?;
        let next = LogBase {
            seq: prune.seq,
            head: prune.head,
            rows: Some(prune.rows),
        };
        let prune = Mutation::PruneChanges(prune);
        match platform.commit(OrgId::PLATFORM, prune).await {
            Ok(_) => base = next,
            // Another process prunes at this moment.
            Err(CommitError::Conflict(Conflict::Changed)) => break,
            Err(CommitError::Conflict(_)) => return Err(not_covered(&anchor)),
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
        tokio::task::yield_now().await;
    }
    Ok(base.seq - begin)
}

/// What pruned changes have left of an organization's rows.
pub(in crate::ops) fn left(sets: &RowSets, folded: &FoldedChanges) -> RowSet {
    let of = RowSetOf::Folded(folded.org);
    folded
        .set
        .map_or_else(RowSet::default, |set| sets.open(of, &folded.head, &set))
}

/// The log from its beginning to the checkpoint is what that has seen, and what was pruned before
/// comes with it to the same rows.
async fn require_covered(
    platform: &PlatformCatalog,
    sets: &RowSets,
    base: &LogBase,
    anchor: &Anchor,
) -> Result<(), CheckpointError> {
    let (mut seq, mut head, mut rows) = (base.seq, base.head, opened(sets, base));
    while seq < anchor.seq {
        for change in page(platform, seq, anchor).await? {
            if !change.follows(&head) {
                return Err(not_covered(anchor));
            }
            (seq, head) = (change.seq, change.head);
            rows = rows.plus(difference(sets, &change));
        }
    }
    let covered = sets.open(RowSetOf::All, &anchor.head, &anchor.rows);
    if head == anchor.head && rows == covered {
        Ok(())
    } else {
        Err(not_covered(anchor))
    }
}

/// What pruning these changes leaves.
async fn fold(
    platform: &PlatformCatalog,
    sets: &RowSets,
    base: &LogBase,
    anchor: &Anchor,
    changes: &[Change],
) -> Result<PruneChanges, CheckpointError> {
    let (mut seq, mut head, mut rows) = (base.seq, base.head, opened(sets, base));
    let mut of_orgs: BTreeMap<OrgId, RowSet> = BTreeMap::new();
    for change in changes {
        if !change.follows(&head) {
            return Err(not_covered(anchor));
        }
        (seq, head) = (change.seq, change.head);
        let difference = difference(sets, change);
        rows = rows.plus(difference);
        let of_org = of_orgs.entry(change.org).or_default();
        *of_org = of_org.plus(difference);
    }
    let orgs: Vec<OrgId> = of_orgs.keys().copied().collect();
    for before in platform.folded_changes(&orgs).await? {
        let of_org = of_orgs.entry(before.org).or_default();
        *of_org = of_org.plus(left(sets, &before));
    }
    let folded = of_orgs.into_iter().map(|(org, set)| FoldedChanges {
        org,
        head,
        set: (set != RowSet::default()).then(|| sets.seal(RowSetOf::Folded(org), &head, set)),
    });
    Ok(PruneChanges {
        from_seq: base.seq,
        seq,
        head,
        rows: sets.seal(RowSetOf::All, &head, rows),
        folded: folded.collect(),
    })
}

async fn page(
    platform: &PlatformCatalog,
    seq: u64,
    anchor: &Anchor,
) -> Result<Vec<Change>, CheckpointError> {
    let mut changes = platform.changes_since(seq, CHANGES_PER_BATCH).await?;
    changes.retain(|change| change.seq <= anchor.seq);
    match changes.is_empty() {
        true => Err(not_covered(anchor)),
        false => Ok(changes),
    }
}

fn opened(sets: &RowSets, base: &LogBase) -> RowSet {
    base.rows.map_or_else(RowSet::default, |rows| {
        sets.open(RowSetOf::All, &base.head, &rows)
    })
}

fn not_covered(anchor: &Anchor) -> CheckpointError {
    CheckpointError::NotCovered {
        anchored: anchor.seq,
    }
}

/// How many changes go in one transaction, which commits behind it wait for.
const CHANGES_PER_BATCH: u32 = 500;
