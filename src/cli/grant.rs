use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;

use super::remote::{InOrganization, subject_of};
use super::{Outcome, print};

/// Grants: who may do what to what.
#[derive(Debug, Args)]
pub(super) struct Grant {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Grant actions on resources to a member, an agent or a team.
    Create {
        /// The member by e-mail address, the agent or team by name, or any of them by identifier.
        #[arg(long, value_name = "WHO")]
        to: String,
        /// An action, with `*` for any text: `secretsmanager:GetSecretValue`, `s3:Get*`. May be
        /// given again.
        #[arg(long = "action", value_name = "ACTION", required = true)]
        actions: Vec<String>,
        /// A resource: `drive:bucket/prefix*`, `secret:path*`, `agent:id`. May be given again.
        #[arg(long = "resource", value_name = "RESOURCE", required = true)]
        resources: Vec<String>,
        /// When it ends, as in `2026-01-31T00:00:00Z`.
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        /// What it is for.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        #[command(flatten)]
        place: InOrganization,
    },
    /// List grants.
    List {
        /// Those that are about this resource.
        #[arg(long)]
        resource: Option<String>,
        #[command(flatten)]
        place: InOrganization,
    },
    /// Show a grant.
    Show(One),
    /// Take a grant back. It holds from the next request on.
    Revoke(One),
}

#[derive(Debug, Args)]
struct One {
    /// The grant's identifier.
    id: String,
    #[command(flatten)]
    place: InOrganization,
}

impl Grant {
    pub(super) async fn run(self) -> Outcome {
        match self.command {
            Command::Create {
                to,
                actions,
                resources,
                expires_at,
                note,
                place,
            } => {
                let client = place.client()?;
                let (kind, id) = subject_of(&client, &to).await?;
                let body = json!({
                    "subject": {kind.as_str(): id},
                    "actions": actions,
                    "resources": resources,
                    "expires_at": expires_at,
                    "note": note,
                });
                let path = client.below(&["grants"]).await?;
                let grant = client.send(Method::POST, &path, &body).await?;
                Ok(print::item(place.json(), GRANT, &grant)?)
            }
            Command::List { resource, place } => {
                let client = place.client()?;
                let path = client.below(&["grants"]).await?;
                let grants = client.all(&path, &[("resource", resource)]).await?;
                Ok(print::items(place.json(), GRANT, &grants)?)
            }
            Command::Show(one) => {
                let client = one.place.client()?;
                let path = client.below(&["grants", &one.id]).await?;
                let grant = client.get(&path).await?;
                Ok(print::item(one.place.json(), GRANT, &grant)?)
            }
            Command::Revoke(one) => {
                let client = one.place.client()?;
                let path = client.below(&["grants", &one.id]).await?;
                client.delete(&path).await?;
                Ok(())
            }
        }
    }
}

const GRANT: [(&str, &str); 6] = [
    ("SUBJECT", "subject"),
    ("ACTIONS", "actions"),
    ("RESOURCES", "resources"),
    ("EXPIRES", "expires_at"),
    ("NOTE", "note"),
    ("ID", "id"),
];
