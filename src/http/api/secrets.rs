//! Secrets. A path stands in one segment of the URL, percent-encoded as a whole: `prod/db` is
//! `/secrets/prod%2Fdb`.

use http::HeaderValue;
use http::header::LOCATION;
use names::{SecretPath, SecretPrefix};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use super::ask::{Ask, made, shown, tagged};
use super::endpoint::Endpoint;
use super::problem::Problem;
use super::route::{Audience, Parameter, ParameterKind, ROOT, Route};
use super::secret_ask::{SettingsChange, change, check, deletion, new_value, numbers, selector};
use super::secret_view::{
    DeletedSecretView, RevealedSecretView, RollbackRequest, SecretChangeRequest, SecretDetailView,
    SecretRequest, SecretVersionRequest, SecretVersionView, SecretView, StageMoveRequest,
    UsableSecretView, VersionsRequest, WrittenSecretView,
};
use super::service::Api;
use super::view::{PageView, rfc_3339};
use crate::authz::{
    Action, DeleteSecret, DescribeSecret, ListSecrets, OfSecret, Permit, PutSecret, RevealSecret,
    UnderPath, UseSecret,
};
use crate::http::pipeline::{Answer, Call};
use crate::vault::{
    Change, Check, Deletion, Description, NewSecret, Revealed, Settings, StageMove, State,
    VaultError, Written,
};

/// What is asked about secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Secrets {
    Create,
    List,
    Describe,
    Change,
    Delete,
    Restore,
    Put,
    History,
    Reveal,
    MayUse,
    RollBack,
    MoveStage,
    DeleteVersions,
    UndeleteVersions,
    DestroyVersions,
}

