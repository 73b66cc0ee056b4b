use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, Method};
use wire::secrets_manager::{BatchChoice, ErrorCode, Operation, Request, Target};
use wire::sigv4;

use super::asking::Asking;
use super::body::{Bodies, Sent};
use super::error::SecretsError;
use super::{answer, list, policies, secrets, values, versions};
use crate::authn::Authn;
use crate::authz::{
    Action, Caller, ChangeSecretPolicy, DeleteSecret, DescribeSecret, DrawPassword, InOrganization,
    ListSecrets, OfSecret, PutSecret, ReadSecretPolicy, RevealSecret,
};
use crate::config;
use crate::http::net::RequestBody;
use crate::http::pipeline::{Answer, Call, Deed, Door, Head, Intent, Read, Refused};
use crate::vault::Vault;

/// The API of AWS Secrets Manager.
pub struct SecretsManager {
    vault: Arc<Vault>,
    bodies: Bodies,
    region: String,
}

/// What a request asks for.
pub enum Asked {
    /// Something that is there.
    Built(Box<Request>),
    /// Something that is not built, by its name.
    NotBuilt(&'static str),
}

impl SecretsManager {
    /// Opens the door to a vault.
    pub fn new(vault: Arc<Vault>, settings: &config::Api) -> Self {
        Self {
            vault,
            bodies: Bodies::new(),
            region: settings.region.clone(),
        }
    }

    /// Whether a request at the address that all of Amazon's APIs share is for this one.
    pub fn is_asked(headers: &HeaderMap) -> bool {
        let target = headers.get(TARGET);
        target.is_some_and(|target| target.as_bytes().starts_with(Target::PREFIX.as_bytes()))
    }

    pub(super) fn vault(&self) -> &Vault {
        &self.vault
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }
}

impl Door for SecretsManager {
    type Asked = Asked;
    type Proof = Sent;
    type Error = SecretsError;

    async fn authenticate(
        &self,
        authn: &Authn,
        head: &Head,
        body: &mut RequestBody,
    ) -> Result<(Caller, Sent), SecretsError> {
        let sent = self.bodies.read(head, body).await?;
        let fields = head.fields();
        let request = sigv4::Request {
            method: head.method().as_str(),
            path: head.path(),
            query: head.query(),
            headers: &fields,
        };
        let (caller, _) = authn.sigv4_over(&request, sent.bytes(), SERVICE).await?;
        Ok((caller, sent))
    }

    fn read(&self, head: &Head, sent: &Sent) -> Result<Read<Asked>, SecretsError> {
        let (deed, asked) = match target(head)? {
            Target::Built(operation) => {
                let request = Request::parse(operation, sent.bytes())?;
                (deed(operation, &request), Asked::Built(Box::new(request)))
            }
            Target::NotBuilt(name) => {
                let deed = Deed {
                    operation: name,
                    action: name,
                    resource: InOrganization.to_string(),
                    intent: Intent::None,
                };
                (deed, Asked::NotBuilt(name))
            }
        };
        Ok(Read {
            organization: None,
            deed,
            asked,
        })
    }

    async fn perform(
        &self,
        call: &Call,
        _: Sent,
        asked: Asked,
        _: Head,
        _: RequestBody,
    ) -> Result<Answer, SecretsError> {
        let request = match asked {
            Asked::Built(request) => *request,
            Asked::NotBuilt(name) => return Err(SecretsError::not_built(name)),
        };
        let asking = Asking { door: self, call };
        match request {
            Request::BatchGetSecretValue(batch) => values::batch(asking, batch).await,
            Request::CreateSecret(new) => secrets::create(asking, new).await,
            Request::DeleteResourcePolicy(id) => policies::delete(asking, &id).await,
            Request::DeleteSecret(id, deletion) => secrets::delete(asking, &id, deletion).await,
            Request::DescribeSecret(id) => secrets::describe(asking, &id).await,
            Request::GetRandomPassword(rules) => values::password(asking, rules),
            Request::GetResourcePolicy(id) => policies::get(asking, &id).await,
            Request::GetSecretValue(which) => values::get(asking, which).await,
            Request::ListResourcePolicies(id) => policies::list(asking, &id).await,
            Request::ListSecretVersionIds(which) => versions::list(asking, which).await,
            Request::ListSecrets(which) => list::secrets(asking, which).await,
            Request::PutResourcePolicy(put) => policies::put(asking, put).await,
            Request::PutSecretValue(put) => values::put(asking, put).await,
            Request::RestoreSecret(id) => secrets::restore(asking, &id).await,
            Request::TagResource(id, tags) => secrets::tag(asking, &id, tags).await,
            Request::UntagResource(id, keys) => secrets::untag(asking, &id, keys).await,
            Request::UpdateSecret(update) => secrets::update(asking, update).await,
            Request::UpdateSecretVersionStage(wanted) => versions::move_stage(asking, wanted).await,
            Request::ValidateResourcePolicy(id, policy) => {
                policies::validate(asking, id.as_ref(), &policy).await
            }
        }
    }

