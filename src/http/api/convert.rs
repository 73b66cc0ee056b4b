//! How what the services return is shown.

use names::Slug;

use super::account_view::{AccountView, SeatView};
use super::agent_view::{AgentRecordView, AgentStateView, AgentView, TaskView};
use super::credential_view::{AccessKeyView, CredentialView, NewAccessKeyView};
use super::grant_view::{GrantSubjectView, GrantView};
use super::identity_view::IdentityView;
use super::organization_view::{OrganizationView, ProfileView};
use super::people_view::{InvitationView, MemberView, TeamView};
use super::view::{RoleView, ScopeView, StateView, rfc_3339};
use crate::authz::{self, Role, Scope, Standing};
use crate::tenancy::{
    AccessKey, Account, Agent, AgentRecord, AgentState, Grant, GrantSubject, Invitation,
    IssuedCredential, LinkedIdentity, Member, NewAccessKey, Organization, Profile, Seat, Task,
    Team, Value,
};

impl From<&Organization> for OrganizationView {
    fn from(organization: &Organization) -> Self {
        Self {
            id: organization.org.to_string(),
            slug: organization.slug.as_ref().map(Slug::to_string),
            state: organization.standing.into(),
            delete_after: organization.delete_after_ms.map(rfc_3339),
            created_at: rfc_3339(organization.created_ms),
        }
    }
}

impl From<Standing> for StateView {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Active => Self::Active,
            Standing::Suspended => Self::Suspended,
            Standing::Deleting => Self::Deleting,
            Standing::Sealed => Self::Sealed,
            Standing::Destroyed => Self::Destroyed,
        }
    }
}

impl StateView {
    /// As people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleting => "deleting",
            Self::Sealed => "sealed",
            Self::Destroyed => "destroyed",
        }
    }
}

impl ScopeView {
    /// As people read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::ReadOnly => "read-only",
        }
    }
}

impl From<&AccessKey> for AccessKeyView {
    fn from(key: &AccessKey) -> Self {
        Self {
            id: key.id.to_string(),
            scope: key.scope.into(),
            created_at: rfc_3339(key.created_ms),
            revoked_at: key.revoked_ms.map(rfc_3339),
        }
    }
}

impl<'a> From<&'a NewAccessKey> for NewAccessKeyView<'a> {
    fn from(key: &'a NewAccessKey) -> Self {
        Self {
            id: key.id.as_str(),
            secret: &key.secret,
            scope: key.scope.into(),
            created_at: rfc_3339(key.created_ms),
        }
    }
}

impl From<&LinkedIdentity> for IdentityView {
    fn from(linked: &LinkedIdentity) -> Self {
        Self {
            issuer: linked.issuer.clone(),
            subject: linked.subject.clone(),
            linked_at: rfc_3339(linked.since_ms),
        }
    }
}

impl From<ScopeView> for Scope {
    fn from(scope: ScopeView) -> Self {
        match scope {
            ScopeView::Full => Self::Full,
            ScopeView::ReadOnly => Self::ReadOnly,
        }
    }
}

impl From<Scope> for ScopeView {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Full => Self::Full,
            Scope::ReadOnly => Self::ReadOnly,
        }
    }
}

impl From<RoleView> for Role {
    fn from(role: RoleView) -> Self {
        match role {
            RoleView::Owner => Self::Owner,
            RoleView::Admin => Self::Admin,
            RoleView::Member => Self::Member,
            RoleView::Viewer => Self::Viewer,
            RoleView::Billing => Self::Billing,
        }
    }
}

impl From<Role> for RoleView {
    fn from(role: Role) -> Self {
        match role {
            Role::Owner => Self::Owner,
            Role::Admin => Self::Admin,
            Role::Member => Self::Member,
            Role::Viewer => Self::Viewer,
            Role::Billing => Self::Billing,
        }
    }
}

impl From<&Account> for AccountView {
    fn from(account: &Account) -> Self {
        Self {
            id: account.id.to_string(),
            email: account.email.as_str().to_owned(),
            name: account.name.clone(),
            created_at: rfc_3339(account.created_ms),
        }
    }
}

impl From<&Seat> for SeatView {
    fn from(seat: &Seat) -> Self {
        let details = seat.details.as_ref();
        Self {
            organization: seat.org.to_string(),
            state: seat.standing.into(),
            slug: details.and_then(|details| details.slug.as_ref().map(Slug::to_string)),
            name: details.map(|details| details.name.clone()),
            principal: details.map(|details| details.principal.to_string()),
            role: details.map(|details| details.role.into()),
        }
    }
}

