//! What clients send, what is refused, and every answer in full.

use proptest::prelude::*;

use super::*;

fn form(text: &str) -> Result<Form, Refusal> {
    Form::parse("", text.as_bytes())
}

fn read(action: &str, rest: &str) -> Result<Request, Refusal> {
    let form = form(&format!("Action={action}&Version=2011-06-15{rest}"))?;
    Request::parse(Action::of(&form)?, &form)
}

fn code<T>(read: Result<T, Refusal>) -> Option<ErrorCode> {
    read.err().map(|refusal| refusal.code)
}

const ROLE: &str = "&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fviewer&RoleSessionName=ci";

#[test]
fn a_role_is_assumed_with_all_that_there_is() {
    let policy = "%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22s3%3A\
                  GetObject%22%2C%22Resource%22%3A%22arn%3Aaws%3As3%3A%3A%3Adocs%2F*%22%7D%7D";
    let rest = format!("{ROLE}&DurationSeconds=900&Policy={policy}");
    let Ok(Request::AssumeRole(asked)) = read("AssumeRole", &rest) else {
        panic!("it is read");
    };
    assert_eq!(asked.role.account(), "123456789012");
    assert_eq!(asked.role.name(), "viewer");
    assert_eq!(asked.session_name.as_str(), "ci");
    assert_eq!(asked.duration_seconds, 900);
    let policy = asked.policy.expect("a policy");
    assert_eq!(policy.policy.statements.len(), 1);
    assert_eq!(policy.packed_size_percent, 5);

    let Ok(Request::AssumeRole(asked)) = read("AssumeRole", ROLE) else {
        panic!("it is read");
    };
    assert_eq!((asked.duration_seconds, asked.policy), (3_600, None));
}

#[test]
fn an_identity_comes_with_its_token() {
    let rest = format!("{ROLE}&WebIdentityToken=a.b%2Bc+d");
    let Ok(Request::AssumeRoleWithWebIdentity(asked)) = read("AssumeRoleWithWebIdentity", &rest)
    else {
        panic!("it is read");
    };
    assert_eq!(asked.token.as_str(), "a.b+c d");
    assert_eq!(asked.session.session_name.as_str(), "ci");
    let long = format!("{ROLE}&WebIdentityToken={}", "a".repeat(20_001));
    for rest in [ROLE, &format!("{ROLE}&WebIdentityToken=abc"), &long] {
        let refused = code(read("AssumeRoleWithWebIdentity", rest));
        assert_eq!(refused, Some(ErrorCode::ValidationError));
    }
}

#[test]
fn sessions_last_as_long_as_the_reference_allows() {
    for (action, seconds, expected) in [
        ("GetSessionToken", "", Some(43_200)),
        ("GetSessionToken", "&DurationSeconds=900", Some(900)),
        ("GetSessionToken", "&DurationSeconds=129600", Some(129_600)),
        ("GetSessionToken", "&DurationSeconds=899", None),
        ("GetSessionToken", "&DurationSeconds=129601", None),
        ("GetSessionToken", "&DurationSeconds=-1", None),
        ("GetSessionToken", "&DurationSeconds=", None),
        ("GetSessionToken", "&DurationSeconds=4294968196", None),
        ("AssumeRole", "", Some(3_600)),
        ("AssumeRole", "&DurationSeconds=43200", Some(43_200)),
        ("AssumeRole", "&DurationSeconds=43201", None),
        ("AssumeRole", "&DurationSeconds=899", None),
    ] {
        let role = if action == "AssumeRole" { ROLE } else { "" };
        let lasts = match read(action, &format!("{role}{seconds}")) {
            Ok(Request::GetSessionToken { duration_seconds }) => Some(duration_seconds),
            Ok(Request::AssumeRole(asked)) => Some(asked.duration_seconds),
            Ok(_) => panic!("another action"),
            Err(refusal) => {
                assert_eq!(refusal.code, ErrorCode::ValidationError);
                None
            }
        };
        assert_eq!(lasts, expected, "{action}{seconds}");
    }
}

