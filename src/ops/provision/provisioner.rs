use std::sync::Arc;

use names::{AccessKeyId, BucketName, Slug};
use zeroize::Zeroizing;

use super::plan::HeldPlan;
use super::wish::Blueprint;
use super::{Furnishing, ProvisioningError, Templates, Wish};
use crate::authz::{InBucket, Scope, Standing, create_bucket_as_operator};
use crate::catalog::PlatformCatalog;
use crate::clock::Clock;
use crate::drive::{Drive, DriveError};
use crate::entropy::Entropy;
use crate::keyring::Keyring;
use crate::ops::replays::digest;
use crate::ops::{Act, Administration};
use crate::tenancy::{Agent, NewInvitation, Organization, Tenancy, TenancyError};

/// Makes organizations from templates, each with one call that may be sent again.
///
/// ```text
/// plan, sealed ── organization ── its plan ── agents ── buckets ── access key ── invitation ── done
///   all that chance decides        each made, unless it was before        kept for a day after
/// ```
///
/// Whoever sends the call again, also after a crash in its middle, gets the same organization, and
/// what lacked is made. As long as the plan is kept, which is for a day after it was done, the
/// answer shows the same secrets; after that the slug is simply taken.
pub struct Provisioner {
    pub(super) platform: PlatformCatalog,
    pub(super) keyring: Arc<Keyring>,
    pub(super) tenancy: Arc<Tenancy>,
    administration: Arc<Administration>,
    drive: Arc<Drive>,
    pub(super) templates: Templates,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
}

/// What a provisioner works with.
pub struct ProvisionerParts {
    /// Where plans are kept.
    pub platform: PlatformCatalog,
    /// What seals them.
    pub keyring: Arc<Keyring>,
    /// Organizations and who is in them.
    pub tenancy: Arc<Tenancy>,
    /// What records the operator's acts.
    pub administration: Arc<Administration>,
    /// Buckets.
    pub drive: Arc<Drive>,
    /// What calls may name.
    pub templates: Templates,
    /// The time.
    pub clock: Clock,
    /// Chance.
    pub entropy: Entropy,
}

/// An organization as it was made, with the secrets that are shown for a day.
pub struct Provisioned {
    /// The organization.
    pub organization: Organization,
    /// The plan that it was put on.
    pub plan: Option<Slug>,
    /// The invitation of its owner, with its token; none once it is used or revoked.
    pub invitation: Option<NewInvitation>,
    /// Its first agents.
    pub agents: Vec<Agent>,
    /// Its first access key.
    pub access_key: Option<ProvisionedAccessKey>,
    /// Its first buckets.
    pub buckets: Vec<BucketName>,
    /// Whether all of it had been made before.
    pub is_repetition: bool,
}

/// The first access key of an organization.
pub struct ProvisionedAccessKey {
    /// Its public half.
    pub id: AccessKeyId,
    /// Its secret half.
    pub secret: Zeroizing<String>,
    /// How far it reaches.
    pub scope: Scope,
}

impl Provisioner {
    /// What makes organizations on behalf of this process.
    pub fn new(parts: ProvisionerParts) -> Self {
        let ProvisionerParts {
            platform,
            keyring,
            tenancy,
            administration,
            drive,
            templates,
            clock,
            entropy,
        } = parts;
        Self {
            platform,
            keyring,
            tenancy,
            administration,
            drive,
            templates,
            clock,
            entropy,
        }
    }

    /// Makes an organization, or goes on with it. `key` names the call, and `request` is
    /// all that tells it from another under the same key. What a template says counts as it was
    /// when the call came first.
    pub async fn provision(
        &self,
        act: &Act<'_>,
        key: &str,
        request: &[&[u8]],
        wish: &Wish,
    ) -> Result<Provisioned, ProvisioningError> {
        let held = self.plan(act.operator, key, &digest(request), wish).await?;
        let blueprint = held.plan.blueprint()?;
        let is_repetition = held.is_done();
        let organization = self.founded(act, &held, &blueprint).await?;
        if is_repetition {
            self.administration
                .record_platform(act, SHOW_AGAIN, blueprint.slug.as_str())
                .await?;
        } else {
            self.furnish(act, &held, &blueprint).await?;
            self.finish(&held).await?;
        }
        self.shown(act, &held, &blueprint, organization, is_repetition)
            .await
    }

