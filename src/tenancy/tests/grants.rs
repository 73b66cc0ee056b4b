use std::time::Duration;

use names::{BucketName, Glob, ObjectKey, SecretPath, TeamId};

use super::super::*;
use super::house::*;
use crate::authz::{
    GetObject, ManageGrants, ManagePeople, OfObject, OfSecret, ReadGrants, Refusal, RevealSecret,
    Role, Rule, SubjectKind, UseSecret, resource_named,
};

fn secret(path: &str) -> OfSecret {
    OfSecret::at(SecretPath::parse(path).unwrap())
}

#[tokio::test]
async fn a_grant_holds_from_the_next_call_until_it_is_revoked() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let agent = house.agent(&ada, "helper").await;
    let caller = caller(ada.caller.org(), agent.id);
    let may = async |path: &str| house.permit::<UseSecret>(&caller, secret(path)).await;
    assert!(may("tools/mail").await.is_err());
    let subject = GrantSubject::Agent(agent.id);
    let made = house
        .grant(&ada, terms(subject, "vault:*", "secret:tools/*"))
        .await
        .unwrap();
    assert_eq!(
        may("tools/mail").await.unwrap().rule(),
        Rule::Grant(*made.id.bytes())
    );
    assert!(may("other").await.is_err());
    // To an agent a wildcard gives use alone.
    let reveal = house
        .permit::<RevealSecret>(&caller, secret("tools/mail"))
        .await;
    assert!(reveal.is_err());
    let permit = house
        .one::<ManageGrants>(&ada.caller, SubjectKind::Grant, made.id)
        .await;
    house.tenancy().revoke_grant(permit).await.unwrap();
    assert!(may("tools/mail").await.is_err());
}

#[tokio::test]
async fn a_grant_ends_when_it_says() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let agent = house.agent(&ada, "helper").await;
    let caller = caller(ada.caller.org(), agent.id);
    let ends = GrantTerms {
        expires_ms: Some(house.world.clock.now_ms() + 500),
        ..terms(GrantSubject::Agent(agent.id), "vault:use", "secret:a")
    };
    house.grant(&ada, ends).await.unwrap();
    let may = async || {
        house
            .permit::<UseSecret>(&caller, secret("a"))
            .await
            .is_ok()
    };
    assert!(may().await);
    house.place.hand.advance(Duration::from_millis(499));
    assert!(may().await);
    // No row changes, and what is kept of it holds no longer all the same.
    house.place.hand.advance(Duration::from_millis(1));
    assert!(!may().await);
}

#[tokio::test]
async fn a_team_shares_its_grants_while_one_sits_in_it() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let bob = house.joined(&ada, "bob", Role::Billing).await;
    let team = house
        .all::<ManagePeople>(&ada.caller, SubjectKind::Team)
        .await;
    let team = house
        .tenancy()
        .create_team(team, &label("crew"))
        .await
        .unwrap();
    house
        .grant(
            &ada,
            terms(GrantSubject::Team(team.id), "vault:use", "secret:a"),
        )
        .await
        .unwrap();
    let may = async || {
        house
            .permit::<UseSecret>(&bob.caller, secret("a"))
            .await
            .is_ok()
    };
    let permit = async || {
        house
            .one::<ManagePeople>(&ada.caller, SubjectKind::Team, team.id)
            .await
    };
    assert!(!may().await);
    house
        .tenancy()
        .add_to_team(permit().await, bob.principal())
        .await
        .unwrap();
    house
        .tenancy()
        .add_to_team(permit().await, bob.principal())
        .await
        .unwrap();
    assert!(may().await);
    let show = house
        .one::<crate::authz::ReadPeople>(&ada.caller, SubjectKind::Team, team.id)
        .await;
    assert_eq!(
        house.tenancy().team(show).await.unwrap().1,
        [bob.principal()]
    );
    house
        .tenancy()
        .remove_from_team(permit().await, bob.principal())
        .await
        .unwrap();
    assert!(!may().await);
    house
        .tenancy()
        .add_to_team(permit().await, bob.principal())
        .await
        .unwrap();
    let renamed = house
        .tenancy()
        .rename_team(permit().await, &label("band"), Some(team.etag))
        .await;
    assert_eq!(renamed.unwrap().name, "band");
    assert!(may().await);
    house
        .tenancy()
        .delete_team(permit().await, None)
        .await
        .unwrap();
    assert!(!may().await);
    for gone in [
        house
            .tenancy()
            .add_to_team(permit().await, bob.principal())
            .await,
        house.tenancy().delete_team(permit().await, None).await,
    ] {
        assert!(
            matches!(gone, Err(TenancyError::NoSuch("team"))),
            "{gone:?}"
        );
    }
    let strangers = GrantSubject::Team(TeamId::from_bytes([9; 16]));
    let refused = house
        .grant(&ada, terms(strangers, "vault:use", "secret:a"))
        .await;
    assert!(matches!(refused, Err(TenancyError::NoSuch(_))));
    let strangers = house.person("eve").await;
    let other = house
        .all::<ManagePeople>(&ada.caller, SubjectKind::Team)
        .await;
    let other = house
        .tenancy()
        .create_team(other, &label("x"))
        .await
        .unwrap();
    let permit = house
        .one::<ManagePeople>(&ada.caller, SubjectKind::Team, other.id)
        .await;
    let refused = house
        .tenancy()
        .add_to_team(permit, strangers.principal())
        .await;
    assert!(matches!(refused, Err(TenancyError::NoSuch(_))));
}

