use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A JSON object as it was sent, byte for byte: numbers keep their digits and texts their escapes.
///
/// It is an object through and through: no name comes twice in one object of it, nothing is nested
/// deeper than 127 levels, every number and every text is one. It is not shown by `Debug`.
#[derive(Clone, Copy)]
pub struct Object<'a>(&'a RawValue);

impl<'a> Object<'a> {
    /// Reads a text that is a JSON object and nothing else.
    pub fn parse(text: &'a str) -> Option<Self> {
        Self::of(serde_json::from_str(text).ok()?)
    }

    /// Takes a value, if it is an object.
    pub(super) fn of(raw: &'a RawValue) -> Option<Self> {
        if !raw.get().starts_with('{') {
            return None;
        }
        let mut decoder = serde_json::Deserializer::from_str(raw.get());
        Whole.deserialize(&mut decoder).ok()?;
        decoder.end().ok()?;
        Some(Self(raw))
    }

    /// Its text. The one exit.
    pub fn expose(&self) -> &'a RawValue {
        self.0
    }
}

impl fmt::Debug for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{…}")
    }
}

/// Walks through a value and keeps nothing of it but, for a while, the names in its objects.
struct Whole;

impl<'de> DeserializeSeed<'de> for Whole {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, decoder: D) -> Result<(), D::Error> {
        decoder.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Whole {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(Self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = members.next_key::<String>()? {
            if !names.insert(name) {
                return Err(A::Error::custom("a name comes twice"));
            }
            members.next_value_seed(Self)?;
        }
        Ok(())
    }
}
