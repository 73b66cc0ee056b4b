use std::sync::Arc;

use http::Request;
use http::Response;

use super::ask::Ask;
use super::endpoint::Endpoint;
use super::problem::Problem;
use super::route::{self, Audience, Found};
use super::{openapi, operator, public};
use crate::audit::ActivityReader;
use crate::authn::OpenId;
use crate::authz::Operator;
use crate::drive::Drive;
use crate::http::OperatorToken;
use crate::http::net::{Peer, RequestBody};
use crate::http::pipeline::{Body, Head, Pipeline, Visit};
use crate::metering::{Credits, Metering, Usage};
use crate::ops::provision::Provisioner;
use crate::ops::{Act, Administration, Destroyer, Replays};
use crate::tenancy::{SignUps, Tenancy};
use crate::vault::Vault;

/// `/api/v1`: organizations as their members, agents and the platform's operator manage them.
pub struct Api {
    pub(super) tenancy: Arc<Tenancy>,
    pub(super) administration: Arc<Administration>,
    pub(super) provisioner: Provisioner,
    pub(super) destroyer: Destroyer,
    pub(super) metering: Arc<Metering>,
    pub(super) credits: Arc<Credits>,
    pub(super) usage: Usage,
    pub(super) activity: Arc<ActivityReader>,
    pub(super) drive: Arc<Drive>,
    pub(super) replays: Replays,
    pub(super) vault: Arc<Vault>,
    pub(super) open_id: Arc<OpenId>,
    pub(super) sign_ups: SignUps,
    pub(super) document: bytes::Bytes,
    token: OperatorToken,
}

/// What the door leads to.
pub struct Parts {
    /// Organizations, accounts, members, agents, grants.
    pub tenancy: Arc<Tenancy>,
    /// What the operator does.
    pub administration: Arc<Administration>,
    /// What makes organizations from templates.
    pub provisioner: Provisioner,
    /// What destroys them.
    pub destroyer: Destroyer,
    /// What is used.
    pub metering: Arc<Metering>,
    /// What is paid with.
    pub credits: Arc<Credits>,
    /// What is used, by its parts.
    pub usage: Usage,
    /// What was done.
    pub activity: ActivityReader,
    /// Files.
    pub drive: Arc<Drive>,
    /// What was answered before.
    pub replays: Replays,
    /// Secrets.
    pub vault: Arc<Vault>,
    /// The providers by which people log in.
    pub open_id: Arc<OpenId>,
}

impl Api {
    /// Answers the operator to whoever shows `token`, and others by their own tokens.
    pub fn new(token: OperatorToken, sign_ups: SignUps, parts: Parts) -> Self {
        let Parts {
            tenancy,
            administration,
            provisioner,
            destroyer,
            metering,
            credits,
            usage,
            activity,
            drive,
            replays,
            vault,
            open_id,
        } = parts;
        Self {
            tenancy,
            administration,
            provisioner,
            destroyer,
            metering,
            credits,
            usage,
            activity: Arc::new(activity),
            drive,
            replays,
            vault,
            open_id,
            sign_ups,
            // A document of ours is always written.
            document: serde_json::to_vec(&openapi::document())
                .unwrap_or_default()
                .into(),
            token,
        }
    }

    /// Answers a request for a path of `/api/v1`, and gives others back. Without a valid token
    /// every path that is not public answers 401, before anything else of the request is looked
    /// at.
    pub async fn answer(
        &self,
        pipeline: &Arc<Pipeline>,
        request: Request<RequestBody>,
        peer: &Peer,
    ) -> Result<Response<Body>, Request<RequestBody>> {
        if !route::is_ours(request.uri().path()) {
            return Err(request);
        }
        let found = route::find(request.method(), request.uri().path());
        let is_public = matches!(
            &found,
            Found::Route(route, _) if route.audience == Audience::Anybody
        );
        if !is_public && !self.token.admits(request.headers()) {
            return Ok(Arc::clone(pipeline).answer(self, request, peer).await);
        }
        let visit = pipeline.visit(peer);
        let operation = match &found {
            Found::Route(route, _) => route.id,
            Found::OtherMethods(_) | Found::Nothing => "unknown",
        };
        let answer = match self.outside(&visit, request, peer).await {
            Ok(answer) => answer,
            Err(problem) => {
                visit.log_cause(operation, &problem);
                problem.to_answer()
            }
        };
        Ok(visit.answer(operation, answer))
    }

    /// What is asked by nobody's or the operator's right, and so in no organization's name.
    async fn outside(
        &self,
        visit: &Visit,
        request: Request<RequestBody>,
        peer: &Peer,
    ) -> Result<crate::http::pipeline::Answer, Problem> {
        let (head, body) = Head::split(request);
        let (route, segments) = match route::find(head.method(), head.path()) {
            Found::Route(route, segments) => (route, segments),
            Found::OtherMethods(allowed) => return Err(Problem::method_not_allowed(&allowed)),
            Found::Nothing => return Err(Problem::no_such_path()),
        };
        let ask = Ask::read(route, &segments, Some(head.query()), head.headers())?;
        let ask = ask.with_body(body).await?;
        match route.endpoint {
            Endpoint::Public(what) => public::answer(self, visit, peer, &ask, what).await,
            endpoint => {
                let operator = Operator::authenticated();
                let act = Act {
                    operator: &operator,
                    request_id: &visit.id().to_string(),
                    source: Some(peer.address.ip()),
                };
                operator::answer(self, &act, &ask, endpoint).await
            }
        }
    }
}
