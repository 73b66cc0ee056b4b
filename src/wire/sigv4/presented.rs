use names::AccessKeyId;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::canonical::{ALGORITHM, SIGNATURE, canonical_request, parameters, string_to_sign};
use super::error::SigV4Error;
use super::key::{Scope, SigningKey, TERMINATOR};
use super::payload::PayloadHash;
use super::request::Request;

/// Where the signature came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// In the Authorization header.
    Header,
    /// In the query of a presigned URL.
    Query {
        /// For how long it holds, seconds: 1 to 604,800.
        expires_seconds: u32,
    },
}

/// A signature as it was presented: well-formed, **not yet verified**. Until
/// [`verify`](Self::verify) has returned, the access key is only a claim.
#[derive(Debug, Clone)]
pub struct Presented {
    access_key: AccessKeyId,
    scope: Scope,
    signed_headers: Vec<String>,
    signature: [u8; 32],
    timestamp: String,
    signed_at_seconds: i64,
    carrier: Carrier,
    payload: PayloadHash,
    payload_text: String,
    session_token: Option<String>,
}

impl Presented {
    /// Reads the signature of a request; `None` when there is none (anonymous).
    pub fn of(request: &Request<'_>) -> Result<Option<Self>, SigV4Error> {
        Self::read(request, None)
    }

    /// The same of a request whose body has been read: what its signature covers is the SHA-256 of
    /// the body itself, as for every service but S3. A field that says otherwise is not looked at.
    pub fn over(request: &Request<'_>, body_hash: [u8; 32]) -> Result<Option<Self>, SigV4Error> {
        Self::read(request, Some(&hex::encode(body_hash)))
    }

    fn read(request: &Request<'_>, body_hash: Option<&str>) -> Result<Option<Self>, SigV4Error> {
        let query = parameters(request.query)?;
        let in_query = query.iter().any(|(name, _)| name == "X-Amz-Algorithm");
        let signed_by_v2 = query.iter().any(|(name, _)| name == "AWSAccessKeyId");
        let session_token = session_token(&query, request)?;
        let presented = match (request.header("authorization").is_some(), in_query) {
            (true, true) => Err(SigV4Error::TwoMechanisms),
            (true, false) => Self::of_header(request, body_hash).map(Some),
            (false, true) => Self::of_query(&query, request, body_hash).map(Some),
            (false, false) if signed_by_v2 => Err(SigV4Error::UnsupportedMechanism),
            (false, false) => Ok(None),
        };
        Ok(presented?.map(|presented| Self {
            session_token,
            ..presented
        }))
    }

    /// Whose signature it claims to be.
    pub fn access_key(&self) -> &AccessKeyId {
        &self.access_key
    }

    /// Which signing key it was made with.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Where it came.
    pub fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// What the body is said to be.
    pub fn payload(&self) -> PayloadHash {
        self.payload
    }

    /// The session token of STS that came with it, which [`verify`](Self::verify) sees to have
    /// been signed.
    pub fn session_token(&self) -> Option<&str> {
        self.session_token.as_deref()
    }

    /// The time of signing as it was signed, `YYYYMMDDTHHMMSSZ`.
    pub fn timestamp(&self) -> &str {
        &self.timestamp
    }

    /// The signature, which that of the first chunk of an aws-chunked body follows from.
    pub fn signature(&self) -> &[u8; 32] {
        &self.signature
    }

    /// Verifies time, what has to be signed, and the signature, in constant time.
    ///
    /// For an access key that does not exist, call it with a key derived from any secret, so that
    /// unknown and wrong take the same work.
    pub fn verify(
        &self,
        request: &Request<'_>,
        key: &SigningKey,
        now_seconds: i64,
    ) -> Result<(), SigV4Error> {
        self.check_signed_headers(request)?;
        let names: Vec<&str> = self.signed_headers.iter().map(String::as_str).collect();
        let canonical = canonical_request(request, &names, &self.payload_text)?;
        let message = string_to_sign(&self.timestamp, &self.scope, &canonical);
        // The time is judged only for whoever holds the secret.
        if !key.verify(message.as_bytes(), &self.signature) {
            return Err(SigV4Error::Mismatch);
        }
        self.check_time(now_seconds)
    }

