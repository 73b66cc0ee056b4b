use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use reqwest::Url;
use reqwest::redirect::Policy;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::error::RemoteError;
use super::path::ApiPath;
use super::reach::Reach;
use crate::http::api::ROOT;

/// Asks one server, as one caller.
pub(in crate::cli) struct Client {
    http: reqwest::Client,
    base: Url,
    /// `Bearer …`, or nothing before a log-in.
    authorization: Option<HeaderValue>,
    is_operator: bool,
    organization: OnceCell<String>,
}

/// The parameters of a query, those that are set.
pub(in crate::cli) type Query<'a> = &'a [(&'a str, Option<String>)];

/// What is asked of a server.
struct Request<'a, B> {
    method: Method,
    path: &'a ApiPath,
    query: Query<'a>,
    body: Option<&'a B>,
    /// On what condition: the version that a change is to meet, or the key of what is done once.
    condition: Option<(HeaderName, HeaderValue)>,
}

/// Problem details (RFC 9457), as far as they are shown here.
#[derive(Deserialize)]
struct Told {
    detail: String,
    code: String,
    field: Option<String>,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Value>,
    next: Option<String>,
}

impl Client {
    /// Makes a client; nothing is sent yet.
    pub(in crate::cli) fn new(reach: Reach) -> Result<Self, RemoteError> {
        let base = reach.base()?;
        let not_reached = |source| RemoteError::NotReached {
            url: base.to_string(),
            source,
        };
        let http = reqwest::Client::builder()
            .user_agent(concat!("bulkhead/", env!("CARGO_PKG_VERSION")))
            // A server that sends callers elsewhere would send their tokens there.
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .tls_certs_merge(reach.certificates()?)
            .build()
            .map_err(not_reached)?;
        let token = reach.token.as_ref().map(|token| token.expose());
        let is_operator = token.is_some_and(|token| names::Bearer::parse(token).is_err());
        let authorization = token
            .map(|token| {
                let field = Zeroizing::new(format!("Bearer {token}"));
                let mut field = HeaderValue::from_str(&field)
                    .map_err(|_| RemoteError::Unauthorized(base.to_string()))?;
                field.set_sensitive(true);
                Ok::<_, RemoteError>(field)
            })
            .transpose()?;
        Ok(Self {
            http,
            base,
            authorization,
            is_operator,
            organization: OnceCell::new_with(reach.organization),
        })
    }

    /// Whether the token is no member's and no agent's, and so can only be the operator's.
    pub(in crate::cli) fn is_operator(&self) -> bool {
        self.is_operator
    }

    /// The organization that is meant: the one that is named, the profile's, or the one that the
    /// token is for.
    pub(in crate::cli) async fn organization(&self) -> Result<&str, RemoteError> {
        let of_token = || async {
            if self.is_operator {
                return Err(RemoteError::NoOrganization);
            }
            let caller = self.get(&ApiPath::of(&["self"])?).await?;
            let organization = caller["organization"].as_str();
            organization
                .map(str::to_owned)
                .ok_or_else(|| self.not_bulkhead(StatusCode::OK))
        };
        let organization = self.organization.get_or_try_init(of_token).await?;
        Ok(organization)
    }

    /// A path below the organization that is meant.
    pub(in crate::cli) async fn below(&self, segments: &[&str]) -> Result<ApiPath, RemoteError> {
        let front = ["organizations", self.organization().await?];
        ApiPath::of(&[&front, segments].concat())
    }

    pub(in crate::cli) async fn get(&self, path: &ApiPath) -> Result<Value, RemoteError> {
        self.ask(Method::GET, path, &[], None::<&()>).await
    }

    pub(in crate::cli) async fn get_with(
        &self,
        path: &ApiPath,
        query: Query<'_>,
    ) -> Result<Value, RemoteError> {
        self.ask(Method::GET, path, query, None::<&()>).await
    }

    /// POST without a body.
    pub(in crate::cli) async fn post(&self, path: &ApiPath) -> Result<Value, RemoteError> {
        self.ask(Method::POST, path, &[], None::<&()>).await
    }

    pub(in crate::cli) async fn send(
        &self,
        method: Method,
        path: &ApiPath,
        body: &impl Serialize,
    ) -> Result<Value, RemoteError> {
        self.ask(method, path, &[], Some(body)).await
    }

    /// POST under a key: what was done under it before is not done again, but gone on with.
    pub(in crate::cli) async fn send_once(
        &self,
        key: &str,
        path: &ApiPath,
        body: &Value,
    ) -> Result<Value, RemoteError> {
        let key = HeaderValue::from_str(key).map_err(|_| RemoteError::NoName(key.to_owned()))?;
        let request = Request {
            method: Method::POST,
            body: Some(body),
            condition: Some((IDEMPOTENCY_KEY, key)),
            ..Request::get(path, &[])
        };
        let (_, text) = self.exchange(request).await?;
        self.parsed(&text)
    }

    /// PUT without a body.
    pub(in crate::cli) async fn put(&self, path: &ApiPath) -> Result<Value, RemoteError> {
        self.ask(Method::PUT, path, &[], None::<&()>).await
    }

    pub(in crate::cli) async fn delete(&self, path: &ApiPath) -> Result<Value, RemoteError> {
        self.ask(Method::DELETE, path, &[], None::<&()>).await
    }

    pub(in crate::cli) async fn delete_with(
        &self,
        path: &ApiPath,
        query: Query<'_>,
    ) -> Result<Value, RemoteError> {
        self.ask(Method::DELETE, path, query, None::<&()>).await
    }

    /// Puts what `changed` makes of what stands there, if that still stands there then.
    pub(in crate::cli) async fn edit(
        &self,
        path: &ApiPath,
        changed: impl FnOnce(Value) -> Value,
    ) -> Result<Value, RemoteError> {
        let (fields, text) = self.exchange(Request::get(path, &[])).await?;
        let stands = self.parsed(&text)?;
        let request = Request {
            method: Method::PUT,
            body: Some(&changed(stands)),
            condition: fields.get(ETAG).map(|tag| (IF_MATCH, tag.clone())),
            ..Request::get(path, &[])
        };
        let (_, text) = self.exchange(request).await?;
        self.parsed(&text)
    }

    /// What is answered, as it is: a file that is no JSON of ours.
    pub(in crate::cli) async fn file(
        &self,
        path: &ApiPath,
        query: Query<'_>,
    ) -> Result<Bytes, RemoteError> {
        let (_, text) = self.exchange(Request::get(path, query)).await?;
        Ok(text)
    }

    /// Everything on all pages of a list.
    pub(in crate::cli) async fn all(
        &self,
        path: &ApiPath,
        query: Query<'_>,
    ) -> Result<Vec<Value>, RemoteError> {
        let mut all = Vec::new();
        let mut after = None;
        loop {
            let mut asked = query.to_vec();
            asked.push(("after", after));
            let page = self.page(path, &asked).await?;
            all.extend(page.items);
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }

    /// Everything on a list that is not paged.
    pub(in crate::cli) async fn all_at_once(
        &self,
        path: &ApiPath,
        query: Query<'_>,
    ) -> Result<Vec<Value>, RemoteError> {
        let page = self.page(path, query).await?;
        Ok(page.items)
    }

    async fn page(&self, path: &ApiPath, query: Query<'_>) -> Result<Page, RemoteError> {
        let answer = self.get_with(path, query).await?;
        serde_json::from_value(answer).map_err(|_| self.not_bulkhead(StatusCode::OK))
    }

    async fn ask<B: Serialize>(
        &self,
        method: Method,
        path: &ApiPath,
        query: Query<'_>,
        body: Option<&B>,
    ) -> Result<Value, RemoteError> {
        let request = Request {
            method,
            path,
            query,
            body,
            condition: None,
        };
        let (_, text) = self.exchange(request).await?;
        self.parsed(&text)
    }

    /// What is answered, if that is no refusal.
    async fn exchange<B: Serialize>(
        &self,
        asked: Request<'_, B>,
    ) -> Result<(HeaderMap, Bytes), RemoteError> {
        let address = self.address(asked.path, asked.query);
        let mut request = self.http.request(asked.method, address);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        if let Some((name, value)) = asked.condition {
            request = request.header(name, value);
        }
        if let Some(body) = asked.body {
            // Wiped once it has been sent: it may hold a secret.
            let text = Zeroizing::new(serde_json::to_vec(body).map_err(RemoteError::Unwritable)?);
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(Bytes::from_owner(text));
        }
        let mut answer = request.send().await.map_err(|e| self.not_reached(e))?;
        let status = answer.status();
        let fields = std::mem::take(answer.headers_mut());
        let text = answer.bytes().await.map_err(|e| self.not_reached(e))?;
        if status.is_success() {
            return Ok((fields, text));
        }
        let told: Told = serde_json::from_slice(&text).map_err(|_| self.not_bulkhead(status))?;
        if status == StatusCode::UNAUTHORIZED && told.code == "unauthorized" {
            return Err(RemoteError::Unauthorized(self.base.to_string()));
        }
        Err(RemoteError::Problem {
            status,
            code: told.code,
            detail: told.detail,
            field: told.field,
        })
    }

    fn parsed(&self, text: &[u8]) -> Result<Value, RemoteError> {
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(text).map_err(|_| self.not_bulkhead(StatusCode::OK))
    }

    /// The path below the base, whatever path that has: a proxy may put one before ours.
    fn address(&self, path: &ApiPath, query: Query<'_>) -> Url {
        let mut url = self.base.clone();
        let front = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{front}{ROOT}{}", path.as_str()));
        let set = query
            .iter()
            .filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let mut set = set.peekable();
        if set.peek().is_some() {
            url.query_pairs_mut().extend_pairs(set);
        }
        url
    }

    fn not_reached(&self, error: reqwest::Error) -> RemoteError {
        RemoteError::NotReached {
            url: self.base.to_string(),
            source: error.without_url(),
        }
    }

    fn not_bulkhead(&self, status: StatusCode) -> RemoteError {
        RemoteError::NotBulkhead {
            url: self.base.to_string(),
            status,
        }
    }
}

impl<'a> Request<'a, Value> {
    fn get(path: &'a ApiPath, query: Query<'a>) -> Self {
        Self {
            method: Method::GET,
            path,
            query,
            body: None,
            condition: None,
        }
    }
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
