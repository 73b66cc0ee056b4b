//! Members, invitations and teams as they are shown, and what makes and changes them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::view::RoleView;

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
