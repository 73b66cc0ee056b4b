use http::StatusCode;
use wire::s3::header::copy_source_range;
use wire::s3::xml::{CopyObjectResult, CopyPartResult};

use super::answer;
use super::door::S3;
use super::error::S3Error;
use super::fields::{
    checksum_algorithm, copy_source, object_headers, read_conditions, shown_checksum,
    write_conditions, write_encryption,
};
use super::request::{Request, argument, missing};
use crate::audit::Decision;
use crate::authz::{self, Action, GetObject, OfObject, Permit, Rule};
use crate::drive::{CopyRequest, RangeRequest};
use crate::http::pipeline::Answer;

/// CopyObject: inside the organization, as a permit for another's source does not exist.
pub(super) async fn object(
    s3: &S3,
    request: Request<'_>,
    object: OfObject,
) -> Result<Answer, S3Error> {
    let source = Source::of(request)?;
    let permit = request.call.permit::<authz::PutObject>(object)?;
    let allowance = request.call.allowance();
    let headers = match request.amz("x-amz-metadata-directive") {
        None | Some("COPY") => None,
        Some("REPLACE") => Some(object_headers(request)?),
        Some(other) => return Err(argument("x-amz-metadata-directive", other)),
    };
    let copy = CopyRequest {
        headers,
        checksum: checksum_algorithm(request)?,
        source: read_conditions(request, COPY_SOURCE),
        conditions: write_conditions(request),
    };
    let (written, receipt) = s3
        .drive()
        .copy(source.permit, permit, allowance, copy)
        .await?;
    note_read(request, source.name, source.rule)?;
    let shown = written
        .checksum
        .map(|checksum| shown_checksum(&checksum, written.etag.parts));
    let checksum = written.checksum.zip(shown.as_ref());
    let xml = CopyObjectResult {
        etag: &written.etag,
        modified_ms: written.modified_ms,
        checksum: checksum
            .map(|(stored, shown)| (stored.checksum.algorithm(), shown as _, stored.kind)),
    };
    let mut answer = answer::document(xml.to_xml(), receipt);
    write_encryption(answer.head.headers_mut());
    Ok(answer)
}

/// UploadPartCopy.
pub(super) async fn part(
    s3: &S3,
    request: Request<'_>,
    object: OfObject,
) -> Result<Answer, S3Error> {
    let upload = request.upload()?;
    let part = request.part()?.ok_or_else(|| missing("partNumber"))?;
    let source = Source::of(request)?;
    let permit = request.call.permit::<authz::PutPart>(object)?;
    let allowance = request.call.allowance();
    let range = request
        .amz("x-amz-copy-source-range")
        .map(copy_source_range)
        .transpose()?
        .map(|(first, last)| RangeRequest::Between(first, last));
    let conditions = read_conditions(request, COPY_SOURCE);
    let (info, receipt) = s3
        .drive()
        .copy_part(
            source.permit,
            permit,
            allowance,
            upload,
            part,
            range,
            conditions,
        )
        .await?;
    note_read(request, source.name, source.rule)?;
    let xml = CopyPartResult {
        etag: &info.etag,
        modified_ms: info.modified_ms,
        checksum: info.checksum,
    };
    let mut answer = answer::document(xml.to_xml(), receipt);
    write_encryption(answer.head.headers_mut());
    Ok(answer)
}

/// What is copied, and the permit to read it.
struct Source {
    permit: Permit<GetObject>,
    rule: Rule,
    name: String,
}

impl Source {
    fn of(request: Request<'_>) -> Result<Self, S3Error> {
        let source = copy_source(request)?;
        let object = OfObject {
            bucket: source.bucket,
            key: source.key,
        };
        let name = object.to_string();
        let permit = request.call.permit::<GetObject>(object)?;
        Ok(Self {
            rule: permit.rule(),
            permit,
            name,
        })
    }
}

/// A copy reads, and a read is in the log.
fn note_read(request: Request<'_>, source: String, rule: Rule) -> Result<(), S3Error> {
    let status = StatusCode::OK.as_u16();
    let decision = Decision::Allowed { status };
    let action = GetObject::NAME;
    Ok(request.call.note(action, source, Some(rule), decision)?)
}

const COPY_SOURCE: &str = "x-amz-copy-source-";
