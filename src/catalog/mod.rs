//! Metadata: a trait of intentions, one transaction each, behind handles that bind the
//! organization. Stores sealed bytes and MACs that it cannot open.

mod handle;
mod mutation;
mod row;
mod rows;
mod store;

pub use handle::{Catalog, CommitError, JobCatalog, Jobs, OrgCatalog, PlatformCatalog, doors};
pub use mutation::{
    Accounting, Bound, CommitVersion, CompletedUpload, Conflict, Effect, Expect, Meter, Mutation,
    Rewrap, UsageDelta,
};
pub use row::{Authenticated, FieldSink, Row, RowTag, Unverified};
pub use rows::{
    AccountRow, AuditSegmentRow, BlobRow, Body, BucketRow, Content, CredentialRow, KeyState,
    MembershipRow, NameKeyRow, OrgKeyRow, OrgState, OrganizationRow, PartRow, Role, Slice,
    UploadRow, VersionRow, decode_slices, encode_slices,
};
pub use store::{
    After, CatalogError, Change, ChangedRow, Found, ListEntry, ListQuery, Listed, NamesKey, Page,
    Store, TagCursor, TaggedRow,
};
