use std::time::Duration;

use futures_util::future::join_all;

use super::super::*;
use super::house::*;
use crate::authz::{InOrganization, ManageCredentials};
use crate::authz::{ListBuckets, ManagePeople, Narrowing, ReadPeople, Refusal, Role, SubjectKind};

async fn set_role(
    house: &House,
    by: &crate::authz::Caller,
    whom: &Person,
    role: Role,
) -> Result<Role, TenancyError> {
    let permit = house.permit::<ManagePeople>(
        by,
        crate::authz::OfSubject::one(SubjectKind::Member, whom.principal().to_string()),
    );
    let permit = permit.await.map_err(|_| TenancyError::AboveOwnRole)?;
    let changed = house.tenancy().change_role(permit, role, None).await;
    changed.map(|member| member.role)
}

#[tokio::test]
async fn members_are_listed_with_what_their_accounts_say_now() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    // By age, which identifiers tell by the millisecond.
    house.place.hand.advance(Duration::from_millis(1));
    let bob = house.joined(&ada, "bob", Role::Viewer).await;
    let renamed = house
        .tenancy()
        .rename_account(&bob.signed_in, label("Robert"));
    renamed.await.unwrap();
    let list = async |after, max| {
        let permit = house.all::<ReadPeople>(&bob.caller, SubjectKind::Member);
        let members = house.tenancy().members(permit.await, after, max).await;
        members.unwrap()
    };
    let members = list(None, 10).await;
    let told: Vec<_> = members
        .iter()
        .map(|member| (member.email.as_str(), member.name.as_str(), member.role))
        .collect();
    assert_eq!(
        told,
        [
            ("ada@example.com", "ada", Role::Owner),
            ("bob@example.com", "Robert", Role::Viewer)
        ]
    );
    assert_eq!(list(None, 1).await, members[..1]);
    assert_eq!(list(Some(members[0].principal), 9).await, members[1..]);
    let one = house.one::<ReadPeople>(&ada.caller, SubjectKind::Member, bob.principal());
    let one = house.tenancy().member(one.await).await.unwrap();
    assert_eq!(one, members[1]);
}

/// Nobody gives a role above one's own, or touches whoever is above; and a credential limited to a
/// role gives no more than that role.
#[tokio::test]
async fn roles_are_given_up_to_ones_own() {
    let house = House::new().await;
    let owner = house.person("owner").await;
    let admin = house.joined(&owner, "admin", Role::Admin).await;
    let member = house.joined(&owner, "member", Role::Member).await;
    let org = owner.caller.org();
    let as_admin = Narrowing {
        role: Some(Role::Admin),
        ..Narrowing::NONE
    };
    let limited = narrowed(org, owner.principal(), as_admin);
    for (by, may) in [
        (&owner.caller, true),
        (&admin.caller, false),
        (&limited, false),
    ] {
        let raised = set_role(&house, by, &member, Role::Owner).await;
        assert_eq!(raised.is_ok(), may, "{raised:?}");
        let lowered = set_role(&house, by, &owner, Role::Viewer).await;
        assert_eq!(lowered.is_ok(), may, "{lowered:?}");
        if may {
            for who in [&owner, &member] {
                let role = if who.principal() == owner.principal() {
                    Role::Owner
                } else {
                    Role::Member
                };
                set_role(&house, &member.caller, who, role).await.unwrap();
            }
        } else {
            for refused in [raised, lowered] {
                assert!(matches!(refused, Err(TenancyError::AboveOwnRole)));
            }
            for role in [Role::Admin, Role::Viewer, Role::Billing, Role::Member] {
                assert_eq!(set_role(&house, by, &member, role).await.unwrap(), role);
            }
        }
    }
    // What was permitted to an admin who is none any more.
    let stale = house.one::<ManagePeople>(&admin.caller, SubjectKind::Member, member.principal());
    let stale = stale.await;
    set_role(&house, &owner.caller, &admin, Role::Viewer)
        .await
        .unwrap();
    let refused = house.tenancy().change_role(stale, Role::Admin, None).await;
    assert!(
        matches!(refused, Err(TenancyError::AboveOwnRole)),
        "{refused:?}"
    );
    let refused = set_role(&house, &admin.caller, &member, Role::Viewer).await;
    assert!(refused.is_err());
}

