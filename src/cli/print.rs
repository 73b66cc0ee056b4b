//! What commands write to standard output.

use std::fmt;
use std::io::{self, Write};

use comfy_table::{Table, presets};
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::config::Config;

/// Rows under a heading, each column as wide as its widest cell.
pub(super) fn table<const N: usize>(
    heading: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(heading);
    for row in rows {
        table.add_row(row.map(|cell| visible(&cell)));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    lines(table.lines().map(|line| line.trim_end().to_owned()))
}

/// What servers answer, as rows under a heading or as one JSON value on a line. Each column shows
/// the member of its name; a dot goes deeper.
pub(super) fn items<const N: usize>(
    as_json: bool,
    columns: [(&str, &str); N],
    items: &[Value],
) -> io::Result<()> {
    if as_json {
        return items.iter().try_for_each(json);
    }
    let row = |item: &Value| columns.map(|(_, member)| cell(item, member));
    table(columns.map(|(title, _)| title), items.iter().map(row))
}

/// What a server answers, as lines of a name and a value each or as JSON.
pub(super) fn item<const N: usize>(
    as_json: bool,
    members: [(&str, &str); N],
    item: &Value,
) -> io::Result<()> {
    if as_json {
        return json(item);
    }
    let width = members.iter().map(|(title, _)| title.len()).max();
    let width = width.unwrap_or_default();
    lines(members.iter().map(|(title, member)| {
        let value = visible(&cell(item, member));
        format!("{title:width$}  {value}")
    }))
}

/// A member of a JSON value as people read it.
fn cell(item: &Value, member: &str) -> String {
    let deeper = |value, name| Value::get(value, name);
    match member.split('.').try_fold(item, deeper) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        Some(Value::Array(many)) if many.iter().all(Value::is_string) => {
            let texts: Vec<_> = many.iter().filter_map(Value::as_str).collect();
            texts.join(", ")
        }
        Some(other) => other.to_string(),
    }
}

/// The text without what a terminal would obey: names are other people's, and may hold escapes.
pub(super) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_control() || is_of_direction(c) {
            true => visible.extend(c.escape_default()),
            false => visible.push(c),
        }
    }
    visible
}

/// Marks that let a terminal show text in another order than it stands in (Unicode, UAX #9).
fn is_of_direction(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Lines of text.
pub(super) fn lines(lines: impl IntoIterator<Item = String>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    lines
        .into_iter()
        .try_for_each(|line| writeln!(out, "{line}"))?;
    out.flush()
}

/// A file, as it is.
pub(super) fn file(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// One line of JSON.
pub(super) fn json(value: &impl Serialize) -> io::Result<()> {
    // A size that no single view exceeds, so that no copy of a secret is left behind by growing.
    let mut line = Zeroizing::new(Vec::with_capacity(1024));
    serde_json::to_writer(&mut *line, value)?;
    line.push(b'\n');
    let mut out = io::stdout().lock();
    out.write_all(&line)?;
    out.flush()
}

/// Where a client finds the gateway, as `[api]` says.
pub(super) struct Endpoint {
    pub(super) url: String,
    pub(super) region: String,
}

impl Endpoint {
    /// The public URL, or the listener as it is reached from this machine.
    pub(super) fn of(config: &Config) -> Self {
        let api = &config.api;
        let url = api.public_url.clone().unwrap_or_else(|| {
            let scheme = match api.tls_dir {
                Some(_) => "https",
                None => "http",
            };
            let mut address = api.listen;
            if address.ip().is_unspecified() {
                address.set_ip(match address {
                    std::net::SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                    std::net::SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
                });
            }
            format!("{scheme}://{address}")
        });
        Self {
            url,
            region: api.region.clone(),
        }
    }
}

/// An access key as lines for a shell, which every client of S3 reads from its environment.
pub(super) struct Exports<'a> {
    pub(super) id: &'a str,
    pub(super) secret: &'a str,
    pub(super) endpoint: &'a Endpoint,
}

/// An access key as lines for a shell, where nobody knows the endpoint that goes with it.
pub(super) fn pair_of_keys(id: &str, secret: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "export AWS_ACCESS_KEY_ID={}", Quoted(id))?;
    writeln!(out, "export AWS_SECRET_ACCESS_KEY={}", Quoted(secret))?;
    out.flush()
}

impl fmt::Display for Exports<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Endpoint { url, region } = self.endpoint;
        for (name, value) in [
            ("AWS_ACCESS_KEY_ID", self.id),
            ("AWS_SECRET_ACCESS_KEY", self.secret),
            ("AWS_REGION", region),
            ("AWS_DEFAULT_REGION", region),
            ("AWS_ENDPOINT_URL", url),
        ] {
            writeln!(f, "export {name}={}", Quoted(value))?;
        }
        Ok(())
    }
}

/// A word of a POSIX shell.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte);
        if !self.0.is_empty() && self.0.bytes().all(is_plain) {
            f.write_str(self.0)
        } else {
            write!(f, "'{}'", self.0.replace('\'', r"'\''"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown_as_what_it_is() {
        assert_eq!(
            visible("Zoë \u{1b}[2J\n\u{202e}x"),
            "Zoë \\u{1b}[2J\\n\\u{202e}x"
        );
    }

    #[test]
    fn a_cell_is_a_member_as_people_read_it() {
        let item = json!({"a": {"b": ["x", "y"]}, "c": null, "d": true, "e": 5, "f": "", "g": [1]});
        for (member, expected) in [
            ("a.b", "x, y"),
            ("a.z", "-"),
            ("c", "-"),
            ("d", "yes"),
            ("e", "5"),
            ("f", "-"),
            ("g", "[1]"),
        ] {
            assert_eq!(cell(&item, member), expected, "{member}");
        }
    }

    #[test]
    fn exports_are_what_a_shell_reads() {
        let endpoint = Endpoint {
            url: "https://s3.example.com:9000".into(),
            region: "it's here".into(),
        };
        let exports = Exports {
            id: "BKAB",
            secret: "a-_9",
            endpoint: &endpoint,
        };
        assert_eq!(
            exports.to_string(),
            "export AWS_ACCESS_KEY_ID=BKAB\n\
             export AWS_SECRET_ACCESS_KEY=a-_9\n\
             export AWS_REGION='it'\\''s here'\n\
             export AWS_DEFAULT_REGION='it'\\''s here'\n\
             export AWS_ENDPOINT_URL=https://s3.example.com:9000\n"
        );
    }

    #[test]
    fn the_endpoint_is_what_a_client_on_this_machine_reaches() {
        let url = |variables: &[(&str, &str)]| {
            let variables = variables
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            Endpoint::of(&Config::from_sources(None, variables).unwrap()).url
        };
        assert_eq!(url(&[]), "http://127.0.0.1:9000");
        assert_eq!(
            url(&[("BULKHEAD_API_LISTEN", "0.0.0.0:9100")]),
            "http://127.0.0.1:9100"
        );
        assert_eq!(
            url(&[("BULKHEAD_API_LISTEN", "[::]:9100")]),
            "http://[::1]:9100"
        );
        assert_eq!(
            url(&[("BULKHEAD_API_PUBLIC_URL", "https://s3.example.com")]),
            "https://s3.example.com"
        );
    }
}
