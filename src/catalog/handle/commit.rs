use names::OrgId;

use crate::catalog::{Bound, CatalogError, Conflict, Effect, Mutation, Store};

/// Why a mutation did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommitError {
    /// A precondition did not hold.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The catalog failed.
    #[error(transparent)]
    Store(#[from] CatalogError),
}

/// Applies one mutation in an organization.
pub(super) async fn commit_one(
    store: &dyn Store,
    org: OrgId,
    mutation: Mutation,
) -> Result<Effect, CommitError> {
    let mut outcomes = store.commit(vec![Bound { org, mutation }]).await?;
    match outcomes.pop() {
        Some(outcome) => Ok(outcome?),
        None => Err(CommitError::Store(CatalogError::Damaged(
            "a commit returned no outcome".to_owned(),
        ))),
    }
}
