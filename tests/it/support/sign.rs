//! AWS Signature Version 4, a second time: what tests and benchmarks sign with shares nothing
//! with what the server checks with. Follows "Authenticating Requests (AWS Signature Version 4)"
//! of the Amazon S3 API reference.

use std::fmt::Write;
use std::sync::Mutex;

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderValue, Method, Request};
use sha2::{Digest, Sha256};
use time::UtcDateTime;
use time::macros::format_description;

/// An access key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The public half.
    pub id: String,
    /// The secret half.
    pub secret: String,
}

/// Signs requests with one access key.
pub struct Signer {
    key: Key,
    region: String,
    service: &'static str,
    /// The key of the day, which costs four HMACs to make.
    derived: Mutex<Option<(String, [u8; 32])>>,
}

impl Signer {
    /// Signs for S3 in `region`.
    pub fn new(key: Key, region: &str) -> Self {
        Self::for_service(key, region, "s3")
    }

    /// Signs for a service in `region`.
    pub fn for_service(key: Key, region: &str, service: &'static str) -> Self {
        Self {
            key,
            region: region.to_owned(),
            service,
            derived: Mutex::new(None),
        }
    }

    /// Adds `x-amz-date`, `x-amz-content-sha256` and `authorization`. Every field that the request
    /// has by now is signed; path and query must be encoded as the specification asks.
    pub fn sign<B>(&self, request: &mut Request<B>, payload: &str, at: UtcDateTime) {
        let stamp = stamp(at);
        let headers = request.headers_mut();
        headers.insert("x-amz-date", value(&stamp));
        headers.insert("x-amz-content-sha256", value(payload));
        let mut fields: Vec<_> = request
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().expect("text").trim()))
            .collect();
        fields.sort_unstable();
        let names = fields
            .iter()
            .map(|(name, _)| *name)
            .collect::<Vec<_>>()
            .join(";");
        let mut canonical = format!("{}\n{}\n", request.method(), request.uri().path());
        let query = request.uri().query().unwrap_or_default();
        let _ = writeln!(canonical, "{}", canonical_query(query));
        for (name, value) in fields {
            let _ = writeln!(canonical, "{name}:{value}");
        }
        let _ = write!(canonical, "\n{names}\n{payload}");

        let (scope, signature) = self.signature(&stamp, &canonical);
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.key.id
        );
        request
            .headers_mut()
            .insert("authorization", value(&authorization));
    }

    /// A URL's path and query that admit whoever holds it: `target` without a query, signed for
    /// `host` alone.
    pub fn presign(
        &self,
        method: &Method,
        host: &str,
        target: &str,
        expires_seconds: u32,
        at: UtcDateTime,
    ) -> String {
        let stamp = stamp(at);
        let credential = format!("{}/{}", self.key.id, self.scope(&stamp)).replace('/', "%2F");
        let query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={credential}&X-Amz-Date={stamp}\
             &X-Amz-Expires={expires_seconds}&X-Amz-SignedHeaders=host"
        );
        let canonical = format!("{method}\n{target}\n{query}\nhost:{host}\n\nhost\n{UNSIGNED}");
        let (_, signature) = self.signature(&stamp, &canonical);
        format!("{target}?{query}&X-Amz-Signature={signature}")
    }

    fn scope(&self, stamp: &str) -> String {
        let (day, region, service) = (&stamp[..8], &self.region, self.service);
        format!("{day}/{region}/{service}/aws4_request")
    }

    fn signature(&self, stamp: &str, canonical: &str) -> (String, String) {
        let scope = self.scope(stamp);
        let digest = sha256(canonical.as_bytes());
        let text = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}");
        let signature = hmac(&self.key_of_day(&stamp[..8]), text.as_bytes());
        (scope, hex::encode(signature))
    }

    fn key_of_day(&self, day: &str) -> [u8; 32] {
        let mut derived = self.derived.lock().expect("no panic while it is held");
        match &*derived {
            Some((of, key)) if of == day => *key,
            _ => {
                let secret = format!("AWS4{}", self.key.secret);
                let key = [day, &self.region, self.service, "aws4_request"]
                    .iter()
                    .fold(secret.into_bytes(), |key, step| {
                        hmac(&key, step.as_bytes()).to_vec()
                    });
                let key = key.try_into().expect("32 bytes");
                *derived = Some((day.to_owned(), key));
                key
            }
        }
    }
}

/// The payload hash of a body that is not signed.
pub const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// A payload hash: SHA-256 in lower-case hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A key as it stands in a path: everything but letters, digits, `-._~` and `/` is escaped.
pub fn encoded_path(bucket: &str, key: &str) -> String {
    let mut path = format!("/{bucket}/");
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                path.push(char::from(byte));
            }
            other => {
                let _ = write!(path, "%{other:02X}");
            }
        }
    }
    path
}

fn stamp(at: UtcDateTime) -> String {
    at.format(format_description!(
        "[year][month][day]T[hour][minute][second]Z"
    ))
    .expect("a year of four digits")
}

fn canonical_query(query: &str) -> String {
    let mut pairs: Vec<_> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable_by_key(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let pairs = pairs.iter().map(|pair| match pair.contains('=') {
        true => (*pair).to_owned(),
        false => format!("{pair}="),
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

fn value(text: &str) -> HeaderValue {
    text.parse().expect("a header value")
}
