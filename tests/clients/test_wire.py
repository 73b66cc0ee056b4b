"""The S3 protocol byte by byte: what no well-behaved client sends, and what an attacker would."""

import base64
import datetime
import hashlib
import http.client
import zlib

import pytest

from conftest import MIB, noise
from wire import (
    SIGNED_CHUNKS,
    SIGNED_CHUNKS_AND_TRAILER,
    UNSIGNED,
    UNSIGNED_CHUNKS_AND_TRAILER,
    Wire,
    sha256,
    target,
)


@pytest.fixture(scope="session")
def wire(server):
    return Wire(server, server.key)


@pytest.fixture
def place(wire, bucket):
    """An object that a refused request must leave as it is."""
    place = target(bucket, "key")
    assert wire.send("PUT", place, b"before").status == 200
    yield place
    assert wire.send("GET", place).body == b"before"


def now(**offset):
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(**offset)


def crc32(data):
    return base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()


# Bodies in aws-chunked.

TRAILER = "x-amz-checksum-crc32"


def begin(wire, place, payload, length, **headers):
    """A signature over the headers of a chunked body, and these headers."""
    signature = wire.signature()
    fields = {
        "host": wire.host,
        "content-encoding": "aws-chunked",
        "x-amz-decoded-content-length": str(length),
    }
    fields |= {"x-amz-trailer": TRAILER} if payload.endswith("TRAILER") else {}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    return signature, signature.headers("PUT", place, fields, payload)


def unsigned_chunks(pieces, trailer):
    encoded = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return encoded + b"0\r\n" + trailer + b"\r\n"


PIECES = [noise(64 * 1024), noise(64 * 1024, seed=1), b"end"]
WHOLE = b"".join(PIECES)


def test_signed_chunks(wire, bucket):
    place = target(bucket, "key")
    signature, headers = begin(wire, place, SIGNED_CHUNKS, len(WHOLE), content_encoding="aws-chunked,gzip")
    assert wire.send_as("PUT", place, signature.chunks(PIECES), headers).status == 200
    read = wire.send("GET", place)
    assert (read.body, read.headers["content-encoding"]) == (WHOLE, "gzip")
    signature, headers = begin(wire, place, SIGNED_CHUNKS, 0)
    assert wire.send_as("PUT", place, signature.chunks([]), headers).status == 200
    read = wire.send("GET", place)
    assert (read.body, read.headers["content-encoding"]) == (b"", None)


@pytest.mark.parametrize("spoiled", range(4))
def test_a_chunk_with_another_signature(wire, place, spoiled):
    signature, headers = begin(wire, place, SIGNED_CHUNKS, len(WHOLE))
    encoded = signature.chunks(PIECES, spoil=spoiled)
    refusal = wire.send_as("PUT", place, encoded, headers).refusal
    assert refusal == ("SignatureDoesNotMatch", 403)


def test_chunks_that_were_exchanged(wire, place):
    signature, headers = begin(wire, place, SIGNED_CHUNKS, 2 * len(PIECES[0]))
    encoded = signature.chunks(PIECES[:2])
    size = encoded.index(b"\r\n") + 2 + len(PIECES[0]) + 2
    exchanged = encoded[size : 2 * size] + encoded[:size] + encoded[2 * size :]
    refusal = wire.send_as("PUT", place, exchanged, headers).refusal
    assert refusal == ("SignatureDoesNotMatch", 403)


def test_signed_chunks_and_trailer(wire, bucket):
    place = target(bucket, "key")
    signature, headers = begin(wire, place, SIGNED_CHUNKS_AND_TRAILER, len(WHOLE))
    encoded = signature.chunks(PIECES, followed=True) + signature.trailer(TRAILER, crc32(WHOLE))
    written = wire.send_as("PUT", place, encoded, headers)
    assert (written.status, written.headers[TRAILER]) == (200, crc32(WHOLE))
    assert wire.send("GET", place).body == WHOLE


def test_a_trailer_with_another_signature(wire, place):
    signature, headers = begin(wire, place, SIGNED_CHUNKS_AND_TRAILER, len(WHOLE))
    encoded = signature.chunks(PIECES, followed=True) + signature.trailer(TRAILER, crc32(WHOLE), spoil=True)
    refusal = wire.send_as("PUT", place, encoded, headers).refusal
    assert refusal == ("SignatureDoesNotMatch", 403)


