//! The ledger of credit: whatever order things come in, it adds up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use names::OrgId;
use proptest::prelude::*;
use rusqlite::Connection;

use super::*;
use crate::authz::{Permit, RecordUsage, read_usage_as_operator, record_usage_as_operator};
use crate::catalog::{Catalog, Meter, Mutation, RecordKind, UsageDelta, UsageSubject, doors};
use crate::ops::fixture::{Place, World};
use crate::tenancy::{Billing, Price, Terms};

/// One organization, and the nodes that charge it.
struct House {
    place: Place,
    world: World,
    org: OrgId,
    catalog: Catalog,
    nodes: Vec<Credits>,
}

impl House {
    async fn new(nodes: usize) -> Self {
        let place = Place::new();
        let world = place.start().await;
        let org = world.organization("acme").await.org;
        let (catalog, _, _) = doors(Arc::clone(&world.store));
        let node = |_| {
            Credits::new(
                catalog.clone(),
                Arc::clone(&world.keyring),
                world.clock.clone(),
            )
        };
        let nodes = (0..nodes).map(node).collect();
        Self {
            place,
            world,
            org,
            catalog,
            nodes,
        }
    }

    fn permit(&self) -> Permit<RecordUsage> {
        record_usage_as_operator(&self.world.operator, self.org)
    }

    fn now_ms(&self) -> u64 {
        self.world.clock.now_ms()
    }

    async fn grant(&self, node: usize, grant: NewGrant) -> Result<(Line, bool), CreditError> {
        self.nodes[node]
            .grant(&self.permit(), &terms(), grant)
            .await
    }

    async fn settle(&self, node: usize) -> Vec<Line> {
        let settled = self.nodes[node].settle(&self.permit(), &terms()).await;
        settled.unwrap()
    }

    /// Counts use in the hour that it is now.
    async fn use_up(&self, meter: Meter, amount: i64) {
        let now_ms = self.now_ms();
        let delta = UsageDelta {
            hour_ms: now_ms - now_ms % HOUR_MS,
            meter,
            subject: UsageSubject::Whole,
            amount,
        };
        let catalog = self.catalog.open(&self.permit());
        catalog
            .commit(Mutation::AddUsage(vec![delta]))
            .await
            .unwrap();
    }

    async fn balance(&self) -> Balance {
        let permit = read_usage_as_operator(&self.world.operator, self.org);
        self.nodes[0].balance(&permit, &terms()).await.unwrap()
    }

    async fn lines(&self) -> Vec<Line> {
        let permit = read_usage_as_operator(&self.world.operator, self.org);
        self.nodes[0].lines(&permit, 0, 10_000).await.unwrap()
    }

    async fn statement(&self, month: Month) -> Statement {
        let permit = read_usage_as_operator(&self.world.operator, self.org);
        self.nodes[0].statement(&permit, month).await.unwrap()
    }

