/// Why a policy document is refused: which element of it, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{element}: {problem}")]
pub struct PolicyError {
    /// The element, as `Statement[2].Resource[0]`.
    pub element: String,
    /// What is wrong.
    pub problem: PolicyProblem,
}

/// What is wrong with an element of a policy document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyProblem {
    /// The document is too long.
    #[error("longer than {0} characters")]
    TooLong(usize),
    /// The document is none in JSON, or above the limits.
    #[error("not well-formed JSON of a moderate depth and size")]
    Malformed,
    /// Two members have one name.
    #[error("stands twice")]
    Duplicate,
    /// It has to be there.
    #[error("missing")]
    Missing,
    /// It holds nothing.
    #[error("empty")]
    Empty,
    /// There are too many statements.
    #[error("more than {0} statements")]
    TooMany(usize),
    /// It is not understood, and to leave it out would change what the policy says.
    #[error("not supported")]
    Unsupported,
    /// It is no object.
    #[error("has to be an object")]
    NotAnObject,
    /// It is neither text nor, where that is allowed, a list of texts.
    #[error("has to be text, or a list of texts")]
    NotText,
    /// Another version of the language.
    #[error("has to be 2012-10-17 or 2008-10-17")]
    Version,
    /// A statement's identifier.
    #[error("has to be letters and digits, and to stand once")]
    Sid,
    /// It neither allows nor denies.
    #[error("has to be Allow or Deny")]
    Effect,
    /// It is no action.
    #[error("has to be * or service:Action, of letters, digits, -, _, * and ?")]
    Action,
    /// It is no resource that there is here.
    #[error(
        "has to be *, an ARN of a bucket, an object or a secret in the partition aws, or a name \
         that begins with drive:, secret: or agent:"
    )]
    Resource,
    /// A policy variable, which stands for something that only Amazon knows.
    #[error("policy variables are not supported")]
    Variable,
    /// It does not fit a pattern.
    #[error("has to have 1 to 1,200 bytes, without control characters")]
    Pattern,
    /// `StringEquals` takes its value as it stands, and a pattern could not say it.
    #[error("* and ? stand for themselves here, which is not supported: use StringLike")]
    Literal,
    /// What stands in one object is joined by "and", for which there is one place only: one
    /// condition, on `s3:prefix`; one kind of principal, `AWS`.
    #[error("only one member is supported")]
    OneOnly,
    /// It is nobody of the organization.
    #[error(
        "has to be *, the organization's account, or the ARN of its root, or of a user, an agent or \
         a role of it"
    )]
    Principal,
}

impl PolicyError {
    pub(super) fn at(element: impl Into<String>, problem: PolicyProblem) -> Self {
        Self {
            element: element.into(),
            problem,
        }
    }
}
