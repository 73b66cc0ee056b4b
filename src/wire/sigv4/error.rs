/// Why a signature is refused. Each stands for one S3 error code, which its text begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SigV4Error {
    /// The Authorization header is none of SigV4's, for one of SigV2.
    #[error("InvalidRequest: the authorization mechanism is not supported, use AWS4-HMAC-SHA256")]
    UnsupportedMechanism,
    /// The Authorization header does not parse.
    #[error("AuthorizationHeaderMalformed: {0}")]
    HeaderMalformed(&'static str),
    /// The query parameters of a presigned request do not parse, or are not all there.
    #[error("AuthorizationQueryParametersError: {0}")]
    QueryMalformed(&'static str),
    /// Signed in the header and in the query at once.
    #[error("InvalidArgument: only one authentication mechanism is allowed")]
    TwoMechanisms,
    /// No usable `x-amz-date`, or one that is not of the scope's day.
    #[error("AccessDenied: a valid Date or x-amz-date header is required")]
    DateMissing,
    /// A signed request has to say what its body is.
    #[error("InvalidRequest: the header x-amz-content-sha256 is missing or not valid")]
    PayloadHashInvalid,
    /// The session token is not one text.
    #[error("InvalidToken: {0}")]
    TokenMalformed(&'static str),
    /// A header that decides what the request does is not signed: it may have been added by
    /// somebody else.
    #[error("AccessDenied: there were headers present in the request which were not signed")]
    HeaderUnsigned,
    /// A header that is said to be signed is not there.
    #[error("SignatureDoesNotMatch: a signed header is missing")]
    SignedHeaderMissing,
    /// Signed too far from now.
    #[error("RequestTimeTooSkewed: the difference between the request time and now is too large")]
    Skewed,
    /// A presigned request whose time is over.
    #[error("AccessDenied: request has expired")]
    Expired,
    /// A presigned request whose time has not come.
    #[error("AccessDenied: request is not yet valid")]
    NotYetValid,
    /// The signature is another.
    #[error("SignatureDoesNotMatch: the signature does not match")]
    Mismatch,
    /// The path or query is not percent-encoded text.
    #[error("InvalidURI: the URI does not parse")]
    InvalidUri,
}

impl SigV4Error {
    /// What went wrong, without the code.
    pub fn message(self) -> String {
        let text = self.to_string();
        match text.split_once(": ") {
            Some((_, message)) => message.to_owned(),
            None => text,
        }
    }
}
