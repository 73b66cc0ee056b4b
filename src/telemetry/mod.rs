//! What operators see of the running program: logs on standard error, and metrics for Prometheus.
//! Neither names a tenant, a key, a secret or a body.

mod log;
mod metrics;

#[cfg(test)]
mod tests;

pub use log::{LogError, init};
pub use metrics::{Metrics, RequestLabels, StatusClass};
