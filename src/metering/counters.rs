use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// What metering counts about itself, of all organizations together.
#[derive(Default)]
pub(super) struct Counters {
    /// Writes of an organization's usage.
    pub(super) writes: Counter,
    /// Writes that failed and are tried again.
    pub(super) failures: Counter,
}

impl Counters {
    /// Shows them.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "usage_writes",
            "Writes of an organization's usage",
            self.writes.clone(),
        );
        registry.register(
            "usage_failures",
            "Writes of usage that failed and are tried again",
            self.failures.clone(),
        );
    }
}
