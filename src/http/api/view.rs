//! What is shown and taken as JSON: the names and forms that clients rely on.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

pub use super::agent_view::*;
pub use super::usage_view::{ActivityPageView, HourUsageView};

/// A page of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "PageOf{T}")]
pub struct PageView<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// The `after` of the next page, when there is one.
    pub next: Option<String>,
}

/// An organization.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Organization")]
pub struct OrganizationView {
    /// Its identifier, a UUID.
    pub id: String,
    /// Its short name; a destroyed one has none.
    pub slug: Option<String>,
    /// Whether it may be worked in.
    pub state: StateView,
    /// When it will be destroyed (RFC 3339), if it is being deleted.
    pub delete_after: Option<String>,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

/// Whether an organization may be worked in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "State")]
pub enum StateView {
    /// All calls.
    Active,
    /// Reads only.
    Suspended,
    /// Reads only, until it is destroyed or restored.
    Deleting,
    /// Keys are evicted.
    Sealed,
    /// Keys are deleted.
    Destroyed,
}

/// Whether a credential may write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Scope")]
pub enum ScopeView {
    /// All that its principal may do.
    #[default]
    Full,
    /// Only what changes nothing.
    ReadOnly,
}

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Role")]
pub enum RoleView {
    /// Everything, the end of the organization included.
    Owner,
    /// Everything but the end of the organization, its export and its plan.
    Admin,
    /// The files of the organization, and what was granted.
    Member,
    /// Reads the files of the organization.
    Viewer,
    /// Usage, plan and credits.
    Billing,
}

/// What makes an organization.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewOrganization")]
pub struct NewOrganization {
    /// Its short name: 1 to 63 of a-z, 0-9 and -.
    pub slug: String,
    /// What people call it; the short name, if nothing is said.
    pub name: Option<String>,
    /// The plan that it is put on.
    pub plan: Option<String>,
    /// Who is invited to own it.
    pub owner: Option<NewOwner>,
    /// Its first agents, 32 at most.
    #[serde(default)]
    pub agents: Vec<NewFirstAgent>,
    /// Its first access key, if it is to have one.
    pub access_key: Option<AccessKeyRequest>,
    /// Its first buckets, 32 at most.
    #[serde(default)]
    pub buckets: Vec<String>,
}

/// Who is invited to own an organization.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewOwner")]
pub struct NewOwner {
    /// The e-mail address.
    pub email: String,
}

/// An agent that an organization is made with.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewFirstAgent")]
pub struct NewFirstAgent {
    /// What it is called.
    pub name: String,
    /// Whose costs it makes.
    pub department: Option<String>,
    /// For what it makes them.
    pub project: Option<String>,
}

/// An organization as it was made. Its secrets are shown by this answer, and for a day by its
/// repetition under the same idempotency key.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ProvisionedOrganization")]
pub struct ProvisionedView<'a> {
    /// The organization.
    #[serde(flatten)]
    pub organization: OrganizationView,
    /// The plan that it was put on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The invitation of its owner; none once it was used or revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invitation: Option<NewInvitationView<'a>>,
    /// Its first agents.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<FirstAgentView>,
    /// Its first access key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key: Option<FirstAccessKeyView<'a>>,
    /// Its first buckets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<String>,
}

/// An agent that an organization was made with.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FirstAgent")]
pub struct FirstAgentView {
    /// Its principal, a UUID.
    pub id: String,
    /// What it is called.
    pub name: String,
}

/// The access key that an organization was made with.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "FirstAccessKey")]
pub struct FirstAccessKeyView<'a> {
    /// Its public half.
    pub id: &'a str,
    /// Its secret half.
    pub secret: &'a str,
    /// How far it reaches.
    pub scope: ScopeView,
}

/// An access key of the organization as a whole, without its secret.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AccessKey")]
pub struct AccessKeyView {
    /// Its public half.
    pub id: String,
    /// How far it reaches.
    pub scope: ScopeView,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it was revoked (RFC 3339).
    pub revoked_at: Option<String>,
}

/// An access key with its secret: the one time that it is shown.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewAccessKey")]
pub struct NewAccessKeyView<'a> {
    /// Its public half.
    pub id: &'a str,
    /// Its secret half.
    pub secret: &'a str,
    /// How far it reaches.
    pub scope: ScopeView,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

/// What makes an access key of the organization as a whole.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AccessKeyRequest")]
pub struct AccessKeyRequest {
    /// How far it is to reach.
    #[serde(default)]
    pub scope: ScopeView,
}

