use std::ops::Range;

use envelope::Place;
use names::{PartNumber, UploadId};

use super::bodies::BODY_BYTES_MAX;
use super::copy::too_large;
use super::digests::{Digested, Digests};
use super::object::Object;
use super::parts::{PartDraft, PartRefused};
use super::reader::{NotOpened, ObjectReader, Stretch, stretches};
use super::record::PartRecord;
use super::sealed::{ROOM_BYTES, Room, SealedWriter};
use super::service::Done;
use super::session::{ATTEMPTS_MAX, Session};
use super::{DriveError, PartInfo, RangeRequest, ReadConditions};
use crate::authz::{Allowance, GetObject, PutPart, Receipt};
use crate::catalog::{BlobRow, BucketRow, Slice};

impl Session<PutPart> {
    pub(super) async fn copy_part(
        mut self,
        mut source: Session<GetObject>,
        allowance: &Allowance,
        (upload, part): (UploadId, PartNumber),
        range: Option<RangeRequest>,
        conditions: &ReadConditions,
    ) -> Done<PartInfo> {
        let accounting = self.accounting(allowance)?;
        source.same_organization(self.org())?;
        for _ in 0..ATTEMPTS_MAX {
            let (bucket, record) = self.target(upload).await?;
            let object = source.find().await?;
            conditions.check_source(object.etag, object.row.modified_ms)?;
            let range = copied_range(range, object.row.size)?;
            let algorithm = record.checksum.map(|(algorithm, _)| algorithm);
            let digests = Digests::of_copy(!self.shared.settings.opaque_etags, algorithm);
            let slices = slices_of(object.slices(), &range, part);
            let copied = match is_referable(&slices, &range) {
                true => {
                    self.by_reference(source, &object, range, slices, digests)
                        .await
                }
                false => {
                    let part = (&bucket, upload, part);
                    self.by_bytes(source, &object, range, part, digests).await
                }
            };
            let copied = match copied {
                Ok((session, copied)) => {
                    source = session;
                    copied
                }
                Err(NotOpened::Gone { session, .. }) => {
                    source = *session;
                    continue;
                }
                Err(NotOpened::Failed(error)) => return Err(error),
            };
            let draft = PartDraft {
                upload,
                part,
                size: copied.slices.iter().map(|slice| slice.length).sum(),
                record: copied.record,
                slices: copied.slices,
                new_blobs: copied.new_blobs,
                accounting,
            };
            match self.commit_part(&bucket, draft).await {
                Ok(info) => return Ok((info, Receipt::default())),
                // The source was replaced and collected meanwhile: see what it is now.
                Err(PartRefused::BlobGone) => {}
                Err(PartRefused::Failed(error)) => return Err(error),
            }
        }
        Err(DriveError::contended())
    }

    /// Refers to the bytes where they are. They are read all the same, for the part's ETag and
    /// checksum, unless it has neither.
    async fn by_reference(
        &self,
        source: Session<GetObject>,
        object: &Object,
        range: Range<u64>,
        slices: Vec<Slice>,
        digests: Digests,
    ) -> Result<(Session<GetObject>, Copied), NotOpened> {
        let (source, digested) = match digests.is_empty() {
            true => (source, digests.finish()),
            false => {
                let reader = ObjectReader::open(source, object, range, 0).await?;
                reader.digest(digests).await?
            }
        };
        let copied = Copied {
            record: self.record(&digested),
            slices,
            new_blobs: Vec::new(),
        };
        Ok((source, copied))
    }

    /// Writes the bytes into a blob of the part's own.
    async fn by_bytes(
        &self,
        source: Session<GetObject>,
        object: &Object,
        range: Range<u64>,
        (bucket, upload, part): (&BucketRow, UploadId, PartNumber),
        digests: Digests,
    ) -> Result<(Session<GetObject>, Copied), NotOpened> {
        let length = range.end - range.start;
        let mut reader = ObjectReader::open(source, object, range, ROOM_BYTES).await?;
        let place = (Place::Part, Room::Callers);
        let mut writer =
            SealedWriter::begin(&self.shared, self.keys(), place, digests, Some(length)).await?;
        if let Err(error) = pass_on(&mut reader, &mut writer).await {
            writer.abort().await;
            return Err(error.into());
        }
        let (hashed, digested) = writer.end().await?;
        let record = self.record(&digested);
        let blob = self.finish(bucket, hashed, (upload, part), &record).await?;
        let copied = Copied {
            record,
            slices: vec![Slice {
                part: part.value(),
                ..blob.slice
            }],
            new_blobs: vec![blob.row],
        };
        Ok((reader.into_session(), copied))
    }

    fn record(&self, digested: &Digested) -> PartRecord {
        PartRecord {
            etag: self.shared.etag(digested),
            checksum: digested.checksum,
        }
    }
}

/// What a copy makes of a part.
struct Copied {
    record: PartRecord,
    slices: Vec<Slice>,
    new_blobs: Vec<BlobRow>,
}

async fn pass_on(reader: &mut ObjectReader, writer: &mut SealedWriter) -> Result<(), DriveError> {
    while let Some(piece) = reader.next().await? {
        writer.write(piece).await?;
    }
    Ok(())
}

/// The bytes of the source that a part is made of. A range that goes beyond the source is refused
/// rather than cut, as at Amazon.
fn copied_range(range: Option<RangeRequest>, size: u64) -> Result<Range<u64>, DriveError> {
    let range = match range {
        None => 0..size,
        Some(RangeRequest::Between(_, last)) if last >= size => {
            return Err(DriveError::InvalidRange { size });
        }
        Some(range) => range.within(size)?,
    };
    match range.end - range.start > BODY_BYTES_MAX {
        true => Err(too_large()),
        false => Ok(range),
    }
}

/// The slices of `range`, as those of a part.
fn slices_of(slices: &[Slice], range: &Range<u64>, part: PartNumber) -> Vec<Slice> {
    stretches(slices, range)
        .into_iter()
        .map(|Stretch { slice, range }| Slice {
            part: part.value(),
            offset: range.start,
            length: range.end - range.start,
            ..slice
        })
        .collect()
}

/// Whether a part may be made of these slices. What is kept in a row has none. And an object whose
/// parts are copies of many small slices, themselves copied again, would grow a row without bound:
/// so a part has few slices for its length, or its bytes are written anew. With 10,000 parts and
/// 5 TiB, no object has more than 81,000, which take 6 MiB.
fn is_referable(slices: &[Slice], range: &Range<u64>) -> bool {
    let length = range.end - range.start;
    (1..=SLICES_MAX + length / SLICE_BYTES_MIN).contains(&(slices.len() as u64))
}

/// So many slices a part may have in any case,
const SLICES_MAX: u64 = 4;
/// and one more for each 128 MiB.
const SLICE_BYTES_MIN: u64 = 128 << 20;
