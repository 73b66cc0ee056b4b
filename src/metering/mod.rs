//! Usage per organization, hour and meter; limits on it; credit, and the statements that sum it
//! up.

mod account;
mod counters;
mod credit_error;
mod credits;
mod ledger;
mod limits;
mod line;
mod month;
mod parts;
mod rates;
mod service;
mod statement;
mod tally;
mod usage;

#[cfg(test)]
mod ledger_tests;
#[cfg(test)]
mod tests;

pub use credit_error::CreditError;
pub use credits::{Balance, Credits, NewGrant, OpenCredit};
pub use limits::{LimitUse, Nearing, NotAdmitted, Use};
pub use line::{Charged, Entry, Line, Payment};
pub use month::{InvalidMonth, Month};
pub use parts::{Dimension, EventError, Sent, Usage, UsageEvent, Used, UsedBy, is_meter};
pub use service::{Done, Metering};
pub use statement::{Statement, UseTotal};
pub use usage::{HourUsage, UsageError};
