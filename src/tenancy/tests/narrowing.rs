//! A credential never reaches further than the one that made it, whatever it asks for.

use std::sync::Arc;

use names::{AccessKeyId, AccountId, Effect, Glob, OrgId, Policy, PrincipalId, Statement};
use proptest::prelude::*;

use super::super::credential::narrower;
use crate::authz::{
    Caller, CredentialKind, Granted, InOrganization, Narrowing, OfObject, OfSecret, Resource,
    Rights, Role, Scope, Standing, Subject, UnderPrefix, action_named, explain,
};

fn glob(text: &str) -> Glob {
    Glob::parse(text).expect("a pattern")
}

fn globs(of: &'static [&'static str]) -> impl Strategy<Value = Vec<Glob>> {
    prop::collection::vec(prop::sample::select(of).prop_map(glob), 1..4)
}

fn statement() -> impl Strategy<Value = Statement> {
    let prefixes = globs(&["*", "a/*", "a/b*", ""][..3]);
    (
        prop::sample::select(&[Effect::Allow, Effect::Allow, Effect::Deny][..]),
        globs(ACTIONS),
        globs(RESOURCES),
        prop::option::weighted(0.2, prefixes),
    )
        .prop_map(|(effect, actions, resources, prefixes)| Statement {
            effect,
            actions,
            resources,
            prefixes,
        })
}

fn narrowing() -> impl Strategy<Value = Narrowing> {
    let policy =
        prop::collection::vec(statement(), 0..4).prop_map(|statements| Policy { statements });
    (
        prop::sample::select(&[Scope::Full, Scope::Full, Scope::ReadOnly][..]),
        prop::option::of(prop::sample::select(&Role::ALL[..])),
        prop::collection::vec(policy, 0..3),
    )
        .prop_map(|(scope, role, policies)| Narrowing {
            scope,
            role,
            policies,
        })
}

fn rights() -> impl Strategy<Value = Rights> {
    let member = prop::sample::select(&Role::ALL[..]).prop_map(|role| Subject::Member {
        account: AccountId::from_bytes([3; 16]),
        role,
    });
    let subject = prop_oneof![
        member,
        Just(Subject::Organization),
        Just(Subject::Agent),
        Just(Subject::Nobody),
    ];
    let granted = statement().prop_map(|statement| Granted {
        id: [7; 16],
        statement: Statement {
            effect: Effect::Allow,
            ..statement
        },
    });
    (subject, prop::collection::vec(granted, 0..3))
        .prop_map(|(subject, grants)| Rights { subject, grants })
}

/// Everything that is asked about, as a policy would name it.
fn resources() -> Vec<Box<dyn Resource>> {
    let bucket = |name: &str| names::BucketName::parse(name).expect("a bucket");
    let object = |name: &str, key: &str| OfObject {
        bucket: bucket(name),
        key: names::ObjectKey::parse(key).expect("a key"),
    };
    let under = |name: &str, prefix: &str| UnderPrefix {
        bucket: bucket(name),
        prefix: names::KeyPrefix::parse(prefix).expect("a prefix"),
    };
    let own = format!("{}/notes", PrincipalId::from_bytes([2; 16]));
    vec![
        Box::new(InOrganization),
        Box::new(object("docs", "a/b")),
        Box::new(object("docs", "c")),
        Box::new(object("logs", "a/b")),
        Box::new(object("agents", &own)),
        Box::new(under("docs", "")),
        Box::new(under("docs", "a/")),
        Box::new(under("logs", "a/b")),
        Box::new(OfSecret::at(
            names::SecretPath::parse("prod/db").expect("a path"),
        )),
    ]
}

fn caller(narrowing: &Narrowing) -> Caller {
    Caller::authenticated(
        OrgId::from_bytes([1; 16]),
        PrincipalId::from_bytes([2; 16]),
        AccessKeyId::parse("BKTEST").expect("an id"),
        CredentialKind::StsSession,
        Arc::new(narrowing.clone()),
    )
}

/// What of everything a credential may.
fn may(narrowing: &Narrowing, rights: &Rights, standing: Standing) -> Vec<bool> {
    let caller = caller(narrowing);
    let resources = resources();
    NAMES
        .iter()
        .flat_map(|name| resources.iter().map(move |resource| (name, resource)))
        .map(|(name, resource)| {
            let action = action_named(name).expect("an action");
            explain(&caller, rights, standing, action, &**resource).is_ok()
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_made_may_nothing_that_its_maker_may_not(
        rights in rights(),
        shown in narrowing(),
        asked in narrowing(),
        again in narrowing(),
        standing in prop::sample::select(&[Standing::Active, Standing::Suspended][..]),
    ) {
        let Ok(made) = narrower(&shown, asked.clone()) else {
            return Ok(());
        };
        let by_maker = may(&shown, &rights, standing);
        let by_made = may(&made, &rights, standing);
        let as_asked = may(&asked, &rights, standing);
        for at in 0..by_made.len() {
            prop_assert!(by_maker[at] || !by_made[at], "further than its maker");
            // Nor than whoever made it asked: a policy that was passed over would let it.
            prop_assert!(as_asked[at] || !by_made[at], "further than it was asked for");
        }
        // And so on along a chain.
        if let Ok(made_again) = narrower(&made, again) {
            let by_made_again = may(&made_again, &rights, standing);
            for at in 0..by_made.len() {
                prop_assert!(by_made[at] || !by_made_again[at], "further along the chain");
            }
        }
    }
}

#[test]
fn a_chain_ends_somewhere_and_a_role_is_not_left_upwards() {
    let policy = || Policy {
        statements: Vec::new(),
    };
    let with = |count| Narrowing {
        policies: (0..count).map(|_| policy()).collect(),
        ..Narrowing::NONE
    };
    assert!(narrower(&with(4), with(4)).is_ok());
    assert!(narrower(&with(5), with(4)).is_err());
    let role = |role| Narrowing {
        role: Some(role),
        ..Narrowing::NONE
    };
    assert!(narrower(&role(Role::Viewer), role(Role::Member)).is_err());
    assert!(narrower(&role(Role::Member), role(Role::Viewer)).is_ok());
    let kept = narrower(&role(Role::Viewer), Narrowing::NONE).expect("the same");
    assert_eq!(kept.role, Some(Role::Viewer));
}

const NAMES: &[&str] = &[
    "s3:ListAllMyBuckets",
    "s3:ListBucket",
    "s3:GetObject",
    "s3:PutObject",
    "bulkhead:UploadPart",
    "s3:DeleteObject",
    "vault:reveal",
    "vault:put",
    "bulkhead:GetCallerIdentity",
    "bulkhead:CreateOwnCredential",
    "bulkhead:ManageSettings",
];
const ACTIONS: &[&str] = &[
    "*",
    "s3:*",
    "s3:Get*",
    "s3:GetObject",
    "s3:PutObject",
    "s3:ListBucket",
    "S3:deleteobject",
    "vault:*",
    "sts:*",
    "bulkhead:*",
];
const RESOURCES: &[&str] = &[
    "*",
    "drive:*",
    "drive:docs",
    "drive:docs/*",
    "drive:docs/a/*",
    "drive:logs/a/?",
    "secret:*",
    "secret:prod/db",
    "organization",
];
