//! What secrets say themselves of who may do what to them.

use names::{PolicyPrincipal, ResourcePolicy, ResourceStatement};

use super::*;

#[test]
fn a_secrets_policy_adds_to_rights_and_takes_from_them() {
    let one = |effect, principal: PolicyPrincipal, action: &str| {
        Some(Arc::new(ResourcePolicy {
            statements: vec![ResourceStatement {
                principals: vec![principal],
                statement: Statement {
                    effect,
                    actions: vec![glob(action)],
                    resources: vec![glob("*")],
                    prefixes: None,
                },
            }],
        }))
    };
    let path = || SecretPath::parse("stripe/live").expect("a path");
    let (allow, deny) = (Effect::Allow, Effect::Deny);
    let everybody = PolicyPrincipal::Everybody;
    let organization = PolicyPrincipal::Organization;
    let itself = PolicyPrincipal::One(agent_id());
    let another = PolicyPrincipal::One(PrincipalId::from_bytes([9; 16]));
    let role = |name: &str| PolicyPrincipal::Role(name.into());
    let agent = Rights {
        subject: Subject::Agent,
        grants: Vec::new(),
    };
    let granted = Rights {
        subject: Subject::Agent,
        grants: vec![grant("vault:reveal", "secret:*")],
    };
    let viewer = member(Role::Viewer);
    let owner = member(Role::Owner);
    let get = "secretsmanager:GetSecretValue";
    let not_allowed = || Err("no role and no grant allows vault:reveal".to_owned());
    let denied = || Err("the policy of the secret denies vault:reveal".to_owned());
    for (rights, effect, principal, action, expected) in [
        // Agents are let in by name alone, and shown a value by its action's name alone.
        (&agent, allow, &itself, get, Ok("secret-policy")),
        (&agent, allow, &itself, "vault:reveal", Ok("secret-policy")),
        (&agent, allow, &itself, "secretsmanager:*", not_allowed()),
        (&agent, allow, &itself, "*", not_allowed()),
        (&agent, allow, &everybody, get, not_allowed()),
        (&agent, allow, &organization, get, not_allowed()),
        (&agent, allow, &another, get, not_allowed()),
        (&viewer, allow, &everybody, "*", Ok("secret-policy")),
        (&viewer, allow, &itself, "*", Ok("secret-policy")),
        (&viewer, allow, &role("viewer"), "*", Ok("secret-policy")),
        (&viewer, allow, &role("member"), "*", not_allowed()),
        (&viewer, allow, &organization, "*", not_allowed()),
        (&viewer, allow, &everybody, "s3:*", not_allowed()),
        (&granted, deny, &itself, get, denied()),
        (&granted, deny, &everybody, "*", denied()),
        (&granted, deny, &organization, "vault:*", denied()),
        (&granted, deny, &role("viewer"), "*", Ok(GRANT)),
        (&granted, deny, &another, "*", Ok(GRANT)),
        (&owner, deny, &role("owner"), "*", denied()),
        (&owner, deny, &everybody, "vault:put", Ok("role:owner")),
        // Who has no right is not told what is denied.
        (&viewer, deny, &everybody, "*", not_allowed()),
        (&Rights::ORGANIZATION, deny, &everybody, "*", denied()),
        (
            &Rights::ORGANIZATION,
            deny,
            &another,
            "*",
            Ok("organization"),
        ),
    ] {
        let secret = OfSecret::under(path(), one(effect, principal.clone(), action));
        let caller = caller(Narrowing::NONE);
        let may = authorize::<RevealSecret>(&caller, rights, Standing::Active, secret);
        let may = may
            .map(|permit| permit.rule().to_string())
            .map_err(|refusal| refusal.to_string());
        let expected = expected.map(str::to_owned);
        assert_eq!(may, expected, "{rights:?} {effect:?} {principal} {action}");
    }
    // Whoever acts in a lower role is taken for that one, too, and stays in it.
    let as_viewer = || {
        caller(Narrowing {
            role: Some(Role::Viewer),
            ..Narrowing::NONE
        })
    };
    let for_viewers = OfSecret::under(path(), one(deny, role("viewer"), "*"));
    let refused = authorize::<RevealSecret>(&as_viewer(), &owner, Standing::Active, for_viewers);
    assert_eq!(
        refused.map(|_| ()).map_err(|one| one.to_string()),
        denied().map(|_: &str| ())
    );

    // Somebody can always lift a policy, and see that there is one; nobody else.
    let closed = || OfSecret::under(path(), one(deny, PolicyPrincipal::Everybody, "*"));
    for (rights, caller, may) in [
        (&owner, caller(Narrowing::NONE), true),
        (&Rights::ORGANIZATION, caller(Narrowing::NONE), true),
        (&member(Role::Admin), caller(Narrowing::NONE), false),
        (&granted, caller(Narrowing::NONE), false),
        (&owner, as_viewer(), false),
    ] {
        let standing = Standing::Active;
        let lift = authorize::<ChangeSecretPolicy>(&caller, rights, standing, closed());
        let read = authorize::<ReadSecretPolicy>(&caller, rights, standing, closed());
        assert_eq!((lift.is_ok(), read.is_ok()), (may, may), "{rights:?}");
        let all = UnderPath {
            prefix: names::SecretPrefix::default(),
        };
        if let Ok(list) = authorize::<ListSecrets>(&caller, rights, standing, all) {
            let policy = one(deny, PolicyPrincipal::Everybody, "vault:describe");
            let shows = list.shows(&path(), &policy.expect("a policy"));
            assert_eq!(shows, may, "{rights:?}");
        }
    }
    // And none of it adds to what a standing or a credential takes away.
    let open = || OfSecret::under(path(), one(allow, PolicyPrincipal::Everybody, "*"));
    for (caller, standing) in [
        (as_viewer(), Standing::Active),
        (caller(Narrowing::NONE), Standing::Sealed),
        (
            caller(Narrowing {
                policies: vec![Policy {
                    statements: Vec::new(),
                }],
                ..Narrowing::NONE
            }),
            Standing::Active,
        ),
    ] {
        assert!(authorize::<RevealSecret>(&caller, &viewer, standing, open()).is_err());
    }
    let read_only = caller(Narrowing::to(Scope::ReadOnly));
    assert!(authorize::<PutSecret>(&read_only, &viewer, Standing::Active, open()).is_err());
}

/// The rule of [`grant`].
const GRANT: &str = "grant:07070707-0707-0707-0707-070707070707";
