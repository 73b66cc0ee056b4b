use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use super::Admin;
use super::route::{ROOT, ROUTES};
use crate::config::Secret;
use crate::http::OperatorToken;
use crate::ops::fixture::{Client, Place, World};

const TOKEN: &str = "0123456789abcdef";

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

fn admin(world: &World, token: Option<&str>) -> Admin {
    let secret = token.map(|token| Secret::new(token.to_owned()));
    Admin::new(
        OperatorToken::new(secret.as_ref()),
        std::sync::Arc::clone(&world.administration),
        world.clock.clone(),
        world.entropy.clone(),
    )
}

async fn ask(admin: &Admin, request: Request<Full<Bytes>>) -> Answer {
    let source = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let answer = admin.answer(request, source).await.expect("one of ours");
    let (head, body) = answer.into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    let body = match bytes.is_empty() {
        true => Value::Null,
        false => serde_json::from_slice(&bytes).unwrap(),
    };
    assert_eq!(head.headers[CACHE_CONTROL], "no-store");
    assert!(head.headers.contains_key("x-request-id"));
    if head.status.as_u16() >= 400 {
        assert_eq!(head.headers[CONTENT_TYPE], "application/problem+json");
        assert_eq!(body["status"], head.status.as_u16());
    }
    Answer {
        status: head.status.as_u16(),
        headers: head.headers,
        body,
    }
}

fn request(method: Method, path: &str, body: &str) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .method(method)
        .uri(format!("{ROOT}{path}"))
        .header(AUTHORIZATION, format!("Bearer {TOKEN}"));
    if !body.is_empty() {
        request = request.header(CONTENT_TYPE, "application/json");
    }
    request.body(Full::new(body.to_owned().into())).unwrap()
}

async fn get(admin: &Admin, path: &str) -> Answer {
    ask(admin, request(Method::GET, path, "")).await
}

async fn post(admin: &Admin, path: &str, body: &str) -> Answer {
    ask(admin, request(Method::POST, path, body)).await
}

fn filled(path: &str) -> String {
    path.replace("{slug}", "acme").replace("{id}", "BKAAAAAAAA")
}

