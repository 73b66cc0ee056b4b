//! The vault over `/api/v1`: secrets, who may use and who may reveal them.

use std::collections::BTreeSet;
use std::time::Duration;

use bulkhead::audit::{Entry, Outcome};
use http::Method;
use http::header::LOCATION;
use serde_json::{Value, json};

use crate::support::bearer::{Bearer, PASSWORD, Reply};
use crate::support::gateway::Gateway;

#[tokio::test]
async fn a_secret_is_made_revealed_written_and_shown_with_its_history() {
    let world = World::start().await;
    let made = world
        .create(json!({
            "path": "prod/db",
            "kind": "basic",
            "description": "the ledger",
            "tags": { "team": "finance" },
            "settings": { "expires_at": "2999-01-01T00:00:00Z", "custom": { "a": "b" } },
            "value": { "fields": { "username": "ann", "password": "one" } },
        }))
        .await;
    assert_eq!(made.status, 201, "{}", made.body);
    let location = made.headers[LOCATION].to_str().expect("text");
    assert!(location.ends_with("/secrets/prod%2Fdb"), "{location}");
    assert_eq!(made.body["current_version"], 1);
    assert_eq!(made.body["settings"]["is_expired"], false);

    let put = world
        .post(
            "prod%2Fdb/versions",
            json!({ "value": { "fields": { "username": "ann", "password": "two" } }, "current": 1 }),
        )
        .await;
    assert_eq!(put.status, 201, "{}", put.body);
    assert_eq!(put.body["version"]["number"], 2);
    let reveal = async |query: &str| world.get(&format!("prod%2Fdb/value{query}")).await;
    assert_eq!(
        reveal("").await.body["value"],
        json!({ "fields": { "username": "ann", "password": "two" } })
    );
    let first = reveal("?version=1").await;
    assert_eq!(first.body["value"]["fields"]["password"], "one");
    let previous = reveal("?stage=AWSPREVIOUS").await;
    assert_eq!(previous.body["version"]["number"], 1);
    let id = put.body["version"]["id"].as_str().expect("a name");
    let named = reveal(&format!("?id={id}")).await;
    assert_eq!(named.body["version"]["number"], 2);
    let none = reveal("?version=3").await;
    assert_eq!((none.status, none.code()), (404, "no-such-version"));

    let shown = world.get("prod%2Fdb").await;
    assert_eq!(shown.body["versions"].as_array().map(Vec::len), Some(2));
    assert_eq!(shown.body["tags"], json!({ "team": "finance" }));
    let history = world.get("prod%2Fdb/versions").await;
    assert_eq!(history.body["items"], shown.body["versions"]);
    // Whatever is said of a secret is not what it holds.
    for text in [shown.body.to_string(), history.body.to_string()] {
        assert!(!text.contains("one") && !text.contains("two"), "{text}");
    }

    let back = world
        .post("prod%2Fdb/rollback", json!({ "version": 1 }))
        .await;
    assert_eq!(
        (back.status, &back.body["version"]["number"]),
        (201, &json!(3))
    );
    assert_eq!(reveal("").await.body["value"]["fields"]["password"], "one");
}

#[tokio::test]
async fn values_come_back_in_the_form_of_their_kind() {
    let world = World::start().await;
    for (path, kind, value) in [
        ("text", "opaque", json!({ "text": "ä\u{0}\n" })),
        ("bytes", "opaque", json!({ "base64": "AP8=" })),
        ("key", "api-key", json!({ "text": "{\"a\":1}" })),
        (
            "pairs",
            "key-value",
            json!({ "fields": { "b": [1, { "c": null }] } }),
        ),
    ] {
        let made = world
            .create(json!({ "path": path, "kind": kind, "value": value }))
            .await;
        assert_eq!(made.status, 201, "{path}: {}", made.body);
        let revealed = world.get(&format!("{path}/value")).await;
        assert_eq!(revealed.body["value"], value, "{path}");
    }
    let bare = world.create(json!({ "path": "empty" })).await;
    assert_eq!(bare.body["current_version"], Value::Null);
    assert_eq!(world.get("empty/value").await.code(), "no-such-version");
}

