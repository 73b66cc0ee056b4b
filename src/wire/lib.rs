//! Hostile bytes ⇄ typed messages of the APIs that clients speak, ID tokens of OpenID Connect and
//! policy documents. No I/O, no clock, and no input that panics.

pub mod chunked;
mod codes;
mod json;
pub mod jwt;
pub mod kv;
pub mod policy;
pub mod s3;
pub mod secrets_manager;
pub mod sigv4;
pub mod sts;
mod wiped;

pub use wiped::wiped_json;
