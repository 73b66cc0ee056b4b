use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use http::Method;
use serde_json::{Value, json};

use super::ask::{Leave, hidden};
use super::remote::{ApiPath, Client, InOrganization, Remote, RemoteError};
use super::secret_import::Import;
use super::secret_value::{Source, revealed, write};
use super::{Outcome, pair, print};

/// Secrets: write, read, list, restore and import them. Values are read from files, standard input
/// or a prompt, and never from the command line.
#[derive(Debug, Args)]
pub(super) struct Secret {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a value: a new version of a secret, or the first one of a new secret.
    Put(Put),
    /// Reveal a value on standard output. It stands in the activity log.
    Get(Get),
    /// List secrets, without their values.
    List(List),
    /// Show what is said of a secret, without its values.
    Show(One),
    /// List the versions of a secret, the oldest first, without their values.
    History(One),
    /// Make the value of an old version that of a new one, which becomes current.
    Rollback {
        #[command(flatten)]
        one: One,
        /// The old version's number.
        version: u64,
    },
    /// Delete a secret. It can be restored for 30 days, unless something else is said.
    Delete(Delete),
    /// Take the deletion of a secret back.
    Restore(One),
    /// Make a link that shows a value once to whoever holds its token, which is shown this once.
    Share(Share),
    /// List the share links of a secret that have not ended.
    Shares(One),
    /// Take a share link back.
    RevokeShare {
        #[command(flatten)]
        one: One,
        /// Its identifier.
        id: String,
    },
    /// Open a share link, once, and write its value to standard output. Its token is asked for, and
    /// needs no other credential.
    OpenShare(OpenShare),
    /// Destroy the values of versions for good.
    DestroyVersions {
        #[command(flatten)]
        one: One,
        /// The versions' numbers.
        #[arg(required = true)]
        versions: Vec<u64>,
        #[command(flatten)]
        leave: Leave,
    },
    Import(Import),
}

#[derive(Debug, Args)]
struct Put {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    source: Source,
    /// What kind of credential it is, which says what its value looks like.
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// What it is for.
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// A tag; may be given again.
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = pair)]
    tags: Vec<(String, String)>,
    /// The number of the version that has to be current; 0 for a secret that is not there yet.
    #[arg(long, value_name = "NUMBER")]
    current: Option<u64>,
}

#[derive(Debug, Args)]
struct Get {
    #[command(flatten)]
    one: One,
    /// The version of this number; the current one, if none is named.
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    /// The version that carries this stage.
    #[arg(long, conflicts_with = "version")]
    stage: Option<String>,
    /// A field of the value, as text.
    #[arg(long, value_name = "NAME")]
    field: Option<String>,
}

#[derive(Debug, Args)]
struct List {
    /// Those whose paths begin so.
    #[arg(long, default_value = "")]
    prefix: String,
    /// Those in use, those about to be deleted, or both.
    #[arg(long, value_enum, default_value_t)]
    state: State,
    /// Those with a tag of this name, or of this name and value.
    #[arg(long, value_name = "NAME[=VALUE]")]
    tag: Option<String>,
    #[command(flatten)]
    place: InOrganization,
}

#[derive(Debug, Args)]
struct Delete {
    #[command(flatten)]
    one: One,
    /// Within how many days it can be restored: 7 to 30.
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(7..=30))]
    recovery_days: Option<u32>,
    /// At once, and for good.
    #[arg(long, conflicts_with = "recovery_days")]
    at_once: bool,
    #[command(flatten)]
    leave: Leave,
}

#[derive(Debug, Args)]
struct Share {
    #[command(flatten)]
    one: One,
    /// The version of this number; the current one, if none is named.
    #[arg(long, value_name = "NUMBER")]
    version: Option<u64>,
    /// For how many seconds it can be opened: 60 to 604,800; an hour, if nothing is said.
    #[arg(long, value_name = "SECONDS")]
    lasts_seconds: Option<u64>,
}

#[derive(Debug, Args)]
struct OpenShare {
    /// A file that holds the link's token; `-` for standard input.
    #[arg(long, value_name = "FILE")]
    share_file: Option<PathBuf>,
    #[command(flatten)]
    remote: Remote,
}

#[derive(Debug, Args)]
struct One {
    /// The secret's path.
    path: String,
    #[command(flatten)]
    place: InOrganization,
}

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum State {
    #[default]
    Active,
    Deleted,
    Any,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Text or bytes of any form.
    Opaque,
    /// A JSON object of names and values.
    KeyValue,
    /// A single key, as text.
    ApiKey,
    /// JSON with `username` and `password`.
    Basic,
    /// JSON with `client_id`, `client_secret` and `token_url`.
    OauthClient,
    /// JSON with `access_token`, and `refresh_token` where there is one.
    OauthTokens,
    /// JSON with `access_key_id` and `secret_access_key`.
    AwsKeyPair,
    /// JSON with `private_key`, and `passphrase` where there is one.
    SshKey,
    /// JSON with `certificate` and `private_key`, in PEM.
    Certificate,
}

