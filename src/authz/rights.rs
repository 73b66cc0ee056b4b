use std::fmt;

use names::{AccountId, Effect, Glob, Policy, PrincipalId, ResourcePolicy, Statement};
use uuid::Uuid;

use super::action::{Access, Action, Area, RevealSecret, Row};
use super::asker::Asker;
use super::caller::{Caller, Narrowing, Scope, Standing};
use super::limits::Limit;
use super::resource::{Home, Named, Resource};
use super::role::Role;

/// What a principal may do now: what it is, and what was granted to it and to its teams.
#[derive(Debug, Clone)]
pub struct Rights {
    /// What the principal is.
    pub subject: Subject,
    /// What was granted to it, directly or to one of its teams.
    pub grants: Vec<Granted>,
}

/// What a principal of an organization is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The organization as a whole: what the operator makes a credential for.
    Organization,
    /// A member.
    Member {
        /// Whose membership it is.
        account: AccountId,
        /// What the member is.
        role: Role,
    },
    /// An agent.
    Agent,
    /// Nobody any more: the member was removed, the agent deleted. Its credentials are of no use.
    Nobody,
}

/// A grant, as it is judged. A grant allows and never denies, so that taking one away never
/// allows more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// Which grant.
    pub id: [u8; 16],
    /// What it allows.
    pub statement: Statement,
}

/// The rule that allowed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The credential stands for the organization as a whole.
    Organization,
    /// The member's role.
    Role(Role),
    /// It lies in the agent's own home.
    Home,
    /// Everybody may do this to what is theirs.
    Own,
    /// A grant.
    Grant([u8; 16]),
    /// The policy of the secret.
    SecretPolicy,
    /// The platform's operator, who needs no right.
    Operator,
    /// A share link, to whoever holds its token.
    ShareLink([u8; 16]),
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Organization => f.write_str("organization"),
            Self::Role(role) => write!(f, "role:{role}"),
            Self::Home => f.write_str("home"),
            Self::Own => f.write_str("own"),
            Self::Grant(id) => write!(f, "grant:{}", Uuid::from_bytes(*id)),
            Self::SecretPolicy => f.write_str("secret-policy"),
            Self::Operator => f.write_str("operator"),
            Self::ShareLink(id) => write!(f, "share-link:{}", Uuid::from_bytes(*id)),
        }
    }
}

/// Why an authenticated caller is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The credential is read-only and the action writes.
    #[error("the access key is read-only")]
    ReadOnlyKey,
    /// The organization is suspended and the action writes.
    #[error("the organization is suspended: it can be read only")]
    Suspended,
    /// The organization is about to be deleted and the action writes.
    #[error("the organization is being deleted: it can be read only")]
    Deleting,
    /// The organization is sealed.
    #[error("the organization is sealed")]
    Sealed,
    /// The organization's keys are destroyed.
    #[error("the organization is destroyed")]
    Destroyed,
    /// Neither what the principal is nor a grant allows it.
    #[error("no role and no grant allows {action}")]
    NotAllowed {
        /// The action.
        action: &'static str,
    },
    /// The principal may, and the secret's own policy says no.
    #[error("the policy of the secret denies {action}")]
    DeniedBySecret {
        /// The action.
        action: &'static str,
    },
    /// The principal may, and the credential is narrower.
    #[error("the credential is limited to less than {action}")]
    Narrowed {
        /// The action.
        action: &'static str,
    },
    /// The principal is gone.
    #[error("the principal of the credential is gone")]
    Gone,
    /// The organization has used all that its plan allows until then.
    #[error("the plan allows {max} by the limit {limit}")]
    OverLimit {
        /// Of what.
        limit: Limit,
        /// How much.
        max: u64,
        /// When there is more, milliseconds since the epoch.
        until_ms: u64,
    },
    /// The organization's plan is paid by credit, and none is left.
    #[error("the organization has no credit left")]
    NoCredit,
}

