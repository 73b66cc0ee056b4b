//! Who may do what. A [`Permit`] is the only way into a service, and only this module makes one:
//! a table of actions and roles, and pure functions over them.

mod action;
mod allowance;
mod asker;
mod caller;
mod limits;
mod named;
mod permit;
mod resource;
mod rights;
mod role;
#[cfg(test)]
mod tests;

pub use action::{
    AbortUpload, Access, Action, AppendActivity, Area, ChangeSecretPolicy, CompleteUpload,
    CreateBucket, CreateOwnCredential, CreateUpload, DeleteBucket, DeleteObject,
    DeleteOrganization, DeleteSecret, DescribeSecret, DrawPassword, ExportOrganization, GetObject,
    HeadBucket, JudgeSecret, KeepAnswer, ListBuckets, ListObjects, ListOwnCredentials, ListParts,
    ListSecrets, ListUploads, ManageAgents, ManageCredentials, ManageGrants, ManagePeople,
    ManageSettings, OpenShare, PutObject, PutPart, PutSecret, ReadActivity, ReadAgentRecords,
    ReadAgents, ReadCredentials, ReadGrants, ReadPeople, ReadSecretPolicy, ReadSettings, ReadUsage,
    RecordUsage, RevealSecret, RevokeOwnCredential, Row, SendUsage, ShareSecret, ShowSelf,
    UseSecret, WriteAgentRecords, action_named, is_grantable,
};
pub use allowance::{Allowance, Receipt};
pub use caller::{
    Caller, CredentialKind, Identity, LinkHolder, Narrowing, Operator, Scope, Standing,
};
pub use limits::{Limit, Limits};
pub use named::resource_named;
pub use permit::{
    Permit, authorize, create_bucket_as_operator, explain, explain_principal, judge_secret,
    keep_answer, open_share, read_activity_as_operator, read_usage_as_operator, record_activity,
    record_activity_as_operator, record_activity_of_link, record_usage, record_usage_as_operator,
};
pub use resource::{
    HOMES, Home, InBucket, InOrganization, Named, OfHome, OfLink, OfObject, OfSecret, OfSubject,
    Resource, SubjectKind, UnderPath, UnderPrefix,
};
pub use rights::{Granted, Refusal, Rights, Rule, Subject};
pub use role::{InvalidRole, Role};
