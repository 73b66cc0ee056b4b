//! What stands in the log of what was done or refused.

use std::future::ready;
use std::net::{IpAddr, Ipv4Addr};

use super::house::House;
use crate::audit::{ActorKind, Outcome, ShownCredential};
use crate::authz::{Scope, read_usage_as_operator};

#[tokio::test]
async fn a_refusal_is_in_the_log_before_its_answer() {
    let house = House::open().await;
    let reader = house.client(Scope::ReadOnly).await;
    let answer = house.send(&reader, "PUT", "/docs/secret", "").await;
    assert_eq!(answer.status, 403);
    assert!(answer.body.contains("<Code>AccessDenied</Code>"));
    // Nobody has written a batch.
    let log = house.log().await;
    let entry = log.iter().find(|entry| entry.action == "s3:PutObject");
    let entry = entry.expect("the refusal is recorded");
    assert_eq!(entry.resource, "docs/secret");
    assert_eq!(entry.request_id, answer.request_id);
    assert_eq!(entry.actor, reader.id);
    assert_eq!(entry.source, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    let Outcome::Refused { reason } = &entry.outcome else {
        panic!("refused: {entry:?}");
    };
    assert_eq!(reason, "the access key is read-only");
    assert_eq!(entry.rule, None);
    assert_eq!(entry.operation.as_deref(), Some("PutObject"));
    assert_eq!(entry.kind, Some(ActorKind::Organization));
    assert_eq!(entry.credential, Some(ShownCredential::AccessKey));
    assert!(entry.principal.is_some());
}

#[tokio::test]
async fn what_is_done_is_noted_and_metered_with_its_bytes() {
    let house = House::open().await;
    let client = house.client(Scope::Full).await;
    let body = vec![7; 100_000];
    let put = house.send(&client, "PUT", "/docs/a", body.clone()).await;
    let get = house.send(&client, "GET", "/docs/a", "").await;
    assert_eq!((put.status, get.status), (200, 200));
    assert_eq!(get.body.len(), body.len());
    assert_eq!(house.send(&client, "HEAD", "/docs/a", "").await.status, 200);
    assert_eq!(house.send(&client, "GET", "/docs/b", "").await.status, 404);
    assert_eq!(
        house.send(&client, "GET", "/docs?acl=", "").await.status,
        501
    );
    assert_eq!(house.log().await, []);

    house.audit.run(ready(())).await;
    let seen: Vec<_> = house
        .log()
        .await
        .into_iter()
        .map(|entry| {
            let Outcome::Allowed { status } = entry.outcome else {
                panic!("{entry:?}");
            };
            let bytes = (entry.bytes_in, entry.bytes_out);
            (entry.action.into_owned(), entry.resource, status, bytes)
        })
        .collect();
    let expected = [
        ("s3:CreateBucket", "docs", 200, (0, 0)),
        ("s3:PutObject", "docs/a", 200, (100_000, 0)),
        ("s3:GetObject", "docs/a", 200, (0, 100_000)),
        ("s3:GetObject", "docs/a", 200, (0, 0)),
        ("s3:GetObject", "docs/b", 404, (0, 0)),
        ("s3:GetBucketAcl", "docs", 501, (0, 0)),
    ];
    let expected = expected.map(|(action, resource, status, bytes)| {
        (action.to_owned(), resource.to_owned(), status, bytes)
    });
    assert_eq!(seen, expected);

    house.metering.run(ready(())).await;
    let permit = read_usage_as_operator(&house.operator, house.org);
    let usage = house
        .metering
        .usage(permit, 0, u64::MAX >> 1)
        .await
        .unwrap();
    let [hour] = &usage[..] else {
        panic!("one hour: {usage:?}");
    };
    // What is not built is answered as a mistake of ours would be, and costs nothing.
    assert_eq!(
        (hour.requests, hour.ingress_bytes, hour.egress_bytes),
        (5, 100_000, 100_000)
    );
}

#[tokio::test]
async fn each_of_many_deletions_has_its_line() {
    let house = House::open().await;
    let client = house.client(Scope::Full).await;
    house.send(&client, "PUT", "/docs/a", "a").await;
    let body = "<Delete><Object><Key>a</Key></Object><Object><Key>b</Key>\
                <VersionId>v</VersionId></Object></Delete>";
    let answer = house.send(&client, "POST", "/docs?delete=", body).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("<Deleted><Key>a</Key></Deleted>"));
    assert!(
        answer
            .body
            .contains("<Code>NotImplemented</Code><Key>b</Key>")
    );
    house.audit.run(ready(())).await;
    let lines: Vec<_> = house
        .log()
        .await
        .into_iter()
        .filter(|entry| entry.action == "s3:DeleteObject")
        .inspect(|entry| assert_eq!(entry.rule.as_deref(), Some("organization"), "{entry:?}"))
        .map(|entry| (entry.resource, entry.outcome, entry.request_id))
        .collect();
    let line = |resource: &str, status| {
        let outcome = Outcome::Allowed { status };
        (resource.to_owned(), outcome, answer.request_id.clone())
    };
    assert_eq!(
        lines,
        [line("docs/a", 204), line("docs/b", 501), line("docs", 200)]
    );
}
