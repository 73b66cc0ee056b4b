use std::sync::Arc;

use clap::Args;

use super::open::{Absent, Opened};
use super::print;
use super::{Outcome, Settings};
use crate::authz::Operator;
use crate::ops::Verifier;
use crate::telemetry;

/// Verify the whole catalog against its own log of changes and the checkpoint file: rows that were
/// altered, put back or taken away. Ends with 1 if anything is wrong.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Write JSON, in one line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

impl Verify {
    pub(super) async fn run(self) -> Outcome {
        let config = self.settings.load()?;
        telemetry::init(&config.log)?;
        let opened = Opened::open(&config, Absent::Refuse).await?;
        let verifier = Verifier::new(
            opened.jobs.clone(),
            opened.platform.clone(),
            Arc::clone(&opened.keyring),
            &config.audit,
        );
        let verification = verifier.verify(&Operator::authenticated()).await?;
        if self.json {
            print::json(&verification)?;
        } else {
            let lines = verification.findings.iter().map(ToString::to_string);
            print::lines(lines.chain([format!(
                "{} rows of {} organizations verified against {} changes and {} checkpoints; {} \
                 changes before these were pruned",
                verification.rows,
                verification.organizations,
                verification.changes,
                verification.checkpoints,
                verification.pruned
            )]))?;
        }
        match verification.findings.len() {
            0 => Ok(()),
            count => Err(format!("{count} findings: the catalog is not what was written").into()),
        }
    }
}
