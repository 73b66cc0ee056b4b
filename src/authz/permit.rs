use std::marker::PhantomData;

use names::{
    BucketName, KeyPrefix, ObjectKey, OrgId, PrincipalId, ResourcePolicy, SecretPath, SecretPrefix,
};

use super::action::{
    Action, AppendActivity, CreateBucket, DescribeSecret, ExportOrganization, GetObject,
    JudgeSecret, KeepAnswer, ListObjects, ListSecrets, OpenShare, ReadActivity, ReadAgentRecords,
    ReadUsage, RecordUsage, Row,
};
use super::asker::Asker;
use super::caller::{Caller, LinkHolder, Narrowing, Operator, Standing};
use super::limits::Limits;
use super::resource::{
    InBucket, InOrganization, OfHome, OfLink, OfObject, OfSecret, OfSubject, Resource, UnderPath,
    UnderPrefix,
};
use super::rights::{Asked, Refusal, Rights, Rule, decide, judge, stands};

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
///     asker: unreachable!(),
///     resource: InOrganization,
///     rule: bulkhead::authz::Rule::Operator,
///     limits: None,
///     _action: std::marker::PhantomData,
/// };
/// ```
#[derive(Debug)]
pub struct Permit<A: Action> {
    org: OrgId,
    asker: Asker,
    resource: A::Resource,
    rule: Rule,
    /// Apart: a permit is kept with every log and stream, and most have none.
    limits: Option<Box<Limits>>,
    _action: PhantomData<fn() -> A>,
}

/// Decides whether `caller`, whose rights are `rights`, may do `A` to `resource` while its
/// organization stands as it does.
pub fn authorize<A: Action>(
    caller: &Caller,
    rights: &Rights,
    standing: Standing,
    resource: A::Resource,
) -> Result<Permit<A>, Refusal> {
    let rule = decide::<A>(caller, rights, standing, &resource)?;
    let limit = caller.narrowing().role;
    let asker = Asker::new(caller.principal(), rights.subject, limit);
    Ok(Permit::of(caller.org(), asker, resource, rule))
}

/// Says by which rule `caller` may do the action that a policy names so, or by which not.
pub fn explain(
    caller: &Caller,
    rights: &Rights,
    standing: Standing,
    action: Row,
    resource: &dyn Resource,
) -> Result<Rule, Refusal> {
    let asked = Asked {
        action,
        home: resource.home(),
        named: &|| resource.named(),
        policy: resource.policy(),
    };
    judge(
        caller.principal(),
        caller.narrowing(),
        rights,
        standing,
        &asked,
    )
}

/// Says the same of a principal whose rights are `rights`, with a credential that narrows nothing.
pub fn explain_principal(
    principal: PrincipalId,
    rights: &Rights,
    standing: Standing,
    action: Row,
    resource: &dyn Resource,
) -> Result<Rule, Refusal> {
    let asked = Asked {
        action,
        home: resource.home(),
        named: &|| resource.named(),
        policy: resource.policy(),
    };
    judge(principal, &Narrowing::NONE, rights, standing, &asked)
}

/// Lets the activity log record what `caller` did or was refused.
pub fn record_activity(caller: &Caller) -> Permit<AppendActivity> {
    Permit::new(caller.org(), caller.principal(), InOrganization, Rule::Own)
}

/// Lets the policy of a secret be looked up for `caller` to be judged by, while there are keys that
/// open it.
pub fn judge_secret(caller: &Caller, standing: Standing) -> Result<Permit<JudgeSecret>, Refusal> {
    stands(standing, JudgeSecret::ACCESS)?;
    Ok(Permit::new(
        caller.org(),
        caller.principal(),
        InOrganization,
        Rule::Own,
    ))
}

/// Lets an answer be kept for `caller`, should it send its request again.
pub fn keep_answer(caller: &Caller) -> Permit<KeepAnswer> {
    Permit::new(caller.org(), caller.principal(), InOrganization, Rule::Own)
}

/// Lets the activity log of `org` record what the operator did to it.
pub fn record_activity_as_operator(_: &Operator, org: OrgId) -> Permit<AppendActivity> {
    Permit::new(org, OPERATOR, InOrganization, Rule::Operator)
}

/// Lets the activity log record what became of a share link in the hands of `holder`.
pub fn record_activity_of_link(holder: &LinkHolder) -> Permit<AppendActivity> {
    let (principal, rule) = as_holder(holder);
    Permit::new(holder.org(), principal, InOrganization, rule)
}

/// Lets whoever holds the token of a share link open that link, while the organization can be read.
pub fn open_share(holder: &LinkHolder, standing: Standing) -> Result<Permit<OpenShare>, Refusal> {
    stands(standing, OpenShare::ACCESS)?;
    let link = holder.link();
    let (principal, rule) = as_holder(holder);
    Ok(Permit::new(holder.org(), principal, OfLink { link }, rule))
}

/// Holders of links are told apart by their links.
fn as_holder(holder: &LinkHolder) -> (PrincipalId, Rule) {
    let link = holder.link();
    (PrincipalId::from_bytes(link), Rule::ShareLink(link))
}