def test_a_signed_trailer_that_names_another_checksum(wire, place):
    signature, headers = begin(wire, place, SIGNED_CHUNKS_AND_TRAILER, len(WHOLE))
    encoded = signature.chunks(PIECES, followed=True) + signature.trailer(TRAILER, crc32(b"another"))
    assert wire.send_as("PUT", place, encoded, headers).refusal == ("BadDigest", 400)


def test_unsigned_chunks_and_trailer(wire, bucket):
    place = target(bucket, "key")
    encoded = unsigned_chunks(PIECES, b"%s:%s\r\n" % (TRAILER.encode(), crc32(WHOLE).encode()))
    _, headers = begin(wire, place, UNSIGNED_CHUNKS_AND_TRAILER, len(WHOLE))
    assert wire.send_as("PUT", place, encoded, headers).status == 200
    assert wire.send("GET", place).body == WHOLE
    # In chunks of HTTP's own, without a length, as SDKs send it over TLS.
    place = target(bucket, "again")
    _, headers = begin(wire, place, UNSIGNED_CHUNKS_AND_TRAILER, len(WHOLE))
    headers["transfer-encoding"] = "chunked"
    halves = [encoded[:70_001], encoded[70_001:]]
    framed = b"".join(b"%x\r\n%s\r\n" % (len(half), half) for half in halves) + b"0\r\n\r\n"
    assert wire.send_as("PUT", place, framed, headers).status == 200
    assert wire.send("GET", place).body == WHOLE


@pytest.mark.parametrize(
    ("trailer", "code"),
    [
        (f"{TRAILER}:{crc32(b'another')}\r\n", "BadDigest"),
        (f"{TRAILER}:AAAA\r\n", "MalformedTrailerError"),
        ("", "MalformedTrailerError"),
        (f"x-amz-checksum-crc32c:{crc32(WHOLE)}\r\n", "MalformedTrailerError"),
        ("no colon\r\n", "MalformedTrailerError"),
        (f"{TRAILER}:{'A' * 100_000}\r\n", "MalformedTrailerError"),
    ],
)
def test_trailers_that_are_refused(wire, place, trailer, code):
    _, headers = begin(wire, place, UNSIGNED_CHUNKS_AND_TRAILER, len(WHOLE))
    encoded = unsigned_chunks(PIECES, trailer.encode())
    assert wire.send_as("PUT", place, encoded, headers).refusal == (code, 400)


def test_a_decoded_length_that_is_another(wire, place):
    good = b"%s:%s\r\n" % (TRAILER.encode(), crc32(WHOLE).encode())
    for length in [0, 1, len(WHOLE) - 1, len(WHOLE) + 1, 10 * len(WHOLE)]:
        _, headers = begin(wire, place, UNSIGNED_CHUNKS_AND_TRAILER, length)
        refused = wire.send_as("PUT", place, unsigned_chunks(PIECES, good), headers)
        assert refused.refusal == ("IncompleteBody", 400), length
        signature, headers = begin(wire, place, SIGNED_CHUNKS, length)
        refused = wire.send_as("PUT", place, signature.chunks(PIECES), headers)
        assert refused.refusal == ("IncompleteBody", 400), length
    for length in ["-1", "x", "99999999999999999999"]:
        _, headers = begin(wire, place, UNSIGNED_CHUNKS_AND_TRAILER, length)
        refused = wire.send_as("PUT", place, unsigned_chunks(PIECES, good), headers)
        assert refused.status == 400, length


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"zz\r\nx\r\n0\r\n\r\n",
        b"ffffffffffffffffffff\r\nx",
        b"7fffffffffffffff\r\nx",
        b"-1\r\nx\r\n",
        b"4\r\nbodyXX0\r\n\r\n",
        b"4\r\nbo",
        b"4\r\nbody\r\n",
        b"4;" + b"x" * 100_000 + b"\r\nbody\r\n0\r\n\r\n",
    ],
)
def test_framing_that_is_broken(wire, place, encoded):
    for payload in UNSIGNED_CHUNKS_AND_TRAILER, SIGNED_CHUNKS:
        _, headers = begin(wire, place, payload, 4)
        refused = wire.send_as("PUT", place, encoded, headers)
        assert refused.status in {400, 403}, refused.body


# Signatures.