impl Secret {
    pub(super) async fn run(self) -> Outcome {
        match self.command {
            Command::Put(put) => put.run().await,
            Command::Get(get) => get.run().await,
            Command::List(list) => list.run().await,
            Command::Show(one) => {
                let client = one.place.client()?;
                let secret = client.get(&one.below(&client, &[]).await?).await?;
                Ok(print::item(one.place.json(), SHOWN, &secret)?)
            }
            Command::History(one) => {
                let client = one.place.client()?;
                let path = one.below(&client, &["versions"]).await?;
                let versions = client.all_at_once(&path, &[]).await?;
                Ok(print::items(one.place.json(), VERSION, &versions)?)
            }
            Command::Rollback { one, version } => {
                let body = json!({"version": version});
                one.change(&["rollback"], &body).await
            }
            Command::Delete(delete) => delete.run().await,
            Command::Restore(one) => {
                let client = one.place.client()?;
                let path = one.below(&client, &["restore"]).await?;
                let restored = client.post(&path).await?;
                Ok(print::item(one.place.json(), WRITTEN, &restored)?)
            }
            Command::Share(share) => share.run().await,
            Command::Shares(one) => {
                let client = one.place.client()?;
                let path = one.below(&client, &["shares"]).await?;
                let shares = client.all_at_once(&path, &[]).await?;
                Ok(print::items(one.place.json(), SHARE, &shares)?)
            }
            Command::RevokeShare { one, id } => {
                let client = one.place.client()?;
                let path = one.below(&client, &["shares", &id]).await?;
                client.delete(&path).await?;
                Ok(())
            }
            Command::OpenShare(open) => open.run().await,
            Command::DestroyVersions {
                one,
                versions,
                leave,
            } => {
                leave.ask("This destroys the versions' values for good.", &one.path)?;
                let body = json!({"versions": versions});
                one.change(&["versions", "destroy"], &body).await
            }
            Command::Import(import) => import.run().await,
        }
    }
}

impl Put {
    async fn run(self) -> Outcome {
        self.source.check()?;
        let client = self.one.place.client()?;
        let value = self.source.read()?.json();
        let written = Writing {
            client: &client,
            path: &self.one.path,
            kind: self.kind.map(Kind::as_str),
            description: self.description.as_deref(),
            tags: self.tags.into_iter().collect(),
            current: self.current,
        }
        .write(value)
        .await?;
        Ok(print::item(self.one.place.json(), WRITTEN, &written)?)
    }
}

impl Get {
    async fn run(self) -> Outcome {
        let Self { one, field, .. } = self;
        let client = one.place.client()?;
        let query = [
            ("version", self.version.map(|number| number.to_string())),
            ("stage", self.stage),
        ];
        let path = one.below(&client, &["value"]).await?;
        let answer = client.get_with(&path, &query).await?;
        if one.place.json() && field.is_none() {
            return Ok(print::json(&answer)?);
        }
        Ok(write(&revealed(&answer, field.as_deref())?)?)
    }
}

impl List {
    async fn run(self) -> Outcome {
        let client = self.place.client()?;
        let is_given = |prefix: &String| !prefix.is_empty();
        let query = [
            ("prefix", Some(self.prefix).filter(is_given)),
            ("state", Some(self.state.as_str().to_owned())),
            ("tag", self.tag),
        ];
        let path = client.below(&["secrets"]).await?;
        let secrets = client.all(&path, &query).await?;
        Ok(print::items(self.place.json(), SECRET, &secrets)?)
    }
}

impl Delete {
    async fn run(self) -> Outcome {
        let Self { one, at_once, .. } = self;
        let client = one.place.client()?;
        let what = match at_once {
            true => "This deletes the secret with all of its versions, for good.",
            false => "This deletes the secret. It can be restored for some days.",
        };
        self.leave.ask(what, &one.path)?;
        let days = self.recovery_days.map(|days| days.to_string());
        let query = [
            ("recovery_days", days),
            ("at_once", at_once.then(|| "true".to_owned())),
        ];
        let path = one.below(&client, &[]).await?;
        let deleted = client.delete_with(&path, &query).await?;
        Ok(print::item(one.place.json(), DELETED, &deleted)?)
    }
}

impl Share {
    async fn run(self) -> Outcome {
        let client = self.one.place.client()?;
        let path = self.one.below(&client, &["shares"]).await?;
        let body = json!({"version": self.version, "lasts_seconds": self.lasts_seconds});
        let share = client.send(Method::POST, &path, &body).await?;
        Ok(print::item(self.one.place.json(), NEW_SHARE, &share)?)
    }
}

