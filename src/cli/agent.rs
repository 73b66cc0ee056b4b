use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::ask::Leave;
use super::remote::{InOrganization, Query, agent_of};
use super::{Outcome, pair, print};

/// Agents: the AI employees of an organization.
#[derive(Debug, Args)]
pub(super) struct Agent {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an agent, which starts with no rights but its own home. `bulkhead token create --agent`
    /// and `bulkhead key create --agent` make its credentials.
    Create {
        /// How people call it.
        name: String,
        /// The department that it costs.
        #[arg(long)]
        department: Option<String>,
        /// The project that it costs.
        #[arg(long)]
        project: Option<String>,
        /// A setting; may be given again.
        #[arg(long = "setting", value_name = "NAME=VALUE", value_parser = pair)]
        settings: Vec<(String, String)>,
        #[command(flatten)]
        place: InOrganization,
    },
    /// List agents.
    List(InOrganization),
    /// Show an agent.
    Show(One),
    /// Say something else about an agent; what is not named stays.
    Change {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        change: Change,
    },
    /// Refuse an agent's credentials until it is resumed.
    Suspend(One),
    /// Let a suspended agent work again.
    Resume(One),
    /// List an agent's task history, the oldest first.
    Tasks {
        #[command(flatten)]
        one: One,
        /// From when on, as in `2026-01-31T00:00:00Z`.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Until before when.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// List what an agent keeps: skills, settings, knowledge, conversations.
    Records(One),
    /// Delete an agent with its credentials, grants, records and tasks.
    Delete {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        leave: Leave,
    },
}

#[derive(Debug, Args)]
#[group(id = "said", required = true, multiple = true)]
struct Change {
    /// How people are to call it.
    #[arg(long)]
    name: Option<String>,
    /// The department that it costs; nothing takes it off the one until now.
    #[arg(long)]
    department: Option<String>,
    /// The project that it costs; nothing takes it off the one until now.
    #[arg(long)]
    project: Option<String>,
    /// A setting; may be given again.
    #[arg(long = "setting", value_name = "NAME=VALUE", value_parser = pair)]
    settings: Vec<(String, String)>,
    /// A setting to take away; may be given again.
    #[arg(long = "unset", value_name = "NAME")]
    unset: Vec<String>,
}

#[derive(Debug, Args)]
struct One {
    /// The agent, by name or identifier.
    agent: String,
    #[command(flatten)]
    place: InOrganization,
}

impl Agent {
    pub(super) async fn run(self) -> Outcome {
        match self.command {
            Command::Create {
                name,
                department,
                project,
                settings,
                place,
            } => {
                let client = place.client()?;
                let path = client.below(&["agents"]).await?;
                let body = json!({
                    "name": name,
                    "department": department,
                    "project": project,
                    "settings": settings.into_iter().collect::<BTreeMap<_, _>>(),
                });
                let agent = client.send(Method::POST, &path, &body).await?;
                Ok(print::item(place.json(), AGENT, &agent)?)
            }
            Command::List(place) => {
                let client = place.client()?;
                let agents = client.all(&client.below(&["agents"]).await?, &[]).await?;
                Ok(print::items(place.json(), AGENT, &agents)?)
            }
            Command::Show(one) => one.show().await,
            Command::Change { one, change } => {
                let client = one.place.client()?;
                let id = agent_of(&client, &one.agent).await?;
                let path = client.below(&["agents", &id]).await?;
                let agent = client.edit(&path, |agent| change.of(&agent)).await?;
                Ok(print::item(one.place.json(), AGENT, &agent)?)
            }
            Command::Suspend(one) => one.turn("suspend").await,
            Command::Resume(one) => one.turn("resume").await,
            Command::Tasks { one, from, until } => {
                let query = [("from", from), ("until", until)];
                one.list("tasks", &query, TASK).await
            }
            Command::Records(one) => one.list("records", &[], RECORD).await,
            Command::Delete { one, leave } => {
                let client = one.place.client()?;
                let id = agent_of(&client, &one.agent).await?;
                leave.ask(
                    "This deletes the agent with its credentials, grants, records and tasks.",
                    &one.agent,
                )?;
                client
                    .delete(&client.below(&["agents", &id]).await?)
                    .await?;
                Ok(())
            }
        }
    }
}

impl Change {
    /// What is said about the agent from now on.
    fn of(self, agent: &Value) -> Value {
        let or_nothing = |said: Option<String>, until_now: &Value| match said {
            Some(said) if said.is_empty() => Value::Null,
            Some(said) => said.into(),
            None => until_now.clone(),
        };
        let mut settings = agent["settings"].clone();
        if let Some(settings) = settings.as_object_mut() {
            settings.retain(|name, _| !self.unset.contains(name));
            let set = self.settings.into_iter();
            settings.extend(set.map(|(name, value)| (name, value.into())));
        }
        json!({
            "name": self.name.map_or_else(|| agent["name"].clone(), Value::from),
            "department": or_nothing(self.department, &agent["department"]),
            "project": or_nothing(self.project, &agent["project"]),
            "settings": settings,
        })
    }
}

impl One {
    async fn show(&self) -> Outcome {
        let client = self.place.client()?;
        let id = agent_of(&client, &self.agent).await?;
        let agent = client.get(&client.below(&["agents", &id]).await?).await?;
        Ok(print::item(self.place.json(), AGENT, &agent)?)
    }

    async fn turn(&self, to: &str) -> Outcome {
        let client = self.place.client()?;
        let id = agent_of(&client, &self.agent).await?;
        let path = client.below(&["agents", &id, to]).await?;
        let agent = client.post(&path).await?;
        Ok(print::item(self.place.json(), AGENT, &agent)?)
    }

    async fn list<const N: usize>(
        &self,
        what: &str,
        query: Query<'_>,
        columns: [(&str, &str); N],
    ) -> Outcome {
        let client = self.place.client()?;
        let id = agent_of(&client, &self.agent).await?;
        let path = client.below(&["agents", &id, what]).await?;
        let items = client.all(&path, query).await?;
        Ok(print::items(self.place.json(), columns, &items)?)
    }
}

const AGENT: [(&str, &str); 6] = [
    ("NAME", "name"),
    ("STATE", "state"),
    ("DEPARTMENT", "department"),
    ("PROJECT", "project"),
    ("CREATED", "created_at"),
    ("ID", "id"),
];
const TASK: [(&str, &str); 4] = [
    ("AT", "at"),
    ("TITLE", "title"),
    ("DETAIL", "detail"),
    ("ID", "id"),
];
const RECORD: [(&str, &str); 4] = [
    ("KIND", "kind"),
    ("NAME", "name"),
    ("CHANGED", "modified_at"),
    ("VALUE", "value"),
];
