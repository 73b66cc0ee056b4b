//! `/api/v1`: organizations as their members, agents and the platform's operator manage them, as
//! JSON over HTTP. Errors are problem details (RFC 9457); the document is OpenAPI 3.1.

mod account;
mod agents;
mod ask;
mod convert;
mod credentials;
mod door;
mod endpoint;
mod grants;
mod identities;
mod identity_view;
mod once;
mod openapi;
mod operator;
mod organization;
mod people;
mod problem;
mod public;
mod route;
mod service;
mod view;

pub use openapi::document;
pub use problem::ProblemView;
pub use route::{Audience, Given, Gives, Parameter, ParameterKind, ROOT, Route, routes};
pub use service::{Api, Parts};
pub use view::*;
