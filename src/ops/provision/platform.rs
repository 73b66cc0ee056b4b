use std::path::Path;

use names::OrgId;

use super::error::ProvisionError;
use crate::catalog::PlatformCatalog;
use crate::entropy::Entropy;
use crate::keyring::{Keyring, RootFile};

/// Opens the root key file, or makes it beside a catalog that holds no keys yet.
pub async fn root_file(
    path: &Path,
    catalog: &PlatformCatalog,
    entropy: &Entropy,
) -> Result<RootFile, ProvisionError> {
    match RootFile::open(path) {
        Err(error) if error.is_missing() => {}
        opened => return Ok(opened?),
    }
    let is_empty = catalog.org_keys(OrgId::PLATFORM).await?.is_empty()
        && catalog.organizations(None, 1).await?.is_empty();
    if !is_empty {
        // Unless another process made the file and the keys since it was looked for.
        return match RootFile::open(path) {
            Err(error) if error.is_missing() => Err(ProvisionError::RootMissing {
                path: path.to_owned(),
            }),
            opened => Ok(opened?),
        };
    }
    match RootFile::create(path, entropy) {
        Err(error) if error.is_taken() => Ok(RootFile::open(path)?),
        created => Ok(created?),
    }
}

/// Makes the platform's key and name key, unless there are.
pub async fn platform(keyring: &Keyring) -> Result<(), ProvisionError> {
    keyring.provision_platform().await?;
    Ok(keyring.provision_platform_names().await?)
}