    /// What must hold of every ledger, whatever was done to it.
    async fn adds_up(&self) {
        let lines = self.lines().await;
        let balance = self.balance().await;
        let sum: i64 = lines.iter().map(|line| line.amount).sum();
        assert_eq!(i64::try_from(balance.balance).unwrap(), sum);
        let last = lines
            .last()
            .map_or((0, 0), |line| (line.balance, line.owed));
        assert_eq!((balance.balance, balance.owed), last);

        // Each credit gives what it has, and no more; none pays once it has ended.
        let mut left: BTreeMap<u64, (u64, Option<u64>)> = BTreeMap::new();
        let (mut due, mut paid) = (0, 0);
        for line in &lines {
            match &line.entry {
                Entry::Grant { expires_ms, .. } => {
                    let units = u64::try_from(line.amount).unwrap();
                    left.insert(line.number, (units, *expires_ms));
                }
                Entry::Expiry { grant } => {
                    let (units, expires_ms) = left.remove(grant).unwrap();
                    assert_eq!(line.amount, -i64::try_from(units).unwrap());
                    assert!(expires_ms.unwrap() <= line.at_ms);
                }
                Entry::Charge { payments, .. } => {
                    due += line.due();
                    for payment in payments {
                        let (units, expires_ms) = left.get_mut(&payment.grant).unwrap();
                        *units = units
                            .checked_sub(payment.units)
                            .expect("no more than is left");
                        assert!(expires_ms.is_none_or(|end| line.at_ms < end));
                        paid += payment.units;
                    }
                }
            }
        }
        left.retain(|_, (units, _)| *units > 0);
        let open: BTreeMap<_, _> = balance
            .credits
            .iter()
            .map(|credit| (credit.grant, (credit.left, credit.expires_ms)))
            .collect();
        assert_eq!(open, left);
        assert_eq!(due, paid + balance.owed);

        // Months open as the ones before closed, and sum up to the ledger.
        let mut month = lines.first().map(|line| Month::of(line.at_ms));
        let (mut closed, mut owed, mut told) = (0, 0, 0);
        while let Some(of) = month {
            let statement = self.statement(of).await;
            assert_eq!(
                (statement.opening_balance(), statement.owed_before()),
                (closed, owed)
            );
            assert_eq!(
                statement.opening_balance() + statement.granted(),
                statement.charged() + statement.expired() + statement.closing_balance()
            );
            (closed, owed) = (statement.closing_balance(), statement.owed_after());
            told += statement.lines.len();
            month = (of < Month::of(self.now_ms())).then(|| Month::of(of.end_ms()));
        }
        assert_eq!((closed, owed), last);
        assert_eq!(told, lines.len());
    }
}

/// What is done to an organization.
#[derive(Debug, Clone)]
enum Step {
    Grant {
        units: u64,
        priority: u8,
        hours: Option<u64>,
    },
    Use {
        requests: i64,
    },
    Settle,
    Wait {
        minutes: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        (1_u64..50, 0_u8..3, prop::option::of(1_u64..100)).prop_map(|(units, priority, hours)| {
            Step::Grant {
                units,
                priority,
                hours,
            }
        }),
        (1_i64..5_000).prop_map(|requests| Step::Use { requests }),
        Just(Step::Settle),
        prop_oneof![1_u64..90, 60_u64 * 24..60 * 24 * 20]
            .prop_map(|minutes| Step::Wait { minutes }),
    ];
    prop::collection::vec((0_usize..2, step), 1..24)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever the order of grants, charges and expiries, and whichever node does them, the
    /// balance is the sum of the lines, and no credit goes below zero; all that was used is charged
    /// once, as if it had been charged at once.
    #[test]
    fn the_balance_is_the_sum_of_the_lines(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            let house = House::new(2).await;
            house.settle(0).await;
            let mut requests = 0;
            for (node, step) in steps {
                match step {
                    Step::Grant { units, priority, hours } => {
                        let expires_ms = hours.map(|hours| house.now_ms() + hours * HOUR_MS);
                        let grant = NewGrant { priority, expires_ms, ..grant(units) };
                        house.grant(node, grant).await.unwrap();
                    }
                    Step::Use { requests: more } => {
                        house.use_up(Meter::Requests, more).await;
                        requests += u64::try_from(more).unwrap();
                    }
                    Step::Settle => drop(house.settle(node).await),
                    Step::Wait { minutes } => {
                        house.place.hand.advance(Duration::from_secs(60 * minutes));
                    }
                }
            }
            house.adds_up().await;
            house.settle(0).await;
            house.adds_up().await;
            let due: u64 = house.lines().await.iter().map(Line::due).sum();
            assert_eq!(due, requests * PRICE.units / PRICE.per);
        });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_that_charge_at_once_charge_once() {
    let house = House::new(2).await;
    house.grant(0, grant(1_000)).await.unwrap();
    for _ in 0..8 {
        house.use_up(Meter::Requests, 700).await;
        let settling = (0..8).map(|n| house.settle(n % 2));
        join_all(settling).await;
    }
    house.adds_up().await;
    let due: u64 = house.lines().await.iter().map(Line::due).sum();
    assert_eq!(due, 8 * 700 * PRICE.units / PRICE.per);
    assert_eq!(house.balance().await.balance, 1_000 - due);
}

