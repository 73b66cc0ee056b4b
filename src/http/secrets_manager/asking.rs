use wire::secrets_manager::{Arn, NamedAnswer, SecretId};

use super::door::SecretsManager;
use super::error::SecretsError;
use crate::authz::{Action, OfSecret, Permit};
use crate::http::pipeline::Call;
use crate::vault::{Description, Vault, VaultError};

/// A request under way, as the operations see it.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) door: &'a SecretsManager,
    pub(super) call: &'a Call,
}

impl<'a> Asking<'a> {
    /// The secrets.
    pub(super) fn vault(&self) -> &'a Vault {
        self.door.vault()
    }

    /// Leave to do something to the secret that is named.
    ///
    /// A name is a path. An ARN has to name our region, the caller's own organization, and one of
    /// its secrets: whatever else it names is not there, after the same reads.
    pub(super) async fn permit<A>(&self, id: &SecretId) -> Result<Permit<A>, SecretsError>
    where
        A: Action<Resource = OfSecret>,
    {
        let arn = match id {
            SecretId::Name(path) => {
                let path = path.clone();
                return self.call.permit_secret(self.vault(), path).await;
            }
            SecretId::Arn(arn) => arn,
        };
        let is_ours = self.is_ours(arn);
        let mut refusal = None;
        for (path, suffix) in arn.meanings() {
            let path = path.clone();
            let secret = self.call.secret(self.vault(), path).await?;
            let permit = match self.call.permit::<A>(secret) {
                Ok(permit) => permit,
                Err(refused) => {
                    refusal.get_or_insert(refused);
                    continue;
                }
            };
            if self.vault().is_there(&permit, suffix).await? && is_ours {
                self.call.made(permit.resource().to_string());
                return Ok(permit);
            }
        }
        Err(match refusal {
            Some(refusal) => refusal.into(),
            None => VaultError::NoSuchSecret.into(),
        })
    }

    /// Whether an ARN is of a secret that the caller's organization may have.
    pub(super) fn is_ours(&self, arn: &Arn) -> bool {
        arn.is_in(self.door.region(), &self.account())
    }

    /// A secret by its two names.
    pub(super) fn named(&self, secret: &Description) -> NamedAnswer {
        let region = self.door.region();
        NamedAnswer {
            arn: Arn::of(region, &self.account(), &secret.path, &secret.suffix),
            name: secret.path.to_string(),
        }
    }

    /// What stands for the caller's organization where Amazon shows an account.
    pub(super) fn account(&self) -> String {
        self.call.caller().org().account_number()
    }
}