/// What is passed over would give more than was asked for.
#[test]
fn what_is_not_understood_is_refused() {
    for (action, rest, expected) in [
        ("", "", ErrorCode::InvalidAction),
        ("assumerole", ROLE, ErrorCode::InvalidAction),
        ("GetFederationToken", "&Name=a", ErrorCode::InvalidAction),
        ("GetCallerIdentity", "&Name=a", ErrorCode::ValidationError),
        (
            "GetSessionToken",
            "&SerialNumber=a&TokenCode=123456",
            ErrorCode::ValidationError,
        ),
        ("AssumeRole", "", ErrorCode::ValidationError),
        (
            "AssumeRole",
            "&RoleSessionName=ci",
            ErrorCode::ValidationError,
        ),
        (
            "AssumeRole",
            &format!("{ROLE}&PolicyArns.member.1.arn=arn%3Aaws%3Aiam%3A%3Aaws%3Apolicy%2FA"),
            ErrorCode::ValidationError,
        ),
        (
            "AssumeRole",
            &format!("{ROLE}&Tags.member.1.Key=a&Tags.member.1.Value=b"),
            ErrorCode::ValidationError,
        ),
        (
            "AssumeRole",
            &format!("{ROLE}&Policy=%7B%7D"),
            ErrorCode::MalformedPolicyDocument,
        ),
        (
            "AssumeRole",
            &format!("{ROLE}&Policy="),
            ErrorCode::MalformedPolicyDocument,
        ),
        (
            "AssumeRole",
            &format!("{ROLE}&Policy={}", "+".repeat(2_049)),
            ErrorCode::PackedPolicyTooLarge,
        ),
        (
            "AssumeRole",
            &format!("{ROLE}&RoleSessionName=other"),
            ErrorCode::ValidationError,
        ),
        (
            "AssumeRole",
            &format!("{ROLE}&Role%53essionName=other"),
            ErrorCode::ValidationError,
        ),
        ("GetSessionToken", "&a=%ff", ErrorCode::MalformedQueryString),
    ] {
        assert_eq!(code(read(action, rest)), Some(expected), "{action}{rest}");
    }
    for (text, expected) in [
        ("", ErrorCode::MissingAction),
        ("Version=2011-06-15", ErrorCode::MissingAction),
        ("Action=GetCallerIdentity", ErrorCode::NoSuchVersion),
        (
            "Action=GetCallerIdentity&Version=2010-05-08",
            ErrorCode::NoSuchVersion,
        ),
    ] {
        let form = form(text).expect("a form");
        assert_eq!(code(Action::of(&form)), Some(expected), "{text}");
    }
    assert_eq!(
        code(Form::parse("", b"a=\xff")),
        Some(ErrorCode::MalformedQueryString)
    );
    let many: String = (0..65).map(|number| format!("a{number}=&")).collect();
    assert_eq!(code(form(&many)), Some(ErrorCode::ValidationError));
}

#[test]
fn a_query_asks_as_a_form_does_and_what_signs_it_is_no_parameter() {
    let query = "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=a&x-amz-date=b";
    let form = Form::parse(query, b"").expect("a form");
    assert_eq!(Action::of(&form), Ok(Action::GetCallerIdentity));
    assert!(Request::parse(Action::GetCallerIdentity, &form).is_ok());
    // Of a body it would be.
    let form = Form::parse("", query.as_bytes()).expect("a form");
    let refused = code(Request::parse(Action::GetCallerIdentity, &form));
    assert_eq!(refused, Some(ErrorCode::ValidationError));
    // One part may not say what the other does.
    let twice = Form::parse(query, b"Action=GetSessionToken");
    assert_eq!(code(twice), Some(ErrorCode::ValidationError));
}

#[test]
fn names_are_names() {
    for text in [
        "",
        "viewer",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::12345678901:role/viewer",
        "arn:aws:iam::12345678901a:role/viewer",
        "arn:aws:iam::123456789012:user/viewer",
        "arn:aws-cn:iam::123456789012:role/viewer",
        "arn:aws:sts::123456789012:role/viewer",
        "arn:aws:iam::123456789012:role/a b",
        "arn:aws:iam::123456789012:role/a\n",
    ] {
        assert!(RoleArn::parse(text).is_err(), "{text}");
    }
    let long = "a".repeat(65);
    for text in ["", "a", "a b", "a:b", "a/b", "ä-", &long] {
        assert!(SessionName::parse(text).is_err(), "{text}");
    }
    let role = RoleArn::parse("arn:aws:iam::000000000001:role/agents/0-a").expect("a role");
    assert_eq!(
        (role.account(), role.name()),
        ("000000000001", "agents/0-a")
    );
    assert!(SessionName::parse("a_+=,.@-9").is_ok());
}

