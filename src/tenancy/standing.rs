use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use names::{OrgId, Slug};

use super::error::TenancyError;
use super::service::Tenancy;
use crate::authz::{Caller, LinkHolder, Standing};
use crate::catalog::{Class, OrgState, Stamp};

/// How organizations stand, as long as nothing changed among their rights or the platform's.
pub(super) struct Standings(Cache<OrgId, Arc<Known>>);

struct Known {
    slug: Option<Slug>,
    standing: Standing,
    /// Of the organization and of the platform, taken before the row was read; nothing when this
    /// node could have missed a change.
    stamps: Option<[Stamp; 2]>,
    since: Duration,
}

impl Standings {
    pub(super) fn new() -> Self {
        Self(Cache::new(ORGANIZATIONS_MAX))
    }
}

impl Tenancy {
    /// How the caller's organization stands.
    pub async fn standing(&self, caller: &Caller) -> Result<Standing, TenancyError> {
        Ok(self.known(caller.org()).await?.standing)
    }

    /// Whether `slug` names the caller's organization. Only the caller's own is looked at, so that
    /// another's name and nobody's take the same work.
    pub async fn is_named(&self, caller: &Caller, slug: &Slug) -> Result<bool, TenancyError> {
        Ok(self.known(caller.org()).await?.slug.as_ref() == Some(slug))
    }

    /// How the organization stands whose share link somebody holds.
    pub async fn standing_of_link(&self, holder: &LinkHolder) -> Result<Standing, TenancyError> {
        Ok(self.known(holder.org()).await?.standing)
    }

    /// How an organization stands that a principal, an invitation or a membership names.
    pub(super) async fn known_standing(&self, org: OrgId) -> Result<Standing, TenancyError> {
        Ok(self.known(org).await?.standing)
    }

    async fn known(&self, org: OrgId) -> Result<Arc<Known>, TenancyError> {
        let stamps = self.stamps(org);
        let now = self.clock.monotonic();
        if let Some(known) = self.standings.0.get(&org)
            && stamps.is_some()
            && known.stamps == stamps
            && now.saturating_sub(known.since) <= AGE_MAX
        {
            return Ok(known);
        }
        let row = match self.organization_row(org).await {
            // A credential named it, and credentials go with their organization.
            Err(TenancyError::NoSuchOrganization) => {
                let what = format!("the row of organization {org} is missing");
                return Err(TenancyError::Damaged(what));
            }
            row => row?,
        };
        let standing = standing(row.state);
        if matches!(standing, Standing::Sealed | Standing::Destroyed) {
            // Another node may have sealed it: this one lets go of its keys, too.
            self.keyring.forget(org);
        }
        let known = Arc::new(Known {
            slug: row.slug,
            standing,
            stamps,
            since: now,
        });
        self.standings.0.insert(org, Arc::clone(&known));
        Ok(known)
    }

    /// What is known of the rights of an organization and of the platform, whose keys verify them.
    pub(super) fn stamps(&self, org: OrgId) -> Option<[Stamp; 2]> {
        Some([
            self.catalog.stamp(org, Class::Rights)?,
            self.catalog.stamp(OrgId::PLATFORM, Class::Rights)?,
        ])
    }
}

/// What the state in an organization's row means to its callers.
pub(super) fn standing(state: OrgState) -> Standing {
    match state {
        OrgState::Active => Standing::Active,
        OrgState::Suspended => Standing::Suspended,
        OrgState::Deleting => Standing::Deleting,
        OrgState::Sealed => Standing::Sealed,
        OrgState::Destroyed => Standing::Destroyed,
    }
}

/// How long a standing is used without being looked up again.
const AGE_MAX: Duration = Duration::from_secs(30);
const ORGANIZATIONS_MAX: u64 = 65_536;
