use std::borrow::Cow;

use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use wire::kv::{InvalidMessage, InvalidTarget};

use super::answer;
use crate::audit::AuditError;
use crate::authn::AuthnError;
use crate::authz::Refusal;
use crate::http::pipeline::{Answer, DoorError, Fault};
use crate::tenancy::TenancyError;
use crate::vault::VaultError;

/// Why a request is not answered as it asks, in the words of HashiCorp's server where it has them:
/// what the caller is shown, and what is for logs alone.
#[derive(Debug)]
pub struct KvError {
    status: StatusCode,
    /// Nothing, where something is not there.
    text: Option<Cow<'static, str>>,
    hint: Option<Hint>,
    fault: Fault,
}

/// What a header field says beside.
#[derive(Debug)]
enum Hint {
    /// The methods that the place takes.
    Allow(Box<str>),
    /// When to try again, in seconds.
    RetryAfter(u64),
}

#[derive(Serialize)]
struct Errors<'a> {
    errors: &'a [&'a str],
}

impl KvError {
    pub(super) fn new(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            text: Some(text.into()),
            hint: None,
            fault: Fault::Caller,
        }
    }

    fn with(mut self, hint: Hint) -> Self {
        self.hint = Some(hint);
        self
    }

    fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    /// No token, a wrong one, or one of another organization than is named: one answer.
    pub(super) fn no_token() -> Self {
        Self::new(StatusCode::FORBIDDEN, PERMISSION_DENIED)
            .with_fault(Fault::Refused("no valid token".to_owned()))
    }

    /// Whether no token was shown that holds.
    pub(super) fn is_no_token(&self) -> bool {
        self.status == StatusCode::FORBIDDEN
    }

    /// What is not there, and what is another's.
    pub(super) fn not_found() -> Self {
        Self {
            status: StatusCode::NOT_FOUND,
            text: None,
            hint: None,
            fault: Fault::Caller,
        }
    }

    /// What is not done at a place; `allowed` is.
    pub(super) fn unsupported(text: &'static str, allowed: &[&str]) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, text).with(Hint::Allow(allowed.join(", ").into()))
    }

    pub(super) fn invalid(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// An answer that could not be written: ours.
    pub(super) fn internal(cause: impl ToString) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error")
            .with_fault(Fault::Operator(cause.to_string()))
    }

    fn unavailable(cause: impl ToString) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "not possible now")
            .with(Hint::RetryAfter(1))
            .with_fault(Fault::Operator(cause.to_string()))
    }

    fn damaged(what: String) -> Self {
        Self::internal(&what).with_fault(Fault::Damaged(what))
    }

    fn too_many(text: String, retry_after_seconds: u64) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, text).with(Hint::RetryAfter(retry_after_seconds))
    }

    /// The answer that says it.
    pub(super) fn to_answer(&self, is_head: bool) -> Answer {
        let texts: Vec<&str> = self.text.as_deref().into_iter().collect();
        let mut answer = match answer::json(self.status, &Errors { errors: &texts }) {
            Ok(answer) if !is_head => answer,
            _ => Answer::empty(self.status),
        };
        let headers = answer.head.headers_mut();
        match &self.hint {
            Some(Hint::Allow(methods)) => {
                if let Ok(methods) = HeaderValue::from_str(methods) {
                    headers.insert(ALLOW, methods);
                }
            }
            Some(Hint::RetryAfter(seconds)) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(*seconds));
            }
            None => {}
        }
        answer
    }
}

impl DoorError for KvError {
    fn fault(&self) -> &Fault {
        &self.fault
    }

    fn status(&self) -> StatusCode {
        self.status
    }
}

impl From<AuthnError> for KvError {
    fn from(error: AuthnError) -> Self {
        match error {
            AuthnError::Damaged(what) => Self::no_token().with_fault(Fault::Damaged(what)),
            AuthnError::Unavailable(cause) => Self::unavailable(cause),
            _ => Self::no_token(),
        }
    }
}

impl From<TenancyError> for KvError {
    fn from(error: TenancyError) -> Self {
        let text = error.to_string();
        match error {
            TenancyError::NoSuch(_)
            | TenancyError::NoSuchOrganization
            | TenancyError::NoSuchAccessKey => Self::not_found(),
            TenancyError::LogInRefused => Self::invalid("invalid role or secret ID"),
            TenancyError::TooManyAttempts {
                retry_after_seconds,
            } => Self::too_many(text, retry_after_seconds),
            TenancyError::Unavailable(cause) => Self::unavailable(cause),
            TenancyError::Damaged(what) => Self::damaged(what),
            _ => Self::invalid(text),
        }
    }
}

impl From<Refusal> for KvError {
    fn from(refusal: Refusal) -> Self {
        let text = refusal.to_string();
        let error = match refusal {
            // Neither is a question of rights: they are noted as any other answer is.
            Refusal::NoCredit => return Self::new(StatusCode::FORBIDDEN, text),
            Refusal::OverLimit { .. } => {
                return Self::new(StatusCode::TOO_MANY_REQUESTS, text);
            }
            Refusal::Sealed => Self::new(StatusCode::SERVICE_UNAVAILABLE, "Vault is sealed"),
            _ => Self::new(StatusCode::FORBIDDEN, PERMISSION_DENIED),
        };
        error.with_fault(Fault::Refused(text))
    }
}

impl From<AuditError> for KvError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::SlowDown => {
                Self::too_many("too many refusals in this second".to_owned(), 1)
            }
            AuditError::Unavailable(cause) => Self::unavailable(cause),
        }
    }
}

impl From<VaultError> for KvError {
    fn from(error: VaultError) -> Self {
        let text = error.to_string();
        match error {
            VaultError::NoSuchSecret
            | VaultError::NoSuchVersion
            | VaultError::VersionGone(_)
            | VaultError::NoSuchShare => Self::not_found(),
            VaultError::CheckFailed { .. } => {
                Self::invalid("check-and-set parameter did not match the current version")
            }
            VaultError::CheckRequired => {
                Self::invalid("check-and-set parameter required for this call")
            }
            VaultError::Changed => Self::new(StatusCode::CONFLICT, text),
            VaultError::Exists
            | VaultError::Deleted
            | VaultError::NotDeleted
            | VaultError::TokenReused
            | VaultError::StageElsewhere
            | VaultError::StageNeeded
            | VaultError::LimitReached { .. }
            | VaultError::TooManyShares
            | VaultError::Invalid { .. } => Self::invalid(text),
            VaultError::Unavailable(cause) => Self::unavailable(cause),
            VaultError::Damaged(what) => Self::damaged(what),
        }
    }
}

impl From<InvalidMessage> for KvError {
    fn from(InvalidMessage(text): InvalidMessage) -> Self {
        Self::invalid(text)
    }
}

impl From<InvalidTarget> for KvError {
    fn from(error: InvalidTarget) -> Self {
        match error {
            InvalidTarget::NoSuchPlace => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            InvalidTarget::Path(_) => Self::invalid(error.to_string()),
        }
    }
}

const PERMISSION_DENIED: &str = "permission denied";
