//! Whoever can write the catalog and the blobs, and has no key: the program, on its real database
//! and disk, with what belongs to one organization or object put in the place of another's. It
//! answers an error, never a wrong byte, and the error is recorded.

use std::collections::BTreeSet;
use std::fs;

use bulkhead::audit::Outcome;
use bulkhead::catalog::RecordKind;
use http::{Method, StatusCode};

use crate::support::attacker::{Attacker, exchange_files, literal};
use crate::support::client::{Answer, Client};
use crate::support::house::{House, Organization};
use crate::support::logs::Logs;
use crate::support::text::{element, elements};

#[tokio::test]
async fn what_is_put_in_anothers_place_is_refused_and_recorded() {
    let mut house = House::start().await;
    let scene = Scene::settle(&house).await;
    let mut turned_away = 0;
    for attack in &ATTACKS {
        let what = attack.what;
        // The server has read, and may remember, what is changed under it now.
        scene.assert_sound(&house, what).await;
        (attack.exchange)(&scene);
        scene.assert_no_wrong_byte(&house, what).await;

        house.kill();
        house.restart().await;
        scene.assert_no_wrong_byte(&house, what).await;
        let refused = scene.assert_refused(&house, attack).await;
        let found = findings(&house);
        assert_eq!(!found.is_empty(), attack.shows_in_rows, "{what}: {found:?}");

        (attack.exchange)(&scene);
        attack.assert_recorded(&house, &scene, &refused).await;
        if attack.recorded == Recorded::Platform {
            turned_away += refused.len() as u64;
        }
        house.stop();
        house.restart().await;
    }
    scene.assert_sound(&house, "the end").await;
    assert_eq!(findings(&house), [""; 0]);

    // The platform's log gathers, and is written at a clean end at the latest.
    let status = house.stop();
    assert!(status.success(), "{status}");
    let damaged = Logs::of(&house).await.damaged_in_platform().await;
    assert!(damaged >= turned_away, "{damaged} of {turned_away}");
}

/// A row that was valid once is valid still, and reading does not show that it is old. The log of
/// changes does, and the checkpoints outside show it of the log.
#[tokio::test]
async fn an_old_version_put_back_is_found_by_verify() {
    let mut house = House::start_with(&[("AUDIT_CHECKPOINT_INTERVAL", "20ms")]).await;
    let client = house.client();
    put(&client, "/docs", "").await;
    put(&client, "/docs/note", "the first").await;
    let attacker = Attacker::at(&house);
    let all = |table: &str| attacker.rows(&format!("SELECT * FROM {table}"));
    let old = ["versions", "contents"].map(|table| (table, all(table)));
    let before = all("change_log").len();
    put(&client, "/docs/note", "the second").await;
    assert!(all("change_log").len() > before);
    // A clean end writes a last checkpoint.
    let status = house.stop();
    assert!(status.success(), "{status}");
    assert_eq!(findings(&house), [""; 0]);

    for (table, rows) in old {
        assert_eq!(attacker.change(&format!("DELETE FROM {table}")), 1);
        for row in rows {
            attacker.put(table, row);
        }
    }
    let found = findings(&house);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("was rolled back"), "{found:?}");

    // Without the changes since, all rows are current, and the checkpoints tell.
    let sql = format!(
        "DELETE FROM change_log WHERE seq > (SELECT seq FROM change_log LIMIT 1 OFFSET {})",
        before - 1
    );
    assert!(attacker.change(&sql) > 0);
    let found = findings(&house);
    assert!(
        found.iter().any(|one| one.contains("it was cut")),
        "{found:?}"
    );
    assert!(
        !found.iter().any(|one| one.contains("was rolled back")),
        "{found:?}"
    );
}

/// What an attacker does, and what has to come of it.
struct Attack {
    what: &'static str,
    /// Does it, and done again undoes it.
    exchange: fn(&Scene),
    /// What has to be refused to both organizations.
    refused: &'static [(Method, &'static str)],
    recorded: Recorded,
    /// Whether `bulkhead verify`, which reads no blobs, finds it.
    shows_in_rows: bool,
}

