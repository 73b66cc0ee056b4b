use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use zeroize::Zeroizing;

use super::error::{ErrorCode, Refusal};

/// The members of a request. Each is taken once, by its name and type; what is left in the end has
/// no meaning to the operation, and refuses the request: a promise that is not understood is not
/// made.
pub(super) struct Members(BTreeMap<String, Json>);

/// A value of JSON. Every text is wiped: until its member is known, any may be a secret.
enum Json {
    Null,
    Flag(bool),
    Number(u64),
    /// One that is negative or no integer: no member takes it.
    Otherwise,
    Text(Zeroizing<String>),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

impl Members {
    /// Reads a body. None at all is a request without members.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Ok(Self(BTreeMap::new()));
        }
        match serde_json::from_slice(body) {
            Ok(Json::Object(members)) => Ok(Self(members)),
            // The parser's own words may quote what is in the body.
            Ok(_) | Err(_) => Err(Refusal::new(
                ErrorCode::Serialization,
                "The body is not one JSON object whose members come once.",
            )),
        }
    }

    /// A text that has to be there.
    pub(super) fn required(
        &mut self,
        name: &'static str,
        chars: RangeInclusive<usize>,
    ) -> Result<Zeroizing<String>, Refusal> {
        self.text(name, chars)?
            .ok_or_else(|| Refusal::constraint(name, "Member must not be null"))
    }

    /// A text of so many characters.
    pub(super) fn text(
        &mut self,
        name: &'static str,
        chars: RangeInclusive<usize>,
    ) -> Result<Option<Zeroizing<String>>, Refusal> {
        match self.take(name) {
            Json::Null => Ok(None),
            Json::Text(text) => bounded(name, text, &chars).map(Some),
            _ => Err(mistyped(name)),
        }
    }

    /// A text of at most so many bytes, which may be a secret.
    pub(super) fn bytes(
        &mut self,
        name: &'static str,
        bytes_max: usize,
    ) -> Result<Option<Zeroizing<String>>, Refusal> {
        match self.take(name) {
            Json::Null => Ok(None),
            Json::Text(text) => {
                check_length(name, text.len(), &(1..=bytes_max))?;
                Ok(Some(text))
            }
            _ => Err(mistyped(name)),
        }
    }

    /// A truth.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<Option<bool>, Refusal> {
        match self.take(name) {
            Json::Null => Ok(None),
            Json::Flag(flag) => Ok(Some(flag)),
            _ => Err(mistyped(name)),
        }
    }

    /// A whole number that is not negative.
    pub(super) fn number(&mut self, name: &'static str) -> Result<Option<u64>, Refusal> {
        match self.take(name) {
            Json::Null => Ok(None),
            Json::Number(number) => Ok(Some(number)),
            Json::Otherwise => Err(Refusal::constraint(
                name,
                "Member must be a whole number that is not negative",
            )),
            _ => Err(mistyped(name)),
        }
    }

    /// The same within bounds.
    pub(super) fn bounded_number(
        &mut self,
        name: &'static str,
        bounds: RangeInclusive<u64>,
    ) -> Result<Option<u64>, Refusal> {
        let number = self.number(name)?;
        let (least, most) = (bounds.start(), bounds.end());
        match number {
            Some(number) if number < *least => Err(Refusal::constraint(
                name,
                &format!("Member must have value greater than or equal to {least}"),
            )),
            Some(number) if number > *most => Err(Refusal::constraint(
                name,
                &format!("Member must have value less than or equal to {most}"),
            )),
            number => Ok(number),
        }
    }

    /// A list of texts.
    pub(super) fn texts(
        &mut self,
        name: &'static str,
        items: RangeInclusive<usize>,
        chars: RangeInclusive<usize>,
    ) -> Result<Option<Vec<String>>, Refusal> {
        let Some(list) = self.list(name, items)? else {
            return Ok(None);
        };
        let text = |item| match item {
            Json::Text(text) => bounded(name, text, &chars).map(|text| String::clone(&text)),
            _ => Err(mistyped(name)),
        };
        list.into_iter()
            .map(text)
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// A list of objects, each read by `read` to its end.
    pub(super) fn objects<T>(
        &mut self,
        name: &'static str,
        items: RangeInclusive<usize>,
        mut read: impl FnMut(&mut Self) -> Result<T, Refusal>,
    ) -> Result<Option<Vec<T>>, Refusal> {
        let Some(list) = self.list(name, items)? else {
            return Ok(None);
        };
        let object = |item| match item {
            Json::Object(members) => {
                let mut members = Self(members);
                let object = read(&mut members)?;
                members.finish()?;
                Ok(object)
            }
            _ => Err(mistyped(name)),
        };
        list.into_iter()
            .map(object)
            .collect::<Result<_, _>>()
            .map(Some)
    }

    /// Whether there is a member that says anything: one that is empty says nothing.
    pub(super) fn is_there(&mut self, name: &str) -> bool {
        match self.take(name) {
            Json::Null => false,
            Json::List(list) => !list.is_empty(),
            _ => true,
        }
    }

    /// Refuses what is left.
    pub(super) fn finish(self) -> Result<(), Refusal> {
        // A null says as much as nothing.
        if self.0.values().all(|left| matches!(left, Json::Null)) {
            Ok(())
        } else {
            Err(Refusal::new(
                ErrorCode::InvalidParameter,
                "The request has a member that this operation does not take.",
            ))
        }
    }

    fn list(
        &mut self,
        name: &'static str,
        items: RangeInclusive<usize>,
    ) -> Result<Option<Vec<Json>>, Refusal> {
        match self.take(name) {
            Json::Null => Ok(None),
            Json::List(list) => {
                check_length(name, list.len(), &items)?;
                Ok(Some(list))
            }
            _ => Err(mistyped(name)),
        }
    }

    fn take(&mut self, name: &str) -> Json {
        self.0.remove(name).unwrap_or(Json::Null)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyJson)
    }
}

