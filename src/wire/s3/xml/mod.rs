//! The documents of the S3 API. What comes in is read as a small tree, with limits and without
//! DTDs; what goes out is written element by element, in the order of the API reference.

mod buckets;
mod complete;
mod copy;
mod delete;
mod document;
mod encoding;
mod error;
mod location;
mod objects;
mod owner;
mod page;
#[cfg(test)]
mod tests;
mod uploads;
mod versions;
mod writer;

pub use buckets::{BucketEntry, ListAllMyBucketsResult};
pub use complete::{CompleteMultipartUpload, CompleteMultipartUploadResult, CompletedPart};
pub use copy::{CopyObjectResult, CopyPartResult};
pub use delete::{Delete, DeleteOutcome, DeleteResult, ObjectToDelete};
pub use document::{BYTES_MAX, Element};
pub use encoding::{EncodingType, url_encoded};
pub use error::ErrorDocument;
pub use location::{CreateBucketConfiguration, LocationConstraint};
pub use objects::{ListBucketResult, ObjectEntry, Paging};
pub use owner::Owner;
pub use page::KeysPage;
pub use uploads::{
    InitiateMultipartUploadResult, ListMultipartUploadsResult, ListPartsResult, PartEntry,
    UploadEntry,
};
pub use versions::{ListVersionsResult, VersionEntry, VersionKind, VersioningConfiguration};
pub(crate) use writer::Writer;
