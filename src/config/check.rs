use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::error::{ConfigError, Place};
use super::load::{Config, Sections, catalog_path};
use super::oidc::providers;
use super::path;
use super::secret::{self, Secret};
use super::sections::{
    Api, Audit, Blobs, BlobsKind, BlobsSection, Control, Drive, Log, Net, Root, S3Blobs,
};
use super::template::templates;
use super::tree::Tree;

/// What types cannot say: ranges, and settings that depend on each other.
pub(super) struct Check {
    tree: Tree,
}

/// A secret that a variable gives.
type Variable = Option<(Place, String)>;

/// The secrets that variables give.
pub(super) struct Variables {
    pub(super) operator_token: Variable,
    pub(super) secret_access_key: Variable,
    /// By the rest of the variable's name: `<name>_client_secret`.
    pub(super) client_secrets: Vec<(String, (Place, String))>,
}

impl Check {
    pub(super) fn new(tree: Tree) -> Self {
        Self { tree }
    }

    pub(super) fn finish(
        self,
        sections: Sections,
        variables: Variables,
    ) -> Result<Config, ConfigError> {
        let Variables {
            operator_token,
            secret_access_key,
            client_secrets,
        } = variables;
        let Sections {
            data,
            root,
            net,
            api,
            control,
            catalog,
            blobs,
            drive,
            audit,
            oidc,
            template,
            log,
        } = sections;
        self.net(&net)?;
        self.api(&api)?;
        self.drive(&drive)?;
        self.log(&log)?;
        self.positive("catalog", "readers", u64::from(catalog.readers))?;
        self.audit(&audit)?;
        self.require(
            control.listen != api.listen || api.listen.port() == 0,
            "control",
            "listen",
            "[api] listens there already",
        )?;

        let blobs_dir = match blobs.kind {
            BlobsKind::Disk => Some(blobs.path.clone().unwrap_or_else(|| data.dir.join("blobs"))),
            BlobsKind::Memory | BlobsKind::S3 => None,
        };
        for dir in [Some(&data.dir), blobs_dir.as_ref()].into_iter().flatten() {
            self.outside("root", "file", &root.file, dir)?;
            self.outside("audit", "checkpoint_file", &audit.checkpoint_file, dir)?;
        }
        self.distinct(&root, &audit, &catalog_path(&catalog, &data))?;

        let operator_token = self.operator_token(&control, operator_token)?;
        let blobs = self.blobs(blobs, blobs_dir, secret_access_key)?;
        let oidc = providers(&self.tree, oidc, client_secrets)?;
        let templates = templates(&self.tree, template)?;
        Ok(Config {
            data,
            root,
            net,
            api,
            control,
            operator_token,
            catalog,
            blobs,
            drive,
            audit,
            oidc,
            templates,
            log,
        })
    }

    fn net(&self, net: &Net) -> Result<(), ConfigError> {
        self.positive("net", "connections_max", u64::from(net.connections_max))?;
        self.positive("net", "streams_max", u64::from(net.streams_max))?;
        self.require(
            (8 << 10..=1 << 20).contains(&net.header_bytes_max),
            "net",
            "header_bytes_max",
            "between 8 KiB and 1 MiB",
        )?;
        self.require(
            (16..=1024).contains(&net.headers_max),
            "net",
            "headers_max",
            "between 16 and 1024",
        )?;
        for (key, duration) in [
            ("header_timeout", net.header_timeout),
            ("keepalive_timeout", net.keepalive_timeout),
            ("body_idle_timeout", net.body_idle_timeout),
            ("write_idle_timeout", net.write_idle_timeout),
            ("tls_handshake_timeout", net.tls_handshake_timeout),
            ("tls_reload_interval", net.tls_reload_interval),
        ] {
            self.lasting("net", key, duration)?;
        }
        Ok(())
    }

    fn api(&self, api: &Api) -> Result<(), ConfigError> {
        if let Some(domain) = &api.domain {
            self.require(
                is_domain(domain),
                "api",
                "domain",
                "a host name in lower case, without port",
            )?;
        }
        self.require(
            is_label(&api.region),
            "api",
            "region",
            "a region is 1 to 63 of a-z, 0-9 and -",
        )?;
        if let Some(url) = &api.public_url {
            self.require(
                is_origin(url),
                "api",
                "public_url",
                "an http:// or https:// URL of host and port alone, without a final slash",
            )?;
        }
        Ok(())
    }

