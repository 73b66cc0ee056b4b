use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::Secret;

/// Who shows the operator's bearer token (RFC 6750) is the operator. Without a token nobody is.
pub struct OperatorToken {
    digest: Option<[u8; 32]>,
}

impl OperatorToken {
    /// Keeps a digest of the token alone.
    pub fn new(token: Option<&Secret>) -> Self {
        Self {
            digest: token.map(|token| Sha256::digest(token.expose()).into()),
        }
    }

    /// Whether exactly one `Authorization` field shows the token. Digests of equal length are
    /// compared in constant time, so that the answer tells neither bytes nor length.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        let mut fields = headers.get_all(AUTHORIZATION).iter();
        let (Some(digest), Some(field), None) = (&self.digest, fields.next(), fields.next()) else {
            return false;
        };
        let Some((scheme, token)) = field.as_bytes().split_first_chunk::<7>() else {
            return false;
        };
        let shown: [u8; 32] = Sha256::digest(token).into();
        scheme.eq_ignore_ascii_case(b"bearer ") && bool::from(shown.ct_eq(digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_admits() {
        let token = OperatorToken::new(Some(&Secret::new("0123456789abcdef".into())));
        let admits = |token: &OperatorToken, values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().expect("a header value"));
            }
            token.admits(&headers)
        };
        assert!(admits(&token, &["Bearer 0123456789abcdef"]));
        assert!(admits(&token, &["bearer 0123456789abcdef"]));
        for wrong in [
            &[][..],
            &["Bearer "],
            &["Bearer"],
            &["Bearer 0123456789abcde"],
            &["Bearer 0123456789abcdefg"],
            &["Basic 0123456789abcdef"],
            &["0123456789abcdef"],
            &["Bearer 0123456789abcdef", "Bearer 0123456789abcdef"],
        ] {
            assert!(!admits(&token, wrong), "{wrong:?}");
        }
        assert!(!admits(&OperatorToken::new(None), &["Bearer "]));
    }
}