    /// The host and every `x-amz-*` header must be signed. RustFS and s3s accepted others: an
    /// added `x-amz-copy-source` turned a signed PUT into a copy.
    fn check_signed_headers(&self, request: &Request<'_>) -> Result<(), SigV4Error> {
        let is_signed = |name: &str| self.signed_headers.iter().any(|signed| signed == name);
        let must_be_signed = |name: &str| {
            name == "host"
                || (name.starts_with("x-amz-")
                    // A presigned request says UNSIGNED-PAYLOAD in its canonical form anyway, and
                    // some clients repeat it in a header of its own.
                    && !(name == "x-amz-content-sha256"
                        && self.carrier != Carrier::Header
                        && self.payload == PayloadHash::Unsigned))
        };
        let all_signed = request
            .headers
            .iter()
            .all(|(name, _)| !must_be_signed(name) || is_signed(name));
        if is_signed("host") && all_signed {
            Ok(())
        } else {
            Err(SigV4Error::HeaderUnsigned)
        }
    }

    fn check_time(&self, now_seconds: i64) -> Result<(), SigV4Error> {
        let age_seconds = now_seconds.saturating_sub(self.signed_at_seconds);
        match self.carrier {
            Carrier::Header if age_seconds.abs() > SKEW_SECONDS_MAX => Err(SigV4Error::Skewed),
            Carrier::Query { .. } if age_seconds < -SKEW_SECONDS_MAX => {
                Err(SigV4Error::NotYetValid)
            }
            Carrier::Query { expires_seconds } if age_seconds > i64::from(expires_seconds) => {
                Err(SigV4Error::Expired)
            }
            _ => Ok(()),
        }
    }