#[tokio::test]
async fn problems_name_the_field() {
    let world = World::start().await;
    let long = "a".repeat(2_049);
    let tags: serde_json::Map<_, _> = (0..51).map(|n| (format!("t{n}"), json!(""))).collect();
    for (wrong, field) in [
        (json!({ "path": "a//b" }), "path"),
        (json!({ "path": "a", "description": long }), "description"),
        (json!({ "path": "a", "tags": tags }), "tags"),
        (
            json!({ "path": "a", "settings": { "versions_max": 0 } }),
            "settings.versions_max",
        ),
        (
            json!({ "path": "a", "settings": { "remind_at": "soon" } }),
            "settings.remind_at",
        ),
        (
            json!({ "path": "a", "settings": { "custom": { "": "x" } } }),
            "settings.custom",
        ),
        (json!({ "path": "a", "value": { "text": "" } }), "value"),
        (
            json!({ "path": "a", "value": { "base64": "*" } }),
            "value.base64",
        ),
        (
            json!({ "path": "a", "value": { "fields": [] } }),
            "value.fields",
        ),
        (
            json!({ "path": "a", "kind": "basic", "value": { "text": "x" } }),
            "value",
        ),
        (
            json!({ "path": "a", "value": { "text": "x" }, "token": "short" }),
            "token",
        ),
    ] {
        let reply = world.create(wrong.clone()).await;
        assert_eq!(
            (reply.status, reply.code()),
            (400, "invalid-request"),
            "{wrong}"
        );
        assert_eq!(reply.text("field"), field, "{wrong}");
        // What is wrong in a value is told without the value.
        assert!(!reply.body["detail"].to_string().contains("short"));
    }
    assert_eq!(world.list("").await.body["items"], json!([]));
}

#[tokio::test]
async fn a_write_checks_the_version_that_it_replaces() {
    let world = World::start().await;
    world.create(text("a", "one")).await;
    let two = json!({ "value": { "text": "two" }, "current": 0 });
    let refused = world.post("a/versions", two).await;
    assert_eq!(
        (refused.status, refused.code(), refused.text("field")),
        (412, "another-version-is-current", "current")
    );
    let shown = world.get("a").await;
    let tag = shown.etag().to_owned();
    let patch = async |tag: &str, body: Value| {
        let path = world.secret("a");
        world
            .owner
            .send(Method::PATCH, &path, &[("if-match", tag)], body)
            .await
    };
    let changed = patch(&tag, json!({ "description": "ours", "tags": { "x": "y" } })).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let stale = patch(&tag, json!({ "description": "theirs" })).await;
    assert_eq!(stale.status, 412, "{}", stale.body);
    let path = world.secret("a/versions");
    let fields = [("if-match", tag.as_str())];
    let two = json!({ "value": { "text": "two" } });
    let put = world.owner.send(Method::POST, &path, &fields, two);
    assert_eq!(put.await.status, 412);
    let settings = json!({ "settings": { "check_required": true }, "tags": { "x": null } });
    assert_eq!(patch(changed.etag(), settings).await.status, 200);
    let unchecked = world
        .post("a/versions", json!({ "value": { "text": "two" } }))
        .await;
    assert_eq!(
        (unchecked.status, unchecked.code()),
        (428, "check-required")
    );
    let shown = world.get("a").await.body;
    assert_eq!(
        (&shown["description"], &shown["tags"]),
        (&json!("ours"), &json!({}))
    );
    assert_eq!(shown["current_version"], 1);
}

#[tokio::test]
async fn a_token_makes_a_write_once() {
    let world = World::start().await;
    world.create(text("a", "one")).await;
    let token = "0123456789abcdef0123456789abcdef";
    let write = |value: &str| json!({ "value": { "text": value }, "token": token });
    let first = world.post("a/versions", write("two")).await;
    let again = world.post("a/versions", write("two")).await;
    assert_eq!(first.body, again.body);
    let other = world.post("a/versions", write("three")).await;
    assert_eq!((other.status, other.code()), (409, "token-reused"));
    assert_eq!(world.get("a").await.body["current_version"], 2);
}

