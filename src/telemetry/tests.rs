use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::StatusCode;
use prometheus_client::metrics::counter::Counter;

use super::Metrics;
use super::log::subscriber;
use crate::config::{Log, LogFormat};

#[test]
fn requests_are_counted_by_operation_and_class() {
    let metrics = Metrics::new();
    metrics.answered("GetObject", StatusCode::OK, Duration::from_millis(3));
    metrics.answered("GetObject", StatusCode::NOT_FOUND, Duration::from_millis(1));
    metrics.answered("GetObject", StatusCode::PARTIAL_CONTENT, Duration::ZERO);
    metrics.transferred(7, 11);
    let text = metrics.encode().expect("encodes");
    for line in [
        "bulkhead_requests_total{operation=\"GetObject\",status=\"2xx\"} 2\n",
        "bulkhead_requests_total{operation=\"GetObject\",status=\"4xx\"} 1\n",
        "bulkhead_request_duration_seconds_count{operation=\"GetObject\"} 3\n",
        "bulkhead_request_duration_seconds_bucket{le=\"0.005\",operation=\"GetObject\"} 3\n",
        "bulkhead_body_in_bytes_total 7\n",
        "bulkhead_body_out_bytes_total 11\n",
    ] {
        assert!(text.contains(line), "{line} not in\n{text}");
    }
}

#[test]
fn modules_add_families_of_their_own() {
    let metrics = Metrics::new();
    let hits: Counter = Counter::default();
    metrics.register(|registry| registry.register("cache_hits", "Hits", hits.clone()));
    metrics.show_connections("api", prometheus_client::metrics::gauge::Gauge::default());
    hits.inc_by(5);
    let text = metrics.encode().expect("encodes");
    assert!(text.contains("bulkhead_cache_hits_total 5\n"), "{text}");
    assert!(
        text.contains("bulkhead_connections{listener=\"api\"} 0\n"),
        "{text}"
    );
}

#[test]
fn log_lines_have_the_form_and_level_that_is_set() {
    let text = logged(LogFormat::Text, "warn");
    assert!(
        text.contains("WARN") && text.contains("heard") && !text.contains("unheard"),
        "{text}"
    );
    let json = logged(LogFormat::Json, "warn");
    let line: serde_json::Value = serde_json::from_str(json.trim()).expect("one JSON object");
    assert_eq!(
        (&line["level"], &line["message"], &line["count"]),
        (&"WARN".into(), &"heard".into(), &3.into())
    );
    let settings = Log {
        format: LogFormat::Text,
        level: "a=b=c".into(),
    };
    assert!(subscriber(&settings, io::sink).is_err());
}

fn logged(format: LogFormat, level: &str) -> String {
    let written = Written::default();
    let sink = written.clone();
    let settings = Log {
        format,
        level: level.into(),
    };
    let subscriber = subscriber(&settings, move || sink.clone()).expect("parses");
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!("unheard");
        tracing::warn!(count = 3, "heard");
    });
    let bytes = written.0.lock().expect("lock").clone();
    String::from_utf8(bytes).expect("UTF-8")
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("lock").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
