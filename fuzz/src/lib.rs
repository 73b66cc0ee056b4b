//! What must hold for any input: one function for each fuzz target. They panic when it does not,
//! and otherwise say whether the input was accepted.
//!
//! Tests on the stable toolchain include this file and send every kept input through it.

mod envelope_blobs;
mod kv;
mod s3;
mod secrets;
mod signed;
mod sts;

pub use envelope_blobs::{envelope_footer, envelope_header};
pub use kv::{kv_body, kv_target};
pub use s3::{s3_headers, s3_target, s3_xml};
pub use secrets::secrets_manager;
pub use signed::{aws_chunked, sigv4};
pub use sts::sts_form;

/// What a target does with an input: whether it was accepted.
pub type Target = fn(&[u8]) -> bool;

/// The targets by name, each with a corpus of that name.
pub const TARGETS: &[(&str, Target)] = &[
    ("aws_chunked", aws_chunked),
    ("envelope_footer", envelope_footer),
    ("envelope_header", envelope_header),
    ("kv_body", kv_body),
    ("kv_target", kv_target),
    ("s3_headers", s3_headers),
    ("s3_target", s3_target),
    ("s3_xml", s3_xml),
    ("secrets_manager", secrets_manager),
    ("sigv4", sigv4),
    ("sts_form", sts_form),
];