    fn drive(&self, drive: &Drive) -> Result<(), ConfigError> {
        self.require(
            drive.inline_max <= 1 << 20,
            "drive",
            "inline_max",
            "at most 1 MiB: larger bodies are blobs",
        )?;
        self.require(
            drive.memory_max >= 16 << 20,
            "drive",
            "memory_max",
            "at least 16 MiB",
        )?;
        self.lasting("drive", "collect_interval", drive.collect_interval)?;
        self.lasting(
            "drive",
            "orphan_sweep_interval",
            drive.orphan_sweep_interval,
        )?;
        // A blob is an orphan until its row is committed: what is younger may be an upload that
        // is still running.
        self.require(
            drive.orphan_age >= Duration::from_secs(60),
            "drive",
            "orphan_age",
            "at least 1m: younger blobs may belong to a running upload",
        )?;
        // A part of 5 GiB may be long under way, and is seen only when it is there.
        self.require(
            drive.abandoned_upload_age.is_zero()
                || drive.abandoned_upload_age >= Duration::from_secs(60 * 60),
            "drive",
            "abandoned_upload_age",
            "at least 1h, or 0s for never: a part may be that long under way",
        )
    }

    fn audit(&self, audit: &Audit) -> Result<(), ConfigError> {
        self.positive(
            "audit",
            "refusals_per_second_max",
            u64::from(audit.refusals_per_second_max),
        )?;
        self.lasting("audit", "checkpoint_interval", audit.checkpoint_interval)?;
        self.require(
            audit.batch_delay_max <= Duration::from_secs(1),
            "audit",
            "batch_delay_max",
            "at most 1s: so long may a recorded read be lost",
        )
    }

    fn operator_token(
        &self,
        control: &Control,
        variable: Variable,
    ) -> Result<Option<Secret>, ConfigError> {
        let file = control.operator_token_file.as_deref();
        let file = file.map(|file| (self.tree.place("control", "operator_token_file"), file));
        let token = secret::read(variable, file)?;
        let is_long = |token: &Secret| token.expose().len() >= TOKEN_BYTES_MIN;
        self.require(
            token.as_ref().is_none_or(is_long),
            "control",
            "operator_token_file",
            "the operator token has at least 16 characters",
        )?;
        Ok(token)
    }

    fn log(&self, log: &Log) -> Result<(), ConfigError> {
        match EnvFilter::builder().parse(&log.level) {
            Ok(_) => Ok(()),
            Err(error) => self.fail("log", "level", &error.to_string()),
        }
    }

    fn blobs(
        &self,
        section: BlobsSection,
        dir: Option<PathBuf>,
        secret_variable: Variable,
    ) -> Result<Blobs, ConfigError> {
        let of_s3 = [
            "endpoint",
            "bucket",
            "region",
            "prefix",
            "access_key_id",
            "secret_access_key_file",
            "allow_http",
            "path_style",
        ];
        let foreign: &[&'static str] = match section.kind {
            BlobsKind::Disk => &of_s3,
            BlobsKind::S3 => &["path"],
            BlobsKind::Memory => {
                self.unset("blobs", "path", "belongs to kind = \"disk\"")?;
                &of_s3
            }
        };
        for key in foreign {
            self.unset("blobs", key, "belongs to another kind of [blobs]")?;
        }
        if let (BlobsKind::Disk | BlobsKind::Memory, Some((place, _))) =
            (section.kind, &secret_variable)
        {
            return Err(ConfigError::Invalid {
                place: place.clone(),
                message: "belongs to another kind of [blobs]".into(),
            });
        }
        match (section.kind, dir) {
            (BlobsKind::Disk, Some(path)) => Ok(Blobs::Disk { path }),
            (BlobsKind::Disk, None) | (BlobsKind::Memory, _) => Ok(Blobs::Memory),
            (BlobsKind::S3, _) => self.s3(section, secret_variable).map(Blobs::S3),
        }
    }

