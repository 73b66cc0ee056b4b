mod failing;
mod parts;
mod tampering;

use std::collections::BTreeMap;
use std::future::{pending, ready};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use names::{AccessKeyId, NodeId, OrgId, PrincipalId};
use rusqlite::{Connection, params};
use tempfile::TempDir;

use super::chain::{Chain, Door};
use super::gather::{self, Gather};
use super::queue::QUEUE_ENTRIES_MAX;
use super::segment::Segment;
use super::writer::lock;
use super::*;
use crate::authz::{
    AppendActivity, Caller, Operator, Permit, Scope, read_activity_as_operator, record_activity,
};
use crate::catalog::{
    Catalog, Jobs, Mutation, OrgState, OrganizationRow, PlatformCatalog, SqliteStore, Store, doors,
};
use crate::clock::{Clock, ManualClock};
use crate::config;
use crate::entropy::Entropy;
use crate::keyring::{Keyring, RootFile};

const NOW_MS: u64 = 1_767_225_600_000;
const ONE: OrgId = OrgId::from_bytes([1; 16]);
const TWO: OrgId = OrgId::from_bytes([2; 16]);
const NODE: NodeId = NodeId::from_bytes([9; 16]);

/// A catalog on a disk with two organizations, and the logs that this node writes.
struct World {
    dir: TempDir,
    store: Arc<dyn Store>,
    catalog: Catalog,
    platform: PlatformCatalog,
    jobs: Jobs,
    keyring: Arc<Keyring>,
    clock: Clock,
    hand: ManualClock,
    audit: Arc<Audit>,
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(NOW_MS);
        let store = SqliteStore::open(&dir.path().join("catalog"), 2, clock.clone()).unwrap();
        // Caches trust the catalog from now on.
        store.poll().await.unwrap();
        let (catalog, platform, jobs) = doors(Arc::clone(&store));
        let entropy = Entropy::danger_seeded(1);
        let root = RootFile::create(&dir.path().join("root.key"), &entropy).unwrap();
        let keyring = Keyring::new(platform.clone(), root, 16, clock.clone(), entropy);
        let keyring = Arc::new(keyring);
        keyring.provision_platform().await.unwrap();
        let audit = audit(&catalog, &platform, &keyring, NODE, &clock);
        let world = Self {
            dir,
            store,
            catalog,
            platform,
            jobs,
            keyring,
            clock,
            hand,
            audit,
        };
        for org in [ONE, TWO] {
            world.create(org).await;
        }
        world
    }

    async fn create(&self, org: OrgId) {
        let provisioned = self.keyring.provision(org).await.unwrap();
        let platform = self.keyring.open_platform().await.unwrap();
        let creation = Mutation::CreateOrganization {
            organization: Box::new(
                platform
                    .authenticate(row(org, OrgState::Active, 1))
                    .unwrap(),
            ),
            key: provisioned.key,
            name_key: provisioned.name_key,
            records: Vec::new(),
        };
        self.platform.commit(org, creation).await.unwrap();
    }

    async fn stand(&self, org: OrgId, state: OrgState, sequence: u64) {
        let platform = self.keyring.open_platform().await.unwrap();
        let row = platform.authenticate(row(org, state, sequence)).unwrap();
        let replacement = Mutation::ReplaceOrganization(row);
        self.platform.commit(org, replacement).await.unwrap();
    }

    /// The database as whoever can write the file has it.
    fn database(&self) -> Connection {
        Connection::open(self.dir.path().join("catalog")).unwrap()
    }

    /// From now on the catalog fails to append to the log of `org`.
    fn break_log(&self, org: OrgId) {
        let refuse = format!(
            "CREATE TRIGGER broken BEFORE INSERT ON audit_segments
             WHEN NEW.org_id = x'{}' BEGIN SELECT RAISE(ABORT, 'broken'); END",
            hex::encode(org.bytes())
        );
        self.database().execute_batch(&refuse).unwrap();
    }

    fn mend_log(&self) {
        self.database()
            .execute_batch("DROP TRIGGER broken")
            .unwrap();
    }

    async fn read(&self, org: OrgId) -> (Vec<Entry>, Report) {
        self.read_since(org, &BTreeMap::new()).await
    }

    async fn read_since(
        &self,
        org: OrgId,
        anchors: &BTreeMap<NodeId, Head>,
    ) -> (Vec<Entry>, Report) {
        let operator = Operator::authenticated();
        let keyring = Arc::clone(&self.keyring);
        let reader = if org.is_platform() {
            AuditReader::platform(&operator, self.platform.clone(), keyring)
        } else {
            let permit = read_activity_as_operator(&operator, org);
            AuditReader::new(&self.catalog, keyring, permit)
        };
        let mut entries = Vec::new();
        let walked = reader.walk(anchors, |logged| entries.push(logged.entry.clone()));
        let report = walked.await.unwrap();
        (entries, report)
    }

    /// What the log of `org` records, in a log that is sound.
    async fn sound(&self, org: OrgId) -> Vec<Entry> {
        let (entries, report) = self.read(org).await;
        assert!(report.is_sound(), "{report:?}");
        entries
    }

    /// Everything that waits is written.
    async fn flush(&self) {
        self.audit.run(ready(())).await;
        self.audit
            .0
            .stopped
            .store(false, std::sync::atomic::Ordering::Release);
    }
}

