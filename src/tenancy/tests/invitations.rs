use std::time::Duration;

use futures_util::future::join_all;
use names::OrgId;

use super::super::*;
use super::house::*;
use crate::authz::{Limit, Limits, ManagePeople, ReadPeople, Role, SubjectKind};
use crate::catalog::RecordKind;

async fn accept(house: &House, who: &Person, token: &str) -> Result<(), TenancyError> {
    let accepted = house
        .tenancy()
        .accept_invitation(&who.signed_in, token)
        .await;
    accepted.map(drop)
}

#[tokio::test]
async fn an_invitation_makes_a_member_once() {
    let house = House::new().await;
    let (ada, bob) = (house.person("ada").await, house.person("bob").await);
    let invited = house.invite(&ada, &bob.email, Role::Viewer).await.unwrap();
    assert!(invited.token.starts_with("bki_"));
    accept(&house, &bob, &invited.token).await.unwrap();
    let seats = house
        .tenancy()
        .seats(&bob.signed_in, None, 10)
        .await
        .unwrap();
    let roles: Vec<_> = seats
        .iter()
        .map(|seat| (seat.org, seat.details.as_ref().unwrap().role))
        .collect();
    assert!(
        roles.contains(&(ada.caller.org(), Role::Viewer)),
        "{roles:?}"
    );
    assert_eq!(roles.len(), 2);
    let again = accept(&house, &bob, &invited.token).await;
    assert!(matches!(again, Err(TenancyError::NoSuchInvitation)));
    // Whoever is a member is told so, and stays what it is.
    let twice = house.invite(&ada, &bob.email, Role::Admin).await.unwrap();
    let twice = accept(&house, &bob, &twice.token).await;
    assert!(matches!(twice, Err(TenancyError::Exists(_))), "{twice:?}");
}

/// One answer to every misuse.
#[tokio::test]
async fn a_misused_invitation_tells_nothing() {
    let house = House::new().await;
    let (ada, bob, eve) = (
        house.person("ada").await,
        house.person("bob").await,
        house.person("eve").await,
    );
    let invite = async || house.invite(&ada, &bob.email, Role::Member).await.unwrap();
    let good = invite().await;
    let token = good.token.as_str();
    let (place, secret) = token.rsplit_once('_').unwrap();
    let of_eve = house.invite(&eve, &bob.email, Role::Member).await.unwrap();
    let (_, secret_of_eve) = of_eve.token.rsplit_once('_').unwrap();
    let eves_place = format!(
        "bki_{}{}",
        hex::encode(eve.caller.org().bytes()),
        &place["bki_".len() + 32..]
    );
    let mut flipped = secret.to_owned();
    let last = flipped.pop().unwrap();
    flipped.push(if last == 'A' { 'B' } else { 'A' });

    let revoked = invite().await;
    let id = revoked.invitation.id;
    let permit = house.one::<ManagePeople>(&ada.caller, SubjectKind::Invitation, id);
    house
        .tenancy()
        .revoke_invitation(permit.await)
        .await
        .unwrap();

    let mut wrong = vec![
        (&bob, format!("{place}_{flipped}"), "another secret"),
        (&bob, format!("{place}_{secret_of_eve}"), "another's secret"),
        (&bob, format!("{place}_"), "no secret"),
        (
            &bob,
            format!("{eves_place}_{secret}"),
            "in another organization",
        ),
        (&bob, format!("{place}0_{secret}"), "a longer place"),
        (&bob, token[..token.len() - 1].to_owned(), "cut off"),
        (&bob, String::new(), "nothing"),
        (&bob, "bki_".to_owned(), "a beginning"),
        (&bob, token.replacen("bki", "bkt", 1), "an API token"),
        (
            &bob,
            format!("bki_{}_{secret}", "0".repeat(64)),
            "the platform's",
        ),
        (&bob, format!("bki_{}_{secret}", "7".repeat(64)), "nowhere"),
        (&eve, token.to_owned(), "for somebody else"),
        (&ada, token.to_owned(), "by who has given it"),
        (&bob, revoked.token.to_string(), "revoked"),
    ];
    let expired = invite().await;
    house.place.hand.advance(INVITATION_DEFAULT);
    wrong.push((&bob, expired.token.to_string(), "expired"));
    let good = invite().await;
    for (who, token, what) in &wrong {
        let refused = accept(&house, who, token).await;
        assert!(
            matches!(refused, Err(TenancyError::NoSuchInvitation)),
            "{what}: {refused:?}"
        );
    }
    accept(&house, &bob, &good.token).await.unwrap();
}

/// What the inviter may not give any more, nobody gets.
#[tokio::test]
async fn an_invitation_is_worth_what_its_giver_is_now() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let admin = house.joined(&ada, "admin", Role::Admin).await;
    let above = house
        .invite(&admin, &email("x@example.com"), Role::Owner)
        .await;
    assert!(matches!(above.err(), Some(TenancyError::AboveOwnRole)));
    let (bob, cleo) = (house.person("bob").await, house.person("cleo").await);
    let for_bob = house
        .invite(&admin, &bob.email, Role::Member)
        .await
        .unwrap();
    let for_cleo = house
        .invite(&admin, &cleo.email, Role::Member)
        .await
        .unwrap();
    let member = async || {
        house
            .one::<ManagePeople>(&ada.caller, SubjectKind::Member, admin.principal())
            .await
    };
    let lowered = house
        .tenancy()
        .change_role(member().await, Role::Member, None);
    lowered.await.unwrap();
    let refused = accept(&house, &bob, &for_bob.token).await;
    assert!(
        matches!(refused, Err(TenancyError::NoSuchInvitation)),
        "{refused:?}"
    );
    let raised = house
        .tenancy()
        .change_role(member().await, Role::Admin, None);
    raised.await.unwrap();
    accept(&house, &bob, &for_bob.token).await.unwrap();
    house
        .tenancy()
        .remove_member(member().await, None)
        .await
        .unwrap();
    let refused = accept(&house, &cleo, &for_cleo.token).await;
    assert!(
        matches!(refused, Err(TenancyError::NoSuchInvitation)),
        "{refused:?}"
    );
}

