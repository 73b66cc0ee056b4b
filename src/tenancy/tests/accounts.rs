use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::super::*;
use super::house::*;
use crate::authz::{CredentialKind, Identity, Role, Standing};
use crate::catalog::{Calls, FaultyStore, OrgState, RecordKind};
use crate::ops::fixture::Place;

fn wish(email: &Email) -> NewAccount {
    NewAccount {
        email: email.clone(),
        name: label("Somebody Ünknown"),
        password: password(PASSWORD),
    }
}

async fn try_from(
    tenancy: &Tenancy,
    email: &Email,
    password: &str,
    source: Option<&str>,
) -> Result<NewSession, TenancyError> {
    let source: Option<IpAddr> = source.map(|source| source.parse().unwrap());
    let password = Password::present(password.to_owned().into());
    tenancy.log_in(email, password, source).await
}

fn assert_refused<T>(answer: Result<T, TenancyError>) {
    let error = answer.err();
    assert!(
        matches!(error, Some(TenancyError::LogInRefused)),
        "{error:?}"
    );
}

/// What the catalog was asked for by `act`.
async fn calls_of<T>(store: &FaultyStore, act: impl Future<Output = T>) -> (T, Calls) {
    let before = store.calls();
    let done = act.await;
    let mut calls = store.calls();
    for (method, count) in before {
        *calls.get_mut(method).unwrap() -= count;
    }
    calls.retain(|_, count| *count > 0);
    (done, calls)
}

#[tokio::test]
async fn signing_up_answers_and_costs_alike_and_takes_nobodys_account() {
    let place = Place::new();
    let store = Arc::new(FaultyStore::new(place.store()));
    let world = place.start_on(Arc::clone(&store) as Arc<_>).await.unwrap();
    let (ada, bob) = (email("ada@example.com"), email("bob@example.com"));
    let sign_up = |email: &Email, secret: &str| {
        let wish = NewAccount {
            password: password(secret),
            ..wish(email)
        };
        world.tenancy.sign_up(SignUps::Open, wish, None)
    };
    sign_up(&ada, PASSWORD).await.unwrap();
    let first = try_from(&world.tenancy, &ada, PASSWORD, None)
        .await
        .unwrap();
    let (new, work_for_new) = calls_of(&store, sign_up(&bob, PASSWORD)).await;
    let (old, work_for_old) = calls_of(&store, sign_up(&ada, "another long password")).await;
    assert!(new.is_ok() && old.is_ok());
    assert_eq!(work_for_new, work_for_old);
    assert_refused(try_from(&world.tenancy, &ada, "another long password", None).await);
    let again = try_from(&world.tenancy, &ada, PASSWORD, None)
        .await
        .unwrap();
    assert_eq!(first.org, again.org);
    let accounts = world
        .platform
        .count_records(names::OrgId::PLATFORM, RecordKind::Account, None);
    assert_eq!(accounts.await.unwrap(), 2);
}

#[tokio::test]
async fn a_personal_organization_is_made_once_and_its_name_is_not_guessed() {
    let house = House::new().await;
    let ada = email("ada@example.com");
    let signed_up = house.tenancy().sign_up(SignUps::Open, wish(&ada), None);
    signed_up.await.unwrap();
    let sessions = join_all((0..6).map(|_| house.log_in(&ada, PASSWORD))).await;
    let sessions: Vec<_> = sessions.into_iter().map(Result::unwrap).collect();
    let slug = sessions[0].slug.as_ref().unwrap().as_str();
    let suffix = slug.strip_prefix("somebody-nknown-").unwrap();
    assert_eq!(suffix.len(), 8);
    for session in &sessions {
        assert_eq!(
            (session.org, session.principal),
            (sessions[0].org, sessions[0].principal)
        );
    }
    let operator = &house.world.operator;
    let all = house
        .tenancy()
        .organizations(operator, None, 9)
        .await
        .unwrap();
    assert_eq!(all.len(), 1);
}

