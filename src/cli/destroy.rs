use std::sync::Arc;

use clap::Args;
use names::{OrgId, Slug};

use super::ask::confirm;
use super::open::{Absent, Opened};
use super::print;
use super::{Outcome, Settings};
use crate::authz::Operator;
use crate::blobs;
use crate::ops::Destroyer;
use crate::telemetry;

/// Destroy an organization's keys and with them all of its data, and write the certificate as
/// JSON. Run again with its id, it goes on with what is pending.
#[derive(Debug, Args)]
pub(super) struct Destroy {
    #[command(flatten)]
    which: Which,
    /// Nothing brings the data back: say whose it is once more. Asked for at the terminal, if it
    /// is not given.
    #[arg(long, value_name = "SLUG or ID")]
    confirm: Option<String>,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The organization's short name.
    #[arg(value_parser = Slug::parse)]
    slug: Option<Slug>,
    /// The organization's id: a destroyed one has no name any more.
    #[arg(long)]
    id: Option<OrgId>,
}

impl Destroy {
    pub(super) async fn run(self) -> Outcome {
        let config = self.settings.load()?;
        telemetry::init(&config.log)?;
        let opened = Opened::open(&config, Absent::Refuse).await?;
        let operator = Operator::authenticated();
        let (named, org) = match (&self.which.slug, self.which.id) {
            (Some(slug), _) => {
                let organization = opened.tenancy.organization(&operator, slug).await?;
                (slug.to_string(), organization.org)
            }
            (None, Some(id)) => (id.to_string(), id),
            (None, None) => return Err("name an organization, or its --id".into()),
        };
        match self.confirm {
            None => confirm(
                "This destroys the organization's keys. Nothing brings its data back.",
                &named,
            )?,
            Some(confirmed) if confirmed == named => {}
            Some(other) => {
                return Err(format!(
                    "nothing was destroyed: --confirm says `{other}`, not `{named}`"
                )
                .into());
            }
        }
        let blobs = blobs::open(&config.blobs)?;
        opened
            .record(format!(
                "operator bulkhead:DestroyOrganization {named} {org}"
            ))
            .await?;
        let destroyer = Destroyer::new(
            opened.jobs.clone(),
            opened.platform.clone(),
            blobs,
            Arc::clone(&opened.keyring),
            opened.node,
            opened.clock.clone(),
        )
        .with_backups_kept(config.data.backups_kept);
        let certificate = destroyer.destroy(&operator, org).await?;
        Ok(print::json(&certificate)?)
    }
}
