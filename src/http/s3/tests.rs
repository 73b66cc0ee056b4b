use std::collections::BTreeSet;

use http::header::{CACHE_CONTROL, CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_MATCH, RANGE};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use names::VersionId;
use wire::s3::{ErrorCode, Target};

use super::answer::refusal;
use super::error::S3Error;
use super::fields::{never_shared, put, write_object};
use super::request::check_fields;
use super::routes::{Level, Mark, Operation, ROUTES, Route};
use crate::drive::{DriveError, Etag, ObjectHeaders, ObjectInfo};
use crate::entropy::Entropy;
use crate::http::pipeline::{Content, DoorError, Fault, Refused, RequestId};

/// The name of the operation that a request is for.
fn route(method: &str, target: &str, fields: &[(&str, &str)]) -> Option<&'static str> {
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let target = Target::parse(path, query, None, None).unwrap();
    Route::of(&method, &target.resource, &target.query, &headers(fields)).map(|route| route.name)
}

fn headers(fields: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    headers
}

#[test]
fn amazons_operations_are_told_apart_as_amazon_does() {
    let mut named = BTreeSet::new();
    for line in AMAZON.lines() {
        let mut words = line.split_whitespace();
        let (name, method, target) = (words.next(), words.next(), words.next());
        let (name, method, target) = (name.unwrap(), method.unwrap(), target.unwrap());
        let fields: Vec<_> = words.map(|field| field.split_once('=').unwrap()).collect();
        let target = target.replace("{Bucket}", "docs").replace("{Key+}", "a/b");
        assert_eq!(route(method, &target, &fields), Some(name), "{line}");
        // The AWS SDKs add the operation's name to some queries.
        let with_id = match target.contains('?') {
            true => format!("{target}&x-id={name}"),
            false => format!("{target}?x-id={name}"),
        };
        assert_eq!(route(method, &with_id, &fields), Some(name), "{line}");
        named.insert(name);
    }
    let known: BTreeSet<_> = ROUTES.iter().map(|route| route.name).collect();
    assert_eq!(
        named, known,
        "Amazon's on the left, the table's on the right"
    );
}

#[test]
fn no_route_hides_another() {
    for expected in ROUTES {
        let mut query = Vec::new();
        let mut fields = Vec::new();
        for mark in expected.marks {
            match *mark {
                Mark::Query(name) => query.push(name.to_owned()),
                Mark::Value(name, value) => query.push(format!("{name}={value}")),
                Mark::Header(name) => fields.push((name, "x")),
                Mark::Form => fields.push(("content-type", "multipart/form-data; boundary=x")),
            }
        }
        let path = match expected.level {
            Level::Service => "/",
            Level::Bucket => "/docs",
            Level::Object => "/docs/a",
        };
        let target = format!("{path}?{}", query.join("&"));
        let found = route(expected.method.as_str(), &target, &fields);
        assert_eq!(found, Some(expected.name), "{target}");
    }
}

#[test]
fn an_operation_is_done_to_what_its_path_names() {
    for route in ROUTES {
        let level = match route.operation {
            Some(Operation::Service(_)) => Level::Service,
            Some(Operation::Bucket(_)) => Level::Bucket,
            Some(Operation::Object(_)) => Level::Object,
            None => continue,
        };
        assert_eq!(route.level, level, "{}", route.name);
    }
}

#[test]
fn what_is_none_of_amazons_is_no_route() {
    for (method, target) in [
        ("POST", "/"),
        ("DELETE", "/"),
        ("PATCH", "/docs"),
        ("POST", "/docs"),
        ("POST", "/docs/a"),
        ("OPTIONS", "/docs/a"),
        ("CONNECT", "/docs"),
    ] {
        assert_eq!(route(method, target, &[]), None, "{method} {target}");
    }
    // Half of what tells a part from an object does not make it an object.
    for target in ["/docs/a?partNumber=1", "/docs/a?uploadId=u"] {
        assert_eq!(route("PUT", target, &[]), Some("UploadPart"));
    }
}

