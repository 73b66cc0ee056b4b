//! Who the caller is, and sessions that are narrower than who asks for them.

use wire::sts::{
    AssumeRole, AssumeRoleWithWebIdentity, AssumedRole, CallerIdentity, Credentials, ErrorCode,
    IdentityProof, Refusal as Unreadable, SessionToken,
};
use zeroize::Zeroizing;

use super::answer;
use super::door::Sts;
use super::error::StsError;
use super::role::{Assumed, Named, no_such_role};
use crate::authn::Vouched;
use crate::authz::{
    CreateOwnCredential, CredentialKind, InOrganization, Narrowing, OfSubject, Permit, Role,
    ShowSelf, Subject, SubjectKind,
};
use crate::http::pipeline::{Answer, Call};
use crate::tenancy::{CredentialRequest, Label, NewCredential, NewCredentialKind, Shown};

pub(super) async fn identity(sts: &Sts, call: &Call) -> Result<Answer, StsError> {
    let permit = call.permit::<ShowSelf>(InOrganization)?;
    let shown = sts
        .tenancy()
        .shown_credential(permit, call.caller())
        .await?;
    let named = Named::of(call.caller(), call.rights(), &shown);
    let identity = CallerIdentity {
        arn: &named.arn,
        user_id: &named.user_id,
        account: &named.account,
    };
    let xml = identity.to_xml(&call.id().to_string());
    Ok(answer::document(Zeroizing::new(xml)))
}

/// A session with the rights of the key that asks.
pub(super) async fn of_caller(
    sts: &Sts,
    call: &Call,
    duration_seconds: u32,
) -> Result<Answer, StsError> {
    let permit = call.permit::<CreateOwnCredential>(InOrganization)?;
    if call.caller().kind() == CredentialKind::StsSession {
        return Err(StsError::denied(
            "a session gets no session token",
            "Cannot call GetSessionToken with session credentials.",
        ));
    }
    let request = request(sts, Narrowing::NONE, duration_seconds, None);
    let made = made(sts, call, permit, request).await?;
    let token = SessionToken {
        credentials: made.credentials(),
    };
    Ok(answer::document(token.to_xml(&call.id().to_string())))
}

/// A session that is limited to a role of the caller's organization, and to a policy.
pub(super) async fn of_role(
    sts: &Sts,
    call: &Call,
    asked: &AssumeRole,
) -> Result<Answer, StsError> {
    let permit = call.permit::<CreateOwnCredential>(InOrganization)?;
    let account = call.caller().org().account_number();
    let assumed = Assumed::of(&asked.role, &account);
    let role = match assumed {
        Some(Assumed::Role(role)) if may_assume(call, role) => role,
        _ => return Err(no_such_role("AssumeRole")),
    };
    let is_chained = call.caller().kind() == CredentialKind::StsSession;
    if is_chained && asked.duration_seconds > CHAINED_SECONDS_MAX {
        let message = "DurationSeconds of a role that is assumed by a session is 3600 at most.";
        return Err(Unreadable::new(ErrorCode::ValidationError, message).into());
    }
    let narrowing = Narrowing {
        role: Some(role),
        ..narrowing(asked)
    };
    let request = request(sts, narrowing, asked.duration_seconds, Some(label(asked)?));
    let made = made(sts, call, permit, request).await?;
    let name = asked.session_name.as_str();
    assumed_role(
        call,
        asked,
        &made,
        Assumed::Role(role).session_arn(&account, name),
        None,
    )
}

