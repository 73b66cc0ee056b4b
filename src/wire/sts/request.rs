use std::ops::RangeInclusive;

use names::Policy;
use zeroize::Zeroizing;

use super::error::{ErrorCode, Refusal};
use super::form::Form;
use super::name::{RoleArn, SessionName};
use crate::policy::{self, PolicyProblem, SESSION_CHARACTERS_MAX};

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// A session of a narrower role.
    AssumeRole,
    /// The same for whoever an identity provider vouches for. The one that nobody signs.
    AssumeRoleWithWebIdentity,
    /// Who the caller is.
    GetCallerIdentity,
    /// A session with the caller's own rights.
    GetSessionToken,
}

/// A request that has been read.
pub enum Request {
    /// A session of a narrower role.
    AssumeRole(AssumeRole),
    /// The same for whoever an identity provider vouches for.
    AssumeRoleWithWebIdentity(AssumeRoleWithWebIdentity),
    /// Who the caller is.
    GetCallerIdentity,
    /// A session with the caller's own rights.
    GetSessionToken {
        /// How long it lasts: 900 to 129,600.
        duration_seconds: u32,
    },
}

/// `AssumeRole`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumeRole {
    /// As what.
    pub role: RoleArn,
    /// What the session is called.
    pub session_name: SessionName,
    /// What it is limited to beside its role.
    pub policy: Option<SessionPolicy>,
    /// How long it lasts: 900 to 43,200.
    pub duration_seconds: u32,
}

/// `AssumeRoleWithWebIdentity`.
pub struct AssumeRoleWithWebIdentity {
    /// As what, for how long, and how limited.
    pub session: AssumeRole,
    /// The token by which the provider vouches: 4 to 20,000 bytes.
    pub token: Zeroizing<String>,
}

/// The policy of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionPolicy {
    /// What it says.
    pub policy: Policy,
    /// How much of what it may have it has, in percent: 1 to 100.
    pub packed_size_percent: u32,
}

impl Action {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::AssumeRole,
        Self::AssumeRoleWithWebIdentity,
        Self::GetCallerIdentity,
        Self::GetSessionToken,
    ];

    /// What a form asks for.
    ///
    /// # Errors
    /// `MissingAction`, `InvalidAction`, `NoSuchVersion`.
    pub fn of(form: &Form) -> Result<Self, Refusal> {
        let name = form.value("Action").ok_or(ErrorCode::MissingAction)?;
        if form.value("Version") != Some(VERSION) {
            return Err(ErrorCode::NoSuchVersion.into());
        }
        let action = Self::ALL.into_iter().find(|action| action.name() == name);
        action.ok_or_else(|| ErrorCode::InvalidAction.into())
    }

    /// As forms and documents name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::AssumeRole => "AssumeRole",
            Self::AssumeRoleWithWebIdentity => "AssumeRoleWithWebIdentity",
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::GetSessionToken => "GetSessionToken",
        }
    }

    /// The parameters that it has here. Any other is refused: to pass over a further policy, a tag
    /// or a second factor would give more than was asked for.
    fn parameters(self) -> &'static [&'static str] {
        match self {
            Self::AssumeRole => &["RoleArn", "RoleSessionName", "Policy", "DurationSeconds"],
            Self::AssumeRoleWithWebIdentity => &[
                "RoleArn",
                "RoleSessionName",
                "Policy",
                "DurationSeconds",
                "WebIdentityToken",
            ],
            Self::GetCallerIdentity => &[],
            Self::GetSessionToken => &["DurationSeconds"],
        }
    }
}

impl Request {
    /// Reads what a form asks for.
    ///
    /// # Errors
    /// `ValidationError`, `MalformedPolicyDocument`, `PackedPolicyTooLarge`.
    pub fn parse(action: Action, form: &Form) -> Result<Self, Refusal> {
        let is_known = |name: &&str| {
            ["Action", "Version"].contains(name) || action.parameters().contains(name)
        };
        if let Some(name) = form.names().find(|name| !is_known(name)) {
            let message = format!(
                "The parameter {} is not supported.",
                crate::json::shown(name)
            );
            return Err(Refusal::new(ErrorCode::ValidationError, message));
        }
        Ok(match action {
            Action::AssumeRole => Self::AssumeRole(AssumeRole::of(form)?),
            Action::AssumeRoleWithWebIdentity => {
                let token = required(form, "WebIdentityToken")?;
                if !(4..=TOKEN_BYTES_MAX).contains(&token.len()) {
                    let message = "WebIdentityToken has 4 to 20,000 bytes.";
                    return Err(Refusal::new(ErrorCode::ValidationError, message));
                }
                Self::AssumeRoleWithWebIdentity(AssumeRoleWithWebIdentity {
                    session: AssumeRole::of(form)?,
                    token: Zeroizing::new(token.to_owned()),
                })
            }
            Action::GetCallerIdentity => Self::GetCallerIdentity,
            Action::GetSessionToken => Self::GetSessionToken {
                duration_seconds: duration(form, TOKEN_SECONDS_DEFAULT, 900..=129_600)?,
            },
        })
    }
}

impl AssumeRole {
    fn of(form: &Form) -> Result<Self, Refusal> {
        Ok(Self {
            role: RoleArn::parse(required(form, "RoleArn")?)?,
            session_name: SessionName::parse(required(form, "RoleSessionName")?)?,
            policy: form.value("Policy").map(SessionPolicy::parse).transpose()?,
            duration_seconds: duration(form, ROLE_SECONDS_DEFAULT, 900..=43_200)?,
        })
    }
}

impl SessionPolicy {
    /// Reads `Policy`.
    fn parse(text: &str) -> Result<Self, Refusal> {
        let policy = policy::parse(text, SESSION_CHARACTERS_MAX).map_err(|error| {
            let code = match error.problem {
                PolicyProblem::TooLong(_) => ErrorCode::PackedPolicyTooLarge,
                _ => ErrorCode::MalformedPolicyDocument,
            };
            Refusal::new(code, error.to_string())
        })?;
        let percent = (text.chars().count() * 100).div_ceil(SESSION_CHARACTERS_MAX);
        Ok(Self {
            policy,
            // At most 100: it is no longer than it may be.
            packed_size_percent: u32::try_from(percent).unwrap_or(100),
        })
    }
}

fn required<'a>(form: &'a Form, name: &'static str) -> Result<&'a str, Refusal> {
    form.value(name).ok_or_else(|| {
        let message = format!("The parameter {name} is missing.");
        Refusal::new(ErrorCode::ValidationError, message)
    })
}

fn duration(form: &Form, default: u32, allowed: RangeInclusive<u32>) -> Result<u32, Refusal> {
    let Some(text) = form.value("DurationSeconds") else {
        return Ok(default);
    };
    let seconds = text.parse().ok().filter(|number| allowed.contains(number));
    seconds.ok_or_else(|| {
        let (least, most) = allowed.into_inner();
        let message = format!("DurationSeconds is a number from {least} to {most}.");
        Refusal::new(ErrorCode::ValidationError, message)
    })
}

const VERSION: &str = "2011-06-15";
const TOKEN_BYTES_MAX: usize = 20_000;
/// Twelve hours.
const TOKEN_SECONDS_DEFAULT: u32 = 43_200;
const ROLE_SECONDS_DEFAULT: u32 = 3_600;
