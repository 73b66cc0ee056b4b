use std::sync::Arc;

use futures_util::stream;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use tokio::sync::mpsc;

use super::exporter::{Exporter, SecretValues};
use super::reader::Reader;
use super::writer::Writer;
use crate::authz::{ExportOrganization, Permit};
use crate::http::api::ask::Ask;
use crate::http::api::route::{Parameter, ParameterKind};
use crate::http::api::service::Api;
use crate::http::pipeline::{Answer, Call, Content, Fault};
use crate::ops::Archive;

/// What may be asked of an export.
pub(crate) const EXPORT: &[Parameter] = &[Parameter {
    name: "secrets",
    about: "Whether the values of secrets are in it, too: each is recorded as revealed.",
    kind: ParameterKind::OneOf(&["true", "false"]),
}];

/// Streams the archive. What is not what was written breaks the answer off: an archive is whole or
/// shows that it is not.
pub(crate) fn export(
    api: &Api,
    call: &Call,
    ask: &Ask,
    permit: Permit<ExportOrganization>,
) -> Answer {
    let values = match ask.parameter("secrets") {
        Some("true") => SecretValues::Revealed,
        _ => SecretValues::Withheld,
    };
    let (pieces, taken) = mpsc::channel(PIECES_AHEAD);
    let exporter = Exporter {
        reader: Reader {
            tenancy: Arc::clone(&api.tenancy),
            drive: Arc::clone(&api.drive),
            vault: Arc::clone(&api.vault),
            metering: Arc::clone(&api.metering),
            activity: Arc::clone(&api.activity),
            witness: call.witness(),
        },
        writer: Writer::new(Archive::new(call.now_ms()), pieces),
        values,
    };
    tokio::spawn(exporter.run(permit.org()));
    let mut answer = Answer::empty(StatusCode::OK);
    let headers = answer.head.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
    let attachment = HeaderValue::from_static("attachment; filename=\"organization.tar\"");
    headers.insert(CONTENT_DISPOSITION, attachment);
    let pieces = stream::unfold(taken, |mut taken| async move {
        let piece = match taken.recv().await {
            Some(Ok(Some(bytes))) => Ok(bytes),
            Some(Ok(None)) => return None,
            Some(Err(fault)) => Err(fault),
            None => Err(Fault::Operator("an export ended before its end".to_owned())),
        };
        Some((piece, taken))
    });
    answer.content = Content::Open {
        pieces: Box::pin(pieces),
    };
    answer
}

/// How many pieces are made before they are taken.
const PIECES_AHEAD: usize = 2;
