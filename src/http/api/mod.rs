//! `/api/v1`: organizations as their members, agents and the platform's operator manage them, as
//! JSON over HTTP. Errors are problem details (RFC 9457); the document is OpenAPI 3.1.

mod account;
mod account_view;
mod agent_view;
mod agents;
mod ask;
mod billing;
mod billing_view;
mod convert;
mod credential_view;
mod credentials;
mod door;
mod endpoint;
mod export;
mod grant_view;
mod grants;
mod identities;
mod identity_view;
mod once;
mod openapi;
mod operator;
mod organization;
mod organization_view;
mod people;
mod people_view;
mod plan_view;
mod plans;
mod problem;
mod provision;
mod provision_view;
mod public;
mod route;
mod secret_ask;
mod secret_view;
mod secrets;
mod service;
mod shares;
mod usage;
mod usage_view;
mod view;

pub use credential_view::{AccessKeyView, NewAccessKeyView};
pub use openapi::document;
pub use organization_view::OrganizationView;
pub use problem::ProblemView;
pub use route::{Audience, Given, Gives, Parameter, ParameterKind, ROOT, Route, routes};
pub use service::{Api, Parts};
