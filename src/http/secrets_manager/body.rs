use std::sync::Arc;

use http::header::CONTENT_LENGTH;
use http_body_util::BodyExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wire::secrets_manager::ErrorCode;
use zeroize::Zeroizing;

use super::error::SecretsError;
use crate::http::net::{RequestBody, RequestBodyError};
use crate::http::pipeline::Head;

/// The body of a request, which may hold a secret. It is read before anybody is authenticated,
/// since the signature covers it.
pub struct Sent {
    bytes: Zeroizing<Vec<u8>>,
    _large: Option<OwnedSemaphorePermit>,
}

/// Reads bodies.
pub(super) struct Bodies {
    /// How many large ones are held at once: strangers send them, too.
    large: Arc<Semaphore>,
}

impl Bodies {
    pub(super) fn new() -> Self {
        Self {
            large: Arc::new(Semaphore::new(LARGE_MAX)),
        }
    }

    /// Reads all of a body that is no longer than a request can be.
    pub(super) async fn read(
        &self,
        head: &Head,
        body: &mut RequestBody,
    ) -> Result<Sent, SecretsError> {
        let length = head.text(CONTENT_LENGTH).and_then(|text| text.parse().ok());
        let announced: usize = length.unwrap_or_default();
        if announced > BYTES_MAX {
            return Err(too_long());
        }
        let mut sent = Sent {
            bytes: Zeroizing::new(Vec::new()),
            _large: None,
        };
        // What grows leaves copies behind: whoever says how much comes has it kept in one place.
        self.make_room(&mut sent, announced)?;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| match error {
                RequestBodyError::Idle | RequestBodyError::Broken(_) => SecretsError::new(
                    ErrorCode::Serialization,
                    "The body did not come to its end.",
                ),
            })?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            self.make_room(&mut sent, data.len())?;
            sent.bytes.extend_from_slice(&data);
        }
        Ok(sent)
    }

    fn make_room(&self, sent: &mut Sent, more: usize) -> Result<(), SecretsError> {
        let total = sent.bytes.len() + more;
        if total > BYTES_MAX {
            return Err(too_long());
        }
        if total > SMALL_BYTES_MAX && sent._large.is_none() {
            let place = Arc::clone(&self.large).try_acquire_owned();
            sent._large = Some(place.map_err(|_| SecretsError::slow_down())?);
        }
        if total > sent.bytes.capacity() {
            let mut room = Zeroizing::new(Vec::with_capacity(total.max(2 * sent.bytes.len())));
            room.extend_from_slice(&sent.bytes);
            sent.bytes = room;
        }
        Ok(())
    }
}

impl Sent {
    /// The bytes.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn too_long() -> SecretsError {
    SecretsError::new(
        ErrorCode::RequestEntityTooLarge,
        "The body is longer than any request of this service.",
    )
}

/// A value of 64 KiB takes six times as many bytes if every one of them is escaped.
const BYTES_MAX: usize = 512 << 10;
/// What most values fit in, also in base64.
const SMALL_BYTES_MAX: usize = 128 << 10;
const LARGE_MAX: usize = 16;
