use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use super::secret::Secret;
use super::units;

/// `[data]`: where the gateway keeps what it writes.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// The directory for catalog and blobs, unless these name their own.
    pub dir: PathBuf,
    /// How long backups of the catalog and of the root key file are kept: certificates of
    /// destruction say by it when the last one of an organization's keys expires.
    #[serde(deserialize_with = "units::some_duration")]
    pub backups_kept: Option<Duration>,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            dir: "./bulkhead-data".into(),
            backups_kept: None,
        }
    }
}

/// `[root]`: the key that opens all others.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Root {
    /// The root key file: outside the data directory and the blobs, so that no copy of the data
    /// carries its own key.
    pub file: PathBuf,
}

impl Default for Root {
    fn default() -> Self {
        Self {
            file: "./bulkhead-root.key".into(),
        }
    }
}

/// `[net]`: the bounds of a connection, on every listener.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Net {
    /// Open connections per listener; more wait in the accept queue of the system.
    pub connections_max: u32,
    /// Concurrent requests on one HTTP/2 connection.
    pub streams_max: u32,
    /// Bytes of a request's header section, and on HTTP/1 of its request line.
    #[serde(deserialize_with = "units::bytes")]
    pub header_bytes_max: u64,
    /// Header fields of an HTTP/1 request.
    pub headers_max: u32,
    /// From the first byte of a request to the end of its header section.
    #[serde(deserialize_with = "units::duration")]
    pub header_timeout: Duration,
    /// How long a connection may stay open without a request.
    #[serde(deserialize_with = "units::duration")]
    pub keepalive_timeout: Duration,
    /// The longest pause inside a request body.
    #[serde(deserialize_with = "units::duration")]
    pub body_idle_timeout: Duration,
    /// How long a client may take nothing of what is ready for it.
    #[serde(deserialize_with = "units::duration")]
    pub write_idle_timeout: Duration,
    /// From accepting a connection to the end of the TLS handshake.
    #[serde(deserialize_with = "units::duration")]
    pub tls_handshake_timeout: Duration,
    /// How often the certificate folders are looked at for a change.
    #[serde(deserialize_with = "units::duration")]
    pub tls_reload_interval: Duration,
    /// How long a stop waits for requests in flight.
    #[serde(deserialize_with = "units::duration")]
    pub drain_timeout: Duration,
}

impl Default for Net {
    fn default() -> Self {
        Self {
            connections_max: 1024,
            streams_max: 128,
            header_bytes_max: 32 << 10,
            headers_max: 128,
            header_timeout: Duration::from_secs(10),
            keepalive_timeout: Duration::from_secs(75),
            body_idle_timeout: Duration::from_secs(30),
            write_idle_timeout: Duration::from_secs(30),
            tls_handshake_timeout: Duration::from_secs(10),
            tls_reload_interval: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// `[api]`: the listener that speaks S3.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Api {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Domain of virtual-hosted addressing, `{bucket}.{org}.{domain}`. None: path style only.
    pub domain: Option<String>,
    /// The region that signatures must name.
    pub region: String,
    /// The endpoint as clients reach it, when a proxy stands in front. Without a final slash.
    pub public_url: Option<String>,
    /// Folder of `<name>.crt` or `<name>.pem` beside `<name>.key`. None: no TLS.
    pub tls_dir: Option<PathBuf>,
}

impl Default for Api {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 9000).into(),
            domain: None,
            region: "us-east-1".into(),
            public_url: None,
            tls_dir: None,
        }
    }
}

/// `[control]`: the listener of operators.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Control {
    /// Address and port; port 0 takes a free one.
    pub listen: SocketAddr,
    /// File of the bearer token that `/api/v1` and `/metrics` ask for. Without a token, neither
    /// this nor the variable, they refuse everybody.
    pub operator_token_file: Option<PathBuf>,
    /// As for `[api]`.
    pub tls_dir: Option<PathBuf>,
    /// Who may make an account.
    pub sign_ups: SignUps,
}

impl Default for Control {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 9001).into(),
            operator_token_file: None,
            tls_dir: None,
            sign_ups: SignUps::Closed,
        }
    }
}

/// Who may make an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignUps {
    /// Anybody who reaches the listener.
    Open,
    /// The operator, and whoever was invited.
    Closed,
}

/// `[catalog]`: the metadata.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Catalog {
    /// The SQLite file. None: `catalog.sqlite` in the data directory.
    pub path: Option<PathBuf>,
    /// Connections that read beside the one that writes.
    pub readers: u32,
}

impl Default for Catalog {
    fn default() -> Self {
        Self {
            path: None,
            readers: 4,
        }
    }
}

/// Where sealed bytes are kept: `[blobs]`, read for its kind.
pub enum Blobs {
    /// A directory of the local file system.
    Disk {
        /// The directory.
        path: PathBuf,
    },
    /// The memory of this process, for trials: a stop loses every object that is not inline.
    Memory,
    /// A bucket of an S3-compatible service.
    S3(S3Blobs),
}

/// A bucket of an S3-compatible service.
pub struct S3Blobs {
    /// The service, as `https://host[:port]`.
    pub endpoint: String,
    /// The bucket.
    pub bucket: String,
    /// The region that requests are signed for.
    pub region: String,
    /// Put before every name, without slashes at its ends; may be empty.
    pub prefix: String,
    /// The public half of the access key.
    pub access_key_id: String,
    /// The secret half of the access key.
    pub secret_access_key: Secret,
    /// Whether an `http://` endpoint is accepted. What it carries is sealed; the signature is not
    /// hidden.
    pub allow_http: bool,
    /// `endpoint/bucket/name` rather than `bucket.endpoint/name`.
    pub path_style: bool,
}

