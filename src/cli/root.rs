use std::sync::Arc;

use clap::{Args, Subcommand};

use super::open::{Absent, Opened};
use super::print;
use super::{Outcome, Settings};
use crate::authz::Operator;
use crate::ops::RootRotation;
use crate::telemetry;

/// Rotate the root key, also while a server runs beside: it takes the new file over by itself.
#[derive(Debug, Args)]
pub(super) struct Root {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    settings: Settings,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a version to the root key file and wrap every key under it.
    Rotate,
    /// Wrap every key under the newest version: ends a rotation that was interrupted.
    Rewrap,
    /// Remove a version that wraps nothing any more. What only it can open, in old backups and of
    /// destroyed organizations, is gone for good.
    DestroyVersion {
        /// Which.
        version: u32,
    },
}

impl Root {
    pub(super) async fn run(self) -> Outcome {
        let config = self.settings.load()?;
        telemetry::init(&config.log)?;
        let opened = Opened::open(&config, Absent::Refuse).await?;
        let operator = Operator::authenticated();
        let rotation = RootRotation::new(
            opened.jobs.clone(),
            opened.platform.clone(),
            Arc::clone(&opened.keyring),
            opened.node,
            opened.clock.clone(),
        );
        opened.record(self.command.act()).await?;
        let rotated = match self.command {
            Command::Rotate => rotation.rotate(&operator).await?,
            Command::Rewrap => rotation.rewrap(&operator).await?,
            Command::DestroyVersion { version } => {
                let destroyed = rotation.destroy_version(&operator, version).await?;
                return Ok(print::json(&destroyed)?);
            }
        };
        print::json(&rotated)?;
        match rotated.left.len() {
            0 => Ok(()),
            count => Err(format!("{count} keys could not be wrapped again").into()),
        }
    }
}

impl Command {
    fn act(&self) -> String {
        match self {
            Self::Rotate => "operator bulkhead:RotateRoot".to_owned(),
            Self::Rewrap => "operator bulkhead:RewrapKeys".to_owned(),
            Self::DestroyVersion { version } => {
                format!("operator bulkhead:DestroyRootVersion {version}")
            }
        }
    }
}
