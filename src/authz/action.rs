use names::Glob;

use super::resource::{
    InBucket, InOrganization, OfHome, OfLink, OfObject, OfSecret, OfSubject, Resource, UnderPath,
    UnderPrefix,
};

/// What an action does to the organization's data, which decides who may do it and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Changes nothing that a caller can see. Allowed to read-only credentials and while suspended.
    Read,
    /// Changes data. Refused to read-only credentials and while the organization is suspended.
    Write,
    /// Changes what the organization or a credential is, not its data. Refused to read-only
    /// credentials, and allowed while the organization is suspended or about to be deleted.
    Govern,
    /// Kept by the gateway itself on behalf of a caller: the activity log and usage.
    Record,
}

/// What part of an organization an action is about. Roles are made of areas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// Buckets and objects.
    Drive,
    /// Secrets.
    Vault,
    /// What secrets say themselves of who may do what to them.
    SecretPolicies,
    /// Members, invitations and teams.
    People,
    /// Agents and what they keep.
    Agents,
    /// Grants.
    Grants,
    /// Access keys and tokens of anybody in the organization.
    Credentials,
    /// Who the caller is, and its own credentials.
    Own,
    /// The activity log.
    Activity,
    /// Plan, usage and credits.
    Billing,
    /// Name and settings.
    Settings,
    /// The end of the organization, and its export.
    Lifecycle,
}

impl Area {
    /// Whether a grant may be about it. Who may grant could otherwise become whatever it liked:
    /// what changes rights, credentials or the organization itself goes by roles alone.
    pub(super) fn is_grantable(self, access: Access) -> bool {
        match self {
            Self::Drive | Self::Vault | Self::Agents => access != Access::Record,
            Self::SecretPolicies
            | Self::People
            | Self::Grants
            | Self::Activity
            | Self::Billing
            | Self::Settings => access == Access::Read,
            Self::Credentials | Self::Own | Self::Lifecycle => false,
        }
    }
}

/// One thing that can be permitted. The implementors are the whole table of actions.
pub trait Action: sealed::Sealed + Send + Sync + 'static {
    /// The name in policies and activity logs, in Amazon's spelling where Amazon has the action.
    const NAME: &'static str;
    /// What Amazon calls it elsewhere: policies may use these names too.
    const ALIASES: &'static [&'static str];
    /// What it does to the data.
    const ACCESS: Access;
    /// What it is about.
    const AREA: Area;
    /// What it is done to.
    type Resource: Resource;
    /// All of it as data.
    const ROW: Row = Row {
        name: Self::NAME,
        aliases: Self::ALIASES,
        area: Self::AREA,
        access: Self::ACCESS,
    };
}

macro_rules! actions {
    ($($(#[$doc:meta])* $action:ident = $name:literal $(| $alias:literal)*, $area:ident, $access:ident, $resource:ty;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $action {}
            impl sealed::Sealed for $action {}
            impl Action for $action {
                const NAME: &'static str = $name;
                const ALIASES: &'static [&'static str] = &[$($alias),*];
                const ACCESS: Access = Access::$access;
                const AREA: Area = Area::$area;
                type Resource = $resource;
            }
        )*

        /// Every action, for the printed policy and for whoever asks about one by its name.
        pub(super) const TABLE: &[Row] = &[$($action::ROW),*];
    };
}

/// An action as data.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its name.
    pub name: &'static str,
    /// Its other names.
    pub aliases: &'static [&'static str],
    /// What it is about.
    pub area: Area,
    /// What it does.
    pub access: Access,
}

/// The action that `name` names in a policy, in any case of its letters.
pub fn action_named(name: &str) -> Option<Row> {
    let is_it = |known: &&'static str| known.eq_ignore_ascii_case(name);
    TABLE
        .iter()
        .find(|row| is_it(&row.name) || row.aliases.iter().any(is_it))
        .copied()
}

/// Whether `pattern` names an action that a grant may be about.
pub fn is_grantable(pattern: &Glob) -> bool {
    TABLE.iter().any(|row| {
        row.area.is_grantable(row.access)
            && (pattern.matches_ignoring_case(row.name)
                || row
                    .aliases
                    .iter()
                    .any(|alias| pattern.matches_ignoring_case(alias)))
    })
}

