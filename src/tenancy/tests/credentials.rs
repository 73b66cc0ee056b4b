use std::sync::Arc;

use names::{Bearer, BearerKind, Effect, Glob, Policy, Statement};
use sha2::{Digest, Sha256};

use super::super::*;
use super::house::*;
use crate::authz::{
    Caller, CreateOwnCredential, CredentialKind, InOrganization, ListOwnCredentials, Narrowing,
    ReadCredentials, RevokeOwnCredential, Role, Scope, SubjectKind,
};
use crate::keyring::Proof;

fn request(kind: NewCredentialKind) -> CredentialRequest {
    CredentialRequest {
        kind,
        narrowing: Narrowing::NONE,
        expires_ms: None,
        label: Some(label("ci")),
    }
}

async fn create(
    house: &House,
    caller: &Caller,
    request: CredentialRequest,
) -> Result<NewCredential, TenancyError> {
    let permit = house.permit::<CreateOwnCredential>(caller, InOrganization);
    let permit = permit.await.unwrap();
    house
        .tenancy()
        .create_own_credential(permit, caller, request)
        .await
}

/// Whoever shows what was made.
fn shows(made: &NewCredential, house_of: &Caller) -> Caller {
    Caller::authenticated(
        house_of.org(),
        made.credential.principal,
        made.credential.id.clone(),
        made.credential.kind,
        Arc::new(made.credential.narrowing.clone()),
    )
}

fn policy(action: &str) -> Policy {
    let glob = |text| Glob::parse(text).unwrap();
    Policy {
        statements: vec![Statement {
            effect: Effect::Allow,
            actions: vec![glob(action)],
            resources: vec![glob("*")],
            prefixes: None,
        }],
    }
}

#[tokio::test]
async fn what_proves_a_credential_is_shown_once_and_kept_as_it_has_to_be() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let end = Some(house.world.clock.now_ms() + 1_000);
    for kind in [
        NewCredentialKind::AccessKey,
        NewCredentialKind::ApiToken,
        NewCredentialKind::StsSession,
    ] {
        let asked = CredentialRequest {
            expires_ms: end,
            ..request(kind)
        };
        let made = create(&house, &ada.caller, asked).await.unwrap();
        assert_eq!(made.credential.label.as_deref(), Some("ci"));
        let org = ada.caller.org();
        let (row, kept) = house
            .tenancy()
            .credential_of(org, &made.credential.id)
            .await
            .unwrap()
            .unwrap();
        assert_eq!((row.expires_ms, row.principal), (end, ada.principal()));
        let digest = |text: &str| <[u8; 32]>::from(Sha256::digest(text));
        match (&made.shown, kept.expose()) {
            (Shown::Secret(secret), Proof::Secret(kept)) => assert_eq!(**secret, **kept),
            (Shown::Bearer(token), Proof::TokenDigest(kept)) => {
                let bearer = Bearer::parse(token).unwrap();
                assert_eq!(bearer.kind(), BearerKind::ApiToken);
                assert_eq!(bearer.id().unwrap(), made.credential.id);
                assert_eq!(digest(bearer.expose()), *kept);
            }
            (Shown::SecretWithToken(secret, token), Proof::SecretWithToken(kept, kept_digest)) => {
                assert_eq!((&**secret, digest(token)), (&**kept, *kept_digest));
            }
            _ => panic!("{kind:?}"),
        }
    }
    let session = house.log_in(&ada.email, PASSWORD).await.unwrap();
    let bearer = Bearer::parse(&session.token).unwrap();
    assert_eq!(
        (bearer.kind(), bearer.id().unwrap()),
        (BearerKind::Session, session.id.clone())
    );
}

