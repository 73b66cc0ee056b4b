use std::borrow::Cow;

use http::StatusCode;
use wire::secrets_manager::{ErrorCode, Refusal as Unreadable};
use wire::sigv4::SigV4Error;

use crate::audit::AuditError;
use crate::authn::AuthnError;
use crate::authz::Refusal;
use crate::http::pipeline::{DoorError, Fault};
use crate::tenancy::TenancyError;
use crate::vault::VaultError;

/// What went wrong, as Secrets Manager says it. Nothing else in this door knows a status.
#[derive(Debug)]
pub struct SecretsError {
    code: ErrorCode,
    message: Cow<'static, str>,
    fault: Fault,
}

impl SecretsError {
    /// The caller's mistake.
    pub(super) fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            fault: Fault::Caller,
        }
    }

    /// What Amazon has and is not built here. No client asks again after its status.
    pub(super) fn not_built(operation: &str) -> Self {
        Self::new(
            ErrorCode::NotImplemented,
            format!("{operation} is not implemented."),
        )
    }

    /// What can be asked again in a moment.
    pub(super) fn slow_down() -> Self {
        Self::new(ErrorCode::Throttling, "Rate exceeded")
    }

    /// The same in other words.
    #[must_use]
    pub(super) fn saying(self, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            message: message.into(),
            ..self
        }
    }

    /// The code.
    pub(super) fn code(&self) -> ErrorCode {
        self.code
    }

    /// What the caller is told.
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// A refusal by `rule`, for a log.
    fn refused(code: ErrorCode, message: impl Into<Cow<'static, str>>, rule: String) -> Self {
        Self {
            fault: Fault::Refused(rule),
            ..Self::new(code, message)
        }
    }

    /// What cannot be done now. `cause` is for the log.
    fn unavailable(cause: String) -> Self {
        Self {
            fault: Fault::Operator(cause),
            ..Self::new(
                ErrorCode::ServiceUnavailable,
                "The service is temporarily unavailable.",
            )
        }
    }

    /// What is stored is not what was written. `what` is for logs.
    fn damaged(what: String) -> Self {
        Self {
            fault: Fault::Damaged(what),
            ..Self::internal()
        }
    }

    fn internal() -> Self {
        Self::new(
            ErrorCode::InternalServiceError,
            "An error occurred on the server side.",
        )
    }
}

impl DoorError for SecretsError {
    fn fault(&self) -> &Fault {
        &self.fault
    }

