//! Blobs as files on a local disk, synced before they are acknowledged.
//! Written on the standard library, since object_store's local store does not fit; see `DiskBlobs`.

mod directory;
mod read;
mod store;
mod walk;
mod write;

pub use store::DiskBlobs;
