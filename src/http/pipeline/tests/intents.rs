//! What stands in the log before it is done, and sign-ins, which come before anybody calls.

use std::future::ready;
use std::net::Ipv4Addr;
use std::sync::Arc;

use http::{Response, StatusCode};
use names::{AccessKeyId, AccountId, BucketName, ObjectKey, PrincipalId};
use rusqlite::Connection;
use tokio::sync::Notify;

use super::house::{House, signed};
use crate::audit::{Outcome, SignInMethod};
use crate::authn::Authn;
use crate::authz::{
    Action, Caller, CredentialKind, Narrowing, OfObject, PutObject, Receipt, Rights, Scope,
};
use crate::http::net::{Peer, RequestBody};
use crate::http::pipeline::{
    Answer, Call, Content, Deed, Door, DoorError, Head, Intent, Read, Refused,
};
use crate::http::s3::{S3, S3Error};

/// Makes a grant, as a log is to have it: tells when it has begun, and ends when it may.
struct Granting {
    intent: Intent,
    begun: Notify,
    ends: Notify,
}

impl Granting {
    fn new(intent: Intent) -> Arc<Self> {
        Arc::new(Self {
            intent,
            begun: Notify::new(),
            ends: Notify::new(),
        })
    }
}

impl Door for Granting {
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

    fn read(&self, head: &Head, _: &Self::Proof) -> Result<Read<()>, S3Error> {
        Ok(Read {
            organization: None,
            deed: Deed {
                operation: "CreateGrant",
                action: PutObject::NAME,
                resource: head.path().to_owned(),
                intent: self.intent,
            },
            asked: (),
        })
    }

    async fn perform(
        &self,
        call: &Call,
        _: Self::Proof,
        (): (),
        _: Head,
        _: RequestBody,
    ) -> Result<Answer, S3Error> {
        let object = OfObject {
            bucket: BucketName::parse("docs").expect("a bucket"),
            key: ObjectKey::parse("a").expect("a key"),
        };
        call.permit::<PutObject>(object)?;
        self.begun.notify_one();
        self.ends.notified().await;
        call.made("grant:7".to_owned());
        Ok(empty(StatusCode::OK))
    }

    fn refuse(&self, _: &Refused<'_>, error: &S3Error) -> Answer {
        empty(error.status())
    }
}

fn empty(status: StatusCode) -> Answer {
    let mut head = Response::new(());
    *head.status_mut() = status;
    Answer {
        head,
        content: Content::Empty,
        receipt: Receipt::default(),
    }
}

#[tokio::test]
async fn what_changes_a_policy_is_in_the_log_before_it_is_begun_and_its_outcome_after() {
    let door = Granting::new(Intent::Durable);
    let house = House::serve(|_| Arc::clone(&door)).await;
    let client = house.client(Scope::Full).await;
    let sent = house.send(&client, "POST", "/grants", "");
    let meanwhile = async {
        door.begun.notified().await;
        // Nobody has written a batch.
        let log = house.log().await;
        let [intent] = &log[..] else {
            panic!("one entry: {log:?}");
        };
        assert_eq!(intent.outcome, Outcome::Intended);
        assert_eq!(intent.action, "s3:PutObject");
        assert_eq!(intent.operation.as_deref(), Some("CreateGrant"));
        assert_eq!(intent.resource, "/grants");
        door.ends.notify_one();
        intent.request_id.clone()
    };
    let (answer, request_id) = tokio::join!(sent, meanwhile);
    assert_eq!((answer.status, &answer.request_id), (200, &request_id));
    house.audit.run(ready(())).await;
    let log = house.log().await;
    let [_, outcome] = &log[..] else {
        panic!("two entries: {log:?}");
    };
    assert_eq!(outcome.outcome, Outcome::Allowed { status: 200 });
    assert_eq!(outcome.resource, "grant:7", "what was made");
    assert_eq!(outcome.rule.as_deref(), Some("organization"));
    assert_eq!(outcome.request_id, request_id);

    // The log takes nothing any more: it is not begun.
    door.ends.notify_one();
    let answer = house.send(&client, "POST", "/grants", "").await;
    assert_eq!(answer.status, 503);
}