fn audit(
    catalog: &Catalog,
    platform: &PlatformCatalog,
    keyring: &Arc<Keyring>,
    node: NodeId,
    clock: &Clock,
) -> Arc<Audit> {
    let settings = config::Audit {
        batch_delay_max: Duration::from_millis(2),
        refusals_per_second_max: 3,
        ..config::Audit::default()
    };
    Arc::new(Audit::new(
        node,
        catalog.clone(),
        platform.clone(),
        Arc::clone(keyring),
        &settings,
        clock.clone(),
    ))
}

fn row(org: OrgId, state: OrgState, sequence: u64) -> OrganizationRow {
    OrganizationRow {
        org,
        slug: None,
        state,
        created_ms: NOW_MS,
        delete_after_ms: None,
        destruction: None,
        sequence,
    }
}

fn permit(org: OrgId, principal: u8) -> Permit<AppendActivity> {
    record_activity(&Caller::authenticated(
        org,
        PrincipalId::from_bytes([principal; 16]),
        AccessKeyId::parse("BHAK00000000000000000000").unwrap(),
        Scope::Full,
    ))
}

fn event(resource: &str, decision: Decision) -> Event {
    Event {
        at_ms: NOW_MS,
        request_id: "request".to_owned(),
        actor: "BHAK".to_owned(),
        source: Some(IpAddr::from([192, 0, 2, 1])),
        action: "s3:GetObject",
        resource: resource.to_owned(),
        decision,
        bytes: (1, 2),
    }
}

fn allowed(resource: &str) -> Event {
    event(resource, Decision::Allowed { status: 200 })
}

fn refused(resource: &str) -> Event {
    let rule = "read-only".to_owned();
    event(resource, Decision::Refused { rule })
}

fn damaged(resource: &str) -> Event {
    let what = "a chunk".to_owned();
    event(resource, Decision::Damaged { what })
}

fn resources(entries: &[Entry]) -> Vec<&str> {
    let mut resources: Vec<_> = entries.iter().map(|entry| &*entry.resource).collect();
    resources.sort_unstable();
    resources
}

fn total(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| entry.count).sum()
}

#[tokio::test]
async fn what_was_recorded_is_read_and_nothing_of_another_organization() {
    let world = World::new().await;
    world
        .audit
        .record(permit(ONE, 1), refused("docs/a"))
        .await
        .unwrap();
    // Durable before anything else runs.
    assert_eq!(resources(&world.sound(ONE).await), ["docs/a"]);
    world.audit.note(permit(ONE, 1), allowed("docs/b")).unwrap();
    world.audit.note(permit(TWO, 2), allowed("docs/c")).unwrap();
    world.flush().await;
    let entries = world.sound(ONE).await;
    assert_eq!(resources(&entries), ["docs/a", "docs/b"]);
    assert_eq!(resources(&world.sound(TWO).await), ["docs/c"]);
    assert!(world.sound(OrgId::PLATFORM).await.is_empty());
    assert_eq!(
        entries[0],
        Entry {
            at_ms: NOW_MS,
            until_ms: NOW_MS,
            count: 1,
            org: None,
            request_id: "request".to_owned(),
            actor: "BHAK".to_owned(),
            source: Some(IpAddr::from([192, 0, 2, 1])),
            action: "s3:GetObject".to_owned(),
            resource: "docs/a".to_owned(),
            outcome: Outcome::Refused {
                reason: "read-only".to_owned()
            },
            bytes_in: 1,
            bytes_out: 2,
        }
    );
}

#[tokio::test]
async fn the_report_and_the_heads_tell_where_each_chain_ends() {
    let world = World::new().await;
    for at in ["a", "b", "c"] {
        world.hand.advance(Duration::from_millis(5));
        let event = Event {
            at_ms: world.clock.now_ms(),
            ..allowed(at)
        };
        world.audit.record(permit(ONE, 1), event).await.unwrap();
    }
    let (_, report) = world.read(ONE).await;
    let heads = world.audit.chain_heads();
    assert_eq!(heads.len(), 1);
    let ChainHead { org, node, head } = heads[0];
    assert_eq!((org, node, head.segments), (ONE, NODE, 3));
    assert_eq!(
        report,
        Report {
            org: ONE,
            chains: vec![ChainReport {
                node: NODE,
                segments: 3,
                events: 3,
                first_ms: Some(NOW_MS + 5),
                last_ms: Some(NOW_MS + 15),
                head: Some(head),
                findings: vec![],
            }],
        }
    );
    assert_eq!(world.audit.chain_heads(), [], "only what grew since");
    world.audit.note(permit(ONE, 1), allowed("d")).unwrap();
    world.flush().await;
    assert_eq!(world.audit.chain_heads()[0].head.segments, 4);
}

