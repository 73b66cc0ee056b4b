//! Documents in every spelling that clients send, what is not read, and every answer in full.

use names::{Checksum, ChecksumAlgorithm, ChecksumKind, PartNumber};
use proptest::prelude::*;

use super::*;
use crate::s3::header::EtagCondition;
use crate::s3::{ErrorCode, Refusal};

const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

fn keys(delete: &Delete) -> Vec<&str> {
    let objects = delete.objects.iter();
    objects.map(|object| object.key.as_str()).collect()
}

fn code<T: std::fmt::Debug>(result: Result<T, Refusal>) -> ErrorCode {
    result.expect_err("it has to be refused").code
}

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
fn a_document_has_limits() {
    let deep = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
    assert!(Element::document(deep(16).as_bytes(), "a").is_ok());
    assert_eq!(
        code(Element::document(deep(17).as_bytes(), "a")),
        ErrorCode::MalformedXML
    );
    let wide = |children: usize| format!("<a>{}</a>", "<b/>".repeat(children));
    assert!(Element::document(wide(65_535).as_bytes(), "a").is_ok());
    assert_eq!(
        code(Element::document(wide(65_536).as_bytes(), "a")),
        ErrorCode::MalformedXML
    );
    let long = |text: usize| format!("<a>{}</a>", "x".repeat(text));
    assert!(Element::document(long(BYTES_MAX - 7).as_bytes(), "a").is_ok());
    assert_eq!(
        code(Element::document(long(BYTES_MAX - 6).as_bytes(), "a")),
        ErrorCode::MaxMessageLengthExceeded
    );
}

#[test]
fn a_completion_in_every_spelling() {
    let etags = [
        "e-1",
        "\"e-1\"",
        "&quot;e-1&quot;",
        "&#34;e-1&#34;",
        " \"e-1\" ",
    ];
    for etag in etags {
        let document = format!(
            "<CompleteMultipartUpload {NAMESPACE}><Part><ETag>{etag}</ETag>\
             <PartNumber> 7 </PartNumber></Part></CompleteMultipartUpload>"
        );
        let complete = CompleteMultipartUpload::parse(document.as_bytes()).unwrap();
        let part = PartNumber::new(7).unwrap();
        let etag = "e-1".to_owned();
        assert_eq!(
            complete.parts,
            [CompletedPart {
                part,
                etag,
                checksum: None
            }]
        );
    }
    for (name, algorithm) in [
        ("ChecksumCRC32", ChecksumAlgorithm::Crc32),
        ("ChecksumCRC32C", ChecksumAlgorithm::Crc32c),
        ("ChecksumCRC64NVME", ChecksumAlgorithm::Crc64Nvme),
        ("ChecksumSHA1", ChecksumAlgorithm::Sha1),
        ("ChecksumSHA256", ChecksumAlgorithm::Sha256),
    ] {
        let checksum = Checksum::new(algorithm, &vec![7; algorithm.length()]).unwrap();
        let document = format!(
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>e</ETag>\
             <{name}>{checksum}</{name}></Part></CompleteMultipartUpload>"
        );
        let complete = CompleteMultipartUpload::parse(document.as_bytes()).unwrap();
        assert_eq!(complete.parts[0].checksum, Some(checksum));
    }
    let part = "<Part><PartNumber>2</PartNumber><ETag>e</ETag></Part>";
    let parts = |count| {
        let parts = part.repeat(count);
        let document = format!("<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>");
        CompleteMultipartUpload::parse(document.as_bytes())
    };
    assert_eq!(parts(10_000).unwrap().parts.len(), 10_000);
    assert_eq!(code(parts(10_001)), ErrorCode::MalformedXML);
    assert_eq!(code(parts(0)), ErrorCode::MalformedXML);
}