#[test]
fn fields_that_decide_are_text_and_come_once() {
    for fields in [
        &[("x-amz-copy-source", "docs/a")][..],
        &[("x-amz-copy-source", "docs/\u{e9}")],
        &[("x-amz-meta-a", "1"), ("x-amz-meta-a", "2")],
        &[
            ("content-encoding", "gzip"),
            ("content-encoding", "aws-chunked"),
        ],
        &[("if-match", "\"a\", \"b\"")],
    ] {
        assert!(check_fields(&headers(fields)).is_ok(), "{fields:?}");
    }
    for fields in [
        [("if-match", "\"a\""), ("if-match", "\"b\"")],
        [
            ("x-amz-copy-source", "docs/a"),
            ("x-amz-copy-source", "docs/b"),
        ],
        [("range", "bytes=0-1"), ("range", "bytes=2-3")],
    ] {
        let error = check_fields(&headers(&fields)).unwrap_err();
        assert_eq!(error.code(), ErrorCode::InvalidArgument, "{fields:?}");
    }
    for name in [IF_MATCH, RANGE, HeaderName::from_static("x-amz-acl")] {
        let mut headers = HeaderMap::new();
        headers.insert(name, HeaderValue::from_bytes(b"\xff").unwrap());
        assert!(check_fields(&headers).is_err());
    }
    let mut headers = HeaderMap::new();
    let latin1 = HeaderValue::from_bytes(b"caf\xe9").unwrap();
    headers.insert(HeaderName::from_static("x-amz-meta-a"), latin1);
    assert!(check_fields(&headers).is_ok());
}

#[test]
fn no_shared_cache_may_keep_a_signed_answer() {
    for (stored, answered) in [
        ("max-age=60", "max-age=60"),
        ("no-cache", "no-cache"),
        ("private, max-age=60", "private, max-age=60"),
        ("public, max-age=60", "private, max-age=60"),
        ("Public", "private"),
        ("public, no-store", "no-store"),
        (
            "max-age=60, s-maxage=600",
            "private, max-age=60, s-maxage=600",
        ),
        ("must-revalidate", "private, must-revalidate"),
        ("private, must-revalidate", "private, must-revalidate"),
        ("private=\"x\", public", "private, private=\"x\""),
        ("", ""),
    ] {
        assert_eq!(never_shared(stored), answered, "{stored}");
    }
}

#[test]
fn an_object_is_shown_with_what_was_stored_and_nothing_that_breaks_a_header() {
    let mut info = info();
    info.headers = ObjectHeaders {
        cache_control: Some("public".to_owned()),
        user: vec![
            ("color".to_owned(), "caf\u{e9}".to_owned()),
            ("bad\nname".to_owned(), "x".to_owned()),
            ("bad-value".to_owned(), "a\r\nset-cookie: b".to_owned()),
        ],
        ..ObjectHeaders::default()
    };
    let mut fields = HeaderMap::new();
    write_object(&mut fields, &info);
    assert_eq!(fields[CONTENT_TYPE], "binary/octet-stream");
    assert_eq!(fields[CACHE_CONTROL], "private");
    assert_eq!(fields[ETAG], "\"07070707070707070707070707070707-2\"");
    assert_eq!(fields["last-modified"], "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(fields["accept-ranges"], "bytes");
    assert_eq!(fields["x-amz-server-side-encryption"], "AES256");
    assert_eq!(fields["x-amz-meta-color"].as_bytes(), b"caf\xe9");
    assert!(!fields.contains_key("x-amz-meta-bad-value"));
    assert!(!fields.contains_key("set-cookie"));
    put(&mut fields, CONTENT_RANGE, "\u{7f}");
    assert!(!fields.contains_key(CONTENT_RANGE));
}

#[test]
fn an_error_is_a_document_that_names_its_request() {
    let (head, body) = answered(false, &S3Error::from(DriveError::NoSuchKey));
    assert_eq!(head.status(), 404);
    assert_eq!(head.headers()[CONTENT_TYPE], "application/xml");
    let id = RequestId::draw(&Entropy::danger_seeded(1));
    assert_eq!(
        body,
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code>\
             <Message>The specified key does not exist.</Message>\
             <Resource>/docs/a &lt;b&gt;</Resource><RequestId>{id}</RequestId>\
             <HostId>host</HostId></Error>"
        )
    );
    let (head, body) = answered(true, &S3Error::from(DriveError::NoSuchKey));
    assert_eq!((head.status().as_u16(), body.as_str()), (404, ""));
}

