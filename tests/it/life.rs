//! The life of an organization, from its template to its certificate, through the doors.

use std::collections::BTreeMap;
use std::io::Read as _;

use bulkhead::audit::Outcome;
use bulkhead::catalog::Fault;
use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::bearer::{Bearer, PASSWORD, Reply};
use crate::support::client::{Client, Failure};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_names_a_template_of_the_settings_and_says_what_is_other() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let settings = directory.path().join("bulkhead.toml");
    std::fs::write(&settings, TEMPLATES).expect("a file");
    let path = settings.display().to_string();
    let mut house =
        House::start_with(&[("CONTROL_OPERATOR_TOKEN", TOKEN), ("CONFIG", &path)]).await;
    let operator = Bearer::new(house.control(), TOKEN);
    for plan in ["team", "large"] {
        let plan = json!({ "slug": plan, "name": plan });
        assert_eq!(operator.post("/plans", plan).await.status, 201);
    }

    // All of it, by its name.
    let owner = json!({ "email": "ada@acme.test" });
    let asked = json!({ "slug": "acme", "template": "standard", "owner": owner });
    let made = provision(&operator, "k1", asked.clone()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.text("plan"), "team");
    assert_eq!(made.body["buckets"], json!(["files", "reports"]));
    assert_eq!(made.body["access_key"]["scope"], "read-only");
    assert!(made.body["invitation"]["token"].is_string());
    let names = |reply: &Reply| {
        let agents = reply.body["agents"].as_array().cloned().unwrap_or_default();
        let names = agents.iter().map(|agent| agent["name"].clone());
        names.collect::<Vec<_>>()
    };
    assert_eq!(names(&made), ["Researcher", "Writer"]);
    let plan = operator.get("/organizations/acme/plan").await;
    assert_eq!(plan.body["plan"]["slug"], "team");
    let key = Key {
        id: made.body["access_key"]["id"].as_str().unwrap().to_owned(),
        secret: made.body["access_key"]["secret"]
            .as_str()
            .unwrap()
            .to_owned(),
    };
    let listed = house
        .client_of(&key)
        .send(Method::GET, "/files", &[], "")
        .await;
    assert_eq!(listed.expect("an answer").status, StatusCode::OK);

    // What the call says goes before, part by part; with null or nothing in it, there is none.
    for (slug, part, value) in [
        ("a", "plan", json!("large")),
        ("b", "plan", Value::Null),
        ("c", "access_key", Value::Null),
        ("d", "access_key", json!({ "scope": "full" })),
        ("e", "buckets", json!(["own"])),
        ("f", "agents", json!([])),
    ] {
        let mut asked = json!({ "slug": slug, "template": "standard" });
        asked[part] = value.clone();
        let other = provision(&operator, slug, asked).await;
        assert_eq!(other.status, 201, "{}", other.body);
        for (name, of_template) in [
            ("plan", json!("team")),
            ("buckets", json!(["files", "reports"])),
        ] {
            let expected = if name == part { &value } else { &of_template };
            assert_eq!(&other.body[name], expected, "{slug}");
        }
        let scope = match (part, value.is_null()) {
            ("access_key", true) => Value::Null,
            ("access_key", false) => json!("full"),
            _ => json!("read-only"),
        };
        assert_eq!(other.body["access_key"]["scope"], scope, "{slug}");
        let count = if part == "agents" { 0 } else { 2 };
        assert_eq!(names(&other).len(), count, "{slug}");
    }

    let unkeyed = json!({ "slug": "unkeyed", "template": "standard" });
    let unkeyed = operator.post("/organizations", unkeyed).await;
    assert_eq!(
        (unkeyed.status, unkeyed.text("field")),
        (400, "idempotency-key")
    );
    let unknown = json!({ "slug": "unknown", "template": "none" });
    let unknown = provision(&operator, "k9", unknown).await;
    assert_eq!((unknown.status, unknown.text("field")), (404, "template"));
    assert_eq!(operator.get("/organizations/unknown").await.status, 404);

    // Whatever becomes of the template, the same call shows what it made; a new one, what is there.
    let smaller = "[[template]]\nname = \"small\"\nbuckets = [\"one\"]\n";
    for text in [smaller, &TEMPLATES.replace("reports", "archive")] {
        house.stop();
        std::fs::write(&settings, text).expect("a file");
        house.restart().await;
        let operator = Bearer::new(house.control(), TOKEN);
        let again = provision(&operator, "k1", asked.clone()).await;
        assert_eq!(again.headers["idempotent-replayed"], "true");
        assert_eq!(again.body, made.body);
        if text == smaller {
            let small = json!({ "slug": "small", "template": "small" });
            let small = provision(&operator, "k8", small).await;
            assert_eq!(small.body["buckets"], json!(["one"]));
        }
    }

    // A template of which nothing can be made keeps the server from starting, and says where.
    house.stop();
    for (wrong, expected) in [
        ("plan = \"Team\"", "3:1: [[template]] plan: "),
        (
            "buckets = [\"files\", \"B\"]",
            "3:1: [[template]] buckets: `B`: ",
        ),
        (
            "[[template.agents]]\nname = \"\"",
            "4:1: [[template.agents]] name: ",
        ),
        (
            "[[template.agents]]\nproject = \"x\"",
            "3:1: [[template.agents]] name: ",
        ),
    ] {
        let text = format!("[[template]]\nname = \"standard\"\n{wrong}\n");
        std::fs::write(&settings, text).expect("a file");
        let refused = house.run(&["serve"]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("{path}:{expected}")), "{said}");
    }
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
            // Where the last write of its log had no answer, the next finds out what came of it.
            let resume = format!("/organizations/{slug}/resume");
            assert_eq!(operator.post(&resume, Value::Null).await.status, 200);
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
    let items = listed.body["items"].as_array();
    assert_eq!(items.map(Vec::len), Some(2), "{}", listed.body);
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
    for (target, body) in [("/files", ""), ("/files/a", "one")] {
        let put = client.send(Method::PUT, target, &[], body).await;
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

#[tokio::test]
async fn the_operator_destroys_at_once_what_it_names_twice() {
    let gateway = Gateway::start(TOKEN).await;
    let owned = Owned::settle(&gateway).await;
    owned.put("a", &vec![7; 300_000]).await;
    gateway.tenant("other").await;
    let operator = Bearer::new(gateway.control, TOKEN);
    let id = operator.get("/organizations/acme").await;
    let id = id.text("id").to_owned();
    let destroy = async |bearer: &Bearer, named: &str, confirm: &str| {
        let path = format!("/organizations/{named}/destroy");
        bearer.post(&path, json!({ "confirm": confirm })).await
    };
    for (named, confirm) in [("acme", "other"), ("acme", id.as_str()), ("acme", "")] {
        let refused = destroy(&operator, named, confirm).await;
        assert_eq!((refused.status, refused.text("field")), (400, "confirm"));
    }
    let owner = Bearer::log_in(gateway.control, "ada@acme.test", Some("acme")).await;
    let refused = destroy(&owner, "acme", "acme").await;
    assert_eq!(refused.code(), "not-for-this-credential");
    for nobody in ["nobody", "01234567-89ab-7def-8123-456789abcdef"] {
        let refused = destroy(&operator, nobody, nobody).await;
        assert_eq!(
            (refused.status, refused.code()),
            (404, "no-such-organization")
        );
    }
    let standing = operator.get("/organizations/acme").await;
    assert_eq!(standing.text("state"), "active");

    let destroyed = destroy(&operator, "acme", "acme").await;
    assert_eq!(destroyed.status, 200, "{}", destroyed.body);
    assert_eq!(destroyed.text("organization"), id);
    assert_eq!(destroyed.body["objects_destroyed"], 1);
    let blobs = destroyed.body["blobs_deleted"].as_u64().expect("a number");
    assert!(blobs > 0, "{}", destroyed.body);
    assert_eq!(owner.get("/self").await.status, 401);
    let gone = operator.get("/organizations/acme").await;
    assert_eq!((gone.status, gone.code()), (404, "no-such-organization"));
    let others = operator.get("/organizations/other").await;
    assert_eq!(others.text("state"), "active");
    // Its name is free, and nobody else's organization is meant by it.
    let again = destroy(&operator, "acme", "acme").await;
    assert_eq!((again.status, again.code()), (404, "no-such-organization"));
    let again = destroy(&operator, &id, &id).await;
    assert_eq!(again.status, 200, "{}", again.body);
    assert_eq!(again.body["destroyed_at"], destroyed.body["destroyed_at"]);
    assert_eq!(again.body["blobs_deleted"], 0);

    let log = gateway.platform_log().await;
    let of_it = log.iter().filter_map(|entry| match &entry.outcome {
        Outcome::Stated { reason } if reason.contains("bulkhead:DestroyOrganization") => {
            reason.contains(&id).then_some(reason)
        }
        _ => None,
    });
    let of_it: Vec<_> = of_it.collect();
    // Before and after, both times.
    assert_eq!(of_it.len(), 4, "{of_it:?}");
    assert!(of_it[1].contains("\"objects_destroyed\":1"), "{of_it:?}");
}

#[tokio::test]
async fn an_export_holds_all_that_the_organization_has_and_names_that_stay_inside() {
    let gateway = Gateway::start(TOKEN).await;
    let owned = Owned::settle(&gateway).await;
    let large: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
    let keys = [
        "a",
        "dir/b",
        "../up",
        "a//b",
        "./c",
        "100%",
        "x\\y",
        "\u{fc}ber",
    ];
    for key in keys {
        owned.put(key, key.as_bytes()).await;
    }
    owned.put("large", &large).await;

    let archive = owned.export().await.expect("a whole archive");
    let entries = read_archive(&archive);
    for (name, bytes) in [
        ("drive/files/a", "a".as_bytes()),
        ("drive/files/dir/b", b"dir/b"),
        ("drive/files/%2E%2E/up", b"../up"),
        ("drive/files/a/%/b", b"a//b"),
        ("drive/files/%2E/c", b"./c"),
        ("drive/files/100%25", b"100%"),
        ("drive/files/x%5Cy", b"x\\y"),
        ("drive/files/\u{fc}ber", "\u{fc}ber".as_bytes()),
        ("drive/files/large", &large),
    ] {
        assert_eq!(entries[name], bytes, "{name}");
    }
    let sidecar: Value =
        serde_json::from_slice(&entries["metadata/files/%2E%2E/up.json"]).expect("JSON");
    assert_eq!(
        (&sidecar["key"], &sidecar["size"]),
        (&json!("../up"), &json!(5))
    );
    let text = |name: &str| String::from_utf8(entries[name].clone()).expect("text");
    assert!(text("records/members/00000001.jsonl").contains("ada@acme.test"));
    assert!(text("records/agents/00000001.jsonl").contains("Researcher"));
    assert!(text("records/profile.json").contains("\"plan\":\"team\""));
    assert!(entries.contains_key("buckets/reports.json"));
    let log = text("activity/00000001.jsonl");
    assert!(
        log.contains("bulkhead:ExportOrganization"),
        "it is told of before it is begun"
    );

    // The manifest names every entry but itself, with what it holds.
    let manifest = text("manifest/00000001.jsonl");
    let summary: Value = serde_json::from_slice(&entries["MANIFEST.json"]).expect("JSON");
    assert_eq!(summary["sha256"], hex(&manifest));
    assert_eq!(summary["entries"], manifest.lines().count());
    assert_eq!(manifest.lines().count(), entries.len() - 2);
    for line in manifest.lines() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let bytes = &entries[line["name"].as_str().expect("a name")];
        assert_eq!(line["size"], bytes.len(), "{line}");
        assert_eq!(line["sha256"], hex(bytes), "{line}");
    }
}