impl OpenShare {
    async fn run(self) -> Outcome {
        let client = self.remote.client_of_anybody()?;
        let token = hidden("Link", self.share_file.as_deref())?;
        let path = ApiPath::of(&["shares", "open"])?;
        let body = json!({"token": *token});
        let opened = client.send(Method::POST, &path, &body).await?;
        match self.remote.json {
            true => Ok(print::json(&opened)?),
            false => Ok(write(&revealed(&opened, None)?)?),
        }
    }
}

/// A value on its way to a path, with what is to be said of the secret there.
pub(super) struct Writing<'a> {
    pub(super) client: &'a Client,
    pub(super) path: &'a str,
    pub(super) kind: Option<&'static str>,
    pub(super) description: Option<&'a str>,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) current: Option<u64>,
}

impl Writing<'_> {
    /// Writes a new version; where there is no secret, it makes one.
    pub(super) async fn write(&self, value: Value) -> Result<Value, RemoteError> {
        let Self {
            client,
            path,
            current,
            ..
        } = self;
        if *current == Some(0) {
            return self.create(value).await;
        }
        let is_said = self.kind.is_some() || self.description.is_some() || !self.tags.is_empty();
        let secret = client.below(&["secrets", path]).await?;
        if is_said {
            // A value is judged by the kind that the secret has by then.
            let mut change = json!({"tags": self.tags});
            if let Some(kind) = self.kind {
                change["kind"] = kind.into();
            }
            if let Some(description) = self.description {
                change["description"] = description.into();
            }
            match client.send(Method::PATCH, &secret, &change).await {
                Ok(_) => {}
                Err(error) if error.is_absence() => return self.create(value).await,
                Err(error) => return Err(error),
            }
        }
        let versions = client.below(&["secrets", path, "versions"]).await?;
        let body = json!({"value": value, "current": current});
        match client.send(Method::POST, &versions, &body).await {
            Err(error) if error.is_absence() && current.is_none() => self.create(value).await,
            written => written,
        }
    }

    async fn create(&self, value: Value) -> Result<Value, RemoteError> {
        let path = self.client.below(&["secrets"]).await?;
        let body = json!({
            "path": self.path,
            "kind": self.kind.unwrap_or("opaque"),
            "description": self.description.unwrap_or_default(),
            "tags": self.tags,
            "value": value,
        });
        let made = self.client.send(Method::POST, &path, &body).await?;
        // As a write answers, so that programs read one form.
        let number = made["current_version"].clone();
        Ok(json!({"path": made["path"], "version": {"number": number}}))
    }
}

impl One {
    async fn below(&self, client: &Client, segments: &[&str]) -> Result<ApiPath, RemoteError> {
        let front = ["secrets", self.path.as_str()];
        client.below(&[&front, segments].concat()).await
    }

    async fn change(&self, segments: &[&str], body: &Value) -> Outcome {
        let client = self.place.client()?;
        let path = self.below(&client, segments).await?;
        let written = client.send(Method::POST, &path, body).await?;
        Ok(print::item(self.place.json(), WRITTEN, &written)?)
    }
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Deleted => "deleted",
            Self::Any => "any",
        }
    }
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Opaque => "opaque",
            Self::KeyValue => "key-value",
            Self::ApiKey => "api-key",
            Self::Basic => "basic",
            Self::OauthClient => "oauth-client",
            Self::OauthTokens => "oauth-tokens",
            Self::AwsKeyPair => "aws-key-pair",
            Self::SshKey => "ssh-key",
            Self::Certificate => "certificate",
        }
    }
}

const SECRET: [(&str, &str); 5] = [
    ("PATH", "path"),
    ("KIND", "kind"),
    ("VERSION", "current_version"),
    ("CHANGED", "changed_at"),
    ("STATE", "state"),
];
const SHOWN: [(&str, &str); 9] = [
    ("PATH", "path"),
    ("KIND", "kind"),
    ("DESCRIPTION", "description"),
    ("TAGS", "tags"),
    ("STATE", "state"),
    ("VERSION", "current_version"),
    ("EXPIRES", "settings.expires_at"),
    ("CREATED", "created_at"),
    ("CHANGED", "changed_at"),
];
const VERSION: [(&str, &str); 5] = [
    ("NUMBER", "number"),
    ("STAGES", "stages"),
    ("STATE", "state"),
    ("CREATED", "created_at"),
    ("ID", "id"),
];
/// How a write is told of.
pub(super) const WRITTEN: [(&str, &str); 2] = [("PATH", "path"), ("VERSION", "version.number")];
const SHARE: [(&str, &str); 5] = [
    ("ID", "id"),
    ("VERSION", "version"),
    ("OPENED", "is_opened"),
    ("EXPIRES", "expires_at"),
    ("MADE BY", "made_by"),
];
const NEW_SHARE: [(&str, &str); 4] = [
    ("ID", "id"),
    ("VERSION", "version"),
    ("EXPIRES", "expires_at"),
    ("TOKEN", "token"),
];
const DELETED: [(&str, &str); 2] = [("PATH", "path"), ("DELETED AT", "delete_at")];
