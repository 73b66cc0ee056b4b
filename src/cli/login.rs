use std::path::PathBuf;

use clap::Args;
use http::Method;
use names::{Bearer, BearerKind};
use serde_json::{Value, json};

use super::ask::{hidden, line};
use super::remote::{ApiPath, Client, Reach, Remote, RemoteError};
use super::{Outcome, print};
use crate::config::{Profile, Profiles, Secret};

/// Log in to a server by e-mail address and password, and keep the session in a profile.
#[derive(Debug, Args)]
pub(super) struct LogIn {
    #[command(flatten)]
    kept: Kept,
    /// The account's e-mail address; asked for, if it is not given.
    #[arg(long)]
    email: Option<String>,
    /// The organization that the session is for, by short name or identifier; the personal one, if
    /// none is named.
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// A file that holds the password, `-` for standard input; asked for, if there is none.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Keep an API token or the operator's token in place of a session; it is asked for.
    #[arg(long, conflicts_with_all = ["email", "password_file"])]
    with_token: bool,
    /// As --with-token, from a file; `-` for standard input.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["email", "password_file"])]
    token_file: Option<PathBuf>,
}

/// Which server a profile is about, and its name.
#[derive(Debug, Args)]
pub(super) struct Kept {
    /// The profile's name: the current one or `default`, if none is given.
    #[arg(long, value_name = "NAME", env = "BULKHEAD_PROFILE")]
    profile: Option<String>,
    /// The server's control address; the profile's, if it has one.
    #[arg(long, value_name = "URL", env = "BULKHEAD_URL")]
    url: Option<String>,
    /// Certificates (PEM) that may vouch for the server, beside those of the system.
    #[arg(long, value_name = "FILE", env = "BULKHEAD_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// Let the token be sent over a network in the clear.
    #[arg(long)]
    allow_http: bool,
    /// Write JSON, in one line.
    #[arg(long)]
    json: bool,
}

/// End the session of a profile, and forget its token.
#[derive(Debug, Args)]
pub(super) struct LogOut {
    #[command(flatten)]
    remote: Remote,
}

impl LogIn {
    pub(super) async fn run(self) -> Outcome {
        let keeping = self.kept.keeping()?;
        if self.with_token || self.token_file.is_some() {
            let token = hidden("Token", self.token_file.as_deref())?;
            return keeping.keep_token(&token, self.org).await;
        }
        let client = keeping.client(None)?;
        let email = match self.email {
            Some(email) => email,
            None => line("E-mail")?,
        };
        let password = hidden("Password", self.password_file.as_deref())?;
        let body = json!({
            "email": email,
            "password": *password,
            "organization": self.org,
        });
        let session = client
            .send(Method::POST, &ApiPath::of(&["sessions"])?, &body)
            .await?;
        keeping.keep_session(&session)
    }
}

impl LogOut {
    pub(super) async fn run(self) -> Outcome {
        let (name, mut profiles) = self.remote.profile()?;
        let Some(mut profile) = profiles.take(&name) else {
            return Err(RemoteError::NoProfile(name).into());
        };
        let token = profile.token.take();
        let reach = Reach {
            url: profile.url.clone(),
            ca_file: profile.ca_file.clone(),
            allow_http: profile.allow_http,
            organization: None,
            token,
        };
        // Forgotten first: whatever the server says, this machine holds it no more.
        profiles.set(&name, profile);
        profiles.save()?;
        let is_session = reach.token.as_ref().is_some_and(is_session);
        if is_session {
            let path = ApiPath::of(&["sessions", "current"])?;
            match Client::new(reach)?.delete(&path).await {
                // It had ended before.
                Ok(_) | Err(RemoteError::Unauthorized(_)) => {}
                Err(error) => {
                    return Err(format!(
                        "the token is forgotten here, but the session goes on until it ends by \
                         itself: {error}"
                    )
                    .into());
                }
            }
        }
        Ok(())
    }
}

