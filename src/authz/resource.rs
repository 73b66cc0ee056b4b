use std::fmt;

use names::{BucketName, KeyPrefix, ObjectKey};

/// What an action is done to, as a caller named it.
///
/// The text that [`fmt::Display`] gives is what the activity log holds.
pub trait Resource: fmt::Display + fmt::Debug + Send + Sync + 'static {}

/// The organization itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InOrganization;

/// A bucket of the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InBucket {
    /// The bucket.
    pub bucket: BucketName,
}

/// The objects of a bucket whose keys begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderPrefix {
    /// The bucket.
    pub bucket: BucketName,
    /// How the keys begin.
    pub prefix: KeyPrefix,
}

/// An object, whether it exists or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfObject {
    /// The bucket.
    pub bucket: BucketName,
    /// The key in it.
    pub key: ObjectKey,
}

impl Resource for InOrganization {}
impl Resource for InBucket {}
impl Resource for UnderPrefix {}
impl Resource for OfObject {}

impl fmt::Display for InOrganization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("*")
    }
}

impl fmt::Display for InBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bucket.fmt(f)
    }
}

impl fmt::Display for UnderPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}*", self.bucket, self.prefix.as_str())
    }
}

impl fmt::Display for OfObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bucket, self.key)
    }
}