struct AnyJson;

impl<'de> Visitor<'de> for AnyJson {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Json, E> {
        Ok(Json::Flag(flag))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(u64::try_from(number).map_or(Json::Otherwise, Json::Number))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Json, E> {
        Ok(Json::Otherwise)
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(Zeroizing::new(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
            if list.len() > ITEMS_MAX {
                return Err(A::Error::custom("too many items"));
            }
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut object = BTreeMap::new();
        while let Some((name, value)) = entries.next_entry::<String, Json>()? {
            // Of two values another reader might take the other one.
            if object.insert(name, value).is_some() || object.len() > ITEMS_MAX {
                return Err(A::Error::custom("a member comes twice, or too many come"));
            }
        }
        Ok(Json::Object(object))
    }
}

fn bounded(
    name: &'static str,
    text: Zeroizing<String>,
    chars: &RangeInclusive<usize>,
) -> Result<Zeroizing<String>, Refusal> {
    check_length(name, text.chars().count(), chars)?;
    Ok(text)
}

fn check_length(
    name: &'static str,
    length: usize,
    bounds: &RangeInclusive<usize>,
) -> Result<(), Refusal> {
    let (least, most) = (bounds.start(), bounds.end());
    if length < *least {
        let what = format!("Member must have length greater than or equal to {least}");
        Err(Refusal::constraint(name, &what))
    } else if length > *most {
        let what = format!("Member must have length less than or equal to {most}");
        Err(Refusal::constraint(name, &what))
    } else {
        Ok(())
    }
}

fn mistyped(name: &'static str) -> Refusal {
    Refusal::new(
        ErrorCode::Serialization,
        format!("{name} is of another type than this operation takes."),
    )
}

/// More items than any list or object of the API has.
const ITEMS_MAX: usize = 1_000;
