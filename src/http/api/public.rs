use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use names::{OrgId, Slug};
use zeroize::Zeroizing;

use super::ask::{Ask, empty, json, made};
use super::problem::Problem;
use super::route::{Audience, Route};
use super::service::Api;
use super::view::{LogIn, NewMember, SessionView, SignUp, rfc_3339};
use crate::http::net::Peer;
use crate::http::pipeline::{Answer, Content, Visit};
use crate::tenancy::{Email, Label, NewAccount, NewSession, Password, TenancyError};

/// What is asked for without a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Public {
    Document,
    SignUp,
    LogIn,
    JoinAsNew,
}

pub(super) const ROUTES: &[Route] = &[
    Route::get(
        "/openapi.json",
        "GetOpenApi",
        Audience::Anybody,
        super::endpoint::Endpoint::Public(Public::Document),
        "Shows this document.",
    )
    .gives::<serde_json::Map<String, serde_json::Value>>(),
    Route::post(
        "/accounts",
        "SignUp",
        Audience::Anybody,
        super::endpoint::Endpoint::Public(Public::SignUp),
        "Makes an account with its personal organization. The answer does not tell whether there was one.",
    )
    .takes::<SignUp>()
    .accepts(),
    Route::post(
        "/sessions",
        "LogIn",
        Audience::Anybody,
        super::endpoint::Endpoint::Public(Public::LogIn),
        "Begins a session of an account in one of its organizations.",
    )
    .takes::<LogIn>()
    .makes::<SessionView<'static>>(),
    Route::post(
        "/invitations/join",
        "JoinAsNewAccount",
        Audience::Anybody,
        super::endpoint::Endpoint::Public(Public::JoinAsNew),
        "Makes an account for the address that an invitation is for, and accepts the invitation.",
    )
    .takes::<NewMember>()
    .makes::<SessionView<'static>>(),
];

pub(super) async fn answer(
    api: &Api,
    visit: &Visit,
    peer: &Peer,
    ask: &Ask,
    what: Public,
) -> Result<Answer, Problem> {
    let source = Some(peer.address.ip());
    match what {
        Public::Document => {
            let mut answer = empty(StatusCode::OK);
            let kind = http::HeaderValue::from_static("application/json");
            answer.head.headers_mut().insert(CONTENT_TYPE, kind);
            answer.content = Content::Whole(Bytes::clone(&api.document));
            Ok(answer)
        }
        Public::SignUp => {
            let SignUp {
                email,
                password,
                name,
            } = ask.json()?;
            let wish = NewAccount {
                email: email_of(&email)?,
                name: label(&name, "name")?,
                password: chosen(password)?,
            };
            api.tenancy
                .sign_up(api.sign_ups, wish, source)
                .await?;
            Ok(empty(StatusCode::ACCEPTED))
        }
        Public::LogIn => {
            let LogIn {
                email,
                password,
                organization,
            } = ask.json()?;
            let password = Password::present(Zeroizing::new(password));
            let session = match email_of(&email) {
                Ok(email) => api.tenancy.log_in(&email, password, source).await,
                // What is no address has no account.
                Err(_) => Err(TenancyError::LogInRefused),
            };
            let session = session.inspect_err(|_| visit.sign_in_refused())?;
            let session = match organization {
                Some(named) => api.switched(&session, &named).await?,
                None => session,
            };
            api.admit(visit, &session).await?;
            session_view(api, &session).await
        }
        Public::JoinAsNew => {
            let NewMember {
                token,
                name,
                password,
            } = ask.json()?;
            let token = Zeroizing::new(token);
            let session = api
                .tenancy
                .accept_invitation_as_new(
                    &token,
                    &label(&name, "name")?,
                    chosen(password)?,
                    None,
                )
                .await
                .inspect_err(|_| visit.sign_in_refused())?;
            api.admit(visit, &session).await?;
            session_view(api, &session).await
        }
    }
}

impl Api {
    /// Records that somebody signed in; a session that cannot be recorded ends at once.
    async fn admit(&self, visit: &Visit, session: &NewSession) -> Result<(), Problem> {
        let recorded = self.tenancy.record_sign_in(visit, session).await;
        if let Err(error) = recorded {
            return Err(error);
        }
        Ok(())
    }
}

/// A session with its token.
pub(super) async fn session_view(api: &Api, session: &NewSession) -> Result<Answer, Problem> {
    let _ = api;
    made(&SessionView {
        token: &session.token,
        organization: session.org.to_string(),
        slug: session.slug.as_ref().map(ToString::to_string),
        principal: session.principal.to_string(),
        expires_at: rfc_3339(session.expires_ms),
    })
}

/// An organization named by its identifier or slug.
pub(super) enum Named {
    Id(OrgId),
    Slug(Slug),
}

pub(super) fn email_of(text: &str) -> Result<Email, Problem> {
    Email::parse(text).map_err(|error| Problem::invalid(error.to_string()).at("email"))
}

pub(super) fn label(text: &str, field: &'static str) -> Result<Label, Problem> {
    Label::parse(text).map_err(|error| Problem::invalid(error.to_string()).at(field))
}

pub(super) fn chosen(text: String) -> Result<Password, Problem> {
    Password::choose(Zeroizing::new(text))
        .map_err(|error| Problem::invalid(error.to_string()).at("password"))
}
