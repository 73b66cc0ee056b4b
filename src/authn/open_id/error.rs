use wire::jwt::JwtError;

use crate::keyring::KeyringError;

/// Why nobody is believed to be who a token says. No text quotes the token.
#[derive(Debug, thiserror::Error)]
pub enum OpenIdError {
    /// It does not have the form, or no key of the provider signed it.
    #[error(transparent)]
    Token(#[from] JwtError),
    /// No provider of that name, or of the token's issuer, is believed here.
    #[error("the identity provider is not known here")]
    UnknownProvider,
    /// It is for somebody else.
    #[error("the token is for another audience")]
    Audience,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It was not made for this log-in.
    #[error("the token is of another log-in")]
    Nonce,
    /// What a log-in came back with is not of one that began here, or of one too long ago.
    #[error("the log-in did not begin here, or too long ago")]
    NotBegun,
    /// The provider does not take what the log-in came back with.
    #[error("the identity provider refused the log-in")]
    Refused,
    /// The address to come back to is none.
    #[error("redirect_uri is an http or https URL without a fragment")]
    RedirectUri,
    /// The provider does not answer, or not as one does. The text is for the log.
    #[error("the identity provider cannot be asked: {0}")]
    Unreachable(String),
    /// A key cannot be had. The text is for the log.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

impl From<KeyringError> for OpenIdError {
    fn from(error: KeyringError) -> Self {
        Self::Unavailable(error.to_string())
    }
}
