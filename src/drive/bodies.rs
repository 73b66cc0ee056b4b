use std::sync::Arc;

use bytes::Bytes;
use envelope::Place;
use zeroize::Zeroizing;

use super::digests::{Digested, Digests};
use super::intake::Intake;
use super::sealed::{Hashed, Room, SealedWriter};
use super::service::Shared;
use super::{DriveError, Etag, Incoming};
use crate::keyring::OrgKeys;

/// A body that has come as a whole and is what the client said of it.
pub(super) enum Received {
    /// Few enough bytes to be kept in a row.
    Small(Zeroizing<Vec<u8>>, Digested),
    /// In the blob store but for its end.
    Large(Box<Hashed>, Digested),
}

impl Shared {
    /// Takes a body of at most `bytes_max` bytes: up to `small_max` into memory, more into the
    /// blob store for `place`. Nothing of it is visible or durable yet; on an error nothing is
    /// left.
    pub(super) async fn receive(
        self: &Arc<Self>,
        keys: &OrgKeys,
        place: Place<'_>,
        body: Incoming,
        (small_max, bytes_max): (Option<u64>, u64),
    ) -> Result<Received, DriveError> {
        let expected = body.expected.clone();
        let mut intake = Intake::new(body, bytes_max)?;
        let mut digests = Digests::of_body(&expected, !self.settings.opaque_etags);
        let mut small = Zeroizing::new(Vec::new());
        let mut over = None;
        if let Some(small_max) = small_max {
            // At its full size from the start, so that no copy is left behind by growing.
            let capacity = intake.left().unwrap_or(small_max).min(small_max);
            small.reserve_exact(usize::try_from(capacity).unwrap_or(0));
            over = gather(&mut intake, &mut small, small_max).await?;
            if over.is_none() {
                digests.update(&small);
                let digested = digests.finish();
                digested.verify(&expected, intake.trailer())?;
                return Ok(Received::Small(small, digested));
            }
        }
        let gathered = Bytes::from_owner(small);
        let length = intake.left().map(|left| left + intake.taken());
        let mut writer =
            SealedWriter::begin(self, keys, (place, Room::Own), digests, length).await?;
        let pieces = [Some(gathered), over];
        if let Err(error) = stream(&mut writer, pieces, &mut intake).await {
            writer.abort().await;
            return Err(error);
        }
        let (hashed, digested) = writer.end().await?;
        match digested.verify(&expected, intake.trailer()) {
            Ok(()) => Ok(Received::Large(Box::new(hashed), digested)),
            Err(error) => {
                hashed.abort().await;
                Err(error)
            }
        }
    }

    /// The ETag of bytes: their MD5, or chance where the server answers opaque ones.
    pub(super) fn etag(&self, digested: &Digested) -> Etag {
        match digested.md5 {
            Some(bytes) if !self.settings.opaque_etags => Etag { bytes, parts: 0 },
            _ => Etag {
                bytes: self.entropy.bytes(),
                parts: 1,
            },
        }
    }
}

/// Gathers up to `bytes_max` bytes, and gives the piece that went over.
async fn gather(
    intake: &mut Intake,
    small: &mut Vec<u8>,
    bytes_max: u64,
) -> Result<Option<Bytes>, DriveError> {
    while let Some(piece) = intake.next().await? {
        if intake.taken() > bytes_max {
            return Ok(Some(piece));
        }
        small.extend_from_slice(&piece);
    }
    Ok(None)
}

async fn stream(
    writer: &mut SealedWriter,
    pieces: [Option<Bytes>; 2],
    intake: &mut Intake,
) -> Result<(), DriveError> {
    for piece in pieces.into_iter().flatten() {
        writer.write(piece).await?;
    }
    while let Some(piece) = intake.next().await? {
        writer.write(piece).await?;
    }
    Ok(())
}

/// The longest body of one request, 5 GiB, as Amazon's.
pub(super) const BODY_BYTES_MAX: u64 = 5 << 30;

/// What Amazon's API lets an object be at most, 5 TiB.
pub(super) const OBJECT_BYTES_MAX: u64 = 5 << 40;
