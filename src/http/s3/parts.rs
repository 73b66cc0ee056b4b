use http::header::ETAG;
use names::PartNumber;
use wire::s3::xml::{ListPartsResult, PartEntry};

use super::answer;
use super::body::{self, ChecksumDefault};
use super::door::S3;
use super::error::S3Error;
use super::fields::{put, quoted, write_encryption, write_part_checksum};
use super::list::KEYS_MAX;
use super::owner::Owner;
use super::request::{Request, argument, missing};
use super::uploads::{entry, identifiers};
use crate::authz::{self, OfObject};
use crate::http::net::RequestBody;
use crate::http::pipeline::Answer;

/// UploadPart.
pub(super) async fn upload(
    s3: &S3,
    request: Request<'_>,
    object: OfObject,
    body: RequestBody,
) -> Result<Answer, S3Error> {
    let upload = request.upload()?;
    let part = request.part()?.ok_or_else(|| missing("partNumber"))?;
    let permit = request.call.permit::<authz::PutPart>(object)?;
    let allowance = request.call.allowance();
    let incoming = body::incoming(request, body, ChecksumDefault::None)?;
    let (info, receipt) = s3
        .drive()
        .put_part(permit, allowance, upload, part, incoming)
        .await?;
    let mut answer = answer::done(receipt);
    let fields = answer.head.headers_mut();
    put(fields, ETAG, &quoted(&info.etag));
    if let Some(checksum) = &info.checksum {
        write_part_checksum(fields, checksum, &checksum.to_string());
    }
    write_encryption(fields);
    Ok(answer)
}

/// ListParts.
pub(super) async fn list(
    s3: &S3,
    request: Request<'_>,
    object: OfObject,
) -> Result<Answer, S3Error> {
    let upload = request.upload()?;
    let max = request.page_max("max-parts", KEYS_MAX)?;
    let after = marker(request)?;
    let permit = request.call.permit::<authz::ListParts>(object.clone())?;
    let (listing, receipt) = s3.drive().list_parts(permit, upload, after, max).await?;
    let owner = Owner::of(request.call.caller());
    let identifiers = identifiers(&listing.upload);
    let last = listing.parts.last().map(|part| part.part);
    let xml = ListPartsResult {
        bucket: object.bucket.as_str(),
        upload: entry(&listing.upload, &identifiers, &owner),
        part_marker: after.map_or(0, PartNumber::value),
        next_part_marker: last.filter(|_| listing.is_truncated),
        max_parts: max,
        is_truncated: listing.is_truncated,
        parts: listing
            .parts
            .iter()
            .map(|part| PartEntry {
                part: part.part,
                etag: &part.etag,
                size: part.size,
                modified_ms: part.modified_ms,
                checksum: part.checksum,
            })
            .collect(),
    };
    Ok(answer::document(xml.to_xml(), receipt))
}

/// `part-number-marker`: 0 is before the first part, and nothing is behind the last.
fn marker(request: Request<'_>) -> Result<Option<PartNumber>, S3Error> {
    let Some(text) = request.filled("part-number-marker") else {
        return Ok(None);
    };
    match text.parse::<u32>() {
        Ok(0) => Ok(None),
        Ok(number) => Ok(Some(
            PartNumber::new(number.into()).unwrap_or(PartNumber::MAX),
        )),
        Err(_) => Err(argument("part-number-marker", text)),
    }
}
