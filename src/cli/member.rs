use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;

use super::ask::Leave;
use super::remote::{InOrganization, principal_of};
use super::{Outcome, RoleArgument, print};

/// The people of an organization.
#[derive(Debug, Args)]
pub(super) struct Member {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List members.
    List(InOrganization),
    /// Show a member.
    Show(One),
    /// Give a member another role, none above one's own.
    Role {
        #[command(flatten)]
        one: One,
        /// What the member is to be.
        #[arg(value_enum)]
        role: RoleArgument,
    },
    /// End a membership. The last owner stays.
    Remove {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        leave: Leave,
    },
    /// Make a member the owner in one's own place, and become an admin.
    TransferOwnership {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        leave: Leave,
    },
}

#[derive(Debug, Args)]
struct One {
    /// The member, by e-mail address or identifier.
    member: String,
    #[command(flatten)]
    place: InOrganization,
}

impl Member {
    pub(super) async fn run(self) -> Outcome {
        match self.command {
            Command::List(place) => {
                let client = place.client()?;
                let members = client.all(&client.below(&["members"]).await?, &[]).await?;
                Ok(print::items(place.json(), MEMBER, &members)?)
            }
            Command::Show(one) => {
                let client = one.place.client()?;
                let id = principal_of(&client, &one.member).await?;
                let member = client.get(&client.below(&["members", &id]).await?).await?;
                Ok(print::item(one.place.json(), MEMBER, &member)?)
            }
            Command::Role { one, role } => {
                let client = one.place.client()?;
                let id = principal_of(&client, &one.member).await?;
                let path = client.below(&["members", &id]).await?;
                let body = json!({"role": role.as_str()});
                let member = client.send(Method::PATCH, &path, &body).await?;
                Ok(print::item(one.place.json(), MEMBER, &member)?)
            }
            Command::Remove { one, leave } => {
                let client = one.place.client()?;
                let id = principal_of(&client, &one.member).await?;
                leave.ask(
                    "This ends the membership, with its credentials and grants.",
                    &one.member,
                )?;
                client
                    .delete(&client.below(&["members", &id]).await?)
                    .await?;
                Ok(())
            }
            Command::TransferOwnership { one, leave } => {
                let client = one.place.client()?;
                let id = principal_of(&client, &one.member).await?;
                leave.ask("This gives the organization away.", &one.member)?;
                let path = ["members", &id, "transfer-ownership"];
                let member = client.post(&client.below(&path).await?).await?;
                Ok(print::item(one.place.json(), MEMBER, &member)?)
            }
        }
    }
}

const MEMBER: [(&str, &str); 5] = [
    ("E-MAIL", "email"),
    ("NAME", "name"),
    ("ROLE", "role"),
    ("SINCE", "created_at"),
    ("ID", "id"),
];
