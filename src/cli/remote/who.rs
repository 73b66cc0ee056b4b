use serde_json::Value;
use uuid::Uuid;

use super::client::Client;
use super::error::RemoteError;

/// What somebody or something is that a command names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Kind {
    Member,
    Agent,
    Team,
}

/// The identifier of a member or an agent, named by it, by e-mail address or by name.
pub(in crate::cli) async fn principal_of(
    client: &Client,
    named: &str,
) -> Result<String, RemoteError> {
    if is_identifier(named) {
        return Ok(named.to_owned());
    }
    let (_, id) = find(client, named, &[Kind::Member, Kind::Agent]).await?;
    Ok(id)
}

/// The identifier of an agent, named by it or by name.
pub(in crate::cli) async fn agent_of(client: &Client, named: &str) -> Result<String, RemoteError> {
    of_kind(client, named, Kind::Agent).await
}

/// The identifier of a team, named by it or by name.
pub(in crate::cli) async fn team_of(client: &Client, named: &str) -> Result<String, RemoteError> {
    of_kind(client, named, Kind::Team).await
}

/// A member, agent or team, as grants name them: an identifier alone does not say which it is.
pub(in crate::cli) async fn subject_of(
    client: &Client,
    named: &str,
) -> Result<(Kind, String), RemoteError> {
    find(client, named, &[Kind::Member, Kind::Agent, Kind::Team]).await
}

impl Kind {
    pub(in crate::cli) fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Agent => "agent",
            Self::Team => "team",
        }
    }

    fn list(self) -> &'static str {
        match self {
            Self::Member => "members",
            Self::Agent => "agents",
            Self::Team => "teams",
        }
    }

    /// A member's e-mail address is its own; a name may be several people's.
    fn is_named(self, item: &Value, named: &str) -> bool {
        let name = match self {
            Self::Member => "email",
            Self::Agent | Self::Team => "name",
        };
        let is = |field: &str| item[field].as_str() == Some(named);
        is(name) || is("id")
    }
}

async fn of_kind(client: &Client, named: &str, kind: Kind) -> Result<String, RemoteError> {
    if is_identifier(named) {
        return Ok(named.to_owned());
    }
    let (_, id) = find(client, named, &[kind]).await?;
    Ok(id)
}

/// The one that a text names. Two of a name are told by their identifiers, none is guessed.
async fn find(client: &Client, named: &str, kinds: &[Kind]) -> Result<(Kind, String), RemoteError> {
    let mut found = Vec::new();
    for kind in kinds {
        let path = client.below(&[kind.list()]).await?;
        let items = client.all(&path, &[]).await?;
        let ids = items
            .iter()
            .filter(|item| kind.is_named(item, named))
            .filter_map(|item| item["id"].as_str());
        found.extend(ids.map(|id| (*kind, id.to_owned())));
    }
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => {
            let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
            Err(RemoteError::Unclear(format!(
                "there is no {} `{named}`",
                kinds.join(" or ")
            )))
        }
        _ => {
            let ids: Vec<_> = found
                .iter()
                .map(|(kind, id)| format!("{} {id}", kind.as_str()))
                .collect();
            Err(RemoteError::Unclear(format!(
                "`{named}` is more than one: say which by its identifier, {}",
                ids.join(" or ")
            )))
        }
    }
}

fn is_identifier(text: &str) -> bool {
    Uuid::try_parse(text).is_ok_and(|id| id.to_string() == text)
}
