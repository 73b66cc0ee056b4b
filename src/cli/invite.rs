use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;

use super::remote::InOrganization;
use super::{Outcome, RoleArgument, print};

/// Invite people into an organization.
#[derive(Debug, Args)]
pub(super) struct Invite {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Invite an e-mail address. The token is shown this once: whoever has it and the address joins
    /// with `bulkhead account join` or `accept`.
    Create {
        /// Whom it is for.
        email: String,
        /// What that account will be, none above one's own.
        #[arg(long, value_enum, default_value_t = RoleArgument::Member)]
        role: RoleArgument,
        #[command(flatten)]
        place: InOrganization,
    },
    /// List invitations that were not accepted yet.
    List(InOrganization),
    /// Take an invitation back.
    Revoke {
        /// Its identifier.
        id: String,
        #[command(flatten)]
        place: InOrganization,
    },
}

impl Invite {
    pub(super) async fn run(self) -> Outcome {
        match self.command {
            Command::Create { email, role, place } => {
                let client = place.client()?;
                let path = client.below(&["invitations"]).await?;
                let body = json!({"email": email, "role": role.as_str()});
                let made = client.send(Method::POST, &path, &body).await?;
                Ok(print::item(place.json(), NEW, &made)?)
            }
            Command::List(place) => {
                let client = place.client()?;
                let path = client.below(&["invitations"]).await?;
                let invitations = client.all(&path, &[]).await?;
                Ok(print::items(place.json(), INVITATION, &invitations)?)
            }
            Command::Revoke { id, place } => {
                let client = place.client()?;
                let path = client.below(&["invitations", &id]).await?;
                client.delete(&path).await?;
                Ok(())
            }
        }
    }
}

const INVITATION: [(&str, &str); 5] = [
    ("E-MAIL", "email"),
    ("ROLE", "role"),
    ("CREATED", "created_at"),
    ("EXPIRES", "expires_at"),
    ("ID", "id"),
];
const NEW: [(&str, &str); 5] = [
    ("E-MAIL", "email"),
    ("ROLE", "role"),
    ("EXPIRES", "expires_at"),
    ("ID", "id"),
    ("TOKEN", "token"),
];