#[tokio::test]
async fn secrets_are_listed_by_prefix_in_pages() {
    let world = World::start().await;
    for path in ["prod/a", "prod/b", "prod/c", "test/a", "prod"] {
        let mut new = text(path, "x");
        new["tags"] = json!({ "env": path.split('/').next() });
        assert_eq!(world.create(new).await.status, 201);
    }
    let paths = |reply: &Reply| -> Vec<String> {
        let items = reply.body["items"].as_array().expect("a list");
        let path = |item: &Value| item["path"].as_str().expect("a path").to_owned();
        items.iter().map(path).collect()
    };
    let all = world.list("").await;
    assert_eq!(
        paths(&all),
        ["prod", "prod/a", "prod/b", "prod/c", "test/a"]
    );
    assert!(!all.body.to_string().contains("\"x\""));
    let tagged = world.list("?tag=env%3Dtest").await;
    assert_eq!(paths(&tagged), ["test/a"]);
    let mut found = Vec::new();
    let mut query = "?prefix=prod/&limit=2".to_owned();
    loop {
        let page = world.list(&query).await;
        found.extend(paths(&page));
        match page.body["next"].as_str() {
            Some(next) => query = format!("?prefix=prod/&limit=2&after={next}"),
            None => break,
        }
    }
    assert_eq!(found, ["prod/a", "prod/b", "prod/c"]);
    assert_eq!(world.list("?prefix=..%2F").await.text("field"), "prefix");
}

#[tokio::test]
async fn a_deleted_secret_is_restored_within_its_time() {
    let world = World::start().await;
    world.create(text("a", "one")).await;
    for wrong in [
        "?recovery_days=6",
        "?recovery_days=31",
        "?at_once=true&recovery_days=7",
    ] {
        assert_eq!(
            world.delete(&format!("a{wrong}")).await.status,
            400,
            "{wrong}"
        );
    }
    let deleted = world.delete("a?recovery_days=7").await;
    assert!(deleted.body["delete_at"].is_string(), "{}", deleted.body);
    let gone = world.get("a/value").await;
    assert_eq!((gone.status, gone.code()), (409, "secret-deleted"));
    assert_eq!(world.list("").await.body["items"], json!([]));
    let listed = world.list("?state=deleted").await;
    assert_eq!(listed.body["items"][0]["state"], "deleted");
    assert_eq!(world.post("a/restore", Value::Null).await.status, 200);
    assert_eq!(world.get("a/value").await.body["value"]["text"], "one");
    let deleted = world.delete("a?at_once=true").await;
    assert_eq!(deleted.body["delete_at"], Value::Null);
    assert_eq!(world.get("a").await.code(), "no-such-secret");
    assert_eq!(world.post("a/restore", Value::Null).await.status, 404);
}

#[tokio::test]
async fn versions_are_deleted_brought_back_and_destroyed() {
    let world = World::start().await;
    world.create(text("a", "one")).await;
    world
        .post("a/versions", json!({ "value": { "text": "two" } }))
        .await;
    let change = async |what: &str| {
        let path = format!("a/versions/{what}");
        let changed = world.post(&path, json!({ "versions": [1, 9] })).await;
        assert_eq!(changed.status, 200, "{what}: {}", changed.body);
        world.get("a/value?version=1").await
    };
    let deleted = change("delete").await;
    assert_eq!((deleted.status, deleted.code()), (410, "version-deleted"));
    assert_eq!(change("undelete").await.body["value"]["text"], "one");
    assert_eq!(change("destroy").await.status, 410);
    assert_eq!(change("undelete").await.status, 410);
    assert_eq!(
        world
            .post("a/rollback", json!({ "version": 1 }))
            .await
            .status,
        410
    );
    assert_eq!(world.get("a/value").await.body["value"]["text"], "two");
    let none = world
        .post("a/versions/destroy", json!({ "versions": [] }))
        .await;
    assert_eq!((none.status, none.text("field")), (400, "versions"));
}

