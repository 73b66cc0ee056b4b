use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use names::Slug;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::open::{Absent, Opened};
use super::print;
use super::{Outcome, Settings};
use crate::audit::{ActivityQuery, ActivityReader, Decision, Event, Order};
use crate::authz::{Operator, read_activity_as_operator, record_activity_as_operator};
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
    /// Export an activity log, one event on a line, by time. What was exported stands in the log,
    /// too. Ends with 1 if a segment is not what was written; `verify` finds what is missing.
    Export {
        #[command(flatten)]
        whose: Whose,
        /// How an event is written.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        /// From when on, as in `2026-01-31T00:00:00Z`.
        #[arg(long, value_name = "TIME", value_parser = ms)]
        from: Option<u64>,
        /// Until before when.
        #[arg(long, value_name = "TIME", value_parser = ms)]
        until: Option<u64>,
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// The organization's short name.
    #[arg(long, value_name = "SLUG", value_parser = Slug::parse)]
    org: Option<Slug>,
    /// The platform's own log.
    #[arg(long)]
    platform: bool,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Format {
    /// A flat object with the fields of an event.
    #[default]
    Json,
    /// The Open Cybersecurity Schema Framework, 1.3.
    Ocsf,
}

impl Audit {
    pub(super) async fn run(self) -> Outcome {
        match self.command {
            Command::Verify {
                org,
                json,
                settings,
            } => verify(org, json, &settings).await,
            Command::Export {
                whose,
                format,
                from,
                until,
                settings,
            } => {
                let query = ActivityQuery {
                    from_ms: from,
                    until_ms: until,
                    order: Order::OldestFirst,
                    ..ActivityQuery::default()
                };
                export(whose.org, format, &query, &settings).await
            }
        }
    }
}

async fn verify(org: Option<Slug>, json: bool, settings: &Settings) -> Outcome {
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

/// Writes what is found page by page, so that a log of any length takes little memory.
async fn export(
    org: Option<Slug>,
    format: Format,
    query: &ActivityQuery,
    settings: &Settings,
) -> Outcome {
    let config = settings.load()?;
    telemetry::init(&config.log)?;
    let opened = Opened::open(&config, Absent::Refuse).await?;
    let operator = Operator::authenticated();
    let org = match org {
        Some(slug) => Some(opened.tenancy.organization(&operator, &slug).await?.org),
        None => None,
    };
    match org {
        Some(org) => {
            let permit = record_activity_as_operator(&operator, org);
            opened.audit.record(permit, exported(&opened)).await?;
        }
        None => opened.record(format!("operator {EXPORT}")).await?,
    }
    let reader = ActivityReader::new(
        opened.catalog.clone(),
        opened.platform.clone(),
        Arc::clone(&opened.keyring),
    );
    let (mut cursor, mut illegible) = (None, 0);
    loop {
        let page = match org {
            Some(org) => {
                let permit = read_activity_as_operator(&operator, org);
                reader.page(permit, query, cursor, PAGE).await?
            }
            None => reader.platform_page(&operator, query, cursor, PAGE).await?,
        };
        print::lines(page.logged().map(|logged| match format {
            Format::Json => logged.json(),
            Format::Ocsf => logged.ocsf(),
        }))?;
        for segment in &page.illegible {
            tracing::error!("{segment}");
        }
        illegible += page.illegible.len();
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    match illegible {
        0 => Ok(()),
        count => Err(format!("{count} segments are not what was written, and are left out").into()),
    }
}

fn exported(opened: &Opened) -> Event {
    let now_ms = opened.clock.now_ms();
    Event {
        request_id: Uuid::from_bytes(opened.entropy.uuid_v7(now_ms)).to_string(),
        ..Event::of_operator(now_ms, EXPORT, "*".to_owned(), Decision::Intended)
    }
}

/// A time as people write it, in milliseconds since the epoch.
fn ms(text: &str) -> Result<u64, String> {
    let time = OffsetDateTime::parse(text, &Rfc3339).map_err(|error| error.to_string())?;
    let ms = time.unix_timestamp_nanos().div_euclid(1_000_000);
    u64::try_from(ms).map_err(|_| "a time since 1970 is expected".to_owned())
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

/// How many events are written at a time.
const PAGE: usize = 1_000;
const EXPORT: &str = "bulkhead:ExportActivity";