#[tokio::test]
async fn an_export_is_for_owners_and_breaks_off_where_a_blob_does() {
    let gateway = Gateway::start(TOKEN).await;
    let owned = Owned::settle(&gateway).await;
    gateway.tenant("other").await;
    owned.put("small", b"small").await;
    owned.put("large", &vec![7; 300_000]).await;

    let operator = Bearer::new(gateway.control, TOKEN);
    let refused = operator.get("/organizations/acme/export").await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    let owner = Bearer::log_in(gateway.control, "ada@acme.test", Some("acme")).await;
    let others = owner.get("/organizations/other/export").await;
    assert_eq!(others.status, 404, "{}", others.body);
    let email = json!({ "email": "bob@acme.test", "role": "admin" });
    let invited = owner.post("/organizations/acme/invitations", email).await;
    join(&gateway, &invited.body["token"]).await;
    let admin = Bearer::log_in(gateway.control, "bob@acme.test", Some("acme")).await;
    let refused = admin.get("/organizations/acme/export").await;
    assert_eq!((refused.status, refused.code()), (403, "not-allowed"));

    assert!(owned.export().await.is_ok());
    gateway.fail_blob_reads();
    assert!(
        owned.export().await.is_err(),
        "an archive that lacks a file is never whole"
    );
}