#[tokio::test]
async fn a_stage_moves_from_the_version_that_carries_it() {
    let world = World::start().await;
    world.create(text("a", "one")).await;
    world
        .post(
            "a/versions",
            json!({ "value": { "text": "two" }, "stages": ["AWSPENDING"] }),
        )
        .await;
    let versions = world.get("a/versions").await.body;
    let id = |at: usize| {
        versions["items"][at]["id"]
            .as_str()
            .expect("a name")
            .to_owned()
    };
    let (first, second) = (id(0), id(1));
    let shift = async |from: Option<&str>, to: Option<&str>| {
        let path = world.secret("a/stages/AWSCURRENT");
        let body = json!({ "from": from, "to": to });
        world.owner.send(Method::PUT, &path, &[], body).await
    };
    let wrong = shift(Some(&second), Some(&second)).await;
    assert_eq!((wrong.status, wrong.text("field")), (409, "from"));
    assert_eq!(shift(Some(&first), None).await.text("field"), "to");
    assert_eq!(shift(Some(&first), Some(&second)).await.status, 200);
    assert_eq!(world.get("a/value").await.body["value"]["text"], "two");
    let previous = world.get("a/value?stage=AWSPREVIOUS").await;
    assert_eq!(previous.body["version"]["id"], first);
}

#[tokio::test]
async fn an_agent_uses_what_it_was_granted_and_reveals_what_was_granted_by_name() {
    let world = World::start().await;
    world.create(text("prod/db", "one")).await;
    world.create(text("test/db", "two")).await;
    let agent = world.agent("Robot").await;
    let asks = async |what: &str| {
        let path = world.secret(what);
        agent.bearer.get(&path).await.status
    };
    // Neither until it is granted.
    assert_eq!(asks("prod%2Fdb/use").await, 403);
    assert_eq!(asks("prod%2Fdb/value").await, 403);
    assert_eq!(asks("prod%2Fdb").await, 403);
    // However widely it is granted, it does not reveal.
    for actions in [
        &["vault:use"][..],
        &["vault:*"],
        &["*"],
        &["vault:rev*", "vault:use"],
    ] {
        let grant = world
            .grant(&agent.id, "agent", actions, "secret:prod/*")
            .await;
        assert_eq!(asks("prod%2Fdb/use").await, 200, "{actions:?}");
        assert_eq!(asks("prod%2Fdb/value").await, 403, "{actions:?}");
        assert_eq!(asks("test%2Fdb/use").await, 403, "{actions:?}");
        world.revoke(&grant).await;
        assert_eq!(asks("prod%2Fdb/use").await, 403, "{actions:?}");
    }
    // By name it does, and only there.
    let grant = world
        .grant(&agent.id, "agent", &["vault:reveal"], "secret:prod/*")
        .await;
    assert_eq!(asks("prod%2Fdb/value").await, 200);
    assert_eq!(asks("prod%2Fdb/use").await, 403);
    assert_eq!(asks("test%2Fdb/value").await, 403);
    world.revoke(&grant).await;
    assert_eq!(asks("prod%2Fdb/value").await, 403);
    // A right to use what is not there finds nothing.
    world
        .grant(&agent.id, "agent", &["vault:use"], "secret:*")
        .await;
    assert_eq!(asks("prod%2Fnothing/use").await, 404);
    world.delete("prod%2Fdb").await;
    assert_eq!(asks("prod%2Fdb/use").await, 409);
}

