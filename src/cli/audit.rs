use std::sync::Arc;

use clap::{Args, Subcommand};
use names::Slug;

use super::open::{Absent, Opened};
use super::print;
use super::{Outcome, Settings};
use crate::authz::Operator;
use crate::ops::{LogReport, LogVerifier, Verifier};
use crate::telemetry;

/// Look after activity logs.
#[derive(Debug, Args)]
pub(super) struct Audit {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verify activity logs: that each segment is what was written, none is missing, and none that
    /// the checkpoint file knows was cut off. Ends with 1 if anything is wrong.
    Verify {
        /// One organization's log alone; otherwise the platform's and all organizations'.
        #[arg(long, value_name = "SLUG", value_parser = Slug::parse)]
        org: Option<Slug>,
        /// Write JSON, one log on a line.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        settings: Settings,
    },
}

impl Audit {
    pub(super) async fn run(self) -> Outcome {
        let Command::Verify {
            org,
            json,
            settings,
        } = self.command;
        let config = settings.load()?;
        telemetry::init(&config.log)?;
        let opened = Opened::open(&config, Absent::Refuse).await?;
        let operator = Operator::authenticated();
        let verifier = Verifier::new(
            opened.jobs.clone(),
            opened.platform.clone(),
            Arc::clone(&opened.keyring),
            &config.audit,
        );
        let logs = LogVerifier::new(
            verifier,
            opened.catalog.clone(),
            opened.platform.clone(),
            Arc::clone(&opened.keyring),
        );
        let reports = match org {
            Some(slug) => {
                let organization = opened.tenancy.organization(&operator, &slug).await?;
                vec![logs.verify(&operator, organization.org).await?]
            }
            None => logs.verify_all(&operator).await?,
        };
        if json {
            reports.iter().try_for_each(print::json)?;
        } else {
            print::lines(reports.iter().flat_map(lines))?;
        }
        match reports.iter().map(|report| report.findings.len()).sum() {
            0_usize => Ok(()),
            count => Err(format!("{count} findings: the logs are not what was written").into()),
        }
    }
}

fn lines(report: &LogReport) -> Vec<String> {
    let organization = &report.organization;
    let findings = report.findings.iter();
    findings
        .map(|finding| format!("{organization}: {finding}"))
        .chain([format!(
            "{organization}: {} events in {} segments of {} chains verified",
            report.events, report.segments, report.chains
        )])
        .collect()
}
