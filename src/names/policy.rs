//! The parsed policy document: what a grant, a token or a session lets be done, or forbids.
//!
//! The grammar is Amazon's (IAM User Guide, "IAM JSON policy elements"); how it is written as
//! JSON is for `wire`, and what the names in it mean is for the application.

use std::fmt;
use std::str::FromStr;

use crate::id::PrincipalId;

/// Statements that are judged together: what one of them denies is denied, and what none allows
/// is not allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// The statements, in the order in which they were written.
    pub statements: Vec<Statement>,
}

/// One rule of a policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// What it does to what it matches.
    pub effect: Effect,
    /// Which actions it matches, in any case of their letters.
    pub actions: Vec<Glob>,
    /// Which resources it matches.
    pub resources: Vec<Glob>,
    /// Which prefixes may be listed, where the statement says so (`s3:prefix`). It matches
    /// nothing but listings then.
    pub prefixes: Option<Vec<Glob>>,
}

/// What a resource says itself of who may do what to it. It opens nothing to another organization,
/// whatever it says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourcePolicy {
    /// The statements, in the order in which they were written.
    pub statements: Vec<ResourceStatement>,
}

/// One rule of a resource's policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceStatement {
    /// Whom it is about.
    pub principals: Vec<PolicyPrincipal>,
    /// What it lets them do, or forbids.
    pub statement: Statement,
}

/// Whom a statement is about.
///
/// The text that [`fmt::Display`] gives is what [`FromStr`] reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyPrincipal {
    /// Everybody of the organization.
    Everybody,
    /// The organization as a whole. To allow it something leaves to its own rules who may do it;
    /// what is denied to it is denied to everybody.
    Organization,
    /// A member or an agent.
    One(PrincipalId),
    /// Those who have a role, or act in it.
    Role(Box<str>),
}

/// Whether a statement allows or denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It allows, unless another statement denies.
    Allow,
    /// It denies, whatever other statements allow.
    Deny,
}

/// A pattern over a text: `*` stands for any run of characters, `?` for one character, everything
/// else for itself. At most [`Glob::BYTES_MAX`] bytes, not empty, without control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Glob(Box<str>);

/// The text is not a pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pattern has 1 to 1,200 bytes and no control characters")]
pub struct InvalidGlob;

/// The text names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a principal is *, organization, principal:<id> or role:<name>")]
pub struct InvalidPolicyPrincipal;

impl fmt::Display for PolicyPrincipal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody => f.write_str("*"),
            Self::Organization => f.write_str("organization"),
            Self::One(id) => write!(f, "principal:{id}"),
            Self::Role(name) => write!(f, "role:{name}"),
        }
    }
}

impl FromStr for PolicyPrincipal {
    type Err = InvalidPolicyPrincipal;

    fn from_str(text: &str) -> Result<Self, InvalidPolicyPrincipal> {
        match (text, text.split_once(':')) {
            ("*", _) => Ok(Self::Everybody),
            ("organization", _) => Ok(Self::Organization),
            (_, Some(("principal", id))) => match id.parse() {
                Ok(id) => Ok(Self::One(id)),
                Err(_) => Err(InvalidPolicyPrincipal),
            },
            (_, Some(("role", name))) if !name.is_empty() => Ok(Self::Role(name.into())),
            _ => Err(InvalidPolicyPrincipal),
        }
    }
}

impl Glob {
    /// As long as the longest resource: a bucket's name, a slash and an object's key, with the
    /// kind of resource before them.
    pub const BYTES_MAX: usize = 1_200;