/// Where refusals have to stand, beside the operator's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recorded {
    /// In the organization's activity log, each under its request's identifier.
    Activity,
    /// In the platform's log, which gathers them: they come before the caller is known.
    Platform,
    /// Nowhere else: an organization's log cannot be written without its key.
    OperatorOnly,
}

const ATTACKS: [Attack; 19] = [
    Attack {
        what: "versions of two organizations",
        exchange: |scene| {
            for key in [INLINE, BLOB, PARTS] {
                scene.exchange_versions(key);
            }
        },
        refused: &[
            GET_INLINE,
            GET_BLOB,
            GET_PARTS,
            HEAD_INLINE,
            HEAD_BLOB,
            HEAD_PARTS,
            LIST,
        ],
        recorded: Recorded::Activity,
        shows_in_rows: true,
    },
    Attack {
        what: "contents of two organizations",
        exchange: |scene| {
            for key in [INLINE, BLOB, PARTS] {
                let rows = scene.both(|own| own.object(key).version_row());
                let place = ["org_id", "version_id"];
                scene.attacker.exchange_all_but("contents", &place, rows);
            }
        },
        refused: &[
            GET_INLINE,
            GET_BLOB,
            GET_PARTS,
            HEAD_INLINE,
            HEAD_BLOB,
            HEAD_PARTS,
        ],
        recorded: Recorded::Activity,
        shows_in_rows: true,
    },
    Attack {
        what: "bodies of two organizations, with their blobs",
        exchange: |scene| {
            for key in [INLINE, BLOB] {
                let rows = scene.both(|own| own.object(key).version_row());
                let columns = ["body", "slices"];
                scene.attacker.exchange("contents", &columns, rows);
            }
            scene.exchange_homes(BLOB);
        },
        refused: &[GET_INLINE, GET_BLOB],
        recorded: Recorded::Activity,
        shows_in_rows: true,
    },
    Attack {
        what: "all that is known of an object, with its blob",
        exchange: |scene| {
            scene.exchange_versions(BLOB);
            let rows = scene.both(|own| own.object(BLOB).version_row());
            scene.attacker.exchange("contents", &["org_id"], rows);
            scene.exchange_homes(BLOB);
        },
        refused: &[GET_BLOB, HEAD_BLOB, LIST],
        recorded: Recorded::Activity,
        shows_in_rows: true,
    },
    Attack {
        what: "buckets of two organizations",
        exchange: |scene| {
            let rows = scene.both(|own| own.bucket_row("docs"));
            let place = ["org_id", "name"];
            scene.attacker.exchange_all_but("buckets", &place, rows);
        },
        refused: &[GET_INLINE, HEAD_BLOB, LIST, PUT_NEW],
        recorded: Recorded::Activity,
        shows_in_rows: true,
    },
    Attack {
        what: "buckets of one organization",
        exchange: |scene| {
            for own in &scene.orgs {
                let rows = ["docs", "empty"].map(|name| own.bucket_row(name));
                let place = ["org_id", "name"];
                scene.attacker.exchange_all_but("buckets", &place, rows);
            }
        },
        refused: &[GET_INLINE, HEAD_BLOB, LIST, PUT_NEW],
        recorded: Recorded::Activity,
        shows_in_rows: true,
    },
    Attack {
        what: "access keys that name each other's organization",
        exchange: |scene| {
            let rows = scene.both(Own::credential_row);
            let columns = ["org_id", "principal_id"];
            scene.attacker.exchange("credentials", &columns, rows);
        },
        refused: &[GET_INLINE, LIST, PUT_NEW],
        recorded: Recorded::Platform,
        shows_in_rows: true,
    },
    Attack {
        what: "access keys with each other's secret",
        exchange: |scene| {
            let rows = scene.both(Own::credential_row);
            scene.attacker.exchange("credentials", &["sealed"], rows);
        },
        refused: &[GET_INLINE, LIST, PUT_NEW],
        recorded: Recorded::Platform,
        shows_in_rows: true,
    },
    Attack {
        what: "access keys that are each other's in all but their name",
        exchange: |scene| {
            let rows = scene.both(Own::credential_row);
            scene
                .attacker
                .exchange_all_but("credentials", &["lookup"], rows);
        },
        refused: &[GET_INLINE, LIST, PUT_NEW],
        recorded: Recorded::Platform,
        shows_in_rows: true,
    },
    Attack {
        what: "organizations that are each other's in all but their identifier",
        exchange: |scene| {
            let rows = scene.both(Own::org_row);
            scene
                .attacker
                .exchange_all_but("organizations", &["org_id"], rows);
        },
        refused: &[GET_INLINE, LIST, PUT_NEW],
        recorded: Recorded::Platform,
        shows_in_rows: true,
    },
    Attack {
        what: "keys of two organizations",
        exchange: |scene| {
            let rows = scene.both(Own::org_row);
            let place = ["org_id", "version"];
            scene.attacker.exchange_all_but("org_keys", &place, rows);
        },
        refused: &[GET_INLINE, LIST, PUT_NEW],
        recorded: Recorded::OperatorOnly,
        shows_in_rows: true,
    },
    Attack {
        what: "keys of two organizations, and nothing else of their rows",
        exchange: |scene| {
            let rows = scene.both(Own::org_row);
            scene.attacker.exchange("org_keys", &["wrapped"], rows);
        },
        refused: &[GET_INLINE, LIST, PUT_NEW],
        recorded: Recorded::OperatorOnly,
        shows_in_rows: true,
    },
    Attack {
        what: "records of two organizations: profiles",
        exchange: |scene| {
            let rows = scene.both(|own| format!("{} AND kind = {PROFILE}", own.org_row()));
            scene
                .attacker
                .exchange_all_but("records", &["org_id", "id"], rows);
        },
        // No call of this door asks for a profile.
        refused: &[],
        recorded: Recorded::Activity,
        shows_in_rows: true,
    },
    Attack {
        what: "blob files of two organizations",
        exchange: |scene| {
            let files = scene.both(|own| scene.attacker.file(&own.object(BLOB).blobs[0]));
            exchange_files(&files[0], &files[1]);
        },
        refused: &[GET_BLOB],
        recorded: Recorded::Activity,
        shows_in_rows: false,
    },
    Attack {
        what: "headers of two organizations",
        exchange: |scene| {
            let rows = scene.both(|own| blob_row(&own.object(BLOB).blobs[0]));
            scene.attacker.exchange("blobs", &["header"], rows);
        },
        refused: &[GET_BLOB],
        recorded: Recorded::Activity,
        shows_in_rows: true,
    },
    Attack {
        what: "headers of two objects of one organization",
        exchange: |scene| {
            for own in &scene.orgs {
                let rows = [BLOB, TWIN].map(|key| blob_row(&own.object(key).blobs[0]));
                scene.attacker.exchange("blobs", &["header"], rows);
            }
        },
        refused: &[GET_BLOB, GET_TWIN],
        recorded: Recorded::Activity,
        shows_in_rows: true,
    },
    Attack {
        what: "blobs of two objects of one organization, headers and files",
        exchange: |scene| {
            for own in &scene.orgs {
                let blobs = [BLOB, TWIN].map(|key| &own.object(key).blobs[0]);
                let rows = blobs.map(|blob| blob_row(blob));
                scene.attacker.exchange("blobs", &["header"], rows);
                let files = blobs.map(|blob| scene.attacker.file(blob));
                exchange_files(&files[0], &files[1]);
            }
        },
        refused: &[GET_BLOB, GET_TWIN],
        recorded: Recorded::Activity,
        shows_in_rows: true,
    },
    Attack {
        what: "the order of two parts",
        exchange: |scene| {
            for own in &scene.orgs {
                let half = "length(slices) / 2";
                let turned = scene.attacker.change(&format!(
                    "UPDATE contents SET slices = CAST(substr(slices, 1 + {half}) || \
                     substr(slices, 1, {half}) AS BLOB) WHERE {}",
                    own.object(PARTS).version_row()
                ));
                assert_eq!(turned, 1);
            }
        },
        refused: &[GET_PARTS, HEAD_PARTS],
        recorded: Recorded::Activity,
        shows_in_rows: true,
    },
    Attack {
        what: "the place of a version in the order of its key",
        exchange: |scene| {
            for own in &scene.orgs {
                let Object { sequence, .. } = own.object(INLINE);
                let moved = scene.attacker.change(&format!(
                    "UPDATE versions SET sequence = CASE sequence WHEN {sequence} \
                     THEN {sequence} + 1 ELSE {sequence} END WHERE {}",
                    own.object(INLINE).version_row()
                ));
                assert_eq!(moved, 1);
            }
        },
        refused: &[GET_INLINE, HEAD_INLINE, LIST],
        recorded: Recorded::Activity,
        shows_in_rows: true,
    },
];