#[test]
fn what_has_not_changed_has_validators_and_no_body() {
    let error = S3Error::from(DriveError::NotModified(Box::new(info())));
    let (head, body) = answered(false, &error);
    assert_eq!((head.status().as_u16(), body.as_str()), (304, ""));
    assert_eq!(
        head.headers()[ETAG],
        "\"07070707070707070707070707070707-2\""
    );
    assert!(!head.headers().contains_key(CONTENT_TYPE));
}

#[test]
fn whoever_asks_beyond_the_end_is_told_where_it_is() {
    let (head, body) = answered(false, &S3Error::from(DriveError::InvalidRange { size: 7 }));
    assert_eq!(head.status(), 416);
    assert_eq!(head.headers()[CONTENT_RANGE], "bytes */7");
    assert!(body.contains("<ActualObjectSize>7</ActualObjectSize>"));
}

#[test]
fn what_is_for_logs_is_not_told() {
    for (error, fault) in [
        (
            DriveError::Unavailable("secret".to_owned()),
            Fault::Operator("secret".to_owned()),
        ),
        (
            DriveError::Damaged("secret".to_owned()),
            Fault::Damaged("secret".to_owned()),
        ),
    ] {
        let error = S3Error::from(error);
        assert_eq!(*error.fault(), fault);
        let (head, body) = answered(false, &error);
        assert!(head.status().is_server_error());
        assert!(!body.contains("secret"), "{body}");
    }
}

