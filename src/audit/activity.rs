use std::sync::Arc;

use names::{NodeId, OrgId};

use super::cursor::Cursor;
use super::entry::{Entry, Logged};
use super::query::{ActivityQuery, Order};
use super::read::ReadError;
use super::segment;
use super::source::Source;
use crate::authz::{Operator, Permit, ReadActivity};
use crate::catalog::{AuditSegmentRow, Catalog, PlatformCatalog};
use crate::keyring::{Keyring, OrgKeys};

/// Finds events in activity logs, page by page, over the chains of all nodes.
///
/// Each segment is verified as it is read, as far as one can be by itself: it opens in its own
/// place and nowhere else, and its row gives the times that it holds. What is missing from a chain
/// shows to [`AuditReader`](super::AuditReader), which reads the whole of it.
///
/// A page costs a bounded amount of memory and work, however much is sought and however little is
/// found: the rest is behind its cursor.
pub struct ActivityReader {
    catalog: Catalog,
    platform: PlatformCatalog,
    keyring: Arc<Keyring>,
}

/// Some of what was sought.
#[derive(Debug)]
pub struct ActivityPage {
    /// Whose log it is.
    pub org: OrgId,
    /// What was found; it may be nothing though there is more behind the cursor.
    pub found: Vec<Found>,
    /// The segments that were to be searched and are not what was written.
    pub illegible: Vec<Illegible>,
    /// Where the next page begins; none after the last.
    pub next: Option<Cursor>,
}

/// An event that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// In which node's chain.
    pub node: NodeId,
    /// In which segment of it.
    pub segment: u64,
    /// What happened.
    pub entry: Entry,
}

/// A segment that is not what was written in its place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("chain {node}: segment {segment} is not what was written: {what}")]
pub struct Illegible {
    /// In which node's chain.
    pub node: NodeId,
    /// Which.
    pub segment: u64,
    /// How that shows.
    pub what: String,
}

impl ActivityReader {
    /// Reads what `catalog` and `platform` store.
    pub fn new(catalog: Catalog, platform: PlatformCatalog, keyring: Arc<Keyring>) -> Self {
        Self {
            catalog,
            platform,
            keyring,
        }
    }

    /// Up to `max` events of the organization that `permit` is for, after `cursor`.
    pub async fn page(
        &self,
        permit: Permit<ReadActivity>,
        query: &ActivityQuery,
        cursor: Option<Cursor>,
        max: usize,
    ) -> Result<ActivityPage, ReadError> {
        let keyring = Arc::clone(&self.keyring);
        let source = Source::organization(&self.catalog, keyring, permit);
        Search::new(source, query, max).page(cursor).await
    }

    /// Up to `max` events of the platform's log after `cursor`.
    pub async fn platform_page(
        &self,
        operator: &Operator,
        query: &ActivityQuery,
        cursor: Option<Cursor>,
        max: usize,
    ) -> Result<ActivityPage, ReadError> {
        let keyring = Arc::clone(&self.keyring);
        let source = Source::platform(operator, self.platform.clone(), keyring);
        Search::new(source, query, max).page(cursor).await
    }
}

impl ActivityPage {
    /// What was found, each at its place.
    pub fn logged(&self) -> impl Iterator<Item = Logged<'_>> {
        self.found.iter().map(|found| Logged {
            org: self.org,
            node: found.node,
            segment: found.segment,
            entry: &found.entry,
        })
    }
}

/// The search for one page.
struct Search<'a> {
    source: Source,
    query: &'a ActivityQuery,
    max: usize,
    page: ActivityPage,
}

/// Whether a page has room for more.
enum Room {
    Left,
    Full,
}

impl<'a> Search<'a> {
    fn new(source: Source, query: &'a ActivityQuery, max: usize) -> Self {
        let page = ActivityPage {
            org: source.org(),
            found: Vec::new(),
            illegible: Vec::new(),
            next: None,
        };
        Self {
            source,
            query,
            max: max.clamp(1, FOUND_MAX),
            page,
        }
    }

    async fn page(mut self, cursor: Option<Cursor>) -> Result<ActivityPage, ReadError> {
        let mut keys = self.source.keys().await?;
        // A segment that the page before left in its midst.
        if let Some(cursor) = cursor
            && !cursor.is_behind()
        {
            let rows = self.source.segments(cursor.node, cursor.number, 1).await?;
            keys = self.source.keys_for(keys, &rows).await?;
            if let Some(row) = rows.iter().find(|row| row.number == cursor.number)
                && let Room::Full = self.take(&keys, row, cursor.passed)
            {
                return Ok(self.page);
            }
        }
        let mut behind = cursor.map(|cursor| (cursor.node, cursor.number));
        for _ in 0..BATCHES_MAX {
            let rows = self.segments(behind).await?;
            keys = self.source.keys_for(keys, &rows).await?;
            for row in &rows {
                if let Room::Full = self.take(&keys, row, 0) {
                    return Ok(self.page);
                }
            }
            match rows.last() {
                Some(last) if rows.len() == BATCH as usize => {
                    behind = Some((last.node, last.number));
                }
                _ => return Ok(self.page),
            }
        }
        self.page.next = behind.map(|(node, number)| Cursor::behind(node, number));
        Ok(self.page)
    }

    async fn segments(
        &self,
        behind: Option<(NodeId, u64)>,
    ) -> Result<Vec<AuditSegmentRow>, ReadError> {
        let (source, span) = (&self.source, self.query.span());
        Ok(match self.query.order {
            Order::OldestFirst => source.segments_after(span, behind, BATCH).await?,
            Order::NewestFirst => source.segments_before(span, behind, BATCH).await?,
        })
    }

    /// Takes what is sought from a segment of which `passed` entries were seen already. A full page
    /// has its cursor.
    fn take(&mut self, keys: &OrgKeys, row: &AuditSegmentRow, passed: u32) -> Room {
        let (node, number) = (row.node, row.number);
        let mut entries = match segment::open_row(keys, row) {
            Ok((segment, _)) => segment.entries,
            Err(what) => {
                self.page.illegible.push(Illegible {
                    node,
                    segment: number,
                    what,
                });
                return Room::Left;
            }
        };
        if self.query.order == Order::NewestFirst {
            entries.reverse();
        }
        let mut count = 0;
        for entry in entries {
            count += 1;
            if count <= passed || !self.query.meets(&entry) {
                continue;
            }
            if self.page.found.len() == self.max {
                self.page.next = Some(Cursor {
                    node,
                    number,
                    passed: count - 1,
                });
                return Room::Full;
            }
            self.page.found.push(Found {
                node,
                segment: number,
                entry,
            });
        }
        Room::Left
    }
}

/// How many segments are read at a time: some two megabytes at most.
const BATCH: u32 = 8;

/// How often that is done for one page.
const BATCHES_MAX: usize = 8;

/// How many events a page has at most: some two megabytes.
const FOUND_MAX: usize = 1_000;