#[tokio::test]
async fn of_many_who_accept_at_once_as_many_come_in_as_there_are_places() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let mut invited = Vec::new();
    for number in 0..16 {
        let who = house.person(&format!("p{number}")).await;
        let invitation = house.invite(&ada, &who.email, Role::Viewer).await.unwrap();
        invited.push((who, invitation.token));
    }
    let limits = Limits::NONE.with(Limit::Members, 2);
    house.limited(ada.caller.org(), limits).await;
    let accepted = join_all(
        invited
            .iter()
            .map(|(who, token)| house.tenancy().accept_invitation(&who.signed_in, token)),
    );
    let accepted = accepted.await;
    let came_in = accepted.iter().filter(|accepted| accepted.is_ok()).count();
    assert_eq!(came_in, 1);
    assert!(accepted.iter().all(|accepted| matches!(
        accepted,
        Ok(_) | Err(TenancyError::LimitReached { max: 2, .. })
    )));
    let org = ada.caller.org();
    let members = house
        .world
        .platform
        .count_records(org, RecordKind::Member, None);
    assert_eq!(members.await.unwrap(), 2);
}

#[tokio::test]
async fn of_two_who_use_one_invitation_at_once_one_comes_in() {
    let house = House::new().await;
    let (ada, bob) = (house.person("ada").await, house.person("bob").await);
    let invited = house.invite(&ada, &bob.email, Role::Viewer).await.unwrap();
    let tries = (0..8).map(|_| accept(&house, &bob, &invited.token));
    let done = join_all(tries).await;
    assert_eq!(
        done.iter().filter(|done| done.is_ok()).count(),
        1,
        "{done:?}"
    );
}

#[tokio::test]
async fn whoever_was_invited_gets_an_account_though_others_may_not() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let bob = email("Bob@Example.com ");
    let wish = NewAccount {
        email: bob.clone(),
        name: label("bob"),
        password: password(PASSWORD),
    };
    let closed = house.tenancy().sign_up(SignUps::Closed, wish, None).await;
    assert!(matches!(closed, Err(TenancyError::SignUpsClosed)));
    let join = async |token: &str| {
        house
            .tenancy()
            .accept_invitation_as_new(token, &label("bob"), password(PASSWORD))
            .await
    };
    assert!(matches!(
        join("bki_x").await.err(),
        Some(TenancyError::NoSuchInvitation)
    ));
    let invited = house.invite(&ada, &bob, Role::Viewer).await.unwrap();
    join(&invited.token).await.unwrap();
    let session = house.log_in(&bob, PASSWORD).await.unwrap();
    let at_ada = house
        .tenancy()
        .switch(
            &Person::of(house.account(&bob).await, bob.clone(), &session).signed_in,
            ada.caller.org(),
        )
        .await;
    assert!(at_ada.is_ok());
    // Who has an account logs in; nobody else takes it over by an invitation.
    let invited = house.invite(&ada, &ada.email, Role::Viewer).await.unwrap();
    let refused = join(&invited.token).await;
    assert!(matches!(
        refused.err(),
        Some(TenancyError::NoSuchInvitation)
    ));
}

#[tokio::test]
async fn the_operator_invites_the_first_owner() {
    let house = House::new().await;
    let acme = house.world.organization("acme").await;
    let bob = house.person("bob").await;
    let operator = &house.world.operator;
    let nowhere = house
        .tenancy()
        .invite_owner(operator, OrgId::from_bytes([7; 16]), &bob.email)
        .await;
    assert!(matches!(
        nowhere.err(),
        Some(TenancyError::NoSuchOrganization)
    ));
    let invited = house.tenancy().invite_owner(operator, acme.org, &bob.email);
    let invited = invited.await.unwrap();
    accept(&house, &bob, &invited.token).await.unwrap();
    let bob = house.switched(&bob, acme.org).await;
    let members = house.all::<ReadPeople>(&bob.caller, SubjectKind::Member);
    let members = house
        .tenancy()
        .members(members.await, None, 9)
        .await
        .unwrap();
    assert_eq!((members.len(), members[0].role), (1, Role::Owner));
}

#[tokio::test]
async fn invitations_are_listed_and_end_within_a_month() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let made = house
        .invite(&ada, &email("x@example.com"), Role::Viewer)
        .await;
    let made = made.unwrap().invitation;
    let list = house.all::<ReadPeople>(&ada.caller, SubjectKind::Invitation);
    let listed = house
        .tenancy()
        .invitations(list.await, None, 9)
        .await
        .unwrap();
    assert_eq!(listed, std::slice::from_ref(&made));
    assert_eq!(made.expires_ms - made.created_ms, 7 * 86_400_000);
    for (days, is_ok) in [(0, false), (30, true), (31, false)] {
        let valid_for = Some(Duration::from_secs(days * 86_400));
        let permit = house.all::<ManagePeople>(&ada.caller, SubjectKind::Invitation);
        let (email, role) = (email("y@example.com"), Role::Viewer);
        let made = house
            .tenancy()
            .invite(permit.await, &email, role, valid_for);
        assert_eq!(made.await.is_ok(), is_ok, "{days}");
    }
}
