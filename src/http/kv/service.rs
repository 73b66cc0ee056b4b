use std::sync::Arc;

use http::{Request, Response};
use wire::kv::Target;

use super::error::KvError;
use super::routes::{Operation, Route};
use super::{system, token};
use crate::clock::Clock;
use crate::http::net::{Peer, RequestBody};
use crate::http::pipeline::{Answer, Body, Head, Pipeline, Visit};
use crate::tenancy::Tenancy;
use crate::vault::Vault;

/// `/v1`: secrets, as HashiCorp Vault's clients ask for them.
pub struct Kv {
    pub(super) vault: Arc<Vault>,
    pub(super) tenancy: Arc<Tenancy>,
    pub(super) clock: Clock,
}

impl Kv {
    /// Answers from `vault`.
    pub fn new(vault: Arc<Vault>, tenancy: Arc<Tenancy>, clock: Clock) -> Self {
        Self {
            vault,
            tenancy,
            clock,
        }
    }

    /// Answers a request for a path of `/v1`, and gives others back. But for log-ins and what tells
    /// whether the server works, every path answers alike without a valid token.
    pub async fn answer(
        &self,
        pipeline: &Arc<Pipeline>,
        request: Request<RequestBody>,
        peer: &Peer,
    ) -> Result<Response<Body>, Request<RequestBody>> {
        let Some(path) = below_root(request.uri().path()) else {
            return Err(request);
        };
        let place = Target::parse(path).map(|target| target.place());
        let route = place.map(|place| Route::of(place, request.method().as_str()));
        match route {
            Ok(Ok(route)) if route.action.is_none() => {
                let visit = pipeline.visit(peer);
                let (head, body) = Head::split(request);
                let is_head = *head.method() == http::Method::HEAD;
                let answered = self
                    .outside(&visit, &head, body, peer, route.operation)
                    .await;
                let answer = answered.unwrap_or_else(|error| {
                    visit.log_cause(route.name, &error);
                    error.to_answer(is_head)
                });
                Ok(visit.answer(route.name, answer))
            }
            _ => Ok(Arc::clone(pipeline).answer(self, request, peer).await),
        }
    }

    /// What is asked by nobody's right, and so in no organization's name.
    async fn outside(
        &self,
        visit: &Visit,
        head: &Head,
        body: RequestBody,
        peer: &Peer,
        operation: Operation,
    ) -> Result<Answer, KvError> {
        match operation {
            Operation::LogIn => token::log_in(self, visit, head, body, peer).await,
            Operation::ReadHealth => system::health(self.clock.now_ms()),
            Operation::ReadSealStatus => system::seal_status(),
            Operation::ReadInit => system::init(),
            Operation::ReadLeader => system::leader(),
            _ => Err(KvError::not_found()),
        }
    }
}

/// What stands below `/v1/`, if the path is one of ours.
pub(super) fn below_root(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(ROOT)?;
    if rest.is_empty() {
        Some(rest)
    } else {
        rest.strip_prefix('/')
    }
}

const ROOT: &str = "/v1";
