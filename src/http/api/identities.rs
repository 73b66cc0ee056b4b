//! Identities at OpenID providers: by which accounts log in, and by which agents get sessions.

use zeroize::Zeroizing;

use super::ask::{Ask, done, shown};
use super::endpoint::Endpoint;
use super::identity_view::{BegunView, IdentityRequest, IdentityView, LogInBegin, LogInReturned};
use super::problem::Problem;
use super::public::session_view;
use super::route::{Audience, Parameter, ParameterKind, Route};
use super::service::Api;
use super::view::PageView;
use crate::audit::SignInMethod;
use crate::authn::Returned;
use crate::authz::{Action, Identity, ManageAgents, OfSubject, ReadAgents, SubjectKind};
use crate::http::net::Peer;
use crate::http::pipeline::{Answer, Call, Visit};
use crate::tenancy::SignedIn;

/// What is asked about identities with a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Identities {
    ListOwn,
    LinkOwn,
    UnlinkOwn,
    ListAgents,
    LinkAgent,
    UnlinkAgent,
}

const AGENT: Option<SubjectKind> = Some(SubjectKind::Agent);
const ONE: &[Parameter] = &[
    Parameter {
        name: "issuer",
        about: "The provider, as its tokens name it.",
        kind: ParameterKind::Text,
    },
    Parameter {
        name: "subject",
        about: "Its name for whoever it vouches for.",
        kind: ParameterKind::Text,
    },
];

pub(super) const ROUTES: &[Route] = &[
    Route::get(
        "/account/identities",
        "ListIdentities",
        Audience::Account,
        Endpoint::Identities(Identities::ListOwn),
        "Lists the identities by which the account logs in.",
    )
    .gives::<PageView<IdentityView>>(),
    Route::post(
        "/account/identities",
        "LinkIdentity",
        Audience::Account,
        Endpoint::Identities(Identities::LinkOwn),
        "Links the identity that a log-in at a provider proved: the account logs in by it, too.",
    )
    .takes::<LogInReturned>(),
    Route::delete(
        "/account/identities",
        "UnlinkIdentity",
        Audience::Account,
        Endpoint::Identities(Identities::UnlinkOwn),
        "Takes an identity from the account, unless it could not log in without.",
    )
    .asks(ONE),
    Route::get(
        "/organizations/{org}/agents/{agent}/identities",
        "ListAgentIdentities",
        Audience::Organization,
        Endpoint::Identities(Identities::ListAgents),
        "Lists the identities by which an agent gets sessions of STS.",
    )
    .does(ReadAgents::NAME, AGENT)
    .gives::<PageView<IdentityView>>(),
    Route::post(
        "/organizations/{org}/agents/{agent}/identities",
        "LinkAgentIdentity",
        Audience::Organization,
        Endpoint::Identities(Identities::LinkAgent),
        "Lets whoever proves an identity, by a token for this organization, act as an agent.",
    )
    .does(ManageAgents::NAME, AGENT)
    .takes::<IdentityRequest>(),
    Route::delete(
        "/organizations/{org}/agents/{agent}/identities",
        "UnlinkAgentIdentity",
        Audience::Organization,
        Endpoint::Identities(Identities::UnlinkAgent),
        "Takes an identity from an agent, and ends the sessions that the agent got by it.",
    )
    .does(ManageAgents::NAME, AGENT)
    .asks(ONE),
];