#[test]
fn what_is_no_completion() {
    for part in [
        "",
        "<ETag>e</ETag>",
        "<PartNumber>1</PartNumber>",
        "<PartNumber>0</PartNumber><ETag>e</ETag>",
        "<PartNumber>10001</PartNumber><ETag>e</ETag>",
        "<PartNumber>+1x</PartNumber><ETag>e</ETag>",
        "<PartNumber>1</PartNumber><ETag>e</ETag><ETag>e</ETag>",
        "<PartNumber>1</PartNumber><ETag>e</ETag><ChecksumCRC32>AAAA</ChecksumCRC32>",
        "<PartNumber>1</PartNumber><ETag>e</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32>\
         <ChecksumCRC32C>AAAAAA==</ChecksumCRC32C>",
    ] {
        let document =
            format!("<CompleteMultipartUpload><Part>{part}</Part></CompleteMultipartUpload>");
        let refused = code(CompleteMultipartUpload::parse(document.as_bytes()));
        assert_eq!(refused, ErrorCode::MalformedXML, "{part}");
    }
    assert_eq!(
        code(CompleteMultipartUpload::parse(b"")),
        ErrorCode::MalformedXML
    );
}

#[test]
fn a_bucket_may_name_its_region() {
    let read = |document: &str| CreateBucketConfiguration::parse(document.as_bytes());
    assert_eq!(read("").unwrap().location, None);
    assert_eq!(read("<CreateBucketConfiguration/>").unwrap().location, None);
    let empty = "<CreateBucketConfiguration><LocationConstraint/></CreateBucketConfiguration>";
    assert_eq!(read(empty).unwrap().location, None);
    let region = format!(
        "<CreateBucketConfiguration {NAMESPACE}>\
         <LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"
    );
    assert_eq!(
        read(&region).unwrap().location.as_deref(),
        Some("eu-west-1")
    );
    assert_eq!(code(read(" ")), ErrorCode::MalformedXML);
    let shown = |region| LocationConstraint { region }.to_xml();
    assert_eq!(body(&shown("eu-west-1"), "LocationConstraint"), "eu-west-1");
    assert_eq!(body(&shown("us-east-1"), "LocationConstraint"), "");
}

/// What stands in the root of an answer in the S3 namespace.
fn body<'a>(document: &'a str, root: &str) -> &'a str {
    document
        .strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n")
        .and_then(|rest| rest.strip_prefix(&format!("<{root} {NAMESPACE}>")))
        .and_then(|rest| rest.strip_suffix(&format!("</{root}>")))
        .unwrap_or_else(|| panic!("{document}"))
}

const OWNER: Owner<'_> = Owner {
    id: "id-1",
    display_name: Some("Ann"),
};
const CRC32: (ChecksumAlgorithm, ChecksumKind) =
    (ChecksumAlgorithm::Crc32, ChecksumKind::FullObject);
/// 2009-10-12T17:50:30.000Z.
const AT_MS: u64 = 1_255_369_830_000;

#[test]
fn an_error_says_what_it_is_about() {
    let document = ErrorDocument {
        code: ErrorCode::NoSuchKey,
        message: "no <such> key",
        details: &[("Key", "a&b"), ("BucketName", "docs")],
        resource: "/docs/a&b",
        request_id: "R1",
        host_id: "H1",
    };
    assert_eq!(
        document.to_xml(),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code>\
         <Message>no &lt;such&gt; key</Message><Key>a&amp;b</Key><BucketName>docs</BucketName>\
         <Resource>/docs/a&amp;b</Resource><RequestId>R1</RequestId><HostId>H1</HostId></Error>"
    );
}

#[test]
fn buckets_are_listed() {
    let buckets = vec![BucketEntry {
        name: "docs",
        created_ms: AT_MS,
        region: Some("us-east-1"),
    }];
    let document = ListAllMyBucketsResult {
        buckets,
        owner: OWNER,
        continuation_token: Some("t"),
        prefix: Some("d"),
    };
    assert_eq!(
        body(&document.to_xml(), "ListAllMyBucketsResult"),
        "<Buckets><Bucket><BucketRegion>us-east-1</BucketRegion>\
         <CreationDate>2009-10-12T17:50:30.000Z</CreationDate><Name>docs</Name></Bucket></Buckets>\
         <Owner><DisplayName>Ann</DisplayName><ID>id-1</ID></Owner>\
         <ContinuationToken>t</ContinuationToken><Prefix>d</Prefix>"
    );
}

