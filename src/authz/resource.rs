use std::fmt;
use std::sync::Arc;

use names::{
    BucketName, Glob, KeyPrefix, ObjectKey, PrincipalId, ResourcePolicy, SecretPath, SecretPrefix,
};
use uuid::Uuid;

/// What an action is done to, as a caller named it.
///
/// The text that [`fmt::Display`] gives is what the activity log holds.
pub trait Resource: fmt::Display + fmt::Debug + Send + Sync + 'static {
    /// How policies name it.
    fn named(&self) -> Named;

    /// The agent whose home it lies in, wholly or in part.
    fn home(&self) -> Home {
        Home::Outside
    }

    /// What it says itself of who may do what to it.
    fn policy(&self) -> Option<&ResourcePolicy> {
        None
    }
}

/// A resource as policies name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// One thing: `drive:bucket/key`, `secret:path`, `agent:id`, `organization`.
    One(String),
    /// Everything whose name begins so, as a listing shows it.
    Below {
        /// How the names begin.
        beginning: String,
        /// The bucket that is listed, as Amazon's policies name it, and the prefix: its
        /// `s3:ListBucket` is about the bucket, with the prefix as a condition.
        listed: Option<(String, String)>,
    },
}

/// Whether a resource lies in the homes of agents: `agents/<id>/…` in the Drive. No role reaches
/// into them, only the agent itself and grants that name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Home {
    /// It does not.
    Outside,
    /// In the home of one agent.
    Of(PrincipalId),
    /// In the bucket of homes, in several or in none.
    Several,
}

impl Named {
    /// Whether `pattern` matches all of it, and so may allow it.
    pub(super) fn is_covered_by(&self, pattern: &Glob, prefixes: Option<&[Glob]>) -> bool {
        match (self, prefixes) {
            (Self::One(name), None) => pattern.matches(name),
            (Self::One(_), Some(_)) => false,
            (Self::Below { beginning, listed }, None) => {
                pattern.covers(beginning)
                    || listed
                        .as_ref()
                        .is_some_and(|(bucket, _)| pattern.is_literal() && pattern.matches(bucket))
            }
            (Self::Below { listed, .. }, Some(prefixes)) => {
                listed.as_ref().is_some_and(|(bucket, prefix)| {
                    pattern.matches(bucket)
                        && prefixes
                            .iter()
                            .any(|allowed| allowed.as_str() == prefix || allowed.covers(prefix))
                })
            }
        }
    }

    /// Whether `pattern` matches any of it, and so must deny it: what a caller may not read by
    /// name, it may not see in a listing either.
    pub(super) fn is_met_by(&self, pattern: &Glob, prefixes: Option<&[Glob]>) -> bool {
        match (self, prefixes) {
            (Self::One(name), _) => pattern.matches(name),
            (Self::Below { beginning, listed }, prefixes) => {
                let is_met = pattern.meets(beginning)
                    || listed
                        .as_ref()
                        .is_some_and(|(bucket, _)| pattern.matches(bucket));
                let is_listed = listed.as_ref().is_none_or(|(_, prefix)| {
                    prefixes.is_none_or(|denied| denied.iter().any(|one| one.meets(prefix)))
                });
                is_met && is_listed
            }
        }
    }
}

/// The organization itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InOrganization;

/// A bucket of the organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InBucket {
    /// The bucket.
    pub bucket: BucketName,
}

/// The objects of a bucket whose keys begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderPrefix {
    /// The bucket.
    pub bucket: BucketName,
    /// How the keys begin.
    pub prefix: KeyPrefix,
}

/// An object, whether it exists or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfObject {
    /// The bucket.
    pub bucket: BucketName,
    /// The key in it.
    pub key: ObjectKey,
}

/// A secret, whether it exists or not, with what it says itself of who may do what to it.
///
/// The vault looks that up before the permit is made, and compares it with what stands there when
/// the permit is used: one that was made by another policy, or by none, opens nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfSecret {
    path: SecretPath,
    policy: Option<Arc<ResourcePolicy>>,
}

/// The secrets whose paths begin alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderPath {
    /// How the paths begin.
    pub prefix: SecretPrefix,
}

/// A share link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfLink {
    /// Which one.
    pub link: [u8; 16],
}

/// Somebody or something that rights are about, whether it exists or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfSubject {
    /// What it is.
    pub kind: SubjectKind,
    /// Which one, as it was named; all of them, if none is.
    pub id: Option<String>,
}

/// The home of an agent as a whole: what it keeps beside its files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfHome {
    /// Whose home it is.
    pub agent: PrincipalId,
}