/// An address without an account, one with another password and a locked one: one answer, after
/// the same calls.
#[tokio::test]
async fn logging_in_answers_and_costs_alike() {
    let place = Place::new();
    let store = Arc::new(FaultyStore::new(place.store()));
    let world = place.start_on(Arc::clone(&store) as Arc<_>).await.unwrap();
    let (ada, nobody) = (email("ada@example.com"), email("nobody@example.com"));
    let made = world.tenancy.create_account(&world.operator, wish(&ada));
    made.await.unwrap();
    let try_once = |email, password| try_from(&world.tenancy, email, password, None);
    for round in 0..14 {
        let (known, work_for_known) = calls_of(&store, try_once(&ada, "wrong")).await;
        let (unknown, work_for_unknown) = calls_of(&store, try_once(&nobody, "wrong")).await;
        assert_refused(known);
        assert_refused(unknown);
        // That it is locked is written down once.
        if round != 10 {
            assert_eq!(work_for_known, work_for_unknown, "{round}");
        }
    }
    assert_refused(try_once(&ada, PASSWORD).await);
    assert_refused(try_once(&nobody, PASSWORD).await);
}

#[tokio::test]
async fn too_many_wrong_passwords_lock_for_a_quarter_of_an_hour() {
    let place = Place::new();
    let world = place.start().await;
    let ada = email("ada@example.com");
    let made = world.tenancy.create_account(&world.operator, wish(&ada));
    made.await.unwrap();
    let home = Some("192.0.2.1");
    assert!(try_from(&world.tenancy, &ada, PASSWORD, home).await.is_ok());
    for _ in 0..10 {
        assert_refused(try_from(&world.tenancy, &ada, "wrong", Some("198.51.100.9")).await);
    }
    for elsewhere in [Some("198.51.100.9"), Some("203.0.113.4"), None] {
        assert_refused(try_from(&world.tenancy, &ada, PASSWORD, elsewhere).await);
    }
    // From where its owner has logged in before, it still can: strangers lock nobody out.
    assert!(try_from(&world.tenancy, &ada, PASSWORD, home).await.is_ok());
    // Another process knows, too, and this one after a restart.
    let beside = place.start().await;
    assert_refused(try_from(&beside.tenancy, &ada, PASSWORD, None).await);
    assert!(
        try_from(&beside.tenancy, &ada, PASSWORD, home)
            .await
            .is_ok()
    );
    // Attempts while it is locked do not make it longer.
    place.hand.advance(Duration::from_secs(14 * 60));
    assert_refused(try_from(&world.tenancy, &ada, PASSWORD, None).await);
    place.hand.advance(Duration::from_secs(60));
    for process in [&world, &beside] {
        assert!(
            try_from(&process.tenancy, &ada, PASSWORD, None)
                .await
                .is_ok()
        );
    }
    // The known place locks by itself.
    for _ in 0..10 {
        assert_refused(try_from(&world.tenancy, &ada, "wrong", home).await);
    }
    assert_refused(try_from(&world.tenancy, &ada, PASSWORD, home).await);
}

#[tokio::test]
async fn wrong_passwords_at_once_count_before_they_are_judged() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let tries = (0..40).map(|_| house.log_in(&ada.email, "wrong password"));
    for refused in join_all(tries).await {
        assert_refused(refused);
    }
    assert_refused(house.log_in(&ada.email, PASSWORD).await);
}

