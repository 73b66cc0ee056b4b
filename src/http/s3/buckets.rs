use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderName;
use http::header::LOCATION;
use names::BucketName;
use wire::s3::ErrorCode;
use wire::s3::xml::{
    BucketEntry, CreateBucketConfiguration, Element, ListAllMyBucketsResult, LocationConstraint,
    VersioningConfiguration,
};

use super::answer;
use super::document::{Digest, Document};
use super::door::S3;
use super::error::S3Error;
use super::fields::put;
use super::owner::Owner;
use super::request::{Request, argument};
use crate::authz::{self, InBucket, InOrganization, Receipt};
use crate::http::net::RequestBody;
use crate::http::pipeline::Answer;

/// ListBuckets: the organization's own, in the order of their names.
pub(super) async fn list(s3: &S3, request: Request<'_>) -> Result<Answer, S3Error> {
    let prefix = request.filled("prefix");
    let max = request.page_max("max-buckets", BUCKETS_MAX)?;
    if max == 0 {
        return Err(argument("max-buckets", "0"));
    }
    let after = request
        .filled("continuation-token")
        .map(after_token)
        .transpose()?;
    let permit = request.call.permit::<authz::ListBuckets>(InOrganization)?;
    let elsewhere = request
        .filled("bucket-region")
        .is_some_and(|region| region != s3.region());
    let ((buckets, is_truncated), receipt) = s3
        .drive()
        .list_buckets(permit, prefix.unwrap_or_default(), after.as_deref(), max)
        .await?;
    let shown = if elsewhere { &[][..] } else { &buckets[..] };
    let last = shown.last().filter(|_| is_truncated);
    let token = last.map(|bucket| URL_SAFE_NO_PAD.encode(bucket.name.as_str()));
    let is_paged = request.parameter("max-buckets").is_some();
    let owner = Owner::of(request.call.caller());
    let xml = ListAllMyBucketsResult {
        buckets: shown
            .iter()
            .map(|bucket| BucketEntry {
                name: bucket.name.as_str(),
                created_ms: bucket.created_ms,
                region: is_paged.then(|| s3.region()),
            })
            .collect(),
        owner: owner.shown(),
        continuation_token: token.as_deref(),
        prefix,
    };
    Ok(answer::document(xml.to_xml(), receipt))
}

/// CreateBucket.
pub(super) async fn create(
    s3: &S3,
    request: Request<'_>,
    bucket: BucketName,
    body: RequestBody,
) -> Result<Answer, S3Error> {
    let path = format!("/{bucket}");
    let permit = request
        .call
        .permit::<authz::CreateBucket>(InBucket { bucket })?;
    let sent = s3
        .documents()
        .read(request, body, CONFIGURATION_BYTES_MAX, Digest::IfSent)
        .await?;
    check_configuration(s3, &sent)?;
    let (_, receipt) = s3.drive().create_bucket(permit).await?;
    let mut answer = answer::done(receipt);
    put(answer.head.headers_mut(), LOCATION, &path);
    Ok(answer)
}

/// HeadBucket.
pub(super) async fn head(
    s3: &S3,
    request: Request<'_>,
    bucket: BucketName,
) -> Result<Answer, S3Error> {
    let receipt = look_at(s3, request, bucket).await?;
    let mut answer = answer::done(receipt);
    put(answer.head.headers_mut(), BUCKET_REGION, s3.region());
    Ok(answer)
}

/// GetBucketLocation.
pub(super) async fn location(
    s3: &S3,
    request: Request<'_>,
    bucket: BucketName,
) -> Result<Answer, S3Error> {
    let receipt = look_at(s3, request, bucket).await?;
    let region = s3.region();
    Ok(answer::document(
        LocationConstraint { region }.to_xml(),
        receipt,
    ))
}

/// GetBucketVersioning: no bucket has ever had it.
pub(super) async fn versioning(
    s3: &S3,
    request: Request<'_>,
    bucket: BucketName,
) -> Result<Answer, S3Error> {
    let receipt = look_at(s3, request, bucket).await?;
    Ok(answer::document(VersioningConfiguration.to_xml(), receipt))
}

/// DeleteBucket.
pub(super) async fn delete(
    s3: &S3,
    request: Request<'_>,
    bucket: BucketName,
) -> Result<Answer, S3Error> {
    let permit = request
        .call
        .permit::<authz::DeleteBucket>(InBucket { bucket })?;
    let ((), receipt) = s3.drive().delete_bucket(permit).await?;
    Ok(answer::gone(receipt))
}

/// Sees that the bucket is there, for whoever may.
async fn look_at(s3: &S3, request: Request<'_>, bucket: BucketName) -> Result<Receipt, S3Error> {
    let permit = request
        .call
        .permit::<authz::HeadBucket>(InBucket { bucket })?;
    let (_, receipt) = s3.drive().head_bucket(permit).await?;
    Ok(receipt)
}

/// A bucket is where this server is, and has no tags.
fn check_configuration(s3: &S3, sent: &Document) -> Result<(), S3Error> {
    let configuration = CreateBucketConfiguration::parse(sent.bytes())?;
    if let Some(location) = configuration.location
        && location != s3.region()
        && !(location == "EU" && s3.region() == "eu-west-1")
    {
        let error = S3Error::from(ErrorCode::InvalidLocationConstraint);
        return Err(error.with("LocationConstraint", location));
    }
    if !sent.bytes().is_empty() {
        let root = Element::document(sent.bytes(), "CreateBucketConfiguration")?;
        if root.children("Tags").next().is_some() {
            return Err(S3Error::not_built("Tagging"));
        }
    }
    Ok(())
}

/// A token says after which bucket to go on. It holds a name that its receiver was shown.
fn after_token(token: &str) -> Result<String, S3Error> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .ok_or_else(|| argument("continuation-token", token))
}

/// As Amazon bounds a page, also of who asks for none.
const BUCKETS_MAX: u32 = 10_000;
const CONFIGURATION_BYTES_MAX: usize = 64 << 10;
const BUCKET_REGION: HeaderName = HeaderName::from_static("x-amz-bucket-region");
