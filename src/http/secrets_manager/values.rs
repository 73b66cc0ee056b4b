use futures_util::future::try_join_all;
use wire::secrets_manager::{
    BatchAnswer, BatchChoice, BatchFailure, BatchGetSecretValue, ErrorCode, GetRandomPassword,
    GetSecretValue, PasswordAnswer, PutSecretValue, SecretId, SentValue, ValueAnswer,
    WrittenAnswer, seconds,
};

use super::answer;
use super::asking::Asking;
use super::error::SecretsError;
use super::filter::meets;
use super::list;
use crate::audit::Decision;
use crate::authz::{Action, DrawPassword, InOrganization, PutSecret, Receipt, RevealSecret, Rule};
use crate::http::pipeline::{Answer, DoorError, Fault};
use crate::vault::{
    CharacterKind, Check, Description, NewValue, Order, OrderBy, PasswordRules, Revealed, Selector,
    State, Value, VaultError, stages,
};

/// GetSecretValue. That it is asked for stands in the activity log already.
pub(super) async fn get(asking: Asking<'_>, which: GetSecretValue) -> Result<Answer, SecretsError> {
    let permit = asking.permit::<RevealSecret>(&which.id).await?;
    let (version, stage) = (which.version, which.stage);
    let selector = match (&version, &stage) {
        (Some(version), _) => Selector::Name(version.clone()),
        (None, Some(stage)) => Selector::Stage(stage.clone()),
        (None, None) => Selector::Current,
    };
    let revealed = asking.vault().reveal(permit, &selector).await;
    let revealed = revealed.map_err(|error| no_such_version(error, &selector))?;
    // Whoever names both means one version.
    if let (Some(_), Some(stage)) = (version, stage)
        && !revealed.version.has_stage(&stage)
    {
        return Err(SecretsError::new(
            ErrorCode::InvalidRequest,
            "You provided a VersionStage that is not associated to the provided VersionId.",
        ));
    }
    let receipt = Receipt {
        bytes_in: 0,
        bytes_out: revealed.value.expose().len() as u64,
    };
    answer::document(asking.call, &shown(asking, &revealed), receipt)
}

/// BatchGetSecretValue. Every value stands in the activity log, durably, before any of them leaves.
pub(super) async fn batch(
    asking: Asking<'_>,
    batch: BatchGetSecretValue,
) -> Result<Answer, SecretsError> {
    let (wanted, next_token) = wanted(asking, batch).await?;
    let mut values = Vec::new();
    let mut errors = Vec::new();
    for (text, id) in &wanted {
        match reveal(asking, id).await {
            Ok(revealed) => values.push(revealed),
            Err(error) => errors.push(failure(asking, text, id, error).await?),
        }
    }
    let records = values.iter().map(|(revealed, rule)| {
        let resource = format!("secret:{}", revealed.secret.path);
        let decision = Decision::Allowed { status: 200 };
        asking
            .call
            .record(RevealSecret::NAME, resource, Some(*rule), decision)
    });
    try_join_all(records).await?;
    let receipt = Receipt {
        bytes_in: 0,
        bytes_out: values
            .iter()
            .map(|(revealed, _)| revealed.value.expose().len() as u64)
            .sum(),
    };
    let document = BatchAnswer {
        secret_values: values
            .iter()
            .map(|(revealed, _)| shown(asking, revealed))
            .collect(),
        errors,
        next_token,
    };
    answer::document(asking.call, &document, receipt)
}

/// PutSecretValue.
pub(super) async fn put(asking: Asking<'_>, put: PutSecretValue) -> Result<Answer, SecretsError> {
    let permit = asking.permit::<PutSecret>(&put.id).await?;
    let receipt = Receipt {
        bytes_in: bytes_in(&put.value),
        bytes_out: 0,
    };
    let value = new_value(put.value, put.token, put.stages);
    let written = asking.vault().put(permit, value).await?;
    let (version_id, version_stages) = written
        .version
        .map(|version| (version.name, version.stages))
        .unzip();
    let document = WrittenAnswer {
        secret: asking.named(&written.secret),
        version_id,
        version_stages,
    };
    answer::document(asking.call, &document, receipt)
}

/// GetRandomPassword.
pub(super) fn password(
    asking: Asking<'_>,
    rules: GetRandomPassword,
) -> Result<Answer, SecretsError> {
    let permit = asking.call.permit::<DrawPassword>(InOrganization)?;
    let kinds = [
        (rules.lowercase, CharacterKind::Lowercase),
        (rules.uppercase, CharacterKind::Uppercase),
        (rules.numbers, CharacterKind::Digit),
        (rules.punctuation, CharacterKind::Punctuation),
        (rules.space, CharacterKind::Space),
    ];
    let rules = PasswordRules {
        length: rules.length,
        kinds: kinds
            .into_iter()
            .filter_map(|(is_wanted, kind)| is_wanted.then_some(kind))
            .collect(),
        excluded: rules.excluded,
        each: rules.each,
    };
    let password = asking.vault().password(permit, &rules)?;
    let document = PasswordAnswer {
        random_password: &password,
    };
    answer::document(asking.call, &document, Receipt::default())
}

