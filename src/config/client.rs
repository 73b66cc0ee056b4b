use std::path::{Path, PathBuf};

use etcetera::{BaseStrategy, choose_base_strategy};

use super::error::{ConfigError, Place};
use super::secret::{self, Secret};

/// The variables that the command line reads when it asks a running server. Those of the server
/// are settings and stand in [`Config`](super::Config).
pub struct ClientVariables {
    /// `BULKHEAD_TOKEN`: the bearer token to show.
    pub token: Option<Secret>,
}

impl ClientVariables {
    /// Reads them from the environment of this process.
    ///
    /// # Errors
    ///
    /// If a variable is set to what it cannot be.
    pub fn load() -> Result<Self, ConfigError> {
        #[expect(clippy::disallowed_methods, reason = "the one door to the environment")]
        let token = std::env::var_os(TOKEN_VARIABLE);
        let place = Place::Variable(TOKEN_VARIABLE.into());
        // What is not UTF-8 becomes text that no token is.
        let token = token.map(|text| (place, text.to_string_lossy().into_owned()));
        Ok(Self {
            token: secret::read(token, None)?,
        })
    }
}

/// Reads a secret that stands alone in a file.
///
/// # Errors
///
/// If the file cannot be read, or holds no line of printable ASCII.
pub fn read_secret_file(path: &Path) -> Result<Secret, ConfigError> {
    let place = Place::File(path.into());
    match secret::read(None, Some((place.clone(), path)))? {
        Some(secret) => Ok(secret),
        None => Err(ConfigError::Invalid {
            place,
            message: "no secret stands there".into(),
        }),
    }
}

/// Where the profiles of this user are, unless `BULKHEAD_PROFILES` says otherwise.
///
/// # Errors
///
/// If the user has no home directory.
pub(super) fn profiles_file() -> Result<PathBuf, ConfigError> {
    #[expect(clippy::disallowed_methods, reason = "the one door to the environment")]
    let named = std::env::var_os(PROFILES_VARIABLE).filter(|path| !path.is_empty());
    if let Some(path) = named {
        return Ok(path.into());
    }
    let strategy = choose_base_strategy().map_err(|error| ConfigError::Invalid {
        place: Place::Variable("HOME".into()),
        message: format!("{error}; {PROFILES_VARIABLE} can name the file of profiles"),
    })?;
    Ok(strategy.config_dir().join("bulkhead").join("profiles.toml"))
}

/// Whether a variable is one that the command line reads, and no setting.
pub(super) fn is_of_command_line(name: &str) -> bool {
    COMMAND_LINE_VARIABLES.contains(&name)
}

/// Read with the command line, but for the token and the profiles, which are read here.
const COMMAND_LINE_VARIABLES: [&str; 7] = [
    "BULKHEAD_CA_FILE",
    "BULKHEAD_CONFIG",
    "BULKHEAD_PROFILE",
    PROFILES_VARIABLE,
    TOKEN_VARIABLE,
    "BULKHEAD_TOKEN_FILE",
    "BULKHEAD_URL",
];
const PROFILES_VARIABLE: &str = "BULKHEAD_PROFILES";
const TOKEN_VARIABLE: &str = "BULKHEAD_TOKEN";
