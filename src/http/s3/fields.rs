//! What header fields say of objects, in both directions.

use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE,
    CONTENT_TYPE, ETAG, EXPIRES, LAST_MODIFIED,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use names::{Checksum, ChecksumAlgorithm, ChecksumKind};
use wire::s3::ErrorCode;
use wire::s3::date::HttpDate;
use wire::s3::header::{self, to_bytes, to_text, without_aws_chunked};

use super::error::S3Error;
use super::request::{NULL_VERSION, Request, argument};
use crate::drive::{
    DeleteConditions, Etag, EtagCondition, ObjectHeaders, ObjectInfo, RangeRequest, ReadConditions,
    StoredChecksum, WriteConditions,
};

/// The fields that are stored with an object.
pub(super) fn object_headers(request: Request<'_>) -> Result<ObjectHeaders, S3Error> {
    let text = |name: HeaderName| {
        request
            .head
            .headers()
            .get(name)
            .map(|value| to_text(value.as_bytes()))
            .filter(|text| !text.is_empty())
    };
    let encodings: Vec<String> = request
        .head
        .headers()
        .get_all(CONTENT_ENCODING)
        .iter()
        .map(|value| to_text(value.as_bytes()))
        .collect();
    let fields = request.head.headers().iter();
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_bytes()));
    // Signers move metadata into presigned queries; see `Request::amz`.
    let hoisted: Vec<(String, &str)> = request
        .hoisted()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect();
    let hoisted = hoisted
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_bytes()));
    Ok(ObjectHeaders {
        content_type: text(CONTENT_TYPE),
        cache_control: text(CACHE_CONTROL),
        content_disposition: text(CONTENT_DISPOSITION),
        content_encoding: without_aws_chunked(&encodings.join(",")),
        content_language: text(CONTENT_LANGUAGE),
        expires: text(EXPIRES),
        user: header::user_metadata(fields.chain(hoisted))?,
    })
}

/// The conditions of a read: `prefix` is empty, or `x-amz-copy-source-`. What is no date is no
/// condition, as RFC 9110 has it.
pub(super) fn read_conditions(request: Request<'_>, prefix: &str) -> ReadConditions {
    let field = |name: &str| match prefix {
        "" => request.field(name),
        prefix => request.amz(&format!("{prefix}{name}")),
    };
    let date = |name| field(name).and_then(HttpDate::parse_any).map(|date| date.0);
    ReadConditions {
        if_match: field("if-match").map(etag_condition),
        if_none_match: field("if-none-match").map(etag_condition),
        if_modified_since: date("if-modified-since"),
        if_unmodified_since: date("if-unmodified-since"),
    }
}

/// The conditions of a write.
pub(super) fn write_conditions(request: Request<'_>) -> WriteConditions {
    WriteConditions {
        if_match: request.field("if-match").map(etag_condition),
        if_none_match: request.field("if-none-match").map(etag_condition),
    }
}

/// The conditions of a deletion. One that cannot be read refuses it.
pub(super) fn delete_conditions(request: Request<'_>) -> Result<DeleteConditions, S3Error> {
    Ok(DeleteConditions {
        if_match: request.field("if-match").map(etag_condition),
        modified: request
            .amz("x-amz-if-match-last-modified-time")
            .map(|text| {
                HttpDate::parse_any(text)
                    .map(|date| date.0)
                    .ok_or_else(|| argument("x-amz-if-match-last-modified-time", text))
            })
            .transpose()?,
        size: request
            .amz("x-amz-if-match-size")
            .map(|text| {
                text.parse()
                    .map_err(|_| argument("x-amz-if-match-size", text))
            })
            .transpose()?,
    })
}

/// An ETag condition as the Drive takes it.
pub(super) fn etag_condition(text: &str) -> EtagCondition {
    match header::EtagCondition::parse(text) {
        header::EtagCondition::Any => EtagCondition::Any,
        header::EtagCondition::OneOf(etags) => EtagCondition::OneOf(etags),
    }
}

