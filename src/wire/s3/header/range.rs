use crate::s3::{ErrorCode, Refusal};

/// A range as a client asks for it (RFC 9110, 14.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByteRange {
    /// `bytes=first-`.
    From(u64),
    /// `bytes=first-last`, both included, in this order.
    Between(u64, u64),
    /// `bytes=-count`, which may be 0 and is then not satisfiable.
    Last(u64),
}

impl ByteRange {
    /// Reads a `Range` header. `None` for one that does not parse and for several ranges: Amazon
    /// answers these with the whole object. A number that is too large is the largest.
    pub fn parse(header: &str) -> Option<Self> {
        let (unit, range) = header.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") {
            return None;
        }
        match range.trim().split_once('-')? {
            ("", count) => number(count).map(Self::Last),
            (first, "") => number(first).map(Self::From),
            (first, last) => {
                let (first, last) = (number(first)?, number(last)?);
                (first <= last).then_some(Self::Between(first, last))
            }
        }
    }
}

/// Reads `x-amz-copy-source-range`: the first and the last byte, both included.
///
/// # Errors
/// `InvalidArgument` for every other form, which nothing would be answered as.
pub fn copy_source_range(header: &str) -> Result<(u64, u64), Refusal> {
    match header
        .starts_with("bytes=")
        .then(|| ByteRange::parse(header))
    {
        Some(Some(ByteRange::Between(first, last))) => Ok((first, last)),
        _ => Err(Refusal::new(
            ErrorCode::InvalidArgument,
            "The x-amz-copy-source-range value must be of the form bytes=first-last where first \
             and last are the zero-based offsets of the first and last bytes to copy",
        )),
    }
}

fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_read_and_all_else_ignored() {
        for (header, range) in [
            ("bytes=0-0", Some(ByteRange::Between(0, 0))),
            ("bytes=4-7", Some(ByteRange::Between(4, 7))),
            ("Bytes= 4-7 ", Some(ByteRange::Between(4, 7))),
            ("bytes=4-", Some(ByteRange::From(4))),
            ("bytes=-7", Some(ByteRange::Last(7))),
            ("bytes=-0", Some(ByteRange::Last(0))),
            (
                "bytes=0-99999999999999999999",
                Some(ByteRange::Between(0, u64::MAX)),
            ),
            ("bytes=7-4", None),
            ("bytes=-", None),
            ("bytes=", None),
            ("bytes", None),
            ("bytes=0-1,4-5", None),
            ("bytes=+1-2", None),
            ("bytes=1 - 2", None),
            ("bytes=a-b", None),
            ("items=0-1", None),
            ("0-1", None),
            ("", None),
        ] {
            assert_eq!(ByteRange::parse(header), range, "{header}");
        }
    }

    #[test]
    fn a_copy_takes_a_range_with_both_ends() {
        assert_eq!(copy_source_range("bytes=0-5"), Ok((0, 5)));
        for header in [
            "0-2",
            "bytes=0",
            "bytes=0-bar",
            "bytes=hello-",
            "bytes=0-2,3-5",
            "bytes=-5",
            "bytes=5-",
            "bytes=5-4",
        ] {
            let refusal = copy_source_range(header).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::InvalidArgument, "{header}");
        }
    }
}