    fn refuse(&self, request: &Refused<'_>, error: &SecretsError) -> Answer {
        answer::refusal(request, error)
    }
}

/// Which operation a request is for: every one is a POST of JSON to the root.
fn target(head: &Head) -> Result<Target, SecretsError> {
    let mut targets = head.headers().get_all(TARGET).iter();
    let target = match (targets.next(), targets.next()) {
        (Some(target), None) => target.to_str().unwrap_or_default(),
        // Another reader might take the other one.
        _ => "",
    };
    let target = Target::parse(target)?;
    let content = head.text(CONTENT_TYPE).unwrap_or_default();
    let content = content.split(';').next().unwrap_or_default().trim();
    let is_ours = head.method() == Method::POST
        && head.path() == "/"
        && content.eq_ignore_ascii_case("application/x-amz-json-1.1");
    if is_ours {
        Ok(target)
    } else {
        Err(SecretsError::new(
            ErrorCode::UnknownOperation,
            "An operation is a POST to / of application/x-amz-json-1.1.",
        ))
    }
}

/// What a request is, for logs. Whatever shows a secret or changes one stands in the activity log
/// before it is done.
fn deed(operation: Operation, request: &Request) -> Deed {
    let (action, intent) = match operation {
        // Each value of a batch is recorded by itself, before any leaves.
        Operation::BatchGetSecretValue => (RevealSecret::NAME, Intent::None),
        Operation::GetSecretValue => (RevealSecret::NAME, Intent::Durable),
        Operation::DeleteResourcePolicy | Operation::PutResourcePolicy => {
            (ChangeSecretPolicy::NAME, Intent::Durable)
        }
        Operation::CreateSecret
        | Operation::PutSecretValue
        | Operation::RestoreSecret
        | Operation::TagResource
        | Operation::UntagResource
        | Operation::UpdateSecret
        | Operation::UpdateSecretVersionStage => (PutSecret::NAME, Intent::Durable),
        Operation::DeleteSecret => (DeleteSecret::NAME, Intent::Durable),
        Operation::DescribeSecret | Operation::ListSecretVersionIds => {
            (DescribeSecret::NAME, Intent::None)
        }
        Operation::GetResourcePolicy
        | Operation::ListResourcePolicies
        | Operation::ValidateResourcePolicy => (ReadSecretPolicy::NAME, Intent::None),
        Operation::ListSecrets => (ListSecrets::NAME, Intent::None),
        Operation::GetRandomPassword => (DrawPassword::NAME, Intent::None),
    };
    let resource = match request {
        Request::CreateSecret(new) => Some(&new.name),
        other => other.secret().and_then(|id| id.path()),
    };
    let resource = match (request, resource) {
        (_, Some(path)) => OfSecret::at(path.clone()).to_string(),
        (Request::ListSecrets(which), None) => list::under(&which.filters).to_string(),
        (Request::BatchGetSecretValue(batch), None) => match &batch.choice {
            BatchChoice::Filtered(filters) => list::under(filters).to_string(),
            BatchChoice::Named(_) => list::under(&[]).to_string(),
        },
        _ => InOrganization.to_string(),
    };
    Deed {
        operation: operation.name(),
        action,
        resource,
        intent,
    }
}

/// What signatures name.
const SERVICE: &str = "secretsmanager";
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
