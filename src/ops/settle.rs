use std::sync::Arc;
use std::time::Duration;

use names::{NodeId, OrgId};

use super::OpsError;
use super::lock::Lock;
use crate::authz::{Operator, Standing, record_usage_as_operator};
use crate::catalog::{CatalogError, Jobs};
use crate::clock::Clock;
use crate::metering::Credits;
use crate::tenancy::Tenancy;

/// Charges what organizations use that nobody works in: what they store costs by the hour, and
/// their credits end, too. What is used by requests is charged by the node that answers them.
pub struct Settler {
    jobs: Jobs,
    tenancy: Arc<Tenancy>,
    credits: Arc<Credits>,
    operator: Operator,
    node: NodeId,
    clock: Clock,
}

impl Settler {
    /// What charges on behalf of this process, by the operator's right.
    pub fn new(
        jobs: Jobs,
        tenancy: Arc<Tenancy>,
        credits: Arc<Credits>,
        operator: Operator,
        node: NodeId,
        clock: Clock,
    ) -> Self {
        Self {
            jobs,
            tenancy,
            credits,
            operator,
            node,
            clock,
        }
    }

    /// Charges every hour, until `stop` is done.
    pub async fn run(&self, stop: impl Future<Output = ()> + Send) {
        let work = async {
            loop {
                tokio::time::sleep(INTERVAL).await;
                match self.settle().await {
                    Ok(0) => {}
                    Ok(settled) => tracing::info!(settled, "organizations were charged"),
                    Err(error) => tracing::warn!(%error, "organizations are charged later"),
                }
            }
        };
        tokio::select! {
            () = work => {}
            () = stop => {}
        }
    }

    /// One round over all organizations, and how many of them were charged. Nothing is done while
    /// another process is at it. One whose ledger or plan cannot be read keeps no other from it.
    ///
    /// # Errors
    ///
    /// If the catalog fails.
    pub async fn settle(&self) -> Result<u64, OpsError> {
        let lock = Lock::take(&self.jobs, JOB.to_owned(), self.node, &self.clock).await?;
        let Some(mut lock) = lock else {
            return Ok(0);
        };
        let outcome = self.settle_all(&mut lock).await;
        lock.release().await;
        outcome
    }

    async fn settle_all(&self, lock: &mut Lock) -> Result<u64, OpsError> {
        let (mut after, mut settled) = (None, 0);
        loop {
            let page = self.tenancy.organizations(&self.operator, after, PAGE);
            let page = page
                .await
                .map_err(|error| CatalogError::Unavailable(error.to_string()))?;
            for organization in &page {
                lock.keep().await?;
                let may = match organization.standing {
                    Standing::Active | Standing::Suspended | Standing::Deleting => true,
                    Standing::Sealed | Standing::Destroyed => false,
                };
                if may && self.settle_one(organization.org).await {
                    settled += 1;
                }
            }
            after = page.last().map(|organization| organization.org);
            if page.len() < PAGE as usize {
                return Ok(settled);
            }
        }
    }

    async fn settle_one(&self, org: OrgId) -> bool {
        let terms = self
            .tenancy
            .terms_of_organization(&self.operator, org)
            .await;
        let terms = match terms {
            Ok(terms) => terms,
            Err(error) => {
                tracing::error!(%org, %error, "an organization's plan cannot be read");
                return false;
            }
        };
        let permit = record_usage_as_operator(&self.operator, org);
        match self.credits.settle(&permit, &terms).await {
            Ok(lines) => !lines.is_empty(),
            Err(error) => {
                tracing::error!(%org, %error, "an organization cannot be charged");
                false
            }
        }
    }
}

const JOB: &str = "settle";
const INTERVAL: Duration = Duration::from_secs(3_600);
const PAGE: u32 = 500;
