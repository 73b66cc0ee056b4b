//! Hostile bytes ⇄ typed messages of the S3 API. No I/O, no clock, and no input that panics.

pub mod chunked;
pub mod jwt;
pub mod s3;
pub mod secrets_manager;
pub mod sigv4;
