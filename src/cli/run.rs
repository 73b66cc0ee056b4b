use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;

use clap::Args;
use zeroize::Zeroizing;

use super::Outcome;
use super::remote::{Client, InOrganization};
use super::secret_value::revealed;

/// Run a program with secrets in its environment.
///
/// The program takes this one's place: its exit code, its signals and its terminal are its own, and
/// nothing of a secret is written anywhere. It is not given BULKHEAD_TOKEN. Each secret that is
/// revealed stands in the activity log; if one cannot be, the program is not started.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// A secret and the variable that is to hold its value; may be given again.
    #[arg(long = "secret", value_name = "PATH=VARIABLE", value_parser = wish)]
    secrets: Vec<Wish>,
    /// A secret, and a field of its value with the variable that is to hold it; may be given
    /// again.
    #[arg(long = "field", num_args = 2, value_names = ["PATH", "FIELD=VARIABLE"])]
    fields: Vec<String>,
    #[command(flatten)]
    place: InOrganization,
    /// The program and its arguments, after `--`.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// What a variable is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wish {
    path: String,
    field: Option<String>,
    variable: String,
}

/// The program could not take this one's place.
#[derive(Debug, thiserror::Error)]
#[error("cannot start {}", program.to_string_lossy())]
pub(super) struct NotStarted {
    program: OsString,
    #[source]
    source: io::Error,
}

impl NotStarted {
    /// As shells have it: 127 if there is no such program, 126 if it cannot be run.
    pub(super) fn code(&self) -> u8 {
        match self.source.kind() {
            io::ErrorKind::NotFound => 127,
            _ => 126,
        }
    }
}

impl Run {
    pub(super) async fn run(self) -> Outcome {
        let mut wishes = self.secrets;
        for pair in self.fields.chunks_exact(2) {
            let named = wish(&pair[1])?;
            wishes.push(Wish {
                path: pair[0].clone(),
                field: Some(named.path),
                variable: named.variable,
            });
        }
        let client = self.place.client()?;
        let mut values = Vec::with_capacity(wishes.len());
        for wish in &wishes {
            values.push((wish.variable.as_str(), wish.value(&client).await?));
        }
        let [program, arguments @ ..] = &self.command[..] else {
            return Err("name the program to run".into());
        };
        let mut command = Command::new(program);
        command.args(arguments).env_remove("BULKHEAD_TOKEN");
        for (variable, value) in &values {
            command.env(variable, OsStr::from_bytes(value));
        }
        // It returns only if it failed.
        let source = command.exec();
        Err(NotStarted {
            program: program.clone(),
            source,
        }
        .into())
    }
}

impl Wish {
    async fn value(
        &self,
        client: &Client,
    ) -> Result<Zeroizing<Vec<u8>>, Box<dyn Error + Send + Sync>> {
        let path = client.below(&["secrets", &self.path, "value"]).await?;
        let answer = client.get(&path).await;
        let answer = answer.map_err(|error| format!("{}: {error}", self.path))?;
        let value = revealed(&answer, self.field.as_deref())?;
        if value.contains(&0) {
            return Err(format!("{}: no variable can hold a zero byte", self.path).into());
        }
        Ok(value)
    }
}

/// What stands before the last `=`, and the variable after it.
fn wish(text: &str) -> Result<Wish, &'static str> {
    let is_variable = |name: &str| {
        let mut characters = name.bytes();
        let first = characters.next();
        first.is_some_and(|c| c == b'_' || c.is_ascii_alphabetic())
            && characters.all(|c| c == b'_' || c.is_ascii_alphanumeric())
    };
    match text.rsplit_once('=') {
        Some((path, variable)) if !path.is_empty() && is_variable(variable) => Ok(Wish {
            path: path.to_owned(),
            field: None,
            variable: variable.to_owned(),
        }),
        _ => Err("PATH=VARIABLE is expected, the variable of letters, digits and _"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_names_a_secret_and_a_variable() {
        let wished = wish("team=a/stripe=STRIPE_KEY").unwrap();
        assert_eq!(
            (&*wished.path, &*wished.variable),
            ("team=a/stripe", "STRIPE_KEY")
        );
        for wrong in ["stripe", "=KEY", "stripe=", "stripe=1KEY", "stripe=KEY-1"] {
            assert!(wish(wrong).is_err(), "{wrong}");
        }
    }
}
