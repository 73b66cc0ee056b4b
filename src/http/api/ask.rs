use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, ETAG, IF_MATCH};
use http::{HeaderMap, HeaderValue, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::problem::Problem;
use super::route::{Parameter, Route, Segments};
use crate::http::net::RequestBody;
use crate::http::pipeline::Answer;

/// What was asked for, read as far as its route says.
pub struct Ask {
    pub(super) route: &'static Route,
    segments: BTreeMap<&'static str, String>,
    query: BTreeMap<&'static str, String>,
    headers: HeaderMap,
    body: Bytes,
}

impl Ask {
    /// Reads the query, strictly: a parameter that is not known, or given twice, is refused, since
    /// one that was misspelled would otherwise be taken for none.
    pub(super) fn read(
        route: &'static Route,
        segments: &Segments<'_>,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Self, Problem> {
        let mut read = Self {
            route,
            segments: BTreeMap::new(),
            query: parameters(route.query, query.unwrap_or_default())?,
            headers: headers.clone(),
            body: Bytes::new(),
        };
        for name in route.segment_names() {
            let sent = percent_decode_str(segments.named(name)).decode_utf8();
            // What is no text names nothing.
            let sent = sent.map_err(|_| Problem::no_such("path"))?;
            read.segments.insert(name, sent.into_owned());
        }
        Ok(read)
    }

    /// Takes the body in, of a route that reads one.
    pub(super) async fn with_body(mut self, body: RequestBody) -> Result<Self, Problem> {
        self.body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Err(Problem::body_too_large(BODY_BYTES_MAX));
            }
            Err(_) => return Err(Problem::invalid("the body broke off")),
        };
        match self.route.takes {
            None if !self.body.is_empty() => Err(Problem::invalid("this takes no body")),
            Some(_) if !is_json(&self.headers) => Err(Problem::unsupported_media_type()),
            _ => Ok(self),
        }
    }

    /// What stood in the place of a segment in braces.
    pub(super) fn segment(&self, name: &str) -> &str {
        self.segments.get(name).map_or("", String::as_str)
    }

    /// The identifier in the place of a segment; what is none names nothing.
    pub(super) fn id<T: std::str::FromStr + ToString>(
        &self,
        name: &str,
        what: &'static str,
    ) -> Result<T, Problem> {
        let text = self.segment(name);
        let id = text.parse::<T>().map_err(|_| Problem::no_such(what))?;
        // A UUID has other spellings; here it has one.
        if id.to_string() == text {
            Ok(id)
        } else {
            Err(Problem::no_such(what))
        }
    }

    /// A parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// A time in the query, milliseconds since the epoch.
    pub(super) fn time(&self, name: &'static str) -> Result<Option<u64>, Problem> {
        let Some(text) = self.parameter(name) else {
            return Ok(None);
        };
        time_ms(text)
            .map(Some)
            .ok_or_else(|| Problem::invalid("a time is written as in RFC 3339").at(name))
    }

    /// Which page is asked for: after what, and how many at most.
    pub(super) fn page<C>(&self, cursor: impl Fn(&str) -> Option<C>) -> Result<Page<C>, Problem> {
        let after =
            match self.parameter("after") {
                Some(text) => Some(cursor(text).ok_or_else(|| {
                    Problem::invalid("`after` is the `next` of a page").at("after")
                })?),
                None => None,
            };
        let limit = match self.parameter("limit") {
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=LIMIT_MAX).contains(limit))
                .ok_or_else(|| Problem::invalid("`limit` is 1 to 1000").at("limit"))?,
            None => LIMIT_DEFAULT,
        };
        Ok(Page { after, limit })
    }

    /// The body as JSON of exactly this form.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        let mut decoder = serde_json::Deserializer::from_slice(&self.body);
        let read = serde_path_to_error::deserialize(&mut decoder).map_err(|error| {
            let field = error.path().to_string();
            Problem::invalid(format!("the body: {}", error.inner())).at(field)
        })?;
        decoder
            .end()
            .map_err(|_| Problem::invalid("the body goes on after its JSON"))?;
        Ok(read)
    }

    /// The version that a change is to meet (RFC 9110, 13.1.1): a strong ETag, as it was shown.
    pub(super) fn if_match(&self) -> Result<Option<u64>, Problem> {
        let mut fields = self.headers.get_all(IF_MATCH).iter();
        let (first, second) = (fields.next(), fields.next());
        let Some(field) = first else {
            return Ok(None);
        };
        let invalid = || Problem::invalid("`If-Match` is an ETag as it was shown").at("If-Match");
        let text = field.to_str().map_err(|_| invalid())?;
        if second.is_some() {
            return Err(invalid());
        }
        let inner = text
            .strip_prefix('"')
            .and_then(|text| text.strip_suffix('"'));
        match inner.and_then(|inner| inner.parse().ok()) {
            Some(sequence) => Ok(Some(sequence)),
            None if text == "*" => Ok(None),
            None => Err(invalid()),
        }
    }

    /// The key that makes a request idempotent, if one was sent.
    pub(super) fn idempotency_key(&self) -> Result<Option<&str>, Problem> {
        let Some(field) = self.headers.get(IDEMPOTENCY_KEY) else {
            return Ok(None);
        };
        let text = field.to_str().ok().filter(|text| {
            (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        });
        let invalid = "an idempotency key has 1 to 255 visible characters";
        text.map(Some)
            .ok_or_else(|| Problem::invalid(invalid).at(IDEMPOTENCY_KEY))
    }

    /// What stood in the path, in its order.
    pub(super) fn path(&self) -> String {
        let segments: Vec<_> = self.segments.values().map(String::as_str).collect();
        segments.join("/")
    }

    /// The bytes of the body.
    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }
}

