use std::path::PathBuf;

use http::StatusCode;

use crate::config::ConfigError;

/// Why a server did not do what was asked, in words for whoever typed it.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum RemoteError {
    /// Nothing says which server is meant.
    #[error(
        "no server is named: log in with `bulkhead login --url URL`, or say --url, and \
         BULKHEAD_TOKEN or --token-file"
    )]
    NoServer,
    /// A profile is named that is not there.
    #[error("there is no profile `{0}`: `bulkhead profile list` shows those that are")]
    NoProfile(String),
    /// The server is known, and nothing to show to it.
    #[error("no token for {0}: log in with `bulkhead login`, or set BULKHEAD_TOKEN")]
    NoToken(String),
    /// No organization is named, and the profile has none.
    #[error("name the organization with --org: this profile has none of its own")]
    NoOrganization,
    /// The address is none.
    #[error("`{url}` is no address of a server: {reason}")]
    InvalidUrl { url: String, reason: &'static str },
    /// A token would cross a network readable by whoever listens there.
    #[error("{0} would send the token in the clear: use https, or say --allow-http")]
    InTheClear(String),
    /// The certificates cannot be used.
    #[error("no certificates (PEM) in {}", path.display())]
    NoCertificates {
        path: PathBuf,
        #[source]
        source: reqwest::Error,
    },
    /// What cannot stand in a path of the API.
    #[error("`{0}` is no name")]
    NoName(String),
    /// What is to be sent is no JSON.
    #[error("it cannot be written as JSON")]
    Unwritable(#[source] serde_json::Error),
    /// The server is down, somewhere else, or not to be trusted.
    #[error("cannot reach {url}")]
    NotReached {
        url: String,
        #[source]
        source: reqwest::Error,
    },
    /// The server says what is wrong.
    #[error("{detail}{} ({} {code})", field.as_ref().map(|f| format!(" [{f}]")).unwrap_or_default(), status.as_u16())]
    Problem {
        status: StatusCode,
        code: String,
        detail: String,
        field: Option<String>,
    },
    /// The token is not valid, or no more.
    #[error("{0} does not accept the token: log in again with `bulkhead login`")]
    Unauthorized(String),
    /// Something answers that is no Bulkhead.
    #[error(
        "what answers at {url} is not /api/v1 of Bulkhead ({status}): is it the control address?"
    )]
    NotBulkhead { url: String, status: StatusCode },
    /// The client's own settings.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A name that means nobody, or more than one.
    #[error("{0}")]
    Unclear(String),
}

impl RemoteError {
    /// Whether what was named is not there, while its organization is.
    pub(in crate::cli) fn is_absence(&self) -> bool {
        self.is("not-found") || self.is("no-such-secret")
    }

    /// Whether the server says so with this code.
    pub(in crate::cli) fn is(&self, expected: &str) -> bool {
        matches!(self, Self::Problem { code, .. } if code == expected)
    }
}