    fn status(&self) -> StatusCode {
        match self.code {
            ErrorCode::InternalServiceError => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            ErrorCode::ServiceUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

impl From<Unreadable> for SecretsError {
    fn from(refusal: Unreadable) -> Self {
        Self::new(refusal.code, refusal.message)
    }
}

impl From<Refusal> for SecretsError {
    fn from(refusal: Refusal) -> Self {
        let rule = refusal.to_string();
        match refusal {
            // Clients take Amazon's LimitExceededException for a call to be tried again.
            Refusal::NoCredit | Refusal::OverLimit { .. } => {
                Self::new(ErrorCode::InvalidRequest, format!("Refused: {rule}."))
            }
            _ => Self::refused(
                ErrorCode::AccessDenied,
                format!("Access denied: {rule}."),
                rule,
            ),
        }
    }
}

impl From<AuthnError> for SecretsError {
    fn from(error: AuthnError) -> Self {
        let rule = error.rule();
        match error {
            AuthnError::Anonymous => Self::refused(
                ErrorCode::MissingAuthenticationToken,
                "Request is missing Authentication Token",
                rule,
            ),
            AuthnError::Signature(error) => {
                let (code, message) = signature(error);
                Self::refused(code, message, rule)
            }
            AuthnError::ExpiredToken => Self::refused(
                ErrorCode::ExpiredToken,
                "The security token included in the request is expired",
                rule,
            ),
            AuthnError::InvalidToken | AuthnError::UnknownAccessKey | AuthnError::UnknownToken => {
                Self::refused(ErrorCode::UnrecognizedClient, UNRECOGNIZED, rule)
            }
            AuthnError::WrongScope { part, expected, .. } => Self::refused(
                ErrorCode::InvalidSignature,
                format!("Credential should be scoped to a valid {part}: {expected}."),
                rule,
            ),
            // Whoever holds such a key is told what a stranger is told.
            AuthnError::Damaged(what) => Self {
                fault: Fault::Damaged(what),
                ..Self::new(ErrorCode::UnrecognizedClient, UNRECOGNIZED)
            },
            AuthnError::Unavailable(cause) => Self::unavailable(cause),
        }
    }
}

impl From<TenancyError> for SecretsError {
    fn from(error: TenancyError) -> Self {
        match error {
            TenancyError::Damaged(what) => Self::damaged(what),
            other => Self::unavailable(other.to_string()),
        }
    }
}

impl From<AuditError> for SecretsError {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::SlowDown => Self::slow_down(),
            AuditError::Unavailable(cause) => Self::unavailable(cause),
        }
    }
}

impl From<VaultError> for SecretsError {
    fn from(error: VaultError) -> Self {
        use ErrorCode::{InvalidParameter, InvalidRequest, ResourceExists, ResourceNotFound};
        match error {
            VaultError::NoSuchSecret | VaultError::NoSuchShare => Self::new(
                ResourceNotFound,
                "Secrets Manager can't find the specified secret.",
            ),
            VaultError::NoSuchVersion | VaultError::VersionGone(_) => Self::new(
                ResourceNotFound,
                "Secrets Manager can't find the specified secret value.",
            ),
            VaultError::Exists => Self::new(
                ResourceExists,
                "The operation failed because the secret already exists.",
            ),
            // The Kubernetes operator External Secrets looks for "was marked for deletion".
            VaultError::Deleted => Self::new(
                InvalidRequest,
                "You can't perform this operation on the secret because it was marked for deletion.",
            ),
            VaultError::NotDeleted => {
                Self::new(InvalidRequest, "The secret is not scheduled for deletion.")
            }
            VaultError::CheckFailed { .. } | VaultError::CheckRequired => Self::new(
                InvalidRequest,
                "The secret takes writes only with a check of its version, which this API has not.",
            ),
            VaultError::TokenReused => Self::new(
                ResourceExists,
                "You can't use this ClientRequestToken because it is already in use for a version \
                 of the secret with another value.",
            ),
            VaultError::StageElsewhere => Self::new(
                InvalidParameter,
                "The staging label is attached to a version that RemoveFromVersionId has to name \
                 explicitly.",
            ),
            VaultError::StageNeeded => Self::new(
                InvalidParameter,
                "AWSCURRENT can be moved to another version, and not removed.",
            ),
            VaultError::LimitReached { max } => Self::new(
                InvalidRequest,
                format!("The plan of the organization allows {max} secrets."),
            ),
            VaultError::TooManyShares => Self::new(InvalidRequest, format!("Refused: {error}.")),
            VaultError::Invalid { text, .. } => {
                Self::new(InvalidParameter, format!("Refused: {text}."))
            }
            VaultError::Changed => Self::slow_down(),
            VaultError::Unavailable(cause) => Self::unavailable(cause),
            VaultError::Damaged(what) => Self::damaged(what),
        }
    }
}

/// An answer that could not be written: a mistake of ours.
impl From<serde_json::Error> for SecretsError {
    fn from(_: serde_json::Error) -> Self {
        Self {
            fault: Fault::Operator("an answer could not be written as JSON".to_owned()),
            ..Self::internal()
        }
    }
}

/// The code and the words that each error of a signature stands for.
fn signature(error: SigV4Error) -> (ErrorCode, &'static str) {
    match error {
        SigV4Error::HeaderMalformed(_)
        | SigV4Error::QueryMalformed(_)
        | SigV4Error::DateMissing
        | SigV4Error::UnsupportedMechanism
        | SigV4Error::TwoMechanisms
        | SigV4Error::PayloadHashInvalid
        | SigV4Error::InvalidUri => (
            ErrorCode::IncompleteSignature,
            "The request signature does not conform to AWS standards.",
        ),
        SigV4Error::TokenMalformed(_) => (ErrorCode::UnrecognizedClient, UNRECOGNIZED),
        SigV4Error::HeaderUnsigned => (
            ErrorCode::InvalidSignature,
            "The host and every x-amz- header have to be signed.",
        ),
        SigV4Error::SignedHeaderMissing | SigV4Error::Mismatch => (
            ErrorCode::InvalidSignature,
            "The request signature we calculated does not match the signature you provided. Check \
             your AWS Secret Access Key and signing method.",
        ),
        SigV4Error::Skewed | SigV4Error::Expired | SigV4Error::NotYetValid => (
            ErrorCode::InvalidSignature,
            "Signature expired, or not yet valid: compare the clocks.",
        ),
    }
}

const UNRECOGNIZED: &str = "The security token included in the request is invalid.";
