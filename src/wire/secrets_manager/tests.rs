use names::SecretPath;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::wiped_json;

#[test]
fn an_arn_may_mean_two_names() {
    let path = SecretPath::parse("prod/db-abcdef").unwrap();
    let arn = Arn::of("us-east-1", "123456789012", &path, "Xy12zZ");
    assert_eq!(
        arn,
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-abcdef-Xy12zZ"
    );
    assert_eq!(
        meanings(&arn),
        [
            ("prod/db-abcdef".to_owned(), Some("Xy12zZ".to_owned())),
            ("prod/db-abcdef-Xy12zZ".to_owned(), None),
        ]
    );
    let partial = Arn::partial("us-east-1", "123456789012", &path);
    assert_eq!(
        meanings(&partial),
        [
            ("prod/db".to_owned(), Some("abcdef".to_owned())),
            ("prod/db-abcdef".to_owned(), None),
        ]
    );
    let short = "arn:aws:secretsmanager:us-east-1:123456789012:secret:db-abc";
    assert_eq!(meanings(short), [("db-abc".to_owned(), None)]);
}

#[test]
fn an_arn_is_of_one_region_account_and_service() {
    let is_ours = |text: &str| match SecretId::parse(text) {
        Ok(SecretId::Arn(arn)) => arn.is_in("us-east-1", "123456789012"),
        other => panic!("{text}: {other:?}"),
    };
    assert!(is_ours(
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf"
    ));
    for foreign in [
        "arn:aws-cn:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf",
        "arn:aws:s3:us-east-1:123456789012:secret:a-AbCdEf",
        "arn:aws:secretsmanager:us-east-2:123456789012:secret:a-AbCdEf",
        "arn:aws:secretsmanager:us-east-1:123456789013:secret:a-AbCdEf",
        "arn:aws:secretsmanager:us-east-1::secret:a-AbCdEf",
    ] {
        assert!(!is_ours(foreign), "{foreign}");
    }
    for wrong in [
        "arn:",
        "arn:aws:secretsmanager:us-east-1:123456789012",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:",
        "arn:aws:secretsmanager:us-east-1:123456789012:key:a",
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:a/../b",
        "a//b",
        "",
    ] {
        assert!(SecretId::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn every_operation_has_its_name() {
    for operation in Operation::ALL {
        let field = format!("secretsmanager.{}", operation.name());
        assert_eq!(Target::parse(&field), Ok(Target::Built(*operation)));
    }
    assert_eq!(
        Target::parse("secretsmanager.RotateSecret"),
        Ok(Target::NotBuilt("RotateSecret"))
    );
    for wrong in [
        "",
        "GetSecretValue",
        "secretsmanager.",
        "secretsmanager.getsecretvalue",
        "secretsmanager.secretsmanager.GetSecretValue",
        "dynamodb.GetSecretValue",
    ] {
        let refused = Target::parse(wrong).unwrap_err();
        assert_eq!(refused.code, ErrorCode::UnknownOperation, "{wrong}");
    }
}

#[test]
fn what_an_operation_needs_has_to_be_there() {
    for operation in Operation::ALL {
        let refused = Request::parse(*operation, b"{}").err();
        let needs_nothing = matches!(
            operation,
            Operation::GetRandomPassword | Operation::ListSecrets
        );
        assert_eq!(refused.is_none(), needs_nothing, "{operation:?}");
    }
}

#[test]
fn a_member_has_the_length_and_the_type_of_the_model() {
    use ErrorCode::{InvalidParameter, InvalidRequest, Serialization, Validation};
    use Operation::*;
    let id = "a";
    let token = "t".repeat(32);
    for (operation, body, code) in [
        (GetSecretValue, json!({"SecretId": ""}), Validation),
        (GetSecretValue, json!({"SecretId": "a//b"}), Validation),
        (GetSecretValue, json!({"SecretId": "a*"}), Validation),
        (
            GetSecretValue,
            json!({"SecretId": "x".repeat(2_049)}),
            Validation,
        ),
        (GetSecretValue, json!({"SecretId": 7}), Serialization),
        (
            GetSecretValue,
            json!({"SecretId": id, "VersionId": "short"}),
            Validation,
        ),
        (
            GetSecretValue,
            json!({"SecretId": id, "VersionStage": ""}),
            Validation,
        ),
        (
            GetSecretValue,
            json!({"SecretId": id, "Unknown": 1}),
            InvalidParameter,
        ),
        (CreateSecret, json!({"Name": "a b"}), Validation),
        (CreateSecret, json!({"Name": "a/"}), Validation),
        (CreateSecret, json!({"Name": "../a"}), Validation),
        (CreateSecret, json!({"Name": "x".repeat(513)}), Validation),
        (
            CreateSecret,
            json!({"Name": "a", "SecretString": "x".repeat(65_537)}),
            Validation,
        ),
        (
            CreateSecret,
            json!({"Name": "a", "SecretString": ""}),
            Validation,
        ),
        (
            CreateSecret,
            json!({"Name": "a", "SecretBinary": "!"}),
            Serialization,
        ),
        (
            CreateSecret,
            json!({"Name": "a", "SecretString": "x", "SecretBinary": "eA=="}),
            InvalidParameter,
        ),
        (
            CreateSecret,
            json!({"Name": "a", "KmsKeyId": "alias/mine"}),
            InvalidParameter,
        ),
        (
            CreateSecret,
            json!({"Name": "a", "Type": "x"}),
            InvalidParameter,
        ),
        (
            CreateSecret,
            json!({"Name": "a", "AddReplicaRegions": [{"Region": "eu-west-1"}]}),
            InvalidParameter,
        ),
        (
            CreateSecret,
            json!({"Name": "a", "ClientRequestToken": "t"}),
            Validation,
        ),
        (
            CreateSecret,
            json!({"Name": "a", "Description": "x".repeat(2_049)}),
            Validation,
        ),
        (
            CreateSecret,
            json!({"Name": "a", "Tags": [{"Value": "v"}]}),
            Validation,
        ),
        (
            CreateSecret,
            json!({"Name": "a", "Tags": [{"Key": "k"}, {"Key": "k"}]}),
            InvalidParameter,
        ),
        (
            CreateSecret,
            json!({"Name": "a", "Tags": [{"Key": "AWS:k"}]}),
            InvalidParameter,
        ),
        (
            CreateSecret,
            json!({"Name": "a", "Tags": [{"Key": "k", "X": 1}]}),
            InvalidParameter,
        ),
        (
            CreateSecret,
            json!({"Name": "a", "Tags": {"k": "v"}}),
            Serialization,
        ),
        (PutSecretValue, json!({"SecretId": id}), InvalidRequest),
        (
            PutSecretValue,
            json!({"SecretId": id, "SecretString": "x", "RotationToken": token}),
            InvalidParameter,
        ),
        (
            PutSecretValue,
            json!({"SecretId": id, "SecretString": "x", "VersionStages": []}),
            Validation,
        ),
        (
            DeleteSecret,
            json!({"SecretId": id, "RecoveryWindowInDays": 6}),
            InvalidParameter,
        ),
        (
            DeleteSecret,
            json!({"SecretId": id, "RecoveryWindowInDays": 31}),
            InvalidParameter,
        ),
        (
            DeleteSecret,
            json!({"SecretId": id, "RecoveryWindowInDays": -7}),
            Validation,
        ),
        (
            DeleteSecret,
            json!({
                "SecretId": id, "RecoveryWindowInDays": 7, "ForceDeleteWithoutRecovery": true
            }),
            InvalidParameter,
        ),
        (ListSecrets, json!({"MaxResults": 0}), Validation),
        (ListSecrets, json!({"MaxResults": 101}), Validation),
        (ListSecrets, json!({"MaxResults": 1.5}), Validation),
        (ListSecrets, json!({"SortBy": "size"}), Validation),
        (ListSecrets, json!({"SortOrder": "up"}), Validation),
        (
            ListSecrets,
            json!({"SortBy": "last-accessed-date"}),
            InvalidParameter,
        ),
        (
            ListSecrets,
            json!({"Filters": [{"Key": "x", "Values": ["y"]}]}),
            Validation,
        ),
        (
            ListSecrets,
            json!({"Filters": [{"Key": "name", "Values": []}]}),
            Validation,
        ),
        (BatchGetSecretValue, json!({"SecretIdList": []}), Validation),
        (
            BatchGetSecretValue,
            json!({"SecretIdList": ["a"], "Filters": []}),
            InvalidParameter,
        ),
        (
            BatchGetSecretValue,
            json!({"Filters": [], "MaxResults": 21}),
            Validation,
        ),
        (
            BatchGetSecretValue,
            json!({"SecretIdList": ["a"], "MaxResults": 2}),
            InvalidParameter,
        ),
        (
            GetRandomPassword,
            json!({"PasswordLength": 4_097}),
            Validation,
        ),
        (
            GetRandomPassword,
            json!({"PasswordLength": "long"}),
            Serialization,
        ),
        (
            GetResourcePolicy,
            json!({"SecretId": id, "PolicyName": "p"}),
            ErrorCode::ResourceNotFound,
        ),
        (
            DeleteResourcePolicy,
            json!({"SecretId": id, "PolicyName": "p"}),
            InvalidParameter,
        ),
    ] {
        let refused = Request::parse(operation, body.to_string().as_bytes());
        let refused = refused
            .err()
            .unwrap_or_else(|| panic!("{operation:?}: {body}"));
        assert_eq!(refused.code, code, "{operation:?}: {body}: {refused:?}");
    }
}

#[test]
fn a_value_is_as_long_as_it_may_be_and_no_longer() {
    let create = |member: &str, text: String| {
        let body = json!({"Name": "a", member: text}).to_string();
        match Request::parse(Operation::CreateSecret, body.as_bytes()) {
            Ok(Request::CreateSecret(create)) => Ok(match create.value {
                Some(SentValue::Text(text)) => text.len(),
                Some(SentValue::Binary(bytes)) => bytes.len(),
                None => 0,
            }),
            Ok(_) => panic!("another operation"),
            Err(refused) => Err(refused.code),
        }
    };
    let base64 = |length| {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(vec![7; length])
    };
    assert_eq!(create("SecretString", "x".repeat(65_536)), Ok(65_536));
    assert_eq!(create("SecretBinary", base64(65_536)), Ok(65_536));
    for (member, text) in [
        ("SecretString", "x".repeat(65_537)),
        // Bytes are counted, not characters.
        ("SecretString", "ä".repeat(32_769)),
        ("SecretBinary", base64(65_537)),
        ("SecretBinary", base64(65_538)),
        ("SecretBinary", base64(0)),
    ] {
        assert_eq!(create(member, text), Err(ErrorCode::Validation));
    }
}

#[test]
fn no_refusal_quotes_what_was_sent() {
    let secret = "hunter2";
    for body in [
        format!("{{\"SecretId\":\"a\",\"SecretString\":{{\"x\":\"{secret}\"}}}}"),
        format!("{{\"SecretId\":\"a\",\"{secret}\":1}}"),
        format!("{{\"SecretId\":\"a\",\"SecretBinary\":\"{secret}!\"}}"),
        format!("\"{secret}\""),
        format!("{{\"SecretString\":\"{secret}\",\"SecretString\":\"{secret}\"}}"),
        format!("{{\"SecretString\":\"{secret}"),
    ] {
        let refused = Request::parse(Operation::PutSecretValue, body.as_bytes()).err();
        let refused = refused.unwrap_or_else(|| panic!("{body}"));
        assert!(!format!("{refused:?}").contains(secret), "{refused:?}");
    }
}

#[test]
fn a_member_that_comes_twice_is_not_chosen_from() {
    let body = br#"{"SecretId":"a","SecretId":"b"}"#;
    let refused = Request::parse(Operation::DescribeSecret, body)
        .err()
        .unwrap();
    assert_eq!(refused.code, ErrorCode::Serialization);
}

#[test]
fn an_answer_names_what_clients_look_for() {
    let secret = || NamedAnswer {
        arn: "arn".to_owned(),
        name: "a".to_owned(),
    };
    let shown = |answer: &dyn Fn() -> Vec<u8>| {
        serde_json::from_slice::<serde_json::Value>(&answer()).unwrap()
    };
    let value = ValueAnswer {
        secret: secret(),
        version_id: "v".to_owned(),
        secret_string: None,
        secret_binary: Some(b"\0\xff"),
        version_stages: vec!["AWSCURRENT".to_owned()],
        created_date: seconds(1_700_000_000_123),
    };
    assert_eq!(
        shown(&|| wiped_json(&value).unwrap().to_vec()),
        json!({
            "ARN": "arn", "Name": "a", "VersionId": "v", "SecretBinary": "AP8=",
            "VersionStages": ["AWSCURRENT"], "CreatedDate": 1_700_000_000.123,
        })
    );
    assert_eq!(
        shown(&|| wiped_json(&PoliciesAnswer {
            resource_policies: vec![PolicyName::default()],
        })
        .unwrap()
        .to_vec()),
        json!({"ResourcePolicies": [{"PolicyName": "default"}]})
    );
    assert_eq!(
        shown(&|| {
            let document = ErrorDocument::new(ErrorCode::ResourceNotFound, "nothing");
            wiped_json(&document).unwrap().to_vec()
        }),
        json!({"__type": "ResourceNotFoundException", "Message": "nothing"})
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        for operation in Operation::ALL {
            let _read = Request::parse(*operation, &body);
        }
    }

    #[test]
    fn no_json_panics(body in json_value()) {
        for operation in Operation::ALL {
            let _read = Request::parse(*operation, body.to_string().as_bytes());
        }
    }

    #[test]
    fn no_name_panics_and_an_arn_is_read_as_it_was_made(
        text in "\\PC{0,40}", name in "[a-z]{1,8}(-[A-Za-z0-9]{6})?", suffix in "[A-Za-z0-9]{6}",
    ) {
        let _read = SecretId::parse(&text);
        let _read = SecretId::parse(&format!("arn:{text}"));
        let _read = Target::parse(&text);
        let path = SecretPath::parse(&name).unwrap();
        let arn = Arn::of("us-east-1", "123456789012", &path, &suffix);
        prop_assert_eq!(meanings(&arn)[0].clone(), (name.clone(), Some(suffix)));
        let partial = Arn::partial("us-east-1", "123456789012", &path);
        prop_assert_eq!(meanings(&partial).last().cloned(), Some((name, None)));
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    const MEMBERS: &[&str] = &[
        "SecretId",
        "Name",
        "SecretString",
        "SecretBinary",
        "Tags",
        "Key",
        "Values",
        "Filters",
        "MaxResults",
        "VersionStages",
        "SecretIdList",
        "PasswordLength",
        "ResourcePolicy",
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        "\\PC{0,40}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            proptest::collection::vec((proptest::sample::select(MEMBERS), inner), 0..8).prop_map(
                |entries| {
                    let entries = entries.into_iter().map(|(k, v)| (k.to_owned(), v));
                    serde_json::Value::Object(entries.collect())
                }
            ),
        ]
    })
}

fn meanings(arn: &str) -> Vec<(String, Option<String>)> {
    let Ok(SecretId::Arn(arn)) = SecretId::parse(arn) else {
        panic!("{arn}");
    };
    arn.meanings()
        .map(|(path, suffix)| (path.to_string(), suffix.map(str::to_owned)))
        .collect()
}
