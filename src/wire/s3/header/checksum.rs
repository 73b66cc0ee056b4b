use names::{Checksum, ChecksumAlgorithm};

use crate::s3::{ErrorCode, Refusal};

/// What a request says of its body's checksum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeclaredChecksum {
    /// `x-amz-checksum-…` holds it. A trailer that was announced besides may be missing: the AWS
    /// SDK for Java announces one and sends none.
    Value(Checksum),
    /// `x-amz-trailer` announces it behind the body.
    Trailer(ChecksumAlgorithm),
}

impl DeclaredChecksum {
    /// Reads `x-amz-checksum-…`, `x-amz-trailer` and `x-amz-sdk-checksum-algorithm`, given by
    /// their lower-case names.
    ///
    /// # Errors
    /// `InvalidRequest` when they name no checksum that is known, more than one, or contradict one
    /// another.
    pub fn of<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Result<Option<Self>, Refusal> {
        let mut value = None;
        for algorithm in ChecksumAlgorithm::ALL {
            let Some(text) = header(algorithm.header()) else {
                continue;
            };
            let checksum = Checksum::parse(algorithm, text).map_err(|_| VALUE)?;
            if value.replace(checksum).is_some() {
                return Err(SEVERAL);
            }
        }
        if UNSUPPORTED.iter().any(|name| header(name).is_some()) {
            return Err(ALGORITHM);
        }
        let trailer = header("x-amz-trailer").map(announced).transpose()?;
        let declared = match (value, trailer) {
            (Some(value), Some(trailer)) if value.algorithm() != trailer => return Err(SEVERAL),
            (Some(value), _) => Some(Self::Value(value)),
            (None, Some(trailer)) => Some(Self::Trailer(trailer)),
            (None, None) => None,
        };
        if let Some(name) = header("x-amz-sdk-checksum-algorithm") {
            let algorithm = ChecksumAlgorithm::parse(name).map_err(|_| ALGORITHM)?;
            match declared.map(|declared| declared.algorithm() == algorithm) {
                Some(true) => {}
                Some(false) => return Err(CONTRADICTION),
                None => return Err(ABSENT),
            }
        }
        Ok(declared)
    }

    /// The checksum that is announced for the trailer, whether or not a header holds it too: what
    /// a [`chunked::Decoder`](crate::chunked::Decoder) lets pass.
    ///
    /// # Errors
    /// `InvalidRequest` when it is not one checksum that is known.
    pub fn announced<'a>(
        header: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<Option<ChecksumAlgorithm>, Refusal> {
        header("x-amz-trailer").map(announced).transpose()
    }

    /// Which checksum.
    pub fn algorithm(&self) -> ChecksumAlgorithm {
        match self {
            Self::Value(checksum) => checksum.algorithm(),
            Self::Trailer(algorithm) => *algorithm,
        }
    }
}

/// Reads the checksum of a whole object as CompleteMultipartUpload names it: base64, and for a
/// composite one `-` and the number of parts.
///
/// # Errors
/// `InvalidRequest` when it is not of this algorithm.
pub fn object_checksum(
    algorithm: ChecksumAlgorithm,
    text: &str,
) -> Result<(Checksum, Option<u16>), Refusal> {
    let (value, parts) = match text.split_once('-') {
        Some((value, parts)) => (value, Some(parts.parse().map_err(|_| VALUE)?)),
        None => (text, None),
    };
    let checksum = Checksum::parse(algorithm, value).map_err(|_| VALUE)?;
    Ok((checksum, parts))
}

fn announced(trailer: &str) -> Result<ChecksumAlgorithm, Refusal> {
    ChecksumAlgorithm::ALL
        .into_iter()
        .find(|algorithm| algorithm.header().eq_ignore_ascii_case(trailer.trim()))
        .ok_or(TRAILER)
}

/// Checksums that Amazon added in 2026 and this gateway does not compute: to ignore one would be
/// to store what was never compared.
const UNSUPPORTED: [&str; 5] = [
    "x-amz-checksum-md5",
    "x-amz-checksum-sha512",
    "x-amz-checksum-xxhash3",
    "x-amz-checksum-xxhash64",
    "x-amz-checksum-xxhash128",
];