/// An act as it is judged.
pub(super) struct Asked<'a> {
    pub(super) action: Row,
    pub(super) home: Home,
    /// The resource as policies name it; made only if a policy has to be asked.
    pub(super) named: &'a dyn Fn() -> Named,
    /// What the resource says itself of who may do what to it.
    pub(super) policy: Option<&'a ResourcePolicy>,
}

/// Decides whether `caller`, whose rights are `rights`, may do `A` to `resource`.
pub(super) fn decide<A: Action>(
    caller: &Caller,
    rights: &Rights,
    standing: Standing,
    resource: &A::Resource,
) -> Result<Rule, Refusal> {
    let asked = Asked {
        action: A::ROW,
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

/// The whole rule:
///
/// ```text
/// how the organization stands ∧ what the credential is limited to
///     ∧ (role ∨ own home ∨ grant ∨ the resource's policy allows) ∧ that policy does not deny
/// ```
///
/// Where a role allows and the credential is limited to a lower one, the rule is the lower one:
/// nobody gives by a credential what is above it.
pub(super) fn judge(
    principal: PrincipalId,
    narrowing: &Narrowing,
    rights: &Rights,
    standing: Standing,
    asked: &Asked<'_>,
) -> Result<Rule, Refusal> {
    stands(standing, asked.action.access)?;
    if narrowing.scope == Scope::ReadOnly && asked.action.access != Access::Read {
        return Err(Refusal::ReadOnlyKey);
    }
    let asker = Asker::new(principal, rights.subject, narrowing.role);
    let rule = match (rights.allow(principal, asked), asked.policy) {
        (own, None) => own?,
        (own, Some(policy)) => allow_by(&asker, policy, asked, own)?,
    };
    let within_role = narrowing.role.is_none_or(|role| {
        asked.home == Home::Outside && role.allows(asked.action.area, asked.action.access)
    });
    let within_policies = narrowing.policies.is_empty() || {
        let named = (asked.named)();
        let allows = |policy: &Policy| policy_allows(policy, &asked.action, &named);
        // Who one is, is told to everybody.
        asked.action.area == Area::Own && asked.action.access == Access::Read
            || narrowing.policies.iter().all(allows)
    };
    if within_role && within_policies {
        Ok(match (rule, narrowing.role) {
            (Rule::Role(role), Some(limit)) if !limit.covers(role) => Rule::Role(limit),
            (rule, _) => rule,
        })
    } else {
        let action = asked.action.name;
        Err(Refusal::Narrowed { action })
    }
}

/// What the policy of the resource leaves of what the principal may do by itself, or adds to it.
/// Whoever has no right is not told what the policy says.
fn allow_by(
    asker: &Asker,
    policy: &ResourcePolicy,
    asked: &Asked<'_>,
    own: Result<Rule, Refusal>,
) -> Result<Rule, Refusal> {
    let Asked { action, .. } = asked;
    let named = (asked.named)();
    let rule = match own {
        Err(Refusal::NotAllowed { .. })
            if action.area.is_grantable(action.access)
                && asker.is_allowed(policy, action, &named) =>
        {
            Rule::SecretPolicy
        }
        own => own?,
    };
    let is_liftable = action.area == Area::SecretPolicies && asker.is_above_policies();
    if !is_liftable && asker.is_denied(policy, action, &named) {
        let action = action.name;
        return Err(Refusal::DeniedBySecret { action });
    }
    Ok(rule)
}

/// What the state of the organization lets anybody do.
pub(super) fn stands(standing: Standing, access: Access) -> Result<(), Refusal> {
    match (standing, access) {
        (Standing::Destroyed, _) => Err(Refusal::Destroyed),
        (Standing::Sealed, _) => Err(Refusal::Sealed),
        (Standing::Suspended, Access::Write) => Err(Refusal::Suspended),
        (Standing::Deleting, Access::Write) => Err(Refusal::Deleting),
        (Standing::Active | Standing::Suspended | Standing::Deleting, _) => Ok(()),
    }
}

impl Rights {
    /// What a credential may that stands for the organization as a whole.
    pub const ORGANIZATION: Self = Self {
        subject: Subject::Organization,
        grants: Vec::new(),
    };

    /// What whoever is gone may, or does not work now: nothing.
    pub const NOBODY: Self = Self {
        subject: Subject::Nobody,
        grants: Vec::new(),
    };

    /// The rule by which the principal may, whatever its credential says.
    fn allow(&self, principal: PrincipalId, asked: &Asked<'_>) -> Result<Rule, Refusal> {
        let Row {
            name, area, access, ..
        } = asked.action;
        let by_itself = match self.subject {
            Subject::Nobody => return Err(Refusal::Gone),
            _ if asked.home != Home::Outside => {
                let is_own = self.subject == Subject::Agent && asked.home == Home::Of(principal);
                is_own.then_some(Rule::Home)
            }
            _ if access == Access::Record => None,
            Subject::Member { role, .. } => role.allows(area, access).then_some(Rule::Role(role)),
            Subject::Organization => {
                let all = matches!(
                    area,
                    Area::Drive | Area::Vault | Area::SecretPolicies | Area::Own
                );
                let read = matches!(area, Area::Activity | Area::Billing | Area::Settings);
                (all || read && access == Access::Read).then_some(Rule::Organization)
            }
            Subject::Agent => (area == Area::Own).then_some(Rule::Own),
        };
        if let Some(rule) = by_itself {
            return Ok(rule);
        }
        if self.grants.is_empty() || !area.is_grantable(access) {
            return Err(Refusal::NotAllowed { action: name });
        }
        let named = (asked.named)();
        let by_name_only = self.subject == Subject::Agent && name == RevealSecret::NAME;
        self.grants
            .iter()
            .find(|grant| {
                let actions = &grant.statement.actions;
                let is_named = !by_name_only || actions.iter().any(|glob| glob.as_str() == name);
                is_named
                    && grant.statement.effect == Effect::Allow
                    && allows(&grant.statement, &asked.action, &named)
            })
            .map(|grant| Rule::Grant(grant.id))
            .ok_or(Refusal::NotAllowed { action: name })
    }
}

/// Whether a policy by itself allows an action.
fn policy_allows(policy: &Policy, action: &Row, named: &Named) -> bool {
    let mut statements = policy.statements.iter();
    !statements.any(|statement| denies(statement, action, named))
        && policy
            .statements
            .iter()
            .any(|statement| statement.effect == Effect::Allow && allows(statement, action, named))
}

/// Whether a statement denies an action.
pub(super) fn denies(statement: &Statement, action: &Row, named: &Named) -> bool {
    statement.effect == Effect::Deny
        && names_action(statement, action)
        && statement
            .resources
            .iter()
            .any(|pattern| named.is_met_by(pattern, statement.prefixes.as_deref()))
}

/// Whether an action shows no value, or a statement names it without a star, by any of its names.
pub(super) fn reveals_by_name(statement: &Statement, action: &Row) -> bool {
    action.name != RevealSecret::NAME
        || statement
            .actions
            .iter()
            .any(|pattern| pattern.is_literal() && matches_action(pattern, action))
}

/// Whether a statement is about an action on a resource, all of it.
pub(super) fn allows(statement: &Statement, action: &Row, named: &Named) -> bool {
    names_action(statement, action)
        && statement
            .resources
            .iter()
            .any(|pattern| named.is_covered_by(pattern, statement.prefixes.as_deref()))
}

fn names_action(statement: &Statement, action: &Row) -> bool {
    let mut actions = statement.actions.iter();
    actions.any(|pattern| matches_action(pattern, action))
}

fn matches_action(pattern: &Glob, action: &Row) -> bool {
    let mut names = std::iter::once(&action.name).chain(action.aliases);
    names.any(|name| pattern.matches_ignoring_case(name))
}
