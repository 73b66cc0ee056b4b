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
        let after = after.map(|after| (after.ms, &after.path));
        let is_after = |secret: &Description| {
            after.is_none_or(|after| order.compare(order.key(secret), after).is_gt())
        };
        let mut found: Vec<&Arc<Description>> = listing
            .below(permit.path_prefix().as_str(), None)
            .filter(|secret| is_after(secret) && secret.is_shown_by(&permit) && matches(secret))
            .collect();
        let compare = |one: &&Arc<Description>, other: &&Arc<Description>| {
            order.compare(order.key(one), order.key(other))
        };
        let truncated = found.len() > max;
        if truncated {
            // A page costs one look at each secret, not the sorting of all.
            found.select_nth_unstable_by(max, compare);
            found.truncate(max);
        }
        found.sort_unstable_by(compare);
        Ok(SecretPage {
            secrets: found.into_iter().map(Arc::clone).collect(),
            truncated,
        })
    }
}

impl Order {
    /// Where a secret stands.
    pub fn place(self, secret: &Description) -> OrderPlace {
        let (ms, path) = self.key(secret);
        OrderPlace {
            ms,
            path: path.clone(),
        }
    }

    fn key(self, secret: &Description) -> (u64, &SecretPath) {
        let ms = match self.by {
            OrderBy::Path => 0,
            OrderBy::Created => secret.created_ms,
            OrderBy::Changed => secret.changed_ms,
        };
        (ms, &secret.path)
    }

    fn compare(self, one: (u64, &SecretPath), other: (u64, &SecretPath)) -> Ordering {
        match self.descending {
            true => other.cmp(&one),
            false => one.cmp(&other),
        }
    }
}
