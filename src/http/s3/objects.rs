use futures_util::stream;
use http::header::{CONTENT_LENGTH, CONTENT_RANGE, ETAG};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use wire::s3::ErrorCode;
use wire::s3::date::HttpDate;

use super::answer;
use super::body::{self, ChecksumDefault};
use super::door::S3;
use super::error::S3Error;
use super::fields::{
    self, delete_conditions, etag_condition, object_headers, put as put_field, quoted,
    write_conditions,
};
use super::request::Request;
use crate::authz::{self, OfObject};
use crate::drive::{
    DriveError, ObjectReader, PutRequest, ReadConditions, ReadRequest, Selection, Written,
};
use crate::http::net::RequestBody;
use crate::http::pipeline::{Answer, Content, DoorError, Pieces};

/// GetObject.
pub(super) async fn get(
    s3: &S3,
    request: Request<'_>,
    object: OfObject,
) -> Result<Answer, S3Error> {
    let permit = || request.call.permit::<authz::GetObject>(object.clone());
    let Reads { first, otherwise } = Reads::of(request)?;
    let found = match (s3.drive().get(permit()?, first).await, otherwise) {
        (Err(DriveError::PreconditionFailed { .. }), Some(whole)) => {
            s3.drive().get(permit()?, whole).await
        }
        (found, _) => found,
    };
    let ((selection, reader), receipt) = found?;
    let content = Content::Stream {
        length: reader.length(),
        pieces: pieces(reader),
    };
    Ok(Answer {
        head: describe(request, &selection)?,
        content,
        receipt,
    })
}

/// HeadObject: the same without the bytes.
pub(super) async fn head(
    s3: &S3,
    request: Request<'_>,
    object: OfObject,
) -> Result<Answer, S3Error> {
    let permit = || request.call.permit::<authz::GetObject>(object.clone());
    let Reads { first, otherwise } = Reads::of(request)?;
    let found = match (s3.drive().head(permit()?, first).await, otherwise) {
        (Err(DriveError::PreconditionFailed { .. }), Some(whole)) => {
            s3.drive().head(permit()?, whole).await
        }
        (found, _) => found,
    };
    let (selection, receipt) = found?;
    Ok(Answer {
        head: describe(request, &selection)?,
        content: Content::Empty,
        receipt,
    })
}

/// PutObject.
pub(super) async fn put(
    s3: &S3,
    request: Request<'_>,
    object: OfObject,
    body: RequestBody,
) -> Result<Answer, S3Error> {
    let permit = request.call.permit::<authz::PutObject>(object)?;
    let allowance = request.call.allowance();
    let put = PutRequest {
        headers: object_headers(request)?,
        conditions: write_conditions(request),
    };
    let incoming = body::incoming(request, body, ChecksumDefault::Crc64Nvme)?;
    let (written, receipt) = s3.drive().put(permit, allowance, put, incoming).await?;
    let mut answer = answer::done(receipt);
    write_written(&mut answer, &written);
    Ok(answer)
}

/// DeleteObject: what is not there is deleted as well.
pub(super) async fn delete(
    s3: &S3,
    request: Request<'_>,
    object: OfObject,
) -> Result<Answer, S3Error> {
    let permit = request.call.permit::<authz::DeleteObject>(object)?;
    let allowance = request.call.allowance();
    let conditions = delete_conditions(request)?;
    let ((), receipt) = s3.drive().delete(permit, allowance, conditions).await?;
    Ok(answer::gone(receipt))
}

/// What an answer says of an object that was written.
pub(super) fn write_written(answer: &mut Answer, written: &Written) {
    let fields = answer.head.headers_mut();
    put_field(fields, ETAG, &quoted(&written.etag));
    if let Some(checksum) = &written.checksum {
        fields::write_checksum(fields, checksum, written.etag.parts);
    }
    fields::write_encryption(fields);
}

/// What to read.
struct Reads {
    first: ReadRequest,
    /// What to read where the condition of the first does not hold.
    otherwise: Option<ReadRequest>,
}

impl Reads {
    /// The range, part and conditions that the request names.
    ///
    /// `If-Range` is asked as a condition of its own: where it does not hold, the range is dropped
    /// and the whole object answered (RFC 9110, 13.1.5). Beside other conditions, which must not
    /// be dropped, the range is, as it may always be.
    fn of(request: Request<'_>) -> Result<Self, S3Error> {
        let whole = ReadRequest {
            range: None,
            part: request.part()?,
            conditions: fields::read_conditions(request, ""),
        };
        let range = fields::range(request);
        if range.is_some() && whole.part.is_some() {
            return Err(S3Error::new(
                ErrorCode::InvalidRequest,
                "Cannot specify both Range header and partNumber query parameter",
            ));
        }
        let ranged = ReadRequest {
            range,
            ..whole.clone()
        };
        let Some(if_range) = request.field("if-range").filter(|_| range.is_some()) else {
            return Ok(Self {
                first: ranged,
                otherwise: None,
            });
        };
        if whole.conditions != ReadConditions::default() {
            return Ok(Self {
                first: whole,
                otherwise: None,
            });
        }
        let mut conditions = ReadConditions::default();
        match HttpDate::parse(if_range) {
            Some(date) => conditions.if_unmodified_since = Some(date.0),
            None => conditions.if_match = Some(etag_condition(if_range)),
        }
        Ok(Self {
            first: ReadRequest {
                conditions,
                ..ranged
            },
            otherwise: Some(whole),
        })
    }
}

/// The head of an answer that shows an object or some of it.
fn describe(request: Request<'_>, selection: &Selection) -> Result<Response<()>, S3Error> {
    let mut head = Response::new(());
    let Selection {
        info,
        range,
        is_partial,
        part_checksum,
    } = selection;
    let length = range.end - range.start;
    if *is_partial && length > 0 {
        *head.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    let fields = head.headers_mut();
    fields::write_object(fields, info);
    fields::write_overrides(fields, request)?;
    fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
    if *is_partial && length > 0 {
        let (first, last) = (range.start, range.end - 1);
        let text = format!("bytes {first}-{last}/{}", info.size);
        put_field(fields, CONTENT_RANGE, &text);
    }
    let of_part = request.parameter("partNumber").is_some();
    if of_part && info.parts > 0 {
        fields.insert(PARTS_COUNT, HeaderValue::from(info.parts));
    }
    let wants_checksum = request
        .amz("x-amz-checksum-mode")
        .is_some_and(|mode| mode.eq_ignore_ascii_case("ENABLED"));
    // Never on a range: a client would compare it with the bytes that it got.
    match (part_checksum, &info.checksum) {
        _ if !wants_checksum => {}
        (Some(checksum), _) => {
            fields::write_part_checksum(fields, checksum, &checksum.to_string());
        }
        (None, Some(checksum)) if length == info.size && request.field("range").is_none() => {
            fields::write_checksum(fields, checksum, info.parts);
        }
        _ => {}
    }
    Ok(head)
}

fn pieces(reader: ObjectReader) -> Pieces {
    Box::pin(stream::unfold(Some(reader), |reader| async {
        let mut reader = reader?;
        match reader.next().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(reader))),
            Ok(None) => None,
            Err(error) => Some((Err(S3Error::from(error).fault().clone()), None)),
        }
    }))
}

const PARTS_COUNT: HeaderName = HeaderName::from_static("x-amz-mp-parts-count");
