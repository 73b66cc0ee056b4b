//! Whoever is nobody in the organization that is asked.

use std::collections::BTreeMap;
use std::future::ready;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::house::House;
use crate::audit::{AuditReader, Outcome};
use crate::authz::Scope;
use crate::ops::fixture::Client;

#[tokio::test]
async fn strangers_are_in_the_platforms_log_alone() {
    let house = House::open().await;
    let client = house.client(Scope::Full).await;
    let wrong = Client {
        secret: "wrong".to_owned(),
        ..client.clone()
    };
    let unknown = Client {
        id: "BKNOBODYKNOWSTHISKEY".to_owned(),
        ..client.clone()
    };
    for (stranger, code) in [
        (&wrong, "SignatureDoesNotMatch"),
        (&unknown, "InvalidAccessKeyId"),
    ] {
        let answer = house.send(stranger, "GET", "/docs/a", "").await;
        assert_eq!(answer.status, 403);
        assert!(answer.body.contains(code), "{}", answer.body);
    }
    let anonymous = reqwest::get(format!("http://{}/docs/a", house.address));
    assert_eq!(anonymous.await.unwrap().status(), 403);
    house.audit.run(ready(())).await;
    let [made] = &house.log().await[..] else {
        panic!("the bucket alone: {:?}", house.log().await);
    };
    assert_eq!(made.action, "s3:CreateBucket");

    let mut seen = Vec::new();
    AuditReader::platform(
        &house.operator,
        house.platform.clone(),
        Arc::clone(&house.keyring),
    )
    .walk(&BTreeMap::new(), |logged| {
        if let Outcome::Stated { reason } = &logged.entry.outcome {
            seen.push((reason.clone(), logged.entry.source));
        }
    })
    .await
    .unwrap();
    let source = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    for what in ["not signed", "does not match", "not known"] {
        assert!(
            seen.iter()
                .any(|(text, from)| text.contains(what) && *from == source),
            "{what}: {seen:?}"
        );
    }
    assert!(!format!("{seen:?}").contains(&client.id));
}

#[tokio::test]
async fn the_host_of_another_organization_knows_no_key() {
    let house = House::open().await;
    house.world.organization("other").await;
    let client = house.client(Scope::Full).await;
    house.send(&client, "PUT", "/docs/a", "mine").await;
    for (host, status) in [
        ("docs.home.s3.test", 200),
        ("DOCS.home.s3.test:9000", 200),
        ("docs.other.s3.test", 403),
        ("docs.nobody.s3.test", 403),
        ("home.s3.test", 400),
    ] {
        let answer = house.send_to(host, &client, "GET", "/a").await;
        assert_eq!(answer.status, status, "{host}: {}", answer.body);
        let is_unknown = answer.body.contains("<Code>InvalidAccessKeyId</Code>");
        assert_eq!(is_unknown, status == 403, "{host}: {}", answer.body);
    }
}
