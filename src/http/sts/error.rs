use std::borrow::Cow;

use http::StatusCode;
use wire::sigv4::SigV4Error;
use wire::sts::{ErrorCode, Refusal as Unreadable};

use crate::audit::AuditError;
use crate::authn::{AuthnError, OpenIdError};
use crate::authz::Refusal;
use crate::http::pipeline::{DoorError, Fault};
use crate::tenancy::TenancyError;

/// What went wrong, as STS says it. Codes carry their status; nothing else in this door knows one.
#[derive(Debug)]
pub struct StsError {
    code: ErrorCode,
    message: Cow<'static, str>,
    fault: Fault,
}

impl StsError {
    /// A refusal by `rule`, for the activity log, in words of its own for the caller.
    pub(super) fn denied(rule: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self::refused(ErrorCode::AccessDenied, rule).saying(message)
    }

    /// An error that should not have come: ours.
    pub(super) fn internal(cause: impl ToString) -> Self {
        Self {
            fault: Fault::Operator(cause.to_string()),
            ..Self::from(ErrorCode::InternalFailure)
        }
    }

    /// The same in other words.
    #[must_use]
    fn saying(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    /// The code.
    pub(super) fn code(&self) -> ErrorCode {
        self.code
    }

    /// What the caller is told.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    fn refused(code: ErrorCode, rule: impl Into<String>) -> Self {
        let rule = rule.into();
        Self {
            fault: Fault::Refused(rule),
            ..Self::from(code)
        }
    }

    /// What cannot be done now. `cause` is for the log.
    fn unavailable(cause: String) -> Self {
        Self {
            fault: Fault::Operator(cause),
            ..Self::from(ErrorCode::ServiceUnavailable)
        }
    }

    /// What is stored is not what was written. `what` is for logs.
    fn damaged(code: ErrorCode, what: String) -> Self {
        Self {
            fault: Fault::Damaged(what),
            ..Self::from(code)
        }
    }
}

impl DoorError for StsError {
    fn fault(&self) -> &Fault {
        &self.fault
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The caller's mistake, in the words that Amazon documents.
impl From<ErrorCode> for StsError {
    fn from(code: ErrorCode) -> Self {
        Unreadable::from(code).into()
    }
}

impl From<Unreadable> for StsError {
    fn from(refusal: Unreadable) -> Self {
        Self {
            code: refusal.code,
            message: refusal.message,
            fault: Fault::Caller,
        }
    }
}

impl From<Refusal> for StsError {
    fn from(refusal: Refusal) -> Self {
        let rule = refusal.to_string();
        Self::refused(ErrorCode::AccessDenied, rule.clone()).saying(rule)
    }
}

impl From<AuthnError> for StsError {
    fn from(error: AuthnError) -> Self {
        let rule = error.rule();
        match error {
            AuthnError::Anonymous => Self::refused(ErrorCode::MissingAuthenticationToken, rule),
            AuthnError::Signature(error) => {
                Self::refused(signature_code(error), rule).saying(error.message())
            }
            AuthnError::ExpiredToken => Self::refused(ErrorCode::ExpiredToken, rule),
            AuthnError::InvalidToken | AuthnError::UnknownAccessKey | AuthnError::UnknownToken => {
                Self::refused(ErrorCode::InvalidClientTokenId, rule)
            }
            AuthnError::WrongScope { part, expected, .. } => {
                let message = format!("Credential should be scoped to {part} '{expected}'.");
                Self::refused(ErrorCode::SignatureDoesNotMatch, rule).saying(message)
            }
            // Whoever holds such a key is told what a stranger is told.
            AuthnError::Damaged(what) => Self::damaged(ErrorCode::InvalidClientTokenId, what),
            AuthnError::Unavailable(cause) => Self::unavailable(cause),
        }
    }
}

impl From<OpenIdError> for StsError {
    fn from(error: OpenIdError) -> Self {
        let rule = error.to_string();
        let code = match error {
            OpenIdError::Expired => ErrorCode::ExpiredTokenException,
            OpenIdError::Unreachable(cause) => {
                return Self {
                    fault: Fault::Operator(cause),
                    ..Self::from(ErrorCode::IDPCommunicationError)
                };
            }
            OpenIdError::Unavailable(cause) => return Self::unavailable(cause),
            OpenIdError::Token(_)
            | OpenIdError::UnknownProvider
            | OpenIdError::Audience
            | OpenIdError::NotYetValid
            | OpenIdError::Nonce
            | OpenIdError::NotBegun
            | OpenIdError::Refused
            | OpenIdError::RedirectUri => ErrorCode::InvalidIdentityToken,
        };
        Self::refused(code, rule.clone()).saying(rule)
    }
}

impl From<TenancyError> for StsError {
    fn from(error: TenancyError) -> Self {
        let text = error.to_string();
        match error {
            TenancyError::Damaged(what) => Self::damaged(ErrorCode::InternalFailure, what),
            TenancyError::TooWide => {
                Self::refused(ErrorCode::AccessDenied, text.clone()).saying(text)
            }
            TenancyError::LimitReached { .. } => {
                Unreadable::new(ErrorCode::PackedPolicyTooLarge, text).into()
            }
            TenancyError::Invalid(_) => Unreadable::new(ErrorCode::ValidationError, text).into(),
            _ => Self::unavailable(text),
        }
    }
}

impl From<AuditError> for StsError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::SlowDown => ErrorCode::Throttling.into(),
            AuditError::Unavailable(cause) => Self::unavailable(cause),
        }
    }
}

/// The code that each error of a signature stands for.
fn signature_code(error: SigV4Error) -> ErrorCode {
    match error {
        SigV4Error::UnsupportedMechanism
        | SigV4Error::HeaderMalformed(_)
        | SigV4Error::QueryMalformed(_)
        | SigV4Error::TwoMechanisms
        | SigV4Error::DateMissing
        | SigV4Error::PayloadHashInvalid => ErrorCode::IncompleteSignature,
        SigV4Error::TokenMalformed(_) => ErrorCode::InvalidClientTokenId,
        SigV4Error::InvalidUri => ErrorCode::MalformedQueryString,
        SigV4Error::HeaderUnsigned
        | SigV4Error::SignedHeaderMissing
        | SigV4Error::Skewed
        | SigV4Error::Expired
        | SigV4Error::NotYetValid
        | SigV4Error::Mismatch => ErrorCode::SignatureDoesNotMatch,
    }
}
