use std::borrow::Cow;

use http::StatusCode;
use wire::s3::{ErrorCode, Refusal as Unreadable};
use wire::sigv4::{Carrier, SigV4Error};

use crate::audit::AuditError;
use crate::authn::AuthnError;
use crate::authz::{Limit, Refusal};
use crate::drive::{DriveError, IncomingError, ObjectInfo};
use crate::http::pipeline::{DoorError, Fault};
use crate::tenancy::TenancyError;

/// What went wrong, as the S3 API says it. Codes carry their status; nothing else in this door
/// knows one.
#[derive(Debug)]
pub struct S3Error {
    code: ErrorCode,
    message: Cow<'static, str>,
    details: Vec<(&'static str, String)>,
    fault: Fault,
    /// What a 304 has to say of the object that has not changed.
    unchanged: Option<Box<ObjectInfo>>,
}

impl S3Error {
    /// The caller's mistake, in words of its own.
    pub(super) fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
            fault: Fault::Caller,
            unchanged: None,
        }
    }

    /// What Amazon has and is not built here.
    pub(super) fn not_built(what: &str) -> Self {
        Self::new(
            ErrorCode::NotImplemented,
            format!("{what} is not implemented."),
        )
    }

    /// Adds an element to the document.
    #[must_use]
    pub(super) fn with(mut self, element: &'static str, text: impl Into<String>) -> Self {
        self.details.push((element, text.into()));
        self
    }

    /// The same in other words.
    #[must_use]
    pub(super) fn saying(mut self, message: impl Into<Cow<'static, str>>) -> Self {
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

    /// Further elements of the document.
    pub(super) fn details(&self) -> &[(&'static str, String)] {
        &self.details
    }

    /// What has not changed.
    pub(super) fn unchanged(&self) -> Option<&ObjectInfo> {
        self.unchanged.as_deref()
    }

    /// A refusal by `rule`, for the activity log.
    pub(super) fn refused(code: ErrorCode, rule: impl Into<String>) -> Self {
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
    fn damaged(what: String) -> Self {
        Self {
            fault: Fault::Damaged(what),
            ..Self::from(ErrorCode::InternalError)
        }
    }
}

impl DoorError for S3Error {
    fn fault(&self) -> &Fault {
        &self.fault
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

/// The caller's mistake, in the words that Amazon documents.
impl From<ErrorCode> for S3Error {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, code.message())
    }
}

impl From<Unreadable> for S3Error {
    fn from(refusal: Unreadable) -> Self {
        Self::new(refusal.code, refusal.message)
    }
}

/// Neither the end of credit nor that of a quota is a code that clients take for a reason to try
/// again, and neither is a question of rights: they are noted as any other answer is.
impl From<Refusal> for S3Error {
    fn from(refusal: Refusal) -> Self {
        let rule = refusal.to_string();
        match refusal {
            Refusal::NoCredit => Self::from(ErrorCode::AccountProblem)
                .saying(format!("{}: {rule}", ErrorCode::AccountProblem.message())),
            Refusal::OverLimit { limit, .. } => Self::from(ErrorCode::QuotaExceeded)
                .saying(over(limit))
                .with("Limit", limit.as_str()),
            _ => Self::refused(ErrorCode::AccessDenied, rule.clone())
                .saying(format!("Access Denied: {rule}")),
        }
    }
}

impl From<AuthnError> for S3Error {
    fn from(error: AuthnError) -> Self {
        let rule = error.rule();
        let text = error.to_string();
        match error {
            AuthnError::Anonymous => Self::refused(ErrorCode::AccessDenied, rule),
            AuthnError::Signature(error) => {
                Self::refused(signature_code(error), rule).saying(error.message())
            }
            AuthnError::InvalidToken => Self::refused(ErrorCode::InvalidToken, rule),
            AuthnError::ExpiredToken => Self::refused(ErrorCode::ExpiredToken, rule),
            AuthnError::UnknownAccessKey | AuthnError::UnknownToken => {
                Self::refused(ErrorCode::InvalidAccessKeyId, rule)
            }
            AuthnError::WrongScope {
                part,
                expected,
                carrier,
                ..
            } => {
                let (code, what) = match carrier {
                    Carrier::Header => (
                        ErrorCode::AuthorizationHeaderMalformed,
                        "The authorization header is malformed",
                    ),
                    Carrier::Query { .. } => (
                        ErrorCode::AuthorizationQueryParametersError,
                        "Error parsing the X-Amz-Credential parameter",
                    ),
                };
                let error = Self::refused(code, rule).saying(format!("{what}; {text}"));
                // SDKs sign again for the region that they find here.
                match part {
                    "region" => error.with("Region", expected),
                    _ => error,
                }
            }
            // Whoever holds such a key is told what a stranger is told.
            AuthnError::Damaged(what) => Self {
                fault: Fault::Damaged(what),
                ..Self::from(ErrorCode::InvalidAccessKeyId)
            },
            AuthnError::Unavailable(cause) => Self::unavailable(cause),
        }
    }
}

impl From<TenancyError> for S3Error {
    fn from(error: TenancyError) -> Self {
        match error {
            TenancyError::Damaged(what) => Self::damaged(what),
            other => Self::unavailable(other.to_string()),
        }
    }
}

impl From<AuditError> for S3Error {
    fn from(error: AuditError) -> Self {
        match error {
            AuditError::SlowDown => ErrorCode::SlowDown.into(),
            AuditError::Unavailable(cause) => Self::unavailable(cause),
        }
    }
}

impl From<DriveError> for S3Error {
    fn from(error: DriveError) -> Self {
        match error {
            DriveError::NoSuchBucket => ErrorCode::NoSuchBucket.into(),
            DriveError::NoSuchKey => ErrorCode::NoSuchKey.into(),
            DriveError::NoSuchUpload => ErrorCode::NoSuchUpload.into(),
            DriveError::BucketExists => ErrorCode::BucketAlreadyOwnedByYou.into(),
            DriveError::BucketNotEmpty => ErrorCode::BucketNotEmpty.into(),
            DriveError::PreconditionFailed { condition } => {
                Self::from(ErrorCode::PreconditionFailed).with("Condition", condition)
            }
            DriveError::NotModified(info) => Self {
                unchanged: Some(info),
                ..Self::from(ErrorCode::NotModified)
            },
            DriveError::ConditionalConflict => ErrorCode::ConditionalRequestConflict.into(),
            DriveError::InvalidRange { size } => {
                Self::from(ErrorCode::InvalidRange).with("ActualObjectSize", size.to_string())
            }
            DriveError::InvalidPartNumber => ErrorCode::InvalidPartNumber.into(),
            DriveError::InvalidPart => ErrorCode::InvalidPart.into(),
            DriveError::InvalidPartOrder => ErrorCode::InvalidPartOrder.into(),
            DriveError::EntityTooSmall => ErrorCode::EntityTooSmall.into(),
            DriveError::EntityTooLarge => ErrorCode::EntityTooLarge.into(),
            DriveError::BadDigest(field) => {
                // `x-amz-checksum-crc32` is known to clients as CRC32.
                let name = match field.strip_prefix("x-amz-checksum-") {
                    Some(algorithm) => algorithm.to_ascii_uppercase(),
                    None => field.to_owned(),
                };
                let message =
                    format!("The {name} you specified did not match the calculated checksum.");
                Self::new(ErrorCode::BadDigest, message)
            }
            DriveError::Sha256Mismatch => ErrorCode::XAmzContentSHA256Mismatch.into(),
            DriveError::InvalidRequest(message) => Self::new(ErrorCode::InvalidRequest, message),
            DriveError::OverLimit(limit) => Self::from(ErrorCode::QuotaExceeded)
                .saying(over(limit))
                .with("Limit", limit.as_str()),
            DriveError::InvalidArgument(message) => Self::new(ErrorCode::InvalidArgument, message),
            DriveError::Incoming(error) => error.into(),
            DriveError::Unavailable(cause) => Self::unavailable(cause),
            DriveError::Damaged(what) => Self::damaged(what),
        }
    }
}

impl From<IncomingError> for S3Error {
    fn from(error: IncomingError) -> Self {
        let text = error.to_string();
        match error {
            IncomingError::Broken => ErrorCode::IncompleteBody.into(),
            IncomingError::Idle => ErrorCode::RequestTimeout.into(),
            IncomingError::Framing(_) | IncomingError::TooLong => Self::new(
                ErrorCode::IncompleteBody,
                format!("In the request, {text}."),
            ),
            IncomingError::Trailer(_) => Self::new(
                ErrorCode::MalformedTrailerError,
                format!("In the request, {text}."),
            ),
            // Somebody changed bytes that the caller had signed.
            IncomingError::Signature => Self::refused(ErrorCode::SignatureDoesNotMatch, text),
        }
    }
}

fn over(limit: Limit) -> String {
    format!("The plan of your organization allows no more {limit}.")
}

/// The code that each error of a signature stands for.
fn signature_code(error: SigV4Error) -> ErrorCode {
    match error {
        SigV4Error::UnsupportedMechanism | SigV4Error::PayloadHashInvalid => {
            ErrorCode::InvalidRequest
        }
        SigV4Error::HeaderMalformed(_) => ErrorCode::AuthorizationHeaderMalformed,
        SigV4Error::QueryMalformed(_) => ErrorCode::AuthorizationQueryParametersError,
        SigV4Error::TokenMalformed(_) => ErrorCode::InvalidToken,
        SigV4Error::TwoMechanisms => ErrorCode::InvalidArgument,
        SigV4Error::DateMissing
        | SigV4Error::HeaderUnsigned
        | SigV4Error::Expired
        | SigV4Error::NotYetValid => ErrorCode::AccessDenied,
        SigV4Error::SignedHeaderMissing | SigV4Error::Mismatch => ErrorCode::SignatureDoesNotMatch,
        SigV4Error::Skewed => ErrorCode::RequestTimeTooSkewed,
        SigV4Error::InvalidUri => ErrorCode::InvalidURI,
    }
}
