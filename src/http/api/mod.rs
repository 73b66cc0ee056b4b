//! `/api/v1`: organizations as their members, agents and the platform's operator manage them, as
//! JSON over HTTP. Errors are problem details (RFC 9457); the document is OpenAPI 3.1.

mod account;
mod agent_view;
mod agents;
mod ask;
mod billing;
mod billing_view;
mod convert;
mod credentials;
mod door;
mod endpoint;
mod export;
mod grants;
mod identities;
mod identity_view;
mod once;
mod openapi;
mod operator;
mod organization;
mod people;
mod plan_view;
mod plans;
mod problem;
mod provision;
mod public;
mod route;
mod secret_view;
mod secrets;
mod service;
mod shares;
mod usage;
mod usage_view;
mod view;

pub use billing_view::*;
pub use openapi::document;
pub use plan_view::*;
pub use problem::ProblemView;
pub use route::{Audience, Given, Gives, Parameter, ParameterKind, ROOT, Route, routes};
pub use secret_view::*;
pub use service::{Api, Parts};
pub use usage::*;
pub use view::*;