@pytest.mark.parametrize(
    "added",
    [
        "x-amz-copy-source",
        "x-amz-meta-added",
        "x-amz-tagging",
        "x-amz-acl",
        "x-amz-security-token",
        "x-amz-unheard-of",
    ],
)
def test_a_field_that_was_added_after_signing(wire, place, bucket, added):
    headers = wire.signature().headers("PUT", place, {"host": wire.host}, UNSIGNED)
    headers |= {added: f"/{bucket}/key"}
    refused = wire.send_as("PUT", place, b"after", headers)
    assert refused.status in {400, 403}, refused.body
    url = wire.signature().presigned("PUT", place, wire.host)
    refused = wire.send_as("PUT", url, b"after", {added: f"/{bucket}/key"})
    assert refused.status in {400, 403}, refused.body


def test_what_was_changed_after_signing(wire, place, bucket):
    mismatch = ("SignatureDoesNotMatch", 403)
    signed = wire.signature().headers("PUT", place, {"host": wire.host, "x-amz-meta-a": "1"}, UNSIGNED)
    for changed in [{"x-amz-meta-a": "2"}, {"x-amz-content-sha256": sha256(b"after")}]:
        assert wire.send_as("PUT", place, b"after", signed | changed).refusal == mismatch
    assert wire.send_as("PUT", target(bucket, "other"), b"", signed).refusal == mismatch
    assert wire.send_as("PUT", place + "?tagging=", b"", signed).refusal == mismatch
    assert wire.send_as("DELETE", place, b"", signed).refusal == mismatch
    url = wire.signature().presigned("GET", place, wire.host)
    assert wire.send_as("DELETE", url).refusal == mismatch
    assert wire.send_as("GET", url + "&response-content-type=text%2Fhtml").refusal == mismatch
    assert wire.send_as("GET", url.replace("/key?", "/other?")).refusal == mismatch
    # A field that was signed and does not come.
    del signed["x-amz-meta-a"]
    assert wire.send_as("PUT", place, b"after", signed).status in {400, 403}


def test_a_body_that_was_not_signed(wire, place):
    refused = wire.send("PUT", place, b"after", payload=sha256(b"other"))
    assert refused.refusal == ("XAmzContentSHA256Mismatch", 400)
    for payload in ["", "x", "STREAMING-UNHEARD-OF", sha256(b"after").upper()[:-1]]:
        refused = wire.send("PUT", place, b"after", payload=payload)
        assert refused.status in {400, 403}, payload


def test_the_clock(wire, place):
    for minutes in -14, 14:
        assert wire.send("GET", place, at=now(minutes=minutes)).status == 200
    for minutes in -16, 16, 60 * 24 * 365:
        refused = wire.send("GET", place, at=now(minutes=minutes))
        assert refused.refusal == ("RequestTimeTooSkewed", 403), minutes


def test_the_lifetime_of_a_presigned_url(wire, place):
    def get(expires, at=None):
        return wire.send_as("GET", wire.signature(at=at).presigned("GET", place, wire.host, expires))

    assert get(1000, now(minutes=-16)).status == 200
    assert get(7 * 24 * 3600).status == 200
    assert get(60, now(minutes=-16)).refusal == ("AccessDenied", 403)
    assert get(60, now(minutes=16)).refusal == ("AccessDenied", 403)
    for wrong in [7 * 24 * 3600 + 1, 0, -1, "x", "", "9" * 30]:
        assert get(wrong).refusal == ("AuthorizationQueryParametersError", 400), wrong


def test_scopes_that_are_another(wire, place):
    for wrong in [{"region": "eu-central-1"}, {"service": "sts"}, {"service": "ec2"}]:
        refused = wire.send("GET", place, **wrong)
        assert refused.refusal == ("AuthorizationHeaderMalformed", 400), wrong
        refused = wire.send_as("GET", wire.signature(**wrong).presigned("GET", place, wire.host))
        assert refused.refusal == ("AuthorizationQueryParametersError", 400), wrong


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        " ",
        "x",
        "AWS4-HMAC-SHA256",
        "AWS4-HMAC-SHA256 ",
        "AWS4-HMAC-SHA256 Credential=",
        "AWS4-HMAC-SHA256 Credential=a/b/c/d/e, SignedHeaders=host, Signature=",
        "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/s3/aws4_request, Signature=00",
        "AWS4-HMAC-SHA256 " + "A" * 20_000,
        "AWS AKIAIOSFODNN7EXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=",
        "Basic dXNlcjpwYXNz",
        "Bearer token",
        "Negotiate \u00ff\u00fe",
    ],
)
def test_authorizations_that_are_none(wire, place, authorization):
    refused = wire.send_as("GET", place, b"", {"authorization": authorization, "x-amz-date": "x"})
    assert refused.status in {400, 403}
    assert refused.code


