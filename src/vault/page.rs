use std::cmp::Ordering;
use std::sync::Arc;

use names::SecretPath;

use super::error::VaultError;
use super::model::Description;
use super::service::{SecretPage, Vault};
use crate::authz::{ListSecrets, Permit};

/// In which order secrets are listed. Those that are alike in it come by path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// By what.
    pub by: OrderBy,
    /// Whether the last comes first.
    pub descending: bool,
}

/// By what secrets are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderBy {
    /// Their paths.
    Path,
    /// When they were made.
    Created,
    /// When they were changed.
    Changed,
}

/// A place in an order: that of a secret which may be gone by now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPlace {
    /// When the secret was made or changed, milliseconds since the epoch; 0 where the order is
    /// that of the paths.
    pub ms: u64,
    /// Its path.
    pub path: SecretPath,
}

impl Vault {
    /// Up to `max` secrets below the permit's path that `matches`, after a place, in an order.
    pub async fn list_in_order(
        &self,
        permit: Permit<ListSecrets>,
        order: Order,
        after: Option<&OrderPlace>,
        max: usize,
        matches: impl Fn(&Description) -> bool,
    ) -> Result<SecretPage, VaultError> {
        let session = self.session(&permit).await?;
        let listing = self.listings.of(&session).await?;
        let is_after = |secret: &Description| match after {
            Some(after) => order.compare(&order.place(secret), after) == Ordering::Greater,
            None => true,
        };
        let mut found: Vec<_> = listing
            .below(permit.path_prefix().as_str(), None)
            .filter(|secret| is_after(secret) && matches(secret))
            .map(|secret| (order.place(secret), secret))
            .collect();
        found.sort_unstable_by(|(one, _), (other, _)| order.compare(one, other));
        Ok(SecretPage {
            truncated: found.len() > max,
            secrets: found
                .into_iter()
                .take(max)
                .map(|(_, secret)| Arc::clone(secret))
                .collect(),
        })
    }
}

impl Order {
    /// Where a secret stands.
    pub fn place(self, secret: &Description) -> OrderPlace {
        OrderPlace {
            ms: match self.by {
                OrderBy::Path => 0,
                OrderBy::Created => secret.created_ms,
                OrderBy::Changed => secret.changed_ms,
            },
            path: secret.path.clone(),
        }
    }

    fn compare(self, one: &OrderPlace, other: &OrderPlace) -> Ordering {
        let ascending = (one.ms, &one.path).cmp(&(other.ms, &other.path));
        match self.descending {
            true => ascending.reverse(),
            false => ascending,
        }
    }
}
