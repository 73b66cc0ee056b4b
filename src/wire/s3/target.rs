use names::{BucketName, InvalidObjectKey, ObjectKey, Slug};
use percent_encoding::percent_decode_str;

use super::{ErrorCode, Refusal};

/// Where a request goes: whose namespace, which resource, and its query.
///
/// ```text
/// path style      /bucket/key                  on any host
///                 /bucket/key                  on org.domain
/// virtual-hosted  /key                         on bucket.org.domain
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The organization that the host names. Only a name: who signed the request decides.
    pub org: Option<Slug>,
    /// What it is about.
    pub resource: Resource,
    /// The query.
    pub query: Query,
}

/// What a request is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// The list of buckets.
    Service,
    /// A bucket.
    Bucket(BucketName),
    /// An object, there or not.
    Object(BucketName, ObjectKey),
}

/// The parameters of a query, decoded, in the order they came. A plus sign is a space here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Target {
    /// Reads path and query, both still percent-encoded, and the host with or without a port.
    /// `domain` is the one under which organizations have host names, in lower case.
    ///
    /// The path is decoded exactly once and only then split, since SigV4 signs the decoded path:
    /// `%2F` is a slash. Of the rest of it everything is the key's: `//`, `.` and `..`, a plus
    /// sign, a slash at the end.
    ///
    /// # Errors
    /// `InvalidURI`, `InvalidBucketName`, `KeyTooLongError`.
    pub fn parse(
        path: &str,
        query: &str,
        host: Option<&str>,
        domain: Option<&str>,
    ) -> Result<Self, Refusal> {
        let path = path.strip_prefix('/').ok_or(ErrorCode::InvalidURI)?;
        let path = decode(path)?;
        let query = Query::parse(query)?;
        let name = domain.and_then(|domain| host_prefix(host?, domain));
        let (org, resource) = match name.as_deref() {
            None | Some("") => (None, Resource::of_path(&path)?),
            Some(name) => {
                let (bucket, org) = match name.rsplit_once('.') {
                    Some((bucket, org)) => (Some(bucket), org),
                    None => (None, name),
                };
                let org = Slug::parse(org).map_err(|_| ErrorCode::InvalidURI)?;
                let resource = match bucket {
                    Some(bucket) => Resource::of(bucket, &path)?,
                    None => Resource::of_path(&path)?,
                };
                (Some(org), resource)
            }
        };
        Ok(Self {
            org,
            resource,
            query,
        })
    }
}

impl Resource {
    /// `bucket/key`. Some clients write the service's own path as `//`.
    fn of_path(path: &str) -> Result<Self, Refusal> {
        match path.split_once('/').unwrap_or((path, "")) {
            ("", "") => Ok(Self::Service),
            (bucket, key) => Self::of(bucket, key),
        }
    }

    fn of(bucket: &str, key: &str) -> Result<Self, Refusal> {
        let bucket = BucketName::parse(bucket).map_err(|_| ErrorCode::InvalidBucketName)?;
        match ObjectKey::parse(key) {
            Ok(key) => Ok(Self::Object(bucket, key)),
            Err(InvalidObjectKey::Empty) => Ok(Self::Bucket(bucket)),
            Err(InvalidObjectKey::TooLong) => Err(ErrorCode::KeyTooLongError.into()),
        }
    }
}

impl Query {
    /// Reads a query without its question mark.
    ///
    /// # Errors
    /// `InvalidURI` when an escape is broken or the text is not UTF-8.
    pub fn parse(query: &str) -> Result<Self, Refusal> {
        query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((
                    decode(&name.replace('+', " "))?,
                    decode(&value.replace('+', " "))?,
                ))
            })
            .collect::<Result<_, Refusal>>()
            .map(Self)
    }

    /// The first value of a parameter; empty for one without a value.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| value)
    }

    /// Whether a parameter is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Decodes once. Unlike the crate underneath, refuses escapes that are none.
pub(super) fn decode(text: &str) -> Result<String, Refusal> {
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|byte| *byte == b'%') {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => rest = &rest[at + 3..],
            _ => return Err(ErrorCode::InvalidURI.into()),
        }
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(ErrorCode::InvalidURI.into()),
    }
}