/// A session of the agent that an identity provider vouches for, limited to a policy. It is the
/// one that the caller is named by.
pub(super) async fn of_identity(
    sts: &Sts,
    call: &Call,
    asked: &AssumeRoleWithWebIdentity,
    vouched: &Vouched,
) -> Result<Answer, StsError> {
    let permit = call.permit::<CreateOwnCredential>(InOrganization)?;
    let asked = &asked.session;
    let seconds = asked.duration_seconds;
    let request = request(sts, narrowing(asked), seconds, Some(label(asked)?));
    let made = sts
        .tenancy()
        .create_identity_session(permit, call.caller(), vouched.identity(), request)
        .await?
        .ok_or_else(|| no_such_role("AssumeRoleWithWebIdentity"))?;
    let made = Made::of(call, made)?;
    let agent = Assumed::Agent(call.caller().principal());
    let account = call.caller().org().account_number();
    let arn = agent.session_arn(&account, asked.session_name.as_str());
    let proof = IdentityProof {
        issuer: vouched.identity().issuer(),
        subject: vouched.identity().subject(),
        audience: vouched.audience(),
    };
    assumed_role(call, asked, &made, arn, Some(proof))
}

/// A session that was made.
struct Made {
    id: String,
    secret: Zeroizing<String>,
    token: Zeroizing<String>,
    expires_ms: u64,
}

impl Made {
    fn of(call: &Call, made: NewCredential) -> Result<Self, StsError> {
        let id = made.credential.id.to_string();
        let (Shown::SecretWithToken(secret, token), Some(expires_ms)) =
            (made.shown, made.credential.expires_ms)
        else {
            return Err(StsError::internal("a session has a token and an end"));
        };
        let session = match &made.credential.label {
            Some(name) => format!("{id}/{name}"),
            None => id.clone(),
        };
        call.made(OfSubject::one(SubjectKind::Credential, session).to_string());
        Ok(Self {
            id,
            secret,
            token,
            expires_ms,
        })
    }

    fn credentials(&self) -> Credentials<'_> {
        Credentials {
            access_key_id: &self.id,
            secret_access_key: &self.secret,
            session_token: &self.token,
            expiration_ms: self.expires_ms,
        }
    }
}

async fn made(
    sts: &Sts,
    call: &Call,
    permit: Permit<CreateOwnCredential>,
    request: CredentialRequest,
) -> Result<Made, StsError> {
    let made = sts
        .tenancy()
        .create_own_credential(permit, call.caller(), request)
        .await?;
    Made::of(call, made)
}

fn assumed_role(
    call: &Call,
    asked: &AssumeRole,
    made: &Made,
    arn: String,
    proof: Option<IdentityProof<'_>>,
) -> Result<Answer, StsError> {
    let principal = call.caller().principal();
    let role = AssumedRole {
        credentials: made.credentials(),
        arn: &arn,
        assumed_role_id: &format!("{principal}:{}", asked.session_name),
        packed_size_percent: asked
            .policy
            .as_ref()
            .map(|policy| policy.packed_size_percent),
        proof,
    };
    Ok(answer::document(role.to_xml(&call.id().to_string())))
}

/// Whether a role is one of those that the caller's covers. What the session may is judged by the
/// caller's rights as they are then, in any case.
fn may_assume(call: &Call, role: Role) -> bool {
    let limit = call.caller().narrowing().role;
    let own = match call.rights().subject {
        Subject::Member { role, .. } => Some(role),
        Subject::Organization | Subject::Agent | Subject::Nobody => None,
    };
    [limit, own]
        .into_iter()
        .flatten()
        .all(|held| held.covers(role))
}

fn narrowing(asked: &AssumeRole) -> Narrowing {
    let policies = asked.policy.iter().map(|policy| policy.policy.clone());
    Narrowing {
        policies: policies.collect(),
        ..Narrowing::NONE
    }
}

fn request(
    sts: &Sts,
    narrowing: Narrowing,
    duration_seconds: u32,
    label: Option<Label>,
) -> CredentialRequest {
    CredentialRequest {
        kind: NewCredentialKind::StsSession,
        narrowing,
        expires_ms: Some(sts.clock().now_ms() + u64::from(duration_seconds) * 1000),
        label,
    }
}

/// The session's name is its label.
fn label(asked: &AssumeRole) -> Result<Label, StsError> {
    Label::parse(asked.session_name.as_str()).map_err(StsError::internal)
}

/// An hour (STS API reference, "Role chaining").
const CHAINED_SECONDS_MAX: u32 = 3_600;
