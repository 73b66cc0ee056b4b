use std::sync::Arc;

use names::SecretPath;

use super::error::Ended;
use crate::audit::ActivityReader;
use crate::authz::{Action, Permit, Refusal, RevealSecret, authorize};
use crate::drive::Drive;
use crate::http::pipeline::Witness;
use crate::metering::Metering;
use crate::tenancy::Tenancy;
use crate::vault::Vault;

/// What an export is read from, for a caller whose rights are looked at again with every page: who
/// loses them in the middle gets no whole archive.
pub(super) struct Reader {
    pub(super) tenancy: Arc<Tenancy>,
    pub(super) drive: Arc<Drive>,
    pub(super) vault: Arc<Vault>,
    pub(super) metering: Arc<Metering>,
    pub(super) activity: Arc<ActivityReader>,
    pub(super) witness: Witness,
}

impl Reader {
    /// Leave to read something, by the rights that the caller has now.
    pub(super) async fn permit<A: Action>(
        &self,
        resource: A::Resource,
    ) -> Result<Permit<A>, Ended> {
        let caller = self.witness.caller();
        let standing = self.tenancy.standing(caller).await?;
        let rights = self.tenancy.rights(caller).await?;
        Ok(authorize(caller, &rights, standing, resource)?)
    }
    /// Leave to reveal a secret, by the rights that the caller has now and by the secret's own
    /// policy.
    pub(super) async fn may_reveal(
        &self,
        path: SecretPath,
    ) -> Result<Result<Permit<RevealSecret>, Refusal>, Ended> {
        let caller = self.witness.caller();
        let standing = self.tenancy.standing(caller).await?;
        let rights = self.tenancy.rights(caller).await?;
        let secret = self.vault.secret(caller, standing, path).await?;
        Ok(authorize(caller, &rights, standing, secret))
    }
}
