use super::service::Done;
use super::session::{ATTEMPTS_MAX, Session};
use super::{DeleteConditions, DriveError};
use crate::authz::{Allowance, DeleteObject, Receipt};
use crate::catalog::{Conflict, Expect, Mutation};

impl Session<DeleteObject> {
    pub(super) async fn delete(
        mut self,
        allowance: &Allowance,
        conditions: &DeleteConditions,
    ) -> Done<()> {
        let accounting = self.accounting(allowance)?;
        let name = self.permit.object_bucket().clone();
        let key = self.permit.key().clone();
        let bucket = self.bucket(&name).await?.bucket;
        for _ in 0..ATTEMPTS_MAX {
            let mut expect = Expect::Any;
            if !conditions.is_empty() {
                let Some(current) = self.current(bucket, &key).await? else {
                    return Ok(((), Receipt::default()));
                };
                let row = &current.row;
                conditions.check(current.etag, row.size, row.modified_ms)?;
                expect = Expect::Version(row.version);
            }
            let mutation = Mutation::DeleteVersion {
                bucket,
                key: key.clone(),
                expect,
                accounting,
            };
            match self.commit(mutation).await? {
                Ok(_) => return Ok(((), Receipt::default())),
                // Judged anew by what the other left.
                Err(Conflict::Expectation { .. }) if !conditions.is_empty() => {}
                Err(Conflict::Missing) => {
                    self.shared.buckets.forget(self.org(), &name);
                    return Err(DriveError::NoSuchBucket);
                }
                Err(conflict) => return Err(DriveError::refused(&conflict)),
            }
        }
        Err(DriveError::ConditionalConflict)
    }
}