    /// The organization itself. Where its slug is another's, nothing is left of the plan.
    async fn founded(
        &self,
        act: &Act<'_>,
        held: &HeldPlan,
        blueprint: &Blueprint,
    ) -> Result<Organization, ProvisioningError> {
        let org = held.plan.org();
        if held.is_done() {
            let found = self.tenancy.organization_by_id(act.operator, org).await?;
            return match found.standing {
                Standing::Sealed => Err(TenancyError::State("sealed").into()),
                Standing::Destroyed => Err(TenancyError::State("destroyed").into()),
                _ => Ok(found),
            };
        }
        let name = blueprint.name.as_ref();
        let founded = self
            .administration
            .found(act, org, blueprint.slug.clone(), name)
            .await;
        if let Err(error) = &founded
            && error.is_slug_taken()
        {
            self.forget(held).await?;
        }
        Ok(founded?)
    }

    /// All that stands in a new organization. Each act is intended in its log before.
    async fn furnish(
        &self,
        act: &Act<'_>,
        held: &HeldPlan,
        blueprint: &Blueprint,
    ) -> Result<(), ProvisioningError> {
        let (org, plan) = (held.plan.org(), &held.plan);
        let furnishing = &blueprint.furnishing;
        let (tenancy, log) = (&self.tenancy, &self.administration);
        if let Some(chosen) = &furnishing.plan {
            let what = format!("plan/{chosen}");
            let assigned = async { tenancy.assign_plan(act.operator, org, Some(chosen)).await };
            log.recorded(act, org, "bulkhead:AssignPlan", what, assigned)
                .await?;
        }
        for (id, profile) in plan.agents().zip(&furnishing.agents) {
            let made = async {
                let profile = profile.clone();
                tenancy
                    .provision_agent(act.operator, org, id, profile)
                    .await
            };
            log.recorded(
                act,
                org,
                "bulkhead:ManageAgents",
                format!("agent/{id}"),
                made,
            )
            .await?;
        }
        for bucket in &furnishing.buckets {
            let made = async { self.bucket(act, held, bucket).await };
            log.recorded(act, org, "s3:CreateBucket", bucket.to_string(), made)
                .await?;
        }
        if let Some(scope) = furnishing.access_key {
            let draft = plan.access_key(scope)?;
            let what = format!("access-key/{}", draft.id());
            let made = async { tenancy.provision_access_key(act.operator, draft).await };
            log.recorded(act, org, "bulkhead:CreateAccessKey", what, made)
                .await?;
        }
        if let Some(owner) = &blueprint.owner {
            let draft = plan.invitation();
            let what = format!("invitation/{}", draft.id());
            let made = async {
                tenancy
                    .provision_owner(act.operator, org, owner, &draft)
                    .await
            };
            log.recorded(act, org, "bulkhead:InviteOwner", what, made)
                .await?;
        }
        Ok(())
    }

    async fn bucket(
        &self,
        act: &Act<'_>,
        held: &HeldPlan,
        bucket: &BucketName,
    ) -> Result<(), TenancyError> {
        let bucket = bucket.clone();
        let permit = create_bucket_as_operator(act.operator, held.plan.org(), InBucket { bucket });
        match self.drive.create_bucket(permit).await {
            Ok(_) | Err(DriveError::BucketExists) => Ok(()),
            Err(DriveError::Damaged(what)) => Err(TenancyError::Damaged(what)),
            Err(error) => Err(TenancyError::Unavailable(error.to_string())),
        }
    }

    /// What was made, as it stands now: an invitation that was accepted since is not shown again.
    async fn shown(
        &self,
        act: &Act<'_>,
        held: &HeldPlan,
        blueprint: &Blueprint,
        organization: Organization,
        is_repetition: bool,
    ) -> Result<Provisioned, ProvisioningError> {
        let (org, plan) = (held.plan.org(), &held.plan);
        let Furnishing {
            plan: chosen,
            access_key,
            buckets,
            ..
        } = &blueprint.furnishing;
        let mut invitation = None;
        if blueprint.owner.is_some() {
            let draft = plan.invitation();
            invitation = self
                .tenancy
                .provisioned_owner(act.operator, org, &draft)
                .await?;
        }
        let mut agents = Vec::new();
        for id in plan.agents() {
            agents.extend(
                self.tenancy
                    .provisioned_agent(act.operator, org, id)
                    .await?,
            );
        }
        let access_key = match *access_key {
            Some(scope) => {
                let draft = plan.access_key(scope)?;
                Some(ProvisionedAccessKey {
                    id: draft.id().clone(),
                    secret: Zeroizing::new(draft.expose().to_owned()),
                    scope,
                })
            }
            None => None,
        };
        Ok(Provisioned {
            organization,
            plan: chosen.clone(),
            invitation,
            agents,
            access_key,
            buckets: buckets.clone(),
            is_repetition,
        })
    }
}

const SHOW_AGAIN: &str = "bulkhead:ShowProvisionedOrganization";
