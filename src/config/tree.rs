use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use serde::de::value::{SeqDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::forward_to_deserialize_any;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Place};

/// The settings of all sources, each with the place that set it: sections, lists of sections that a
/// file writes as `[[name]]`, and lists inside of those, `[[name.key]]`. Deserializing from it names
/// that place in every error, whether a line or a variable is at fault.
#[derive(Default)]
pub(super) struct Tree {
    sections: BTreeMap<String, Node>,
}

impl Tree {
    /// Reads a TOML file.
    pub(super) fn parse(file: &Path, text: &str) -> Result<Self, ConfigError> {
        let lines = Lines {
            file: file.into(),
            text,
        };
        let table = DeTable::parse(text).map_err(|error| ConfigError::Invalid {
            place: lines.place(error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        let mut tree = Self::default();
        for (name, value) in table.get_ref() {
            let place = lines.of(name);
            let node = match value.get_ref() {
                DeValue::Table(keys) => Some(Node::One(lines.section(place.clone(), keys))),
                DeValue::Array(values) => values
                    .iter()
                    .map(|value| match value.get_ref() {
                        DeValue::Table(keys) => Some(lines.section(lines.of(value), keys)),
                        _ => None,
                    })
                    .collect::<Option<_>>()
                    .map(|sections| Node::Many(place.clone(), sections)),
                _ => None,
            };
            let node = node.ok_or_else(|| ConfigError::Invalid {
                place,
                message: format!("`{}` stands outside a [section]", name.get_ref()),
            })?;
            tree.sections.insert(name.get_ref().to_string(), node);
        }
        Ok(tree)
    }

    /// Sets one key, over what stands there.
    pub(super) fn set_from_variable(
        &mut self,
        name: &str,
        section: &str,
        key: &str,
        text: String,
    ) -> Result<(), ConfigError> {
        let place = Place::Variable(name.into());
        let node = self.sections.entry(section.to_owned());
        let node = node.or_insert_with(|| {
            Node::One(Section {
                place: place.clone(),
                keys: BTreeMap::new(),
            })
        });
        let Node::One(section) = node else {
            return Err(ConfigError::Invalid {
                place,
                message: format!("[[{section}]] is set in the file alone"),
            });
        };
        section.keys.insert(
            key.to_owned(),
            Setting {
                place,
                value: Value::Variable(text),
            },
        );
        Ok(())
    }

    /// Where a setting comes from.
    pub(super) fn place(&self, section: &'static str, key: &'static str) -> Place {
        self.setting(section, key)
            .map_or(Place::Default(section, key), |s| s.place.clone())
    }

    /// Whether a source other than the defaults sets it.
    pub(super) fn is_set(&self, section: &str, key: &str) -> bool {
        self.setting(section, key).is_some()
    }

    /// Where a section of a list stands, and each of its keys.
    pub(super) fn places(&self, list: &'static str, at: usize) -> Places {
        let nowhere = || Places {
            section: Place::Default(list, ""),
            keys: BTreeMap::new(),
        };
        self.section(list, at).map_or_else(nowhere, Section::places)
    }

    /// The same of the sections of a list inside of it.
    pub(super) fn places_within(&self, list: &str, at: usize, key: &str) -> Vec<Places> {
        let inner = self
            .section(list, at)
            .and_then(|section| section.keys.get(key));
        match inner.map(|setting| &setting.value) {
            Some(Value::Sections(sections)) => sections.iter().map(Section::places).collect(),
            _ => Vec::new(),
        }
    }

    fn section(&self, list: &str, at: usize) -> Option<&Section> {
        match self.sections.get(list)? {
            Node::Many(_, sections) => sections.get(at),
            Node::One(_) => None,
        }
    }

    fn setting(&self, section: &str, key: &str) -> Option<&Setting> {
        match self.sections.get(section)? {
            Node::One(section) => section.keys.get(key),
            Node::Many(..) => None,
        }
    }
}

/// Where a section of a list stands, and each of its keys that is set.
#[derive(Debug, Clone)]
pub(super) struct Places {
    section: Place,
    keys: BTreeMap<String, Place>,
}

impl Places {
    /// Where a key is set; if it is not, where its section begins.
    pub(super) fn of(&self, key: &str) -> Place {
        self.keys.get(key).unwrap_or(&self.section).clone()
    }

    /// What is wrong with a key of `[[list]]`.
    pub(super) fn error(&self, list: &str, key: &str, message: &str) -> ConfigError {
        ConfigError::Invalid {
            place: self.of(key),
            message: format!("{list} {key}: {message}"),
        }
    }
}

enum Node {
    One(Section),
    Many(Place, Vec<Section>),
}

struct Section {
    place: Place,
    keys: BTreeMap<String, Setting>,
}

impl Section {
    fn places(&self) -> Places {
        let keys = self.keys.iter();
        Places {
            section: self.place.clone(),
            keys: keys
                .map(|(key, setting)| (key.clone(), setting.place.clone()))
                .collect(),
        }
    }
}

struct Setting {
    place: Place,
    value: Value,
}

enum Value {
    Text(String),
    Integer(u64),
    Boolean(bool),
    List(Vec<String>),
    /// `[[section.key]]`
    Sections(Vec<Section>),
    /// From the environment: the type is what the setting asks for.
    Variable(String),
    /// What no setting takes, by its TOML name.
    Foreign(&'static str),
}

/// Finds the line of a byte offset.
struct Lines<'a> {
    file: Arc<Path>,
    text: &'a str,
}

impl Lines<'_> {
    fn section(&self, place: Place, table: &DeTable<'_>) -> Section {
        let keys = table.iter().map(|(key, value)| {
            let setting = Setting {
                place: self.of(key),
                value: self.value(value.get_ref()),
            };
            (key.get_ref().to_string(), setting)
        });
        Section {
            place,
            keys: keys.collect(),
        }
    }

    fn value(&self, value: &DeValue<'_>) -> Value {
        match value {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Boolean(flag) => Value::Boolean(*flag),
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix())
                .map_or(Value::Foreign("integer out of range"), Value::Integer),
            DeValue::Array(values) => {
                let texts = values.iter().map(|value| match value.get_ref() {
                    DeValue::String(text) => Some(text.to_string()),
                    _ => None,
                });
                let sections = values.iter().map(|value| match value.get_ref() {
                    DeValue::Table(keys) => Some(self.section(self.of(value), keys)),
                    _ => None,
                });
                let texts: Option<_> = texts.collect();
                let sections: Option<_> = sections.collect();
                match (texts, sections) {
                    (Some(texts), _) => Value::List(texts),
                    (None, Some(sections)) => Value::Sections(sections),
                    (None, None) => Value::Foreign("array of other than strings"),
                }
            }
            other => Value::Foreign(other.type_str()),
        }
    }

    fn of<T>(&self, spanned: &Spanned<T>) -> Place {
        self.place(spanned.span().start)
    }

    fn place(&self, offset: usize) -> Place {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Place::Line {
            file: Arc::clone(&self.file),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// An error of deserialization on its way to the place that it belongs to.
#[derive(Debug)]
pub(super) struct Fault {
    place: Option<Place>,
    message: String,
}

impl Fault {
    fn at(mut self, place: &Place) -> Self {
        self.place.get_or_insert_with(|| place.clone());
        self
    }
}

impl From<Fault> for ConfigError {
    fn from(fault: Fault) -> Self {
        Self::Invalid {
            place: fault.place.unwrap_or(Place::Default("", "")),
            message: fault.message,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            place: None,
            message: message.to_string(),
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!(
            "unknown setting `{field}`, expected one of: {}",
            expected.join(", ")
        ))
    }
}

impl<'de> Deserializer<'de> for &'de Tree {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(Walk {
            entries: self.sections.iter(),
            value: None,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Node::One(section) => section.deserialize_any(visitor),
            Node::Many(_, sections) => visitor.visit_seq(Each(sections.iter())),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

/// The sections of a list.
struct Each<'de>(std::slice::Iter<'de, Section>);

impl<'de> SeqAccess<'de> for Each<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some(section) = self.0.next() else {
            return Ok(None);
        };
        let value = seed.deserialize(section);
        value.map(Some).map_err(|fault| fault.at(&section.place))
    }
}

impl<'de> Deserializer<'de> for &'de Section {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_map(Walk {
            entries: self.keys.iter(),
            value: None,
        })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

