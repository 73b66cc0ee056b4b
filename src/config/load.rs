use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::check::{Check, Variables};
use super::client::is_of_command_line;
use super::error::{ConfigError, Place};
use super::secret::Secret;
use super::sections::{
    Api, Audit, Blobs, BlobsSection, Catalog, Control, Data, Drive, Log, Net, OidcProvider,
    OidcSection, Root,
};
use super::template::{Template, TemplateSection};
use super::tree::Tree;

/// Every setting, checked. It neither prints nor clones: it holds secrets.
pub struct Config {
    /// `[data]`
    pub data: Data,
    /// `[root]`
    pub root: Root,
    /// `[net]`
    pub net: Net,
    /// `[api]`
    pub api: Api,
    /// `[control]`
    pub control: Control,
    /// The operator's bearer token, if one is set.
    pub operator_token: Option<Secret>,
    /// `[catalog]`
    pub catalog: Catalog,
    /// `[blobs]`
    pub blobs: Blobs,
    /// `[drive]`
    pub drive: Drive,
    /// `[audit]`
    pub audit: Audit,
    /// `[[oidc]]`
    pub oidc: Vec<OidcProvider>,
    /// `[[template]]`
    pub templates: Vec<Template>,
    /// `[log]`
    pub log: Log,
}

impl Config {
    /// Reads the file, if one is named, and the environment of this process.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, an unknown or ill-formed setting, settings that contradict each
    /// other: each with the line or the variable that is to be changed.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let text = file
            .map(|path| {
                std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
                    path: path.to_owned(),
                    source,
                })
            })
            .transpose()?;
        #[expect(clippy::disallowed_methods, reason = "the one door to the environment")]
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            // What is not UTF-8 becomes text that no setting accepts.
            let name = name.into_string().ok()?;
            Some((name, value.to_string_lossy().into_owned()))
        });
        Self::from_sources(file.zip(text.as_deref()), variables)
    }

    /// Reads the text of a file, with its name for errors, and variables; those that do not begin
    /// with `BULKHEAD_` are passed over. Reads no environment, and no file but those of secrets.
    ///
    /// # Errors
    ///
    /// As for [`Config::load`].
    pub fn from_sources(
        file: Option<(&Path, &str)>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut tree = match file {
            Some((path, text)) => Tree::parse(path, text)?,
            None => Tree::default(),
        };
        let mut operator_token = None;
        let mut secret_access_key = None;
        let mut client_secrets = Vec::new();
        for (name, text) in variables {
            let Some(rest) = name.strip_prefix("BULKHEAD_") else {
                continue;
            };
            if is_of_command_line(&name) || is_service_link(rest) {
                continue;
            }
            let place = Place::Variable(name.as_str().into());
            let rest = rest.to_ascii_lowercase();
            match rest.split_once('_') {
                Some(OPERATOR_TOKEN) => operator_token = Some((place, text)),
                Some(SECRET_ACCESS_KEY) => secret_access_key = Some((place, text)),
                Some((OIDC, key)) if key.ends_with(CLIENT_SECRET) => {
                    client_secrets.push((key.to_owned(), (place, text)));
                }
                Some((section, key)) => tree.set_from_variable(&name, section, key, text)?,
                None => {
                    return Err(ConfigError::Invalid {
                        place,
                        message: "unknown variable; the form is BULKHEAD_<SECTION>_<KEY>".into(),
                    });
                }
            }
        }
        for (section, key) in [OPERATOR_TOKEN, SECRET_ACCESS_KEY] {
            if tree.is_set(section, key) {
                return Err(ConfigError::Invalid {
                    place: tree.place(section, key),
                    message: format!(
                        "a secret does not stand in this file: name the file that holds it with \
                         `{key}_file`, or set the variable BULKHEAD_{}_{}",
                        section.to_ascii_uppercase(),
                        key.to_ascii_uppercase()
                    ),
                });
            }
        }
        let sections = Sections::deserialize(&tree)?;
        Check::new(tree).finish(
            sections,
            Variables {
                operator_token,
                secret_access_key,
                client_secrets,
            },
        )
    }

    /// The SQLite file of the catalog.
    pub fn catalog_path(&self) -> PathBuf {
        catalog_path(&self.catalog, &self.data)
    }
}

#[derive(Default, Deserialize)]
#[cfg_attr(test, derive(Debug, PartialEq))]
#[serde(default, deny_unknown_fields)]
pub(super) struct Sections {
    pub(super) data: Data,
    pub(super) root: Root,
    pub(super) net: Net,
    pub(super) api: Api,
    pub(super) control: Control,
    pub(super) catalog: Catalog,
    pub(super) blobs: BlobsSection,
    pub(super) drive: Drive,
    pub(super) audit: Audit,
    pub(super) oidc: Vec<OidcSection>,
    pub(super) template: Vec<TemplateSection>,
    pub(super) log: Log,
}

pub(super) fn catalog_path(catalog: &Catalog, data: &Data) -> PathBuf {
    catalog
        .path
        .clone()
        .unwrap_or_else(|| data.dir.join("catalog.sqlite"))
}

/// Kubernetes and Docker give every container variables for the services around it. Those of a
/// service named `bulkhead` look like ours, and are none: `BULKHEAD_SERVICE_HOST`,
/// `BULKHEAD_PORT_9000_TCP_ADDR`.
fn is_service_link(rest: &str) -> bool {
    let numbered = |after: &str| after.starts_with(|c: char| c.is_ascii_digit());
    ["", "API_", "CONTROL_"].iter().any(|service| {
        rest.strip_prefix(service).is_some_and(|rest| {
            rest == "PORT"
                || rest.starts_with("SERVICE_")
                || rest.strip_prefix("PORT_").is_some_and(numbered)
        })
    })
}

const OPERATOR_TOKEN: (&str, &str) = ("control", "operator_token");
/// `BULKHEAD_OIDC_<NAME>_CLIENT_SECRET`
const OIDC: &str = "oidc";
pub(super) const CLIENT_SECRET: &str = "_client_secret";
const SECRET_ACCESS_KEY: (&str, &str) = ("blobs", "secret_access_key");
