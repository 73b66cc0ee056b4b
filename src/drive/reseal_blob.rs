use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use envelope::{HEADER_LEN, Opener};
use names::{BlobId, OrgId};
use zeroize::Zeroizing;

use super::DriveError;
use super::batch::CHUNK;
use super::digests::Digests;
use super::reader::place_of;
use super::sealed::{NewBlob, ROOM_BYTES, Room, SealedWriter};
use super::service::Shared;
use crate::blobs::{BlobReader, READ_SIZE};
use crate::catalog::{BlobRow, Slice};
use crate::keyring::OrgKeys;

impl Shared {
    /// Writes what a blob holds into a new one, under a data key that only the newest of `keys` has
    /// wrapped. `slice` names the blob, and `before` has the key that its header names. Every byte
    /// is verified before it is sealed again.
    pub(super) async fn reseal_blob(
        self: &Arc<Self>,
        before: &OrgKeys,
        keys: &OrgKeys,
        slice: &Slice,
        row: &BlobRow,
    ) -> Result<NewBlob, DriveError> {
        let (org, blob) = (keys.org(), slice.blob);
        let old = OldBlob { org, blob };
        let place = place_of(slice.kind).ok_or_else(|| old.damaged("no body is of its kind"))?;
        let opener = before
            .open_blob(place, blob, &slice.commitment, &row.header)
            .map_err(|refused| old.damaged(refused))?
            .with_len(slice.blob_len)
            .map_err(|error| old.damaged(error))?;
        let _room = self.memory.reserve(org, 3 * READ_SIZE + ROOM_BYTES).await?;
        let footer = self.footer(&old, &opener, row.sealed_len).await?;
        let chunks = HEADER_LEN as u64..opener.layout().footer_start();
        let reader = self.blobs.read(org, blob, chunks, CHUNK.stride()).await?;
        let place = (place, Room::Callers);
        let nothing = Digests::of_copy(false, None);
        let length = Some(slice.blob_len);
        let mut writer = SealedWriter::begin(self, keys, place, nothing, length).await?;
        if let Err(error) = pour(&old, &opener, reader, &mut writer).await {
            writer.abort().await;
            return Err(error);
        }
        let (hashed, _) = writer.end().await?;
        hashed.finish(&footer).await
    }

    /// Seals blobs anew that were just written and that no row names yet, since the key that they
    /// were begun with takes no writes any more. It may have leaked, and then a new wrap would leave
    /// the old one, in the blob itself, for whoever has it.
    pub(super) async fn reseal_new(
        self: &Arc<Self>,
        before: &OrgKeys,
        keys: &OrgKeys,
        slices: &mut [Slice],
        new_blobs: &mut [BlobRow],
    ) -> Result<(), DriveError> {
        for row in new_blobs {
            let old = row.blob;
            let Some(slice) = slices.iter().find(|slice| slice.blob == old) else {
                continue;
            };
            let new = self.reseal_blob(before, keys, slice, row).await?;
            for slice in slices.iter_mut().filter(|slice| slice.blob == old) {
                slice.blob = new.slice.blob;
                slice.commitment = new.slice.commitment;
            }
            *row = new.row;
            self.discard(keys.org(), &[old]).await;
        }
        Ok(())
    }

    /// Deletes blobs that were written for a row that did not come about: nothing ever named them.
    pub(super) async fn discard(&self, org: OrgId, blobs: &[BlobId]) {
        for blob in blobs {
            if let Err(error) = self.blobs.delete(org, *blob).await {
                tracing::warn!(%org, %blob, %error, "a blob that nothing names is left to the sweep");
            }
        }
    }

    async fn footer(
        &self,
        old: &OldBlob,
        opener: &Opener,
        sealed_len: u64,
    ) -> Result<Zeroizing<Vec<u8>>, DriveError> {
        let start = opener.layout().footer_start();
        let length = sealed_len.checked_sub(start);
        if !length.is_some_and(|length| TAIL_BYTES.contains(&length)) {
            return Err(old.damaged("it ends elsewhere than its row says"));
        }
        let mut reader = self
            .blobs
            .read(old.org, old.blob, start..sealed_len, 1)
            .await?;
        let mut tail = Vec::new();
        while let Some(buffer) = reader.next().await? {
            tail.extend_from_slice(&buffer);
        }
        let footer = opener.open_footer(&tail);
        footer.map_err(|error| old.damaged(error))
    }
}

/// The blob that is read, as errors name it.
struct OldBlob {
    org: OrgId,
    blob: BlobId,
}

impl OldBlob {
    fn damaged(&self, reason: impl std::fmt::Display) -> DriveError {
        let Self { org, blob } = self;
        DriveError::damaged(format!("blob {blob} of organization {org}"), reason)
    }
}

/// Verifies chunk after chunk and hands each to the writer.
async fn pour(
    old: &OldBlob,
    opener: &Opener,
    mut reader: Box<dyn BlobReader>,
    writer: &mut SealedWriter,
) -> Result<(), DriveError> {
    let tag = CHUNK.stride() - CHUNK.bytes();
    let mut index = 0;
    while let Some(mut buffer) = reader.next().await? {
        opener
            .open_strides(index, &mut buffer)
            .map_err(|error| old.damaged(error))?;
        let mut opened = Bytes::from(buffer);
        while !opened.is_empty() {
            let mut chunk = opened.split_to(opened.len().min(CHUNK.stride()));
            chunk.truncate(chunk.len() - tag);
            index += 1;
            writer.write(chunk).await?;
        }
    }
    match index == opener.layout().chunks() {
        true => Ok(()),
        false => Err(old.damaged("it ends early")),
    }
}

/// What a footer and the trailer behind it may take: more than a request's header section holds.
const TAIL_BYTES: RangeInclusive<u64> = 1..=1 << 20;
