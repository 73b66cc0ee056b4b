//! The answers of what was done, and of what was not.

use std::borrow::Cow;

use http::header::{CONTENT_RANGE, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use percent_encoding::percent_decode_str;
use wire::s3::ErrorCode;
use wire::s3::xml::ErrorDocument;

use super::error::S3Error;
use super::fields::{put, write_validators};
use crate::authz::Receipt;
use crate::http::pipeline::{Answer, Content, DoorError, Refused};

/// 200 with a document.
pub(super) fn document(xml: String, receipt: Receipt) -> Answer {
    let mut head = Response::new(());
    head.headers_mut().insert(CONTENT_TYPE, XML);
    Answer {
        head,
        content: Content::Whole(xml.into()),
        receipt,
    }
}

/// 200 without a body.
pub(super) fn done(receipt: Receipt) -> Answer {
    Answer {
        head: Response::new(()),
        content: Content::Empty,
        receipt,
    }
}

/// 204: there is nothing any more.
pub(super) fn gone(receipt: Receipt) -> Answer {
    let mut answer = done(receipt);
    *answer.head.status_mut() = StatusCode::NO_CONTENT;
    answer
}

/// What went wrong, as a document; a HEAD and a 304 have no body.
pub(super) fn refusal(request: &Refused<'_>, error: &S3Error) -> Answer {
    let mut head = Response::new(());
    *head.status_mut() = error.status();
    let fields = head.headers_mut();
    if let Some(info) = error.unchanged() {
        write_validators(fields, info);
    }
    write_size(fields, error);
    let mut content = Content::Empty;
    if !request.is_head && error.code() != ErrorCode::NotModified {
        fields.insert(CONTENT_TYPE, XML);
        let details: Vec<(&'static str, &str)> = error
            .details()
            .iter()
            .map(|(name, text)| (*name, text.as_str()))
            .collect();
        let xml = ErrorDocument {
            code: error.code(),
            message: error.message(),
            details: &details,
            resource: &shown(request.path),
            request_id: &request.id.to_string(),
            host_id: request.host,
        };
        content = Content::Whole(xml.to_xml().into());
    }
    Answer {
        head,
        content,
        receipt: Receipt::default(),
    }
}

/// A path as a document can hold it: as it came where XML has no such characters.
fn shown(path: &str) -> Cow<'_, str> {
    match percent_decode_str(path).decode_utf8() {
        Ok(decoded) if !decoded.chars().any(char::is_control) => decoded,
        _ => Cow::Borrowed(path),
    }
}

/// Whoever asked for a range that is not there is told how much there is (RFC 9110, 15.5.17).
fn write_size(fields: &mut HeaderMap, error: &S3Error) {
    let size = error
        .details()
        .iter()
        .find(|(name, _)| *name == "ActualObjectSize");
    if let Some((_, size)) = size {
        put(fields, CONTENT_RANGE, &format!("bytes */{size}"));
    }
}

/// What documents are sent as.
const XML: HeaderValue = HeaderValue::from_static("application/xml");
