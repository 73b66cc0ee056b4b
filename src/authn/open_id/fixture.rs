//! A small identity provider, at an address of its own, that signs real tokens.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::header::AUTHORIZATION;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{KeyPair, PKCS_ED25519, PublicKeyData, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::OpenIdProvider;

/// The provider. It signs by Ed25519.
pub(crate) struct Provider {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: JoinHandle<()>,
}

struct State {
    issuer: String,
    /// What its metadata says who it is.
    shown_issuer: String,
    kid: String,
    key: KeyPair,
    /// What it answers instead.
    fails_with: Option<StatusCode>,
    padding: usize,
    /// How often it was asked for its keys.
    asked: usize,
    codes: BTreeMap<String, Approved>,
    /// What is made of the claims of the next ID token.
    change: Option<Change>,
}

type Change = Box<dyn FnOnce(&mut Value) + Send>;

/// Somebody who has logged in at the provider, and is on the way back.
struct Approved {
    subject: String,
    parameters: BTreeMap<String, String>,
}

impl Provider {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let issuer = format!("http://{address}");
        let state = Arc::new(Mutex::new(State {
            shown_issuer: issuer.clone(),
            issuer,
            kid: "first".to_owned(),
            key: KeyPair::generate_for(&PKCS_ED25519).unwrap(),
            fails_with: None,
            padding: 0,
            asked: 0,
            codes: BTreeMap::new(),
            change: None,
        }));
        let answering = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let state = Arc::clone(&answering);
                let service = service_fn(move |request| {
                    let state = Arc::clone(&state);
                    async move { Ok::<_, Infallible>(answer(&state, request).await) }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Self {
            address,
            state,
            serving,
        }
    }

    /// How a gateway knows it.
    pub(crate) fn settings(&self) -> OpenIdProvider {
        OpenIdProvider {
            name: "work".to_owned(),
            issuer: self.issuer(),
            client_id: Some(CLIENT_ID.to_owned()),
            client_secret: Some(Zeroizing::new(CLIENT_SECRET.to_owned())),
            audiences: vec![("urn:bulkhead:organization:".to_owned(), String::new())],
            algorithms: vec!["RS256".to_owned(), "EdDSA".to_owned()],
        }
    }

    pub(crate) fn issuer(&self) -> String {
        self.state().issuer.clone()
    }

    /// A token that says this.
    pub(crate) fn token(&self, claims: &Value) -> String {
        let state = self.state();
        let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": state.kid});
        signed(&state.key, &header, claims)
    }

    /// A token by the key of the day under another header.
    pub(crate) fn token_under(&self, header: &Value, claims: &Value) -> String {
        signed(&self.state().key, header, claims)
    }

    /// What the key of the day is known by.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        self.state().key.der_bytes().to_vec()
    }

    /// Signs by another key from now on.
    pub(crate) fn rotate(&self, kid: &str) {
        let mut state = self.state();
        state.kid = kid.to_owned();
        state.key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    }

    /// Answers nothing but this from now on.
    pub(crate) fn fail_with(&self, status: Option<StatusCode>) {
        self.state().fails_with = status;
    }

    /// Says so many bytes more than it has to.
    pub(crate) fn pad(&self, bytes: usize) {
        self.state().padding = bytes;
    }

    /// Says that it is somebody else.
    pub(crate) fn pretend(&self, issuer: &str) {
        self.state().shown_issuer = issuer.to_owned();
    }

    /// How often it was asked for its keys.
    pub(crate) fn asked(&self) -> usize {
        self.state().asked
    }