impl Attack {
    async fn assert_recorded(&self, house: &House, scene: &Scene, refused: &[Refused]) {
        let what = self.what;
        let log = house.log();
        let mut damages = log
            .lines()
            .filter(|line| line.contains("\"level\":\"ERROR\"") && line.contains("damaged"));
        for Refused { target, id, .. } in refused {
            let logged = damages.any(|line| line.contains(id));
            assert!(logged, "{what}, {target}: not in the operator's log");
        }
        if self.recorded != Recorded::Activity {
            return;
        }
        let logs = Logs::of(house).await;
        for own in &scene.orgs {
            let entries = logs.organization(&own.organization.slug).await.into_iter();
            let damaged = entries.filter(|entry| matches!(entry.outcome, Outcome::Damaged { .. }));
            let damaged: BTreeSet<_> = damaged.map(|entry| entry.request_id).collect();
            for Refused { target, id, .. } in refused.iter().filter(|one| one.org == own.org) {
                let recorded = damaged.contains(id);
                assert!(recorded, "{what}, {target}: not in the activity log");
            }
        }
    }
}

/// A request that was refused.
struct Refused {
    /// Whose.
    org: Vec<u8>,
    target: &'static str,
    /// Its identifier.
    id: String,
}

/// Two organizations that have the same names for different things.
struct Scene {
    attacker: Attacker,
    orgs: [Own; 2],
}

