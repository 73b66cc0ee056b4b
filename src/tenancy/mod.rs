//! The organization model: organizations, accounts and their sessions, members, teams, agents and
//! grants. Every row is verified before it is believed, and every change is compared and set.

mod access_key;
mod account;
mod agent;
mod agent_identity;
mod agent_log_in;
mod agent_record;
mod attempts;
mod costs;
mod credential;
mod email;
mod error;
mod explain;
mod grant;
mod identity;
mod invitation;
mod member;
mod organization;
mod password;
mod plan;
mod profile;
mod record;
mod rights;
mod service;
mod session;
mod standing;
mod task;
mod team;
mod text;

#[cfg(test)]
mod tests;

pub use access_key::{AccessKey, DraftAccessKey, NewAccessKey};
pub use account::{Account, NewAccount, SignUps};
pub use agent::{Agent, AgentProfile, AgentState, SETTINGS_MAX};
pub use agent_record::{AgentRecord, AgentRecordKind, Expected, RecordCursor, RecordPage};
pub use costs::{CostCenter, CostCenterKind};
pub use credential::{
    CredentialRequest, IssuedCredential, NewCredential, NewCredentialKind, Shown,
};
pub use email::{Email, InvalidEmail};
pub use error::TenancyError;
pub use grant::{Grant, GrantFilter, GrantSubject, GrantTerms};
pub use identity::LinkedIdentity;
pub use invitation::{DraftInvitation, INVITATION_DEFAULT, Invitation, NewInvitation};
pub use member::Member;
pub use organization::{GRACE_DEFAULT, Organization, Ownership, Transition};
pub use password::{InvalidPassword, Password};
pub use plan::{Billing, InvalidPrice, Plan, Price, Prices, Terms};
pub use profile::{PROFILE_SETTINGS_MAX, Profile, ProfileChange};
pub use service::Tenancy;
pub use session::{NewSession, Seat, SeatDetails, SignedIn};
pub use task::Task;
pub use team::{Team, TeamSeat};
pub use text::{InvalidLabel, InvalidValue, Label, Value};