def test_only_one_way_to_sign(wire, place):
    url = wire.signature().presigned("GET", place, wire.host)
    refused = wire.send_as("GET", url, b"", {"authorization": "AWS4-HMAC-SHA256 x"})
    assert refused.status == 400
    headers = wire.signature().headers("GET", place, {"host": wire.host}, UNSIGNED)
    twice = headers | {"Authorization": headers["authorization"][:-1]}
    assert wire.send_as("GET", place, b"", twice).status in {400, 403}


def test_the_host_must_be_signed(wire, place):
    headers = wire.signature().headers("GET", place, {}, UNSIGNED)
    assert wire.send_as("GET", place, b"", headers).status in {400, 403}


# Digests.


def test_content_md5(wire, place):
    def put(value):
        return wire.send("PUT", place, b"after", {"content-md5": value}).refusal

    another = base64.b64encode(hashlib.md5(b"another").digest()).decode()
    assert put(another) == ("BadDigest", 400)
    for value in ["", "x", "AAAA", another[:-4], hashlib.md5(b"after").hexdigest()]:
        assert put(value) == ("InvalidDigest", 400), value


def test_checksums_in_headers(wire, place):
    put = {TRAILER: crc32(b"another")}
    assert wire.send("PUT", place, b"after", put).refusal == ("BadDigest", 400)
    for wrong in [
        {TRAILER: "AAAA"},
        {TRAILER: crc32(b"after"), "x-amz-checksum-sha1": "2jmj7l5rSw0yVb/vlWAYkK/YBwk="},
        {"x-amz-checksum-sha512": "AAAA"},
        {"x-amz-sdk-checksum-algorithm": "CRC31"},
    ]:
        assert wire.send("PUT", place, b"after", wrong).status == 400, wrong


def test_checksums_in_presigned_urls(wire, bucket):
    place = target(bucket, "key")

    def put(body, **signed):
        named = {name.replace("_", "-"): value for name, value in signed.items()}
        return wire.send_as("PUT", wire.signature().presigned("PUT", place, wire.host, **named), body)

    # So the SDK for JavaScript signs, which has no body yet, for every URL to upload to.
    none = {"x_amz_checksum_crc32": crc32(b""), "x_amz_sdk_checksum_algorithm": "CRC32"}
    assert put(b"after", **none).status == 200
    assert put(b"", **none).status == 200
    # Whoever signs that of a body means it.
    sums = {"x_amz_checksum_crc32": crc32(b"meant"), "x_amz_sdk_checksum_algorithm": "CRC32"}
    assert put(b"meant", **sums).status == 200
    assert put(b"after", **sums).refusal == ("BadDigest", 400)
    both = none | {"x_amz_checksum_sha256": "AAAA"}
    assert put(b"after", **both).status == 400
    assert wire.send("PUT", place, b"after", {TRAILER: crc32(b"")}).refusal == ("BadDigest", 400)


# Connections.


