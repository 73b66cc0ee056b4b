use std::time::Duration;

use names::Slug;

use super::super::*;
use super::house::*;
use crate::authz::{
    CreateBucket, DeleteOrganization, InBucket, InOrganization, ListBuckets, ManageSettings,
    ReadSettings, Refusal, Role, Standing,
};

async fn may_delete(house: &House, who: &Person) -> crate::authz::Permit<DeleteOrganization> {
    house.permit(&who.caller, InOrganization).await.unwrap()
}

#[tokio::test]
async fn an_owner_asks_for_the_end_and_takes_it_back() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let admin = house.joined(&ada, "admin", Role::Admin).await;
    let refused = house
        .permit::<DeleteOrganization>(&admin.caller, InOrganization)
        .await;
    assert!(refused.is_err());
    let asked = house
        .tenancy()
        .ask_deletion(may_delete(&house, &ada).await, None);
    let asked = asked.await.unwrap();
    assert_eq!(asked.standing, Standing::Deleting);
    let at_ms = house.world.clock.now_ms() + 7 * 86_400_000;
    assert_eq!(asked.delete_after_ms, Some(at_ms));
    let docs = || InBucket {
        bucket: names::BucketName::parse("docs").unwrap(),
    };
    let write = house.permit::<CreateBucket>(&ada.caller, docs()).await;
    assert_eq!(write.unwrap_err(), Refusal::Deleting);
    assert!(
        house
            .permit::<ListBuckets>(&ada.caller, InOrganization)
            .await
            .is_ok()
    );
    // Asking again does not put it off.
    house.place.hand.advance(Duration::from_secs(3_600));
    let again = house
        .tenancy()
        .ask_deletion(may_delete(&house, &ada).await, Some(Duration::from_secs(1)));
    assert_eq!(again.await.unwrap(), asked);
    let due = house
        .world
        .jobs
        .organizations_due_for_destruction(at_ms, 9)
        .await
        .unwrap();
    assert_eq!(due.len(), 1);
    let restored = house
        .tenancy()
        .restore(may_delete(&house, &ada).await)
        .await
        .unwrap();
    assert_eq!(
        (restored.standing, restored.delete_after_ms),
        (Standing::Active, None)
    );
    assert!(
        house
            .permit::<CreateBucket>(&ada.caller, docs())
            .await
            .is_ok()
    );
    let due = house
        .world
        .jobs
        .organizations_due_for_destruction(at_ms, 9)
        .await
        .unwrap();
    assert!(due.is_empty());
    let long = Some(Duration::from_secs(91 * 86_400));
    let refused = house
        .tenancy()
        .ask_deletion(may_delete(&house, &ada).await, long)
        .await;
    assert!(matches!(refused, Err(TenancyError::Invalid(_))));
}

/// Asking for the end and taking it back does not end what the operator has done.
#[tokio::test]
async fn the_end_is_no_way_around_a_suspension_or_a_seal() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let org = ada.caller.org();
    let change = async |transition| {
        let changed = house
            .tenancy()
            .change_state(&house.world.operator, org, transition);
        changed.await.map(|organization| organization.standing)
    };
    change(Transition::Suspend).await.unwrap();
    let asked = house
        .tenancy()
        .ask_deletion(may_delete(&house, &ada).await, None)
        .await;
    assert!(matches!(asked, Err(TenancyError::State("suspended"))));
    let restored = house
        .tenancy()
        .restore(may_delete(&house, &ada).await)
        .await;
    assert!(matches!(restored, Err(TenancyError::State("suspended"))));
    change(Transition::Resume).await.unwrap();
    let asked = house
        .tenancy()
        .ask_deletion(may_delete(&house, &ada).await, None)
        .await;
    let end = asked.unwrap().delete_after_ms;
    let suspended = change(Transition::Suspend).await;
    assert!(matches!(
        suspended,
        Err(TenancyError::State("being deleted"))
    ));
    assert_eq!(change(Transition::Seal).await.unwrap(), Standing::Sealed);
    assert_eq!(
        change(Transition::Unseal).await.unwrap(),
        Standing::Deleting
    );
    let row = house.tenancy().organization_row(org).await.unwrap();
    assert_eq!(row.delete_after_ms, end);
    assert_eq!(change(Transition::Resume).await.unwrap(), Standing::Active);
}

#[tokio::test]
async fn a_profile_is_changed_by_those_who_may_and_the_plan_by_the_operator() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let viewer = house.joined(&ada, "viewer", Role::Viewer).await;
    let show = async |who: &Person| {
        let permit = house
            .permit::<ReadSettings>(&who.caller, InOrganization)
            .await;
        house.tenancy().profile(permit.unwrap()).await.unwrap()
    };
    let before = show(&viewer).await;
    assert_eq!((before.name.as_str(), &before.plan), ("ada", &None));
    assert!(
        house
            .permit::<ManageSettings>(&viewer.caller, InOrganization)
            .await
            .is_err()
    );
    let change = async |change: ProfileChange, etag| {
        let permit = house
            .permit::<ManageSettings>(&ada.caller, InOrganization)
            .await;
        house
            .tenancy()
            .change_profile(permit.unwrap(), &change, etag)
            .await
    };
    let set = |name: &str, value: Option<&str>| ProfileChange {
        name: Some(label("Ada's")),
        settings: [(label(name), value.map(str::to_owned))].into(),
    };
    let changed = change(set("region", Some("eu")), Some(before.etag))
        .await
        .unwrap();
    assert_eq!(show(&viewer).await, changed);
    let late = change(set("region", None), Some(before.etag)).await;
    assert!(matches!(late, Err(TenancyError::Changed)));
    let plan = Slug::parse("team").unwrap();
    let (tenancy, operator) = (house.tenancy(), &house.world.operator);
    let assigned = tenancy.assign_plan(operator, ada.caller.org(), Some(&plan));
    assert!(matches!(assigned.await, Err(TenancyError::NoSuch("plan"))));
    let terms = Terms::default();
    let name = label("Team");
    let made = tenancy.create_plan(operator, &plan, &name, &terms);
    made.await.unwrap();
    let assigned = tenancy.assign_plan(operator, ada.caller.org(), Some(&plan));
    assigned.await.unwrap();
    let changed = change(set("region", None), None).await.unwrap();
    assert_eq!((changed.plan, changed.settings.len()), (Some(plan), 0));
    let large = change(set("x", Some(&"a".repeat(65_537))), None).await;
    assert!(matches!(large, Err(TenancyError::Invalid(_))));
}
