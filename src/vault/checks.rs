//! What a call gives, against what it may be.

use super::defaults::Defaults;
use super::error::{Field, VaultError};
use super::model::{Check, Description, NewSecret, NewValue, Settings, Tags};
use super::shape::check_shape;
use super::versions::{STAGES_MAX, check_stage};

pub(super) fn check_new(new: &NewSecret, defaults: Defaults) -> Result<(), VaultError> {
    check_described(&new.description, &new.tags, &new.settings)?;
    let Some(value) = &new.value else {
        return Ok(());
    };
    if matches!(value.check, Check::Version(seen) if seen != 0) {
        return Err(VaultError::CheckFailed { current: 0 });
    }
    let has_to = new.settings.check_required || defaults.check_required;
    if value.check == Check::Any && has_to {
        return Err(VaultError::CheckRequired);
    }
    check_value(value)?;
    check_shape(new.kind, &value.value)
}

pub(super) fn check_current(
    description: &Description,
    check: Check,
    defaults: Defaults,
) -> Result<(), VaultError> {
    let has_to = description.settings.check_required || defaults.check_required;
    let current = description.current().map_or(0, |current| current.number);
    match check {
        Check::Version(seen) if seen != current => Err(VaultError::CheckFailed { current }),
        Check::Any if has_to => Err(VaultError::CheckRequired),
        Check::Any | Check::Version(_) => Ok(()),
    }
}

pub(super) fn check_value(value: &NewValue) -> Result<(), VaultError> {
    if !(1..=VALUE_BYTES_MAX).contains(&value.value.expose().len()) {
        return Err(VaultError::invalid(
            Field::Value,
            "a value has 1 to 65,536 bytes",
        ));
    }
    if let Some(token) = &value.token
        && !(32..=64).contains(&token.chars().count())
    {
        return Err(VaultError::invalid(
            Field::Token,
            "a token has 32 to 64 characters",
        ));
    }
    if value.stages.len() > STAGES_MAX {
        return Err(VaultError::invalid(
            Field::Stages,
            "a version carries at most 20 stages",
        ));
    }
    value.stages.iter().try_for_each(|stage| check_stage(stage))
}

pub(super) fn check_described(
    text: &str,
    tags: &Tags,
    settings: &Settings,
) -> Result<(), VaultError> {
    if text.chars().count() > DESCRIPTION_CHARS_MAX {
        return Err(VaultError::invalid(
            Field::Description,
            "a description has at most 2,048 characters",
        ));
    }
    let is_tag = |(name, value): (&String, &String)| {
        (1..=128).contains(&name.chars().count()) && value.chars().count() <= 256
    };
    if tags.len() > TAGS_MAX || !tags.iter().all(is_tag) {
        return Err(VaultError::invalid(
            Field::Tags,
            "there are at most 50 tags, with names of 1 to 128 characters and values of up to 256",
        ));
    }
    let is_custom = |(name, value): (&String, &String)| {
        (1..=128).contains(&name.len()) && (1..=512).contains(&value.len())
    };
    if settings.custom.len() > CUSTOM_MAX || !settings.custom.iter().all(is_custom) {
        return Err(VaultError::invalid(
            Field::Custom,
            "there are at most 64 names of custom metadata, of 1 to 128 bytes, with values of 1 to \
             512",
        ));
    }
    Ok(())
}

/// As Amazon limits a value (Secrets Manager API reference, CreateSecret).
const VALUE_BYTES_MAX: usize = 65_536;
const DESCRIPTION_CHARS_MAX: usize = 2_048;
const TAGS_MAX: usize = 50;
/// As HashiCorp Vault limits custom metadata (KV secrets engine v2 API).
const CUSTOM_MAX: usize = 64;