fn listing<'a>(
    key: &'a str,
    encoding: Option<EncodingType>,
    paging: Paging<'a>,
) -> ListBucketResult<'a> {
    ListBucketResult {
        page: KeysPage {
            bucket: "docs",
            prefix: "p +",
            delimiter: Some("/"),
            max_keys: 2,
            encoding,
            is_truncated: true,
            common_prefixes: vec!["p +é/"],
        },
        paging,
        objects: vec![ObjectEntry {
            key,
            modified_ms: AT_MS,
            etag: &"e",
            size: 5,
            storage_class: "STANDARD",
            owner: Some(OWNER),
            checksum: Some(CRC32),
        }],
    }
}

#[test]
fn objects_are_listed_in_both_versions() {
    let v1 = Paging::V1 {
        marker: "",
        next_marker: Some("p +é/"),
    };
    assert_eq!(
        body(&listing("p +", None, v1).to_xml(), "ListBucketResult"),
        "<IsTruncated>true</IsTruncated><Marker></Marker><NextMarker>p +é/</NextMarker>\
         <Contents><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>\
         <ChecksumType>FULL_OBJECT</ChecksumType><ETag>&quot;e&quot;</ETag><Key>p +</Key>\
         <LastModified>2009-10-12T17:50:30.000Z</LastModified>\
         <Owner><DisplayName>Ann</DisplayName><ID>id-1</ID></Owner><Size>5</Size>\
         <StorageClass>STANDARD</StorageClass></Contents><Name>docs</Name><Prefix>p +</Prefix>\
         <Delimiter>/</Delimiter><MaxKeys>2</MaxKeys>\
         <CommonPrefixes><Prefix>p +é/</Prefix></CommonPrefixes>"
    );
    let v2 = Paging::V2 {
        continuation_token: Some("t+1"),
        next_continuation_token: Some("t+2"),
        start_after: Some("a b"),
    };
    let mut page = listing("p +\u{1}", Some(EncodingType::Url), v2);
    page.objects[0].owner = None;
    page.objects[0].checksum = None;
    assert_eq!(
        body(&page.to_xml(), "ListBucketResult"),
        "<IsTruncated>true</IsTruncated><Contents><ETag>&quot;e&quot;</ETag>\
         <Key>p%20%2B%01</Key><LastModified>2009-10-12T17:50:30.000Z</LastModified>\
         <Size>5</Size><StorageClass>STANDARD</StorageClass></Contents><Name>docs</Name>\
         <Prefix>p%20%2B</Prefix><Delimiter>/</Delimiter><MaxKeys>2</MaxKeys>\
         <CommonPrefixes><Prefix>p%20%2B%C3%A9/</Prefix></CommonPrefixes>\
         <EncodingType>url</EncodingType><KeyCount>2</KeyCount>\
         <ContinuationToken>t+1</ContinuationToken>\
         <NextContinuationToken>t+2</NextContinuationToken><StartAfter>a%20b</StartAfter>"
    );
    assert_eq!(EncodingType::parse("URL"), Ok(EncodingType::Url));
    assert_eq!(
        code(EncodingType::parse("base64")),
        ErrorCode::InvalidArgument
    );
}

#[test]
fn what_xml_cannot_hold_is_a_reference() {
    let v1 = Paging::V1 {
        marker: "",
        next_marker: None,
    };
    let document = listing("\0\u{1}\t\r\n\u{7f}é\"'", None, v1).to_xml();
    assert!(
        document.contains("<Key>&#x0;&#x1;&#x9;&#xD;&#xA;\u{7f}é&quot;'</Key>"),
        "{document}"
    );
}