#[tokio::test]
async fn credit_is_spent_by_priority_then_by_which_ends_first_then_by_age() {
    let house = House::new(1).await;
    let hour = |hours: u64| Some(house.now_ms() + hours * HOUR_MS);
    let with = |units, priority, expires_ms| NewGrant {
        priority,
        expires_ms,
        ..grant(units)
    };
    for grant in [
        with(1, 200, None),
        with(2, 100, None),
        with(3, 100, hour(9)),
        with(4, 100, hour(3)),
        with(5, 0, None),
        with(6, 100, None),
    ] {
        house.grant(0, grant).await.unwrap();
    }
    let order: Vec<u64> = house
        .balance()
        .await
        .credits
        .iter()
        .map(|one| one.left)
        .collect();
    assert_eq!(order, [5, 4, 3, 2, 6, 1]);
    // 10 units: two whole credits and a part of the third.
    house.use_up(Meter::Requests, 10 * 1_000 / 3 + 1).await;
    house.settle(0).await;
    let left: Vec<u64> = house
        .balance()
        .await
        .credits
        .iter()
        .map(|one| one.left)
        .collect();
    assert_eq!(left, [2, 2, 6, 1]);
    house.place.hand.advance(Duration::from_secs(9 * 3_600));
    house.settle(0).await;
    assert_eq!(house.balance().await.balance, 9);
    house.adds_up().await;
}

#[tokio::test]
async fn what_no_credit_pays_for_is_owed_and_paid_by_the_next() {
    let house = House::new(1).await;
    house.grant(0, grant(4)).await.unwrap();
    house.use_up(Meter::Requests, 3_000).await;
    let before = house.balance().await;
    assert_eq!((before.balance, before.owed, before.available), (4, 0, -5));
    house.settle(0).await;
    let after = house.balance().await;
    assert_eq!((after.balance, after.owed, after.available), (0, 5, -5));
    house.grant(0, grant(7)).await.unwrap();
    let paid = house.balance().await;
    assert_eq!((paid.balance, paid.owed, paid.available), (2, 0, 2));
    house.adds_up().await;
}

#[tokio::test]
async fn what_is_stored_costs_for_each_hour_that_it_is_held() {
    let house = House::new(1).await;
    house.grant(0, grant(1_000)).await.unwrap();
    // As the catalog counts what is stored, which nobody else may.
    let stored = |house: &House, amount: i64, delta: i64| {
        let now_ms = house.now_ms();
        let hour_ms = i64::try_from(now_ms - now_ms % HOUR_MS).unwrap();
        Connection::open(house.place.catalog_path())
            .unwrap()
            .execute(
                "INSERT INTO usage_deltas VALUES (?1, 0, ?2, x'', 1, ?3, ?4)",
                (house.org.bytes(), hour_ms, delta, amount),
            )
            .unwrap();
    };
    let wait = |hours: u64| {
        let hand = &house.place.hand;
        hand.advance(Duration::from_secs(hours * 3_600));
    };
    stored(&house, 10, 1);
    wait(3);
    stored(&house, -4, 2);
    wait(100);
    house.settle(0).await;
    wait(2);
    house.settle(0).await;
    let held: u64 = house
        .lines()
        .await
        .iter()
        .filter_map(|line| match &line.entry {
            Entry::Charge { charged, .. } => Some(charged.clone()),
            _ => None,
        })
        .flatten()
        .filter(|charged| charged.meter() == "stored_bytes")
        .map(|charged| charged.quantity)
        .sum();
    assert_eq!(held, 3 * 10 + 102 * 6);
    house.adds_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_grant_with_a_reference_is_made_once() {
    let house = House::new(2).await;
    let named = NewGrant {
        reference: Some("invoice 7".to_owned()),
        ..grant(10)
    };
    let grants = (0..16).map(|n| house.grant(n % 2, named.clone()));
    let granted: Vec<_> = join_all(grants).await;
    let granted: Vec<_> = granted.into_iter().map(Result::unwrap).collect();
    assert_eq!(granted.iter().filter(|(_, is_new)| *is_new).count(), 1);
    assert!(granted.iter().all(|(line, _)| *line == granted[0].0));
    let other = NewGrant { units: 11, ..named };
    let refused = house.grant(0, other).await;
    assert!(matches!(refused, Err(CreditError::ReferenceUsed)));
    assert_eq!(house.balance().await.balance, 10);
}

#[tokio::test]
async fn a_line_that_is_taken_out_or_put_in_another_place_is_seen() {
    for tampered in [
        "DELETE FROM records WHERE kind = 25 AND id = (SELECT id FROM records WHERE kind = 25
             ORDER BY id LIMIT 1 OFFSET 2)",
        "UPDATE records SET created_ms = created_ms + 1 WHERE kind = 25 AND state = 1",
        "UPDATE records SET id = x'00000000000000000000000000000009' WHERE kind = 25
             AND id = x'00000000000000000000000000000003'",
    ] {
        let house = House::new(1).await;
        for units in 1..5 {
            house.grant(0, grant(units)).await.unwrap();
        }
        house.adds_up().await;
        let database = Connection::open(house.place.catalog_path()).unwrap();
        assert!(database.execute(tampered, ()).unwrap() > 0);
        let permit = read_usage_as_operator(&house.world.operator, house.org);
        let lines = house.nodes[0].lines(&permit, 0, 100).await;
        assert!(matches!(lines, Err(CreditError::Damaged(_))), "{tampered}");
        let month = Month::of(house.now_ms());
        let statement = house.nodes[0].statement(&permit, month).await;
        assert!(
            matches!(statement, Err(CreditError::Damaged(_))),
            "{tampered}"
        );
    }
}

