use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use zeroize::Zeroizing;

use super::request::Tag;

/// A secret by its two names.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct NamedAnswer {
    /// Its ARN.
    #[serde(rename = "ARN")]
    pub arn: String,
    /// Its name.
    pub name: String,
}

/// What a write made.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct WrittenAnswer {
    /// Which secret.
    #[serde(flatten)]
    pub secret: NamedAnswer,
    /// Which version, if a value was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// Its stages, where the operation tells them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version_stages: Option<Vec<String>>,
}

/// When a secret ends.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DeletedAnswer {
    /// Which secret.
    #[serde(flatten)]
    pub secret: NamedAnswer,
    /// When, seconds since the epoch.
    pub deletion_date: f64,
}

/// A value, which may be one of many.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ValueAnswer<'a> {
    /// Which secret.
    #[serde(flatten)]
    pub secret: NamedAnswer,
    /// Which version.
    pub version_id: String,
    /// The value, if it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_string: Option<&'a str>,
    /// The value, if it is not.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "serialize_base64"
    )]
    pub secret_binary: Option<&'a [u8]>,
    /// The version's stages.
    pub version_stages: Vec<String>,
    /// When the version was made, seconds since the epoch.
    pub created_date: f64,
}

/// Values of many secrets.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BatchAnswer<'a> {
    /// The values.
    pub secret_values: Vec<ValueAnswer<'a>>,
    /// What has none to show.
    pub errors: Vec<BatchFailure<'a>>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// Why a secret of a batch shows no value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BatchFailure<'a> {
    /// Which, as it was named.
    pub secret_id: &'a str,
    /// The code.
    pub error_code: &'static str,
    /// What the caller is told.
    pub message: String,
}

/// All that is known of a secret but its values.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct DescribedAnswer {
    /// What listings show, too.
    #[serde(flatten)]
    pub secret: ListedAnswer,
    /// The stages of each version that has any.
    pub version_ids_to_stages: BTreeMap<String, Vec<String>>,
}

/// A secret in a listing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListedAnswer {
    /// Which secret.
    #[serde(flatten)]
    pub secret: NamedAnswer,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// When it was made, seconds since the epoch.
    pub created_date: f64,
    /// When it was changed.
    pub last_changed_date: f64,
    /// When it is deleted for good, if it is scheduled for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_date: Option<f64>,
    /// Its tags.
    #[serde(serialize_with = "serialize_tags")]
    pub tags: Vec<Tag>,
    /// The stages of each version that has any; a description tells them elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_versions_to_stages: Option<BTreeMap<String, Vec<String>>>,
}

/// A page of secrets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ListAnswer {
    /// The secrets.
    pub secret_list: Vec<ListedAnswer>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// A version in a listing.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VersionAnswer {
    /// Its name.
    pub version_id: String,
    /// Its stages.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub version_stages: Vec<String>,
    /// When it was made, seconds since the epoch.
    pub created_date: f64,
}

/// A page of versions.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct VersionsAnswer {
    /// Which secret.
    #[serde(flatten)]
    pub secret: NamedAnswer,
    /// The versions.
    pub versions: Vec<VersionAnswer>,
    /// Where the next page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_token: Option<String>,
}

/// A secret's policy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyAnswer {
    /// Which secret.
    #[serde(flatten)]
    pub secret: NamedAnswer,
    /// What the policy is called.
    #[serde(flatten)]
    pub named: PolicyName,
    /// The policy, if it is asked for and there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resource_policy: Option<String>,
}

/// A secret's policies: one at most.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PoliciesAnswer {
    /// What they are called.
    pub resource_policies: Vec<PolicyName>,
}

/// The name that a secret's only policy has.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PolicyName {
    policy_name: &'static str,
}

impl PolicyName {
    /// As it is written.
    pub const DEFAULT: &'static str = "default";
}

impl Default for PolicyName {
    fn default() -> Self {
        Self {
            policy_name: Self::DEFAULT,
        }
    }
}

/// Whether a policy could be put.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ValidatedAnswer {
    /// Whether it could.
    pub policy_validation_passed: bool,
    /// Why not.
    pub validation_errors: Vec<ValidationError>,
}

/// What stands against a policy.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ValidationError {
    /// What was looked at.
    pub check_name: &'static str,
    /// What was found.
    pub error_message: String,
}

/// A password.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PasswordAnswer<'a> {
    /// The password.
    pub random_password: &'a str,
}

/// A time as the protocol writes it: seconds since the epoch, to the millisecond.
pub fn seconds(ms: u64) -> f64 {
    // 53 bits of milliseconds last for 285,000 years.
    ms as f64 / 1_000.0
}

fn serialize_base64<S: Serializer>(bytes: &Option<&[u8]>, to: S) -> Result<S::Ok, S::Error> {
    let Some(bytes) = bytes else {
        return to.serialize_none();
    };
    let mut encoded = Zeroizing::new(String::with_capacity(bytes.len().div_ceil(3) * 4));
    STANDARD.encode_string(bytes, &mut encoded);
    to.serialize_str(&encoded)
}

fn serialize_tags<S: Serializer>(tags: &[Tag], to: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Shown<'a> {
        key: &'a str,
        value: &'a str,
    }
    to.collect_seq(tags.iter().map(|tag| Shown {
        key: &tag.key,
        value: &tag.value,
    }))
}