#[tokio::test]
async fn what_cannot_be_granted_is_refused_when_it_is_asked_for() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let subject = GrantSubject::Member(ada.principal());
    let ada_id = ada.principal();
    let (mine, shouted) = (
        format!("agent:{ada_id}"),
        format!("agent:{ada_id}").to_uppercase(),
    );
    for (action, resource, is_ok) in [
        ("s3:GetObject", "drive:docs/*", true),
        ("s3:*", "drive:docs", true),
        ("S3:getobject", "drive:docs/a?b*c", true),
        ("*", "drive:d*/x", true),
        ("vault:reveal", "secret:prod/db", true),
        ("vault:*", "secret:*", true),
        ("secretsmanager:GetSecretValue", "secret:/prod/*", true),
        ("bulkhead:ReadAgentRecords", &mine, true),
        ("bulkhead:ManageAgents", "agent:*", true),
        ("bulkhead:ReadUsage", "organization", true),
        ("bulkhead:ReadPeople", "member:*", true),
        // Nothing that changes rights, credentials or the organization.
        ("bulkhead:ManageGrants", "grant:*", false),
        ("bulkhead:ManagePeople", "member:*", false),
        ("bulkhead:ManageCredentials", "agent:*", false),
        ("bulkhead:DeleteOrganization", "organization", false),
        ("bulkhead:Manage?e*le", "member:*", false),
        ("s3:Nothing", "drive:docs/*", false),
        // What nobody understands.
        ("s3:GetObject", "*", false),
        ("s3:GetObject", "docs/*", false),
        ("s3:GetObject", "drive:Docs/*", false),
        ("s3:GetObject", "drive:D*", false),
        ("s3:GetObject", "drive:", false),
        ("s3:GetObject", "dri*:docs", false),
        ("vault:use", "secret:a//b", false),
        ("vault:use", "secret:../*", false),
        ("vault:use", "secret:", false),
        ("bulkhead:ReadAgents", "agent:x", false),
        ("bulkhead:ReadAgents", &shouted, false),
        ("bulkhead:ReadUsage", "organizations", false),
        ("bulkhead:ReadCredentials", "credential:*", false),
    ] {
        let granted = house.grant(&ada, terms(subject, action, resource)).await;
        assert_eq!(
            granted.is_ok(),
            is_ok,
            "{action} on {resource}: {granted:?}"
        );
    }
    let good = terms(subject, "vault:use", "secret:a");
    for bad in [
        GrantTerms {
            actions: vec![],
            ..good.clone()
        },
        GrantTerms {
            resources: vec![],
            ..good.clone()
        },
        GrantTerms {
            actions: vec![Glob::parse("vault:use").unwrap(); 33],
            ..good.clone()
        },
        GrantTerms {
            expires_ms: Some(house.world.clock.now_ms()),
            ..good.clone()
        },
    ] {
        let refused = house.grant(&ada, bad).await;
        assert!(
            matches!(refused, Err(TenancyError::Invalid(_))),
            "{refused:?}"
        );
    }
}

