use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::{Value, json};

use super::remote::{Client, InOrganization, RemoteError, agent_of};
use super::{Outcome, RoleArgument, print};

/// API tokens: what programs show to `/api/v1`, as oneself or as an agent.
#[derive(Debug, Args)]
pub(super) struct Token {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token. It is shown this once.
    Create {
        #[command(flatten)]
        terms: Terms,
        #[command(flatten)]
        place: InOrganization,
    },
    /// List one's own credentials: tokens, access keys and sessions.
    List {
        /// Everybody's in the organization.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        place: InOrganization,
    },
    /// Revoke a credential for good.
    Revoke {
        /// Its public name.
        id: String,
        /// It is somebody else's.
        #[arg(long)]
        of_another: bool,
        #[command(flatten)]
        place: InOrganization,
    },
}

/// What a credential is to be, besides its kind.
#[derive(Debug, Args)]
pub(super) struct Terms {
    /// The agent that it is for, by name or identifier; oneself, if none is named.
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
    /// Let it do only what changes nothing.
    #[arg(long)]
    pub(super) read_only: bool,
    /// Limit it to what this role may do.
    #[arg(long, value_enum)]
    role: Option<RoleArgument>,
    /// When it ends, as in `2026-01-31T00:00:00Z`.
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
    /// What to call it.
    #[arg(long, value_name = "TEXT")]
    label: Option<String>,
}

/// What a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum CredentialKind {
    AccessKey,
    ApiToken,
}

impl Token {
    pub(super) async fn run(self) -> Outcome {
        match self.command {
            Command::Create { terms, place } => {
                let client = place.client()?;
                let made = create(&client, CredentialKind::ApiToken, &terms).await?;
                Ok(print::item(place.json(), NEW, &made)?)
            }
            Command::List { all, place } => {
                let client = place.client()?;
                let found = list(&client, Whose::of(all)).await?;
                Ok(print::items(place.json(), CREDENTIAL, &found)?)
            }
            Command::Revoke {
                id,
                of_another,
                place,
            } => {
                let client = place.client()?;
                Ok(revoke(&client, Whose::of(of_another), &id).await?)
            }
        }
    }
}

impl Terms {
    /// Whether anything is asked that only a principal's own credential has.
    pub(super) fn is_plain(&self) -> bool {
        let Self {
            agent,
            read_only: _,
            role,
            expires_at,
            label,
        } = self;
        agent.is_none() && role.is_none() && expires_at.is_none() && label.is_none()
    }
}

/// Whose credentials are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Own,
    Anybodys,
}

impl Whose {
    pub(super) fn of(anybodys: bool) -> Self {
        match anybodys {
            true => Self::Anybodys,
            false => Self::Own,
        }
    }

    fn path(self) -> &'static [&'static str] {
        match self {
            Self::Own => &["self", "credentials"],
            Self::Anybodys => &["credentials"],
        }
    }
}

/// Makes a credential of one's own, or of an agent.
pub(super) async fn create(
    client: &Client,
    kind: CredentialKind,
    terms: &Terms,
) -> Result<Value, RemoteError> {
    let path = match &terms.agent {
        Some(agent) => {
            let id = agent_of(client, agent).await?;
            client.below(&["agents", &id, "credentials"]).await?
        }
        None => client.below(&["self", "credentials"]).await?,
    };
    let body = json!({
        "kind": match kind {
            CredentialKind::AccessKey => "access-key",
            CredentialKind::ApiToken => "api-token",
        },
        "scope": if terms.read_only { "read-only" } else { "full" },
        "role": terms.role.map(RoleArgument::as_str),
        "expires_at": terms.expires_at,
        "label": terms.label,
    });
    client.send(Method::POST, &path, &body).await
}

pub(super) async fn list(client: &Client, whose: Whose) -> Result<Vec<Value>, RemoteError> {
    client.all(&client.below(whose.path()).await?, &[]).await
}

pub(super) async fn revoke(client: &Client, whose: Whose, id: &str) -> Result<(), RemoteError> {
    let path = [whose.path(), &[id]].concat();
    client.delete(&client.below(&path).await?).await?;
    Ok(())
}

/// How a credential is listed.
pub(super) const CREDENTIAL: [(&str, &str); 8] = [
    ("ID", "id"),
    ("KIND", "kind"),
    ("LABEL", "label"),
    ("SCOPE", "scope"),
    ("ROLE", "role"),
    ("EXPIRES", "expires_at"),
    ("REVOKED", "revoked_at"),
    ("LAST USED", "last_used_at"),
];
const NEW: [(&str, &str); 4] = [
    ("ID", "id"),
    ("SCOPE", "scope"),
    ("EXPIRES", "expires_at"),
    ("TOKEN", "token"),
];
