use std::fs;
use std::path::PathBuf;

use clap::Args;
use reqwest::Url;

use super::client::Client;
use super::error::RemoteError;
use crate::config::{ClientVariables, Profiles, Secret, read_secret_file};

/// Which server is asked, and as whom. All commands that ask one take it alike.
#[derive(Debug, Args)]
#[command(next_help_heading = "Server")]
pub(in crate::cli) struct Remote {
    /// The profile to use; the current one, if none is named.
    #[arg(long, value_name = "NAME", env = "BULKHEAD_PROFILE")]
    profile: Option<String>,
    /// The server's control address, in place of a profile's. No profile's token is shown to it:
    /// give one with BULKHEAD_TOKEN or --token-file.
    #[arg(
        long,
        value_name = "URL",
        env = "BULKHEAD_URL",
        conflicts_with = "profile"
    )]
    url: Option<String>,
    /// A file that holds the token, in place of BULKHEAD_TOKEN and the profile's.
    #[arg(long, value_name = "FILE", env = "BULKHEAD_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) that may vouch for the server, beside those of the system.
    #[arg(long, value_name = "FILE", env = "BULKHEAD_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// Let the token be sent over a network in the clear.
    #[arg(long)]
    allow_http: bool,
    /// Write JSON, one value on a line.
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// An organization of the server that is asked.
#[derive(Debug, Args)]
pub(in crate::cli) struct InOrganization {
    /// The organization, by short name or identifier: the profile's or the token's own, if none is
    /// named.
    #[arg(long, value_name = "ORG", help_heading = "Server")]
    pub(in crate::cli) org: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) remote: Remote,
}

impl Remote {
    /// Whether a server is named on the command line or by a variable: not by a current profile.
    pub(in crate::cli) fn is_named(&self) -> bool {
        self.url.is_some() || self.profile.is_some()
    }

    /// The client of the server that is named, or else of the current profile.
    pub(in crate::cli) fn client(&self) -> Result<Client, RemoteError> {
        self.client_of(None)
    }

    fn client_of(&self, org: Option<&str>) -> Result<Client, RemoteError> {
        let named = ClientVariables::load()?.token;
        let named = match &self.token_file {
            Some(path) => Some(read_secret_file(path)?),
            None => named,
        };
        let mut reach = match &self.url {
            Some(url) => Reach {
                url: url.clone(),
                ca_file: self.ca_file.clone(),
                allow_http: self.allow_http,
                token: named,
                organization: None,
            },
            None => self.of_profile(named)?,
        };
        if reach.token.is_none() {
            return Err(RemoteError::NoToken(reach.url));
        }
        if let Some(org) = org {
            reach.organization = Some(org.to_owned());
        }
        Client::new(reach)
    }

    /// The name of the profile that is meant, and all of them.
    pub(in crate::cli) fn profile(&self) -> Result<(String, Profiles), RemoteError> {
        let profiles = Profiles::load()?;
        let name = self.profile.as_deref().or(profiles.current());
        let name = name.ok_or(RemoteError::NoServer)?.to_owned();
        match profiles.named(&name) {
            Some(_) => Ok((name, profiles)),
            None => Err(RemoteError::NoProfile(name)),
        }
    }

    fn of_profile(&self, named: Option<Secret>) -> Result<Reach, RemoteError> {
        let (name, mut profiles) = self.profile()?;
        let profile = profiles.take(&name).ok_or(RemoteError::NoProfile(name))?;
        // What another token reaches is not the profile's organization.
        let organization = match named {
            Some(_) => None,
            None => profile.organization,
        };
        Ok(Reach {
            url: profile.url,
            ca_file: self.ca_file.clone().or(profile.ca_file),
            allow_http: self.allow_http || profile.allow_http,
            token: named.or(profile.token),
            organization,
        })
    }
}

impl InOrganization {
    /// The client, for the organization that is meant.
    pub(in crate::cli) fn client(&self) -> Result<Client, RemoteError> {
        self.remote.client_of(self.org.as_deref())
    }

    pub(in crate::cli) fn json(&self) -> bool {
        self.remote.json
    }
}

/// How a server is reached.
pub(in crate::cli) struct Reach {
    pub(in crate::cli) url: String,
    pub(in crate::cli) ca_file: Option<PathBuf>,
    pub(in crate::cli) allow_http: bool,
    pub(in crate::cli) token: Option<Secret>,
    pub(in crate::cli) organization: Option<String>,
}

impl Reach {
    /// The address, if a token may be sent there.
    pub(super) fn base(&self) -> Result<Url, RemoteError> {
        let invalid = |reason| RemoteError::InvalidUrl {
            url: self.url.clone(),
            reason,
        };
        let url = Url::parse(&self.url).map_err(|_| invalid("it is no URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            // Not shown: a password may stand there.
            return Err(RemoteError::InvalidUrl {
                url: url.host_str().unwrap_or_default().to_owned(),
                reason: "no name and password stand in it: a token is given apart",
            });
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(invalid("it has no query and no fragment"));
        }
        match url.scheme() {
            "https" => Ok(url),
            "http" if self.allow_http || is_this_machine(&url) => Ok(url),
            "http" => Err(RemoteError::InTheClear(self.url.clone())),
            _ => Err(invalid("it begins with https:// or http://")),
        }
    }

    /// The certificates that may vouch for the server, beside those of the system.
    pub(super) fn certificates(&self) -> Result<Vec<reqwest::Certificate>, RemoteError> {
        let Some(path) = &self.ca_file else {
            return Ok(Vec::new());
        };
        let pem = fs::read(path).map_err(|source| crate::config::ConfigError::Unreadable {
            path: path.clone(),
            source,
        })?;
        reqwest::Certificate::from_pem_bundle(&pem).map_err(|source| RemoteError::NoCertificates {
            path: path.clone(),
            source,
        })
    }
}

fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
