use names::AccessKeyId;

use super::house::{House, policies, policy, role};
use crate::audit::{ActorKind, Outcome, ShownCredential};
use crate::authz::{Role, Scope};

#[tokio::test]
async fn everybody_is_told_who_they_are() {
    let house = House::new().await;
    let (org, key) = house.organization("acme").await;
    let account = org.account_number();
    let answer = house.sts(&key, "Action=GetCallerIdentity").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(
        answer.element("Arn"),
        format!("arn:aws:iam::{account}:root")
    );
    assert_eq!(answer.element("Account"), account);
    assert_eq!(answer.element("UserId"), account);

    let ada = house.owner("ada").await;
    let (account, id) = (ada.caller.org().account_number(), ada.caller.principal());
    let user = format!("arn:aws:iam::{account}:user/{id}");
    let answer = house.sts(&ada.client, "Action=GetCallerIdentity").await;
    assert_eq!(answer.element("Arn"), user);
    assert_eq!(answer.element("UserId"), id.to_string());
    // A session token is the same caller's.
    let session = house.session(&ada.client, "Action=GetSessionToken").await;
    let answer = house.sts(&session, "Action=GetCallerIdentity").await;
    assert_eq!(answer.element("Arn"), user);
    // Whatever a session is limited to, it is told who it is.
    let asked = format!(
        "Action=AssumeRole{}{}",
        role(ada.caller.org(), "viewer", "ci@night"),
        policy("s3:GetObject", "arn:aws:s3:::docs/*")
    );
    let session = house.session(&ada.client, &asked).await;
    let answer = house.sts(&session, "Action=GetCallerIdentity").await;
    let expected = format!("arn:aws:sts::{account}:assumed-role/viewer/ci@night");
    assert_eq!(answer.element("Arn"), expected);
    assert_eq!(answer.element("UserId"), format!("{id}:ci@night"));
}

#[tokio::test]
async fn a_session_works_until_it_ends_or_its_key_does() {
    let house = House::new().await;
    let (org, key) = house.organization("acme").await;
    assert_eq!(house.s3(&key, "PUT", "/docs").await, "200");
    let answer = house
        .sts(&key, "Action=GetSessionToken&DurationSeconds=900")
        .await;
    assert_eq!(answer.element("Expiration"), "2026-01-01T00:15:00.000Z");
    let session = house.shown(&answer);
    // Before and after it is known to the cache.
    for _ in 0..2 {
        assert_eq!(house.s3(&session, "PUT", "/docs/a").await, "200");
        assert_eq!(house.s3(&session, "GET", "/docs/a").await, "200");
        let bare = crate::ops::fixture::Client {
            token: None,
            ..session.clone()
        };
        assert_eq!(
            house.s3(&bare, "GET", "/docs/a").await,
            "403 InvalidAccessKeyId"
        );
        let other = session.with_token("another");
        assert_eq!(house.s3(&other, "GET", "/docs/a").await, "400 InvalidToken");
    }
    house.pass(899);
    assert_eq!(house.s3(&session, "GET", "/docs/a").await, "200");
    house.pass(1);
    assert_eq!(
        house.s3(&session, "GET", "/docs/a").await,
        "400 ExpiredToken"
    );
    let answer = house.sts(&session, "Action=GetCallerIdentity").await;
    assert_eq!(answer.error(), (403, "ExpiredToken"));

    // What is made ends with what made it, along a whole chain.
    let asked = format!("Action=AssumeRole{}", role(org, "member", "one"));
    let one = house.session(&key, &asked).await;
    let asked = format!("Action=AssumeRole{}", role(org, "viewer", "two"));
    let two = house.session(&one, &asked).await;
    assert_eq!(house.s3(&two, "GET", "/docs/a").await, "200");
    assert_eq!(house.s3(&two, "PUT", "/docs/a").await, "403 AccessDenied");
    let id = AccessKeyId::parse(&key.id).unwrap();
    house.world.revoke(org, &id).await;
    for session in [&one, &two] {
        assert_eq!(
            house.s3(session, "GET", "/docs/a").await,
            "403 InvalidAccessKeyId"
        );
        let answer = house.sts(session, "Action=GetCallerIdentity").await;
        assert_eq!(answer.error(), (403, "InvalidClientTokenId"));
    }
}

#[tokio::test]
async fn a_session_never_outlives_the_key_that_makes_it() {
    let house = House::new().await;
    let (org, key) = house.organization("acme").await;
    let session = house
        .session(
            &key,
            &format!(
                "Action=AssumeRole{}&DurationSeconds=900",
                role(org, "viewer", "one")
            ),
        )
        .await;
    let asked = format!(
        "Action=AssumeRole{}&DurationSeconds=3600",
        role(org, "viewer", "two")
    );
    let answer = house.sts(&session, &asked).await;
    assert_eq!(answer.element("Expiration"), "2026-01-01T00:15:00.000Z");
    // A session makes sessions of an hour at most, and no session tokens.
    let asked = format!(
        "Action=AssumeRole{}&DurationSeconds=3601",
        role(org, "viewer", "two")
    );
    let answer = house.sts(&session, &asked).await;
    assert_eq!(answer.error(), (400, "ValidationError"));
    let answer = house.sts(&session, "Action=GetSessionToken").await;
    assert_eq!(answer.error(), (403, "AccessDenied"));
}

