//! Sealed bytes under random names. This module never sees an object's name, a key or a plain
//! byte; what a blob means is known to the catalog, and what it says to whoever holds its key.

mod disk;
mod error;
mod faulty;
mod layout;
mod object;
mod open;
mod s3;
mod store;

#[cfg(test)]
mod conformance;
#[cfg(test)]
#[path = "../../tests/it/support/s3_server.rs"]
pub(crate) mod s3_server;
#[cfg(test)]
mod tests;

pub use disk::DiskBlobs;
pub use error::BlobError;
pub use faulty::{Calls, Fault, FaultyBlobs};
pub use object::ObjectBlobs;
pub use open::open;
pub use s3::{S3Credentials, S3Settings, install_crypto_provider};
pub use store::{BlobEntry, BlobReader, BlobWriter, Blobs, READ_SIZE, WRITE_SIZE};
