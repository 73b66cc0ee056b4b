use http::HeaderMap;
use names::{BucketName, PartNumber, UploadId};
use wire::s3::header::DeclaredChecksum;
use wire::s3::xml::EncodingType;
use wire::s3::{ErrorCode, Query};
use wire::sigv4::Carrier;

use super::error::S3Error;
use super::routes::{BucketOperation, ObjectOperation, ServiceOperation};
use crate::authn::Signed;
use crate::authz::OfObject;
use crate::http::pipeline::{Call, Head};

/// What a request asks for.
pub enum Asked {
    /// Something of the organization.
    Service(ServiceOperation, Query),
    /// Something of a bucket.
    Bucket(BucketOperation, BucketName, Query),
    /// Something of an object.
    Object(ObjectOperation, OfObject, Query),
    /// Something that is not built, by its name.
    NotBuilt(&'static str),
}

/// A request under way, as the operations see it.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    /// Who asks, and the way to permits.
    pub call: &'a Call,
    /// The head as it came.
    pub head: &'a Head,
    /// The signature that was verified.
    pub signed: &'a Signed,
    /// The query, decoded.
    pub query: &'a Query,
}

impl<'a> Request<'a> {
    /// A header field.
    pub fn field(&self, name: &str) -> Option<&'a str> {
        self.head.text(name)
    }

    /// An `x-amz-*` field, or a parameter of that name in a presigned query: signers move fields
    /// there (the AWS SDK for JavaScript "hoists" them), and Amazon reads them there.
    pub fn amz(&self, name: &str) -> Option<&'a str> {
        self.field(name).or_else(|| {
            self.hoisted()
                .find(|(other, _)| other.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        })
    }

    /// What the request says of its body's checksum.
    ///
    /// The AWS SDK for JavaScript signs a URL before it has a body, and with it the CRC32 of none.
    /// Amazon looks at no checksum there; here only that one is passed over, since whoever signs
    /// another wants the body that it is of.
    pub fn declared_checksum(&self) -> Result<Option<DeclaredChecksum>, S3Error> {
        let is_of_none = self.field(CRC32).is_none() && self.amz(CRC32) == Some(CRC32_OF_NONE);
        let declared = DeclaredChecksum::of(|name| match name {
            CRC32 | SDK_CHECKSUM if is_of_none => self.field(name),
            _ => self.amz(name),
        });
        Ok(declared?)
    }

    /// The parameters of a presigned query that a signer may have moved there.
    pub fn hoisted(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let is_presigned = matches!(self.signed.presented.carrier(), Carrier::Query { .. });
        self.query.iter().filter(move |_| is_presigned)
    }

    /// A query parameter.
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        self.query.value(name)
    }

    /// A query parameter, unless it is empty.
    pub fn filled(&self, name: &str) -> Option<&'a str> {
        self.parameter(name).filter(|text| !text.is_empty())
    }

    /// A query parameter that bounds the entries of a page.
    pub fn page_max(&self, name: &'static str, max: u32) -> Result<u32, S3Error> {
        match self.filled(name) {
            None => Ok(max),
            // More than the most is the most, as Amazon has it.
            Some(text) => text
                .parse::<i32>()
                .ok()
                .and_then(|number| u32::try_from(number).ok())
                .map(|number| number.min(max))
                .ok_or_else(|| argument(name, text)),
        }
    }

    /// `encoding-type`: how keys are written in the answer.
    pub fn encoding(&self) -> Result<Option<EncodingType>, S3Error> {
        let encoding = self.filled("encoding-type");
        Ok(encoding.map(EncodingType::parse).transpose()?)
    }

    /// `uploadId`. One that is none of ours names no upload.
    pub fn upload(&self) -> Result<UploadId, S3Error> {
        self.filled("uploadId")
            .ok_or_else(|| missing("uploadId"))?
            .parse()
            .map_err(|_| ErrorCode::NoSuchUpload.into())
    }

    /// `partNumber`, if it is there.
    pub fn part(&self) -> Result<Option<PartNumber>, S3Error> {
        let Some(text) = self.parameter("partNumber") else {
            return Ok(None);
        };
        text.parse()
            .ok()
            .and_then(|number| PartNumber::new(number).ok())
            .map(Some)
            .ok_or_else(|| {
                argument("partNumber", text)
                    .saying("Part number must be an integer between 1 and 10000, inclusive")
            })
    }
}

/// Refuses a head whose fields could be read in more than one way: text that is no text would be
/// taken for a field that is not there, and a field that comes twice for one that comes once.
pub(super) fn check_fields(headers: &HeaderMap) -> Result<(), S3Error> {
    for name in headers.keys() {
        let text = name.as_str();
        let is_content = text.starts_with("x-amz-meta-");
        let decides = !is_content
            && (text.starts_with("x-amz-") || text.starts_with("if-") || DECISIVE.contains(&text));
        if !decides {
            continue;
        }
        let mut values = headers.get_all(name).iter();
        let is_text = values
            .next()
            .is_some_and(|value| std::str::from_utf8(value.as_bytes()).is_ok());
        if !is_text || values.next().is_some() {
            let message = format!("The header {text} is not text, or is there more than once.");
            return Err(S3Error::new(ErrorCode::InvalidArgument, message));
        }
    }
    Ok(())
}

/// A parameter or field that the operation needs.
pub(super) fn missing(name: &'static str) -> S3Error {
    let message = format!("This operation requires {name}.");
    S3Error::new(ErrorCode::InvalidArgument, message).with("ArgumentName", name)
}

/// A parameter or field with a value that the API refuses.
pub(super) fn argument(name: &'static str, value: &str) -> S3Error {
    let message = format!("Provided {name} is not valid.");
    S3Error::new(ErrorCode::InvalidArgument, message)
        .with("ArgumentName", name)
        .with("ArgumentValue", value)
}

/// The version that an object has in a bucket without versioning.
pub(super) const NULL_VERSION: &str = "null";

const CRC32: &str = "x-amz-checksum-crc32";
const SDK_CHECKSUM: &str = "x-amz-sdk-checksum-algorithm";
const CRC32_OF_NONE: &str = "AAAAAA==";
/// Fields without `x-amz-` or `if-` that decide what is done.
const DECISIVE: [&str; 4] = ["authorization", "content-md5", "host", "range"];
