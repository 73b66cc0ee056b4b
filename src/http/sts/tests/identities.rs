use std::time::Duration;

use http::StatusCode;
use names::{OrgId, PrincipalId};
use serde_json::json;

use super::house::{Answer, House, Person, encoded, policy, role};
use crate::audit::{ActorKind, Outcome, ShownCredential};
use crate::authz::{ManageAgents, SubjectKind};
use crate::ops::fixture::crash_after;
use crate::tenancy::TenancyError;

impl House {
    /// A house in which Ada's organization has `/docs/a`, and an agent that may read it.
    async fn with_agent() -> (Self, Person, PrincipalId) {
        let house = Self::new().await;
        let ada = house.owner("ada").await;
        for path in ["/docs", "/docs/a"] {
            assert_eq!(house.s3(&ada.client, "PUT", path).await, "200");
        }
        let agent = house.agent(&ada, "runner", "docs").await;
        (house, ada, agent)
    }

    /// Links somebody at the provider to an agent.
    async fn link(&self, by: &Person, agent: PrincipalId, subject: &str) {
        let permit = self
            .one::<ManageAgents>(by, SubjectKind::Agent, agent)
            .await;
        self.world
            .tenancy
            .link_agent_identity(permit, &self.provider.issuer(), subject)
            .await
            .unwrap();
    }

    /// A token of the provider's for an organization.
    fn token(&self, org: OrgId, subject: &str) -> String {
        self.provider.token(&json!({
            "iss": self.provider.issuer(), "sub": subject,
            "aud": format!("urn:bulkhead:organization:{org}"), "exp": 2_000_000_000,
        }))
    }

    async fn assume(&self, org: OrgId, agent: PrincipalId, token: &str, more: &str) -> Answer {
        let role = role(org, &format!("agents/{agent}"), "runner-7");
        let token = encoded(token);
        self.unsigned(&format!(
            "Action=AssumeRoleWithWebIdentity{role}&WebIdentityToken={token}{more}"
        ))
        .await
    }
}

#[tokio::test]
async fn a_provider_vouches_for_an_agent() {
    let (house, ada, agent) = House::with_agent().await;
    let org = ada.caller.org();
    for path in ["/logs", "/logs/a"] {
        assert_eq!(house.s3(&ada.client, "PUT", path).await, "200");
    }
    house.link(&ada, agent, "runner").await;
    let answer = house
        .assume(org, agent, &house.token(org, "runner"), "")
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.element("SubjectFromWebIdentityToken"), "runner");
    assert_eq!(
        answer.element("Audience"),
        format!("urn:bulkhead:organization:{org}")
    );
    assert_eq!(answer.element("Provider"), house.provider.issuer());
    assert_eq!(answer.element("AssumedRoleId"), format!("{agent}:runner-7"));
    assert_eq!(answer.element("Expiration"), "2026-01-01T01:00:00.000Z");
    let session = house.shown(&answer);
    assert_eq!(house.s3(&session, "GET", "/docs/a").await, "200");
    assert_eq!(
        house.s3(&session, "GET", "/logs/a").await,
        "403 AccessDenied"
    );
    assert_eq!(
        house.s3(&session, "PUT", "/docs/a").await,
        "403 AccessDenied"
    );
    let told = house.sts(&session, "Action=GetCallerIdentity").await;
    let account = org.account_number();
    let expected = format!("arn:aws:sts::{account}:assumed-role/{agent}/runner-7");
    assert_eq!(told.element("Arn"), expected);
    assert_eq!(answer.element("Arn"), expected);
    // A policy limits it further, and lets it do nothing that it may not.
    for (resource, expected) in [("drive:docs/b", "403 AccessDenied"), ("*", "200")] {
        let limited = policy("*", resource);
        let token = house.token(org, "runner");
        let answer = house.assume(org, agent, &token, &limited).await;
        let session = house.shown(&answer);
        assert_eq!(house.s3(&session, "GET", "/docs/a").await, expected);
        assert_eq!(
            house.s3(&session, "GET", "/logs/a").await,
            "403 AccessDenied"
        );
    }

    // It is of no use while the agent does not work, and gone with it.
    let tenancy = &house.world.tenancy;
    let one = || house.one::<ManageAgents>(&ada, SubjectKind::Agent, agent);
    tenancy.suspend_agent(one().await).await.unwrap();
    assert_eq!(
        house.s3(&session, "GET", "/docs/a").await,
        "403 AccessDenied"
    );
    let answer = house
        .assume(org, agent, &house.token(org, "runner"), "")
        .await;
    assert_eq!(answer.error(), (403, "AccessDenied"));
    tenancy.resume_agent(one().await).await.unwrap();
    assert_eq!(house.s3(&session, "GET", "/docs/a").await, "200");
    tenancy.delete_agent(one().await, None).await.unwrap();
    assert_eq!(
        house.s3(&session, "GET", "/docs/a").await,
        "403 InvalidAccessKeyId"
    );
}

