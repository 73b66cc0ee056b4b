use names::{BucketName, KeyPrefix};
use wire::s3::ErrorCode;
use wire::s3::xml::{
    ListBucketResult, ListVersionsResult, ObjectEntry, Paging, VersionEntry, VersionKind,
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
    page.answer(request, &bucket, paging, ShowOwner::Yes)
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
    page.answer(request, &bucket, paging, show_owner)
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
    let Listed {
        objects,
        common_prefixes,
    } = page.listed();
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
        bucket: bucket.as_str(),
        prefix: request.parameter("prefix").unwrap_or_default(),
        delimiter: request.filled("delimiter"),
        max_keys: page.max,
        encoding: request.encoding()?,
        is_truncated: page.listing.is_truncated,
        key_marker,
        version_marker,
        next_key_marker,
        next_version_marker: next_key_marker
            .filter(|_| ends_with_object)
            .map(|_| NULL_VERSION),
        versions: versions.collect(),
        common_prefixes,
    };
    Ok(answer::document(xml.to_xml(), page.receipt))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ShowOwner {
    Yes,
    No,
}

struct Page {
    listing: Listing,
    max: u32,
    receipt: Receipt,
}

/// The entries of a page, by what they are.
struct Listed<'a> {
    objects: Vec<Shown<'a>>,
    common_prefixes: Vec<&'a str>,
}

/// What every list shows of an object.
struct Shown<'a> {
    key: &'a str,
    size: u64,
    modified_ms: u64,
    etag: &'a Etag,
}

impl Page {
    async fn of(
        s3: &S3,
        request: Request<'_>,
        bucket: &BucketName,
        start: ListStart,
    ) -> Result<Self, S3Error> {
        // What cannot be read is refused before anything is looked up.
        request.encoding()?;
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
            listing,
            max,
            receipt,
        })
    }

    fn answer(
        &self,
        request: Request<'_>,
        bucket: &BucketName,
        paging: Paging<'_>,
        show_owner: ShowOwner,
    ) -> Result<Answer, S3Error> {
        let owner = Owner::of(request.call.caller());
        let owner = (show_owner == ShowOwner::Yes).then(|| owner.shown());
        let Listed {
            objects,
            common_prefixes,
        } = self.listed();
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
            bucket: bucket.as_str(),
            prefix: request.parameter("prefix").unwrap_or_default(),
            delimiter: request.filled("delimiter"),
            max_keys: self.max,
            encoding: request.encoding()?,
            is_truncated: self.listing.is_truncated,
            paging,
            objects: objects.collect(),
            common_prefixes,
        };
        Ok(answer::document(xml.to_xml(), self.receipt))
    }

    fn listed(&self) -> Listed<'_> {
        let mut listed = Listed {
            objects: Vec::with_capacity(self.listing.entries.len()),
            common_prefixes: Vec::new(),
        };
        for entry in &self.listing.entries {
            match entry {
                ListedObject::Object {
                    key,
                    size,
                    modified_ms,
                    etag,
                } => listed.objects.push(Shown {
                    key: key.as_str(),
                    size: *size,
                    modified_ms: *modified_ms,
                    etag,
                }),
                ListedObject::Prefix(prefix) => listed.common_prefixes.push(prefix),
            }
        }
        listed
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
