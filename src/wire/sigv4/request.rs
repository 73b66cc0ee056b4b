/// A request as it came over the wire. Nothing is decoded: what was signed is what was sent.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The method, upper-case.
    pub method: &'a str,
    /// The path, still percent-encoded.
    pub path: &'a str,
    /// The query without its question mark, still percent-encoded.
    pub query: &'a str,
    /// The headers in the order they came, names in lower case. `host` is among them; over HTTP/2
    /// it is made of `:authority`.
    pub headers: &'a [(&'a str, &'a [u8])],
}

impl<'a> Request<'a> {
    /// The first header of a name.
    pub(super) fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| *value)
    }

    /// The same, if it is visible ASCII.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.header(name)
            .filter(|value| value.iter().all(|byte| matches!(byte, 0x20..0x7f)))
            .and_then(|value| std::str::from_utf8(value).ok())
    }
}
