//! No secret leaves but in the answer that reveals it: everything that the server writes beside its
//! answers is searched for values that it was given.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use http::Method;
use rustix::process::{Pid, Resource, Rlimit, Signal, getuid, kill_process, prlimit};
use serde_json::{Value, json};

use crate::support::bearer::{Bearer, PASSWORD};
use crate::support::client::Client;
use crate::support::house::House;
use crate::support::sign::Key;

#[tokio::test]
async fn what_the_server_writes_holds_no_value_of_a_secret() {
    let mut house = House::start_with(&[
        ("LOG_LEVEL", "debug"),
        ("CONTROL_OPERATOR_TOKEN", TOKEN),
        ("AUDIT_CHECKPOINT_INTERVAL", "20ms"),
    ])
    .await;
    let mut told = VALUES.map(str::to_owned).to_vec();
    told.push(PASSWORD.to_owned());
    told.push(TOKEN.to_owned());
    told.extend(use_secrets(&house).await);

    let nobody = Key {
        id: "BKNOBODYSIGNSWITHTHIS".to_owned(),
        secret: "unused".to_owned(),
    };
    let shown = format!("Bearer {TOKEN}");
    let metrics = Client::new(house.control(), nobody)
        .send_unsigned(Method::GET, "/metrics", &[("authorization", &shown)], "")
        .await
        .expect("metrics");
    assert!(metrics.status.is_success());
    let status = house.stop();
    assert!(status.success(), "{status}");

    let mut written = vec![
        ("the log".to_owned(), house.log().into_bytes()),
        ("the metrics".to_owned(), metrics.body.to_vec()),
    ];
    for path in files_below(house.data().parent().expect("a directory")) {
        let bytes = fs::read(&path).expect("a file");
        written.push((path.display().to_string(), bytes));
    }
    // What is searched is what was written: the slug of the first organization is not sealed.
    assert!(written.iter().any(|(place, bytes)| {
        place.contains("catalog.sqlite") && text(bytes).contains("home")
    }));
    assert!(house.log().contains("\"DEBUG\""));
    for (place, bytes) in &written {
        let text = text(bytes);
        for value in &told {
            for form in forms(value.as_bytes()) {
                assert!(!text.contains(&form), "{place} holds {value} as {form}");
            }
        }
    }
}

/// A value is found in whatever it is encoded with.
#[test]
fn the_search_finds_a_value_at_every_place_of_an_encoding() {
    let value = VALUES[0].as_bytes();
    for before in 0..4 {
        let whole = [&vec![b'<'; before], value, b">>"].concat();
        for encoded in [
            String::from_utf8(whole.clone()).expect("text"),
            STANDARD_NO_PAD.encode(&whole),
            URL_SAFE_NO_PAD.encode(&whole),
            hex::encode(&whole),
            hex::encode_upper(&whole),
        ] {
            let is_found = forms(value).iter().any(|form| encoded.contains(form));
            assert!(is_found, "{before}: {encoded}");
        }
    }
}

