//! The life of an organization, from its template to its certificate, through the doors.

use bulkhead::catalog::Fault;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::bearer::{Bearer, PASSWORD, Reply};
use crate::support::client::Client;
use crate::support::gateway::Gateway;
use crate::support::house::House;
use crate::support::sign::Key;

#[tokio::test]
async fn one_call_makes_all_of_a_template_and_its_repetition_shows_the_same() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    make_plan(&operator).await;
    let made = provision(&operator, "k1", template("acme")).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.headers["location"], "/api/v1/organizations/acme");
    assert!(!made.headers.contains_key("idempotent-replayed"));
    assert_eq!(made.text("plan"), "team");
    assert_eq!(made.body["buckets"], json!(["files", "reports"]));
    assert_eq!(made.body["agents"][0]["name"], "Researcher");

    // What it names is there, and works.
    let client = client_of(&gateway, &made);
    let listed = client
        .send(Method::GET, "/", &[], "")
        .await
        .expect("an answer");
    let listed = String::from_utf8(listed.body.to_vec()).expect("text");
    assert!(listed.contains("<Name>files</Name>") && listed.contains("<Name>reports</Name>"));
    let put = client.send(Method::PUT, "/files/a", &[], "one").await;
    assert_eq!(put.expect("an answer").status, StatusCode::OK);
    let plan = operator.get("/organizations/acme/plan").await;
    assert_eq!(plan.body["plan"]["slug"], "team");

    let again = provision(&operator, "k1", template("acme")).await;
    assert_eq!(again.status, 201);
    assert_eq!(again.headers["idempotent-replayed"], "true");
    assert_eq!(again.body, made.body);
    let listed = operator.get("/organizations").await;
    assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(1));

    // The owner comes by the invitation, which is not shown again once it is used.
    let join = json!({
        "token": made.body["invitation"]["token"],
        "name": "Ada",
        "password": PASSWORD,
    });
    let nobody = Bearer::showing(gateway.control, None);
    let joined = nobody.post("/invitations/join", join).await;
    assert_eq!(joined.status, 201, "{}", joined.body);
    let owner = Bearer::log_in(gateway.control, "ada@acme.test", Some("acme")).await;
    let agents = owner.get("/organizations/acme/agents").await;
    assert_eq!(agents.body["items"][0]["id"], made.body["agents"][0]["id"]);
    let again = provision(&operator, "k1", template("acme")).await;
    assert_eq!(again.body["invitation"], Value::Null);
    assert_eq!(again.body["access_key"], made.body["access_key"]);
}

#[tokio::test]
async fn a_provisioning_that_ends_anywhere_is_finished_by_its_repetition() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    make_plan(&operator).await;
    for (fault, name) in [
        (Fault::Unavailable, "unavailable"),
        (Fault::Unanswered, "unanswered"),
    ] {
        let mut failures = 0;
        for commits in 0.. {
            let (slug, key) = (format!("{name}-{commits}"), format!("{name}-{commits}"));
            gateway.fail_commits_after(commits, fault);
            let first = try_provision(&operator, &key, template(&slug)).await;
            let is_cut = gateway.heal();
            failures += u32::from(is_cut);
            let second = provision(&operator, &key, template(&slug)).await;
            assert_eq!(second.status, 201, "{name} {commits}: {}", second.body);
            if first.status == 201 {
                assert_eq!(second.body, first.body, "{name} {commits}");
            }
            assert_is_whole(&gateway, &operator, &slug, &second).await;
            if !is_cut {
                break;
            }
        }
        assert!(failures >= 8, "{name}: {failures} steps were cut");
    }
}

