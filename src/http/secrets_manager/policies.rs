//! Resource policies. None is enforced here, so none is taken: who would open or close a secret by
//! one is told so instead of being left in the belief that it was done. Grants do what they do.

use serde_json::Value;
use wire::secrets_manager::{
    ErrorCode, PoliciesAnswer, PolicyAnswer, SecretId, ValidatedAnswer, ValidationError,
};

use super::answer;
use super::asking::Asking;
use super::error::SecretsError;
use crate::authz::{Action, DescribeSecret, OfSecret, Permit, PutSecret, Receipt};
use crate::http::pipeline::Answer;
use crate::vault::VaultError;

/// GetResourcePolicy: there is none.
pub(super) async fn get(asking: Asking<'_>, id: &SecretId) -> Result<Answer, SecretsError> {
    let permit = asking.permit::<DescribeSecret>(id).await?;
    none_of(asking, permit).await
}

/// ListResourcePolicies: there are none.
pub(super) async fn list(asking: Asking<'_>, id: &SecretId) -> Result<Answer, SecretsError> {
    let permit = asking.permit::<DescribeSecret>(id).await?;
    asking.vault().describe(permit).await?;
    answer::document(asking.call, &PoliciesAnswer::default(), Receipt::default())
}

/// DeleteResourcePolicy: there is none afterwards, either.
pub(super) async fn delete(asking: Asking<'_>, id: &SecretId) -> Result<Answer, SecretsError> {
    check(asking, &asking.permit::<PutSecret>(id).await?).await?;
    let permit = asking.permit::<DescribeSecret>(id).await?;
    none_of(asking, permit).await
}

/// PutResourcePolicy.
pub(super) async fn put(
    asking: Asking<'_>,
    id: &SecretId,
    policy: &str,
) -> Result<Answer, SecretsError> {
    check(asking, &asking.permit::<PutSecret>(id).await?).await?;
    let (code, message) = objection(policy);
    Err(SecretsError::new(code, message))
}

/// ValidateResourcePolicy: says what PutResourcePolicy would.
pub(super) async fn validate(
    asking: Asking<'_>,
    id: Option<&SecretId>,
    policy: &str,
) -> Result<Answer, SecretsError> {
    if let Some(id) = id {
        check(asking, &asking.permit::<DescribeSecret>(id).await?).await?;
    }
    let (code, message) = objection(policy);
    let document = ValidatedAnswer {
        policy_validation_passed: false,
        validation_errors: vec![ValidationError {
            check_name: code.name(),
            error_message: message.to_owned(),
        }],
    };
    answer::document(asking.call, &document, Receipt::default())
}

async fn none_of(
    asking: Asking<'_>,
    permit: Permit<DescribeSecret>,
) -> Result<Answer, SecretsError> {
    let secret = asking.vault().describe(permit).await?;
    let document = PolicyAnswer {
        secret: asking.named(&secret),
        resource_policy: None,
    };
    answer::document(asking.call, &document, Receipt::default())
}

/// A policy is of a secret that is there.
async fn check<A>(asking: Asking<'_>, permit: &Permit<A>) -> Result<(), SecretsError>
where
    A: Action<Resource = OfSecret>,
{
    match asking.vault().is_there(permit, None).await? {
        true => Ok(()),
        false => Err(VaultError::NoSuchSecret.into()),
    }
}

/// What stands against a policy: of whatever it says, nothing would be enforced.
fn objection(policy: &str) -> (ErrorCode, &'static str) {
    let Ok(policy) = serde_json::from_str::<Value>(policy) else {
        return (
            ErrorCode::MalformedPolicyDocument,
            "This resource policy contains invalid JSON.",
        );
    };
    let statements = match &policy["Statement"] {
        Value::Array(statements) => &statements[..],
        one => std::slice::from_ref(one),
    };
    if statements.iter().any(is_public) {
        return (
            ErrorCode::PublicPolicy,
            "This resource policy grants access to everybody. No policy can open a secret to \
             another organization.",
        );
    }
    (
        ErrorCode::MalformedPolicyDocument,
        "Resource policies are not enforced here, so that none can be put on a secret. Grants \
         decide who may use it, and nothing opens it to another organization.",
    )
}

fn is_public(statement: &Value) -> bool {
    let is_star = |principal: &Value| match principal {
        Value::String(text) => text == "*",
        Value::Array(several) => several.iter().any(|one| one == "*"),
        _ => false,
    };
    let principal = &statement["Principal"];
    statement["Effect"] == "Allow"
        && (is_star(principal)
            || principal
                .as_object()
                .is_some_and(|kinds| kinds.values().any(is_star)))
}
