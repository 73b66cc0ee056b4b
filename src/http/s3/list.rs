use names::{BucketName, KeyPrefix};
use wire::s3::ErrorCode;
use wire::s3::xml::{
    EncodingType, KeysPage, ListBucketResult, ListVersionsResult, ObjectEntry, Paging,
    VersionEntry, VersionKind,
};

use super::answer;
use super::door::S3;
use super::error::S3Error;
use super::owner::{Owner, STORAGE_CLASS};
use super::request::{NULL_VERSION, Request, argument};
use crate::authz::{self, Permit, Receipt, UnderPrefix};
use crate::drive::{Etag, ListRequest, ListStart, ListedObject, Listing};
use crate::http::pipeline::Answer;

/// ListObjects.
pub(super) async fn v1(
    s3: &S3,
    request: Request<'_>,
    bucket: BucketName,
) -> Result<Answer, S3Error> {
    let marker = request.parameter("marker").unwrap_or_default();
    let start = match marker {
        "" => ListStart::Beginning,
        marker => ListStart::After(marker.to_owned()),
    };
    let page = Page::of(s3, request, &bucket, start).await?;
    let has_delimiter = request.filled("delimiter").is_some();
    let paging = Paging::V1 {
        marker,
        next_marker: page
            .listing
            .next_marker
            .as_deref()
            .filter(|_| has_delimiter),
    };
    Ok(page.answer(paging, ShowOwner::Yes))
}

/// ListObjectsV2.
pub(super) async fn v2(
    s3: &S3,
    request: Request<'_>,
    bucket: BucketName,
) -> Result<Answer, S3Error> {
    let token = request.parameter("continuation-token");
    let start_after = request.filled("start-after");
    let start = match (token, start_after) {
        (Some(token), _) if !token.is_empty() => ListStart::Token(token.to_owned()),
        (_, Some(key)) => ListStart::After(key.to_owned()),
        (_, None) => ListStart::Beginning,
    };
    let page = Page::of(s3, request, &bucket, start).await?;
    let paging = Paging::V2 {
        continuation_token: token,
        next_continuation_token: page.listing.next_token.as_deref(),
        start_after,
    };
    let show_owner = match request.filled("fetch-owner") {
        Some(text) if text.eq_ignore_ascii_case("true") => ShowOwner::Yes,
        _ => ShowOwner::No,
    };
    Ok(page.answer(paging, show_owner))
}

/// ListObjectVersions: of each object the one version that it has, which is the null version.
pub(super) async fn versions(
    s3: &S3,
    request: Request<'_>,
    bucket: BucketName,
) -> Result<Answer, S3Error> {
    let key_marker = request.parameter("key-marker").unwrap_or_default();
    let version_marker = request.parameter("version-id-marker").unwrap_or_default();
    let start = match (key_marker, version_marker) {
        ("", "") => ListStart::Beginning,
        ("", marker) => {
            let message = "A version-id marker cannot be specified without a key marker.";
            return Err(argument("version-id-marker", marker).saying(message));
        }
        // Behind its one version there is none of the same key.
        (key, "" | NULL_VERSION) => ListStart::After(key.to_owned()),
        (_, marker) => {
            let message = "Invalid version id specified";
            return Err(argument("version-id-marker", marker).saying(message));
        }
    };
    let page = Page::of(s3, request, &bucket, start).await?;
    let (objects, shown) = page.shown();
    let owner = Owner::of(request.call.caller());
    let versions = objects.into_iter().map(|object| VersionEntry {
        key: object.key,
        version: NULL_VERSION,
        is_latest: true,
        modified_ms: object.modified_ms,
        owner: owner.shown(),
        kind: VersionKind::Object {
            etag: object.etag,
            size: object.size,
            storage_class: STORAGE_CLASS,
            checksum: None,
        },
    });
    let ends_with_object = matches!(
        page.listing.entries.last(),
        Some(ListedObject::Object { .. })
    );
    let next_key_marker = page.listing.next_marker.as_deref();
    let xml = ListVersionsResult {
        page: shown,
        key_marker,
        version_marker,
        next_key_marker,
        next_version_marker: next_key_marker
            .filter(|_| ends_with_object)
            .map(|_| NULL_VERSION),
        versions: versions.collect(),
    };
    Ok(answer::document(xml.to_xml(), page.receipt))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ShowOwner {
    Yes,
    No,
}

struct Page<'a> {
    request: Request<'a>,
    bucket: &'a BucketName,
    encoding: Option<EncodingType>,
    max: u32,
    listing: Listing,
    receipt: Receipt,
}