pub(super) async fn answer(
    api: &Api,
    call: &Call,
    ask: &Ask,
    what: Identities,
) -> Result<Answer, Problem> {
    let tenancy = &api.tenancy;
    let agent = || OfSubject::one(SubjectKind::Agent, ask.segment("agent"));
    match what {
        Identities::ListOwn => {
            let linked = tenancy.identities(&signed_in(call)?).await?;
            listed(linked.iter().map(IdentityView::from).collect())
        }
        Identities::LinkOwn => {
            let signed_in = signed_in(call)?;
            let identity = api.proven(&ask.json()?).await?;
            tenancy.link_identity(&signed_in, &identity).await?;
            Ok(done())
        }
        Identities::UnlinkOwn => {
            let (issuer, subject) = one(ask)?;
            let signed_in = signed_in(call)?;
            tenancy.unlink_identity(&signed_in, issuer, subject).await?;
            Ok(done())
        }
        Identities::ListAgents => {
            let permit = call.permit::<ReadAgents>(agent())?;
            let linked = tenancy.agent_identities(permit).await?;
            listed(linked.iter().map(IdentityView::from).collect())
        }
        Identities::LinkAgent => {
            let IdentityRequest { issuer, subject } = ask.json()?;
            for (text, name) in [(&issuer, "issuer"), (&subject, "subject")] {
                if !(1..=NAME_BYTES_MAX).contains(&text.len()) {
                    return Err(Problem::invalid("has 1 to 255 bytes").at(name));
                }
            }
            let permit = call.permit::<ManageAgents>(agent())?;
            tenancy
                .link_agent_identity(permit, &issuer, &subject)
                .await?;
            Ok(done())
        }
        Identities::UnlinkAgent => {
            let (issuer, subject) = one(ask)?;
            let permit = call.permit::<ManageAgents>(agent())?;
            tenancy
                .unlink_agent_identity(permit, issuer, subject)
                .await?;
            Ok(done())
        }
    }
}

/// Begins a log-in at a provider.
pub(super) async fn begin(api: &Api, ask: &Ask) -> Result<Answer, Problem> {
    let LogInBegin {
        provider,
        redirect_uri,
    } = ask.json()?;
    let begun = api.open_id.begin(&provider, &redirect_uri).await?;
    shown(&BegunView {
        authorization_url: &begun.authorization_url,
        ticket: &begun.ticket,
    })
}

/// Begins a session for whoever comes back from a provider. Attempts are counted by where they come
/// from, together with those to log in by a password.
pub(super) async fn log_in(
    api: &Api,
    visit: &Visit,
    peer: &Peer,
    ask: &Ask,
) -> Result<Answer, Problem> {
    let source = peer.address.ip();
    let counted = api.tenancy.begin_attempt(source);
    counted.inspect_err(|_| visit.sign_in_refused())?;
    let returned: LogInReturned = ask.json()?;
    let identity = api
        .proven(&returned)
        .await
        .inspect_err(|_| visit.sign_in_refused())?;
    let session = api.tenancy.log_in_by_identity(&identity).await;
    let session = session.inspect_err(|_| visit.sign_in_refused())?;
    api.tenancy.attempt_succeeded(source);
    let session = match &returned.organization {
        Some(named) => api.session_elsewhere(visit, session, named).await?,
        None => session,
    };
    visit
        .admit::<Problem>(&session.token, SignInMethod::Oidc)
        .await?;
    session_view(&session)
}

impl Api {
    /// The identity that a log-in proved.
    async fn proven(&self, returned: &LogInReturned) -> Result<Identity, Problem> {
        let code = Zeroizing::new(returned.code.clone());
        let came = Returned {
            redirect_uri: &returned.redirect_uri,
            ticket: &returned.ticket,
            state: &returned.state,
            code: &code,
        };
        Ok(self.open_id.finish(&returned.provider, &came).await?)
    }
}

fn signed_in(call: &Call) -> Result<SignedIn, Problem> {
    SignedIn::of(call.caller())
        .ok_or_else(|| Problem::not_for_you("this takes an account's session"))
}

/// The one that a query names.
fn one(ask: &Ask) -> Result<(&str, &str), Problem> {
    let named = |name: &'static str| {
        ask.parameter(name)
            .ok_or_else(|| Problem::invalid("the query has to name it").at(name))
    };
    Ok((named("issuer")?, named("subject")?))
}

fn listed(items: Vec<IdentityView>) -> Result<Answer, Problem> {
    shown(&PageView { items, next: None })
}

/// What subjects have (OpenID Connect Core 1.0, section 2).
const NAME_BYTES_MAX: usize = 255;