/// Which page of a list is asked for.
pub struct Page<C> {
    /// Where it begins: after this one.
    pub(super) after: Option<C>,
    /// How many at most.
    pub(super) limit: u32,
}

impl<C> Page<C> {
    /// How many to read: one more than are shown, which tells whether there is a next page.
    pub(super) fn max(&self) -> u32 {
        self.limit + 1
    }

    /// Keeps what belongs to the page; the name of its last one is the cursor of the next.
    pub(super) fn cut<T>(
        &self,
        mut all: Vec<T>,
        name: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let has_more = all.len() > limit;
        all.truncate(limit);
        let next = all.last().filter(|_| has_more).map(name);
        (all, next)
    }
}

/// 200 with JSON.
pub(super) fn shown(value: &impl Serialize) -> Result<Answer, Problem> {
    json(StatusCode::OK, value)
}

/// 200 with JSON and its version.
pub(super) fn tagged(value: &impl Serialize, sequence: u64) -> Result<Answer, Problem> {
    let mut answer = shown(value)?;
    let tag = HeaderValue::from_str(&format!("\"{sequence}\"")).map_err(Problem::internal)?;
    answer.head.headers_mut().insert(ETAG, tag);
    Ok(answer)
}

/// 201 with JSON.
pub(super) fn made(value: &impl Serialize) -> Result<Answer, Problem> {
    json(StatusCode::CREATED, value)
}

/// 204.
pub(super) fn done() -> Answer {
    Answer::empty(StatusCode::NO_CONTENT)
}

fn json(status: StatusCode, value: &impl Serialize) -> Result<Answer, Problem> {
    Answer::json(status, value).map_err(Problem::internal)
}

/// A time as RFC 3339 has it, in milliseconds since the epoch.
pub(super) fn time_ms(text: &str) -> Option<u64> {
    let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

fn parameters(
    known: &'static [Parameter],
    query: &str,
) -> Result<BTreeMap<&'static str, String>, Problem> {
    let mut read = BTreeMap::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let decoded = |text: &str| {
            let text = text.replace('+', " ");
            percent_decode_str(&text)
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| Problem::invalid("the query is not UTF-8"))
        };
        let (name, value) = (decoded(name)?, decoded(value)?);
        let Some(parameter) = known.iter().find(|parameter| parameter.name == name) else {
            return Err(Problem::invalid("the query takes no such parameter").at(name));
        };
        if !parameter.kind.admits(&value) {
            let detail = format!("`{name}` is {}", parameter.kind);
            return Err(Problem::invalid(detail).at(name));
        }
        if read.insert(parameter.name, value).is_some() {
            return Err(Problem::invalid("a parameter is given twice").at(name));
        }
    }
    Ok(read)
}

/// `application/json`, with or without parameters (RFC 9110, 8.3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let (Some(kind), None) = (kinds.next(), kinds.next()) else {
        return false;
    };
    let essence = kind.as_bytes().split(|byte| *byte == b';').next();
    essence.is_some_and(|essence| {
        essence
            .trim_ascii()
            .eq_ignore_ascii_case(b"application/json")
    })
}

/// A record's value of 64 KiB fits, escaped.
const BODY_BYTES_MAX: usize = 512 << 10;
const LIMIT_DEFAULT: u32 = 100;
/// How many a page may hold.
pub(super) const LIMIT_MAX: u32 = 1000;
const IDEMPOTENCY_KEY: &str = "idempotency-key";
