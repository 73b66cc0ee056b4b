use std::collections::BTreeSet;

use names::{Effect, Glob, Policy, PolicyPrincipal, ResourcePolicy, ResourceStatement, Statement};
use serde::Serialize;

use super::error::{PolicyError, PolicyProblem};
use super::principal::Known;
use super::resource;
use crate::json::{Json, JsonError, Limits, Object, shown};

/// Reads a policy document of at most so many characters.
///
/// Every element is either understood or refused: to pass over a condition or a principal would
/// allow more, or deny less, than was written. Actions are kept as they were written, resources
/// become our own names.
///
/// # Errors
/// The element that is not understood, and what is wrong with it.
pub fn parse(text: &str, characters_max: usize) -> Result<Policy, PolicyError> {
    let statements = statements(text, characters_max)?;
    let mut sids = BTreeSet::new();
    let statements = statements
        .into_iter()
        .map(|(place, members)| statement(members, &place, &mut sids))
        .collect::<Result<_, _>>()?;
    Ok(Policy { statements })
}

/// Reads the policy document of a resource, whose statements say whom they are about. It may name
/// nobody but those whom `known` knows.
///
/// # Errors
/// The element that is not understood, and what is wrong with it.
pub fn parse_for_resource(
    text: &str,
    characters_max: usize,
    known: &Known<'_>,
) -> Result<ResourcePolicy, PolicyError> {
    let statements = statements(text, characters_max)?;
    let mut sids = BTreeSet::new();
    let statements = statements
        .into_iter()
        .map(|(place, mut members)| {
            let principals = principals(members.remove("Principal"), &place, known)?;
            let condition = format!("{place}.Condition");
            if members.contains_key("Condition") {
                return Err(PolicyError::at(condition, PolicyProblem::Unsupported));
            }
            Ok(ResourceStatement {
                principals,
                statement: statement(members, &place, &mut sids)?,
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(ResourcePolicy { statements })
}

/// The statements of a document, each with its place in it.
fn statements(text: &str, characters_max: usize) -> Result<Vec<(String, Object)>, PolicyError> {
    if text.chars().count() > characters_max {
        return Err(PolicyError::at(
            "Policy",
            PolicyProblem::TooLong(characters_max),
        ));
    }
    let mut document = match Json::parse(text.as_bytes(), &LIMITS) {
        Ok(json) => object(json, "Policy")?,
        Err(JsonError::Duplicate(name)) => {
            return Err(PolicyError::at(name, PolicyProblem::Duplicate));
        }
        Err(_) => return Err(PolicyError::at("Policy", PolicyProblem::Malformed)),
    };
    // Without a version Amazon reads the older language, which differs in policy variables alone.
    if let Some(version) = document.remove("Version")
        && !matches!(version, Json::Text(version) if VERSIONS.contains(&version.as_str()))
    {
        return Err(PolicyError::at("Version", PolicyProblem::Version));
    }
    if let Some(id) = document.remove("Id") {
        texts(id, "Id")?;
    }
    let statements: Vec<_> = match document.remove("Statement") {
        Some(Json::List(list)) => list
            .into_iter()
            .enumerate()
            .map(|(at, json)| (format!("Statement[{at}]"), json))
            .collect(),
        Some(json) => vec![("Statement".to_owned(), json)],
        None => return Err(PolicyError::at("Statement", PolicyProblem::Missing)),
    };
    refuse_rest(&document, "")?;
    match statements.len() {
        0 => Err(PolicyError::at("Statement", PolicyProblem::Empty)),
        1..=STATEMENTS_MAX => statements
            .into_iter()
            .map(|(place, json)| {
                let members = object(json, &place)?;
                Ok((place, members))
            })
            .collect(),
        _ => Err(PolicyError::at(
            "Statement",
            PolicyProblem::TooMany(STATEMENTS_MAX),
        )),
    }
}

/// Writes a policy as a document that [`parse`] reads as the same again.
pub fn to_json(policy: &Policy) -> String {
    let document = Document {
        version: "2012-10-17",
        statement: policy.statements.iter().map(Written::of).collect(),
    };
    // Texts in lists in objects: there is nothing in it that JSON could not hold.
    serde_json::to_string(&document).unwrap_or_default()
}

fn statement(
    mut members: Object,
    place: &str,
    sids: &mut BTreeSet<String>,
) -> Result<Statement, PolicyError> {
    let at = |name: &str| format!("{place}.{name}");
    let mut required = |name: &str| {
        members
            .remove(name)
            .ok_or_else(|| PolicyError::at(at(name), PolicyProblem::Missing))
    };
    let effect = match required("Effect")? {
        Json::Text(effect) if effect.as_str() == "Allow" => Effect::Allow,
        Json::Text(effect) if effect.as_str() == "Deny" => Effect::Deny,
        _ => return Err(PolicyError::at(at("Effect"), PolicyProblem::Effect)),
    };
    // What is there instead of these is named rather than what is missing.
    for name in ["NotAction", "NotResource", "Principal", "NotPrincipal"] {
        if members.contains_key(name) {
            return Err(PolicyError::at(at(name), PolicyProblem::Unsupported));
        }
    }
    let mut required = |name: &str| {
        members
            .remove(name)
            .ok_or_else(|| PolicyError::at(at(name), PolicyProblem::Missing))
    };
    let actions = texts(required("Action")?, &at("Action"))?
        .into_iter()
        .map(|(place, text)| action(&text).map_err(|problem| PolicyError::at(place, problem)))
        .collect::<Result<_, _>>()?;
    let mut resources = Vec::new();
    for (place, text) in texts(required("Resource")?, &at("Resource"))? {
        let named = resource::named(&text, effect);
        resources.extend(named.map_err(|problem| PolicyError::at(place, problem))?);
    }
    let prefixes = members
        .remove("Condition")
        .map(|json| prefixes(json, &at("Condition")))
        .transpose()?;
    if let Some(sid) = members.remove("Sid") {
        let is_new = matches!(sid, Json::Text(sid)
            if sid.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && (sid.is_empty() || sids.insert(sid.to_string())));
        if !is_new {
            return Err(PolicyError::at(at("Sid"), PolicyProblem::Sid));
        }
    }
    refuse_rest(&members, &format!("{place}."))?;
    Ok(Statement {
        effect,
        actions,
        resources,
        prefixes,
    })
}

/// `"*"`, or `{"AWS": …}` with one or several.
fn principals(
    json: Option<Json>,
    place: &str,
    known: &Known<'_>,
) -> Result<Vec<PolicyPrincipal>, PolicyError> {
    let place = format!("{place}.Principal");
    let (place, json) = match json {
        None => return Err(PolicyError::at(place, PolicyProblem::Missing)),
        Some(json @ Json::Text(_)) => (place, json),
        Some(json) => {
            let (kind, json) = only(json, &place)?;
            let place = format!("{place}.{}", shown(&kind));
            if kind != "AWS" {
                return Err(PolicyError::at(place, PolicyProblem::Unsupported));
            }
            (place, json)
        }
    };
    texts(json, &place)?
        .into_iter()
        .map(|(place, text)| {
            known
                .principal(&text)
                .ok_or_else(|| PolicyError::at(place, PolicyProblem::Principal))
        })
        .collect()
}

fn action(text: &str) -> Result<Glob, PolicyProblem> {
    let is_known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_*?".contains(&byte);
    let is_action = text == "*"
        || text.split_once(':').is_some_and(|(service, action)| {
            !service.is_empty()
                && !action.is_empty()
                && service.bytes().chain(action.bytes()).all(is_known)
        });
    if !is_action {
        return Err(PolicyProblem::Action);
    }
    Glob::parse(text).map_err(|_| PolicyProblem::Pattern)
}

/// `{"StringLike": {"s3:prefix": [...]}}`, or the same with `StringEquals`.
fn prefixes(json: Json, place: &str) -> Result<Vec<Glob>, PolicyError> {
    let (operator, keys) = only(json, place)?;
    let place = format!("{place}.{}", shown(&operator));
    if !matches!(operator.as_str(), "StringLike" | "StringEquals") {
        return Err(PolicyError::at(place, PolicyProblem::Unsupported));
    }
    let (key, values) = only(keys, &place)?;
    let place = format!("{place}.{}", shown(&key));
    // Names of condition keys are read in any case of their letters.
    if !key.eq_ignore_ascii_case("s3:prefix") {
        return Err(PolicyError::at(place, PolicyProblem::Unsupported));
    }
    texts(values, &place)?
        .into_iter()
        .map(|(place, text)| {
            let problem = match Glob::parse(&text) {
                _ if text.contains("${") => PolicyProblem::Variable,
                Ok(glob) if operator == "StringLike" || glob.is_literal() => return Ok(glob),
                Ok(_) => PolicyProblem::Literal,
                Err(_) => PolicyProblem::Pattern,
            };
            Err(PolicyError::at(place, problem))
        })
        .collect()
}

/// The one member of an object.
fn only(json: Json, place: &str) -> Result<(String, Json), PolicyError> {
    let mut members = object(json, place)?.into_iter();
    match (members.next(), members.next()) {
        (Some(member), None) => Ok(member),
        (None, _) => Err(PolicyError::at(place, PolicyProblem::Empty)),
        (Some(_), Some(_)) => Err(PolicyError::at(place, PolicyProblem::OneOnly)),
    }
}

fn object(json: Json, place: &str) -> Result<Object, PolicyError> {
    match json {
        Json::Object(members) => Ok(members),
        _ => Err(PolicyError::at(place, PolicyProblem::NotAnObject)),
    }
}

/// A text, or a list of at least one, each with its place.
fn texts(json: Json, place: &str) -> Result<Vec<(String, String)>, PolicyError> {
    let not_text = |place: &str| PolicyError::at(place, PolicyProblem::NotText);
    match json {
        Json::Text(text) => Ok(vec![(place.to_owned(), text.to_string())]),
        Json::List(list) if list.is_empty() => Err(PolicyError::at(place, PolicyProblem::Empty)),
        Json::List(list) => list
            .into_iter()
            .enumerate()
            .map(|(at, json)| match (format!("{place}[{at}]"), json) {
                (place, Json::Text(text)) => Ok((place, text.to_string())),
                (place, _) => Err(not_text(&place)),
            })
            .collect(),
        _ => Err(not_text(place)),
    }
}

fn refuse_rest(members: &Object, place: &str) -> Result<(), PolicyError> {
    match members.keys().next() {
        Some(name) => Err(PolicyError::at(
            format!("{place}{}", shown(name)),
            PolicyProblem::Unsupported,
        )),
        None => Ok(()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Document<'a> {
    version: &'static str,
    statement: Vec<Written<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Written<'a> {
    effect: &'static str,
    action: Vec<&'a str>,
    resource: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    condition: Option<Condition<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition<'a> {
    string_like: Prefixes<'a>,
}

#[derive(Serialize)]
struct Prefixes<'a> {
    #[serde(rename = "s3:prefix")]
    prefixes: Vec<&'a str>,
}

impl<'a> Written<'a> {
    fn of(statement: &'a Statement) -> Self {
        let texts = |globs: &'a [Glob]| globs.iter().map(Glob::as_str).collect();
        Self {
            effect: match statement.effect {
                Effect::Allow => "Allow",
                Effect::Deny => "Deny",
            },
            action: texts(&statement.actions),
            resource: texts(&statement.resources),
            condition: statement.prefixes.as_deref().map(|prefixes| Condition {
                string_like: Prefixes {
                    prefixes: texts(prefixes),
                },
            }),
        }
    }
}

/// How long the policy of a session may be (STS API reference, AssumeRole).
pub const SESSION_CHARACTERS_MAX: usize = 2_048;
/// How long the policy of a secret may be (Secrets Manager API reference, PutResourcePolicy).
pub const RESOURCE_CHARACTERS_MAX: usize = 20_480;
const STATEMENTS_MAX: usize = 64;
const VERSIONS: [&str; 2] = ["2012-10-17", "2008-10-17"];
const LIMITS: Limits = Limits {
    bytes: 4 * RESOURCE_CHARACTERS_MAX,
    depth: 8,
    values: 4_096,
};
