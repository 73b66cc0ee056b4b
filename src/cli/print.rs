//! What commands write to standard output.

use std::fmt;
use std::io::{self, Write};

use serde::Serialize;
use zeroize::Zeroizing;

use crate::config::Config;

/// Rows under a heading, each column as wide as its widest cell. Cells are ASCII.
pub(super) fn table<const N: usize>(heading: [&str; N], rows: &[[String; N]]) -> io::Result<()> {
    let mut widths = heading.map(str::len);
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.len());
        }
    }
    let mut out = io::stdout().lock();
    let mut line = |cells: [&str; N]| {
        let padded = cells
            .iter()
            .zip(widths)
            .map(|(cell, width)| format!("{cell:width$}"))
            .collect::<Vec<_>>();
        writeln!(out, "{}", padded.join("  ").trim_end())
    };
    line(heading)?;
    rows.iter()
        .try_for_each(|row| line(row.each_ref().map(String::as_str)))?;
    out.flush()
}

/// Lines of text.
pub(super) fn lines(lines: impl IntoIterator<Item = String>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    lines
        .into_iter()
        .try_for_each(|line| writeln!(out, "{line}"))?;
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
    use super::*;

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