#[tokio::test]
async fn a_session_ends_with_the_identity_that_it_was_got_by() {
    let (house, ada, agent) = House::with_agent().await;
    let org = ada.caller.org();
    let mut sessions = Vec::new();
    for subject in ["first", "second"] {
        house.link(&ada, agent, subject).await;
        let token = house.token(org, subject);
        let answer = house.assume(org, agent, &token, "").await;
        sessions.push(house.shown(&answer));
        // One that the session made.
        let role = role(org, "viewer", "chained");
        let made = house
            .sts(
                &sessions[sessions.len() - 1],
                &format!("Action=AssumeRole{role}"),
            )
            .await;
        sessions.push(house.shown(&made));
    }
    let reads = async || {
        let mut statuses = Vec::new();
        for session in &sessions {
            statuses.push(house.s3(session, "GET", "/docs/a").await);
        }
        statuses
    };
    assert_eq!(reads().await, ["200"; 4]);
    let one = || house.one::<ManageAgents>(&ada, SubjectKind::Agent, agent);
    let issuer = house.provider.issuer();
    let tenancy = &house.world.tenancy;
    let unlinked = tenancy.unlink_agent_identity(one().await, &issuer, "first");
    unlinked.await.unwrap();
    let gone = "403 InvalidAccessKeyId";
    assert_eq!(reads().await, [gone, gone, "200", "200"]);
    let token = house.token(org, "first");
    let answer = house.assume(org, agent, &token, "").await;
    assert_eq!(answer.error(), (403, "AccessDenied"));
    let again = tenancy.unlink_agent_identity(one().await, &issuer, "first");
    assert!(again.await.is_err());
    // Linked again, it is another link: what it ended stays ended.
    house.link(&ada, agent, "first").await;
    assert_eq!(house.assume(org, agent, &token, "").await.status, 200);
    assert_eq!(reads().await, [gone, gone, "200", "200"]);
}

#[tokio::test]
async fn an_unlinking_that_was_cut_anywhere_is_done_by_its_repetition() {
    let (house, ada, agent) = House::with_agent().await;
    let org = ada.caller.org();
    let one = || house.one::<ManageAgents>(&ada, SubjectKind::Agent, agent);
    let (tenancy, issuer) = (&house.world.tenancy, house.provider.issuer());
    let mut turned_away = 0;
    for steps in 0.. {
        let subject = format!("runner-{steps}");
        house.link(&ada, agent, &subject).await;
        let token = house.token(org, &subject);
        let before = house.assume(org, agent, &token, "").await;
        let mut sessions = vec![house.shown(&before)];
        let unlinking = tenancy.unlink_agent_identity(one().await, &issuer, &subject);
        let ended = crash_after(steps, unlinking).await;
        let meanwhile = house.assume(org, agent, &token, "").await;
        match meanwhile.status {
            200 => sessions.push(house.shown(&meanwhile)),
            _ => {
                assert_eq!(meanwhile.error(), (403, "AccessDenied"));
                turned_away += 1;
            }
        }
        match tenancy
            .unlink_agent_identity(one().await, &issuer, &subject)
            .await
        {
            // What was cut may have been its last step.
            Ok(()) | Err(TenancyError::NoSuch(_)) => {}
            Err(error) => panic!("after {steps} steps: {error}"),
        }
        for session in &sessions {
            let status = house.s3(session, "GET", "/docs/a").await;
            assert_eq!(status, "403 InvalidAccessKeyId", "after {steps} steps");
        }
        if let Some(ended) = ended {
            ended.unwrap();
            break;
        }
    }
    assert!(turned_away > 1, "{turned_away}");
}

