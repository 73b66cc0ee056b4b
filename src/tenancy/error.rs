use crate::catalog::Conflict;
use crate::keyring::StorageError;

/// Why tenancy did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum TenancyError {
    /// No such organization, or none of the account's.
    #[error("no such organization")]
    NoSuchOrganization,
    /// No such access key in the organization.
    #[error("no such access key")]
    NoSuchAccessKey,
    /// No such thing in the organization: a member, a team, an agent, a grant.
    #[error("no such {0}")]
    NoSuch(&'static str),
    /// The invitation was never made, is used, expired or revoked, is another's, or whoever made
    /// it may not make it any more. It does not say which.
    #[error("the invitation is not valid")]
    NoSuchInvitation,
    /// The slug is taken.
    #[error("the slug is taken")]
    SlugTaken,
    /// There is one already.
    #[error("{0} already")]
    Exists(&'static str),
    /// Somebody else changed it meanwhile, or it is not as the caller saw it.
    #[error("it was changed meanwhile")]
    Changed,
    /// The organization's state does not allow it.
    #[error("the organization is {0}")]
    State(&'static str),
    /// What was asked for cannot be.
    #[error("{0}")]
    Invalid(&'static str),
    /// The plan, or the house, has no place for more.
    #[error("there may be {max} {what} at most")]
    LimitReached {
        /// Of what.
        what: &'static str,
        /// How many.
        max: u64,
    },
    /// Somebody has to own the organization.
    #[error("the last owner cannot leave or become anything else")]
    LastOwner,
    /// Nobody gives or takes what is above one's own role.
    #[error("this is above your own role")]
    AboveOwnRole,
    /// A credential cannot make one that reaches further than itself.
    #[error("a credential makes only credentials that reach no further than itself")]
    TooWide,
    /// E-mail address and password, or identity, are not those of an account; or there were too
    /// many attempts. It does not say which.
    #[error("the e-mail address or the password is wrong, or there were too many attempts")]
    LogInRefused,
    /// Too many attempts from one address.
    #[error("too many attempts: try again in {retry_after_seconds} seconds")]
    TooManyAttempts {
        /// When to try again.
        retry_after_seconds: u64,
    },
    /// Accounts are made by the operator, or by invitation.
    #[error("accounts are made by the operator or by invitation")]
    SignUpsClosed,
    /// The catalog or a key cannot be had. The text is for the log.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// A row is not what was written. The text is for the log.
    #[error("damaged: {0}")]
    Damaged(String),
}

impl TenancyError {
    /// An authentic row that stands where another one belongs.
    pub(super) fn misplaced(what: &str) -> Self {
        Self::Damaged(format!("the row of {what} is misplaced"))
    }
}

impl<E: Into<StorageError>> From<E> for TenancyError {
    fn from(error: E) -> Self {
        match error.into() {
            StorageError::Unavailable(cause) => Self::Unavailable(cause),
            StorageError::Damaged(what) => Self::Damaged(what),
        }
    }
}

/// A conflict that the mutation at hand has no better name for.
impl From<Conflict> for TenancyError {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::Changed | Conflict::Stale { .. } | Conflict::KeyClosed { .. } => {
                Self::Changed
            }
            other => Self::Unavailable(other.to_string()),
        }
    }
}