/// What every list shows of an object.
struct ShownObject<'a> {
    key: &'a str,
    size: u64,
    modified_ms: u64,
    etag: &'a Etag,
}

impl<'a> Page<'a> {
    async fn of(
        s3: &S3,
        request: Request<'a>,
        bucket: &'a BucketName,
        start: ListStart,
    ) -> Result<Self, S3Error> {
        // What cannot be read is refused before anything is looked up.
        let encoding = request.encoding()?;
        let max = request.page_max("max-keys", KEYS_MAX)?;
        let permit: Permit<authz::ListObjects> =
            request.call.permit(under_prefix(request, bucket)?)?;
        let list = ListRequest {
            delimiter: request.filled("delimiter").map(str::to_owned),
            start,
            max,
        };
        let (listing, receipt) = s3.drive().list(permit, list).await?;
        Ok(Self {
            request,
            bucket,
            encoding,
            max,
            listing,
            receipt,
        })
    }

    fn answer(&self, paging: Paging<'_>, show_owner: ShowOwner) -> Answer {
        let owner = Owner::of(self.request.call.caller());
        let owner = (show_owner == ShowOwner::Yes).then(|| owner.shown());
        let (objects, page) = self.shown();
        let objects = objects.into_iter().map(|object| ObjectEntry {
            key: object.key,
            modified_ms: object.modified_ms,
            etag: object.etag,
            size: object.size,
            storage_class: STORAGE_CLASS,
            owner,
            checksum: None,
        });
        let xml = ListBucketResult {
            page,
            paging,
            objects: objects.collect(),
        };
        answer::document(xml.to_xml(), self.receipt)
    }

    fn shown(&self) -> (Vec<ShownObject<'_>>, KeysPage<'_>) {
        let mut objects = Vec::with_capacity(self.listing.entries.len());
        let mut common_prefixes = Vec::new();
        for entry in &self.listing.entries {
            match entry {
                ListedObject::Object {
                    key,
                    size,
                    modified_ms,
                    etag,
                } => objects.push(ShownObject {
                    key: key.as_str(),
                    size: *size,
                    modified_ms: *modified_ms,
                    etag,
                }),
                ListedObject::Prefix(prefix) => common_prefixes.push(prefix.as_str()),
            }
        }
        let page = KeysPage {
            bucket: self.bucket.as_str(),
            prefix: self.request.parameter("prefix").unwrap_or_default(),
            delimiter: self.request.filled("delimiter"),
            max_keys: self.max,
            encoding: self.encoding,
            is_truncated: self.listing.is_truncated,
            common_prefixes,
        };
        (objects, page)
    }
}

/// What a list is permitted for.
pub(super) fn under_prefix(
    request: Request<'_>,
    bucket: &BucketName,
) -> Result<UnderPrefix, S3Error> {
    let prefix = request.parameter("prefix").unwrap_or_default();
    let prefix = KeyPrefix::parse(prefix).map_err(|_| ErrorCode::KeyTooLongError)?;
    Ok(UnderPrefix {
        bucket: bucket.clone(),
        prefix,
    })
}

/// As Amazon bounds a page.
pub(super) const KEYS_MAX: u32 = 1000;