#[tokio::test]
async fn concurrent_records_share_segments() {
    let world = World::new().await;
    let records = (0..64).map(|n| {
        let event = damaged(&n.to_string());
        world.audit.record(permit(ONE, 1), event)
    });
    for recorded in join_all(records).await {
        recorded.unwrap();
    }
    let (entries, report) = world.read(ONE).await;
    assert_eq!((entries.len(), report.is_sound()), (64, true));
    assert!(report.chains[0].segments <= 8, "{report:?}");
}

#[tokio::test]
async fn a_note_is_written_when_it_is_due_and_a_whole_segment_at_once() {
    let world = World::new().await;
    let audit = Arc::clone(&world.audit);
    let running = tokio::spawn(async move { audit.run(pending()).await });
    world.audit.note(permit(ONE, 1), allowed("due")).unwrap();
    while world.audit.chain_heads().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(resources(&world.sound(ONE).await), ["due"]);
    running.abort();

    // With hours to wait, size alone is the reason.
    let settings = config::Audit {
        batch_delay_max: Duration::from_secs(36_000),
        ..config::Audit::default()
    };
    let node = NodeId::from_bytes([8; 16]);
    let slow = Arc::new(Audit::new(
        node,
        world.catalog.clone(),
        world.platform.clone(),
        Arc::clone(&world.keyring),
        &settings,
        world.clock.clone(),
    ));
    let audit = Arc::clone(&slow);
    let running = tokio::spawn(async move { audit.run(pending()).await });
    for _ in 0..super::queue::SEGMENT_ENTRIES_MAX {
        slow.note(permit(TWO, 1), allowed("x")).unwrap();
    }
    while slow.chain_heads().is_empty() {
        tokio::task::yield_now().await;
    }
    assert!(world.sound(TWO).await.len() > 1_000);
    running.abort();
}

#[tokio::test]
async fn stopping_writes_everything_and_takes_no_more() {
    let world = World::new().await;
    for n in 0..5_000 {
        let event = allowed(&n.to_string());
        world.audit.note(permit(ONE, 1), event).unwrap();
    }
    world.audit.note_platform(PlatformEvent {
        at_ms: NOW_MS,
        source: None,
        what: "no such access key".to_owned(),
    });
    world.audit.run(ready(())).await;
    assert_eq!(world.sound(ONE).await.len(), 5_000);
    assert_eq!(world.sound(OrgId::PLATFORM).await.len(), 1);
    assert!(matches!(
        world.audit.note(permit(ONE, 1), allowed("late")),
        Err(AuditError::Unavailable(_))
    ));
}

#[tokio::test]
async fn refusals_over_the_rate_are_counted_and_the_count_is_recorded() {
    let world = World::new().await;
    let mut answers = Vec::new();
    for n in 0..8 {
        let event = refused(&n.to_string());
        answers.push(world.audit.record(permit(ONE, 1), event).await);
    }
    assert_eq!(answers[..3], [Ok(()), Ok(()), Ok(())]);
    assert!(answers[3..].iter().all(|a| *a == Err(AuditError::SlowDown)));
    // Another principal has a rate of its own; damage and what is allowed have none.
    world
        .audit
        .record(permit(ONE, 2), refused("other"))
        .await
        .unwrap();
    for n in 0..5 {
        let event = damaged(&n.to_string());
        world.audit.record(permit(ONE, 1), event).await.unwrap();
    }
    assert_eq!(total(&world.sound(ONE).await), 9, "this second is not over");

    world.hand.advance(Duration::from_secs(1));
    world
        .audit
        .record(permit(ONE, 1), refused("next"))
        .await
        .unwrap();
    let entries = world.sound(ONE).await;
    assert_eq!(total(&entries), 8 + 1 + 5 + 1);
    let counted: Vec<_> = entries.iter().filter(|entry| entry.count > 1).collect();
    assert_eq!(counted.len(), 1);
    assert_eq!(counted[0].count, 5);
    assert_eq!(
        counted[0].outcome,
        Outcome::Refused {
            reason: "5 more refusals of this principal not recorded singly".to_owned()
        }
    );

    // What is counted when the node stops is recorded, too.
    for _ in 0..7 {
        let _ = world.audit.record(permit(ONE, 1), refused("last")).await;
    }
    world.flush().await;
    assert_eq!(total(&world.sound(ONE).await), 15 + 7);
}

#[tokio::test]
async fn damage_that_is_found_again_and_again_is_one_entry_of_a_segment() {
    let world = World::new().await;
    let records = (0..50).map(|n| {
        let at = if n % 10 == 0 { "other" } else { "same" };
        world.audit.record(permit(ONE, 1), damaged(at))
    });
    for recorded in join_all(records).await {
        recorded.unwrap();
    }
    let (entries, report) = world.read(ONE).await;
    assert_eq!((total(&entries), report.chains[0].events), (50, 50));
    assert!(entries.len() as u64 <= 2 * report.chains[0].segments);
}
