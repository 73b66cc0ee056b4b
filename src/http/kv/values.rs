//! Values of secrets and their versions.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use names::SecretPath;
use serde::Serialize;
use serde_json::value::RawValue;
use wire::kv::{Object, Query, ValueWrite, merged, parse_versions, subkeys};
use zeroize::Zeroizing;

use super::answer;
use super::error::KvError;
use super::routes::VersionChange;
use super::service::Kv;
use crate::audit::Decision;
use crate::authz::{Action, DeleteSecret, OfSecret, Permit, PutSecret, RevealSecret};
use crate::http::pipeline::{Answer, Call};
use crate::vault::{
    Check, Description, GoneVersion, Kind, NewSecret, NewValue, Revealed, Selector, Settings, Tags,
    Value, VaultError, VersionInfo, VersionState, Written,
};

/// What is known of a version beside its value.
#[derive(Serialize)]
pub(super) struct VersionView<'a> {
    created_time: String,
    custom_metadata: Option<&'a Tags>,
    deletion_time: String,
    destroyed: bool,
    version: u64,
}

#[derive(Serialize)]
struct ValueView<'a, T> {
    data: Option<T>,
    metadata: VersionView<'a>,
}

#[derive(Serialize)]
struct SubkeysView<'a> {
    subkeys: Option<&'a RawValue>,
    metadata: VersionView<'a>,
}

