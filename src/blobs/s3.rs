use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::Method;
use names::BlobId;
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::client::{
    Certificate, ClientOptions, HttpClient, HttpConnector, HttpRequestBody, ReqwestConnector,
};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::signer::{SignedUrlOptions, Signer};
use object_store::{BackoffConfig, RetryConfig};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::object::{Limits, Location};
use super::{BlobError, ObjectBlobs, layout};

/// Where and how to keep blobs in a bucket of an S3 endpoint.
pub struct S3Settings {
    /// `https://host[:port]`, or `http://` for a server in the same trust zone. `None` is AWS.
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// The bucket; it must exist.
    pub bucket: String,
    /// Below which path in the bucket the blobs lie; empty for all of it.
    pub prefix: String,
    /// `endpoint/bucket/key` rather than `bucket.endpoint/key`.
    pub path_style: bool,
    /// `None` takes those of the machine: the instance's or the container's role.
    pub credentials: Option<S3Credentials>,
    /// Certificate authorities (PEM) to trust beside the system's.
    pub ca_certificates_pem: Option<Vec<u8>>,
    /// Bytes of a part, 5 MiB at least; a blob up to this size is one PUT.
    pub part_size_bytes: usize,
    /// Parts of one blob on their way at a time.
    pub parts_in_flight_max: usize,
    /// Bytes of parts that all writers together hold; who finds none left waits.
    pub upload_memory_bytes_max: u64,
    /// To establish a connection.
    pub connect_timeout: Duration,
    /// Without a byte of the answer, from the start of the request. It covers sending a part, so
    /// it must leave time for one; there is none for a body as a whole.
    pub read_timeout: Duration,
    /// How often a failed request is repeated.
    pub retries_max: usize,
    /// After which time a failed request is not repeated.
    pub retry_timeout: Duration,
}

/// An access key pair for the bucket.
pub struct S3Credentials {
    /// The access key's identifier.
    pub access_key_id: String,
    /// The secret; wiped when dropped. The object_store crate keeps a copy of its own.
    pub secret_access_key: Zeroizing<String>,
    /// The token of temporary credentials.
    pub session_token: Option<Zeroizing<String>>,
}

impl S3Settings {
    /// A bucket on AWS, with the machine's credentials and the defaults for everything else.
    pub fn new(bucket: &str) -> Self {
        Self {
            endpoint: None,
            region: "us-east-1".into(),
            bucket: bucket.into(),
            prefix: String::new(),
            path_style: true,
            credentials: None,
            ca_certificates_pem: None,
            part_size_bytes: 8 * 1024 * 1024,
            parts_in_flight_max: 3,
            upload_memory_bytes_max: 64 * 1024 * 1024,
            connect_timeout: Duration::from_secs(5),
            read_timeout: Duration::from_secs(30),
            retries_max: 3,
            retry_timeout: Duration::from_secs(60),
        }
    }

    fn client_options(&self) -> Result<ClientOptions, BlobError> {
        let mut options = ClientOptions::new()
            .with_allow_http(self.is_plain_http())
            .with_timeout_disabled()
            .with_connect_timeout(self.connect_timeout)
            .with_read_timeout(self.read_timeout);
        if let Some(pem) = &self.ca_certificates_pem {
            for certificate in Certificate::from_pem_bundle(pem).map_err(|e| failed(&e))? {
                options = options.with_root_certificate(certificate);
            }
        }
        Ok(options)
    }

    /// Over TLS a payload is not signed: the connection protects it, its CRC guards it against
    /// the store's own mistakes, and SHA-256 would cost more than the sealing. Without TLS the
    /// signature is all the protection there is.
    fn builder(&self) -> Result<AmazonS3Builder, BlobError> {
        let mut builder = AmazonS3Builder::new()
            .with_region(&self.region)
            .with_bucket_name(&self.bucket)
            .with_virtual_hosted_style_request(!self.path_style)
            .with_allow_http(self.is_plain_http())
            .with_client_options(self.client_options()?)
            .with_disable_bulk_delete(true)
            .with_disable_tagging(true)
            .with_retry(RetryConfig {
                backoff: BackoffConfig::default(),
                max_retries: self.retries_max,
                retry_timeout: self.retry_timeout,
            });
        if !self.is_plain_http() {
            builder = builder
                .with_unsigned_payload(true)
                .with_checksum_algorithm(Checksum::CRC64NVME);
        }
        if let Some(endpoint) = &self.endpoint {
            // The crate wants the bucket in the host name already.
            let virtual_host = format!("://{}.", self.bucket);
            builder = builder.with_endpoint(match self.path_style {
                true => endpoint.clone(),
                false => endpoint.replacen("://", &virtual_host, 1),
            });
        }
        if let Some(credentials) = &self.credentials {
            builder = builder
                .with_access_key_id(&credentials.access_key_id)
                .with_secret_access_key(credentials.secret_access_key.as_str());
            if let Some(token) = &credentials.session_token {
                builder = builder.with_token(token.as_str());
            }
        }
        Ok(builder)
    }

    fn is_plain_http(&self) -> bool {
        let endpoint = self.endpoint.as_deref().unwrap_or_default();
        endpoint.starts_with("http://")
    }
}