/// What stands before `.domain` in a host, in lower case: empty for the domain itself, `None` for
/// a host that is not under it.
fn host_prefix(host: &str, domain: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    let host = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => &host,
    };
    let prefix = host
        .strip_suffix('.')
        .unwrap_or(host)
        .strip_suffix(domain)?;
    match prefix.strip_suffix('.') {
        Some(prefix) if !prefix.is_empty() => Some(prefix.to_owned()),
        None if prefix.is_empty() => Some(String::new()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOMAIN: &str = "s3.example.com";

    fn target(host: &str, path: &str) -> Result<Target, ErrorCode> {
        Target::parse(path, "", Some(host), Some(DOMAIN)).map_err(|refusal| refusal.code)
    }

    fn object(bucket: &str, key: &str) -> Resource {
        Resource::Object(
            BucketName::parse(bucket).unwrap(),
            ObjectKey::parse(key).unwrap(),
        )
    }

    fn bucket(name: &str) -> Resource {
        Resource::Bucket(BucketName::parse(name).unwrap())
    }

    #[test]
    fn path_style() {
        for (path, resource) in [
            ("/", Resource::Service),
            ("//", Resource::Service),
            ("/docs", bucket("docs")),
            ("/docs/", bucket("docs")),
            ("/docs/a", object("docs", "a")),
            ("/docs//", object("docs", "/")),
            ("/docs//a/../b/./", object("docs", "/a/../b/./")),
            ("/docs/a+b", object("docs", "a+b")),
            ("/docs/%2e%2E%2f", object("docs", "../")),
            ("/docs%2Fa", object("docs", "a")),
            ("/docs/%2525", object("docs", "%25")),
            ("/docs/%C3%A9%00", object("docs", "é\0")),
            ("/docs/é?", object("docs", "é?")),
        ] {
            for host in [
                "127.0.0.1:9000",
                "[::1]:9000",
                "other.com",
                DOMAIN,
                "S3.Example.COM:80",
            ] {
                let found = target(host, path).unwrap();
                assert_eq!(
                    (found.resource, found.org),
                    (resource.clone(), None),
                    "{path}"
                );
            }
            let found = target("acme.s3.example.com", path).unwrap();
            assert_eq!(found.resource, resource);
            assert_eq!(found.org.unwrap().as_str(), "acme");
        }
    }

    #[test]
    fn virtual_hosted_style() {
        for (host, path, resource) in [
            ("docs.acme.s3.example.com", "/", bucket("docs")),
            ("docs.acme.s3.example.com:9000", "/a", object("docs", "a")),
            ("DOCS.Acme.s3.example.com.", "//a", object("docs", "/a")),
            (
                "a.b.c.acme.s3.example.com",
                "/docs/a",
                object("a.b.c", "docs/a"),
            ),
        ] {
            let found = target(host, path).unwrap();
            assert_eq!(found.resource, resource, "{host}");
            assert_eq!(found.org.unwrap().as_str(), "acme");
        }
        // Without a domain a host means nothing.
        let found = Target::parse("/docs", "", Some("b.acme.s3.example.com"), None).unwrap();
        assert_eq!((found.resource, found.org), (bucket("docs"), None));
        // Nor does one that only looks like the domain.
        assert_eq!(target("evils3.example.com", "/docs").unwrap().org, None);
    }

    #[test]
    fn what_is_no_address() {
        let long = format!("/docs/{}", "k".repeat(1025));
        for (host, path, code) in [
            (DOMAIN, "", ErrorCode::InvalidURI),
            (DOMAIN, "*", ErrorCode::InvalidURI),
            (DOMAIN, "/docs/%FF", ErrorCode::InvalidURI),
            (DOMAIN, "/docs/%", ErrorCode::InvalidURI),
            (DOMAIN, "/docs/%4", ErrorCode::InvalidURI),
            (DOMAIN, "/docs/%zz", ErrorCode::InvalidURI),
            (DOMAIN, "/docs/%+1", ErrorCode::InvalidURI),
            (DOMAIN, "/Docs/a", ErrorCode::InvalidBucketName),
            (DOMAIN, "//a", ErrorCode::InvalidBucketName),
            (DOMAIN, "/../docs", ErrorCode::InvalidBucketName),
            (DOMAIN, &long, ErrorCode::KeyTooLongError),
            ("a_b.acme.s3.example.com", "/", ErrorCode::InvalidBucketName),
            (".acme.s3.example.com", "/", ErrorCode::InvalidBucketName),
            ("docs.-.s3.example.com", "/", ErrorCode::InvalidURI),
        ] {
            assert_eq!(target(host, path), Err(code), "{host} {path}");
        }
    }

    #[test]
    fn a_query_is_decoded_once() {
        let query = Query::parse("acl&prefix=a+b%2B%2520&prefix=c&=&x=1=2").unwrap();
        assert_eq!(query.value("acl"), Some(""));
        assert_eq!(query.value("prefix"), Some("a b+%20"));
        assert_eq!(query.value("x"), Some("1=2"));
        assert!(query.has("") && !query.has("Acl"));
        assert_eq!(query.iter().count(), 5);
        assert!(Query::parse("a=%FF").is_err() && Query::parse("%").is_err());
    }
}
