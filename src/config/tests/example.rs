use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::value::{Error as ValueError, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::load;
use crate::config::load::Sections;
use crate::config::tree::Tree;

#[test]
fn the_example_is_the_defaults() {
    let tree = Tree::parse(Path::new("example.toml"), EXAMPLE).expect("parses");
    let example = Sections::deserialize(&tree).expect("fits");
    assert_eq!(example, Sections::default());
    assert!(load(EXAMPLE, &[]).is_ok());
}

#[test]
fn the_example_shows_every_setting_in_its_section() {
    let shown = shown_in_example();
    let mut known = BTreeMap::new();
    for (section, keys) in schema() {
        known.insert(
            section.to_owned(),
            keys.iter().map(|k| (*k).to_owned()).collect(),
        );
    }
    assert_eq!(shown, known);
}

#[test]
fn what_the_example_comments_out_is_well_formed() {
    let uncommented: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(setting) if is_setting(setting) || setting.starts_with("[[") => {
                format!("{setting}\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let tree = Tree::parse(Path::new("example.toml"), &uncommented).expect("parses");
    assert!(Sections::deserialize(&tree).is_ok());
}

/// The settings that the example shows, whether set or commented out, by section.
fn shown_in_example() -> BTreeMap<String, Vec<String>> {
    let mut shown: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut section = String::new();
    for line in EXAMPLE.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            // `[[oidc]]` is a section of a list.
            section = name.trim_matches(['[', ']']).to_owned();
            // `[[template.agents]]` is a setting of `[[template]]`.
            if let Some((of, key)) = section.split_once('.') {
                shown.entry(of.to_owned()).or_default().push(key.to_owned());
            }
        } else if is_setting(line) {
            let key = line.split(" = ").next().expect("split gives one part");
            shown
                .entry(section.clone())
                .or_default()
                .push(key.to_owned());
        }
    }
    shown
}

fn is_setting(line: &str) -> bool {
    line.split_once(" = ").is_some_and(|(key, _)| {
        !key.is_empty()
            && key
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b == b'_' || b.is_ascii_digit())
    })
}

/// Sections and keys as serde knows them, in the order of their declaration: a deserializer that
/// gives no value but notes the fields that it is asked for.
fn schema() -> Shown {
    /// What holds others: all settings hold the sections, a section its keys.
    struct Section<'a> {
        name: &'static str,
        found: &'a mut Shown,
    }

    impl<'de> Deserializer<'de> for Section<'_> {
        type Error = ValueError;
        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ValueError> {
            Err(serde::de::Error::custom("a section is a struct"))
        }
        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, ValueError> {
            // What is no section inside of it has its default.
            let inner = match self.name {
                ALL => fields.iter().map(|name| (*name, *name)).collect(),
                "template" => vec![("agents", "template.agents")],
                _ => Vec::new(),
            };
            if self.name != ALL {
                self.found.push((self.name, fields));
            }
            visitor.visit_map(Inner {
                left: inner.into_iter(),
                next: "",
                found: self.found,
            })
        }
        fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ValueError> {
            visitor.visit_seq(One(Some(self)))
        }
        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct tuple tuple_struct map enum identifier ignored_any
        }
    }

    /// The sections inside of one: the key of each, and its name.
    struct Inner<'a> {
        left: std::vec::IntoIter<(&'static str, &'static str)>,
        next: &'static str,
        found: &'a mut Shown,
    }

    impl<'de> MapAccess<'de> for Inner<'_> {
        type Error = ValueError;
        fn next_key_seed<K: DeserializeSeed<'de>>(
            &mut self,
            seed: K,
        ) -> Result<Option<K::Value>, ValueError> {
            let Some((key, name)) = self.left.next() else {
                return Ok(None);
            };
            self.next = name;
            seed.deserialize(StrDeserializer::new(key)).map(Some)
        }
        fn next_value_seed<S: DeserializeSeed<'de>>(
            &mut self,
            seed: S,
        ) -> Result<S::Value, ValueError> {
            seed.deserialize(Section {
                name: self.next,
                found: self.found,
            })
        }
    }

    /// A list of one section.
    struct One<'a>(Option<Section<'a>>);

    impl<'de> SeqAccess<'de> for One<'_> {
        type Error = ValueError;
        fn next_element_seed<S: DeserializeSeed<'de>>(
            &mut self,
            seed: S,
        ) -> Result<Option<S::Value>, ValueError> {
            let section = self.0.take();
            section.map(|section| seed.deserialize(section)).transpose()
        }
    }

    const ALL: &str = "";
    let mut found = Vec::new();
    let all = Section {
        name: ALL,
        found: &mut found,
    };
    Sections::deserialize(all).expect("all sections have defaults");
    found
}

/// Sections with their keys.
type Shown = Vec<(&'static str, &'static [&'static str])>;

const EXAMPLE: &str = include_str!("../../../config/example.toml");
