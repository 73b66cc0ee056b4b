use proptest::prelude::*;

use super::*;
use crate::s3::header::EtagCondition;

#[test]
fn a_deletion_in_every_spelling() {
    for document in [
        format!("<Delete {NAMESPACE}><Object><Key>a</Key></Object><Object><Key>b</Key></Object></Delete>"),
        "<Delete><Object><Key>a</Key></Object><Quiet>false</Quiet><Object><Key>b</Key></Object></Delete>".into(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- c --><s3:Delete xmlns:s3='urn:x'>\n\
            <s3:Object>\n<s3:Key>a</s3:Key></s3:Object><Odd><Key>c</Key></Odd><Odd/>\
            <s3:Object><s3:Key><![CDATA[b]]></s3:Key></s3:Object></s3:Delete>\n".into(),
        "\u{feff}<Delete><Object><Key>&#97;</Key></Object><Object><Key>&#x62;</Key></Object></Delete>".into(),
    ] {
        let delete = Delete::parse(document.as_bytes()).unwrap();
        assert_eq!(keys(&delete), ["a", "b"], "{document}");
        assert!(!delete.is_quiet);
    }
    let delete = Delete::parse(
        b"<Delete><Quiet> true </Quiet><Object><Key>k</Key><VersionId>v1</VersionId>\
          <ETag>&quot;e&quot;</ETag><Size>5</Size>\
          <LastModifiedTime>Sun, 06 Nov 1994 08:49:37 GMT</LastModifiedTime></Object>\
          <Object><Key>l</Key><VersionId/><ETag>*</ETag>\
          <LastModifiedTime>1994-11-06T08:49:37Z</LastModifiedTime></Object></Delete>",
    )
    .unwrap();
    assert!(delete.is_quiet);
    let [first, second] = &delete.objects[..] else {
        panic!("two objects");
    };
    assert_eq!(first.version.as_deref(), Some("v1"));
    assert_eq!(first.etag, Some(EtagCondition::OneOf(vec!["e".into()])));
    assert_eq!((first.size, first.modified), (Some(5), Some(784_111_777)));
    assert_eq!(
        (&second.version, &second.etag),
        (&None, &Some(EtagCondition::Any))
    );
    assert_eq!((second.size, second.modified), (None, Some(784_111_777)));
}

#[test]
fn a_key_keeps_every_space() {
    let delete = Delete::parse(
        b"<Delete><Object><Key> a&amp; b\t</Key></Object><Object><Key>\n</Key></Object>\
          <Object><Key>&#32;&#13;<!-- x --> c</Key></Object></Delete>",
    )
    .unwrap();
    assert_eq!(keys(&delete), [" a& b\t", "\n", " \r c"]);
    let delete = Delete::parse(b"<Delete><Object><Key>\x01&#x1;</Key></Object></Delete>").unwrap();
    assert_eq!(keys(&delete), ["\u{1}\u{1}"]);
}

#[test]
fn what_is_no_deletion() {
    let object = "<Object><Key>k</Key></Object>";
    let long = "k".repeat(1025);
    for (document, refused) in [
        ("", ErrorCode::MalformedXML),
        ("<Delete/>", ErrorCode::MalformedXML),
        ("<Delete><Object/></Delete>", ErrorCode::MalformedXML),
        (
            "<Delete><Object><Key/></Object></Delete>",
            ErrorCode::MalformedXML,
        ),
        (
            "<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
            ErrorCode::MalformedXML,
        ),
        (
            "<Delete><Object><Key>a</Key><Size>-1</Size></Object></Delete>",
            ErrorCode::MalformedXML,
        ),
        (
            "<Delete><Object><Key>a</Key><LastModifiedTime>x</LastModifiedTime></Object></Delete>",
            ErrorCode::MalformedXML,
        ),
        (
            "<Delete><Quiet>maybe</Quiet><Object><Key>a</Key></Object></Delete>",
            ErrorCode::MalformedXML,
        ),
        (
            "<Tagging><Object><Key>a</Key></Object></Tagging>",
            ErrorCode::MalformedXML,
        ),
        (
            "<Delete><Object><Key>a</Object></Key></Delete>",
            ErrorCode::MalformedXML,
        ),
        (
            "<Delete><Object><Key>a</Key></Object>",
            ErrorCode::MalformedXML,
        ),
        (
            "<Delete><Object><Key>a</Key></Object></Delete><Delete/>",
            ErrorCode::MalformedXML,
        ),
        (
            "<Delete><Object><Key>a</Key></Object></Delete>x",
            ErrorCode::MalformedXML,
        ),
        (
            "x<Delete><Object><Key>a</Key></Object></Delete>",
            ErrorCode::MalformedXML,
        ),
        (
            "<Delete><Object><Key>&nbsp;</Key></Object></Delete>",
            ErrorCode::MalformedXML,
        ),
        (
            "<Delete><Object><Key>&#0;</Key></Object></Delete>",
            ErrorCode::MalformedXML,
        ),
        (
            "<Delete><Object><Key>a&</Key></Object></Delete>",
            ErrorCode::MalformedXML,
        ),
        (
            "<!DOCTYPE Delete [<!ENTITY k \"v\">]><Delete><Object><Key>&k;</Key></Object></Delete>",
            ErrorCode::MalformedXML,
        ),
        (
            "<!DOCTYPE Delete><Delete><Object><Key>a</Key></Object></Delete>",
            ErrorCode::MalformedXML,
        ),
        (
            &format!("<Delete>{}</Delete>", object.repeat(1001)),
            ErrorCode::MalformedXML,
        ),
        (
            &format!("<Delete><Object><Key>{long}</Key></Object></Delete>"),
            ErrorCode::KeyTooLongError,
        ),
    ] {
        assert_eq!(
            code(Delete::parse(document.as_bytes())),
            refused,
            "{document}"
        );
    }
    let full = format!("<Delete>{}</Delete>", object.repeat(1000));
    assert_eq!(Delete::parse(full.as_bytes()).unwrap().objects.len(), 1000);
    for document in [
        b"<Delete><Object><Key>\xff</Key></Object></Delete>",
        b"<Delete><Object><Key>\x00</Key></Object></Delete>",
    ] {
        assert_eq!(code(Delete::parse(document)), ErrorCode::MalformedXML);
    }
}

#[test]
fn deletions_are_answered() {
    let document = DeleteResult {
        outcomes: vec![
            DeleteOutcome::Deleted {
                key: "a",
                version: None,
                delete_marker: Some("m1"),
            },
            DeleteOutcome::Failed {
                key: "b",
                version: Some("v1"),
                code: ErrorCode::AccessDenied,
                message: "Access Denied",
            },
        ],
    };
    assert_eq!(
        body(&document.to_xml(), "DeleteResult"),
        "<Deleted><DeleteMarker>true</DeleteMarker>\
         <DeleteMarkerVersionId>m1</DeleteMarkerVersionId><Key>a</Key></Deleted>\
         <Error><Code>AccessDenied</Code><Key>b</Key><Message>Access Denied</Message>\
         <VersionId>v1</VersionId></Error>"
    );
}

proptest! {
    /// A key that a client sends is read as it was written, whatever it is.
    #[test]
    fn any_key_is_deleted(keys in proptest::collection::vec("[^\0]{1,40}", 1..5)) {
        let outcomes = keys.iter().map(|key| DeleteOutcome::Deleted {
            key,
            version: None,
            delete_marker: None,
        });
        let answer = DeleteResult { outcomes: outcomes.collect() }.to_xml();
        let request = answer
            .replace("DeleteResult", "Delete")
            .replace("Deleted>", "Object>");
        let delete = Delete::parse(request.as_bytes()).unwrap();
        let read: Vec<_> = delete.objects.iter().map(|object| object.key.as_str()).collect();
        prop_assert_eq!(read, keys);
    }
}

fn keys(delete: &Delete) -> Vec<&str> {
    let objects = delete.objects.iter();
    objects.map(|object| object.key.as_str()).collect()
}
