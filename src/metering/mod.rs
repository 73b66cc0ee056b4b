//! Usage per organization and hour, and allowances.

mod account;
mod counters;
mod credits;
mod limits;
mod line;
mod month;
mod rates;
mod service;
mod statement;
mod tally;
mod usage;

#[cfg(test)]
mod ledger_tests;
#[cfg(test)]
mod tests;

pub use credits::{Balance, CreditError, Credits, NewGrant, OpenCredit};
pub use limits::{LimitUse, Nearing, NotAdmitted, Use};
pub use line::{Charged, Entry, Line, Payment};
pub use month::{InvalidMonth, Month};
pub use service::Metering;
pub use statement::{Statement, UseTotal};
pub use usage::{HourUsage, UsageError};
