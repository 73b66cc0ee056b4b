//! The S3 door as a client that normalizes nothing sees it.

use bulkhead::http::s3::{Level, Mark, ROUTES};
use http::{Method, StatusCode};

use crate::support::client::{Answer, Client};
use crate::support::house::House;

#[tokio::test]
async fn what_is_not_built_says_so_by_name_and_to_nobody_else() {
    let house = House::start().await;
    let client = house.client();
    sent(&client, Method::PUT, "/docs", &[], "").await;
    let unbuilt = ROUTES.iter().filter(|route| route.operation.is_none());
    for route in unbuilt {
        let path = match route.level {
            Level::Service => "/",
            Level::Bucket => "/docs",
            Level::Object => "/docs/a",
        };
        let mut query = Vec::new();
        let mut fields = Vec::new();
        for mark in route.marks {
            match *mark {
                Mark::Query(name) => query.push(format!("{name}=")),
                Mark::Value(name, value) => query.push(format!("{name}={value}")),
                Mark::Header(name) => fields.push((name, "0")),
                Mark::Form => fields.push(("content-type", "multipart/form-data; boundary=b")),
            }
        }
        let target = match query.is_empty() {
            true => path.to_owned(),
            false => format!("{path}?{}", query.join("&")),
        };
        let method = route.method.clone();
        let answer = sent(&client, method.clone(), &target, &fields, "").await;
        assert_eq!(answer.status, StatusCode::NOT_IMPLEMENTED, "{}", route.name);
        if method != Method::HEAD {
            assert_eq!(code(&answer), "NotImplemented");
            assert!(text(&answer).contains(route.name), "{}", text(&answer));
        }
        let stranger = client.send_unsigned(method, &target, &fields, "").await;
        let stranger = stranger.expect("an answer");
        assert_eq!(stranger.status, StatusCode::FORBIDDEN, "{}", route.name);
    }
}

#[tokio::test]
async fn a_promise_that_cannot_be_kept_is_not_made() {
    let house = House::start().await;
    let client = house.client();
    sent(&client, Method::PUT, "/docs", &[], "").await;
    for (name, value, expected) in [
        ("x-amz-acl", "public-read", "NotImplemented"),
        ("x-amz-grant-read", "id=\"x\"", "NotImplemented"),
        ("x-amz-tagging", "a=b", "NotImplemented"),
        ("x-amz-object-lock-mode", "GOVERNANCE", "NotImplemented"),
        ("x-amz-object-lock-legal-hold", "ON", "NotImplemented"),
        ("x-amz-website-redirect-location", "/b", "NotImplemented"),
        (
            "x-amz-server-side-encryption-customer-algorithm",
            "AES256",
            "NotImplemented",
        ),
        ("x-amz-server-side-encryption", "aws:kms", "NotImplemented"),
        (
            "x-amz-server-side-encryption",
            "rot13",
            "InvalidEncryptionAlgorithmError",
        ),
        ("x-amz-storage-class", "GLACIER", "InvalidStorageClass"),
        ("x-amz-checksum-sha512", "AAAA", "InvalidRequest"),
        (
            "x-amz-expected-bucket-owner",
            "123456789012",
            "AccessDenied",
        ),
        ("x-amz-write-offset-bytes", "0", "NotImplemented"),
    ] {
        let answer = sent(&client, Method::PUT, "/docs/a", &[(name, value)], "a").await;
        assert_eq!(code(&answer), expected, "{name}: {value}");
    }
    let answer = sent(&client, Method::GET, "/docs/a", &[], "").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    for (name, value) in [
        ("x-amz-acl", "private"),
        ("x-amz-acl", "bucket-owner-full-control"),
        ("x-amz-server-side-encryption", "AES256"),
        ("x-amz-storage-class", "STANDARD"),
        ("x-amz-request-payer", "requester"),
        ("x-amz-tagging", ""),
    ] {
        let answer = sent(&client, Method::PUT, "/docs/a", &[(name, value)], "a").await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {value}");
    }
}