pub(super) const ROUTES: &[Route] = &[
    Route::get(
        "/organizations/{org}/secrets",
        "ListSecrets",
        Audience::Organization,
        Endpoint::Secrets(Secrets::List),
        "Lists secrets by path, without their values.",
    )
    .does(ListSecrets::NAME, None)
    .asks(LISTED)
    .gives::<PageView<SecretView>>(),
    Route::post(
        "/organizations/{org}/secrets",
        "CreateSecret",
        Audience::Organization,
        Endpoint::Secrets(Secrets::Create),
        "Makes a secret, with its first value or without.",
    )
    .does(PutSecret::NAME, None)
    .takes::<SecretRequest>()
    .makes::<SecretView>(),
    Route::get(
        "/organizations/{org}/secrets/{secret}",
        "DescribeSecret",
        Audience::Organization,
        Endpoint::Secrets(Secrets::Describe),
        "Shows a secret and its versions, without its values. The path is one segment, percent-encoded.",
    )
    .does(DescribeSecret::NAME, None)
    .gives::<SecretDetailView>(),
    Route::patch(
        "/organizations/{org}/secrets/{secret}",
        "ChangeSecret",
        Audience::Organization,
        Endpoint::Secrets(Secrets::Change),
        "Changes what is said of a secret and how it is kept.",
    )
    .does(PutSecret::NAME, None)
    .takes::<SecretChangeRequest>()
    .gives::<WrittenSecretView>(),
    Route::delete(
        "/organizations/{org}/secrets/{secret}",
        "DeleteSecret",
        Audience::Organization,
        Endpoint::Secrets(Secrets::Delete),
        "Deletes a secret after a time within which it can be restored, or at once.",
    )
    .does(DeleteSecret::NAME, None)
    .asks(DELETED)
    .gives::<DeletedSecretView>(),
    Route::post(
        "/organizations/{org}/secrets/{secret}/restore",
        "RestoreSecret",
        Audience::Organization,
        Endpoint::Secrets(Secrets::Restore),
        "Takes the deletion of a secret back.",
    )
    .does(PutSecret::NAME, None)
    .gives::<WrittenSecretView>(),
    Route::get(
        "/organizations/{org}/secrets/{secret}/versions",
        "ListSecretVersions",
        Audience::Organization,
        Endpoint::Secrets(Secrets::History),
        "Lists the versions of a secret, the oldest first.",
    )
    .does(DescribeSecret::NAME, None)
    .gives::<PageView<SecretVersionView>>(),
    Route::post(
        "/organizations/{org}/secrets/{secret}/versions",
        "PutSecretVersion",
        Audience::Organization,
        Endpoint::Secrets(Secrets::Put),
        "Writes a value, which becomes a new version.",
    )
    .does(PutSecret::NAME, None)
    .takes::<SecretVersionRequest>()
    .makes::<WrittenSecretView>(),
    Route::post(
        "/organizations/{org}/secrets/{secret}/versions/delete",
        "DeleteSecretVersions",
        Audience::Organization,
        Endpoint::Secrets(Secrets::DeleteVersions),
        "Deletes versions so that they can be brought back.",
    )
    .does(DeleteSecret::NAME, None)
    .takes::<VersionsRequest>()
    .gives::<WrittenSecretView>(),
    Route::post(
        "/organizations/{org}/secrets/{secret}/versions/undelete",
        "UndeleteSecretVersions",
        Audience::Organization,
        Endpoint::Secrets(Secrets::UndeleteVersions),
        "Brings deleted versions back.",
    )
    .does(PutSecret::NAME, None)
    .takes::<VersionsRequest>()
    .gives::<WrittenSecretView>(),
    Route::post(
        "/organizations/{org}/secrets/{secret}/versions/destroy",
        "DestroySecretVersions",
        Audience::Organization,
        Endpoint::Secrets(Secrets::DestroyVersions),
        "Destroys the values of versions for good.",
    )
    .does(DeleteSecret::NAME, None)
    .takes::<VersionsRequest>()
    .gives::<WrittenSecretView>(),
    Route::get(
        "/organizations/{org}/secrets/{secret}/value",
        "RevealSecret",
        Audience::Organization,
        Endpoint::Secrets(Secrets::Reveal),
        "Reveals the value of a version: the current one, if none is named.",
    )
    .does(RevealSecret::NAME, None)
    .asks(REVEALED)
    .gives::<RevealedSecretView<'static>>(),
    Route::get(
        "/organizations/{org}/secrets/{secret}/use",
        "MayUseSecret",
        Audience::Organization,
        Endpoint::Secrets(Secrets::MayUse),
        "Says whether the caller may use the secret and there is a value to use. Nothing is revealed.",
    )
    .does(UseSecret::NAME, None)
    .gives::<UsableSecretView>(),
    Route::post(
        "/organizations/{org}/secrets/{secret}/rollback",
        "RollBackSecret",
        Audience::Organization,
        Endpoint::Secrets(Secrets::RollBack),
        "Makes the value of an old version that of a new one, which becomes current.",
    )
    .does(PutSecret::NAME, None)
    .takes::<RollbackRequest>()
    .makes::<WrittenSecretView>(),
    Route::put(
        "/organizations/{org}/secrets/{secret}/stages/{stage}",
        "MoveSecretStage",
        Audience::Organization,
        Endpoint::Secrets(Secrets::MoveStage),
        "Moves a stage from one version to another, puts it on one or takes it away.",
    )
    .does(PutSecret::NAME, None)
    .takes::<StageMoveRequest>()
    .gives::<WrittenSecretView>(),
];

const LISTED: &[Parameter] = &[
    Parameter {
        name: "prefix",
        about: "Those whose paths begin so; all, if none is given.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "state",
        about: "Those in use, which is meant if nothing is said, those about to be deleted, or both.",
        kind: ParameterKind::OneOf(&["active", "deleted", "any"]),
    },
    Parameter {
        name: "tag",
        about: "Those with a tag of this name, or of this `name=value`.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "after",
        about: "The `next` of the page before.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "limit",
        about: "How many at most.",
        kind: ParameterKind::Number(1, super::ask::LIMIT_MAX),
    },
];

const DELETED: &[Parameter] = &[
    Parameter {
        name: "recovery_days",
        about: "Within how many days it can be restored; 30, if nothing is said.",
        kind: ParameterKind::Number(7, 30),
    },
    Parameter {
        name: "at_once",
        about: "Whether it is deleted at once, for good.",
        kind: ParameterKind::OneOf(&["true", "false"]),
    },
];

const REVEALED: &[Parameter] = &[
    Parameter {
        name: "version",
        about: "The version of this number.",
        kind: ParameterKind::Number(1, u32::MAX),
    },
    Parameter {
        name: "id",
        about: "The version of this `id`.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "stage",
        about: "The version that carries this stage.",
        kind: ParameterKind::Text,
    },
];

