//! The command line: one file per command. Some open what is stored here, others ask a running
//! server over `/api/v1` (`remote`).

mod access;
mod account;
mod activity;
mod agent;
mod ask;
mod audit;
mod completions;
mod credit;
mod destroy;
mod grant;
mod invite;
mod key;
mod login;
mod member;
mod memory;
mod open;
mod org;
mod plan;
mod print;
mod profile;
mod remote;
mod root;
mod rotate;
mod run;
mod secret;
mod secret_import;
mod secret_value;
mod serve;
mod statement;
mod team;
mod token;
mod usage;
mod verify;

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    #[command(name = "login")]
    LogIn(login::LogIn),
    #[command(name = "logout")]
    LogOut(login::LogOut),
    Profile(profile::ProfileCommand),
    Account(account::Account),
    Org(org::Org),
    Member(member::Member),
    Invite(invite::Invite),
    Team(team::Team),
    Agent(agent::Agent),
    Grant(grant::Grant),
    Access(access::Access),
    Key(key::Key),
    Token(token::Token),
    Secret(secret::Secret),
    Run(run::Run),
    Activity(activity::Activity),
    Usage(usage::Usage),
    Plan(plan::Plan),
    Credit(credit::Credit),
    Statement(statement::Statement),
    Rotate(rotate::Rotate),
    Root(root::Root),
    Verify(verify::Verify),
    Audit(audit::Audit),
    Completions(completions::Completions),
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
            .and_then(|runtime| runtime.block_on(self.command.run()));
        match outcome {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("bulkhead: {}", one_line(&*error));
                match error.downcast_ref::<run::NotStarted>() {
                    Some(error) => ExitCode::from(error.code()),
                    None => ExitCode::FAILURE,
                }
            }
        }
    }
}

impl Command {
    async fn run(self) -> Outcome {
        match self {
            Self::Serve(serve) => serve.run().await,
            Self::LogIn(login) => login.run().await,
            Self::LogOut(logout) => logout.run().await,
            Self::Profile(profile) => profile.run(),
            Self::Account(account) => account.run().await,
            Self::Org(org) => org.run().await,
            Self::Member(member) => member.run().await,
            Self::Invite(invite) => invite.run().await,
            Self::Team(team) => team.run().await,
            Self::Agent(agent) => agent.run().await,
            Self::Grant(grant) => grant.run().await,
            Self::Access(access) => access.run().await,
            Self::Key(key) => key.run().await,
            Self::Token(token) => token.run().await,
            Self::Secret(secret) => secret.run().await,
            Self::Run(run) => run.run().await,
            Self::Activity(activity) => activity.run().await,
            Self::Usage(usage) => usage.run().await,
            Self::Plan(plan) => plan.run().await,
            Self::Credit(credit) => credit.run().await,
            Self::Statement(statement) => statement.run().await,
            Self::Rotate(rotate) => rotate.run().await,
            Self::Root(root) => root.run().await,
            Self::Verify(verify) => verify.run().await,
            Self::Audit(audit) => audit.run().await,
            Self::Completions(completions) => completions.run(),
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

/// What a member is, or a credential is limited to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum RoleArgument {
    /// Everything, the end of the organization included.
    Owner,
    /// Everything but the end of the organization, its export and its plan.
    Admin,
    /// The files of the organization, and what was granted.
    Member,
    /// Reads the files of the organization.
    Viewer,
    /// Usage, plan and credits.
    Billing,
}

impl RoleArgument {
    /// As the API has it.
    fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Viewer => "viewer",
            Self::Billing => "billing",
        }
    }
}

/// A name and a value with `=` between.
fn pair(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("NAME=VALUE is expected"),
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
