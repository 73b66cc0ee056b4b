//! `/api/v1`: what the operator does to organizations and their access keys, as JSON over HTTP.
//! Errors are problem details (RFC 9457).

mod body;
mod error;
mod page;
mod route;
mod service;
mod view;

#[cfg(test)]
mod tests;

pub use route::{ROOT, ROUTES, Route};
pub use service::Admin;
pub use view::{AccessKeyView, NewAccessKeyView, OrganizationView};
