use std::time::Duration;

use http::Method;
use serde_json::json;

use super::house::House;
use crate::authz::{ManageAgents, ManageCredentials, OfSubject, SubjectKind};
use crate::http::kv::ROUTES;

#[tokio::test]
async fn without_a_token_that_holds_every_path_answers_alike() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    house
        .post(&ada, "secret/data/a", r#"{"data":{}}"#)
        .await
        .data(200);
    let ended = house.lasting(&ada, 1_000).await;
    let bearer = format!("Bearer {}", ada.token);
    house.place.hand.advance(Duration::from_secs(2));
    let others = [
        "",
        "nothing",
        "secret/data/../x",
        "secret/data/",
        "secret/metadata?list=x",
        "auth/token/create",
    ];
    let routes = ROUTES.iter().filter(|route| route.action.is_some());
    let paths = routes
        .map(|route| route.place.template().replace(['{', '}'], ""))
        .chain(others.map(str::to_owned));
    for path in paths {
        for fields in [
            &[][..],
            &[("x-vault-token", "")],
            &[("x-vault-token", "root")],
            &[("x-vault-token", "bkt_BKNOBODYKNOWSTHISKEY_SECRET")],
            &[("x-vault-token", &ended.token)],
            &[("x-vault-token", &ada.token), ("x-vault-token", &ada.token)],
            &[("x-vault-token", &ada.token), ("authorization", &bearer)],
            &[("authorization", &ada.token)],
            &[("authorization", "Basic x")],
        ] {
            for method in ["GET", "PUT", "LIST", "DELETE"] {
                let answer = house.send(method, &path, fields, "{").await;
                answer.fails(403, "permission denied");
            }
        }
    }
    let fields = [("authorization", bearer.as_str())];
    let answer = house.send("GET", "secret/data/a", &fields, "").await;
    answer.data(200);
}

