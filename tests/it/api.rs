//! `/api/v1` as its callers see it: the operator, accounts in their organizations, agents.

use std::collections::BTreeSet;

use bulkhead::http::api::{Audience, Given, ROOT, document, routes};
use http::header::{ALLOW, LOCATION, WWW_AUTHENTICATE};
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::bearer::{Bearer, PASSWORD, Reply};
use crate::support::client::Client;
use crate::support::gateway::Gateway;
use crate::support::sign::Key;

#[tokio::test]
async fn without_a_token_every_path_that_is_not_public_answers_alike() {
    let gateway = Gateway::start(TOKEN).await;
    gateway.tenant("acme").await;
    let public: BTreeSet<_> = routes()
        .filter(|route| route.audience == Audience::Anybody)
        .map(|route| (route.method.clone(), route.path))
        .map(|(method, path)| (method.to_string(), path.to_owned()))
        .collect();
    for shown in [
        None,
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some(format!("Bearer {}", TOKEN.to_uppercase())),
        Some(format!("Basic {TOKEN}")),
        Some("Bearer bks_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned()),
    ] {
        let stranger = Bearer::showing(gateway.control, shown);
        for path in every_path() {
            for method in [Method::GET, Method::POST, Method::DELETE, Method::PATCH] {
                if public.contains(&(method.to_string(), path.clone())) {
                    continue;
                }
                let reply = stranger.send_raw(method.clone(), &path, &[], "{").await;
                assert_eq!(reply.status, 401, "{method} {path}");
                assert_eq!(reply.headers[WWW_AUTHENTICATE], "Bearer realm=\"bulkhead\"");
                assert_eq!(reply.code(), "unauthorized");
            }
        }
    }
}

#[tokio::test]
async fn other_paths_are_left_to_others() {
    let gateway = Gateway::start(TOKEN).await;
    let key = gateway.tenant("acme").await.key;
    let client = Client::new(gateway.control, key);
    for path in ["/", "/api", "/api/v2/organizations", "/api/v10"] {
        let answer = client.send_unsigned(Method::GET, path, &[], "").await;
        let answer = answer.expect("an answer");
        // What the test's listener answers itself.
        assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
        assert!(!answer.headers.contains_key("x-amz-request-id"), "{path}");
    }
}

#[tokio::test]
async fn every_route_is_dispatched_and_other_methods_are_named() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    let member = sign_up(&gateway, "ann@example.com").await;
    for route in routes() {
        let path = filled(route.path);
        let caller = match route.audience {
            Audience::Operator | Audience::OperatorOrOrganization => &operator,
            Audience::Organization | Audience::Account | Audience::Anybody => &member,
        };
        // LogOut comes again at the end of its table's line and would end the session.
        if route.id != "LogOut" {
            let reply = caller.send(route.method.clone(), &path, &[], Value::Null);
            let reply = reply.await;
            assert_ne!(reply.status, 405, "{} {path}", route.method);
            if reply.status >= 400 {
                assert_ne!(reply.code(), "no-such-path", "{} {path}", route.method);
            }
        }
        let reply = caller.send(Method::TRACE, &path, &[], Value::Null).await;
        assert_eq!(reply.status, 405, "{path}");
        let allowed = reply.headers[ALLOW].to_str().expect("text");
        assert!(allowed.split(", ").any(|one| one == route.method.as_str()));
        assert_eq!(allowed.contains("GET"), allowed.contains("HEAD"));
        if route.method == Method::GET {
            let head = caller.send(Method::HEAD, &path, &[], Value::Null).await;
            assert_ne!(head.status, 405, "{path}");
        }
    }
    for path in [
        "",
        "/",
        "/nothing",
        "/organizations/",
        "/organizations/acme/",
    ] {
        assert_eq!(operator.get(path).await.status, 404, "{path}");
        assert_eq!(member.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_document_tells_of_every_route() {
    let gateway = Gateway::start(TOKEN).await;
    let anybody = Bearer::showing(gateway.control, None);
    let shown = anybody.get("/openapi.json").await;
    assert_eq!(shown.status, 200);
    assert_eq!(shown.body, document());
    let paths = shown.body["paths"].as_object().expect("paths");
    let mut told = BTreeSet::new();
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().expect("operations") {
            let id = operation["operationId"].as_str().expect("an id").to_owned();
            assert!(
                told.insert((method.to_ascii_uppercase(), path.clone())),
                "{id}"
            );
            // A parameter in braces is declared, and nothing else is.
            let declared: BTreeSet<_> = operation["parameters"]
                .as_array()
                .expect("parameters")
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().expect("a name").to_owned())
                .collect();
            let in_path = path.split('/').filter_map(|segment| {
                let name = segment.strip_prefix('{')?.strip_suffix('}')?;
                Some(name.to_owned())
            });
            assert_eq!(declared, in_path.collect(), "{id}");
        }
    }
    let known = routes().map(|route| (route.method.to_string(), format!("{ROOT}{}", route.path)));
    assert_eq!(told, known.collect());
    let ids: BTreeSet<_> = routes().map(|route| route.id).collect();
    assert_eq!(
        ids.len(),
        routes().count(),
        "an operation's name is its own"
    );
    // Whatever is sent or shown says what it is.
    let schemas = shown.body["components"]["schemas"].as_object();
    for (name, schema) in schemas.expect("schemas") {
        let properties = schema["properties"].as_object();
        for (property, told) in properties.into_iter().flatten() {
            assert!(told["description"].is_string(), "{name}.{property}");
        }
    }
    // Every reference leads somewhere.
    let text = shown.body.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().expect("a pointer");
        assert!(shown.body.pointer(pointer).is_some(), "{pointer}");
    }
}

