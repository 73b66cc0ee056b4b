//! Files: buckets, objects, multipart uploads. Bodies are verified, hashed and sealed as they
//! stream; one catalog transaction makes them visible.

mod batch;
mod bodies;
mod body;
mod bucket_cache;
mod buckets;
mod commit;
mod complete;
mod conditions;
mod copy;
mod copy_part;
mod delete;
mod digests;
mod error;
mod get;
mod headroom;
mod intake;
mod list;
mod memory;
mod model;
mod object;
mod parts;
mod put;
mod range;
mod reader;
mod record;
mod reseal;
mod reseal_blob;
mod sealed;
mod sequence;
mod service;
mod session;
mod task;
mod token;
mod uploads;

#[cfg(test)]
mod tests;

pub use body::{Expected, ExpectedChecksum, Incoming, IncomingError, Piece};
pub use error::DriveError;
pub use model::*;
pub use reader::ObjectReader;
pub use reseal::{Resealed, ResealedPage, Resealer};
pub use service::{Drive, DriveSettings};
