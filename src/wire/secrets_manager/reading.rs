//! How each operation's members are read.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use names::SecretPath;
use zeroize::Zeroizing;

use super::answer::PolicyName;
use super::error::{ErrorCode, Refusal};
use super::filter::{Filter, FilterKey};
use super::id::SecretId;
use super::members::Members;
use super::operation::Operation;
use super::request::{
    BatchChoice, BatchGetSecretValue, CreateSecret, Deletion, GetRandomPassword, GetSecretValue,
    ListSecretVersionIds, ListSecrets, PutResourcePolicy, PutSecretValue, Request, SortBy, Tag,
    UpdateSecret, UpdateSecretVersionStage,
};
use super::value::SentValue;

/// Reads what an operation asks for. What is left of the members then is nothing that it has.
pub(super) fn read(operation: Operation, members: &mut Members) -> Result<Request, Refusal> {
    use ErrorCode::{InvalidParameter, ResourceNotFound};
    Ok(match operation {
        Operation::BatchGetSecretValue => Request::BatchGetSecretValue(batch(members)?),
        Operation::CreateSecret => Request::CreateSecret(create(members)?),
        Operation::DeleteResourcePolicy => {
            Request::DeleteResourcePolicy(id_with_policy_name(members, InvalidParameter)?)
        }
        Operation::DeleteSecret => Request::DeleteSecret(id(members)?, deletion(members)?),
        Operation::DescribeSecret => Request::DescribeSecret(id(members)?),
        Operation::GetRandomPassword => Request::GetRandomPassword(password(members)?),
        Operation::GetResourcePolicy => {
            Request::GetResourcePolicy(id_with_policy_name(members, ResourceNotFound)?)
        }
        Operation::GetSecretValue => Request::GetSecretValue(GetSecretValue {
            id: id(members)?,
            version: text(members, "VersionId", VERSION_CHARS)?,
            stage: text(members, "VersionStage", STAGE_CHARS)?,
        }),
        Operation::ListResourcePolicies => {
            page(members, 100)?;
            Request::ListResourcePolicies(id(members)?)
        }
        Operation::ListSecretVersionIds => {
            let (max, next) = page(members, 100)?;
            Request::ListSecretVersionIds(ListSecretVersionIds {
                id: id(members)?,
                with_deprecated: is_set(members, "IncludeDeprecated")?,
                max,
                next,
            })
        }
        Operation::ListSecrets => Request::ListSecrets(list(members)?),
        Operation::PutResourcePolicy => {
            let is_public_blocked = is_set(members, "BlockPublicPolicy")?;
            Request::PutResourcePolicy(PutResourcePolicy {
                id: id_with_policy_name(members, InvalidParameter)?,
                policy: policy(members)?,
                is_public_blocked,
            })
        }
        Operation::PutSecretValue => Request::PutSecretValue(put(members)?),
        Operation::RestoreSecret => Request::RestoreSecret(id(members)?),
        Operation::TagResource => {
            Request::TagResource(id(members)?, tags(members)?.ok_or_else(|| missing("Tags"))?)
        }
        Operation::UntagResource => {
            let keys = members.texts("TagKeys", 0..=TAGS_MAX, 1..=128)?;
            Request::UntagResource(id(members)?, keys.ok_or_else(|| missing("TagKeys"))?)
        }
        Operation::UpdateSecret => Request::UpdateSecret(update(members)?),
        Operation::UpdateSecretVersionStage => {
            Request::UpdateSecretVersionStage(UpdateSecretVersionStage {
                id: id(members)?,
                stage: String::clone(&*members.required("VersionStage", STAGE_CHARS)?),
                from: text(members, "RemoveFromVersionId", VERSION_CHARS)?,
                to: text(members, "MoveToVersionId", VERSION_CHARS)?,
            })
        }
        Operation::ValidateResourcePolicy => {
            let named = match members.text("SecretId", ID_CHARS)? {
                Some(text) => Some(parse_id(&text)?),
                None => None,
            };
            Request::ValidateResourcePolicy(named, policy(members)?)
        }
    })
}

