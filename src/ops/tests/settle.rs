use std::sync::Arc;
use std::time::Duration;

use names::{NodeId, Slug};
use rusqlite::Connection;

use crate::authz::{Operator, read_usage_as_operator};
use crate::catalog::doors;
use crate::metering::Credits;
use crate::ops::Settler;
use crate::ops::fixture::Place;
use crate::tenancy::{Label, Price, Terms};

#[tokio::test]
async fn what_an_idle_organization_stores_is_charged_by_the_hour() {
    let place = Place::new();
    let world = place.start().await;
    let idle = world.organization("idle").await.org;
    world.organization("free").await;
    let mut terms = Terms::default();
    let price = Price { units: 1, per: 10 };
    terms.prices.set("stored_bytes", price).unwrap();
    let plan = Slug::parse("held").unwrap();
    let (tenancy, operator) = (&world.tenancy, &world.operator);
    let name = Label::parse("Held").unwrap();
    let made = tenancy.create_plan(operator, &plan, &name, &terms);
    made.await.unwrap();
    let assigned = tenancy.assign_plan(operator, idle, Some(&plan));
    assigned.await.unwrap();

    let (catalog, _, _) = doors(Arc::clone(&world.store));
    let (keyring, clock) = (Arc::clone(&world.keyring), world.clock.clone());
    let credits = Arc::new(Credits::new(catalog, keyring, clock.clone()));
    let settler = Settler::new(
        world.jobs.clone(),
        Arc::clone(tenancy),
        Arc::clone(&credits),
        Operator::authenticated(),
        NodeId::from_bytes([1; 16]),
        clock,
    );
    // It opens the account.
    assert_eq!(settler.settle().await.unwrap(), 0);
    let hour_ms = i64::try_from(world.clock.now_ms() / 3_600_000 * 3_600_000).unwrap();
    // As the catalog counts what is stored, which nobody else may.
    Connection::open(place.catalog_path())
        .unwrap()
        .execute(
            "INSERT INTO usage_deltas VALUES (?1, 0, ?2, x'', 1, 1, 100)",
            (idle.bytes(), hour_ms),
        )
        .unwrap();
    place.hand.advance(Duration::from_secs(3 * 3_600));
    assert_eq!(settler.settle().await.unwrap(), 1);
    assert_eq!(
        settler.settle().await.unwrap(),
        0,
        "nothing is charged twice"
    );
    let permit = read_usage_as_operator(operator, idle);
    let balance = credits.balance(&permit, &terms).await.unwrap();
    assert_eq!(balance.owed, 30);
}