#[tokio::test]
async fn roles_and_policies_narrow_and_nothing_widens() {
    let house = House::new().await;
    let ada = house.owner("ada").await;
    let org = ada.caller.org();
    for path in ["/docs", "/docs/a", "/docs/b", "/logs", "/logs/a"] {
        assert_eq!(house.s3(&ada.client, "PUT", path).await, "200");
    }
    let eve = house.joined(&ada, "eve", Role::Viewer).await;
    let everything = policy("*", "*");
    let viewer = |session: &str| format!("Action=AssumeRole{}", role(org, "viewer", session));
    let read_docs = policy("s3:GetObject", "arn:aws:s3:::docs/*");
    for (what, maker, form, expected) in [
        ("a role", &ada, viewer("xx"), ["200", "200", "403"]),
        (
            "a policy",
            &ada,
            viewer("xx") + &read_docs,
            ["200", "403", "403"],
        ),
        (
            "a policy alone, in the widest role",
            &ada,
            format!("Action=AssumeRole{}{}", role(org, "owner", "xx"), read_docs),
            ["200", "403", "403"],
        ),
        // A viewer that asks for all there is stays one.
        (
            "everything",
            &eve,
            viewer("xx") + &everything,
            ["200", "200", "403"],
        ),
        (
            "a token",
            &eve,
            "Action=GetSessionToken".to_owned(),
            ["200", "200", "403"],
        ),
    ] {
        let session = house.session(&maker.client, &form).await;
        for (at, (method, path)) in [("GET", "/docs/a"), ("GET", "/logs/a"), ("PUT", "/docs/b")]
            .into_iter()
            .enumerate()
        {
            let found = house.s3(&session, method, path).await;
            assert!(
                found.starts_with(expected[at]),
                "{what}: {method} {path}: {found}"
            );
        }
    }
    // A session asks for more than it has.
    let narrow = viewer("xx") + &read_docs;
    let narrow = house.session(&ada.client, &narrow).await;
    for form in [
        viewer("yy") + &everything,
        format!("Action=AssumeRole{}", role(org, "owner", "yy")),
    ] {
        // Its policy does not let it ask at all.
        let answer = house.sts(&narrow, &form).await;
        assert_eq!(answer.error(), (403, "AccessDenied"), "{form}");
    }
    let reader = policies(&["s3:GetObject", "sts:AssumeRole"], "*");
    let asking = house.session(&ada.client, &(viewer("xx") + &reader)).await;
    let wider = house.session(&asking, &(viewer("yy") + &everything)).await;
    assert_eq!(house.s3(&wider, "GET", "/logs/a").await, "200");
    assert_eq!(house.s3(&wider, "PUT", "/docs/b").await, "403 AccessDenied");
    assert_eq!(house.s3(&wider, "GET", "/docs").await, "403 AccessDenied");
    let upwards = format!("Action=AssumeRole{}", role(org, "member", "yy"));
    let answer = house.sts(&asking, &upwards).await;
    assert_eq!(answer.error(), (403, "AccessDenied"));
    // Nine policies are one too many.
    let mut last = house
        .session(&ada.client, &(viewer("xx") + &everything))
        .await;
    for _ in 1..8 {
        last = house.session(&last, &(viewer("xx") + &everything)).await;
    }
    let answer = house.sts(&last, &(viewer("xx") + &everything)).await;
    assert_eq!(answer.error(), (400, "PackedPolicyTooLarge"));
    // So is a ninth session that one of a key makes of another; what is handed out works.
    let mut last = house.session(&ada.client, &viewer("xx")).await;
    for _ in 1..8 {
        last = house.session(&last, &viewer("xx")).await;
        assert_eq!(house.s3(&last, "GET", "/logs/a").await, "200");
    }
    let answer = house.sts(&last, &viewer("xx")).await;
    assert_eq!(answer.error(), (400, "ValidationError"));
}

#[tokio::test]
async fn what_a_member_loses_its_sessions_lose() {
    let house = House::new().await;
    let ada = house.owner("ada").await;
    let eve = house.joined(&ada, "eve", Role::Admin).await;
    assert_eq!(house.s3(&ada.client, "PUT", "/docs").await, "200");
    let session = house.session(&eve.client, "Action=GetSessionToken").await;
    assert_eq!(house.s3(&session, "PUT", "/docs/a").await, "200");
    let tenancy = &house.world.tenancy;
    use crate::authz::{ManagePeople, SubjectKind};
    let member = house
        .one::<ManagePeople>(&ada, SubjectKind::Member, eve.caller.principal())
        .await;
    tenancy
        .change_role(member, Role::Viewer, None)
        .await
        .unwrap();
    assert_eq!(
        house.s3(&session, "PUT", "/docs/a").await,
        "403 AccessDenied"
    );
    assert_eq!(house.s3(&session, "GET", "/docs/a").await, "200");
    let member = house
        .one::<ManagePeople>(&ada, SubjectKind::Member, eve.caller.principal())
        .await;
    tenancy.remove_member(member, None).await.unwrap();
    let found = house.s3(&session, "GET", "/docs/a").await;
    assert!(found.starts_with("403"), "{found}");
}