#[tokio::test]
async fn an_organization_is_made_shown_listed_and_changed() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    let made = operator
        .post("/organizations", json!({ "slug": "acme" }))
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.headers[LOCATION], "/api/v1/organizations/acme");
    assert_eq!(made.body["state"], "active");
    let again = operator
        .post("/organizations", json!({ "slug": "acme" }))
        .await;
    assert_eq!((again.status, again.code()), (409, "slug-taken"));
    let shown = operator.get("/organizations/acme").await;
    assert_eq!(shown.status, 200);
    for (member, value) in shown.body.as_object().expect("an object") {
        assert_eq!(*value, made.body[member], "{member}");
    }
    for (change, status, expected) in [
        ("suspend", 200, "suspended"),
        ("resume", 200, "active"),
        ("seal", 200, "sealed"),
        ("suspend", 409, "state-forbids"),
        ("unseal", 200, "active"),
    ] {
        let path = format!("/organizations/acme/{change}");
        let changed = operator.post(&path, Value::Null).await;
        let told = if status == 200 { "state" } else { "code" };
        assert_eq!((changed.status, changed.text(told)), (status, expected));
    }
    for missing in ["/organizations/nobody", "/organizations/No%20Body"] {
        let reply = operator.get(missing).await;
        assert_eq!((reply.status, reply.code()), (404, "no-such-organization"));
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    for slug in ["one", "two", "three", "acme"] {
        gateway.tenant(slug).await;
    }
    for _ in 0..3 {
        let made = operator.post("/organizations/acme/access-keys", json!({}));
        assert_eq!(made.await.status, 201);
    }
    for path in ["/organizations", "/organizations/acme/access-keys"] {
        let whole = operator.get(path).await.body;
        assert_eq!(whole["next"], Value::Null);
        let mut found = Vec::new();
        let mut page = operator.get(&format!("{path}?limit=1")).await.body;
        loop {
            assert_eq!(page["items"].as_array().expect("a list").len(), 1);
            found.push(page["items"][0].clone());
            let Some(next) = page["next"].as_str() else {
                break;
            };
            let next = format!("{path}?limit=1&after={next}");
            page = operator.get(&next).await.body;
        }
        assert_eq!(Value::Array(found), whole["items"]);
        for (wrong, field) in [
            ("limit=0", "limit"),
            ("limit=1001", "limit"),
            ("limit=x", "limit"),
            ("after=%20", "after"),
            ("limit=1&limit=2", "limit"),
            ("max=1", "max"),
        ] {
            let reply = operator.get(&format!("{path}?{wrong}")).await;
            assert_eq!((reply.status, reply.text("field")), (400, field), "{wrong}");
        }
    }
}

