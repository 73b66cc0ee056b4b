use clap::{Args, Subcommand};
use names::Slug;
use uuid::Uuid;

use super::destroy::Destroy;
use super::open::{Absent, Opened};
use super::print;
use super::{Outcome, Settings};
use crate::authz::Operator;
use crate::http::api::OrganizationView;
use crate::ops::{Act, Administration, AdministrationError};
use crate::telemetry;
use crate::tenancy::Transition::{self, Resume, Seal, Suspend, Unseal};
use crate::tenancy::{Organization, Ownership};

/// Make and manage organizations, also while a server runs beside.
#[derive(Debug, Args)]
pub(super) struct Org {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Manage(Manage),
    Destroy(Destroy),
}

#[derive(Debug, Subcommand)]
enum Manage {
    /// Make an organization with keys of its own.
    Create(One),
    /// List all organizations, the oldest first.
    List(Common),
    /// Let an organization be read only.
    Suspend(One),
    /// Let a suspended organization be worked in again.
    Resume(One),
    /// Evict an organization's keys: every call is refused until it is unsealed.
    Seal(One),
    /// Let a sealed organization be worked in again.
    Unseal(One),
}

#[derive(Debug, Args)]
struct One {
    /// The organization's short name: 1 to 63 of a-z, 0-9 and -.
    #[arg(value_parser = Slug::parse)]
    slug: Slug,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// Write JSON, one value on a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

impl Org {
    pub(super) async fn run(self) -> Outcome {
        match self.command {
            Command::Manage(manage) => manage.run().await,
            Command::Destroy(destroy) => destroy.run().await,
        }
    }
}

impl Manage {
    async fn run(self) -> Outcome {
        let common = self.common();
        let config = common.settings.load()?;
        telemetry::init(&config.log)?;
        let opened = Opened::open(&config, Absent::Refuse).await?;
        let operator = Operator::authenticated();
        let request_id = Uuid::from_bytes(opened.entropy.uuid_v7(opened.clock.now_ms()));
        let act = Act {
            operator: &operator,
            request_id: &request_id.to_string(),
            source: None,
        };
        let administration = &opened.administration;
        let shown = match &self {
            Self::List(_) => all(administration, &act).await?,
            Self::Create(one) => {
                let slug = one.slug.clone();
                let made = administration.create_organization(&act, slug, Ownership::Provisioned);
                vec![made.await?]
            }
            Self::Suspend(one) => vec![changed(administration, &act, one, Suspend).await?],
            Self::Resume(one) => vec![changed(administration, &act, one, Resume).await?],
            Self::Seal(one) => vec![changed(administration, &act, one, Seal).await?],
            Self::Unseal(one) => vec![changed(administration, &act, one, Unseal).await?],
        };
        let views: Vec<_> = shown.iter().map(OrganizationView::from).collect();
        if common.json {
            views.iter().try_for_each(print::json)?;
            return Ok(());
        }
        let rows: Vec<_> = views
            .into_iter()
            .map(|view| {
                let slug = view.slug.unwrap_or_else(|| "-".to_owned());
                [
                    slug,
                    view.state.as_str().to_owned(),
                    view.created_at,
                    view.id,
                ]
            })
            .collect();
        Ok(print::table(["SLUG", "STATE", "CREATED", "ID"], &rows)?)
    }

    fn common(&self) -> &Common {
        match self {
            Self::List(common) => common,
            Self::Create(one)
            | Self::Suspend(one)
            | Self::Resume(one)
            | Self::Seal(one)
            | Self::Unseal(one) => &one.common,
        }
    }
}

async fn all(
    administration: &Administration,
    act: &Act<'_>,
) -> Result<Vec<Organization>, AdministrationError> {
    let mut all: Vec<Organization> = Vec::new();
    loop {
        let after = all.last().map(|last| last.org);
        let page = administration.organizations(act, after, PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

async fn changed(
    administration: &Administration,
    act: &Act<'_>,
    one: &One,
    transition: Transition,
) -> Result<Organization, AdministrationError> {
    administration
        .change_state(act, &one.slug, transition)
        .await
}

/// How many rows are read at a time.
const PAGE: u32 = 1000;