#[tokio::test]
async fn one_address_tries_so_often() {
    let house = House::new().await;
    let source = Some("2001:db8::1");
    let mut limited = 0;
    for number in 0..102 {
        // Another address of the same network is no other place.
        let source = if number % 2 == 0 {
            source
        } else {
            Some("2001:db8::2:3")
        };
        let nobody = email(&format!("n{number}@example.com"));
        match try_from(house.tenancy(), &nobody, "wrong", source)
            .await
            .err()
        {
            Some(TenancyError::TooManyAttempts {
                retry_after_seconds,
            }) => {
                assert!(retry_after_seconds <= 900);
                limited += 1;
            }
            Some(TenancyError::LogInRefused) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(limited, 2);
    let signing_up = house.tenancy().sign_up(
        SignUps::Open,
        wish(&email("new@example.com")),
        Some("2001:db8::9".parse().unwrap()),
    );
    let refused = signing_up.await;
    assert!(matches!(refused, Err(TenancyError::TooManyAttempts { .. })));
    house.place.hand.advance(Duration::from_secs(15 * 60));
    let nobody = email("nobody@example.com");
    assert_refused(try_from(house.tenancy(), &nobody, "wrong", source).await);
}

#[tokio::test]
async fn a_changed_password_ends_the_other_sessions_everywhere() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let bob = house.joined(&ada, "bob", Role::Member).await;
    let at_home = house.log_in(&bob.email, PASSWORD).await.unwrap();
    let change = |old: Option<&str>| {
        let old = old.map(|old| Password::present(old.to_owned().into()));
        let new = password("a new long password");
        house.tenancy().change_password(&bob.signed_in, old, new)
    };
    assert_refused(change(None).await);
    assert_refused(change(Some("wrong")).await);
    change(Some(PASSWORD)).await.unwrap();
    let is_revoked = async |org, id| {
        let found = house.tenancy().credential_of(org, id).await.unwrap();
        found.unwrap().0.revoked_ms.is_some()
    };
    assert!(is_revoked(at_home.org, &at_home.id).await);
    let own = bob.signed_in.session();
    assert!(!is_revoked(ada.caller.org(), own).await);
    assert!(!is_revoked(ada.caller.org(), ada.caller.credential()).await);
    assert_refused(house.log_in(&bob.email, PASSWORD).await);
    assert!(
        house
            .log_in(&bob.email, "a new long password")
            .await
            .is_ok()
    );
    // The operator's reset ends all of them.
    let reset = house.tenancy().reset_password(
        &house.world.operator,
        bob.account,
        password("yet another password"),
    );
    reset.await.unwrap();
    assert!(is_revoked(ada.caller.org(), own).await);
}

#[tokio::test]
async fn a_session_guesses_the_password_no_oftener_than_others() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let change = |old: &str| {
        let old = Some(Password::present(old.to_owned().into()));
        let new = password("a new long password");
        house.tenancy().change_password(&ada.signed_in, old, new)
    };
    for _ in 0..10 {
        assert_refused(change("wrong").await);
    }
    assert_refused(change(PASSWORD).await);
}

#[tokio::test]
async fn a_session_switches_to_organizations_of_its_account_alone() {
    let house = House::new().await;
    let (ada, eve) = (house.person("ada").await, house.person("eve").await);
    let bob = house.joined(&ada, "bob", Role::Viewer).await;
    assert_eq!(bob.caller.org(), ada.caller.org());
    for org in [
        eve.caller.org(),
        names::OrgId::from_bytes([9; 16]),
        names::OrgId::PLATFORM,
    ] {
        let refused = house.tenancy().switch(&bob.signed_in, org).await;
        assert!(matches!(
            refused.err(),
            Some(TenancyError::NoSuchOrganization)
        ));
    }
    // Nothing else than a session leads to an account.
    let session = Person::of(
        bob.account,
        bob.email.clone(),
        &house.log_in(&bob.email, PASSWORD).await.unwrap(),
    );
    assert!(SignedIn::of(&session.caller).is_some());
    for kind in [
        CredentialKind::AccessKey,
        CredentialKind::ApiToken,
        CredentialKind::StsSession,
    ] {
        let caller = crate::authz::Caller::authenticated(
            bob.caller.org(),
            bob.principal(),
            bob.caller.credential().clone(),
            kind,
            Arc::clone(bob.caller.narrowing()),
        );
        assert!(SignedIn::of(&caller).is_none(), "{kind:?}");
    }
    house.tenancy().log_out(&bob.signed_in).await.unwrap();
    let session = house
        .tenancy()
        .credential_of(bob.caller.org(), bob.caller.credential());
    assert!(session.await.unwrap().unwrap().0.revoked_ms.is_some());
}

#[tokio::test]
async fn a_sealed_organization_is_shown_without_details() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let bob = house.joined(&ada, "bob", Role::Viewer).await;
    let seal =
        house
            .tenancy()
            .change_state(&house.world.operator, ada.caller.org(), Transition::Seal);
    seal.await.unwrap();
    let seats = house
        .tenancy()
        .seats(&bob.signed_in, None, 9)
        .await
        .unwrap();
    let sealed = seats
        .iter()
        .find(|seat| seat.org == ada.caller.org())
        .unwrap();
    assert_eq!(
        (sealed.standing, &sealed.details),
        (Standing::Sealed, &None)
    );
    assert_eq!(seats.len(), 2);
    let switched = house
        .tenancy()
        .switch(&bob.signed_in, ada.caller.org())
        .await;
    assert!(matches!(
        switched.err(),
        Some(TenancyError::State("sealed"))
    ));
    // Its owner works nowhere then; bob does.
    let locked = house.log_in(&ada.email, PASSWORD).await;
    assert!(matches!(locked.err(), Some(TenancyError::State("sealed"))));
    assert!(house.log_in(&bob.email, PASSWORD).await.is_ok());
    let row = house
        .tenancy()
        .organization_row(ada.caller.org())
        .await
        .unwrap();
    assert_eq!(row.state, OrgState::Sealed);
}

