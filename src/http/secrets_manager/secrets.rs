use wire::secrets_manager::{
    self as wire_messages, Arn, CreateSecret, DeletedAnswer, DescribedAnswer, ErrorCode,
    NamedAnswer, SecretId, Tag, UpdateSecret, WrittenAnswer, seconds,
};

use super::answer;
use super::asking::Asking;
use super::error::SecretsError;
use super::list::{listed, stages};
use super::values::{bytes_in, new_value};
use crate::authz::{self, PutSecret, Receipt};
use crate::http::pipeline::Answer;
use crate::vault::{
    Change, Deletion, Description, Kind, NewSecret, Recovery, Settings, State, VaultError, Written,
};

/// CreateSecret.
pub(super) async fn create(asking: Asking<'_>, new: CreateSecret) -> Result<Answer, SecretsError> {
    let CreateSecret {
        name,
        token,
        description,
        value,
        tags,
    } = new;
    let path = name.clone();
    let permit = asking.permit::<PutSecret>(&SecretId::Name(path)).await?;
    let receipt = Receipt {
        bytes_in: value.as_ref().map_or(0, bytes_in),
        bytes_out: 0,
    };
    let new = NewSecret {
        kind: Kind::Opaque,
        description: description.unwrap_or_default(),
        tags: tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
        settings: Settings::default(),
        value: value.map(|value| new_value(value, token, Vec::new())),
    };
    let made = asking.vault().create(permit, new).await;
    let made = made.map_err(|error| match error {
        VaultError::Exists => SecretsError::from(error).saying(format!(
            "The operation failed because the secret {name} already exists."
        )),
        VaultError::Deleted => SecretsError::from(error).saying(
            "You can't create this secret because a secret with this name is already scheduled \
             for deletion.",
        ),
        error => error.into(),
    })?;
    answer::document(asking.call, &written(asking, made), receipt)
}

/// DescribeSecret.
pub(super) async fn describe(asking: Asking<'_>, id: &SecretId) -> Result<Answer, SecretsError> {
    let permit = asking.permit(id).await?;
    let secret = asking.vault().describe(permit).await?;
    let shown = DescribedAnswer {
        version_ids_to_stages: stages(&secret),
        secret: listed(asking, &secret),
    };
    answer::document(asking.call, &shown, Receipt::default())
}

/// UpdateSecret.
pub(super) async fn update(
    asking: Asking<'_>,
    update: UpdateSecret,
) -> Result<Answer, SecretsError> {
    let UpdateSecret {
        id,
        token,
        description,
        value,
    } = update;
    let permit = asking.permit::<PutSecret>(&id).await?;
    let receipt = Receipt {
        bytes_in: value.as_ref().map_or(0, bytes_in),
        bytes_out: 0,
    };
    let change = Change {
        description,
        ..Change::default()
    };
    let made = match value {
        Some(value) => {
            let value = new_value(value, token, Vec::new());
            asking.vault().update(permit, &change, value).await?
        }
        None => Written {
            secret: asking.vault().change(permit, &change).await?,
            version: None,
        },
    };
    answer::document(asking.call, &written(asking, made), receipt)
}

/// DeleteSecret. What is to go at once and is not there is gone.
pub(super) async fn delete(
    asking: Asking<'_>,
    id: &SecretId,
    deletion: wire_messages::Deletion,
) -> Result<Answer, SecretsError> {
    let how = match deletion {
        wire_messages::Deletion::Now => Deletion::Now,
        wire_messages::Deletion::After(None) => Deletion::Scheduled(Recovery::DEFAULT),
        wire_messages::Deletion::After(Some(days)) => {
            let recovery = Recovery::days(days);
            Deletion::Scheduled(recovery.ok_or_else(|| {
                SecretsError::new(
                    ErrorCode::InvalidParameter,
                    "RecoveryWindowInDays is 7 to 30.",
                )
            })?)
        }
    };
    match deleted(asking, id, how).await {
        Err(error) if error.code() == ErrorCode::ResourceNotFound && how == Deletion::Now => {
            nothing_deleted(asking, id, error)
        }
        Err(error) => Err(error),
        Ok(secret) => {
            let deletion_date = match secret.state {
                State::Deleted { at_ms } => seconds(at_ms),
                State::Active => seconds(secret.changed_ms),
            };
            let shown = DeletedAnswer {
                secret: asking.named(&secret),
                deletion_date,
            };
            answer::document(asking.call, &shown, Receipt::default())
        }
    }
}

/// RestoreSecret.
pub(super) async fn restore(asking: Asking<'_>, id: &SecretId) -> Result<Answer, SecretsError> {
    let permit = asking.permit(id).await?;
    let secret = asking.vault().restore(permit).await?;
    answer::document(asking.call, &asking.named(&secret), Receipt::default())
}

/// TagResource.
pub(super) async fn tag(
    asking: Asking<'_>,
    id: &SecretId,
    tags: Vec<Tag>,
) -> Result<Answer, SecretsError> {
    let change = Change {
        tag: tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
        ..Change::default()
    };
    changed(asking, id, &change).await
}

/// UntagResource.
pub(super) async fn untag(
    asking: Asking<'_>,
    id: &SecretId,
    keys: Vec<String>,
) -> Result<Answer, SecretsError> {
    let change = Change {
        untag: keys,
        ..Change::default()
    };
    changed(asking, id, &change).await
}

async fn changed(
    asking: Asking<'_>,
    id: &SecretId,
    change: &Change,
) -> Result<Answer, SecretsError> {
    let permit = asking.permit(id).await?;
    asking.vault().change(permit, change).await?;
    Ok(answer::done(asking.call))
}

async fn deleted(
    asking: Asking<'_>,
    id: &SecretId,
    how: Deletion,
) -> Result<Description, SecretsError> {
    let permit = asking.permit::<authz::DeleteSecret>(id).await?;
    Ok(asking.vault().delete(permit, how).await?)
}

/// As the API reference has it: who deletes without recovery is not told that there was nothing.
fn nothing_deleted(
    asking: Asking<'_>,
    id: &SecretId,
    error: SecretsError,
) -> Result<Answer, SecretsError> {
    let is_ours = match id {
        SecretId::Name(_) => true,
        SecretId::Arn(arn) => asking.is_ours(arn),
    };
    let Some(path) = id.path().filter(|_| is_ours) else {
        return Err(error);
    };
    let shown = DeletedAnswer {
        secret: NamedAnswer {
            arn: Arn::partial(asking.door.region(), &asking.account(), path),
            name: path.to_string(),
        },
        deletion_date: seconds(asking.vault().now_ms()),
    };
    answer::document(asking.call, &shown, Receipt::default())
}

fn written(asking: Asking<'_>, made: Written) -> WrittenAnswer {
    WrittenAnswer {
        secret: asking.named(&made.secret),
        version_id: made.version.map(|version| version.name),
        version_stages: None,
    }
}
