use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::Deserializer;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::InvalidMessage;
use super::duration::parse_duration;
use super::object::Object;

/// A value that is to be written: `{"data": {…}, "options": {"cas": 1}}`.
#[derive(Debug, Clone, Copy)]
pub struct ValueWrite<'a> {
    /// The value.
    pub data: Object<'a>,
    /// The version that has to be current; 0 for none.
    pub cas: Option<u64>,
}

/// What is to change of what is known of a secret, or of the mount.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct MetadataChange {
    /// How many versions are kept.
    #[serde(default)]
    pub max_versions: Field<Number>,
    /// Whether writes have to check.
    #[serde(default)]
    pub cas_required: Field<Flag>,
    /// After how many milliseconds a version is deleted.
    #[serde(default)]
    pub delete_version_after: Field<Milliseconds>,
    /// Names and values beside the secret; in a patch, a name without a value goes.
    #[serde(default)]
    pub custom_metadata: Field<BTreeMap<String, Option<String>>>,
}

/// A member that may be left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// It is.
    #[default]
    Absent,
    /// It is null.
    Null,
    /// It is there.
    Given(T),
}

/// A number, or a text that is one, as clients send either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Sent")]
pub struct Number(pub u64);

/// Whether, as clients say it: as such, or as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "SentFlag")]
pub struct Flag(pub bool);

/// A duration: seconds as a number, or a text such as `3h25m19s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Sent")]
pub struct Milliseconds(pub u64);

/// By what an agent logs in.
#[derive(Deserialize)]
pub struct Login {
    /// Which agent.
    #[serde(default)]
    pub role_id: String,
    /// What proves it.
    #[serde(default, deserialize_with = "wiped")]
    pub secret_id: Zeroizing<String>,
}

#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    #[serde(borrow, default)]
    options: Option<BTreeMap<String, &'a RawValue>>,
}

/// What stands where a number is expected.
#[derive(Deserialize)]
#[serde(untagged)]
enum Sent {
    Number(u64),
    Text(String),
}

/// What stands where a flag is expected.
#[derive(Deserialize)]
#[serde(untagged)]
enum SentFlag {
    Flag(bool),
    Text(String),
}

#[derive(Deserialize)]
struct Versions {
    #[serde(default)]
    versions: Numbers,
}

/// Numbers in a list, or in a text with commas between.
#[derive(Deserialize)]
#[serde(untagged)]
enum Numbers {
    List(Vec<Number>),
    Text(String),
}

#[derive(Deserialize)]
struct Paths {
    #[serde(default)]
    path: Texts,
    #[serde(default)]
    paths: Texts,
}

/// Texts in a list, or in one text with commas between.
#[derive(Deserialize)]
#[serde(untagged)]
enum Texts {
    List(Vec<String>),
    Text(String),
}

