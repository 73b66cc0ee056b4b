use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use crate::audit::AuditError;
use crate::ops::AdministrationError;
use crate::tenancy::TenancyError;

/// Why a request is not answered as it asks: what the operator is shown. What is for the log alone
/// has been logged before.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    /// For programs; never changes for the same cause.
    code: &'static str,
    /// For people.
    detail: String,
    header: Option<(HeaderName, HeaderValue)>,
}

/// The members of RFC 9457, and the code.
#[derive(Serialize)]
struct Details<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            header: None,
        }
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some((name, value));
        self
    }

    /// No operator's token, or a wrong one: one answer for every path, method and body.
    pub(super) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "the operator's token only",
        )
        .with(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"bulkhead\""),
        )
    }

    pub(super) fn no_such_path() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "no-such-path",
            "there is nothing at this path",
        )
    }

    pub(super) fn method_not_allowed(allowed: &str) -> Self {
        let detail = format!("this path takes {allowed}");
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", detail);
        match HeaderValue::from_str(allowed) {
            Ok(allowed) => problem.with(ALLOW, allowed),
            Err(_) => problem,
        }
    }

    pub(super) fn unsupported_media_type() -> Self {
        Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported-media-type",
            "the body is to be application/json",
        )
    }

    pub(super) fn body_too_large(bytes_max: usize) -> Self {
        let detail = format!("the body has more than {bytes_max} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
    }

    /// The request, its body or its query does not say what it has to.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid-request", detail)
    }

    pub(super) fn no_such_organization() -> Self {
        TenancyError::NoSuchOrganization.into()
    }

    pub(super) fn no_such_access_key() -> Self {
        TenancyError::NoSuchAccessKey.into()
    }

    /// An answer that could not be written: ours.
    pub(super) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal-error",
            "an error of the server; its log says more",
        )
    }

    fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "not possible now; the server's log says more",
        )
        .with(RETRY_AFTER, HeaderValue::from_static("1"))
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let details = Details {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
        };
        let body = serde_json::to_vec(&details).unwrap_or_default();
        let mut response = Response::new(Full::new(body.into()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some((name, value)) = self.header {
            headers.insert(name, value);
        }
        response
    }
}

impl From<TenancyError> for Problem {
    fn from(error: TenancyError) -> Self {
        let text = error.to_string();
        let (status, code) = match error {
            TenancyError::NoSuchOrganization => (StatusCode::NOT_FOUND, "no-such-organization"),
            TenancyError::NoSuchAccessKey => (StatusCode::NOT_FOUND, "no-such-access-key"),
            TenancyError::NoSuch(_) => (StatusCode::NOT_FOUND, "not-found"),
            TenancyError::NoSuchInvitation => (StatusCode::FORBIDDEN, "no-such-invitation"),
            TenancyError::Exists(_) => (StatusCode::CONFLICT, "exists"),
            TenancyError::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            TenancyError::LimitReached { .. } => (StatusCode::CONFLICT, "limit-reached"),
            TenancyError::LastOwner => (StatusCode::CONFLICT, "last-owner"),
            TenancyError::AboveOwnRole => (StatusCode::FORBIDDEN, "above-own-role"),
            TenancyError::TooWide => (StatusCode::FORBIDDEN, "too-wide"),
            TenancyError::LogInRefused => (StatusCode::UNAUTHORIZED, "log-in-refused"),
            TenancyError::TooManyAttempts { .. } => {
                (StatusCode::TOO_MANY_REQUESTS, "too-many-attempts")
            }
            TenancyError::SignUpsClosed => (StatusCode::FORBIDDEN, "sign-ups-closed"),
            TenancyError::SlugTaken => (StatusCode::CONFLICT, "slug-taken"),
            TenancyError::Changed => (StatusCode::CONFLICT, "changed-meanwhile"),
            TenancyError::State(_) => (StatusCode::CONFLICT, "state-forbids"),
            TenancyError::Unavailable(error) => {
                tracing::error!(error, "organizations cannot be reached");
                return Self::unavailable();
            }
            TenancyError::Damaged(what) => {
                tracing::error!(what, "a row is not what was written");
                return Self::internal();
            }
        };
        Self::new(status, code, text)
    }
}

impl From<AdministrationError> for Problem {
    fn from(error: AdministrationError) -> Self {
        match error {
            AdministrationError::Tenancy(error) => error.into(),
            AdministrationError::Audit(error @ AuditError::SlowDown)
            | AdministrationError::Audit(error @ AuditError::Unavailable(_)) => {
                tracing::error!(%error, "an act of the operator cannot be recorded");
                Self::unavailable()
            }
        }
    }
}
