use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use names::{AccessKeyId, OrgId, PrincipalId};
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::authz::{
    Action, Caller, CredentialKind, Limit, Limits, Narrowing, Operator, Permit, Receipt,
    RecordUsage, Refusal, RevealSecret, UseSecret, read_usage_as_operator, record_usage,
};
use crate::catalog::{SqliteStore, doors};
use crate::clock::{Clock, ManualClock};
use crate::tenancy::Terms;

/// The beginning of an hour.
const HOUR_MS: u64 = 1_767_225_600_000;
const ONE: OrgId = OrgId::from_bytes([1; 16]);
const TWO: OrgId = OrgId::from_bytes([2; 16]);

struct World {
    dir: TempDir,
    metering: Arc<Metering>,
    clock: Clock,
    hand: ManualClock,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (clock, hand) = Clock::manual(HOUR_MS + 5);
        let store = SqliteStore::open(&dir.path().join("catalog"), 1, clock.clone()).unwrap();
        let (catalog, _, _) = doors(store);
        Self {
            dir,
            metering: Arc::new(Metering::new(catalog, clock.clone())),
            clock,
            hand,
        }
    }

    fn database(&self) -> Connection {
        Connection::open(self.dir.path().join("catalog")).unwrap()
    }

    fn break_usage(&self) {
        self.database()
            .execute_batch(
                "CREATE TRIGGER broken BEFORE INSERT ON usage_deltas
                 BEGIN SELECT RAISE(ABORT, 'broken'); END",
            )
            .unwrap();
    }

    fn mend_usage(&self) {
        self.database()
            .execute_batch("DROP TRIGGER broken")
            .unwrap();
    }

    async fn usage(&self, org: OrgId, from_ms: u64, until_ms: u64) -> Vec<HourUsage> {
        let permit = read_usage_as_operator(&Operator::authenticated(), org);
        let usage = self.metering.usage(permit, from_ms, until_ms).await;
        usage.unwrap()
    }

    async fn all(&self, org: OrgId) -> Vec<HourUsage> {
        self.usage(org, 0, i64::MAX as u64).await
    }
}

fn caller(org: OrgId) -> Caller {
    Caller::authenticated(
        org,
        PrincipalId::from_bytes([7; 16]),
        AccessKeyId::parse("BHAK00000000000000000000").unwrap(),
        CredentialKind::AccessKey,
        Arc::new(Narrowing::NONE),
    )
}

fn permit(org: OrgId) -> Permit<RecordUsage> {
    record_usage(&caller(org))
}

fn moved(bytes_in: u64, bytes_out: u64) -> Receipt {
    Receipt {
        bytes_in,
        bytes_out,
    }
}

fn hour(hour_ms: u64, requests: i64, ingress_bytes: i64, egress_bytes: i64) -> HourUsage {
    HourUsage {
        hour_ms,
        requests,
        ingress_bytes,
        egress_bytes,
        ..HourUsage::default()
    }
}

