//! Typed settings: defaults, a TOML file, then `BULKHEAD_*` variables, read once at start.
//! `config/example.toml` shows every setting and the rule that names its variable.

mod check;
mod client;
mod error;
mod load;
mod oidc;
mod path;
mod profiles;
mod secret;
mod sections;
mod template;
mod tree;
mod units;

#[cfg(test)]
mod tests;

pub use client::{ClientVariables, read_secret_file};
pub use error::{ConfigError, Place};
pub use load::Config;
pub use profiles::{Profile, Profiles};
pub use secret::Secret;
pub use sections::{
    Api, Audit, Blobs, Catalog, Control, Data, Drive, Log, LogFormat, Net, ORGANIZATION,
    OidcProvider, Root, S3Blobs, SignUps,
};
pub use template::{AccessKeyReach, Template, TemplateAgent};