/// Lets the operator verify and export the activity log of `org`.
pub fn read_activity_as_operator(_: &Operator, org: OrgId) -> Permit<ReadActivity> {
    Permit::new(org, OPERATOR, InOrganization, Rule::Operator)
}

/// Lets the operator see what `org` used: totals, never content.
pub fn read_usage_as_operator(_: &Operator, org: OrgId) -> Permit<ReadUsage> {
    Permit::new(org, OPERATOR, InOrganization, Rule::Operator)
}

/// Lets the operator give credit to `org`, and charge it.
pub fn record_usage_as_operator(_: &Operator, org: OrgId) -> Permit<RecordUsage> {
    Permit::new(org, OPERATOR, InOrganization, Rule::Operator)
}

/// Lets the operator make a bucket in `org` while it is provisioned: a name, and nothing in it.
pub fn create_bucket_as_operator(
    _: &Operator,
    org: OrgId,
    resource: InBucket,
) -> Permit<CreateBucket> {
    Permit::new(org, OPERATOR, resource, Rule::Operator)
}

/// Lets metering count what `caller` used.
pub fn record_usage(caller: &Caller) -> Permit<RecordUsage> {
    Permit::new(caller.org(), caller.principal(), InOrganization, Rule::Own)
}

impl<A: Action> Permit<A> {
    /// One for somebody whom no policy of a resource names.
    fn new(org: OrgId, principal: PrincipalId, resource: A::Resource, rule: Rule) -> Self {
        Self::of(org, Asker::apart(principal), resource, rule)
    }

    fn of(org: OrgId, asker: Asker, resource: A::Resource, rule: Rule) -> Self {
        // Only a Caller or an Operator leads here, and neither authentication nor provisioning
        // ever names organization 0; the assertion keeps a later mistake from opening it.
        assert!(!org.is_platform(), "no permit names the platform");
        Self {
            org,
            asker,
            resource,
            rule,
            limits: None,
            _action: PhantomData,
        }
    }

    /// The same, for an organization that may have no more than this.
    #[must_use]
    pub fn within(self, limits: Limits) -> Self {
        let limits = (limits != Limits::NONE).then(|| Box::new(limits));
        Self { limits, ..self }
    }

    /// How much the organization may have once it is done.
    pub fn limits(&self) -> &Limits {
        self.limits.as_deref().unwrap_or(&Limits::NONE)
    }

    /// The organization that the permit opens.
    pub fn org(&self) -> OrgId {
        self.org
    }

    /// Who was permitted.
    pub fn principal(&self) -> PrincipalId {
        self.asker.principal()
    }

    /// The rule that allowed it.
    pub fn rule(&self) -> Rule {
        self.rule
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

impl<A: Action<Resource = OfSecret>> Permit<A> {
    /// The secret that the permit is for.
    pub fn path(&self) -> &SecretPath {
        self.resource.path()
    }

    /// Whether it was made by this policy of the secret, or by none if there is none: by another,
    /// who made it would have been judged otherwise.
    pub fn is_by(&self, policy: Option<&ResourcePolicy>) -> bool {
        self.resource.policy() == policy
    }
}

impl Permit<ListSecrets> {
    /// Whether a listing shows a secret with this policy: it walks around no denial.
    pub fn shows(&self, path: &SecretPath, policy: &ResourcePolicy) -> bool {
        let named = OfSecret::at(path.clone()).named();
        let is_denied = |action| self.asker.is_denied(policy, action, &named);
        self.asker.is_above_policies()
            || !is_denied(&ListSecrets::ROW) && !is_denied(&DescribeSecret::ROW)
    }
}

impl<A: Action<Resource = OfLink>> Permit<A> {
    /// The share link that the permit is for.
    pub fn link(&self) -> [u8; 16] {
        self.resource.link
    }
}

impl<A: Action<Resource = UnderPath>> Permit<A> {
    /// How the paths of secrets begin that may be listed.
    pub fn path_prefix(&self) -> &SecretPrefix {
        &self.resource.prefix
    }
}

impl<A: Action<Resource = OfHome>> Permit<A> {
    /// The agent whose home the permit is for.
    pub fn agent(&self) -> PrincipalId {
        self.resource.agent
    }
}

impl<A: Action<Resource = OfSubject>> Permit<A> {
    /// Whom or what the permit is for; all of its kind, if none is named.
    pub fn subject_id(&self) -> Option<&str> {
        self.resource.id.as_deref()
    }
}

/// An export is of all that there is: also of agents' homes, which no role reads beside it.
impl Permit<ExportOrganization> {
    /// Leave to list the objects of a bucket.
    pub fn listing(&self, resource: UnderPrefix) -> Permit<ListObjects> {
        Permit::of(self.org, self.asker, resource, self.rule)
    }

    /// Leave to read an object.
    pub fn object(&self, resource: OfObject) -> Permit<GetObject> {
        Permit::of(self.org, self.asker, resource, self.rule)
    }

    /// Leave to read what an agent keeps.
    pub fn home(&self, agent: PrincipalId) -> Permit<ReadAgentRecords> {
        Permit::of(self.org, self.asker, OfHome { agent }, self.rule)
    }
}

/// Whom a permit names that the operator holds: no principal of any organization.
const OPERATOR: PrincipalId = PrincipalId::from_bytes(*OrgId::PLATFORM.bytes());
