//! What is known of secrets beside their values.

use std::collections::{BTreeMap, BTreeSet};

use http::StatusCode;
use names::{SecretPath, SecretPrefix};
use serde::Serialize;
use wire::kv::{Field, Flag, MetadataChange, Milliseconds, Number, format_duration};

use super::answer;
use super::error::KvError;
use super::service::Kv;
use super::values::{
    ATTEMPTS_MAX, MOUNT_TYPE, deletion_time, done, may, missing_if_deleted, new_secret,
};
use crate::authz::{
    DeleteSecret, DescribeSecret, InOrganization, ListSecrets, ManageSettings, PutSecret,
    ReadSettings, UnderPath,
};
use crate::http::pipeline::{Answer, Call};
use crate::vault::{Deletion, Description, Settings, State, Tags, VaultError, VersionState};

#[derive(Serialize)]
struct MetadataView<'a> {
    cas_required: bool,
    created_time: String,
    current_version: u64,
    custom_metadata: Option<&'a Tags>,
    delete_version_after: String,
    max_versions: u32,
    oldest_version: u64,
    updated_time: String,
    versions: BTreeMap<u64, VersionView>,
}

#[derive(Serialize)]
struct VersionView {
    created_time: String,
    deletion_time: String,
    destroyed: bool,
}

#[derive(Serialize)]
struct ConfigView {
    cas_required: bool,
    delete_version_after: String,
    max_versions: u32,
}

#[derive(Serialize)]
struct KeysView<'a> {
    keys: BTreeSet<&'a str>,
}

pub(super) async fn read(kv: &Kv, call: &Call, path: SecretPath) -> Result<Answer, KvError> {
    let permit = may::<DescribeSecret>(kv, call, &path).await?;
    let secret = kv.vault.describe(permit).await?;
    if secret.state != State::Active {
        return Err(KvError::not_found());
    }
    answer::data(
        StatusCode::OK,
        call.id(),
        MOUNT_TYPE,
        &MetadataView::of(&secret),
    )
}

/// Changes what is said of a secret, which is made if there is none.
pub(super) async fn write(
    kv: &Kv,
    call: &Call,
    path: &SecretPath,
    body: &[u8],
) -> Result<Answer, KvError> {
    let change = MetadataChange::parse(body)?;
    let versions_max = versions_max(&change)?;
    let apply = |settings: &mut Settings| {
        if let Field::Given(_) = change.max_versions {
            settings.versions_max = versions_max;
        }
        if let Field::Given(Flag(required)) = change.cas_required {
            settings.check_required = required;
        }
        if let Field::Given(Milliseconds(ms)) = change.delete_version_after {
            settings.delete_versions_after_ms = Some(ms).filter(|ms| *ms > 0);
        }
        if let Field::Given(custom) = &change.custom_metadata {
            let named = custom.iter();
            let named = named.filter_map(|(name, value)| Some((name.clone(), value.clone()?)));
            settings.custom = named.collect();
        }
    };
    for _ in 0..ATTEMPTS_MAX {
        match kv
            .vault
            .change_settings(may(kv, call, path).await?, apply)
            .await
        {
            Err(VaultError::NoSuchSecret) => {}
            outcome => {
                outcome?;
                return Ok(answer::done());
            }
        }
        let mut settings = Settings::default();
        apply(&mut settings);
        let new = new_secret(None, settings);
        match kv.vault.create(may(kv, call, path).await?, new).await {
            // Somebody was as quick.
            Err(VaultError::Exists) => {}
            outcome => {
                outcome?;
                return Ok(answer::done());
            }
        }
    }
    Err(VaultError::Changed.into())
}

/// Changes what a merge patch names: what is null there becomes what it is where nobody says.
pub(super) async fn patch(
    kv: &Kv,
    call: &Call,
    path: SecretPath,
    body: &[u8],
) -> Result<Answer, KvError> {
    let change = MetadataChange::parse(body)?;
    let versions_max = versions_max(&change)?;
    let permit = may::<PutSecret>(kv, call, &path).await?;
    let changed = kv.vault.change_settings(permit, |settings| {
        match change.max_versions {
            Field::Absent => {}
            Field::Null | Field::Given(_) => settings.versions_max = versions_max,
        }
        match change.cas_required {
            Field::Absent => {}
            Field::Null => settings.check_required = false,
            Field::Given(Flag(required)) => settings.check_required = required,
        }
        match change.delete_version_after {
            Field::Absent => {}
            Field::Null | Field::Given(Milliseconds(0)) => {
                settings.delete_versions_after_ms = None;
            }
            Field::Given(Milliseconds(ms)) => settings.delete_versions_after_ms = Some(ms),
        }
        match &change.custom_metadata {
            Field::Absent => {}
            Field::Null => settings.custom.clear(),
            Field::Given(custom) => {
                for (name, value) in custom {
                    match value {
                        Some(value) => settings.custom.insert(name.clone(), value.clone()),
                        None => settings.custom.remove(name),
                    };
                }
            }
        }
    });
    missing_if_deleted(changed.await)?;
    Ok(answer::done())
}

