use clap::{Args, Subcommand};

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
    /// Show how much of each limit of the plan is used.
    Limits(InOrganization),
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
            Command::Limits(place) => {
                let client = place.client()?;
                let path = client.below(&["limits"]).await?;
                let limits = client.all_at_once(&path, &[]).await?;
                Ok(print::items(place.json(), LIMIT, &limits)?)
            }
        }
    }
}

const HOUR: [(&str, &str); 6] = [
    ("HOUR", "hour"),
    ("REQUESTS", "requests"),
    ("IN, BYTES", "ingress_bytes"),
    ("OUT, BYTES", "egress_bytes"),
    ("STORED, BYTES", "stored_bytes"),
    ("OBJECTS", "objects"),
];
const LIMIT: [(&str, &str); 4] = [
    ("LIMIT", "limit"),
    ("USED", "used"),
    ("MAX", "max"),
    ("WARNING", "warning"),
];
