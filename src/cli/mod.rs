//! The command line: one file per command.

mod audit;
mod destroy;
mod key;
mod memory;
mod open;
mod org;
mod print;
mod root;
mod rotate;
mod serve;
mod verify;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::config::{Config, ConfigError};

/// A multi-tenant storage gateway: files and credentials, sealed under each organization's own key.
#[derive(Debug, Parser)]
#[command(name = "bulkhead", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Org(org::Org),
    Key(key::Key),
    Rotate(rotate::Rotate),
    Root(root::Root),
    Verify(verify::Verify),
    Audit(audit::Audit),
}

impl Cli {
    /// Runs the command to its end. An error becomes one line on standard error and exit code 1;
    /// a command line that does not parse has ended with 2 before.
    pub fn run(self) -> ExitCode {
        // reqwest and object_store take the provider of the process.
        let _installed_before = rustls::crypto::ring::default_provider().install_default();
        let outcome = memory::keep_private()
            .and_then(|()| {
                tokio::runtime::Builder::new_multi_thread()
                    .enable_all()
                    .build()
            })
            .map_err(Into::into)
            .and_then(|runtime| {
                runtime.block_on(async {
                    match self.command {
                        Command::Serve(serve) => serve.run().await,
                        Command::Org(org) => org.run().await,
                        Command::Key(key) => key.run().await,
                        Command::Rotate(rotate) => rotate.run().await,
                        Command::Root(root) => root.run().await,
                        Command::Verify(verify) => verify.run().await,
                        Command::Audit(audit) => audit.run().await,
                    }
                })
            });
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("bulkhead: {}", one_line(&*error));
                ExitCode::FAILURE
            }
        }
    }
}

/// What a command returns. Commands pass on the errors of the modules that they call, whose texts
/// are written for the operator.
type Outcome = Result<(), Box<dyn Error + Send + Sync>>;

/// The settings, which every command takes alike.
#[derive(Debug, Args)]
struct Settings {
    /// The settings file; without one, defaults and BULKHEAD_* variables.
    #[arg(long, value_name = "FILE", env = "BULKHEAD_CONFIG")]
    config: Option<PathBuf>,
}

impl Settings {
    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(self.config.as_deref())
    }
}

/// The error and its causes, without what a text repeats of its cause.
fn one_line(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
        cause = error.source();
    }
    line.replace('\n', " ")
}
