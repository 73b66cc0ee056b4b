//! What requests about secrets ask the vault for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::ask::{Ask, time_ms};
use super::problem::Problem;
use super::secret_view::{
    SecretChangeRequest, SecretSettingsRequest, SecretValueRequest, VersionsRequest,
};
use crate::vault::{Change, Check, Deletion, Kind, NewValue, Recovery, Selector, Settings, Value};

pub(super) fn selector(ask: &Ask) -> Result<Selector, Problem> {
    let parameter = |name: &str| ask.parameter(name).map(str::to_owned);
    match (parameter("version"), parameter("id"), parameter("stage")) {
        (None, None, None) => Ok(Selector::Current),
        (Some(number), None, None) => match number.parse() {
            Ok(number) => Ok(Selector::Number(number)),
            Err(_) => Err(Problem::invalid("it is no number").at("version")),
        },
        (None, Some(id), None) => Ok(Selector::Name(id)),
        (None, None, Some(stage)) => Ok(Selector::Stage(stage)),
        (None, Some(id), Some(stage)) => Ok(Selector::NameAndStage(id, stage)),
        (Some(_), _, _) => {
            Err(Problem::invalid("a number names a version by itself").at("version"))
        }
    }
}

pub(super) fn deletion(ask: &Ask) -> Result<Deletion, Problem> {
    let days = ask.parameter("recovery_days");
    match (ask.parameter("at_once") == Some("true"), days) {
        (true, None) => Ok(Deletion::Now),
        (true, Some(_)) => Err(Problem::invalid("either at once or not").at("at_once")),
        (false, None) => Ok(Deletion::Scheduled(Recovery::DEFAULT)),
        (false, Some(days)) => {
            let recovery = days.parse().ok().and_then(Recovery::days);
            let invalid = || Problem::invalid("7 to 30 days").at("recovery_days");
            recovery.map(Deletion::Scheduled).ok_or_else(invalid)
        }
    }
}

pub(super) fn numbers(ask: &Ask) -> Result<Vec<u64>, Problem> {
    let VersionsRequest { versions } = ask.json()?;
    if (1..=NUMBERS_MAX).contains(&versions.len()) {
        Ok(versions)
    } else {
        Err(Problem::invalid("1 to 100 numbers of versions").at("versions"))
    }
}

pub(super) fn check(current: Option<u64>) -> Check {
    current.map_or(Check::Any, Check::Version)
}

pub(super) fn new_value(
    value: SecretValueRequest,
    token: Option<String>,
    stages: Vec<String>,
    check: Check,
) -> Result<NewValue, Problem> {
    let value = match value {
        SecretValueRequest::Text(text) => Value::Text(Zeroizing::new(text)),
        SecretValueRequest::Base64(text) => {
            let text = Zeroizing::new(text);
            let bytes = STANDARD.decode(text.as_bytes());
            let bytes =
                bytes.map_err(|_| Problem::invalid("it is no Base64").at("value.base64"))?;
            Value::Binary(Zeroizing::new(bytes))
        }
        SecretValueRequest::Fields(fields) => {
            let text = Zeroizing::new(String::from(Box::<str>::from(fields)));
            if !text.trim_start().starts_with('{') {
                let problem = Problem::invalid("names and values are a JSON object");
                return Err(problem.at("value.fields"));
            }
            Value::Text(text)
        }
    };
    Ok(NewValue {
        value,
        token,
        stages,
        check,
        versions_max: VERSIONS_MAX,
    })
}

pub(super) fn change(request: &SecretChangeRequest, sequence: Option<u64>) -> Change {
    let tags = || request.tags.iter();
    Change {
        kind: request.kind.map(Kind::from),
        description: request.description.clone(),
        tag: tags()
            .filter_map(|(name, value)| Some((name.clone(), value.clone()?)))
            .collect(),
        untag: tags()
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| name.clone())
            .collect(),
        settings: None,
        sequence,
    }
}

/// What is to be said else of how a secret is kept.
pub(super) struct SettingsChange<'a> {
    request: &'a SecretSettingsRequest,
    expires_ms: Option<Option<u64>>,
    remind_ms: Option<Option<u64>>,
}

impl<'a> SettingsChange<'a> {
    pub(super) fn parse(request: &'a SecretSettingsRequest) -> Result<Self, Problem> {
        let time = |text: &Option<Option<String>>, field: &'static str| {
            let read = |text: &String| {
                let invalid = || Problem::invalid("a time is written as in RFC 3339").at(field);
                time_ms(text).ok_or_else(invalid)
            };
            text.as_ref()
                .map(|text| text.as_ref().map(read).transpose())
                .transpose()
        };
        if let Some(Some(max)) = request.versions_max
            && !(1..=VERSIONS_MAX).contains(&max)
        {
            let problem = Problem::invalid("a secret keeps 1 to 100 versions");
            return Err(problem.at("settings.versions_max"));
        }
        if let Some(Some(seconds)) = request.delete_versions_after_seconds
            && !(1..=SECONDS_MAX).contains(&seconds)
        {
            let problem = Problem::invalid("a version is kept for a second to a hundred years");
            return Err(problem.at("settings.delete_versions_after_seconds"));
        }
        Ok(Self {
            expires_ms: time(&request.expires_at, "settings.expires_at")?,
            remind_ms: time(&request.remind_at, "settings.remind_at")?,
            request,
        })
    }

    pub(super) fn apply(&self, settings: &mut Settings) {
        let request = self.request;
        if let Some(max) = request.versions_max {
            settings.versions_max = max;
        }
        if let Some(required) = request.check_required {
            settings.check_required = required;
        }
        if let Some(after) = request.delete_versions_after_seconds {
            settings.delete_versions_after_ms = after.map(|seconds| seconds * 1_000);
        }
        if let Some(expires_ms) = self.expires_ms {
            settings.expires_ms = expires_ms;
        }
        if let Some(remind_ms) = self.remind_ms {
            settings.remind_ms = remind_ms;
        }
        for (name, value) in &request.custom {
            match value {
                Some(value) => settings.custom.insert(name.clone(), value.clone()),
                None => settings.custom.remove(name),
            };
        }
    }
}

/// As many as the vault keeps at all.
const VERSIONS_MAX: u32 = 100;
const NUMBERS_MAX: usize = 100;
/// A hundred years.
const SECONDS_MAX: u64 = 100 * 366 * 24 * 3_600;
