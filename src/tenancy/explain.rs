use names::PrincipalId;

use super::error::TenancyError;
use super::service::Tenancy;
use crate::authz::{Permit, ReadGrants, Refusal, Resource, Rule, action_named, explain_principal};

impl Tenancy {
    /// Says by which rule a principal of the organization may do the action that policies name so
    /// to a resource, or by which rule not. Nothing is done.
    pub async fn explain(
        &self,
        permit: Permit<ReadGrants>,
        principal: PrincipalId,
        action: &str,
        resource: &dyn Resource,
    ) -> Result<Result<Rule, Refusal>, TenancyError> {
        let action =
            action_named(action).ok_or(TenancyError::Invalid("there is no such action"))?;
        let rights = self.rights_of(permit.org(), principal).await?;
        let standing = self.known_standing(permit.org()).await?;
        Ok(explain_principal(
            principal, &rights, standing, action, resource,
        ))
    }
}