#[tokio::test]
async fn an_admin_revokes_nothing_of_an_owner() {
    let house = House::new().await;
    let owner = house.person("owner").await;
    let admin = house.joined(&owner, "admin", Role::Admin).await;
    let revoke = async |by: &Person, of: &Person| {
        let id = of.caller.credential();
        let permit = house.one::<ManageCredentials>(&by.caller, SubjectKind::Credential, id);
        house.tenancy().revoke_credential(permit.await).await
    };
    let refused = revoke(&admin, &owner).await;
    assert!(
        matches!(refused, Err(TenancyError::AboveOwnRole)),
        "{refused:?}"
    );
    revoke(&owner, &admin).await.unwrap();
}

#[tokio::test]
async fn the_last_owner_stays() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let org = ada.caller.org();
    let bob = house.joined(&ada, "bob", Role::Admin).await;
    let lowered = set_role(&house, &ada.caller, &ada, Role::Admin).await;
    assert!(
        matches!(lowered, Err(TenancyError::LastOwner)),
        "{lowered:?}"
    );
    let left = house.tenancy().leave(&ada.signed_in, org).await;
    assert!(matches!(left, Err(TenancyError::LastOwner)), "{left:?}");
    let own = house.one::<ManagePeople>(&ada.caller, SubjectKind::Member, ada.principal());
    let removed = house.tenancy().remove_member(own.await, None).await;
    assert!(
        matches!(removed, Err(TenancyError::LastOwner)),
        "{removed:?}"
    );

    // An admin cannot take it over; the owner hands it over.
    let take = house.one::<ManagePeople>(&bob.caller, SubjectKind::Member, bob.principal());
    let taken = house.tenancy().transfer_ownership(take.await).await;
    assert!(
        matches!(taken, Err(TenancyError::AboveOwnRole)),
        "{taken:?}"
    );
    let give = house.one::<ManagePeople>(&ada.caller, SubjectKind::Member, bob.principal());
    let heir = house
        .tenancy()
        .transfer_ownership(give.await)
        .await
        .unwrap();
    assert_eq!(heir.role, Role::Owner);
    let give = house.one::<ReadPeople>(&ada.caller, SubjectKind::Member, ada.principal());
    let before = house.tenancy().member(give.await).await.unwrap();
    assert_eq!(before.role, Role::Admin);
    house.tenancy().leave(&ada.signed_in, org).await.unwrap();
    let left = house.tenancy().leave(&bob.signed_in, org).await;
    assert!(matches!(left, Err(TenancyError::LastOwner)), "{left:?}");
}

#[tokio::test]
async fn of_owners_who_leave_at_once_one_stays() {
    for _ in 0..8 {
        let house = House::new().await;
        let ada = house.person("ada").await;
        let org = ada.caller.org();
        let bob = house.joined(&ada, "bob", Role::Owner).await;
        let cleo = house.joined(&ada, "cleo", Role::Owner).await;
        let all = [&ada, &bob, &cleo];
        let left = join_all(all.map(|who| house.tenancy().leave(&who.signed_in, org))).await;
        let stayed: Vec<_> = left.iter().filter(|left| left.is_err()).collect();
        assert!(!stayed.is_empty());
        let owner = Role::Owner as u8;
        let kind = crate::catalog::RecordKind::Member;
        let owners = house.world.platform.count_records(org, kind, Some(owner));
        assert_eq!(owners.await.unwrap(), stayed.len() as u64);
    }
}

