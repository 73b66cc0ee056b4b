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
fn schema() -> Vec<(&'static str, &'static [&'static str])> {
    struct Top<'a>(&'a mut Vec<(&'static str, &'static [&'static str])>);
    struct Section<'a>(
        &'static str,
        &'a mut Vec<(&'static str, &'static [&'static str])>,
    );
    struct Each<'a> {
        left: &'static [&'static str],
        found: &'a mut Vec<(&'static str, &'static [&'static str])>,
    }

    impl<'de> Deserializer<'de> for Top<'_> {
        type Error = ValueError;
        fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, ValueError> {
            Err(serde::de::Error::custom("settings are a struct"))
        }
        fn deserialize_struct<V: Visitor<'de>>(
            self,
            _: &'static str,
            fields: &'static [&'static str],
            visitor: V,
        ) -> Result<V::Value, ValueError> {
            visitor.visit_map(Each {
                left: fields,
                found: self.0,
            })
        }
        forward_to_deserialize_any! {
            bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
            unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
        }
    }

    impl<'de> MapAccess<'de> for Each<'_> {
        type Error = ValueError;
        fn next_key_seed<K: DeserializeSeed<'de>>(
            &mut self,
            seed: K,
        ) -> Result<Option<K::Value>, ValueError> {
            match self.left.first() {
                Some(name) => seed.deserialize(StrDeserializer::new(name)).map(Some),
                None => Ok(None),
            }
        }
        fn next_value_seed<S: DeserializeSeed<'de>>(
            &mut self,
            seed: S,
        ) -> Result<S::Value, ValueError> {
            let (name, left) = self.left.split_first().expect("a key came before");
            self.left = left;
            seed.deserialize(Section(name, self.found))
        }
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
            self.1.push((self.0, fields));
            // A list of sections inside; all else has its default.
            let inner: &[_] = match self.0 {
                "template" => &[("agents", "template.agents")],
                _ => &[],
            };
            visitor.visit_map(Inner {
                left: inner,
                found: self.1,
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

    /// The lists of sections inside of a section.
    struct Inner<'a> {
        left: &'static [(&'static str, &'static str)],
        found: &'a mut Vec<(&'static str, &'static [&'static str])>,
    }

    impl<'de> MapAccess<'de> for Inner<'_> {
        type Error = ValueError;
        fn next_key_seed<K: DeserializeSeed<'de>>(
            &mut self,
            seed: K,
        ) -> Result<Option<K::Value>, ValueError> {
            match self.left.first() {
                Some((name, _)) => seed.deserialize(StrDeserializer::new(name)).map(Some),
                None => Ok(None),
            }
        }
        fn next_value_seed<S: DeserializeSeed<'de>>(
            &mut self,
            seed: S,
        ) -> Result<S::Value, ValueError> {
            let ((_, name), left) = self.left.split_first().expect("a key came before");
            self.left = left;
            seed.deserialize(Section(name, self.found))
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

    let mut found = Vec::new();
    Sections::deserialize(Top(&mut found)).expect("all sections have defaults");
    found
}

const EXAMPLE: &str = include_str!("../../../config/example.toml");