pub(super) async fn answer(
    api: &Api,
    call: &Call,
    ask: &Ask,
    what: Secrets,
) -> Result<Answer, Problem> {
    match what {
        Secrets::Create => create(api, call, ask).await,
        Secrets::List => list(api, call, ask).await,
        Secrets::Describe => {
            let secret = api
                .vault
                .describe(may::<DescribeSecret>(api, call, ask).await?)
                .await?;
            let view = SecretDetailView::of(&secret, api.vault.now_ms());
            tagged(&view, secret.sequence)
        }
        Secrets::History => {
            let secret = api
                .vault
                .describe(may::<DescribeSecret>(api, call, ask).await?)
                .await?;
            let now_ms = api.vault.now_ms();
            let versions = secret.versions.iter();
            let items = versions.map(|version| SecretVersionView::of(version, now_ms));
            shown(&PageView {
                items: items.collect(),
                next: None,
            })
        }
        Secrets::Reveal => {
            let which = selector(ask)?;
            let permit = may::<RevealSecret>(api, call, ask).await?;
            revealed(api, &api.vault.reveal(permit, &which).await?)
        }
        Secrets::MayUse => {
            let permit = may::<UseSecret>(api, call, ask).await?;
            let view = UsableSecretView {
                path: permit.path().to_string(),
                rule: permit.rule().to_string(),
            };
            api.vault.can_use(permit).await?;
            shown(&view)
        }
        Secrets::Delete => {
            let deletion = deletion(ask)?;
            let permit = may::<DeleteSecret>(api, call, ask).await?;
            let deleted = api.vault.delete(permit, deletion).await?;
            shown(&DeletedSecretView {
                path: deleted.path.to_string(),
                delete_at: match (deletion, deleted.state) {
                    (Deletion::Scheduled(_), State::Deleted { at_ms }) => Some(rfc_3339(at_ms)),
                    _ => None,
                },
            })
        }
        _ => written(api, call, ask, what).await,
    }
}

/// Changes, which tell whoever makes them no more than what was made.
async fn written(api: &Api, call: &Call, ask: &Ask, what: Secrets) -> Result<Answer, Problem> {
    let vault = &api.vault;
    let changed = match what {
        Secrets::Put => {
            let request: SecretVersionRequest = ask.json()?;
            let check = check(request.current);
            let value = new_value(request.value, request.token, request.stages, check)?;
            let change = Change {
                sequence: ask.if_match()?,
                ..Change::default()
            };
            let permit = may::<PutSecret>(api, call, ask).await?;
            let outcome = vault.update(permit, &change, value).await;
            return made_version(api, outcome);
        }
        Secrets::RollBack => {
            let RollbackRequest { version, current } = ask.json()?;
            let sequence = ask.if_match()?;
            let permit = may::<PutSecret>(api, call, ask).await?;
            let outcome = vault
                .roll_back(permit, version, check(current), sequence)
                .await;
            return made_version(api, outcome);
        }
        Secrets::Change => {
            let request: SecretChangeRequest = ask.json()?;
            let settings = SettingsChange::parse(&request.settings)?;
            let change = change(&request, ask.if_match()?);
            let permit = may::<PutSecret>(api, call, ask).await?;
            vault
                .amend(permit, &change, |kept| settings.apply(kept))
                .await
        }
        Secrets::Restore => vault.restore(may(api, call, ask).await?).await,
        Secrets::MoveStage => {
            let StageMoveRequest { from, to } = ask.json()?;
            let stage = ask.segment("stage").to_owned();
            let wanted = StageMove { stage, from, to };
            vault.move_stage(may(api, call, ask).await?, &wanted).await
        }
        Secrets::DeleteVersions => {
            let numbers = numbers(ask)?;
            vault
                .delete_versions(may(api, call, ask).await?, &numbers)
                .await
        }
        Secrets::UndeleteVersions => {
            let numbers = numbers(ask)?;
            vault
                .undelete_versions(may(api, call, ask).await?, &numbers)
                .await
        }
        _ => {
            let numbers = numbers(ask)?;
            vault
                .destroy_versions(may(api, call, ask).await?, &numbers)
                .await
        }
    };
    let secret = changed?;
    tagged(&WrittenSecretView::of(&secret), secret.sequence)
}