fn answered(is_head: bool, error: &S3Error) -> (http::Response<()>, String) {
    let request = Refused {
        id: RequestId::draw(&Entropy::danger_seeded(1)),
        host: "host",
        is_head,
        path: "/docs/a%20%3Cb%3E",
    };
    let answer = refusal(&request, error);
    let body = match answer.content {
        Content::Whole(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        Content::Empty => String::new(),
        Content::Stream { .. } | Content::Open { .. } => panic!("an error is no stream"),
    };
    (answer.head, body)
}

fn info() -> ObjectInfo {
    ObjectInfo {
        version: VersionId::from_bytes([1; 16]),
        size: 7,
        modified_ms: 784_111_777_999,
        etag: Etag {
            bytes: [7; 16],
            parts: 2,
        },
        headers: ObjectHeaders::default(),
        checksum: None,
        parts: 2,
    }
}

/// Operation, method and target from Amazon's service model of S3 (version 2006-03-01), and where
/// these do not tell operations apart, the parameters and fields that the API reference says do.
/// Left out are four that were renamed, and two that go to endpoints of their own.
const AMAZON: &str = "\
    AbortMultipartUpload DELETE /{Bucket}/{Key+}?uploadId=u\n\
    CompleteMultipartUpload POST /{Bucket}/{Key+}?uploadId=u\n\
    CopyObject PUT /{Bucket}/{Key+} x-amz-copy-source=docs/c\n\
    CreateBucket PUT /{Bucket}\n\
    CreateBucketMetadataConfiguration POST /{Bucket}?metadataConfiguration\n\
    CreateBucketMetadataTableConfiguration POST /{Bucket}?metadataTable\n\
    CreateMultipartUpload POST /{Bucket}/{Key+}?uploads\n\
    CreateSession GET /{Bucket}?session\n\
    DeleteBucket DELETE /{Bucket}\n\
    DeleteBucketAnalyticsConfiguration DELETE /{Bucket}?analytics\n\
    DeleteBucketCors DELETE /{Bucket}?cors\n\
    DeleteBucketEncryption DELETE /{Bucket}?encryption\n\
    DeleteBucketIntelligentTieringConfiguration DELETE /{Bucket}?intelligent-tiering\n\
    DeleteBucketInventoryConfiguration DELETE /{Bucket}?inventory\n\
    DeleteBucketLifecycle DELETE /{Bucket}?lifecycle\n\
    DeleteBucketMetadataConfiguration DELETE /{Bucket}?metadataConfiguration\n\
    DeleteBucketMetadataTableConfiguration DELETE /{Bucket}?metadataTable\n\
    DeleteBucketMetricsConfiguration DELETE /{Bucket}?metrics\n\
    DeleteBucketOwnershipControls DELETE /{Bucket}?ownershipControls\n\
    DeleteBucketPolicy DELETE /{Bucket}?policy\n\
    DeleteBucketReplication DELETE /{Bucket}?replication\n\
    DeleteBucketTagging DELETE /{Bucket}?tagging\n\
    DeleteBucketWebsite DELETE /{Bucket}?website\n\
    DeleteObject DELETE /{Bucket}/{Key+}\n\
    DeleteObjectAnnotation DELETE /{Bucket}/{Key+}?annotation\n\
    DeleteObjectTagging DELETE /{Bucket}/{Key+}?tagging\n\
    DeleteObjects POST /{Bucket}?delete\n\
    DeletePublicAccessBlock DELETE /{Bucket}?publicAccessBlock\n\
    GetBucketAbac GET /{Bucket}?abac\n\
    GetBucketAccelerateConfiguration GET /{Bucket}?accelerate\n\
    GetBucketAcl GET /{Bucket}?acl\n\
    GetBucketAnalyticsConfiguration GET /{Bucket}?analytics&id=i\n\
    GetBucketCors GET /{Bucket}?cors\n\
    GetBucketEncryption GET /{Bucket}?encryption\n\
    GetBucketIntelligentTieringConfiguration GET /{Bucket}?intelligent-tiering&id=i\n\
    GetBucketInventoryConfiguration GET /{Bucket}?inventory&id=i\n\
    GetBucketLifecycleConfiguration GET /{Bucket}?lifecycle\n\
    GetBucketLocation GET /{Bucket}?location\n\
    GetBucketLogging GET /{Bucket}?logging\n\
    GetBucketMetadataConfiguration GET /{Bucket}?metadataConfiguration\n\
    GetBucketMetadataTableConfiguration GET /{Bucket}?metadataTable\n\
    GetBucketMetricsConfiguration GET /{Bucket}?metrics&id=i\n\
    GetBucketNotificationConfiguration GET /{Bucket}?notification\n\
    GetBucketOwnershipControls GET /{Bucket}?ownershipControls\n\
    GetBucketPolicy GET /{Bucket}?policy\n\
    GetBucketPolicyStatus GET /{Bucket}?policyStatus\n\
    GetBucketReplication GET /{Bucket}?replication\n\
    GetBucketRequestPayment GET /{Bucket}?requestPayment\n\
    GetBucketTagging GET /{Bucket}?tagging\n\
    GetBucketVersioning GET /{Bucket}?versioning\n\
    GetBucketWebsite GET /{Bucket}?website\n\
    GetObject GET /{Bucket}/{Key+}\n\
    GetObjectAcl GET /{Bucket}/{Key+}?acl\n\
    GetObjectAnnotation GET /{Bucket}/{Key+}?annotation&annotationName=n\n\
    GetObjectAttributes GET /{Bucket}/{Key+}?attributes\n\
    GetObjectLegalHold GET /{Bucket}/{Key+}?legal-hold\n\
    GetObjectLockConfiguration GET /{Bucket}?object-lock\n\
    GetObjectRetention GET /{Bucket}/{Key+}?retention\n\
    GetObjectTagging GET /{Bucket}/{Key+}?tagging\n\
    GetObjectTorrent GET /{Bucket}/{Key+}?torrent\n\
    GetPublicAccessBlock GET /{Bucket}?publicAccessBlock\n\
    HeadBucket HEAD /{Bucket}\n\
    HeadObject HEAD /{Bucket}/{Key+}\n\
    ListBucketAnalyticsConfigurations GET /{Bucket}?analytics\n\
    ListBucketIntelligentTieringConfigurations GET /{Bucket}?intelligent-tiering\n\
    ListBucketInventoryConfigurations GET /{Bucket}?inventory\n\
    ListBucketMetricsConfigurations GET /{Bucket}?metrics\n\
    ListBuckets GET /\n\
    ListMultipartUploads GET /{Bucket}?uploads\n\
    ListObjectAnnotations GET /{Bucket}/{Key+}?annotation\n\
    ListObjectVersions GET /{Bucket}?versions\n\
    ListObjects GET /{Bucket}\n\
    ListObjectsV2 GET /{Bucket}?list-type=2\n\
    ListParts GET /{Bucket}/{Key+}?uploadId=u\n\
    PutBucketAbac PUT /{Bucket}?abac\n\
    PutBucketAccelerateConfiguration PUT /{Bucket}?accelerate\n\
    PutBucketAcl PUT /{Bucket}?acl\n\
    PutBucketAnalyticsConfiguration PUT /{Bucket}?analytics\n\
    PutBucketCors PUT /{Bucket}?cors\n\
    PutBucketEncryption PUT /{Bucket}?encryption\n\
    PutBucketIntelligentTieringConfiguration PUT /{Bucket}?intelligent-tiering\n\
    PutBucketInventoryConfiguration PUT /{Bucket}?inventory\n\
    PutBucketLifecycleConfiguration PUT /{Bucket}?lifecycle\n\
    PutBucketLogging PUT /{Bucket}?logging\n\
    PutBucketMetricsConfiguration PUT /{Bucket}?metrics\n\
    PutBucketNotificationConfiguration PUT /{Bucket}?notification\n\
    PutBucketOwnershipControls PUT /{Bucket}?ownershipControls\n\
    PutBucketPolicy PUT /{Bucket}?policy\n\
    PutBucketReplication PUT /{Bucket}?replication\n\
    PutBucketRequestPayment PUT /{Bucket}?requestPayment\n\
    PutBucketTagging PUT /{Bucket}?tagging\n\
    PutBucketVersioning PUT /{Bucket}?versioning\n\
    PutBucketWebsite PUT /{Bucket}?website\n\
    PutObject PUT /{Bucket}/{Key+}\n\
    PutObjectAcl PUT /{Bucket}/{Key+}?acl\n\
    PutObjectAnnotation PUT /{Bucket}/{Key+}?annotation\n\
    PutObjectLegalHold PUT /{Bucket}/{Key+}?legal-hold\n\
    PutObjectLockConfiguration PUT /{Bucket}?object-lock\n\
    PutObjectRetention PUT /{Bucket}/{Key+}?retention\n\
    PutObjectTagging PUT /{Bucket}/{Key+}?tagging\n\
    PutPublicAccessBlock PUT /{Bucket}?publicAccessBlock\n\
    RenameObject PUT /{Bucket}/{Key+}?renameObject\n\
    RestoreObject POST /{Bucket}/{Key+}?restore\n\
    SelectObjectContent POST /{Bucket}/{Key+}?select&select-type=2\n\
    UpdateBucketMetadataAnnotationTableConfiguration PUT /{Bucket}?metadataAnnotationTable\n\
    UpdateBucketMetadataInventoryTableConfiguration PUT /{Bucket}?metadataInventoryTable\n\
    UpdateBucketMetadataJournalTableConfiguration PUT /{Bucket}?metadataJournalTable\n\
    UpdateObjectEncryption PUT /{Bucket}/{Key+}?encryption\n\
    UploadPart PUT /{Bucket}/{Key+}?partNumber=1&uploadId=u\n\
    UploadPartCopy PUT /{Bucket}/{Key+}?partNumber=1&uploadId=u x-amz-copy-source=docs/c\n\
    PostObject POST /{Bucket} content-type=multipart/form-data;boundary\n\
    GetObjectVersion GET /{Bucket}/{Key+}?versionId=v\n\
    HeadObjectVersion HEAD /{Bucket}/{Key+}?versionId=v\n\
    DeleteObjectVersion DELETE /{Bucket}/{Key+}?versionId=v\n\
    AppendObject PUT /{Bucket}/{Key+} x-amz-write-offset-bytes=0";
