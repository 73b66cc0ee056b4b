use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::{Value, json};

use super::ask::contents;
use super::remote::InOrganization;
use super::{Outcome, print};

/// What an organization uses, and how much it may.
#[derive(Debug, Args)]
pub(super) struct Usage {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List what was used, by hour.
    Hours {
        /// From when on, as in `2026-01-31T00:00:00Z`.
        #[arg(long, value_name = "TIME")]
        from: Option<String>,
        /// Until before when.
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        #[command(flatten)]
        place: InOrganization,
    },
    /// Show who or what used how much.
    By {
        /// By what it is told apart.
        #[arg(value_enum)]
        what: Part,
        #[command(flatten)]
        window: Window,
        #[command(flatten)]
        place: InOrganization,
    },
    /// Write usage by hour to standard output, of hours that have ended.
    Export {
        /// In which form.
        #[arg(long, value_enum, default_value_t = Form::Csv)]
        format: Form,
        /// By what it is told apart.
        #[arg(long, value_enum, default_value_t = Exported::Organization)]
        by: Exported,
        #[command(flatten)]
        window: Window,
        #[command(flatten)]
        place: InOrganization,
    },
    /// Count events of what runs outside of the gateway, each once however often it is sent.
    Send {
        /// A file that holds a JSON array of events, each with `id`, `meter`, `amount`, `at` and, if
        /// somebody's, `principal`; `-` for standard input.
        #[arg(value_name = "FILE")]
        events: PathBuf,
        #[command(flatten)]
        place: InOrganization,
    },
    /// Show how much of each limit of the plan is used.
    Limits(InOrganization),
}

/// Which use is asked for.
#[derive(Debug, Args)]
struct Window {
    /// Of this meter alone.
    #[arg(long)]
    meter: Option<String>,
    /// From when on, as in `2026-01-31T00:00:00Z`; a day ago, if nothing is said.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Until before when: at most 31 days later.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Part {
    Agent,
    Member,
    Team,
    Bucket,
    Department,
    Project,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Exported {
    Organization,
    Principal,
    Bucket,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// RFC 4180, with a header.
    Csv,
    /// A batch of CloudEvents 1.0, as JSON.
    CloudEvents,
}

impl Usage {
    pub(super) async fn run(self) -> Outcome {
        match self.command {
            Command::Hours { from, until, place } => {
                let client = place.client()?;
                let path = client.below(&["usage"]).await?;
                let query = [("from", from), ("until", until)];
                let hours = client.all_at_once(&path, &query).await?;
                Ok(print::items(place.json(), HOUR, &hours)?)
            }
            Command::By {
                what,
                window,
                place,
            } => {
                let client = place.client()?;
                let path = client.below(&["usage", "groups"]).await?;
                let query = window.query(what.as_str());
                let groups = client.all_at_once(&path, &query).await?;
                if place.json() {
                    return Ok(groups.iter().try_for_each(print::json)?);
                }
                let rows: Vec<Value> = groups.iter().flat_map(by_meter).collect();
                Ok(print::items(false, GROUP, &rows)?)
            }
            Command::Export {
                format,
                by,
                window,
                place,
            } => {
                let client = place.client()?;
                let path = match format {
                    Form::Csv => client.below(&["usage", "csv"]).await?,
                    Form::CloudEvents => client.below(&["usage", "events"]).await?,
                };
                let file = client.file(&path, &window.query(by.as_str())).await?;
                Ok(print::file(&file)?)
            }
            Command::Send { events, place } => {
                let events = contents(&events, "the events")?;
                let events: Value = serde_json::from_slice(&events)
                    .map_err(|error| format!("the events are no JSON: {error}"))?;
                let client = place.client()?;
                let path = client.below(&["usage", "events"]).await?;
                let body = json!({"events": events});
                let sent = client.send(Method::POST, &path, &body).await?;
                Ok(print::item(place.json(), SENT, &sent)?)
            }
            Command::Limits(place) => {
                let client = place.client()?;
                let path = client.below(&["limits"]).await?;
                let limits = client.all_at_once(&path, &[]).await?;
                Ok(print::items(place.json(), LIMIT, &limits)?)
            }
        }
    }
}

impl Window {
    fn query(self, by: &str) -> [(&'static str, Option<String>); 4] {
        [
            ("by", Some(by.to_owned())),
            ("meter", self.meter),
            ("from", self.from),
            ("until", self.until),
        ]
    }
}

impl Part {
    /// As the API has it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Agent => "agent",
            Self::Member => "member",
            Self::Team => "team",
            Self::Bucket => "bucket",
            Self::Department => "department",
            Self::Project => "project",
        }
    }
}

impl Exported {
    /// As the API has it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Organization => "organization",
            Self::Principal => "principal",
            Self::Bucket => "bucket",
        }
    }
}

/// A row for each meter that counted something.
fn by_meter(group: &Value) -> Vec<Value> {
    let used = group["used"].as_object().into_iter().flatten();
    used.map(|(meter, amount)| {
        json!({"name": group["name"], "key": group["key"], "meter": meter, "amount": amount})
    })
    .collect()
}

const HOUR: [(&str, &str); 6] = [
    ("HOUR", "hour"),
    ("REQUESTS", "requests"),
    ("IN, BYTES", "ingress_bytes"),
    ("OUT, BYTES", "egress_bytes"),
    ("STORED, BYTES", "stored_bytes"),
    ("OBJECTS", "objects"),
];
const GROUP: [(&str, &str); 4] = [
    ("NAME", "name"),
    ("METER", "meter"),
    ("AMOUNT", "amount"),
    ("KEY", "key"),
];
const SENT: [(&str, &str); 2] = [("COUNTED", "counted"), ("COUNTED BEFORE", "counted_before")];
const LIMIT: [(&str, &str); 4] = [
    ("LIMIT", "limit"),
    ("USED", "used"),
    ("MAX", "max"),
    ("WARNING", "warning"),
];
