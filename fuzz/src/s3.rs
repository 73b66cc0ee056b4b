use names::ObjectKey;
use wire::s3::date::{HttpDate, Iso8601};
use wire::s3::header::{
    ByteRange, CopySource, EtagCondition, content_md5, copy_source_range, to_bytes, to_text,
    user_metadata, without_aws_chunked,
};
use wire::s3::xml::{
    CompleteMultipartUpload, CreateBucketConfiguration, Delete, DeleteOutcome, DeleteResult,
    Element, url_encoded,
};
use wire::s3::{Resource, Target};

/// Lines: host, path, query. What is read, written in path style, reads as the same again.
pub fn s3_target(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else {
        return false;
    };
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (host, path, query) = (line(), line(), line());
    let Ok(target) = Target::parse(path, query, Some(host), Some("s3.example.com")) else {
        return false;
    };
    let path = match &target.resource {
        Resource::Service => "/".to_owned(),
        Resource::Bucket(bucket) => format!("/{bucket}"),
        Resource::Object(bucket, key) => format!("/{bucket}/{}", url_encoded(key.as_str())),
    };
    let query: Vec<String> = target
        .query
        .iter()
        .map(|(name, value)| format!("{}={}", url_encoded(name), url_encoded(value)))
        .collect();
    let again = Target::parse(&path, &query.join("&"), None, None).expect("a target, written");
    assert_eq!(again.resource, target.resource, "a path says where");
    assert_eq!(again.query, target.query, "a query keeps its parameters");
    true
}

/// A header's value, read as every kind of header there is.
pub fn s3_headers(data: &[u8]) -> bool {
    assert_eq!(to_bytes(&to_text(data)), data, "a value comes back");
    let metadata = user_metadata([("x-amz-meta-a", data)]);
    assert_eq!(metadata.is_ok(), data.len() < 2048, "2 KiB and no more");
    let text = to_text(data);
    let mut is_accepted = content_md5(&text).is_ok();
    if let Some(date) = HttpDate::parse_any(&text) {
        if (0..=253_402_300_799).contains(&date.0) {
            assert_eq!(
                HttpDate::parse(&date.to_string()),
                Some(date),
                "a date comes back"
            );
            let in_xml = Iso8601(date.0.unsigned_abs() * 1000).to_string();
            assert_eq!(HttpDate::parse_any(&in_xml), Some(date), "and in ISO 8601");
        }
        is_accepted = true;
    }
    if let Some(ByteRange::Between(first, last)) = ByteRange::parse(&text) {
        assert!(first <= last, "a range ascends");
        is_accepted = true;
    }
    if let Ok((first, last)) = copy_source_range(&text) {
        let between = ByteRange::Between(first, last);
        assert_eq!(ByteRange::parse(&text), Some(between), "a range is a range");
    }
    if let EtagCondition::OneOf(etags) = EtagCondition::parse(&text) {
        let written: Vec<String> = etags.iter().map(|etag| format!("\"{etag}\"")).collect();
        let is_plain = etags.iter().all(|etag| !etag.contains('"'));
        let again = EtagCondition::parse(&written.join(", "));
        assert!(
            !is_plain || again == EtagCondition::OneOf(etags),
            "ETags come back"
        );
    }
    if let Some(codings) = without_aws_chunked(&text) {
        let again = without_aws_chunked(&codings);
        assert_eq!(again.as_deref(), Some(codings.as_str()), "once is enough");
    }
    if let Ok(source) = CopySource::parse(&text) {
        let mut written = format!("{}/{}", source.bucket, url_encoded(source.key.as_str()));
        if let Some(version) = &source.version {
            written = format!("{written}?versionId={}", url_encoded(version));
        }
        assert_eq!(
            CopySource::parse(&written),
            Ok(source),
            "a source comes back"
        );
        is_accepted = true;
    }
    is_accepted
}

/// A document, read as each that is known. What was read, written, reads as the same again.
pub fn s3_xml(data: &[u8]) -> bool {
    let mut is_accepted = CreateBucketConfiguration::parse(data).is_ok();
    if let Ok(complete) = CompleteMultipartUpload::parse(data) {
        assert!((1..=10_000).contains(&complete.parts.len()), "some parts");
        is_accepted = true;
    }
    if let Ok(delete) = Delete::parse(data) {
        assert!((1..=1000).contains(&delete.objects.len()), "some objects");
        let outcomes = delete.objects.iter().map(|object| DeleteOutcome::Deleted {
            key: object.key.as_str(),
            version: object.version.as_deref(),
            delete_marker: None,
        });
        let answer = DeleteResult {
            outcomes: outcomes.collect(),
        };
        let answer = answer.to_xml();
        let root = Element::document(answer.as_bytes(), "DeleteResult").expect("an answer");
        let written = root.children("Deleted").map(|deleted| {
            let key = deleted.child("Key").ok().flatten().expect("a key");
            let version = deleted.child("VersionId").expect("at most one version");
            (key.text(), version.map(Element::text))
        });
        let read = delete.objects.iter().map(|object| {
            let key: &ObjectKey = &object.key;
            (key.as_str(), object.version.as_deref())
        });
        assert!(written.eq(read), "keys and versions come back");
        is_accepted = true;
    }
    is_accepted
}