#[tokio::test]
async fn teams_and_members_are_granted_secrets_by_pattern() {
    let world = World::start().await;
    world.create(text("prod/db", "one")).await;
    let agent = world.agent("Robot").await;
    let member = world.member("bob@example.com").await;
    let team = world.made("teams", json!({ "name": "Crew" })).await;
    for seat in [&agent.id, &member.id] {
        let path = format!("{}/teams/{team}/members/{seat}", world.org);
        let seated = world.owner.send(Method::PUT, &path, &[], Value::Null).await;
        assert!(seated.status < 300, "{}", seated.body);
    }
    let value = world.secret("prod%2Fdb/value");
    assert_eq!(member.bearer.get(&value).await.status, 403);
    let wide = world
        .grant(&team, "team", &["vault:*"], "secret:prod/*")
        .await;
    // A member of the team reveals by it, an agent of the team does not.
    assert_eq!(member.bearer.get(&value).await.status, 200);
    assert_eq!(agent.bearer.get(&value).await.status, 403);
    assert_eq!(
        agent
            .bearer
            .get(&world.secret("prod%2Fdb/use"))
            .await
            .status,
        200
    );
    world.revoke(&wide).await;
    let named = world
        .grant(&team, "team", &["vault:reveal"], "secret:prod/*")
        .await;
    assert_eq!(agent.bearer.get(&value).await.status, 200);
    world.revoke(&named).await;
    world
        .grant(&member.id, "member", &["vault:list"], "secret:prod/*")
        .await;
    let list = async |query: &str| {
        let path = format!("{}/secrets{query}", world.org);
        member.bearer.get(&path).await.status
    };
    assert_eq!(list("?prefix=prod/").await, 200);
    // Whoever may list a part is not shown the whole.
    assert_eq!(list("").await, 403);
    assert_eq!(list("?prefix=pro").await, 403);
}

#[tokio::test]
async fn what_is_revealed_stands_in_the_log_before() {
    let world = World::start().await;
    world.create(text("prod/db", "one")).await;
    world.get("prod%2Fdb/value").await;
    let agent = world.agent("Robot").await;
    agent.bearer.get(&world.secret("prod%2Fdb/value")).await;
    let log = world.log().await;
    let of_reveals = |entry: &&Entry| entry.action == "vault:reveal";
    let reveals: Vec<_> = log.iter().filter(of_reveals).collect();
    assert!(
        reveals
            .iter()
            .all(|entry| entry.resource == "secret:prod/db")
    );
    let outcomes: Vec<_> = reveals.iter().map(|entry| &entry.outcome).collect();
    assert!(matches!(
        outcomes[..],
        [
            Outcome::Intended,
            Outcome::Intended | Outcome::Allowed { status: 200 },
            ..
        ]
    ));
    let refused = |outcome: &&&Outcome| matches!(outcome, Outcome::Refused { .. });
    assert_eq!(outcomes.iter().filter(refused).count(), 1, "{outcomes:?}");
    let made: BTreeSet<_> = log
        .iter()
        .filter(|entry| entry.action == "vault:put")
        .map(|entry| entry.resource.as_str())
        .collect();
    assert!(made.contains("secret:prod/db"), "{made:?}");
    assert!(!format!("{log:?}").contains("\"one\""));
}

#[tokio::test]
async fn a_share_link_opens_once_for_whoever_holds_its_token() {
    let world = World::start().await;
    world.create(text("prod/db", "one")).await;
    let share = world.share("prod%2Fdb", json!({})).await;
    world
        .post("prod%2Fdb/versions", json!({ "value": { "text": "two" } }))
        .await;
    let anybody = Bearer::showing(world.gateway.control, None);
    let opened = anybody.open(&share.token).await;
    // What it was made for, whatever has come since.
    assert_eq!(
        opened.body,
        json!({ "kind": "opaque", "value": { "text": "one" } })
    );
    let listed = world.get("prod%2Fdb/shares").await.body;
    assert_eq!(listed["items"][0]["is_opened"], true);
    assert_eq!(listed["items"][0]["id"], share.id.as_str());
    assert!(!listed.to_string().contains(&share.token));

    let again = anybody.open(&share.token).await;
    let unknown = anybody.open(&format!("bkl_{}", "A".repeat(107))).await;
    let none = anybody.open("bkl_").await;
    let other = world.share("prod%2Fdb", json!({ "version": 1 })).await;
    let path = format!("prod%2Fdb/shares/{}", other.id);
    assert_eq!(world.delete(&path).await.status, 204);
    let revoked = anybody.open(&other.token).await;
    let late = world
        .share("prod%2Fdb", json!({ "lasts_seconds": 60 }))
        .await;
    world.gateway.pass(Duration::from_secs(61)).await;
    let late = anybody.open(&late.token).await;
    for refused in [&again, &unknown, &none, &revoked, &late] {
        assert_eq!((refused.status, &refused.body), (404, &again.body));
    }
    assert_eq!(again.code(), "no-such-share");

    let log = world.log().await;
    let of_link: Vec<_> = log
        .iter()
        .filter(|entry| entry.action == "vault:open-share")
        .collect();
    let alarms: Vec<_> = of_link
        .iter()
        .filter(|entry| matches!(entry.outcome, Outcome::Refused { .. }))
        .collect();
    assert_eq!(alarms.len(), 1, "{of_link:?}");
    assert_eq!(alarms[0].resource, "secret:prod/db");
    assert_eq!(alarms[0].actor, format!("share-link:{}", share.id));
    assert_eq!(of_link[0].outcome, Outcome::Intended);
    assert_eq!(of_link[1].outcome, Outcome::Allowed { status: 200 });
}

