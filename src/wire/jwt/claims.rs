use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What an ID token says, as far as it is needed here. A claim that stands twice is refused.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// Who says it.
    #[serde(rename = "iss")]
    pub issuer: String,
    /// Of whom: a name that the issuer gives to nobody else.
    #[serde(rename = "sub")]
    pub subject: String,
    /// To whom.
    #[serde(rename = "aud", deserialize_with = "audience")]
    pub audience: Vec<String>,
    /// Whom it was issued for, if that is another.
    #[serde(rename = "azp")]
    pub authorized_party: Option<String>,
    /// Until when it holds, seconds since the epoch.
    #[serde(rename = "exp", deserialize_with = "seconds")]
    pub expires_seconds: i64,
    /// From when on it holds.
    #[serde(rename = "nbf", default, deserialize_with = "optional_seconds")]
    pub not_before_seconds: Option<i64>,
    /// When it was made.
    #[serde(rename = "iat", default, deserialize_with = "optional_seconds")]
    pub issued_at_seconds: Option<i64>,
    /// What whoever asked for it had given.
    pub nonce: Option<String>,
}

/// One text, or several.
fn audience<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    struct Texts;

    impl<'de> Visitor<'de> for Texts {
        type Value = Vec<String>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text or a list of texts")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<String>, E> {
            Ok(vec![text.to_owned()])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
            let mut texts = Vec::new();
            while let Some(text) = list.next_element()? {
                texts.push(text);
            }
            Ok(texts)
        }
    }

    deserializer.deserialize_any(Texts)
}

/// A number of seconds, which may have a fraction (RFC 7519, section 2, NumericDate).
fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    if seconds.is_finite() && seconds.abs() < SECONDS_MAX {
        // Within the range of the type by the line above.
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a fraction is of no meaning here"
        )]
        Ok(seconds.floor() as i64)
    } else {
        Err(D::Error::custom("a time out of range"))
    }
}

fn optional_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    seconds(deserializer).map(Some)
}

/// Numbers below are exact.
const SECONDS_MAX: f64 = 9_007_199_254_740_992.0;
