use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use crate::audit::AuditError;
use crate::authn::{AuthnError, OpenIdError};
use crate::authz::{Limit, Refusal};
use crate::http::pipeline::{Answer, Content, DoorError, Fault};
use crate::metering::UsageError;
use crate::ops::{AdministrationError, DestroyActError};
use crate::tenancy::TenancyError;
use crate::vault::{Field, VaultError};

/// Why a request is not answered as it asks: what the caller is shown, and what is for logs alone.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    /// For programs; never changes for the same cause.
    code: &'static str,
    /// For people.
    detail: String,
    /// The member of the body, or the parameter, that is not as it has to be.
    field: Option<Box<str>>,
    /// The limit that is reached.
    limit: Option<&'static str>,
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
    /// The limit that is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<&'a str>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            field: None,
            limit: None,
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
        self.field = Some(field.into().into_boxed_str());
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

    pub(super) fn unavailable(cause: impl ToString) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "not possible now; the server's log says more",
        )
        .with(RETRY_AFTER, HeaderValue::from_static("1"))
        .with_fault(Fault::Operator(cause.to_string()))
    }

    pub(super) fn damaged(what: String) -> Self {
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
            limit: self.limit,
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
            E::LimitReached { what, .. } => {
                let mut problem = Self::new(StatusCode::CONFLICT, LIMIT_REACHED, text);
                problem.limit = Some(what);
                return problem;
            }
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

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        use VaultError as E;
        let text = error.to_string();
        let (status, code) = match error {
            E::NoSuchSecret => (StatusCode::NOT_FOUND, "no-such-secret"),
            E::NoSuchVersion => (StatusCode::NOT_FOUND, "no-such-version"),
            E::NoSuchShare => (StatusCode::NOT_FOUND, "no-such-share"),
            E::VersionGone(_) => (StatusCode::GONE, "version-deleted"),
            E::Exists => (StatusCode::CONFLICT, "secret-exists"),
            E::Deleted => (StatusCode::CONFLICT, "secret-deleted"),
            E::NotDeleted => (StatusCode::CONFLICT, "secret-not-deleted"),
            E::CheckFailed { .. } => {
                let code = "another-version-is-current";
                return Self::new(StatusCode::PRECONDITION_FAILED, code, text).at("current");
            }
            E::CheckRequired => {
                let code = "check-required";
                return Self::new(StatusCode::PRECONDITION_REQUIRED, code, text).at("current");
            }
            E::TokenReused => {
                return Self::new(StatusCode::CONFLICT, "token-reused", text).at("token");
            }
            E::StageElsewhere => {
                return Self::new(StatusCode::CONFLICT, "stage-elsewhere", text).at("from");
            }
            E::StageNeeded => {
                return Self::new(StatusCode::CONFLICT, "stage-needed", text).at("to");
            }
            E::LimitReached { .. } => {
                let mut problem = Self::new(StatusCode::CONFLICT, LIMIT_REACHED, text);
                problem.limit = Some(Limit::Secrets.as_str());
                return problem;
            }
            E::TooManyShares => (StatusCode::CONFLICT, LIMIT_REACHED),
            E::Invalid { field, text } => return Self::invalid(text).at(member(field)),
            E::Changed => (StatusCode::CONFLICT, CHANGED_MEANWHILE),
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
            // Neither is a question of rights: they are noted as any other answer is.
            Refusal::NoCredit => {
                return Self::new(StatusCode::PAYMENT_REQUIRED, "no-credit", text);
            }
            Refusal::OverLimit {
                limit, until_ms, ..
            } => {
                let mut problem = Self::new(StatusCode::TOO_MANY_REQUESTS, LIMIT_REACHED, text);
                problem.limit = Some(limit.as_str());
                return match HeaderValue::from_str(&imf_fixdate(until_ms)) {
                    Ok(until) => problem.with(RETRY_AFTER, until),
                    Err(_) => problem,
                };
            }
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

impl From<DestroyActError> for Problem {
    fn from(error: DestroyActError) -> Self {
        match error {
            DestroyActError::Audit(error) => error.into(),
            DestroyActError::Ops(error) => error.into(),
        }
    }
}

impl From<UsageError> for Problem {
    fn from(error: UsageError) -> Self {
        Self::unavailable(error)
    }
}

/// The member of a body that says it of a secret.
fn member(field: Field) -> &'static str {
    match field {
        Field::Description => "description",
        Field::Tags => "tags",
        Field::Custom => "settings.custom",
        Field::VersionsMax => "settings.versions_max",
        Field::Value => "value",
        Field::Token => "token",
        Field::Stages => "stages",
        Field::PasswordCharacters => "characters",
        Field::PasswordLength => "length",
    }
}

/// A time as HTTP writes it (RFC 9110, 5.6.7), rounded up to a whole second.
fn imf_fixdate(ms: u64) -> String {
    let seconds = i64::try_from(ms.div_ceil(1_000)).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|at| at.format(IMF_FIXDATE).ok())
        .unwrap_or_default()
}

const IMF_FIXDATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);
/// The code of every limit that is reached; which one, the problem says beside.
const LIMIT_REACHED: &str = "limit-reached";
const CHANGED_MEANWHILE: &str = "changed-meanwhile";
