use std::borrow::Cow;

use serde::Serialize;

/// A code by which clients tell errors apart: those of the API reference, and those that every
/// service of this protocol shares ("Common Errors").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The caller may not.
    AccessDenied,
    /// The session of STS has ended.
    ExpiredToken,
    /// The `Authorization` field lacks something.
    IncompleteSignature,
    /// A fault of ours.
    InternalServiceError,
    /// The token of a page is none of ours, or of another question.
    InvalidNextToken,
    /// A parameter has a value that the operation refuses.
    InvalidParameter,
    /// The operation is refused for what the secret is now.
    InvalidRequest,
    /// The signature is not that of the request.
    InvalidSignature,
    /// The policy is not one that is enforced here.
    MalformedPolicyDocument,
    /// No signature.
    MissingAuthenticationToken,
    /// The operation is documented, and not there.
    NotImplemented,
    /// The policy opens the secret to everybody.
    PublicPolicy,
    /// The body is longer than any request.
    RequestEntityTooLarge,
    /// There is a secret of that name, or a version of that token.
    ResourceExists,
    /// There is no such secret, or no such version.
    ResourceNotFound,
    /// The body is not JSON of the shape that the operation has.
    Serialization,
    /// Something that the server stands on is unavailable.
    ServiceUnavailable,
    /// Too much at once.
    Throttling,
    /// No operation has that name.
    UnknownOperation,
    /// The access key is not known.
    UnrecognizedClient,
    /// A member is missing, too long, or of other characters than it may have.
    Validation,
}

/// Why a request cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The code.
    pub code: ErrorCode,
    /// What the caller is told.
    pub message: Cow<'static, str>,
}

/// The body of an error.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ErrorDocument<'a> {
    #[serde(rename = "__type")]
    kind: &'static str,
    #[serde(rename = "Message")]
    message: &'a str,
}

impl ErrorCode {
    /// As it is written on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::AccessDenied => "AccessDeniedException",
            Self::ExpiredToken => "ExpiredTokenException",
            Self::IncompleteSignature => "IncompleteSignatureException",
            Self::InternalServiceError => "InternalServiceError",
            Self::InvalidNextToken => "InvalidNextTokenException",
            Self::InvalidParameter => "InvalidParameterException",
            Self::InvalidRequest => "InvalidRequestException",
            Self::InvalidSignature => "InvalidSignatureException",
            Self::MalformedPolicyDocument => "MalformedPolicyDocumentException",
            Self::MissingAuthenticationToken => "MissingAuthenticationTokenException",
            Self::NotImplemented => "NotImplementedException",
            Self::PublicPolicy => "PublicPolicyException",
            Self::RequestEntityTooLarge => "RequestEntityTooLargeException",
            Self::ResourceExists => "ResourceExistsException",
            Self::ResourceNotFound => "ResourceNotFoundException",
            Self::Serialization => "SerializationException",
            Self::ServiceUnavailable => "ServiceUnavailableException",
            Self::Throttling => "ThrottlingException",
            Self::UnknownOperation => "UnknownOperationException",
            Self::UnrecognizedClient => "UnrecognizedClientException",
            Self::Validation => "ValidationException",
        }
    }
}

impl Refusal {
    /// In these words.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }

    /// A member that does not meet a constraint of the API's model, in Amazon's words.
    pub(super) fn constraint(member: &str, what: &str) -> Self {
        // Amazon writes the member in lower camel case.
        let mut letters = member.chars();
        let first = letters.next().map(|letter| letter.to_ascii_lowercase());
        let member: String = first.into_iter().chain(letters).collect();
        Self::new(
            ErrorCode::Validation,
            format!(
                "1 validation error detected: Value at '{member}' failed to satisfy constraint: \
                 {what}"
            ),
        )
    }
}

impl<'a> ErrorDocument<'a> {
    /// Names the code in the body, where every client looks for it.
    pub fn new(code: ErrorCode, message: &'a str) -> Self {
        Self {
            kind: code.name(),
            message,
        }
    }
}
