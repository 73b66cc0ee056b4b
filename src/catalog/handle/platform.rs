use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use names::{AccountId, NodeId, OrgId, RootId, Slug};
use tokio::sync::oneshot;

use super::commit::{CommitError, commit_one};
use crate::catalog::{
    AuditSegmentRow, CatalogError, CensusEntry, CensusTaker, Change, Class, CredentialQuery,
    CredentialRow, Effect, FoldedChanges, Found, LogBase, Mutation, NameKeyRow, OrgKeyRow,
    OrganizationRow, Page, RecordKind, RecordQuery, RecordRow, Stamp, Store, Stored, Unverified,
};

/// The catalog beyond organizations: credentials, wrapped keys, states. `authn`, `tenancy`,
/// `keyring` and, for the platform's log, `audit` hold it.
#[derive(Clone)]
pub struct PlatformCatalog {
    pub(super) store: Arc<dyn Store>,
}

impl PlatformCatalog {
    /// What is known of an organization's rows now: see [`Coherence`](crate::catalog::Coherence).
    pub fn stamp(&self, org: OrgId, class: Class) -> Option<Stamp> {
        self.store.coherence().stamp(org, class)
    }

    /// Follows what other processes change, until `stop` is done. After each poll `tend` drops
    /// what caches must not keep any longer; only then does this process, as `node`, state what it
    /// has seen, so that whoever destroyed a key can wait for it.
    pub async fn follow<Tended: Future<Output = ()> + Send>(
        &self,
        node: NodeId,
        tend: impl Fn() -> Tended + Send + Sync,
        stop: impl Future<Output = ()> + Send,
    ) {
        let work = async {
            let mut stated = Stated::default();
            loop {
                if let Err(error) = self.poll(node, &tend, &mut stated).await {
                    tracing::error!(%error, "changes in the catalog cannot be followed");
                    // Caches keep nothing that they cannot check.
                    tend().await;
                }
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        };
        tokio::select! {
            () = work => {}
            () = stop => {}
        }
        if let Err(error) = self.store.node_gone(node).await {
            tracing::warn!(%error, "this node counts as alive until its time runs out");
        }
    }

    async fn poll<Tended: Future<Output = ()> + Send>(
        &self,
        node: NodeId,
        tend: &(impl Fn() -> Tended + Send + Sync),
        stated: &mut Stated,
    ) -> Result<(), CatalogError> {
        // What was committed before the poll has been counted by it.
        let (seq, _) = self.store.last_change().await?;
        self.store.poll().await?;
        tend().await;
        if stated.is_due(seq) {
            self.store.node_seen(node, seq).await?;
            *stated = Stated {
                seq: Some(seq),
                polls_since: 0,
            };
        }
        Ok(())
    }

    /// Applies one mutation in an organization, or in organization 0.
    pub async fn commit(&self, org: OrgId, mutation: Mutation) -> Result<Effect, CommitError> {
        commit_one(&*self.store, org, mutation).await
    }

    /// An organization by its identifier.
    pub async fn organization(&self, org: OrgId) -> Found<Unverified<OrganizationRow>> {
        self.store.organization(org).await
    }

    /// An organization by its slug.
    pub async fn organization_by_slug(&self, slug: &Slug) -> Found<Unverified<OrganizationRow>> {
        self.store.organization_by_slug(slug).await
    }

    /// A page of organizations.
    pub async fn organizations(
        &self,
        after: Option<OrgId>,
        max: u32,
    ) -> Page<Unverified<OrganizationRow>> {
        self.store.organizations(after, max).await
    }

    /// All versions of an organization's key.
    pub async fn org_keys(&self, org: OrgId) -> Page<Unverified<OrgKeyRow>> {
        self.store.org_keys(org).await
    }

    /// Wrapped keys that an older root version wraps.
    pub async fn org_keys_wrapped_before(
        &self,
        root: RootId,
        root_version: u32,
        max: u32,
    ) -> Page<Unverified<OrgKeyRow>> {
        self.store
            .org_keys_wrapped_before(root, root_version, max)
            .await
    }

    /// An organization's name key.
    pub async fn name_key(&self, org: OrgId) -> Found<NameKeyRow> {
        self.store.name_key(org).await
    }

    /// A credential by its blind name.
    pub async fn credential(&self, lookup: &[u8; 32]) -> Found<Unverified<CredentialRow>> {
        self.store.credential(lookup).await
    }

    /// A page of an organization's credentials.
    pub async fn credentials(
        &self,
        org: OrgId,
        query: CredentialQuery,
    ) -> Page<Unverified<CredentialRow>> {
        self.store.credentials(org, query).await
    }

    /// When credentials of an organization were last used, as far as it was noted.
    pub async fn credential_uses(
        &self,
        org: OrgId,
        lookups: &[[u8; 32]],
    ) -> Result<Vec<([u8; 32], u64)>, CatalogError> {
        self.store.credential_uses(org, lookups).await
    }

    /// A record of an organization, or of organization 0.
    pub async fn record(
        &self,
        org: OrgId,
        kind: RecordKind,
        id: &[u8; 16],
    ) -> Found<Unverified<RecordRow>> {
        self.store.record(org, kind, id).await
    }

    /// A record by its blind name.
    pub async fn record_by_lookup(
        &self,
        org: OrgId,
        kind: RecordKind,
        lookup: &[u8; 32],
    ) -> Found<Unverified<RecordRow>> {
        self.store.record_by_lookup(org, kind, lookup).await
    }

    /// A page of records of a kind.
    pub async fn records(
        &self,
        org: OrgId,
        kind: RecordKind,
        query: RecordQuery,
    ) -> Page<Unverified<RecordRow>> {
        self.store.records(org, kind, query).await
    }

    /// How many records of a kind there are.
    pub async fn count_records(
        &self,
        org: OrgId,
        kind: RecordKind,
        state: Option<u8>,
    ) -> Result<u64, CatalogError> {
        self.store.count_records(org, kind, state).await
    }

    /// The members that an account is, in all organizations: at most one page of them.
    pub async fn seats(
        &self,
        account: AccountId,
        after: Option<OrgId>,
        max: u32,
    ) -> Page<Unverified<RecordRow>> {
        self.store.seats(account, after, max).await
    }

    /// What an organization stores.
    pub async fn stored(&self, org: OrgId) -> Result<Stored, CatalogError> {
        self.store.stored(org).await
    }

    /// Changes that caches have to follow.
    pub async fn changes_since(&self, seq: u64, max: u32) -> Page<Change> {
        self.store.changes_since(seq, max).await
    }

    /// Where the log of changes begins.
    pub async fn log_base(&self) -> Result<LogBase, CatalogError> {
        self.store.log_base().await
    }

    /// What pruned changes have left of the rows of organizations.
    pub async fn folded_changes(&self, orgs: &[OrgId]) -> Page<FoldedChanges> {
        self.store.folded_changes(orgs).await
    }

    /// Counts all rows in one snapshot: gives every entry of the census to `take` with `state`, until
    /// it breaks off, and returns what has become of that.
    pub async fn census<S: Send + 'static>(
        &self,
        state: S,
        mut take: impl FnMut(&mut S, CensusEntry) -> ControlFlow<()> + Send + 'static,
    ) -> Result<S, CatalogError> {
        let (give_back, given_back) = oneshot::channel();
        let mut lent = Lent {
            state: Some(state),
            give_back: Some(give_back),
        };
        let taker: CensusTaker = Box::new(move |entry| match &mut lent.state {
            Some(state) => take(state, entry),
            None => ControlFlow::Break(()),
        });
        self.store.census(taker).await?;
        given_back
            .await
            .map_err(|_| CatalogError::Unavailable("a census was lost".to_owned()))
    }

