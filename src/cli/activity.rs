use clap::{Args, Subcommand, ValueEnum};
use serde_json::Value;

use super::remote::{InOrganization, RemoteError};
use super::{Outcome, print};

/// What was done and refused in an organization. `bulkhead audit` reads the same logs where they
/// are stored, and verifies them.
#[derive(Debug, Args)]
pub(super) struct Activity {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List events, the newest first.
    List {
        #[command(flatten)]
        filter: Filter,
        /// How many at most.
        #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        #[command(flatten)]
        place: InOrganization,
    },
    /// Write all events as JSON, one on a line, the oldest first. Ends with 1 if a segment of the
    /// log is not what was written.
    Export {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        place: InOrganization,
    },
}

#[derive(Debug, Args)]
struct Filter {
    /// From when on, as in `2026-01-31T00:00:00Z`.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until before when.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// By whom: a principal's identifier.
    #[arg(long, value_name = "ID")]
    principal: Option<String>,
    /// By which credential.
    #[arg(long, value_name = "ID")]
    credential: Option<String>,
    /// The action's name in policies, with `*` for any text.
    #[arg(long)]
    action: Option<String>,
    /// How the resource begins.
    #[arg(long)]
    resource: Option<String>,
    /// What became of it.
    #[arg(long, value_enum)]
    decision: Option<Decision>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Decision {
    Allowed,
    Refused,
    Damaged,
    Intended,
    Stated,
}

impl Activity {
    pub(super) async fn run(self) -> Outcome {
        match self.command {
            Command::List {
                filter,
                limit,
                place,
            } => {
                let (events, illegible, _) = filter.page(&place, "newest", limit, None).await?;
                print::items(place.json(), EVENT, &events)?;
                complete(illegible)
            }
            Command::Export { filter, place } => {
                let (mut after, mut illegible) = (None, 0);
                loop {
                    let (events, damaged, next) =
                        filter.page(&place, "oldest", PAGE, after).await?;
                    events.iter().try_for_each(print::json)?;
                    illegible += damaged;
                    after = next;
                    if after.is_none() {
                        return complete(illegible);
                    }
                }
            }
        }
    }
}

impl Filter {
    /// A page of events, how many segments of it could not be read, and where the next begins.
    async fn page(
        &self,
        place: &InOrganization,
        order: &str,
        limit: u32,
        after: Option<String>,
    ) -> Result<(Vec<Value>, usize, Option<String>), RemoteError> {
        let client = place.client()?;
        let path = client.below(&["activity"]).await?;
        let decision = self.decision.map(|decision| match decision {
            Decision::Allowed => "allowed",
            Decision::Refused => "refused",
            Decision::Damaged => "damaged",
            Decision::Intended => "intended",
            Decision::Stated => "stated",
        });
        let query = [
            ("from", self.from.clone()),
            ("until", self.until.clone()),
            ("principal", self.principal.clone()),
            ("credential", self.credential.clone()),
            ("action", self.action.clone()),
            ("resource", self.resource.clone()),
            ("decision", decision.map(str::to_owned)),
            ("order", Some(order.to_owned())),
            ("limit", Some(limit.to_string())),
            ("after", after),
        ];
        let mut page = client.get_with(&path, &query).await?;
        let illegible = page["illegible"].as_array().map_or(0, Vec::len);
        let next = page["next"].as_str().map(str::to_owned);
        let events = match page["items"].take() {
            Value::Array(events) => events,
            _ => Vec::new(),
        };
        Ok((events, illegible, next))
    }
}

fn complete(illegible: usize) -> Outcome {
    match illegible {
        0 => Ok(()),
        count => Err(format!("{count} segments are not what was written, and are left out").into()),
    }
}

const EVENT: [(&str, &str); 6] = [
    ("TIME", "time"),
    ("DECISION", "decision"),
    ("ACTOR", "actor"),
    ("ACTION", "action"),
    ("RESOURCE", "resource"),
    ("RULE", "rule"),
];
/// How many events are asked for at a time.
const PAGE: u32 = 1000;
