//! The vault in the hands of whoever can write the database, and of whoever pulls the plug.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bulkhead::catalog::RecordKind;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::support::attacker::{Attacker, literal};
use crate::support::bearer::{Bearer, PASSWORD};
use crate::support::client::{Answer, Client, Failure};
use crate::support::house::House;
use crate::support::sign::Key;

#[tokio::test]
async fn a_secret_in_anothers_place_is_refused_and_recorded() {
    let house = start().await;
    let (ours, theirs) = (
        Own::settle(&house, "ann").await,
        Own::settle(&house, "bob").await,
    );
    let attacker = Attacker::at(&house);
    // All that a row holds but what says where it is.
    let place = ["org_id", "kind", "id"];
    let swap = |rows: [&[u8]; 2]| {
        let rows = rows.map(|id| format!("id = {}", literal(id)));
        attacker.exchange_all_but("records", &place, rows);
    };
    for (what, rows, refused) in [
        (
            "two versions of one secret",
            [&ours.versions[0], &ours.versions[1]],
            &["a/value?version=1", "a/value?version=2"][..],
        ),
        (
            "versions of two secrets",
            [&ours.versions[1], &ours.versions[2]],
            &["a/value", "b/value"],
        ),
        (
            "versions of two organizations",
            [&ours.versions[2], &theirs.versions[2]],
            &["b/value"],
        ),
        (
            "secrets of two organizations",
            [&ours.secrets[0], &theirs.secrets[0]],
            &["a/value"],
        ),
        (
            "secrets at two paths",
            [&ours.secrets[0], &ours.secrets[1]],
            &["a/value", "b/value"],
        ),
    ] {
        ours.assert_sound(what).await;
        swap([rows[0], rows[1]]);
        for path in refused {
            let answer = ours.get(path).await;
            // Refused, or not found where its blind name went with it.
            assert!(
                [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::NOT_FOUND].contains(&answer.status),
                "{what}, {path}: {answer:?}"
            );
            if answer.status == StatusCode::INTERNAL_SERVER_ERROR {
                ours.assert_recorded(&answer, what).await;
            } else {
                assert!(what.starts_with("secrets"), "{what}, {path}");
            }
        }
        swap([rows[0], rows[1]]);
        ours.assert_sound(what).await;
    }

    // A blind name by itself leads to a secret that says that it is at another path.
    let rows = [&ours.secrets[0], &ours.secrets[1]];
    let rows = rows.map(|id| format!("id = {}", literal(id)));
    attacker.exchange("records", &["lookup"], rows.clone());
    for path in ["a/value", "b/value"] {
        let answer = ours.get(path).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{path}");
        ours.assert_recorded(&answer, "lookups").await;
    }
    attacker.exchange("records", &["lookup"], rows);
    ours.assert_sound("lookups").await;

    // A link shows what it was made for, or nothing.
    let links = [ours.share("a").await, ours.share("b").await];
    let sql = format!(
        "SELECT id FROM records WHERE kind = {} ORDER BY id",
        RecordKind::ShareLink as u8
    );
    let ids = attacker.find(&sql);
    swap([&ids[0], &ids[1]]);
    for token in &links {
        let answer = ours.open(token).await;
        assert_eq!(
            answer.status,
            StatusCode::INTERNAL_SERVER_ERROR,
            "{answer:?}"
        );
        ours.assert_recorded(&answer, "links").await;
    }
    swap([&ids[0], &ids[1]]);
    for (token, value) in links.iter().zip(["two", "three"]) {
        let opened = json_of(&ours.open(token).await);
        assert_eq!(opened["value"]["text"], value);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_lose_no_version_and_open_no_link_twice() {
    let mut house = start().await;
    let own = Own::settle(&house, "ann").await;
    let mut acknowledged = BTreeMap::new();
    for round in 0..4 {
        let own = Arc::new(own.at(&house));
        let link = own.share("a").await;
        let writes = Arc::new(AtomicU64::new(0));
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..4 {
            let (own, writes) = (Arc::clone(&own), Arc::clone(&writes));
            writers.spawn(async move {
                let path = format!("crash-{round}-{writer}");
                let mut last = 0;
                let first = json!({ "path": path, "value": { "text": "0" } });
                if own.post("", &first).await.is_err() {
                    return (path, None);
                }
                loop {
                    let next = json!({ "value": { "text": (last + 1).to_string() } });
                    match own.post(&format!("/{path}/versions"), &next).await {
                        Ok(answer) => assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}"),
                        Err(_) => return (path, Some(last)),
                    }
                    last += 1;
                    writes.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while writes.load(Ordering::Relaxed) < 40 + round * 7 {
            if let Some(ended) = writers.try_join_next() {
                panic!(
                    "a writer has ended before the server: {ended:?}\n{}",
                    house.log()
                );
            }
            tokio::task::yield_now().await;
        }
        let opened = own.open(&link).await;
        assert_eq!(opened.status, StatusCode::OK, "{opened:?}");
        house.kill();
        while let Some(ended) = writers.join_next().await {
            let (path, last) = ended.expect("a writer");
            if let Some(last) = last {
                acknowledged.insert(path, last);
            }
        }
        house.restart().await;
        let own = own.at(&house);
        assert_eq!(own.open(&link).await.status, StatusCode::NOT_FOUND);
        for (path, last) in &mut acknowledged {
            let revealed = json_of(&own.get(&format!("{path}/value")).await);
            let text = revealed["value"]["text"].as_str().expect("a value");
            let found: u64 = text.parse().expect("a number");
            // Another write may have been done whose answer was lost.
            assert!(
                (*last..=*last + 1).contains(&found),
                "{path}: {found} of {last}"
            );
            assert_eq!(revealed["version"]["number"], found + 1, "{path}");
            *last = found;
        }
        let verified = house.command(&["verify", "--json"]);
        assert_eq!(verified["findings"], json!([]), "round {round}");
    }
    assert!(!acknowledged.is_empty());
}

async fn start() -> House {
    House::start_with(&[("CONTROL_OPERATOR_TOKEN", TOKEN)]).await
}

/// An organization with a secret `a` of two versions and a secret `b` of one, and its owner.
struct Own {
    client: Client,
    shown: String,
    org: String,
    /// The rows of the secrets, by path.
    secrets: Vec<Vec<u8>>,
    /// The rows of the values, in the order in which they were made.
    versions: Vec<Vec<u8>>,
}

impl Own {
    async fn settle(house: &House, who: &str) -> Self {
        let operator = Bearer::new(house.control(), TOKEN);
        let email = format!("{who}@example.com");
        let account = json!({ "email": email, "name": who, "password": PASSWORD });
        let made = operator.post("/operator/accounts", account).await;
        assert_eq!(made.status, 201, "{}", made.body);
        let anybody = Bearer::showing(house.control(), None);
        let log_in = json!({ "email": email, "password": PASSWORD });
        let session = anybody.post("/sessions", log_in).await;
        let mut own = Self {
            client: client(house),
            shown: format!("Bearer {}", session.text("token")),
            org: session.text("organization").to_owned(),
            secrets: Vec::new(),
            versions: Vec::new(),
        };
        let attacker = Attacker::at(house);
        for (path, body) in [
            ("", json!({ "path": "a", "value": { "text": "one" } })),
            ("/a/versions", json!({ "value": { "text": "two" } })),
            ("", json!({ "path": "b", "value": { "text": "three" } })),
        ] {
            let answer = own.post(path, &body).await.expect("an answer");
            assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
            let id: names::OrgId = own.org.parse().expect("an identifier");
            for (kind, known) in [
                (RecordKind::Secret, &mut own.secrets),
                (RecordKind::SecretVersion, &mut own.versions),
            ] {
                let rows = attacker.find(&format!(
                    "SELECT id FROM records WHERE org_id = {} AND kind = {}",
                    literal(id.bytes()),
                    kind as u8
                ));
                known.extend(
                    rows.into_iter()
                        .filter(|id| !known.contains(id))
                        .collect::<Vec<_>>(),
                );
            }
        }
        assert_eq!((own.secrets.len(), own.versions.len()), (2, 3));
        own
    }

    /// The same after the server has come back at other ports.
    fn at(&self, house: &House) -> Self {
        Self {
            client: client(house),
            shown: self.shown.clone(),
            org: self.org.clone(),
            secrets: self.secrets.clone(),
            versions: self.versions.clone(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        let target = format!("/api/v1/organizations/{}/secrets/{path}", self.org);
        let answer = self.send(Method::GET, &target, "").await;
        answer.expect("an answer")
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Answer, Failure> {
        let target = format!("/api/v1/organizations/{}/secrets{path}", self.org);
        self.send(Method::POST, &target, &body.to_string()).await
    }

    async fn send(&self, method: Method, target: &str, body: &str) -> Result<Answer, Failure> {
        let mut fields = vec![("authorization", self.shown.as_str())];
        if !body.is_empty() {
            fields.push(("content-type", "application/json"));
        }
        self.client
            .send_unsigned(method, target, &fields, body.to_owned())
            .await
    }

    async fn share(&self, path: &str) -> String {
        let made = self.post(&format!("/{path}/shares"), &json!({})).await;
        let made = json_of(&made.expect("an answer"));
        made["token"].as_str().expect("a token").to_owned()
    }

    async fn open(&self, token: &str) -> Answer {
        let body = json!({ "token": token }).to_string();
        let opened = self.send(Method::POST, "/api/v1/shares/open", &body).await;
        opened.expect("an answer")
    }

    async fn assert_sound(&self, what: &str) {
        for (path, value) in [
            ("a/value", "two"),
            ("a/value?version=1", "one"),
            ("b/value", "three"),
        ] {
            let revealed = json_of(&self.get(path).await);
            assert_eq!(revealed["value"]["text"], value, "{what}, {path}");
        }
    }

    /// The damage stands in the organization's log under the request that met it.
    async fn assert_recorded(&self, answer: &Answer, what: &str) {
        let id = answer.headers["x-amz-request-id"].to_str().expect("text");
        let target = format!("/api/v1/organizations/{}/activity?limit=1000", self.org);
        let page = json_of(
            &self
                .send(Method::GET, &target, "")
                .await
                .expect("an answer"),
        );
        let items = page["items"].as_array().expect("a list");
        let mut of_request = items.iter().map(Value::to_string);
        assert!(
            of_request.any(|item| item.contains(id) && item.contains("damaged")),
            "{what}: {id} in {page}"
        );
    }
}

fn client(house: &House) -> Client {
    let nobody = Key {
        id: "BKNOBODYSIGNSWITHTHIS".to_owned(),
        secret: "unused".to_owned(),
    };
    Client::new(house.control(), nobody)
}

fn json_of(answer: &Answer) -> Value {
    assert!(answer.status.is_success(), "{answer:?}");
    serde_json::from_slice(&answer.body).expect("JSON")
}

const TOKEN: &str = "operators-token-which-is-long-enough";