/// How secrets are kept that do not say so themselves.
pub(super) async fn read_config(kv: &Kv, call: &Call) -> Result<Answer, KvError> {
    let permit = call.permit::<ReadSettings>(InOrganization)?;
    let defaults = kv.vault.defaults(permit).await?;
    let view = ConfigView {
        cas_required: defaults.check_required,
        delete_version_after: format_duration(
            defaults.delete_versions_after_ms.unwrap_or_default(),
        ),
        max_versions: defaults.versions_max.unwrap_or_default(),
    };
    answer::data(StatusCode::OK, call.id(), MOUNT_TYPE, &view)
}

pub(super) async fn write_config(kv: &Kv, call: &Call, body: &[u8]) -> Result<Answer, KvError> {
    let change = MetadataChange::parse(body)?;
    let versions_max = versions_max(&change)?;
    let permit = call.permit::<ManageSettings>(InOrganization)?;
    let changed = kv.vault.change_defaults(permit, |defaults| {
        if let Field::Given(_) = change.max_versions {
            defaults.versions_max = versions_max;
        }
        if let Field::Given(Flag(required)) = change.cas_required {
            defaults.check_required = required;
        }
        if let Field::Given(Milliseconds(ms)) = change.delete_version_after {
            defaults.delete_versions_after_ms = Some(ms).filter(|ms| *ms > 0);
        }
    });
    changed.await?;
    Ok(answer::done())
}

/// Deletes a secret for good, also one that is scheduled to be.
pub(super) async fn delete(kv: &Kv, call: &Call, path: SecretPath) -> Result<Answer, KvError> {
    let permit = may::<DeleteSecret>(kv, call, &path).await?;
    done(kv.vault.delete(permit, Deletion::Now).await)
}

/// The names of secrets in a folder, and of folders in it with a slash behind. Whoever may list a
/// folder may list all that is in it: anybody else is refused the whole.
pub(super) async fn list(kv: &Kv, call: &Call, prefix: SecretPrefix) -> Result<Answer, KvError> {
    let folder = prefix.as_str().to_owned();
    let permit = call.permit::<ListSecrets>(UnderPath { prefix })?;
    let is_shown = |secret: &Description| {
        secret.state == State::Active && !secret.path.as_str().starts_with('/')
    };
    let page = kv.vault.list(permit, None, usize::MAX, is_shown).await?;
    let secrets = page.secrets.iter();
    let keys: BTreeSet<_> = secrets
        .filter_map(|secret| secret.path.as_str().strip_prefix(&folder))
        .filter_map(|rest| rest.split_inclusive('/').next())
        .collect();
    if keys.is_empty() {
        return Err(KvError::not_found());
    }
    answer::data(StatusCode::OK, call.id(), MOUNT_TYPE, &KeysView { keys })
}

impl<'a> MetadataView<'a> {
    fn of(secret: &'a Description) -> Self {
        let settings = &secret.settings;
        let oldest = secret.versions.first().map_or(0, |version| version.number);
        Self {
            cas_required: settings.check_required,
            created_time: answer::rfc_3339(secret.created_ms),
            current_version: secret.current().map_or(0, |current| current.number),
            custom_metadata: Some(&settings.custom).filter(|custom| !custom.is_empty()),
            delete_version_after: format_duration(
                settings.delete_versions_after_ms.unwrap_or_default(),
            ),
            max_versions: settings.versions_max.unwrap_or_default(),
            // HashiCorp's server tells it once there was an older one.
            oldest_version: if oldest > 1 { oldest } else { 0 },
            updated_time: answer::rfc_3339(secret.changed_ms),
            versions: secret
                .versions
                .iter()
                .map(|version| {
                    let view = VersionView {
                        created_time: answer::rfc_3339(version.created_ms),
                        deletion_time: deletion_time(version),
                        destroyed: version.state == VersionState::Destroyed,
                    };
                    (version.number, view)
                })
                .collect(),
        }
    }
}

/// How many versions are to be kept; 0 is as many as where nobody says.
fn versions_max(change: &MetadataChange) -> Result<Option<u32>, KvError> {
    let Field::Given(Number(max)) = change.max_versions else {
        return Ok(None);
    };
    match u32::try_from(max) {
        Ok(0) => Ok(None),
        Ok(max @ 1..=VERSIONS_MAX) => Ok(Some(max)),
        _ => Err(KvError::invalid("max_versions is 100 at most")),
    }
}

/// As many as the vault keeps at all.
const VERSIONS_MAX: u32 = 100;