#[test]
fn versions_are_listed() {
    let object = VersionEntry {
        key: "k",
        version: "null",
        is_latest: true,
        modified_ms: AT_MS,
        owner: OWNER,
        kind: VersionKind::Object {
            etag: &"e",
            size: 5,
            storage_class: "STANDARD",
            checksum: Some(CRC32),
        },
    };
    let marker = VersionEntry {
        version: "v2",
        is_latest: false,
        kind: VersionKind::DeleteMarker,
        ..object
    };
    let document = ListVersionsResult {
        page: KeysPage {
            bucket: "docs",
            prefix: "",
            delimiter: None,
            max_keys: 1000,
            encoding: None,
            is_truncated: false,
            common_prefixes: vec![],
        },
        key_marker: "",
        version_marker: "",
        next_key_marker: None,
        next_version_marker: None,
        versions: vec![object, marker],
    };
    assert_eq!(
        body(&document.to_xml(), "ListVersionsResult"),
        "<IsTruncated>false</IsTruncated><KeyMarker></KeyMarker>\
         <VersionIdMarker></VersionIdMarker><Version><ChecksumAlgorithm>CRC32</ChecksumAlgorithm>\
         <ChecksumType>FULL_OBJECT</ChecksumType><ETag>&quot;e&quot;</ETag>\
         <IsLatest>true</IsLatest><Key>k</Key>\
         <LastModified>2009-10-12T17:50:30.000Z</LastModified>\
         <Owner><DisplayName>Ann</DisplayName><ID>id-1</ID></Owner><Size>5</Size>\
         <StorageClass>STANDARD</StorageClass><VersionId>null</VersionId></Version>\
         <DeleteMarker><IsLatest>false</IsLatest><Key>k</Key>\
         <LastModified>2009-10-12T17:50:30.000Z</LastModified>\
         <Owner><DisplayName>Ann</DisplayName><ID>id-1</ID></Owner>\
         <VersionId>v2</VersionId></DeleteMarker><Name>docs</Name><Prefix></Prefix>\
         <MaxKeys>1000</MaxKeys>"
    );
}

#[test]
fn a_bucket_that_never_had_versions_says_nothing_of_them() {
    let document = VersioningConfiguration.to_xml();
    assert_eq!(body(&document, "VersioningConfiguration"), "");
}

const UPLOAD: UploadEntry<'_> = UploadEntry {
    key: "k k",
    upload: "u1",
    initiated_ms: AT_MS,
    initiator: OWNER,
    owner: Owner {
        id: "id-2",
        display_name: None,
    },
    storage_class: "STANDARD",
    checksum: Some((ChecksumAlgorithm::Sha256, ChecksumKind::Composite)),
};

#[test]
fn uploads_are_listed() {
    let document = ListMultipartUploadsResult {
        bucket: "docs",
        prefix: "",
        delimiter: Some("/"),
        max_uploads: 1,
        encoding: Some(EncodingType::Url),
        is_truncated: true,
        key_marker: "a a",
        upload_marker: "u0",
        next_key_marker: Some("k k"),
        next_upload_marker: Some("u1"),
        uploads: vec![UPLOAD],
        common_prefixes: vec!["p p/"],
    };
    assert_eq!(
        body(&document.to_xml(), "ListMultipartUploadsResult"),
        "<Bucket>docs</Bucket><KeyMarker>a%20a</KeyMarker><UploadIdMarker>u0</UploadIdMarker>\
         <NextKeyMarker>k%20k</NextKeyMarker><Prefix></Prefix><Delimiter>/</Delimiter>\
         <NextUploadIdMarker>u1</NextUploadIdMarker><MaxUploads>1</MaxUploads>\
         <IsTruncated>true</IsTruncated><Upload><ChecksumAlgorithm>SHA256</ChecksumAlgorithm>\
         <ChecksumType>COMPOSITE</ChecksumType><Initiated>2009-10-12T17:50:30.000Z</Initiated>\
         <Initiator><DisplayName>Ann</DisplayName><ID>id-1</ID></Initiator><Key>k%20k</Key>\
         <Owner><ID>id-2</ID></Owner><StorageClass>STANDARD</StorageClass>\
         <UploadId>u1</UploadId></Upload><CommonPrefixes><Prefix>p%20p/</Prefix></CommonPrefixes>\
         <EncodingType>url</EncodingType>"
    );
}

