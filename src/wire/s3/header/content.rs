use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::s3::{ErrorCode, Refusal};

/// Reads `Content-MD5`.
///
/// # Errors
/// `InvalidDigest` unless it is the base64 of 16 bytes.
pub fn content_md5(header: &str) -> Result<[u8; 16], Refusal> {
    STANDARD
        .decode(header)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(Refusal::new(
            ErrorCode::InvalidDigest,
            "The Content-MD5 you specified was invalid.",
        ))
}

/// `Content-Encoding` as it is stored: `aws-chunked` describes how the body travelled, not the
/// object. `None` when nothing else is left.
pub fn without_aws_chunked(header: &str) -> Option<String> {
    let is_aws_chunked = |coding: &&str| coding.trim().eq_ignore_ascii_case("aws-chunked");
    if !header.split(',').any(|coding| is_aws_chunked(&coding)) {
        return (!header.trim().is_empty()).then(|| header.to_owned());
    }
    let left: Vec<&str> = header
        .split(',')
        .filter(|coding| !is_aws_chunked(coding) && !coding.trim().is_empty())
        .map(str::trim)
        .collect();
    (!left.is_empty()).then(|| left.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_md5_has_sixteen_bytes() {
        let empty = *b"\xd4\x1d\x8c\xd9\x8f\x00\xb2\x04\xe9\x80\x09\x98\xec\xf8\x42\x7e";
        assert_eq!(content_md5("1B2M2Y8AsgTpgAmY7PhCfg=="), Ok(empty));
        for wrong in [
            "",
            "AAAA",
            "1B2M2Y8AsgTpgAmY7PhCfg",
            "d41d8cd98f00b204e9800998ecf8427e",
            "YWJyYWNhZGFicmE=",
        ] {
            assert_eq!(
                content_md5(wrong).unwrap_err().code,
                ErrorCode::InvalidDigest,
                "{wrong}"
            );
        }
    }

    #[test]
    fn how_a_body_travelled_is_not_stored() {
        for (header, stored) in [
            ("aws-chunked", None),
            ("AWS-Chunked,", None),
            ("", None),
            ("gzip", Some("gzip")),
            ("gzip,aws-chunked", Some("gzip")),
            ("aws-chunked, gzip, br", Some("gzip, br")),
            ("gzip,br", Some("gzip,br")),
            ("aws-chunked-not", Some("aws-chunked-not")),
        ] {
            assert_eq!(without_aws_chunked(header).as_deref(), stored, "{header}");
        }
    }
}
