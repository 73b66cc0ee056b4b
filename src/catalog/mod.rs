//! Metadata: a trait of intentions, one transaction each, behind handles that bind the
//! organization. Stores sealed bytes and MACs that it cannot open.

mod census;
mod change;
mod coherence;
#[cfg(test)]
mod conformance;
mod faulty;
mod handle;
mod mutation;
mod record;
mod rewrap;
mod row;
mod rows;
mod sqlite;
mod store;
#[cfg(test)]
mod tests;

pub use census::{CensusEntry, CensusTaker, FoldedChanges, LogBase, SealedRowSet};
pub use change::{Change, ChangedRow};
pub use coherence::{Class, Coherence, STALE_AFTER, Stamp};
#[doc(hidden)]
pub use faulty::{Calls, Fault, FaultyStore};
pub use handle::{
    Catalog, CommitError, JobCatalog, Jobs, NODE_ALIVE_SECONDS, OrgCatalog, POLL_INTERVAL,
    PlatformCatalog, doors,
};
pub use mutation::{
    Accounting, Bound, CommitVersion, CompletedUpload, Conflict, Effect, Expect, Meter, Mutation,
    PruneChanges, StoredLimits, UsageDelta, UsageSubject, UsageSubjectKind,
};
pub use record::{RecordGuard, RecordKind, RecordQuery, RecordRow, RecordWrite, Sealing};
pub use rewrap::{Reseal, ResealedRow, Rewrap};
pub use row::{Authenticated, FieldSink, Row, RowTag, Unverified};
pub use rows::{
    AuditSegmentRow, BlobRow, Body, BucketRow, Content, CredentialKind, CredentialRow, Destruction,
    KeyState, NameKeyRow, OrgKeyRow, OrgState, OrganizationRow, PartRow, Slice, UploadRow,
    VersionRow, decode_slices, encode_slices,
};
pub use sqlite::SqliteStore;
pub use store::{
    After, CatalogError, CredentialQuery, Found, ListEntry, ListQuery, Listed, NamesKey, Page,
    Recount, SEGMENT_SPAN_MS_MAX, Store, Stored, TagCursor, TaggedRow,
};
