//! Answers and calls that break off, and what stands in the log then.

use std::future::ready;
use std::sync::Arc;

use futures_util::StreamExt;
use http::Request;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use super::house::{House, UNSIGNED, signed};
use crate::audit::Outcome;
use crate::authn::Authn;
use crate::authz::{Caller, Scope};
use crate::blobs::Blobs;
use crate::http::net::RequestBody;
use crate::http::pipeline::{Answer, Call, Deed, Door, Head, Intent, Read, Refused};
use crate::http::s3::{S3, S3Error};
use crate::ops::fixture::Sent;

#[tokio::test]
async fn a_read_that_is_broken_off_is_recorded_as_far_as_it_got() {
    let house = House::open().await;
    let client = house.client(Scope::Full).await;
    let length = 32 << 20;
    house
        .send(&client, "PUT", "/docs/large", vec![7; length])
        .await;
    let mut stream = house.send_head(&client, "/docs/large").await;
    let mut some = [0; 4096];
    stream.read_exact(&mut some).await.unwrap();
    assert!(some.starts_with(b"HTTP/1.1 200 OK\r\n"));
    drop(stream);
    house.answered("GetObject").await;

    house.audit.run(ready(())).await;
    let log = house.log().await;
    let entry = log.iter().find(|entry| entry.action == "s3:GetObject");
    let delivered = entry.expect("the read is recorded").bytes_out;
    assert!((1..length as u64).contains(&delivered), "{delivered}");
}

#[tokio::test]
async fn whoever_breaks_off_after_a_deletion_leaves_a_trace() {
    let door = Arc::new(Slow(Notify::new()));
    let house = House::serve(|_| Arc::clone(&door)).await;
    let client = house.client(Scope::Full).await;
    let stream = TcpStream::connect(house.address).await.unwrap();
    let (mut send, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    let sent = client.sign(Sent::new("DELETE", "/docs/a", "", "localhost"), UNSIGNED);
    let mut request = Request::delete("http://localhost/docs/a");
    for (name, value) in sent.headers.iter().filter(|(name, _)| name != "host") {
        request = request.header(name, value);
    }
    let request = request.body(()).unwrap();
    let (answer, mut stream) = send.send_request(request, true).unwrap();
    door.0.notified().await;
    stream.send_reset(h2::Reason::CANCEL);
    drop(answer);
    house.answered("Slow").await;

    house.audit.run(ready(())).await;
    let [entry] = &house.log().await[..] else {
        panic!("one entry: {:?}", house.log().await);
    };
    assert_eq!(entry.action, "s3:DeleteObject");
    assert_eq!(entry.outcome, Outcome::Allowed { status: 499 });
}

#[tokio::test]
async fn damage_breaks_the_answer_off_and_is_in_the_log() {
    let house = House::open().await;
    let client = house.client(Scope::Full).await;
    house
        .send(&client, "PUT", "/docs/large", vec![7; 2 << 20])
        .await;
    let blobs: Vec<_> = house.blobs.list(house.org).collect().await;
    for blob in blobs {
        house.blobs.damage(blob.unwrap().blob, 1 << 20);
    }
    let mut stream = house.send_head(&client, "/docs/large").await;
    let mut answer = Vec::new();
    // The connection ends before the length that was announced.
    let _reset = stream.read_to_end(&mut answer).await;
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(answer.len() < 2 << 20, "{}", answer.len());
    house.answered("GetObject").await;
    // Nobody has written a batch.
    let log = house.log().await;
    let mut damage = log
        .iter()
        .filter(|entry| matches!(entry.outcome, Outcome::Damaged { .. }));
    let resource = damage.next().map(|entry| entry.resource.as_str());
    assert_eq!(resource, Some("docs/large"), "{log:?}");
}

#[tokio::test]
async fn nothing_is_answered_that_cannot_be_recorded() {
    let house = House::open().await;
    let client = house.client(Scope::Full).await;
    let length = 32 << 20;
    house
        .send(&client, "PUT", "/docs/large", vec![7; length])
        .await;
    house.send(&client, "PUT", "/docs/small", "small").await;
    // A read that has begun when the log stops taking anything is not brought to its end.
    let mut stream = house.send_head(&client, "/docs/large").await;
    let mut answer = vec![0; 4096];
    stream.read_exact(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    house.audit.run(ready(())).await;
    let _reset = stream.read_to_end(&mut answer).await;
    assert!(answer.len() < length, "{}", answer.len());

    let written = house.blobs.calls().written;
    for (method, path, body) in [
        ("PUT", "/docs/new", vec![7; 1 << 20]),
        ("HEAD", "/docs/small", Vec::new()),
        ("GET", "/docs/small", Vec::new()),
        ("GET", "/docs", Vec::new()),
    ] {
        let answer = house.send(&client, method, path, body).await;
        assert_eq!(answer.status, 503, "{method} {path}");
    }
    assert_eq!(
        house.blobs.calls().written,
        written,
        "nothing is done, either"
    );
}

/// Does what it is asked, and takes for ever.
struct Slow(Notify);

impl Door for Slow {
    type Asked = ();
    type Proof = <S3 as Door>::Proof;
    type Error = S3Error;

    async fn authenticate(
        &self,
        authn: &Authn,
        head: &Head,
        _: &mut RequestBody,
    ) -> Result<(Caller, Self::Proof), S3Error> {
        signed(authn, head).await
    }

    fn read(&self, _: &Head, _: &Self::Proof) -> Result<Read<()>, S3Error> {
        Ok(Read {
            organization: None,
            deed: Deed {
                operation: "Slow",
                action: "s3:DeleteObject",
                resource: "docs/a".to_owned(),
                intent: Intent::None,
            },
            asked: (),
        })
    }

    async fn perform(
        &self,
        _: &Call,
        _: Self::Proof,
        (): (),
        _: Head,
        _: RequestBody,
    ) -> Result<Answer, S3Error> {
        self.0.notify_one();
        std::future::pending().await
    }

    fn refuse(&self, _: &Refused<'_>, error: &S3Error) -> Answer {
        panic!("nobody is left to be answered: {error:?}");
    }
}