impl ObjectBlobs {
    /// Blobs in a bucket of an S3 endpoint. Sends nothing yet; see
    /// [`Blobs::check`](super::Blobs::check).
    pub fn s3(settings: &S3Settings) -> Result<Self, BlobError> {
        install_crypto_provider();
        let store = settings.builder()?.build().map_err(|e| failed(&e))?;
        let client = ReqwestConnector::default()
            .connect(&settings.client_options()?)
            .map_err(|e| failed(&e))?;
        let uploads = Uploads {
            store: store.clone(),
            client,
        };
        let limits = Limits {
            part_size: settings.part_size_bytes.max(PART_SIZE_MIN),
            parts_in_flight_max: settings.parts_in_flight_max.max(1),
            memory_max: settings.upload_memory_bytes_max,
        };
        let location = Location::below(&settings.prefix)?;
        Ok(Self::new(Arc::new(store), location, limits, Some(uploads)))
    }
}

/// Makes ring the process's provider of cryptography for TLS. Called again, it does nothing; a
/// TLS client that is made before it panics.
pub fn install_crypto_provider() {
    // The error means that a provider is installed, and ring is the only one that is built.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// The multipart uploads of a bucket that are neither completed nor aborted. The object_store
/// crate cannot list them, so this is one signed request of our own.
pub(super) struct Uploads {
    store: AmazonS3,
    client: HttpClient,
}

impl Uploads {
    /// Aborts the uploads of blobs that were begun before `before`, by the time in their names.
    pub(super) async fn sweep(
        &self,
        location: &Location,
        before: SystemTime,
    ) -> Result<u64, BlobError> {
        let before = before.duration_since(UNIX_EPOCH).unwrap_or_default();
        let mut swept = 0;
        for (blob, upload) in self.list(location).await? {
            if Duration::from_millis(blob.created_ms()) < before {
                self.abort(&upload).await?;
                swept += 1;
            }
        }
        Ok(swept)
    }

    /// All uploads of blobs.
    pub(super) async fn list(
        &self,
        location: &Location,
    ) -> Result<Vec<(BlobId, Upload)>, BlobError> {
        let mut listed = Vec::new();
        let mut marker = Marker::default();
        loop {
            let page = self.page(location, &marker).await?;
            for upload in page.uploads {
                if let Some((_, blob)) = location.parse(&upload.key) {
                    listed.push((blob, upload));
                }
            }
            let next = Marker {
                key: page.next_key_marker,
                upload_id: page.next_upload_id_marker,
            };
            // A server that claims to have more but does not move on is not asked for ever.
            if !page.is_truncated || next == marker {
                return Ok(listed);
            }
            marker = next;
        }
    }

    async fn abort(&self, upload: &Upload) -> Result<(), BlobError> {
        let path = Path::from(upload.key.as_str());
        match self.store.abort_multipart(&path, &upload.upload_id).await {
            // Completed or aborted since we listed it.
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            aborted => aborted.map_err(|e| BlobError::from_object_store("aborting an upload", &e)),
        }
    }

    /// ListMultipartUploads: <https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html>
    async fn page(&self, location: &Location, marker: &Marker) -> Result<Page, BlobError> {
        let prefix = format!("{}/", location.path(layout::ROOT));
        let mut query = vec![("uploads", String::new()), ("prefix", prefix)];
        if !marker.key.is_empty() {
            query.push(("key-marker", marker.key.clone()));
            query.push(("upload-id-marker", marker.upload_id.clone()));
        }
        let options = SignedUrlOptions::new().with_query(query);
        let url = self
            .store
            .signed_url_opts(Method::GET, &Path::default(), SIGNED_FOR, &options)
            .await
            .map_err(|e| BlobError::from_object_store("listing uploads", &e))?;
        let request = http::Request::get(url.as_str())
            .body(HttpRequestBody::empty())
            .map_err(|_| unlisted("the request could not be built"))?;
        // The errors of the client hold the signed URL, so they are told by their kind alone.
        let response = self.client.execute(request).await;
        let response = response.map_err(|e| unlisted(&format!("{:?}", e.kind())))?;
        let status = response.status();
        let body = response.into_body().bytes().await;
        let body = body.map_err(|e| unlisted(&format!("{:?}", e.kind())))?;
        let text = String::from_utf8_lossy(&body);
        if !status.is_success() {
            return Err(unlisted(&format!("{status}: {text}")));
        }
        quick_xml::de::from_str(&text).map_err(|e| unlisted(&e.to_string()))
    }
}

#[derive(Default, PartialEq, Eq)]
struct Marker {
    key: String,
    upload_id: String,
}

/// `ListMultipartUploadsResult`, as far as it is needed.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    next_key_marker: String,
    #[serde(default)]
    next_upload_id_marker: String,
    #[serde(default, rename = "Upload")]
    uploads: Vec<Upload>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Upload {
    key: String,
    upload_id: String,
}

fn unlisted(reason: &str) -> BlobError {
    BlobError::Unavailable(format!("listing uploads: {reason}"))
}

fn failed(error: &object_store::Error) -> BlobError {
    BlobError::from_object_store("setting up the S3 client", error)
}

/// What S3 takes as a part that is not the last.
const PART_SIZE_MIN: usize = 5 * 1024 * 1024;

/// How long the signature of a request of ours is good for.
const SIGNED_FOR: Duration = Duration::from_secs(60);
