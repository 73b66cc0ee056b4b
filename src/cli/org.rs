use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use http::Method;
use names::Slug;
use serde_json::{Value, json};
use uuid::Uuid;

use super::ask::Leave;
use super::destroy::Destroy;
use super::open::{Absent, Opened};
use super::remote::{ApiPath, InOrganization, Remote};
use super::{Outcome, Settings, pair, print};
use crate::authz::Operator;
use crate::http::api::OrganizationView;
use crate::ops::{Act, Administration, AdministrationError};
use crate::telemetry;
use crate::tenancy::Transition::{self, Resume, Seal, Suspend, Unseal};
use crate::tenancy::{Organization, Ownership};

/// Make and manage organizations.
///
/// With --url or --profile, or the variable of either, a running server does it, by the operator's
/// token or, of one's own organization, by a member's. Without, it is done here, to the data that
/// the settings name, also while a server runs beside.
#[derive(Debug, Args)]
pub(super) struct Org {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Manage(Manage),
    Destroy(Destroy),
    #[command(flatten)]
    Own(Own),
}

#[derive(Debug, Subcommand)]
enum Manage {
    /// Make an organization with keys of its own; on a running server also with all that it begins
    /// with. Repeated, also after a failure, that goes on with the same one.
    Create {
        #[command(flatten)]
        one: One,
        #[command(flatten)]
        with: With,
    },
    /// List all organizations, the oldest first.
    List(Common),
    /// Let an organization be read only.
    Suspend(One),
    /// Let a suspended organization be worked in again.
    Resume(One),
    /// Evict an organization's keys: every call is refused until it is unsealed.
    Seal(One),
    /// Let a sealed organization be worked in again.
    Unseal(One),
}

/// What its members do with their organization, on a running server.
#[derive(Debug, Subcommand)]
enum Own {
    /// Show an organization of a running server, with its name, plan and settings.
    Show(InOrganization),
    /// Call one's organization something else, or change its settings.
    Set {
        /// How people are to call it.
        #[arg(long)]
        name: Option<String>,
        /// A setting; may be given again.
        #[arg(long = "setting", value_name = "NAME=VALUE", value_parser = pair)]
        settings: Vec<(String, String)>,
        /// A setting to take away; may be given again.
        #[arg(long = "unset", value_name = "NAME")]
        unset: Vec<String>,
        #[command(flatten)]
        place: InOrganization,
    },
    /// Ask for one's organization to be destroyed once a grace period has ended. Until then it is
    /// read only and can be restored.
    Delete {
        /// Days within which it can be restored: 0 to 90.
        #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(0..=90))]
        grace_days: Option<u32>,
        #[command(flatten)]
        leave: Leave,
        #[command(flatten)]
        place: InOrganization,
    },
    /// Take back that one's organization is to be destroyed.
    Restore(InOrganization),
}

#[derive(Debug, Args)]
struct One {
    /// The organization's short name: 1 to 63 of a-z, 0-9 and -.
    #[arg(value_parser = Slug::parse)]
    slug: Slug,
    #[command(flatten)]
    common: Common,
}