/// What rights are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SubjectKind {
    /// A member.
    Member,
    /// An invitation.
    Invitation,
    /// A team.
    Team,
    /// An agent.
    Agent,
    /// A grant.
    Grant,
    /// An access key, token or session.
    Credential,
}

impl OfSecret {
    /// A secret without a policy.
    pub fn at(path: SecretPath) -> Self {
        Self { path, policy: None }
    }

    /// A secret with this policy, if it has one.
    pub fn under(path: SecretPath, policy: Option<Arc<ResourcePolicy>>) -> Self {
        Self { path, policy }
    }

    /// Its path.
    pub fn path(&self) -> &SecretPath {
        &self.path
    }
}

impl SubjectKind {
    /// As resources name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Invitation => "invitation",
            Self::Team => "team",
            Self::Agent => "agent",
            Self::Grant => "grant",
            Self::Credential => "credential",
        }
    }
}

impl OfSubject {
    /// One of a kind.
    pub fn one(kind: SubjectKind, id: impl Into<String>) -> Self {
        Self {
            kind,
            id: Some(id.into()),
        }
    }

    /// All of a kind.
    pub fn all(kind: SubjectKind) -> Self {
        Self { kind, id: None }
    }
}

impl Resource for InOrganization {
    fn named(&self) -> Named {
        Named::One("organization".to_owned())
    }
}

impl Resource for InBucket {
    fn named(&self) -> Named {
        Named::One(format!("drive:{}", self.bucket))
    }
}

impl Resource for UnderPrefix {
    fn named(&self) -> Named {
        let prefix = self.prefix.as_str();
        Named::Below {
            beginning: format!("drive:{}/{prefix}", self.bucket),
            listed: Some((format!("drive:{}", self.bucket), prefix.to_owned())),
        }
    }

    fn home(&self) -> Home {
        home_of(&self.bucket, self.prefix.as_str())
    }
}

impl Resource for OfObject {
    fn named(&self) -> Named {
        Named::One(format!("drive:{}/{}", self.bucket, self.key))
    }

    fn home(&self) -> Home {
        home_of(&self.bucket, self.key.as_str())
    }
}

impl Resource for OfSecret {
    fn named(&self) -> Named {
        Named::One(self.to_string())
    }

    fn policy(&self) -> Option<&ResourcePolicy> {
        self.policy.as_deref()
    }
}

impl Resource for OfLink {
    fn named(&self) -> Named {
        Named::One(self.to_string())
    }
}

impl Resource for UnderPath {
    fn named(&self) -> Named {
        Named::Below {
            beginning: format!("secret:{}", self.prefix.as_str()),
            listed: None,
        }
    }
}

impl Resource for OfSubject {
    fn named(&self) -> Named {
        let kind = self.kind.as_str();
        match &self.id {
            Some(id) => Named::One(format!("{kind}:{id}")),
            None => Named::Below {
                beginning: format!("{kind}:"),
                listed: None,
            },
        }
    }
}

impl Resource for OfHome {
    fn named(&self) -> Named {
        Named::One(format!("agent:{}", self.agent))
    }

    fn home(&self) -> Home {
        Home::Of(self.agent)
    }
}

/// Whose home a key, or a stretch of keys, lies in.
fn home_of(bucket: &BucketName, beginning: &str) -> Home {
    if bucket.as_str() != HOMES {
        return Home::Outside;
    }
    match beginning.split_once('/') {
        // A UUID has other spellings too: a home has one.
        Some((name, _)) => match name.parse::<PrincipalId>() {
            Ok(id) if id.to_string() == name => Home::Of(id),
            _ => Home::Several,
        },
        None => Home::Several,
    }
}

/// The bucket that holds the homes of agents.
pub const HOMES: &str = "agents";

impl fmt::Display for OfSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret:{}", self.path)
    }
}

impl fmt::Display for OfLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "share-link:{}", Uuid::from_bytes(self.link))
    }
}

impl fmt::Display for UnderPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "secret:{}*", self.prefix.as_str())
    }
}

impl fmt::Display for OfHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "agent:{}", self.agent)
    }
}

impl fmt::Display for OfSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}:{}",
            self.kind.as_str(),
            self.id.as_deref().unwrap_or("*")
        )
    }
}

impl fmt::Display for InOrganization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("*")
    }
}

impl fmt::Display for InBucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bucket.fmt(f)
    }
}

impl fmt::Display for UnderPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}*", self.bucket, self.prefix.as_str())
    }
}

impl fmt::Display for OfObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.bucket, self.key)
    }
}
