//! Identifiers and name grammars.
//!
//! A value of one of these types has been parsed once, at a door; nothing behind the door checks
//! it again. The crate does no I/O and draws no randomness: identifiers are made elsewhere and
//! only carried here.

mod access_key;
mod bearer;
mod bucket;
mod checksum;
mod id;
mod key;
mod part;
mod policy;
mod secret_path;
mod slug;

pub use access_key::{AccessKeyId, InvalidAccessKeyId};
pub use bearer::{Bearer, BearerKind, InvalidBearer};
pub use bucket::{BucketName, InvalidBucketName};
pub use checksum::{Checksum, ChecksumAlgorithm, ChecksumKind, InvalidChecksum};
pub use id::{
    AccountId, BlobId, BucketId, GrantId, InvalidId, InvitationId, NodeId, OrgId, PrincipalId,
    RootId, TaskId, TeamId, UploadId, VersionId,
};
pub use key::{InvalidObjectKey, KeyPrefix, ObjectKey};
pub use part::{InvalidPartNumber, PartNumber};
pub use policy::{
    Effect, Glob, InvalidGlob, InvalidPolicyPrincipal, Policy, PolicyPrincipal, ResourcePolicy,
    ResourceStatement, Statement,
};
pub use secret_path::{InvalidSecretPath, SecretPath, SecretPrefix};
pub use slug::{InvalidSlug, Slug};
