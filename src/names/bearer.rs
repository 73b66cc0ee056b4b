use std::fmt;

use crate::access_key::AccessKeyId;

/// What a bearer token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BearerKind {
    /// A session of an account: `bks_…`.
    Session,
    /// An API token: `bkt_…`.
    ApiToken,
}

/// A bearer token as it was presented: `bks_<id>_<secret>` or `bkt_<id>_<secret>`, which secret
/// scanners can tell from everything else. Both halves are letters and digits.
///
/// What proves it is the SHA-256 of the secret's text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Bearer<'a> {
    kind: BearerKind,
    id: &'a str,
    secret: &'a str,
}

/// The text is not a bearer token. It does not say the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a bearer token")]
pub struct InvalidBearer;

impl<'a> Bearer<'a> {
    /// Parses a token as a client presents it.
    pub fn parse(text: &'a str) -> Result<Self, InvalidBearer> {
        let (prefix, rest) = text.split_once('_').ok_or(InvalidBearer)?;
        let kind = BearerKind::of(prefix).ok_or(InvalidBearer)?;
        let (id, secret) = rest.split_once('_').ok_or(InvalidBearer)?;
        let is_text = |half: &str, lengths: std::ops::RangeInclusive<usize>| {
            lengths.contains(&half.len()) && half.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        if is_text(id, 3..=ID_BYTES_MAX) && is_text(secret, 1..=SECRET_BYTES_MAX) {
            Ok(Self { kind, id, secret })
        } else {
            Err(InvalidBearer)
        }
    }

    /// What it is.
    pub fn kind(&self) -> BearerKind {
        self.kind
    }

    /// Its public half.
    pub fn id(&self) -> Result<AccessKeyId, InvalidBearer> {
        AccessKeyId::parse(self.id).map_err(|_| InvalidBearer)
    }

    /// Its secret half. The one exit.
    pub fn expose(&self) -> &'a str {
        self.secret
    }
}

impl BearerKind {
    /// What tokens of the kind begin with.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Session => "bks",
            Self::ApiToken => "bkt",
        }
    }

    /// Prints a token from its halves, in one allocation. Whoever holds it wipes it.
    pub fn print(self, id: &AccessKeyId, secret: &str) -> String {
        let (prefix, id) = (self.prefix(), id.as_str());
        let mut text = String::with_capacity(prefix.len() + id.len() + secret.len() + 2);
        for piece in [prefix, "_", id, "_", secret] {
            text.push_str(piece);
        }
        text
    }

    fn of(prefix: &str) -> Option<Self> {
        [Self::Session, Self::ApiToken]
            .into_iter()
            .find(|kind| kind.prefix() == prefix)
    }
}

/// Its secret half does not belong into a log.
impl fmt::Debug for Bearer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}_…", self.kind.prefix(), self.id)
    }
}

const ID_BYTES_MAX: usize = 64;
const SECRET_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_parsed() {
        let id = AccessKeyId::parse("BKABC234").expect("an id");
        for kind in [BearerKind::Session, BearerKind::ApiToken] {
            let text = kind.print(&id, "SECRET7");
            assert_eq!(text.capacity(), text.len());
            let bearer = Bearer::parse(&text).expect("a token");
            assert_eq!((bearer.kind(), bearer.expose()), (kind, "SECRET7"));
            assert_eq!(bearer.id().expect("an id"), id);
            assert!(!format!("{bearer:?}").contains("SECRET7"));
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let long = format!("bkt_BKABC_{}", "a".repeat(129));
        for bad in [
            "",
            "bks",
            "bks_",
            "bks_BKABC",
            "bks_BKABC_",
            "bks__secret",
            "bki_BKABC_secret",
            "BKS_BKABC_secret",
            "bks_BKABC_sec_ret",
            "bks_BK-BC_secret",
            "bks_BKABC_secret ",
            "bks_BKABC_sécret",
            &long,
        ] {
            assert_eq!(Bearer::parse(bad), Err(InvalidBearer), "{bad}");
        }
    }
}
