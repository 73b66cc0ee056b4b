//! From nothing to a first access key. Every step finds what an earlier start or another process
//! has made, so that a crash between two of them is mended by the next start.
//!
//! ```text
//! root key file ── platform's key ── its name key ── organization `home` ── access key
//!   only beside       first one        first one        first one           shown, then it works
//!   an empty catalog  wins             wins             wins
//! ```

mod error;
mod first_start;
mod kept;
mod plan;
mod platform;
mod provisioner;
mod template;
mod wish;

#[cfg(test)]
mod tests;

pub use error::{ProvisionError, ProvisioningError};
pub use first_start::{FirstStart, first_start};
pub use platform::{platform, root_file};
pub use provisioner::{Provisioned, ProvisionedAccessKey, Provisioner, ProvisionerParts};
pub use template::{Furnishing, Templates};
pub use wish::{Part, Wish};
