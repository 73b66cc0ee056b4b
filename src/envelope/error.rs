/// Why bytes did not open, or were not sealed.
///
/// No variant holds anything secret: the texts are fit for an operator's log. They are not meant
/// for a caller, who learns of none of this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes are not what this format writes, or their authentication failed: they were cut,
    /// damaged or tampered with.
    #[error("{0} is damaged")]
    Damaged(Field),
    /// The bytes are whole as far as can be seen, but belong elsewhere than the caller's row says.
    #[error("{0} is another than expected")]
    Foreign(Field),
    /// The key offered is not the one that these bytes name.
    #[error("the key offered is not the one named: {0} differs")]
    WrongKey(Field),
    /// Written by a later version of this format, or with a choice unknown to this one.
    #[error("{0} is not supported")]
    Unsupported(Field),
    /// The blob was sealed with a customer's key (SSE-C), and none was offered.
    #[error("the blob needs its customer's key")]
    CustomerKeyMissing,
    /// The blob was sealed without a customer's key, and one was offered.
    #[error("the blob was sealed without a customer's key")]
    CustomerKeyUnexpected,
    /// The customer's key offered is not the one the blob was sealed with.
    #[error("the customer's key is another than the one used")]
    CustomerKeyWrong,
    /// The source of randomness failed, so nothing was sealed.
    #[error("the source of randomness failed")]
    RandomFailed,
    /// This program called the crate wrongly; nothing was sealed or opened.
    #[error("misuse of the envelope: {0}")]
    Misuse(&'static str),
}

/// The part of the format an [`Error`] speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// The number of bytes.
    Length,
    /// The magic at the start.
    Magic,
    /// The format version.
    Version,
    /// The suite of algorithms.
    Suite,
    /// The wrap algorithm.
    WrapAlgorithm,
    /// The chunk size.
    ChunkSize,
    /// The kind of a blob.
    Kind,
    /// The flags.
    Flags,
    /// Bytes that are reserved and must be zero.
    Reserved,
    /// The organization.
    OrgId,
    /// The blob's identifier.
    BlobId,
    /// The version of the organization's key.
    KekVersion,
    /// The short check value of the organization's key.
    KeyCheck,
    /// A wrapped data key.
    WrappedDek,
    /// A commitment to a key.
    Commitment,
    /// A chunk of the body, or the border between chunks.
    Chunk,
    /// The footer or its trailer.
    Footer,
    /// The zeros that hide a length.
    Padding,
    /// The provider of the root key.
    Provider,
    /// The root key's identifier.
    RootId,
    /// The root key's version.
    RootVersion,
    /// A wrapped organization key.
    WrappedKek,
    /// The authentication code of a catalog row.
    RowMac,
    /// A sealed ETag.
    Etag,
    /// What a share link holds.
    Share,
}

impl std::fmt::Display for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Length => "the length",
            Self::Magic => "the magic",
            Self::Version => "the format version",
            Self::Suite => "the suite",
            Self::WrapAlgorithm => "the wrap algorithm",
            Self::ChunkSize => "the chunk size",
            Self::Kind => "the kind",
            Self::Flags => "the flags field",
            Self::Reserved => "a reserved byte",
            Self::OrgId => "the organization",
            Self::BlobId => "the blob id",
            Self::KekVersion => "the organization key's version",
            Self::KeyCheck => "the key check",
            Self::WrappedDek => "the wrapped data key",
            Self::Commitment => "the commitment",
            Self::Chunk => "a chunk",
            Self::Footer => "the footer",
            Self::Padding => "the padding",
            Self::Provider => "the root provider",
            Self::RootId => "the root id",
            Self::RootVersion => "the root version",
            Self::WrappedKek => "the wrapped organization key",
            Self::RowMac => "the row's MAC",
            Self::Etag => "the sealed ETag",
            Self::Share => "what a share link holds",
        })
    }
}

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;
