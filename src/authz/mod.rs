//! Who may do what. A [`Permit`] is the only way into a service, and only this module makes one:
//! a table of actions and pure functions over it.

mod action;
mod allowance;
mod caller;
mod permit;
mod resource;
#[cfg(test)]
mod tests;

pub use action::{
    AbortUpload, Access, Action, AppendActivity, CompleteUpload, CreateBucket, CreateUpload,
    DeleteBucket, DeleteObject, GetObject, HeadBucket, ListBuckets, ListObjects, ListParts,
    ListUploads, PutObject, PutPart, ReadActivity, ReadUsage, RecordUsage,
};
pub use allowance::{Allowance, Receipt};
pub use caller::{Caller, Operator, Scope, Standing};
pub use permit::{
    Permit, Refusal, authorize, read_activity_as_operator, read_usage_as_operator, record_activity,
    record_activity_as_operator, record_usage,
};
pub use resource::{InBucket, InOrganization, OfObject, Resource, UnderPrefix};