fn batch(members: &mut Members) -> Result<BatchGetSecretValue, Refusal> {
    let named = members.texts("SecretIdList", 1..=20, ID_CHARS)?;
    let filters = filters(members)?;
    let (max, next) = page(members, 20)?;
    let choice = match (named, filters) {
        (Some(named), None) => {
            let read = |text: String| parse_id(&text).map(|id| (text, id));
            BatchChoice::Named(named.into_iter().map(read).collect::<Result<_, _>>()?)
        }
        (None, Some(filters)) => BatchChoice::Filtered(filters),
        (Some(_), Some(_)) | (None, None) => {
            return Err(Refusal::new(
                ErrorCode::InvalidParameter,
                "Either 'SecretIdList' or 'Filters' must be provided, but not both.",
            ));
        }
    };
    if matches!(choice, BatchChoice::Named(_)) && (max.is_some() || next.is_some()) {
        return Err(Refusal::new(
            ErrorCode::InvalidParameter,
            "'MaxResults' and 'NextToken' go with 'Filters', not with 'SecretIdList'.",
        ));
    }
    Ok(BatchGetSecretValue { choice, max, next })
}

fn create(members: &mut Members) -> Result<CreateSecret, Refusal> {
    let name = members.required("Name", 1..=512)?;
    check_key(members)?;
    check_kind(members)?;
    if is_set(members, "ForceOverwriteReplicaSecret")? {
        return Err(not_offered("Replication to other regions"));
    }
    for (member, what) in [
        ("AddReplicaRegions", "Replication to other regions"),
        ("CrossAccountPrimaryARN", "Replication from other accounts"),
    ] {
        if members.is_there(member) {
            return Err(not_offered(what));
        }
    }
    Ok(CreateSecret {
        name: new_name(&name)?,
        token: text(members, "ClientRequestToken", VERSION_CHARS)?,
        description: text(members, "Description", DESCRIPTION_CHARS)?,
        value: value(members)?,
        tags: tags(members)?.unwrap_or_default(),
    })
}

fn put(members: &mut Members) -> Result<PutSecretValue, Refusal> {
    if members.is_there("RotationToken") {
        return Err(not_offered("Rotation by functions"));
    }
    let stages = members.texts("VersionStages", 1..=20, STAGE_CHARS)?;
    Ok(PutSecretValue {
        id: id(members)?,
        token: text(members, "ClientRequestToken", VERSION_CHARS)?,
        value: value(members)?.ok_or(Refusal::new(
            ErrorCode::InvalidRequest,
            "You must provide either SecretString or SecretBinary.",
        ))?,
        stages: stages.unwrap_or_default(),
    })
}

fn update(members: &mut Members) -> Result<UpdateSecret, Refusal> {
    check_key(members)?;
    check_kind(members)?;
    Ok(UpdateSecret {
        id: id(members)?,
        token: text(members, "ClientRequestToken", VERSION_CHARS)?,
        description: text(members, "Description", DESCRIPTION_CHARS)?,
        value: value(members)?,
    })
}

fn list(members: &mut Members) -> Result<ListSecrets, Refusal> {
    let (max, next) = page(members, 100)?;
    let by = match members
        .text("SortBy", ANY_CHARS)?
        .as_deref()
        .map(String::as_str)
    {
        None | Some("created-date") => SortBy::Created,
        Some("last-changed-date") => SortBy::Changed,
        Some("name") => SortBy::Name,
        Some("last-accessed-date") => return Err(not_offered("The date of the last access")),
        Some(_) => {
            return Err(one_of(
                "SortBy",
                "[created-date, last-accessed-date, last-changed-date, name]",
            ));
        }
    };
    let order = members.text("SortOrder", ANY_CHARS)?;
    let descending = match order.as_deref().map(String::as_str) {
        None | Some("asc") => false,
        Some("desc") => true,
        Some(_) => return Err(one_of("SortOrder", "[asc, desc]")),
    };
    Ok(ListSecrets {
        filters: filters(members)?.unwrap_or_default(),
        with_deleted: is_set(members, "IncludePlannedDeletion")?,
        by,
        descending,
        max,
        next,
    })
}