/// An account that signs up.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SignUp")]
pub struct SignUp {
    /// The e-mail address.
    pub email: String,
    /// The password: 12 to 1,024 characters.
    pub password: String,
    /// How people call the person.
    pub name: String,
}

/// An account that logs in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "LogIn")]
pub struct LogIn {
    /// The e-mail address.
    pub email: String,
    /// The password.
    pub password: String,
    /// The organization that the session is for; the personal one, if none is named.
    pub organization: Option<String>,
}

/// A session for another organization of the account.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Switch")]
pub struct Switch {
    /// The organization, by slug or identifier.
    pub organization: String,
}

/// A session with its token: the one time that it is shown.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub struct SessionView<'a> {
    /// The bearer token.
    pub token: &'a str,
    /// The identifier of the one organization that it is for.
    pub organization: String,
    /// That organization's short name.
    pub slug: Option<String>,
    /// Who the account is there.
    pub principal: String,
    /// When it ends (RFC 3339).
    pub expires_at: String,
}

/// An account that is made for an invitation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewMember")]
pub struct NewMember {
    /// The token of the invitation.
    pub token: String,
    /// How people call the person.
    pub name: String,
    /// The password.
    pub password: String,
}

/// Who the caller is.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Self")]
pub struct SelfView {
    /// The organization's identifier.
    pub organization: String,
    /// The principal's identifier.
    pub principal: String,
    /// `member`, `agent` or `organization`.
    pub kind: String,
    /// What a member is.
    pub role: Option<RoleView>,
    /// The credential's public name.
    pub credential: String,
}

/// An account.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Account")]
pub struct AccountView {
    /// Its identifier, a UUID.
    pub id: String,
    /// The e-mail address.
    pub email: String,
    /// How people call the person.
    pub name: String,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

/// What changes of an account.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AccountChange")]
pub struct AccountChange {
    /// How people call the person.
    pub name: Option<String>,
    /// A new password; the one until now has to come with it.
    pub password: Option<String>,
    /// The password until now.
    pub current_password: Option<String>,
}

/// An organization of an account.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Seat")]
pub struct SeatView {
    /// The organization's identifier.
    pub organization: String,
    /// Whether it may be worked in.
    pub state: StateView,
    /// Its short name; nothing while it is sealed.
    pub slug: Option<String>,
    /// How people call it; nothing while it is sealed.
    pub name: Option<String>,
    /// Who the account is there; nothing while it is sealed.
    pub principal: Option<String>,
    /// What the account is there; nothing while it is sealed.
    pub role: Option<RoleView>,
}

/// A member.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Member")]
pub struct MemberView {
    /// The member's principal, a UUID.
    pub id: String,
    /// The account's e-mail address.
    pub email: String,
    /// How people call the person.
    pub name: String,
    /// What the member is.
    pub role: RoleView,
    /// When the membership began (RFC 3339).
    pub created_at: String,
}

/// What changes of a member.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "MemberChange")]
pub struct MemberChange {
    /// What the member is to be.
    pub role: RoleView,
}

/// An invitation.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Invitation")]
pub struct InvitationView {
    /// Its identifier, a UUID.
    pub id: String,
    /// Whom it is for.
    pub email: String,
    /// What that account will be.
    pub role: RoleView,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it ends (RFC 3339).
    pub expires_at: String,
}

/// An invitation with its token: the one time that it is shown.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewInvitation")]
pub struct NewInvitationView<'a> {
    /// What is shown of it later, too.
    #[serde(flatten)]
    pub invitation: InvitationView,
    /// What the invited account shows to accept it.
    pub token: &'a str,
}

/// What makes an invitation.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "InvitationRequest")]
pub struct InvitationRequest {
    /// Whom it is for.
    pub email: String,
    /// What that account will be.
    pub role: RoleView,
}

/// The token of an invitation.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Acceptance")]
pub struct Acceptance {
    /// The token.
    pub token: String,
}

