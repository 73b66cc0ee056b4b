use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use minicbor::{CborLen, Decode, Encode};
use moka::sync::Cache;
use names::{OrgId, Slug};

use super::error::TenancyError;
use super::record::{Body, Held, Refused, draft, insertion};
use super::service::Tenancy;
use super::text::Label;
use crate::authz::{Caller, Limit, Limits, Operator, Permit, ReadUsage};
use crate::catalog::{Conflict, Meter, RecordKind, RecordQuery, Stamp};
use crate::keyring::RecordDraft;

/// A plan that organizations are on. A plan is data: the operator makes it, changes it, and puts
/// organizations on it. It is never deleted, so that whoever is on one is on one that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its short name, which stays.
    pub slug: Slug,
    /// What people call it.
    pub name: Label,
    /// What it says.
    pub terms: Terms,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
    /// Its state: changes only what it is compared with.
    pub etag: u64,
}

/// How much an organization may have and use, and what that costs. Without a plan there is no
/// limit and no price.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// How much there may be.
    pub limits: Limits,
    /// What use costs.
    pub prices: Prices,
    /// Whether credit has to be there first.
    pub billing: Billing,
}

/// What becomes of use that no credit pays for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Billing {
    /// It goes on, and is owed.
    #[default]
    Postpaid,
    /// It ends with the credit: without any, nothing is done but what governs the organization and
    /// what tells of its usage.
    Prepaid,
}

/// What use costs, by meter: what no price is set for costs nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prices(BTreeMap<Meter, Price>);

/// A price: so many units of credit for so much. For what is stored, so much is held for an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, CborLen)]
pub struct Price {
    /// Units of credit.
    #[n(0)]
    pub units: u64,
    /// For how much; never 0.
    #[n(1)]
    pub per: u64,
}

/// There is no meter of this name, or the price is for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no price for so much of {0}")]
pub struct InvalidPrice(String);

impl Prices {
    /// Sets the price of what a meter of this name counts.
    ///
    /// # Errors
    ///
    /// If there is no such meter, or the price is for nothing.
    pub fn set(&mut self, meter: &str, price: Price) -> Result<(), InvalidPrice> {
        match Meter::named(meter) {
            Some(meter) if price.per > 0 => {
                self.0.insert(meter, price);
                Ok(())
            }
            _ => Err(InvalidPrice(meter.to_owned())),
        }
    }

    /// The price of what a meter counts.
    pub fn of(&self, meter: Meter) -> Option<Price> {
        self.0.get(&meter).copied()
    }

    /// Whether nothing costs anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each by the name of its meter.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, Price)> {
        self.0.iter().map(|(meter, price)| (meter.as_str(), *price))
    }
}

impl Billing {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Postpaid, Self::Prepaid];

    /// As plans name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postpaid => "postpaid",
            Self::Prepaid => "prepaid",
        }
    }
}

/// What the record of a plan holds.
#[derive(Debug, Clone, Encode, Decode, CborLen)]
#[cbor(map)]
pub(super) struct PlanBody {
    #[n(0)]
    slug: String,
    #[n(1)]
    name: String,
    #[n(2)]
    limits: BTreeMap<String, u64>,
    #[n(3)]
    prices: BTreeMap<String, Price>,
    #[n(4)]
    billing: String,
}

impl Body for PlanBody {
    const KIND: RecordKind = RecordKind::Plan;
}

/// The terms of organizations, as long as nothing changed among the rights of the organization or
/// of the platform.
pub(super) struct KnownTerms(Cache<OrgId, Arc<Known>>);

struct Known {
    terms: Arc<Terms>,
    /// Of the organization and of the platform, taken before the rows were read.
    stamps: [Stamp; 2],
    since: Duration,
}

impl KnownTerms {
    pub(super) fn new() -> Self {
        Self(Cache::new(ORGANIZATIONS_MAX))
    }
}

impl Tenancy {
    /// Makes a plan.
    pub async fn create_plan(
        &self,
        _: &Operator,
        slug: &Slug,
        name: &Label,
        terms: &Terms,
    ) -> Result<Plan, TenancyError> {
        let platform = self.keyring.open_platform().await?;
        let draft = RecordDraft {
            lookup: Some(self.plan_lookup(slug).await?),
            ..draft::<PlanBody>(self.new_id(), self.clock.now_ms())
        };
        let write = insertion(&platform, draft, &PlanBody::of(slug, name, terms))?;
        let made = self.commit_records(OrgId::PLATFORM, vec![write], Vec::new());
        match made.await {
            Ok(()) => self.plan(slug).await,
            Err(Refused::Conflict(Conflict::Exists)) => Err(TenancyError::SlugTaken),
            Err(refused) => Err(refused.into()),
        }
    }

    /// Up to `max` plans after one, by age.
    pub async fn plans(
        &self,
        _: &Operator,
        after: Option<&Slug>,
        max: u32,
    ) -> Result<Vec<Plan>, TenancyError> {
        let after = match after {
            Some(slug) => Some(self.plan_held(slug).await?.row.id),
            None => None,
        };
        let query = RecordQuery {
            after,
            max,
            ..RecordQuery::default()
        };
        let page = self.records::<PlanBody>(OrgId::PLATFORM, query).await?;
        page.iter().map(Held::plan).collect()
    }

    /// A plan.
    pub async fn plan_named(&self, _: &Operator, slug: &Slug) -> Result<Plan, TenancyError> {
        self.plan(slug).await
    }

