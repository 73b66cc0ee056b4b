//! The program as an operator runs it: what it acknowledged survives its end, and its
//! organizations do not see each other.

use http::{Method, StatusCode};
use serde_json::json;

use crate::support::bearer::{Bearer, PASSWORD};
use crate::support::client::{Answer, Failure};
use crate::support::house::House;
use crate::support::sign::encoded_path;

#[tokio::test]
async fn what_was_acknowledged_survives_a_kill() {
    let mut house = House::start().await;
    let client = house.client();
    let (inline, blob) = (vec![1; 1000], vec![2; 300_000]);
    ok(client.send(Method::PUT, "/kept", &[], "").await);
    ok(client
        .send(Method::PUT, "/kept/inline", &[], inline.clone())
        .await);
    ok(client
        .send(Method::PUT, "/kept/blob", &[], blob.clone())
        .await);

    house.kill();
    let printed = house.restart().await;
    assert!(
        printed.is_empty(),
        "only the first start shows a secret: {printed:?}"
    );
    let client = house.client();
    for (key, body) in [("/kept/inline", inline), ("/kept/blob", blob)] {
        let answer = ok(client.send(Method::GET, key, &[], "").await);
        assert_eq!(answer.headers["content-length"], body.len().to_string());
        assert_eq!(answer.body, body, "{key}");
    }
}

#[tokio::test]
async fn a_stop_is_clean() {
    let mut house = House::start().await;
    let client = house.client();
    ok(client.send(Method::PUT, "/kept", &[], "").await);
    let status = house.stop();
    assert!(status.success(), "{status}\n{}", house.log());
    house.restart().await;
    ok(house.client().send(Method::HEAD, "/kept", &[], "").await);
}

#[tokio::test]
async fn two_organizations_may_use_one_name() {
    let house = House::start().await;
    let (one, other) = (
        house.create_organization("one"),
        house.create_organization("other"),
    );
    assert_ne!(one.slug, other.slug);
    let (one, other) = (house.client_of(&one.key), house.client_of(&other.key));
    for (client, body) in [(&one, "of one"), (&other, "of the other")] {
        ok(client.send(Method::PUT, "/docs", &[], "").await);
        ok(client.send(Method::PUT, "/docs/note", &[], body).await);
    }
    ok(one.send(Method::PUT, "/private", &[], "").await);
    assert_eq!(
        ok(one.send(Method::GET, "/docs/note", &[], "").await).body,
        "of one"
    );
    assert_eq!(
        ok(other.send(Method::GET, "/docs/note", &[], "").await).body,
        "of the other"
    );

    let hidden = other
        .send(Method::GET, "/private", &[], "")
        .await
        .expect("an answer");
    let absent = other
        .send(Method::GET, "/absent1", &[], "")
        .await
        .expect("an answer");
    assert_eq!(hidden.status, StatusCode::NOT_FOUND);
    assert_eq!(absent.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_key_is_any_text() {
    let house = House::start().await;
    let client = house.client();
    ok(client.send(Method::PUT, "/names", &[], "").await);
    let longest = "k".repeat(1024);
    for key in [
        "..",
        "../..",
        "a/../b",
        "a//b",
        "/",
        "a b+c%20&?#",
        "é日本🦀",
        "~",
        &longest,
    ] {
        let target = encoded_path("names", key);
        ok(client.send(Method::PUT, &target, &[], key.to_owned()).await);
        let answer = ok(client.send(Method::GET, &target, &[], "").await);
        assert_eq!(answer.body, key);
    }
}

#[tokio::test]
async fn nothing_is_kept_in_the_clear() {
    let house = House::start().await;
    let org = house.create_organization("sealed");
    let client = house.client_of(&org.key);
    ok(client.send(Method::PUT, "/docs", &[], "").await);
    // One body lies in its row, the other in a blob; both repeat a word that no key would make.
    for (key, length) in [("inline", 100), ("blob", 100_000)] {
        let fields = [("x-amz-meta-note", "metadata-in-the-clear")];
        let body = "body-in-the-clear ".repeat(length);
        let target = format!("/docs/{key}");
        ok(client.send(Method::PUT, &target, &fields, body).await);
    }
    let mut files = 0;
    let mut open = vec![house.data()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            files += 1;
            let bytes = std::fs::read(&path).expect("a file");
            for secret in [
                "body-in-the-clear",
                "metadata-in-the-clear",
                &org.key.secret,
            ] {
                let found = contains(&bytes, secret.as_bytes());
                assert!(!found, "{secret} stands in {}", path.display());
            }
        }
    }
    assert!(files >= 2, "a catalog and a blob");
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn ok(answer: Result<Answer, Failure>) -> Answer {
    let answer = answer.expect("an answer");
    assert!(answer.status.is_success(), "{answer:?}");
    answer
}

#[tokio::test]
async fn who_may_make_an_account_is_a_setting() {
    let account = json!({ "email": "ann@example.com", "name": "Ann", "password": PASSWORD });
    let closed = House::start().await;
    let anybody = Bearer::showing(closed.control(), None);
    let refused = anybody.post("/accounts", account.clone()).await;
    assert_eq!((refused.status, refused.code()), (403, "sign-ups-closed"));

    let open = House::start_with(&[("CONTROL_SIGN_UPS", "open")]).await;
    let anybody = Bearer::showing(open.control(), None);
    // The second time the answer does not tell that there is one.
    for _ in 0..2 {
        assert_eq!(anybody.post("/accounts", account.clone()).await.status, 202);
    }
    let ann = Bearer::log_in(open.control(), "ann@example.com", None).await;
    assert_eq!(ann.get("/self").await.text("role"), "owner");
}
