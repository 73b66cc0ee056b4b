/// A condition on an ETag: `If-Match`, `If-None-Match`, and their `x-amz-copy-source-` siblings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EtagCondition {
    /// `*`: any object at all.
    Any,
    /// One of these, without quotes. None at all matches no object.
    OneOf(Vec<String>),
}

impl EtagCondition {
    /// Reads a header. Nothing is refused: clients send ETags with quotes and without, and what
    /// cannot be an ETag equals none.
    ///
    /// `W/` is dropped. Proxies weaken the strong ETags that they were given, and here equal ETags
    /// mean equal bytes, so that comparing them weakly and strongly is the same.
    pub fn parse(header: &str) -> Self {
        if header.trim() == "*" {
            return Self::Any;
        }
        let mut etags = Vec::new();
        let mut rest = header.trim_start_matches(is_separator);
        while !rest.is_empty() {
            rest = rest.strip_prefix("W/").unwrap_or(rest);
            let (etag, behind) = match rest.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => rest.split_at(rest.find(is_separator).unwrap_or(rest.len())),
            };
            etags.push(etag.to_owned());
            rest = behind.trim_start_matches(is_separator);
        }
        Self::OneOf(etags)
    }

    /// Whether an ETag, without quotes, is meant.
    pub fn matches(&self, etag: &str) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(etags) => etags.iter().any(|other| other == etag),
        }
    }
}

/// An ETag without its quotes, however the client wrote it.
pub fn unquoted(etag: &str) -> &str {
    etag.trim().trim_matches('"')
}

fn is_separator(character: char) -> bool {
    matches!(character, ',' | ' ' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etags_are_read_in_every_spelling() {
        assert_eq!(EtagCondition::parse(" * "), EtagCondition::Any);
        for (header, etags) in [
            ("\"a\"", &["a"][..]),
            ("a", &["a"]),
            ("W/\"a\"", &["a"]),
            ("\"a\", \"b\",c", &["a", "b", "c"]),
            ("\"a,b\" c", &["a,b", "c"]),
            ("\"a\"\"b\"", &["a", "b"]),
            ("\"*\"", &["*"]),
            ("\"a", &["a"]),
            ("W/", &[""]),
            ("\"\"", &[""]),
            (" ,, ", &[]),
            ("", &[]),
        ] {
            let etags = etags.iter().map(|etag| (*etag).to_owned()).collect();
            assert_eq!(
                EtagCondition::parse(header),
                EtagCondition::OneOf(etags),
                "{header}"
            );
        }
        assert!(EtagCondition::parse("x, \"a\"").matches("a"));
        assert!(!EtagCondition::parse("").matches(""));
        assert_eq!(unquoted(" \"a-2\" "), "a-2");
    }
}
