use std::marker::PhantomData;

use names::{BucketName, KeyPrefix, ObjectKey, OrgId, PrincipalId};

use super::action::{Access, Action, AppendActivity, ReadActivity, ReadUsage, RecordUsage};
use super::caller::{Caller, Operator, Scope, Standing};
use super::resource::{InBucket, InOrganization, OfObject, UnderPrefix};

/// Proof that a principal may do `A` to one resource of one organization, now.
///
/// It carries the organization, so that no service takes one as a loose parameter. It is neither
/// cloned nor built outside this module:
///
/// ```compile_fail,E0599
/// fn twice(permit: bulkhead::authz::Permit<bulkhead::authz::PutObject>) {
///     let _ = (permit.clone(), permit);
/// }
/// ```
///
/// ```compile_fail,E0451
/// use bulkhead::authz::{Permit, ListBuckets, InOrganization};
/// let forged: Permit<ListBuckets> = Permit {
///     org: names::OrgId::from_bytes([1; 16]),
///     principal: names::PrincipalId::from_bytes([1; 16]),
///     resource: InOrganization,
///     _action: std::marker::PhantomData,
/// };
/// ```
#[derive(Debug)]
pub struct Permit<A: Action> {
    org: OrgId,
    principal: PrincipalId,
    resource: A::Resource,
    _action: PhantomData<fn() -> A>,
}

/// Why an authenticated caller is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The access key is read-only and the action writes.
    #[error("the access key is read-only")]
    ReadOnlyKey,
    /// The organization is suspended and the action writes.
    #[error("the organization is suspended: it can be read only")]
    Suspended,
    /// The organization is sealed.
    #[error("the organization is sealed")]
    Sealed,
    /// The organization's keys are destroyed.
    #[error("the organization is destroyed")]
    Destroyed,
}

/// Decides whether `caller` may do `A` to `resource` while its organization stands as it does.
pub fn authorize<A: Action>(
    caller: &Caller,
    standing: Standing,
    resource: A::Resource,
) -> Result<Permit<A>, Refusal> {
    decide(A::ACCESS, caller.scope(), standing)?;
    Ok(Permit::new(caller.org(), caller.principal(), resource))
}

/// Lets the activity log record what `caller` did or was refused.
pub fn record_activity(caller: &Caller) -> Permit<AppendActivity> {
    Permit::new(caller.org(), caller.principal(), InOrganization)
}

/// Lets the activity log of `org` record what the operator did to it.
pub fn record_activity_as_operator(_: &Operator, org: OrgId) -> Permit<AppendActivity> {
    Permit::new(org, OPERATOR, InOrganization)
}

/// Lets the operator verify and export the activity log of `org`.
pub fn read_activity_as_operator(_: &Operator, org: OrgId) -> Permit<ReadActivity> {
    Permit::new(org, OPERATOR, InOrganization)
}

/// Lets the operator see what `org` used: totals, never content.
pub fn read_usage_as_operator(_: &Operator, org: OrgId) -> Permit<ReadUsage> {
    Permit::new(org, OPERATOR, InOrganization)
}

/// Lets metering count what `caller` used.
pub fn record_usage(caller: &Caller) -> Permit<RecordUsage> {
    Permit::new(caller.org(), caller.principal(), InOrganization)
}

/// The rule by itself, so that the printed policy can enumerate it.
pub(super) fn decide(access: Access, scope: Scope, standing: Standing) -> Result<(), Refusal> {
    match (access, standing, scope) {
        (_, Standing::Destroyed, _) => Err(Refusal::Destroyed),
        (_, Standing::Sealed, _) => Err(Refusal::Sealed),
        (Access::Write, Standing::Suspended, _) => Err(Refusal::Suspended),
        (Access::Write, Standing::Active, Scope::ReadOnly) => Err(Refusal::ReadOnlyKey),
        (Access::Write, Standing::Active, Scope::Full)
        | (Access::Read | Access::Record, Standing::Active | Standing::Suspended, _) => Ok(()),
    }
}

impl<A: Action> Permit<A> {
    fn new(org: OrgId, principal: PrincipalId, resource: A::Resource) -> Self {
        // Only a Caller or an Operator leads here, and neither authentication nor provisioning
        // ever names organization 0; the assertion keeps a later mistake from opening it.
        assert!(!org.is_platform(), "no permit names the platform");
        Self {
            org,
            principal,
            resource,
            _action: PhantomData,
        }
    }

    /// The organization that the permit opens.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Who was permitted.
    pub fn principal(&self) -> PrincipalId {
        self.principal
    }

    /// What was permitted to be acted on.
    pub fn resource(&self) -> &A::Resource {
        &self.resource
    }
}

impl<A: Action<Resource = InBucket>> Permit<A> {
    /// The bucket that the permit is for.
    pub fn bucket(&self) -> &BucketName {
        &self.resource.bucket
    }
}

impl<A: Action<Resource = OfObject>> Permit<A> {
    /// The bucket of the object that the permit is for.
    pub fn object_bucket(&self) -> &BucketName {
        &self.resource.bucket
    }

    /// The key of the object that the permit is for.
    pub fn key(&self) -> &ObjectKey {
        &self.resource.key
    }
}

impl<A: Action<Resource = UnderPrefix>> Permit<A> {
    /// The bucket that may be listed.
    pub fn listed_bucket(&self) -> &BucketName {
        &self.resource.bucket
    }

    /// The prefix below which it may be listed.
    pub fn prefix(&self) -> &KeyPrefix {
        &self.resource.prefix
    }
}

/// Whom a permit names that the operator holds: no principal of any organization.
const OPERATOR: PrincipalId = PrincipalId::from_bytes(*OrgId::PLATFORM.bytes());