const fn invalid(message: &'static str) -> Refusal {
    Refusal::new(ErrorCode::InvalidRequest, message)
}
const VALUE: Refusal = invalid("Value for x-amz-checksum- header is invalid.");
const SEVERAL: Refusal =
    invalid("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
const TRAILER: Refusal =
    invalid("The value specified in the x-amz-trailer header is not supported");
const ALGORITHM: Refusal = invalid(
    "Checksum algorithm provided is unsupported. Please try again with any of the valid types: \
     [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]",
);
const CONTRADICTION: Refusal = invalid("Value for x-amz-sdk-checksum-algorithm header is invalid.");
const ABSENT: Refusal = invalid(
    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or \
     x-amz-trailer headers were found.",
);

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(headers: &[(&str, &'static str)]) -> Result<Option<DeclaredChecksum>, Refusal> {
        DeclaredChecksum::of(|name| {
            let header = headers.iter().find(|(other, _)| *other == name);
            header.map(|(_, value)| *value)
        })
    }

    #[test]
    fn a_checksum_is_in_a_header_or_behind_the_body() {
        let crc32 = Checksum::new(ChecksumAlgorithm::Crc32, &[0; 4]).unwrap();
        assert_eq!(declared(&[]), Ok(None));
        for headers in [
            &[("x-amz-checksum-crc32", "AAAAAA==")][..],
            &[
                ("x-amz-checksum-crc32", "AAAAAA=="),
                ("x-amz-sdk-checksum-algorithm", "crc32"),
                ("x-amz-trailer", "x-amz-checksum-crc32"),
            ],
        ] {
            assert_eq!(declared(headers), Ok(Some(DeclaredChecksum::Value(crc32))));
        }
        for headers in [
            &[("x-amz-trailer", "x-amz-checksum-crc64nvme")][..],
            &[
                ("x-amz-trailer", " X-Amz-Checksum-CRC64NVME"),
                ("x-amz-sdk-checksum-algorithm", "CRC64NVME"),
            ],
        ] {
            let trailer = DeclaredChecksum::Trailer(ChecksumAlgorithm::Crc64Nvme);
            assert_eq!(declared(headers), Ok(Some(trailer)));
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        for (headers, refusal) in [
            (&[("x-amz-checksum-crc32", "AAAA")][..], VALUE),
            (&[("x-amz-checksum-sha1", "")], VALUE),
            (&[("x-amz-checksum-sha512", "AAAA")], ALGORITHM),
            (
                &[
                    ("x-amz-checksum-crc32", "AAAAAA=="),
                    ("x-amz-checksum-crc32c", "AAAAAA=="),
                ],
                SEVERAL,
            ),
            (
                &[
                    ("x-amz-checksum-crc32", "AAAAAA=="),
                    ("x-amz-trailer", "x-amz-checksum-crc32c"),
                ],
                SEVERAL,
            ),
            (&[("x-amz-trailer", "x-amz-meta-a")], TRAILER),
            (
                &[("x-amz-trailer", "x-amz-checksum-crc32,x-amz-checksum-sha1")],
                TRAILER,
            ),
            (&[("x-amz-sdk-checksum-algorithm", "MD5")], ALGORITHM),
            (&[("x-amz-sdk-checksum-algorithm", "SHA1")], ABSENT),
            (
                &[
                    ("x-amz-sdk-checksum-algorithm", "SHA1"),
                    ("x-amz-checksum-crc32", "AAAAAA=="),
                ],
                CONTRADICTION,
            ),
        ] {
            assert_eq!(declared(headers), Err(refusal), "{headers:?}");
        }
    }

    #[test]
    fn an_objects_checksum_may_count_its_parts() {
        let crc32 = Checksum::new(ChecksumAlgorithm::Crc32, &[0; 4]).unwrap();
        let read = |text| object_checksum(ChecksumAlgorithm::Crc32, text);
        assert_eq!(read("AAAAAA=="), Ok((crc32, None)));
        assert_eq!(read("AAAAAA==-3"), Ok((crc32, Some(3))));
        for wrong in ["AAAAAA==-", "AAAAAA==-x", "AAAA-3", "-3", ""] {
            assert_eq!(read(wrong), Err(VALUE), "{wrong}");
        }
    }
}
