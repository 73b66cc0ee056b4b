use std::path::PathBuf;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::ask::{chosen, hidden};
use super::login::Kept;
use super::remote::{ApiPath, Client, Reach, Remote, RemoteError};
use super::{Outcome, print};
use crate::config::Secret;

/// One's own account, and which of its organizations a profile works in.
#[derive(Debug, Args)]
pub(super) struct Account {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show who the token is for, and where.
    Whoami(Remote),
    /// List the organizations that the account is a member of.
    Organizations(Remote),
    /// Let the profile work in another of the account's organizations.
    Switch {
        /// Its short name or identifier.
        organization: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Make an account for an invitation, and keep in a profile a session in the organization that
    /// it is for. The invitation's token and a password are asked for.
    Join {
        /// How people call the person.
        #[arg(long)]
        name: String,
        /// A file that holds the invitation's token; `-` for standard input.
        #[arg(long, value_name = "FILE")]
        invitation_file: Option<PathBuf>,
        /// A file that holds the password: 12 characters or more.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        kept: Kept,
    },
    /// Accept an invitation for the account's address. Its token is asked for.
    Accept {
        /// A file that holds the invitation's token; `-` for standard input.
        #[arg(long, value_name = "FILE")]
        invitation_file: Option<PathBuf>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Call oneself something else.
    Rename {
        /// How people call the person.
        name: String,
        #[command(flatten)]
        remote: Remote,
    },
    /// Choose another password. It ends the account's other sessions.
    Password {
        /// A file that holds the password until now; `-` for standard input.
        #[arg(long, value_name = "FILE")]
        current_password_file: Option<PathBuf>,
        /// A file that holds the new password: 12 characters or more.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        remote: Remote,
    },
    /// Make an account with its personal organization, by the operator's token. A password is
    /// asked for.
    Create {
        /// The e-mail address.
        email: String,
        /// How people call the person.
        #[arg(long)]
        name: String,
        /// A file that holds the password: 12 characters or more; `-` for standard input.
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        remote: Remote,
    },
}

impl Account {
    pub(super) async fn run(self) -> Outcome {
        match self.command {
            Command::Whoami(remote) => whoami(&remote).await,
            Command::Organizations(remote) => {
                let path = ApiPath::of(&["account", "organizations"])?;
                let seats = remote.client()?.all(&path, &[]).await?;
                Ok(print::items(remote.json, SEAT, &seats)?)
            }
            Command::Switch {
                organization,
                remote,
            } => switch(&remote, &organization).await,
            Command::Join {
                name,
                invitation_file,
                password_file,
                kept,
            } => {
                let keeping = kept.keeping()?;
                let token = hidden("Invitation", invitation_file.as_deref())?;
                let password = chosen("Password", password_file.as_deref())?;
                let body = json!({"token": *token, "name": name, "password": *password});
                let path = ApiPath::of(&["invitations", "join"])?;
                let client = keeping.client(None)?;
                let home = client.send(Method::POST, &path, &body).await?;
                let token = home["token"].as_str().unwrap_or_default();
                let client = keeping.client(Some(Secret::new(token.to_owned())))?;
                let session = session_where_joined(&client, &home).await.map_err(|error| {
                    format!(
                        "the account is made and has joined, but no session is kept; log in with \
                         `bulkhead login --org`: {error}"
                    )
                })?;
                keeping.keep_session(session.as_ref().unwrap_or(&home))
            }
            Command::Accept {
                invitation_file,
                remote,
            } => {
                let client = remote.client()?;
                let token = hidden("Invitation", invitation_file.as_deref())?;
                let path = ApiPath::of(&["invitations", "accept"])?;
                let body = json!({"token": *token});
                client.send(Method::POST, &path, &body).await?;
                Ok(())
            }
            Command::Rename { name, remote } => {
                let body = json!({"name": name});
                let account = change(&remote.client()?, &body).await?;
                Ok(print::item(remote.json, ACCOUNT, &account)?)
            }
            Command::Password {
                current_password_file,
                password_file,
                remote,
            } => {
                let client = remote.client()?;
                let current = hidden("Password until now", current_password_file.as_deref())?;
                let password = chosen("New password", password_file.as_deref())?;
                let body = json!({"current_password": *current, "password": *password});
                change(&client, &body).await?;
                Ok(())
            }
            Command::Create {
                email,
                name,
                password_file,
                remote,
            } => {
                let client = remote.client()?;
                let password = chosen("Password", password_file.as_deref())?;
                let body = json!({"email": email, "name": name, "password": *password});
                let path = ApiPath::of(&["operator", "accounts"])?;
                let account = client.send(Method::POST, &path, &body).await?;
                Ok(print::item(remote.json, ACCOUNT, &account)?)
            }
        }
    }
}

async fn change(client: &Client, body: &Value) -> Result<Value, RemoteError> {
    let path = ApiPath::of(&["account"])?;
    client.send(Method::PATCH, &path, body).await
}

/// Who the token is for; of a session the account, too.
async fn whoami(remote: &Remote) -> Outcome {
    let client = remote.client()?;
    if client.is_operator() {
        let path = ApiPath::of(&["organizations"])?;
        let one = [("limit", Some("1".to_owned()))];
        client.get_with(&path, &one).await?;
        return Ok(print::item(
            remote.json,
            [("KIND", "kind")],
            &json!({"kind": "operator"}),
        )?);
    }
    let mut caller = client.get(&ApiPath::of(&["self"])?).await?;
    match client.get(&ApiPath::of(&["account"])?).await {
        Ok(account) => caller["account"] = account,
        // An agent, or a token that is no session.
        Err(error) if error.is("not-for-this-credential") => {}
        Err(error) => return Err(error.into()),
    }
    Ok(print::item(remote.json, CALLER, &caller)?)
}

/// Changes the first session of an account, which is at home, for one in the organization that the
/// account has just joined: the only other one that it has.
async fn session_where_joined(client: &Client, home: &Value) -> Result<Option<Value>, RemoteError> {
    let path = ApiPath::of(&["account", "organizations"])?;
    let seats = client.all(&path, &[]).await?;
    let mut organizations = seats.iter().map(|seat| &seat["organization"]);
    let Some(joined) = organizations.find(|id| **id != home["organization"]) else {
        // Somebody has removed the member as quickly.
        return Ok(None);
    };
    let session = switched(client, joined).await?;
    client
        .delete(&ApiPath::of(&["sessions", "current"])?)
        .await?;
    Ok(Some(session))
}

async fn switched(client: &Client, organization: &Value) -> Result<Value, RemoteError> {
    let path = ApiPath::of(&["sessions", "switch"])?;
    let body = json!({"organization": organization});
    client.send(Method::POST, &path, &body).await
}

/// Begins a session in the other organization, keeps it in the profile, and ends the one before. It
/// is the profile's own session that switches, whatever token a variable holds.
async fn switch(remote: &Remote, organization: &str) -> Outcome {
    let (name, mut profiles) = remote.profile()?;
    let Some(mut profile) = profiles.take(&name) else {
        return Err(RemoteError::NoProfile(name).into());
    };
    let Some(before) = profile.token.take() else {
        return Err(RemoteError::NoToken(profile.url).into());
    };
    let client = Client::new(Reach {
        url: profile.url.clone(),
        ca_file: profile.ca_file.clone(),
        allow_http: profile.allow_http,
        organization: None,
        token: Some(before),
    })?;
    let mut session = switched(&client, &json!(organization)).await?;
    let token = session["token"].as_str().unwrap_or_default();
    profile.token = Some(Secret::new(token.to_owned()));
    let slug = session["slug"].as_str();
    profile.organization = slug.or(session["organization"].as_str()).map(str::to_owned);
    profiles.set(&name, profile);
    profiles.save()?;
    let ended = client.delete(&ApiPath::of(&["sessions", "current"])?).await;
    ended.map_err(|error| format!("switched, but the session before goes on: {error}"))?;
    if let Some(members) = session.as_object_mut() {
        members.remove("token");
    }
    Ok(print::item(remote.json, SESSION, &session)?)
}

const SEAT: [(&str, &str); 5] = [
    ("SLUG", "slug"),
    ("NAME", "name"),
    ("ROLE", "role"),
    ("STATE", "state"),
    ("ID", "organization"),
];
const ACCOUNT: [(&str, &str); 4] = [
    ("E-MAIL", "email"),
    ("NAME", "name"),
    ("CREATED", "created_at"),
    ("ID", "id"),
];
const CALLER: [(&str, &str); 7] = [
    ("KIND", "kind"),
    ("ROLE", "role"),
    ("E-MAIL", "account.email"),
    ("NAME", "account.name"),
    ("ORGANIZATION", "organization"),
    ("PRINCIPAL", "principal"),
    ("CREDENTIAL", "credential"),
];
const SESSION: [(&str, &str); 4] = [
    ("ORGANIZATION", "slug"),
    ("ID", "organization"),
    ("PRINCIPAL", "principal"),
    ("EXPIRES", "expires_at"),
];
