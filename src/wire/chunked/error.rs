/// Why an aws-chunked body is refused. Each stands for one S3 error code, which its text begins
/// with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChunkedError {
    /// The framing is none.
    #[error("IncompleteBody: {0}")]
    Framing(&'static str),
    /// The body ended before its end, or its chunks hold fewer bytes than it was to have.
    #[error("IncompleteBody: the body has fewer bytes than x-amz-decoded-content-length says")]
    TooShort,
    /// The chunks hold more bytes than the body was to have.
    #[error("IncompleteBody: the body has more bytes than x-amz-decoded-content-length says")]
    TooLong,
    /// A chunk's or the trailer's signature is another.
    #[error("SignatureDoesNotMatch: the signature of a chunk or of the trailer does not match")]
    Signature,
    /// The trailer is not the one that was announced, or does not parse.
    #[error("MalformedTrailerError: {0}")]
    Trailer(&'static str),
}