/// Every path of the table, and some that are not in it.
fn every_path() -> BTreeSet<String> {
    let others = ["", "/", "/nothing", "/organizations/", "/organizations//x"];
    ROUTES
        .iter()
        .map(|route| filled(route.path))
        .chain(others.map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn without_the_token_every_path_answers_alike() {
    let world = Place::new().start().await;
    world.organization("acme").await;
    for configured in [None, Some(TOKEN)] {
        let admin = admin(&world, configured);
        for path in every_path() {
            for method in [Method::GET, Method::POST, Method::DELETE, Method::PATCH] {
                for shown in [None, Some("Bearer 0123456789abcdeF"), Some("Bearer ")] {
                    let mut asked = request(method.clone(), &path, "{");
                    asked.headers_mut().remove(AUTHORIZATION);
                    if let Some(shown) = shown {
                        asked
                            .headers_mut()
                            .insert(AUTHORIZATION, shown.parse().unwrap());
                    }
                    let answer = ask(&admin, asked).await;
                    assert_eq!(answer.status, 401, "{method} {path}");
                    assert_eq!(
                        answer.headers[WWW_AUTHENTICATE],
                        "Bearer realm=\"bulkhead\""
                    );
                    assert_eq!(answer.body["code"], "unauthorized");
                }
            }
        }
    }
    // Without a token in the settings not even an empty one is right.
    let answer = get(&admin(&world, None), "/organizations").await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn other_paths_are_left_to_others() {
    let world = Place::new().start().await;
    let admin = admin(&world, Some(TOKEN));
    for path in ["/", "/healthz", "/api", "/api/v2/organizations", "/api/v10"] {
        let request = Request::get(path).body(Full::<Bytes>::default()).unwrap();
        assert!(admin.answer(request, None).await.is_none(), "{path}");
    }
}

#[tokio::test]
async fn every_route_is_dispatched_and_other_methods_are_named() {
    let world = Place::new().start().await;
    let admin = admin(&world, Some(TOKEN));
    for route in &ROUTES {
        let path = filled(route.path);
        let answer = ask(&admin, request(route.method.clone(), &path, "")).await;
        assert!(
            !matches!(answer.body["code"].as_str(), Some("no-such-path"))
                && answer.status != 405
                && answer.status < 500,
            "{} {path}: {}",
            route.method,
            answer.body
        );
        let answer = ask(&admin, request(Method::PATCH, &path, "")).await;
        assert_eq!(answer.status, 405, "{path}");
        let allowed = answer.headers[ALLOW].to_str().unwrap();
        assert!(allowed.split(", ").any(|one| one == route.method.as_str()));
        assert_eq!(allowed.contains("GET"), allowed.contains("HEAD"));
        if route.method == Method::GET {
            let head = ask(&admin, request(Method::HEAD, &path, "")).await;
            assert_ne!(head.status, 405);
        }
    }
    for path in [
        "",
        "/",
        "/nothing",
        "/organizations/",
        "/organizations/acme/",
    ] {
        let answer = get(&admin, path).await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[tokio::test]
async fn an_organization_is_made_shown_listed_and_changed() {
    let world = Place::new().start().await;
    let admin = admin(&world, Some(TOKEN));
    let made = post(&admin, "/organizations", r#"{"slug":"acme"}"#).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.headers[LOCATION], "/api/v1/organizations/acme");
    assert_eq!(made.body["state"], "active");
    assert_eq!(made.body["created_at"], "2026-01-01T00:00:00Z");
    let again = post(&admin, "/organizations", r#"{"slug":"acme"}"#).await;
    assert_eq!(
        (again.status, &again.body["code"]),
        (409, &json!("slug-taken"))
    );
    let shown = get(&admin, "/organizations/acme").await;
    assert_eq!((shown.status, shown.body), (200, made.body));
    for (change, status, expected) in [
        ("suspend", 200, json!("suspended")),
        ("resume", 200, json!("active")),
        ("seal", 200, json!("sealed")),
        ("suspend", 409, json!("state-forbids")),
        ("unseal", 200, json!("active")),
    ] {
        let changed = post(&admin, &format!("/organizations/acme/{change}"), "").await;
        let told = if status == 200 { "state" } else { "code" };
        assert_eq!((changed.status, &changed.body[told]), (status, &expected));
    }
    for missing in ["/organizations/nobody", "/organizations/No%20Body"] {
        let answer = get(&admin, missing).await;
        assert_eq!(answer.status, 404);
        assert_eq!(answer.body["code"], "no-such-organization");
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = Place::new().start().await;
    let admin = admin(&world, Some(TOKEN));
    for slug in ["one", "two", "three"] {
        world.organization(slug).await;
    }
    let org = world.organization("acme").await.org;
    for _ in 0..3 {
        world.access_key(org).await;
    }
    for (path, list) in [
        ("/organizations", "organizations"),
        ("/organizations/acme/access-keys", "access_keys"),
    ] {
        let whole = get(&admin, path).await.body;
        assert_eq!(whole["next"], Value::Null);
        let mut found = Vec::new();
        let mut page = get(&admin, &format!("{path}?limit=1")).await.body;
        loop {
            assert_eq!(page[list].as_array().unwrap().len(), 1);
            found.push(page[list][0].clone());
            let Some(next) = page["next"].as_str() else {
                break;
            };
            page = get(&admin, &format!("{path}?limit=1&after={next}"))
                .await
                .body;
        }
        assert_eq!(Value::Array(found), whole[list]);
        for wrong in [
            "limit=0",
            "limit=1001",
            "limit=x",
            "after=%20",
            "limit=1&limit=2",
            "max=1",
        ] {
            let answer = get(&admin, &format!("{path}?{wrong}")).await;
            assert_eq!((answer.status, wrong), (400, wrong));
        }
    }
    let answer = get(&admin, "/organizations/acme?x=1").await;
    assert_eq!(answer.status, 400);
}

#[tokio::test]
async fn an_access_key_is_shown_once_works_and_is_revoked() {
    let world = Place::new().start().await;
    let admin = admin(&world, Some(TOKEN));
    let org = world.organization("acme").await.org;
    world.organization("other").await;
    let path = "/organizations/acme/access-keys";
    let made = post(&admin, path, r#"{"scope":"read-only"}"#).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let (id, secret) = (
        made.body["id"].as_str().unwrap(),
        made.body["secret"].as_str().unwrap(),
    );
    let client = Client::new(id, secret, world.clock.now_ms());
    let sent = client.get("UNSIGNED-PAYLOAD");
    let proven = world.authenticate(&sent).await.unwrap();
    assert_eq!(proven.0.org(), org);
    assert_eq!(proven.0.narrowing().scope, crate::authz::Scope::ReadOnly);
    let listed = get(&admin, path).await.body.to_string();
    assert!(listed.contains(id) && !listed.contains(secret));
    assert!(
        world.platform.audit_chains(org).await.unwrap().len() == 1,
        "in the organization's own log"
    );

    let delete = async |path: String| ask(&admin, request(Method::DELETE, &path, "")).await;
    let elsewhere = delete(format!("/organizations/other/access-keys/{id}")).await;
    assert_eq!(elsewhere.status, 404);
    assert_eq!(elsewhere.body["code"], "no-such-access-key");
    assert!(world.authenticate(&sent).await.is_ok());
    for _ in 0..2 {
        let revoked = delete(format!("{path}/{id}")).await;
        assert_eq!((revoked.status, revoked.body), (204, Value::Null));
        assert!(world.authenticate(&sent).await.is_err());
    }
    for unknown in ["BKAAAAAAAAAAAAAAAAAA", "%2e", "-"] {
        assert_eq!(delete(format!("{path}/{unknown}")).await.status, 404);
    }
    post(&admin, "/organizations/acme/seal", "").await;
    let sealed = post(&admin, path, "{}").await;
    assert_eq!(
        (sealed.status, &sealed.body["code"]),
        (409, &json!("state-forbids"))
    );
}

#[tokio::test]
async fn bodies_are_what_they_have_to_be() {
    let world = Place::new().start().await;
    let admin = admin(&world, Some(TOKEN));
    for wrong in [
        "{",
        "[]",
        "{}",
        r#"{"slug":1}"#,
        r#"{"slug":"acme","owner":true}"#,
        r#"{"slug":"acme","slug":"acme"}"#,
        r#"{"slug":"-acme"}"#,
        r#"{"slug":"acme"} x"#,
    ] {
        let answer = post(&admin, "/organizations", wrong).await;
        assert_eq!((answer.status, wrong), (400, wrong));
    }
    let mut plain = request(Method::POST, "/organizations", r#"{"slug":"acme"}"#);
    let with = |kind: &str, request: &mut Request<Full<Bytes>>| {
        request
            .headers_mut()
            .insert(CONTENT_TYPE, kind.parse().unwrap());
    };
    for kind in ["text/plain", "application/jsonx", ""] {
        with(kind, &mut plain);
        assert_eq!(ask(&admin, plain.clone()).await.status, 415, "{kind}");
    }
    plain.headers_mut().remove(CONTENT_TYPE);
    assert_eq!(ask(&admin, plain.clone()).await.status, 415);
    let long = format!(r#"{{"slug":"{}"}}"#, "a".repeat(64 << 10));
    let answer = post(&admin, "/organizations", &long).await;
    assert_eq!(
        (answer.status, &answer.body["code"]),
        (413, &json!("body-too-large"))
    );
    let all = get(&admin, "/organizations").await.body;
    assert_eq!(all["organizations"], json!([]));
    with("application/json; charset=utf-8", &mut plain);
    assert_eq!(ask(&admin, plain).await.status, 201);
    let answer = post(&admin, "/organizations/acme/suspend", "{}").await;
    assert_eq!(answer.status, 400, "it takes no body");
}
