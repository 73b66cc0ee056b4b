use super::{DeleteConditions, DriveError, Etag, EtagCondition, ReadConditions, WriteConditions};

/// Why a condition of a read does not hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unmet {
    /// 412; the header.
    Failed(&'static str),
    /// 304.
    NotModified,
}

/// How the headers of conditions are called.
pub(super) struct ReadHeaders {
    if_match: &'static str,
    if_none_match: &'static str,
    if_modified_since: &'static str,
    if_unmodified_since: &'static str,
}

impl ReadConditions {
    /// Judges by the precedence of RFC 9110, 13.2.2: `If-Match` stands for `If-Unmodified-Since`
    /// where both are given, and `If-None-Match` for `If-Modified-Since`.
    pub(super) fn check(&self, etag: Etag, modified_ms: u64) -> Result<(), Unmet> {
        let modified = seconds(modified_ms);
        match (&self.if_match, self.if_unmodified_since) {
            (Some(condition), _) if !condition.holds(etag) => {
                return Err(Unmet::Failed(PLAIN.if_match));
            }
            (None, Some(since)) if modified > since => {
                return Err(Unmet::Failed(PLAIN.if_unmodified_since));
            }
            _ => {}
        }
        match (&self.if_none_match, self.if_modified_since) {
            (Some(condition), _) if condition.holds(etag) => Err(Unmet::NotModified),
            (None, Some(since)) if modified <= since => Err(Unmet::NotModified),
            _ => Ok(()),
        }
    }

    /// The same for the source of a copy, which is copied or not: there is no 304.
    pub(super) fn check_source(&self, etag: Etag, modified_ms: u64) -> Result<(), DriveError> {
        let condition = match self.check(etag, modified_ms) {
            Ok(()) => return Ok(()),
            Err(Unmet::Failed(header)) if header == PLAIN.if_match => SOURCE.if_match,
            Err(Unmet::Failed(_)) => SOURCE.if_unmodified_since,
            Err(Unmet::NotModified) if self.if_none_match.is_some() => SOURCE.if_none_match,
            Err(Unmet::NotModified) => SOURCE.if_modified_since,
        };
        Err(DriveError::PreconditionFailed { condition })
    }
}

impl WriteConditions {
    /// Whether the write needs no look at what is there.
    pub(super) fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// Judges what is current. As at Amazon, `If-Match` on a key without an object is
    /// [`DriveError::NoSuchKey`].
    pub(super) fn check(&self, current: Option<Etag>) -> Result<(), DriveError> {
        if let Some(condition) = &self.if_match {
            let etag = current.ok_or(DriveError::NoSuchKey)?;
            if !condition.holds(etag) {
                return failed(PLAIN.if_match);
            }
        }
        match (&self.if_none_match, current) {
            (Some(condition), Some(etag)) if condition.holds(etag) => failed(PLAIN.if_none_match),
            _ => Ok(()),
        }
    }
}

impl DeleteConditions {
    /// Whether the deletion needs no look at what is there.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Judges what is current.
    pub(super) fn check(&self, etag: Etag, size: u64, modified_ms: u64) -> Result<(), DriveError> {
        match self {
            Self {
                if_match: Some(condition),
                ..
            } if !condition.holds(etag) => failed(PLAIN.if_match),
            Self {
                modified: Some(time),
                ..
            } if *time != seconds(modified_ms) => failed("x-amz-if-match-last-modified-time"),
            Self {
                size: Some(asked), ..
            } if *asked != size => failed("x-amz-if-match-size"),
            _ => Ok(()),
        }
    }
}

impl EtagCondition {
    fn holds(&self, etag: Etag) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(etags) => etags.contains(&etag.to_string()),
        }
    }
}

fn failed(condition: &'static str) -> Result<(), DriveError> {
    Err(DriveError::PreconditionFailed { condition })
}

/// Headers hold whole seconds, so times are compared as these.
fn seconds(modified_ms: u64) -> i64 {
    i64::try_from(modified_ms / 1000).unwrap_or(i64::MAX)
}

const PLAIN: ReadHeaders = ReadHeaders {
    if_match: "If-Match",
    if_none_match: "If-None-Match",
    if_modified_since: "If-Modified-Since",
    if_unmodified_since: "If-Unmodified-Since",
};

const SOURCE: ReadHeaders = ReadHeaders {
    if_match: "x-amz-copy-source-if-match",
    if_none_match: "x-amz-copy-source-if-none-match",
    if_modified_since: "x-amz-copy-source-if-modified-since",
    if_unmodified_since: "x-amz-copy-source-if-unmodified-since",
};
