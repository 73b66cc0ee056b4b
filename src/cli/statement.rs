use clap::Args;
use serde_json::{Value, json};

use super::credit::ledger;
use super::remote::InOrganization;
use super::{Outcome, print};

/// Show what was granted, charged and ended in a month, which adds up to the ledger.
#[derive(Debug, Args)]
pub(super) struct Statement {
    /// The month, as in `2026-01`.
    month: String,
    /// Write its lines as CSV (RFC 4180).
    #[arg(long, conflicts_with = "json")]
    csv: bool,
    #[command(flatten)]
    place: InOrganization,
}

impl Statement {
    pub(super) async fn run(self) -> Outcome {
        let client = self.place.client()?;
        if self.csv {
            let path = client.below(&["statements", &self.month, "csv"]).await?;
            return Ok(print::file(&client.file(&path, &[]).await?)?);
        }
        let path = client.below(&["statements", &self.month]).await?;
        let statement = client.get(&path).await?;
        print::item(self.place.json(), SUMS, &statement)?;
        if self.place.json() {
            return Ok(());
        }
        let used = statement["used"].as_object().into_iter().flatten();
        let used: Vec<Value> = used
            .map(|(meter, total)| json!({"meter": meter, "total": total}))
            .collect();
        if !used.is_empty() {
            print::lines([String::new()])?;
            print::items(false, USED, &used)?;
        }
        match statement["lines"].as_array() {
            Some(lines) if !lines.is_empty() => {
                print::lines([String::new()])?;
                ledger(false, lines)
            }
            _ => Ok(()),
        }
    }
}

const SUMS: [(&str, &str); 10] = [
    ("MONTH", "month"),
    ("FINAL", "is_final"),
    ("OPENING BALANCE", "opening_balance"),
    ("GRANTED", "granted"),
    ("CHARGED", "charged"),
    ("EXPIRED", "expired"),
    ("CLOSING BALANCE", "closing_balance"),
    ("OWED BEFORE", "owed_before"),
    ("DUE", "due"),
    ("OWED AFTER", "owed_after"),
];
const USED: [(&str, &str); 3] = [
    ("METER", "meter"),
    ("QUANTITY", "total.quantity"),
    ("UNITS", "total.units"),
];
