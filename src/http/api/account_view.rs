//! Accounts and their sessions as they are shown, and what makes and changes them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::view::{RoleView, StateView};

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
