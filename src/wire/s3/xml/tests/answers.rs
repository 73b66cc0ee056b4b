use names::Checksum;

use super::*;

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
