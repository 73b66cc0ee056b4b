use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

use crate::audit::AuditError;
use crate::authn::{AuthnError, OpenIdError};
use crate::authz::Refusal;
use crate::http::pipeline::{Answer, Content, DoorError, Fault};
use crate::metering::UsageError;
use crate::ops::AdministrationError;
use crate::tenancy::TenancyError;

/// Why a request is not answered as it asks: what the caller is shown, and what is for logs alone.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    /// For programs; never changes for the same cause.
    code: &'static str,
    /// For people.
    detail: String,
    /// The member of the body, or the parameter, that is not as it has to be.
    field: Option<String>,
    header: Option<Box<(HeaderName, HeaderValue)>>,
    fault: Fault,
}

/// What went wrong: problem details (RFC 9457).
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemView<'a> {
    /// `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The status in words.
    pub title: &'a str,
    /// The status.
    pub status: u16,
    /// What went wrong here, for people.
    pub detail: &'a str,
    /// The cause, for programs.
    pub code: &'a str,
    /// The member of the body, or the parameter, that is not as it has to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'a str>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            field: None,
            header: None,
            fault: Fault::Caller,
        }
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    /// Names the member or parameter that is wrong.
    pub(super) fn at(mut self, field: impl Into<String>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// No credential, or a wrong one: one answer for every path, method and body.
    pub(super) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "a bearer token that is valid here",
        )
        .with(
            WWW_AUTHENTICATE,
            HeaderValue::from_static("Bearer realm=\"bulkhead\""),
        )
        .with_fault(Fault::Refused("no valid bearer token".to_owned()))
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

    /// The route is for somebody else: an account, where an agent asks.
    pub(super) fn not_for_you(detail: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not-for-this-credential", detail)
            .with_fault(Fault::Refused(detail.to_owned()))
    }

    pub(super) fn no_such_organization() -> Self {
        TenancyError::NoSuchOrganization.into()
    }

    pub(super) fn no_such(what: &'static str) -> Self {
        TenancyError::NoSuch(what).into()
    }

    /// The same of a request that sent `If-Match`: what was changed meanwhile is not what it names.
    pub(super) fn of_condition(self) -> Self {
        if self.code != CHANGED_MEANWHILE {
            return self;
        }
        Self::new(
            StatusCode::PRECONDITION_FAILED,
            "precondition-failed",
            "it is not what `If-Match` names",
        )
        .at("If-Match")
    }

    /// An answer that could not be written: ours.
    pub(super) fn internal(cause: impl ToString) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal-error",
            "an error of the server; its log says more",
        )
        .with_fault(Fault::Operator(cause.to_string()))
    }

    fn unavailable(cause: impl ToString) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "not possible now; the server's log says more",
        )
        .with(RETRY_AFTER, HeaderValue::from_static("1"))
        .with_fault(Fault::Operator(cause.to_string()))
    }

    fn damaged(what: String) -> Self {
        Self::internal(&what).with_fault(Fault::Damaged(what))
    }

    /// The answer that says it.
    pub(super) fn to_answer(&self) -> Answer {
        let view = ProblemView {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            field: self.field.as_deref(),
        };
        let body = serde_json::to_vec(&view).unwrap_or_default();
        let mut head = Response::new(());
        *head.status_mut() = self.status;
        let headers = head.headers_mut();
        let kind = HeaderValue::from_static("application/problem+json");
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(header) = &self.header {
            let (name, value) = (**header).clone();
            headers.insert(name, value);
        }
        Answer {
            head,
            content: Content::Whole(Bytes::from(body)),
            receipt: crate::authz::Receipt::default(),
        }
    }
}

impl DoorError for Problem {
    fn fault(&self) -> &Fault {
        &self.fault
    }

    fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<TenancyError> for Problem {
    fn from(error: TenancyError) -> Self {
        use TenancyError as E;
        let text = error.to_string();
        let (status, code) = match error {
            E::NoSuchOrganization => (StatusCode::NOT_FOUND, "no-such-organization"),
            E::NoSuchAccessKey => (StatusCode::NOT_FOUND, "no-such-access-key"),
            E::NoSuch(_) => (StatusCode::NOT_FOUND, "not-found"),
            E::NoSuchInvitation => (StatusCode::NOT_FOUND, "no-such-invitation"),
            E::SlugTaken => (StatusCode::CONFLICT, "slug-taken"),
            E::Exists(_) => (StatusCode::CONFLICT, "exists"),
            E::Changed => (StatusCode::CONFLICT, CHANGED_MEANWHILE),
            E::State(_) => (StatusCode::CONFLICT, "state-forbids"),
            E::Invalid(_) => (StatusCode::BAD_REQUEST, "invalid-request"),
            E::LimitReached { .. } => (StatusCode::CONFLICT, "limit-reached"),
            E::LastOwner => (StatusCode::CONFLICT, "last-owner"),
            E::AboveOwnRole | E::TooWide => {
                let code = "above-own-rights";
                return Self::new(StatusCode::FORBIDDEN, code, text.clone())
                    .with_fault(Fault::Refused(text));
            }
            E::LogInRefused => (StatusCode::UNAUTHORIZED, "log-in-refused"),
            E::TooManyAttempts {
                retry_after_seconds,
            } => {
                let retry = HeaderValue::from(retry_after_seconds);
                return Self::new(StatusCode::TOO_MANY_REQUESTS, "too-many-attempts", text)
                    .with(RETRY_AFTER, retry);
            }
            E::SignUpsClosed => (StatusCode::FORBIDDEN, "sign-ups-closed"),
            E::Unavailable(cause) => return Self::unavailable(cause),
            E::Damaged(what) => return Self::damaged(what),
        };
        Self::new(status, code, text)
    }
}

impl From<OpenIdError> for Problem {
    fn from(error: OpenIdError) -> Self {
        use OpenIdError as E;
        let text = error.to_string();
        match error {
            E::UnknownProvider => Self::new(StatusCode::NOT_FOUND, "no-such-provider", text),
            E::RedirectUri => Self::invalid(text).at("redirect_uri"),
            E::Unreachable(cause) => Self::new(
                StatusCode::BAD_GATEWAY,
                "provider-unreachable",
                "the identity provider cannot be asked now",
            )
            .with_fault(Fault::Operator(cause)),
            E::Unavailable(cause) => Self::unavailable(cause),
            E::Token(_)
            | E::Audience
            | E::Expired
            | E::NotYetValid
            | E::Nonce
            | E::NotBegun
            | E::Refused => Self::new(StatusCode::UNAUTHORIZED, "log-in-refused", text.clone())
                .with_fault(Fault::Refused(text)),
        }
    }
}

impl From<AuthnError> for Problem {
    fn from(error: AuthnError) -> Self {
        match error {
            AuthnError::Damaged(what) => Self::unauthorized().with_fault(Fault::Damaged(what)),
            AuthnError::Unavailable(cause) => Self::unavailable(cause),
            _ => Self::unauthorized(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        let (status, code) = match refusal {
            Refusal::Suspended | Refusal::Deleting | Refusal::Sealed | Refusal::Destroyed => {
                (StatusCode::CONFLICT, "state-forbids")
            }
            _ => (StatusCode::FORBIDDEN, "not-allowed"),
        };
        Self::new(status, code, text.clone()).with_fault(Fault::Refused(text))
    }
}

impl From<AuditError> for Problem {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::SlowDown => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "slow-down",
                "too many refusals in this second",
            )
            .with(RETRY_AFTER, HeaderValue::from_static("1")),
            AuditError::Unavailable(cause) => Self::unavailable(cause),
        }
    }
}

impl From<AdministrationError> for Problem {
    fn from(error: AdministrationError) -> Self {
        match error {
            AdministrationError::Tenancy(error) => error.into(),
            AdministrationError::Audit(error) => error.into(),
        }
    }
}

impl From<UsageError> for Problem {
    fn from(error: UsageError) -> Self {
        Self::unavailable(error)
    }
}

const CHANGED_MEANWHILE: &str = "changed-meanwhile";
