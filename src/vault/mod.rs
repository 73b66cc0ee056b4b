//! Secrets of organizations: paths, versions and stages, each value sealed for its place. To
//! reveal one and to use one are two rights; nothing here hands a value out for the second.

mod amend;
mod cache;
mod changes;
mod checks;
mod defaults;
mod due;
mod error;
mod model;
mod page;
mod password;
mod policy;
mod record;
mod service;
mod shape;
mod share;
mod update;
mod upkeep;
mod versions;

#[cfg(test)]
mod tests;

pub use defaults::Defaults;
pub use due::{Due, DueSecret, Ended};
pub use error::{Field, VaultError};
pub use model::{
    Change, Check, Deletion, Description, GoneVersion, Kind, NewSecret, NewValue, Recovery,
    Revealed, SecretPolicy, Selector, Settings, StageMove, State, Tags, Value, VersionInfo,
    VersionState, Written, stages,
};
pub use page::{Order, OrderBy, OrderPlace};
pub use password::{CharacterKind, PasswordRules};
pub use service::{SecretPage, Vault};
pub use share::{FoundShare, Lifetime, NewShare, OpenedShare, ReadyShare, Share, ShareToken};
