use names::{Effect, Glob, Policy, PolicyPrincipal, ResourcePolicy};
use proptest::prelude::*;

use super::{
    Known, PolicyProblem, RESOURCE_CHARACTERS_MAX, SESSION_CHARACTERS_MAX, parse,
    parse_for_resource, to_json,
};

fn read(text: &str) -> Result<Policy, (String, PolicyProblem)> {
    parse(text, SESSION_CHARACTERS_MAX).map_err(|error| (error.element, error.problem))
}

/// A document of one statement with these members.
fn one(members: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":{{{members}}}}}"#)
}

fn texts(globs: &[Glob]) -> Vec<&str> {
    globs.iter().map(Glob::as_str).collect()
}

#[test]
fn what_amazon_documents_is_read() {
    let policy = read(
        r#"{
            "Version": "2012-10-17",
            "Id": "an-id",
            "Statement": [
                {
                    "Sid": "Lists",
                    "Effect": "Allow",
                    "Action": "s3:ListBucket",
                    "Resource": "arn:aws:s3:::docs",
                    "Condition": {"StringLike": {"S3:Prefix": ["reports/*", "drafts/*"]}}
                },
                {
                    "Effect": "Deny",
                    "Action": ["s3:Get*", "secretsmanager:GetSecretValue"],
                    "Resource": ["arn:aws:s3:::docs/private/*", "secret:prod/*"]
                }
            ]
        }"#,
    )
    .expect("a policy");
    let [lists, denies] = &policy.statements[..] else {
        panic!("two statements: {policy:?}");
    };
    assert_eq!(lists.effect, Effect::Allow);
    assert_eq!(texts(&lists.actions), ["s3:ListBucket"]);
    assert_eq!(texts(&lists.resources), ["drive:docs"]);
    let prefixes = lists.prefixes.as_deref().expect("prefixes");
    assert_eq!(texts(prefixes), ["reports/*", "drafts/*"]);
    assert_eq!(denies.effect, Effect::Deny);
    assert_eq!(
        texts(&denies.actions),
        ["s3:Get*", "secretsmanager:GetSecretValue"]
    );
    assert_eq!(
        texts(&denies.resources),
        ["drive:docs/private/*", "secret:prod/*"]
    );
    assert_eq!(denies.prefixes, None);
}

#[test]
fn resources_become_our_own_names() {
    let secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:";
    for (effect, text, expected) in [
        ("Allow", "*".to_owned(), &["*"][..]),
        ("Allow", "arn:aws:s3:::docs".into(), &["drive:docs"]),
        ("Allow", "arn:aws:s3:::docs/a*".into(), &["drive:docs/a*"]),
        ("Allow", "agent:*".into(), &["agent:*"]),
        ("Allow", format!("{secret}db-??????"), &["secret:db"]),
        ("Allow", format!("{secret}db-AbC123"), &["secret:db"]),
        (
            "Allow",
            format!("{secret}db-*"),
            &["secret:db", "secret:db-*"],
        ),
        ("Allow", format!("{secret}db"), &["secret:db"]),
        // What denies denies by either reading.
        (
            "Deny",
            format!("{secret}db-AbC123"),
            &["secret:db", "secret:db-AbC123"],
        ),
        (
            "Deny",
            format!("{secret}db-Ab*"),
            &["secret:db", "secret:db-Ab*"],
        ),
    ] {
        let document = one(&format!(
            r#""Effect":"{effect}","Action":"*","Resource":"{text}""#
        ));
        let policy = read(&document).expect("a policy");
        assert_eq!(texts(&policy.statements[0].resources), expected, "{text}");
    }
}

