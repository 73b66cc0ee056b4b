//! The wall between organizations: what is another organization's answers, and costs, as what
//! exists nowhere. Every route of the tables that dispatch is made from is asked.

mod api;
mod kv;
mod secrets;
mod stolen;
mod sts;

use std::cell::Cell;
use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bulkhead::audit::Entry;
use bulkhead::http::s3::{
    BucketOperation, Level, Mark, ObjectOperation, Operation, ROUTES, Route, ServiceOperation,
};
use http::{HeaderMap, Method, StatusCode};
use md5::{Digest, Md5};

use crate::support::client::{Answer, Client};
use crate::support::gateway::{Calls, Gateway, Tenant};

#[tokio::test]
async fn what_is_anothers_answers_and_costs_as_what_is_nowhere() {
    let gateway = Gateway::start(TOKEN).await;
    let victim = Victim::settle(&gateway).await;
    let stranger = gateway.tenant("stranger").await;
    let client = gateway.client(&stranger);
    let before = victim.snapshot().await;
    let (theirs, nowhere) = (victim.names(), victim.names().nowhere());

    let mut asked = 0;
    for place in [Place::Theirs, Place::Own, Place::Namesake] {
        for route in ROUTES {
            for condition in [Condition::None, Condition::SameContent] {
                let what = format!("{} in {place:?}, {condition:?}", route.name);
                let mut seen = Vec::new();
                for names in [&theirs, &nowhere] {
                    prepare(&client, place, names).await;
                    let case = Case::of(route, place, condition, names, &victim.etag);
                    let calls = gateway.calls();
                    let answer = case.sent(&client).await;
                    let cost = difference(&gateway.calls(), &calls);
                    seen.push((shown(&answer, names), cost));
                    clean(&client, place, route, names).await;
                    asked += 1;
                }
                assert_eq!(seen[0], seen[1], "{what}: theirs, then nowhere");
            }
        }
    }

    assert_eq!(victim.snapshot().await, before);
    let metrics = gateway.metrics.encode().expect("metrics");
    for route in ROUTES {
        let line = format!("operation=\"{}\"", route.name);
        assert!(metrics.contains(&line), "{} was not reached", route.name);
    }
    gateway.close_logs().await;
    let actors = |entries: Vec<Entry>| {
        let entries = entries.into_iter().map(|entry| entry.actor);
        entries.collect::<BTreeSet<_>>()
    };
    let log = gateway.log(&victim.tenant).await;
    assert_eq!(log.len(), victim.calls.get());
    assert_eq!(actors(log), BTreeSet::from([victim.tenant.key.id.clone()]));
    let log = gateway.log(&stranger).await;
    assert!(log.len() >= asked, "{} of {asked}", log.len());
    assert_eq!(actors(log), BTreeSet::from([stranger.key.id.clone()]));
}

/// An organization that has one of everything.
struct Victim {
    tenant: Tenant,
    client: Client,
    upload: String,
    etag: String,
    /// How many requests it sent.
    calls: Cell<usize>,
}

/// What a request aims at.
#[derive(Debug, Clone)]
struct Names {
    bucket: String,
    key: String,
    upload: String,
}

/// Where the stranger aims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the names themselves.
    Theirs,
    /// At a bucket of the stranger's: with the key, the upload and the source of the names.
    Own,
    /// At a bucket of the stranger's that bears the name.
    Namesake,
}

/// What the request says of the content that it expects.
#[derive(Debug, Clone, Copy)]
enum Condition {
    None,
    /// That it has the ETag of the victim's.
    SameContent,
}

/// One request.
struct Case<'a> {
    method: Method,
    target: String,
    fields: Vec<(&'static str, &'a str)>,
    owned: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Victim {
    async fn settle(gateway: &Gateway) -> Self {
        let tenant = gateway.tenant("victim").await;
        let mut victim = Self {
            client: gateway.client(&tenant),
            tenant,
            upload: String::new(),
            etag: String::new(),
            calls: Cell::new(0),
        };
        let bucket = format!("/{BUCKET}");
        let object = format!("/{BUCKET}/{KEY}");
        victim.ask(Method::PUT, &bucket, Vec::new()).await;
        let put = victim.ask(Method::PUT, &object, content()).await;
        victim.etag = put.headers["etag"].to_str().expect("text").to_owned();
        let begin = format!("{object}?uploads=");
        let begun = victim.ask(Method::POST, &begin, Vec::new()).await;
        victim.upload = element(&text(&begun), "UploadId");
        let part = format!("{object}?partNumber=1&uploadId={}", victim.upload);
        victim.ask(Method::PUT, &part, content()).await;
        victim
    }

    fn names(&self) -> Names {
        Names {
            bucket: BUCKET.to_owned(),
            key: KEY.to_owned(),
            upload: self.upload.clone(),
        }
    }

    /// Everything that it can see of what is its own.
    async fn snapshot(&self) -> Vec<String> {
        let mut seen = Vec::new();
        for target in [
            "/".to_owned(),
            format!("/{BUCKET}"),
            format!("/{BUCKET}?list-type=2"),
            format!("/{BUCKET}?uploads="),
            format!("/{BUCKET}/{KEY}"),
            format!("/{BUCKET}/{KEY}?uploadId={}", self.upload),
        ] {
            seen.push(raw(&self.ask(Method::GET, &target, Vec::new()).await));
        }
        seen
    }

    async fn ask(&self, method: Method, target: &str, body: Vec<u8>) -> Answer {
        self.calls.set(self.calls.get() + 1);
        let answer = self.client.send(method, target, &[], body).await;
        let answer = answer.expect("an answer");
        assert_eq!(answer.status, StatusCode::OK, "{target}");
        answer
    }
}

