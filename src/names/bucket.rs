use std::fmt;
use std::net::Ipv4Addr;

/// Why a text is not a bucket name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a bucket name")]
pub struct InvalidBucketName;

/// The name of a bucket inside one organization.
///
/// Follows Amazon S3's rules for general purpose buckets: 3 to 63 characters of `a-z`, `0-9`, `.`
/// and `-`; it and every label between periods begins and ends with a letter or digit; not formatted
/// as an IPv4 address; without the prefixes and suffixes that Amazon reserves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketName(Box<str>);

impl BucketName {
    /// Parses a name as a client gave it.
    pub fn parse(text: &str) -> Result<Self, InvalidBucketName> {
        let bytes = text.as_bytes();
        let is_edge = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let well_formed = (3..=63).contains(&bytes.len())
            && bytes
                .iter()
                .all(|byte| is_edge(byte) || matches!(byte, b'.' | b'-'))
            && bytes.first().is_some_and(is_edge)
            && bytes.last().is_some_and(is_edge)
            // Every label between periods is one of a host name (RFC 1123).
            && !["..", ".-", "-."].iter().any(|pair| text.contains(pair))
            && text.parse::<Ipv4Addr>().is_err();
        let reserved = RESERVED_PREFIXES.iter().any(|p| text.starts_with(p))
            || RESERVED_SUFFIXES.iter().any(|s| text.ends_with(s));
        if well_formed && !reserved {
            Ok(Self(text.into()))
        } else {
            Err(InvalidBucketName)
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BucketName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const RESERVED_PREFIXES: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_SUFFIXES: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_amazon_documents() {
        for name in ["abc", "a.b", "example-bucket-1", "1.2.3", &"a".repeat(63)] {
            assert!(BucketName::parse(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn refuses_what_amazon_documents() {
        let long = "a".repeat(64);
        for name in [
            "",
            "ab",
            "Abc",
            "a_b",
            "-abc",
            "abc-",
            ".abc",
            "abc.",
            "a..b",
            "a.-b",
            "a-.b",
            "192.168.5.4",
            "xn--abc",
            "abc-s3alias",
            "a/b",
            "a b",
            "é-bucket",
            &long,
        ] {
            assert_eq!(BucketName::parse(name), Err(InvalidBucketName), "{name}");
        }
    }
}
