use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use http::header::CONTENT_LENGTH;
use http_body_util::BodyStream;
use names::ChecksumAlgorithm;
use wire::chunked::{ChunkedError, Decoder, Signatures};
use wire::s3::ErrorCode;
use wire::s3::header::{DeclaredChecksum, content_md5};
use wire::sigv4::PayloadHash;

use super::error::S3Error;
use super::request::{Request, argument};
use crate::drive::{Expected, ExpectedChecksum, Incoming, IncomingError, Piece};
use crate::http::net::{RequestBody, RequestBodyError};

/// Which checksum a body gets whose client sends none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChecksumDefault {
    /// CRC-64/NVME, as Amazon does for whole objects since 2024.
    Crc64Nvme,
    /// None of its own.
    None,
}

/// The body of an upload, as the Drive takes it. Nothing is read yet: a client that waits for
/// `100 Continue` is told to go on when the Drive asks for the first bytes.
pub(super) fn incoming(
    request: Request<'_>,
    body: RequestBody,
    default: ChecksumDefault,
) -> Result<Incoming, S3Error> {
    let length = decoded_length(request)?;
    if length.is_none() && request.field(CONTENT_LENGTH.as_str()).is_none() {
        return Err(ErrorCode::MissingContentLength.into());
    }
    let checksum = match request.declared_checksum()? {
        Some(declared) => Some(expected_checksum(request, declared)?),
        None => match default {
            ChecksumDefault::Crc64Nvme => {
                Some(ExpectedChecksum::Compute(ChecksumAlgorithm::Crc64Nvme))
            }
            ChecksumDefault::None => None,
        },
    };
    Ok(Incoming {
        length: match length {
            Some(length) => Some(length),
            None => content_length(request)?,
        },
        expected: expected(request, checksum)?,
        pieces: pieces(request, body, checksum)?,
    })
}

/// What the client says of its body besides its length.
pub(super) fn expected(
    request: Request<'_>,
    checksum: Option<ExpectedChecksum>,
) -> Result<Expected, S3Error> {
    Ok(Expected {
        md5: request.field("content-md5").map(content_md5).transpose()?,
        sha256: match request.signed.presented.payload() {
            PayloadHash::Sha256(hash) => Some(hash),
            _ => None,
        },
        checksum,
    })
}

/// A checksum that was declared, if it can come the way it was declared.
pub(super) fn expected_checksum(
    request: Request<'_>,
    declared: DeclaredChecksum,
) -> Result<ExpectedChecksum, S3Error> {
    match declared {
        DeclaredChecksum::Value(checksum) => Ok(ExpectedChecksum::Value(checksum)),
        DeclaredChecksum::Trailer(algorithm) if has_trailer(request) => {
            Ok(ExpectedChecksum::Trailer(algorithm))
        }
        DeclaredChecksum::Trailer(_) => Err(S3Error::new(
            ErrorCode::InvalidRequest,
            "x-amz-trailer needs a body that is sent as aws-chunked with a trailer.",
        )),
    }
}

/// How long the body is without its framing, if it is framed.
pub(super) fn decoded_length(request: Request<'_>) -> Result<Option<u64>, S3Error> {
    if !request.signed.presented.payload().is_streaming() {
        return Ok(None);
    }
    let text = request
        .field(DECODED_LENGTH)
        .ok_or(ErrorCode::MissingContentLength)?;
    let length = text.parse().map_err(|_| argument(DECODED_LENGTH, text))?;
    Ok(Some(length))
}

/// `Content-Length`, which the listener has checked.
pub(super) fn content_length(request: Request<'_>) -> Result<Option<u64>, S3Error> {
    request
        .field(CONTENT_LENGTH.as_str())
        .map(|text| text.parse().map_err(|_| argument("Content-Length", text)))
        .transpose()
}

/// The bytes that the client means, without any framing, and the checksum from the trailer if it
/// is the one that counts.
pub(super) fn pieces(
    request: Request<'_>,
    body: RequestBody,
    checksum: Option<ExpectedChecksum>,
) -> Result<Pieces, S3Error> {
    let signed = request.signed;
    let Some(signatures) = Signatures::of(&signed.presented, &signed.signing_key) else {
        return Ok(Box::pin(raw(body).map(|bytes| bytes.map(Piece::Data))));
    };
    let length = decoded_length(request)?.unwrap_or_default();
    let announced = DeclaredChecksum::announced(|name| request.field(name))?;
    let decoding = Decoding {
        raw: Box::pin(raw(body)),
        input: Bytes::new(),
        decoder: Some(Decoder::new(signatures, length, announced)),
        is_trailer_expected: matches!(checksum, Some(ExpectedChecksum::Trailer(_))),
    };
    Ok(Box::pin(stream::try_unfold(
        decoding,
        |mut decoding| async move { Ok(decoding.next().await?.map(|piece| (piece, decoding))) },
    )))
}

/// What a body is made of.
pub(super) type Pieces = Pin<Box<dyn Stream<Item = Result<Piece, IncomingError>> + Send>>;

/// An aws-chunked body on its way.
struct Decoding {
    raw: Pin<Box<dyn Stream<Item = Result<Bytes, IncomingError>> + Send>>,
    input: Bytes,
    /// Gone once the body has ended.
    decoder: Option<Decoder>,
    is_trailer_expected: bool,
}

impl Decoding {
    async fn next(&mut self) -> Result<Option<Piece>, IncomingError> {
        while let Some(decoder) = &mut self.decoder {
            if let Some(bytes) = decoder.decode(&mut self.input).map_err(broken)? {
                return Ok(Some(Piece::Data(bytes)));
            }
            match self.raw.next().await {
                Some(bytes) => self.input = bytes?,
                None => break,
            }
        }
        let Some(decoder) = self.decoder.take() else {
            return Ok(None);
        };
        let trailer = decoder.finish().map_err(broken)?;
        // Where a field holds the checksum, too, the field counts.
        if !self.is_trailer_expected {
            return Ok(None);
        }
        let absent = IncomingError::Trailer("the header that was announced is missing");
        trailer.map(Piece::Checksum).ok_or(absent).map(Some)
    }
}

fn broken(error: ChunkedError) -> IncomingError {
    match error {
        ChunkedError::Framing(what) => IncomingError::Framing(what),
        ChunkedError::Trailer(what) => IncomingError::Trailer(what),
        ChunkedError::TooShort => IncomingError::Broken,
        ChunkedError::TooLong => IncomingError::TooLong,
        ChunkedError::Signature => IncomingError::Signature,
    }
}

/// The bytes as they came. HTTP's own trailers mean nothing here.
fn raw(body: RequestBody) -> impl Stream<Item = Result<Bytes, IncomingError>> + Send {
    BodyStream::new(body).filter_map(async |frame| match frame {
        Ok(frame) => frame.into_data().ok().map(Ok),
        Err(RequestBodyError::Idle) => Some(Err(IncomingError::Idle)),
        Err(RequestBodyError::Broken(_)) => Some(Err(IncomingError::Broken)),
    })
}

fn has_trailer(request: Request<'_>) -> bool {
    matches!(
        request.signed.presented.payload(),
        PayloadHash::StreamingSignedTrailer | PayloadHash::StreamingUnsignedTrailer
    )
}

const DECODED_LENGTH: &str = "x-amz-decoded-content-length";
