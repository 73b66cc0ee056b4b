use std::borrow::Cow;

use crate::codes::error_codes;
use crate::s3::xml::Writer;

error_codes! {
    /// The error codes of STS that this gateway answers with: each with its HTTP status and a
    /// message in the words of the API reference ("Common errors", and those of each action).
    AccessDenied 403 "You are not authorized to perform this action.",
    ExpiredToken 403 "The security token included in the request is expired.",
    ExpiredTokenException 400 "The web identity token that was passed is expired. Get a new identity token from the identity provider and then retry the request.",
    IDPCommunicationError 400 "The identity provider could not be reached to verify the incoming identity token. Retry the request.",
    IncompleteSignature 400 "The request signature does not conform to AWS standards.",
    InternalFailure 500 "The request processing has failed because of an unknown error, exception or failure.",
    InvalidAction 400 "The action or operation requested is not valid.",
    InvalidClientTokenId 403 "The security token included in the request is invalid.",
    InvalidIdentityToken 400 "The web identity token that was passed could not be validated.",
    MalformedPolicyDocument 400 "The policy document was malformed.",
    MalformedQueryString 404 "The query string contains a syntax error.",
    MissingAction 400 "The request is missing an action or a required parameter.",
    MissingAuthenticationToken 403 "The request must contain a valid access key and a signature.",
    NoSuchVersion 400 "The requested version of the service does not exist.",
    PackedPolicyTooLarge 400 "The session policies are larger than they may be.",
    RequestEntityTooLarge 413 "The request has more bytes than it may have.",
    ServiceUnavailable 503 "The request has failed due to a temporary failure of the server.",
    SignatureDoesNotMatch 403 "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.",
    Throttling 400 "The request was denied due to request throttling.",
    ValidationError 400 "The input fails to satisfy the constraints of the service.",
}

/// Why a request is not read: the code, and what is wrong in words for its sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What stands for it.
    pub code: ErrorCode,
    /// What is wrong.
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// The code with words of its own.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, code.message())
    }
}

/// An error as a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErrorResponse<'a> {
    /// The code.
    pub code: ErrorCode,
    /// What went wrong.
    pub message: &'a str,
    /// Which request it is about.
    pub request_id: &'a str,
}

impl ErrorResponse<'_> {
    /// Writes the document.
    pub fn to_xml(&self) -> String {
        Writer::sts_document("ErrorResponse", |writer| {
            writer.parent("Error", |writer| {
                let is_senders = self.code.status() < 500;
                writer.element("Type", if is_senders { "Sender" } else { "Receiver" });
                writer.element("Code", self.code);
                writer.element("Message", self.message);
            });
            writer.element("RequestId", self.request_id);
        })
    }
}
