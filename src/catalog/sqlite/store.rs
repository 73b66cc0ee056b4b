use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use names::{
    AccountId, BlobId, BucketId, BucketName, NodeId, ObjectKey, OrgId, PartNumber, RootId, Slug,
    UploadId,
};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::census;
use super::changes;
use super::error::catalog_error;
use super::list::list;
use super::open::open_writer;
use super::readers::Readers;
use super::writer::{Announcer, Writer};
use super::{directory, leases, read, records, segments, walk};
use crate::catalog::{
    AuditSegmentRow, BlobRow, Bound, BucketRow, CatalogError, CensusTaker, Change, Coherence,
    Conflict, Content, CredentialQuery, CredentialRow, Effect, FoldedChanges, Found, ListQuery,
    Listed, LogBase, Mutation, NameKeyRow, NamesKey, OrgKeyRow, OrganizationRow, Page, PartRow,
    RecordKind, RecordQuery, RecordRow, Recount, Store, Stored, TagCursor, TaggedRow, Unverified,
    UploadRow, UsageDelta, UsageSubjectKind, VersionRow,
};
use crate::clock::Clock;

/// The catalog in one SQLite file.
///
/// What is read by its key is read at once, on the caller's thread: it takes microseconds, less
/// than handing it to another thread does. Pages and walks go to the blocking pool, with
/// connections of their own, so that they never keep a key waiting.
pub struct SqliteStore {
    pub(super) writer: Writer,
    pub(super) keys: Readers,
    pub(super) pages: Arc<Readers>,
    announcer: Announcer,
    clock: Clock,
    /// Where the walk over what names a closed key has come to: before it, nothing does.
    walks: Arc<Mutex<HashMap<(OrgId, u32), TagCursor>>>,
}

impl SqliteStore {
    /// Opens the file, makes it and its directory where they are missing, and brings its schema up
    /// to date. `readers` connections read rows by their keys, and as many read pages. Blocks.
    pub fn open(path: &Path, readers: u32, clock: Clock) -> Result<Arc<dyn Store>, CatalogError> {
        let conn = open_writer(path)?;
        Ok(Arc::new(Self::with_writer(path, readers, clock, conn)?))
    }

