//! The tests' own signer, against the examples that Amazon publishes.

use http::{Method, Request};
use time::macros::utc_datetime;

use crate::support::sign::{Key, Signer, sha256};

#[test]
fn signs_as_the_published_examples() {
    // "Signature Calculations for the Authorization Header", Amazon S3 API reference.
    for (method, uri, fields, payload, signature) in [
        (
            Method::GET,
            "/test.txt",
            &[("range", "bytes=0-9")][..],
            "",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            Method::PUT,
            "/test%24file.text",
            &[
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            "Welcome to Amazon S3.",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        (
            Method::GET,
            "/?lifecycle",
            &[],
            "",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            Method::GET,
            "/?prefix=J&max-keys=2",
            &[],
            "",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", "examplebucket.s3.amazonaws.com");
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut request = request.body(()).expect("a request");
        example_signer().sign(
            &mut request,
            &sha256(payload.as_bytes()),
            utc_datetime!(2013-05-24 0:00),
        );
        let authorization = request.headers()["authorization"].to_str().expect("text");
        assert!(authorization.ends_with(signature), "{uri}: {authorization}");
    }
}

#[test]
fn presigns_as_the_published_example() {
    // "Authenticating Requests: Using Query Parameters", Amazon S3 API reference.
    let url = example_signer().presign(
        &Method::GET,
        "examplebucket.s3.amazonaws.com",
        "/test.txt",
        86400,
        utc_datetime!(2013-05-24 0:00),
    );
    assert!(
        url.ends_with("aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"),
        "{url}"
    );
}

fn example_signer() -> Signer {
    let key = Key {
        id: "AKIAIOSFODNN7EXAMPLE".into(),
        secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
    };
    Signer::new(key, "us-east-1")
}