/// On the node that removed it from the next call on, on another one with its next poll.
#[tokio::test]
async fn a_removed_member_may_nothing_from_the_next_call_on() {
    let house = House::new().await;
    let beside = house.place.start().await;
    let ada = house.person("ada").await;
    let bob = house.joined(&ada, "bob", Role::Member).await;
    let team = house
        .all::<ManagePeople>(&ada.caller, SubjectKind::Team)
        .await;
    let team = house
        .tenancy()
        .create_team(team, &label("crew"))
        .await
        .unwrap();
    let seat = house
        .one::<ManagePeople>(&ada.caller, SubjectKind::Team, team.id)
        .await;
    house
        .tenancy()
        .add_to_team(seat, bob.principal())
        .await
        .unwrap();
    let granted = terms(
        GrantSubject::Member(bob.principal()),
        "vault:use",
        "secret:a*",
    );
    house.grant(&ada, granted).await.unwrap();
    beside.store.poll().await.unwrap();
    assert!(
        house
            .permit::<ListBuckets>(&bob.caller, InOrganization)
            .await
            .is_ok()
    );
    let there = beside.tenancy.rights(&bob.caller).await.unwrap();
    assert_eq!(there.grants.len(), 1);
    let permit = house.one::<ManagePeople>(&ada.caller, SubjectKind::Member, bob.principal());
    house
        .tenancy()
        .remove_member(permit.await, None)
        .await
        .unwrap();
    let refused = house
        .permit::<ListBuckets>(&bob.caller, InOrganization)
        .await;
    assert_eq!(refused.unwrap_err(), Refusal::Gone);
    beside.store.poll().await.unwrap();
    let there = beside.tenancy.rights(&bob.caller).await.unwrap();
    assert_eq!(there.subject, crate::authz::Subject::Nobody);
    // Its credentials are revoked, and nothing of it is left.
    let left = house
        .tenancy()
        .credential_of(ada.caller.org(), bob.caller.credential());
    assert!(left.await.unwrap().unwrap().0.revoked_ms.is_some());
    for kind in [
        crate::catalog::RecordKind::TeamSeat,
        crate::catalog::RecordKind::Grant,
    ] {
        let left = house
            .world
            .platform
            .count_records(ada.caller.org(), kind, None);
        assert_eq!(left.await.unwrap(), 0, "{kind}");
    }
    // It is no member of that organization any more than of one that does not exist.
    let at_home = house.log_in(&bob.email, PASSWORD).await.unwrap();
    let bob = Person::of(bob.account, bob.email, &at_home);
    for org in [ada.caller.org(), names::OrgId::from_bytes([7; 16])] {
        let refused = house.tenancy().switch(&bob.signed_in, org).await;
        assert!(matches!(
            refused.err(),
            Some(TenancyError::NoSuchOrganization)
        ));
        let refused = house.tenancy().leave(&bob.signed_in, org).await;
        assert!(matches!(refused, Err(TenancyError::NoSuchOrganization)));
    }
}

#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let house = House::new().await;
    let (ada, eve) = (house.person("ada").await, house.person("eve").await);
    let agent = house.agent(&ada, "helper").await;
    let member = house.one::<ManagePeople>(&eve.caller, SubjectKind::Member, ada.principal());
    let removed = house.tenancy().remove_member(member.await, None).await;
    assert!(matches!(removed, Err(TenancyError::NoSuch("member"))));
    let credential = ada.caller.credential();
    let revoked = house.one::<ManageCredentials>(&eve.caller, SubjectKind::Credential, credential);
    let revoked = house.tenancy().revoke_credential(revoked.await).await;
    assert!(matches!(revoked, Err(TenancyError::NoSuch("credential"))));
    let subject = GrantSubject::Agent(agent.id);
    let granted = house
        .grant(&eve, terms(subject, "vault:use", "secret:*"))
        .await;
    assert!(matches!(granted, Err(TenancyError::NoSuch(_))));
    // Another spelling of an identifier is none.
    let shouted = ada.principal().to_string().to_uppercase();
    let member = house.one::<ReadPeople>(&ada.caller, SubjectKind::Member, shouted);
    let shown = house.tenancy().member(member.await).await;
    assert!(matches!(shown, Err(TenancyError::NoSuch("member"))));
}

#[tokio::test]
async fn a_change_is_compared_with_what_was_seen() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let bob = house.joined(&ada, "bob", Role::Member).await;
    let change = async |role, etag| {
        let permit = house.one::<ManagePeople>(&ada.caller, SubjectKind::Member, bob.principal());
        house.tenancy().change_role(permit.await, role, etag).await
    };
    let seen = change(Role::Viewer, None).await.unwrap();
    let again = change(Role::Admin, Some(seen.etag)).await.unwrap();
    assert_ne!(seen.etag, again.etag);
    let late = change(Role::Member, Some(seen.etag)).await;
    assert!(matches!(late, Err(TenancyError::Changed)), "{late:?}");
}
