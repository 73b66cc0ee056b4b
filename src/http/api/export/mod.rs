//! The export of an organization: a tar archive of all that it has, decrypted. Secrets are in it
//! without their values, unless those are asked for.

mod answer;
mod error;
mod exporter;
mod pages;
mod reader;
mod writer;

pub(super) use answer::{EXPORT, export};
