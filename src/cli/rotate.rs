use std::sync::Arc;

use clap::Args;
use names::{OrgId, Slug};
use uuid::Uuid;

use super::open::{Absent, Opened};
use super::print;
use super::{Outcome, Settings};
use crate::audit::{Decision, Event};
use crate::authz::{Operator, record_activity_as_operator};
use crate::blobs;
use crate::ops::{Checkpoints, Rotation};
use crate::telemetry;

/// Rotate an organization's key, or the platform's, also while a server runs beside: data keys are
/// wrapped again and the old key is deleted. Run again, it ends a rotation that was interrupted.
#[derive(Debug, Args)]
pub(super) struct Rotate {
    #[command(flatten)]
    whose: Whose,
    /// For a key that has leaked: encrypt the data itself again, under fresh keys. Every body is
    /// read and written once. The old ones are deleted by the server when `[drive] trash_delay` is
    /// over.
    #[arg(long)]
    reencrypt: bool,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// The organization's short name.
    #[arg(long, value_name = "SLUG", value_parser = Slug::parse)]
    org: Option<Slug>,
    /// The platform's own key: accounts, access keys, organizations.
    #[arg(long)]
    platform: bool,
}

impl Rotate {
    pub(super) async fn run(self) -> Outcome {
        let config = self.settings.load()?;
        telemetry::init(&config.log)?;
        let opened = Opened::open(&config, Absent::Refuse).await?;
        let operator = Operator::authenticated();
        let org = match &self.whose.org {
            Some(slug) => opened.tenancy.organization(&operator, slug).await?.org,
            None => OrgId::PLATFORM,
        };
        match org.is_platform() {
            true => {
                opened
                    .record(format!("operator {} {org}", self.action()))
                    .await?
            }
            false => {
                let permit = record_activity_as_operator(&operator, org);
                opened
                    .audit
                    .record(permit, event(&opened, self.action()))
                    .await?;
            }
        }
        let checkpoints = Arc::new(Checkpoints::new(
            &config.audit,
            opened.platform.clone(),
            Arc::clone(&opened.keyring),
            opened.node,
            opened.clock.clone(),
        ));
        let rotation = Rotation::new(
            opened.jobs.clone(),
            Arc::clone(&opened.keyring),
            Arc::new(opened.drive(&config.drive, blobs::open(&config.blobs)?)),
            checkpoints,
            opened.node,
            opened.clock.clone(),
        );
        let rotated = match self.reencrypt {
            true => rotation.reencrypt(&operator, org).await?,
            false => rotation.rotate(&operator, org).await?,
        };
        print::json(&rotated)?;
        match rotated.damaged.len() {
            0 => Ok(()),
            count => Err(format!(
                "{count} things are not what was written and were left: their key is not deleted"
            )
            .into()),
        }
    }
}

impl Rotate {
    /// As the activity log has it.
    fn action(&self) -> &'static str {
        match self.reencrypt {
            true => "bulkhead:ReencryptData",
            false => "bulkhead:RotateKey",
        }
    }
}

fn event(opened: &Opened, action: &'static str) -> Event {
    let now_ms = opened.clock.now_ms();
    Event {
        request_id: Uuid::from_bytes(opened.entropy.uuid_v7(now_ms)).to_string(),
        ..Event::of_operator(now_ms, action, "*".to_owned(), Decision::Intended)
    }
}
