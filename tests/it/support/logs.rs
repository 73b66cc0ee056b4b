//! The activity logs, as an auditor who has the root key reads them out of the catalog's file.

use std::collections::BTreeMap;
use std::sync::Arc;

use bulkhead::audit::{AuditReader, Entry, Outcome};
use bulkhead::authz::{Operator, read_activity_as_operator};
use bulkhead::catalog::{Catalog, PlatformCatalog, SqliteStore, Store, doors};
use bulkhead::clock::Clock;
use bulkhead::entropy::Entropy;
use bulkhead::keyring::{Keyring, RootFile};
use names::{OrgId, Slug};

use super::house::House;

/// The logs of a house.
pub struct Logs {
    catalog: Catalog,
    platform: PlatformCatalog,
    keyring: Arc<Keyring>,
    operator: Operator,
}

impl Logs {
    /// Opens the catalog beside the server, or without one.
    pub async fn of(house: &House) -> Self {
        let clock = Clock::system();
        let path = house.data().join("catalog.sqlite");
        let store: Arc<dyn Store> = SqliteStore::open(&path, 1, clock.clone()).expect("a catalog");
        store.poll().await.expect("a catalog that answers");
        let (catalog, platform, _) = doors(store);
        let root = RootFile::open(&house.root_file()).expect("a root key");
        let keyring = Keyring::new(platform.clone(), root, 64, clock, Entropy::system());
        Self {
            catalog,
            platform,
            keyring: Arc::new(keyring),
            operator: Operator::authenticated(),
        }
    }

    /// What stands in the log of an organization.
    pub async fn organization(&self, slug: &str) -> Vec<Entry> {
        let org = self.org(slug).await;
        let permit = read_activity_as_operator(&self.operator, org);
        self.read(AuditReader::new(
            &self.catalog,
            Arc::clone(&self.keyring),
            permit,
        ))
        .await
    }

    /// What stands in the platform's log.
    pub async fn platform(&self) -> Vec<Entry> {
        self.read(AuditReader::platform(
            &self.operator,
            self.platform.clone(),
            Arc::clone(&self.keyring),
        ))
        .await
    }

    /// How many times the platform's log says that something was damaged. It gathers, and is written
    /// at a clean end at the latest.
    pub async fn damaged_in_platform(&self) -> u64 {
        let entries = self.platform().await;
        let counts = entries.iter().map(|entry| match &entry.outcome {
            Outcome::Stated { reason } if reason.starts_with("damaged") => entry.count,
            _ => 0,
        });
        counts.sum()
    }

    async fn read(&self, reader: AuditReader) -> Vec<Entry> {
        let mut entries = Vec::new();
        let report = reader
            .walk(&BTreeMap::new(), |logged| {
                entries.push(logged.entry.clone());
            })
            .await
            .expect("a log that can be read");
        drop(report);
        entries
    }

    async fn org(&self, slug: &str) -> OrgId {
        let slug = Slug::parse(slug).expect("a slug");
        let page = self.platform.organizations(None, 100).await;
        let page = page.expect("a catalog that answers");
        let mut rows = page.iter().map(|row| row.unverified());
        let row = rows.find(|row| row.slug.as_ref() == Some(&slug));
        row.unwrap_or_else(|| panic!("no organization {slug}")).org
    }
}