def test_a_body_that_breaks_off(wire, place):
    whole = noise(2 * MIB)
    headers = wire.signature().headers("PUT", place, {"host": wire.host}, UNSIGNED)
    headers["content-length"] = str(len(whole))
    with wire.connected() as stream:
        stream.sendall(wire.head("PUT", place, headers) + whole[: len(whole) // 2])
    # A part of a chunked body, whose end never comes.
    signature, headers = begin(wire, place, SIGNED_CHUNKS, len(WHOLE))
    encoded = signature.chunks(PIECES)
    headers["content-length"] = str(len(encoded))
    with wire.connected() as stream:
        stream.sendall(wire.head("PUT", place, headers) + encoded[:-1])
    # The next request finds what was there before; `place` looks once more.
    assert wire.send("GET", place).body == b"before"


def test_a_body_is_sent_after_the_word_to_go_on(wire, bucket):
    place = target(bucket, "key")
    headers = wire.signature().headers("PUT", place, {"host": wire.host}, UNSIGNED)
    headers |= {"content-length": "4", "expect": "100-continue"}
    with wire.connected() as stream:
        stream.sendall(wire.head("PUT", place, headers))
        assert stream.recv(1 << 12) == b"HTTP/1.1 100 Continue\r\n\r\n"
        stream.sendall(b"body")
        assert wire.answer(stream, "PUT").status == 200
    # Who is refused is told so before the body, and that the connection ends: the body that never
    # comes must not be taken for the next request, nor that for the body.
    with wire.connected() as stream:
        headers["authorization"] = headers["authorization"][:-4] + "0000"
        stream.sendall(wire.head("PUT", place, headers))
        refused = wire.answer(stream, "PUT")
        assert refused.refusal == ("SignatureDoesNotMatch", 403)
        assert refused.headers["connection"] == "close"


def test_one_connection_serves_on_after_errors(wire, place):
    with wire.connected() as stream:
        for _ in range(3):
            refused = wire.signature().headers("GET", place + "x", {"host": wire.host}, UNSIGNED)
            stream.sendall(wire.head("GET", place + "x", refused))
            assert wire.answer(stream, "GET").refusal == ("NoSuchKey", 404)
            headers = wire.signature().headers("GET", place, {"host": wire.host}, UNSIGNED)
            stream.sendall(wire.head("GET", place, headers))
            assert wire.answer(stream, "GET").body == b"before"


@pytest.mark.parametrize(
    "headers",
    [
        {f"x-header-{number}": "x" for number in range(1000)},
        {"x-amz-meta-long": "x" * 200_000},
        {f"x-amz-meta-{number}": "x" * 300 for number in range(100)},
    ],
    ids=["many", "long", "much"],
)
def test_floods_of_headers(wire, place, headers):
    try:
        refused = wire.send("PUT", place, b"after", headers)
    except (OSError, http.client.HTTPException):
        # Who still sends when the connection closes may lose the answer with it; the object, which
        # stays as it was, tells of the refusal.
        return
    assert refused.status in {400, 431}


@pytest.mark.parametrize(
    "headers",
    [
        {"content-length": "5", "transfer-encoding": "chunked"},
        {"content-length": "-1"},
        {"content-length": "1e3"},
        {"transfer-encoding": "gzip"},
        {"transfer-encoding": "chunked, identity"},
    ],
)
def test_lengths_that_two_servers_would_read_differently(wire, place, headers):
    signed = wire.signature().headers("PUT", place, {"host": wire.host}, UNSIGNED)
    answer = wire.send_as("PUT", place, b"0\r\n\r\nGET / HTTP/1.1\r\n\r\n", signed | headers)
    assert answer.status in {400, 411, 501}, answer


def test_a_put_needs_a_length(wire, place):
    signed = wire.signature().headers("PUT", place, {"host": wire.host}, UNSIGNED)
    framed = signed | {"transfer-encoding": "chunked"}
    refused = wire.send_as("PUT", place, b"5\r\nafter\r\n0\r\n\r\n", framed)
    assert refused.refusal == ("MissingContentLength", 411)
    refused = wire.send_as("PUT", place, b"", signed | {"content-length": str(6 << 30)})
    assert refused.refusal == ("EntityTooLarge", 400)


# Targets.


@pytest.mark.parametrize("path", ["%FF", "%C3", "a%00%FEb", "%ED%A0%80"])
def test_a_key_is_utf_8(wire, bucket, path):
    refused = wire.send("PUT", f"/{bucket}/{path}", b"x")
    assert refused.status == 400, refused


@pytest.mark.parametrize("path", ["%", "%4", "%zz", "a%2"])
def test_a_path_is_encoded_whole(wire, bucket, path):
    assert wire.send("GET", f"/{bucket}/{path}").status in {400, 403}


def test_over_long_keys(wire, bucket):
    refused = wire.send("PUT", target(bucket, "k" * 1025), b"x")
    assert refused.refusal == ("KeyTooLongError", 400)
    assert wire.send("GET", target(bucket, "k" * 20_000)).status in {400, 414, 431}


def test_dots_lead_nowhere(wire, bucket, names, s3):
    other = next(names)
    s3.create_bucket(Bucket=other)
    s3.put_object(Bucket=other, Key="key", Body=b"x")
    for path in [f"/{bucket}/../{other}/key", f"/{bucket}/%2E%2E/{other}/key", f"/{bucket}/..%2F{other}/key"]:
        assert wire.send("GET", path).status in {403, 404}, path
    assert wire.send("GET", f"/../{other}/key").status in {400, 403, 404}
    assert wire.send("GET", f"//{other}/key").status in {400, 403, 404}


def test_methods(wire, bucket):
    for method in ["PATCH", "TRACE", "BREW", "LOCK"]:
        refused = wire.send(method, target(bucket, "key"))
        assert refused.status in {400, 405, 501}, method
    assert wire.send("POST", f"/{bucket}").status in {400, 405, 411, 412, 501}


@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("GET", "website="),
        ("PUT", "logging="),
        ("GET", "replication="),
        ("GET", "inventory=&id=x"),
        ("PUT", "notification="),
        ("PUT", "accelerate="),
    ],
)
def test_what_is_not_there_says_so(wire, bucket, method, query):
    assert wire.send(method, f"/{bucket}?{query}").refusal == ("NotImplemented", 501)


