use std::time::Duration;

use names::OrgId;
use schemars::JsonSchema;
use serde::Serialize;

use super::time::rfc3339;
use crate::catalog::Destruction;

/// What an operator hands over when an organization was destroyed: what is gone, and what is not
/// gone yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Certificate {
    /// The organization.
    pub organization: String,
    /// When its keys were deleted: from then on nothing that was sealed under them opens in a
    /// catalog that is not older.
    pub destroyed_at: String,
    /// When this certificate was made.
    pub issued_at: String,
    /// How many versions of its key there were.
    pub key_versions_destroyed: u32,
    /// How many objects they sealed.
    pub objects_destroyed: u64,
    /// How many bytes of plaintext, in objects and parts.
    pub bytes_destroyed: u64,
    /// How many sealed blobs this run deleted.
    pub blobs_deleted: u64,
    /// Whether nothing is outstanding that this program can know of.
    pub complete: bool,
    /// What is outstanding.
    pub pending: Vec<Pending>,
}

/// Why what was destroyed may still be readable somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Pending {
    /// Processes that have not stated that they dropped the keys.
    Nodes {
        /// Which.
        nodes: Vec<String>,
    },
    /// Blobs that could not be deleted.
    Blobs {
        /// How many were met; a list that broke off may hide more.
        seen: u64,
        /// Why the last was not.
        reason: String,
    },
    /// The wrapped keys may still stand in free pages or in the log of the catalog.
    Scrub {
        /// Why they were not wiped.
        reason: String,
    },
    /// Root versions that wrapped the keys exist: with one of them and an old copy of the catalog
    /// the keys can be had back.
    Root {
        /// Which root.
        root: String,
        /// The versions in its file; none when the file at hand is of another root.
        versions: Vec<u32>,
        /// What to do about it.
        todo: String,
    },
    /// Copies outside this program's reach: of the catalog (names, sizes and times in clear) and
    /// of the root key file. They end when they expire.
    Backups {
        /// When the last one expires that may hold the keys, if it is set how long backups are
        /// kept.
        until: Option<String>,
    },
}

impl Certificate {
    pub(super) fn new(
        org: OrgId,
        destruction: &Destruction,
        blobs_deleted: u64,
        issued_ms: u64,
        pending: Vec<Pending>,
    ) -> Self {
        Self {
            organization: org.to_string(),
            destroyed_at: rfc3339(destruction.at_ms),
            issued_at: rfc3339(issued_ms),
            key_versions_destroyed: destruction.key_versions,
            objects_destroyed: destruction.objects,
            bytes_destroyed: destruction.bytes,
            blobs_deleted,
            complete: pending
                .iter()
                .all(|one| matches!(one, Pending::Backups { .. })),
            pending,
        }
    }
}

impl Certificate {
    /// Whether nothing is left to do for a run of the destruction: what is outstanding is others'.
    pub(super) fn is_swept(&self) -> bool {
        !self.pending.iter().any(Pending::is_of_a_run)
    }
}

impl Pending {
    /// Whether another run can do something about it.
    pub(super) fn is_of_a_run(&self) -> bool {
        match self {
            Self::Nodes { .. } | Self::Blobs { .. } | Self::Scrub { .. } => true,
            Self::Root { .. } | Self::Backups { .. } => false,
        }
    }

    /// The backups that may hold the keys, unless the last one has expired: one made right before
    /// the keys were deleted is kept for `lifetime` from then on.
    pub(super) fn backups(
        destruction: &Destruction,
        lifetime: Option<Duration>,
        now_ms: u64,
    ) -> Option<Self> {
        let Some(lifetime) = lifetime else {
            return Some(Self::Backups { until: None });
        };
        let kept_ms = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        let until_ms = destruction.at_ms.saturating_add(kept_ms);
        (now_ms < until_ms).then(|| Self::Backups {
            until: Some(rfc3339(until_ms)),
        })
    }

    pub(super) fn root(destruction: &Destruction, versions: Vec<u32>) -> Self {
        let newest = destruction.root_version;
        let todo = match versions.as_slice() {
            [] => format!(
                "versions up to {newest} of this root must be destroyed where its file is kept"
            ),
            _ => format!(
                "versions up to {newest} must be rotated and destroyed: `bulkhead root rotate`, \
                 then `bulkhead root destroy-version` for each"
            ),
        };
        Self::Root {
            root: destruction.root.to_string(),
            versions,
            todo,
        }
    }
}
