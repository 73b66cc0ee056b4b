use http::header::AUTHORIZATION;
use names::{OrgId, Slug};
use percent_encoding::percent_decode_str;

use super::ask::Ask;
use super::endpoint::Endpoint;
use super::problem::Problem;
use super::route::{self, Audience, Found, Route, Segments};
use super::service::Api;
use super::{
    account, agents, billing, credentials, grants, identities, organization, people, plans,
    secrets, shares, usage,
};
use crate::authn::Authn;
use crate::authz::{
    Access, Action, Caller, ExportOrganization, OfSubject, RevealSecret, action_named,
};
use crate::http::net::RequestBody;
use crate::http::pipeline::{Answer, Call, Deed, Door, Head, Intent, Read, Refused};

/// What callers of an organization ask for: through the pipeline, as everywhere.
impl Door for Api {
    type Asked = Ask;
    type Proof = ();
    type Error = Problem;

    async fn authenticate(
        &self,
        authn: &Authn,
        head: &Head,
        _: &mut RequestBody,
    ) -> Result<(Caller, ()), Problem> {
        let mut fields = head.headers().get_all(AUTHORIZATION).iter();
        let (Some(field), None) = (fields.next(), fields.next()) else {
            return Err(Problem::unauthorized());
        };
        let token = field.to_str().ok().and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token)
        });
        let token = token.ok_or_else(Problem::unauthorized)?;
        Ok((authn.bearer(token).await?, ()))
    }

    fn read(&self, head: &Head, (): &()) -> Result<Read<Ask>, Problem> {
        match route::find(head.method(), head.path()) {
            Found::Route(route, segments) => Ok(Read {
                organization: None,
                deed: deed(route, &segments),
                asked: Ask::read(route, &segments, Some(head.query()), head.headers())?,
            }),
            Found::OtherMethods(allowed) => Err(Problem::method_not_allowed(&allowed)),
            Found::Nothing => Err(Problem::no_such_path()),
        }
    }

    async fn perform(
        &self,
        call: &Call,
        (): (),
        ask: Ask,
        _: Head,
        body: RequestBody,
    ) -> Result<Answer, Problem> {
        match ask.route.audience {
            Audience::Operator => {
                return Err(Problem::not_for_you("this is for the platform's operator"));
            }
            Audience::Organization | Audience::OperatorOrOrganization => {
                self.check_organization(call.caller(), ask.segment("org"))
                    .await?;
            }
            Audience::Account | Audience::Anybody => {}
        }
        let ask = ask.with_body(body).await?;
        self.once(call, ask).await
    }

    fn refuse(&self, _: &Refused<'_>, error: &Problem) -> Answer {
        error.to_answer()
    }
}

impl Api {
    /// Does what was asked, now.
    pub(super) async fn dispatch(&self, call: &Call, ask: &Ask) -> Result<Answer, Problem> {
        let outcome = match ask.route.endpoint {
            Endpoint::Account(what) => account::answer(self, call, ask, what).await,
            Endpoint::Organization(what) => organization::answer(self, call, ask, what).await,
            Endpoint::People(what) => people::answer(self, call, ask, what).await,
            Endpoint::Agents(what) => agents::answer(self, call, ask, what).await,
            Endpoint::Grants(what) => grants::answer(self, call, ask, what).await,
            Endpoint::Credentials(what) => credentials::answer(self, call, ask, what).await,
            Endpoint::Usage(what) => usage::answer(self, call, ask, what).await,
            Endpoint::Secrets(what) => secrets::answer(self, call, ask, what).await,
            Endpoint::Shares(what) => shares::answer(self, call, ask, what).await,
            Endpoint::Billing(what) => billing::answer(self, call, ask, what).await,
            Endpoint::Plans(what) => plans::answer(self, call, what).await,
            Endpoint::Identities(what) => identities::answer(self, call, ask, what).await,
            Endpoint::Public(_) | Endpoint::Operator(_) => Err(Problem::no_such_path()),
        };
        match ask.if_match()? {
            Some(_) => outcome.map_err(Problem::of_condition),
            None => outcome,
        }
    }

    /// The path names the caller's own organization, by slug or identifier: another's and nobody's
    /// answer alike, after the same work.
    async fn check_organization(&self, caller: &Caller, named: &str) -> Result<(), Problem> {
        let is_own = match named.parse::<OrgId>() {
            Ok(org) => org == caller.org() && org.to_string() == named,
            Err(_) => match Slug::parse(named) {
                Ok(slug) => self.tenancy.is_named(caller, &slug).await?,
                Err(_) => false,
            },
        };
        if is_own {
            Ok(())
        } else {
            Err(Problem::no_such_organization())
        }
    }
}

/// What is asked for, as the activity log holds it. Whatever changes something stands there before
/// it is done, and whatever shows a secret before it is shown.
fn deed(route: &'static Route, segments: &Segments<'_>) -> Deed {
    let last = route.segment_names().filter(|name| *name != "org").last();
    let secret = segments.named("secret");
    let resource = match route.subject {
        Some(kind) => match last {
            Some(name) => OfSubject::one(kind, segments.named(name)).to_string(),
            None => OfSubject::all(kind).to_string(),
        },
        None if !secret.is_empty() => {
            format!("secret:{}", percent_decode_str(secret).decode_utf8_lossy())
        }
        None => "*".to_owned(),
    };
    let access = action_named(route.action).map(|action| action.access);
    Deed {
        operation: route.id,
        action: route.action,
        resource,
        intent: match access {
            _ if route.action == RevealSecret::NAME => Intent::Durable,
            // It reads all that there is: that stands in the log before the first byte leaves.
            _ if route.action == ExportOrganization::NAME => Intent::Durable,
            Some(Access::Read | Access::Record) => Intent::None,
            Some(Access::Write | Access::Govern) => Intent::Durable,
            None if route.method == http::Method::GET => Intent::None,
            None => Intent::Durable,
        },
    }
}
