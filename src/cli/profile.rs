use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::ask::Leave;
use super::remote::RemoteError;
use super::{Outcome, print};
use crate::config::Profiles;

/// The servers that this user has logged in to.
#[derive(Debug, Args)]
pub(super) struct ProfileCommand {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List profiles, without their tokens.
    List {
        /// Write JSON, one value on a line.
        #[arg(long)]
        json: bool,
    },
    /// Use a profile wherever none is named.
    Use {
        /// Its name.
        name: String,
    },
    /// Forget a profile with its token. `bulkhead logout` ends its session, too.
    Remove {
        /// Its name.
        name: String,
        #[command(flatten)]
        leave: Leave,
    },
}

impl ProfileCommand {
    pub(super) fn run(self) -> Outcome {
        let mut profiles = Profiles::load()?;
        match self.command {
            Command::List { json } => {
                let shown: Vec<_> = shown(&profiles);
                Ok(print::items(json, COLUMNS, &shown)?)
            }
            Command::Use { name } => {
                if profiles.named(&name).is_none() {
                    return Err(RemoteError::NoProfile(name).into());
                }
                profiles.use_by_default(&name);
                Ok(profiles.save()?)
            }
            Command::Remove { name, leave } => {
                if profiles.named(&name).is_none() {
                    return Err(RemoteError::NoProfile(name).into());
                }
                leave.ask("This forgets the profile with its token.", &name)?;
                profiles.remove(&name);
                Ok(profiles.save()?)
            }
        }
    }
}

fn shown(profiles: &Profiles) -> Vec<Value> {
    let all = profiles.all();
    all.map(|(name, profile)| {
        json!({
            "name": name,
            "current": profiles.current() == Some(name),
            "url": profile.url,
            "organization": profile.organization,
            "logged_in": profile.token.is_some(),
        })
    })
    .collect()
}

const COLUMNS: [(&str, &str); 5] = [
    ("NAME", "name"),
    ("CURRENT", "current"),
    ("URL", "url"),
    ("ORGANIZATION", "organization"),
    ("LOGGED IN", "logged_in"),
];
