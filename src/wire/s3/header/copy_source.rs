use names::{BucketName, ObjectKey};

use crate::s3::target::decode;
use crate::s3::{ErrorCode, Refusal};

/// What `x-amz-copy-source` names: `[/]bucket/key[?versionId=version]`, percent-encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopySource {
    /// The bucket.
    pub bucket: BucketName,
    /// The object's key.
    pub key: ObjectKey,
    /// The version, if it was named.
    pub version: Option<String>,
}

impl CopySource {
    /// Reads the header. The version is split off before anything is decoded, so that a `?` in a
    /// key is told apart by its escape; as in a path, a plus sign is itself.
    ///
    /// # Errors
    /// `InvalidArgument`; `KeyTooLongError`.
    pub fn parse(header: &str) -> Result<Self, Refusal> {
        let (path, version) = match header.rsplit_once("?versionId=") {
            Some((path, version)) => (path, Some(version)),
            None => (header, None),
        };
        let path = decode(path).map_err(|_| INVALID)?;
        let version = version.map(decode).transpose().map_err(|_| INVALID)?;
        let (bucket, key) = path
            .strip_prefix('/')
            .unwrap_or(&path)
            .split_once('/')
            .ok_or(INVALID)?;
        if key.len() > ObjectKey::BYTES_MAX {
            return Err(ErrorCode::KeyTooLongError.into());
        }
        Ok(Self {
            bucket: BucketName::parse(bucket).map_err(|_| INVALID)?,
            key: ObjectKey::parse(key).map_err(|_| INVALID)?,
            version,
        })
    }
}

const INVALID: Refusal = Refusal::new(
    ErrorCode::InvalidArgument,
    "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_decoded_once() {
        for (header, bucket, key, version) in [
            ("docs/a", "docs", "a", None),
            ("/docs/a/b", "docs", "a/b", None),
            ("docs%2Fa%2520b", "docs", "a%20b", None),
            ("/docs//a/../b", "docs", "/a/../b", None),
            ("docs/a+b%2B", "docs", "a+b+", None),
            ("docs/a%3FversionId=b", "docs", "a?versionId=b", None),
            ("docs/a?b", "docs", "a?b", None),
            ("docs/a?versionId=null", "docs", "a", Some("null")),
            ("docs/a%3F?versionId=x%2Fy", "docs", "a?", Some("x/y")),
            ("docs/é%C3%A9", "docs", "éé", None),
        ] {
            let source = CopySource::parse(header).unwrap();
            assert_eq!(source.bucket.as_str(), bucket, "{header}");
            assert_eq!(source.key.as_str(), key, "{header}");
            assert_eq!(source.version.as_deref(), version, "{header}");
        }
    }

    #[test]
    fn what_is_no_source() {
        for header in [
            "", "/", "docs", "/docs", "docs/", "//docs/a", "Docs/a", "docs/%", "docs/%FF",
        ] {
            let refusal = CopySource::parse(header).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::InvalidArgument, "{header}");
        }
        let long = format!("docs/{}", "k".repeat(1025));
        let refusal = CopySource::parse(&long).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::KeyTooLongError);
    }
}
