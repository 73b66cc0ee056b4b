use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use names::NodeId;

use super::entry::Logged;
use super::source::Source;
use super::verify::{ChainReport, Head, Report, Verifier};
use crate::authz::{Operator, Permit, ReadActivity};
use crate::catalog::{Catalog, CatalogError, PlatformCatalog};
use crate::keyring::{Keyring, KeyringError};

/// Reads an activity log, which is verifying it: there is no way to see an event that skips the
/// check of the chain that it stands in.
pub struct AuditReader(Source);

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The organization's keys cannot be had: it is destroyed, or its keys are damaged.
    #[error(transparent)]
    Keys(#[from] KeyringError),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
}

impl AuditReader {
    /// Reads the log of the organization that `permit` is for.
    pub fn new(catalog: &Catalog, keyring: Arc<Keyring>, permit: Permit<ReadActivity>) -> Self {
        Self(Source::organization(catalog, keyring, permit))
    }

    /// Reads the platform's log.
    pub fn platform(operator: &Operator, catalog: PlatformCatalog, keyring: Arc<Keyring>) -> Self {
        Self(Source::platform(operator, catalog, keyring))
    }

    /// Verifies every chain of the log against itself and against `anchors`, the heads that a
    /// checkpoint names.
    pub async fn verify(&self, anchors: &BTreeMap<NodeId, Head>) -> Result<Report, ReadError> {
        self.walk(anchors, |_| {}).await
    }

    /// Verifies the log and shows `each` of its events: chain by chain, and in a chain in the
    /// order in which they were recorded. What was altered is shown by the report alone.
    pub async fn walk(
        &self,
        anchors: &BTreeMap<NodeId, Head>,
        mut each: impl FnMut(Logged<'_>),
    ) -> Result<Report, ReadError> {
        let mut nodes: BTreeSet<NodeId> = anchors.keys().copied().collect();
        nodes.extend(self.0.nodes().await?);
        let mut chains = Vec::with_capacity(nodes.len());
        for node in nodes {
            let anchor = anchors.get(&node).copied();
            chains.push(self.walk_chain(node, anchor, &mut each).await?);
        }
        Ok(Report {
            org: self.0.org(),
            chains,
        })
    }

    async fn walk_chain(
        &self,
        node: NodeId,
        anchor: Option<Head>,
        each: &mut impl FnMut(Logged<'_>),
    ) -> Result<ChainReport, ReadError> {
        let org = self.0.org();
        let mut verifier = Verifier::new(node, anchor);
        let mut keys = self.0.keys().await?;
        let mut from = 0;
        loop {
            let page = self.0.segments(node, from, PAGE).await?;
            keys = self.0.keys_for(keys, &page).await?;
            for row in &page {
                for entry in &verifier.take(&keys, row) {
                    each(Logged {
                        org,
                        node,
                        segment: row.number,
                        entry,
                    });
                }
            }
            // A store that gives the same page for ever ends here.
            let next = page.last().and_then(|row| row.number.checked_add(1));
            match next {
                Some(next) if next > from => from = next,
                _ => return Ok(verifier.finish()),
            }
        }
    }
}

/// How many segments are read at a time: some eight megabytes at most.
const PAGE: u32 = 32;
