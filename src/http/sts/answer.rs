use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use wire::sts::ErrorResponse;
use zeroize::Zeroizing;

use super::error::StsError;
use crate::authz::Receipt;
use crate::http::pipeline::{Answer, Content, DoorError, Refused};

/// 200 with a document, which is wiped once it has been sent.
pub(super) fn document(xml: Zeroizing<String>) -> Answer {
    let mut head = Response::new(());
    head.headers_mut().insert(CONTENT_TYPE, XML);
    head.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    Answer {
        head,
        content: Content::Whole(Bytes::from_owner(Wiped(xml))),
        receipt: Receipt::default(),
    }
}

/// What went wrong, as a document.
pub(super) fn refusal(request: &Refused<'_>, error: &StsError) -> Answer {
    let mut head = Response::new(());
    *head.status_mut() = error.status();
    head.headers_mut().insert(CONTENT_TYPE, XML);
    head.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    let xml = ErrorResponse {
        code: error.code(),
        message: error.message(),
        request_id: &request.id.to_string(),
    };
    Answer {
        head,
        content: Content::Whole(xml.to_xml().into()),
        receipt: Receipt::default(),
    }
}

struct Wiped(Zeroizing<String>);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

const XML: HeaderValue = HeaderValue::from_static("text/xml");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
