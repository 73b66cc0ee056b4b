use std::collections::BTreeMap;
use std::sync::Arc;

use names::{ResourcePolicy, SecretPath};
use zeroize::Zeroizing;

use crate::authz::{ListSecrets, Permit};

/// What kind of credential a secret is, which says what its value has to look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Text or bytes of any form.
    Opaque = 1,
    /// A JSON object of names and values.
    KeyValue = 2,
    /// A single key: text.
    ApiKey = 3,
    /// `username` and `password`.
    Basic = 4,
    /// `client_id`, `client_secret` and `token_url`.
    OauthClient = 5,
    /// `access_token`, and `refresh_token` where there is one.
    OauthTokens = 6,
    /// `access_key_id` and `secret_access_key`.
    AwsKeyPair = 7,
    /// `private_key`, and `passphrase` where there is one.
    SshKey = 8,
    /// `certificate` and `private_key`, in PEM.
    Certificate = 9,
}

/// The value of a secret, or of one version of it. It is wiped when it is dropped, and neither
/// shown nor cloned.
pub enum Value {
    /// Text.
    Text(Zeroizing<String>),
    /// Bytes.
    Binary(Zeroizing<Vec<u8>>),
}

/// Names and values that describe a secret: at most 50 of them.
pub type Tags = BTreeMap<String, String>;

/// What makes a secret.
pub struct NewSecret {
    /// What kind of credential it is.
    pub kind: Kind,
    /// What it is for.
    pub description: String,
    /// Its tags.
    pub tags: Tags,
    /// How it is kept.
    pub settings: Settings,
    /// Its first value; a secret may be made without one.
    pub value: Option<NewValue>,
}

/// How a secret is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// How many versions are kept; one that carries a stage is kept in any case.
    pub versions_max: Option<u32>,
    /// Whether writes have to check the version that they replace.
    pub check_required: bool,
    /// How long after it was made a version is deleted, milliseconds.
    pub delete_versions_after_ms: Option<u64>,
    /// When the secret itself stops to be of use, milliseconds since the epoch. It stays, and is
    /// shown as expired.
    pub expires_ms: Option<u64>,
    /// When somebody should think of it, milliseconds since the epoch.
    pub remind_ms: Option<u64>,
    /// Names and values as HashiCorp Vault keeps them beside a secret.
    pub custom: Tags,
}

/// A value about to be written.
pub struct NewValue {
    /// The value.
    pub value: Value,
    /// Makes the write idempotent and names the version: 32 to 64 characters. Drawn, if it is not
    /// given.
    pub token: Option<String>,
    /// The stages that it takes; AWSCURRENT, if none is named.
    pub stages: Vec<String>,
    /// What has to be current.
    pub check: Check,
    /// How many versions are kept, if the secret does not say.
    pub versions_max: u32,
}

/// What has to be current when a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Anything or nothing.
    Any,
    /// The version of this number; 0 for none.
    Version(u64),
}

/// Whether a secret is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It is.
    Active,
    /// It is deleted at this time, milliseconds since the epoch, unless it is restored.
    Deleted {
        /// When.
        at_ms: u64,
    },
}

/// What became of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionState {
    /// It can be revealed.
    Live,
    /// Deleted at this time, milliseconds since the epoch; it can be brought back.
    Deleted {
        /// When.
        at_ms: u64,
    },
    /// Its value is gone for good.
    Destroyed,
}

/// A version, without its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionInfo {
    /// Counts the versions of the secret, from 1.
    pub number: u64,
    /// Its name: the token of the write that made it.
    pub name: String,
    /// The stages that it carries.
    pub stages: Vec<String>,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
    /// What became of it.
    pub state: VersionState,
}

/// A secret, without its values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Its path.
    pub path: SecretPath,
    /// Which secret: a path that is used again is another.
    pub id: [u8; 16],
    /// Six letters and digits by which Amazon's names (ARNs) tell it from another at its path.
    pub suffix: String,
    /// What kind of credential it is.
    pub kind: Kind,
    /// What it is for.
    pub description: String,
    /// Its tags.
    pub tags: Tags,
    /// How it is kept.
    pub settings: Settings,
    /// What it says itself of who may do what to it.
    pub policy: Option<SecretPolicy>,
    /// Whether it is in use.
    pub state: State,
    /// Its versions, the oldest first.
    pub versions: Vec<VersionInfo>,
    /// When it was made, milliseconds since the epoch.
    pub created_ms: u64,
    /// When it was changed, milliseconds since the epoch.
    pub changed_ms: u64,
    /// Counts its changes.
    pub sequence: u64,
}

/// What a secret says itself of who may do what to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretPolicy {
    /// As it was written.
    pub text: Arc<str>,
    /// What that says.
    pub rules: Arc<ResourcePolicy>,
}

