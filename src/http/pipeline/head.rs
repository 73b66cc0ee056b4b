use http::header::{AsHeaderName, HOST};
use http::{HeaderMap, HeaderValue, Method, Request, Uri};

/// The head of a request as it came: nothing is decoded, since what was signed is what was sent.
pub struct Head {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Head {
    /// Takes a request apart.
    pub fn split<B>(request: Request<B>) -> (Self, B) {
        let (parts, body) = request.into_parts();
        let mut headers = parts.headers;
        // HTTP/2 names the host in `:authority`, and HTTP/1 in an absolute target, which goes
        // before the field (RFC 9112, 3.2.2). Signatures know only the field.
        if let Some(authority) = parts.uri.authority()
            && let Ok(host) = HeaderValue::from_str(authority.as_str())
        {
            headers.insert(HOST, host);
        }
        let head = Self {
            method: parts.method,
            uri: parts.uri,
            headers,
        };
        (head, body)
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, still percent-encoded.
    pub fn path(&self) -> &str {
        self.uri.path()
    }

    /// The query without its question mark, still percent-encoded.
    pub fn query(&self) -> &str {
        self.uri.query().unwrap_or_default()
    }

    /// The header fields.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The first field of a name, if it is UTF-8.
    pub fn text(&self, name: impl AsHeaderName) -> Option<&str> {
        std::str::from_utf8(self.headers.get(name)?.as_bytes()).ok()
    }

    /// The host that the request is for, without a port.
    pub fn host(&self) -> Option<&str> {
        let host = self.text(HOST)?;
        // An address of IPv6 stands in brackets and has colons of its own.
        match host.rsplit_once(':') {
            Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => Some(name),
            _ => Some(host),
        }
    }

    /// The fields in the form in which signatures are computed over them.
    pub fn fields(&self) -> Vec<(&str, &[u8])> {
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect()
    }
}