def test_an_unknown_subresource_is_no_object(wire, place):
    for query in ["select=&select-type=2", "torrent=", "restore=", "renameObject="]:
        refused = wire.send("POST", f"{place}?{query}")
        assert refused.status in {400, 405, 501}, query


# Documents.

DOCUMENTS = {
    "empty": b"",
    "no document": b"garbage",
    "unclosed": b"<Delete><Object>",
    "another": b"<Other/>",
    "no UTF-8": b"<Delete><Object><Key>\xff</Key></Object></Delete>",
    "no key": b"<Delete><Object></Object></Delete>",
    "entities": b'<!DOCTYPE d [<!ENTITY a "x"><!ENTITY b "&a;&a;&a;">]>'
    b"<Delete><Object><Key>&b;</Key></Object></Delete>",
    "external": b'<!DOCTYPE d [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    b"<Delete><Object><Key>&a;</Key></Object></Delete>",
    "deep": b"<Delete>" * 100_000,
    "endless name": b"<" + b"a" * 3_000_000,
    "attributes": b"<Delete " + b" ".join(b'a%d="x"' % n for n in range(100_000)) + b"/>",
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_that_are_none(wire, place, bucket, name):
    document = DOCUMENTS[name]
    digest = base64.b64encode(hashlib.md5(document).digest()).decode()
    for method, where in [
        ("POST", f"/{bucket}?delete="),
        ("POST", f"{place}?uploadId=none"),
        ("PUT", f"/{bucket}-new"),
    ]:
        if name == "empty" and method == "PUT":
            continue
        refused = wire.send(method, where, document, {"content-md5": digest})
        assert refused.status in {400, 404, 413}, (where, refused)
        if where.endswith("delete="):
            assert refused.code in {"MalformedXML", "MaxMessageLengthExceeded"}, refused


def test_a_batch_deletion_needs_a_digest(wire, place, bucket):
    document = b"<Delete><Object><Key>key</Key></Object></Delete>"
    where = f"/{bucket}?delete="
    assert wire.send("POST", where, document).refusal == ("InvalidRequest", 400)
    another = base64.b64encode(hashlib.md5(b"another").digest()).decode()
    assert wire.send("POST", where, document, {"content-md5": another}).refusal == ("BadDigest", 400)
    refused = wire.send("POST", where, document, {TRAILER: crc32(b"another")})
    assert refused.refusal == ("BadDigest", 400)


# Answers.


def test_an_error_says_what_and_where(wire, bucket):
    refused = wire.send("GET", target(bucket, "a<b>&c"))
    assert refused.headers["content-type"] == "application/xml"
    text = refused.body.decode()
    for element in ["Code", "Message", "Resource", "RequestId", "HostId"]:
        assert f"<{element}>" in text, text
    assert f"<RequestId>{refused.headers['x-amz-request-id']}</RequestId>" in text
    assert refused.headers["x-amz-id-2"]
    assert b"<b>" not in refused.body


def test_a_head_has_no_body(wire, bucket):
    absent = wire.send("HEAD", target(bucket, "absent"))
    assert (absent.status, absent.body) == (404, b"")
    assert absent.headers["x-amz-request-id"]


def test_an_unchanged_object_has_no_body(wire, bucket):
    place = target(bucket, "key")
    tag = wire.send("PUT", place, b"body").headers["etag"]
    unchanged = wire.send("GET", place, headers={"if-none-match": tag})
    assert (unchanged.status, unchanged.body, unchanged.headers["etag"]) == (304, b"", tag)


def test_an_answer_names_nothing_of_the_server(wire, bucket):
    for answer in wire.send("GET", f"/{bucket}"), wire.send("GET", "/no-such-bucket/key"):
        assert "bulkhead" not in str(answer.headers).lower()
        assert str(wire.server.directory).encode() not in answer.body
