//! Plans and limits as they are shown and taken.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::view::rfc_3339;
use crate::authz::{Limit, Limits};
use crate::metering::LimitUse;
use crate::tenancy::{Billing, Plan, Price, Terms};

/// A plan.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Plan")]
pub struct PlanView {
    /// Its short name.
    pub slug: String,
    /// What people call it.
    pub name: String,
    /// How much there may be.
    pub limits: LimitsView,
    /// What use costs, by the name of its meter.
    pub prices: BTreeMap<String, PriceView>,
    /// Whether credit has to be there first.
    pub billing: BillingView,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

/// What makes a plan.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewPlan")]
pub struct NewPlanRequest {
    /// Its short name, which stays.
    pub slug: String,
    /// What people call it.
    pub name: String,
    /// How much there may be.
    #[serde(default)]
    pub limits: LimitsView,
    /// What use costs, by the name of its meter.
    #[serde(default)]
    pub prices: BTreeMap<String, PriceView>,
    /// Whether credit has to be there first.
    #[serde(default)]
    pub billing: BillingView,
}

/// What a plan says from now on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PlanRequest")]
pub struct PlanRequest {
    /// What people call it.
    pub name: String,
    /// How much there may be.
    #[serde(default)]
    pub limits: LimitsView,
    /// What use costs, by the name of its meter.
    #[serde(default)]
    pub prices: BTreeMap<String, PriceView>,
    /// Whether credit has to be there first.
    #[serde(default)]
    pub billing: BillingView,
}

/// How much there may be; what is not said has no limit.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Limits")]
pub struct LimitsView {
    /// Agents.
    pub agents: Option<u64>,
    /// Members.
    pub members: Option<u64>,
    /// Secrets.
    pub secrets: Option<u64>,
    /// Bytes in objects and in parts of uploads.
    pub stored_bytes: Option<u64>,
    /// Objects.
    pub objects: Option<u64>,
    /// Requests in an hour of the clock (UTC).
    pub requests_per_hour: Option<u64>,
    /// Requests in a month of the calendar (UTC).
    pub requests_per_month: Option<u64>,
    /// Bytes of answer bodies in an hour of the clock (UTC).
    pub egress_bytes_per_hour: Option<u64>,
    /// Bytes of answer bodies in a month of the calendar (UTC).
    pub egress_bytes_per_month: Option<u64>,
}

/// A price: so many units of credit for so much of what its meter counts. What is stored is counted
/// for each hour that it is held.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Price")]
pub struct PriceView {
    /// Units of credit.
    pub units: u64,
    /// For how much; never 0.
    pub per: u64,
}

/// Whether credit has to be there first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Billing")]
pub enum BillingView {
    /// Use that no credit pays for is owed.
    #[default]
    Postpaid,
    /// Without credit nothing is done.
    Prepaid,
}

/// On which plan an organization is to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PlanAssignment")]
pub struct PlanAssignment {
    /// Its short name; nothing takes the organization off its plan.
    pub plan: Option<String>,
}

/// The plan of an organization.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AssignedPlan")]
pub struct AssignedPlanView {
    /// The plan; without one there is no limit and no price.
    pub plan: Option<PlanView>,
}

/// How much of a limit is used.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LimitUse")]
pub struct LimitUseView {
    /// Of what.
    pub limit: &'static str,
    /// How much is used; of a rate, in the hour or month that it is now.
    pub used: u64,
    /// How much there may be.
    pub max: u64,
    /// Whether four fifths or more are used.
    pub warning: bool,
}

/// The limits of an organization's plan.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LimitUses")]
pub struct LimitUsesView {
    /// Those that are set.
    pub items: Vec<LimitUseView>,
}

impl NewPlanRequest {
    /// Its short name as it was sent, and what the rest says.
    pub(super) fn split(self) -> (String, PlanRequest) {
        let Self {
            slug,
            name,
            limits,
            prices,
            billing,
        } = self;
        let request = PlanRequest {
            name,
            limits,
            prices,
            billing,
        };
        (slug, request)
    }
}

impl PlanRequest {
    /// What the plan is to say.
    pub(super) fn terms(&self) -> Result<Terms, Problem> {
        let mut terms = Terms {
            limits: self.limits.into(),
            billing: self.billing.into(),
            ..Terms::default()
        };
        for (meter, PriceView { units, per }) in &self.prices {
            let price = Price {
                units: *units,
                per: *per,
            };
            let set = terms.prices.set(meter, price);
            set.map_err(|error| Problem::invalid(error.to_string()).at(format!("prices.{meter}")))?;
        }
        Ok(terms)
    }
}

impl LimitsView {
    fn slots(&mut self) -> [(Limit, &mut Option<u64>); Limit::ALL.len()] {
        [
            (Limit::Agents, &mut self.agents),
            (Limit::Members, &mut self.members),
            (Limit::Secrets, &mut self.secrets),
            (Limit::StoredBytes, &mut self.stored_bytes),
            (Limit::Objects, &mut self.objects),
            (Limit::RequestsPerHour, &mut self.requests_per_hour),
            (Limit::RequestsPerMonth, &mut self.requests_per_month),
            (Limit::EgressBytesPerHour, &mut self.egress_bytes_per_hour),
            (Limit::EgressBytesPerMonth, &mut self.egress_bytes_per_month),
        ]
    }
}

impl From<LimitsView> for Limits {
    fn from(mut view: LimitsView) -> Self {
        view.slots()
            .into_iter()
            .filter_map(|(limit, max)| Some((limit, (*max)?)))
            .fold(Self::NONE, |limits, (limit, max)| limits.with(limit, max))
    }
}

impl From<&Limits> for LimitsView {
    fn from(limits: &Limits) -> Self {
        let mut view = Self::default();
        for (limit, max) in view.slots() {
            *max = limits.of(limit);
        }
        view
    }
}

impl From<BillingView> for Billing {
    fn from(view: BillingView) -> Self {
        match view {
            BillingView::Postpaid => Self::Postpaid,
            BillingView::Prepaid => Self::Prepaid,
        }
    }
}

impl From<Billing> for BillingView {
    fn from(billing: Billing) -> Self {
        match billing {
            Billing::Postpaid => Self::Postpaid,
            Billing::Prepaid => Self::Prepaid,
        }
    }
}

impl From<&Plan> for PlanView {
    fn from(plan: &Plan) -> Self {
        let prices = plan.terms.prices.named();
        Self {
            slug: plan.slug.to_string(),
            name: plan.name.to_string(),
            limits: (&plan.terms.limits).into(),
            prices: prices
                .map(|(meter, Price { units, per })| (meter.to_owned(), PriceView { units, per }))
                .collect(),
            billing: plan.terms.billing.into(),
            created_at: rfc_3339(plan.created_ms),
        }
    }
}

impl From<&LimitUse> for LimitUseView {
    fn from(level: &LimitUse) -> Self {
        Self {
            limit: level.limit.as_str(),
            used: level.used,
            max: level.max,
            warning: level.is_near(),
        }
    }
}