#[tokio::test]
async fn a_key_is_of_one_request_and_a_slug_of_one_organization() {
    let gateway = Gateway::start(TOKEN).await;
    let operator = Bearer::new(gateway.control, TOKEN);
    make_plan(&operator).await;
    let bare = operator
        .post("/organizations", json!({ "slug": "bare" }))
        .await;
    assert_eq!(bare.status, 201, "{}", bare.body);
    let unkeyed = operator.post("/organizations", template("acme")).await;
    assert_eq!(
        (unkeyed.status, unkeyed.text("field")),
        (400, "idempotency-key")
    );

    let taken = provision(&operator, "k1", template("bare")).await;
    assert_eq!((taken.status, taken.code()), (409, "slug-taken"));
    // Nothing is left of that, so that the key is free for a better slug.
    assert_eq!(
        provision(&operator, "k1", template("acme")).await.status,
        201
    );
    let other = provision(&operator, "k1", template("other")).await;
    assert_eq!(
        (other.status, other.code()),
        (422, "idempotency-key-reused")
    );

    let mut planless = template("planless");
    planless["plan"] = json!("none");
    assert_eq!(provision(&operator, "k2", planless).await.status, 404);
    for (field, value, named) in [
        ("slug", json!("A"), "slug"),
        ("name", json!(""), "name"),
        ("plan", json!("A"), "plan"),
        ("owner", json!({ "email": "x" }), "owner.email"),
        ("agents", json!([{ "name": "" }]), "agents.name"),
        ("agents", json!(vec![json!({ "name": "x" }); 33]), "agents"),
        ("buckets", json!(["A"]), "buckets"),
        ("access_key", json!({ "scope": "all" }), "access_key.scope"),
    ] {
        let mut wrong = template("wrong");
        wrong[field] = value;
        let reply = provision(&operator, "k3", wrong).await;
        assert_eq!((reply.status, reply.text("field")), (400, named));
    }
    let listed = operator.get("/organizations").await;
    assert_eq!(listed.body["items"].as_array().map(Vec::len), Some(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_destroyed_is_certified_as_often_as_the_operator_asks() {
    let settings = [
        ("CONTROL_OPERATOR_TOKEN", TOKEN),
        ("DATA_BACKUPS_KEPT", "30d"),
    ];
    let house = House::start_with(&settings).await;
    let acme = house.create_organization("acme");
    let client = house.client_of(&acme.key);
    for target in ["/files", "/files/a"] {
        let put = client.send(Method::PUT, target, &[], "").await;
        assert_eq!(put.expect("an answer").status, StatusCode::OK);
    }
    let operator = Bearer::new(house.control(), TOKEN);
    let shown = operator.get("/organizations/acme").await;
    let certificate = format!("/organizations/{}/certificate", shown.text("id"));
    let living = operator.get(&certificate).await;
    assert_eq!(
        (living.status, living.code()),
        (404, "no-such-organization")
    );
    assert_eq!(
        operator.get("/organizations/acme").await.text("state"),
        "active"
    );

    let first = house.command(&["org", "destroy", "acme", "--confirm", "acme"]);
    let reply = operator.get(&certificate).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    for name in [
        "organization",
        "destroyed_at",
        "key_versions_destroyed",
        "objects_destroyed",
    ] {
        assert_eq!(reply.body[name], first[name], "{name}");
    }
    assert_eq!(reply.body["objects_destroyed"], 1);
    let pending = reply.body["pending"].as_array().expect("a list");
    let backups = pending.iter().find(|one| one["what"] == "backups");
    assert!(backups.expect("backups are kept")["until"].is_string());
    assert!(
        pending.iter().any(|one| one["what"] == "root"),
        "{pending:?}"
    );
    // A credential of the organization is gone with it.
    let refused = client.send(Method::GET, "/files/a", &[], "").await;
    assert_eq!(refused.expect("an answer").status, StatusCode::FORBIDDEN);

    let strangers = [None, Some("Bearer wrong".to_owned())];
    for authorization in strangers {
        let stranger = Bearer::showing(house.control(), authorization);
        assert_eq!(stranger.get(&certificate).await.status, 401);
    }
}

async fn assert_is_whole(gateway: &Gateway, operator: &Bearer, slug: &str, made: &Reply) {
    assert_eq!(made.text("slug"), slug);
    let keys = operator
        .get(&format!("/organizations/{slug}/access-keys"))
        .await;
    let items = keys.body["items"].as_array().expect("a list");
    assert_eq!(items.len(), 1, "{slug}: {}", keys.body);
    assert_eq!(items[0]["id"], made.body["access_key"]["id"]);
    let client = client_of(gateway, made);
    let listed = client
        .send(Method::GET, "/", &[], "")
        .await
        .expect("an answer");
    let listed = String::from_utf8(listed.body.to_vec()).expect("text");
    assert_eq!(listed.matches("<Name>").count(), 2, "{slug}: {listed}");
    let plan = operator.get(&format!("/organizations/{slug}/plan")).await;
    assert_eq!(plan.body["plan"]["slug"], "team");
    let agents = made.body["agents"].as_array().expect("a list");
    assert_eq!(agents.len(), 2, "{slug}");
    assert!(made.body["invitation"]["token"].is_string());
}

fn client_of(gateway: &Gateway, made: &Reply) -> Client {
    let text = |name: &str| {
        made.body["access_key"][name]
            .as_str()
            .expect("a text")
            .to_owned()
    };
    let key = Key {
        id: text("id"),
        secret: text("secret"),
    };
    Client::new(gateway.api, key)
}

async fn make_plan(operator: &Bearer) {
    let plan = json!({ "slug": "team", "name": "Team", "limits": { "agents": 10 } });
    let made = operator.post("/plans", plan).await;
    assert_eq!(made.status, 201, "{}", made.body);
}

fn template(slug: &str) -> Value {
    json!({
        "slug": slug,
        "name": "Acme",
        "plan": "team",
        "owner": { "email": "ada@acme.test" },
        "agents": [
            { "name": "Researcher", "department": "Science" },
            { "name": "Writer" },
        ],
        "access_key": { "scope": "full" },
        "buckets": ["files", "reports"],
    })
}

async fn provision(operator: &Bearer, key: &str, template: Value) -> Reply {
    let reply = try_provision(operator, key, template).await;
    assert!(reply.status < 500, "{}", reply.body);
    reply
}

async fn try_provision(operator: &Bearer, key: &str, template: Value) -> Reply {
    let fields = [("idempotency-key", key)];
    operator
        .send_unchecked(Method::POST, "/organizations", &fields, template)
        .await
}

const TOKEN: &str = "a-token-of-the-operator";