/// The range that is asked for. One that cannot be read is none.
pub(super) fn range(request: Request<'_>) -> Option<RangeRequest> {
    let range = header::ByteRange::parse(request.field("range")?)?;
    Some(match range {
        header::ByteRange::From(first) => RangeRequest::From(first),
        header::ByteRange::Between(first, last) => RangeRequest::Between(first, last),
        header::ByteRange::Last(count) => RangeRequest::Last(count),
    })
}

/// `x-amz-checksum-type`.
pub(super) fn checksum_kind(request: Request<'_>) -> Result<Option<ChecksumKind>, S3Error> {
    match request.amz("x-amz-checksum-type") {
        None => Ok(None),
        Some("FULL_OBJECT") => Ok(Some(ChecksumKind::FullObject)),
        Some("COMPOSITE") => Ok(Some(ChecksumKind::Composite)),
        Some(_) => Err(S3Error::new(
            ErrorCode::InvalidRequest,
            "Value for x-amz-checksum-type header is invalid.",
        )),
    }
}

/// `x-amz-checksum-algorithm`: which checksum shall be made.
pub(super) fn checksum_algorithm(
    request: Request<'_>,
) -> Result<Option<ChecksumAlgorithm>, S3Error> {
    request
        .amz("x-amz-checksum-algorithm")
        .map(|name| {
            ChecksumAlgorithm::parse(name).map_err(|_| {
                S3Error::new(
                    ErrorCode::InvalidRequest,
                    "Checksum algorithm provided is unsupported. Please try again with any of \
                     the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
                )
            })
        })
        .transpose()
}

/// The name of a kind of checksum.
pub(super) fn kind_name(kind: ChecksumKind) -> &'static str {
    match kind {
        ChecksumKind::FullObject => "FULL_OBJECT",
        ChecksumKind::Composite => "COMPOSITE",
    }
}

/// A checksum as it is shown: a composite one counts the parts that it is made of.
pub(super) fn shown_checksum(stored: &StoredChecksum, parts: u16) -> String {
    match stored.kind {
        ChecksumKind::FullObject => stored.checksum.to_string(),
        ChecksumKind::Composite => format!("{}-{parts}", stored.checksum),
    }
}

/// An ETag in its quotes.
pub(super) fn quoted(etag: &Etag) -> String {
    format!("\"{etag}\"")
}

/// Writes what is known of an object into the fields of an answer that shows it.
pub(super) fn write_object(fields: &mut HeaderMap, info: &ObjectInfo) {
    let headers = &info.headers;
    let kind = headers
        .content_type
        .as_deref()
        .unwrap_or(CONTENT_TYPE_DEFAULT);
    put(fields, CONTENT_TYPE, kind);
    let shared = headers.cache_control.as_deref().map(never_shared);
    for (name, text) in [
        (CACHE_CONTROL, shared.as_deref()),
        (CONTENT_DISPOSITION, headers.content_disposition.as_deref()),
        (CONTENT_ENCODING, headers.content_encoding.as_deref()),
        (CONTENT_LANGUAGE, headers.content_language.as_deref()),
        (EXPIRES, headers.expires.as_deref()),
    ] {
        if let Some(text) = text {
            put(fields, name, text);
        }
    }
    for (name, text) in &headers.user {
        if let Ok(name) = HeaderName::try_from(format!("x-amz-meta-{name}")) {
            put(fields, name, text);
        }
    }
    write_validators(fields, info);
    put(fields, ACCEPT_RANGES, "bytes");
    write_encryption(fields);
}

/// Writes what tells one version from another, which is all that a 304 has to say.
pub(super) fn write_validators(fields: &mut HeaderMap, info: &ObjectInfo) {
    put(fields, ETAG, &quoted(&info.etag));
    put(
        fields,
        LAST_MODIFIED,
        &http_date(info.modified_ms).to_string(),
    );
}

/// Everything is sealed: every answer that shows an object says so.
pub(super) fn write_encryption(fields: &mut HeaderMap) {
    put(
        fields,
        HeaderName::from_static("x-amz-server-side-encryption"),
        "AES256",
    );
}

