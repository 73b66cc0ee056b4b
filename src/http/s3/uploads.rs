use http::HeaderName;
use names::{BucketName, ChecksumAlgorithm, ChecksumKind};
use wire::s3::ErrorCode;
use wire::s3::header::object_checksum;
use wire::s3::xml::{
    self, CompleteMultipartUpload, CompleteMultipartUploadResult, InitiateMultipartUploadResult,
    ListMultipartUploadsResult, UploadEntry, url_encoded,
};

use super::answer;
use super::document::Digest;
use super::door::S3;
use super::error::S3Error;
use super::fields::{
    checksum_algorithm, checksum_kind, kind_name, object_headers, put, shown_checksum,
    write_conditions, write_encryption,
};
use super::list::{KEYS_MAX, under_prefix};
use super::owner::{Owner, STORAGE_CLASS, shown};
use super::request::{Request, argument};
use crate::authz::{self, OfObject};
use crate::drive::{CompleteRequest, ListedUpload, NamedPart, NewUpload, UploadInfo, UploadMarker};
use crate::http::net::RequestBody;
use crate::http::pipeline::Answer;

/// CreateMultipartUpload.
pub(super) async fn create(
    s3: &S3,
    request: Request<'_>,
    object: OfObject,
) -> Result<Answer, S3Error> {
    let new = NewUpload {
        headers: object_headers(request)?,
        checksum: new_checksum(request)?,
    };
    let permit = request.call.permit::<authz::CreateUpload>(object.clone())?;
    let (info, receipt) = s3.drive().create_upload(permit, new).await?;
    let xml = InitiateMultipartUploadResult {
        bucket: object.bucket.as_str(),
        key: object.key.as_str(),
        upload: &info.upload.to_string(),
    };
    let mut answer = answer::document(xml.to_xml(), receipt);
    let fields = answer.head.headers_mut();
    write_encryption(fields);
    if let Some((algorithm, kind)) = info.checksum {
        put(fields, CHECKSUM_ALGORITHM, algorithm.name());
        put(fields, CHECKSUM_TYPE, kind_name(kind));
    }
    Ok(answer)
}

/// CompleteMultipartUpload. One transaction makes the parts the object, so that its outcome is
/// known before the status is sent.
pub(super) async fn complete(
    s3: &S3,
    request: Request<'_>,
    object: OfObject,
    body: RequestBody,
) -> Result<Answer, S3Error> {
    let upload = request.upload()?;
    let permit = request
        .call
        .permit::<authz::CompleteUpload>(object.clone())?;
    let allowance = request.call.allowance();
    // The checksum fields are those of the object to be, not of the document.
    let sent = s3
        .documents()
        .read(request, body, xml::BYTES_MAX, Digest::OfAnother)
        .await?;
    let named = CompleteMultipartUpload::parse(sent.bytes())?;
    let checksum = whole_checksum(request, named.parts.len())?;
    let size = request
        .amz("x-amz-mp-object-size")
        .map(|text| {
            text.parse()
                .map_err(|_| argument("x-amz-mp-object-size", text))
        })
        .transpose()?;
    let complete = CompleteRequest {
        upload,
        parts: named
            .parts
            .into_iter()
            .map(|part| NamedPart {
                part: part.part,
                etag: part.etag,
                checksum: part.checksum,
            })
            .collect(),
        checksum,
        checksum_kind: checksum_kind(request)?,
        size,
        conditions: write_conditions(request),
    };
    let (written, receipt) = s3
        .drive()
        .complete_upload(permit, allowance, complete)
        .await?;
    let base = s3.base_url(request.head);
    let location = format!(
        "{base}/{}/{}",
        object.bucket,
        url_encoded(object.key.as_str())
    );
    let shown = written
        .checksum
        .map(|checksum| shown_checksum(&checksum, written.etag.parts));
    let checksum = written.checksum.zip(shown.as_ref());
    let xml = CompleteMultipartUploadResult {
        location: &location,
        bucket: object.bucket.as_str(),
        key: object.key.as_str(),
        etag: &written.etag,
        checksum: checksum
            .map(|(stored, shown)| (stored.checksum.algorithm(), shown as _, stored.kind)),
    };
    let mut answer = answer::document(xml.to_xml(), receipt);
    write_encryption(answer.head.headers_mut());
    Ok(answer)
}

/// AbortMultipartUpload.
pub(super) async fn abort(
    s3: &S3,
    request: Request<'_>,
    object: OfObject,
) -> Result<Answer, S3Error> {
    let upload = request.upload()?;
    let permit = request.call.permit::<authz::AbortUpload>(object)?;
    let allowance = request.call.allowance();
    let ((), receipt) = s3.drive().abort_upload(permit, allowance, upload).await?;
    Ok(answer::gone(receipt))
}