/// A team.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Team")]
pub struct TeamView {
    /// Its identifier, a UUID.
    pub id: String,
    /// How people call it.
    pub name: String,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

/// What makes or changes a team.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TeamRequest")]
pub struct TeamRequest {
    /// How people call it.
    pub name: String,
}

/// Somebody in a team.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "TeamSeat")]
pub struct TeamSeatView {
    /// The principal: a member or an agent.
    pub principal: String,
}

/// To whom something is granted.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(rename = "GrantSubject")]
pub enum GrantSubjectView {
    /// A member, by identifier.
    Member(String),
    /// An agent, by identifier.
    Agent(String),
    /// A team, by identifier.
    Team(String),
}

/// A grant.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Grant")]
pub struct GrantView {
    /// Its identifier, a UUID.
    pub id: String,
    /// To whom.
    pub subject: GrantSubjectView,
    /// What it allows: actions, with `*` for any text.
    pub actions: Vec<String>,
    /// On what: `drive:bucket/prefix*`, `secret:path*`, `agent:id`.
    pub resources: Vec<String>,
    /// When it ends (RFC 3339).
    pub expires_at: Option<String>,
    /// What it is for.
    pub note: Option<String>,
    /// Who gave it.
    pub given_by: String,
    /// When it was given (RFC 3339).
    pub created_at: String,
}

/// What is to be granted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "GrantRequest")]
pub struct GrantRequest {
    /// To whom.
    pub subject: GrantSubjectView,
    /// What it allows.
    pub actions: Vec<String>,
    /// On what.
    pub resources: Vec<String>,
    /// When it ends (RFC 3339).
    pub expires_at: Option<String>,
    /// What it is for.
    pub note: Option<String>,
}

/// A credential, without what proves it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Credential")]
pub struct CredentialView {
    /// Its public name.
    pub id: String,
    /// Whose it is.
    pub principal: String,
    /// `access-key`, `api-token`, `session` or `sts-session`.
    pub kind: &'static str,
    /// Whether it may write.
    pub scope: ScopeView,
    /// The role that it is limited to.
    pub role: Option<RoleView>,
    /// What its owner calls it.
    pub label: Option<String>,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it ends (RFC 3339).
    pub expires_at: Option<String>,
    /// When it was revoked (RFC 3339).
    pub revoked_at: Option<String>,
    /// When it was last used (RFC 3339), to the minute or so.
    pub last_used_at: Option<String>,
}

/// A credential with what proves it: the one time that it is shown.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewCredential")]
pub struct NewCredentialView<'a> {
    /// What is shown of it later, too.
    #[serde(flatten)]
    pub credential: CredentialView,
    /// The secret half of an access key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<&'a str>,
    /// A whole bearer token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<&'a str>,
}

/// What makes a credential.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "CredentialRequest")]
pub struct CredentialAsked {
    /// What it is to be.
    pub kind: CredentialKindAsked,
    /// Whether it may write.
    #[serde(default)]
    pub scope: ScopeView,
    /// The role that it is to be limited to.
    pub role: Option<RoleView>,
    /// When it is to end (RFC 3339).
    pub expires_at: Option<String>,
    /// What its owner calls it.
    pub label: Option<String>,
}

/// What a credential is to be.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "CredentialKind")]
pub enum CredentialKindAsked {
    /// An access key, which signs requests to S3.
    AccessKey,
    /// An API token, which is shown as a bearer.
    ApiToken,
}

/// What to explain.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ExplainRequest")]
pub struct ExplainRequest {
    /// Whose rights: a member or an agent, by identifier.
    pub principal: String,
    /// The action's name in policies.
    pub action: String,
    /// The resource as policies name it; with a star at its end, a listing.
    pub resource: String,
}

/// What was decided, and by which rule.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Explanation")]
pub struct ExplanationView {
    /// Whether it is allowed.
    pub allowed: bool,
    /// The rule that allows it, or why none does.
    pub rule: String,
}

/// The settings of an organization.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Profile")]
pub struct ProfileView {
    /// How people call the organization.
    pub name: String,
    /// The plan that it is on.
    pub plan: Option<String>,
    /// Its settings.
    pub settings: BTreeMap<String, String>,
}

/// What changes of the settings of an organization; what is left out stays.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ProfileChange")]
pub struct ProfileChangeRequest {
    /// How people call the organization.
    pub name: Option<String>,
    /// Settings to set; `null` takes one away.
    #[serde(default)]
    pub settings: BTreeMap<String, Option<String>>,
}

/// How an organization is to be deleted.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DeletionRequest")]
pub struct DeletionRequest {
    /// Days within which it can be restored: 0 to 90; 7, if it does not say.
    #[schemars(range(min = 0, max = 90))]
    pub grace_days: Option<u32>,
}

/// Milliseconds since the epoch as people and programs read them; the epoch itself for what lies
/// beyond the year 9999.
pub(super) fn rfc_3339(ms: u64) -> String {
    let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000);
    at.unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(&Rfc3339)
        .unwrap_or_default()
}