/// Writes a checksum, with what it covers.
pub(super) fn write_checksum(fields: &mut HeaderMap, stored: &StoredChecksum, parts: u16) {
    write_part_checksum(fields, &stored.checksum, &shown_checksum(stored, parts));
    put(
        fields,
        HeaderName::from_static("x-amz-checksum-type"),
        kind_name(stored.kind),
    );
}

/// Writes a checksum by the name of its algorithm.
pub(super) fn write_part_checksum(fields: &mut HeaderMap, checksum: &Checksum, shown: &str) {
    let name = HeaderName::from_static(checksum.algorithm().header());
    put(fields, name, shown);
}

/// Milliseconds since the epoch as a date of HTTP, which has whole seconds.
pub(super) fn http_date(at_ms: u64) -> HttpDate {
    HttpDate(i64::try_from(at_ms / 1000).unwrap_or(i64::MAX))
}

/// Writes a field. A text that no field can hold is left out: it did not come in one.
pub(super) fn put(fields: &mut HeaderMap, name: HeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_bytes(&to_bytes(text)) {
        fields.insert(name, value);
    }
}

/// The overrides of a GET: the answer's fields as the request wants them.
pub(super) fn write_overrides(fields: &mut HeaderMap, request: Request<'_>) -> Result<(), S3Error> {
    for (parameter, name) in OVERRIDES {
        let Some(text) = request.filled(parameter) else {
            continue;
        };
        let text = match name {
            CACHE_CONTROL => never_shared(text),
            _ => text.to_owned(),
        };
        let value = HeaderValue::from_str(&text)
            .or_else(|_| HeaderValue::from_bytes(text.as_bytes()))
            .map_err(|_| argument(parameter, &text))?;
        fields.insert(name, value);
    }
    Ok(())
}

/// A signed answer must not be kept by a cache that serves others: under a path, the same address
/// is another organization's object. What would allow that (RFC 9111, 3.5) is made private.
pub(super) fn never_shared(cache_control: &str) -> String {
    let directives = || cache_control.split(',').map(str::trim);
    if !directives().any(|directive| SHARING.contains(&directive_name(directive).as_str())) {
        return cache_control.to_owned();
    }
    let kept: Vec<&str> = directives()
        .filter(|directive| directive_name(directive) != "public")
        .collect();
    // With field names behind it, `private` holds for these alone.
    let is_closed = |directive: &&str| {
        directive.eq_ignore_ascii_case("private") || directive.eq_ignore_ascii_case("no-store")
    };
    let private = (!kept.iter().any(is_closed)).then_some("private");
    private
        .into_iter()
        .chain(kept)
        .collect::<Vec<_>>()
        .join(", ")
}

fn directive_name(directive: &str) -> String {
    let name = directive.split('=').next().unwrap_or(directive);
    name.trim().to_ascii_lowercase()
}

/// The source of a copy.
pub(super) fn copy_source(request: Request<'_>) -> Result<header::CopySource, S3Error> {
    let text = request.amz("x-amz-copy-source").unwrap_or_default();
    let source = header::CopySource::parse(text)?;
    match source.version.as_deref() {
        None | Some(NULL_VERSION) => Ok(source),
        Some(_) => Err(S3Error::not_built("A copy of a version")),
    }
}

/// What Amazon answers for objects that were written without a type.
const CONTENT_TYPE_DEFAULT: &str = "binary/octet-stream";
const OVERRIDES: [(&str, HeaderName); 6] = [
    ("response-cache-control", CACHE_CONTROL),
    ("response-content-disposition", CONTENT_DISPOSITION),
    ("response-content-encoding", CONTENT_ENCODING),
    ("response-content-language", CONTENT_LANGUAGE),
    ("response-content-type", CONTENT_TYPE),
    ("response-expires", EXPIRES),
];
/// What lets a shared cache keep the answer to a request that was authorized.
const SHARING: [&str; 4] = ["public", "s-maxage", "must-revalidate", "proxy-revalidate"];