    fn s3(&self, section: BlobsSection, secret_variable: Variable) -> Result<S3Blobs, ConfigError> {
        let needed = |value: Option<String>, key: &'static str| match value {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(self.error("blobs", key, "kind = \"s3\" needs this setting")),
        };
        let endpoint = needed(section.endpoint, "endpoint")?;
        self.require(
            is_origin(&endpoint),
            "blobs",
            "endpoint",
            "an http:// or https:// URL of host and port alone, without a final slash",
        )?;
        self.require(
            section.allow_http || endpoint.starts_with("https://"),
            "blobs",
            "endpoint",
            "is not https; set allow_http = true to permit that",
        )?;
        let prefix_is_path = section.prefix.is_empty()
            || section
                .prefix
                .split('/')
                .all(|part| !matches!(part, "" | "." | ".."));
        self.require(
            prefix_is_path,
            "blobs",
            "prefix",
            "names parted by single slashes, with none at either end",
        )?;
        let secret_file = section
            .secret_access_key_file
            .as_deref()
            .map(|f| (self.tree.place("blobs", "secret_access_key_file"), f));
        let Some(secret_access_key) = secret::read(secret_variable, secret_file)? else {
            return self.fail(
                "blobs",
                "secret_access_key_file",
                "kind = \"s3\" needs this file, or the variable BULKHEAD_BLOBS_SECRET_ACCESS_KEY",
            );
        };
        Ok(S3Blobs {
            endpoint,
            bucket: needed(section.bucket, "bucket")?,
            region: section.region,
            prefix: section.prefix,
            access_key_id: needed(section.access_key_id, "access_key_id")?,
            secret_access_key,
            allow_http: section.allow_http,
            path_style: section.path_style,
        })
    }

    /// Copies of the data must not carry their key, nor the record that tells of their age.
    fn outside(
        &self,
        section: &'static str,
        key: &'static str,
        file: &Path,
        dir: &Path,
    ) -> Result<(), ConfigError> {
        let within = path::is_within(file, dir).map_err(|source| ConfigError::Unreadable {
            path: file.to_owned(),
            source,
        })?;
        if within {
            let message = format!(
                "{} must stand outside {}, links followed",
                file.display(),
                dir.display()
            );
            return self.fail(section, key, &message);
        }
        Ok(())
    }

    /// Files that have different duties are different files.
    fn distinct(&self, root: &Root, audit: &Audit, catalog: &Path) -> Result<(), ConfigError> {
        for (file, other, section, key) in [
            (
                &*audit.checkpoint_file,
                &*root.file,
                "audit",
                "checkpoint_file",
            ),
            (catalog, &*root.file, "catalog", "path"),
            (catalog, &*audit.checkpoint_file, "catalog", "path"),
        ] {
            let same = path::is_within(file, other).map_err(|source| ConfigError::Unreadable {
                path: file.to_owned(),
                source,
            })?;
            let message = format!("{} serves another purpose already", other.display());
            self.require(!same, section, key, &message)?;
        }
        Ok(())
    }

    fn positive(
        &self,
        section: &'static str,
        key: &'static str,
        value: u64,
    ) -> Result<(), ConfigError> {
        self.require(value > 0, section, key, "must be more than 0")
    }

    fn lasting(
        &self,
        section: &'static str,
        key: &'static str,
        value: Duration,
    ) -> Result<(), ConfigError> {
        self.require(!value.is_zero(), section, key, "must be more than 0")
    }

    fn unset(
        &self,
        section: &'static str,
        key: &'static str,
        why: &str,
    ) -> Result<(), ConfigError> {
        self.require(
            !self.tree.is_set(section, key),
            section,
            key,
            &format!("`{key}` {why}"),
        )
    }

    fn require(
        &self,
        holds: bool,
        section: &'static str,
        key: &'static str,
        message: &str,
    ) -> Result<(), ConfigError> {
        if holds {
            Ok(())
        } else {
            self.fail(section, key, message)
        }
    }

    fn fail<T>(
        &self,
        section: &'static str,
        key: &'static str,
        message: &str,
    ) -> Result<T, ConfigError> {
        Err(self.error(section, key, message))
    }

    fn error(&self, section: &'static str, key: &'static str, message: &str) -> ConfigError {
        ConfigError::Invalid {
            place: self.tree.place(section, key),
            message: format!("[{section}] {key}: {message}"),
        }
    }
}

/// What can stand in a host name between its dots.
pub(super) fn is_label(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_domain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

fn is_origin(text: &str) -> bool {
    text.parse::<http::Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|a| !a.as_str().contains('@'))
            && uri.path() == "/"
            && uri.query().is_none()
            && !text.ends_with('/')
    })
}

const TOKEN_BYTES_MIN: usize = 16;
