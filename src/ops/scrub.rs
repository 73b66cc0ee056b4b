use std::time::Duration;

use crate::catalog::{CatalogError, Jobs};

/// Makes deleted rows vanish from the catalog's pages and log. A reader in the way ends soon, so
/// this asks again for a while before it gives up.
pub(super) async fn scrub(jobs: &Jobs) -> Result<(), CatalogError> {
    for _ in 1..ATTEMPTS {
        if jobs.scrub().await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    jobs.scrub().await
}

/// Longer together than any read of a request takes.
const ATTEMPTS: u32 = 40;
const PAUSE: Duration = Duration::from_millis(250);
