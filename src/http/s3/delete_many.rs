use futures_util::{StreamExt, stream};
use http::StatusCode;
use names::BucketName;
use wire::s3::ErrorCode;
use wire::s3::header::EtagCondition as Etags;
use wire::s3::xml::{Delete, DeleteOutcome, DeleteResult, ObjectToDelete};

use super::answer;
use super::document::Digest;
use super::door::S3;
use super::error::S3Error;
use super::request::{NULL_VERSION, Request};
use crate::audit::Decision;
use crate::authz::{Action, DeleteObject, OfObject, Permit, Receipt, Rule};
use crate::drive::{DeleteConditions, EtagCondition};
use crate::http::net::RequestBody;
use crate::http::pipeline::{Answer, DoorError, Fault};

/// DeleteObjects: up to 1,000, each with a permit, conditions, an outcome and a line in the log of
/// its own.
pub(super) async fn objects(
    s3: &S3,
    request: Request<'_>,
    bucket: BucketName,
    body: RequestBody,
) -> Result<Answer, S3Error> {
    let sent = s3
        .documents()
        .read(request, body, BYTES_MAX, Digest::Required)
        .await?;
    let delete = Delete::parse(sent.bytes())?;
    let mut permits = Vec::with_capacity(delete.objects.len());
    for named in &delete.objects {
        let object = OfObject {
            bucket: bucket.clone(),
            key: named.key.clone(),
        };
        permits.push(request.call.permit::<DeleteObject>(object)?);
    }
    let rules: Vec<_> = permits.iter().map(Permit::rule).collect();
    let mut deletions = Vec::with_capacity(permits.len());
    for (named, permit) in delete.objects.iter().zip(permits) {
        deletions.push(one(s3, request, named, permit));
    }
    // Many at a time, so that the catalog makes them durable together.
    let outcomes: Vec<_> = stream::iter(deletions)
        .buffered(CONCURRENT_MAX)
        .collect()
        .await;
    let mut shown = Vec::with_capacity(outcomes.len());
    for ((named, outcome), rule) in delete.objects.iter().zip(&outcomes).zip(rules) {
        record(request, &bucket, named, rule, outcome.as_ref().err()).await?;
        let version = named.version.as_deref();
        let key = named.key.as_str();
        match outcome {
            // There is no bucket to delete anything of.
            Err(error) if error.code() == ErrorCode::NoSuchBucket => {
                return Err(ErrorCode::NoSuchBucket.into());
            }
            Err(error) => shown.push(DeleteOutcome::Failed {
                key,
                version,
                code: error.code(),
                message: error.message(),
            }),
            Ok(_) if delete.is_quiet => {}
            Ok(_) => shown.push(DeleteOutcome::Deleted {
                key,
                version,
                delete_marker: None,
            }),
        }
    }
    let xml = DeleteResult { outcomes: shown };
    let receipt = Receipt::default();
    Ok(answer::document(xml.to_xml(), receipt))
}

async fn one(
    s3: &S3,
    request: Request<'_>,
    named: &ObjectToDelete,
    permit: Permit<DeleteObject>,
) -> Result<Receipt, S3Error> {
    if named
        .version
        .as_deref()
        .is_some_and(|version| version != NULL_VERSION)
    {
        return Err(S3Error::not_built("Deletion of a version"));
    }
    let conditions = DeleteConditions {
        if_match: named.etag.as_ref().map(|condition| match condition {
            Etags::Any => EtagCondition::Any,
            Etags::OneOf(etags) => EtagCondition::OneOf(etags.clone()),
        }),
        modified: named.modified,
        size: named.size,
    };
    let allowance = request.call.allowance();
    let ((), receipt) = s3.drive().delete(permit, allowance, conditions).await?;
    Ok(receipt)
}

/// Writes down what became of one object.
async fn record(
    request: Request<'_>,
    bucket: &BucketName,
    named: &ObjectToDelete,
    rule: Rule,
    error: Option<&S3Error>,
) -> Result<(), S3Error> {
    let resource = format!("{bucket}/{}", named.key);
    let (action, rule) = (DeleteObject::NAME, Some(rule));
    let status = error
        .map_or(StatusCode::NO_CONTENT, DoorError::status)
        .as_u16();
    match error.map(DoorError::fault) {
        Some(Fault::Damaged(what)) => {
            let what = what.clone();
            let decision = Decision::Damaged { what };
            request
                .call
                .record(action, resource, rule, decision)
                .await?;
        }
        _ => {
            let decision = Decision::Allowed { status };
            request.call.note(action, resource, rule, decision)?;
        }
    }
    Ok(())
}

/// A thousand of the longest keys, escaped, fit.
const BYTES_MAX: usize = 2 << 20;
const CONCURRENT_MAX: usize = 32;
