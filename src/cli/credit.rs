use clap::{Args, Subcommand};
use http::Method;
use serde_json::{Value, json};

use super::remote::InOrganization;
use super::{Outcome, print};

/// An organization's credit: what was granted, what is left, what was charged.
#[derive(Debug, Args)]
pub(super) struct Credit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Grant credit, and pay with it what is owed. By the operator's token.
    Grant {
        /// How much, in units of credit.
        units: u64,
        /// What it is for.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// What the operator calls it: a grant of the same reference is made once, however often
        /// this is repeated.
        #[arg(long, value_name = "TEXT")]
        reference: Option<String>,
        /// Which credit is spent first: the lowest.
        #[arg(long, default_value_t = 100)]
        priority: u8,
        /// From when on it pays for nothing any more, as in `2026-01-31T00:00:00Z`.
        #[arg(long, value_name = "TIME")]
        expires_at: Option<String>,
        #[command(flatten)]
        place: InOrganization,
    },
    /// Show what is left of credit, and what is owed.
    Balance(InOrganization),
    /// List the lines of the ledger, whose sum is the balance, the oldest first.
    Ledger(InOrganization),
}

impl Credit {
    pub(super) async fn run(self) -> Outcome {
        match self.command {
            Command::Grant {
                units,
                reason,
                reference,
                priority,
                expires_at,
                place,
            } => {
                let client = place.client()?;
                let path = client.below(&["credits"]).await?;
                let body = json!({
                    "units": units,
                    "reason": reason,
                    "reference": reference,
                    "priority": priority,
                    "expires_at": expires_at,
                });
                let line = client.send(Method::POST, &path, &body).await?;
                Ok(print::item(place.json(), GRANT, &line)?)
            }
            Command::Balance(place) => {
                let client = place.client()?;
                let credit = client.get(&client.below(&["credits"]).await?).await?;
                print::item(place.json(), BALANCE, &credit)?;
                match credit["credits"].as_array() {
                    Some(open) if !place.json() && !open.is_empty() => {
                        print::lines([String::new()])?;
                        Ok(print::items(false, OPEN, open)?)
                    }
                    _ => Ok(()),
                }
            }
            Command::Ledger(place) => {
                let client = place.client()?;
                let lines = client.all(&client.below(&["ledger"]).await?, &[]).await?;
                ledger(place.json(), &lines)
            }
        }
    }
}

/// Lines of a ledger.
pub(super) fn ledger(as_json: bool, lines: &[Value]) -> Outcome {
    Ok(print::items(as_json, LINE, lines)?)
}

const LINE: [(&str, &str); 7] = [
    ("LINE", "number"),
    ("AT", "at"),
    ("KIND", "kind"),
    ("AMOUNT", "amount"),
    ("BALANCE", "balance"),
    ("OWED", "owed"),
    ("REASON", "reason"),
];
const GRANT: [(&str, &str); 8] = [
    ("LINE", "number"),
    ("AT", "at"),
    ("AMOUNT", "amount"),
    ("BALANCE", "balance"),
    ("OWED", "owed"),
    ("PRIORITY", "priority"),
    ("EXPIRES", "expires_at"),
    ("REASON", "reason"),
];
const BALANCE: [(&str, &str); 3] = [
    ("BALANCE", "balance"),
    ("OWED", "owed"),
    ("AVAILABLE", "available"),
];
const OPEN: [(&str, &str); 4] = [
    ("GRANT", "grant"),
    ("LEFT", "left"),
    ("PRIORITY", "priority"),
    ("EXPIRES", "expires_at"),
];
