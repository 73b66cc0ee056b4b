use wire::kv::Place;

use super::token::LOG_IN;
use crate::authz::{
    Action, DeleteSecret, DescribeSecret, ListSecrets, ManageSettings, PutSecret, ReadSettings,
    RevealSecret, RevokeOwnCredential, ShowSelf,
};
use crate::http::pipeline::Intent;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Shows a value.
    ReadValue,
    /// Writes a value.
    WriteValue,
    /// Writes a value, made of the current one and a merge patch.
    PatchValue,
    /// Deletes the current version.
    DeleteCurrent,
    /// Shows the names in a value.
    ReadSubkeys,
    /// Changes what becomes of versions.
    ChangeVersions(VersionChange),
    /// Shows what is known of a secret beside its values.
    ReadMetadata,
    /// Changes it, or makes the secret.
    WriteMetadata,
    /// Changes it by a merge patch.
    PatchMetadata,
    /// Deletes a secret with all that is known of it.
    DeleteMetadata,
    /// Lists secrets.
    List,
    /// Shows how secrets are kept that do not say so themselves.
    ReadConfig,
    /// Changes it.
    WriteConfig,
    /// Shows the token.
    LookupSelf,
    /// Renews the token.
    RenewSelf,
    /// Revokes the token.
    RevokeSelf,
    /// Shows what is mounted.
    ReadMounts,
    /// Shows what is mounted, as clients look before they work.
    ReadUiMounts,
    /// Shows where a path is mounted.
    ReadUiMount,
    /// Shows what the token may do at paths.
    ReadCapabilities,
    /// Makes a token for an agent.
    LogIn,
    /// Whether the server works.
    ReadHealth,
    /// Whether the server is sealed.
    ReadSealStatus,
    /// Whether the server is initialized.
    ReadInit,
    /// Which server leads.
    ReadLeader,
}

/// What becomes of versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VersionChange {
    /// They are deleted.
    Delete,
    /// They are brought back.
    Undelete,
    /// Their values are destroyed.
    Destroy,
}

/// One thing that can be asked for: where, by which methods, and what it is in logs.
#[derive(Debug)]
pub struct Route {
    /// Its name in logs and metrics.
    pub name: &'static str,
    /// Where.
    pub place: Place,
    /// By which methods; a GET that says that it lists is a `LIST`.
    pub methods: &'static [&'static str],
    /// What is done.
    pub operation: Operation,
    /// The action that has to be allowed; none where nobody has to be authenticated.
    pub action: Option<&'static str>,
    pub(super) intent: Intent,
}

impl Route {
    /// The route of a request; or the methods that its place takes.
    pub(super) fn of(place: Place, method: &str) -> Result<&'static Self, Vec<&'static str>> {
        let of_place = || ROUTES.iter().filter(move |route| route.place == place);
        of_place()
            .find(|route| route.methods.contains(&method))
            .ok_or_else(|| {
                of_place()
                    .flat_map(|route| route.methods)
                    .copied()
                    .collect()
            })
    }

    const fn new(
        name: &'static str,
        place: Place,
        methods: &'static [&'static str],
        operation: Operation,
    ) -> Self {
        Self {
            name,
            place,
            methods,
            operation,
            action: None,
            intent: Intent::None,
        }
    }

    /// What it is of whoever asks. What changes something, or shows a value, stands in the log
    /// before it is done.
    const fn does(self, action: &'static str, intent: Intent) -> Self {
        Self {
            action: Some(action),
            intent,
            ..self
        }
    }
}

