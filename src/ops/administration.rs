use std::net::IpAddr;
use std::sync::Arc;

use names::{AccessKeyId, OrgId, Slug};

use super::OpsError;
use super::certificate::Certificate;
use super::destroy::Destroyer;
use crate::audit::{Audit, AuditError, Decision, Event, PlatformEvent};
use crate::authz::{Operator, Scope, record_activity_as_operator, record_usage_as_operator};
use crate::clock::Clock;
use crate::metering::{CreditError, Credits, Line, NewGrant};
use crate::tenancy::{
    AccessKey, Account, DraftAccessKey, Label, NewAccessKey, NewAccount, Organization, Ownership,
    Plan, Tenancy, TenancyError, Terms, Transition,
};

/// What the operator does to organizations, on the command line and over HTTP alike. Every act
/// stands in the organization's activity log before it takes effect, as intended, and its outcome
/// after; if the log cannot be written, nothing happens.
pub struct Administration {
    tenancy: Arc<Tenancy>,
    audit: Arc<Audit>,
    clock: Clock,
}

/// By whose right, in which request, and from where an act is done.
#[derive(Debug)]
pub struct Act<'a> {
    /// The proof that it is the operator.
    pub operator: &'a Operator,
    /// The request's identifier, as its answer shows it.
    pub request_id: &'a str,
    /// From where; nothing on the machine itself.
    pub source: Option<IpAddr>,
}