/// ListMultipartUploads.
pub(super) async fn list(
    s3: &S3,
    request: Request<'_>,
    bucket: BucketName,
) -> Result<Answer, S3Error> {
    let encoding = request.encoding()?;
    let max = request.page_max("max-uploads", KEYS_MAX)?;
    let key_marker = request.parameter("key-marker").unwrap_or_default();
    // Without a key it says nothing, as Amazon has it.
    let upload_marker = request
        .filled("upload-id-marker")
        .filter(|_| !key_marker.is_empty());
    let after = UploadMarker {
        key: key_marker.to_owned(),
        upload: upload_marker
            .map(|text| text.parse().map_err(|_| argument("upload-id-marker", text)))
            .transpose()?,
    };
    let delimiter = request.filled("delimiter");
    let permit = request
        .call
        .permit::<authz::ListUploads>(under_prefix(request, &bucket)?)?;
    let (listing, receipt) = s3
        .drive()
        .list_uploads(permit, delimiter.map(str::to_owned), after, max)
        .await?;
    let owner = Owner::of(request.call.caller());
    let lines: Vec<(&UploadInfo, [String; 2])> = listing
        .entries
        .iter()
        .filter_map(|entry| match entry {
            ListedUpload::Upload(info) => Some((info, identifiers(info))),
            ListedUpload::Prefix(_) => None,
        })
        .collect();
    let next = listing.next.as_ref();
    let next_upload = next
        .and_then(|next| next.upload)
        .map(|upload| upload.to_string());
    let xml = ListMultipartUploadsResult {
        bucket: bucket.as_str(),
        prefix: request.parameter("prefix").unwrap_or_default(),
        delimiter,
        max_uploads: max,
        encoding,
        is_truncated: next.is_some(),
        key_marker,
        upload_marker: upload_marker.unwrap_or_default(),
        next_key_marker: next.map(|next| next.key.as_str()),
        next_upload_marker: next_upload.as_deref(),
        uploads: lines
            .iter()
            .map(|(info, identifiers)| entry(info, identifiers, &owner))
            .collect(),
        common_prefixes: listing
            .entries
            .iter()
            .filter_map(|entry| match entry {
                ListedUpload::Prefix(prefix) => Some(prefix.as_str()),
                ListedUpload::Upload(_) => None,
            })
            .collect(),
    };
    Ok(answer::document(xml.to_xml(), receipt))
}

/// The upload's and its principal's identifiers as texts, which an entry borrows.
pub(super) fn identifiers(info: &UploadInfo) -> [String; 2] {
    [info.upload.to_string(), info.principal.to_string()]
}

/// An upload as lists show it.
pub(super) fn entry<'a>(
    info: &'a UploadInfo,
    [upload, principal]: &'a [String; 2],
    owner: &'a Owner,
) -> UploadEntry<'a> {
    UploadEntry {
        key: info.key.as_str(),
        upload,
        initiated_ms: info.initiated_ms,
        initiator: shown(principal),
        owner: owner.shown(),
        storage_class: STORAGE_CLASS,
        checksum: info.checksum,
    }
}

/// Which checksum parts and object will have. Amazon knows these pairs ("Checking object integrity
/// in Amazon S3", full object and composite checksum types), and these defaults.
fn new_checksum(
    request: Request<'_>,
) -> Result<Option<(ChecksumAlgorithm, ChecksumKind)>, S3Error> {
    use ChecksumAlgorithm::{Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
    use ChecksumKind::{Composite, FullObject};
    let kind = checksum_kind(request)?;
    let invalid = |message| Err(S3Error::new(ErrorCode::InvalidRequest, message));
    let Some(algorithm) = checksum_algorithm(request)? else {
        return match kind {
            None => Ok(None),
            Some(_) => invalid("x-amz-checksum-type needs x-amz-checksum-algorithm."),
        };
    };
    let kind = match (algorithm, kind) {
        (Crc64Nvme, None | Some(FullObject)) => FullObject,
        (Crc32 | Crc32c, kind) => kind.unwrap_or(Composite),
        (Sha1 | Sha256, None | Some(Composite)) => Composite,
        (Crc64Nvme, Some(Composite)) => {
            return invalid("The COMPOSITE checksum type cannot be used with CRC64NVME.");
        }
        (Sha1 | Sha256, Some(FullObject)) => {
            return invalid("The FULL_OBJECT checksum type cannot be used with SHA1 and SHA256.");
        }
    };
    Ok(Some((algorithm, kind)))
}

/// The checksum of the whole object, if the completion sends it.
fn whole_checksum(request: Request<'_>, parts: usize) -> Result<Option<names::Checksum>, S3Error> {
    let mut found = None;
    for algorithm in ChecksumAlgorithm::ALL {
        let Some(text) = request.amz(algorithm.header()) else {
            continue;
        };
        let (checksum, counted) = object_checksum(algorithm, text)?;
        if counted.is_some_and(|counted| usize::from(counted) != parts) || found.is_some() {
            return Err(S3Error::new(
                ErrorCode::InvalidRequest,
                "Value for x-amz-checksum- header is invalid.",
            ));
        }
        found = Some(checksum);
    }
    Ok(found)
}

const CHECKSUM_ALGORITHM: HeaderName = HeaderName::from_static("x-amz-checksum-algorithm");
const CHECKSUM_TYPE: HeaderName = HeaderName::from_static("x-amz-checksum-type");