/// One of them.
struct Own {
    organization: Organization,
    org: Vec<u8>,
    lookup: Vec<u8>,
    objects: Vec<Object>,
}

/// What was written under a key.
struct Object {
    key: &'static str,
    content: Vec<u8>,
    version: Vec<u8>,
    sequence: u64,
    blobs: Vec<Vec<u8>>,
}

impl Scene {
    async fn settle(house: &House) -> Self {
        // A start looks at the first two organizations and refuses to go on when they are damaged.
        house.create_organization("second");
        let attacker = Attacker::at(house);
        let one = Own::settle(house, &attacker, "one").await;
        let other = Own::settle(house, &attacker, "other").await;
        Self {
            attacker,
            orgs: [one, other],
        }
    }

    fn both<T>(&self, of: impl Fn(&Own) -> T) -> [T; 2] {
        self.orgs.each_ref().map(of)
    }

    /// Puts what stands under a key in the same place of the other organization.
    fn exchange_versions(&self, key: &str) {
        let rows = self.both(|own| own.row_at(key));
        let place = ["org_id", "bucket_id", "key", "sequence"];
        self.attacker.exchange_all_but("versions", &place, rows);
    }

    /// Moves the blob of an object, row and file, to the other organization.
    fn exchange_homes(&self, key: &str) {
        let blobs = self.both(|own| own.object(key).blobs[0].clone());
        let files = blobs.each_ref().map(|blob| self.attacker.file(blob));
        let rows = blobs.map(|blob| blob_row(&blob));
        self.attacker.exchange("blobs", &["org_id"], rows);
        let homes = files.each_ref().map(|file| {
            let home = file.ancestors().nth(2);
            home.expect("an organization's directory").to_owned()
        });
        for (file, from, to) in [(0, 0, 1), (1, 1, 0)] {
            let below = files[file].strip_prefix(&homes[from]);
            let moved = homes[to].join(below.expect("it is there"));
            fs::create_dir_all(moved.parent().expect("a shard")).expect("a directory");
            fs::rename(&files[file], moved).expect("a file of our own");
        }
    }

    /// Everything is there and what was written.
    async fn assert_sound(&self, house: &House, what: &str) {
        for own in &self.orgs {
            for (method, target) in READS {
                let answer = own.ask(house, &method, target).await;
                assert_eq!(answer.status, StatusCode::OK, "before {what}: {answer:?}");
                own.assert_own(&method, target, &answer, what);
            }
        }
    }