/// Which version of a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Selector {
    /// The current one.
    #[default]
    Current,
    /// By its number.
    Number(u64),
    /// By its name.
    Name(String),
    /// By a stage.
    Stage(String),
    /// By its name, if it carries a stage.
    NameAndStage(String, String),
}

/// A value that was revealed.
pub struct Revealed {
    /// The secret.
    pub secret: Description,
    /// The version.
    pub version: VersionInfo,
    /// Its value.
    pub value: Value,
}

/// A version that is deleted or destroyed.
#[derive(Debug)]
pub struct GoneVersion {
    /// The secret.
    pub secret: Description,
    /// What is left of the version.
    pub version: VersionInfo,
}

/// What a write made, or had made before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The secret as it is now.
    pub secret: Description,
    /// The version that holds the value, if one was given.
    pub version: Option<VersionInfo>,
}

/// What changes of a secret besides its values; what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Change {
    /// What kind of credential it is.
    pub kind: Option<Kind>,
    /// What it is for.
    pub description: Option<String>,
    /// Tags to set.
    pub tag: Tags,
    /// Tags to take away.
    pub untag: Vec<String>,
    /// How it is kept.
    pub settings: Option<Settings>,
    /// The sequence that it has to have.
    pub sequence: Option<u64>,
}

/// How a stage moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageMove {
    /// The stage.
    pub stage: String,
    /// The version that carries it now, by name.
    pub from: Option<String>,
    /// The version that is to carry it, by name.
    pub to: Option<String>,
}

/// How a secret is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// After so many days, within which it can be restored: 7 to 30.
    Scheduled(Recovery),
    /// At once, for good.
    Now,
}

/// The days within which a deleted secret can be restored: 7 to 30.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery(u8);

impl Recovery {
    /// As Amazon has it, if none is given.
    pub const DEFAULT: Self = Self(30);

    /// Takes a number of days.
    pub fn days(days: u64) -> Option<Self> {
        u8::try_from(days)
            .ok()
            .filter(|days| (7..=30).contains(days))
            .map(Self)
    }

    /// So many milliseconds.
    pub(super) fn ms(self) -> u64 {
        u64::from(self.0) * 24 * 3_600_000
    }
}

/// The stages that the vault itself knows.
pub mod stages {
    /// The version that is meant when none is named.
    pub const CURRENT: &str = "AWSCURRENT";
    /// The one that was current before.
    pub const PREVIOUS: &str = "AWSPREVIOUS";
    /// One that is not in use yet.
    pub const PENDING: &str = "AWSPENDING";
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Opaque,
        Self::KeyValue,
        Self::ApiKey,
        Self::Basic,
        Self::OauthClient,
        Self::OauthTokens,
        Self::AwsKeyPair,
        Self::SshKey,
        Self::Certificate,
    ];

    /// As people write it.
    pub fn as_str(self) -> &'static str {
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

    /// The members that the JSON object of a value has to have, as texts; `None` for a value of
    /// any form.
    pub(super) fn members(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Opaque | Self::ApiKey => None,
            Self::KeyValue => Some(&[]),
            Self::Basic => Some(&["username", "password"]),
            Self::OauthClient => Some(&["client_id", "client_secret", "token_url"]),
            Self::OauthTokens => Some(&["access_token"]),
            Self::AwsKeyPair => Some(&["access_key_id", "secret_access_key"]),
            Self::SshKey => Some(&["private_key"]),
            Self::Certificate => Some(&["certificate", "private_key"]),
        }
    }
}

impl Value {
    /// Its bytes. The one exit.
    pub fn expose(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Binary(bytes) => bytes,
        }
    }

    /// Whether it is text.
    pub fn is_text(&self) -> bool {
        matches!(self, Self::Text(_))
    }
}

impl VersionInfo {
    /// What became of it by `now_ms`: a deletion that lies ahead has not happened.
    pub fn state_at(&self, now_ms: u64) -> VersionState {
        match self.state {
            VersionState::Deleted { at_ms } if now_ms < at_ms => VersionState::Live,
            state => state,
        }
    }

    /// Whether it carries a stage.
    pub fn has_stage(&self, stage: &str) -> bool {
        self.stages.iter().any(|carried| carried == stage)
    }
}

impl Description {
    /// The version that is current.
    pub fn current(&self) -> Option<&VersionInfo> {
        self.at_stage(stages::CURRENT)
    }

    /// What it says itself of who may do what to it.
    pub(super) fn rules(&self) -> Option<&Arc<ResourcePolicy>> {
        self.policy.as_ref().map(|policy| &policy.rules)
    }

    /// Whether whoever was permitted to list secrets is shown this one.
    pub(super) fn is_shown_by(&self, permit: &Permit<ListSecrets>) -> bool {
        self.rules()
            .is_none_or(|rules| permit.shows(&self.path, rules))
    }

    /// The version that carries a stage.
    pub fn at_stage(&self, stage: &str) -> Option<&VersionInfo> {
        self.versions
            .iter()
            .find(|version| version.has_stage(stage))
    }
}
