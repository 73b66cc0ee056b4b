use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};
use wire::s3::{Query, Resource};

use crate::authz::{self, Action};

/// One operation of Amazon's API: how a request for it looks, and what becomes of it.
#[derive(Debug)]
pub struct Route {
    /// Amazon's name of the operation.
    pub name: &'static str,
    /// The method.
    pub method: Method,
    /// What the path names.
    pub level: Level,
    /// What else tells it from the others; all of it must be there.
    pub marks: &'static [Mark],
    /// The action's name in policies, as logs hold it.
    pub action: &'static str,
    /// Who does it; none for what is not built.
    pub operation: Option<Operation>,
}

/// What a path names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The list of buckets.
    Service,
    /// A bucket.
    Bucket,
    /// An object.
    Object,
}

/// What tells a request from others of its method and level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A query parameter of this name.
    Query(&'static str),
    /// A query parameter of this name and value.
    Value(&'static str, &'static str),
    /// A header field of this name.
    Header(&'static str),
    /// A form: `Content-Type: multipart/form-data`.
    Form,
}

/// What is built, by what it is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// To the organization.
    Service(ServiceOperation),
    /// To a bucket.
    Bucket(BucketOperation),
    /// To an object.
    Object(ObjectOperation),
}

/// What is built of the operations on the organization, by Amazon's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "Amazon's names")]
pub enum ServiceOperation {
    ListBuckets,
}

/// What is built of the operations on buckets, by Amazon's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "Amazon's names")]
pub enum BucketOperation {
    CreateBucket,
    DeleteBucket,
    DeleteObjects,
    GetBucketLocation,
    GetBucketVersioning,
    HeadBucket,
    ListMultipartUploads,
    ListObjectVersions,
    ListObjects,
    ListObjectsV2,
}

/// What is built of the operations on objects, by Amazon's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "Amazon's names")]
pub enum ObjectOperation {
    AbortMultipartUpload,
    CompleteMultipartUpload,
    CopyObject,
    CreateMultipartUpload,
    DeleteObject,
    GetObject,
    HeadObject,
    ListParts,
    PutObject,
    UploadPart,
    UploadPartCopy,
}

impl Route {
    /// The route of a request: the first of its method and level whose marks are all there.
    pub fn of(
        method: &Method,
        resource: &Resource,
        query: &Query,
        headers: &HeaderMap,
    ) -> Option<&'static Self> {
        let level = match resource {
            Resource::Service => Level::Service,
            Resource::Bucket(_) => Level::Bucket,
            Resource::Object(..) => Level::Object,
        };
        ROUTES.iter().find(|route| {
            route.level == level
                && route.method == *method
                && route.marks.iter().all(|mark| mark.is_in(query, headers))
        })
    }
}

impl Mark {
    fn is_in(self, query: &Query, headers: &HeaderMap) -> bool {
        match self {
            Self::Query(name) => query.has(name),
            Self::Value(name, value) => query.value(name) == Some(value),
            // Signers move fields into presigned queries; see `Request::amz`.
            Self::Header(name) => headers.contains_key(name) || query.has(name),
            Self::Form => headers
                .get(CONTENT_TYPE)
                .is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/form-data")),
        }
    }
}

macro_rules! routes {
    ($($method:ident $level:ident $name:ident [$($mark:expr),*] $built:ident $action:tt;)*) => {
        &[$(Route {
            name: stringify!($name),
            method: Method::$method,
            level: Level::$level,
            marks: &[$($mark),*],
            action: routes!(@action $built $action),
            operation: routes!(@operation $built $level $name),
        }),*]
    };
    (@action built $action:ident) => { <authz::$action as Action>::NAME };
    (@action absent $action:literal) => { $action };
    (@operation built Service $name:ident) => { Some(Operation::Service(ServiceOperation::$name)) };
    (@operation built Bucket $name:ident) => { Some(Operation::Bucket(BucketOperation::$name)) };
    (@operation built Object $name:ident) => { Some(Operation::Object(ObjectOperation::$name)) };
    (@operation absent $level:ident $name:ident) => { None };
}

use Mark::{Form, Header, Query as Q, Value as V};