    /// Whatever is there is what was written.
    async fn assert_no_wrong_byte(&self, house: &House, what: &str) {
        for own in &self.orgs {
            for (method, target) in READS {
                let answer = own.ask(house, &method, target).await;
                if answer.status.is_success() {
                    own.assert_own(&method, target, &answer, what);
                }
            }
        }
    }

    /// What the attack aims at is there no more.
    async fn assert_refused(&self, house: &House, attack: &Attack) -> Vec<Refused> {
        let mut refused = Vec::new();
        for own in &self.orgs {
            for (method, target) in attack.refused {
                let answer = own.ask(house, method, target).await;
                let expected = match attack.recorded {
                    Recorded::Activity => answer.status == StatusCode::INTERNAL_SERVER_ERROR,
                    Recorded::OperatorOnly => answer.status.is_server_error(),
                    // Before the caller is known, there may be no more to tell than to a stranger.
                    Recorded::Platform => {
                        answer.status.is_server_error() || answer.status == StatusCode::FORBIDDEN
                    }
                };
                assert!(expected, "{}, {method} {target}: {answer:?}", attack.what);
                let id = answer.headers["x-amz-request-id"].to_str().expect("text");
                refused.push(Refused {
                    org: own.org.clone(),
                    target,
                    id: id.to_owned(),
                });
            }
        }
        refused
    }
}

impl Own {
    async fn settle(house: &House, attacker: &Attacker, slug: &str) -> Self {
        let organization = house.create_organization(slug);
        let client = house.client_of(&organization.key);
        put(&client, "/docs", "").await;
        put(&client, "/empty", "").await;
        let org = attacker.find_one(&format!(
            "SELECT org_id FROM organizations WHERE slug = CAST('{}' AS BLOB)",
            organization.slug
        ));
        let its = format!("org_id = {}", literal(&org));
        let lookup = attacker.find_one(&format!("SELECT lookup FROM credentials WHERE {its}"));
        let mut objects = Vec::new();
        for (key, length) in [
            (INLINE, 1000),
            (BLOB, 200_000),
            (TWIN, 200_000),
            (PARTS, 2 * PART_BYTES),
        ] {
            let line = format!("{key} of {slug}, ");
            let content: Vec<u8> = line.bytes().cycle().take(length).collect();
            match key {
                PARTS => put_parts(&client, key, &content).await,
                _ => put(&client, &format!("/docs/{key}"), content.clone()).await,
            }
            objects.push(Object::find(attacker, &its, key, content));
        }
        Self {
            organization,
            org,
            lookup,
            objects,
        }
    }

    fn object(&self, key: &str) -> &Object {
        let found = self.objects.iter().find(|object| object.key == key);
        found.expect("a key of the scene")
    }

    fn org_row(&self) -> String {
        format!("org_id = {}", literal(&self.org))
    }

    fn credential_row(&self) -> String {
        format!("lookup = {}", literal(&self.lookup))
    }

    fn bucket_row(&self, name: &str) -> String {
        format!("{} AND name = CAST('{name}' AS BLOB)", self.org_row())
    }

    /// The row in the place of a key, whatever it holds.
    fn row_at(&self, key: &str) -> String {
        format!("{} AND key = CAST('{key}' AS BLOB)", self.org_row())
    }

    async fn ask(&self, house: &House, method: &Method, target: &str) -> Answer {
        let client = house.client_of(&self.organization.key);
        let body = if *method == Method::PUT { "new" } else { "" };
        let answer = client.send(method.clone(), target, &[], body).await;
        answer.expect("an answer")
    }

    fn assert_own(&self, method: &Method, target: &str, answer: &Answer, what: &str) {
        if (method.clone(), target) == LIST {
            let keys = elements(&answer.body, "Key");
            assert_eq!(keys, [BLOB, INLINE, PARTS, TWIN], "{what}");
        } else if *method == Method::GET {
            let key = target.rsplit('/').next().expect("a key");
            let is_own = self.object(key).content == answer.body;
            assert!(is_own, "{what}: another's bytes as {target}");
        }
    }
}