/// An organization with an owner.
struct Owned<'a> {
    gateway: &'a Gateway,
    client: Client,
    token: String,
}

impl<'a> Owned<'a> {
    async fn settle(gateway: &'a Gateway) -> Self {
        let operator = Bearer::new(gateway.control, TOKEN);
        make_plan(&operator).await;
        let made = provision(&operator, "k1", template("acme")).await;
        join(gateway, &made.body["invitation"]["token"]).await;
        let nobody = Bearer::showing(gateway.control, None);
        let login = json!({
            "email": "ada@acme.test",
            "password": PASSWORD,
            "organization": "acme",
        });
        let session = nobody.post("/sessions", login).await;
        let client = client_of(gateway, &made);
        Self {
            gateway,
            client,
            token: session.text("token").to_owned(),
        }
    }

    async fn put(&self, key: &str, bytes: &[u8]) {
        let mut target = String::from("/files/");
        for byte in key.bytes() {
            match byte {
                b'/' | b'.' => target.push(char::from(byte)),
                byte if byte.is_ascii_alphanumeric() => target.push(char::from(byte)),
                byte => target.push_str(&format!("%{byte:02X}")),
            }
        }
        let put = self
            .client
            .send(Method::PUT, &target, &[], bytes.to_vec())
            .await;
        assert_eq!(put.expect("an answer").status, StatusCode::OK, "{key}");
    }