#[tokio::test]
async fn a_credential_makes_only_what_reaches_no_further() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let now = house.world.clock.now_ms();
    let token = request(NewCredentialKind::ApiToken);
    let first = CredentialRequest {
        narrowing: Narrowing {
            scope: Scope::Full,
            role: Some(Role::Admin),
            policies: vec![policy("*")],
        },
        expires_ms: Some(now + 10_000),
        ..token.clone()
    };
    let first = create(&house, &ada.caller, first).await.unwrap();
    let holder = shows(&first, &ada.caller);
    // What is not said is taken over.
    let second = create(&house, &holder, token.clone()).await.unwrap();
    assert_eq!(second.credential.narrowing, first.credential.narrowing);
    assert_eq!(second.credential.expires_ms, Some(now + 10_000));
    let narrower = CredentialRequest {
        narrowing: Narrowing {
            scope: Scope::ReadOnly,
            role: Some(Role::Viewer),
            policies: vec![policy("s3:*")],
        },
        expires_ms: Some(now + 20_000),
        ..token.clone()
    };
    let narrower = create(&house, &holder, narrower).await.unwrap().credential;
    assert_eq!(narrower.expires_ms, Some(now + 10_000));
    assert_eq!(
        narrower.narrowing,
        Narrowing {
            scope: Scope::ReadOnly,
            role: Some(Role::Viewer),
            policies: vec![policy("*"), policy("s3:*")],
        }
    );
    for role in [Role::Owner, Role::Billing] {
        let wider = CredentialRequest {
            narrowing: Narrowing {
                role: Some(role),
                ..Narrowing::NONE
            },
            ..token.clone()
        };
        let refused = create(&house, &holder, wider).await.err();
        assert!(matches!(refused, Some(TenancyError::TooWide)), "{role}");
    }
    // A person's session is as long as a day; what it makes may live longer.
    let long = CredentialRequest {
        expires_ms: Some(u64::MAX >> 1),
        ..token.clone()
    };
    let long = create(&house, &ada.caller, long).await.unwrap();
    assert_eq!(long.credential.expires_ms, Some(u64::MAX >> 1));
    let endless = request(NewCredentialKind::StsSession);
    let refused = create(&house, &ada.caller, endless).await.err();
    assert!(matches!(refused, Some(TenancyError::Invalid(_))));
    let past = CredentialRequest {
        expires_ms: Some(now),
        ..token
    };
    let refused = create(&house, &ada.caller, past).await.err();
    assert!(matches!(refused, Some(TenancyError::Invalid(_))));
}

/// Of two roles of which neither covers the other, the credential is limited to its own.
#[test]
fn a_role_covers_what_it_allows_all_of() {
    for (role, covered) in [
        (Role::Owner, &Role::ALL[..]),
        (Role::Admin, &[Role::Admin, Role::Member, Role::Viewer]),
        (Role::Member, &[Role::Member, Role::Viewer]),
        (Role::Viewer, &[Role::Viewer]),
        (Role::Billing, &[Role::Billing]),
    ] {
        for other in Role::ALL {
            assert_eq!(
                role.covers(other),
                covered.contains(&other),
                "{role} {other}"
            );
        }
    }
}

#[tokio::test]
async fn own_credentials_are_listed_and_revoked_and_no_others() {
    let house = House::new().await;
    let ada = house.person("ada").await;
    let bob = house.joined(&ada, "bob", Role::Viewer).await;
    let made = create(&house, &bob.caller, request(NewCredentialKind::AccessKey))
        .await
        .unwrap();
    let list = async |who: &Person| {
        let permit = house
            .permit::<ListOwnCredentials>(&who.caller, InOrganization)
            .await;
        house
            .tenancy()
            .own_credentials(permit.unwrap(), None, 99)
            .await
            .unwrap()
    };
    let own = list(&bob).await;
    assert_eq!(own.len(), 2);
    assert!(own.contains(&made.credential));
    assert!(
        own.iter()
            .any(|one| one.kind == CredentialKind::Session(bob.account))
    );
    let revoke = async |who: &Person, id| {
        let permit = house
            .permit::<RevokeOwnCredential>(&who.caller, InOrganization)
            .await;
        house
            .tenancy()
            .revoke_own_credential(permit.unwrap(), id)
            .await
    };
    let refused = revoke(&ada, &made.credential.id).await;
    assert!(matches!(refused, Err(TenancyError::NoSuch("credential"))));
    revoke(&bob, &made.credential.id).await.unwrap();
    revoke(&bob, &made.credential.id).await.unwrap();
    let revoked = list(&bob)
        .await
        .into_iter()
        .filter(|one| one.revoked_ms.is_some());
    assert_eq!(
        revoked.map(|one| one.id).collect::<Vec<_>>(),
        [made.credential.id]
    );
    // All of the organization's, in pages, and nobody else's.
    let eve = house.person("eve").await;
    let all = async |who: &Person, principal, after: Option<&names::AccessKeyId>, max| {
        let permit = house
            .all::<ReadCredentials>(&who.caller, SubjectKind::Credential)
            .await;
        house
            .tenancy()
            .credentials(permit, principal, after, max)
            .await
            .unwrap()
    };
    let everything = all(&ada, None, None, 99).await;
    assert_eq!(everything.len(), 3);
    let first = all(&ada, None, None, 2).await;
    let rest = all(&ada, None, Some(&first[1].id), 2).await;
    assert_eq!([first, rest].concat(), everything);
    assert_eq!(
        all(&ada, Some(bob.principal()), None, 9).await,
        list(&bob).await
    );
    assert!(all(&eve, Some(bob.principal()), None, 9).await.is_empty());
}
