use std::sync::Arc;

use bytes::Bytes;
use names::{Checksum, ChecksumAlgorithm};
use wire::chunked::{ChunkedError, Decoder, Signatures};
use wire::sigv4::{Presented, Request, SigV4Error, SigningKey};

/// Lines: method, path, query, then headers as `name:value`. What verifies does so only under its
/// key, and not with one deciding header more.
pub fn sigv4(data: &[u8]) -> bool {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut text = || std::str::from_utf8(lines.next()?).ok();
    let (Some(method), Some(path), Some(query)) = (text(), text(), text()) else {
        return false;
    };
    let mut headers: Vec<(&str, &[u8])> = lines
        .filter_map(|line| {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let (name, value) = line.split_at(colon);
            Some((std::str::from_utf8(name).ok()?, &value[1..]))
        })
        .collect();
    let verify = |headers: &[(&str, &[u8])], secret: &str| {
        let request = Request {
            method,
            path,
            query,
            headers,
        };
        let presented = Presented::of(&request)?.ok_or(SigV4Error::Mismatch)?;
        let key = SigningKey::derive(secret, presented.scope());
        presented.verify(&request, &key, NOW)
    };
    if verify(&headers, SECRET).is_err() {
        return false;
    }
    assert_eq!(
        verify(&headers, "another"),
        Err(SigV4Error::Mismatch),
        "one key verifies"
    );
    headers.push(("x-amz-copy-source", b"/theirs/secret"));
    assert!(verify(&headers, SECRET).is_err(), "what decides is signed");
    true
}

/// Which payload, the body's length in two bytes, how it is cut, and the body. However it is cut
/// it decodes alike; what it decodes to, framed anew, decodes to itself.
pub fn aws_chunked(data: &[u8]) -> bool {
    let Some(([payload, high, low, cut], body)) = data.split_first_chunk() else {
        return false;
    };
    let length = u64::from(u16::from_be_bytes([*high, *low]));
    let decoder = || {
        let signatures = match payload % 3 {
            0 => Signatures::None,
            1 => signatures("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"),
            _ => signatures("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
        };
        Decoder::new(signatures, length, Some(ChecksumAlgorithm::Crc32c))
    };
    let (whole, ended) = decode(decoder(), body, usize::MAX);
    let (pieces, ended_in_pieces) = decode(decoder(), body, usize::from(*cut).max(1));
    assert_eq!(ended, ended_in_pieces, "cuts do not matter");
    // Of a chunk that is refused at its end, more or less may have been handed out before.
    assert!(pieces.starts_with(&whole), "cuts do not change bytes");
    let Ok(checksum) = ended else {
        return false;
    };
    assert_eq!(pieces, whole, "cuts do not matter");
    assert_eq!(whole.len() as u64, length, "as long as was said");
    let again = Decoder::new(Signatures::None, length, Some(ChecksumAlgorithm::Crc32c));
    let (bytes, ended) = decode(again, &framed(&whole, checksum.as_ref()), usize::MAX);
    assert_eq!(
        (bytes, ended),
        (whole, Ok(checksum)),
        "framed anew it is the same"
    );
    true
}

fn decode(
    mut decoder: Decoder,
    body: &[u8],
    cut: usize,
) -> (Vec<u8>, Result<Option<Checksum>, ChunkedError>) {
    let mut decoded = Vec::new();
    for piece in body.chunks(cut) {
        let mut input = Bytes::copy_from_slice(piece);
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(bytes)) => decoded.extend_from_slice(&bytes),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(decoder.finish(), Err(error), "once refused is refused");
                    return (decoded, Err(error));
                }
            }
        }
        assert!(input.is_empty(), "the input is used up");
    }
    (decoded, decoder.finish())
}

fn framed(bytes: &[u8], checksum: Option<&Checksum>) -> Vec<u8> {
    let mut body = Vec::new();
    if !bytes.is_empty() {
        body.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n");
    if let Some(checksum) = checksum {
        let name = checksum.algorithm().header();
        body.extend_from_slice(format!("{name}:{checksum}\r\n").as_bytes());
    }
    body.extend_from_slice(b"\r\n");
    body
}

/// Those of a request whose own signature is all zeros.
fn signatures(payload: &str) -> Signatures {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
         SignedHeaders=host,Signature={}",
        "0".repeat(64)
    );
    let headers: [(&str, &[u8]); 3] = [
        ("authorization", authorization.as_bytes()),
        ("x-amz-content-sha256", payload.as_bytes()),
        ("x-amz-date", b"20130524T000000Z"),
    ];
    let request = Request {
        method: "PUT",
        path: "/",
        query: "",
        headers: &headers,
    };
    let presented = Presented::of(&request).ok().flatten().expect("a signature");
    let key = Arc::new(SigningKey::derive(SECRET, presented.scope()));
    Signatures::of(&presented, &key).expect("an aws-chunked body")
}

/// Of the examples of the S3 API reference.
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
/// 2013-05-24T00:00:00Z.
const NOW: i64 = 1_369_353_600;