impl Object {
    fn find(attacker: &Attacker, its: &str, key: &'static str, content: Vec<u8>) -> Self {
        let which = format!("{its} AND key = CAST('{key}' AS BLOB)");
        let find = |column: &str| {
            attacker.find_one(&format!("SELECT {column} FROM versions WHERE {which}"))
        };
        let version = find("version_id");
        let digits = find("CAST(CAST(sequence AS TEXT) AS BLOB)");
        let digits = String::from_utf8(digits).expect("digits");
        let blobs = attacker.find(&format!(
            "SELECT blob_id FROM blobs JOIN contents ON instr(slices, blob_id) > 0 \
             WHERE version_id = {}",
            literal(&version)
        ));
        Self {
            key,
            content,
            version,
            sequence: digits.parse().expect("a number"),
            blobs,
        }
    }

    /// The rows of the version that was written, wherever they are.
    fn version_row(&self) -> String {
        format!("version_id = {}", literal(&self.version))
    }
}

fn blob_row(blob: &[u8]) -> String {
    format!("blob_id = {}", literal(blob))
}

/// What `bulkhead verify` says that is wrong.
fn findings(house: &House) -> Vec<String> {
    let output = house.run(&["verify"]);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let mut lines: Vec<_> = text(&output.stdout).lines().map(str::to_owned).collect();
    // The last line counts what was verified. A walk that met a row without its content ends
    // there, and says so on the other stream.
    let _count = lines.pop();
    if lines.is_empty() && !output.status.success() {
        lines.push(text(&output.stderr));
    }
    let code = i32::from(!lines.is_empty());
    assert_eq!(output.status.code(), Some(code), "{lines:?}");
    lines
}

async fn put(client: &Client, target: &str, body: impl Into<bytes::Bytes>) {
    let answer = client.send(Method::PUT, target, &[], body).await;
    let answer = answer.expect("an answer");
    assert_eq!(answer.status, StatusCode::OK, "{target}: {answer:?}");
}

/// Puts an object in two parts of equal length.
async fn put_parts(client: &Client, key: &str, content: &[u8]) {
    let ask = async |method: Method, query: String, body: Vec<u8>| {
        let target = format!("/docs/{key}?{query}");
        let answer = client.send(method, &target, &[], body).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, StatusCode::OK, "{target}: {answer:?}");
        answer
    };
    let begun = ask(Method::POST, "uploads=".into(), Vec::new()).await;
    let upload = element(&begun.body, "UploadId");
    let mut parts = String::new();
    for (number, part) in (1..).zip(content.chunks(PART_BYTES)) {
        let query = format!("partNumber={number}&uploadId={upload}");
        let answer = ask(Method::PUT, query, part.to_vec()).await;
        let etag = answer.headers["etag"].to_str().expect("text");
        parts += &format!("<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>");
    }
    let parts = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
    ask(Method::POST, format!("uploadId={upload}"), parts.into()).await;
}

/// Kept in its row.
const INLINE: &str = "inline";
/// One blob.
const BLOB: &str = "blob";
/// Another one, of the same length.
const TWIN: &str = "twin";
/// Two blobs.
const PARTS: &str = "parts";
/// The least that a part other than the last may have.
const PART_BYTES: usize = 5 << 20;

/// The number of a profile among the kinds of records.
const PROFILE: u8 = RecordKind::Profile as u8;

const GET_INLINE: (Method, &str) = (Method::GET, "/docs/inline");
const GET_BLOB: (Method, &str) = (Method::GET, "/docs/blob");
const GET_TWIN: (Method, &str) = (Method::GET, "/docs/twin");
const GET_PARTS: (Method, &str) = (Method::GET, "/docs/parts");
const HEAD_INLINE: (Method, &str) = (Method::HEAD, "/docs/inline");
const HEAD_BLOB: (Method, &str) = (Method::HEAD, "/docs/blob");
const HEAD_PARTS: (Method, &str) = (Method::HEAD, "/docs/parts");
const LIST: (Method, &str) = (Method::GET, "/docs?list-type=2");
const PUT_NEW: (Method, &str) = (Method::PUT, "/docs/new");
const READS: [(Method, &str); 8] = [
    GET_INLINE,
    GET_BLOB,
    GET_TWIN,
    GET_PARTS,
    HEAD_INLINE,
    HEAD_BLOB,
    HEAD_PARTS,
    LIST,
];