impl Names {
    /// Names of the same length that nobody bears.
    fn nowhere(&self) -> Self {
        let flipped = |digit| if digit == '0' { '1' } else { '0' };
        let mut upload: Vec<char> = self.upload.chars().collect();
        // Far from version, variant and time.
        let place = upload.len() - 2;
        upload[place] = flipped(upload[place]);
        Self {
            bucket: self.bucket.replace("ledgers", "nowhere"),
            key: self.key.replace("ledger", "nobody"),
            upload: upload.into_iter().collect(),
        }
    }
}

impl<'a> Case<'a> {
    fn of(route: &Route, place: Place, condition: Condition, names: &Names, etag: &'a str) -> Self {
        let bucket = place.bucket(names);
        let mut query = Vec::new();
        let (mut fields, mut owned) = (Vec::new(), Vec::new());
        for mark in route.marks {
            match *mark {
                Mark::Query("uploadId") => query.push(format!("uploadId={}", names.upload)),
                Mark::Query("partNumber") => query.push("partNumber=1".to_owned()),
                Mark::Query(name) => query.push(format!("{name}=")),
                Mark::Value(name, value) => query.push(format!("{name}={value}")),
                Mark::Header("x-amz-copy-source") => {
                    let source = format!("/{}/{}", names.bucket, names.key);
                    owned.push(("x-amz-copy-source", source));
                }
                Mark::Header(name) => fields.push((name, "0")),
                Mark::Form => fields.push(("content-type", "multipart/form-data; boundary=b")),
            }
        }
        match condition {
            Condition::None => {}
            Condition::SameContent => {
                fields.push(("if-match", etag));
                fields.push(("x-amz-copy-source-if-match", etag));
            }
        }
        let body = route
            .operation
            .map(|operation| demand(operation, names, etag, &mut query))
            .unwrap_or_default();
        owned.push(("content-md5", STANDARD.encode(Md5::digest(&body))));
        let path = match route.level {
            Level::Service => "/".to_owned(),
            Level::Bucket => format!("/{bucket}"),
            Level::Object => format!("/{bucket}/{}", names.key),
        };
        Self {
            method: route.method.clone(),
            target: format!("{path}?{}", query.join("&")),
            fields,
            owned,
            body,
        }
    }

    async fn sent(self, client: &Client) -> Answer {
        let owned = self.owned.iter();
        let owned = owned.map(|(name, value)| (*name, value.as_str()));
        let fields: Vec<_> = self.fields.iter().copied().chain(owned).collect();
        let answer = client.send(self.method, &self.target, &fields, self.body);
        answer.await.expect("an answer")
    }
}

/// The body of a request for an operation, and what its query says besides the route's marks. An
/// operation that is added must say here what another organization would send to it.
fn demand(operation: Operation, names: &Names, etag: &str, query: &mut Vec<String>) -> Vec<u8> {
    let Names {
        bucket,
        key,
        upload,
    } = names;
    match operation {
        Operation::Service(ServiceOperation::ListBuckets) => {
            query.push(format!("prefix={bucket}"));
            Vec::new()
        }
        Operation::Bucket(operation) => match operation {
            BucketOperation::DeleteObjects => {
                format!("<Delete><Object><Key>{key}</Key></Object></Delete>").into_bytes()
            }
            BucketOperation::ListMultipartUploads => {
                query.push(format!("key-marker={key}&upload-id-marker={upload}"));
                Vec::new()
            }
            BucketOperation::ListObjectVersions
            | BucketOperation::ListObjects
            | BucketOperation::ListObjectsV2 => {
                query.push(format!("prefix={key}"));
                Vec::new()
            }
            BucketOperation::CreateBucket
            | BucketOperation::DeleteBucket
            | BucketOperation::GetBucketLocation
            | BucketOperation::GetBucketVersioning
            | BucketOperation::HeadBucket => Vec::new(),
        },
        Operation::Object(operation) => match operation {
            ObjectOperation::CompleteMultipartUpload => format!(
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag>\
                 </Part></CompleteMultipartUpload>"
            )
            .into_bytes(),
            ObjectOperation::UploadPart => {
                complete(query, upload);
                content()
            }
            ObjectOperation::UploadPartCopy => {
                complete(query, upload);
                Vec::new()
            }
            ObjectOperation::PutObject => content(),
            ObjectOperation::AbortMultipartUpload
            | ObjectOperation::CopyObject
            | ObjectOperation::CreateMultipartUpload
            | ObjectOperation::DeleteObject
            | ObjectOperation::GetObject
            | ObjectOperation::HeadObject
            | ObjectOperation::ListParts => Vec::new(),
        },
    }
}

