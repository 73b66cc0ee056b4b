//! Hostile bytes ⇄ typed messages: the S3 API, AWS STS, AWS Secrets Manager, HashiCorp Vault's KV
//! version 2, and policy documents. No I/O, no clock, and no input that panics.

pub mod chunked;
mod codes;
mod json;
pub mod policy;
pub mod s3;
pub mod sigv4;
pub mod sts;
