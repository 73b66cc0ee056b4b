use std::ops::Range;

use names::{Checksum, PartNumber};

use super::object::Object;
use super::{DriveError, RangeRequest, ReadRequest};

/// What of an object an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chosen {
    pub(super) range: Range<u64>,
    pub(super) is_partial: bool,
    pub(super) part_checksum: Option<Checksum>,
}

impl ReadRequest {
    /// Chooses the bytes that are asked for.
    pub(super) fn choose(&self, object: &Object) -> Result<Chosen, DriveError> {
        let size = object.row.size;
        match (self.part, self.range) {
            (Some(part), _) => choose_part(object, part),
            (None, Some(range)) => Ok(Chosen {
                range: range.within(size)?,
                is_partial: true,
                part_checksum: None,
            }),
            (None, None) => Ok(Chosen {
                range: 0..size,
                is_partial: false,
                part_checksum: None,
            }),
        }
    }
}

impl RangeRequest {
    /// The bytes of an object of `size` that are meant, at least one.
    pub(super) fn within(self, size: u64) -> Result<Range<u64>, DriveError> {
        let range = match self {
            Self::From(first) => first..size,
            Self::Between(first, last) => first..size.min(last.saturating_add(1)),
            Self::Last(count) => size.saturating_sub(count)..size,
        };
        match range.is_empty() {
            true => Err(DriveError::InvalidRange { size }),
            false => Ok(range),
        }
    }
}

/// Parts are counted from 1 in the order of the object, whatever their numbers were: a client
/// goes from 1 to `x-amz-mp-parts-count`. An object written whole is its own part 1.
fn choose_part(object: &Object, part: PartNumber) -> Result<Chosen, DriveError> {
    let whole = 0..object.row.size;
    let at = usize::from(part.value()) - 1;
    let range = match object.parts() {
        0 if at == 0 => Some(whole),
        0 => None,
        _ => part_ranges(object).nth(at),
    };
    Ok(Chosen {
        range: range.ok_or(DriveError::InvalidPartNumber)?,
        is_partial: true,
        part_checksum: object.record.part_checksums.get(at).copied(),
    })
}

/// Slices of one part stand together.
fn part_ranges(object: &Object) -> impl Iterator<Item = Range<u64>> {
    let mut start = 0;
    object
        .slices()
        .chunk_by(|one, next| one.part == next.part)
        .map(move |part| {
            let range = start..start + part.iter().map(|slice| slice.length).sum::<u64>();
            start = range.end;
            range
        })
}
