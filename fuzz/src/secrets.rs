use names::PolicyPrincipal;
use wire::policy::{Known, RESOURCE_CHARACTERS_MAX, parse_for_resource};
use wire::secrets_manager::{Arn, Operation, Request, SecretId, Target};

/// A first line that names an operation, and the body of a request for it. A secret that is named
/// has one meaning by its name, and as an ARN that is written of it the same.
pub fn secrets_manager(data: &[u8]) -> bool {
    let line = data.iter().position(|byte| *byte == b'\n');
    let (target, body) = data.split_at(line.unwrap_or(data.len()));
    let target = std::str::from_utf8(target).unwrap_or_default();
    let operation = match Target::parse(target) {
        Ok(Target::Built(operation)) => operation,
        Ok(Target::NotBuilt(name)) => {
            assert!(Target::NOT_BUILT.contains(&name), "a name of the table");
            return false;
        }
        Err(_) => return false,
    };
    assert!(Operation::ALL.contains(&operation), "one of the table");
    let Ok(request) = Request::parse(operation, body.get(1..).unwrap_or_default()) else {
        return false;
    };
    if let Request::PutResourcePolicy(put) = &request {
        policy(&put.policy);
    }
    match request.secret() {
        Some(SecretId::Name(path)) => {
            let arn = Arn::of("us-east-1", "123456789012", path, "AbCdEf");
            let Ok(SecretId::Arn(arn)) = SecretId::parse(&arn) else {
                panic!("an ARN, written, is an ARN");
            };
            assert!(arn.is_in("us-east-1", "123456789012"), "where it was made");
            assert_eq!(
                arn.meanings().next(),
                Some((path, Some("AbCdEf"))),
                "an ARN means its secret first"
            );
        }
        Some(SecretId::Arn(arn)) => {
            let meanings = arn.meanings().count();
            assert!((1..=2).contains(&meanings), "one or two meanings");
        }
        None => {}
    }
    true
}

/// Whom a policy names is somebody of the organization, and reads again as it is written.
fn policy(text: &str) {
    let known = Known {
        account: "123456789012",
        roles: &["viewer"],
    };
    let Ok(policy) = parse_for_resource(text, RESOURCE_CHARACTERS_MAX, &known) else {
        return;
    };
    for statement in &policy.statements {
        assert!(
            !statement.principals.is_empty(),
            "a statement is about somebody"
        );
        assert_eq!(statement.statement.prefixes, None, "no secret has a prefix");
        for principal in &statement.principals {
            assert_eq!(principal.to_string().parse().as_ref(), Ok(principal));
            if let PolicyPrincipal::Role(name) = principal {
                assert!(known.roles.contains(&&**name), "a role of the organization");
            }
        }
    }
}
