//! Documents in every spelling that clients send, what is not read, and every answer in full.

mod answers;
mod asked;
mod deletions;
mod lists;

use names::{ChecksumAlgorithm, ChecksumKind};

use super::*;
use crate::s3::{ErrorCode, Refusal};

fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> ErrorCode {
    result.expect_err("it has to be refused").code
}

/// What stands in the root of an answer in the S3 namespace.
fn body<'a>(document: &'a str, root: &str) -> &'a str {
    document
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
        .and_then(|rest| rest.strip_prefix(&format!("<{root} {NAMESPACE}>")))
        .and_then(|rest| rest.strip_suffix(&format!("</{root}>")))
        .unwrap_or_else(|| panic!("{document}"))
}

const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";
const OWNER: Owner<'_> = Owner {
    id: "id-1",
    display_name: Some("Ann"),
};
const CRC32: (ChecksumAlgorithm, ChecksumKind) =
    (ChecksumAlgorithm::Crc32, ChecksumKind::FullObject);
/// 2009-10-12T17:50:30.000Z.
const AT_MS: u64 = 1_255_369_830_000;
