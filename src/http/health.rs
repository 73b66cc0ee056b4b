use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{BoxFuture, join_all};
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;

use super::net::Stop;
use super::operator::OperatorToken;
use crate::telemetry::Metrics;

/// `/healthz`, `/readyz` and `/metrics`.
pub struct Health {
    metrics: Metrics,
    operator: OperatorToken,
    stop: Stop,
    probes: Vec<(&'static str, Probe)>,
}

/// Asks one part of the program whether it can do its work; the error is for the log.
pub type Probe = Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

impl Health {
    /// Without probes; the program is not ready once `stop` is requested.
    pub fn new(metrics: Metrics, operator: OperatorToken, stop: Stop) -> Self {
        Self {
            metrics,
            operator,
            stop,
            probes: Vec::new(),
        }
    }

    /// Makes readiness depend on `probe`, too. `name` is public.
    #[must_use]
    pub fn with_probe(mut self, name: &'static str, probe: Probe) -> Self {
        self.probes.push((name, probe));
        self
    }

    /// Answers a request for one of the three paths, and leaves others alone.
    ///
    /// - `/healthz`: 200 as long as the program answers.
    /// - `/readyz`: 200, or 503 with the names of the probes that failed, or while it drains.
    /// - `/metrics`: 200 in the OpenMetrics format, for the operator alone.
    pub async fn answer<B>(&self, request: &Request<B>) -> Option<Response<Full<Bytes>>> {
        let path = request.uri().path();
        if !matches!(path, "/healthz" | "/readyz" | "/metrics") {
            return None;
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n");
            let allow = HeaderValue::from_static("GET, HEAD");
            response.headers_mut().insert(ALLOW, allow);
            return Some(response);
        }
        Some(match path {
            "/healthz" => text(StatusCode::OK, "ok\n"),
            "/readyz" => self.ready().await,
            _ if self.operator.admits(request.headers()) => self.metrics(),
            _ => {
                let mut response = text(StatusCode::UNAUTHORIZED, "the operator's token only\n");
                let bearer = HeaderValue::from_static("Bearer");
                response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
                response
            }
        })
    }

    async fn ready(&self) -> Response<Full<Bytes>> {
        if self.stop.is_requested() {
            return text(StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
        }
        let asked = self.probes.iter().map(|(name, probe)| async move {
            let failure = match tokio::time::timeout(PROBE_MAX, probe()).await {
                Ok(Ok(())) => return None,
                Ok(Err(failure)) => failure,
                Err(_) => format!("no answer within {PROBE_MAX:?}"),
            };
            tracing::warn!(probe = name, failure, "not ready");
            Some(format!("{name}: failed\n"))
        });
        let failed: String = join_all(asked).await.into_iter().flatten().collect();
        if failed.is_empty() {
            text(StatusCode::OK, "ready\n")
        } else {
            text(StatusCode::SERVICE_UNAVAILABLE, failed)
        }
    }

    fn metrics(&self) -> Response<Full<Bytes>> {
        match self.metrics.encode() {
            Ok(metrics) => {
                let mut response = text(StatusCode::OK, metrics);
                let kind = HeaderValue::from_static(Metrics::CONTENT_TYPE);
                response.headers_mut().insert(CONTENT_TYPE, kind);
                response
            }
            Err(error) => {
                tracing::error!(%error, "metrics cannot be written");
                text(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n")
            }
        }
    }
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(CONTENT_TYPE, kind);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A probe that hangs is a probe that failed.
const PROBE_MAX: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use http::header::AUTHORIZATION;
    use http_body_util::BodyExt;

    use super::*;
    use crate::config::Secret;

    async fn ask(
        health: &Health,
        method: Method,
        path: &str,
        token: Option<&str>,
    ) -> (u16, String) {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(()).expect("a request");
        let response = health.answer(&request).await.expect("a path of health");
        let status = response.status().as_u16();
        let body = response
            .into_body()
            .collect()
            .await
            .expect("whole")
            .to_bytes();
        (status, String::from_utf8(body.to_vec()).expect("UTF-8"))
    }

    #[tokio::test]
    async fn readiness_follows_probes_and_the_stop() {
        let works = Arc::new(AtomicBool::new(false));
        let stop = Stop::new();
        let probed = Arc::clone(&works);
        let health = Health::new(Metrics::new(), OperatorToken::new(None), stop.clone())
            .with_probe("blobs", Box::new(|| Box::pin(async { Ok(()) })))
            .with_probe(
                "catalog",
                Box::new(move || {
                    let works = probed.load(Ordering::SeqCst);
                    Box::pin(async move { works.then_some(()).ok_or("inner detail".into()) })
                }),
            );
        let failed = (503, "catalog: failed\n".to_owned());
        assert_eq!(ask(&health, Method::GET, "/readyz", None).await, failed);
        works.store(true, Ordering::SeqCst);
        assert_eq!(ask(&health, Method::GET, "/readyz", None).await.0, 200);
        stop.request();
        assert_eq!(ask(&health, Method::GET, "/readyz", None).await.0, 503);
        assert_eq!(ask(&health, Method::GET, "/healthz", None).await.0, 200);
        assert_eq!(ask(&health, Method::POST, "/healthz", None).await.0, 405);
        let other = Request::get("/healthz/x").body(()).expect("a request");
        assert!(health.answer(&other).await.is_none());
    }

    #[tokio::test]
    async fn metrics_are_the_operators() {
        let token = Secret::new("0123456789abcdef".into());
        let metrics = Metrics::new();
        metrics.transferred(5, 0);
        let health = Health::new(metrics, OperatorToken::new(Some(&token)), Stop::new());
        let (status, body) = ask(&health, Method::GET, "/metrics", Some(token.expose())).await;
        assert_eq!(status, 200);
        assert!(body.contains("bulkhead_body_in_bytes_total 5\n"), "{body}");
        for wrong in [None, Some("0123456789abcdeF")] {
            let (status, body) = ask(&health, Method::GET, "/metrics", wrong).await;
            assert_eq!((status, body.contains("bulkhead")), (401, false));
        }
    }
}
