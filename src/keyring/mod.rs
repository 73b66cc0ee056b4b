//! The key hierarchy at work: the root key file, and an organization's keys, with which the domain
//! modules seal records and authenticate rows. Keys stay in here; callers get what they do.

mod org_keys;
mod random;
mod ring;
mod root_file;

#[cfg(test)]
mod tests;

pub use org_keys::{OrgKeys, Record, RowRefused};
pub use ring::{Keyring, KeyringError};
pub use root_file::{RootFile, RootFileError};