/// Every route there is.
pub const ROUTES: &[Route] = &[
    Route::new("KvReadValue", Place::Data, READ, Operation::ReadValue)
        .does(RevealSecret::NAME, Intent::Durable),
    Route::new("KvWriteValue", Place::Data, WRITE, Operation::WriteValue)
        .does(PutSecret::NAME, Intent::Durable),
    Route::new("KvPatchValue", Place::Data, PATCH, Operation::PatchValue)
        .does(PutSecret::NAME, Intent::Durable),
    Route::new(
        "KvDeleteCurrent",
        Place::Data,
        DELETE,
        Operation::DeleteCurrent,
    )
    .does(DeleteSecret::NAME, Intent::Durable),
    Route::new(
        "KvReadSubkeys",
        Place::Subkeys,
        READ,
        Operation::ReadSubkeys,
    )
    .does(RevealSecret::NAME, Intent::Durable),
    Route::new(
        "KvDeleteVersions",
        Place::Delete,
        WRITE,
        Operation::ChangeVersions(VersionChange::Delete),
    )
    .does(DeleteSecret::NAME, Intent::Durable),
    Route::new(
        "KvUndeleteVersions",
        Place::Undelete,
        WRITE,
        Operation::ChangeVersions(VersionChange::Undelete),
    )
    .does(PutSecret::NAME, Intent::Durable),
    Route::new(
        "KvDestroyVersions",
        Place::Destroy,
        WRITE,
        Operation::ChangeVersions(VersionChange::Destroy),
    )
    .does(DeleteSecret::NAME, Intent::Durable),
    Route::new(
        "KvReadMetadata",
        Place::Metadata,
        READ,
        Operation::ReadMetadata,
    )
    .does(DescribeSecret::NAME, Intent::None),
    Route::new(
        "KvWriteMetadata",
        Place::Metadata,
        WRITE,
        Operation::WriteMetadata,
    )
    .does(PutSecret::NAME, Intent::Durable),
    Route::new(
        "KvPatchMetadata",
        Place::Metadata,
        PATCH,
        Operation::PatchMetadata,
    )
    .does(PutSecret::NAME, Intent::Durable),
    Route::new(
        "KvDeleteMetadata",
        Place::Metadata,
        DELETE,
        Operation::DeleteMetadata,
    )
    .does(DeleteSecret::NAME, Intent::Durable),
    Route::new("KvList", Place::Folder, &[LIST], Operation::List)
        .does(ListSecrets::NAME, Intent::None),
    Route::new("KvReadConfig", Place::Config, READ, Operation::ReadConfig)
        .does(ReadSettings::NAME, Intent::None),
    Route::new(
        "KvWriteConfig",
        Place::Config,
        WRITE,
        Operation::WriteConfig,
    )
    .does(ManageSettings::NAME, Intent::Durable),
    Route::new(
        "KvLookupSelf",
        Place::LookupSelf,
        READ,
        Operation::LookupSelf,
    )
    .does(ShowSelf::NAME, Intent::None),
    Route::new("KvRenewSelf", Place::RenewSelf, WRITE, Operation::RenewSelf)
        .does(ShowSelf::NAME, Intent::None),
    Route::new(
        "KvRevokeSelf",
        Place::RevokeSelf,
        WRITE,
        Operation::RevokeSelf,
    )
    .does(RevokeOwnCredential::NAME, Intent::Durable),
    Route::new("KvReadMounts", Place::Mounts, READ, Operation::ReadMounts)
        .does(ShowSelf::NAME, Intent::None),
    Route::new(
        "KvReadUiMounts",
        Place::UiMounts,
        READ,
        Operation::ReadUiMounts,
    )
    .does(ShowSelf::NAME, Intent::None),
    Route::new(
        "KvReadUiMount",
        Place::UiMount,
        READ,
        Operation::ReadUiMount,
    )
    .does(ShowSelf::NAME, Intent::None),
    Route::new(
        "KvReadCapabilities",
        Place::CapabilitiesSelf,
        WRITE,
        Operation::ReadCapabilities,
    )
    .does(ShowSelf::NAME, Intent::None),
    Route::new(LOG_IN, Place::AppRoleLogin, WRITE, Operation::LogIn),
    Route::new("KvReadHealth", Place::Health, HEALTH, Operation::ReadHealth),
    Route::new(
        "KvReadSealStatus",
        Place::SealStatus,
        READ,
        Operation::ReadSealStatus,
    ),
    Route::new("KvReadInit", Place::Init, READ, Operation::ReadInit),
    Route::new("KvReadLeader", Place::Leader, READ, Operation::ReadLeader),
];

/// The method of listings, which HTTP does not know.
pub(super) const LIST: &str = "LIST";
const READ: &[&str] = &["GET"];
const HEALTH: &[&str] = &["GET", "HEAD"];
const WRITE: &[&str] = &["POST", "PUT"];
const PATCH: &[&str] = &["PATCH"];
const DELETE: &[&str] = &["DELETE"];
