use crate::{Id, Random, Result, random::random_bytes};

/// A fresh UUIDv7 (RFC 9562, 5.7) of a time in milliseconds since the epoch: 48 bits of time, 74
/// bits of chance.
///
/// # Errors
/// [`Error::RandomFailed`](crate::Error::RandomFailed).
pub fn new_blob_id(created_ms: u64, random: &dyn Random) -> Result<Id> {
    let mut id: Id = random_bytes(random)?;
    let [_, _, time @ ..] = created_ms.to_be_bytes();
    id[..6].copy_from_slice(&time);
    id[6] = id[6] & 0x0f | 0x70;
    id[8] = id[8] & 0x3f | 0x80;
    Ok(id)
}