#[tokio::test]
async fn no_session_is_left_that_is_made_while_its_identity_is_unlinked() {
    let (house, ada, agent) = House::with_agent().await;
    let org = ada.caller.org();
    let one = || house.one::<ManageAgents>(&ada, SubjectKind::Agent, agent);
    let (tenancy, issuer) = (&house.world.tenancy, house.provider.issuer());
    let (mut let_in, mut turned_away) = (0, 0);
    for round in 0..60 {
        // So many refusals in a second are told apart.
        house.place.hand.advance(Duration::from_secs(1));
        let subject = format!("runner-{round}");
        house.link(&ada, agent, &subject).await;
        let (token, permit) = (house.token(org, &subject), one().await);
        let unlinking = async {
            // Later in each round, to meet every step of the other.
            for _ in 0..round * 2 {
                tokio::task::yield_now().await;
            }
            tenancy
                .unlink_agent_identity(permit, &issuer, &subject)
                .await
        };
        let (answer, unlinked) = tokio::join!(house.assume(org, agent, &token, ""), unlinking);
        unlinked.unwrap();
        if answer.status != 200 {
            assert_eq!(answer.error(), (403, "AccessDenied"));
            turned_away += 1;
            continue;
        }
        let session = house.shown(&answer);
        let status = house.s3(&session, "GET", "/docs/a").await;
        assert_eq!(status, "403 InvalidAccessKeyId", "in round {round}");
        let_in += 1;
    }
    assert!(let_in + turned_away == 60 && turned_away > 0);
}

#[tokio::test]
async fn nobody_learns_which_agents_there_are() {
    let house = House::new().await;
    let (ada, eve) = (house.owner("ada").await, house.owner("eve").await);
    let (hers, others) = (ada.caller.org(), eve.caller.org());
    let agent = house.agent(&ada, "runner", "docs").await;
    house.link(&ada, agent, "runner").await;
    // The attacker has an account at the same provider, which gives her any audience.
    let mallory = house.agent(&eve, "mallory", "docs").await;
    house.link(&eve, mallory, "mallory").await;
    let nobody = OrgId::from_bytes(*b"0123456789abcdef");
    let made_up = PrincipalId::from_bytes(*b"0123456789abcdef");
    let mut seen = Vec::new();
    for (what, audience, account, name, subject) in [
        ("her agent", hers, hers, agent, "mallory"),
        ("no agent", hers, hers, made_up, "mallory"),
        ("no organization", nobody, nobody, agent, "mallory"),
        ("her agent in mine", others, others, agent, "mallory"),
        ("mine in hers", hers, hers, mallory, "mallory"),
        ("hers by a token of mine", others, hers, agent, "mallory"),
        ("another of mine", others, others, made_up, "mallory"),
    ] {
        let token = house.token(audience, subject);
        let answer = house.assume(account, name, &token, "").await;
        assert_eq!(answer.error(), (403, "AccessDenied"), "{what}: {answer:?}");
        seen.push(answer.without_request());
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:?}");
    // Who is vouched for in one organization is so in no other.
    let answer = house
        .assume(others, mallory, &house.token(others, "mallory"), "")
        .await;
    assert_eq!(answer.status, 200);
    let log = house.last_log(hers).await;
    assert!(
        !format!("{log:?}").contains("AssumeRoleWithWebIdentity"),
        "{log:?}"
    );
}

