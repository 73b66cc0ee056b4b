//! What is refused before anything is done, and in which words.

use serde_json::json;

use super::house::{House, request};
use crate::ops::fixture::Client;

#[tokio::test]
async fn strangers_are_told_what_is_wrong_with_their_signatures() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    house.create(&tenant, "a", "hunter2").await;
    let client = &tenant.client;
    let body = json!({"SecretId": "a"});
    for (stranger, code) in [
        (
            Client {
                secret: "wrong".to_owned(),
                ..client.clone()
            },
            "InvalidSignatureException",
        ),
        (
            Client {
                id: "BKNOBODYKNOWSTHISKEY".to_owned(),
                ..client.clone()
            },
            "UnrecognizedClientException",
        ),
        (
            // What is signed for files is not good for secrets.
            Client {
                service: "s3".to_owned(),
                ..client.clone()
            },
            "InvalidSignatureException",
        ),
        (
            Client {
                at_ms: client.at_ms - 3_600_000,
                ..client.clone()
            },
            "InvalidSignatureException",
        ),
        (client.with_token("token"), "UnrecognizedClientException"),
    ] {
        assert_eq!(
            house
                .refused(&stranger, "GetSecretValue", body.clone())
                .await,
            code
        );
    }
    let anonymous = house
        .exchange(
            &request("secretsmanager.GetSecretValue"),
            body.to_string().into(),
        )
        .await;
    assert_eq!(anonymous.status, 400);
    assert_eq!(anonymous.code(), "MissingAuthenticationTokenException");
}

#[tokio::test]
async fn the_signature_covers_the_body_and_the_operation() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    house.create(&tenant, "a", "hunter2").await;
    let signed_body = json!({"SecretId": "b"}).to_string();
    let other_body = json!({"SecretId": "a"}).to_string();
    let client = &tenant.client;
    let target = "secretsmanager.GetSecretValue";
    let sent = client.sign_over(request(target), signed_body.as_bytes());
    let answer = house.exchange(&sent, other_body.clone().into()).await;
    assert_eq!(answer.code(), "InvalidSignatureException");
    // A field that says something of the body is not believed.
    let mut claims = request(target);
    let unsigned = ("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    claims
        .headers
        .push((unsigned.0.to_owned(), unsigned.1.to_owned()));
    let sent = client.sign_over(claims, signed_body.as_bytes());
    let answer = house.exchange(&sent, other_body.clone().into()).await;
    assert_eq!(answer.code(), "InvalidSignatureException");

    let describe = "secretsmanager.DescribeSecret";
    let mut sent = client.sign_over(request(describe), other_body.as_bytes());
    for (name, value) in &mut sent.headers {
        if name == "x-amz-target" {
            *value = target.to_owned();
        }
    }
    let answer = house.exchange(&sent, other_body.into()).await;
    assert_eq!(answer.code(), "InvalidSignatureException");
}

#[tokio::test]
async fn what_is_no_operation_is_told_apart_from_what_is_not_built() {
    let house = House::open().await;
    let client = house.tenant("home").await.client;
    let answer = house
        .send(&client, "RotateSecret", &json!({"SecretId": "a"}))
        .await;
    assert_eq!(answer.status, 501);
    assert_eq!(answer.code(), "NotImplementedException");
    assert!(answer.text.contains("RotateSecret is not implemented"));
    let code = house.refused(&client, "Nothing", json!({})).await;
    assert_eq!(code, "UnknownOperationException");

    let target = "secretsmanager.ListSecrets";
    let mut twice = request(target);
    twice
        .headers
        .push(("x-amz-target".to_owned(), target.to_owned()));
    let mut xml = request(target);
    xml.headers[1].1 = "application/xml".to_owned();
    let mut elsewhere = request(target);
    elsewhere.path = "/docs";
    let mut put = request(target);
    put.method = "PUT";
    for sent in [xml, elsewhere, put] {
        let answer = house
            .exchange(&client.sign_over(sent, b"{}"), b"{}".to_vec())
            .await;
        assert_eq!(answer.code(), "UnknownOperationException");
    }
    // Signers join what comes twice, or do not: either way it names no operation.
    let answer = house
        .exchange(&client.sign_over(twice, b"{}"), b"{}".to_vec())
        .await;
    assert_eq!(answer.status, 400, "{}", answer.text);
}

#[tokio::test]
async fn a_body_is_json_and_no_longer_than_a_request() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    let client = &tenant.client;
    for (body, code) in [
        (&b"{"[..], "SerializationException"),
        (b"[]", "SerializationException"),
        (b"\xff", "SerializationException"),
        (b"{\"MaxResults\":1e400}", "SerializationException"),
        (
            &vec![b' '; (512 << 10) + 1],
            "RequestEntityTooLargeException",
        ),
    ] {
        let target = "secretsmanager.ListSecrets";
        let sent = client.sign_over(request(target), body);
        let answer = house.exchange(&sent, body.to_vec()).await;
        assert_eq!((answer.status, answer.code().as_str()), (400, code));
    }
    // The longest value comes through however it is escaped.
    let value = "\u{1}".repeat(65_536);
    house.create(&tenant, "long", &value).await;
    let body = json!({"SecretId": "long"});
    let shown = house.ask(client, "GetSecretValue", body).await;
    assert_eq!(shown["SecretString"], value);
}

#[tokio::test]
async fn no_refusal_of_a_write_holds_the_value() {
    let house = House::open().await;
    let tenant = house.tenant("home").await;
    let client = &tenant.client;
    house.create(&tenant, "a", "hunter2").await;
    for (operation, body) in [
        (
            "CreateSecret",
            json!({"Name": "a", "SecretString": "hunter2"}),
        ),
        (
            "CreateSecret",
            json!({"Name": "b//", "SecretString": "hunter2"}),
        ),
        (
            "PutSecretValue",
            json!({"SecretId": "b", "SecretString": "hunter2"}),
        ),
        (
            "PutSecretValue",
            json!({"SecretId": "a", "SecretString": ["hunter2"]}),
        ),
        (
            "PutSecretValue",
            json!({"SecretId": "a", "SecretString": "hunter2", "VersionStages": [""]}),
        ),
        (
            "PutSecretValue",
            json!({"SecretId": "a", "SecretString": "hunter2", "hunter2": 1}),
        ),
    ] {
        let answer = house.send(client, operation, &body).await;
        assert_eq!(answer.status, 400, "{operation} {body}");
        assert!(!answer.text.contains("hunter2"), "{}", answer.text);
    }
}
