use std::fmt;

use super::error::{ErrorCode, Refusal};

/// The Amazon Resource Name of a role:
///
/// ```text
/// arn:aws:iam::123456789012:role/agents/0190…
///     │   │    │                 └ name: 1 to 512 letters, digits and _+=,.@/-
///     │   │    └ account: twelve digits
///     │   └ service
///     └ partition
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleArn {
    account: Box<str>,
    name: Box<str>,
}

/// What a session is called by whoever makes it: 2 to 64 letters, digits and `_+=,.@-`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionName(Box<str>);

impl RoleArn {
    /// Reads `RoleArn`.
    ///
    /// # Errors
    /// `ValidationError`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let parts = text.strip_prefix("arn:aws:iam::").and_then(|rest| {
            let (account, role) = rest.split_once(':')?;
            Some((account, role.strip_prefix("role/")?))
        });
        let is_account = |text: &str| text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit());
        let is_name = |text: &str| {
            (1..=NAME_BYTES_MAX).contains(&text.len())
                && text.bytes().all(|byte| is_plain(byte) || byte == b'/')
        };
        match parts {
            Some((account, name)) if is_account(account) && is_name(name) => Ok(Self {
                account: account.into(),
                name: name.into(),
            }),
            _ => Err(Refusal::new(
                ErrorCode::ValidationError,
                "RoleArn has the form arn:aws:iam::<account>:role/<name>.",
            )),
        }
    }

    /// The account: twelve digits.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The role, with its path.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl SessionName {
    /// Reads `RoleSessionName`.
    ///
    /// # Errors
    /// `ValidationError`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let well_formed = (2..=64).contains(&text.len()) && text.bytes().all(is_plain);
        if well_formed {
            Ok(Self(text.into()))
        } else {
            Err(Refusal::new(
                ErrorCode::ValidationError,
                "RoleSessionName has 2 to 64 letters, digits and _+=,.@-.",
            ))
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SessionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What names have: `[\w+=,.@-]` of the API reference.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte)
}

/// A path and a name (IAM API reference, Role).
const NAME_BYTES_MAX: usize = 512;