/// A value to write. What it is of more is the vault's to say.
pub(super) fn new_value(value: SentValue, token: Option<String>, stages: Vec<String>) -> NewValue {
    NewValue {
        value: match value {
            SentValue::Text(text) => Value::Text(text),
            SentValue::Binary(bytes) => Value::Binary(bytes),
        },
        token,
        stages,
        check: Check::Any,
        versions_max: VERSIONS_MAX,
    }
}

/// How many bytes a value has.
pub(super) fn bytes_in(value: &SentValue) -> u64 {
    match value {
        SentValue::Text(text) => text.len() as u64,
        SentValue::Binary(bytes) => bytes.len() as u64,
    }
}

/// The secrets of a batch, as they were named.
async fn wanted(
    asking: Asking<'_>,
    batch: BatchGetSecretValue,
) -> Result<(Vec<(String, SecretId)>, Option<String>), SecretsError> {
    let filters = match batch.choice {
        BatchChoice::Named(named) => return Ok((named, None)),
        BatchChoice::Filtered(filters) => filters,
    };
    let order = Order {
        by: OrderBy::Created,
        descending: false,
    };
    let wanted = |secret: &Description| secret.state == State::Active && meets(secret, &filters);
    let max = batch.max.unwrap_or(BATCH_MAX);
    let (page, next) = list::page(asking, &filters, order, batch.next, max, wanted).await?;
    let named = page.secrets.iter().map(|secret| {
        let path = secret.path.clone();
        (asking.named(secret).arn, SecretId::Name(path))
    });
    Ok((named.collect(), next))
}

async fn reveal(asking: Asking<'_>, id: &SecretId) -> Result<(Revealed, Rule), SecretsError> {
    let permit = asking.permit::<RevealSecret>(id).await?;
    let rule = permit.rule();
    let selector = Selector::Current;
    let revealed = asking.vault().reveal(permit, &selector).await;
    let revealed = revealed.map_err(|error| no_such_version(error, &selector))?;
    Ok((revealed, rule))
}

/// Why one secret of a batch is not shown. Only what is the caller's turn lets the others be shown;
/// that it was refused is recorded.
async fn failure<'a>(
    asking: Asking<'_>,
    text: &'a str,
    id: &SecretId,
    error: SecretsError,
) -> Result<BatchFailure<'a>, SecretsError> {
    match error.fault() {
        Fault::Caller if error.code() != ErrorCode::Throttling => {}
        Fault::Refused(rule) => {
            let path = id.path().map_or("*", |path| path.as_str());
            let (resource, rule) = (format!("secret:{path}"), rule.clone());
            let decision = Decision::Refused { rule };
            asking
                .call
                .record(RevealSecret::NAME, resource, None, decision)
                .await?;
        }
        Fault::Caller | Fault::Operator(_) | Fault::Damaged(_) => return Err(error),
    }
    Ok(BatchFailure {
        secret_id: text,
        error_code: error.code().name(),
        message: error.message().to_owned(),
    })
}

fn no_such_version(error: VaultError, selector: &Selector) -> SecretsError {
    let what = match (&error, selector) {
        (VaultError::NoSuchVersion | VaultError::VersionGone(_), selector) => match selector {
            Selector::Name(name) => format!("VersionId: {name}"),
            Selector::Stage(stage) => format!("staging label: {stage}"),
            _ => format!("staging label: {}", stages::CURRENT),
        },
        _ => return error.into(),
    };
    SecretsError::from(error).saying(format!(
        "Secrets Manager can't find the specified secret value for {what}"
    ))
}

fn shown<'a>(asking: Asking<'_>, revealed: &'a Revealed) -> ValueAnswer<'a> {
    let (text, binary) = match &revealed.value {
        Value::Text(text) => (Some(text.as_str()), None),
        Value::Binary(bytes) => (None, Some(bytes.as_slice())),
    };
    ValueAnswer {
        secret: asking.named(&revealed.secret),
        version_id: revealed.version.name.clone(),
        secret_string: text,
        secret_binary: binary,
        version_stages: revealed.version.stages.clone(),
        created_date: seconds(revealed.version.created_ms),
    }
}

/// As many versions as Amazon keeps.
const VERSIONS_MAX: u32 = 100;
const BATCH_MAX: usize = 20;
