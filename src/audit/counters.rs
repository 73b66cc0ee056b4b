use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// What the activity log counts, of all organizations together.
#[derive(Default)]
pub(super) struct Counters {
    /// Events that were written.
    pub(super) events: Counter,
    /// Segments that were written.
    pub(super) segments: Counter,
    /// Refusals that were counted instead of recorded singly.
    pub(super) limited: Counter,
    /// Writes that failed.
    pub(super) failures: Counter,
}

impl Counters {
    /// Shows them.
    pub(super) fn register(&self, registry: &mut Registry) {
        let families = [
            ("audit_events", "Events written", &self.events),
            ("audit_segments", "Segments written", &self.segments),
            (
                "audit_refusals_limited",
                "Refusals counted instead of recorded singly",
                &self.limited,
            ),
            ("audit_failures", "Writes that failed", &self.failures),
        ];
        for (name, help, counter) in families {
            registry.register(name, help, counter.clone());
        }
    }
}
