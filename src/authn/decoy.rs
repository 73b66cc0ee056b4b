use std::sync::{Arc, PoisonError, RwLock};

use names::{AccessKeyId, OrgId, PrincipalId};
use zeroize::Zeroizing;

use crate::authz::{CredentialKind, Narrowing, Scope};
use crate::catalog::{self, CredentialRow, Unverified};
use crate::entropy::Entropy;
use crate::keyring::{Credential, OrgKeys, Proof, RowRefused};

/// The row of an access key that nobody holds, random per process: what is verified, opened and
/// derived from when a request names an access key that does not exist, so that this takes the
/// work of a wrong signature.
pub(super) struct Decoy {
    entropy: Entropy,
    made: RwLock<Option<(u32, Arc<Unverified<CredentialRow>>)>>,
}

impl Decoy {
    pub(super) fn new(entropy: Entropy) -> Self {
        Self {
            entropy,
            made: RwLock::default(),
        }
    }

    /// The row, under the newest of the platform's keys.
    pub(super) fn row(
        &self,
        platform: &OrgKeys,
    ) -> Result<Arc<Unverified<CredentialRow>>, RowRefused> {
        let version = platform.newest_version();
        let made = self.made.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, row)) = made.as_ref().filter(|(made, _)| *made == version) {
            return Ok(Arc::clone(row));
        }
        drop(made);
        let row = Arc::new(self.fresh(platform)?);
        *self.made.write().unwrap_or_else(PoisonError::into_inner) =
            Some((version, Arc::clone(&row)));
        Ok(row)
    }

    fn fresh(&self, platform: &OrgKeys) -> Result<Unverified<CredentialRow>, RowRefused> {
        let lookup = self.entropy.bytes();
        let unreadable = RowRefused::Unreadable {
            table: "credentials",
        };
        // In lower case, and so never the id of an access key that was given out.
        let id =
            AccessKeyId::parse(&hex::encode(self.entropy.bytes::<10>())).map_err(|_| unreadable)?;
        let secret = Zeroizing::new(hex::encode(self.entropy.bytes::<20>()));
        let credential = Credential::new(
            id,
            Proof::Secret(secret),
            CredentialKind::AccessKey,
            Narrowing::to(Scope::ReadOnly),
        );
        let row = platform.authenticate(CredentialRow {
            lookup,
            org: OrgId::from_bytes(self.entropy.bytes()),
            principal: PrincipalId::from_bytes(self.entropy.bytes()),
            kind: catalog::CredentialKind::AccessKey,
            sealed: credential.seal(platform, &lookup)?,
            created_ms: 0,
            expires_ms: None,
            // Revoked, so that it never proves anything, whatever is presented.
            revoked_ms: Some(0),
            sequence: 1,
        })?;
        Ok(Unverified::new(row.row().clone(), row.tag()))
    }
}
