//! The key hierarchy at work: the root key file, and an organization's keys, with which the domain
//! modules seal records and authenticate rows. Keys stay in here; callers get what they do.

mod credential;
mod locked;
mod name_keys;
mod org_keys;
mod random;
mod records;
mod ring;
mod root_file;
mod rotation;
mod row_set;
mod storage_error;

#[cfg(test)]
mod tests;

pub use credential::{Credential, Proof};
pub use name_keys::NameIndex;
pub use org_keys::{OrgKeys, Record, RowRefused};
pub use records::RecordDraft;
pub use ring::{Keyring, KeyringError, Provisioned};
pub use root_file::{RootFile, RootFileError};
pub use rotation::{KeyVersion, Rewrapped, RotationError};
pub use row_set::{RowSet, RowSetOf, RowSets};
pub use storage_error::StorageError;