/// A value as it is read here, by whichever door it was written.
#[derive(Serialize)]
#[serde(untagged)]
enum Shown<'a> {
    /// A text that is a JSON object: that.
    Object(&'a RawValue),
    /// Any other text.
    Text { value: &'a str },
    /// Bytes, in Base64.
    Binary {
        value: &'a str,
        encoding: &'static str,
    },
}

pub(super) async fn read(
    kv: &Kv,
    call: &Call,
    path: &SecretPath,
    query: &Query,
) -> Result<Answer, KvError> {
    match reveal(kv, call, path, query.version).await? {
        Found::Value(revealed) => {
            let bytes = revealed.value.expose();
            let encoded;
            let data = match (text_of(&revealed.value), object_of(&revealed.value)) {
                (_, Some(object)) => Shown::Object(object.expose()),
                (Some(value), None) => Shown::Text { value },
                (None, None) => {
                    encoded = Zeroizing::new(STANDARD.encode(bytes));
                    let value = &encoded;
                    let encoding = "base64";
                    Shown::Binary { value, encoding }
                }
            };
            let view = ValueView {
                data: Some(data),
                metadata: VersionView::of(&revealed.secret, &revealed.version),
            };
            answer::data(StatusCode::OK, call.id(), MOUNT_TYPE, &view)
        }
        Found::Gone(gone) => {
            let view = ValueView::<()> {
                data: None,
                metadata: VersionView::of(&gone.secret, &gone.version),
            };
            answer::data(StatusCode::NOT_FOUND, call.id(), MOUNT_TYPE, &view)
        }
    }
}

pub(super) async fn read_subkeys(
    kv: &Kv,
    call: &Call,
    path: &SecretPath,
    query: &Query,
) -> Result<Answer, KvError> {
    match reveal(kv, call, path, query.version).await? {
        Found::Value(revealed) => {
            let names = match object_of(&revealed.value) {
                Some(object) => subkeys(object, query.depth),
                None => subkeys(text_alone()?, query.depth),
            };
            let view = SubkeysView {
                subkeys: Some(&names),
                metadata: VersionView::of(&revealed.secret, &revealed.version),
            };
            answer::data(StatusCode::OK, call.id(), MOUNT_TYPE, &view)
        }
        Found::Gone(gone) => {
            let view = SubkeysView {
                subkeys: None,
                metadata: VersionView::of(&gone.secret, &gone.version),
            };
            answer::data(StatusCode::NOT_FOUND, call.id(), MOUNT_TYPE, &view)
        }
    }
}

pub(super) async fn write(
    kv: &Kv,
    call: &Call,
    path: &SecretPath,
    body: &[u8],
) -> Result<Answer, KvError> {
    let write = ValueWrite::parse(body)?;
    let check = write.cas.map_or(Check::Any, Check::Version);
    let text = write.data.expose().get();
    for _ in 0..ATTEMPTS_MAX {
        let permit = may(kv, call, path).await?;
        let defaults = kv.vault.defaults_for(&permit).await?;
        let value = new_value(text, check);
        match kv.vault.put_by(permit, value, defaults).await {
            Err(VaultError::NoSuchSecret) => {}
            outcome => return written(call, &outcome?),
        }
        let new = new_secret(Some(new_value(text, check)), Settings::default());
        match kv
            .vault
            .create_by(may(kv, call, path).await?, new, defaults)
            .await
        {
            // Somebody was as quick.
            Err(VaultError::Exists) => {}
            outcome => return written(call, &outcome?),
        }
    }
    Err(VaultError::Changed.into())
}

/// Whoever patches has to be allowed to see what is patched: what a patch makes of a value tells
/// of it.
pub(super) async fn patch(
    kv: &Kv,
    call: &Call,
    path: &SecretPath,
    body: &[u8],
) -> Result<Answer, KvError> {
    let write = ValueWrite::parse(body)?;
    let mut leave = leave_to_patch(kv, call, path).await?;
    let resource = leave.1.resource().to_string();
    let rule = Some(leave.1.rule());
    call.record(RevealSecret::NAME, resource, rule, Decision::Intended)
        .await?;
    for _ in 0..ATTEMPTS_MAX {
        let (put, reveal) = leave;
        let revealed = match kv.vault.reveal(reveal, &Selector::Current).await {
            Err(VaultError::VersionGone(gone)) => {
                let view = VersionView::of(&gone.secret, &gone.version);
                return answer::data(StatusCode::NOT_FOUND, call.id(), MOUNT_TYPE, &view);
            }
            revealed => missing_if_deleted(revealed)?,
        };
        let defaults = kv.vault.defaults_for(&put).await?;
        let has_to_check = revealed.secret.settings.check_required || defaults.check_required;
        if has_to_check && write.cas.is_none() {
            return Err(VaultError::CheckRequired.into());
        }
        if write.cas.is_some_and(|cas| cas != revealed.version.number) {
            let current = revealed.version.number;
            return Err(VaultError::CheckFailed { current }.into());
        }
        let target = object_of(&revealed.value).ok_or_else(|| {
            KvError::invalid("the value is no JSON object, and cannot be patched")
        })?;
        let text = merged(target, write.data);
        let check = Check::Version(revealed.version.number);
        let value = new_value(&text, check);
        match kv.vault.put_by(put, value, defaults).await {
            Err(VaultError::CheckFailed { .. }) if write.cas.is_none() => {
                leave = leave_to_patch(kv, call, path).await?;
            }
            Err(VaultError::NoSuchSecret) => return Err(KvError::not_found()),
            outcome => return written(call, &outcome?),
        }
    }
    Err(VaultError::Changed.into())
}

pub(super) async fn delete_current(
    kv: &Kv,
    call: &Call,
    path: SecretPath,
) -> Result<Answer, KvError> {
    let permit = may::<DeleteSecret>(kv, call, &path).await?;
    done(kv.vault.delete_current_version(permit).await)
}

pub(super) async fn change_versions(
    kv: &Kv,
    call: &Call,
    path: SecretPath,
    change: VersionChange,
    body: &[u8],
) -> Result<Answer, KvError> {
    let numbers = parse_versions(body)?;
    let secret = call.secret(&kv.vault, path).await?;
    let vault = &kv.vault;
    done(match change {
        VersionChange::Delete => vault.delete_versions(call.permit(secret)?, &numbers).await,
        VersionChange::Undelete => {
            vault
                .undelete_versions(call.permit(secret)?, &numbers)
                .await
        }
        VersionChange::Destroy => vault.destroy_versions(call.permit(secret)?, &numbers).await,
    })
}

/// A secret that is made here.
pub(super) fn new_secret(value: Option<NewValue>, settings: Settings) -> NewSecret {
    NewSecret {
        kind: Kind::KeyValue,
        description: String::new(),
        tags: Tags::new(),
        settings,
        value,
    }
}

/// What became of versions: of a secret that is not there, as HashiCorp's server answers it,
/// nothing.
pub(super) fn done(changed: Result<Description, VaultError>) -> Result<Answer, KvError> {
    match changed {
        Ok(_) | Err(VaultError::NoSuchSecret | VaultError::Deleted) => Ok(answer::done()),
        Err(error) => Err(error.into()),
    }
}

/// Leave to do something to a secret.
pub(super) async fn may<A: Action<Resource = OfSecret>>(
    kv: &Kv,
    call: &Call,
    path: &SecretPath,
) -> Result<Permit<A>, KvError> {
    call.permit_secret(&kv.vault, path.clone()).await
}

/// Neither right is enough to be told whether there is anything to patch.
async fn leave_to_patch(
    kv: &Kv,
    call: &Call,
    path: &SecretPath,
) -> Result<(Permit<PutSecret>, Permit<RevealSecret>), KvError> {
    Ok((may(kv, call, path).await?, may(kv, call, path).await?))
}

/// A secret that is about to be deleted for good is not there any more.
pub(super) fn missing_if_deleted<T>(found: Result<T, VaultError>) -> Result<T, KvError> {
    match found {
        Err(VaultError::Deleted) => Err(KvError::not_found()),
        found => Ok(found?),
    }
}

/// When a version was deleted, or will be.
pub(super) fn deletion_time(version: &VersionInfo) -> String {
    match version.state {
        VersionState::Deleted { at_ms } => answer::rfc_3339(at_ms),
        VersionState::Live | VersionState::Destroyed => String::new(),
    }
}

impl<'a> VersionView<'a> {
    /// The secret's own line of the version says of a deletion that lies ahead, too.
    fn of(secret: &'a Description, version: &VersionInfo) -> Self {
        let mut versions = secret.versions.iter();
        let own = versions.find(|own| own.number == version.number);
        let version = own.unwrap_or(version);
        Self {
            created_time: answer::rfc_3339(version.created_ms),
            custom_metadata: Some(&secret.settings.custom).filter(|custom| !custom.is_empty()),
            deletion_time: deletion_time(version),
            destroyed: version.state == VersionState::Destroyed,
            version: version.number,
        }
    }
}

/// A version that was asked for.
enum Found {
    Value(Box<Revealed>),
    Gone(Box<GoneVersion>),
}

async fn reveal(
    kv: &Kv,
    call: &Call,
    path: &SecretPath,
    version: Option<u64>,
) -> Result<Found, KvError> {
    let which = version.map_or(Selector::Current, Selector::Number);
    match kv.vault.reveal(may(kv, call, path).await?, &which).await {
        Err(VaultError::VersionGone(gone)) => Ok(Found::Gone(gone)),
        revealed => Ok(Found::Value(Box::new(missing_if_deleted(revealed)?))),
    }
}

fn written(call: &Call, written: &Written) -> Result<Answer, KvError> {
    let version = written.version.as_ref();
    let version = version.ok_or_else(|| KvError::internal("a write made no version"))?;
    let view = VersionView::of(&written.secret, version);
    answer::data(StatusCode::OK, call.id(), MOUNT_TYPE, &view)
}

fn new_value(text: &str, check: Check) -> NewValue {
    NewValue {
        value: Value::Text(Zeroizing::new(text.to_owned())),
        token: None,
        stages: Vec::new(),
        check,
        versions_max: VERSIONS_MAX,
    }
}

fn text_of(value: &Value) -> Option<&str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Binary(_) => None,
    }
}

fn object_of(value: &Value) -> Option<Object<'_>> {
    text_of(value).and_then(Object::parse)
}

/// The names of a value that is no object.
fn text_alone() -> Result<Object<'static>, KvError> {
    Object::parse(r#"{"value":null}"#).ok_or_else(|| KvError::internal("no object"))
}

pub(super) const MOUNT_TYPE: &str = "kv";
/// As many as HashiCorp's server keeps, where neither secret nor mount says.
const VERSIONS_MAX: u32 = 10;
/// Each round somebody else's write is done.
pub(super) const ATTEMPTS_MAX: u32 = 64;
