//! The S3 API as messages: where a request goes, what its headers and documents say, and the
//! documents that answer it. Follows the Amazon S3 API Reference, version 2006-03-01.

pub mod date;
mod error;
pub mod header;
mod refusal;
mod target;
pub mod xml;

pub use error::ErrorCode;
pub use refusal::Refusal;
pub use target::{Query, Resource, Target};
