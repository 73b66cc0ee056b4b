use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::object::Object;

/// An object with a merge patch applied (RFC 7396). What the patch does not name stays byte for
/// byte. The text is wiped when it is dropped, and its buffer never grows.
pub fn merged(target: Object<'_>, patch: Object<'_>) -> Zeroizing<String> {
    let (target, patch) = (target.expose(), patch.expose());
    let length = target.get().len() + patch.get().len();
    let mut text = Zeroizing::new(String::with_capacity(length));
    merge(Some(target), patch, &mut text);
    text
}

/// The names in an object, down to `depth` levels: where a value is, `null` is shown.
pub fn subkeys(object: Object<'_>, depth: Option<usize>) -> Box<RawValue> {
    let mut text = String::new();
    write_names(object.expose(), depth.unwrap_or(usize::MAX), &mut text);
    RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// The members of an object, unread, in their order.
struct Members<'a>(Vec<(String, &'a RawValue)>);

/// An object under way.
struct Writer<'a> {
    text: &'a mut String,
    is_empty: bool,
}

fn merge(target: Option<&RawValue>, patch: &RawValue, text: &mut String) {
    let Some(Members(changes)) = members(patch) else {
        text.push_str(patch.get());
        return;
    };
    let kept = target
        .and_then(members)
        .map_or(Vec::new(), |members| members.0);
    let change_of: BTreeMap<&str, &RawValue> = changes
        .iter()
        .map(|(name, change)| (name.as_str(), *change))
        .collect();
    let known: BTreeSet<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();

    let mut object = Writer::begin(text);
    for (name, value) in &kept {
        match change_of.get(name.as_str()) {
            None => object.member(name).push_str(value.get()),
            // A member that becomes null goes.
            Some(change) if change.get() == NULL => {}
            Some(change) => merge(Some(value), change, object.member(name)),
        }
    }
    for (name, change) in &changes {
        if !known.contains(name.as_str()) && change.get() != NULL {
            merge(None, change, object.member(name));
        }
    }
    object.end();
}

fn write_names(value: &RawValue, depth: usize, text: &mut String) {
    match members(value) {
        Some(Members(members)) if depth > 0 => {
            let mut object = Writer::begin(text);
            for (name, value) in &members {
                write_names(value, depth - 1, object.member(name));
            }
            object.end();
        }
        _ => text.push_str(NULL),
    }
}

impl<'a> Writer<'a> {
    fn begin(text: &'a mut String) -> Self {
        text.push('{');
        Self {
            text,
            is_empty: true,
        }
    }

    /// Writes a name; its value is to be written by the caller.
    fn member(&mut self, name: &str) -> &mut String {
        if !self.is_empty {
            self.text.push(',');
        }
        self.is_empty = false;
        self.text
            .push_str(&serde_json::Value::from(name).to_string());
        self.text.push(':');
        self.text
    }

    fn end(self) {
        self.text.push('}');
    }
}

/// The members of a value that is an object.
fn members(value: &RawValue) -> Option<Members<'_>> {
    if !value.get().starts_with('{') {
        return None;
    }
    serde_json::from_str(value.get()).ok()
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(decoder: D) -> Result<Self, D::Error> {
        decoder.deserialize_map(OfObject)
    }
}

struct OfObject;

impl<'de> Visitor<'de> for OfObject {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Members(members))
    }
}

const NULL: &str = "null";
