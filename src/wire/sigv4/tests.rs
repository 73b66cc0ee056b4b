//! The examples of the S3 API reference ("Signature Calculations for the Authorization Header",
//! "Authenticating Requests: Using Query Parameters"), and what an attacker makes of them.

use super::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// 2013-05-24T00:00:00Z.
const NOW: i64 = 1_369_353_600;
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

struct Example {
    method: &'static str,
    path: &'static str,
    query: String,
    headers: Vec<(&'static str, String)>,
}

impl Example {
    /// A request signed in its header.
    fn signed(
        method: &'static str,
        path: &'static str,
        query: &str,
        payload: &str,
        more: &[(&'static str, &str)],
        signature: &str,
    ) -> Self {
        let mut headers = vec![
            ("host", "examplebucket.s3.amazonaws.com".to_owned()),
            ("x-amz-content-sha256", payload.to_owned()),
            ("x-amz-date", "20130524T000000Z".to_owned()),
        ];
        headers.extend(
            more.iter()
                .map(|(name, value)| (*name, (*value).to_owned())),
        );
        let mut names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        let names = names.join(";");
        headers.push((
            "authorization",
            format!(
                "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
                 SignedHeaders={names},Signature={signature}"
            ),
        ));
        let query = query.to_owned();
        Self {
            method,
            path,
            query,
            headers,
        }
    }

    fn get() -> Self {
        Self::signed(
            "GET",
            "/test.txt",
            "",
            EMPTY,
            &[("range", "bytes=0-9")],
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        )
    }

    fn presigned() -> Self {
        Self {
            method: "GET",
            path: "/test.txt",
            query: "X-Amz-Algorithm=AWS4-HMAC-SHA256\
                &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
                &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
                &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
                .to_owned(),
            headers: vec![("host", "examplebucket.s3.amazonaws.com".to_owned())],
        }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self.headers.push((name, value.to_owned()));
        self
    }

    fn verify_at(&self, now: i64) -> Result<Presented, SigV4Error> {
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| (*name, value.as_bytes()))
            .collect();
        let request = Request {
            method: self.method,
            path: self.path,
            query: &self.query,
            headers: &headers,
        };
        let presented = Presented::of(&request)?.expect("a signature");
        let key = SigningKey::derive(SECRET, presented.scope());
        presented.verify(&request, &key, now)?;
        Ok(presented)
    }

    fn refused(&self) -> SigV4Error {
        self.verify_at(NOW).expect_err("it has to be refused")
    }
}

#[test]
fn amazons_examples_verify() {
    let get = Example::get().verify_at(NOW).unwrap();
    assert_eq!(get.access_key().as_str(), "AKIAIOSFODNN7EXAMPLE");
    assert_eq!(get.carrier(), Carrier::Header);
    assert!(matches!(get.payload(), PayloadHash::Sha256(_)));
    for path in ["/test$file.text", "/test%24file.text"] {
        let put = Example::signed(
            "PUT",
            path,
            "",
            "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
            &[
                ("date", "Fri, 24 May 2013 00:00:00 GMT"),
                ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
            ],
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        );
        put.verify_at(NOW).unwrap();
    }
    for (query, signature) in [
        (
            "lifecycle",
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        ),
        (
            "prefix=J&max-keys=2",
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        ),
    ] {
        Example::signed("GET", "/", query, EMPTY, &[], signature)
            .verify_at(NOW)
            .unwrap();
    }
    let presigned = Example::presigned().verify_at(NOW).unwrap();
    assert_eq!(
        presigned.carrier(),
        Carrier::Query {
            expires_seconds: 86_400
        }
    );
}

#[test]
fn whatever_is_changed_the_signature_fails() {
    let changed = [
        Example {
            method: "PUT",
            ..Example::get()
        },
        Example {
            path: "/test.txt/",
            ..Example::get()
        },
        Example {
            path: "//test.txt",
            ..Example::get()
        },
        Example {
            query: "acl".into(),
            ..Example::get()
        },
        Example::get().with("range", "bytes=0-99"),
        Example::get().with("host", "other.s3.amazonaws.com"),
        Example::get().with("x-amz-content-sha256", "UNSIGNED-PAYLOAD"),
        Example::get().with("x-amz-date", "20130524T000001Z"),
    ];
    for example in changed {
        assert_eq!(example.refused(), SigV4Error::Mismatch);
    }
    let mut longer = Example::presigned();
    longer.query = longer.query.replace("86400", "86401");
    assert_eq!(longer.refused(), SigV4Error::Mismatch);
}

#[test]
fn a_header_that_decides_must_be_signed() {
    let added = Example::get().with("x-amz-copy-source", "/theirs/secret");
    assert_eq!(added.refused(), SigV4Error::HeaderUnsigned);
    let added = Example::presigned().with("x-amz-copy-source", "/theirs/secret");
    assert_eq!(added.refused(), SigV4Error::HeaderUnsigned);
    let mut hostless = Example::get();
    for (_, value) in &mut hostless.headers {
        *value = value.replace("SignedHeaders=host;", "SignedHeaders=");
    }
    assert_eq!(hostless.refused(), SigV4Error::HeaderUnsigned);
    let mut absent = Example::get();
    absent.headers.retain(|(name, _)| *name != "range");
    assert_eq!(absent.refused(), SigV4Error::SignedHeaderMissing);
}

#[test]
fn a_value_in_latin_1_was_signed_as_text() {
    let request = |value: &'static [u8]| -> String {
        let headers: [(&str, &[u8]); 1] = [("x-amz-meta-a", value)];
        let request = Request {
            method: "PUT",
            path: "/",
            query: "",
            headers: &headers,
        };
        canonical::canonical_request(&request, &["x-amz-meta-a"], EMPTY).unwrap()
    };
    assert_eq!(request(b"caf\xe9"), request("café".as_bytes()));
    assert_ne!(request(b"caf\xe9"), request(b"caf\xe8"));
}

#[test]
fn time_bounds_a_signature() {
    for (offset, refused) in [(900, false), (-900, false), (901, true), (-901, true)] {
        let at = Example::get().verify_at(NOW + offset);
        assert_eq!(at.err(), refused.then_some(SigV4Error::Skewed), "{offset}");
    }
    let presigned = Example::presigned();
    assert!(presigned.verify_at(NOW + 86_400).is_ok());
    assert_eq!(
        presigned.verify_at(NOW + 86_401).err(),
        Some(SigV4Error::Expired)
    );
    assert_eq!(
        presigned.verify_at(NOW - 901).err(),
        Some(SigV4Error::NotYetValid)
    );
    for expires in ["0", "604801", "-1", "x", "", "99999999999"] {
        let mut presigned = Example::presigned();
        presigned.query = presigned.query.replace("=86400", &format!("={expires}"));
        assert!(
            matches!(presigned.refused(), SigV4Error::QueryMalformed(_)),
            "{expires}"
        );
    }
}

#[test]
fn what_does_not_parse_is_named() {
    let twice = Example {
        query: Example::presigned().query,
        ..Example::get()
    };
    assert_eq!(twice.refused(), SigV4Error::TwoMechanisms);
    let v2 = Example::get().with("authorization", "AWS AKIAIOSFODNN7EXAMPLE:c2lnbmF0dXJl");
    assert_eq!(v2.refused(), SigV4Error::UnsupportedMechanism);
    for (authorization, _why) in [
        ("AWS4-HMAC-SHA256", "no fields"),
        ("AWS4-HMAC-SHA256 Credential=a/b", "no others"),
        (
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4,SignedHeaders=host,Signature=00",
            "terminator",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130525/us-east-1/s3/aws4_request,SignedHeaders=host,Signature=00",
            "another day",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=x-amz-date;host,Signature=00",
            "order",
        ),
        (
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,SignedHeaders=Host,Signature=00",
            "case",
        ),
        ("AWS4-HMAC-SHA256 Credential=x,Credential=x", "twice"),
    ] {
        let refused = Example::get()
            .with("authorization", authorization)
            .refused();
        assert!(
            matches!(refused, SigV4Error::HeaderMalformed(_)),
            "{authorization}: {refused}"
        );
    }
    let mut twice = Example::get();
    twice
        .headers
        .push(("authorization", "AWS4-HMAC-SHA256 x".into()));
    assert!(matches!(twice.refused(), SigV4Error::HeaderMalformed(_)));
    let undated = Example::get().with("x-amz-date", "yesterday");
    assert_eq!(undated.refused(), SigV4Error::DateMissing);
    let unhashed = Example::get().with("x-amz-content-sha256", "sha");
    assert_eq!(unhashed.refused(), SigV4Error::PayloadHashInvalid);
    let anonymous = Request {
        method: "GET",
        path: "/",
        query: "",
        headers: &[],
    };
    assert!(Presented::of(&anonymous).unwrap().is_none());
}
