use std::borrow::Cow;

use names::{InvalidSecretPath, SecretPath, SecretPrefix};
use percent_encoding::percent_decode_str;

/// What the path of a request names, below `/v1/`.
///
/// ```text
/// secret/data/team/db          Secret(Data, "team/db")
/// secret/metadata              Folder("")
/// secret/metadata/team/        Folder("team/")
/// sys/internal/ui/mounts/…     MountOf { is_ours }
/// ```
///
/// A secret has one path here: what is encoded is decoded once, segment by segment, and an encoded
/// slash parts nothing and names nothing. No path begins with a slash, as names in AWS Secrets
/// Manager may: such secrets are not to be found by this API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A facet of a secret.
    Secret(Place, SecretPath),
    /// The secrets whose paths begin alike: nothing, or something that ends with a slash.
    Folder(SecretPrefix),
    /// Where a path is mounted.
    MountOf {
        /// Whether it lies in the one mount that there is.
        is_ours: bool,
    },
    /// One of a kind.
    Only(Place),
}

/// A place of the API. What may be done there is for whoever answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Values of a secret.
    Data,
    /// What is known of a secret beside its values.
    Metadata,
    /// Deletes versions.
    Delete,
    /// Brings versions back.
    Undelete,
    /// Destroys versions.
    Destroy,
    /// The names in a value.
    Subkeys,
    /// The secrets below a path.
    Folder,
    /// How the mount keeps secrets.
    Config,
    /// Shows the token.
    LookupSelf,
    /// Renews the token.
    RenewSelf,
    /// Revokes the token.
    RevokeSelf,
    /// Makes a token, with or without a parent or a role.
    CreateToken,
    /// What the token may do at paths.
    CapabilitiesSelf,
    /// Makes a token for an agent.
    AppRoleLogin,
    /// Whether the server works.
    Health,
    /// Whether the server is sealed.
    SealStatus,
    /// Whether the server is initialized.
    Init,
    /// Which server leads.
    Leader,
    /// What is mounted.
    Mounts,
    /// What is mounted, as clients look before they work.
    UiMounts,
    /// Where a path is mounted, as clients look before they work.
    UiMount,
}

/// The path names nothing that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// There is no such place.
    #[error("no handler for this route")]
    NoSuchPlace,
    /// The place is one of secrets, and what follows is not the path of one.
    #[error(transparent)]
    Path(#[from] InvalidSecretPath),
}

impl Target {
    /// Reads a path as it came, without what stands before and at `/v1/`.
    pub fn parse(path: &str) -> Result<Self, InvalidTarget> {
        if let Some(place) = ONLY.iter().find(|place| place.template() == path) {
            return Ok(Self::Only(*place));
        }
        if path == CREATE_ORPHAN || path.starts_with(CREATE_BY_ROLE) {
            return Ok(Self::Only(Place::CreateToken));
        }
        if let Some(rest) = path.strip_prefix(UI_MOUNTS) {
            let mount = rest.split('/').next();
            return Ok(Self::MountOf {
                is_ours: mount == Some(MOUNT),
            });
        }
        let rest = path
            .strip_prefix(MOUNT)
            .and_then(|rest| rest.strip_prefix('/'));
        let rest = rest.ok_or(InvalidTarget::NoSuchPlace)?;
        let (facet, path) = match rest.split_once('/') {
            Some((facet, path)) => (facet, Some(path)),
            None => (rest, None),
        };
        let place = FACETS.iter().find(|(named, _)| *named == facet);
        let (_, place) = place.ok_or(InvalidTarget::NoSuchPlace)?;
        let path = decoded(path.unwrap_or_default())?;
        match place {
            Place::Metadata if path.is_empty() || path.ends_with('/') => {
                // The templates of HashiCorp's generated clients end with a slash of their own.
                folder(
                    path.strip_suffix('/')
                        .filter(|_| is_doubled(&path))
                        .unwrap_or(&path),
                )
            }
            place => Ok(Self::Secret(*place, secret_path(&path)?)),
        }
    }