#[tokio::test]
async fn of_sixty_four_openings_at_once_one_succeeds() {
    let world = World::start().await;
    world.create(text("a", "one")).await;
    let share = world.share("a", json!({})).await;
    let openings = (0..64).map(|_| async {
        let anybody = Bearer::showing(world.gateway.control, None);
        anybody.open(&share.token).await
    });
    let replies = futures_util::future::join_all(openings).await;
    let opened = replies.iter().filter(|reply| reply.status == 200);
    assert_eq!(opened.count(), 1);
    let refused = replies.iter().filter(|reply| reply.status != 200);
    // The log takes so many refusals of one link in a second, and counts the others.
    assert!(
        refused
            .clone()
            .all(|reply| [404, 429].contains(&reply.status))
    );
    let log = world.log().await;
    assert!(log.iter().any(|entry| {
        entry.action == "vault:open-share" && matches!(entry.outcome, Outcome::Refused { .. })
    }));
}

#[tokio::test]
async fn a_link_shows_nothing_that_is_deleted_or_anothers() {
    let world = World::start().await;
    let anybody = Bearer::showing(world.gateway.control, None);
    for what in ["at once", "recovery", "version", "destroyed", "path"] {
        world.create(text("a", "one")).await;
        let share = world.share("a", json!({})).await;
        let numbers = json!({ "versions": [1] });
        match what {
            "recovery" => drop(world.delete("a").await),
            "version" => drop(world.post("a/versions/delete", numbers).await),
            "destroyed" => drop(world.post("a/versions/destroy", numbers).await),
            _ => drop(world.delete("a?at_once=true").await),
        }
        if what == "path" {
            world.create(text("a", "another")).await;
        }
        let reply = anybody.open(&share.token).await;
        assert_eq!(
            (reply.status, reply.code()),
            (404, "no-such-share"),
            "{what}"
        );
        world.delete("a?at_once=true").await;
    }
}