    fn of_header(request: &Request<'_>, body_hash: Option<&str>) -> Result<Self, SigV4Error> {
        let malformed = SigV4Error::HeaderMalformed;
        let headers = request.headers.iter();
        if headers.filter(|(name, _)| *name == "authorization").count() > 1 {
            return Err(malformed("the header is given twice"));
        }
        let text = request
            .text("authorization")
            .ok_or(malformed("the header is not text"))?;
        let (algorithm, fields) = text.split_once(' ').unwrap_or((text, ""));
        if algorithm != ALGORITHM {
            return Err(SigV4Error::UnsupportedMechanism);
        }
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for field in fields.split(',') {
            let (name, value) = field
                .trim()
                .split_once('=')
                .ok_or(malformed("a field has no value"))?;
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(malformed("a field is not known")),
            };
            if slot.replace(value).is_some() {
                return Err(malformed("a field is given twice"));
            }
        }
        let timestamp = request.text("x-amz-date").ok_or(SigV4Error::DateMissing)?;
        let payload_text = body_hash
            .or_else(|| request.text("x-amz-content-sha256"))
            .ok_or(SigV4Error::PayloadHashInvalid)?;
        Self::assemble(
            Fields {
                credential: credential.ok_or(malformed("Credential is missing"))?,
                signed_headers: signed_headers.ok_or(malformed("SignedHeaders is missing"))?,
                signature: signature.ok_or(malformed("Signature is missing"))?,
                timestamp,
                payload_text,
            },
            Carrier::Header,
            malformed,
        )
    }

    fn of_query(
        query: &[(String, String)],
        request: &Request<'_>,
        body_hash: Option<&str>,
    ) -> Result<Self, SigV4Error> {
        let malformed = SigV4Error::QueryMalformed;
        let field = |name: &str| {
            let mut values = query.iter().filter(|(other, _)| other == name);
            match (values.next(), values.next()) {
                (Some((_, value)), None) => Ok(value.as_str()),
                (None, _) => Err(malformed("a query parameter is missing")),
                (Some(_), Some(_)) => Err(malformed("a query parameter is given twice")),
            }
        };
        if field("X-Amz-Algorithm")? != ALGORITHM {
            return Err(malformed("X-Amz-Algorithm only supports AWS4-HMAC-SHA256"));
        }
        let expires_seconds = field("X-Amz-Expires")?
            .parse()
            .ok()
            .filter(|seconds| (1..=EXPIRES_SECONDS_MAX).contains(seconds))
            .ok_or(malformed("X-Amz-Expires must be 1 to 604800 seconds"))?;
        let payload_text = body_hash
            .or_else(|| request.text("x-amz-content-sha256"))
            .unwrap_or("UNSIGNED-PAYLOAD");
        Self::assemble(
            Fields {
                credential: field("X-Amz-Credential")?,
                signed_headers: field("X-Amz-SignedHeaders")?,
                signature: field(SIGNATURE)?,
                timestamp: field("X-Amz-Date")?,
                payload_text,
            },
            Carrier::Query { expires_seconds },
            malformed,
        )
    }

    fn assemble(
        fields: Fields<'_>,
        carrier: Carrier,
        malformed: fn(&'static str) -> SigV4Error,
    ) -> Result<Self, SigV4Error> {
        let mut parts = fields.credential.splitn(5, '/');
        let mut part = || {
            parts
                .next()
                .ok_or(malformed("the credential has five parts"))
        };
        let access_key = AccessKeyId::parse(part()?).map_err(|_| malformed("the access key id"))?;
        let (date, region, service) = (part()?, part()?, part()?);
        if part()? != TERMINATOR {
            return Err(malformed("the credential ends with aws4_request"));
        }
        let is_plain = |text: &str| {
            (1..=64).contains(&text.len())
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if !is_plain(region) || !is_plain(service) {
            return Err(malformed("the credential's scope"));
        }
        let signed_at = PrimitiveDateTime::parse(fields.timestamp, TIMESTAMP)
            .map_err(|_| SigV4Error::DateMissing)?;
        if fields.timestamp.get(..8) != Some(date) {
            return Err(malformed(
                "the date in the credential is not that of the request",
            ));
        }
        let signed_headers: Vec<String> = fields
            .signed_headers
            .split(';')
            .map(str::to_owned)
            .collect();
        let ascends = signed_headers.is_sorted_by(|one, next| one < next);
        let is_lower = |name: &String| {
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| matches!(byte, b'!'..=b'@' | b'^'..=b'~'))
        };
        if !ascends || !signed_headers.iter().all(is_lower) {
            return Err(malformed("SignedHeaders are lower case and in order"));
        }
        let mut signature = [0; 32];
        hex::decode_to_slice(fields.signature, &mut signature).map_err(|_| SigV4Error::Mismatch)?;
        Ok(Self {
            access_key,
            scope: Scope {
                date: date.to_owned(),
                region: region.to_owned(),
                service: service.to_owned(),
            },
            signed_headers,
            signature,
            timestamp: fields.timestamp.to_owned(),
            signed_at_seconds: signed_at.assume_utc().unix_timestamp(),
            carrier,
            payload: PayloadHash::parse(fields.payload_text)?,
            payload_text: fields.payload_text.to_owned(),
            session_token: None,
        })
    }
}

/// The one session token of a request, wherever it came: signers put it where they put the
/// signature, and both places are covered by it.
fn session_token(
    query: &[(String, String)],
    request: &Request<'_>,
) -> Result<Option<String>, SigV4Error> {
    let malformed = SigV4Error::TokenMalformed;
    let in_headers = request
        .headers
        .iter()
        .filter(|(name, _)| *name == SESSION_TOKEN)
        .map(|(_, value)| std::str::from_utf8(value).ok());
    let in_query = query
        .iter()
        .filter(|(name, _)| name.eq_ignore_ascii_case(SESSION_TOKEN))
        .map(|(_, value)| Some(value.as_str()));
    let mut tokens = in_headers.chain(in_query);
    match (tokens.next(), tokens.next()) {
        (None, _) => Ok(None),
        (Some(Some(token)), None) => Ok(Some(token.to_owned())),
        (Some(None), None) => Err(malformed("the session token is not text")),
        (Some(_), Some(_)) => Err(malformed("the session token is given twice")),
    }
}

/// The texts that a signature consists of, wherever they came.
struct Fields<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
    timestamp: &'a str,
    payload_text: &'a str,
}

const SESSION_TOKEN: &str = "x-amz-security-token";
const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");
/// How far the client's clock may be from ours, as Amazon has it.
const SKEW_SECONDS_MAX: i64 = 15 * 60;
/// Seven days.
const EXPIRES_SECONDS_MAX: u32 = 7 * 24 * 60 * 60;
