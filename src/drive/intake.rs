use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use names::Checksum;

use super::{DriveError, Incoming, IncomingError, Piece};

/// Reads a body from its door and holds it to the length that was announced and is allowed.
pub(super) struct Intake {
    pieces: Pin<Box<dyn Stream<Item = Result<Piece, IncomingError>> + Send>>,
    announced: Option<u64>,
    bytes_max: u64,
    taken: u64,
    trailer: Option<Checksum>,
}

impl Intake {
    /// Refuses at once what is announced to be longer than `bytes_max`.
    pub(super) fn new(body: Incoming, bytes_max: u64) -> Result<Self, DriveError> {
        if body.length.is_some_and(|length| length > bytes_max) {
            return Err(DriveError::EntityTooLarge);
        }
        Ok(Self {
            pieces: body.pieces,
            announced: body.length,
            bytes_max,
            taken: 0,
            trailer: None,
        })
    }

    /// How many bytes are still to come, if the client said so.
    pub(super) fn left(&self) -> Option<u64> {
        Some(self.announced?.saturating_sub(self.taken))
    }

    /// How many bytes have come.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// The checksum that came behind the body.
    pub(super) fn trailer(&self) -> Option<Checksum> {
        self.trailer
    }

    /// The next bytes, never none, or `None` at the end of a body of the announced length.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, DriveError> {
        while let Some(piece) = self.pieces.next().await {
            match piece? {
                _ if self.trailer.is_some() => {
                    return Err(IncomingError::Framing("bytes after the trailer").into());
                }
                Piece::Checksum(checksum) => self.trailer = Some(checksum),
                Piece::Data(bytes) if bytes.is_empty() => {}
                Piece::Data(bytes) => {
                    self.taken = self.taken.saturating_add(bytes.len() as u64);
                    if self.announced.is_some_and(|length| self.taken > length) {
                        return Err(IncomingError::TooLong.into());
                    }
                    if self.taken > self.bytes_max {
                        return Err(DriveError::EntityTooLarge);
                    }
                    return Ok(Some(bytes));
                }
            }
        }
        match self.announced {
            Some(length) if self.taken < length => Err(IncomingError::Broken.into()),
            _ => Ok(None),
        }
    }
}
