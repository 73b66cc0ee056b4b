use names::{Checksum, PartNumber};

use super::*;

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