#[tokio::test]
async fn a_role_of_another_organization_and_one_of_nobody_are_one_answer() {
    let house = House::new().await;
    let (org, key) = house.organization("acme").await;
    let (other, others) = house.organization("other").await;
    let ada = house.owner("ada").await;
    let eve = house.joined(&ada, "eve", Role::Member).await;
    let nobody = names::OrgId::from_bytes([9; 16]);
    let mut seen = Vec::new();
    for name in [
        role(other, "viewer", "ci"),
        role(nobody, "viewer", "ci"),
        role(org, "nobody", "ci"),
        role(org, "agents/01234567-89ab-7def-8123-456789abcdef", "ci"),
        role(org, "agents/x", "ci"),
        role(org, "Viewer", "ci"),
    ] {
        let answer = house.sts(&key, &format!("Action=AssumeRole{name}")).await;
        assert_eq!(answer.error(), (403, "AccessDenied"), "{name}");
        seen.push(answer.without_request());
    }
    // Above the caller: the same again.
    let above = role(ada.caller.org(), "admin", "ci");
    let answer = house
        .sts(&eve.client, &format!("Action=AssumeRole{above}"))
        .await;
    seen.push(answer.without_request());
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    // Nobody of theirs has heard of it, and what is handed out reaches nothing of theirs.
    assert_eq!(house.s3(&others, "PUT", "/docs").await, "200");
    assert_eq!(house.s3(&others, "PUT", "/docs/a").await, "200");
    let session = house.session(&key, "Action=GetSessionToken").await;
    assert_eq!(
        house.s3(&session, "GET", "/docs/a").await,
        "404 NoSuchBucket"
    );
    let log = house.last_log(other).await;
    assert!(log.iter().all(|entry| entry.actor == others.id), "{log:?}");
}

#[tokio::test]
async fn a_read_only_key_makes_nothing() {
    let house = House::new().await;
    let (org, _) = house.organization("acme").await;
    let reader = house.key(org, Scope::ReadOnly).await;
    let answer = house.sts(&reader, "Action=GetSessionToken").await;
    assert_eq!(answer.error(), (403, "AccessDenied"));
    let answer = house.sts(&reader, "Action=GetCallerIdentity").await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn what_is_handed_out_and_what_is_refused_stands_in_the_log_before() {
    let house = House::new().await;
    let ada = house.owner("ada").await;
    let org = ada.caller.org();
    let asked = format!("Action=AssumeRole{}", role(org, "viewer", "night-run"));
    let session = house.session(&ada.client, &asked).await;
    let refused = format!("Action=AssumeRole{}", role(org, "nobody", "night-run"));
    assert_eq!(house.sts(&ada.client, &refused).await.status, 403);
    // Nobody has written a batch.
    let log = house.log(org).await;
    let of_sts = |entry: &&crate::audit::Entry| entry.operation.as_deref() == Some("AssumeRole");
    let [intended, made, tried, refused] = &log.iter().filter(of_sts).collect::<Vec<_>>()[..]
    else {
        panic!("four entries: {log:?}");
    };
    assert_eq!(made.outcome, Outcome::Allowed { status: 200 });
    assert_eq!(
        made.resource,
        format!("credential:{}/night-run", session.id)
    );
    assert_eq!(intended.outcome, Outcome::Intended);
    assert_eq!(intended.resource, "role:viewer/night-run");
    assert_eq!(tried.outcome, Outcome::Intended);
    assert!(matches!(refused.outcome, Outcome::Refused { .. }));
    assert_eq!(refused.resource, "role:nobody/night-run");
    for entry in [intended, refused] {
        assert_eq!(entry.actor, ada.client.id);
        assert_eq!(entry.kind, Some(ActorKind::Member { role: Role::Owner }));
        assert_eq!(entry.credential, Some(ShownCredential::AccessKey));
    }
    // What is done by the session is done by it, on behalf of whose it is.
    assert_eq!(house.s3(&session, "PUT", "/docs").await, "403 AccessDenied");
    let log = house.last_log(org).await;
    let denied = log
        .iter()
        .find(|entry| entry.action == "s3:CreateBucket")
        .unwrap();
    assert_eq!(denied.actor, session.id);
    assert_eq!(denied.credential, Some(ShownCredential::StsSession));
    assert!(!format!("{log:?}").contains(&session.secret));
}
