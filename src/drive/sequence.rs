use std::sync::atomic::{AtomicU64, Ordering};

use super::DriveError;

/// Gives versions their order: the time in milliseconds, then a count, so that those drawn later
/// by this process are higher whatever its clock does.
///
/// ```text
/// | milliseconds since the epoch, 44 bits | 20 bits of count |
/// ```
#[derive(Default)]
pub(super) struct Sequences {
    last: AtomicU64,
}

impl Sequences {
    /// A number above every one that was drawn before, and above `current`.
    ///
    /// `current` comes from a row that nobody has verified, so it decides this number alone: a
    /// forged one cannot drive the others up.
    pub(super) fn next(&self, now_ms: u64, current: Option<u64>) -> Result<u64, DriveError> {
        let floor = now_ms.min(u64::MAX >> COUNT_BITS) << COUNT_BITS;
        let drawn = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(floor.max(last + 1))
            })
            .map_or_else(|last| last, |last| floor.max(last + 1));
        // A clock ahead of ours wrote the current version. The step spreads those who go on from
        // it at the same moment.
        let above = current.map_or(0, |current| current.saturating_add(1 + drawn % STEP_MAX));
        let sequence = drawn.max(above);
        match i64::try_from(sequence) {
            Ok(_) => Ok(sequence),
            Err(_) => Err(DriveError::damaged("a version", "its sequence is the last")),
        }
    }
}

const COUNT_BITS: u32 = 20;
const STEP_MAX: u64 = 1024;
