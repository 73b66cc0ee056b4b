use names::AccessKeyId;

use super::ask::{Ask, done, made, shown};
use super::credential_view::{
    CredentialAsked, CredentialKindAsked, CredentialView, NewCredentialView,
};
use super::endpoint::Endpoint;
use super::grants::end;
use super::problem::Problem;
use super::public::label;
use super::route::{Audience, PAGED, Route};
use super::service::Api;
use super::view::PageView;
use crate::authz::{
    Action, CreateOwnCredential, InOrganization, ListOwnCredentials, ManageCredentials, Narrowing,
    OfSubject, ReadCredentials, RevokeOwnCredential, SubjectKind,
};
use crate::http::pipeline::{Answer, Call};
use crate::tenancy::{CredentialRequest, NewCredential, NewCredentialKind, Shown};

/// What is asked about access keys and tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credentials {
    CreateOwn,
    ListOwn,
    RevokeOwn,
    CreateForAgent,
    List,
    Revoke,
}

const CREDENTIAL: Option<SubjectKind> = Some(SubjectKind::Credential);

pub(super) const ROUTES: &[Route] = &[
    Route::get(
        "/organizations/{org}/self/credentials",
        "ListOwnCredentials",
        Audience::Organization,
        Endpoint::Credentials(Credentials::ListOwn),
        "Lists the caller's own access keys, tokens and sessions.",
    )
    .does(ListOwnCredentials::NAME, CREDENTIAL)
    .asks(PAGED)
    .gives::<PageView<CredentialView>>(),
    Route::post(
        "/organizations/{org}/self/credentials",
        "CreateOwnCredential",
        Audience::Organization,
        Endpoint::Credentials(Credentials::CreateOwn),
        "Makes an access key or token of the caller's own, no wider than the one that asks.",
    )
    .does(CreateOwnCredential::NAME, CREDENTIAL)
    .takes::<CredentialAsked>()
    .makes::<NewCredentialView<'static>>(),
    Route::delete(
        "/organizations/{org}/self/credentials/{credential}",
        "RevokeOwnCredential",
        Audience::Organization,
        Endpoint::Credentials(Credentials::RevokeOwn),
        "Revokes a credential of the caller's own for good.",
    )
    .does(RevokeOwnCredential::NAME, CREDENTIAL),
    Route::get(
        "/organizations/{org}/credentials",
        "ListCredentials",
        Audience::Organization,
        Endpoint::Credentials(Credentials::List),
        "Lists the credentials of everybody in the organization.",
    )
    .does(ReadCredentials::NAME, CREDENTIAL)
    .asks(PAGED)
    .gives::<PageView<CredentialView>>(),
    Route::delete(
        "/organizations/{org}/credentials/{credential}",
        "RevokeCredential",
        Audience::Organization,
        Endpoint::Credentials(Credentials::Revoke),
        "Revokes anybody's credential for good.",
    )
    .does(ManageCredentials::NAME, CREDENTIAL),
    Route::post(
        "/organizations/{org}/agents/{agent}/credentials",
        "CreateAgentCredential",
        Audience::Organization,
        Endpoint::Credentials(Credentials::CreateForAgent),
        "Makes an access key or token for an agent.",
    )
    .does(ManageCredentials::NAME, Some(SubjectKind::Agent))
    .takes::<CredentialAsked>()
    .makes::<NewCredentialView<'static>>(),
];

pub(super) async fn answer(
    api: &Api,
    call: &Call,
    ask: &Ask,
    what: Credentials,
) -> Result<Answer, Problem> {
    let tenancy = &api.tenancy;
    match what {
        Credentials::CreateOwn => {
            let request = request(ask.json()?)?;
            let permit = call.permit::<CreateOwnCredential>(InOrganization)?;
            let new = tenancy
                .create_own_credential(permit, call.caller(), request)
                .await?;
            new_credential(call, &new)
        }
        Credentials::CreateForAgent => {
            let request = request(ask.json()?)?;
            let agent = OfSubject::one(SubjectKind::Agent, ask.segment("agent"));
            let permit = call.permit::<ManageCredentials>(agent)?;
            let new = tenancy.create_agent_credential(permit, request).await?;
            new_credential(call, &new)
        }
        Credentials::ListOwn => {
            let page = ask.page(|after| AccessKeyId::parse(after).ok())?;
            let permit = call.permit::<ListOwnCredentials>(InOrganization)?;
            let found = tenancy
                .own_credentials(permit, page.after.as_ref(), page.max())
                .await?;
            let (found, next) = page.cut(found, |credential| credential.id.to_string());
            let items = found.iter().map(CredentialView::from).collect();
            shown(&PageView { items, next })
        }
        Credentials::List => {
            let page = ask.page(|after| AccessKeyId::parse(after).ok())?;
            let all = OfSubject::all(SubjectKind::Credential);
            let permit = call.permit::<ReadCredentials>(all)?;
            let found = tenancy
                .credentials(permit, None, page.after.as_ref(), page.max())
                .await?;
            let (found, next) = page.cut(found, |credential| credential.id.to_string());
            let items = found.iter().map(CredentialView::from).collect();
            shown(&PageView { items, next })
        }
        Credentials::RevokeOwn => {
            let id = AccessKeyId::parse(ask.segment("credential"))
                .map_err(|_| Problem::no_such("credential"))?;
            let permit = call.permit::<RevokeOwnCredential>(InOrganization)?;
            tenancy.revoke_own_credential(permit, &id).await?;
            Ok(done())
        }
        Credentials::Revoke => {
            let one = OfSubject::one(SubjectKind::Credential, ask.segment("credential"));
            let permit = call.permit::<ManageCredentials>(one)?;
            tenancy.revoke_credential(permit).await?;
            Ok(done())
        }
    }
}

fn request(asked: CredentialAsked) -> Result<CredentialRequest, Problem> {
    Ok(CredentialRequest {
        kind: match asked.kind {
            CredentialKindAsked::AccessKey => NewCredentialKind::AccessKey,
            CredentialKindAsked::ApiToken => NewCredentialKind::ApiToken,
        },
        narrowing: Narrowing {
            scope: asked.scope.into(),
            role: asked.role.map(Into::into),
            policies: Vec::new(),
        },
        expires_ms: end(asked.expires_at.as_deref())?,
        label: asked.label.map(|text| label(&text, "label")).transpose()?,
    })
}

fn new_credential(call: &Call, new: &NewCredential) -> Result<Answer, Problem> {
    let id = new.credential.id.to_string();
    call.made(OfSubject::one(SubjectKind::Credential, id).to_string());
    let (secret, token) = match &new.shown {
        Shown::Secret(secret) => (Some(secret.as_str()), None),
        Shown::Bearer(token) => (None, Some(token.as_str())),
        Shown::SecretWithToken(secret, token) => (Some(secret.as_str()), Some(token.as_str())),
    };
    made(&NewCredentialView {
        credential: CredentialView::from(&new.credential),
        secret,
        token,
    })
}
