use names::SecretPath;

use super::error::Refusal;
use super::filter::Filter;
use super::id::SecretId;
use super::members::Members;
use super::operation::Operation;
use super::reading::read;
use super::value::SentValue;

/// What is asked for.
pub enum Request {
    /// Values of many secrets.
    BatchGetSecretValue(BatchGetSecretValue),
    /// A new secret.
    CreateSecret(CreateSecret),
    /// A secret without its policy.
    DeleteResourcePolicy(SecretId),
    /// A secret's end.
    DeleteSecret(SecretId, Deletion),
    /// All that is known of a secret but its values.
    DescribeSecret(SecretId),
    /// A password by chance.
    GetRandomPassword(GetRandomPassword),
    /// A secret's policy.
    GetResourcePolicy(SecretId),
    /// A secret's value.
    GetSecretValue(GetSecretValue),
    /// A secret's policies.
    ListResourcePolicies(SecretId),
    /// A secret's versions.
    ListSecretVersionIds(ListSecretVersionIds),
    /// The secrets.
    ListSecrets(ListSecrets),
    /// A secret under a policy.
    PutResourcePolicy(PutResourcePolicy),
    /// A new value.
    PutSecretValue(PutSecretValue),
    /// A secret that is not to end after all.
    RestoreSecret(SecretId),
    /// Tags to set.
    TagResource(SecretId, Vec<Tag>),
    /// Tags to take away, by their names.
    UntagResource(SecretId, Vec<String>),
    /// Another description or value.
    UpdateSecret(UpdateSecret),
    /// A stage at another version.
    UpdateSecretVersionStage(UpdateSecretVersionStage),
    /// Whether a policy could be put, on a secret if one is named.
    ValidateResourcePolicy(Option<SecretId>, String),
}

/// A name and a value that describe a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its name.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// `CreateSecret`.
pub struct CreateSecret {
    /// The name.
    pub name: SecretPath,
    /// `ClientRequestToken`, which names the first version.
    pub token: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// The first value.
    pub value: Option<SentValue>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// How a secret is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// At once.
    Now,
    /// After so many days, 7 to 30; as many as usual if none are given.
    After(Option<u64>),
}

/// `GetSecretValue`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetSecretValue {
    /// Which secret.
    pub id: SecretId,
    /// Which version, by its name.
    pub version: Option<String>,
    /// Which version, by a stage.
    pub stage: Option<String>,
}

/// `BatchGetSecretValue`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchGetSecretValue {
    /// Which secrets.
    pub choice: BatchChoice,
    /// How many at most: 1 to 20.
    pub max: Option<usize>,
    /// Where the page before ended.
    pub next: Option<String>,
}

/// Which secrets a batch is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BatchChoice {
    /// These, 1 to 20, each with its name as it was sent.
    Named(Vec<(String, SecretId)>),
    /// Those that meet conditions.
    Filtered(Vec<Filter>),
}

/// `PutResourcePolicy`.
pub struct PutResourcePolicy {
    /// Which secret.
    pub id: SecretId,
    /// The policy document.
    pub policy: String,
    /// Whether one is refused that opens the secret to everybody.
    pub is_public_blocked: bool,
}

/// `PutSecretValue`.
pub struct PutSecretValue {
    /// Which secret.
    pub id: SecretId,
    /// `ClientRequestToken`, which names the version.
    pub token: Option<String>,
    /// The value.
    pub value: SentValue,
    /// The stages that it takes; none for the usual one.
    pub stages: Vec<String>,
}

/// `UpdateSecret`.
pub struct UpdateSecret {
    /// Which secret.
    pub id: SecretId,
    /// `ClientRequestToken`, which names the version.
    pub token: Option<String>,
    /// Another description.
    pub description: Option<String>,
    /// Another value.
    pub value: Option<SentValue>,
}

/// `UpdateSecretVersionStage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateSecretVersionStage {
    /// Which secret.
    pub id: SecretId,
    /// Which stage.
    pub stage: String,
    /// The version that it is taken from.
    pub from: Option<String>,
    /// The version that it is put on.
    pub to: Option<String>,
}

/// `ListSecretVersionIds`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListSecretVersionIds {
    /// Which secret.
    pub id: SecretId,
    /// Whether versions without a stage are listed, too.
    pub with_deprecated: bool,
    /// How many at most: 1 to 100.
    pub max: Option<usize>,
    /// Where the page before ended.
    pub next: Option<String>,
}

/// `ListSecrets`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListSecrets {
    /// Conditions.
    pub filters: Vec<Filter>,
    /// Whether those that are scheduled for deletion are listed, too.
    pub with_deleted: bool,
    /// By what they are ordered.
    pub by: SortBy,
    /// Whether the last comes first.
    pub descending: bool,
    /// How many at most: 1 to 100.
    pub max: Option<usize>,
    /// Where the page before ended.
    pub next: Option<String>,
}

/// By what secrets are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SortBy {
    /// When they were made.
    Created,
    /// When they were changed.
    Changed,
    /// Their names.
    Name,
}

/// `GetRandomPassword`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetRandomPassword {
    /// How many characters: 1 to 4,096.
    pub length: usize,
    /// Characters that it must not have.
    pub excluded: String,
    /// Whether it has digits.
    pub numbers: bool,
    /// Whether it has punctuation.
    pub punctuation: bool,
    /// Whether it has A to Z.
    pub uppercase: bool,
    /// Whether it has a to z.
    pub lowercase: bool,
    /// Whether it has spaces.
    pub space: bool,
    /// Whether it has one of each at least.
    pub each: bool,
}

impl Request {
    /// Reads the body of an operation.
    ///
    /// # Errors
    /// `SerializationException` for what is not of its shape, `ValidationException` for what its
    /// model forbids, `InvalidParameterException` for what is not offered.
    pub fn parse(operation: Operation, body: &[u8]) -> Result<Self, Refusal> {
        let mut members = Members::parse(body)?;
        let request = read(operation, &mut members)?;
        members.finish()?;
        Ok(request)
    }

    /// The secret that it is about, as it was named; none if it is about several.
    pub fn secret(&self) -> Option<&SecretId> {
        match self {
            Self::BatchGetSecretValue(_)
            | Self::CreateSecret(_)
            | Self::GetRandomPassword(_)
            | Self::ListSecrets(_) => None,
            Self::ValidateResourcePolicy(id, _) => id.as_ref(),
            Self::DeleteResourcePolicy(id)
            | Self::DeleteSecret(id, _)
            | Self::DescribeSecret(id)
            | Self::GetResourcePolicy(id)
            | Self::GetSecretValue(GetSecretValue { id, .. })
            | Self::ListResourcePolicies(id)
            | Self::ListSecretVersionIds(ListSecretVersionIds { id, .. })
            | Self::PutResourcePolicy(PutResourcePolicy { id, .. })
            | Self::PutSecretValue(PutSecretValue { id, .. })
            | Self::RestoreSecret(id)
            | Self::TagResource(id, _)
            | Self::UntagResource(id, _)
            | Self::UpdateSecret(UpdateSecret { id, .. })
            | Self::UpdateSecretVersionStage(UpdateSecretVersionStage { id, .. }) => Some(id),
        }
    }
}