/// Every operation of Amazon S3, from which dispatch is made. The first route that fits is taken,
/// so that those with marks stand before those without.
///
/// An object of a bucket without versioning is its null version, and clients that empty a bucket
/// list and delete it as that.
///
/// What is not built answers 501 by name to whoever is authenticated. No client in wide use asks
/// for one of these before it does what it was told, with these exceptions that are worth knowing:
/// `aws s3 cp` between buckets asks for GetObjectTagging of objects above its multipart threshold
/// (`--copy-props metadata-directive` keeps it from that), `s3cmd info` asks for GetBucketAcl and
/// the like, and shows what it got.
pub const ROUTES: &[Route] = routes! {
    GET Service ListBuckets [] built ListBuckets;

    GET Bucket GetBucketLocation [Q("location")] built HeadBucket;
    GET Bucket ListMultipartUploads [Q("uploads")] built ListUploads;
    GET Bucket ListObjectVersions [Q("versions")] built ListObjects;
    GET Bucket GetBucketAbac [Q("abac")] absent "s3:GetBucketAbac";
    GET Bucket GetBucketAccelerateConfiguration [Q("accelerate")] absent "s3:GetAccelerateConfiguration";
    GET Bucket GetBucketAcl [Q("acl")] absent "s3:GetBucketAcl";
    GET Bucket GetBucketAnalyticsConfiguration [Q("analytics"), Q("id")] absent "s3:GetAnalyticsConfiguration";
    GET Bucket ListBucketAnalyticsConfigurations [Q("analytics")] absent "s3:GetAnalyticsConfiguration";
    GET Bucket GetBucketCors [Q("cors")] absent "s3:GetBucketCORS";
    GET Bucket GetBucketEncryption [Q("encryption")] absent "s3:GetEncryptionConfiguration";
    GET Bucket GetBucketIntelligentTieringConfiguration [Q("intelligent-tiering"), Q("id")] absent "s3:GetIntelligentTieringConfiguration";
    GET Bucket ListBucketIntelligentTieringConfigurations [Q("intelligent-tiering")] absent "s3:GetIntelligentTieringConfiguration";
    GET Bucket GetBucketInventoryConfiguration [Q("inventory"), Q("id")] absent "s3:GetInventoryConfiguration";
    GET Bucket ListBucketInventoryConfigurations [Q("inventory")] absent "s3:GetInventoryConfiguration";
    GET Bucket GetBucketLifecycleConfiguration [Q("lifecycle")] absent "s3:GetLifecycleConfiguration";
    GET Bucket GetBucketLogging [Q("logging")] absent "s3:GetBucketLogging";
    GET Bucket GetBucketMetadataConfiguration [Q("metadataConfiguration")] absent "s3:GetBucketMetadataTableConfiguration";
    GET Bucket GetBucketMetadataTableConfiguration [Q("metadataTable")] absent "s3:GetBucketMetadataTableConfiguration";
    GET Bucket GetBucketMetricsConfiguration [Q("metrics"), Q("id")] absent "s3:GetMetricsConfiguration";
    GET Bucket ListBucketMetricsConfigurations [Q("metrics")] absent "s3:GetMetricsConfiguration";
    GET Bucket GetBucketNotificationConfiguration [Q("notification")] absent "s3:GetBucketNotification";
    GET Bucket GetBucketOwnershipControls [Q("ownershipControls")] absent "s3:GetBucketOwnershipControls";
    GET Bucket GetBucketPolicy [Q("policy")] absent "s3:GetBucketPolicy";
    GET Bucket GetBucketPolicyStatus [Q("policyStatus")] absent "s3:GetBucketPolicyStatus";
    GET Bucket GetBucketReplication [Q("replication")] absent "s3:GetReplicationConfiguration";
    GET Bucket GetBucketRequestPayment [Q("requestPayment")] absent "s3:GetBucketRequestPayment";
    GET Bucket GetBucketTagging [Q("tagging")] absent "s3:GetBucketTagging";
    GET Bucket GetBucketVersioning [Q("versioning")] built HeadBucket;
    GET Bucket GetBucketWebsite [Q("website")] absent "s3:GetBucketWebsite";
    GET Bucket GetObjectLockConfiguration [Q("object-lock")] absent "s3:GetBucketObjectLockConfiguration";
    GET Bucket GetPublicAccessBlock [Q("publicAccessBlock")] absent "s3:GetBucketPublicAccessBlock";
    GET Bucket CreateSession [Q("session")] absent "s3express:CreateSession";
    GET Bucket ListObjectsV2 [V("list-type", "2")] built ListObjects;
    GET Bucket ListObjects [] built ListObjects;

    HEAD Bucket HeadBucket [] built HeadBucket;

    PUT Bucket PutBucketAbac [Q("abac")] absent "s3:PutBucketAbac";
    PUT Bucket PutBucketAccelerateConfiguration [Q("accelerate")] absent "s3:PutAccelerateConfiguration";
    PUT Bucket PutBucketAcl [Q("acl")] absent "s3:PutBucketAcl";
    PUT Bucket PutBucketAnalyticsConfiguration [Q("analytics")] absent "s3:PutAnalyticsConfiguration";
    PUT Bucket PutBucketCors [Q("cors")] absent "s3:PutBucketCORS";
    PUT Bucket PutBucketEncryption [Q("encryption")] absent "s3:PutEncryptionConfiguration";
    PUT Bucket PutBucketIntelligentTieringConfiguration [Q("intelligent-tiering")] absent "s3:PutIntelligentTieringConfiguration";
    PUT Bucket PutBucketInventoryConfiguration [Q("inventory")] absent "s3:PutInventoryConfiguration";
    PUT Bucket PutBucketLifecycleConfiguration [Q("lifecycle")] absent "s3:PutLifecycleConfiguration";
    PUT Bucket PutBucketLogging [Q("logging")] absent "s3:PutBucketLogging";
    PUT Bucket UpdateBucketMetadataAnnotationTableConfiguration [Q("metadataAnnotationTable")] absent "s3:UpdateBucketMetadataAnnotationTableConfiguration";
    PUT Bucket UpdateBucketMetadataInventoryTableConfiguration [Q("metadataInventoryTable")] absent "s3:UpdateBucketMetadataInventoryTableConfiguration";
    PUT Bucket UpdateBucketMetadataJournalTableConfiguration [Q("metadataJournalTable")] absent "s3:UpdateBucketMetadataJournalTableConfiguration";
    PUT Bucket PutBucketMetricsConfiguration [Q("metrics")] absent "s3:PutMetricsConfiguration";
    PUT Bucket PutBucketNotificationConfiguration [Q("notification")] absent "s3:PutBucketNotification";
    PUT Bucket PutBucketOwnershipControls [Q("ownershipControls")] absent "s3:PutBucketOwnershipControls";
    PUT Bucket PutBucketPolicy [Q("policy")] absent "s3:PutBucketPolicy";
    PUT Bucket PutBucketReplication [Q("replication")] absent "s3:PutReplicationConfiguration";
    PUT Bucket PutBucketRequestPayment [Q("requestPayment")] absent "s3:PutBucketRequestPayment";
    PUT Bucket PutBucketTagging [Q("tagging")] absent "s3:PutBucketTagging";
    PUT Bucket PutBucketVersioning [Q("versioning")] absent "s3:PutBucketVersioning";
    PUT Bucket PutBucketWebsite [Q("website")] absent "s3:PutBucketWebsite";
    PUT Bucket PutObjectLockConfiguration [Q("object-lock")] absent "s3:PutBucketObjectLockConfiguration";
    PUT Bucket PutPublicAccessBlock [Q("publicAccessBlock")] absent "s3:PutBucketPublicAccessBlock";
    PUT Bucket CreateBucket [] built CreateBucket;

    POST Bucket DeleteObjects [Q("delete")] built DeleteObject;
    POST Bucket CreateBucketMetadataConfiguration [Q("metadataConfiguration")] absent "s3:CreateBucketMetadataTableConfiguration";
    POST Bucket CreateBucketMetadataTableConfiguration [Q("metadataTable")] absent "s3:CreateBucketMetadataTableConfiguration";
    POST Bucket PostObject [Form] absent "s3:PutObject";

    DELETE Bucket DeleteBucketAnalyticsConfiguration [Q("analytics")] absent "s3:PutAnalyticsConfiguration";
    DELETE Bucket DeleteBucketCors [Q("cors")] absent "s3:PutBucketCORS";
    DELETE Bucket DeleteBucketEncryption [Q("encryption")] absent "s3:PutEncryptionConfiguration";
    DELETE Bucket DeleteBucketIntelligentTieringConfiguration [Q("intelligent-tiering")] absent "s3:PutIntelligentTieringConfiguration";
    DELETE Bucket DeleteBucketInventoryConfiguration [Q("inventory")] absent "s3:PutInventoryConfiguration";
    DELETE Bucket DeleteBucketLifecycle [Q("lifecycle")] absent "s3:PutLifecycleConfiguration";
    DELETE Bucket DeleteBucketMetadataConfiguration [Q("metadataConfiguration")] absent "s3:DeleteBucketMetadataTableConfiguration";
    DELETE Bucket DeleteBucketMetadataTableConfiguration [Q("metadataTable")] absent "s3:DeleteBucketMetadataTableConfiguration";
    DELETE Bucket DeleteBucketMetricsConfiguration [Q("metrics")] absent "s3:PutMetricsConfiguration";
    DELETE Bucket DeleteBucketOwnershipControls [Q("ownershipControls")] absent "s3:PutBucketOwnershipControls";
    DELETE Bucket DeleteBucketPolicy [Q("policy")] absent "s3:DeleteBucketPolicy";
    DELETE Bucket DeleteBucketReplication [Q("replication")] absent "s3:PutReplicationConfiguration";
    DELETE Bucket DeleteBucketTagging [Q("tagging")] absent "s3:PutBucketTagging";
    DELETE Bucket DeleteBucketWebsite [Q("website")] absent "s3:DeleteBucketWebsite";
    DELETE Bucket DeletePublicAccessBlock [Q("publicAccessBlock")] absent "s3:PutBucketPublicAccessBlock";
    DELETE Bucket DeleteBucket [] built DeleteBucket;

    GET Object GetObjectAcl [Q("acl")] absent "s3:GetObjectAcl";
    GET Object GetObjectAnnotation [Q("annotation"), Q("annotationName")] absent "s3:GetObjectAnnotation";
    GET Object ListObjectAnnotations [Q("annotation")] absent "s3:ListObjectAnnotations";
    GET Object GetObjectAttributes [Q("attributes")] absent "s3:GetObjectAttributes";
    GET Object GetObjectLegalHold [Q("legal-hold")] absent "s3:GetObjectLegalHold";
    GET Object GetObjectRetention [Q("retention")] absent "s3:GetObjectRetention";
    GET Object GetObjectTagging [Q("tagging")] absent "s3:GetObjectTagging";
    GET Object GetObjectTorrent [Q("torrent")] absent "s3:GetObjectTorrent";
    GET Object ListParts [Q("uploadId")] built ListParts;
    GET Object GetObject [V("versionId", "null")] built GetObject;
    GET Object GetObjectVersion [Q("versionId")] absent "s3:GetObjectVersion";
    GET Object GetObject [] built GetObject;

    HEAD Object HeadObject [V("versionId", "null")] built GetObject;
    HEAD Object HeadObjectVersion [Q("versionId")] absent "s3:GetObjectVersion";
    HEAD Object HeadObject [] built GetObject;

    PUT Object PutObjectAcl [Q("acl")] absent "s3:PutObjectAcl";
    PUT Object PutObjectAnnotation [Q("annotation")] absent "s3:PutObjectAnnotation";
    PUT Object UpdateObjectEncryption [Q("encryption")] absent "s3:UpdateObjectEncryption";
    PUT Object PutObjectLegalHold [Q("legal-hold")] absent "s3:PutObjectLegalHold";
    PUT Object RenameObject [Q("renameObject")] absent "s3:RenameObject";
    PUT Object PutObjectRetention [Q("retention")] absent "s3:PutObjectRetention";
    PUT Object PutObjectTagging [Q("tagging")] absent "s3:PutObjectTagging";
    PUT Object UploadPartCopy [Q("uploadId"), Header("x-amz-copy-source")] built PutPart;
    PUT Object UploadPartCopy [Q("partNumber"), Header("x-amz-copy-source")] built PutPart;
    PUT Object UploadPart [Q("uploadId")] built PutPart;
    PUT Object UploadPart [Q("partNumber")] built PutPart;
    PUT Object AppendObject [Header("x-amz-write-offset-bytes")] absent "s3:PutObject";
    PUT Object CopyObject [Header("x-amz-copy-source")] built PutObject;
    PUT Object PutObject [] built PutObject;

    POST Object CreateMultipartUpload [Q("uploads")] built CreateUpload;
    POST Object CompleteMultipartUpload [Q("uploadId")] built CompleteUpload;
    POST Object RestoreObject [Q("restore")] absent "s3:RestoreObject";
    POST Object SelectObjectContent [Q("select")] absent "s3:GetObject";

    DELETE Object DeleteObjectAnnotation [Q("annotation")] absent "s3:DeleteObjectAnnotation";
    DELETE Object DeleteObjectTagging [Q("tagging")] absent "s3:DeleteObjectTagging";
    DELETE Object AbortMultipartUpload [Q("uploadId")] built AbortUpload;
    DELETE Object DeleteObject [V("versionId", "null")] built DeleteObject;
    DELETE Object DeleteObjectVersion [Q("versionId")] absent "s3:DeleteObjectVersion";
    DELETE Object DeleteObject [] built DeleteObject;
};
