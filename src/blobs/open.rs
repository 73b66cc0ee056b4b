use std::sync::Arc;

use zeroize::Zeroizing;

use super::{BlobError, Blobs, DiskBlobs, ObjectBlobs, S3Credentials, S3Settings};
use crate::config;

/// Opens the store that the settings name. Blocks on a disk, and sends nothing yet to a remote
/// store; see [`Blobs::check`].
pub fn open(settings: &config::Blobs) -> Result<Arc<dyn Blobs>, BlobError> {
    Ok(match settings {
        config::Blobs::Disk { path } => Arc::new(DiskBlobs::open(path)?),
        config::Blobs::Memory => Arc::new(ObjectBlobs::memory()),
        config::Blobs::S3(settings) => Arc::new(ObjectBlobs::s3(&settings.into())?),
    })
}

impl From<&config::S3Blobs> for S3Settings {
    fn from(settings: &config::S3Blobs) -> Self {
        Self {
            endpoint: Some(settings.endpoint.clone()),
            region: settings.region.clone(),
            prefix: settings.prefix.clone(),
            path_style: settings.path_style,
            credentials: Some(S3Credentials {
                access_key_id: settings.access_key_id.clone(),
                secret_access_key: Zeroizing::new(settings.secret_access_key.expose().to_owned()),
                session_token: None,
            }),
            ..Self::new(&settings.bucket)
        }
    }
}