#[tokio::test]
async fn an_identity_logs_in_the_account_that_it_is_linked_to() {
    let house = House::new().await;
    let (ada, eve) = (house.person("ada").await, house.person("eve").await);
    let identity =
        |issuer: &str, subject: &str| Identity::verified(issuer.to_owned(), subject.to_owned());
    let hers = identity("https://login.example", "ada");
    assert_refused(house.tenancy().log_in_by_identity(&hers).await);
    house
        .tenancy()
        .link_identity(&ada.signed_in, &hers)
        .await
        .unwrap();
    let session = house.tenancy().log_in_by_identity(&hers).await.unwrap();
    assert_eq!(session.org, ada.caller.org());
    for other in [
        identity("https://login.example", "ada2"),
        identity("https://login.examplea", "da"),
        identity("https://other.example", "ada"),
    ] {
        assert_refused(house.tenancy().log_in_by_identity(&other).await);
    }
    let taken = house.tenancy().link_identity(&eve.signed_in, &hers).await;
    assert!(matches!(taken, Err(TenancyError::Exists(_))), "{taken:?}");
    house
        .tenancy()
        .link_identity(&ada.signed_in, &hers)
        .await
        .unwrap();
    let linked = house.tenancy().identities(&ada.signed_in).await.unwrap();
    assert_eq!(linked.len(), 1);
    assert!(
        house
            .tenancy()
            .identities(&eve.signed_in)
            .await
            .unwrap()
            .is_empty()
    );
    let (issuer, subject) = (linked[0].issuer.as_str(), linked[0].subject.as_str());
    let unlink = |who| house.tenancy().unlink_identity(who, issuer, subject);
    let refused = unlink(&eve.signed_in).await;
    assert!(matches!(refused, Err(TenancyError::NoSuch("identity"))));
    unlink(&ada.signed_in).await.unwrap();
    assert_refused(house.tenancy().log_in_by_identity(&hers).await);
}

#[test]
fn addresses_are_one_per_mailbox() {
    for (typed, kept) in [
        (" Ada@Example.COM\n", "ada@example.com"),
        ("a.b+c@x.y-z.org", "a.b+c@x.y-z.org"),
        ("jürgen@müller.de", "jürgen@müller.de"),
    ] {
        assert_eq!(Email::parse(typed).unwrap().as_str(), kept);
    }
    let long = format!("{}@example.com", "a".repeat(65));
    for bad in [
        "",
        "@",
        "a@",
        "@b.c",
        "a@b",
        "a b@c.de",
        "a@b@c.de",
        "a@b..c",
        ".a@b.c",
        "a.@b.c",
        "a@-b.c",
        "a@b-.c",
        "\"a\"@b.c",
        "a@[1.2.3.4]",
        "a\0@b.c",
        "a@b.c,d@e.f",
        &long,
    ] {
        assert!(Email::parse(bad).is_err(), "{bad:?}");
    }
    assert!(!format!("{:?}", email("ada@example.com")).contains("ada"));
}

#[tokio::test]
async fn passwords_are_long_enough() {
    let choose = |text: &str| Password::choose(text.to_owned().into()).is_ok();
    assert!(!choose("elevenchars") && choose("twelve chars") && choose("zwölfzeichen"));
    assert!(choose(&"a".repeat(256)) && !choose(&"a".repeat(257)));
    // A longer one is not cut to the right one.
    let house = House::new().await;
    let long = "a".repeat(256);
    let wish = NewAccount {
        password: password(&long),
        ..wish(&email("ada@example.com"))
    };
    let made = house.tenancy().create_account(&house.world.operator, wish);
    made.await.unwrap();
    let ada = email("ada@example.com");
    assert!(house.log_in(&ada, &long).await.is_ok());
    assert_refused(house.log_in(&ada, &format!("{long}a")).await);
    assert_refused(house.log_in(&ada, &format!("{long}aa")).await);
    let again = house.tenancy().create_account(
        &house.world.operator,
        NewAccount {
            email: ada,
            name: label("x"),
            password: password(PASSWORD),
        },
    );
    assert!(matches!(again.await, Err(TenancyError::Exists(_))));
}
