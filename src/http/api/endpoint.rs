use super::account::{self, Account};
use super::agents::{self, Agents};
use super::billing::{self, Billing};
use super::credentials::{self, Credentials};
use super::grants::{self, Grants};
use super::identities::{self, Identities};
use super::operator::{self, OperatorDoes};
use super::organization::{self, OfOrganization};
use super::people::{self, People};
use super::plans::{self, Plans};
use super::public::{self, Public};
use super::route::Route;
use super::secrets::{self, Secrets};
use super::shares::{self, Shares};
use super::usage::{self, OfUsage};

/// What a route leads to, by area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Public(Public),
    Operator(OperatorDoes),
    Account(Account),
    Organization(OfOrganization),
    People(People),
    Agents(Agents),
    Grants(Grants),
    Credentials(Credentials),
    Plans(Plans),
    Billing(Billing),
    Usage(OfUsage),
    Secrets(Secrets),
    Shares(Shares),
    Identities(Identities),
}

/// Every route there is, by area.
pub(super) const TABLES: [&[Route]; 14] = [
    public::ROUTES,
    operator::ROUTES,
    account::ROUTES,
    organization::ROUTES,
    people::ROUTES,
    agents::ROUTES,
    grants::ROUTES,
    credentials::ROUTES,
    plans::ROUTES,
    billing::ROUTES,
    usage::ROUTES,
    secrets::ROUTES,
    shares::ROUTES,
    identities::ROUTES,
];