    /// Says something else in a plan, from now on for whoever is on it.
    pub async fn change_plan(
        &self,
        _: &Operator,
        slug: &Slug,
        name: &Label,
        terms: &Terms,
        etag: Option<u64>,
    ) -> Result<Plan, TenancyError> {
        let mut held = self.plan_held(slug).await?;
        held.expect(etag)?;
        held.body = PlanBody::of(slug, name, terms);
        let platform = self.keyring.open_platform().await?;
        let writes = vec![held.replacement(&platform)?];
        self.commit_records(OrgId::PLATFORM, writes, Vec::new())
            .await?;
        self.plan(slug).await
    }

    /// Puts an organization on a plan, or on none.
    pub async fn assign_plan(
        &self,
        _: &Operator,
        org: OrgId,
        plan: Option<&Slug>,
    ) -> Result<Option<Plan>, TenancyError> {
        let plan = match plan {
            Some(slug) => Some(self.plan(slug).await?),
            None => None,
        };
        self.set_plan(org, plan.as_ref().map(|plan| &plan.slug))
            .await?;
        Ok(plan)
    }

    /// The plan of whoever has the permit.
    pub async fn own_plan(&self, permit: &Permit<ReadUsage>) -> Result<Option<Plan>, TenancyError> {
        match self.plan_of(permit.org()).await? {
            Some(slug) => Ok(Some(self.assigned(&slug).await?)),
            None => Ok(None),
        }
    }

    /// What the caller's organization may have and use, and what that costs.
    pub async fn terms(&self, caller: &Caller) -> Result<Arc<Terms>, TenancyError> {
        self.terms_of(caller.org()).await
    }

    /// The same, for whoever has the permit.
    pub async fn own_terms(&self, permit: &Permit<ReadUsage>) -> Result<Arc<Terms>, TenancyError> {
        self.terms_of(permit.org()).await
    }

    /// The same, for the operator.
    pub async fn terms_of_organization(
        &self,
        _: &Operator,
        org: OrgId,
    ) -> Result<Arc<Terms>, TenancyError> {
        self.terms_of(org).await
    }

    pub(super) async fn terms_of(&self, org: OrgId) -> Result<Arc<Terms>, TenancyError> {
        let stamps = self.stamps(org);
        let now = self.clock.monotonic();
        if let Some(known) = self.known_terms.0.get(&org)
            && stamps == Some(known.stamps)
            && now.saturating_sub(known.since) <= AGE_MAX
        {
            return Ok(Arc::clone(&known.terms));
        }
        let terms = Arc::new(match self.plan_of(org).await? {
            Some(slug) => self.assigned(&slug).await?.terms,
            None => Terms::default(),
        });
        if let Some(stamps) = stamps {
            let known = Known {
                terms: Arc::clone(&terms),
                stamps,
                since: now,
            };
            self.known_terms.0.insert(org, Arc::new(known));
        }
        Ok(terms)
    }

    /// The plan that an organization is on: plans are never deleted.
    async fn assigned(&self, slug: &Slug) -> Result<Plan, TenancyError> {
        match self.plan(slug).await {
            Err(TenancyError::NoSuch(_)) => Err(TenancyError::Damaged(format!(
                "the plan {slug}, which an organization is on, is missing"
            ))),
            found => found,
        }
    }

    async fn plan(&self, slug: &Slug) -> Result<Plan, TenancyError> {
        self.plan_held(slug).await?.plan()
    }

    async fn plan_held(&self, slug: &Slug) -> Result<Held<PlanBody>, TenancyError> {
        let lookup = self.plan_lookup(slug).await?;
        let held: Held<PlanBody> = self
            .record_by_lookup(OrgId::PLATFORM, &lookup)
            .await?
            .ok_or(TenancyError::NoSuch("plan"))?;
        // The row is found by a blind name; what it holds sealed must be what was asked for.
        if held.body.slug == slug.as_str() {
            Ok(held)
        } else {
            Err(TenancyError::misplaced("a plan"))
        }
    }

    async fn plan_lookup(&self, slug: &Slug) -> Result<[u8; 32], TenancyError> {
        let name = slug.as_str().as_bytes();
        Ok(self.keyring.platform_lookup(PLAN, name).await?)
    }
}

impl PlanBody {
    fn of(slug: &Slug, name: &Label, terms: &Terms) -> Self {
        let limits = terms.limits.iter();
        let prices = terms.prices.named();
        Self {
            slug: slug.as_str().to_owned(),
            name: name.as_str().to_owned(),
            limits: limits
                .map(|(limit, max)| (limit.as_str().to_owned(), max))
                .collect(),
            prices: prices
                .map(|(meter, price)| (meter.to_owned(), price))
                .collect(),
            billing: terms.billing.as_str().to_owned(),
        }
    }
}

impl Held<PlanBody> {
    fn plan(&self) -> Result<Plan, TenancyError> {
        let misplaced = || TenancyError::misplaced("a plan");
        let body = &self.body;
        let mut terms = Terms {
            billing: Billing::ALL
                .into_iter()
                .find(|billing| billing.as_str() == body.billing)
                .ok_or_else(misplaced)?,
            ..Terms::default()
        };
        for (name, max) in &body.limits {
            let limit = Limit::named(name).ok_or_else(misplaced)?;
            terms.limits = terms.limits.with(limit, *max);
        }
        for (name, price) in &body.prices {
            let set = terms.prices.set(name, *price);
            set.map_err(|_| misplaced())?;
        }
        Ok(Plan {
            slug: Slug::parse(&body.slug).map_err(|_| misplaced())?,
            name: Label::parse(&body.name).map_err(|_| misplaced())?,
            terms,
            created_ms: self.row.created_ms,
            etag: self.row.sequence,
        })
    }
}

/// What blind names of plans are of.
const PLAN: &str = "plan";
/// How long terms are used without being looked up again.
const AGE_MAX: Duration = Duration::from_secs(30);
const ORGANIZATIONS_MAX: u64 = 65_536;