#[tokio::test]
async fn a_namespace_is_the_tokens_own_organization_or_nothing() {
    let house = House::open().await;
    let (ada, eve) = (house.owner("ada").await, house.owner("eve").await);
    house
        .post(&ada, "secret/data/a", r#"{"data":{}}"#)
        .await
        .data(200);
    let (id, slug) = (ada.org.to_string(), ada.slug.clone());
    let ask = async |namespaces: &[String]| {
        let mut fields = vec![("x-vault-token", ada.token.as_str())];
        fields.extend(
            namespaces
                .iter()
                .map(|name| ("x-vault-namespace", name.as_str())),
        );
        house.send("GET", "secret/data/a", &fields, "").await
    };
    ask(&[]).await.data(200);
    for own in [
        slug.clone(),
        id.clone(),
        format!("{slug}/"),
        format!("{id}/"),
    ] {
        ask(&[own]).await.data(200);
    }
    ask(&[slug.clone(), id.clone()]).await.data(200);
    // An empty one names none, whoever else is named beside it.
    ask(&[String::new()]).await.data(200);
    ask(&[String::new(), slug.clone()]).await.data(200);
    ask(&[String::new(), eve.slug.clone()])
        .await
        .fails(403, "permission denied");
    for other in [
        eve.slug.clone(),
        eve.org.to_string(),
        "root".to_owned(),
        "root/".to_owned(),
        " \u{e9}".to_owned(),
        "/".to_owned(),
        "nobody".to_owned(),
        format!("{slug}/team"),
        format!("/{slug}"),
        format!("{slug}//"),
        slug.to_uppercase(),
        id.to_uppercase(),
        id.replace('-', ""),
        "00000000-0000-0000-0000-000000000000".to_owned(),
        "*".to_owned(),
        "%2e%2e".to_owned(),
    ] {
        let answer = ask(std::slice::from_ref(&other)).await;
        assert_eq!(answer.status, 403, "{other:?}");
        answer.fails(403, "permission denied");
        ask(&[slug.clone(), other])
            .await
            .fails(403, "permission denied");
    }
    // A namespace is no part of a path.
    let path = format!("{slug}/secret/data/a");
    house
        .get(&ada, &path)
        .await
        .fails(404, "no handler for this route");
    house
        .get(&ada, "root/secret/data/a")
        .await
        .fails(404, "no handler for this route");
}

#[tokio::test]
async fn a_token_is_shown_and_revokes_itself() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    let token = house.lasting(&ada, 7_200_000).await;
    let caller = house.caller(&token.token).await;
    let shown = house.get(&token, "auth/token/lookup-self").await.data(200);
    let id = caller.credential().to_string();
    for (member, expected) in [
        ("id", json!(token.token)),
        ("accessor", json!(id)),
        ("ttl", json!(7_200)),
        ("creation_ttl", json!(7_200)),
        ("creation_time", json!(1_767_225_600)),
        ("expire_time", json!("2026-01-01T02:00:00Z")),
        ("type", json!("service")),
        ("renewable", json!(false)),
        ("orphan", json!(true)),
        ("entity_id", json!(caller.principal().to_string())),
        (
            "meta",
            json!({
                "organization": ada.org.to_string(), "principal": caller.principal().to_string()
            }),
        ),
    ] {
        assert_eq!(shown[member], expected, "{member}");
    }
    house.place.hand.advance(Duration::from_secs(3_600));
    let renewed = house
        .post(&token, "auth/token/renew-self", r#"{"increment":"1h"}"#)
        .await;
    renewed.fails(400, "lease is not renewable");
    let shown = house.get(&token, "auth/token/lookup-self").await.data(200);
    assert_eq!(shown["ttl"], 3_600);

    let other = house.lasting(&ada, 7_200_000).await;
    house
        .post(&token, "auth/token/revoke-self", "")
        .await
        .done();
    house
        .get(&token, "auth/token/lookup-self")
        .await
        .fails(403, "permission denied");
    house.get(&other, "auth/token/lookup-self").await.data(200);
    let log = house.log(ada.org).await;
    let revocation = log
        .iter()
        .find(|entry| entry.operation.as_deref() == Some("KvRevokeSelf"));
    assert_eq!(revocation.unwrap().resource, format!("credential:{id}"));
    assert!(!format!("{log:?}").contains(token.token.rsplit_once('_').unwrap().1));
}

/// CVE-2026-40264 of OpenBao: tokens were renewed and revoked by accessor across namespaces.
#[tokio::test]
async fn no_token_is_reached_by_its_accessor() {
    let house = House::open().await;
    let (ada, eve) = (house.owner("ada").await, house.owner("eve").await);
    let token = house.lasting(&ada, 7_200_000).await;
    let accessor = house.caller(&token.token).await.credential().to_string();
    for name in [
        "lookup-accessor",
        "renew-accessor",
        "revoke-accessor",
        "lookup",
        "renew",
        "revoke",
        "revoke-orphan",
        "accessors",
        "accessors/",
        "tidy",
    ] {
        let path = format!("auth/token/{name}");
        let body = json!({ "accessor": accessor, "token": token.token }).to_string();
        for holder in [&ada, &eve] {
            for method in ["GET", "POST", "PUT", "LIST"] {
                let answer = house.ask(holder, method, &path, &body).await;
                answer.fails(404, "no handler for this route");
            }
        }
    }
    for path in [
        "sys/leases/lookup",
        "sys/leases/revoke",
        "sys/policy",
        "sys/seal",
        "sys/raw/x",
    ] {
        let answer = house.ask(&eve, "PUT", path, "{}").await;
        answer.fails(404, "no handler for this route");
    }
    house.get(&token, "auth/token/lookup-self").await.data(200);
}

#[tokio::test]
async fn who_would_make_a_token_is_told_where_they_are_made() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    for name in ["create", "create-orphan", "create/role"] {
        let path = format!("auth/token/{name}");
        for method in ["POST", "PUT", "GET"] {
            let answer = house.ask(&ada, method, &path, r#"{"ttl":"1h"}"#).await;
            assert_eq!(answer.headers["allow"], "");
            answer.fails(
                405,
                "unsupported operation: tokens are made over /api/v1, and for agents by \
                 auth/approle/login",
            );
        }
    }
}

#[tokio::test]
async fn an_agent_logs_in_with_a_token_of_its_own_for_a_shorter_one() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    let (agent, secret) = house
        .agent(&ada, &["vault:reveal"], &["secret:red/*"])
        .await;
    let id = agent.to_string();
    for path in ["secret/data/red/a", "secret/data/blue/a"] {
        house
            .post(&ada, path, r#"{"data":{"a":"b"}}"#)
            .await
            .data(200);
    }
    let log_in = async |role: &str, secret: &str, fields: &[(&str, &str)]| {
        let body = json!({ "role_id": role, "secret_id": secret }).to_string();
        house
            .send("POST", "auth/approle/login", fields, &body)
            .await
    };
    let answer = log_in(&id, &secret.token, &[("x-vault-namespace", &ada.slug)]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let auth = &answer.body["auth"];
    assert_eq!(auth["lease_duration"], 3_600);
    assert_eq!(
        (&auth["renewable"], &auth["orphan"]),
        (&json!(false), &json!(false))
    );
    let mut token = house.lasting(&ada, 60_000).await;
    token.token = auth["client_token"].as_str().unwrap().to_owned();
    assert_ne!(token.token, secret.token);
    house.get(&token, "secret/data/red/a").await.data(200);
    house
        .get(&token, "secret/data/blue/a")
        .await
        .fails(403, "permission denied");
    let shown = house.get(&token, "auth/token/lookup-self").await.data(200);
    assert_eq!(
        (&shown["path"], &shown["ttl"]),
        (&json!("auth/approle/login"), &json!(3_600))
    );
    let log = house.log(ada.org).await;
    let signed_in =
        |entry: &&crate::audit::Entry| entry.operation.as_deref() == Some("SignInWithAppRole");
    assert_eq!(log.iter().filter(signed_in).count(), 1);

    // Not a second time by what was logged in for, not another agent, not a person, not elsewhere.
    let (other, _) = house.agent(&ada, &["vault:list"], &["secret:*"]).await;
    let eve = house.owner("eve").await;
    let bearer = |text: &str| text.to_owned();
    for (role, proof, namespace) in [
        (id.clone(), bearer(&token.token), None),
        (other.to_string(), bearer(&secret.token), None),
        (id.to_uppercase(), bearer(&secret.token), None),
        (String::new(), bearer(&secret.token), None),
        (id.clone(), String::new(), None),
        (id.clone(), bearer("bkt_BKNOBODYKNOWSTHISKEY_SECRET"), None),
        (
            house.caller(&ada.token).await.principal().to_string(),
            bearer(&ada.token),
            None,
        ),
        (id.clone(), bearer(&secret.token), Some(eve.slug.as_str())),
    ] {
        let fields: Vec<_> = namespace
            .map(|name| ("x-vault-namespace", name))
            .into_iter()
            .collect();
        let refused = log_in(&role, &proof, &fields).await;
        refused.fails(400, "invalid role or secret ID");
    }
    assert_eq!(house.log(ada.org).await.iter().filter(signed_in).count(), 1);

    // The hour ends, and whatever ends the secret ends its tokens.
    house.place.hand.advance(Duration::from_secs(3_601));
    house
        .get(&token, "secret/data/red/a")
        .await
        .fails(403, "permission denied");
    let answer = log_in(&id, &secret.token, &[]).await;
    token.token = answer.body["auth"]["client_token"]
        .as_str()
        .unwrap()
        .to_owned();
    house.get(&token, "secret/data/red/a").await.data(200);
    let credential = house.caller(&secret.token).await.credential().to_string();
    let one = OfSubject::one(SubjectKind::Credential, credential);
    let permit = house.permit::<ManageCredentials>(&ada, one).await;
    house.world.tenancy.revoke_credential(permit).await.unwrap();
    house
        .get(&token, "secret/data/red/a")
        .await
        .fails(403, "permission denied");
    log_in(&id, &secret.token, &[])
        .await
        .fails(400, "invalid role or secret ID");
}

#[tokio::test]
async fn a_suspended_agent_does_not_log_in() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    let (agent, secret) = house.agent(&ada, &["vault:list"], &["secret:*"]).await;
    let body = json!({ "role_id": agent.to_string(), "secret_id": secret.token }).to_string();
    let log_in = async || house.send("PUT", "auth/approle/login", &[], &body).await;
    assert_eq!(log_in().await.status, 200);
    let one = OfSubject::one(SubjectKind::Agent, agent.to_string());
    let permit = house.permit::<ManageAgents>(&ada, one).await;
    house.world.tenancy.suspend_agent(permit).await.unwrap();
    log_in().await.fails(400, "invalid role or secret ID");
}

#[tokio::test]
async fn attempts_are_counted_by_agent_whether_it_exists_or_not_and_by_source() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    let (agent, secret) = house.agent(&ada, &["vault:list"], &["secret:*"]).await;
    let log_in = async |role: &str, secret: &str| {
        let body = json!({ "role_id": role, "secret_id": secret }).to_string();
        house.send("POST", "auth/approle/login", &[], &body).await
    };
    for role in [agent.to_string(), "nobody".to_owned()] {
        for _ in 0..10 {
            let refused = log_in(&role, "bkt_BKNOBODYKNOWSTHISKEY_SECRET").await;
            refused.fails(400, "invalid role or secret ID");
        }
        let refused = log_in(&role, &secret.token).await;
        assert_eq!(refused.status, 429);
        assert_eq!(refused.headers["retry-after"], "900");
    }
    house.place.hand.advance(Duration::from_secs(900));
    assert_eq!(log_in(&agent.to_string(), &secret.token).await.status, 200);
}

