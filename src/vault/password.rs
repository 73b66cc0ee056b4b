use zeroize::Zeroizing;

use super::error::{Field, VaultError};
use super::service::Vault;
use crate::authz::{DrawPassword, Permit};
use crate::entropy::Entropy;

/// What a password that is drawn by chance is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordRules {
    /// How many characters it has: 1 to 4,096.
    pub length: usize,
    /// The kinds of characters that it may have.
    pub kinds: Vec<CharacterKind>,
    /// Characters that it must not have.
    pub excluded: String,
    /// Whether it has one of each kind at least.
    pub each: bool,
}

/// A kind of characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CharacterKind {
    /// `a` to `z`.
    Lowercase,
    /// `A` to `Z`.
    Uppercase,
    /// `0` to `9`.
    Digit,
    /// The 32 characters of ASCII that are neither letters nor digits.
    Punctuation,
    /// A space.
    Space,
}

impl Vault {
    /// Draws a password. It is kept nowhere.
    pub fn password(
        &self,
        _: Permit<DrawPassword>,
        rules: &PasswordRules,
    ) -> Result<Zeroizing<String>, VaultError> {
        draw(&self.entropy, rules)
    }
}

/// Draws one character of each kind if there has to be one, the others of all kinds alike, and puts
/// them in an order by chance.
pub(super) fn draw(
    entropy: &Entropy,
    rules: &PasswordRules,
) -> Result<Zeroizing<String>, VaultError> {
    let alphabets: Vec<Vec<u8>> = rules
        .kinds
        .iter()
        .map(|kind| kind.without(&rules.excluded))
        .filter(|alphabet| !alphabet.is_empty())
        .collect();
    let all = alphabets.concat();
    if all.is_empty() {
        return Err(VaultError::invalid(
            Field::PasswordCharacters,
            "no characters are left that a password could be made of",
        ));
    }
    if !(1..=PASSWORD_CHARS_MAX).contains(&rules.length) {
        return Err(VaultError::invalid(
            Field::PasswordLength,
            "a password has 1 to 4,096 characters",
        ));
    }
    if rules.each && alphabets.len() > rules.length {
        return Err(VaultError::invalid(
            Field::PasswordLength,
            "the password is too short to have a character of each kind",
        ));
    }
    let mut drawn = Zeroizing::new(String::with_capacity(rules.length));
    let mut bytes = Zeroizing::new(Vec::with_capacity(rules.length));
    if rules.each {
        bytes.extend(
            alphabets
                .iter()
                .map(|kind| kind[below(entropy, kind.len())]),
        );
    }
    while bytes.len() < rules.length {
        bytes.push(all[below(entropy, all.len())]);
    }
    for last in (1..bytes.len()).rev() {
        bytes.swap(last, below(entropy, last + 1));
    }
    drawn.extend(bytes.iter().copied().map(char::from));
    Ok(drawn)
}

/// A number below `count`, each as likely as another: what would favour the small ones is drawn
/// again.
fn below(entropy: &Entropy, count: usize) -> usize {
    let count = count as u64;
    let fair = u64::MAX - u64::MAX % count;
    loop {
        let drawn = u64::from_be_bytes(entropy.bytes());
        if drawn < fair {
            return (drawn % count) as usize;
        }
    }
}

impl CharacterKind {
    fn without(self, excluded: &str) -> Vec<u8> {
        let is_of_kind = |byte: &u8| match self {
            Self::Lowercase => byte.is_ascii_lowercase(),
            Self::Uppercase => byte.is_ascii_uppercase(),
            Self::Digit => byte.is_ascii_digit(),
            Self::Punctuation => byte.is_ascii_punctuation(),
            Self::Space => *byte == b' ',
        };
        (0..128)
            .filter(is_of_kind)
            .filter(|byte| !excluded.contains(char::from(*byte)))
            .collect()
    }
}

/// As Amazon limits it (Secrets Manager API reference, GetRandomPassword).
const PASSWORD_CHARS_MAX: usize = 4_096;