#[tokio::test]
async fn usage_is_counted_by_organization_and_hour() {
    let world = World::new();
    let allowance = world.metering.allow(&caller(ONE));
    assert_eq!((allowance.org(), allowance.hour_ms()), (ONE, HOUR_MS));
    world
        .metering
        .record(permit(ONE), &Arc::default(), Done::default(), moved(10, 0));
    world
        .metering
        .record(permit(ONE), &Arc::default(), Done::default(), moved(0, 7));
    world
        .metering
        .record(permit(TWO), &Arc::default(), Done::default(), moved(0, 0));
    world.hand.advance(Duration::from_secs(3_600));
    world
        .metering
        .record(permit(ONE), &Arc::default(), Done::default(), moved(1, 2));
    world.metering.run(ready(())).await;
    let next_ms = HOUR_MS + 3_600_000;
    assert_eq!(
        world.all(ONE).await,
        [hour(HOUR_MS, 2, 10, 7), hour(next_ms, 1, 1, 2)]
    );
    assert_eq!(world.all(TWO).await, [hour(HOUR_MS, 1, 0, 0)]);
    // From the first millisecond of one hour until before another.
    assert_eq!(
        world.usage(ONE, HOUR_MS, next_ms).await,
        [hour(HOUR_MS, 2, 10, 7)]
    );
    assert_eq!(
        world.usage(ONE, next_ms, next_ms + 1).await,
        [hour(next_ms, 1, 1, 2)]
    );
    assert_eq!(world.metering.allow(&caller(ONE)).hour_ms(), next_ms);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sums_are_exact_beside_each_other_and_through_failures() {
    let world = World::new();
    let stop = Arc::new(tokio::sync::Notify::new());
    let running = {
        let (metering, stop) = (Arc::clone(&world.metering), Arc::clone(&stop));
        tokio::spawn(async move { metering.run(stop.notified()).await })
    };
    for round in 0..4_u64 {
        let callers = (0..8).map(|_| {
            let metering = Arc::clone(&world.metering);
            tokio::spawn(async move {
                for n in 0..250 {
                    let org = if n % 2 == 0 { ONE } else { TWO };
                    metering.record(permit(org), &Arc::default(), Done::default(), moved(3, n));
                }
            })
        });
        for counted in futures_util::future::join_all(callers).await {
            counted.unwrap();
        }
        if round % 2 == 0 {
            world.break_usage();
            world
                .metering
                .record(permit(ONE), &Arc::default(), Done::default(), moved(0, 0));
            let failures = &world.metering.counters.failures;
            let before = failures.get();
            while failures.get() == before {
                world.metering.write().await;
            }
            world.mend_usage();
        } else {
            world.metering.write().await;
        }
    }
    stop.notify_one();
    running.await.unwrap();
    let (evens, odds) = (
        (0..250).step_by(2).sum::<i64>(),
        (1..250).step_by(2).sum::<i64>(),
    );
    let rounds = 4 * 8;
    let requests = rounds * 125;
    // Two more in the rounds that failed.
    assert_eq!(
        world.all(ONE).await,
        [hour(HOUR_MS, requests + 2, 3 * requests, rounds * evens)]
    );
    assert_eq!(
        world.all(TWO).await,
        [hour(HOUR_MS, requests, 3 * requests, rounds * odds)]
    );
}

#[tokio::test]
async fn what_waits_is_written_within_a_second_or_so_without_being_stopped() {
    let world = World::new();
    let metering = Arc::clone(&world.metering);
    let running = tokio::spawn(async move { metering.run(std::future::pending()).await });
    for round in 1..=2 {
        world
            .metering
            .record(permit(ONE), &Arc::default(), Done::default(), moved(1, 0));
        while world.all(ONE).await.first().map(|hour| hour.requests) != Some(round) {
            tokio::task::yield_now().await;
        }
    }
    running.abort();
}

#[tokio::test]
async fn deltas_are_folded_and_the_sums_stay() {
    let world = World::new();
    let writes = 2 * super::service::WRITES_UNFOLDED_MAX + 10;
    for _ in 0..writes {
        world
            .metering
            .record(permit(ONE), &Arc::default(), Done::default(), moved(2, 0));
        world.metering.write().await;
    }
    let deltas: u32 = world
        .database()
        .query_row("SELECT count(*) FROM usage_deltas", [], |row| row.get(0))
        .unwrap();
    // Two meters, of the whole and of the principal, for each write since the last fold.
    assert_eq!(deltas, 2 * 2 * 10);
    let writes = i64::from(writes);
    assert_eq!(world.all(ONE).await, [hour(HOUR_MS, writes, 2 * writes, 0)]);
}

#[tokio::test]
async fn what_could_not_be_written_is_due_again() {
    let world = World::new();
    world
        .metering
        .record(permit(ONE), &Arc::default(), Done::default(), moved(1, 0));
    world.metering.counted.notified().await;
    world.break_usage();
    world.metering.write().await;
    world.mend_usage();
    let due = world.metering.counted.notified();
    tokio::pin!(due);
    assert!(futures_util::poll!(due).is_ready());
    world.metering.write().await;
    assert_eq!(world.all(ONE).await, [hour(HOUR_MS, 1, 1, 0)]);
}

#[tokio::test]
async fn a_rate_is_what_all_nodes_used_in_the_hour() {
    let world = World::new();
    let store = SqliteStore::open(&world.dir.path().join("catalog"), 1, world.clock.clone());
    let (catalog, _, _) = doors(store.unwrap());
    let other = Metering::new(catalog, world.clock.clone());
    let terms = Arc::new(limited(Limit::RequestsPerHour, 5));
    let enter = async |metering: &Metering| {
        let entered = metering.admit(&caller(ONE), &terms, Use::Read).await;
        match entered {
            Ok(near) => {
                metering.record(permit(ONE), &terms, Done::default(), moved(0, 1));
                Ok(near.len())
            }
            Err(NotAdmitted::Refused(refusal)) => Err(refusal),
            Err(unknown) => panic!("{unknown}"),
        }
    };
    for _ in 0..3 {
        assert_eq!(enter(&world.metering).await, Ok(0));
    }
    world.metering.write().await;
    // Four fifths are used, which is said once.
    assert_eq!(enter(&other).await, Ok(1));
    assert_eq!(enter(&other).await, Ok(0));
    let over = Err(Refusal::OverLimit {
        limit: Limit::RequestsPerHour,
        max: 5,
        until_ms: HOUR_MS + 3_600_000,
    });
    assert_eq!(enter(&other).await, over);
    other.write().await;
    // The first node knows of the other's once it has written some more, and time has passed.
    world.hand.advance(Duration::from_secs(5));
    assert_eq!(enter(&world.metering).await, Ok(1));
    world.metering.write().await;
    assert_eq!(enter(&world.metering).await, over);
    // What governs and what tells of usage is let in, another organization is, and so is the next
    // hour.
    let free = world.metering.admit(&caller(ONE), &terms, Use::Free).await;
    assert!(free.is_ok());
    let two = world.metering.admit(&caller(TWO), &terms, Use::Read).await;
    assert!(two.is_ok());
    world.hand.advance(Duration::from_secs(3_600));
    assert_eq!(enter(&world.metering).await, Ok(0));
}

#[tokio::test]
async fn a_request_that_was_not_answered_gives_its_place_back() {
    let world = World::new();
    let terms = limited(Limit::RequestsPerMonth, 1);
    let one = caller(ONE);
    let enter = || world.metering.admit(&one, &terms, Use::Write);
    assert!(enter().await.is_ok());
    assert!(enter().await.is_err());
    world.metering.release(&caller(ONE));
    assert!(enter().await.is_ok());
}

#[tokio::test]
async fn answers_that_have_left_bound_what_reads_and_nothing_else() {
    let world = World::new();
    let terms = Arc::new(limited(Limit::EgressBytesPerHour, 10));
    let one = caller(ONE);
    let enter = |what| world.metering.admit(&one, &terms, what);
    assert!(enter(Use::Read).await.is_ok());
    world
        .metering
        .record(permit(ONE), &terms, Done::default(), moved(0, 9));
    assert!(enter(Use::Read).await.is_ok());
    world
        .metering
        .record(permit(ONE), &terms, Done::default(), moved(0, 9));
    assert!(enter(Use::Read).await.is_err());
    assert!(enter(Use::Write).await.is_ok());
    assert!(enter(Use::Free).await.is_ok());
}

#[tokio::test]
async fn secrets_that_were_shown_or_used_are_counted() {
    let world = World::new();
    for (done, times) in [(RevealSecret::NAME, 2), (UseSecret::NAME, 3), ("other", 4)] {
        for _ in 0..times {
            let terms = Arc::default();
            let done = Done {
                action: Some(done),
                bucket: None,
            };
            world
                .metering
                .record(permit(ONE), &terms, done, moved(0, 0));
        }
    }
    world.metering.run(ready(())).await;
    let [used] = world.all(ONE).await[..] else {
        panic!("one hour");
    };
    assert_eq!(
        (used.requests, used.secret_reads, used.secret_uses),
        (9, 2, 3)
    );
}

fn limited(limit: Limit, max: u64) -> Terms {
    Terms {
        limits: Limits::NONE.with(limit, max),
        ..Terms::default()
    }
}