    /// Reads a path as a body names it: nothing in it is encoded, and it may begin with a slash.
    pub fn named(path: &str) -> Result<Self, InvalidTarget> {
        let path = path.strip_prefix('/').unwrap_or(path);
        Self::parse(&path.replace('%', "%25"))
    }

    /// The place.
    pub fn place(&self) -> Place {
        match self {
            Self::Secret(place, _) | Self::Only(place) => *place,
            Self::Folder(_) => Place::Folder,
            Self::MountOf { .. } => Place::UiMount,
        }
    }

    /// The target of a listing: a secret's path means what lies below it, too.
    pub fn listed(self) -> Result<Self, InvalidTarget> {
        match self {
            Self::Secret(Place::Metadata, path) => folder(&format!("{path}/")),
            target => Ok(target),
        }
    }
}

impl Place {
    /// Its path below `/v1/`, with what varies in braces.
    pub fn template(self) -> &'static str {
        match self {
            Self::Data => "secret/data/{path}",
            Self::Metadata => "secret/metadata/{path}",
            Self::Delete => "secret/delete/{path}",
            Self::Undelete => "secret/undelete/{path}",
            Self::Destroy => "secret/destroy/{path}",
            Self::Subkeys => "secret/subkeys/{path}",
            Self::Folder => "secret/metadata/{folder}",
            Self::Config => "secret/config",
            Self::LookupSelf => "auth/token/lookup-self",
            Self::RenewSelf => "auth/token/renew-self",
            Self::RevokeSelf => "auth/token/revoke-self",
            Self::CreateToken => "auth/token/create",
            Self::CapabilitiesSelf => "sys/capabilities-self",
            Self::AppRoleLogin => "auth/approle/login",
            Self::Health => "sys/health",
            Self::SealStatus => "sys/seal-status",
            Self::Init => "sys/init",
            Self::Leader => "sys/leader",
            Self::Mounts => "sys/mounts",
            Self::UiMounts => "sys/internal/ui/mounts",
            Self::UiMount => "sys/internal/ui/mounts/{mount}",
        }
    }
}

fn folder(text: &str) -> Result<Target, InvalidTarget> {
    if text.starts_with('/') {
        return Err(InvalidSecretPath.into());
    }
    Ok(Target::Folder(SecretPrefix::parse(text)?))
}

fn secret_path(text: &str) -> Result<SecretPath, InvalidTarget> {
    if text.starts_with('/') {
        return Err(InvalidSecretPath.into());
    }
    Ok(SecretPath::parse(text)?)
}

/// Whether a folder's path ends with one slash more than it needs.
fn is_doubled(path: &str) -> bool {
    path == "/" || path.ends_with("//")
}

/// Decodes a path once. An encoded slash is one that parts segments, as HashiCorp's server has it:
/// its generated clients encode those of a path, too.
fn decoded(path: &str) -> Result<Cow<'_, str>, InvalidTarget> {
    let text = percent_decode_str(path).decode_utf8();
    text.map_err(|_| InvalidSecretPath.into())
}

/// Where secrets are mounted, as a new server of HashiCorp's has them.
const MOUNT: &str = "secret";
const UI_MOUNTS: &str = "sys/internal/ui/mounts/";
const CREATE_ORPHAN: &str = "auth/token/create-orphan";
const CREATE_BY_ROLE: &str = "auth/token/create/";

const FACETS: &[(&str, Place)] = &[
    ("data", Place::Data),
    ("metadata", Place::Metadata),
    ("delete", Place::Delete),
    ("undelete", Place::Undelete),
    ("destroy", Place::Destroy),
    ("subkeys", Place::Subkeys),
];

const ONLY: &[Place] = &[
    Place::Config,
    Place::LookupSelf,
    Place::RenewSelf,
    Place::RevokeSelf,
    Place::CreateToken,
    Place::CapabilitiesSelf,
    Place::AppRoleLogin,
    Place::Health,
    Place::SealStatus,
    Place::Init,
    Place::Leader,
    Place::Mounts,
    Place::UiMounts,
];
