use std::fmt;

/// The text is not an e-mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an e-mail address is a local part, @ and a domain, of 254 bytes at most")]
pub struct InvalidEmail;

/// An e-mail address: without spaces around it and in small letters, so that one mailbox has one
/// account.
///
/// The grammar is not RFC 5321's: quoted local parts and addresses in brackets are refused, and
/// letters beyond ASCII are kept as they are. Whether it can be delivered to, only a delivery
/// tells.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Email(Box<str>);

impl Email {
    /// Parses an address as somebody typed it.
    pub fn parse(text: &str) -> Result<Self, InvalidEmail> {
        let text = text.trim().to_lowercase();
        let (local, domain) = text.rsplit_once('@').ok_or(InvalidEmail)?;
        let is_plain = |part: &str| {
            !part
                .chars()
                .any(|c| c.is_control() || c.is_whitespace() || "@\"(),:;<>[\\]".contains(c))
        };
        let has_labels = |part: &str| part.split('.').all(|label| !label.is_empty());
        let is_domain = domain.contains('.')
            && domain
                .split('.')
                .all(|label| !label.starts_with('-') && !label.ends_with('-'));
        let well_formed = text.len() <= BYTES_MAX
            && (1..=LOCAL_BYTES_MAX).contains(&local.len())
            && is_plain(local)
            && is_plain(domain)
            && has_labels(local)
            && has_labels(domain)
            && is_domain;
        if well_formed {
            Ok(Self(text.into()))
        } else {
            Err(InvalidEmail)
        }
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Logs hold no e-mail addresses.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(…)")
    }
}

/// RFC 5321, section 4.5.3.1, with the erratum on RFC 3696.
const BYTES_MAX: usize = 254;
const LOCAL_BYTES_MAX: usize = 64;