#[tokio::test]
async fn what_cannot_be_intended_is_not_begun() {
    let door = Granting::new(Intent::Durable);
    let house = House::serve(|_| Arc::clone(&door)).await;
    let client = house.client(Scope::Full).await;
    // The writer has not noticed yet that it cannot write.
    door.ends.notify_one();
    Connection::open(house.place.catalog_path())
        .unwrap()
        .execute_batch(
            "CREATE TRIGGER broken BEFORE INSERT ON audit_segments
             BEGIN SELECT RAISE(ABORT, 'broken'); END",
        )
        .unwrap();
    let answer = house.send(&client, "POST", "/grants", "").await;
    assert_eq!(answer.status, 503);
}

/// What is intended and refused has two lines, and the second says why.
#[tokio::test]
async fn what_was_intended_and_is_refused_is_told_so() {
    let door = Granting::new(Intent::Durable);
    let house = House::serve(|_| Arc::clone(&door)).await;
    let client = house.client(Scope::ReadOnly).await;
    let answer = house.send(&client, "POST", "/grants", "").await;
    assert_eq!(answer.status, 403);
    let log = house.log().await;
    let [intent, refusal] = &log[..] else {
        panic!("two entries: {log:?}");
    };
    assert_eq!(intent.outcome, Outcome::Intended);
    assert!(matches!(refusal.outcome, Outcome::Refused { .. }));
    assert_eq!(refusal.resource, "/grants");
    assert_eq!(refusal.rule, None);
}

/// The log fails while something is under way: what was intended in it is answered as it was
/// done, and what was not as unavailable.
#[tokio::test]
async fn a_log_that_fails_under_a_call_takes_back_no_intent() {
    for (intent, status) in [(Intent::Durable, 200), (Intent::None, 503)] {
        let door = Granting::new(intent);
        let house = House::serve(|_| Arc::clone(&door)).await;
        let client = house.client(Scope::Full).await;
        let sent = house.send(&client, "POST", "/grants", "");
        let meanwhile = async {
            door.begun.notified().await;
            house.audit.run(ready(())).await;
            door.ends.notify_one();
        };
        let (answer, ()) = tokio::join!(sent, meanwhile);
        assert_eq!(answer.status, status, "{intent:?}");
    }
}

#[tokio::test]
async fn a_sign_in_is_recorded_before_its_session_works() {
    let house = House::open().await;
    let peer = Peer {
        address: (Ipv4Addr::new(192, 0, 2, 7), 4000).into(),
        tls: false,
        server_name: None,
    };
    let caller = Caller::authenticated(
        house.org,
        PrincipalId::from_bytes([3; 16]),
        AccessKeyId::parse("BKSESSION").unwrap(),
        CredentialKind::Session(AccountId::from_bytes([4; 16])),
        Arc::new(Narrowing::NONE),
    );
    let visit = house.pipeline.visit(&peer);
    visit
        .signed_in(&caller, &Rights::ORGANIZATION, SignInMethod::Password)
        .await
        .unwrap();
    // Nobody has written a batch.
    let log = house.log().await;
    let entry = log.iter().find(|entry| entry.action == "bulkhead:SignIn");
    let entry = entry.expect("durable at once");
    assert_eq!(entry.source, Some(peer.address.ip()));
    let id = visit.id().to_string();
    assert_eq!(entry.request_id, id);
    let answer = visit.answer("SignIn", empty(StatusCode::OK));
    assert_eq!(answer.headers()["x-amz-request-id"], *id);
    house.answered("SignIn").await;

    let before = house.log().await.len();
    house.pipeline.visit(&peer).sign_in_refused();
    house.audit.run(ready(())).await;
    let log = house.log().await;
    assert_eq!(log.len(), before, "{log:?}");
}