#[tokio::test]
async fn without_a_price_and_a_grant_there_is_no_ledger() {
    let house = House::new(1).await;
    house.use_up(Meter::Requests, 5_000).await;
    let terms = Terms::default();
    let settled = house.nodes[0].settle(&house.permit(), &terms).await;
    assert_eq!(settled.unwrap(), []);
    let count = house
        .world
        .platform
        .count_records(house.org, RecordKind::Ledger, None);
    assert_eq!(count.await.unwrap(), 0);
    // What was used before there was a price costs nothing.
    house.settle(0).await;
    assert_eq!(house.lines().await, []);
    house.use_up(Meter::Requests, 1_000).await;
    house.settle(0).await;
    assert_eq!(house.balance().await.owed, 3);
}

#[test]
fn months_are_read_as_they_are_written() {
    for (text, start_ms, end_ms) in [
        ("1970-01", 0, 31 * DAY_MS),
        ("2024-02", 1_706_745_600_000, 1_709_251_200_000),
        ("2025-12", 1_764_547_200_000, 1_767_225_600_000),
    ] {
        let month: Month = text.parse().unwrap();
        assert_eq!((month.start_ms(), month.end_ms()), (start_ms, end_ms));
        assert_eq!(month.to_string(), text);
        assert_eq!(Month::of(end_ms - 1), month);
        assert_eq!(Month::of(start_ms), month);
    }
    for wrong in [
        "", "2026", "2026-1", "2026-13", "2026-00", "1969-12", "26-001", "+026-01",
    ] {
        assert_eq!(wrong.parse::<Month>(), Err(InvalidMonth), "{wrong}");
    }
    assert!(Month::of(u64::MAX).end_ms() > Month::of(0).end_ms());
}

fn grant(units: u64) -> NewGrant {
    NewGrant {
        units,
        priority: 100,
        expires_ms: None,
        reason: "test".to_owned(),
        reference: None,
    }
}

fn terms() -> Terms {
    let mut terms = Terms {
        billing: Billing::Postpaid,
        ..Terms::default()
    };
    terms.prices.set("requests", PRICE).unwrap();
    let held = Price { units: 1, per: 6 };
    terms.prices.set("stored_bytes", held).unwrap();
    terms
}

const PRICE: Price = Price {
    units: 3,
    per: 1_000,
};
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
