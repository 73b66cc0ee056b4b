use super::resource::{InBucket, InOrganization, OfObject, Resource, UnderPrefix};

/// What an action does to the organization's data, which decides who may do it and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Changes nothing that a caller can see. Allowed to read-only keys and while suspended.
    Read,
    /// Changes data. Refused to read-only keys and while the organization is suspended.
    Write,
    /// Kept by the gateway itself on behalf of a caller: the activity log and usage.
    Record,
}

/// One thing that can be permitted. The implementors are the whole table of actions.
pub trait Action: sealed::Sealed + Send + Sync + 'static {
    /// The name in policies and activity logs, in Amazon's spelling where Amazon has the action.
    const NAME: &'static str;
    /// What it does to the data.
    const ACCESS: Access;
    /// What it is done to.
    type Resource: Resource;
}

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal, $access:ident, $resource:ty;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $action {}
            impl sealed::Sealed for $action {}
            impl Action for $action {
                const NAME: &'static str = $name;
                const ACCESS: Access = Access::$access;
                type Resource = $resource;
            }
        )*

        /// Every action with what it does, for the printed policy.
        #[cfg(test)]
        pub(super) const TABLE: &[(&str, Access)] = &[$(($name, Access::$access)),*];
    };
}

actions! {
    /// Lists the organization's buckets.
    ListBuckets = "s3:ListAllMyBuckets", Read, InOrganization;
    /// Makes a bucket.
    CreateBucket = "s3:CreateBucket", Write, InBucket;
    /// Asks whether a bucket exists, and where.
    HeadBucket = "s3:GetBucketLocation", Read, InBucket;
    /// Deletes an empty bucket.
    DeleteBucket = "s3:DeleteBucket", Write, InBucket;
    /// Lists the objects below a prefix.
    ListObjects = "s3:ListBucket", Read, UnderPrefix;
    /// Lists the multipart uploads in progress below a prefix.
    ListUploads = "s3:ListBucketMultipartUploads", Read, UnderPrefix;
    /// Reads an object or its metadata.
    GetObject = "s3:GetObject", Read, OfObject;
    /// Writes an object.
    PutObject = "s3:PutObject", Write, OfObject;
    /// Deletes an object.
    DeleteObject = "s3:DeleteObject", Write, OfObject;
    /// Begins a multipart upload.
    CreateUpload = "bulkhead:CreateMultipartUpload", Write, OfObject;
    /// Writes a part of a multipart upload.
    PutPart = "bulkhead:UploadPart", Write, OfObject;
    /// Makes a multipart upload the object.
    CompleteUpload = "bulkhead:CompleteMultipartUpload", Write, OfObject;
    /// Gives up a multipart upload.
    AbortUpload = "s3:AbortMultipartUpload", Write, OfObject;
    /// Lists the parts of a multipart upload.
    ListParts = "s3:ListMultipartUploadParts", Read, OfObject;
    /// Appends to the organization's activity log.
    AppendActivity = "bulkhead:AppendActivity", Record, InOrganization;
    /// Reads and verifies the organization's activity log.
    ReadActivity = "bulkhead:ReadActivity", Read, InOrganization;
    /// Adds to the organization's usage.
    RecordUsage = "bulkhead:RecordUsage", Record, InOrganization;
    /// Reads what the organization used.
    ReadUsage = "bulkhead:ReadUsage", Read, InOrganization;
}

mod sealed {
    /// Keeps the table of actions inside this module.
    pub trait Sealed {}
}