fn deletion(members: &mut Members) -> Result<Deletion, Refusal> {
    let is_forced = is_set(members, "ForceDeleteWithoutRecovery")?;
    let days = members.number("RecoveryWindowInDays")?;
    match (is_forced, days) {
        (true, None) => Ok(Deletion::Now),
        (true, Some(_)) => Err(Refusal::new(
            ErrorCode::InvalidParameter,
            "You can't use ForceDeleteWithoutRecovery in conjunction with RecoveryWindowInDays.",
        )),
        (false, Some(days)) if !(7..=30).contains(&days) => Err(Refusal::new(
            ErrorCode::InvalidParameter,
            "The RecoveryWindowInDays value must be between 7 and 30 days (inclusive).",
        )),
        (false, days) => Ok(Deletion::After(days)),
    }
}

fn password(members: &mut Members) -> Result<GetRandomPassword, Refusal> {
    let length = members.bounded_number("PasswordLength", 1..=4_096)?;
    let excluded = text(members, "ExcludeCharacters", 0..=4_096)?;
    Ok(GetRandomPassword {
        length: length.map_or(Ok(32), usize::try_from).unwrap_or(32),
        excluded: excluded.unwrap_or_default(),
        numbers: !is_set(members, "ExcludeNumbers")?,
        punctuation: !is_set(members, "ExcludePunctuation")?,
        uppercase: !is_set(members, "ExcludeUppercase")?,
        lowercase: !is_set(members, "ExcludeLowercase")?,
        space: is_set(members, "IncludeSpace")?,
        each: members.flag("RequireEachIncludedType")?.unwrap_or(true),
    })
}

fn id(members: &mut Members) -> Result<SecretId, Refusal> {
    parse_id(&members.required("SecretId", ID_CHARS)?)
}

fn parse_id(text: &str) -> Result<SecretId, Refusal> {
    SecretId::parse(text).map_err(|_| invalid_name())
}

/// A secret has one policy, which has one name.
fn id_with_policy_name(members: &mut Members, otherwise: ErrorCode) -> Result<SecretId, Refusal> {
    match members.text("PolicyName", 1..=64)? {
        Some(name) if *name != PolicyName::DEFAULT => Err(Refusal::new(
            otherwise,
            "A secret has one resource policy, which is named default.",
        )),
        Some(_) | None => id(members),
    }
}

fn policy(members: &mut Members) -> Result<String, Refusal> {
    let policy = members.required("ResourcePolicy", 1..=20_480)?;
    Ok(String::clone(&policy))
}

fn value(members: &mut Members) -> Result<Option<SentValue>, Refusal> {
    let text = members.bytes("SecretString", SentValue::BYTES_MAX)?;
    let binary = members.bytes("SecretBinary", BASE64_CHARS_MAX)?;
    match (text, binary) {
        (None, None) => Ok(None),
        (Some(text), None) => Ok(Some(SentValue::Text(text))),
        (None, Some(encoded)) => {
            let decoded = STANDARD.decode(encoded.as_bytes()).map(Zeroizing::new);
            let decoded = decoded.map_err(|_| {
                Refusal::new(ErrorCode::Serialization, "SecretBinary is not base64.")
            })?;
            match decoded.len() {
                1..=SentValue::BYTES_MAX => Ok(Some(SentValue::Binary(decoded))),
                _ => Err(Refusal::constraint(
                    "SecretBinary",
                    "Member must have length less than or equal to 65536",
                )),
            }
        }
        (Some(_), Some(_)) => Err(Refusal::new(
            ErrorCode::InvalidParameter,
            "You can't specify both a binary secret value and a string secret value in the same \
             secret.",
        )),
    }
}

fn tags(members: &mut Members) -> Result<Option<Vec<Tag>>, Refusal> {
    let tags = members.objects("Tags", 0..=TAGS_MAX, |tag| {
        Ok(Tag {
            key: String::clone(&*tag.required("Key", 1..=128)?),
            value: text(tag, "Value", 0..=256)?.unwrap_or_default(),
        })
    })?;
    let mut keys = BTreeSet::new();
    for tag in tags.iter().flatten() {
        if !keys.insert(&tag.key) {
            return Err(Refusal::new(
                ErrorCode::InvalidParameter,
                "Two tags have the same key.",
            ));
        }
        if tag.key.to_ascii_lowercase().starts_with("aws:") {
            return Err(Refusal::new(
                ErrorCode::InvalidParameter,
                "Keys of tags that begin with aws: are reserved.",
            ));
        }
    }
    Ok(tags)
}