#[tokio::test]
async fn an_access_key_of_an_organization_is_shown_once_works_and_is_revoked() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    gateway.tenant("acme").await;
    gateway.tenant("other").await;
    let path = "/organizations/acme/access-keys";
    let made = operator.post(path, json!({ "scope": "read-only" })).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let (id, secret) = (made.text("id").to_owned(), made.text("secret").to_owned());
    let client = Client::new(
        gateway.api,
        Key {
            id: id.clone(),
            secret: secret.clone(),
        },
    );
    let status = async |method, target| {
        let answer = client.send(method, target, &[], "").await;
        answer.expect("an answer").status
    };
    assert_eq!(status(Method::GET, "/").await, StatusCode::OK);
    assert_eq!(status(Method::PUT, "/docs").await, StatusCode::FORBIDDEN);
    let listed = operator.get(path).await.body.to_string();
    assert!(listed.contains(&id) && !listed.contains(&secret));

    let elsewhere = format!("/organizations/other/access-keys/{id}");
    let elsewhere = operator.delete(&elsewhere).await;
    assert_eq!(
        (elsewhere.status, elsewhere.code()),
        (404, "no-such-access-key")
    );
    assert_eq!(status(Method::GET, "/").await, StatusCode::OK);
    for _ in 0..2 {
        let revoked = operator.delete(&format!("{path}/{id}")).await;
        assert_eq!((revoked.status, revoked.body), (204, Value::Null));
        assert_eq!(status(Method::GET, "/").await, StatusCode::FORBIDDEN);
    }
    for unknown in ["BKAAAAAAAAAAAAAAAAAA", "%2e", "-"] {
        let reply = operator.delete(&format!("{path}/{unknown}")).await;
        assert_eq!(reply.status, 404, "{unknown}");
    }
    operator.post("/organizations/acme/seal", Value::Null).await;
    let sealed = operator.post(path, json!({})).await;
    assert_eq!((sealed.status, sealed.code()), (409, "state-forbids"));
}

