use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The metrics of the program, in the OpenMetrics text format. Clones share one registry.
///
/// Labels have few values, all known when the program is built: an operation, a class of status, a
/// listener. Never a tenant, a bucket or a key.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Mutex<Registry>>,
    requests: Family<RequestLabels, Counter>,
    durations: Family<OperationLabel, Histogram>,
    bytes_in: Counter,
    bytes_out: Counter,
}

/// What a request is counted under.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// The operation's name in the API, such as `PutObject`, or `unknown`.
    pub operation: &'static str,
    /// The class of the answer's status.
    pub status: StatusClass,
}

/// The first digit of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatusClass(u16);

impl Metrics {
    /// A registry with the families that every door sets.
    pub fn new() -> Self {
        let requests = Family::<RequestLabels, Counter>::default();
        let durations =
            Family::<OperationLabel, Histogram>::new_with_constructor(|| Histogram::new(SECONDS));
        let (bytes_in, bytes_out) = (Counter::default(), Counter::default());
        let mut registry = Registry::with_prefix("bulkhead");
        registry.register(
            "requests",
            "Requests answered, by operation and class of status",
            requests.clone(),
        );
        registry.register(
            "request_duration_seconds",
            "From the complete header of a request to the end of its answer",
            durations.clone(),
        );
        registry.register("body_in_bytes", "Bytes of request bodies", bytes_in.clone());
        registry.register(
            "body_out_bytes",
            "Bytes of answer bodies",
            bytes_out.clone(),
        );
        Self {
            registry: Arc::new(Mutex::new(registry)),
            requests,
            durations,
            bytes_in,
            bytes_out,
        }
    }

    /// Counts one answered request. `operation` is one of the names that the program knows, never
    /// text of the caller's.
    pub fn answered(&self, operation: &'static str, status: http::StatusCode, took: Duration) {
        self.requests
            .get_or_create(&RequestLabels {
                operation,
                status: StatusClass(status.as_u16() / 100),
            })
            .inc();
        self.durations
            .get_or_create(&OperationLabel { operation })
            .observe(took.as_secs_f64());
    }

    /// Counts bytes of bodies, in and out.
    pub fn transferred(&self, bytes_in: u64, bytes_out: u64) {
        self.bytes_in.inc_by(bytes_in);
        self.bytes_out.inc_by(bytes_out);
    }

    /// Shows a listener's open connections.
    pub fn show_connections(&self, listener: &'static str, connections: Gauge) {
        self.register(|registry| {
            let labels = [("listener".into(), listener.into())];
            registry
                .sub_registry_with_labels(labels.into_iter())
                .register("connections", "Open connections", connections);
        });
    }

    /// Lets a module register families of its own, once, when the program is put together.
    pub fn register(&self, families: impl FnOnce(&mut Registry)) {
        families(&mut self.registry.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// All metrics as text, to be served as [`Metrics::CONTENT_TYPE`].
    ///
    /// # Errors
    ///
    /// If a metric cannot be written, which is a mistake of ours.
    pub fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        encode(&mut text, &registry)?;
        Ok(text)
    }

    /// The media type of [`Metrics::encode`].
    pub const CONTENT_TYPE: &'static str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl EncodeLabelValue for StatusClass {
    fn encode(
        &self,
        encoder: &mut prometheus_client::encoding::LabelValueEncoder<'_>,
    ) -> fmt::Result {
        use fmt::Write;
        write!(encoder, "{}xx", self.0)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OperationLabel {
    operation: &'static str,
}

/// From a row that is in the cache to a large object over a slow line.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0,
];