/// `[blobs]` as it is written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct BlobsSection {
    pub(super) kind: BlobsKind,
    pub(super) path: Option<PathBuf>,
    pub(super) endpoint: Option<String>,
    pub(super) bucket: Option<String>,
    pub(super) region: String,
    pub(super) prefix: String,
    pub(super) access_key_id: Option<String>,
    pub(super) secret_access_key_file: Option<PathBuf>,
    pub(super) allow_http: bool,
    pub(super) path_style: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum BlobsKind {
    Disk,
    Memory,
    S3,
}

impl Default for BlobsSection {
    fn default() -> Self {
        Self {
            kind: BlobsKind::Disk,
            path: None,
            endpoint: None,
            bucket: None,
            region: "us-east-1".into(),
            prefix: String::new(),
            access_key_id: None,
            secret_access_key_file: None,
            allow_http: false,
            path_style: true,
        }
    }
}

/// `[drive]`: files.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Drive {
    /// Bodies up to this many bytes live sealed in their catalog row.
    #[serde(deserialize_with = "units::bytes")]
    pub inline_max: u64,
    /// Bytes of body buffers that all requests share; who finds none waits.
    #[serde(deserialize_with = "units::bytes")]
    pub memory_max: u64,
    /// Answers ETags that are no MD5 (they end in `-1`), and saves its cost.
    pub opaque_etags: bool,
    /// How often replaced and deleted blobs are collected.
    #[serde(deserialize_with = "units::duration")]
    pub collect_interval: Duration,
    /// How long a replaced blob stays for the readers that have begun.
    #[serde(deserialize_with = "units::duration")]
    pub trash_delay: Duration,
    /// How often the store is searched for blobs that no row names.
    #[serde(deserialize_with = "units::duration")]
    pub orphan_sweep_interval: Duration,
    /// The age at which such a blob counts as left over from a crash.
    #[serde(deserialize_with = "units::duration")]
    pub orphan_age: Duration,
    /// How long a multipart upload may get no part before it is given up; zero: for ever.
    #[serde(deserialize_with = "units::duration")]
    pub abandoned_upload_age: Duration,
}

impl Default for Drive {
    fn default() -> Self {
        Self {
            inline_max: 16 << 10,
            memory_max: 64 << 20,
            opaque_etags: false,
            collect_interval: Duration::from_secs(60),
            trash_delay: Duration::from_secs(60 * 60),
            orphan_sweep_interval: Duration::from_secs(6 * 60 * 60),
            orphan_age: Duration::from_secs(24 * 60 * 60),
            abandoned_upload_age: Duration::from_secs(7 * 24 * 60 * 60),
        }
    }
}

/// `[audit]`: the activity log.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Audit {
    /// Signed checkpoints are appended here: outside the data directory and the blobs, since they
    /// tell whether these were rolled back.
    pub checkpoint_file: PathBuf,
    /// How often a checkpoint is written.
    #[serde(deserialize_with = "units::duration")]
    pub checkpoint_interval: Duration,
    /// How long the record of a read of files may wait to be written with others.
    #[serde(deserialize_with = "units::duration")]
    pub batch_delay_max: Duration,
    /// Refusals that one principal may have recorded in a second; more are told to slow down.
    pub refusals_per_second_max: u32,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            checkpoint_file: "./bulkhead-checkpoints.jsonl".into(),
            checkpoint_interval: Duration::from_secs(60),
            batch_delay_max: Duration::from_secs(1),
            refusals_per_second_max: 20,
        }
    }
}

/// `[[oidc]]`: an OpenID provider, by whose tokens agents get sessions and people log in. Named as
/// OpenID Connect names things.
pub struct OidcProvider {
    /// What log-ins and variables call it.
    pub name: String,
    /// The issuer, exactly as its tokens and its metadata say it.
    pub issuer: String,
    /// As what this gateway is registered there. None: nobody logs in by it.
    pub client_id: Option<String>,
    /// What proves that. None: a public client.
    pub client_secret: Option<Secret>,
    /// What an agent's token may name as its audience; each holds `{organization}` once, which
    /// stands for an organization's identifier.
    pub audiences: Vec<String>,
    /// By what its tokens may be signed.
    pub id_token_signing_alg_values: Vec<String>,
}

/// `[[oidc]]` as it is written.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct OidcSection {
    pub(super) name: String,
    pub(super) issuer: String,
    pub(super) client_id: Option<String>,
    pub(super) client_secret_file: Option<PathBuf>,
    pub(super) audiences: Vec<String>,
    pub(super) id_token_signing_alg_values: Vec<String>,
}

impl Default for OidcSection {
    fn default() -> Self {
        Self {
            name: String::new(),
            issuer: String::new(),
            client_id: None,
            client_secret_file: None,
            audiences: vec![format!("urn:bulkhead:organization:{ORGANIZATION}")],
            id_token_signing_alg_values: SIGNING_ALG_VALUES.map(str::to_owned).to_vec(),
        }
    }
}

/// What stands for an organization's identifier in an audience.
pub const ORGANIZATION: &str = "{organization}";
/// What ID tokens may be signed by: neither `none` nor a shared secret.
pub(super) const SIGNING_ALG_VALUES: [&str; 9] = [
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
];

/// `[log]`: what goes to standard error.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// For people or for machines.
    pub format: LogFormat,
    /// A level, or directives of tracing's `EnvFilter` such as `info,bulkhead::http=debug`.
    pub level: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            level: "info".into(),
        }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One readable line.
    Text,
    /// One JSON object.
    Json,
}
