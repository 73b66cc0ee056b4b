//! AWS Signature Version 4 as Amazon S3 speaks it: in the Authorization header and in the query
//! (presigned). Follows "Authenticating Requests (AWS Signature Version 4)" of the S3 API reference.

mod canonical;
mod error;
mod key;
mod payload;
mod presented;
mod request;
#[cfg(test)]
mod tests;

pub use error::SigV4Error;
pub use key::{Scope, SigningKey};
pub use payload::PayloadHash;
pub use presented::{Carrier, Presented};
pub use request::Request;
