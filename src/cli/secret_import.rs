use std::error::Error;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::ask::contents;
use super::remote::InOrganization;
use super::secret::{WRITTEN, Writing};
use super::{Outcome, print};

/// Write every value of a `.env` or JSON file to a secret of its own.
///
/// Of `.env` each variable becomes the secret of its name. Of JSON each member of the object does:
/// a text as it is, an object as a secret of the kind key-value. The file is read whole before
/// anything is written, and stays where it is: delete it.
#[derive(Debug, Args)]
pub(super) struct Import {
    /// The file; `-` for standard input.
    file: PathBuf,
    /// What the file is; told by its name, if it does not say: `.json`, or else `.env`.
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// What stands before each name, as in `billing/`.
    #[arg(long, default_value = "")]
    prefix: String,
    /// Show the paths that would be written, and write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    place: InOrganization,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Env,
    Json,
}

/// A value with its name, and its kind if it is not opaque.
struct Found {
    name: String,
    kind: Option<&'static str>,
    value: Zeroizing<String>,
}

impl Import {
    pub(super) async fn run(self) -> Outcome {
        let bytes = contents(&self.file, "secrets")?;
        let text = std::str::from_utf8(&bytes).map_err(|_| "the file is no text")?;
        let is_json = || self.file.extension().is_some_and(|end| end == "json");
        let found = match self.format {
            Some(Format::Json) => of_json(text)?,
            None if is_json() => of_json(text)?,
            Some(Format::Env) | None => of_env(text)?,
        };
        let path = |found: &Found| format!("{}{}", self.prefix, found.name);
        if self.dry_run {
            let paths: Vec<_> = found.iter().map(|one| json!({"path": path(one)})).collect();
            return Ok(print::items(self.place.json(), [("PATH", "path")], &paths)?);
        }
        let client = self.place.client()?;
        let mut written = Vec::with_capacity(found.len());
        for one in &found {
            let path = path(one);
            let writing = Writing {
                client: &client,
                path: &path,
                kind: one.kind,
                description: None,
                tags: Default::default(),
                current: None,
            };
            let outcome = writing.write(json!({"text": *one.value})).await;
            match outcome {
                Ok(answer) => written.push(answer),
                Err(error) => {
                    print::items(self.place.json(), WRITTEN, &written)?;
                    let left = found.len() - written.len();
                    return Err(format!("{path}: {error}; {left} are not written").into());
                }
            }
        }
        Ok(print::items(self.place.json(), WRITTEN, &written)?)
    }
}

fn of_json(text: &str) -> Result<Vec<Found>, Box<dyn Error + Send + Sync>> {
    // The message of a parser may show what it stumbled over.
    let members: Map<String, Value> = serde_json::from_str(text).map_err(|error| {
        format!(
            "a JSON object is expected: line {}, column {}",
            error.line(),
            error.column()
        )
    })?;
    members
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(text) => Ok(Found {
                name,
                kind: None,
                value: Zeroizing::new(text),
            }),
            Value::Object(fields) => Ok(Found {
                name,
                kind: Some("key-value"),
                value: Zeroizing::new(Value::Object(fields).to_string()),
            }),
            _ => {
                Err(format!("`{name}` is neither a text nor an object: nothing was written").into())
            }
        })
        .collect()
}

/// Reads variables as a shell would, but for `$`: what stands for another variable is refused,
/// since the value of a secret is not to depend on where it was imported.
fn of_env(text: &str) -> Result<Vec<Found>, Box<dyn Error + Send + Sync>> {
    let read = variables(text)?;
    let guarded = variables(&text.replace(r"\$", ESCAPED).replace('$', PLAIN))?;
    let mut found: Vec<Found> = Vec::with_capacity(read.len());
    for ((name, value), (_, guarded)) in read.into_iter().zip(guarded) {
        let plain = guarded.replace(PLAIN, "$");
        // What is escaped is a `$`, and between single quotes what it looks like.
        let is_as_written = [r"$", r"\$"]
            .iter()
            .any(|meant| plain.replace(ESCAPED, meant) == *value);
        if !is_as_written {
            return Err(format!(
                "{name}: `$` stands for another variable there; put the value between single \
                 quotes, or write what is meant. Nothing was written"
            )
            .into());
        }
        if found.iter().any(|other| other.name == name) {
            return Err(format!("{name} is set twice: nothing was written").into());
        }
        found.push(Found {
            name,
            kind: None,
            value,
        });
    }
    Ok(found)
}

fn variables(text: &str) -> Result<Vec<(String, Zeroizing<String>)>, String> {
    dotenvy::from_read_iter(text.as_bytes())
        .map(|variable| match variable {
            Ok((name, value)) => Ok((name, Zeroizing::new(value))),
            // Its message would show the line.
            Err(_) => Err("a line is not NAME=VALUE as `.env` has it: nothing was written".into()),
        })
        .collect()
}

/// Stand in for `$` where nobody writes them (Unicode, private use).
const PLAIN: &str = "\u{f8fe}";
const ESCAPED: &str = "\u{f8ff}";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, String)> {
        let found = of_env(text).unwrap();
        found
            .into_iter()
            .map(|one| (one.name, one.value.to_string()))
            .collect()
    }

    #[test]
    fn variables_are_read_as_a_shell_would() {
        let text = "# a comment\n\
                    export A=1\n\
                    B='single $quoted \\$ '\n\
                    C=\"double\\nquoted \\$5\" # said\n\
                    D=a=b=c\n\
                    E='two\nlines'\n\
                    F=\n";
        let expected = [
            ("A", "1"),
            ("B", "single $quoted \\$ "),
            ("C", "double\nquoted $5"),
            ("D", "a=b=c"),
            ("E", "two\nlines"),
            ("F", ""),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read(text), expected);
    }

    #[test]
    fn what_stands_for_something_else_is_refused_by_name_alone() {
        for (text, named) in [
            ("A=pa$word\n", "A: `$`"),
            ("A=1\nB=\"x${A}y\"\n", "B: `$`"),
            ("A=1\nB=$A\n", "B: `$`"),
            ("A=1\nA=2\n", "A is set twice"),
            ("A='hunter2\n", "a line is not"),
            ("hunter2\n", "a line is not"),
        ] {
            let said = of_env(text).err().unwrap().to_string();
            assert!(said.starts_with(named), "{text}: {said}");
            assert!(
                !said.contains("hunter2") && !said.contains("word"),
                "{said}"
            );
        }
    }

    #[test]
    fn members_are_texts_or_objects() {
        let found = of_json(r#"{"a": "x", "b": {"user": "u"}}"#).unwrap();
        let kinds: Vec<_> = found
            .iter()
            .map(|one| (one.name.as_str(), one.kind))
            .collect();
        assert_eq!(kinds, [("a", None), ("b", Some("key-value"))]);
        assert_eq!(*found[1].value, r#"{"user":"u"}"#);
        for (text, named) in [
            ("[\"hunter2\"]", "a JSON object"),
            ("{\"a\": hunter2}", "a JSON object"),
            ("{\"a\": 7}", "`a` is neither"),
        ] {
            let said = of_json(text).err().unwrap().to_string();
            assert!(said.starts_with(named), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
