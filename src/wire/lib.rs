//! Hostile bytes ⇄ typed messages of the APIs that clients speak. No I/O, no clock, and no input that panics.

pub mod chunked;
pub mod jwt;
pub mod kv;
pub mod s3;
pub mod sigv4;