fn filters(members: &mut Members) -> Result<Option<Vec<Filter>>, Refusal> {
    members.objects("Filters", 0..=10, |filter| {
        let key = filter.required("Key", ANY_CHARS)?;
        let key = FilterKey::parse(&key).ok_or_else(|| {
            one_of(
                "Key",
                "[all, name, tag-key, description, tag-value, primary-region, owning-service]",
            )
        })?;
        let values = filter.texts("Values", 1..=10, 0..=512)?;
        Ok(Filter {
            key,
            values: values.ok_or_else(|| missing("Values"))?,
        })
    })
}

/// How many entries a page has, and where it begins.
fn page(members: &mut Members, max: u64) -> Result<(Option<usize>, Option<String>), Refusal> {
    let size = members.bounded_number("MaxResults", 1..=max)?;
    let next = text(members, "NextToken", 1..=4_096)?;
    Ok((size.and_then(|size| usize::try_from(size).ok()), next))
}

/// Every value is sealed under the organization's own key, as it is under Amazon's for whoever
/// names no other. A key of the caller's cannot be named.
fn check_key(members: &mut Members) -> Result<(), Refusal> {
    match members
        .text("KmsKeyId", 0..=2_048)?
        .as_deref()
        .map(String::as_str)
    {
        None | Some("" | "alias/aws/secretsmanager") => Ok(()),
        Some(_) => Err(not_offered("A key of a key service")),
    }
}

fn check_kind(members: &mut Members) -> Result<(), Refusal> {
    match members
        .text("Type", 0..=256)?
        .as_deref()
        .map(String::as_str)
    {
        None | Some("") => Ok(()),
        Some(_) => Err(not_offered("A secret that another service manages")),
    }
}

/// What Amazon lets a new name be made of. Names that other doors made may hold more.
fn new_name(text: &str) -> Result<SecretPath, Refusal> {
    let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || b"-/_+=.@!".contains(&byte);
    if !text.bytes().all(is_of_names) {
        return Err(invalid_name());
    }
    SecretPath::parse(text).map_err(|_| {
        Refusal::new(
            ErrorCode::Validation,
            "Invalid name. Between the slashes of a name stands something, and neither . nor ..",
        )
    })
}

fn text(
    members: &mut Members,
    name: &'static str,
    chars: RangeInclusive<usize>,
) -> Result<Option<String>, Refusal> {
    let text = members.text(name, chars)?;
    Ok(text.map(|text| String::clone(&text)))
}

fn is_set(members: &mut Members, name: &'static str) -> Result<bool, Refusal> {
    Ok(members.flag(name)?.unwrap_or(false))
}

fn missing(member: &str) -> Refusal {
    Refusal::constraint(member, "Member must not be null")
}

fn one_of(member: &str, values: &str) -> Refusal {
    Refusal::constraint(
        member,
        &format!("Member must satisfy enum value set: {values}"),
    )
}

fn invalid_name() -> Refusal {
    Refusal::new(
        ErrorCode::Validation,
        "Invalid name. Must be a valid name containing alphanumeric characters, or any of the \
         following: -/_+=.@!",
    )
}

/// Whoever asks for it and gets a secret without it has been lied to.
fn not_offered(what: &str) -> Refusal {
    Refusal::new(
        ErrorCode::InvalidParameter,
        format!("{what} is not offered here."),
    )
}

const ID_CHARS: RangeInclusive<usize> = 1..=2_048;
const VERSION_CHARS: RangeInclusive<usize> = 32..=64;
const STAGE_CHARS: RangeInclusive<usize> = 1..=256;
const DESCRIPTION_CHARS: RangeInclusive<usize> = 0..=2_048;
const ANY_CHARS: RangeInclusive<usize> = 0..=usize::MAX;
/// More than a secret may have, so that the vault says how many that is.
const TAGS_MAX: usize = 200;
/// Of the longest value: four characters for three bytes.
const BASE64_CHARS_MAX: usize = SentValue::BYTES_MAX.div_ceil(3) * 4;
