use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

use super::error::{ErrorCode, Refusal};

/// The parameters of a request, decoded: those of its query, and those of the form that is its
/// body. Every text is wiped when it is dropped: an identity token is one of them.
pub struct Form(BTreeMap<String, Zeroizing<String>>);

impl Form {
    /// Reads a query without its question mark, and a body in
    /// `application/x-www-form-urlencoded`. What signs a presigned query is no parameter.
    ///
    /// # Errors
    /// `MalformedQueryString`, and `ValidationError` for a parameter that is given twice: of two
    /// values, two readers could each believe another.
    pub fn parse(query: &str, body: &[u8]) -> Result<Self, Refusal> {
        let body = std::str::from_utf8(body).map_err(|_| ErrorCode::MalformedQueryString)?;
        let pairs = |text| -> Vec<(&str, &str)> {
            let filled = str::split(text, '&').filter(|pair| !pair.is_empty());
            filled
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .collect()
        };
        let of_query = pairs(query).into_iter().filter(|(name, _)| !signs(name));
        let mut parameters = BTreeMap::new();
        for (name, value) in of_query.chain(pairs(body)) {
            if parameters.len() == PARAMETERS_MAX {
                let message = "There are too many parameters.";
                return Err(Refusal::new(ErrorCode::ValidationError, message));
            }
            let name = decoded(name)?.to_string();
            if parameters.insert(name, decoded(value)?).is_some() {
                let message = "A parameter is given twice.";
                return Err(Refusal::new(ErrorCode::ValidationError, message));
            }
        }
        Ok(Self(parameters))
    }

    /// A parameter's value.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str())
    }

    /// The names of all parameters.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

fn signs(name: &str) -> bool {
    name.get(..6)
        .is_some_and(|start| start.eq_ignore_ascii_case("X-Amz-"))
}

fn decoded(text: &str) -> Result<Zeroizing<String>, Refusal> {
    let spaced = Zeroizing::new(text.replace('+', " "));
    let text = percent_decode_str(&spaced)
        .decode_utf8()
        .map_err(|_| ErrorCode::MalformedQueryString)?;
    Ok(Zeroizing::new(text.into_owned()))
}

/// More than any action has.
const PARAMETERS_MAX: usize = 64;
