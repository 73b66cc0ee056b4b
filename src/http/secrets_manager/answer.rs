//! The answers of what was done, and of what was not.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Response};
use serde::Serialize;
use wire::secrets_manager::ErrorDocument;
use wire::wiped_json;

use super::error::SecretsError;
use crate::authz::Receipt;
use crate::http::pipeline::{Answer, Call, Content, DoorError, Refused, RequestId};

/// 200 with a document, which may hold a secret: its memory is wiped once it is sent.
pub(super) fn document(
    call: &Call,
    document: &impl Serialize,
    receipt: Receipt,
) -> Result<Answer, SecretsError> {
    Ok(Answer {
        head: head(call.id()),
        content: Content::Whole(Bytes::from_owner(wiped_json(document)?)),
        receipt,
    })
}

/// 200 with nothing to tell.
pub(super) fn done(call: &Call) -> Answer {
    Answer {
        head: head(call.id()),
        content: Content::Empty,
        receipt: Receipt::default(),
    }
}

/// What went wrong, by its code.
pub(super) fn refusal(request: &Refused<'_>, error: &SecretsError) -> Answer {
    let mut head = head(request.id);
    *head.status_mut() = error.status();
    let content = match wiped_json(&ErrorDocument::new(error.code(), error.message())) {
        Ok(document) if !request.is_head => Content::Whole(Bytes::from_owner(document)),
        _ => Content::Empty,
    };
    Answer {
        head,
        content,
        receipt: Receipt::default(),
    }
}

fn head(id: RequestId) -> Response<()> {
    let mut head = Response::new(());
    let fields = head.headers_mut();
    fields.insert(CONTENT_TYPE, JSON);
    fields.insert(CACHE_CONTROL, NO_STORE);
    // Where SDKs look for it in this protocol.
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        fields.insert(REQUEST_ID, id);
    }
    head
}

const JSON: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
