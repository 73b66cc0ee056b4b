use std::sync::Arc;

use super::jobs::Jobs;
use super::organization::OrgCatalog;
use super::platform::PlatformCatalog;
use crate::authz::{Action, Permit};
use crate::catalog::Store;

/// The catalog as the domain modules hold it: a door that opens only to a permit.
#[derive(Clone)]
pub struct Catalog {
    store: Arc<dyn Store>,
}

/// Opens the three doors of a store. The composition root calls this once and hands each door to
/// whom it belongs; nothing else opens a catalog.
pub fn doors(store: Arc<dyn Store>) -> (Catalog, PlatformCatalog, Jobs) {
    (
        Catalog {
            store: Arc::clone(&store),
        },
        PlatformCatalog {
            store: Arc::clone(&store),
        },
        Jobs { store },
    )
}

impl Catalog {
    /// Opens the organization that `permit` is for.
    pub fn open<A: Action>(&self, permit: &Permit<A>) -> OrgCatalog {
        OrgCatalog {
            store: Arc::clone(&self.store),
            org: permit.org(),
        }
    }
}
