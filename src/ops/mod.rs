//! What spans modules: provision, collect garbage, rotate, destroy, verify.

mod abandoned;
mod administration;
mod archive;
mod certificate;
mod checkpoint;
mod collect;
mod destroy;
mod error;
mod expire;
#[cfg(test)]
pub(crate) mod fixture;
mod lock;
pub mod provision;
mod reencrypt;
mod replays;
mod rewrap;
mod root;
mod rotate;
mod scrub;
mod settle;
mod time;
mod verify;

#[cfg(test)]
mod tests;

pub use abandoned::AbandonedUploadSettings;
pub use administration::{
    Act, Administration, AdministrationError, CreditActError, DestroyActError, RecordedAccessKey,
};
pub use archive::{Archive, WrongSize, entry_name};
pub use certificate::{Certificate, Pending};
pub use checkpoint::{CheckpointError, Checkpoints};
pub use collect::{Collected, Collector, CollectorSettings};
pub use destroy::{Destroyed, Destroyer, Run};
pub use error::OpsError;
pub use expire::{Expired, Expirer};
pub use reencrypt::SealedAnew;
pub use replays::{Answered, Pending as PendingAnswer, Replay, Replays};
pub use root::{RootDestroyed, RootRotated, RootRotation};
pub use rotate::{Rotated, Rotation};
pub use settle::Settler;
pub use verify::{Finding, LogReport, LogVerifier, RowName, Verification, Verifier};
