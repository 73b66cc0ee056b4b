use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;

use super::remote::{InOrganization, principal_of};
use super::{Outcome, print};

/// What is allowed, and why.
#[derive(Debug, Args)]
pub(super) struct Access {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say by which rule somebody may do something, or why not. Nothing is done.
    Explain {
        /// Whose rights: a member by e-mail address, an agent by name, or either by identifier.
        #[arg(long = "as", value_name = "WHO")]
        whose: String,
        /// The action's name in policies.
        #[arg(long)]
        action: String,
        /// The resource as policies name it: `drive:bucket/key`, `secret:path`; with a star at its
        /// end, a listing.
        #[arg(long)]
        resource: String,
        #[command(flatten)]
        place: InOrganization,
    },
}

impl Access {
    pub(super) async fn run(self) -> Outcome {
        let Command::Explain {
            whose,
            action,
            resource,
            place,
        } = self.command;
        let client = place.client()?;
        let principal = principal_of(&client, &whose).await?;
        let path = client.below(&["access", "explain"]).await?;
        let body = json!({"principal": principal, "action": action, "resource": resource});
        let explained = client.send(Method::POST, &path, &body).await?;
        Ok(print::item(place.json(), EXPLANATION, &explained)?)
    }
}

const EXPLANATION: [(&str, &str); 2] = [("ALLOWED", "allowed"), ("RULE", "rule")];
