//! Resource policies: what a secret says itself of who may do what to it. They name principals of the
//! caller's own organization, and every door judges by them.

use std::sync::Arc;

use names::{Effect, PolicyPrincipal, ResourcePolicy};
use wire::policy::{Known, RESOURCE_CHARACTERS_MAX, parse_for_resource};
use wire::secrets_manager::{
    ErrorCode, PoliciesAnswer, PolicyAnswer, PolicyName, PutResourcePolicy, SecretId,
    ValidatedAnswer, ValidationError,
};

use super::answer;
use super::asking::Asking;
use super::error::SecretsError;
use crate::authz::{ChangeSecretPolicy, Permit, ReadSecretPolicy, Receipt, Role};
use crate::http::pipeline::Answer;
use crate::vault::{Description, SecretPolicy};

/// GetResourcePolicy.
pub(super) async fn get(asking: Asking<'_>, id: &SecretId) -> Result<Answer, SecretsError> {
    let secret = of(asking, id).await?;
    let policy = secret.policy.as_ref();
    shown(
        asking,
        &secret,
        policy.map(|policy| policy.text.to_string()),
    )
}

/// ListResourcePolicies: one, if there is any.
pub(super) async fn list(asking: Asking<'_>, id: &SecretId) -> Result<Answer, SecretsError> {
    let secret = of(asking, id).await?;
    let names = secret.policy.iter().map(|_| PolicyName::default());
    let document = PoliciesAnswer {
        resource_policies: names.collect(),
    };
    answer::document(asking.call, &document, Receipt::default())
}

/// DeleteResourcePolicy. Where there is none, nothing changes.
pub(super) async fn delete(asking: Asking<'_>, id: &SecretId) -> Result<Answer, SecretsError> {
    let permit = asking.permit(id).await?;
    change(asking, permit, None).await
}

/// PutResourcePolicy.
pub(super) async fn put(
    asking: Asking<'_>,
    put: PutResourcePolicy,
) -> Result<Answer, SecretsError> {
    let permit = asking.permit(&put.id).await?;
    let parsed = parsed(asking, &put.policy)?;
    if put.is_public_blocked && is_public(&parsed) {
        return Err(SecretsError::new(ErrorCode::PublicPolicy, PUBLIC));
    }
    let policy = SecretPolicy {
        text: put.policy.into(),
        rules: Arc::new(parsed),
    };
    change(asking, permit, Some(policy)).await
}

/// ValidateResourcePolicy: says what PutResourcePolicy would, where the public is blocked.
pub(super) async fn validate(
    asking: Asking<'_>,
    id: Option<&SecretId>,
    policy: &str,
) -> Result<Answer, SecretsError> {
    if let Some(id) = id {
        of(asking, id).await?;
    }
    let objection = match parsed(asking, policy) {
        Ok(policy) if is_public(&policy) => {
            Some(SecretsError::new(ErrorCode::PublicPolicy, PUBLIC))
        }
        Ok(_) => None,
        Err(objection) => Some(objection),
    };
    let document = ValidatedAnswer {
        policy_validation_passed: objection.is_none(),
        validation_errors: objection
            .iter()
            .map(|objection| ValidationError {
                check_name: objection.code().name(),
                error_message: objection.message().to_owned(),
            })
            .collect(),
    };
    answer::document(asking.call, &document, Receipt::default())
}

/// The secret, for whoever may see its policy.
async fn of(asking: Asking<'_>, id: &SecretId) -> Result<Description, SecretsError> {
    let permit = asking.permit::<ReadSecretPolicy>(id).await?;
    Ok(asking.vault().policy(permit).await?)
}

async fn change(
    asking: Asking<'_>,
    permit: Permit<ChangeSecretPolicy>,
    policy: Option<SecretPolicy>,
) -> Result<Answer, SecretsError> {
    let secret = asking.vault().change_policy(permit, policy).await?;
    shown(asking, &secret, None)
}

fn shown(
    asking: Asking<'_>,
    secret: &Description,
    policy: Option<String>,
) -> Result<Answer, SecretsError> {
    let document = PolicyAnswer {
        secret: asking.named(secret),
        named: PolicyName::default(),
        resource_policy: policy,
    };
    answer::document(asking.call, &document, Receipt::default())
}

fn parsed(asking: Asking<'_>, text: &str) -> Result<ResourcePolicy, SecretsError> {
    let account = asking.account();
    let known = Known {
        account: &account,
        roles: &Role::ALL.map(Role::as_str),
    };
    parse_for_resource(text, RESOURCE_CHARACTERS_MAX, &known).map_err(|error| {
        SecretsError::new(
            ErrorCode::MalformedPolicyDocument,
            format!("This resource policy is not understood. {error}."),
        )
    })
}

/// Whether it lets everybody of the organization do something.
fn is_public(policy: &ResourcePolicy) -> bool {
    policy.statements.iter().any(|one| {
        one.statement.effect == Effect::Allow
            && one.principals.contains(&PolicyPrincipal::Everybody)
    })
}

const PUBLIC: &str = "This resource policy allows something to everybody of the organization.";
