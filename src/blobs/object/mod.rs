//! Blobs as objects of an object store that the object_store crate speaks to.
//! Memory and S3 differ in how they are made; reading, writing and listing are here.

mod read;
mod store;
mod write;

pub use store::ObjectBlobs;

pub(super) use read::EmptyReader;
pub(super) use store::{Limits, Location};