actions! {
    /// Lists the organization's buckets.
    ListBuckets = "s3:ListAllMyBuckets", Drive, Read, InOrganization;
    /// Makes a bucket.
    CreateBucket = "s3:CreateBucket", Drive, Write, InBucket;
    /// Asks whether a bucket exists, and where.
    HeadBucket = "s3:GetBucketLocation", Drive, Read, InBucket;
    /// Deletes an empty bucket.
    DeleteBucket = "s3:DeleteBucket", Drive, Write, InBucket;
    /// Lists the objects below a prefix.
    ListObjects = "s3:ListBucket", Drive, Read, UnderPrefix;
    /// Lists the multipart uploads in progress below a prefix.
    ListUploads = "s3:ListBucketMultipartUploads", Drive, Read, UnderPrefix;
    /// Reads an object or its metadata.
    GetObject = "s3:GetObject", Drive, Read, OfObject;
    /// Writes an object.
    PutObject = "s3:PutObject", Drive, Write, OfObject;
    /// Deletes an object.
    DeleteObject = "s3:DeleteObject", Drive, Write, OfObject;
    /// Begins a multipart upload.
    CreateUpload = "bulkhead:CreateMultipartUpload" | "s3:PutObject", Drive, Write, OfObject;
    /// Writes a part of a multipart upload.
    PutPart = "bulkhead:UploadPart" | "s3:PutObject", Drive, Write, OfObject;
    /// Makes a multipart upload the object.
    CompleteUpload = "bulkhead:CompleteMultipartUpload" | "s3:PutObject", Drive, Write, OfObject;
    /// Gives up a multipart upload.
    AbortUpload = "s3:AbortMultipartUpload", Drive, Write, OfObject;
    /// Lists the parts of a multipart upload.
    ListParts = "s3:ListMultipartUploadParts", Drive, Read, OfObject;

    /// Lists secrets below a path, without their values.
    ListSecrets = "vault:list" | "secretsmanager:ListSecrets", Vault, Read, UnderPath;
    /// Describes a secret and its versions, without their values.
    DescribeSecret = "vault:describe" | "secretsmanager:DescribeSecret" | "secretsmanager:ListSecretVersionIds", Vault, Read, OfSecret;
    /// Shows the value of a secret.
    RevealSecret = "vault:reveal" | "secretsmanager:GetSecretValue" | "secretsmanager:BatchGetSecretValue", Vault, Read, OfSecret;
    /// Uses a secret in a call without seeing it.
    UseSecret = "vault:use", Vault, Read, OfSecret;
    /// Makes a link that shows a secret once to whoever holds it, or takes one back. Making one
    /// takes the right to reveal, too.
    ShareSecret = "vault:share", Vault, Write, OfSecret;
    /// Opens a share link, as whoever holds it.
    OpenShare = "vault:open-share", Vault, Record, OfLink;
    /// Makes or changes a secret.
    PutSecret = "vault:put" | "secretsmanager:CreateSecret" | "secretsmanager:PutSecretValue" | "secretsmanager:UpdateSecret" | "secretsmanager:UpdateSecretVersionStage" | "secretsmanager:TagResource" | "secretsmanager:UntagResource" | "secretsmanager:RestoreSecret", Vault, Write, OfSecret;
    /// Deletes a secret or versions of it.
    DeleteSecret = "vault:delete" | "secretsmanager:DeleteSecret", Vault, Write, OfSecret;
    /// Shows the policy of a secret.
    ReadSecretPolicy = "vault:read-policy" | "secretsmanager:GetResourcePolicy" | "secretsmanager:ListResourcePolicies" | "secretsmanager:ValidateResourcePolicy", SecretPolicies, Read, OfSecret;
    /// Puts a policy on a secret, or takes it away.
    ChangeSecretPolicy = "vault:change-policy" | "secretsmanager:PutResourcePolicy" | "secretsmanager:DeleteResourcePolicy", SecretPolicies, Write, OfSecret;
    /// Draws a password by chance, which is kept nowhere.
    DrawPassword = "vault:draw-password" | "secretsmanager:GetRandomPassword", Own, Read, InOrganization;

    /// Shows who the caller is.
    ShowSelf = "bulkhead:GetCallerIdentity" | "sts:GetCallerIdentity", Own, Read, InOrganization;
    /// Makes a credential of the caller's own, narrower than the one that it shows.
    CreateOwnCredential = "bulkhead:CreateOwnCredential" | "sts:GetSessionToken" | "sts:AssumeRole", Own, Write, InOrganization;
    /// Lists the caller's own credentials.
    ListOwnCredentials = "bulkhead:ListOwnCredentials", Own, Read, InOrganization;
    /// Revokes a credential of the caller's own.
    RevokeOwnCredential = "bulkhead:RevokeOwnCredential", Own, Govern, InOrganization;

    /// Lists or shows members, invitations and teams.
    ReadPeople = "bulkhead:ReadPeople", People, Read, OfSubject;
    /// Invites, changes or removes members, and makes and changes teams.
    ManagePeople = "bulkhead:ManagePeople", People, Write, OfSubject;
    /// Lists or shows agents.
    ReadAgents = "bulkhead:ReadAgents", Agents, Read, OfSubject;
    /// Makes, changes and removes agents.
    ManageAgents = "bulkhead:ManageAgents", Agents, Write, OfSubject;
    /// Reads what an agent keeps: skills, settings, knowledge, conversations and tasks.
    ReadAgentRecords = "bulkhead:ReadAgentRecords", Agents, Read, OfHome;
    /// Writes what an agent keeps.
    WriteAgentRecords = "bulkhead:WriteAgentRecords", Agents, Write, OfHome;
    /// Lists or shows grants, and explains decisions.
    ReadGrants = "bulkhead:ReadGrants", Grants, Read, OfSubject;
    /// Gives and takes grants.
    ManageGrants = "bulkhead:ManageGrants", Grants, Write, OfSubject;
    /// Lists the credentials of anybody in the organization.
    ReadCredentials = "bulkhead:ReadCredentials", Credentials, Read, OfSubject;
    /// Makes credentials for agents, and revokes anybody's.
    ManageCredentials = "bulkhead:ManageCredentials", Credentials, Govern, OfSubject;

    /// Looks up what a secret says itself of who may do what to it, for the caller to be judged by.
    JudgeSecret = "bulkhead:JudgeSecret", Own, Record, InOrganization;
    /// Appends to the organization's activity log.
    AppendActivity = "bulkhead:AppendActivity", Activity, Record, InOrganization;
    /// Reads and verifies the organization's activity log.
    ReadActivity = "bulkhead:ReadActivity", Activity, Read, InOrganization;
    /// Keeps what a request was answered that may be sent again.
    KeepAnswer = "bulkhead:KeepAnswer", Own, Record, InOrganization;
    /// Adds to the organization's usage.
    RecordUsage = "bulkhead:RecordUsage", Billing, Record, InOrganization;
    /// Reads what the organization used, its plan, its credits and statements.
    ReadUsage = "bulkhead:ReadUsage", Billing, Read, InOrganization;
    /// Sends usage events of what runs outside of the gateway.
    SendUsage = "bulkhead:SendUsage", Billing, Write, InOrganization;
    /// Reads the organization's name and settings.
    ReadSettings = "bulkhead:ReadSettings", Settings, Read, InOrganization;
    /// Changes the organization's name and settings.
    ManageSettings = "bulkhead:ManageSettings", Settings, Write, InOrganization;
    /// Exports everything that the organization has, decrypted.
    ExportOrganization = "bulkhead:ExportOrganization", Lifecycle, Read, InOrganization;
    /// Asks for the organization to be deleted, or takes that back.
    DeleteOrganization = "bulkhead:DeleteOrganization", Lifecycle, Govern, InOrganization;
}

mod sealed {
    /// Keeps the table of actions inside this module.
    pub trait Sealed {}
}