impl Kept {
    /// What will be kept, once there is a token.
    pub(super) fn keeping(&self) -> Result<Keeping, RemoteError> {
        let mut profiles = Profiles::load()?;
        let name = self.profile.as_deref().or(profiles.current());
        let name = name.unwrap_or(DEFAULT).to_owned();
        let known = profiles.take(&name).unwrap_or_default();
        let is_same_server = self.url.as_ref().is_none_or(|url| *url == known.url);
        let url = self.url.clone().unwrap_or(known.url);
        if url.is_empty() {
            return Err(RemoteError::NoServer);
        }
        Ok(Keeping {
            profile: Profile {
                url,
                ca_file: match &self.ca_file {
                    Some(named) => Some(std::path::absolute(named).unwrap_or(named.clone())),
                    None => known.ca_file.filter(|_| is_same_server),
                },
                allow_http: self.allow_http || (known.allow_http && is_same_server),
                ..Profile::default()
            },
            profiles,
            name,
            json: self.json,
        })
    }
}

/// A profile that is about to get its token.
pub(super) struct Keeping {
    name: String,
    profile: Profile,
    profiles: Profiles,
    json: bool,
}

impl Keeping {
    /// The client of the profile's server.
    pub(super) fn client(&self, token: Option<Secret>) -> Result<Client, RemoteError> {
        Client::new(Reach {
            url: self.profile.url.clone(),
            ca_file: self.profile.ca_file.clone(),
            allow_http: self.profile.allow_http,
            organization: None,
            token,
        })
    }

    /// Keeps a session that has just begun, and tells of it.
    pub(super) fn keep_session(self, session: &Value) -> Outcome {
        let token = session["token"].as_str().unwrap_or_default();
        let organization = session["slug"]
            .as_str()
            .or(session["organization"].as_str())
            .map(str::to_owned);
        let mut told = session.clone();
        if let Some(members) = told.as_object_mut() {
            members.remove("token");
        }
        self.keep(token, organization, told)
    }

    /// Keeps a token that was made before, if the server accepts it.
    async fn keep_token(self, token: &str, org: Option<String>) -> Outcome {
        let client = self.client(Some(Secret::new(token.to_owned())))?;
        let (organization, told) = if client.is_operator() {
            // What only the operator may ask.
            let path = ApiPath::of(&["organizations"])?;
            client
                .get_with(&path, &[("limit", Some("1".into()))])
                .await?;
            (org, json!({"kind": "operator"}))
        } else {
            let caller = client.get(&ApiPath::of(&["self"])?).await?;
            let own = caller["organization"].as_str().map(str::to_owned);
            (org.or(own), caller)
        };
        self.keep(token, organization, told)
    }

    fn keep(mut self, token: &str, organization: Option<String>, mut told: Value) -> Outcome {
        self.profile.token = Some(Secret::new(token.to_owned()));
        self.profile.organization = organization;
        if let Some(members) = told.as_object_mut() {
            members.insert("profile".into(), self.name.as_str().into());
            members.insert("url".into(), self.profile.url.as_str().into());
        }
        let organization = self.profile.organization.clone();
        self.profiles.set(&self.name, self.profile);
        self.profiles.use_by_default(&self.name);
        self.profiles.save()?;
        if self.json {
            return Ok(print::json(&told)?);
        }
        let lines = [format!(
            "Profile `{}`, organization {}, kept in {}",
            print::visible(&self.name),
            print::visible(organization.as_deref().unwrap_or("-")),
            self.profiles.path().display()
        )];
        Ok(print::lines(lines)?)
    }
}

/// Whether it is a session of an account, which ends when its holder leaves.
fn is_session(token: &Secret) -> bool {
    let bearer = Bearer::parse(token.expose());
    bearer.is_ok_and(|bearer| bearer.kind() == BearerKind::Session)
}

const DEFAULT: &str = "default";