/// To pass over any of these would allow more, or deny less, than was written.
#[test]
fn what_is_not_understood_is_refused_by_its_place() {
    let allow = r#""Effect":"Allow","Action":"*","Resource":"*""#;
    let with = |more: &str| one(&format!("{allow},{more}"));
    let resource = |text: &str| {
        one(&format!(
            r#""Effect":"Allow","Action":"*","Resource":["*","{text}"]"#
        ))
    };
    for (document, element, problem) in [
        ("{".to_owned(), "Policy", PolicyProblem::Malformed),
        ("[]".into(), "Policy", PolicyProblem::NotAnObject),
        ("{}".into(), "Statement", PolicyProblem::Missing),
        (
            r#"{"Statement":[]}"#.into(),
            "Statement",
            PolicyProblem::Empty,
        ),
        (
            r#"{"Version":"2099-01-01","Statement":[]}"#.into(),
            "Version",
            PolicyProblem::Version,
        ),
        (
            format!(r#"{{"Statement":{{{allow}}},"Statements":[]}}"#),
            "Statements",
            PolicyProblem::Unsupported,
        ),
        (
            with(r#""Effect":"Deny""#),
            "Effect",
            PolicyProblem::Duplicate,
        ),
        (
            one(r#""Effect":"Allow","NotAction":"s3:*","Resource":"*""#),
            "Statement.NotAction",
            PolicyProblem::Unsupported,
        ),
        (
            one(r#""Effect":"Allow","Action":"*","NotResource":"*""#),
            "Statement.NotResource",
            PolicyProblem::Unsupported,
        ),
        (
            with(r#""Principal":"*""#),
            "Statement.Principal",
            PolicyProblem::Unsupported,
        ),
        (
            one(r#""Effect":"allow","Action":"*","Resource":"*""#),
            "Statement.Effect",
            PolicyProblem::Effect,
        ),
        (
            one(r#""Effect":"Allow","Action":"GetObject","Resource":"*""#),
            "Statement.Action",
            PolicyProblem::Action,
        ),
        (
            resource("arn:aws:iam::1:role/x"),
            "Statement.Resource[1]",
            PolicyProblem::Resource,
        ),
        (
            resource("arn:aws-cn:s3:::docs"),
            "Statement.Resource[1]",
            PolicyProblem::Resource,
        ),
        (
            resource("docs/*"),
            "Statement.Resource[1]",
            PolicyProblem::Resource,
        ),
        (
            resource("arn:aws:s3:::docs/${aws:username}/*"),
            "Statement.Resource[1]",
            PolicyProblem::Variable,
        ),
        (
            with(r#""Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}"#),
            "Statement.Condition.IpAddress",
            PolicyProblem::Unsupported,
        ),
        (
            with(r#""Condition":{"StringLike":{"s3:delimiter":"/"}}"#),
            "Statement.Condition.StringLike.s3:delimiter",
            PolicyProblem::Unsupported,
        ),
        (
            with(
                r#""Condition":{"StringLike":{"s3:prefix":"a"},"StringEquals":{"s3:prefix":"b"}}"#,
            ),
            "Statement.Condition",
            PolicyProblem::OneOnly,
        ),
        (
            with(r#""Condition":{"StringEquals":{"s3:prefix":"a*"}}"#),
            "Statement.Condition.StringEquals.s3:prefix",
            PolicyProblem::Literal,
        ),
        (with(r#""Sid":"a b""#), "Statement.Sid", PolicyProblem::Sid),
    ] {
        let refused = read(&document);
        assert_eq!(refused, Err((element.to_owned(), problem)), "{document}");
    }
}

#[test]
fn lengths_and_numbers_have_limits() {
    let statement = r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#;
    let many = |count: usize| format!(r#"{{"Statement":[{}]}}"#, vec![statement; count].join(","));
    assert!(parse(&many(64), 20_480).is_ok());
    let error = parse(&many(65), 20_480).unwrap_err();
    assert_eq!(error.problem, PolicyProblem::TooMany(64));
    let error = parse(&many(64), SESSION_CHARACTERS_MAX).unwrap_err();
    assert_eq!(
        error.problem,
        PolicyProblem::TooLong(SESSION_CHARACTERS_MAX)
    );
    let long = format!("drive:{}", "x".repeat(Glob::BYTES_MAX));
    let document = one(&format!(
        r#""Effect":"Allow","Action":"*","Resource":"{long}""#
    ));
    let error = parse(&document, SESSION_CHARACTERS_MAX).unwrap_err();
    assert_eq!(error.problem, PolicyProblem::Pattern);
}

fn pattern(kinds: &'static str) -> impl Strategy<Value = Glob> {
    proptest::string::string_regex(kinds)
        .expect("an expression")
        .prop_map(|text| Glob::parse(&text).expect("a pattern"))
}

prop_compose! {
    fn policy()(
        statements in prop::collection::vec(
            (
                any::<bool>(),
                prop::collection::vec(pattern("(s3|vault):[A-Za-z*?]{1,12}"), 1..4),
                prop::collection::vec(pattern("(drive|secret|agent):[ -#%-~äß]{1,24}"), 1..4),
                prop::option::of(prop::collection::vec(pattern("[ -#%-~äß]{1,24}"), 1..3)),
            ),
            1..5,
        )
    ) -> Policy {
        let statement = |(allows, actions, resources, prefixes)| names::Statement {
            effect: if allows { Effect::Allow } else { Effect::Deny },
            actions,
            resources,
            prefixes,
        };
        Policy {
            statements: statements.into_iter().map(statement).collect(),
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(policy in policy()) {
        let written = to_json(&policy);
        prop_assert_eq!(parse(&written, 1 << 20).expect("a policy"), policy);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,200}") {
        let _ = parse(&text, SESSION_CHARACTERS_MAX);
        let _ = read(&one(&text));
    }
}

/// Of an organization with this number and two roles.
fn read_for_resource(text: &str) -> Result<ResourcePolicy, (String, PolicyProblem)> {
    let known = Known {
        account: "123456789012",
        roles: &["admin", "viewer"],
    };
    parse_for_resource(text, RESOURCE_CHARACTERS_MAX, &known)
        .map_err(|error| (error.element, error.problem))
}

/// A policy of a resource that is about these principals.
fn about(principal: &str) -> String {
    one(&format!(
        r#""Effect":"Deny","Principal":{principal},"Action":"*","Resource":"*""#
    ))
}

#[test]
fn whom_a_resource_names_are_those_of_the_organization() {
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let somebody = PolicyPrincipal::One(id.parse().expect("an id"));
    let organization = PolicyPrincipal::Organization;
    let viewers = PolicyPrincipal::Role("viewer".into());
    for (principal, expected) in [
        (r#""*""#, vec![PolicyPrincipal::Everybody]),
        (r#"{"AWS":"*"}"#, vec![PolicyPrincipal::Everybody]),
        (r#"{"AWS":"123456789012"}"#, vec![organization.clone()]),
        (
            r#"{"AWS":["arn:aws:iam::123456789012:root"]}"#,
            vec![organization],
        ),
        (
            &format!(r#"{{"AWS":"arn:aws:iam::123456789012:user/{id}"}}"#),
            vec![somebody.clone()],
        ),
        (
            &format!(
                r#"{{"AWS":["arn:aws:iam::123456789012:user/agents/{id}",
                    "arn:aws:iam::123456789012:role/agents/{id}",
                    "arn:aws:iam::123456789012:role/viewer"]}}"#
            ),
            vec![somebody.clone(), somebody, viewers],
        ),
    ] {
        let policy = read_for_resource(&about(principal)).expect(principal);
        assert_eq!(policy.statements[0].principals, expected, "{principal}");
        assert_eq!(policy.statements[0].statement.effect, Effect::Deny);
    }
    for (principal, element) in [
        // Another account, whether it is one or not.
        (r#"{"AWS":"arn:aws:iam::999999999999:root"}"#, ".AWS"),
        (r#"{"AWS":"999999999999"}"#, ".AWS"),
        (r#"{"AWS":"arn:aws:iam::123456789012:role/owner"}"#, ".AWS"),
        (r#"{"AWS":"arn:aws:iam::123456789012:role/view*"}"#, ".AWS"),
        (r#"{"AWS":"arn:aws:iam::123456789012:user/bob"}"#, ".AWS"),
        (r#"{"AWS":"arn:aws:iam::123456789012:user/*"}"#, ".AWS"),
        (
            r#"{"AWS":"arn:aws:sts::123456789012:assumed-role/viewer/ci"}"#,
            ".AWS",
        ),
        (
            &format!(
                r#"{{"AWS":["*","arn:aws:iam::123456789012:user/{}"]}}"#,
                id.to_uppercase()
            ),
            ".AWS[1]",
        ),
        (r#""123456789012 ""#, ""),
    ] {
        let refused = read_for_resource(&about(principal)).expect_err(principal);
        let element = format!("Statement.Principal{element}");
        assert_eq!(refused, (element, PolicyProblem::Principal), "{principal}");
    }
    for (members, element, problem) in [
        (
            r#""Action":"*","Resource":"*""#,
            "Principal",
            PolicyProblem::Missing,
        ),
        (
            r#""NotPrincipal":"*","Principal":"*","Action":"*","Resource":"*""#,
            "NotPrincipal",
            PolicyProblem::Unsupported,
        ),
        (
            r#""Principal":{"Service":"lambda.amazonaws.com"},"Action":"*","Resource":"*""#,
            "Principal.Service",
            PolicyProblem::Unsupported,
        ),
        (
            r#""Principal":{"AWS":"*","Federated":"x"},"Action":"*","Resource":"*""#,
            "Principal",
            PolicyProblem::OneOnly,
        ),
        (
            r#""Principal":{"AWS":[]},"Action":"*","Resource":"*""#,
            "Principal.AWS",
            PolicyProblem::Empty,
        ),
        (
            r#""Principal":"*","Action":"*","Resource":"*",
               "Condition":{"StringLike":{"s3:prefix":"a"}}"#,
            "Condition",
            PolicyProblem::Unsupported,
        ),
    ] {
        let text = one(&format!(r#""Effect":"Deny",{members}"#));
        let refused = read_for_resource(&text).expect_err(members);
        assert_eq!(refused, (format!("Statement.{element}"), problem));
    }
    // What is not of a resource names nobody.
    let refused = read(&about(r#""*""#)).expect_err("a principal");
    let expected = ("Statement.Principal".to_owned(), PolicyProblem::Unsupported);
    assert_eq!(refused, expected);
}
