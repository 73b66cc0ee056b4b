//! Whoever calls `/api/v1`, with a bearer token or without.

use std::net::SocketAddr;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::client::Client;
use super::sign::Key;

/// A caller.
pub struct Bearer {
    client: Client,
    authorization: Option<String>,
}

/// An answer of `/api/v1`, of which has been seen that it has what all have.
#[derive(Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its header fields.
    pub headers: HeaderMap,
    /// Its JSON, or a text of another kind; null, if it has no body.
    pub body: Value,
}

impl Bearer {
    /// Shows `token`.
    pub fn new(control: SocketAddr, token: &str) -> Self {
        Self::showing(control, Some(format!("Bearer {token}")))
    }

    /// Sends this as `Authorization`, or nothing.
    pub fn showing(control: SocketAddr, authorization: Option<String>) -> Self {
        let nobody = Key {
            id: "BKNOBODYSIGNSWITHTHIS".to_owned(),
            secret: "unused".to_owned(),
        };
        Self {
            client: Client::new(control, nobody),
            authorization,
        }
    }

    /// Logs an account in, to its personal organization or the one that is named.
    pub async fn log_in(control: SocketAddr, email: &str, organization: Option<&str>) -> Self {
        let login = json!({ "email": email, "password": PASSWORD, "organization": organization });
        let reply = Self::showing(control, None).post("/sessions", login).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        Self::new(control, reply.text("token"))
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], Value::Null).await
    }

    /// POST, with a body unless it is null.
    pub async fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Method::POST, path, &[], body).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, &[], Value::Null).await
    }

    /// Sends a request with a JSON body, unless that is null.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        fields: &[(&'static str, &str)],
        body: Value,
    ) -> Reply {
        let reply = self.send_unchecked(method, path, fields, body).await;
        assert!(reply.status < 500, "{path}: {}", reply.body);
        reply
    }

    /// The same, to a server that may be broken.
    pub async fn send_unchecked(
        &self,
        method: Method,
        path: &str,
        fields: &[(&'static str, &str)],
        body: Value,
    ) -> Reply {
        let (kind, body) = match body {
            Value::Null => (None, String::new()),
            body => (Some(("content-type", "application/json")), body.to_string()),
        };
        let fields: Vec<_> = fields.iter().copied().chain(kind).collect();
        self.send_raw(method, path, &fields, &body).await
    }

    /// Sends a request as it is.
    pub async fn send_raw(
        &self,
        method: Method,
        path: &str,
        fields: &[(&'static str, &str)],
        body: &str,
    ) -> Reply {
        let shown = self.authorization.as_deref();
        let shown = shown.map(|value| ("authorization", value));
        let fields: Vec<_> = fields.iter().copied().chain(shown).collect();
        let target = format!("{ROOT}{path}");
        let answer = self
            .client
            .send_unsigned(method.clone(), &target, &fields, body.to_owned())
            .await
            .expect("an answer");
        let kind = answer.headers.get(CONTENT_TYPE);
        let kind = kind.map_or("", |kind| kind.to_str().expect("text"));
        let body = match kind {
            // A HEAD has the fields of what it does not show.
            _ if answer.body.is_empty() => Value::Null,
            "application/json" | "application/problem+json" => {
                serde_json::from_slice(&answer.body).expect("JSON")
            }
            _ => Value::String(String::from_utf8(answer.body.to_vec()).expect("text")),
        };
        let reply = Reply {
            status: answer.status.as_u16(),
            headers: answer.headers,
            body,
        };
        reply.check(&format!("{method} {path}"));
        reply
    }
}

impl Reply {
    /// A member of the body that is a text.
    pub fn text(&self, name: &str) -> &str {
        self.body[name]
            .as_str()
            .unwrap_or_else(|| panic!("{name} in {}", self.body))
    }

    /// The code of a problem.
    pub fn code(&self) -> &str {
        self.text("code")
    }

    /// The version that was shown.
    pub fn etag(&self) -> &str {
        self.headers["etag"].to_str().expect("text")
    }

    fn check(&self, what: &str) {
        assert_eq!(self.headers[CACHE_CONTROL], "no-store", "{what}");
        assert!(self.headers.contains_key("x-amz-request-id"), "{what}");
        if self.status >= 400 && !self.body.is_null() {
            assert_eq!(
                self.headers[CONTENT_TYPE], "application/problem+json",
                "{what}"
            );
            assert_eq!(self.body["status"], self.status, "{what}");
            assert_eq!(self.body["type"], "about:blank", "{what}");
        }
    }
}

/// The password of every account in tests.
pub const PASSWORD: &str = "correct horse battery staple";
const ROOT: &str = bulkhead::http::api::ROOT;