impl Default for Numbers {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl<'a> ValueWrite<'a> {
    /// Reads a body.
    pub fn parse(body: &'a [u8]) -> Result<Self, InvalidMessage> {
        let written: Written<'a> = json(body)?;
        let data = written.data.ok_or(InvalidMessage("no data provided"))?;
        let data = Object::of(data).ok_or(InvalidMessage(
            "data is a JSON object in which no name comes twice",
        ))?;
        let cas = match written
            .options
            .as_ref()
            .and_then(|options| options.get("cas"))
        {
            Some(cas) => serde_json::from_str(cas.get())
                .map_err(|_| InvalidMessage("error parsing check-and-set parameter"))?,
            None => None,
        };
        Ok(Self {
            data,
            cas: cas.map(|Number(cas)| cas),
        })
    }
}

impl MetadataChange {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Self, InvalidMessage> {
        json(body)
    }
}

impl Login {
    /// Reads a body.
    pub fn parse(body: &[u8]) -> Result<Self, InvalidMessage> {
        json(body)
    }
}

/// Reads a body that names versions: `{"versions": [1, 2]}`, as numbers or texts, or all of them
/// in one text.
pub fn parse_versions(body: &[u8]) -> Result<Vec<u64>, InvalidMessage> {
    let Versions { versions } = json(body)?;
    let numbers: Vec<u64> = match versions {
        Numbers::List(numbers) => numbers.into_iter().map(|Number(number)| number).collect(),
        Numbers::Text(text) => text
            .split(',')
            .map(|number| number.trim().parse())
            .collect::<Result<_, _>>()
            .map_err(|_| InvalidMessage("a version is a number"))?,
    };
    match numbers.len() {
        0 => Err(InvalidMessage("No version number provided")),
        1..=VERSIONS_MAX => Ok(numbers),
        _ => Err(InvalidMessage("too many versions are named")),
    }
}

/// Reads a body that names paths: `{"paths": ["a", "b"]}` or `{"path": "a"}`, of which the first
/// goes before.
pub fn parse_paths(body: &[u8]) -> Result<Vec<String>, InvalidMessage> {
    let Paths { path, paths } = json(body)?;
    let paths = Some(paths.split()).filter(|paths| !paths.is_empty());
    let paths = paths.unwrap_or_else(|| path.split());
    if paths.iter().any(String::is_empty) {
        return Err(InvalidMessage("missing path"));
    }
    match paths.len() {
        0 => Err(InvalidMessage("paths must be supplied")),
        1..=PATHS_MAX => Ok(paths),
        _ => Err(InvalidMessage("too many paths are named")),
    }
}

fn wiped<'de, D: Deserializer<'de>>(decoder: D) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(decoder).map(Zeroizing::new)
}

/// Reads an object: an array would be taken for its members in their order. Nothing at all is an
/// object without members, as HashiCorp's server has it: clients that have nothing to say send no
/// body. The decoder's own error might quote a value.
fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, InvalidMessage> {
    let body = match body.trim_ascii() {
        b"" => b"{}",
        body => body,
    };
    let is_object = body.starts_with(b"{");
    let read = serde_json::from_slice(body).ok().filter(|_| is_object);
    read.ok_or(InvalidMessage(
        "the body is no JSON object of the expected form",
    ))
}

impl Texts {
    /// Each by itself, without the space around it.
    fn split(self) -> Vec<String> {
        let trimmed = |text: &str| text.trim().to_owned();
        match self {
            Self::List(texts) => texts.iter().map(|text| trimmed(text)).collect(),
            Self::Text(text) if text.is_empty() => Vec::new(),
            Self::Text(text) => text.split(',').map(trimmed).collect(),
        }
    }
}

impl Default for Texts {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(decoder: D) -> Result<Self, D::Error> {
        Ok(match Option::deserialize(decoder)? {
            Some(value) => Self::Given(value),
            None => Self::Null,
        })
    }
}

impl TryFrom<Sent> for Number {
    type Error = InvalidMessage;

    fn try_from(sent: Sent) -> Result<Self, InvalidMessage> {
        match sent {
            Sent::Number(number) => Some(number),
            Sent::Text(text) => text.parse().ok(),
        }
        .map(Self)
        .ok_or(InvalidMessage("a number is expected"))
    }
}

impl TryFrom<SentFlag> for Flag {
    type Error = InvalidMessage;

    fn try_from(sent: SentFlag) -> Result<Self, InvalidMessage> {
        match sent {
            SentFlag::Flag(flag) => Some(flag),
            SentFlag::Text(text) => text.parse().ok(),
        }
        .map(Self)
        .ok_or(InvalidMessage("true or false is expected"))
    }
}

impl TryFrom<Sent> for Milliseconds {
    type Error = InvalidMessage;

    fn try_from(sent: Sent) -> Result<Self, InvalidMessage> {
        match sent {
            Sent::Number(seconds) => parse_duration(&seconds.to_string()),
            Sent::Text(text) => parse_duration(&text),
        }
        .map(Self)
        .ok_or(InvalidMessage("a duration is expected"))
    }
}

/// More than a page of anything that clients show: each is judged by all that was granted.
const PATHS_MAX: usize = 512;
/// More than any secret has.
const VERSIONS_MAX: usize = 100;