#[tokio::test]
async fn what_clients_ask_before_they_work_is_answered() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    let health = house.send("GET", "sys/health", &[], "").await;
    assert_eq!(health.status, 200);
    assert_eq!(
        (&health.body["sealed"], &health.body["initialized"]),
        (&json!(false), &json!(true))
    );
    assert!(health.body["cluster_id"].is_string());
    let head = house.send("HEAD", "sys/health", &[], "").await;
    assert_eq!((head.status, head.body), (200, json!(null)));
    let status = house.send("GET", "sys/seal-status", &[], "").await;
    assert_eq!(status.body["sealed"], false);
    for member in ["type", "version", "build_date", "storage_type", "nonce"] {
        assert!(status.body[member].is_string(), "{member}");
    }
    assert_eq!(
        house.send("GET", "sys/init", &[], "").await.body["initialized"],
        true
    );

    let leader = house.send("GET", "sys/leader", &[], "").await;
    assert_eq!(leader.body, json!({ "ha_enabled": false }));
    for path in [
        "sys/internal/ui/mounts/secret",
        "sys/internal/ui/mounts/secret/a/b",
    ] {
        let mount = house.get(&ada, path).await.data(200);
        assert_eq!(
            (&mount["path"], &mount["type"]),
            (&json!("secret/"), &json!("kv"))
        );
        assert_eq!(mount["options"], json!({"version": "2"}));
    }
    assert_eq!(
        house.get(&ada, "sys/internal/ui/mounts/kv/a").await.status,
        403
    );
    let mounts = house.get(&ada, "sys/internal/ui/mounts").await.data(200);
    assert_eq!(mounts["secret"]["secret/"]["type"], "kv");
    assert_eq!(mounts["auth"]["approle/"]["type"], "approle");
    let mounts = house.get(&ada, "sys/mounts").await.data(200);
    assert_eq!(mounts["secret/"]["options"]["version"], "2");
    assert_eq!(mounts["secret/"]["uuid"], ada.org.to_string());
    // Typed clients read no mount without every member that HashiCorp's server has.
    for member in ["plugin_version", "running_plugin_version", "running_sha256"] {
        assert!(mounts["secret/"][member].is_string(), "{member}");
    }
}

