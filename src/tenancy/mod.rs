//! Organizations, their accounts and access keys, and how they stand. Every row is verified before
//! it is believed, and every change is compared and set.

mod access_key;
mod error;
mod organization;
mod rights;
mod service;
mod standing;

#[cfg(test)]
mod tests;

pub use access_key::{AccessKey, DraftAccessKey, NewAccessKey};
pub use error::TenancyError;
pub use organization::{Organization, Ownership, Transition};
pub use service::Tenancy;
