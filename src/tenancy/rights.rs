use std::sync::Arc;

use super::error::TenancyError;
use super::service::Tenancy;
use crate::authz::{Caller, Rights, Subject};

impl Tenancy {
    /// What the caller's principal may do now.
    pub async fn rights(&self, caller: &Caller) -> Result<Arc<Rights>, TenancyError> {
        let is_organization = caller.principal().bytes() == caller.org().bytes();
        Ok(Arc::new(if is_organization {
            Rights::ORGANIZATION
        } else {
            Rights {
                subject: Subject::Nobody,
                grants: Vec::new(),
            }
        }))
    }
}