#[tokio::test]
async fn a_token_that_proves_nothing_has_its_own_code() {
    let (house, ada, agent) = House::with_agent().await;
    let org = ada.caller.org();
    house.link(&ada, agent, "runner").await;
    let claims = |exp: u64, aud: &str| {
        house.provider.token(&json!({
            "iss": house.provider.issuer(), "sub": "runner", "aud": aud, "exp": exp,
        }))
    };
    let audience = format!("urn:bulkhead:organization:{org}");
    let unsigned = {
        let header = json!({"alg": "none"});
        let claims = json!({
            "iss": house.provider.issuer(), "sub": "runner", "aud": audience, "exp": 2_000_000_000,
        });
        house.provider.token_under(&header, &claims)
    };
    for (token, error) in [
        ("not.a.token".to_owned(), (400, "InvalidIdentityToken")),
        (unsigned, (400, "InvalidIdentityToken")),
        (
            claims(2_000_000_000, "bulkhead"),
            (400, "InvalidIdentityToken"),
        ),
        (claims(1_000, &audience), (400, "ExpiredTokenException")),
    ] {
        let answer = house.assume(org, agent, &token, "").await;
        assert_eq!(answer.error(), error, "{answer:?}");
        assert!(!answer.body.contains("runner"));
    }
    // What it asks for is read first: no provider is asked for what cannot be.
    let token = house.token(org, "runner");
    for (more, error) in [
        ("&ProviderId=accounts.google.com", (400, "ValidationError")),
        ("&DurationSeconds=10", (400, "ValidationError")),
        ("&Policy=%7B", (400, "MalformedPolicyDocument")),
    ] {
        assert_eq!(house.assume(org, agent, &token, more).await.error(), error);
    }
    house.provider.fail_with(Some(StatusCode::BAD_GATEWAY));
    house.pass(2 * 60 * 60);
    let answer = house
        .assume(org, agent, &house.token(org, "runner"), "")
        .await;
    assert_eq!(answer.error(), (400, "IDPCommunicationError"));
    // None of this was in the organization's name.
    let log = house.last_log(org).await;
    assert!(
        !format!("{log:?}").contains("AssumeRoleWithWebIdentity"),
        "{log:?}"
    );
}

#[tokio::test]
async fn an_agents_session_stands_in_the_log_before_it_works() {
    let (house, ada, agent) = House::with_agent().await;
    let org = ada.caller.org();
    house.link(&ada, agent, "runner").await;
    let answer = house
        .assume(org, agent, &house.token(org, "runner"), "")
        .await;
    let id = answer.element("AccessKeyId").to_owned();
    let tenancy = &house.world.tenancy;
    let one = house
        .one::<ManageAgents>(&ada, SubjectKind::Agent, agent)
        .await;
    tenancy.suspend_agent(one).await.unwrap();
    house
        .assume(org, agent, &house.token(org, "runner"), "")
        .await;
    // Nobody has written a batch.
    let log = house.log(org).await;
    let operation = Some("AssumeRoleWithWebIdentity");
    let entries = log
        .iter()
        .filter(|entry| entry.operation.as_deref() == operation);
    let [intended, made, _, refused] = &entries.collect::<Vec<_>>()[..] else {
        panic!("four entries: {log:?}");
    };
    assert_eq!(made.resource, format!("credential:{id}/runner-7"));
    assert_eq!(intended.outcome, Outcome::Intended);
    assert_eq!(intended.actor, id);
    assert_eq!(intended.principal, Some(agent));
    assert_eq!(intended.kind, Some(ActorKind::Agent));
    assert_eq!(intended.credential, Some(ShownCredential::StsSession));
    assert_eq!(intended.resource, format!("role:agents/{agent}/runner-7"));
    assert!(matches!(refused.outcome, Outcome::Refused { .. }));
    assert_eq!(refused.principal, Some(agent));
    assert_eq!(refused.resource, format!("role:agents/{agent}/runner-7"));
}
