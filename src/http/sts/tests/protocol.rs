use super::house::{House, role};
use crate::ops::fixture::{Client, Sent};

#[tokio::test]
async fn what_is_not_signed_as_it_was_sent_is_refused() {
    let house = House::new().await;
    let (_, key) = house.organization("acme").await;
    let form = "Action=GetCallerIdentity&Version=2011-06-15".to_owned();
    // As it should be.
    let answer = house
        .send(house.signed(&key, "sts", &form), form.clone())
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(
        answer
            .body
            .contains("xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"")
    );
    // Another body, though a field says of it what was signed.
    let other = "Action=GetSessionToken&Version=2011-06-15".to_owned();
    let answer = house
        .send(house.signed(&key, "sts", &form), other.clone())
        .await;
    assert_eq!(answer.error(), (403, "SignatureDoesNotMatch"));
    // Another service's.
    for service in ["s3", "secretsmanager"] {
        let answer = house
            .send(house.signed(&key, service, &form), form.clone())
            .await;
        assert_eq!(answer.error(), (403, "SignatureDoesNotMatch"));
    }
    let unknown = Client {
        id: "BKNOBODYKNOWSTHISKEY".to_owned(),
        ..key.clone()
    };
    let answer = house
        .send(house.signed(&unknown, "sts", &form), form.clone())
        .await;
    assert_eq!(answer.error(), (403, "InvalidClientTokenId"));
    let answer = house.unsigned("Action=GetCallerIdentity").await;
    assert_eq!(answer.error(), (403, "MissingAuthenticationToken"));
    // What cannot be read is told to whoever signed it, alone.
    for (form, error) in [
        ("Action=AssumeRoleWithSAML", (400, "InvalidAction")),
        ("Action=", (400, "InvalidAction")),
        ("A=b", (400, "MissingAction")),
        (
            "Action=GetSessionToken&DurationSeconds=1",
            (400, "ValidationError"),
        ),
        (
            "Action=GetSessionToken&%ff=1",
            (404, "MalformedQueryString"),
        ),
        ("Action=AssumeRole&RoleArn=a", (400, "ValidationError")),
    ] {
        assert_eq!(house.sts(&key, form).await.error(), error, "{form}");
        let answer = house.unsigned(form).await;
        assert_eq!(
            answer.error(),
            (403, "MissingAuthenticationToken"),
            "{form}"
        );
    }
    let long = format!("Action=GetCallerIdentity&a={}", "a".repeat(64 << 10));
    assert_eq!(
        house.sts(&key, &long).await.error(),
        (413, "RequestEntityTooLarge")
    );
    // Of a minute that is over.
    let old = house.signed(&key, "sts", &form);
    house.pass(16 * 60);
    let answer = house.send(old, form.clone()).await;
    assert_eq!(answer.error(), (403, "SignatureDoesNotMatch"));
}

#[tokio::test]
async fn a_query_asks_as_well_and_s3_is_there_as_before() {
    let house = House::new().await;
    let (org, key) = house.organization("acme").await;
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let signer = Client {
        service: "sts".to_owned(),
        ..key.clone()
    };
    let query = "Action=GetCallerIdentity&Version=2011-06-15";
    let sent = signer.sign(Sent::new("GET", "/", query, "localhost"), empty);
    let answer = house.send(sent, String::new()).await;
    assert_eq!(
        answer.element("Account"),
        org.account_number(),
        "{answer:?}"
    );
    assert_eq!(house.s3(&key, "GET", "/").await, "200");
    assert_eq!(house.s3(&key, "PUT", "/docs").await, "200");
    // A role that is asked for in both parts is asked for in neither.
    let twice = "Action=AssumeRole&RoleSessionName=other&Version=2011-06-15";
    let body = format!(
        "Action=AssumeRole&Version=2011-06-15{}",
        role(org, "viewer", "ci")
    );
    let hash = {
        use sha2::{Digest, Sha256};
        hex::encode(Sha256::digest(&body))
    };
    let sent = signer.sign(Sent::new("POST", "/", twice, "localhost"), &hash);
    let answer = house.send(sent, body).await;
    assert_eq!(answer.error(), (400, "ValidationError"));
}