#[test]
fn parts_are_listed() {
    let document = ListPartsResult {
        bucket: "docs",
        upload: UPLOAD,
        part_marker: 1,
        next_part_marker: PartNumber::new(2).ok(),
        max_parts: 1,
        is_truncated: true,
        parts: vec![PartEntry {
            part: PartNumber::new(2).unwrap(),
            etag: &"e",
            size: 5,
            modified_ms: AT_MS,
            checksum: Checksum::new(ChecksumAlgorithm::Crc32, &[0; 4]).ok(),
        }],
    };
    assert_eq!(
        body(&document.to_xml(), "ListPartsResult"),
        "<Bucket>docs</Bucket><Key>k k</Key><UploadId>u1</UploadId>\
         <PartNumberMarker>1</PartNumberMarker><NextPartNumberMarker>2</NextPartNumberMarker>\
         <MaxParts>1</MaxParts><IsTruncated>true</IsTruncated>\
         <Part><ChecksumCRC32>AAAAAA==</ChecksumCRC32><ETag>&quot;e&quot;</ETag>\
         <LastModified>2009-10-12T17:50:30.000Z</LastModified><PartNumber>2</PartNumber>\
         <Size>5</Size></Part><Initiator><DisplayName>Ann</DisplayName><ID>id-1</ID></Initiator>\
         <Owner><ID>id-2</ID></Owner><StorageClass>STANDARD</StorageClass>\
         <ChecksumAlgorithm>SHA256</ChecksumAlgorithm><ChecksumType>COMPOSITE</ChecksumType>"
    );
}

#[test]
fn an_upload_begins_and_ends() {
    let begun = InitiateMultipartUploadResult {
        bucket: "docs",
        key: "k",
        upload: "u1",
    };
    assert_eq!(
        body(&begun.to_xml(), "InitiateMultipartUploadResult"),
        "<Bucket>docs</Bucket><Key>k</Key><UploadId>u1</UploadId>"
    );
    let complete = CompleteMultipartUploadResult {
        location: "http://h/docs/k",
        bucket: "docs",
        key: "k",
        etag: &"e-2",
        checksum: Some((ChecksumAlgorithm::Sha1, &"AAAA-2", ChecksumKind::Composite)),
    };
    assert_eq!(
        body(&complete.to_xml(), "CompleteMultipartUploadResult"),
        "<Location>http://h/docs/k</Location><Bucket>docs</Bucket><Key>k</Key>\
         <ETag>&quot;e-2&quot;</ETag><ChecksumSHA1>AAAA-2</ChecksumSHA1>\
         <ChecksumType>COMPOSITE</ChecksumType>"
    );
}

#[test]
fn copies_are_answered() {
    let object = CopyObjectResult {
        etag: &"e",
        modified_ms: AT_MS,
        checksum: Some((
            ChecksumAlgorithm::Crc32c,
            &"AAAAAA==",
            ChecksumKind::FullObject,
        )),
    };
    assert_eq!(
        body(&object.to_xml(), "CopyObjectResult"),
        "<ETag>&quot;e&quot;</ETag><LastModified>2009-10-12T17:50:30.000Z</LastModified>\
         <ChecksumType>FULL_OBJECT</ChecksumType><ChecksumCRC32C>AAAAAA==</ChecksumCRC32C>"
    );
    let part = CopyPartResult {
        etag: &"e",
        modified_ms: AT_MS,
        checksum: Checksum::new(ChecksumAlgorithm::Crc64Nvme, &[0; 8]).ok(),
    };
    assert_eq!(
        body(&part.to_xml(), "CopyPartResult"),
        "<ETag>&quot;e&quot;</ETag><LastModified>2009-10-12T17:50:30.000Z</LastModified>\
         <ChecksumCRC64NVME>AAAAAAAAAAA=</ChecksumCRC64NVME>"
    );
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
    /// What is written reads back as it was, whatever the key is, but for the one character that
    /// no reader of XML takes.
    #[test]
    fn any_key_comes_back(key in "[^\0]{1,40}", url: bool) {
        let encoding = url.then_some(EncodingType::Url);
        let v1 = Paging::V1 { marker: &key, next_marker: None };
        let document = listing(&key, encoding, v1).to_xml();
        let read = Element::document(document.as_bytes(), "ListBucketResult").unwrap();
        let marker = read.child("Marker").unwrap().unwrap().text();
        let entry = read.child("Contents").unwrap().unwrap();
        prop_assert_eq!(entry.child("Key").unwrap().unwrap().text(), marker);
        match encoding {
            Some(_) => {
                prop_assert!(marker.bytes().all(|byte| byte.is_ascii_graphic()));
                let query = crate::s3::Query::parse(marker).unwrap();
                prop_assert!(query.has(&key));
            }
            None => prop_assert_eq!(marker, &key),
        }
    }

    /// And so does a key that a client sends.
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