    async fn export(&self) -> Result<Bytes, Failure> {
        let client = Client::new(
            self.gateway.control,
            Key {
                id: "BKNOBODYSIGNSWITHTHIS".to_owned(),
                secret: "unused".to_owned(),
            },
        );
        let authorization = format!("Bearer {}", self.token);
        let fields = [("authorization", authorization.as_str())];
        let target = "/api/v1/organizations/acme/export";
        let answer = client
            .send_unsigned(Method::GET, target, &fields, "")
            .await?;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.headers["content-type"], "application/x-tar");
        Ok(answer.body)
    }
}

async fn join(gateway: &Gateway, token: &Value) {
    let person = json!({ "token": token, "name": "Somebody", "password": PASSWORD });
    let nobody = Bearer::showing(gateway.control, None);
    let joined = nobody.post("/invitations/join", person).await;
    assert_eq!(joined.status, 201, "{}", joined.body);
}

/// What an archive holds, as another reader sees it. No name leads out of it.
fn read_archive(bytes: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut entries = BTreeMap::new();
    for entry in tar::Archive::new(bytes).entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        let name = String::from_utf8(entry.path_bytes().to_vec()).expect("text");
        assert!(
            name.split('/').all(|part| !["", ".", ".."].contains(&part)),
            "{name}"
        );
        let mut held = Vec::new();
        entry.read_to_end(&mut held).expect("its bytes");
        assert!(entries.insert(name.clone(), held).is_none(), "{name} twice");
    }
    entries
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
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
const TEMPLATES: &str = "\
[[template]]
name = \"standard\"
plan = \"team\"
access_key = \"read-only\"
buckets = [\"files\", \"reports\"]

[[template.agents]]
name = \"Researcher\"
department = \"Science\"

[[template.agents]]
name = \"Writer\"
";
