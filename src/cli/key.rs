use std::io::{self, Write};

use clap::{Args, Subcommand};
use http::Method;
use names::{AccessKeyId, Slug};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::open::{Absent, Opened};
use super::print::{self, Endpoint, Exports};
use super::remote::InOrganization;
use super::token::{self, CREDENTIAL, CredentialKind, Terms, Whose};
use super::{Outcome, Settings};
use crate::authz::{Operator, Scope};
use crate::http::api::{AccessKeyView, NewAccessKeyView};
use crate::ops::{Act, Administration, AdministrationError};
use crate::telemetry;
use crate::tenancy::AccessKey;

/// Make and manage access keys, which S3 clients sign with.
///
/// With --url or --profile, or the variable of either, a running server does it: a member's token
/// makes keys of its own and of agents, the operator's token keys of an organization as a whole.
/// Without, keys of an organization as a whole are made here, in the data that the settings name,
/// also while a server runs beside.
#[derive(Debug, Args)]
pub(super) struct Key {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make an access key, and write it as lines for a shell. Its secret is shown this once.
    Create {
        #[command(flatten)]
        terms: Terms,
        #[command(flatten)]
        common: Common,
    },
    /// List access keys, revoked ones among them, without their secrets.
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
    #[command(flatten)]
    place: InOrganization,
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
        if common.place.remote.is_named() {
            return self.run_there().await;
        }
        let Some(org) = &common.place.org else {
            return Err("name the organization with --org, or a server with --profile".into());
        };
        let org = &Slug::parse(org)?;
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
            Command::Create { terms, .. } => {
                if !terms.is_plain() {
                    return Err(PLAIN.into());
                }
                let scope = match terms.read_only {
                    true => Scope::ReadOnly,
                    false => Scope::Full,
                };
                let (as_json, endpoint) = (common.place.json(), Endpoint::of(&config));
                create(administration, &act, org, as_json, scope, &endpoint).await
            }
            Command::List { .. } => {
                let keys = all(administration, &act, org).await?;
                list(&keys, common.place.json())
            }
            Command::Revoke { id, .. } => {
                administration.revoke_access_key(&act, org, id).await?;
                Ok(())
            }
        }
    }

    /// The same, by a running server.
    async fn run_there(self) -> Outcome {
        let place = &self.command.common().place;
        let client = place.client()?;
        match &self.command {
            Command::Create { terms, .. } => {
                let made = if !client.is_operator() {
                    token::create(&client, CredentialKind::AccessKey, terms).await?
                } else if terms.is_plain() {
                    let scope = if terms.read_only { "read-only" } else { "full" };
                    let path = client.below(&["access-keys"]).await?;
                    let body = json!({"scope": scope});
                    client.send(Method::POST, &path, &body).await?
                } else {
                    return Err(PLAIN.into());
                };
                if place.json() {
                    return Ok(print::json(&made)?);
                }
                let half = |name: &str| made[name].as_str().unwrap_or_default();
                Ok(print::pair_of_keys(half("id"), half("secret"))?)
            }
            Command::List { .. } if client.is_operator() => {
                let path = client.below(&["access-keys"]).await?;
                let keys = client.all(&path, &[]).await?;
                Ok(print::items(place.json(), KEY, &keys)?)
            }
            Command::List { .. } => {
                let mut keys = token::list(&client, Whose::Own).await?;
                keys.retain(|credential| credential["kind"] == "access-key");
                Ok(print::items(place.json(), CREDENTIAL, &keys)?)
            }
            Command::Revoke { id, .. } if client.is_operator() => {
                let path = client.below(&["access-keys", id.as_str()]).await?;
                client.delete(&path).await?;
                Ok(())
            }
            Command::Revoke { id, .. } => {
                Ok(token::revoke(&client, Whose::Own, id.as_str()).await?)
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
    org: &Slug,
    as_json: bool,
    scope: Scope,
    endpoint: &Endpoint,
) -> Outcome {
    let recorded = administration.record_access_key(act, org, scope).await?;
    let key = administration.activate(act, recorded).await?;
    let shown = if as_json {
        print::json(&CreatedView {
            key: NewAccessKeyView::from(&key),
            organization: org.as_str(),
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
        administration.revoke_access_key(act, org, &key.id).await?;
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
    let rows = views.into_iter().map(|view| {
        let revoked = view.revoked_at.unwrap_or_else(|| "-".to_owned());
        [
            view.id,
            view.scope.as_str().to_owned(),
            view.created_at,
            revoked,
        ]
    });
    Ok(print::table(KEY.map(|(title, _)| title), rows)?)
}

/// How many rows are read at a time.
const PAGE: u32 = 1000;
const KEY: [(&str, &str); 4] = [
    ("ID", "id"),
    ("SCOPE", "scope"),
    ("CREATED", "created_at"),
    ("REVOKED", "revoked_at"),
];
const PLAIN: &str = "an access key of an organization as a whole is full or --read-only, and no \
                     more: agent, role, end and label go with a member's token";
