use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use names::OrgId;
use zeroize::Zeroizing;

use super::account_view::{LogIn, NewMember, SessionView, SignUp};
use super::ask::{Ask, made};
use super::endpoint::Endpoint;
use super::identities;
use super::identity_view::{BegunView, LogInBegin, LogInReturned};
use super::problem::Problem;
use super::route::{Audience, Route};
use super::secret_view::{OpenedShareView, ShareOpening};
use super::service::Api;
use super::shares;
use super::view::rfc_3339;
use crate::audit::SignInMethod;
use crate::http::net::Peer;
use crate::http::pipeline::{Answer, Content, Visit};
use crate::tenancy::{
    Email, Label, NewAccount, NewSession, Password, Seat, SignedIn, TenancyError,
};

/// What is asked for without a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Public {
    Document,
    SignUp,
    LogIn,
    JoinAsNew,
    OpenShare,
    BeginOidc,
    LogInByOidc,
}

pub(super) const ROUTES: &[Route] = &[
    Route::get(
        "/openapi.json",
        "GetOpenApi",
        Audience::Anybody,
        Endpoint::Public(Public::Document),
        "Shows this document.",
    )
    .gives::<serde_json::Map<String, serde_json::Value>>(),
    Route::post(
        "/accounts",
        "SignUp",
        Audience::Anybody,
        Endpoint::Public(Public::SignUp),
        "Makes an account with its personal organization. The answer does not tell whether there was one.",
    )
    .takes::<SignUp>()
    .accepts(),
    Route::post(
        "/sessions",
        "LogIn",
        Audience::Anybody,
        Endpoint::Public(Public::LogIn),
        "Begins a session of an account in one of its organizations.",
    )
    .takes::<LogIn>()
    .makes::<SessionView<'static>>(),
    Route::post(
        "/invitations/join",
        "JoinAsNewAccount",
        Audience::Anybody,
        Endpoint::Public(Public::JoinAsNew),
        "Makes an account for the address that an invitation is for, and accepts the invitation.",
    )
    .takes::<NewMember>()
    .makes::<SessionView<'static>>(),
    Route::post(
        "/shares/open",
        "OpenShare",
        Audience::Anybody,
        Endpoint::Public(Public::OpenShare),
        "Opens a share link, once. Unknown, ended, revoked and opened before answer alike.",
    )
    .takes::<ShareOpening>()
    .gives::<OpenedShareView<'static>>(),
    Route::post(
        "/sessions/oidc/begin",
        "BeginOidcLogIn",
        Audience::Anybody,
        Endpoint::Public(Public::BeginOidc),
        "Begins a log-in at an OpenID provider: tells where the person goes, and what to keep meanwhile.",
    )
    .takes::<LogInBegin>()
    .gives::<BegunView<'static>>(),
    Route::post(
        "/sessions/oidc",
        "LogInByOidc",
        Audience::Anybody,
        Endpoint::Public(Public::LogInByOidc),
        "Begins a session of the account whose identity a log-in at an OpenID provider proved.",
    )
    .takes::<LogInReturned>()
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
            let mut answer = Answer::empty(StatusCode::OK);
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
            api.tenancy.sign_up(api.sign_ups, wish, source).await?;
            Ok(Answer::empty(StatusCode::ACCEPTED))
        }
        Public::LogIn => {
            let LogIn {
                email,
                password,
                organization,
            } = ask.json()?;
            let password = Password::present(Zeroizing::new(password));
            let session = match Email::parse(&email) {
                Ok(email) => api.tenancy.log_in(&email, password, source).await,
                // What is no address has no account.
                Err(_) => Err(TenancyError::LogInRefused),
            };
            let session = session.inspect_err(|_| visit.sign_in_refused())?;
            let session = match organization {
                Some(named) => api.session_elsewhere(visit, session, &named).await?,
                None => session,
            };
            visit
                .admit::<Problem>(&session.token, SignInMethod::Password)
                .await?;
            session_view(&session)
        }
        Public::OpenShare => shares::open(api, visit, peer, ask).await,
        Public::BeginOidc => identities::begin(api, ask).await,
        Public::LogInByOidc => identities::log_in(api, visit, peer, ask).await,
        Public::JoinAsNew => {
            let NewMember {
                token,
                name,
                password,
            } = ask.json()?;
            let (token, password) = (Zeroizing::new(token), chosen(password)?);
            let session = api
                .tenancy
                .accept_invitation_as_new(&token, &label(&name, "name")?, password)
                .await
                .inspect_err(|_| visit.sign_in_refused())?;
            visit
                .admit::<Problem>(&session.token, SignInMethod::Password)
                .await?;
            session_view(&session)
        }
    }
}

impl Api {
    /// Changes the session of a log-in for one in the organization that was named.
    pub(super) async fn session_elsewhere(
        &self,
        visit: &Visit,
        session: NewSession,
        named: &str,
    ) -> Result<NewSession, Problem> {
        let caller = visit.caller::<Problem>(&session.token).await?;
        let signed_in = SignedIn::of(&caller).ok_or_else(Problem::unauthorized)?;
        let switched = match self.seat_named(&signed_in, named).await {
            Ok(org) if org == session.org => return Ok(session),
            Ok(org) => self.tenancy.switch(&signed_in, org).await,
            Err(error) => Err(error),
        };
        self.tenancy.log_out(&signed_in).await?;
        Ok(switched?)
    }

    /// The organization of an account that a text names, by slug or identifier. One that does not
    /// exist and one that the account is no member of are alike.
    pub(super) async fn seat_named(
        &self,
        signed_in: &SignedIn,
        named: &str,
    ) -> Result<OrgId, TenancyError> {
        let mut after = None;
        loop {
            let seats = self.tenancy.seats(signed_in, after, PAGE).await?;
            let is_named = |seat: &&Seat| {
                let slug = seat
                    .details
                    .as_ref()
                    .and_then(|details| details.slug.as_ref());
                seat.org.to_string() == named || slug.is_some_and(|slug| slug.as_str() == named)
            };
            if let Some(seat) = seats.iter().find(is_named) {
                return Ok(seat.org);
            }
            match seats.last() {
                Some(last) if seats.len() == PAGE as usize => after = Some(last.org),
                _ => return Err(TenancyError::NoSuchOrganization),
            }
        }
    }
}

/// A session with its token.
pub(super) fn session_view(session: &NewSession) -> Result<Answer, Problem> {
    made(&SessionView {
        token: &session.token,
        organization: session.org.to_string(),
        slug: session.slug.as_ref().map(ToString::to_string),
        principal: session.principal.to_string(),
        expires_at: rfc_3339(session.expires_ms),
    })
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

/// How many rows are read at a time.
const PAGE: u32 = 100;
