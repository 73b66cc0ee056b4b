use std::sync::Arc;

use names::{
    AccessKeyId, AccountId, BucketName, Effect, Glob, KeyPrefix, ObjectKey, OrgId, Policy,
    PrincipalId, SecretPath, Statement,
};
use proptest::prelude::*;

use super::action::TABLE;
use super::rights::stands;
use super::*;

mod secret_policy;

/// The whole policy, as people review it: `tests/permits.txt`.
#[test]
fn the_printed_policy_is_the_policy() {
    let mut printed = String::from(
        "# Written by the tests when BULKHEAD_PRINT_PERMITS is set; read it in review.\n\
         \n\
         # standing of the organization × access → answer\n",
    );
    for standing in STANDINGS {
        for access in [Access::Read, Access::Write, Access::Govern, Access::Record] {
            let answer = said(stands(standing, access));
            printed.push_str(&format!("{standing:?} × {access:?} → {answer}\n"));
        }
    }
    printed.push_str(
        "\n# principal × action × resource → the rule that allows it, with an unlimited credential \
         in an active organization\n",
    );
    for (name, rights) in principals() {
        for row in TABLE {
            for (resource, is_about) in resources() {
                if !is_about(row.area) {
                    continue;
                }
                let caller = caller(Narrowing::NONE);
                let answer = said(explain(
                    &caller,
                    &rights,
                    Standing::Active,
                    *row,
                    &*resource,
                ));
                printed.push_str(&format!("{name} × {} × {resource} → {answer}\n", row.name));
            }
        }
    }
    printed.push_str("\n# what a credential limited so leaves of an owner's rights\n");
    for (name, narrowing) in narrowings() {
        for row in TABLE {
            let (resource, _) = resources()
                .into_iter()
                .find(|(_, is_about)| is_about(row.area))
                .expect("every area has a resource");
            let rights = member(Role::Owner);
            let caller = caller(narrowing.clone());
            let answer = said(explain(
                &caller,
                &rights,
                Standing::Active,
                *row,
                &*resource,
            ));
            printed.push_str(&format!("{name} × {} × {resource} → {answer}\n", row.name));
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/permits.txt");
    if option_env!("BULKHEAD_PRINT_PERMITS").is_some() {
        std::fs::write(path, &printed).expect("the policy can be written");
    }
    let reviewed = std::fs::read_to_string(path).expect("tests/permits.txt is committed");
    assert_eq!(
        reviewed, printed,
        "the policy changed: print it anew and review it"
    );
}

#[test]
fn a_home_is_its_agents_alone() {
    let own = object(&format!("{}/context/notes", agent_id()));
    let others = object(&format!(
        "{}/context/notes",
        PrincipalId::from_bytes([9; 16])
    ));
    let shouted = object(&format!("{}/notes", agent_id()).to_uppercase());
    let agent = Rights {
        subject: Subject::Agent,
        grants: Vec::new(),
    };
    let may = |rights: &Rights, resource: &OfObject| {
        let caller = caller(Narrowing::NONE);
        authorize::<GetObject>(&caller, rights, Standing::Active, resource.clone())
            .map(|permit| permit.rule())
    };
    let refused = Err(Refusal::NotAllowed {
        action: GetObject::NAME,
    });
    assert_eq!(may(&agent, &own).unwrap(), Rule::Home);
    for (rights, resource) in [
        (&agent, &others),
        (&agent, &shouted),
        (&member(Role::Owner), &own),
        (&member(Role::Viewer), &own),
    ] {
        assert_eq!(
            may(rights, resource).map_err(Err::<(), _>),
            Err(refused),
            "{resource:?}"
        );
    }
    let granted = Rights {
        grants: vec![grant(
            "s3:GetObject",
            &format!("drive:agents/{}/*", agent_id()),
        )],
        ..member(Role::Viewer)
    };
    assert_eq!(may(&granted, &own).unwrap(), Rule::Grant([7; 16]));
    assert!(may(&granted, &others).is_err());
}

#[test]
fn an_agent_reveals_only_what_was_granted_by_that_name() {
    let secret = OfSecret::at(SecretPath::parse("stripe/live").expect("a path"));
    for (action, subject, reveals, uses) in [
        ("vault:*", Subject::Agent, false, true),
        ("*", Subject::Agent, false, true),
        (
            "secretsmanager:GetSecretValue",
            Subject::Agent,
            false,
            false,
        ),
        ("vault:reveal", Subject::Agent, true, false),
        ("vault:*", member(Role::Viewer).subject, true, true),
        (
            "secretsmanager:getsecretvalue",
            member(Role::Viewer).subject,
            true,
            false,
        ),
    ] {
        let rights = Rights {
            subject,
            grants: vec![grant(action, "secret:stripe/*")],
        };
        let caller = caller(Narrowing::NONE);
        let standing = Standing::Active;
        let reveal = authorize::<RevealSecret>(&caller, &rights, standing, secret.clone());
        let use_it = authorize::<UseSecret>(&caller, &rights, standing, secret.clone());
        assert_eq!(
            (reveal.is_ok(), use_it.is_ok()),
            (reveals, uses),
            "{action}"
        );
    }
}

#[test]
fn a_denial_holds_for_listings_too() {
    let policy = |prefixes: Option<&str>| Policy {
        statements: vec![
            Statement {
                effect: Effect::Allow,
                actions: vec![glob("*")],
                resources: vec![glob("*")],
                prefixes: None,
            },
            Statement {
                effect: Effect::Deny,
                actions: vec![glob("s3:*")],
                resources: vec![glob("drive:docs/private/*")],
                prefixes: prefixes.map(|prefix| vec![glob(prefix)]),
            },
        ],
    };
    let lists = |prefix: &str| {
        let narrowing = Narrowing {
            policies: vec![policy(None)],
            ..Narrowing::NONE
        };
        let resource = listing("docs", prefix);
        let caller = caller(narrowing);
        authorize::<ListObjects>(&caller, &member(Role::Owner), Standing::Active, resource).is_ok()
    };
    assert!(lists("public/"));
    assert!(!lists("private/"));
    assert!(!lists("private/deeper/"));
    // It would show what is denied.
    assert!(!lists(""));
    assert!(!lists("pri"));
}

#[test]
fn a_bucket_is_listed_as_amazons_policies_say() {
    let lists = |resource: &str, prefixes: Option<&str>, prefix: &str| {
        let statement = Statement {
            effect: Effect::Allow,
            actions: vec![glob("s3:ListBucket")],
            resources: vec![glob(resource)],
            prefixes: prefixes.map(|prefix| vec![glob(prefix)]),
        };
        let narrowing = Narrowing {
            policies: vec![Policy {
                statements: vec![statement],
            }],
            ..Narrowing::NONE
        };
        let caller = caller(narrowing);
        let resource = listing("docs", prefix);
        authorize::<ListObjects>(&caller, &member(Role::Owner), Standing::Active, resource).is_ok()
    };
    assert!(lists("drive:docs", None, "any/"));
    assert!(!lists("drive:other", None, "any/"));
    assert!(lists("drive:docs", Some("home/*"), "home/a"));
    assert!(!lists("drive:docs", Some("home/*"), ""));
    assert!(lists("drive:docs", Some("home/"), "home/"));
    assert!(!lists("drive:docs", Some("home/"), "home/a"));
    assert!(lists("drive:docs/home/*", None, "home/a"));
    assert!(!lists("drive:docs/home/*", None, "ho"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_permit_is_for_the_callers_organization_and_no_other(
        rights in any_rights(), row in any_action(), resource in any_object(), org in 1_u8..=255,
    ) {
        let caller = Caller::authenticated(
            OrgId::from_bytes([org; 16]), agent_id(), key(), CredentialKind::AccessKey,
            Arc::new(Narrowing::NONE),
        );
        let _ = row;
        if let Ok(permit) = authorize::<GetObject>(&caller, &rights, Standing::Active, resource) {
            prop_assert_eq!(permit.org(), OrgId::from_bytes([org; 16]));
            prop_assert_eq!(permit.principal(), agent_id());
        }
    }

    #[test]
    fn narrowing_never_widens(
        rights in any_rights(), narrowing in any_narrowing(), row in any_action(),
        resource in any_object(),
    ) {
        let wide = explain(&caller(Narrowing::NONE), &rights, Standing::Active, row, &resource);
        let narrow = explain(&caller(narrowing), &rights, Standing::Active, row, &resource);
        prop_assert!(wide.is_ok() || narrow.is_err());
    }

    #[test]
    fn a_grant_less_never_allows_more(
        rights in any_rights(), row in any_action(), resource in any_object(),
        index in any::<prop::sample::Index>(),
    ) {
        let before = explain(&caller(Narrowing::NONE), &rights, Standing::Active, row, &resource);
        let mut fewer = rights.clone();
        if !fewer.grants.is_empty() {
            fewer.grants.remove(index.index(rights.grants.len()));
        }
        let after = explain(&caller(Narrowing::NONE), &fewer, Standing::Active, row, &resource);
        prop_assert!(before.is_ok() || after.is_err());
    }

    #[test]
    fn a_worse_standing_never_allows_more(
        rights in any_rights(), narrowing in any_narrowing(), row in any_action(),
        resource in any_object(),
    ) {
        let caller = caller(narrowing);
        let active = explain(&caller, &rights, Standing::Active, row, &resource);
        for standing in STANDINGS {
            let answer = explain(&caller, &rights, standing, row, &resource);
            prop_assert!(active.is_ok() || answer.is_err());
            if matches!(standing, Standing::Sealed | Standing::Destroyed) {
                prop_assert!(answer.is_err());
            }
        }
    }
}

fn said<T: Into<Said>, E: ToString>(answer: Result<T, E>) -> String {
    match answer {
        Ok(rule) => rule.into().0,
        Err(refusal) => format!("no: {}", refusal.to_string()),
    }
}

struct Said(String);

impl From<()> for Said {
    fn from((): ()) -> Self {
        Self("yes".to_owned())
    }
}

impl From<Rule> for Said {
    fn from(rule: Rule) -> Self {
        Self(format!("yes: {rule}"))
    }
}

const STANDINGS: [Standing; 5] = [
    Standing::Active,
    Standing::Suspended,
    Standing::Deleting,
    Standing::Sealed,
    Standing::Destroyed,
];

fn principals() -> Vec<(String, Rights)> {
    let mut principals: Vec<_> = Role::ALL
        .into_iter()
        .map(|role| (role.to_string(), member(role)))
        .collect();
    for (name, subject) in [
        ("agent", Subject::Agent),
        ("organization", Subject::Organization),
        ("nobody", Subject::Nobody),
    ] {
        let grants = Vec::new();
        principals.push((name.to_owned(), Rights { subject, grants }));
    }
    principals
}

type About = fn(Area) -> bool;

/// One resource of each kind, and the areas whose actions are about it.
fn resources() -> Vec<(Box<dyn Resource>, About)> {
    let drive: About = |area| area == Area::Drive;
    vec![
        (Box::new(object_in("docs", "a")), drive),
        (
            Box::new(object(&format!("{}/context/a", agent_id()))),
            drive,
        ),
        (
            Box::new(OfSecret::at(
                SecretPath::parse("stripe/live").expect("a path"),
            )),
            |area| matches!(area, Area::Vault | Area::SecretPolicies),
        ),
        (Box::new(OfHome { agent: agent_id() }), |area| {
            area == Area::Agents
        }),
        (Box::new(OfSubject::all(SubjectKind::Agent)), |area| {
            matches!(
                area,
                Area::People | Area::Agents | Area::Grants | Area::Credentials
            )
        }),
        (Box::new(InOrganization), |area| {
            matches!(
                area,
                Area::Own | Area::Activity | Area::Billing | Area::Settings | Area::Lifecycle
            )
        }),
    ]
}

fn narrowings() -> Vec<(&'static str, Narrowing)> {
    let docs = Statement {
        effect: Effect::Allow,
        actions: vec![glob("s3:Get*")],
        resources: vec![glob("drive:docs/*")],
        prefixes: None,
    };
    vec![
        ("read-only", Narrowing::to(Scope::ReadOnly)),
        (
            "role:viewer",
            Narrowing {
                role: Some(Role::Viewer),
                ..Narrowing::NONE
            },
        ),
        (
            "policy:s3:Get* on drive:docs/*",
            Narrowing {
                policies: vec![Policy {
                    statements: vec![docs],
                }],
                ..Narrowing::NONE
            },
        ),
    ]
}

fn member(role: Role) -> Rights {
    Rights {
        subject: Subject::Member {
            account: AccountId::from_bytes([3; 16]),
            role,
        },
        grants: Vec::new(),
    }
}

fn grant(action: &str, resource: &str) -> Granted {
    Granted {
        id: [7; 16],
        statement: Statement {
            effect: Effect::Allow,
            actions: vec![glob(action)],
            resources: vec![glob(resource)],
            prefixes: None,
        },
    }
}

fn caller(narrowing: Narrowing) -> Caller {
    Caller::authenticated(
        OrgId::from_bytes([1; 16]),
        agent_id(),
        key(),
        CredentialKind::AccessKey,
        Arc::new(narrowing),
    )
}

fn key() -> AccessKeyId {
    AccessKeyId::parse("BKTEST").expect("an id")
}

fn agent_id() -> PrincipalId {
    PrincipalId::from_bytes([0xab; 16])
}

fn object(key: &str) -> OfObject {
    object_in(HOMES, key)
}

fn object_in(bucket: &str, key: &str) -> OfObject {
    OfObject {
        bucket: BucketName::parse(bucket).expect("a bucket"),
        key: ObjectKey::parse(key).expect("a key"),
    }
}

fn listing(bucket: &str, prefix: &str) -> UnderPrefix {
    UnderPrefix {
        bucket: BucketName::parse(bucket).expect("a bucket"),
        prefix: KeyPrefix::parse(prefix).expect("a prefix"),
    }
}

fn glob(text: &str) -> Glob {
    Glob::parse(text).expect("a pattern")
}

fn any_action() -> impl Strategy<Value = Row> {
    prop::sample::select(TABLE)
}

fn any_object() -> impl Strategy<Value = OfObject> {
    let key = prop_oneof![
        "[ab]{1,2}/[ab]{1,2}",
        Just(format!("{}/a", agent_id())),
        Just(format!("{}/a", PrincipalId::from_bytes([9; 16]))),
    ];
    (prop::sample::select(vec!["docs", HOMES]), key)
        .prop_map(|(bucket, key)| object_in(bucket, &key))
}

fn any_statement() -> impl Strategy<Value = Statement> {
    let actions = prop::sample::select(vec!["*", "s3:*", "s3:Get*", "s3:PutObject", "vault:*"]);
    let resources = prop::sample::select(vec![
        "*",
        "drive:docs",
        "drive:docs/*",
        "drive:docs/a*",
        "drive:agents/*",
        "drive:*/b",
    ]);
    (any::<bool>(), actions, resources).prop_map(|(allows, action, resource)| Statement {
        effect: if allows { Effect::Allow } else { Effect::Deny },
        actions: vec![glob(action)],
        resources: vec![glob(resource)],
        prefixes: None,
    })
}

fn any_rights() -> impl Strategy<Value = Rights> {
    let subject = prop_oneof![
        prop::sample::select(Role::ALL.to_vec()).prop_map(|role| member(role).subject),
        Just(Subject::Agent),
        Just(Subject::Organization),
        Just(Subject::Nobody),
    ];
    let grants = prop::collection::vec(any_statement(), 0..4);
    (subject, grants).prop_map(|(subject, statements)| Rights {
        subject,
        grants: statements
            .into_iter()
            .map(|statement| Granted {
                id: [7; 16],
                statement,
            })
            .collect(),
    })
}

fn any_narrowing() -> impl Strategy<Value = Narrowing> {
    let role = prop::option::of(prop::sample::select(Role::ALL.to_vec()));
    let statements = prop::collection::vec(any_statement(), 1..4);
    let policies = prop::collection::vec(
        statements.prop_map(|statements| Policy { statements }),
        0..3,
    );
    (any::<bool>(), role, policies).prop_map(|(read_only, role, policies)| Narrowing {
        scope: if read_only {
            Scope::ReadOnly
        } else {
            Scope::Full
        },
        role,
        policies,
    })
}
