//! What headers of the S3 API say. Names come in lower case; what Amazon ignores is ignored, what
//! it refuses is a [`Refusal`](super::Refusal).

mod checksum;
mod condition;
mod content;
mod copy_source;
mod metadata;
mod range;

pub use checksum::{DeclaredChecksum, object_checksum};
pub use condition::{EtagCondition, unquoted};
pub use content::{content_md5, without_aws_chunked};
pub use copy_source::CopySource;
pub use metadata::{to_bytes, to_text, user_metadata};
pub use range::{ByteRange, copy_source_range};
