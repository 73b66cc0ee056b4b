//! The examples of the S3 API reference, bodies cut anywhere, and what an attacker makes of them.

use std::sync::Arc;

use bytes::Bytes;
use names::{Checksum, ChecksumAlgorithm};
use proptest::prelude::*;
use ring::digest::{SHA256, digest};

use super::*;
use crate::sigv4::{Presented, Request, SigningKey};

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const CRC32C: ChecksumAlgorithm = ChecksumAlgorithm::Crc32c;
const SIGNED: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
const SIGNED_TRAILER: &str = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
const UNSIGNED: &str = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

/// A request whose body is aws-chunked, and how a client goes on signing.
struct Client {
    presented: Presented,
    key: Arc<SigningKey>,
    previous: [u8; 32],
}

impl Client {
    fn new(payload: &str, seed: &str) -> Self {
        let authorization = format!(
            "AWS4-HMAC-SHA256 \
             Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=host;x-amz-content-sha256;x-amz-date,Signature={seed}"
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
        let presented = Presented::of(&request).unwrap().unwrap();
        let key = Arc::new(SigningKey::derive(SECRET, presented.scope()));
        let previous = *presented.signature();
        Self {
            presented,
            key,
            previous,
        }
    }

    fn decoder(&self, length: usize, announced: Option<ChecksumAlgorithm>) -> Decoder {
        let signatures = Signatures::of(&self.presented, &self.key).unwrap();
        Decoder::new(signatures, length as u64, announced)
    }

    fn sign(&mut self, algorithm: &str, hashes: &str) -> String {
        let previous = hex::encode(self.previous);
        let message = format!(
            "{algorithm}\n20130524T000000Z\n20130524/us-east-1/s3/aws4_request\n{previous}\n{hashes}"
        );
        self.previous = self.key.sign(message.as_bytes());
        hex::encode(self.previous)
    }

    fn chunk(&mut self, bytes: &[u8]) -> Vec<u8> {
        let hash = |bytes: &[u8]| hex::encode(digest(&SHA256, bytes));
        let hashes = format!("{}\n{}", hash(b""), hash(bytes));
        let signature = self.sign("AWS4-HMAC-SHA256-PAYLOAD", &hashes);
        framed(
            &format!("{:x};chunk-signature={signature}", bytes.len()),
            bytes,
        )
    }

    fn trailer(&mut self, checksum: &Checksum) -> Vec<u8> {
        let line = format!("{}:{checksum}\n", checksum.algorithm().header());
        let hash = hex::encode(digest(&SHA256, line.as_bytes()));
        let signature = self.sign("AWS4-HMAC-SHA256-TRAILER", &hash);
        let line = line.trim();
        format!("{line}\r\nx-amz-trailer-signature:{signature}\r\n\r\n").into_bytes()
    }
}

/// A chunk; the last one has no line behind it.
fn framed(line: &str, bytes: &[u8]) -> Vec<u8> {
    let end: &[u8] = if bytes.is_empty() { b"" } else { b"\r\n" };
    [line.as_bytes(), b"\r\n", bytes, end].concat()
}

type Decoded = Result<(Vec<u8>, Option<Checksum>), ChunkedError>;

/// Decodes a body that comes in pieces of these sizes, the last one again and again.
fn decode(mut decoder: Decoder, body: &[u8], cuts: &[usize]) -> Decoded {
    let mut body = Bytes::copy_from_slice(body);
    let mut cuts = cuts.iter().copied();
    let mut cut = usize::MAX;
    let mut decoded = Vec::new();
    while !body.is_empty() {
        cut = cuts.next().unwrap_or(cut).max(1);
        let mut input = body.split_to(cut.min(body.len()));
        while let Some(bytes) = decoder.decode(&mut input)? {
            assert!(!bytes.is_empty());
            decoded.extend_from_slice(&bytes);
        }
        assert!(input.is_empty());
    }
    Ok((decoded, decoder.finish()?))
}

fn unsigned(length: usize, announced: Option<ChecksumAlgorithm>, body: &[u8]) -> Decoded {
    decode(
        Decoder::new(Signatures::None, length as u64, announced),
        body,
        &[],
    )
}

/// "Example Calculations", 66,560 letters a in two chunks.
fn amazons_example() -> Vec<u8> {
    [
        framed(
            "10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            &[b'a'; 65_536],
        ),
        framed(
            "400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            &[b'a'; 1024],
        ),
        b"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n\r\n"
            .to_vec(),
    ]
    .concat()
}

const AMAZONS_SEED: &str = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";

/// The same with a trailer.
fn amazons_trailer_example() -> Vec<u8> {
    [
        framed(
            "10000;chunk-signature=b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
            &[b'a'; 65_536],
        ),
        framed(
            "400;chunk-signature=1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
            &[b'a'; 1024],
        ),
        b"0;chunk-signature=2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992\r\n\
          x-amz-checksum-crc32c:sOO8/Q==\r\n\
          x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\
          \r\n\r\n"
            .to_vec(),
    ]
    .concat()
}

const AMAZONS_TRAILER_SEED: &str =
    "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";

#[test]
fn amazons_examples_decode() {
    let client = Client::new(SIGNED, AMAZONS_SEED);
    let body = amazons_example();
    assert_eq!(body.len(), 66_824, "Content-Length of the example");
    for cuts in [&[][..], &[1], &[85, 3, 65_537, 1, 1]] {
        let (bytes, checksum) = decode(client.decoder(66_560, None), &body, cuts).unwrap();
        assert!(bytes.len() == 66_560 && bytes.iter().all(|byte| *byte == b'a'));
        assert_eq!(checksum, None);
    }
    let client = Client::new(SIGNED_TRAILER, AMAZONS_TRAILER_SEED);
    let body = amazons_trailer_example();
    assert_eq!(body.len(), 66_946, "Content-Length of the example");
    for cuts in [&[][..], &[1], &[65_626, 1, 1]] {
        let (bytes, checksum) = decode(client.decoder(66_560, Some(CRC32C)), &body, cuts).unwrap();
        assert_eq!(bytes.len(), 66_560);
        assert_eq!(checksum, Checksum::parse(CRC32C, "sOO8/Q==").ok());
    }
}

#[test]
fn bytes_are_handed_out_without_a_copy() {
    let body = Bytes::from_static(b"5\r\nhello\r\n0\r\n\r\n");
    let mut input = body.clone();
    let mut decoder = Decoder::new(Signatures::None, 5, None);
    let bytes = decoder.decode(&mut input).unwrap().unwrap();
    assert_eq!(bytes.as_ptr(), body[3..].as_ptr());
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert_eq!(decoder.finish(), Ok(None));
}

#[test]
fn an_unsigned_body_and_its_trailer() {
    let checksum = Checksum::parse(CRC32C, "AAAAAA==").ok();
    for (body, found) in [
        ("5\r\nhello\r\n0\r\n\r\n", None),
        (
            "5\r\nhello\r\n0\r\nx-amz-checksum-crc32c:AAAAAA==\r\n\r\n",
            checksum,
        ),
        (
            "2\r\nhe\r\n0003\r\nllo\r\n0\r\nX-Amz-Checksum-Crc32c: \tAAAAAA== \r\n\r\n",
            checksum,
        ),
        (
            "5\r\nhello\r\n00\r\nx-amz-checksum-crc32c:AAAAAA==\n\r\n\r\n",
            checksum,
        ),
    ] {
        let decoded = unsigned(5, Some(CRC32C), body.as_bytes());
        assert_eq!(decoded, Ok((b"hello".to_vec(), found)), "{body}");
    }
    assert_eq!(unsigned(0, None, b"0\r\n\r\n"), Ok((Vec::new(), None)));
    let upper = format!("A\r\n{}\r\n0\r\n\r\n", "x".repeat(10));
    assert!(unsigned(10, None, upper.as_bytes()).is_ok());
}

#[test]
fn what_is_no_framing() {
    let framing = |body: &str| match unsigned(5, Some(CRC32C), body.as_bytes()) {
        Err(ChunkedError::Framing(_)) => {}
        other => panic!("{body}: {other:?}"),
    };
    framing("\r\nhello\r\n0\r\n\r\n");
    framing("x\r\nhello\r\n0\r\n\r\n");
    framing("+5\r\nhello\r\n0\r\n\r\n");
    framing("0x5\r\nhello\r\n0\r\n\r\n");
    framing("5 \r\nhello\r\n0\r\n\r\n");
    framing("5;a=b\r\nhello\r\n0\r\n\r\n");
    framing("00000000000000005\r\nhello\r\n0\r\n\r\n");
    framing("5\nhello\r\n0\r\n\r\n");
    framing("5\r\nhello0\r\n\r\n");
    framing("5\r\nhello\n0\r\n\r\n");
    framing("5\r\nhello\r\n\r\n0\r\n\r\n");
    framing("5\r\nhello\r\n0\r\n\r\nx");
    framing("5\r\nhello\r\n0\r\n\r\n\r\n");
    framing(&"0".repeat(257));
}

#[test]
fn the_length_is_the_one_that_was_said() {
    for body in [
        "",
        "5",
        "5\r\nhell",
        "5\r\nhello",
        "5\r\nhello\r\n",
        "4\r\nhell\r\n0\r\n\r\n",
        "5\r\nhello\r\n0\r\n",
        "5\r\nhello\r\n0\r\n\r",
    ] {
        assert_eq!(
            unsigned(5, None, body.as_bytes()),
            Err(ChunkedError::TooShort),
            "{body}"
        );
    }
    for body in [
        "6\r\nhello!\r\n0\r\n\r\n",
        "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n",
        "ffffffffffffffff\r\n",
    ] {
        assert_eq!(
            unsigned(5, None, body.as_bytes()),
            Err(ChunkedError::TooLong),
            "{body}"
        );
    }
}

#[test]
fn a_trailer_is_the_one_that_was_announced() {
    let refused = |announced, trailer: &str| {
        let body = format!("0\r\n{trailer}\r\n\r\n");
        match unsigned(0, announced, body.as_bytes()) {
            Err(ChunkedError::Trailer(why)) => why,
            other => panic!("{trailer}: {other:?}"),
        }
    };
    let crc = "x-amz-checksum-crc32c:AAAAAA==";
    let unannounced = "a header was not announced";
    assert_eq!(refused(None, crc), unannounced);
    assert_eq!(refused(Some(ChecksumAlgorithm::Crc32), crc), unannounced);
    assert_eq!(refused(Some(CRC32C), "x-amz-meta-a:b"), unannounced);
    assert_eq!(
        refused(Some(CRC32C), "x-amz-trailer-signature:00"),
        unannounced
    );
    assert_eq!(
        refused(Some(CRC32C), "x-amz-checksum-crc32c"),
        "a line has no name"
    );
    assert_eq!(
        refused(Some(CRC32C), "x-amz-checksum-crc32c:AAAA"),
        "a checksum does not parse"
    );
    let folded = "x-amz-checksum-crc32c:AAAA\nAA==";
    assert_eq!(refused(Some(CRC32C), folded), "a checksum does not parse");
    assert_eq!(
        refused(Some(CRC32C), &format!("{crc}\r\n{crc}")),
        "a header is given twice"
    );
}

#[test]
fn signed_chunks_have_no_other_trailer() {
    // The AWS SDK for Java announces a trailer that it does not send.
    let client = Client::new(SIGNED, AMAZONS_SEED);
    assert!(
        decode(
            client.decoder(66_560, Some(CRC32C)),
            &amazons_example(),
            &[]
        )
        .is_ok()
    );
    let mut body = amazons_example();
    body.truncate(body.len() - 2);
    body.extend_from_slice(b"x-amz-checksum-crc32c:sOO8/Q==\r\n\r\n");
    let refused = decode(client.decoder(66_560, Some(CRC32C)), &body, &[]);
    assert!(matches!(refused, Err(ChunkedError::Trailer(_))));
}

#[test]
fn a_signed_trailer_is_signed() {
    let checksum = Checksum::parse(CRC32C, "AAAAAA==").unwrap();
    let refused = |trailer: &[u8]| {
        let mut client = Client::new(SIGNED_TRAILER, AMAZONS_TRAILER_SEED);
        let decoder = client.decoder(0, Some(CRC32C));
        let body = [&client.chunk(b"")[..], trailer].concat();
        decode(decoder, &body, &[]).map(|(_, checksum)| checksum)
    };
    let mut client = Client::new(SIGNED_TRAILER, AMAZONS_TRAILER_SEED);
    client.chunk(b"");
    let trailer = String::from_utf8(client.trailer(&checksum)).unwrap();
    assert_eq!(refused(trailer.as_bytes()), Ok(Some(checksum)));
    assert_eq!(refused(b"\r\n"), Ok(None));
    let minio = trailer.replacen("\r\n", "\n\r\n", 1);
    assert_eq!(refused(minio.as_bytes()), Ok(Some(checksum)));
    let other = trailer.replace("AAAAAA==", "AAAAAQ==");
    assert_eq!(refused(other.as_bytes()), Err(ChunkedError::Signature));
    let (line, signature) = trailer.split_once("\r\n").unwrap();
    assert_eq!(refused(signature.as_bytes()), Err(ChunkedError::Signature));
    for changed in [
        format!("{line}\r\n\r\n"),
        format!("{}{line}\r\n\r\n", &trailer[..trailer.len() - 2]),
    ] {
        let refused = refused(changed.as_bytes());
        assert!(
            matches!(refused, Err(ChunkedError::Trailer(_))),
            "{changed}: {refused:?}"
        );
    }
    assert_eq!(
        refused(b"x-amz-trailer-signature:00\r\n\r\n"),
        Err(ChunkedError::Signature)
    );
}

#[test]
fn chunks_stand_where_they_were_signed() {
    let signed = |chunks: &[&[u8]]| {
        let mut client = Client::new(SIGNED, AMAZONS_SEED);
        let chunks = chunks.iter().map(|chunk| client.chunk(chunk));
        chunks.collect::<Vec<_>>()
    };
    let client = Client::new(SIGNED, AMAZONS_SEED);
    let decoded = |chunks: &[Vec<u8>], length| {
        let body = [&chunks.concat()[..], b"\r\n"].concat();
        decode(client.decoder(length, None), &body, &[]).map(|(bytes, _)| bytes)
    };
    let [a, b, end] = &signed(&[b"aaaa", b"bbbb", b""])[..] else {
        panic!("three chunks");
    };
    let chunks = |chunks: &[&Vec<u8>]| {
        chunks
            .iter()
            .map(|chunk| chunk.to_vec())
            .collect::<Vec<_>>()
    };
    assert_eq!(decoded(&chunks(&[a, b, end]), 8), Ok(b"aaaabbbb".to_vec()));
    for (order, length) in [
        (chunks(&[b, a, end]), 8),
        (chunks(&[a, a, end]), 8),
        (chunks(&[a, end]), 4),
        (chunks(&[b, end]), 4),
        (chunks(&[end]), 0),
    ] {
        assert_eq!(decoded(&order, length), Err(ChunkedError::Signature));
    }
    // Of another request, or under another key.
    let elsewhere = Client::new(SIGNED, AMAZONS_TRAILER_SEED);
    let body = [&a[..], b, end, b"\r\n"].concat();
    assert_eq!(
        decode(elsewhere.decoder(8, None), &body, &[]),
        Err(ChunkedError::Signature)
    );
    let mut stranger = Client::new(SIGNED, AMAZONS_SEED);
    stranger.key = Arc::new(SigningKey::derive("another", stranger.presented.scope()));
    assert_eq!(
        decode(stranger.decoder(8, None), &body, &[]),
        Err(ChunkedError::Signature)
    );
    // The last piece of a chunk is not handed out before its signature is known.
    let mut decoder = client.decoder(8, None);
    let three_bytes = a.len() - b"a\r\n".len();
    let mut input = Bytes::copy_from_slice(&a[..three_bytes]);
    assert_eq!(decoder.decode(&mut input).unwrap().unwrap(), "aaa");
    let mut input = Bytes::from_static(b"x");
    assert_eq!(decoder.decode(&mut input), Err(ChunkedError::Signature));
}

#[test]
fn once_refused_is_refused() {
    let mut decoder = Decoder::new(Signatures::None, 5, None);
    let refused = decoder.decode(&mut Bytes::from_static(b"x\r\n"));
    assert!(matches!(refused, Err(ChunkedError::Framing(_))));
    let good = decoder.decode(&mut Bytes::from_static(b"5\r\nhello\r\n0\r\n\r\n"));
    assert_eq!(good, refused);
    assert_eq!(decoder.finish().err(), refused.err());
}

#[test]
fn a_flood_of_tiny_chunks_is_refused() {
    let body = |size: usize, count: usize| {
        let chunk = framed(&format!("{size:x}"), &vec![b'x'; size]);
        [&chunk.repeat(count)[..], b"0\r\n\r\n"].concat()
    };
    // Five bytes of framing to one of the body: 16,384 chunks are one KiB under the limit or so.
    assert!(unsigned(16_000, None, &body(1, 16_000)).is_ok());
    assert!(matches!(
        unsigned(17_000, None, &body(1, 17_000)),
        Err(ChunkedError::Framing(_))
    ));
    assert!(unsigned(800_000, None, &body(8, 100_000)).is_ok());
}

proptest! {
    /// However a body is chunked, signed and cut, it decodes to itself.
    #[test]
    fn any_cut_decodes_alike(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..300), 0..6),
        cuts in proptest::collection::vec(1_usize..200, 0..20),
        payload in 0_usize..3,
    ) {
        let payload = [SIGNED, SIGNED_TRAILER, UNSIGNED][payload];
        let (body, length) = encoded(payload, &chunks);
        let client = Client::new(payload, AMAZONS_SEED);
        let (bytes, checksum) = decode(client.decoder(length, Some(CRC32C)), &body, &cuts).unwrap();
        prop_assert_eq!(bytes, chunks.concat());
        prop_assert_eq!(checksum.is_some(), payload != SIGNED);
    }

    /// No byte of a signed body can be changed or left out, however it is cut.
    #[test]
    fn any_changed_byte_is_refused(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..50), 0..4),
        cuts in proptest::collection::vec(1_usize..100, 0..20),
        at in any::<prop::sample::Index>(),
        is_left_out: bool,
        has_trailer: bool,
    ) {
        let payload = if has_trailer { SIGNED_TRAILER } else { SIGNED };
        let (mut body, length) = encoded(payload, &chunks);
        let at = at.index(body.len());
        if is_left_out {
            body.remove(at);
        } else {
            body[at] ^= 1;
        }
        let client = Client::new(payload, AMAZONS_SEED);
        prop_assert!(decode(client.decoder(length, Some(CRC32C)), &body, &cuts).is_err());
    }
}

fn encoded(payload: &str, chunks: &[Vec<u8>]) -> (Vec<u8>, usize) {
    let mut client = Client::new(payload, AMAZONS_SEED);
    let mut body = Vec::new();
    for chunk in chunks.iter().map(Vec::as_slice).chain([&b""[..]]) {
        body.extend(match payload {
            UNSIGNED => framed(&format!("{:x}", chunk.len()), chunk),
            _ => client.chunk(chunk),
        });
    }
    let checksum = Checksum::new(CRC32C, &[7; 4]).unwrap();
    body.extend(match payload {
        SIGNED => b"\r\n".to_vec(),
        SIGNED_TRAILER => client.trailer(&checksum),
        _ => format!("x-amz-checksum-crc32c:{checksum}\r\n\r\n").into_bytes(),
    });
    (body, chunks.concat().len())
}