/// Why an act did not happen.
#[derive(Debug, thiserror::Error)]
pub enum AdministrationError {
    /// It is not possible.
    #[error(transparent)]
    Tenancy(#[from] TenancyError),
    /// It cannot be recorded.
    #[error(transparent)]
    Audit(#[from] AuditError),
}

/// Why an act on credit did not happen.
#[derive(Debug, thiserror::Error)]
pub enum CreditActError {
    /// It is not possible, or cannot be recorded.
    #[error(transparent)]
    Administration(#[from] AdministrationError),
    /// The ledger does not take it.
    #[error(transparent)]
    Credit(#[from] CreditError),
}

/// Why an organization was not destroyed.
#[derive(Debug, thiserror::Error)]
pub enum DestroyActError {
    /// It cannot be recorded.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// It is not possible, or was cut.
    #[error(transparent)]
    Ops(#[from] OpsError),
}

/// An access key that stands in its organization's activity log and does not work yet.
pub struct RecordedAccessKey(DraftAccessKey);

impl Administration {
    /// Acts on `tenancy` and records in `audit`.
    pub fn new(tenancy: Arc<Tenancy>, audit: Arc<Audit>, clock: Clock) -> Self {
        Self {
            tenancy,
            audit,
            clock,
        }
    }

    /// Makes an organization. The intent stands in the platform's log, since there is no other
    /// yet; the first event of the organization's own log is that it was made.
    pub async fn create_organization(
        &self,
        act: &Act<'_>,
        slug: Slug,
        ownership: Ownership,
    ) -> Result<Organization, AdministrationError> {
        self.record_platform(act, CREATE_ORGANIZATION, slug.as_str())
            .await?;
        let organization = self
            .tenancy
            .create_organization(act.operator, slug.clone(), ownership)
            .await?;
        let done = Decision::Allowed { status: DONE };
        let event = self.event(act, CREATE_ORGANIZATION, slug.to_string(), done);
        self.record(act, organization.org, event).await?;
        Ok(organization)
    }

    /// An organization by its slug.
    pub async fn organization(
        &self,
        act: &Act<'_>,
        slug: &Slug,
    ) -> Result<Organization, AdministrationError> {
        Ok(self.tenancy.organization(act.operator, slug).await?)
    }

    /// Up to `max` organizations after one, by age.
    pub async fn organizations(
        &self,
        act: &Act<'_>,
        after: Option<OrgId>,
        max: u32,
    ) -> Result<Vec<Organization>, AdministrationError> {
        Ok(self.tenancy.organizations(act.operator, after, max).await?)
    }

    /// Suspends, resumes, seals or unseals an organization.
    pub async fn change_state(
        &self,
        act: &Act<'_>,
        slug: &Slug,
        transition: Transition,
    ) -> Result<Organization, AdministrationError> {
        let before = self.organization(act, slug).await?;
        let action = match transition {
            Transition::Suspend => "bulkhead:SuspendOrganization",
            Transition::Resume => "bulkhead:ResumeOrganization",
            Transition::Seal => "bulkhead:SealOrganization",
            Transition::Unseal => "bulkhead:UnsealOrganization",
        };
        self.recorded(act, before.org, action, slug.to_string(), async {
            self.tenancy
                .change_state(act.operator, before.org, transition)
                .await
        })
        .await
    }

    /// Destroys an organization, or goes on with that. It stands in the platform's log before, and
    /// what became of it after: the organization's own goes with its keys.
    pub async fn destroy(
        &self,
        act: &Act<'_>,
        destroyer: &Destroyer,
        org: OrgId,
    ) -> Result<Certificate, DestroyActError> {
        let resource = org.to_string();
        self.record_platform(act, DESTROY_ORGANIZATION, &resource)
            .await?;
        let destroyed = destroyer.destroy(act.operator, org).await;
        let outcome = match &destroyed {
            Ok(certificate) => serde_json::to_string(certificate).unwrap_or_default(),
            Err(error) => error.to_string(),
        };
        let outcome = format!("{resource}: {outcome}");
        let recorded = self.record_platform(act, DESTROY_ORGANIZATION, &outcome);
        if let Err(error) = recorded.await {
            // That it was intended stands in the log.
            tracing::error!(action = DESTROY_ORGANIZATION, %error, "an outcome was not recorded");
        }
        Ok(destroyed?)
    }

    /// Draws an access key and records it; it works once it is [activated](Self::activate).
    pub async fn record_access_key(
        &self,
        act: &Act<'_>,
        slug: &Slug,
        scope: Scope,
    ) -> Result<RecordedAccessKey, AdministrationError> {
        let organization = self.organization(act, slug).await?;
        let draft = self
            .tenancy
            .draft_access_key(act.operator, organization.org, scope);
        let recorded = RecordedAccessKey(draft);
        let resource = recorded.resource();
        let event = self.event(act, CREATE_ACCESS_KEY, resource, Decision::Intended);
        self.record(act, organization.org, event).await?;
        Ok(recorded)
    }

    /// Lets a recorded access key work.
    pub async fn activate(
        &self,
        act: &Act<'_>,
        recorded: RecordedAccessKey,
    ) -> Result<NewAccessKey, AdministrationError> {
        let (org, resource) = (recorded.0.org(), recorded.resource());
        let made = self
            .tenancy
            .create_access_key(act.operator, recorded.0)
            .await;
        self.outcome(act, org, CREATE_ACCESS_KEY, resource, made)
            .await
    }

    /// Up to `max` access keys of an organization after one of them.
    pub async fn access_keys(
        &self,
        act: &Act<'_>,
        slug: &Slug,
        after: Option<&AccessKeyId>,
        max: u32,
    ) -> Result<Vec<AccessKey>, AdministrationError> {
        let organization = self.organization(act, slug).await?;
        Ok(self
            .tenancy
            .access_keys(act.operator, organization.org, after, max)
            .await?)
    }

    /// Revokes an access key of an organization.
    pub async fn revoke_access_key(
        &self,
        act: &Act<'_>,
        slug: &Slug,
        id: &AccessKeyId,
    ) -> Result<(), AdministrationError> {
        let organization = self.organization(act, slug).await?;
        let action = "bulkhead:RevokeAccessKey";
        self.recorded(
            act,
            organization.org,
            action,
            format!("access-key/{id}"),
            async {
                self.tenancy
                    .revoke_access_key(act.operator, organization.org, id)
                    .await
            },
        )
        .await
    }

    /// Makes a plan. It stands in the platform's log before.
    pub async fn create_plan(
        &self,
        act: &Act<'_>,
        slug: &Slug,
        name: &Label,
        terms: &Terms,
    ) -> Result<Plan, AdministrationError> {
        self.record_platform(act, "bulkhead:CreatePlan", slug.as_str())
            .await?;
        let made = self.tenancy.create_plan(act.operator, slug, name, terms);
        Ok(made.await?)
    }

    /// Says something else in a plan. It stands in the platform's log before.
    pub async fn change_plan(
        &self,
        act: &Act<'_>,
        slug: &Slug,
        name: &Label,
        terms: &Terms,
        etag: Option<u64>,
    ) -> Result<Plan, AdministrationError> {
        self.record_platform(act, "bulkhead:ChangePlan", slug.as_str())
            .await?;
        let tenancy = &self.tenancy;
        let changed = tenancy.change_plan(act.operator, slug, name, terms, etag);
        Ok(changed.await?)
    }

    /// Puts an organization on a plan, or takes it off. What it has used until now costs what it
    /// cost before.
    pub async fn assign_plan(
        &self,
        act: &Act<'_>,
        credits: &Credits,
        slug: &Slug,
        plan: Option<&Slug>,
    ) -> Result<Option<Plan>, CreditActError> {
        let org = self.organization(act, slug).await?.org;
        let permit = record_usage_as_operator(act.operator, org);
        let settle = async || -> Result<(), CreditActError> {
            let terms = self.tenancy.terms_of_organization(act.operator, org);
            let terms = terms.await.map_err(AdministrationError::from)?;
            credits.settle(&permit, &terms).await?;
            Ok(())
        };
        settle().await?;
        let resource = match plan {
            Some(plan) => format!("plan:{plan}"),
            None => "plan:none".to_owned(),
        };
        let assign = self.tenancy.assign_plan(act.operator, org, plan);
        let action = "bulkhead:AssignPlan";
        let assigned = self.recorded(act, org, action, resource, assign).await?;
        settle().await?;
        Ok(assigned)
    }

    /// Grants credit to an organization, once for each reference; says whether it did now.
    pub async fn grant_credit(
        &self,
        act: &Act<'_>,
        credits: &Credits,
        slug: &Slug,
        grant: NewGrant,
    ) -> Result<(Line, bool), CreditActError> {
        let organization = self.organization(act, slug).await?;
        let org = organization.org;
        let terms = self.tenancy.terms_of_organization(act.operator, org);
        let terms = terms.await.map_err(AdministrationError::from)?;
        let resource = format!("credit:{}", grant.units);
        let intended = self.event(act, GRANT_CREDIT, resource.clone(), Decision::Intended);
        let recorded = self.record(act, org, intended).await;
        recorded.map_err(AdministrationError::from)?;
        let permit = record_usage_as_operator(act.operator, org);
        let granted = credits.grant(&permit, &terms, grant).await;
        let decision = match &granted {
            Ok(_) => Decision::Allowed { status: DONE },
            Err(CreditError::Damaged(what)) => Decision::Damaged { what: what.clone() },
            Err(other) => Decision::Refused {
                rule: other.to_string(),
            },
        };
        let outcome = self.event(act, GRANT_CREDIT, resource, decision);
        if let Err(error) = self.record(act, org, outcome).await {
            // That it was intended stands in the log.
            tracing::error!(action = GRANT_CREDIT, %error, "an outcome was not recorded");
        }
        Ok(granted?)
    }

    /// Makes an account with its personal organization. It stands in the platform's log before,
    /// without a word about whose it is.
    pub async fn create_account(
        &self,
        act: &Act<'_>,
        wish: NewAccount,
    ) -> Result<Account, AdministrationError> {
        self.record_platform(act, CREATE_ACCOUNT, "an account")
            .await?;
        Ok(self.tenancy.create_account(act.operator, wish).await?)
    }

    /// Makes an organization by an identifier that was drawn before, or finds it made.
    pub(super) async fn found(
        &self,
        act: &Act<'_>,
        org: OrgId,
        slug: Slug,
        name: Option<&Label>,
    ) -> Result<Organization, AdministrationError> {
        self.record_platform(act, CREATE_ORGANIZATION, slug.as_str())
            .await?;
        let organization = self
            .tenancy
            .provision_organization(act.operator, org, slug.clone(), name)
            .await?;
        let done = Decision::Allowed { status: DONE };
        let event = self.event(act, CREATE_ORGANIZATION, slug.to_string(), done);
        self.record(act, organization.org, event).await?;
        Ok(organization)
    }

    /// Records that an act is intended, does it, and records its outcome.
    pub(super) async fn recorded<T>(
        &self,
        act: &Act<'_>,
        org: OrgId,
        action: &'static str,
        resource: String,
        effect: impl Future<Output = Result<T, TenancyError>>,
    ) -> Result<T, AdministrationError> {
        let event = self.event(act, action, resource.clone(), Decision::Intended);
        self.record(act, org, event).await?;
        let done = effect.await;
        self.outcome(act, org, action, resource, done).await
    }

    async fn outcome<T>(
        &self,
        act: &Act<'_>,
        org: OrgId,
        action: &'static str,
        resource: String,
        done: Result<T, TenancyError>,
    ) -> Result<T, AdministrationError> {
        let decision = match &done {
            Ok(_) => Decision::Allowed { status: DONE },
            Err(TenancyError::Damaged(what)) => Decision::Damaged { what: what.clone() },
            Err(other) => Decision::Refused {
                rule: other.to_string(),
            },
        };
        let event = self.event(act, action, resource, decision);
        match (self.record(act, org, event).await, done) {
            (Ok(()), done) => Ok(done?),
            // It is done, and that it was intended stands in the log.
            (Err(error), Ok(done)) => {
                tracing::error!(action, %error, "an outcome was not recorded");
                Ok(done)
            }
            (Err(error), Err(_)) => Err(error.into()),
        }
    }

    /// Records in the organization's log; `audit` records in the platform's what a sealed or
    /// destroyed organization's own cannot hold.
    async fn record(&self, act: &Act<'_>, org: OrgId, event: Event) -> Result<(), AuditError> {
        let permit = record_activity_as_operator(act.operator, org);
        self.audit.record(permit, event).await
    }

    pub(super) async fn record_platform(
        &self,
        act: &Act<'_>,
        action: &str,
        resource: &str,
    ) -> Result<(), AuditError> {
        let what = format!("{ACTOR} {action} {resource} (request {})", act.request_id);
        self.audit
            .record_platform(PlatformEvent {
                at_ms: self.clock.now_ms(),
                source: act.source,
                what,
            })
            .await
    }

    fn event(
        &self,
        act: &Act<'_>,
        action: &'static str,
        resource: String,
        decision: Decision,
    ) -> Event {
        Event {
            request_id: act.request_id.to_owned(),
            source: act.source,
            ..Event::of_operator(self.clock.now_ms(), action, resource, decision)
        }
    }
}

impl AdministrationError {
    pub(super) fn is_slug_taken(&self) -> bool {
        matches!(self, Self::Tenancy(TenancyError::SlugTaken))
    }
}

impl RecordedAccessKey {
    /// Its public half.
    pub fn id(&self) -> &AccessKeyId {
        self.0.id()
    }

    /// Its secret half. The one exit.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    fn resource(&self) -> String {
        let scope = match self.0.scope() {
            Scope::Full => "full",
            Scope::ReadOnly => "read-only",
        };
        format!("access-key/{} {scope}", self.0.id())
    }
}

/// The status of what was done, whatever door it came in by.
const DONE: u16 = 200;
/// Who acts, in the platform's log.
const ACTOR: &str = "operator";
pub(super) const DESTROY_ORGANIZATION: &str = "bulkhead:DestroyOrganization";
const CREATE_ORGANIZATION: &str = "bulkhead:CreateOrganization";
const CREATE_ACCOUNT: &str = "bulkhead:CreateAccount";
const GRANT_CREDIT: &str = "bulkhead:GrantCredit";
const CREATE_ACCESS_KEY: &str = "bulkhead:CreateAccessKey";
