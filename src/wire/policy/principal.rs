use names::{PolicyPrincipal, PrincipalId};

/// Whom a policy of a resource may name: those of the organization whose resource it is.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// The number that stands for the organization where Amazon shows an account.
    pub account: &'a str,
    /// The names of its roles.
    pub roles: &'a [&'a str],
}

impl Known<'_> {
    /// Whom a text names, if anybody of the organization.
    ///
    /// ```text
    /// *                                           everybody
    /// 123456789012                                the organization
    /// arn:aws:iam::123456789012:root              the organization
    /// arn:aws:iam::123456789012:user/0190…        a member
    /// arn:aws:iam::123456789012:user/agents/0190… an agent
    /// arn:aws:iam::123456789012:role/agents/0190… the same
    /// arn:aws:iam::123456789012:role/viewer       those who have a role, or act in it
    /// ```
    pub(super) fn principal(&self, text: &str) -> Option<PolicyPrincipal> {
        if text == "*" {
            return Some(PolicyPrincipal::Everybody);
        }
        if text == self.account {
            return Some(PolicyPrincipal::Organization);
        }
        let (account, name) = text.strip_prefix("arn:aws:iam::")?.split_once(':')?;
        if account != self.account {
            return None;
        }
        if name == "root" {
            return Some(PolicyPrincipal::Organization);
        }
        match name.split_once('/')? {
            ("user", id) => one(id.strip_prefix(AGENTS).unwrap_or(id)),
            ("role", name) => match name.strip_prefix(AGENTS) {
                Some(id) => one(id),
                None => {
                    let is_known = self.roles.contains(&name);
                    is_known.then(|| PolicyPrincipal::Role(name.into()))
                }
            },
            _ => None,
        }
    }
}

/// An identifier has one spelling.
fn one(text: &str) -> Option<PolicyPrincipal> {
    let id: PrincipalId = text.parse().ok()?;
    (id.to_string() == text).then_some(PolicyPrincipal::One(id))
}

/// The path of agents among roles and users.
const AGENTS: &str = "agents/";