    pub(super) fn with_writer(
        path: &Path,
        readers: u32,
        clock: Clock,
        conn: Connection,
    ) -> Result<Self, CatalogError> {
        let looked = clock.monotonic();
        let (last, _) = changes::last(&conn).map_err(|error| catalog_error(&error))?;
        let announcer = Announcer {
            coherence: Coherence::new(clock.clone()),
            told_seq: Arc::new(AtomicU64::new(last)),
        };
        // No cache holds anything yet that an earlier change could have made wrong.
        announcer.coherence.polled(looked);
        Ok(Self {
            keys: Readers::open(path, readers)?,
            pages: Arc::new(Readers::open(path, readers)?),
            writer: Writer::start(conn, clock.clone(), announcer.clone())?,
            announcer,
            clock,
            walks: Arc::default(),
        })
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(
        &self,
        mutations: Vec<Bound>,
    ) -> Result<Vec<Result<Effect, Conflict>>, CatalogError> {
        // A key is deleted once nothing names it. Since nothing can come to name a closed key,
        // that is looked for here, beside the writer, which need not wait for it.
        let mut unnamed = Vec::new();
        for Bound { org, mutation } in &mutations {
            if let Mutation::DeleteKey { version } = mutation {
                let (org, version) = (*org, *version);
                let found = self
                    .pages
                    .blocking(move |conn| walk::unnamed(conn, org, version))
                    .await?;
                unnamed.extend(found);
            }
        }
        self.writer.commit(mutations, unnamed).await
    }

    async fn bucket(&self, org: OrgId, name: &BucketName) -> Found<Unverified<BucketRow>> {
        self.keys.inline(|conn| read::bucket(conn, org, name)).await
    }

    async fn buckets(
        &self,
        org: OrgId,
        prefix: &str,
        after: Option<&str>,
        max: u32,
    ) -> Page<Unverified<BucketRow>> {
        let (prefix, after) = (prefix.to_owned(), after.map(str::to_owned));
        self.pages
            .blocking(move |conn| read::buckets(conn, org, &prefix, after.as_deref(), max))
            .await
    }

    async fn version(
        &self,
        org: OrgId,
        bucket: BucketId,
        key: &ObjectKey,
    ) -> Found<Unverified<VersionRow>> {
        self.keys
            .inline(|conn| read::version(conn, org, bucket, key))
            .await
    }

    async fn object(
        &self,
        org: OrgId,
        bucket: BucketId,
        key: &ObjectKey,
    ) -> Found<(Unverified<VersionRow>, Content)> {
        self.keys
            .inline(|conn| read::object(conn, org, bucket, key))
            .await
    }

    async fn blobs(&self, org: OrgId, blobs: &[BlobId]) -> Result<Vec<BlobRow>, CatalogError> {
        if blobs.len() <= BLOBS_INLINE {
            return self.keys.inline(|conn| read::blobs(conn, org, blobs)).await;
        }
        let blobs = blobs.to_vec();
        self.pages
            .blocking(move |conn| read::blobs(conn, org, &blobs))
            .await
    }

    async fn list(
        &self,
        org: OrgId,
        bucket: BucketId,
        query: &ListQuery,
    ) -> Result<Listed<Unverified<VersionRow>>, CatalogError> {
        let query = query.clone();
        self.pages
            .blocking(move |conn| list(conn, org, bucket, &query))
            .await
    }

    async fn upload(
        &self,
        org: OrgId,
        bucket: BucketId,
        key: &ObjectKey,
        upload: UploadId,
    ) -> Found<Unverified<UploadRow>> {
        self.keys
            .inline(|conn| read::upload(conn, org, bucket, key, upload))
            .await
    }

    async fn uploads(
        &self,
        org: OrgId,
        bucket: BucketId,
        query: &ListQuery,
    ) -> Result<Listed<Unverified<UploadRow>>, CatalogError> {
        let query = query.clone();
        self.pages
            .blocking(move |conn| list(conn, org, bucket, &query))
            .await
    }

    async fn parts(
        &self,
        org: OrgId,
        upload: UploadId,
        after: Option<PartNumber>,
        max: u32,
    ) -> Page<Unverified<PartRow>> {
        self.pages
            .blocking(move |conn| read::parts(conn, org, upload, after, max))
            .await
    }

    async fn record(
        &self,
        org: OrgId,
        kind: RecordKind,
        id: &[u8; 16],
    ) -> Found<Unverified<RecordRow>> {
        self.keys
            .inline(|conn| records::record(conn, org, kind, id))
            .await
    }

    async fn record_by_lookup(
        &self,
        org: OrgId,
        kind: RecordKind,
        lookup: &[u8; 32],
    ) -> Found<Unverified<RecordRow>> {
        self.keys
            .inline(|conn| records::record_by_lookup(conn, org, kind, lookup))
            .await
    }

    async fn records(
        &self,
        org: OrgId,
        kind: RecordKind,
        query: RecordQuery,
    ) -> Page<Unverified<RecordRow>> {
        self.pages
            .blocking(move |conn| records::records(conn, org, kind, &query))
            .await
    }

    async fn count_records(
        &self,
        org: OrgId,
        kind: RecordKind,
        state: Option<u8>,
    ) -> Result<u64, CatalogError> {
        self.pages
            .blocking(move |conn| records::count_records(conn, org, kind, state))
            .await
    }

    async fn seats(
        &self,
        account: AccountId,
        after: Option<OrgId>,
        max: u32,
    ) -> Page<Unverified<RecordRow>> {
        self.pages
            .blocking(move |conn| records::seats(conn, account, after, max))
            .await
    }

    async fn usage(
        &self,
        org: OrgId,
        from_ms: u64,
        until_ms: u64,
    ) -> Result<Vec<UsageDelta>, CatalogError> {
        self.pages
            .blocking(move |conn| read::usage(conn, org, from_ms, until_ms, None))
            .await
    }

    async fn usage_by(
        &self,
        org: OrgId,
        from_ms: u64,
        until_ms: u64,
        subjects: UsageSubjectKind,
    ) -> Result<Vec<UsageDelta>, CatalogError> {
        self.pages
            .blocking(move |conn| read::usage(conn, org, from_ms, until_ms, Some(subjects)))
            .await
    }

    async fn stored(&self, org: OrgId) -> Result<Stored, CatalogError> {
        self.keys.inline(|conn| read::stored(conn, org)).await
    }

    async fn recount(&self, org: OrgId) -> Result<Recount, CatalogError> {
        self.pages
            .blocking(move |conn| read::recount(conn, org))
            .await
    }

    async fn audit_segments(
        &self,
        org: OrgId,
        node: NodeId,
        from: u64,
        max: u32,
    ) -> Page<AuditSegmentRow> {
        self.pages
            .blocking(move |conn| segments::audit_segments(conn, org, node, from, max))
            .await
    }

    async fn audit_segments_between(
        &self,
        org: OrgId,
        from_ms: u64,
        until_ms: u64,
        after: Option<(NodeId, u64)>,
        max: u32,
    ) -> Page<AuditSegmentRow> {
        self.pages
            .blocking(move |conn| {
                segments::audit_segments_between(conn, org, (from_ms, until_ms), after, max)
            })
            .await
    }

    async fn audit_segments_backwards(
        &self,
        org: OrgId,
        from_ms: u64,
        until_ms: u64,
        before: Option<(NodeId, u64)>,
        max: u32,
    ) -> Page<AuditSegmentRow> {
        self.pages
            .blocking(move |conn| {
                segments::audit_segments_backwards(conn, org, (from_ms, until_ms), before, max)
            })
            .await
    }

    async fn audit_chains(&self, org: OrgId) -> Result<Vec<(NodeId, u64)>, CatalogError> {
        self.pages
            .blocking(move |conn| segments::audit_chains(conn, org))
            .await
    }

    async fn organization(&self, org: OrgId) -> Found<Unverified<OrganizationRow>> {
        self.keys
            .inline(|conn| directory::organization(conn, org))
            .await
    }

    async fn organization_by_slug(&self, slug: &Slug) -> Found<Unverified<OrganizationRow>> {
        self.keys
            .inline(|conn| directory::organization_by_slug(conn, slug))
            .await
    }

    async fn organizations(
        &self,
        after: Option<OrgId>,
        max: u32,
    ) -> Page<Unverified<OrganizationRow>> {
        self.pages
            .blocking(move |conn| directory::organizations(conn, after, max))
            .await
    }

    async fn org_keys(&self, org: OrgId) -> Page<Unverified<OrgKeyRow>> {
        self.keys
            .inline(|conn| directory::org_keys(conn, org))
            .await
    }

    async fn org_keys_wrapped_before(
        &self,
        root: RootId,
        root_version: u32,
        max: u32,
    ) -> Page<Unverified<OrgKeyRow>> {
        self.pages
            .blocking(move |conn| directory::org_keys_wrapped_before(conn, root, root_version, max))
            .await
    }

    async fn name_key(&self, org: OrgId) -> Found<NameKeyRow> {
        self.keys
            .inline(|conn| directory::name_key_of(conn, org))
            .await
    }

    async fn credential(&self, lookup: &[u8; 32]) -> Found<Unverified<CredentialRow>> {
        self.keys
            .inline(|conn| directory::credential(conn, lookup))
            .await
    }

    async fn credentials(
        &self,
        org: OrgId,
        query: CredentialQuery,
    ) -> Page<Unverified<CredentialRow>> {
        self.pages
            .blocking(move |conn| directory::credentials(conn, org, &query))
            .await
    }

    async fn credential_uses(
        &self,
        org: OrgId,
        lookups: &[[u8; 32]],
    ) -> Result<Vec<([u8; 32], u64)>, CatalogError> {
        let lookups = lookups.to_vec();
        self.pages
            .blocking(move |conn| directory::credential_uses(conn, org, &lookups))
            .await
    }

    async fn changes_since(&self, seq: u64, max: u32) -> Page<Change> {
        self.pages
            .blocking(move |conn| changes::since(conn, seq, max))
            .await
    }

    async fn last_change(&self) -> Result<(u64, [u8; 32]), CatalogError> {
        self.keys.inline(changes::last).await
    }

    async fn log_base(&self) -> Result<LogBase, CatalogError> {
        self.keys.inline(census::base).await
    }

    async fn folded_changes(&self, orgs: &[OrgId]) -> Page<FoldedChanges> {
        let orgs = orgs.to_vec();
        self.pages
            .blocking(move |conn| census::folded(conn, &orgs))
            .await
    }

    async fn census(&self, take: CensusTaker) -> Result<(), CatalogError> {
        self.pages
            .blocking(move |conn| census::census(conn, take))
            .await
    }

    async fn named_by_key(&self, org: OrgId, version: u32, max: u32) -> Page<NamesKey> {
        let walks = Arc::clone(&self.walks);
        self.pages
            .blocking(move |conn| walk::named_by_key(conn, &walks, org, version, max))
            .await
    }

    async fn claims(&self, max: u32) -> Page<(OrgId, BlobId)> {
        self.pages
            .blocking(move |conn| directory::claims(conn, max))
            .await
    }

    async fn expired_records(
        &self,
        kind: RecordKind,
        now_ms: u64,
        max: u32,
    ) -> Page<Unverified<RecordRow>> {
        self.pages
            .blocking(move |conn| records::expired_records(conn, kind, now_ms, max))
            .await
    }

    async fn idle_uploads(
        &self,
        idle_since_ms: u64,
        after: Option<(u64, OrgId, UploadId)>,
        max: u32,
    ) -> Page<Unverified<UploadRow>> {
        self.pages
            .blocking(move |conn| read::idle_uploads(conn, idle_since_ms, after, max))
            .await
    }

    async fn organizations_due_for_destruction(
        &self,
        now_ms: u64,
        max: u32,
    ) -> Page<Unverified<OrganizationRow>> {
        self.pages
            .blocking(move |conn| directory::organizations_due_for_destruction(conn, now_ms, max))
            .await
    }

    async fn orgs_with_trash(&self, now_ms: u64, max: u32) -> Page<OrgId> {
        self.pages
            .blocking(move |conn| directory::orgs_with_trash(conn, now_ms, max))
            .await
    }

    async fn tags(
        &self,
        org: OrgId,
        after: Option<TagCursor>,
        max: u32,
    ) -> Result<(Vec<TaggedRow>, Option<TagCursor>), CatalogError> {
        self.pages
            .blocking(move |conn| walk::tags(conn, org, after, max))
            .await
    }

    async fn lease(
        &self,
        job: &str,
        holder: NodeId,
        seconds: u32,
    ) -> Result<Option<u64>, CatalogError> {
        let (job, clock) = (job.to_owned(), self.clock.clone());
        self.writer
            .transact(move |conn| leases::lease(conn, &job, holder, seconds, clock.now_ms()))
            .await
    }

    async fn release(&self, job: &str, holder: NodeId) -> Result<(), CatalogError> {
        let job = job.to_owned();
        self.writer
            .transact(move |conn| leases::release(conn, &job, holder))
            .await
    }

    async fn node_seen(&self, node: NodeId, seen_seq: u64) -> Result<(), CatalogError> {
        let clock = self.clock.clone();
        self.writer
            .transact(move |conn| leases::node_seen(conn, node, seen_seq, clock.now_ms()))
            .await
    }

    async fn nodes(&self, seconds: u32) -> Result<Vec<(NodeId, u64)>, CatalogError> {
        let now_ms = self.clock.now_ms();
        self.pages
            .blocking(move |conn| leases::nodes(conn, seconds, now_ms))
            .await
    }

    async fn node_gone(&self, node: NodeId) -> Result<(), CatalogError> {
        self.writer
            .transact(move |conn| leases::node_gone(conn, node))
            .await
    }

    async fn scrub(&self) -> Result<(), CatalogError> {
        let busy: bool = self
            .writer
            .outside(|conn| conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)))
            .await?;
        if busy {
            let reason = "deleted rows stand in the log still: a reader is in the way";
            return Err(CatalogError::Unavailable(reason.to_owned()));
        }
        Ok(())
    }

    fn coherence(&self) -> &Coherence {
        &self.announcer.coherence
    }

    async fn poll(&self) -> Result<(), CatalogError> {
        let looked = self.clock.monotonic();
        let announcer = self.announcer.clone();
        self.pages
            .blocking(move |conn| announcer.catch_up(conn))
            .await?;
        self.announcer.coherence.polled(looked);
        Ok(())
    }

    async fn stopped(&self) -> CatalogError {
        self.writer.stopped().await
    }

    async fn ready(&self) -> Result<(), CatalogError> {
        // Takes the lock that a commit takes, and gives it back.
        self.writer
            .outside(|conn| {
                Transaction::new_unchecked(conn, TransactionBehavior::Immediate)?.rollback()
            })
            .await
    }
}

/// So many blobs are looked up on the caller's thread.
const BLOBS_INLINE: usize = 32;
