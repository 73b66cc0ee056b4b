//! What is shown and taken of secrets as JSON.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::view::rfc_3339;
use crate::vault::{Description, Kind, Revealed, State, Value, VersionInfo, VersionState};

/// What kind of credential a secret is, which says what its value looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "SecretKind")]
pub enum SecretKindView {
    /// Text or bytes of any form.
    #[default]
    Opaque,
    /// Names and values of any kind.
    KeyValue,
    /// A single key, as text.
    ApiKey,
    /// `username` and `password`.
    Basic,
    /// `client_id`, `client_secret` and `token_url`.
    OauthClient,
    /// `access_token`, and `refresh_token` where there is one.
    OauthTokens,
    /// `access_key_id` and `secret_access_key`.
    AwsKeyPair,
    /// `private_key`, and `passphrase` where there is one.
    SshKey,
    /// `certificate` and `private_key`, in PEM.
    Certificate,
}

/// A value: one of the three.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "NewSecretValue")]
pub enum SecretValueRequest {
    /// Text.
    Text(String),
    /// Bytes, in Base64 (RFC 4648, section 4).
    Base64(String),
    /// Names and values: what a secret of most kinds holds.
    Fields(#[schemars(with = "BTreeMap<String, serde_json::Value>")] Box<RawValue>),
}

/// A value that is revealed: one of the three.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "SecretValue")]
pub enum SecretValueView<'a> {
    /// Text.
    Text(&'a str),
    /// Bytes, in Base64.
    Base64(&'a str),
    /// Names and values, of a secret whose kind has them.
    Fields(#[schemars(with = "BTreeMap<String, serde_json::Value>")] &'a RawValue),
}

/// What makes a secret.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewSecret")]
pub struct SecretRequest {
    /// Its path: 1 to 512 bytes, segments parted by `/`.
    pub path: String,
    /// What kind of credential it is.
    #[serde(default)]
    pub kind: SecretKindView,
    /// What it is for: at most 2,048 characters.
    #[serde(default)]
    pub description: String,
    /// Names and values that describe it: at most 50.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// How it is kept.
    #[serde(default)]
    pub settings: SecretSettingsRequest,
    /// Its first value; it may be made without one.
    #[serde(default)]
    pub value: Option<SecretValueRequest>,
    /// Names the first version, and makes the request idempotent: 32 to 64 characters.
    #[serde(default)]
    pub token: Option<String>,
}

/// How a secret is to be kept. What is left out stays as it is; what is null is taken away.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SecretSettingsChange")]
pub struct SecretSettingsRequest {
    /// How many versions are kept: 1 to 100. One that carries a stage is kept in any case.
    #[serde(default, deserialize_with = "given")]
    pub versions_max: Option<Option<u32>>,
    /// Whether writes have to say which version they replace.
    #[serde(default)]
    pub check_required: Option<bool>,
    /// How long after it was made a version is deleted, seconds.
    #[serde(default, deserialize_with = "given")]
    pub delete_versions_after_seconds: Option<Option<u64>>,
    /// When the secret stops to be of use (RFC 3339). It stays, and is shown as expired.
    #[serde(default, deserialize_with = "given")]
    pub expires_at: Option<Option<String>>,
    /// When somebody should think of it (RFC 3339).
    #[serde(default, deserialize_with = "given")]
    pub remind_at: Option<Option<String>>,
    /// Custom metadata, as HashiCorp Vault's clients see it. A null takes a name away.
    #[serde(default)]
    pub custom: BTreeMap<String, Option<String>>,
}

/// What changes of a secret besides its values. What is left out stays as it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SecretChange")]
pub struct SecretChangeRequest {
    /// What kind of credential it is from now on. Values that are there are not looked at.
    #[serde(default)]
    pub kind: Option<SecretKindView>,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// Tags to set; a null takes one away.
    #[serde(default)]
    pub tags: BTreeMap<String, Option<String>>,
    /// How it is kept.
    #[serde(default)]
    pub settings: SecretSettingsRequest,
}

/// A value about to be written.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewSecretVersion")]
pub struct SecretVersionRequest {
    /// The value.
    pub value: SecretValueRequest,
    /// Names the version, and makes the request idempotent: 32 to 64 characters.
    #[serde(default)]
    pub token: Option<String>,
    /// The stages that it takes; AWSCURRENT, if none is named.
    #[serde(default)]
    pub stages: Vec<String>,
    /// The number of the version that has to be current; 0 for none.
    #[serde(default)]
    pub current: Option<u64>,
}

/// Which old version becomes the newest again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SecretRollback")]
pub struct RollbackRequest {
    /// The number of the version whose value is taken.
    pub version: u64,
    /// The number of the version that has to be current.
    #[serde(default)]
    pub current: Option<u64>,
}

/// Versions, by their numbers. Those that are not there are passed over.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SecretVersions")]
pub struct VersionsRequest {
    /// The numbers: 1 to 100 of them.
    pub versions: Vec<u64>,
}

/// How a stage moves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "SecretStageMove")]
pub struct StageMoveRequest {
    /// The `id` of the version that carries it now; none, if no version does.
    #[serde(default)]
    pub from: Option<String>,
    /// The `id` of the version that is to carry it; none takes the stage away.
    #[serde(default)]
    pub to: Option<String>,
}

/// A secret without its values.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Secret")]
pub struct SecretView {
    /// Its path.
    pub path: String,
    /// What kind of credential it is.
    pub kind: SecretKindView,
    /// What it is for.
    pub description: String,
    /// Names and values that describe it.
    pub tags: BTreeMap<String, String>,
    /// How it is kept.
    pub settings: SecretSettingsView,
    /// Whether it has a resource policy, which says besides grants who may do what to it.
    pub has_policy: bool,
    /// Whether it is in use.
    pub state: SecretStateView,
    /// When it is deleted for good (RFC 3339), if it is not restored before.
    pub delete_at: Option<String>,
    /// The number of the current version, when there is one.
    pub current_version: Option<u64>,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it was changed (RFC 3339).
    pub changed_at: String,
}

/// A secret with its versions, without its values.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SecretWithVersions")]
pub struct SecretDetailView {
    /// The secret.
    #[serde(flatten)]
    pub secret: SecretView,
    /// Its versions, the oldest first.
    pub versions: Vec<SecretVersionView>,
}

/// How a secret is kept.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SecretSettings")]
pub struct SecretSettingsView {
    /// How many versions are kept.
    pub versions_max: Option<u32>,
    /// Whether writes have to say which version they replace.
    pub check_required: bool,
    /// How long after it was made a version is deleted, seconds.
    pub delete_versions_after_seconds: Option<u64>,
    /// When the secret stops to be of use (RFC 3339).
    pub expires_at: Option<String>,
    /// Whether that is past.
    pub is_expired: bool,
    /// When somebody should think of it (RFC 3339).
    pub remind_at: Option<String>,
    /// Custom metadata.
    pub custom: BTreeMap<String, String>,
}

/// Whether a secret is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "SecretState")]
pub enum SecretStateView {
    /// It is.
    Active,
    /// It is about to be deleted: it can be restored, and nothing else.
    Deleted,
}

/// A version of a secret, without its value.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SecretVersion")]
pub struct SecretVersionView {
    /// Counts the versions of the secret, from 1.
    pub number: u64,
    /// Its name: the token of the write that made it.
    pub id: String,
    /// The stages that it carries.
    pub stages: Vec<String>,
    /// What became of it.
    pub state: SecretVersionStateView,
    /// When it was deleted, or will be (RFC 3339).
    pub deleted_at: Option<String>,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

/// What became of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "SecretVersionState")]
pub enum SecretVersionStateView {
    /// It can be revealed.
    Live,
    /// It can be brought back.
    Deleted,
    /// Its value is gone for good.
    Destroyed,
}

/// What a write made: no more than whoever may write is to know.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "WrittenSecret")]
pub struct WrittenSecretView {
    /// The secret's path.
    pub path: String,
    /// The version that was made, or had been made before by the same token.
    pub version: Option<SecretVersionView>,
}

/// When a secret is deleted for good.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeletedSecret")]
pub struct DeletedSecretView {
    /// The secret's path.
    pub path: String,
    /// When (RFC 3339): until then it can be restored.
    pub delete_at: Option<String>,
}

/// That a secret may be used.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UsableSecret")]
pub struct UsableSecretView {
    /// The secret's path.
    pub path: String,
    /// The rule that allows it.
    pub rule: String,
}

/// A value that is revealed.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "RevealedSecret")]
pub struct RevealedSecretView<'a> {
    /// The secret's path.
    pub path: &'a str,
    /// What kind of credential it is.
    pub kind: SecretKindView,
    /// The version.
    pub version: SecretVersionView,
    /// The value.
    pub value: SecretValueView<'a>,
}

/// What makes a share link.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewShareLink")]
pub struct ShareRequest {
    /// The number of the version that it shows; the current one, if none is named.
    #[serde(default)]
    pub version: Option<u64>,
    /// For how many seconds it can be opened: 60 to 604,800; an hour, if nothing is said.
    #[serde(default)]
    pub lasts_seconds: Option<u64>,
}

/// A share link, without its token.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "ShareLink")]
pub struct ShareView {
    /// Its identifier, a UUID.
    pub id: String,
    /// The number of the version that it shows.
    pub version: u64,
    /// The principal that made it.
    pub made_by: String,
    /// Whether it has been opened, which it can be once.
    pub is_opened: bool,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// From when on it opens nothing (RFC 3339).
    pub expires_at: String,
}

/// A share link with its token: the one time that it is shown.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ShareLinkWithToken")]
pub struct NewShareView<'a> {
    /// What opens it.
    pub token: &'a str,
    /// The link.
    #[serde(flatten)]
    pub share: ShareView,
}

/// What opens a share link.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ShareLinkOpening")]
pub struct ShareOpening {
    /// Its token.
    pub token: String,
}

/// What a share link showed, the once that it does.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OpenedShareLink")]
pub struct OpenedShareView<'a> {
    /// What kind of credential it is.
    pub kind: SecretKindView,
    /// The value.
    pub value: SecretValueView<'a>,
}

impl SecretView {
    /// As it is at `now_ms`.
    pub(super) fn of(secret: &Description, now_ms: u64) -> Self {
        let settings = &secret.settings;
        let (state, delete_at) = match secret.state {
            State::Active => (SecretStateView::Active, None),
            State::Deleted { at_ms } => (SecretStateView::Deleted, Some(rfc_3339(at_ms))),
        };
        Self {
            path: secret.path.to_string(),
            kind: secret.kind.into(),
            description: secret.description.clone(),
            tags: secret.tags.clone(),
            settings: SecretSettingsView {
                versions_max: settings.versions_max,
                check_required: settings.check_required,
                delete_versions_after_seconds: settings
                    .delete_versions_after_ms
                    .map(|after_ms| after_ms / 1_000),
                expires_at: settings.expires_ms.map(rfc_3339),
                is_expired: settings.expires_ms.is_some_and(|end_ms| end_ms <= now_ms),
                remind_at: settings.remind_ms.map(rfc_3339),
                custom: settings.custom.clone(),
            },
            has_policy: secret.policy.is_some(),
            state,
            delete_at,
            current_version: secret.current().map(|current| current.number),
            created_at: rfc_3339(secret.created_ms),
            changed_at: rfc_3339(secret.changed_ms),
        }
    }
}

impl<'a> SecretValueView<'a> {
    /// Names and values where the kind has them and the value holds such. `encoded` takes the
    /// Base64 of bytes.
    pub(super) fn of(kind: Kind, value: &'a Value, encoded: &'a mut Zeroizing<String>) -> Self {
        match value {
            Value::Text(text) => match fields_of(kind, text) {
                Some(fields) => Self::Fields(fields),
                None => Self::Text(text),
            },
            Value::Binary(bytes) => {
                *encoded = Zeroizing::new(STANDARD.encode(bytes));
                Self::Base64(encoded)
            }
        }
    }
}

impl<'a> RevealedSecretView<'a> {
    /// As it is at `now_ms`.
    pub(super) fn of(
        revealed: &'a Revealed,
        encoded: &'a mut Zeroizing<String>,
        now_ms: u64,
    ) -> Self {
        let secret = &revealed.secret;
        Self {
            path: secret.path.as_str(),
            kind: secret.kind.into(),
            version: SecretVersionView::of(&revealed.version, now_ms),
            value: SecretValueView::of(secret.kind, &revealed.value, encoded),
        }
    }
}

impl SecretDetailView {
    /// As it is at `now_ms`.
    pub(super) fn of(secret: &Description, now_ms: u64) -> Self {
        let versions = secret.versions.iter();
        Self {
            secret: SecretView::of(secret, now_ms),
            versions: versions
                .map(|version| SecretVersionView::of(version, now_ms))
                .collect(),
        }
    }
}

impl SecretVersionView {
    /// As it is at `now_ms`.
    pub(super) fn of(version: &VersionInfo, now_ms: u64) -> Self {
        Self {
            number: version.number,
            id: version.name.clone(),
            stages: version.stages.clone(),
            state: match version.state_at(now_ms) {
                VersionState::Live => SecretVersionStateView::Live,
                VersionState::Deleted { .. } => SecretVersionStateView::Deleted,
                VersionState::Destroyed => SecretVersionStateView::Destroyed,
            },
            deleted_at: match version.state {
                VersionState::Deleted { at_ms } => Some(rfc_3339(at_ms)),
                VersionState::Live | VersionState::Destroyed => None,
            },
            created_at: rfc_3339(version.created_ms),
        }
    }
}

impl From<Kind> for SecretKindView {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Opaque => Self::Opaque,
            Kind::KeyValue => Self::KeyValue,
            Kind::ApiKey => Self::ApiKey,
            Kind::Basic => Self::Basic,
            Kind::OauthClient => Self::OauthClient,
            Kind::OauthTokens => Self::OauthTokens,
            Kind::AwsKeyPair => Self::AwsKeyPair,
            Kind::SshKey => Self::SshKey,
            Kind::Certificate => Self::Certificate,
        }
    }
}

impl From<SecretKindView> for Kind {
    fn from(kind: SecretKindView) -> Self {
        match kind {
            SecretKindView::Opaque => Self::Opaque,
            SecretKindView::KeyValue => Self::KeyValue,
            SecretKindView::ApiKey => Self::ApiKey,
            SecretKindView::Basic => Self::Basic,
            SecretKindView::OauthClient => Self::OauthClient,
            SecretKindView::OauthTokens => Self::OauthTokens,
            SecretKindView::AwsKeyPair => Self::AwsKeyPair,
            SecretKindView::SshKey => Self::SshKey,
            SecretKindView::Certificate => Self::Certificate,
        }
    }
}

/// The JSON object of a value whose kind has fields.
fn fields_of(kind: Kind, text: &str) -> Option<&RawValue> {
    match kind {
        Kind::Opaque | Kind::ApiKey => None,
        // It may have been a secret of another kind when the value was written.
        _ if !text.trim_start().starts_with('{') => None,
        _ => serde_json::from_str(text).ok(),
    }
}

/// Tells a member that is null from one that is not there.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Deserialize::deserialize(deserializer).map(Some)
}