/// What an organization begins with.
#[derive(Debug, Args)]
#[command(next_help_heading = "On a running server")]
struct With {
    /// The template of the server's settings that says what is not said here.
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// What people call it; the short name, if nothing is said.
    #[arg(long)]
    name: Option<String>,
    /// The plan that it is put on.
    #[arg(long, value_name = "PLAN")]
    plan: Option<String>,
    /// The e-mail address of whoever is invited to own it.
    #[arg(long, value_name = "EMAIL")]
    owner: Option<String>,
    /// What tells a repetition from another call; made of the short name, if nothing is said.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

#[derive(Debug, Args)]
struct Common {
    #[command(flatten)]
    remote: Remote,
    #[command(flatten)]
    settings: Settings,
}

impl Org {
    pub(super) async fn run(self) -> Outcome {
        match self.command {
            Command::Manage(manage) if manage.common().remote.is_named() => {
                manage.run_there().await
            }
            Command::Manage(manage) => manage.run().await,
            Command::Destroy(destroy) => destroy.run().await,
            Command::Own(own) => own.run().await,
        }
    }
}

impl Own {
    async fn run(self) -> Outcome {
        let (place, shown) = match self {
            Self::Show(place) => {
                let client = place.client()?;
                let mut organization = client.get(&client.below(&[]).await?).await?;
                // The operator sees no profile: it is sealed for the members.
                if !client.is_operator() {
                    let profile = client.get(&client.below(&["profile"]).await?).await?;
                    organization["profile"] = profile;
                }
                (place, organization)
            }
            Self::Set {
                name,
                settings,
                unset,
                place,
            } => {
                let client = place.client()?;
                let set = settings
                    .into_iter()
                    .map(|(name, value)| (name, Some(value)));
                let unset = unset.into_iter().map(|name| (name, None));
                let settings: BTreeMap<_, _> = set.chain(unset).collect();
                let body = json!({"name": name, "settings": settings});
                let path = client.below(&["profile"]).await?;
                let profile = client.send(Method::PATCH, &path, &body).await?;
                return Ok(print::item(place.json(), PROFILE, &profile)?);
            }
            Self::Delete {
                grace_days,
                leave,
                place,
            } => {
                let client = place.client()?;
                let organization = client.get(&client.below(&[]).await?).await?;
                let slug = organization["slug"].as_str().unwrap_or_default();
                leave.ask(
                    "This asks for the organization to be destroyed, with all that is in it.",
                    slug,
                )?;
                let path = client.below(&["delete"]).await?;
                let body = json!({"grace_days": grace_days});
                let deleting = client.send(Method::POST, &path, &body).await?;
                (place, deleting)
            }
            Self::Restore(place) => {
                let client = place.client()?;
                let restored = client.post(&client.below(&["restore"]).await?).await?;
                (place, restored)
            }
        };
        Ok(print::item(place.json(), SHOWN, &shown)?)
    }
}

impl Manage {
    async fn run(self) -> Outcome {
        let common = self.common();
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
        let shown = match &self {
            Self::List(_) => all(administration, &act).await?,
            Self::Create { with, .. } if !with.is_nothing() => return Err(NO_SERVER.into()),
            Self::Create { one, .. } => {
                let slug = one.slug.clone();
                let made = administration.create_organization(&act, slug, Ownership::Provisioned);
                vec![made.await?]
            }
            Self::Suspend(one) => vec![changed(administration, &act, one, Suspend).await?],
            Self::Resume(one) => vec![changed(administration, &act, one, Resume).await?],
            Self::Seal(one) => vec![changed(administration, &act, one, Seal).await?],
            Self::Unseal(one) => vec![changed(administration, &act, one, Unseal).await?],
        };
        let views: Vec<_> = shown.iter().map(OrganizationView::from).collect();
        if common.remote.json {
            views.iter().try_for_each(print::json)?;
            return Ok(());
        }
        let rows = views.into_iter().map(|view| {
            let slug = view.slug.unwrap_or_else(|| "-".to_owned());
            [
                slug,
                view.state.as_str().to_owned(),
                view.created_at,
                view.id,
            ]
        });
        Ok(print::table(ORGANIZATION.map(|(title, _)| title), rows)?)
    }

    /// The same, by a running server.
    async fn run_there(self) -> Outcome {
        let remote = &self.common().remote;
        let client = remote.client()?;
        let (slug, transition) = match &self {
            Self::List(_) => {
                let path = ApiPath::of(&["organizations"])?;
                let all = client.all(&path, &[]).await?;
                return Ok(print::items(remote.json, ORGANIZATION, &all)?);
            }
            Self::Create { one, with } => {
                let path = ApiPath::of(&["organizations"])?;
                let slug = one.slug.as_str();
                if with.is_nothing() {
                    let body = json!({"slug": slug});
                    let made = client.send(Method::POST, &path, &body).await?;
                    return Ok(print::items(remote.json, ORGANIZATION, &[made])?);
                }
                let key = with.idempotency_key.clone();
                let key = key.unwrap_or_else(|| format!("create-{slug}"));
                let made = client.send_once(&key, &path, &with.of(slug)).await?;
                return show_made(remote.json, &made);
            }
            Self::Suspend(one) => (&one.slug, "suspend"),
            Self::Resume(one) => (&one.slug, "resume"),
            Self::Seal(one) => (&one.slug, "seal"),
            Self::Unseal(one) => (&one.slug, "unseal"),
        };
        let path = ApiPath::of(&["organizations", slug.as_str(), transition])?;
        let changed = client.post(&path).await?;
        Ok(print::items(remote.json, ORGANIZATION, &[changed])?)
    }