#[tokio::test]
async fn grants_are_listed_by_subject_and_by_resource() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let bob = house.joined(&ada, "bob", Role::Viewer).await;
    let (to_ada, to_bob) = (
        GrantSubject::Member(ada.principal()),
        GrantSubject::Member(bob.principal()),
    );
    let a = house
        .grant(&ada, terms(to_ada, "s3:GetObject", "drive:docs/2026/*"))
        .await
        .unwrap();
    let b = house
        .grant(&ada, terms(to_bob, "s3:GetObject", "drive:docs/*"))
        .await
        .unwrap();
    let c = house
        .grant(&ada, terms(to_bob, "vault:use", "secret:docs"))
        .await
        .unwrap();
    let list = async |filter: GrantFilter<'_>, after, max| {
        let permit = house
            .all::<ReadGrants>(&ada.caller, SubjectKind::Grant)
            .await;
        let grants = house
            .tenancy()
            .grants(permit, filter, after, max)
            .await
            .unwrap();
        grants.into_iter().map(|grant| grant.id).collect::<Vec<_>>()
    };
    let mut all = vec![a.id, b.id, c.id];
    all.sort();
    assert_eq!(list(GrantFilter::Any, None, 9).await, all);
    assert_eq!(list(GrantFilter::Any, Some(all[0]), 1).await, all[1..2]);
    assert_eq!(list(GrantFilter::To(to_ada), None, 9).await, [a.id]);
    let mut both = vec![a.id, b.id];
    both.sort();
    for (about, expected) in [
        ("drive:docs/2026/x", &both[..]),
        ("drive:docs/2025/x", &[b.id]),
        ("drive:docs/2*", &both),
        ("drive:docs/2*", &both),
        ("secret:docs", &[c.id]),
        ("secret:doc", &[]),
        ("secret:*", &[c.id]),
    ] {
        for max in [1, 2, 9] {
            let expected = &expected[..expected.len().min(max as usize)];
            assert_eq!(
                list(GrantFilter::About(about), None, max).await,
                expected,
                "{about}"
            );
        }
    }
    let show = house
        .one::<ReadGrants>(&ada.caller, SubjectKind::Grant, c.id)
        .await;
    assert_eq!(house.tenancy().grant_shown(show).await.unwrap(), c);
    let eve = house.person("eve").await;
    let show = house
        .one::<ReadGrants>(&eve.caller, SubjectKind::Grant, c.id)
        .await;
    let missing = house.tenancy().grant_shown(show).await;
    assert!(matches!(missing, Err(TenancyError::NoSuch("grant"))));
}

#[tokio::test]
async fn a_decision_is_explained_as_it_is_made() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let agent = house.agent(&ada, "helper").await;
    let subject = GrantSubject::Agent(agent.id);
    let made = house
        .grant(&ada, terms(subject, "s3:GetObject", "drive:docs/*"))
        .await
        .unwrap();
    let explain = async |principal, action: &str, resource: &str| {
        let resource = resource_named(resource).unwrap();
        let permit = house
            .all::<ReadGrants>(&ada.caller, SubjectKind::Grant)
            .await;
        house
            .tenancy()
            .explain(permit, principal, action, &*resource)
            .await
    };
    let home = format!("drive:agents/{}/notes", agent.id);
    for (principal, action, resource, expected) in [
        (
            ada.principal(),
            "s3:PutObject",
            "drive:docs/x",
            Ok(Rule::Role(Role::Owner)),
        ),
        (
            agent.id,
            "s3:GetObject",
            "drive:docs/x",
            Ok(Rule::Grant(*made.id.bytes())),
        ),
        (
            agent.id,
            "s3:ListBucket",
            "drive:docs/*",
            Err(Refusal::NotAllowed {
                action: "s3:ListBucket",
            }),
        ),
        (agent.id, "s3:PutObject", &home, Ok(Rule::Home)),
        (
            ada.principal(),
            "s3:GetObject",
            &home,
            Err(Refusal::NotAllowed {
                action: "s3:GetObject",
            }),
        ),
        (
            names::PrincipalId::from_bytes([9; 16]),
            "s3:GetObject",
            "drive:docs/x",
            Err(Refusal::Gone),
        ),
    ] {
        let explained = explain(principal, action, resource).await.unwrap();
        assert_eq!(explained, expected, "{action} on {resource}");
    }
    let object = OfObject {
        bucket: BucketName::parse("docs").unwrap(),
        key: ObjectKey::parse("x").unwrap(),
    };
    let agent = caller(ada.caller.org(), agent.id);
    let permit = house.permit::<GetObject>(&agent, object).await;
    assert_eq!(permit.unwrap().rule(), Rule::Grant(*made.id.bytes()));
    let refused = explain(agent.principal(), "s3:Nothing", "drive:docs/x").await;
    assert!(matches!(refused, Err(TenancyError::Invalid(_))));
    for resource in ["docs/x", "agent:a*", "secret:", "drive:"] {
        assert!(resource_named(resource).is_none(), "{resource}");
    }
}
