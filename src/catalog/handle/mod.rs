//! The handles that open a catalog, and nothing else does: each binds the organization, or stands
//! for the platform or a background job.

mod commit;
mod doors;
mod jobs;
mod organization;
mod platform;

pub use commit::CommitError;
pub use doors::{Catalog, doors};
pub use jobs::{JobCatalog, Jobs};
pub use organization::OrgCatalog;
pub use platform::{NODE_ALIVE_SECONDS, POLL_INTERVAL, PlatformCatalog};
