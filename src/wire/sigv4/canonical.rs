use std::borrow::Cow;
use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::digest::{SHA256, digest};

use super::error::SigV4Error;
use super::key::Scope;
use super::request::Request;

/// The string that is signed:
///
/// ```text
/// AWS4-HMAC-SHA256 ⏎ timestamp ⏎ scope ⏎ hex(SHA-256(canonical request))
/// ```
pub(super) fn string_to_sign(timestamp: &str, scope: &Scope, canonical_request: &str) -> String {
    format!(
        "{ALGORITHM}\n{timestamp}\n{}\n{}",
        scope.text(),
        hex::encode(digest(&SHA256, canonical_request.as_bytes()))
    )
}

/// The canonical request:
///
/// ```text
/// method ⏎ path ⏎ query ⏎ header:value ⏎ … ⏎ ⏎ header;… ⏎ payload hash
/// ```
///
/// S3 encodes the path once and keeps every slash, unlike the other services. Path and query are
/// decoded and encoded anew, so that it does not matter which characters a client chose to escape.
pub(super) fn canonical_request(
    request: &Request<'_>,
    signed_headers: &[&str],
    payload_hash: &str,
) -> Result<String, SigV4Error> {
    let mut text = String::with_capacity(1024);
    text.push_str(request.method);
    text.push('\n');
    let path = decode(request.path, Plus::Stays)?;
    push_encoded(&mut text, &path, PATH);
    text.push('\n');
    push_query(&mut text, request.query)?;
    text.push('\n');
    for name in signed_headers {
        text.push_str(name);
        text.push(':');
        push_values(&mut text, request, name)?;
        text.push('\n');
    }
    text.push('\n');
    text.push_str(&signed_headers.join(";"));
    text.push('\n');
    text.push_str(payload_hash);
    Ok(text)
}

/// A query parameter's name and value, decoded.
pub(super) fn parameters(query: &str) -> Result<Vec<(String, String)>, SigV4Error> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(name, Plus::IsSpace)?, decode(value, Plus::IsSpace)?))
        })
        .collect()
}

/// Sorted by name and then value as they are encoded; without the signature itself.
fn push_query(text: &mut String, query: &str) -> Result<(), SigV4Error> {
    let mut pairs = Vec::new();
    for (name, value) in parameters(query)? {
        if name == SIGNATURE {
            continue;
        }
        let (mut encoded_name, mut encoded_value) = (String::new(), String::new());
        push_encoded(&mut encoded_name, &name, UNRESERVED);
        push_encoded(&mut encoded_value, &value, UNRESERVED);
        pairs.push((encoded_name, encoded_value));
    }
    pairs.sort();
    for (at, (name, value)) in pairs.iter().enumerate() {
        let separator = if at == 0 { "" } else { "&" };
        // Writing to a String does not fail.
        let _ = write!(text, "{separator}{name}={value}");
    }
    Ok(())
}

/// All values of a header, comma-separated in the order they came, trimmed, with runs of spaces
/// made one.
fn push_values(text: &mut String, request: &Request<'_>, name: &str) -> Result<(), SigV4Error> {
    let mut values = request
        .headers
        .iter()
        .filter(|(other, _)| *other == name)
        .map(|(_, value)| *value)
        .peekable();
    if values.peek().is_none() {
        return Err(SigV4Error::SignedHeaderMissing);
    }
    for (at, value) in values.enumerate() {
        if at > 0 {
            text.push(',');
        }
        // Python's http.client sends text as Latin-1, and botocore has signed it as UTF-8.
        let value = match std::str::from_utf8(value) {
            Ok(value) => Cow::Borrowed(value),
            Err(_) => Cow::Owned(value.iter().copied().map(char::from).collect()),
        };
        let words = value.split(' ').filter(|word| !word.is_empty());
        for (at, word) in words.enumerate() {
            if at > 0 {
                text.push(' ');
            }
            text.push_str(word);
        }
    }
    Ok(())
}

/// What a plus sign is: itself in a path, a space in a query.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Plus {
    Stays,
    IsSpace,
}

fn decode(text: &str, plus: Plus) -> Result<String, SigV4Error> {
    let spaced;
    let text = match plus {
        Plus::IsSpace if text.contains('+') => {
            spaced = text.replace('+', " ");
            spaced.as_str()
        }
        _ => text,
    };
    percent_decode_str(text)
        .decode_utf8()
        .map(Cow::into_owned)
        .map_err(|_| SigV4Error::InvalidUri)
}

fn push_encoded(text: &mut String, value: &str, escaped: &'static AsciiSet) {
    text.extend(utf8_percent_encode(value, escaped));
}

pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
pub(super) const SIGNATURE: &str = "X-Amz-Signature";
/// All but RFC 3986's unreserved characters.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');
