//! Permits are made by the policy that a secret has.

use std::sync::Arc;

use names::{
    AccessKeyId, Effect, Glob, PolicyPrincipal, PrincipalId, ResourcePolicy, ResourceStatement,
    SecretPath, Statement,
};

use super::world::{World, new_value};
use crate::authz::{
    Action, Caller, CredentialKind, Narrowing, OfSecret, Permit, PutSecret, Resource, Rights,
    Standing, authorize,
};
use crate::vault::{Change, Deletion, SecretPolicy, Selector, VaultError};

#[tokio::test]
async fn a_permit_by_another_policy_opens_nothing() {
    let world = World::open().await;
    world.create("a", "one").await.unwrap();
    let policy = denying(9);
    let put = world
        .vault
        .change_policy(world.may("a"), Some(policy.clone()));
    put.await.unwrap();

    // Whoever was judged without the policy.
    let vault = &world.vault;
    let change = Change::default();
    let outcomes = [
        world.reveal("a", Selector::Current).await.map(drop),
        world.put("a", "two").await.map(drop),
        vault.describe(world.may("a")).await.map(drop),
        vault.policy(world.may("a")).await.map(drop),
        vault.change(world.may("a"), &change).await.map(drop),
        vault.change_policy(world.may("a"), None).await.map(drop),
        vault.can_use(world.may("a")).await,
        vault.delete(world.may("a"), Deletion::Now).await.map(drop),
        vault.shares(world.may("a")).await.map(drop),
    ];
    for (at, outcome) in outcomes.into_iter().enumerate() {
        assert!(
            matches!(outcome, Err(VaultError::Changed)),
            "{at}: {outcome:?}"
        );
    }

    // And by what was there before, or never.
    let put = vault.change_policy(under(&world, &policy), Some(denying(8)));
    put.await.unwrap();
    for policy in [policy, denying(6)] {
        let put = vault.put(under::<PutSecret>(&world, &policy), new_value("two"));
        assert!(matches!(put.await, Err(VaultError::Changed)));
    }
    let put = vault.put(under(&world, &denying(8)), new_value("two"));
    assert_eq!(put.await.unwrap().secret.versions.len(), 2);
}

#[tokio::test]
async fn what_a_secret_says_is_looked_up_as_it_is_now() {
    let world = World::open().await;
    world.create("a", "one").await.unwrap();
    let says = async |path: &str| {
        let path = SecretPath::parse(path).unwrap();
        let caller = caller(&world);
        let secret = world.vault.secret(&caller, Standing::Active, path);
        secret.await.unwrap().policy().cloned()
    };
    // Twice, so that the second time it is known.
    for path in ["a", "a", "nothing"] {
        assert_eq!(says(path).await, None);
    }
    let policy = denying(9);
    let put = world
        .vault
        .change_policy(world.may("a"), Some(policy.clone()));
    put.await.unwrap();
    for _ in 0..2 {
        assert_eq!(says("a").await.as_ref(), Some(&*policy.rules));
    }
    let shown = world.vault.policy(under(&world, &policy)).await.unwrap();
    assert_eq!(shown.policy.as_ref(), Some(&policy));
    // Another secret at its path says nothing.
    let gone = world.vault.delete(under(&world, &policy), Deletion::Now);
    gone.await.unwrap();
    assert_eq!(says("a").await, None);
    world.create("a", "two").await.unwrap();
    assert_eq!(says("a").await, None);
    // Nothing is looked up without keys: what stands in the way is said by the standing.
    let path = SecretPath::parse("a").unwrap();
    let caller = caller(&world);
    for standing in [Standing::Sealed, Standing::Destroyed] {
        let secret = world.vault.secret(&caller, standing, path.clone());
        assert_eq!(secret.await.unwrap(), OfSecret::at(path.clone()));
    }
}

/// A policy that denies one agent everything.
fn denying(agent: u8) -> SecretPolicy {
    let everything = || vec![Glob::parse("*").unwrap()];
    SecretPolicy {
        text: format!("{{\"of\":{agent}}}").into(),
        rules: Arc::new(ResourcePolicy {
            statements: vec![ResourceStatement {
                principals: vec![
                    PolicyPrincipal::One(PrincipalId::from_bytes([agent; 16])),
                    PolicyPrincipal::Role("viewer".into()),
                ],
                statement: Statement {
                    effect: Effect::Deny,
                    actions: everything(),
                    resources: everything(),
                    prefixes: None,
                },
            }],
        }),
    }
}

/// Leave to do something to the secret `a` of ours with this policy.
fn under<A: Action<Resource = OfSecret>>(world: &World, policy: &SecretPolicy) -> Permit<A> {
    let path = SecretPath::parse("a").unwrap();
    let secret = OfSecret::under(path, Some(Arc::clone(&policy.rules)));
    let rights = &Rights::ORGANIZATION;
    authorize(&caller(world), rights, Standing::Active, secret).unwrap()
}

fn caller(world: &World) -> Caller {
    Caller::authenticated(
        world.ours,
        PrincipalId::from_bytes([7; 16]),
        AccessKeyId::parse("BKTEST").unwrap(),
        CredentialKind::AccessKey,
        Arc::new(Narrowing::NONE),
    )
}