impl From<&Member> for MemberView {
    fn from(member: &Member) -> Self {
        Self {
            id: member.principal.to_string(),
            email: member.email.as_str().to_owned(),
            name: member.name.clone(),
            role: member.role.into(),
            created_at: rfc_3339(member.since_ms),
        }
    }
}

impl From<&Invitation> for InvitationView {
    fn from(invitation: &Invitation) -> Self {
        Self {
            id: invitation.id.to_string(),
            email: invitation.email.as_str().to_owned(),
            role: invitation.role.into(),
            created_at: rfc_3339(invitation.created_ms),
            expires_at: rfc_3339(invitation.expires_ms),
        }
    }
}

impl From<&Team> for TeamView {
    fn from(team: &Team) -> Self {
        Self {
            id: team.id.to_string(),
            name: team.name.clone(),
            created_at: rfc_3339(team.created_ms),
        }
    }
}

impl From<&Agent> for AgentView {
    fn from(agent: &Agent) -> Self {
        let profile = &agent.profile;
        let settings = profile.settings.iter();
        Self {
            id: agent.id.to_string(),
            name: profile.name.as_str().to_owned(),
            state: match agent.state {
                AgentState::Active => AgentStateView::Active,
                AgentState::Suspended | AgentState::Deleting => AgentStateView::Suspended,
            },
            department: profile
                .department
                .as_ref()
                .map(|tag| tag.as_str().to_owned()),
            project: profile.project.as_ref().map(|tag| tag.as_str().to_owned()),
            settings: settings
                .map(|(name, value)| (name.as_str().to_owned(), value.clone()))
                .collect(),
            created_at: rfc_3339(agent.created_ms),
        }
    }
}

impl From<&AgentRecord> for AgentRecordView {
    fn from(record: &AgentRecord) -> Self {
        Self {
            kind: record.kind.as_str().to_owned(),
            name: record.name.as_str().to_owned(),
            value: json(&record.value),
            created_at: rfc_3339(record.created_ms),
            modified_at: rfc_3339(record.modified_ms),
            etag: record.etag,
        }
    }
}

impl From<&Task> for TaskView {
    fn from(task: &Task) -> Self {
        Self {
            id: task.id.to_string(),
            title: task.title.as_str().to_owned(),
            detail: json(&task.detail),
            at: rfc_3339(task.at_ms),
        }
    }
}

impl From<&Grant> for GrantView {
    fn from(grant: &Grant) -> Self {
        let terms = &grant.terms;
        let texts =
            |globs: &[names::Glob]| globs.iter().map(|glob| glob.as_str().to_owned()).collect();
        Self {
            id: grant.id.to_string(),
            subject: match &terms.subject {
                GrantSubject::Member(id) => GrantSubjectView::Member(id.to_string()),
                GrantSubject::Agent(id) => GrantSubjectView::Agent(id.to_string()),
                GrantSubject::Team(id) => GrantSubjectView::Team(id.to_string()),
            },
            actions: texts(&terms.actions),
            resources: texts(&terms.resources),
            expires_at: terms.expires_ms.map(rfc_3339),
            note: terms.note.as_ref().map(|note| note.as_str().to_owned()),
            given_by: grant.given_by.to_string(),
            created_at: rfc_3339(grant.created_ms),
        }
    }
}

impl From<&IssuedCredential> for CredentialView {
    fn from(credential: &IssuedCredential) -> Self {
        Self {
            id: credential.id.to_string(),
            principal: credential.principal.to_string(),
            kind: match credential.kind {
                authz::CredentialKind::AccessKey => "access-key",
                authz::CredentialKind::ApiToken => "api-token",
                authz::CredentialKind::Session(_) => "session",
                authz::CredentialKind::StsSession => "sts-session",
            },
            scope: credential.narrowing.scope.into(),
            role: credential.narrowing.role.map(Into::into),
            label: credential.label.clone(),
            created_at: rfc_3339(credential.created_ms),
            expires_at: credential.expires_ms.map(rfc_3339),
            revoked_at: credential.revoked_ms.map(rfc_3339),
            last_used_at: credential.last_used_ms.map(rfc_3339),
        }
    }
}

impl From<&Profile> for ProfileView {
    fn from(profile: &Profile) -> Self {
        let settings = profile.settings.iter();
        Self {
            name: profile.name.clone(),
            plan: profile.plan.as_ref().map(Slug::to_string),
            settings: settings
                .map(|(name, value)| (name.as_str().to_owned(), value.clone()))
                .collect(),
        }
    }
}

/// A text, or the JSON that it is.
fn json(value: &Value) -> serde_json::Value {
    match value {
        Value::Text(text) => serde_json::Value::String(text.clone()),
        Value::Json(text) => serde_json::from_str(text).unwrap_or_default(),
    }
}
