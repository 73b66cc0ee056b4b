use std::collections::HashMap;
use std::sync::Arc;

use moka::sync::Cache;
use names::{OrgId, SecretPath};

use super::changes::{Session, opened};
use super::error::VaultError;
use super::model::Description;
use crate::catalog::{RecordKind, RecordQuery, RowTag, Stamp};

/// The secrets of organizations that were lately listed, in the order of their paths.
///
/// Paths are sealed, so that the catalog cannot order them: a listing opens every record of the
/// organization. What is kept holds while nothing changed among its secrets and rights; after a
/// change only what changed is opened again.
pub(super) struct Listings(Cache<OrgId, Arc<Listing>>);

/// The secrets of an organization.
pub(super) struct Listing {
    /// By path.
    secrets: Vec<Arc<Description>>,
    tags: HashMap<[u8; 16], (RowTag, Arc<Description>)>,
    stamps: Option<[Stamp; 2]>,
}

impl Listings {
    pub(super) fn new() -> Self {
        Self(
            Cache::builder()
                .weigher(|_, listing: &Arc<Listing>| {
                    u32::try_from(listing.secrets.len() + 1).unwrap_or(u32::MAX)
                })
                .max_capacity(SECRETS_MAX)
                .build(),
        )
    }

    /// The secrets of the session's organization as they are now.
    pub(super) async fn of(&self, session: &Session) -> Result<Arc<Listing>, VaultError> {
        let org = session.catalog.org();
        let stamps = session.stamps();
        let known = self.0.get(&org);
        if let Some(known) = &known
            && stamps.is_some()
            && known.stamps == stamps
        {
            return Ok(Arc::clone(known));
        }
        let listing = Arc::new(Listing::read(session, known.as_deref(), stamps).await?);
        if stamps.is_some() {
            self.0.insert(org, Arc::clone(&listing));
        }
        Ok(listing)
    }
}

impl Listing {
    /// Those whose paths begin with `prefix` and come after `after`, in order.
    pub(super) fn below<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&SecretPath>,
    ) -> impl Iterator<Item = &'a Arc<Description>> {
        let begin = self.secrets.partition_point(|secret| {
            let path = secret.path.as_str();
            path < prefix || after.is_some_and(|after| path <= after.as_str())
        });
        self.secrets[begin..]
            .iter()
            .take_while(move |secret| secret.path.as_str().starts_with(prefix))
    }

    async fn read(
        session: &Session,
        known: Option<&Self>,
        stamps: Option<[Stamp; 2]>,
    ) -> Result<Self, VaultError> {
        let mut tags = HashMap::new();
        let mut after = None;
        loop {
            let query = RecordQuery {
                after,
                max: PAGE,
                ..RecordQuery::default()
            };
            let page = session.catalog.records(RecordKind::Secret, query).await?;
            for claimed in page.iter() {
                after = Some(claimed.unverified().id);
            }
            let is_last = page.len() < PAGE as usize;
            for claimed in page {
                let (id, tag) = (claimed.unverified().id, claimed.tag());
                // What carries a MAC that was verified before is what was opened before.
                let same = known.and_then(|known| known.tags.get(&id));
                let description = match same.filter(|(known, _)| *known == tag) {
                    Some((_, description)) => Arc::clone(description),
                    None => Arc::new(opened(&session.keys, claimed)?.description),
                };
                tags.insert(id, (tag, description));
            }
            if is_last {
                break;
            }
        }
        let mut secrets: Vec<_> = tags
            .values()
            .map(|(_, secret)| Arc::clone(secret))
            .collect();
        secrets.sort_unstable_by(|one, other| one.path.cmp(&other.path));
        Ok(Self {
            secrets,
            tags,
            stamps,
        })
    }
}

/// How many secrets' descriptions are kept, of all organizations together.
const SECRETS_MAX: u64 = 200_000;
/// How many records are read at a time.
const PAGE: u32 = 1_000;