/// Parts are named by two parameters, of which each of their routes' marks names one.
fn complete(query: &mut Vec<String>, upload: &str) {
    for asked in ["partNumber=1".to_owned(), format!("uploadId={upload}")] {
        if !query.contains(&asked) {
            query.push(asked);
        }
    }
}

impl Place {
    fn bucket(self, names: &Names) -> &str {
        match self {
            Self::Theirs | Self::Namesake => &names.bucket,
            Self::Own => "mine",
        }
    }
}

/// Makes the stranger's own bucket, if there is to be one, and opens what caches forget when
/// something is written, so that the next request finds them as every other does.
async fn prepare(client: &Client, place: Place, names: &Names) {
    if place != Place::Theirs {
        let target = format!("/{}", place.bucket(names));
        let made = client.send(Method::PUT, &target, &[], "").await;
        made.expect("an answer");
        let there = client.send(Method::HEAD, &target, &[], "").await;
        assert_eq!(there.expect("an answer").status, StatusCode::OK);
    }
    let warm = client.send(Method::GET, "/warm/up", &[], "").await;
    assert_eq!(warm.expect("an answer").status, StatusCode::NOT_FOUND);
}

/// Takes away the bucket that the stranger made of its own where it aimed at another's.
async fn clean(client: &Client, place: Place, route: &Route, names: &Names) {
    let made = Some(Operation::Bucket(BucketOperation::CreateBucket));
    if place == Place::Theirs && route.operation == made {
        let target = format!("/{}", names.bucket);
        let gone = client.send(Method::DELETE, &target, &[], "").await;
        assert_eq!(gone.expect("an answer").status, StatusCode::NO_CONTENT);
    }
}

/// An answer as it was sent, without what names the request and when it was sent, and with
/// placeholders of the names it echoes.
fn shown(answer: &Answer, names: &Names) -> String {
    let mut shown = raw(answer);
    if shown.contains("<InitiateMultipartUploadResult") {
        shown = shown.replace(&element(&shown, "UploadId"), "{new upload}");
    }
    for (name, placeholder) in [
        (&names.bucket, "{bucket}"),
        (&names.key, "{key}"),
        (&names.upload, "{upload}"),
    ] {
        shown = shown.replace(name, placeholder);
    }
    shown
}

fn raw(answer: &Answer) -> String {
    let mut body = text(answer);
    let mut headers: HeaderMap = answer.headers.clone();
    headers.remove("date");
    for name in ["x-amz-request-id", "x-amzn-requestid", "x-request-id"] {
        if let Some(id) = headers.remove(name) {
            body = body.replace(id.to_str().expect("text"), "{request}");
        }
    }
    format!("{}\n{headers:#?}\n{body}", answer.status)
}

fn difference(after: &Calls, before: &Calls) -> Vec<(String, u64)> {
    let catalog = after.0.iter().map(|(method, count)| {
        let earlier = before.0.get(method).copied().unwrap_or_default();
        (format!("catalog {method}"), count - earlier)
    });
    let blobs = [
        ("written", after.1.written - before.1.written),
        ("read", after.1.read - before.1.read),
        ("deleted", after.1.deleted - before.1.deleted),
        ("listed", after.1.listed - before.1.listed),
    ];
    let blobs = blobs.map(|(what, count)| (format!("blobs {what}"), count));
    catalog
        .chain(blobs)
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// More than fits into a row, so that there is a blob to be reached.
fn content() -> Vec<u8> {
    b"0123456789abcdef".repeat(2048)
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

fn element(xml: &str, name: &str) -> String {
    let begin = xml.split_once(&format!("<{name}>"));
    let found = begin.and_then(|(_, rest)| rest.split_once('<'));
    found
        .unwrap_or_else(|| panic!("<{name}> in {xml}"))
        .0
        .to_owned()
}

const BUCKET: &str = "ledgers-2026";
const KEY: &str = "ledger.csv";
const TOKEN: &str = "the-operators-token-which-is-long-enough";
