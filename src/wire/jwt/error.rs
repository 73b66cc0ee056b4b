/// Why a token, or a set of keys, is not taken. None of the texts quotes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwtError {
    /// It does not have the form.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// It is signed by an algorithm that is not allowed, or by none.
    #[error("the token is signed by an algorithm that is not allowed")]
    Algorithm,
    /// No key of the set can have signed it. The provider may have a newer set.
    #[error("the token is signed by a key that is not known")]
    UnknownKey,
    /// The signature is another.
    #[error("the signature of the token does not match")]
    Signature,
}
