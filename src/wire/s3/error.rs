use crate::codes::error_codes;

error_codes! {
    /// The error codes of the S3 API that this gateway answers with: each with its HTTP status
    /// and the message that Amazon documents for it ("Error responses", list of error codes).
    AccessDenied 403 "Access Denied",
    AccountProblem 403 "There is a problem with your account that prevents the operation from completing successfully.",
    AuthorizationHeaderMalformed 400 "The authorization header that you provided is not valid.",
    AuthorizationQueryParametersError 400 "The authorization query parameters that you provided are not valid.",
    BadDigest 400 "The Content-MD5 or checksum value that you specified did not match what the server received.",
    BucketAlreadyExists 409 "The requested bucket name is not available. Specify a different name and try again.",
    BucketAlreadyOwnedByYou 409 "The bucket that you tried to create already exists, and you own it.",
    BucketNotEmpty 409 "The bucket that you tried to delete is not empty.",
    ConditionalRequestConflict 409 "A conflicting operation occurred during the conditional request. Try again.",
    EntityTooLarge 400 "Your proposed upload exceeds the maximum allowed object size.",
    EntityTooSmall 400 "Your proposed upload is smaller than the minimum allowed object size.",
    ExpiredToken 400 "The provided token has expired.",
    IllegalLocationConstraintException 400 "The specified location constraint is not that of this endpoint.",
    IncompleteBody 400 "You did not provide the number of bytes specified by the Content-Length HTTP header.",
    InternalError 500 "An internal error occurred. Try again.",
    InvalidAccessKeyId 403 "The access key ID that you provided does not exist in our records.",
    InvalidArgument 400 "Invalid Argument",
    InvalidBucketName 400 "The specified bucket is not valid.",
    InvalidDigest 400 "The Content-MD5 or checksum value that you specified is not valid.",
    InvalidEncryptionAlgorithmError 400 "The encryption request that you specified is not valid. The valid value is AES256.",
    InvalidLocationConstraint 400 "The specified location constraint is not valid.",
    InvalidObjectState 403 "The operation is not valid for the current state of the object.",
    InvalidPart 400 "One or more of the specified parts could not be found. The part might not have been uploaded, or the specified entity tag might not have matched the part's entity tag.",
    InvalidPartNumber 416 "The requested partnumber is not satisfiable",
    InvalidPartOrder 400 "The list of parts was not in ascending order. The parts list must be specified in order by part number.",
    InvalidRange 416 "The requested range is not satisfiable",
    InvalidRequest 400 "Invalid Request",
    InvalidStorageClass 400 "The storage class that you specified is not valid.",
    InvalidTag 400 "The tag that you provided is not valid.",
    InvalidToken 400 "The provided token is malformed or otherwise not valid.",
    InvalidURI 400 "The specified URI couldn't be parsed.",
    KeyTooLongError 400 "Your key is too long.",
    MalformedPOSTRequest 400 "The body of your POST request is not well-formed multipart/form-data.",
    MalformedPolicy 400 "The policy that you provided is not valid.",
    MalformedTrailerError 400 "The request contained trailing data that was not well-formed or did not conform to our published schema.",
    MalformedXML 400 "The XML that you provided was not well formed or did not validate against our published schema.",
    MaxMessageLengthExceeded 400 "Your request was too large.",
    MaxPostPreDataLengthExceededError 400 "Your POST request fields preceding the upload file were too large.",
    MetadataTooLarge 400 "Your metadata headers exceed the maximum allowed metadata size.",
    MethodNotAllowed 405 "The specified method is not allowed against this resource.",
    MissingContentLength 411 "You must provide the Content-Length HTTP header.",
    MissingRequestBodyError 400 "You sent an empty XML document as a request.",
    MissingSecurityHeader 400 "Your request is missing a required header.",
    NoSuchBucket 404 "The specified bucket does not exist.",
    NoSuchBucketPolicy 404 "The specified bucket does not have a bucket policy.",
    NoSuchCORSConfiguration 404 "The CORS configuration does not exist.",
    NoSuchKey 404 "The specified key does not exist.",
    NoSuchLifecycleConfiguration 404 "The lifecycle configuration does not exist.",
    NoSuchObjectLockConfiguration 404 "The specified object does not have an Object Lock configuration.",
    NoSuchPublicAccessBlockConfiguration 404 "The public access block configuration was not found.",
    NoSuchTagSet 404 "There is no tag set associated with the bucket.",
    NoSuchUpload 404 "The specified multipart upload does not exist. The upload ID might not be valid, or the multipart upload might have been aborted or completed.",
    NoSuchVersion 404 "The version ID specified in the request does not match an existing version.",
    NotImplemented 501 "A header that you provided implies functionality that is not implemented.",
    NotModified 304 "Not Modified",
    ObjectLockConfigurationNotFoundError 404 "The Object Lock configuration does not exist for this bucket.",
    OperationAborted 409 "A conflicting conditional operation is currently in progress against this resource. Try again.",
    OwnershipControlsNotFoundError 404 "The bucket ownership controls were not found.",
    PreconditionFailed 412 "At least one of the preconditions that you specified did not hold.",
    QuotaExceeded 403 "The quota of your account does not allow this operation.",
    RequestHeaderSectionTooLarge 400 "The request header and query parameters used to make the request exceed the maximum allowed size.",
    RequestTimeTooSkewed 403 "The difference between the request time and the server's time is too large.",
    RequestTimeout 400 "Your socket connection to the server was not read from or written to within the timeout period.",
    ServerSideEncryptionConfigurationNotFoundError 404 "The server-side encryption configuration was not found.",
    ServiceUnavailable 503 "Service is unable to handle request.",
    SignatureDoesNotMatch 403 "The request signature that the server calculated does not match the signature that you provided. Check your secret access key and signing method.",
    SlowDown 503 "Please reduce your request rate.",
    TooManyBuckets 400 "You have attempted to create more buckets than allowed.",
    UnexpectedContent 400 "This request contains unsupported content.",
    UserKeyMustBeSpecified 400 "The bucket POST must contain the specified field name. If it is specified, check the order of the fields.",
    XAmzContentChecksumMismatch 400 "The provided 'x-amz-checksum' header does not match what was computed.",
    XAmzContentSHA256Mismatch 400 "The provided 'x-amz-content-sha256' header does not match what was computed.",
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_code_is_one_of_an_error_and_stands_once() {
        let mut seen = HashSet::new();
        for code in ErrorCode::ALL {
            assert!(seen.insert(code.name()), "{code} stands twice");
            assert!(matches!(code.status(), 304 | 400..=599), "{code}");
            assert!(!code.message().is_empty(), "{code}");
        }
        assert_eq!(ErrorCode::InvalidPartNumber.status(), 416);
        assert_eq!(
            ErrorCode::XAmzContentSHA256Mismatch.to_string(),
            "XAmzContentSHA256Mismatch"
        );
    }
}
