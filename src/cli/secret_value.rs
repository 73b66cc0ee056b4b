//! Values of secrets on their way in and out: from a file, standard input or a hidden prompt, and
//! never from the command line, which every process of a machine can read.

use std::error::Error;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::ask::{contents, hidden};

/// Where a value comes from.
#[derive(Debug, Args)]
pub(super) struct Source {
    /// The file that holds the value, `-` for standard input. Without it, the value is read from
    /// standard input, or asked for at a terminal. The line end of a single line is no part of it.
    #[arg(long, value_name = "FILE")]
    from_file: Option<PathBuf>,
    /// Caught, so that a value that was typed here is refused without being shown.
    #[arg(hide = true, value_name = "NOTHING")]
    typed: Vec<OsString>,
}

/// A value that was read.
pub(super) enum NewValue {
    Text(Zeroizing<String>),
    Base64(Zeroizing<String>),
}

impl Source {
    /// Refuses a value on the command line, before anything else is done.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        match self.typed.is_empty() {
            true => Ok(()),
            false => Err(
                "a value does not stand on the command line, where other programs and the shell's \
                 history have it by now: change it, and give the new one by --from-file, standard \
                 input or at the prompt",
            ),
        }
    }

    /// Reads the value.
    pub(super) fn read(&self) -> Result<NewValue, Box<dyn Error + Send + Sync>> {
        self.check()?;
        let bytes = match &self.from_file {
            Some(file) => contents(file, "the value")?,
            None if io::stdin().is_terminal() => {
                let text = hidden("Value", None)?;
                Zeroizing::new(text.as_bytes().to_vec())
            }
            None => contents(Path::new("-"), "the value")?,
        };
        Ok(NewValue::of(&bytes))
    }
}

impl NewValue {
    /// As the API takes it.
    pub(super) fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!({"text": text.as_str()}),
            Self::Base64(text) => json!({"base64": text.as_str()}),
        }
    }

    fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(Zeroizing::new(without_line_end(text).to_owned())),
            Err(_) => Self::Base64(Zeroizing::new(STANDARD.encode(bytes))),
        }
    }
}

/// What `echo` and editors end a single line with is no part of a value; a text of several lines
/// is kept as it is.
fn without_line_end(text: &str) -> &str {
    match text.strip_suffix('\n') {
        Some(line) if !line.contains('\n') => line.strip_suffix('\r').unwrap_or(line),
        _ => text,
    }
}

/// The bytes of a value that was revealed, or of one of its fields.
pub(super) fn revealed(
    answer: &Value,
    field: Option<&str>,
) -> Result<Zeroizing<Vec<u8>>, Box<dyn Error + Send + Sync>> {
    let value = &answer["value"];
    if let Some(name) = field {
        let path = answer["path"].as_str().unwrap_or_default();
        let parsed;
        let fields = match (value["fields"].as_object(), value["text"].as_str()) {
            (Some(fields), _) => fields,
            (None, Some(text)) => {
                parsed = serde_json::from_str::<serde_json::Map<_, _>>(text).unwrap_or_default();
                &parsed
            }
            (None, None) => return Err(format!("{path} has no fields").into()),
        };
        return match fields.get(name) {
            None => Err(format!("{path} has no field `{name}`").into()),
            Some(Value::String(text)) => Ok(Zeroizing::new(text.as_bytes().to_vec())),
            Some(other) => Ok(Zeroizing::new(other.to_string().into_bytes())),
        };
    }
    if let Some(text) = value["text"].as_str() {
        return Ok(Zeroizing::new(text.as_bytes().to_vec()));
    }
    if let Some(text) = value["base64"].as_str() {
        let bytes = STANDARD.decode(text);
        return Ok(Zeroizing::new(
            bytes.map_err(|_| "the answer holds no value")?,
        ));
    }
    match &value["fields"] {
        Value::Null => Err("the answer holds no value".into()),
        fields => Ok(Zeroizing::new(fields.to_string().into_bytes())),
    }
}

/// Writes a value to standard output as it is; at a terminal, on a line of its own.
pub(super) fn write(value: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(value)?;
    if out.is_terminal() && !value.ends_with(b"\n") {
        out.write_all(b"\n")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_single_line_is_no_part_of_a_value() {
        for (read, kept) in [
            ("one", "one"),
            ("one\n", "one"),
            ("one\r\n", "one"),
            ("one\n\n", "one\n\n"),
            ("-----BEGIN\nend\n", "-----BEGIN\nend\n"),
            ("", ""),
        ] {
            assert_eq!(without_line_end(read), kept, "{read:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_sent_in_base64_and_comes_back_as_it_was() {
        let bytes = [0xff, 0x00, b'\n'];
        let sent = json!({"value": NewValue::of(&bytes).json()});
        assert_eq!(sent, json!({"value": {"base64": "/wAK"}}));
        assert_eq!(*revealed(&sent, None).unwrap(), bytes);
    }

    #[test]
    fn a_field_is_found_by_name() {
        let answer = json!({"path": "db", "value": {"fields": {"password": "x", "port": 5432}}});
        assert_eq!(*revealed(&answer, Some("password")).unwrap(), b"x");
        assert_eq!(*revealed(&answer, Some("port")).unwrap(), b"5432");
        let missing = revealed(&answer, Some("user")).unwrap_err().to_string();
        assert_eq!(missing, "db has no field `user`");
        let text = json!({"path": "db", "value": {"text": "{\"password\": \"x\"}"}});
        assert_eq!(*revealed(&text, Some("password")).unwrap(), b"x");
    }
}
