use names::{Effect, PolicyPrincipal, PrincipalId, ResourcePolicy, ResourceStatement};

use super::action::Row;
use super::resource::Named;
use super::rights::{Subject, allows, denies, reveals_by_name};
use super::role::Role;

/// Who asks, as the policies of resources name it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker {
    principal: PrincipalId,
    subject: Subject,
    /// The role that its credential is limited to.
    limit: Option<Role>,
}

impl Asker {
    pub(super) fn new(principal: PrincipalId, subject: Subject, limit: Option<Role>) -> Self {
        Self {
            principal,
            subject,
            limit,
        }
    }

    /// Somebody whom no policy names: what the gateway does itself, the operator, whoever holds a
    /// link.
    pub(super) fn apart(principal: PrincipalId) -> Self {
        Self::new(principal, Subject::Nobody, None)
    }

    pub(super) fn principal(&self) -> PrincipalId {
        self.principal
    }

    /// Whether no policy of a resource can take from it the right to see that resource in a listing
    /// and to lift the policy: somebody always can.
    pub(super) fn is_above_policies(&self) -> bool {
        match self.subject {
            Subject::Organization => true,
            Subject::Member { role, .. } => role == Role::Owner && self.limit.is_none(),
            Subject::Agent | Subject::Nobody => false,
        }
    }

    /// Whether the policy of a resource denies it the action there.
    pub(super) fn is_denied(&self, policy: &ResourcePolicy, action: &Row, named: &Named) -> bool {
        let mut statements = policy.statements.iter();
        statements.any(|one| self.is_meant_by(one) && denies(&one.statement, action, named))
    }

    /// Whether the policy of a resource by itself allows it the action there. Agents have to be
    /// named for it, and what shows a value has to be named for them.
    pub(super) fn is_allowed(&self, policy: &ResourcePolicy, action: &Row, named: &Named) -> bool {
        let is_let_in = |one: &ResourceStatement| match self.subject {
            Subject::Agent => {
                one.principals
                    .contains(&PolicyPrincipal::One(self.principal))
                    && reveals_by_name(&one.statement, action)
            }
            Subject::Member { .. } => self.is_meant_by(one),
            Subject::Organization | Subject::Nobody => false,
        };
        policy.statements.iter().any(|one| {
            one.statement.effect == Effect::Allow
                && is_let_in(one)
                && allows(&one.statement, action, named)
        })
    }

    /// Whether a statement is about it: about everybody, about one that it is, or about a role that
    /// it has or acts in.
    fn is_meant_by(&self, one: &ResourceStatement) -> bool {
        one.principals.iter().any(|principal| match principal {
            PolicyPrincipal::Everybody => true,
            // As at Amazon, what is allowed to it is left to the rules of the organization.
            PolicyPrincipal::Organization => one.statement.effect == Effect::Deny,
            PolicyPrincipal::One(id) => *id == self.principal,
            PolicyPrincipal::Role(name) => {
                let own = match self.subject {
                    Subject::Member { role, .. } => Some(role),
                    Subject::Organization | Subject::Agent | Subject::Nobody => None,
                };
                let mut roles = [own, self.limit].into_iter().flatten();
                roles.any(|role| role.as_str() == &**name)
            }
        })
    }
}