#[tokio::test]
async fn other_methods_are_refused_and_wrapping_is_not_passed_over() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    house
        .post(&ada, "secret/data/a", r#"{"data":{}}"#)
        .await
        .data(200);
    for (method, path, allowed) in [
        ("LIST", "secret/data/a", "GET, POST, PUT, PATCH, DELETE"),
        ("OPTIONS", "secret/data/a", "GET, POST, PUT, PATCH, DELETE"),
        ("GET", "secret/delete/a", "POST, PUT"),
        ("GET", "secret/metadata/", "LIST"),
        ("POST", "secret/metadata/a/", "LIST"),
        ("DELETE", "auth/token/revoke-self", "POST, PUT"),
        ("get", "secret/data/a", "GET, POST, PUT, PATCH, DELETE"),
    ] {
        let answer = house.ask(&ada, method, path, "").await;
        assert_eq!(answer.headers["allow"], allowed, "{method} {path}");
        answer.fails(405, "unsupported operation");
    }
    let head = house
        .ask(&ada, Method::HEAD.as_str(), "secret/data/a", "")
        .await;
    assert_eq!((head.status, head.body), (405, json!(null)));
    let wrapped = async |ttl: &str| {
        let fields = [
            ("x-vault-token", ada.token.as_str()),
            ("x-vault-wrap-ttl", ttl),
        ];
        house.send("GET", "secret/data/a", &fields, "").await
    };
    for ttl in ["60", "1ms", "5m", "soon", "-1"] {
        let answer = wrapped(ttl).await;
        answer.fails(400, "response wrapping is not offered");
    }
    for ttl in ["", "0", "0s"] {
        wrapped(ttl).await.data(200);
    }
}

#[tokio::test]
async fn a_sealed_organization_is_told_so() {
    let house = House::open().await;
    let ada = house.owner("ada").await;
    house
        .post(&ada, "secret/data/a", r#"{"data":{}}"#)
        .await
        .data(200);
    let slug = names::Slug::parse(&ada.slug).unwrap();
    let act = house.world.act();
    let change = crate::tenancy::Transition::Seal;
    house
        .world
        .administration
        .change_state(&act, &slug, change)
        .await
        .unwrap();
    house
        .get(&ada, "secret/data/a")
        .await
        .fails(503, "Vault is sealed");
}