#[tokio::test]
async fn a_link_ends_with_whoever_made_it() {
    let world = World::start().await;
    world.create(text("a", "one")).await;
    let anybody = Bearer::showing(world.gateway.control, None);
    let agent = world.agent("Robot").await;
    let member = world.member("bob@example.com").await;
    let rights = &["vault:reveal", "vault:share"];
    for (id, kind) in [(&agent.id, "agent"), (&member.id, "member")] {
        world.grant(id, kind, rights, "secret:*").await;
    }
    let share = async |bearer: &Bearer| {
        let made = bearer.post(&world.secret("a/shares"), json!({})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made.text("token").to_owned()
    };
    let opens = async |token: &str| {
        let reply = anybody.open(token).await;
        (reply.status, reply.text("code").to_owned())
    };
    let ended = (404, "no-such-share".to_owned());

    // A suspended agent's links rest; a deleted one's are of no use.
    let (first, second) = (share(&agent.bearer).await, share(&agent.bearer).await);
    let of_agent = |rest: &str| format!("{}/agents/{}{rest}", world.org, agent.id);
    let suspended = world.owner.post(&of_agent("/suspend"), Value::Null).await;
    assert_eq!(suspended.status, 200);
    assert_eq!(opens(&first).await, ended);
    let resumed = world.owner.post(&of_agent("/resume"), Value::Null).await;
    assert_eq!(resumed.status, 200);
    assert_eq!(anybody.open(&first).await.status, 200);
    assert_eq!(world.owner.delete(&of_agent("")).await.status, 204);
    assert_eq!(opens(&second).await, ended);

    let (first, second) = (share(&member.bearer).await, share(&member.bearer).await);
    assert_eq!(anybody.open(&first).await.status, 200);
    let removed = format!("{}/members/{}", world.org, member.id);
    assert_eq!(world.owner.delete(&removed).await.status, 204);
    assert_eq!(opens(&second).await, ended);

    // The owner's own still opens, and the organization knows of those that were refused.
    let link = world.share("a", json!({})).await;
    assert_eq!(anybody.open(&link.token).await.status, 200);
    let log = world.log().await;
    let refused = log.iter().filter(|entry| {
        let is_refused = matches!(&entry.outcome, Outcome::Refused { reason }
            if reason.contains("who made the share link"));
        entry.action == "vault:open-share" && entry.resource == "secret:a" && is_refused
    });
    assert_eq!(refused.count(), 3);
}

#[tokio::test]
async fn whoever_may_not_reveal_makes_no_link() {
    let world = World::start().await;
    world.create(text("a", "one")).await;
    let agent = world.agent("Robot").await;
    let path = world.secret("a/shares");
    let asks = async || agent.bearer.post(&path, json!({})).await.status;
    for actions in [&["vault:share"][..], &["vault:*"], &["vault:reveal"]] {
        let grant = world.grant(&agent.id, "agent", actions, "secret:*").await;
        assert_eq!(asks().await, 403, "{actions:?}");
        world.revoke(&grant).await;
    }
    world
        .grant(
            &agent.id,
            "agent",
            &["vault:reveal", "vault:share"],
            "secret:*",
        )
        .await;
    assert_eq!(asks().await, 201);
    let lasts = json!({ "lasts_seconds": 7 * 24 * 3_600 + 1 });
    let reply = world.post("a/shares", lasts).await;
    assert_eq!((reply.status, reply.text("field")), (400, "lasts_seconds"));
    let key = [("idempotency-key", "1")];
    let kept = world.owner.send(Method::POST, &path, &key, json!({})).await;
    assert_eq!((kept.status, kept.text("field")), (400, "idempotency-key"));
}

#[tokio::test]
async fn attempts_to_open_links_are_limited_by_where_they_come_from() {
    let world = World::start().await;
    world.create(text("a", "one")).await;
    let share = world.share("a", json!({})).await;
    let anybody = Bearer::showing(world.gateway.control, None);
    let mut guesses = 0;
    loop {
        let reply = anybody.open("bkl_guess").await;
        guesses += 1;
        match reply.status {
            404 => assert!(guesses <= 100, "{guesses}"),
            status => {
                assert_eq!((status, reply.code()), (429, "too-many-attempts"));
                break;
            }
        }
    }
    assert_eq!(anybody.open(&share.token).await.status, 429);
    world.gateway.pass(Duration::from_secs(15 * 60)).await;
    assert_eq!(anybody.open(&share.token).await.status, 200);
}

/// An organization and its owner.
struct World {
    gateway: Gateway,
    owner: Bearer,
    org: String,
}

/// A share link.
struct Link {
    id: String,
    token: String,
}

/// Somebody in it.
struct Somebody {
    id: String,
    bearer: Bearer,
}

impl World {
    async fn start() -> Self {
        let gateway = Gateway::start(TOKEN).await;
        let owner = sign_up(&gateway, "ann@example.com").await;
        let seen = owner.get("/self").await;
        let org = format!("/organizations/{}", seen.text("organization"));
        Self {
            gateway,
            owner,
            org,
        }
    }

    fn secret(&self, rest: &str) -> String {
        format!("{}/secrets/{rest}", self.org)
    }

    async fn create(&self, secret: Value) -> Reply {
        self.owner
            .post(&format!("{}/secrets", self.org), secret)
            .await
    }

    async fn get(&self, rest: &str) -> Reply {
        self.owner.get(&self.secret(rest)).await
    }

    async fn post(&self, rest: &str, body: Value) -> Reply {
        self.owner.post(&self.secret(rest), body).await
    }

    async fn delete(&self, rest: &str) -> Reply {
        self.owner.delete(&self.secret(rest)).await
    }

    async fn list(&self, query: &str) -> Reply {
        self.owner
            .get(&format!("{}/secrets{query}", self.org))
            .await
    }

    async fn share(&self, path: &str, share: Value) -> Link {
        let made = self.post(&format!("{path}/shares"), share).await;
        assert_eq!(made.status, 201, "{}", made.body);
        Link {
            id: made.text("id").to_owned(),
            token: made.text("token").to_owned(),
        }
    }

    /// The identifier of what is made.
    async fn made(&self, what: &str, body: Value) -> String {
        let made = self.owner.post(&format!("{}/{what}", self.org), body).await;
        assert_eq!(made.status, 201, "{what}: {}", made.body);
        made.text("id").to_owned()
    }

    async fn agent(&self, name: &str) -> Somebody {
        let id = self.made("agents", json!({ "name": name })).await;
        let path = format!("{}/agents/{id}/credentials", self.org);
        let token = self.owner.post(&path, json!({ "kind": "api-token" })).await;
        let bearer = Bearer::new(self.gateway.control, token.text("token"));
        Somebody { id, bearer }
    }

    async fn member(&self, email: &str) -> Somebody {
        let invited = json!({ "email": email, "role": "member" });
        let path = format!("{}/invitations", self.org);
        let invited = self.owner.post(&path, invited).await;
        let joins = json!({ "token": invited.text("token"), "name": "Bob", "password": PASSWORD });
        let anybody = Bearer::showing(self.gateway.control, None);
        let joined = anybody.post("/invitations/join", joins).await;
        assert_eq!(joined.status, 201, "{}", joined.body);
        let theirs = Bearer::new(self.gateway.control, joined.text("token"));
        let org = self.org.rsplit('/').next();
        let switched = theirs
            .post("/sessions/switch", json!({ "organization": org }))
            .await;
        let bearer = Bearer::new(self.gateway.control, switched.text("token"));
        let id = switched.text("principal").to_owned();
        Somebody { id, bearer }
    }

    async fn grant(&self, id: &str, kind: &str, actions: &[&str], resource: &str) -> String {
        let grant = json!({ "subject": { kind: id }, "actions": actions, "resources": [resource] });
        self.made("grants", grant).await
    }

    async fn revoke(&self, grant: &str) {
        let path = format!("{}/grants/{grant}", self.org);
        assert_eq!(self.owner.delete(&path).await.status, 204);
    }

    async fn log(&self) -> Vec<Entry> {
        self.gateway.close_logs().await;
        let org = self.org.rsplit('/').next().expect("an identifier");
        self.gateway
            .log_of(org.parse().expect("an identifier"))
            .await
    }
}

impl Bearer {
    /// Opens a share link.
    async fn open(&self, token: &str) -> Reply {
        self.post("/shares/open", json!({ "token": token })).await
    }
}

fn text(path: &str, value: &str) -> Value {
    json!({ "path": path, "value": { "text": value } })
}

async fn sign_up(gateway: &Gateway, email: &str) -> Bearer {
    let operator = Bearer::new(gateway.control, TOKEN);
    let account = json!({ "email": email, "name": "Ann", "password": PASSWORD });
    let made = operator.post("/operator/accounts", account).await;
    assert_eq!(made.status, 201, "{}", made.body);
    Bearer::log_in(gateway.control, email, None).await
}

const TOKEN: &str = "0123456789abcdef";