async fn create(api: &Api, call: &Call, ask: &Ask) -> Result<Answer, Problem> {
    let request: SecretRequest = ask.json()?;
    let path = SecretPath::parse(&request.path)
        .map_err(|error| Problem::invalid(error.to_string()).at("path"))?;
    let mut settings = Settings::default();
    SettingsChange::parse(&request.settings)?.apply(&mut settings);
    let value = match request.value {
        Some(value) => Some(new_value(
            value,
            request.token,
            Vec::new(),
            Check::Version(0),
        )?),
        None => None,
    };
    let new = NewSecret {
        kind: request.kind.into(),
        description: request.description,
        tags: request.tags,
        settings,
        value,
    };
    let permit = call
        .permit_secret::<PutSecret, Problem>(&api.vault, path)
        .await?;
    let resource = permit.resource().to_string();
    let Written { secret, .. } = api.vault.create(permit, new).await?;
    call.made(resource);
    let mut answer = made(&SecretView::of(&secret, api.vault.now_ms()))?;
    let org = ask.segment("org");
    let path = utf8_percent_encode(secret.path.as_str(), NON_ALPHANUMERIC);
    let location = format!("{ROOT}/organizations/{org}/secrets/{path}");
    let location = HeaderValue::from_str(&location).map_err(Problem::internal)?;
    answer.head.headers_mut().insert(LOCATION, location);
    Ok(answer)
}

async fn list(api: &Api, call: &Call, ask: &Ask) -> Result<Answer, Problem> {
    let page = ask.page(|after| SecretPath::parse(after).ok())?;
    let prefix = SecretPrefix::parse(ask.parameter("prefix").unwrap_or_default())
        .map_err(|error| Problem::invalid(error.to_string()).at("prefix"))?;
    let state = ask.parameter("state").unwrap_or("active");
    let tag = ask.parameter("tag").map(|tag| match tag.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (tag, None),
    });
    let is_asked_for = |secret: &Description| {
        let is_in_state = match state {
            "active" => secret.state == State::Active,
            "deleted" => secret.state != State::Active,
            _ => true,
        };
        let is_tagged = tag.is_none_or(|(name, wanted)| {
            let value = secret.tags.get(name);
            value.is_some_and(|value| wanted.is_none_or(|wanted| wanted == value))
        });
        is_in_state && is_tagged
    };
    let permit = call.permit::<ListSecrets>(UnderPath { prefix })?;
    call.made(permit.resource().to_string());
    let max = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let found = api
        .vault
        .list(permit, page.after.as_ref(), max, is_asked_for)
        .await?;
    let now_ms = api.vault.now_ms();
    let last = found.secrets.last().filter(|_| found.truncated);
    shown(&PageView {
        next: last.map(|last| last.path.to_string()),
        items: found
            .secrets
            .iter()
            .map(|secret| SecretView::of(secret, now_ms))
            .collect(),
    })
}

/// The answer that holds a value, in buffers that are wiped.
fn revealed(api: &Api, revealed: &Revealed) -> Result<Answer, Problem> {
    let mut encoded = Zeroizing::default();
    let now_ms = api.vault.now_ms();
    shown(&RevealedSecretView::of(revealed, &mut encoded, now_ms))
}

fn made_version(api: &Api, outcome: Result<Written, VaultError>) -> Result<Answer, Problem> {
    let written = outcome?;
    let version = written.version.as_ref();
    made(&WrittenSecretView {
        path: written.secret.path.to_string(),
        version: version.map(|version| SecretVersionView::of(version, api.vault.now_ms())),
    })
}

/// Leave to do something to the secret that the path names.
pub(super) async fn may<A: Action<Resource = OfSecret>>(
    api: &Api,
    call: &Call,
    ask: &Ask,
) -> Result<Permit<A>, Problem> {
    // What is no path names nothing.
    let path = SecretPath::parse(ask.segment("secret")).map_err(|_| VaultError::NoSuchSecret)?;
    call.permit_secret(&api.vault, path).await
}

impl WrittenSecretView {
    fn of(secret: &Description) -> Self {
        Self {
            path: secret.path.to_string(),
            version: None,
        }
    }
}