    /// Does to the claims of the next ID token what it is told.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Value) + Send + 'static) {
        self.state().change = Some(Box::new(change));
    }

    /// Lets somebody in who came by this address: what the browser goes back with, code and state.
    pub(crate) fn approve(&self, authorization_url: &str, subject: &str) -> (String, String) {
        let url = Url::parse(authorization_url).unwrap();
        assert_eq!(url.path(), "/authorize");
        let parameters: BTreeMap<_, _> = url.query_pairs().into_owned().collect();
        assert_eq!(parameters["response_type"], "code");
        assert_eq!(parameters["client_id"], CLIENT_ID);
        assert_eq!(parameters["scope"], "openid");
        assert_eq!(parameters["code_challenge_method"], "S256");
        let state = parameters["state"].clone();
        let mut here = self.state();
        let code = format!("code-{}", here.codes.len());
        let subject = subject.to_owned();
        let approved = Approved {
            subject,
            parameters,
        };
        here.codes.insert(code.clone(), approved);
        (code, state)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "provider at {}", self.address)
    }
}

/// Any header and claims, signed by Ed25519.
fn signed(key: &KeyPair, header: &Value, claims: &Value) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let signature = key.sign(message.as_bytes()).unwrap();
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

async fn answer(state: &Mutex<State>, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let mut state = state.lock().unwrap();
    if let Some(status) = state.fails_with {
        return json_answer(status, &json!({"error": "server_error"}));
    }
    let issuer = state.issuer.clone();
    match (head.method, head.uri.path()) {
        (Method::GET, "/.well-known/openid-configuration") => json_answer(
            StatusCode::OK,
            &json!({
                "issuer": state.shown_issuer,
                "jwks_uri": format!("{issuer}/keys"),
                "authorization_endpoint": format!("{issuer}/authorize"),
                "token_endpoint": format!("{issuer}/token"),
            }),
        ),
        (Method::GET, "/keys") => {
            state.asked += 1;
            let x = URL_SAFE_NO_PAD.encode(state.key.der_bytes());
            let key = json!({
                "kty": "OKP", "crv": "Ed25519", "x": x, "kid": state.kid, "alg": "EdDSA",
                "use": "sig",
            });
            let padding = " ".repeat(state.padding);
            json_answer(StatusCode::OK, &json!({"keys": [key], "padding": padding}))
        }
        (Method::POST, "/token") => {
            // Both are encoded first, as a form's values (RFC 6749, 2.3.1).
            let secret: String =
                form_urlencoded::byte_serialize(CLIENT_SECRET.as_bytes()).collect();
            let basic = STANDARD.encode(format!("{CLIENT_ID}:{secret}"));
            let shown = head.headers.get(AUTHORIZATION);
            if shown.is_none_or(|shown| shown.as_bytes() != format!("Basic {basic}").as_bytes()) {
                return refused("invalid_client");
            }
            let form: BTreeMap<_, _> = form_urlencoded::parse(&body).into_owned().collect();
            // Each code is good for once.
            let Some(approved) = state.codes.remove(&form["code"]) else {
                return refused("invalid_grant");
            };
            let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&form["code_verifier"]));
            let is_theirs = form["grant_type"] == "authorization_code"
                && challenge == approved.parameters["code_challenge"]
                && form["redirect_uri"] == approved.parameters["redirect_uri"];
            if !is_theirs {
                return refused("invalid_grant");
            }
            let mut claims = json!({
                "iss": issuer, "sub": approved.subject, "aud": CLIENT_ID,
                "exp": FAR_SECONDS, "nonce": approved.parameters["nonce"],
            });
            if let Some(change) = state.change.take() {
                change(&mut claims);
            }
            let header = json!({"alg": "EdDSA", "typ": "JWT", "kid": state.kid});
            let token = signed(&state.key, &header, &claims);
            let answer = json!({"access_token": "x", "token_type": "Bearer", "id_token": token});
            json_answer(StatusCode::OK, &answer)
        }
        _ => json_answer(StatusCode::NOT_FOUND, &json!({})),
    }
}

fn refused(error: &str) -> Response<Full<Bytes>> {
    json_answer(StatusCode::BAD_REQUEST, &json!({"error": error}))
}

fn json_answer(status: StatusCode, value: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(value.to_string()));
    *response.status_mut() = status;
    response
}

pub(crate) const CLIENT_ID: &str = "bulkhead";
const CLIENT_SECRET: &str = "a secret of the client";
/// In the year 2033.
pub(crate) const FAR_SECONDS: u64 = 2_000_000_000;
