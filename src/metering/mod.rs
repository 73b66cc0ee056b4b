//! Usage per organization and hour, and allowances.

mod counters;
mod service;
mod tally;
mod usage;

#[cfg(test)]
mod tests;

pub use service::Metering;
pub use usage::{HourUsage, UsageError};
