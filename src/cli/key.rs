use std::io::{self, Write};

use clap::{Args, Subcommand};
use names::{AccessKeyId, Slug};
use serde::Serialize;
use uuid::Uuid;

use super::open::{Absent, Opened};
use super::print::{self, Endpoint, Exports};
use super::{Outcome, Settings};
use crate::authz::{Operator, Scope};
use crate::http::api::{AccessKeyView, NewAccessKeyView};
use crate::ops::{Act, Administration, AdministrationError};
use crate::telemetry;
use crate::tenancy::AccessKey;

/// Make and manage access keys, also while a server runs beside.
#[derive(Debug, Args)]
pub(super) struct Key {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an access key, and write it as lines for a shell. Its secret is shown this once.
    Create {
        /// Let it do only what changes nothing.
        #[arg(long)]
        read_only: bool,
        #[command(flatten)]
        common: Common,
    },
    /// List the access keys of an organization, revoked ones among them, without their secrets.
    List {
        #[command(flatten)]
        common: Common,
    },
    /// Revoke an access key for good. A running server refuses it within a second.
    Revoke {
        /// The access key id.
        #[arg(value_parser = AccessKeyId::parse)]
        id: AccessKeyId,
        #[command(flatten)]
        common: Common,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// The organization's short name.
    #[arg(long, value_name = "SLUG", value_parser = Slug::parse)]
    org: Slug,
    /// Write JSON, one value on a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

/// A new access key with all that a client has to be told.
#[derive(Serialize)]
struct CreatedView<'a> {
    #[serde(flatten)]
    key: NewAccessKeyView<'a>,
    organization: &'a str,
    region: &'a str,
    endpoint: &'a str,
}

impl Key {
    pub(super) async fn run(self) -> Outcome {
        let common = self.command.common();
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
        match &self.command {
            Command::Create { read_only, .. } => {
                let scope = match read_only {
                    true => Scope::ReadOnly,
                    false => Scope::Full,
                };
                let endpoint = Endpoint::of(&config);
                create(administration, &act, common, scope, &endpoint).await
            }
            Command::List { .. } => {
                let keys = all(administration, &act, &common.org).await?;
                list(&keys, common.json)
            }
            Command::Revoke { id, .. } => {
                administration
                    .revoke_access_key(&act, &common.org, id)
                    .await?;
                Ok(())
            }
        }
    }
}

impl Command {
    fn common(&self) -> &Common {
        match self {
            Self::Create { common, .. } | Self::List { common } | Self::Revoke { common, .. } => {
                common
            }
        }
    }
}

async fn create(
    administration: &Administration,
    act: &Act<'_>,
    common: &Common,
    scope: Scope,
    endpoint: &Endpoint,
) -> Outcome {
    let recorded = administration
        .record_access_key(act, &common.org, scope)
        .await?;
    let key = administration.activate(act, recorded).await?;
    let shown = if common.json {
        print::json(&CreatedView {
            key: NewAccessKeyView::from(&key),
            organization: common.org.as_str(),
            region: &endpoint.region,
            endpoint: &endpoint.url,
        })
    } else {
        let exports = Exports {
            id: key.id.as_str(),
            secret: &key.secret,
            endpoint,
        };
        let mut out = io::stdout().lock();
        write!(out, "{exports}").and_then(|()| out.flush())
    };
    if let Err(error) = shown {
        // Nobody has seen its secret, so nobody will miss it.
        administration
            .revoke_access_key(act, &common.org, &key.id)
            .await?;
        return Err(error.into());
    }
    Ok(())
}

async fn all(
    administration: &Administration,
    act: &Act<'_>,
    org: &Slug,
) -> Result<Vec<AccessKey>, AdministrationError> {
    let mut all: Vec<AccessKey> = Vec::new();
    loop {
        let after = all.last().map(|last| &last.id);
        let page = administration.access_keys(act, org, after, PAGE).await?;
        if page.is_empty() {
            all.sort_by_key(|key| key.created_ms);
            return Ok(all);
        }
        all.extend(page);
    }
}

fn list(keys: &[AccessKey], as_json: bool) -> Outcome {
    let views: Vec<_> = keys.iter().map(AccessKeyView::from).collect();
    if as_json {
        views.iter().try_for_each(print::json)?;
        return Ok(());
    }
    let rows: Vec<_> = views
        .into_iter()
        .map(|view| {
            let revoked = view.revoked_at.unwrap_or_else(|| "-".to_owned());
            [
                view.id,
                view.scope.as_str().to_owned(),
                view.created_at,
                revoked,
            ]
        })
        .collect();
    Ok(print::table(["ID", "SCOPE", "CREATED", "REVOKED"], &rows)?)
}

/// How many rows are read at a time.
const PAGE: u32 = 1000;
