use std::fmt;

/// The text is not the path of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the path of a secret has 1 to 512 bytes; its segments are not empty, `.` or `..`, and hold no \
     control characters, `*`, `?` or `\\\\`"
)]
pub struct InvalidSecretPath;

/// The path of a secret in its organization: 1 to 512 bytes, segments parted by `/`.
///
/// No segment is empty, `.` or `..`, so that a path has one spelling and a pattern over paths
/// means what it shows; only before the first one may stand a `/`, as names in AWS Secrets
/// Manager often have it. What patterns use is refused.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretPath(Box<str>);

/// How paths of secrets begin: empty, or a path that may end within a segment or with a `/`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SecretPrefix(Box<str>);

impl SecretPath {
    /// Parses a path.
    pub fn parse(text: &str) -> Result<Self, InvalidSecretPath> {
        let segments = text.strip_prefix('/').unwrap_or(text).split('/');
        if has_length(text) && segments.clone().all(is_segment) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidSecretPath)
        }
    }

    /// The path.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl SecretPrefix {
    /// Parses a prefix.
    pub fn parse(text: &str) -> Result<Self, InvalidSecretPath> {
        let whole = text.strip_suffix('/').unwrap_or(text);
        if text.is_empty() || SecretPath::parse(whole).is_ok() {
            Ok(Self(text.into()))
        } else {
            Err(InvalidSecretPath)
        }
    }

    /// The prefix.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn has_length(text: &str) -> bool {
    (1..=BYTES_MAX).contains(&text.len())
}

fn is_segment(segment: &str) -> bool {
    !matches!(segment, "" | "." | "..")
        && !segment
            .chars()
            .any(|character| character.is_control() || matches!(character, '*' | '?' | '\\'))
}

/// As Amazon limits names of secrets (Secrets Manager API reference, CreateSecret).
const BYTES_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        for good in ["a", "prod/db", "/prod/db", "a.b/c@d", "..a", "ä/ö", "a b"] {
            assert!(SecretPath::parse(good).is_ok(), "{good}");
        }
        let long = "a".repeat(513);
        for bad in [
            "", "/", "a/", "a//b", "//a", ".", "..", "a/../b", "a/./b", "a*", "a?b", "a\\b",
            "a\nb", &long,
        ] {
            assert!(SecretPath::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_prefix_may_be_empty_or_end_with_a_slash() {
        for good in ["", "a", "a/", "/a", "a/b"] {
            assert!(SecretPrefix::parse(good).is_ok(), "{good}");
        }
        for bad in ["/", "a//", "../", "a/../"] {
            assert!(SecretPrefix::parse(bad).is_err(), "{bad:?}");
        }
    }
}
