//! JSON as a small tree, read strictly: with limits, and without an object that names a member
//! twice, of which two readers could each believe another.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

/// A value. Every text is wiped when it is dropped, as any of them may be a secret; none is shown.
pub(crate) enum Json {
    /// `null`, a truth value or a number: nothing that is read here holds one.
    Bare,
    Text(Zeroizing<String>),
    List(Vec<Self>),
    Object(Object),
}

/// The members of an object by name.
pub(crate) type Object = BTreeMap<String, Json>;

/// How much is read.
pub(crate) struct Limits {
    /// How long the text may be.
    pub(crate) bytes: usize,
    /// How many lists and objects may stand in each other.
    pub(crate) depth: usize,
    /// How many values there may be.
    pub(crate) values: usize,
}

/// Why a text is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    #[error("longer than {0} bytes")]
    TooLong(usize),
    #[error("not well-formed JSON")]
    Malformed,
    #[error("a member stands twice: {0}")]
    Duplicate(String),
    #[error("nested deeper than {0} lists and objects")]
    TooDeep(usize),
    #[error("more than {0} values")]
    TooMany(usize),
}

impl Json {
    /// Reads a whole text.
    pub(crate) fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, JsonError> {
        if bytes.len() > limits.bytes {
            return Err(JsonError::TooLong(limits.bytes));
        }
        let reading = Reading {
            limits,
            values: Cell::new(0),
            failure: RefCell::new(None),
        };
        let value = Place {
            reading: &reading,
            depth: 0,
        };
        let mut deserializer = serde_json::Deserializer::from_slice(bytes);
        let read = value
            .deserialize(&mut deserializer)
            .and_then(|json| deserializer.end().map(|()| json));
        let failure = reading.failure.into_inner();
        read.map_err(|_| failure.unwrap_or(JsonError::Malformed))
    }
}

/// A text of a sender's in an error for him: short, and without what a terminal would obey.
pub(crate) fn shown(text: &str) -> String {
    text.escape_debug().take(SHOWN_CHARACTERS_MAX).collect()
}

/// What one reading has counted, and why it ended.
struct Reading<'a> {
    limits: &'a Limits,
    values: Cell<usize>,
    failure: RefCell<Option<JsonError>>,
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    reading: &'a Reading<'a>,
    depth: usize,
}

impl Place<'_> {
    /// The place of what stands in this one.
    fn inner<E: Error>(self) -> Result<Self, E> {
        let depth_max = self.reading.limits.depth;
        if self.depth == depth_max {
            return Err(self.fail(JsonError::TooDeep(depth_max)));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    fn fail<E: Error>(self, error: JsonError) -> E {
        let text = E::custom(&error);
        *self.reading.failure.borrow_mut() = Some(error);
        text
    }
}

impl<'de> DeserializeSeed<'de> for Place<'_> {
    type Value = Json;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Json, D::Error> {
        let values_max = self.reading.limits.values;
        if self.reading.values.replace(self.reading.values.get() + 1) == values_max {
            return Err(self.fail(JsonError::TooMany(values_max)));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Place<'_> {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Bare)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Bare)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Json, E> {
        Ok(Json::Bare)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Json, E> {
        Ok(Json::Bare)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Bare)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Json::List(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let inner = self.inner()?;
        let mut object = Object::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return Err(self.fail(JsonError::Duplicate(shown(&name))));
            }
            let value = members.next_value_seed(inner)?;
            object.insert(name, value);
        }
        Ok(Json::Object(object))
    }
}

const SHOWN_CHARACTERS_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 100,
        depth: 3,
        values: 6,
    };

    fn refused(text: &str) -> Option<JsonError> {
        Json::parse(text.as_bytes(), &LIMITS).err()
    }

    #[test]
    fn a_member_stands_once() {
        let twice = Some(JsonError::Duplicate("a".into()));
        assert_eq!(refused(r#"{"a":1,"b":2,"a":3}"#), twice);
        assert_eq!(refused(r#"{"a":1,"\u0061":1}"#), twice, "however spelled");
        assert_eq!(refused(r#"[{"b":{"a":1,"a":1}}]"#), twice, "wherever");
        assert_eq!(refused(r#"{"a":{"a":1},"A":1}"#), None);
        let rude = format!("\x1b[2J{}", "x".repeat(100));
        assert_eq!(shown(&rude).chars().count(), 64);
        assert!(!shown(&rude).contains('\x1b'));
    }

    #[test]
    fn limits_hold() {
        for (text, error) in [
            ("[[[1]]]".to_owned(), None),
            ("[[[[]]]]".to_owned(), Some(JsonError::TooDeep(3))),
            (r#"{"a":[[{}]]}"#.to_owned(), Some(JsonError::TooDeep(3))),
            ("[1,2,3,4,5]".to_owned(), None),
            ("[1,2,3,4,5,6]".to_owned(), Some(JsonError::TooMany(6))),
            (format!("\"{}\"", "x".repeat(98)), None),
            (
                format!("\"{}\"", "x".repeat(99)),
                Some(JsonError::TooLong(100)),
            ),
        ] {
            assert_eq!(refused(&text), error, "{text}");
        }
        let deep = Limits {
            bytes: 1 << 20,
            depth: 32,
            values: 1 << 20,
        };
        let text = "[".repeat(1 << 20);
        let error = Json::parse(text.as_bytes(), &deep).err();
        assert_eq!(error, Some(JsonError::TooDeep(32)));
    }

    #[test]
    fn what_is_no_json() {
        for text in [
            "",
            "nul",
            "{",
            "{}x",
            "{}{}",
            "[1,]",
            "{\"a\"}",
            "'a'",
            "\"\\ud800\"",
            "\"\n\"",
            "01",
            "NaN",
            "\u{feff}{}",
            "// c\n{}",
        ] {
            assert_eq!(refused(text), Some(JsonError::Malformed), "{text:?}");
        }
        let error = Json::parse(b"\"\xff\"", &LIMITS).err();
        assert_eq!(error, Some(JsonError::Malformed));
    }

    #[test]
    fn what_is_neither_text_nor_made_of_it_is_bare() {
        for text in ["null", "true", "-7", "18446744073709551615", "1e3"] {
            let read = Json::parse(text.as_bytes(), &LIMITS);
            assert!(matches!(read, Ok(Json::Bare)), "{text}");
        }
    }
}