    fn common(&self) -> &Common {
        match self {
            Self::List(common) => common,
            Self::Create { one, .. }
            | Self::Suspend(one)
            | Self::Resume(one)
            | Self::Seal(one)
            | Self::Unseal(one) => &one.common,
        }
    }
}

impl With {
    fn is_nothing(&self) -> bool {
        let Self {
            template,
            name,
            plan,
            owner,
            idempotency_key,
        } = self;
        let all = [template, name, plan, owner, idempotency_key];
        all.into_iter().all(Option::is_none)
    }

    /// What is asked for, without what is not said: that is the template's.
    fn of(&self, slug: &str) -> Value {
        let owner = self.owner.as_ref().map(|email| json!({"email": email}));
        let said = [
            ("template", self.template.as_ref().map(|name| json!(name))),
            ("name", self.name.as_ref().map(|name| json!(name))),
            ("plan", self.plan.as_ref().map(|plan| json!(plan))),
            ("owner", owner),
        ];
        let mut asked = json!({"slug": slug});
        for (name, value) in said {
            if let Some(value) = value {
                asked[name] = value;
            }
        }
        asked
    }
}

/// The organization, and what is shown of it once: the invitation of its owner, and its first access
/// key as lines for a shell.
fn show_made(as_json: bool, made: &Value) -> Outcome {
    if as_json {
        return Ok(print::json(made)?);
    }
    print::items(false, ORGANIZATION, std::slice::from_ref(made))?;
    if made["invitation"].is_object() {
        print::lines([String::new()])?;
        print::item(false, INVITATION, made)?;
    }
    let half = |name: &str| made["access_key"][name].as_str();
    if let (Some(id), Some(secret)) = (half("id"), half("secret")) {
        print::lines([String::new()])?;
        print::pair_of_keys(id, secret)?;
    }
    Ok(())
}

async fn all(
    administration: &Administration,
    act: &Act<'_>,
) -> Result<Vec<Organization>, AdministrationError> {
    let mut all: Vec<Organization> = Vec::new();
    loop {
        let after = all.last().map(|last| last.org);
        let page = administration.organizations(act, after, PAGE).await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

async fn changed(
    administration: &Administration,
    act: &Act<'_>,
    one: &One,
    transition: Transition,
) -> Result<Organization, AdministrationError> {
    administration
        .change_state(act, &one.slug, transition)
        .await
}

/// How many rows are read at a time.
const PAGE: u32 = 1000;
const ORGANIZATION: [(&str, &str); 4] = [
    ("SLUG", "slug"),
    ("STATE", "state"),
    ("CREATED", "created_at"),
    ("ID", "id"),
];
const INVITATION: [(&str, &str); 3] = [
    ("OWNER", "invitation.email"),
    ("EXPIRES", "invitation.expires_at"),
    ("TOKEN", "invitation.token"),
];
const NO_SERVER: &str = "what an organization begins with is made by a running server: name it with \
                         --url or --profile";
const SHOWN: [(&str, &str); 8] = [
    ("SLUG", "slug"),
    ("NAME", "profile.name"),
    ("STATE", "state"),
    ("PLAN", "profile.plan"),
    ("SETTINGS", "profile.settings"),
    ("CREATED", "created_at"),
    ("DELETE AFTER", "delete_after"),
    ("ID", "id"),
];
const PROFILE: [(&str, &str); 3] = [("NAME", "name"), ("PLAN", "plan"), ("SETTINGS", "settings")];
