//! Usage per organization and hour, and allowances.

mod counters;
mod limits;
mod month;
mod rates;
mod service;
mod tally;
mod usage;

#[cfg(test)]
mod tests;

pub use limits::{LimitUse, Nearing, NotAdmitted, Use};
pub use month::{InvalidMonth, Month};
pub use service::Metering;
pub use usage::{HourUsage, UsageError};
