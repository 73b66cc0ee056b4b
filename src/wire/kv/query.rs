use percent_encoding::percent_decode_str;

use super::InvalidMessage;

/// What the query says. Parameters that are not known are passed over, as HashiCorp's server does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Which version; the current one, if none is named or 0.
    pub version: Option<u64>,
    /// How deep the names of a value are shown; all of them, if it is not said or 0.
    pub depth: Option<usize>,
    /// Whether the request, a GET, is a listing.
    pub is_list: bool,
}

impl Query {
    /// Reads a query as it came. A parameter that comes twice would be read by one side as the
    /// first and by another as the second.
    pub fn parse(query: &str) -> Result<Self, InvalidMessage> {
        let (mut version, mut depth, mut list) = (None, None, None);
        for parameter in query.split('&') {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            let name = decoded(name)?;
            let slot = match name.as_str() {
                "version" => &mut version,
                "depth" => &mut depth,
                "list" => &mut list,
                _ => continue,
            };
            if slot.replace(decoded(value)?).is_some() {
                return Err(InvalidMessage("a parameter is given twice"));
            }
        }
        Ok(Self {
            version: number(version, "the version is a number")?,
            depth: number(depth, "the depth is a number")?
                .map(|depth| usize::try_from(depth).unwrap_or(usize::MAX)),
            is_list: match list.as_deref() {
                None | Some("false" | "0") => false,
                Some("true" | "1") => true,
                Some(_) => return Err(InvalidMessage("list is true or false")),
            },
        })
    }
}

/// A number; 0 is as none.
fn number(text: Option<String>, error: &'static str) -> Result<Option<u64>, InvalidMessage> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    match text.parse() {
        Ok(0) => Ok(None),
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(InvalidMessage(error)),
    }
}

fn decoded(text: &str) -> Result<String, InvalidMessage> {
    percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| InvalidMessage("the query is not UTF-8"))
}
