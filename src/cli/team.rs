use clap::{Args, Subcommand};
use http::Method;
use serde_json::json;

use super::ask::Leave;
use super::remote::{ApiPath, Client, InOrganization, RemoteError, principal_of, team_of};
use super::{Outcome, print};

/// Teams: members and agents that share grants.
#[derive(Debug, Args)]
pub(super) struct Team {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a team.
    Create(One),
    /// List teams.
    List(InOrganization),
    /// List the members and agents of a team.
    Members(One),
    /// Call a team something else.
    Rename {
        #[command(flatten)]
        one: One,
        /// How people are to call it.
        name: String,
    },
    /// Put a member or an agent into a team.
    Add(Seat),
    /// Take a member or an agent out of a team.
    Remove(Seat),
    /// Delete a team with its grants.
    Delete {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        leave: Leave,
    },
}

#[derive(Debug, Args)]
struct One {
    /// The team, by name or identifier.
    team: String,
    #[command(flatten)]
    place: InOrganization,
}

#[derive(Debug, Args)]
struct Seat {
    #[command(flatten)]
    one: One,
    /// The member by e-mail address, the agent by name, or either by identifier.
    who: String,
}

impl Team {
    pub(super) async fn run(self) -> Outcome {
        match self.command {
            Command::Create(one) => {
                let client = one.place.client()?;
                let path = client.below(&["teams"]).await?;
                let body = json!({"name": one.team});
                let team = client.send(Method::POST, &path, &body).await?;
                Ok(print::item(one.place.json(), TEAM, &team)?)
            }
            Command::List(place) => {
                let client = place.client()?;
                let teams = client.all(&client.below(&["teams"]).await?, &[]).await?;
                Ok(print::items(place.json(), TEAM, &teams)?)
            }
            Command::Members(one) => {
                let client = one.place.client()?;
                let id = team_of(&client, &one.team).await?;
                let path = client.below(&["teams", &id, "members"]).await?;
                let seats = client.all_at_once(&path, &[]).await?;
                Ok(print::items(
                    one.place.json(),
                    [("PRINCIPAL", "principal")],
                    &seats,
                )?)
            }
            Command::Rename { one, name } => {
                let client = one.place.client()?;
                let id = team_of(&client, &one.team).await?;
                let path = client.below(&["teams", &id]).await?;
                let body = json!({"name": name});
                let team = client.send(Method::PATCH, &path, &body).await?;
                Ok(print::item(one.place.json(), TEAM, &team)?)
            }
            Command::Add(seat) => {
                let client = seat.one.place.client()?;
                client.put(&seat.path(&client).await?).await?;
                Ok(())
            }
            Command::Remove(seat) => {
                let client = seat.one.place.client()?;
                client.delete(&seat.path(&client).await?).await?;
                Ok(())
            }
            Command::Delete { one, leave } => {
                let client = one.place.client()?;
                let id = team_of(&client, &one.team).await?;
                leave.ask("This deletes the team with its grants.", &one.team)?;
                client.delete(&client.below(&["teams", &id]).await?).await?;
                Ok(())
            }
        }
    }
}

impl Seat {
    async fn path(&self, client: &Client) -> Result<ApiPath, RemoteError> {
        let team = team_of(client, &self.one.team).await?;
        let principal = principal_of(client, &self.who).await?;
        client.below(&["teams", &team, "members", &principal]).await
    }
}

const TEAM: [(&str, &str); 3] = [("NAME", "name"), ("CREATED", "created_at"), ("ID", "id")];