#[tokio::test]
async fn bodies_are_what_they_have_to_be() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    let send = async |kind: Option<&str>, body: &str| {
        let kind = kind.map(|kind| ("content-type", kind));
        operator
            .send_raw(Method::POST, "/organizations", kind.as_slice(), body)
            .await
    };
    const JSON: Option<&str> = Some("application/json");
    for (wrong, field) in [
        ("{", None),
        ("[]", None),
        ("{}", None),
        (r#"{"slug":1}"#, Some("slug")),
        (r#"{"slug":"acme","owners":true}"#, Some("owners")),
        (r#"{"slug":"acme","slug":"acme"}"#, None),
        (r#"{"slug":"-acme"}"#, Some("slug")),
        (r#"{"slug":"acme"} x"#, None),
    ] {
        let reply = send(JSON, wrong).await;
        assert_eq!(
            (reply.status, reply.code()),
            (400, "invalid-request"),
            "{wrong}"
        );
        if let Some(field) = field {
            assert_eq!(reply.text("field"), field, "{wrong}");
        }
    }
    let right = r#"{"slug":"acme"}"#;
    for kind in [
        None,
        Some("text/plain"),
        Some("application/jsonx"),
        Some(""),
    ] {
        let reply = send(kind, right).await;
        assert_eq!((reply.status, kind), (415, kind));
    }
    let long = format!(r#"{{"slug":"{}"}}"#, "a".repeat(512 << 10));
    let reply = send(JSON, &long).await;
    assert_eq!((reply.status, reply.code()), (413, "body-too-large"));
    assert_eq!(
        operator.get("/organizations").await.body["items"],
        json!([])
    );
    let reply = send(Some("application/json; charset=utf-8"), right).await;
    assert_eq!(reply.status, 201);
    let reply = operator
        .post("/organizations/acme/suspend", json!({}))
        .await;
    assert_eq!(reply.status, 400, "it takes no body");
}

#[tokio::test]
async fn a_member_is_invited_joins_gets_a_role_and_leaves() {
    let gateway = Gateway::start(TOKEN).await;
    let owner = sign_up(&gateway, "ann@example.com").await;
    let org = owner.get("/self").await.text("organization").to_owned();
    let of = |path: &str| format!("/organizations/{org}/{path}");

    let ask = json!({ "email": "bob@example.com", "role": "viewer" });
    let invited = owner.post(&of("invitations"), ask).await;
    assert_eq!(invited.status, 201, "{}", invited.body);
    let join = json!({ "token": invited.text("token"), "name": "Bob", "password": PASSWORD });
    let anybody = Bearer::showing(gateway.control, None);
    let joined = anybody.post("/invitations/join", join.clone()).await;
    assert_eq!(joined.status, 201, "{}", joined.body);
    let again = anybody.post("/invitations/join", join).await;
    assert_eq!((again.status, again.code()), (404, "no-such-invitation"));

    // The session is for the new account's own organization, and is changed for the one it joined.
    let bob = Bearer::new(gateway.control, joined.text("token"));
    let switched = bob
        .post("/sessions/switch", json!({ "organization": org }))
        .await;
    let bob = Bearer::new(gateway.control, switched.text("token"));
    let seen = bob.get("/self").await;
    assert_eq!((seen.text("kind"), seen.text("role")), ("member", "viewer"));
    let refused = bob.post(&of("agents"), json!({ "name": "Robot" })).await;
    assert_eq!((refused.status, refused.code()), (403, "not-allowed"));

    let principal = seen.text("principal").to_owned();
    let member = of(&format!("members/{principal}"));
    let shown = owner.get(&member).await;
    let promote = async |etag: &str| {
        let role = json!({ "role": "admin" });
        let fields = [("if-match", etag)];
        owner.send(Method::PATCH, &member, &fields, role).await
    };
    let promoted = promote(shown.etag()).await;
    assert_eq!((promoted.status, promoted.text("role")), (200, "admin"));
    let stale = promote(shown.etag()).await;
    assert_eq!((stale.status, stale.code()), (412, "precondition-failed"));
    let made = bob.post(&of("agents"), json!({ "name": "Robot" })).await;
    assert_eq!(made.status, 201, "the next request knows the new role");

    // Nobody gives more than they have, and the last owner stays.
    let own = owner.get("/self").await.text("principal").to_owned();
    let own = of(&format!("members/{own}"));
    let above = bob.send(Method::PATCH, &own, &[], json!({ "role": "viewer" }));
    assert_eq!(above.await.status, 403);
    let last = owner.delete(&own).await;
    assert_eq!((last.status, last.code()), (409, "last-owner"));

    assert_eq!(owner.delete(&member).await.status, 204);
    let gone = bob.get(&of("members")).await;
    assert_eq!(gone.status, 401, "a session ends with the membership");
    // The account is its own, in its personal organization.
    let bob = Bearer::log_in(gateway.control, "bob@example.com", None).await;
    let elsewhere = bob.get(&of("members")).await;
    assert_eq!(
        (elsewhere.status, elsewhere.code()),
        (404, "no-such-organization")
    );
}

#[tokio::test]
async fn an_agent_works_by_what_it_was_granted() {
    let gateway = Gateway::start(TOKEN).await;
    let owner = sign_up(&gateway, "ann@example.com").await;
    let org = owner.get("/self").await.text("organization").to_owned();
    let of = |path: &str| format!("/organizations/{org}/{path}");
    let owners_key = access_key(&gateway, &owner, &of("self/credentials")).await;
    for (target, body) in [
        ("/docs", ""),
        ("/docs/plan", "all"),
        ("/docs/notes/today", "some"),
    ] {
        let put = owners_key.send(Method::PUT, target, &[], body).await;
        assert_eq!(put.expect("an answer").status, StatusCode::OK, "{target}");
    }

    let agent = owner.post(&of("agents"), json!({ "name": "Robot" })).await;
    let agent = agent.text("id").to_owned();
    let credentials = of(&format!("agents/{agent}/credentials"));
    let key = access_key(&gateway, &owner, &credentials).await;
    let reads = async |target: &str| {
        let answer = key.send(Method::GET, target, &[], "").await;
        answer.expect("an answer").status
    };
    assert_eq!(reads("/docs/notes/today").await, StatusCode::FORBIDDEN);
    let grant = json!({
        "subject": { "agent": agent },
        "actions": ["s3:GetObject"],
        "resources": ["drive:docs/notes/*"],
    });
    let granted = owner.post(&of("grants"), grant).await;
    assert_eq!(granted.status, 201, "{}", granted.body);
    assert_eq!(reads("/docs/notes/today").await, StatusCode::OK);
    assert_eq!(reads("/docs/plan").await, StatusCode::FORBIDDEN);

    let explain = async |resource: &str| {
        let ask = json!({
            "principal": agent,
            "action": "s3:GetObject",
            "resource": resource,
        });
        let reply = owner.post(&of("access/explain"), ask).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body["allowed"] == true
    };
    assert!(explain("drive:docs/notes/today").await);
    assert!(!explain("drive:docs/plan").await);

    let grant = of(&format!("grants/{}", granted.text("id")));
    assert_eq!(owner.delete(&grant).await.status, 204);
    assert_eq!(reads("/docs/notes/today").await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_request_with_an_idempotency_key_is_done_once() {
    let gateway = Gateway::start(TOKEN).await;
    let owner = sign_up(&gateway, "ann@example.com").await;
    let org = owner.get("/self").await.text("organization").to_owned();
    let agents = format!("/organizations/{org}/agents");
    let fields = [("idempotency-key", "one")];
    let create = async |name: &str| {
        let ask = json!({ "name": name });
        owner.send(Method::POST, &agents, &fields, ask).await
    };
    let made = create("Robot").await;
    let again = create("Robot").await;
    assert_eq!((made.status, again.status), (201, 201));
    assert_eq!(made.body, again.body);
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert!(!made.headers.contains_key("idempotent-replayed"));
    let other = create("Another").await;
    assert_eq!(
        (other.status, other.code()),
        (422, "idempotency-key-reused")
    );
    let listed = owner.get(&agents).await;
    assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn one_account_has_a_session_for_each_of_its_organizations() {
    let gateway = Gateway::start(TOKEN).await;
    let ann = sign_up(&gateway, "ann@example.com").await;
    let bob = sign_up(&gateway, "bob@example.com").await;
    let (org_a, org_b) = (organization(&ann).await, organization(&bob).await);
    let ask = json!({ "email": "ann@example.com", "role": "admin" });
    let invitations = format!("/organizations/{org_b}/invitations");
    let invited = bob.post(&invitations, ask).await;
    let accept = json!({ "token": invited.text("token") });
    assert_eq!(ann.post("/invitations/accept", accept).await.status, 204);

    let switch = ann.post("/sessions/switch", json!({ "organization": org_b }));
    let switched = switch.await;
    assert_eq!(switched.status, 201, "{}", switched.body);
    let in_b = Bearer::new(gateway.control, switched.text("token"));
    for (session, own, other) in [(&ann, &org_a, &org_b), (&in_b, &org_b, &org_a)] {
        let members = |org: &str| format!("/organizations/{org}/members");
        assert_eq!(session.get(&members(own)).await.status, 200);
        let reply = session.get(&members(other)).await;
        assert_eq!((reply.status, reply.code()), (404, "no-such-organization"));
    }
    let nowhere = json!({ "organization": "nobody" });
    let reply = ann.post("/sessions/switch", nowhere).await;
    assert_eq!((reply.status, reply.code()), (404, "no-such-organization"));
    assert_eq!(in_b.delete("/sessions/current").await.status, 204);
    assert_eq!(in_b.get("/self").await.status, 401);
    assert_eq!(ann.get("/self").await.status, 200);
}

#[tokio::test]
async fn what_answers_json_answers_the_form_that_it_tells_of() {
    for route in routes() {
        let takes_body = [Method::POST, Method::PUT, Method::PATCH].contains(&route.method);
        assert!(route.takes.is_none() || takes_body, "{}", route.id);
        let gives_none = matches!(route.gives.body, Given::Nothing);
        assert!(route.method != Method::GET || !gives_none, "{}", route.id);
    }
}

/// An account with its personal organization, logged in to that.
async fn sign_up(gateway: &Gateway, email: &str) -> Bearer {
    let operator = Bearer::new(gateway.control, TOKEN);
    let account = json!({ "email": email, "name": "Somebody", "password": PASSWORD });
    let made = operator.post("/operator/accounts", account).await;
    assert_eq!(made.status, 201, "{}", made.body);
    Bearer::log_in(gateway.control, email, None).await
}

async fn organization(session: &Bearer) -> String {
    session.get("/self").await.text("organization").to_owned()
}

/// A client of the S3 door with a new access key.
async fn access_key(gateway: &Gateway, session: &Bearer, path: &str) -> Client {
    let made: Reply = session.post(path, json!({ "kind": "access-key" })).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let key = Key {
        id: made.text("id").to_owned(),
        secret: made.text("secret").to_owned(),
    };
    Client::new(gateway.api, key)
}

fn filled(path: &str) -> String {
    let segments = path.split('/').map(|segment| match segment {
        "{org}" => "acme",
        segment if segment.starts_with('{') => "BKAAAAAAAA",
        segment => segment,
    });
    segments.collect::<Vec<_>>().join("/")
}

/// Every path of the table, and some that are not in it.
fn every_path() -> BTreeSet<String> {
    let others = ["", "/", "/nothing", "/organizations/", "/organizations//x"];
    let known = routes().map(|route| filled(route.path));
    known.chain(others.map(str::to_owned)).collect()
}

const TOKEN: &str = "the operator's token, which is long enough";