    /// The last change and the head of the chain.
    pub async fn last_change(&self) -> Result<(u64, [u8; 32]), CatalogError> {
        self.store.last_change().await
    }

    /// A page of a node's chain of the platform's log.
    pub async fn audit_segments(
        &self,
        org: OrgId,
        node: NodeId,
        from: u64,
        max: u32,
    ) -> Page<AuditSegmentRow> {
        self.store.audit_segments(org, node, from, max).await
    }

    /// A page of the segments of the platform's log that hold events of a time.
    pub async fn audit_segments_between(
        &self,
        org: OrgId,
        from_ms: u64,
        until_ms: u64,
        after: Option<(NodeId, u64)>,
        max: u32,
    ) -> Page<AuditSegmentRow> {
        self.store
            .audit_segments_between(org, from_ms, until_ms, after, max)
            .await
    }

    /// The same, from the last segment to the first.
    pub async fn audit_segments_backwards(
        &self,
        org: OrgId,
        from_ms: u64,
        until_ms: u64,
        before: Option<(NodeId, u64)>,
        max: u32,
    ) -> Page<AuditSegmentRow> {
        self.store
            .audit_segments_backwards(org, from_ms, until_ms, before, max)
            .await
    }

    /// The chains of a log.
    pub async fn audit_chains(&self, org: OrgId) -> Result<Vec<(NodeId, u64)>, CatalogError> {
        self.store.audit_chains(org).await
    }

    /// States that this node has seen every change up to `seen_seq`.
    pub async fn node_seen(&self, node: NodeId, seen_seq: u64) -> Result<(), CatalogError> {
        self.store.node_seen(node, seen_seq).await
    }

    /// States that this node stops.
    pub async fn node_gone(&self, node: NodeId) -> Result<(), CatalogError> {
        self.store.node_gone(node).await
    }

    /// Returns when the catalog has stopped for good, and why. The process has to end then.
    pub async fn stopped(&self) -> CatalogError {
        self.store.stopped().await
    }

    /// Whether the catalog takes commits.
    pub async fn ready(&self) -> Result<(), CatalogError> {
        self.store.ready().await
    }
}

/// What a census is taken into, given back when the store drops the taker.
struct Lent<S> {
    state: Option<S>,
    give_back: Option<oneshot::Sender<S>>,
}

impl<S> Drop for Lent<S> {
    fn drop(&mut self) {
        if let (Some(state), Some(give_back)) = (self.state.take(), self.give_back.take()) {
            // Whoever asked may have gone.
            let _ = give_back.send(state);
        }
    }
}

/// What a node has stated to have seen. A statement is a commit, so it is not made with every poll.
#[derive(Default)]
struct Stated {
    seq: Option<u64>,
    polls_since: u32,
}

impl Stated {
    /// Soon when there is news, now and then when there is none.
    fn is_due(&mut self, seq: u64) -> bool {
        self.polls_since = self.polls_since.saturating_add(1);
        let after = match self.seq {
            None => 0,
            Some(stated) if stated == seq => POLLS_PER_SIGN_OF_LIFE,
            Some(_) => POLLS_PER_NEWS,
        };
        self.polls_since >= after
    }
}

/// After how long without a sign of life a node counts as dead. By then it trusts nothing that its
/// caches hold: see [`STALE_AFTER`](crate::catalog::STALE_AFTER).
pub const NODE_ALIVE_SECONDS: u32 = 10;

/// How often a node looks for what others changed.
pub const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// A second.
const POLLS_PER_NEWS: u32 = 4;
/// Three seconds.
const POLLS_PER_SIGN_OF_LIFE: u32 = 12;
