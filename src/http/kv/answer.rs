use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::KvError;
use crate::http::pipeline::{Answer, RequestId};

/// What every answer with data looks like.
#[derive(Serialize)]
struct Envelope<'a, T> {
    request_id: String,
    lease_id: &'static str,
    renewable: bool,
    lease_duration: u64,
    data: Option<&'a T>,
    wrap_info: (),
    warnings: (),
    auth: Option<Auth<'a>>,
    mount_type: &'static str,
}

/// A token, as log-ins show it.
#[derive(Serialize)]
pub(super) struct Auth<'a> {
    pub(super) client_token: &'a str,
    pub(super) accessor: String,
    pub(super) policies: [&'static str; 1],
    pub(super) token_policies: [&'static str; 1],
    pub(super) metadata: Owner,
    pub(super) lease_duration: u64,
    pub(super) renewable: bool,
    pub(super) entity_id: String,
    pub(super) token_type: &'static str,
    pub(super) orphan: bool,
    pub(super) num_uses: u64,
}

/// Whose a token is.
#[derive(Serialize)]
pub(super) struct Owner {
    pub(super) organization: String,
    pub(super) principal: String,
}

impl<'a, T> Envelope<'a, T> {
    fn of(id: RequestId, mount: &'static str, data: &'a T) -> Self {
        Self {
            request_id: id.to_string(),
            lease_id: "",
            renewable: false,
            lease_duration: 0,
            data: Some(data),
            wrap_info: (),
            warnings: (),
            auth: None,
            mount_type: mount,
        }
    }
}

/// An answer with data.
pub(super) fn data(
    status: StatusCode,
    id: RequestId,
    mount: &'static str,
    data: &impl Serialize,
) -> Result<Answer, KvError> {
    json(status, &Envelope::of(id, mount, data))
}

/// An answer whose data stands beside it, too, where older clients look for it. What every answer
/// has goes before.
pub(super) fn data_and_beside(
    id: RequestId,
    mount: &'static str,
    data: &Map<String, Value>,
) -> Result<Answer, KvError> {
    let whole = serde_json::to_value(Envelope::of(id, mount, data)).map_err(KvError::internal)?;
    let mut members = data.clone();
    if let Value::Object(whole) = whole {
        members.extend(whole);
    }
    json(StatusCode::OK, &members)
}

/// An answer with a token.
pub(super) fn auth(id: RequestId, auth: Auth<'_>) -> Result<Answer, KvError> {
    let envelope = Envelope::<()> {
        data: None,
        auth: Some(auth),
        ..Envelope::of(id, "token", &())
    };
    json(StatusCode::OK, &envelope)
}

/// 204.
pub(super) fn done() -> Answer {
    Answer::empty(StatusCode::NO_CONTENT)
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Result<Answer, KvError> {
    Answer::json(status, value).map_err(KvError::internal)
}

/// A time as RFC 3339 has it.
pub(super) fn rfc_3339(ms: u64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000);
    at.unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(&Rfc3339)
        .unwrap_or_default()
}