#[tokio::test]
async fn a_range_is_answered_only_while_the_object_is_the_same() {
    let house = House::start().await;
    let client = house.client();
    sent(&client, Method::PUT, "/docs", &[], "").await;
    let put = sent(&client, Method::PUT, "/docs/a", &[], "0123456789").await;
    let etag = put.headers["etag"].to_str().expect("an ETag").to_owned();
    let first = ("range", "bytes=2-4");
    for (fields, status, body) in [
        (vec![first], 206, "234"),
        (vec![("range", "bytes=-3")], 206, "789"),
        (vec![("range", "bytes=8-")], 206, "89"),
        (vec![("range", "bytes=0-1,4-5")], 200, "0123456789"),
        (vec![("range", "lines=0-1")], 200, "0123456789"),
        (vec![first, ("if-range", &etag)], 206, "234"),
        (vec![first, ("if-range", "\"another\"")], 200, "0123456789"),
        (
            vec![first, ("if-range", "Sun, 06 Nov 1994 08:49:37 GMT")],
            200,
            "0123456789",
        ),
    ] {
        let answer = sent(&client, Method::GET, "/docs/a", &fields, "").await;
        let got = (answer.status.as_u16(), text(&answer));
        assert_eq!(got, (status, body.to_owned()), "{fields:?}");
        let has_range = answer.headers.contains_key("content-range");
        assert_eq!(has_range, status == 206);
    }
    let answer = sent(
        &client,
        Method::GET,
        "/docs/a",
        &[("range", "bytes=10-")],
        "",
    )
    .await;
    assert_eq!(code(&answer), "InvalidRange");
    assert_eq!(answer.headers["content-range"], "bytes */10");

    // A checksum is never answered with a part of what it covers.
    let wanted = ("x-amz-checksum-mode", "ENABLED");
    let whole = sent(&client, Method::GET, "/docs/a", &[wanted], "").await;
    assert!(whole.headers.contains_key("x-amz-checksum-crc64nvme"));
    for range in ["bytes=2-4", "bytes=0-"] {
        let fields = [wanted, ("range", range)];
        let part = sent(&client, Method::GET, "/docs/a", &fields, "").await;
        assert!(!part.headers.contains_key("x-amz-checksum-crc64nvme"));
    }

    let unchanged = [("if-none-match", etag.as_str())];
    let answer = sent(&client, Method::GET, "/docs/a", &unchanged, "").await;
    assert_eq!(answer.status, StatusCode::NOT_MODIFIED);
    assert_eq!(answer.headers["etag"], etag.as_str());
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn documents_are_what_they_are_said_to_be_and_not_too_long() {
    let house = House::start().await;
    let client = house.client();
    sent(&client, Method::PUT, "/docs", &[], "").await;
    sent(&client, Method::PUT, "/docs/a", &[], "a").await;
    let delete = "<Delete><Object><Key>a</Key></Object></Delete>";
    let crc32 = ("x-amz-checksum-crc32", "AAAAAA==");
    let md5 = ("content-md5", "1B2M2Y8AsgTpgAmY7PhCfg==");
    let many = format!(
        "<Delete>{}</Delete>",
        "<Object><Key>a</Key></Object>".repeat(1001)
    );
    let long = format!("<Delete>{}</Delete>", " ".repeat(2 << 20));
    for (fields, body, expected) in [
        (&[][..], delete, "InvalidRequest"),
        (&[crc32], delete, "BadDigest"),
        (&[md5], delete, "BadDigest"),
        (&[md5], "", "MalformedXML"),
        (&[md5], &long, "MaxMessageLengthExceeded"),
        (&[crc32], &many, "BadDigest"),
    ] {
        let target = "/docs?delete=";
        let answer = sent(&client, Method::POST, target, fields, body).await;
        assert_eq!(code(&answer), expected, "{fields:?}");
    }
    let answer = sent(&client, Method::GET, "/docs/a", &[], "").await;
    assert_eq!(text(&answer), "a", "nothing of it was done");
    for body in ["<Bucket/>", "<CreateBucketConfiguration>", "\u{0}", "{}"] {
        let answer = sent(&client, Method::PUT, "/other", &[], body).await;
        assert_eq!(code(&answer), "MalformedXML", "{body}");
    }
}

async fn sent(
    client: &Client,
    method: Method,
    target: &str,
    fields: &[(&'static str, &str)],
    body: &str,
) -> Answer {
    let answer = client.send(method, target, fields, body.to_owned()).await;
    answer.expect("an answer")
}

fn text(answer: &Answer) -> String {
    String::from_utf8_lossy(&answer.body).into_owned()
}

fn code(answer: &Answer) -> String {
    let text = text(answer);
    let code = text
        .split_once("<Code>")
        .and_then(|(_, rest)| rest.split_once("</Code>"));
    code.map_or(text.clone(), |(code, _)| code.to_owned())
}