/// A process that may be dumped leaves a core here, and the server does not.
#[test]
fn the_server_leaves_no_core() {
    let directory = tempfile::tempdir().expect("a directory");
    let mut other = Command::new("sleep");
    let other = other.arg("1000").current_dir(directory.path()).spawn();
    assert!(
        is_dumped(other.expect("a process")),
        "the system writes no cores: this test shows nothing here"
    );
    let mut server = Command::new(env!("CARGO_BIN_EXE_bulkhead"));
    let server = server
        .arg("serve")
        .current_dir(directory.path())
        .env("BULKHEAD_API_LISTEN", "127.0.0.1:0")
        .env("BULKHEAD_CONTROL_LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut server = server.expect("the program runs");
    // It prints its first key before it serves.
    let mut printed = server.stdout.take().expect("piped");
    let mut first = [0; 1];
    printed.read_exact(&mut first).expect("a key");
    assert!(!is_dumped(server));
}

/// Where the system locks no memory, keys work all the same, and one line says so.
#[test]
fn keys_that_cannot_be_locked_are_told_of_once() {
    let directory = tempfile::tempdir().expect("a directory");
    let limited = ["sh", "-c", "ulimit -l 0; exec \"$@\"", "sh"];
    // Root may lock whatever its limit is, unless it has given that up.
    let given_up = "setpriv --bounding-set=-ipc_lock --inh-caps=-ipc_lock".split(' ');
    let mut words = given_up
        .filter(|_| getuid().is_root())
        .chain(limited)
        .chain([env!("CARGO_BIN_EXE_bulkhead"), "serve"]);
    let server = Command::new(words.next().expect("a program"))
        .args(words)
        .current_dir(directory.path())
        .env("BULKHEAD_API_LISTEN", "127.0.0.1:0")
        .env("BULKHEAD_CONTROL_LISTEN", "127.0.0.1:0")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut server = server.expect("the program runs");
    // It prints its first key once it has used all that it has.
    let mut printed = server.stdout.take().expect("piped");
    let mut first = [0; 1];
    let is_printed = printed.read_exact(&mut first);
    server.kill().expect("a process of our own");
    let mut log = String::new();
    let mut logged = server.stderr.take().expect("piped");
    logged.read_to_string(&mut log).expect("a log");
    server.wait().expect("its exit status");
    assert!(is_printed.is_ok(), "{log}");
    let warnings = log.matches("not every key is locked into memory").count();
    assert_eq!(warnings, 1, "{log}");
}

/// Ends a process as a crash does, with room for a core.
fn is_dumped(mut process: Child) -> bool {
    let pid = Pid::from_child(&process);
    let room = Rlimit {
        current: Some(64 << 20),
        maximum: None,
    };
    prlimit(Some(pid), Resource::Core, room).expect("a process of our own");
    kill_process(pid, Signal::ABORT).expect("a process of our own");
    process.wait().expect("its exit status").core_dumped()
}

/// Does with secrets what there is to do, and returns what else must not be written: tokens.
async fn use_secrets(house: &House) -> Vec<String> {
    let operator = Bearer::new(house.control(), TOKEN);
    let account = json!({ "email": "ann@example.com", "name": "Ann", "password": PASSWORD });
    let made = operator.post("/operator/accounts", account).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let anybody = Bearer::showing(house.control(), None);
    let log_in = json!({ "email": "ann@example.com", "password": PASSWORD });
    let session = anybody.post("/sessions", log_in).await;
    let token = session.text("token").to_owned();
    let owner = Bearer::new(house.control(), &token);
    let secrets = format!("/organizations/{}/secrets", session.text("organization"));
    let post = async |path: &str, body: Value, status: u16| {
        let reply = owner.post(&format!("{secrets}{path}"), body).await;
        assert_eq!(reply.status, status, "{path}: {}", reply.body);
        reply
    };
    let [text, password, bytes, wrong, kv] = VALUES;
    let bytes = base64::engine::general_purpose::STANDARD.encode(bytes);
    post("", json!({ "path": "a", "value": { "text": text } }), 201).await;
    let fields = json!({ "fields": { "username": "ann", "password": password } });
    post(
        "",
        json!({ "path": "b", "kind": "basic", "value": fields }),
        201,
    )
    .await;
    let key = [("idempotency-key", "once")];
    let bytes = json!({ "path": "c", "value": { "base64": bytes } });
    let kept = owner.send(Method::POST, &secrets, &key, bytes).await;
    assert_eq!(kept.status, 201, "{}", kept.body);
    for refused in [
        json!({ "path": "d", "kind": "basic", "value": { "text": wrong } }),
        json!({ "path": "d", "value": { "text": wrong, "base64": wrong } }),
        json!({ "path": "d", "value": { "base64": format!("{wrong}*") } }),
        json!({ "path": "d", "value": wrong }),
        json!({ "path": "d", "value": { "text": wrong }, "kind": wrong }),
    ] {
        let reply = owner.post(&secrets, refused.clone()).await;
        assert_eq!(reply.status, 400, "{refused}");
    }
    post("/a/versions", json!({ "value": { "text": password } }), 201).await;
    post("/a/rollback", json!({ "version": 1 }), 201).await;
    for path in ["a", "b", "c"] {
        let revealed = owner.get(&format!("{secrets}/{path}/value")).await;
        assert_eq!(revealed.status, 200, "{}", revealed.body);
    }
    let share = post("/a/shares", json!({}), 201).await;
    let share = share.text("token").to_owned();
    let open = json!({ "token": share });
    assert_eq!(anybody.post("/shares/open", open.clone()).await.status, 200);
    assert_eq!(anybody.post("/shares/open", open).await.status, 404);
    let unopened = post("/b/shares", json!({}), 201)
        .await
        .text("token")
        .to_owned();

    let nobody = Key {
        id: "BKNOBODYSIGNSWITHTHIS".to_owned(),
        secret: "unused".to_owned(),
    };
    let client = Client::new(house.control(), nobody);
    let shown = [("x-vault-token", token.as_str())];
    let body = json!({ "data": { "k": kv } }).to_string();
    for (method, body) in [(Method::POST, body), (Method::GET, String::new())] {
        let answer = client.send_unsigned(method, "/v1/secret/data/kv", &shown, body);
        let answer = answer.await.expect("an answer");
        assert!(answer.status.is_success(), "{answer:?}");
    }
    // The halves of a token that say who shows it are told in logs.
    let secret_half = |token: &str| token.rsplit('_').next().map(str::to_owned);
    [secret_half(&token), Some(share), Some(unopened)]
        .into_iter()
        .flatten()
        .collect()
}

/// A value as it is, in hexadecimal digits, and in Base64 wherever it begins in what is encoded.
fn forms(value: &[u8]) -> Vec<String> {
    let mut forms = vec![hex::encode(value), hex::encode_upper(value)];
    forms.extend(String::from_utf8(value.to_vec()));
    for before in 0..3 {
        let shifted = [&vec![0; before], value].concat();
        // The characters that hold bits of the value alone.
        let begin = [0, 2, 3][before];
        let end = shifted.len() * 4 / 3;
        for encoded in [
            STANDARD_NO_PAD.encode(&shifted),
            URL_SAFE_NO_PAD.encode(&shifted),
        ] {
            forms.push(encoded[begin..end - 1].to_owned());
        }
    }
    forms
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// All but what the first start printed, which is a key to be seen once.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => files.extend(files_below(&path)),
            false => files.push(path),
        }
    }
    files
}

const TOKEN: &str = "operators-token-7Hq2vN9xRk4LwZp8";
const VALUES: [&str; 5] = [
    "first-value-Zk3TqW8mYx5VbN2LcR7d",
    "second-value-Qp9XsJ4gHf6KtM1EwU0a",
    "third-value-Ln8CvB3zTr5YdS7GxO2i",
    "fourth-value-Mw6PjF1uRe9AkH4QyX8o",
    "fifth-value-Db2VhN7tKc5WsJ0LzG3m",
];
