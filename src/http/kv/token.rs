//! Tokens: what they are, their end, and the log-in of agents.

use http::StatusCode;
use serde::Serialize;
use wire::kv::Login;

use super::answer::{self, Auth, Owner};
use super::door::{Shown, collected};
use super::error::KvError;
use super::service::Kv;
use crate::audit::SignInMethod;
use crate::authz::{Caller, InOrganization, RevokeOwnCredential, ShowSelf};
use crate::http::net::{Peer, RequestBody};
use crate::http::pipeline::{Answer, Call, Head, Visit};
use crate::tenancy::{IssuedCredential, Shown as Proof, TenancyError};

#[derive(Serialize)]
struct TokenView<'a> {
    id: &'a str,
    accessor: String,
    creation_time: u64,
    creation_ttl: u64,
    display_name: &'a str,
    entity_id: String,
    expire_time: Option<String>,
    explicit_max_ttl: u64,
    issue_time: String,
    meta: Owner,
    num_uses: u64,
    orphan: bool,
    path: &'static str,
    policies: [&'static str; 1],
    renewable: bool,
    ttl: u64,
    #[serde(rename = "type")]
    kind: &'static str,
}

pub(super) async fn lookup(kv: &Kv, call: &Call, shown: &Shown) -> Result<Answer, KvError> {
    let credential = credential(kv, call).await?;
    let lasts_ms = credential
        .expires_ms
        .map(|end| end.saturating_sub(credential.created_ms));
    let view = TokenView {
        id: &shown.token,
        accessor: credential.id.to_string(),
        creation_time: credential.created_ms / 1_000,
        creation_ttl: lasts_ms.unwrap_or_default() / 1_000,
        display_name: credential.label.as_deref().unwrap_or("token"),
        entity_id: credential.principal.to_string(),
        expire_time: credential.expires_ms.map(answer::rfc_3339),
        explicit_max_ttl: 0,
        issue_time: answer::rfc_3339(credential.created_ms),
        meta: Owner::of(call.caller()),
        num_uses: 0,
        orphan: call.caller().parent().is_none(),
        path: match call.caller().parent() {
            Some(_) => "auth/approle/login",
            None => "auth/token/create",
        },
        policies: POLICIES,
        renewable: false,
        ttl: left_seconds(kv, &credential),
        kind: TOKEN_TYPE,
    };
    answer::data(StatusCode::OK, call.id(), MOUNT_TYPE, &view)
}

/// A token ends when it was said to end. HashiCorp's server answers so for one that it made not to
/// be renewed, and [`lookup`] tells clients that they need not try.
pub(super) fn renew(call: &Call) -> Result<Answer, KvError> {
    call.permit::<ShowSelf>(InOrganization)?;
    Err(KvError::invalid("lease is not renewable"))
}

pub(super) async fn revoke(kv: &Kv, call: &Call) -> Result<Answer, KvError> {
    let permit = call.permit::<RevokeOwnCredential>(InOrganization)?;
    kv.tenancy
        .revoke_own_credential(permit, call.caller().credential())
        .await?;
    Ok(answer::done())
}

/// An agent's identifier as the role, and an API token of it as the secret, for a token that lasts
/// an hour. What is unknown and what is wrong answer alike, after the same work.
pub(super) async fn log_in(
    kv: &Kv,
    visit: &Visit,
    head: &Head,
    body: RequestBody,
    peer: &Peer,
) -> Result<Answer, KvError> {
    let source = Some(peer.address.ip());
    let body = collected(body).await?;
    let Login { role_id, secret_id } = Login::parse(&body)?;
    kv.tenancy.begin_agent_log_in(&role_id, source)?;
    let made = async {
        let shown = match visit.caller::<KvError>(&secret_id).await {
            Err(error) if error.is_no_token() => {
                visit.log_cause(LOG_IN, &error);
                return Err(TenancyError::LogInRefused.into());
            }
            shown => shown?,
        };
        if !kv.is_in_namespace(&shown, head).await? {
            return Err(TenancyError::LogInRefused.into());
        }
        let made = kv.tenancy.log_in_agent(&role_id, &shown, source).await?;
        Ok::<_, KvError>(made)
    };
    let made = made.await.inspect_err(|_| visit.sign_in_refused())?;
    let Proof::Bearer(token) = &made.shown else {
        return Err(KvError::internal("a log-in made no bearer token"));
    };
    let caller = visit.admit::<KvError>(token, SignInMethod::AppRole).await?;
    let lasts = left_seconds(kv, &made.credential);
    answer::auth(visit.id(), Auth::of(&caller, token, lasts))
}

async fn credential(kv: &Kv, call: &Call) -> Result<IssuedCredential, KvError> {
    let permit = call.permit::<ShowSelf>(InOrganization)?;
    Ok(kv.tenancy.shown_credential(permit, call.caller()).await?)
}

/// How many seconds a token has; 0 is what HashiCorp's server says of one without an end, and no
/// token is shown that has ended.
fn left_seconds(kv: &Kv, credential: &IssuedCredential) -> u64 {
    credential.expires_ms.map_or(0, |end| {
        end.saturating_sub(kv.clock.now_ms()).div_ceil(1_000).max(1)
    })
}

impl<'a> Auth<'a> {
    fn of(caller: &Caller, token: &'a str, lease_duration: u64) -> Self {
        Self {
            client_token: token,
            accessor: caller.credential().to_string(),
            policies: POLICIES,
            token_policies: POLICIES,
            metadata: Owner::of(caller),
            lease_duration,
            renewable: false,
            entity_id: caller.principal().to_string(),
            token_type: TOKEN_TYPE,
            orphan: caller.parent().is_none(),
            num_uses: 0,
        }
    }
}

impl Owner {
    fn of(caller: &Caller) -> Self {
        Self {
            organization: caller.org().to_string(),
            principal: caller.principal().to_string(),
        }
    }
}

pub(super) const LOG_IN: &str = "KvLogIn";
const MOUNT_TYPE: &str = "token";
const TOKEN_TYPE: &str = "service";
/// What a token may is said by roles and grants; every client expects the name of a policy.
const POLICIES: [&str; 1] = ["default"];