impl<'de> Deserializer<'de> for &'de Setting {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Text(text) | Value::Variable(text) => visitor.visit_str(text),
            Value::Integer(number) => visitor.visit_u64(*number),
            Value::Boolean(flag) => visitor.visit_bool(*flag),
            Value::List(texts) => {
                visitor.visit_seq(SeqDeserializer::new(texts.iter().map(|text| text.as_str())))
            }
            Value::Sections(sections) => visitor.visit_seq(Each(sections.iter())),
            Value::Foreign(kind) => Err(serde::de::Error::invalid_type(
                Unexpected::Other(kind),
                &visitor,
            )),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Variable(text) => match text.parse() {
                Ok(flag) => visitor.visit_bool(flag),
                Err(_) => visitor.visit_str(text),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Variable(text) => match text.parse() {
                Ok(number) => visitor.visit_u64(number),
                Err(_) => visitor.visit_str(text),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_u64(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Text(text) | Value::Variable(text) => {
                visitor.visit_enum(StrDeserializer::new(text.as_str()))
            }
            _ => self.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq
        tuple tuple_struct map struct identifier ignored_any
    }
}

/// Visits the entries of one level and ties each error to the entry that it arose in.
struct Walk<'de, I, N> {
    entries: I,
    value: Option<&'de N>,
}

impl<'de, I, N> MapAccess<'de> for Walk<'de, I, N>
where
    I: Iterator<Item = (&'de String, &'de N)>,
    N: Placed,
    &'de N: Deserializer<'de, Error = Fault>,
{
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(StrDeserializer::new(key.as_str()))
            .map(Some)
            .map_err(|fault: Fault| fault.at(value.place()))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let value = self.value.take().ok_or_else(|| {
            <Fault as serde::de::Error>::custom("a value was asked for before its key")
        })?;
        seed.deserialize(value)
            .map_err(|fault| fault.at(value.place()))
    }
}

trait Placed {
    fn place(&self) -> &Place;
}

impl Placed for Node {
    fn place(&self) -> &Place {
        match self {
            Self::One(section) => &section.place,
            Self::Many(place, _) => place,
        }
    }
}

impl Placed for Setting {
    fn place(&self) -> &Place {
        &self.place
    }
}
