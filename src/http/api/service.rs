use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;
use names::{AccessKeyId, OrgId, Slug};
use serde::Serialize;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::body;
use super::error::Problem;
use super::page::Page;
use super::route::{self, Endpoint, Found, ROOT, Segments};
use super::view::{
    AccessKeyView, AccessKeysView, NewAccessKeyRequest, NewAccessKeyView, NewOrganizationRequest,
    OrganizationView, OrganizationsView,
};
use crate::authz::Operator;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::http::OperatorToken;
use crate::ops::{Act, Administration};
use crate::tenancy::Ownership;

/// `/api/v1`, for the operator alone.
pub struct Admin {
    token: OperatorToken,
    administration: Arc<Administration>,
    clock: Clock,
    entropy: Entropy,
}

type Answer = Result<Response<Full<Bytes>>, Problem>;

impl Admin {
    /// Answers whoever shows `token`.
    pub fn new(
        token: OperatorToken,
        administration: Arc<Administration>,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        Self {
            token,
            administration,
            clock,
            entropy,
        }
    }

    /// Answers a request for a path of `/api/v1`, and leaves others alone. Without the operator's
    /// token every path there answers 401, before anything else of the request is looked at.
    ///
    /// Every answer carries the identifier under which its act stands in the activity log.
    pub async fn answer<B>(
        &self,
        request: Request<B>,
        source: Option<IpAddr>,
    ) -> Option<Response<Full<Bytes>>>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        if !route::is_ours(request.uri().path()) {
            return None;
        }
        let request_id = Uuid::from_bytes(self.entropy.uuid_v7(self.clock.now_ms())).to_string();
        let answer = if self.token.admits(request.headers()) {
            let operator = Operator::authenticated();
            let act = Act {
                operator: &operator,
                request_id: &request_id,
                source,
            };
            self.dispatch(&act, request).await
        } else {
            Err(Problem::unauthorized())
        };
        let mut response = answer.unwrap_or_else(Problem::into_response);
        if let Ok(id) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        Some(response)
    }

    async fn dispatch<B>(&self, act: &Act<'_>, request: Request<B>) -> Answer
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let (head, body) = request.into_parts();
        let (endpoint, segments) = match route::find(&head.method, head.uri.path()) {
            Found::Endpoint(endpoint, segments) => (endpoint, segments),
            Found::OtherMethods(allowed) => return Err(Problem::method_not_allowed(&allowed)),
            Found::Nothing => return Err(Problem::no_such_path()),
        };
        let query = head.uri.query();
        let takes_page = matches!(
            endpoint,
            Endpoint::ListOrganizations | Endpoint::ListAccessKeys
        );
        if !takes_page && query.is_some_and(|query| !query.is_empty()) {
            return Err(Problem::invalid("this takes no query"));
        }
        match endpoint {
            Endpoint::CreateOrganization => {
                let request = body::json(&head.headers, body).await?;
                self.create_organization(act, request).await
            }
            Endpoint::CreateAccessKey => {
                let request = body::json(&head.headers, body).await?;
                self.create_access_key(act, &slug(segments)?, request).await
            }
            Endpoint::ListOrganizations => {
                body::nothing(body).await?;
                self.list_organizations(act, query).await
            }
            Endpoint::ShowOrganization => {
                body::nothing(body).await?;
                let shown = self
                    .administration
                    .organization(act, &slug(segments)?)
                    .await?;
                json(StatusCode::OK, &OrganizationView::from(&shown))
            }
            Endpoint::ChangeState(transition) => {
                body::nothing(body).await?;
                let changed = self
                    .administration
                    .change_state(act, &slug(segments)?, transition)
                    .await?;
                json(StatusCode::OK, &OrganizationView::from(&changed))
            }
            Endpoint::ListAccessKeys => {
                body::nothing(body).await?;
                self.list_access_keys(act, &slug(segments)?, query).await
            }
            Endpoint::RevokeAccessKey => {
                body::nothing(body).await?;
                let id = AccessKeyId::parse(segments.id);
                let id = id.map_err(|_| Problem::no_such_access_key())?;
                self.administration
                    .revoke_access_key(act, &slug(segments)?, &id)
                    .await?;
                Ok(empty(StatusCode::NO_CONTENT))
            }
        }
    }

    async fn create_organization(&self, act: &Act<'_>, request: NewOrganizationRequest) -> Answer {
        let slug =
            Slug::parse(&request.slug).map_err(|error| Problem::invalid(error.to_string()))?;
        let location = HeaderValue::from_str(&format!("{ROOT}/organizations/{slug}"))
            .map_err(|_| Problem::internal())?;
        let made = self
            .administration
            .create_organization(act, slug, Ownership::Provisioned)
            .await?;
        let mut response = json(StatusCode::CREATED, &OrganizationView::from(&made))?;
        response.headers_mut().insert(LOCATION, location);
        Ok(response)
    }

    async fn list_organizations(&self, act: &Act<'_>, query: Option<&str>) -> Answer {
        let page = Page::of(query, |after| after.parse::<OrgId>().ok())?;
        let found = self
            .administration
            .organizations(act, page.after, page.max())
            .await?;
        let (shown, next) = page.cut(found, |organization| organization.org.to_string());
        let organizations = shown.iter().map(OrganizationView::from).collect();
        json(
            StatusCode::OK,
            &OrganizationsView {
                organizations,
                next,
            },
        )
    }

    async fn create_access_key(
        &self,
        act: &Act<'_>,
        slug: &Slug,
        request: NewAccessKeyRequest,
    ) -> Answer {
        let recorded = self
            .administration
            .record_access_key(act, slug, request.scope.into())
            .await?;
        let made = self.administration.activate(act, recorded).await?;
        json(StatusCode::CREATED, &NewAccessKeyView::from(&made))
    }

    async fn list_access_keys(&self, act: &Act<'_>, slug: &Slug, query: Option<&str>) -> Answer {
        let page = Page::of(query, |after| AccessKeyId::parse(after).ok())?;
        let found = self
            .administration
            .access_keys(act, slug, page.after.as_ref(), page.max())
            .await?;
        let (shown, next) = page.cut(found, |key| key.id.to_string());
        let access_keys = shown.iter().map(AccessKeyView::from).collect();
        json(StatusCode::OK, &AccessKeysView { access_keys, next })
    }
}

/// A segment that is no slug names no organization.
fn slug(segments: Segments<'_>) -> Result<Slug, Problem> {
    Slug::parse(segments.slug).map_err(|_| Problem::no_such_organization())
}

/// The body is wiped once it has been sent: it may hold a secret.
fn json(status: StatusCode, value: &impl Serialize) -> Answer {
    // A size that no single view exceeds, so that no copy of a secret is left behind by growing.
    let mut bytes = Zeroizing::new(Vec::with_capacity(1024));
    serde_json::to_writer(&mut *bytes, value).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written");
        Problem::internal()
    })?;
    let mut response = empty(status);
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    *response.body_mut() = Full::new(Bytes::from_owner(bytes));
    Ok(response)
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, no_store);
    response
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