const XML: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"";

fn credentials() -> Credentials<'static> {
    Credentials {
        access_key_id: "BKID",
        secret_access_key: "a<b",
        session_token: "token",
        expiration_ms: 1_255_369_830_007,
    }
}

const CREDENTIALS: &str = "<Credentials><AccessKeyId>BKID</AccessKeyId>\
    <SecretAccessKey>a&lt;b</SecretAccessKey><SessionToken>token</SessionToken>\
    <Expiration>2009-10-12T17:50:30.007Z</Expiration></Credentials>";

#[test]
fn every_answer_in_full() {
    let identity = CallerIdentity {
        arn: "arn",
        user_id: "id",
        account: "1",
    };
    assert_eq!(
        identity.to_xml("r"),
        format!(
            "{XML}<GetCallerIdentityResponse {NAMESPACE}><GetCallerIdentityResult><Arn>arn</Arn>\
             <UserId>id</UserId><Account>1</Account></GetCallerIdentityResult><ResponseMetadata>\
             <RequestId>r</RequestId></ResponseMetadata></GetCallerIdentityResponse>"
        )
    );
    let token = SessionToken {
        credentials: credentials(),
    };
    assert_eq!(
        *token.to_xml("r"),
        format!(
            "{XML}<GetSessionTokenResponse {NAMESPACE}><GetSessionTokenResult>{CREDENTIALS}\
             </GetSessionTokenResult><ResponseMetadata><RequestId>r</RequestId>\
             </ResponseMetadata></GetSessionTokenResponse>"
        )
    );
    let role = AssumedRole {
        credentials: credentials(),
        arn: "arn",
        assumed_role_id: "id:ci",
        packed_size_percent: Some(5),
        proof: None,
    };
    assert_eq!(
        *role.to_xml("r"),
        format!(
            "{XML}<AssumeRoleResponse {NAMESPACE}><AssumeRoleResult><AssumedRoleUser>\
             <Arn>arn</Arn><AssumedRoleId>id:ci</AssumedRoleId></AssumedRoleUser>{CREDENTIALS}\
             <PackedPolicySize>5</PackedPolicySize></AssumeRoleResult><ResponseMetadata>\
             <RequestId>r</RequestId></ResponseMetadata></AssumeRoleResponse>"
        )
    );
    let proven = AssumedRole {
        packed_size_percent: None,
        proof: Some(IdentityProof {
            issuer: "https://login.example",
            subject: "a&b",
            audience: "urn:x",
        }),
        ..role
    };
    assert_eq!(
        *proven.to_xml("r"),
        format!(
            "{XML}<AssumeRoleWithWebIdentityResponse {NAMESPACE}><AssumeRoleWithWebIdentityResult>\
             <SubjectFromWebIdentityToken>a&amp;b</SubjectFromWebIdentityToken>\
             <Audience>urn:x</Audience><Provider>https://login.example</Provider>\
             <AssumedRoleUser><Arn>arn</Arn><AssumedRoleId>id:ci</AssumedRoleId>\
             </AssumedRoleUser>{CREDENTIALS}</AssumeRoleWithWebIdentityResult><ResponseMetadata>\
             <RequestId>r</RequestId></ResponseMetadata></AssumeRoleWithWebIdentityResponse>"
        )
    );
}

#[test]
fn errors_say_whose_turn_it_is() {
    for (code, kind) in [
        (ErrorCode::AccessDenied, "Sender"),
        (ErrorCode::InternalFailure, "Receiver"),
        (ErrorCode::ServiceUnavailable, "Receiver"),
    ] {
        let error = ErrorResponse {
            code,
            message: "a < b",
            request_id: "r",
        };
        assert_eq!(
            error.to_xml(),
            format!(
                "{XML}<ErrorResponse {NAMESPACE}><Error><Type>{kind}</Type><Code>{code}</Code>\
                 <Message>a &lt; b</Message></Error><RequestId>r</RequestId></ErrorResponse>"
            )
        );
    }
}

proptest! {
    #[test]
    fn no_input_panics(
        query in "\\PC{0,80}",
        body in prop::collection::vec(any::<u8>(), 0..200),
        action in prop::sample::select(&Action::ALL),
    ) {
        if let Ok(form) = Form::parse(&query, &body) {
            let _ = Action::of(&form);
            let _ = Request::parse(action, &form);
        }
    }
}
