use std::sync::Arc;

use clap::Args;
use http::Method;
use names::{OrgId, Slug};
use serde_json::json;

use super::ask::confirm;
use super::open::{Absent, Opened};
use super::print;
use super::remote::{ApiPath, Remote};
use super::{Outcome, Settings};
use crate::authz::Operator;
use crate::blobs;
use crate::ops::Destroyer;
use crate::telemetry;

/// Destroy an organization's keys and with them all of its data, and write the certificate as
/// JSON. Run again with its id, it goes on with what is pending. A running server does that by
/// itself, too.
#[derive(Debug, Args)]
pub(super) struct Destroy {
    #[command(flatten)]
    which: Which,
    /// Nothing brings the data back: say whose it is once more. Asked for at the terminal, if it
    /// is not given.
    #[arg(long, value_name = "SLUG or ID")]
    confirm: Option<String>,
    #[command(flatten)]
    remote: Remote,
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
        if self.remote.is_named() {
            return self.run_there().await;
        }
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
            (None, None) => return Err(NOT_NAMED.into()),
        };
        self.confirmed(&named)?;
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

    /// The same, by a running server.
    async fn run_there(self) -> Outcome {
        let client = self.remote.client()?;
        let named = match (&self.which.slug, self.which.id) {
            (Some(slug), _) => slug.to_string(),
            (None, Some(id)) => id.to_string(),
            (None, None) => return Err(NOT_NAMED.into()),
        };
        self.confirmed(&named)?;
        let path = ApiPath::of(&["organizations", &named, "destroy"])?;
        let body = json!({"confirm": named});
        let certificate = client.send(Method::POST, &path, &body).await?;
        Ok(print::json(&certificate)?)
    }

    fn confirmed(&self, named: &str) -> Outcome {
        match &self.confirm {
            None => Ok(confirm(
                "This destroys the organization's keys. Nothing brings its data back.",
                named,
            )?),
            Some(confirmed) if confirmed == named => Ok(()),
            Some(other) => {
                let text =
                    format!("nothing was destroyed: --confirm says `{other}`, not `{named}`");
                Err(text.into())
            }
        }
    }
}

const NOT_NAMED: &str = "name an organization, or its --id";