    /// Parses a pattern.
    pub fn parse(text: &str) -> Result<Self, InvalidGlob> {
        let well_formed =
            (1..=Self::BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        if well_formed {
            Ok(Self(text.into()))
        } else {
            Err(InvalidGlob)
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for nothing but itself.
    pub fn is_literal(&self) -> bool {
        !self.0.contains(['*', '?'])
    }

    /// Whether it matches the whole of `text`.
    pub fn matches(&self, text: &str) -> bool {
        match self.beginning() {
            Some(beginning) => text.starts_with(beginning),
            None => self.run(text).is_some_and(|states| states.is_done),
        }
    }

    /// Whether it matches the whole of `text`, in any case of the letters A to Z.
    pub fn matches_ignoring_case(&self, text: &str) -> bool {
        Self(self.0.to_ascii_lowercase().into()).matches(&text.to_ascii_lowercase())
    }

    /// Whether it matches every text that begins with `prefix`, as an allowance to list what lies
    /// below it has to.
    pub fn covers(&self, prefix: &str) -> bool {
        self.0.ends_with('*') && self.matches(prefix)
    }

    /// Whether it matches any text that begins with `prefix`: a listing below it would show what
    /// is denied.
    pub fn meets(&self, prefix: &str) -> bool {
        match self.beginning() {
            Some(beginning) => prefix.starts_with(beginning) || beginning.starts_with(prefix),
            None => self.run(prefix).is_some(),
        }
    }

    /// What comes before the star, if that is the last character and the only one that stands for
    /// others: most patterns.
    fn beginning(&self) -> Option<&str> {
        let beginning = self.0.strip_suffix('*')?;
        (!beginning.contains(['*', '?'])).then_some(beginning)
    }

    /// Follows every way in which the pattern may match, one character at a time, in time of
    /// pattern times text whatever either holds; `None` when no way is left.
    fn run(&self, text: &str) -> Option<States> {
        let pattern: Vec<char> = self.0.chars().collect();
        let mut now = vec![false; pattern.len() + 1];
        let mut next = now.clone();
        enter(&pattern, &mut now, 0);
        for character in text.chars() {
            next.fill(false);
            for (at, _) in now.iter().enumerate().filter(|(_, is_open)| **is_open) {
                match pattern.get(at) {
                    Some('*') => enter(&pattern, &mut next, at),
                    Some('?') => enter(&pattern, &mut next, at + 1),
                    Some(expected) if *expected == character => {
                        enter(&pattern, &mut next, at + 1);
                    }
                    _ => {}
                }
            }
            if !next.contains(&true) {
                return None;
            }
            std::mem::swap(&mut now, &mut next);
        }
        Some(States {
            is_done: now[pattern.len()],
        })
    }
}

/// Where a pattern stands after a text.
struct States {
    /// Whether it may end here.
    is_done: bool,
}

/// Opens a place in the pattern, and those behind a star that stands for nothing.
fn enter(pattern: &[char], states: &mut [bool], at: usize) {
    let stars = pattern[at..].iter().take_while(|c| **c == '*').count();
    states[at..=at + stars].fill(true);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Glob {
        Glob::parse(text).expect("a pattern")
    }

    #[test]
    fn stars_and_marks_stand_for_what_they_do() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("*", "anything/at all", true),
            ("a*c", "abbbc", true),
            ("a*c", "ac", true),
            ("a*c", "acd", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("a?c", "aäc", true),
            ("**a", "bba", true),
            ("drive:b/*", "drive:b", false),
            ("drive:b/*", "drive:b/", true),
            ("a.c", "abc", false),
            ("*a*a*a*a*a*b", &"a".repeat(1_000), false),
        ] {
            assert_eq!(glob(pattern).matches(text), expected, "{pattern} on {text}");
        }
        assert!(glob("s3:get*").matches_ignoring_case("s3:GetObject"));
    }

    #[test]
    fn a_listing_is_covered_only_whole_and_met_by_any_part() {
        for (pattern, prefix, covers, meets) in [
            ("b/reports/*", "b/reports/", true, true),
            ("b/reports/*", "b/reports/2026", true, true),
            ("b/reports/*", "b/", false, true),
            ("b/reports/*", "b/other", false, false),
            ("b/reports/x", "b/reports/", false, true),
            ("*", "", true, true),
            ("b/?*", "b/", false, true),
            ("b/*/secret", "b/a/", false, true),
        ] {
            assert_eq!(
                glob(pattern).covers(prefix),
                covers,
                "{pattern} covers {prefix}"
            );
            assert_eq!(
                glob(pattern).meets(prefix),
                meets,
                "{pattern} meets {prefix}"
            );
        }
    }

    #[test]
    fn a_principal_reads_as_it_is_written() {
        for text in [
            "*",
            "organization",
            "principal:01890a5d-ac96-774b-bcce-b302099a8057",
            "role:viewer",
        ] {
            let principal: PolicyPrincipal = text.parse().expect("a principal");
            assert_eq!(principal.to_string(), text);
        }
        for text in [
            "",
            "role:",
            "principal:",
            "principal:viewer",
            "viewer",
            "**",
        ] {
            let read: Result<PolicyPrincipal, _> = text.parse();
            assert_eq!(read, Err(InvalidPolicyPrincipal), "{text}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        assert_eq!(Glob::parse(""), Err(InvalidGlob));
        assert_eq!(Glob::parse("a\nb"), Err(InvalidGlob));
        assert_eq!(Glob::parse(&"a".repeat(1_201)), Err(InvalidGlob));
    }
}
