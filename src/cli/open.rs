use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use names::NodeId;

use crate::audit::{Audit, AuditError, PlatformEvent};
use crate::blobs::Blobs;
use crate::catalog::{Catalog, Jobs, PlatformCatalog, SqliteStore, doors};
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::drive::{Drive, DriveSettings};
use crate::entropy::Entropy;
use crate::keyring::Keyring;
use crate::ops::{Administration, provision};
use crate::tenancy::Tenancy;

/// The catalog behind its three doors, and what opens it: the part of the composition that every
/// command shares.
pub(super) struct Opened {
    /// Of this process: its chains in the activity logs.
    pub(super) node: NodeId,
    pub(super) catalog: Catalog,
    pub(super) platform: PlatformCatalog,
    pub(super) jobs: Jobs,
    pub(super) keyring: Arc<Keyring>,
    pub(super) tenancy: Arc<Tenancy>,
    pub(super) audit: Arc<Audit>,
    pub(super) administration: Arc<Administration>,
    pub(super) clock: Clock,
    pub(super) entropy: Entropy,
}

/// What to do where nothing has been made yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Absent {
    /// Make the data directory, the catalog and the root key file.
    Make,
    /// Refuse: a command that works on what is there, pointed at the wrong place, makes nothing.
    Refuse,
}

/// There is no catalog where the settings say.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no catalog at {}: `bulkhead serve` makes it when it starts for the first time",
    path.display()
)]
pub(super) struct NoCatalog {
    path: PathBuf,
}

impl Opened {
    /// Opens catalog and keys as the settings say, and provisions the platform.
    pub(super) async fn open(
        config: &Config,
        absent: Absent,
    ) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let clock = Clock::system();
        let entropy = Entropy::system();
        let path = config.catalog_path();
        if absent == Absent::Refuse && !path.exists() {
            return Err(NoCatalog { path }.into());
        }
        let (readers, store_clock) = (config.catalog.readers, clock.clone());
        let store =
            tokio::task::spawn_blocking(move || SqliteStore::open(&path, readers, store_clock))
                .await??;
        let (catalog, platform, jobs) = doors(store);
        let root = provision::root_file(&config.root.file, &platform, &entropy).await?;
        let keyring = Arc::new(Keyring::new(
            platform.clone(),
            root,
            ORGANIZATIONS_MAX,
            clock.clone(),
            entropy.clone(),
        ));
        provision::platform(&keyring).await?;
        let tenancy = Arc::new(Tenancy::new(
            platform.clone(),
            Arc::clone(&keyring),
            clock.clone(),
            entropy.clone(),
        ));
        let node = NodeId::from_bytes(entropy.uuid_v7(clock.now_ms()));
        let audit = Arc::new(Audit::new(
            node,
            catalog.clone(),
            platform.clone(),
            Arc::clone(&keyring),
            &config.audit,
            clock.clone(),
        ));
        let administration = Arc::new(Administration::new(
            Arc::clone(&tenancy),
            Arc::clone(&audit),
            clock.clone(),
        ));
        Ok(Self {
            node,
            catalog,
            platform,
            jobs,
            keyring,
            tenancy,
            audit,
            administration,
            clock,
            entropy,
        })
    }

    /// The files of this catalog and of `blobs`.
    pub(super) fn drive(&self, settings: &config::Drive, blobs: Arc<dyn Blobs>) -> Drive {
        let settings = DriveSettings {
            inline_max: settings.inline_max,
            memory_max: settings.memory_max,
            opaque_etags: settings.opaque_etags,
            trash_delay: settings.trash_delay,
        };
        Drive::new(
            self.catalog.clone(),
            blobs,
            Arc::clone(&self.keyring),
            settings,
            self.clock.clone(),
            self.entropy.clone(),
        )
    }

    /// Records in the platform's log what the operator is about to do to keys.
    pub(super) async fn record(&self, what: String) -> Result<(), AuditError> {
        self.audit
            .record_platform(PlatformEvent {
                at_ms: self.clock.now_ms(),
                source: None,
                what,
            })
            .await
    }
}

/// How many organizations' keys are kept open: a few kilobytes each.
const ORGANIZATIONS_MAX: u64 = 4096;
