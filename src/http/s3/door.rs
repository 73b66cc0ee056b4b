use std::sync::Arc;

use http::header::HOST;
use names::BucketName;
use wire::s3::{ErrorCode, Resource, Target};
use wire::sigv4;

use super::document::Documents;
use super::error::S3Error;
use super::request::{Asked, Request, check_fields};
use super::routes::{BucketOperation, ObjectOperation, Operation, Route, ServiceOperation};
use super::{answer, buckets, copy, delete_many, list, objects, parts, unbuilt, uploads};
use crate::authn::{Authn, Signed};
use crate::authz::{Caller, OfObject};
use crate::config;
use crate::drive::Drive;
use crate::http::net::RequestBody;
use crate::http::pipeline::{Answer, Call, Deed, Door, Head, Intent, Read, Refused};

/// The S3 API.
pub struct S3 {
    drive: Arc<Drive>,
    documents: Documents,
    region: String,
    domain: Option<String>,
    /// What comes before the host in an address of ours, or the whole of it up to the path.
    base: Base,
}

enum Base {
    Public(String),
    Scheme(&'static str),
}

impl S3 {
    /// Opens the door to a Drive.
    pub fn new(drive: Arc<Drive>, settings: &config::Api) -> Self {
        Self {
            drive,
            documents: Documents::new(),
            region: settings.region.clone(),
            domain: settings.domain.as_deref().map(str::to_ascii_lowercase),
            base: match (&settings.public_url, &settings.tls_dir) {
                (Some(url), _) => Base::Public(url.clone()),
                (None, Some(_)) => Base::Scheme("https"),
                (None, None) => Base::Scheme("http"),
            },
        }
    }

    pub(super) fn drive(&self) -> &Drive {
        &self.drive
    }

    pub(super) fn documents(&self) -> &Documents {
        &self.documents
    }

    pub(super) fn region(&self) -> &str {
        &self.region
    }

    /// The address that buckets are below, as the request reached it.
    pub(super) fn base_url(&self, head: &Head) -> String {
        match &self.base {
            Base::Public(url) => url.clone(),
            Base::Scheme(scheme) => format!("{scheme}://{}", head.text(HOST).unwrap_or_default()),
        }
    }

    async fn on_service(
        &self,
        request: Request<'_>,
        operation: ServiceOperation,
    ) -> Result<Answer, S3Error> {
        match operation {
            ServiceOperation::ListBuckets => buckets::list(self, request).await,
        }
    }

    async fn on_bucket(
        &self,
        request: Request<'_>,
        operation: BucketOperation,
        bucket: BucketName,
        body: RequestBody,
    ) -> Result<Answer, S3Error> {
        use BucketOperation as Bucket;
        match operation {
            Bucket::CreateBucket => buckets::create(self, request, bucket, body).await,
            Bucket::DeleteBucket => buckets::delete(self, request, bucket).await,
            Bucket::DeleteObjects => delete_many::objects(self, request, bucket, body).await,
            Bucket::GetBucketLocation => buckets::location(self, request, bucket).await,
            Bucket::GetBucketVersioning => buckets::versioning(self, request, bucket).await,
            Bucket::HeadBucket => buckets::head(self, request, bucket).await,
            Bucket::ListMultipartUploads => uploads::list(self, request, bucket).await,
            Bucket::ListObjectVersions => list::versions(self, request, bucket).await,
            Bucket::ListObjects => list::v1(self, request, bucket).await,
            Bucket::ListObjectsV2 => list::v2(self, request, bucket).await,
        }
    }

    async fn on_object(
        &self,
        request: Request<'_>,
        operation: ObjectOperation,
        object: OfObject,
        body: RequestBody,
    ) -> Result<Answer, S3Error> {
        use ObjectOperation as Object;
        match operation {
            Object::AbortMultipartUpload => uploads::abort(self, request, object).await,
            Object::CompleteMultipartUpload => uploads::complete(self, request, object, body).await,
            Object::CopyObject => copy::object(self, request, object).await,
            Object::CreateMultipartUpload => uploads::create(self, request, object).await,
            Object::DeleteObject => objects::delete(self, request, object).await,
            Object::GetObject => objects::get(self, request, object).await,
            Object::HeadObject => objects::head(self, request, object).await,
            Object::ListParts => parts::list(self, request, object).await,
            Object::PutObject => objects::put(self, request, object, body).await,
            Object::UploadPart => parts::upload(self, request, object, body).await,
            Object::UploadPartCopy => copy::part(self, request, object).await,
        }
    }
}

impl Door for S3 {
    type Asked = Asked;
    type Proof = Signed;
    type Error = S3Error;

    async fn authenticate(
        &self,
        authn: &Authn,
        head: &Head,
        _: &mut RequestBody,
    ) -> Result<(Caller, Signed), S3Error> {
        let fields = head.fields();
        let request = sigv4::Request {
            method: head.method().as_str(),
            path: head.path(),
            query: head.query(),
            headers: &fields,
        };
        Ok(authn.sigv4(&request, SERVICE).await?)
    }

    fn read(&self, head: &Head, _: &Signed) -> Result<Read<Asked>, S3Error> {
        check_fields(head.headers())?;
        let domain = self.domain.as_deref();
        let target = Target::parse(head.path(), head.query(), head.text(HOST), domain)?;
        let Target {
            org,
            resource,
            query,
        } = target;
        let route = Route::of(head.method(), &resource, &query, head.headers())
            .ok_or(ErrorCode::MethodNotAllowed)?;
        let deed = Deed {
            operation: route.name,
            action: route.action,
            resource: named(&resource),
            intent: Intent::None,
        };
        let asked = match (route.operation, resource) {
            (Some(Operation::Service(operation)), Resource::Service) => {
                Asked::Service(operation, query)
            }
            (Some(Operation::Bucket(operation)), Resource::Bucket(bucket)) => {
                Asked::Bucket(operation, bucket, query)
            }
            (Some(Operation::Object(operation)), Resource::Object(bucket, key)) => {
                Asked::Object(operation, OfObject { bucket, key }, query)
            }
            _ => Asked::NotBuilt(route.name),
        };
        Ok(Read {
            organization: org,
            deed,
            asked,
        })
    }

    async fn perform(
        &self,
        call: &Call,
        signed: Signed,
        asked: Asked,
        head: Head,
        body: RequestBody,
    ) -> Result<Answer, S3Error> {
        let request = |query| -> Result<Request<'_>, S3Error> {
            let request = Request {
                call,
                signed: &signed,
                head: &head,
                query,
            };
            unbuilt::check(request)?;
            Ok(request)
        };
        match asked {
            Asked::Service(operation, query) => self.on_service(request(&query)?, operation).await,
            Asked::Bucket(operation, bucket, query) => {
                let request = request(&query)?;
                self.on_bucket(request, operation, bucket, body).await
            }
            Asked::Object(operation, object, query) => {
                let request = request(&query)?;
                self.on_object(request, operation, object, body).await
            }
            Asked::NotBuilt(name) => Err(S3Error::not_built(name)),
        }
    }

    fn refuse(&self, request: &Refused<'_>, error: &S3Error) -> Answer {
        answer::refusal(request, error)
    }
}

/// What signatures name.
const SERVICE: &str = "s3";

/// A resource as the activity log names it.
fn named(resource: &Resource) -> String {
    match resource {
        Resource::Service => "*".to_owned(),
        Resource::Bucket(bucket) => bucket.to_string(),
        Resource::Object(bucket, key) => format!("{bucket}/{key}"),
    }
}
