use crate::drive::DriveError;
use crate::http::api::problem::Problem;
use crate::http::pipeline::{DoorError, Fault};
use crate::ops::WrongSize;

/// Why an export ended before its end.
pub(super) enum Ended {
    /// Nobody takes it any more.
    Unheard,
    Failed(Fault),
}

impl<E: Into<Problem>> From<E> for Ended {
    fn from(error: E) -> Self {
        Self::Failed(error.into().fault().clone())
    }
}

pub(super) fn wrong(error: WrongSize) -> Ended {
    Ended::Failed(Fault::Damaged(error.to_string()))
}

pub(super) fn failed(error: DriveError) -> Ended {
    Ended::Failed(match error {
        DriveError::Damaged(what) => Fault::Damaged(what),
        other => Fault::Operator(other.to_string()),
    })
}
