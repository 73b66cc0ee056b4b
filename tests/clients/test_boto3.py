"""boto3: what an application does with objects, parts and buckets, and which error it meets."""

import base64
import datetime
import hashlib
import random
import zlib
from concurrent.futures import ThreadPoolExecutor

import boto3.s3.transfer
import botocore
import pytest
import urllib3
from awscrt import checksums
from botocore.exceptions import ClientError

from conftest import MIB, ODD_KEYS, SIZES, noise
from server import Key


def error(call, *arguments, **parameters):
    """Code and status of the error that a call must end with."""
    with pytest.raises(ClientError) as raised:
        call(*arguments, **parameters)
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def body(s3, bucket, key, **parameters):
    return s3.get_object(Bucket=bucket, Key=key, **parameters)["Body"].read()


def md5(data):
    return hashlib.md5(data).hexdigest()


# Objects.


@pytest.mark.parametrize("size", SIZES)
def test_a_body_comes_back_as_it_went(s3, bucket, size):
    sent = noise(size)
    written = s3.put_object(Bucket=bucket, Key="key", Body=sent)
    assert written["ETag"] == f'"{md5(sent)}"'
    assert written["ServerSideEncryption"] == "AES256"
    read = s3.get_object(Bucket=bucket, Key="key")
    assert read["Body"].read() == sent
    assert read["ContentLength"] == size
    assert read["ETag"] == written["ETag"]
    assert read["AcceptRanges"] == "bytes"
    head = s3.head_object(Bucket=bucket, Key="key")
    assert (head["ContentLength"], head["ETag"]) == (size, written["ETag"])
    age = datetime.datetime.now(datetime.UTC) - head["LastModified"]
    assert abs(age) < datetime.timedelta(minutes=1)


@pytest.mark.parametrize("key", ODD_KEYS)
def test_a_key_is_any_text(s3, bucket, key):
    s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    assert body(s3, bucket, key) == key.encode()
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    assert [entry["Key"] for entry in s3.list_objects(Bucket=bucket)["Contents"]] == [key]
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": key})
    assert body(s3, bucket, "copy") == key.encode()
    if "\x01" in key:
        # XML 1.0 has no control characters: the client cannot read the answer to a batch.
        s3.delete_object(Bucket=bucket, Key=key)
    else:
        deleted = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
        assert [entry["Key"] for entry in deleted["Deleted"]] == [key]
    assert error(s3.head_object, Bucket=bucket, Key=key) == ("404", 404)


def test_a_key_has_at_most_1024_bytes(s3, bucket):
    for key in ["k" * 1025, "é" * 513]:
        assert error(s3.put_object, Bucket=bucket, Key=key) == ("KeyTooLongError", 400)


def test_a_write_replaces_and_a_deletion_removes(s3, bucket):
    s3.put_object(Bucket=bucket, Key="key", Body=b"old", Metadata={"old": "1"})
    s3.put_object(Bucket=bucket, Key="key", Body=b"new")
    read = s3.get_object(Bucket=bucket, Key="key")
    assert (read["Body"].read(), read["Metadata"]) == (b"new", {})
    assert s3.delete_object(Bucket=bucket, Key="key")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert s3.delete_object(Bucket=bucket, Key="key")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert error(s3.head_object, Bucket=bucket, Key="key") == ("404", 404)


def test_headers_and_metadata_are_kept(s3, bucket):
    kept = {
        "CacheControl": "no-cache, max-age=60",
        "ContentDisposition": 'attachment; filename="a b.txt"',
        "ContentEncoding": "gzip",
        "ContentLanguage": "de, en",
        "ContentType": "text/plain; charset=utf-8",
        "Metadata": {"one": "1", "with-dash": "a, b", "under_score": "  trimmed  "},
    }
    expires = datetime.datetime(2031, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    s3.put_object(Bucket=bucket, Key="key", Body=b"x", Expires=expires, **kept)
    kept["Metadata"]["under_score"] = "trimmed"
    for read in s3.get_object(Bucket=bucket, Key="key"), s3.head_object(Bucket=bucket, Key="key"):
        assert {name: read[name] for name in kept} == kept
        assert read["ExpiresString"] == "Fri, 02 Jan 2031 03:04:05 GMT" or read["Expires"] == expires
    s3.put_object(Bucket=bucket, Key="bare", Body=b"x")
    assert s3.head_object(Bucket=bucket, Key="bare")["ContentType"] == "binary/octet-stream"


def test_metadata_has_a_limit(s3, bucket):
    s3.put_object(Bucket=bucket, Key="key", Metadata={"k": "v" * 2047})
    too_large = error(s3.put_object, Bucket=bucket, Key="key", Metadata={"k": "v" * 2048})
    assert too_large == ("MetadataTooLarge", 400)


def test_a_reader_chooses_headers(s3, bucket):
    s3.put_object(Bucket=bucket, Key="key", Body=b"x", ContentType="text/plain")
    read = s3.get_object(
        Bucket=bucket,
        Key="key",
        ResponseCacheControl="no-store",
        ResponseContentDisposition="inline",
        ResponseContentEncoding="identity",
        ResponseContentLanguage="fr",
        ResponseContentType="image/png",
    )
    assert read["CacheControl"] == "no-store"
    assert read["ContentDisposition"] == "inline"
    assert read["ContentEncoding"] == "identity"
    assert read["ContentLanguage"] == "fr"
    assert read["ContentType"] == "image/png"


# Ranges.


def test_ranges(s3, bucket):
    size = 5 * MIB + 1
    sent = noise(size)
    s3.put_object(Bucket=bucket, Key="key", Body=sent)
    chance = random.Random(1)
    spans = [sorted(chance.randrange(size) for _ in "12") for _ in range(20)]
    edges = [(0, 0), (0, size - 1), (size - 1, size - 1), (65535, 65536), (1, 2 * MIB)]
    for first, last in spans + edges:
        read = s3.get_object(Bucket=bucket, Key="key", Range=f"bytes={first}-{last}")
        assert read["Body"].read() == sent[first : last + 1], (first, last)
        assert read["ContentRange"] == f"bytes {first}-{last}/{size}"
        assert read["ResponseMetadata"]["HTTPStatusCode"] == 206
    for asked, expected in [
        (f"bytes={size - 10}-", sent[-10:]),
        ("bytes=-10", sent[-10:]),
        (f"bytes=-{size + 10}", sent),
        (f"bytes={size - 10}-{size + 10}", sent[-10:]),
    ]:
        assert body(s3, bucket, "key", Range=asked) == expected, asked
    head = s3.head_object(Bucket=bucket, Key="key", Range="bytes=0-9")
    assert (head["ContentLength"], head["ContentRange"]) == (10, f"bytes 0-9/{size}")


def test_ranges_that_are_none(s3, bucket):
    s3.put_object(Bucket=bucket, Key="key", Body=b"0123456789")
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    for asked in ["bytes=10-", "bytes=10-20", "bytes=-0"]:
        outside = error(s3.get_object, Bucket=bucket, Key="key", Range=asked)
        assert outside == ("InvalidRange", 416), asked
    assert error(s3.get_object, Bucket=bucket, Key="empty", Range="bytes=0-") == ("InvalidRange", 416)
    # RFC 9110: what is no range is ignored.
    for asked in ["bytes=5-1", "bytes=x-y", "lines=0-1", "bytes=", "bytes=-"]:
        read = s3.get_object(Bucket=bucket, Key="key", Range=asked)
        assert read["ResponseMetadata"]["HTTPStatusCode"] == 200, asked
        assert read["Body"].read() == b"0123456789", asked


# Conditions.


def test_conditional_writes(s3, bucket):
    first = s3.put_object(Bucket=bucket, Key="key", Body=b"1", IfNoneMatch="*")["ETag"]
    failed = ("PreconditionFailed", 412)
    assert error(s3.put_object, Bucket=bucket, Key="key", Body=b"2", IfNoneMatch="*") == failed
    assert error(s3.put_object, Bucket=bucket, Key="key", Body=b"2", IfMatch='"no"') == failed
    second = s3.put_object(Bucket=bucket, Key="key", Body=b"2", IfMatch=first)["ETag"]
    assert error(s3.put_object, Bucket=bucket, Key="key", Body=b"3", IfMatch=first) == failed
    assert body(s3, bucket, "key") == b"2"
    absent = error(s3.put_object, Bucket=bucket, Key="absent", Body=b"1", IfMatch=first)
    assert absent == ("NoSuchKey", 404)
    assert error(s3.delete_object, Bucket=bucket, Key="key", IfMatch=first) == failed
    s3.delete_object(Bucket=bucket, Key="key", IfMatch=second)
    assert error(s3.head_object, Bucket=bucket, Key="key") == ("404", 404)


def test_only_one_of_many_creators_wins(connect, bucket):
    def create(number):
        try:
            connect().put_object(Bucket=bucket, Key="key", Body=b"%d" % number, IfNoneMatch="*")
        except ClientError as refused:
            assert refused.response["Error"]["Code"] in {
                "PreconditionFailed",
                "ConditionalRequestConflict",
            }
        else:
            return number

    with ThreadPoolExecutor(8) as pool:
        winners = [n for n in pool.map(create, range(8)) if n is not None]
    assert [body(connect(), bucket, "key")] == [b"%d" % number for number in winners]


def test_conditional_reads(s3, bucket):
    tag = s3.put_object(Bucket=bucket, Key="key", Body=b"x")["ETag"]
    at = s3.head_object(Bucket=bucket, Key="key")["LastModified"]
    before = at - datetime.timedelta(hours=1)
    for read in s3.get_object, s3.head_object:
        # A HEAD has no body that would name the code.
        named = read == s3.get_object
        failed = ("PreconditionFailed", 412) if named else ("412", 412)
        read(Bucket=bucket, Key="key", IfMatch=tag, IfUnmodifiedSince=before)
        read(Bucket=bucket, Key="key", IfMatch="*")
        read(Bucket=bucket, Key="key", IfNoneMatch='"other"', IfModifiedSince=at)
        read(Bucket=bucket, Key="key", IfModifiedSince=before)
        read(Bucket=bucket, Key="key", IfUnmodifiedSince=at)
        assert error(read, Bucket=bucket, Key="key", IfMatch='"other"') == failed
        assert error(read, Bucket=bucket, Key="key", IfUnmodifiedSince=before) == failed
        for unchanged in [{"IfNoneMatch": tag}, {"IfNoneMatch": "*"}, {"IfModifiedSince": at}]:
            assert error(read, Bucket=bucket, Key="key", **unchanged) == ("304", 304), unchanged


# Copies.


def test_copies_keep_or_replace_what_is_said_of_the_object(s3, bucket, names):
    source = {"Bucket": bucket, "Key": "source"}
    said = {"ContentType": "text/plain", "Metadata": {"a": "1"}}
    s3.put_object(Bucket=bucket, Key="source", Body=b"body", **said)
    other = next(names)
    s3.create_bucket(Bucket=other)
    copied = s3.copy_object(Bucket=other, Key="kept", CopySource=source)
    assert copied["CopyObjectResult"]["ETag"] == f'"{md5(b"body")}"'
    head = s3.head_object(Bucket=other, Key="kept")
    assert {name: head[name] for name in said} == said
    s3.copy_object(
        Bucket=other,
        Key="replaced",
        CopySource=source,
        MetadataDirective="REPLACE",
        ContentType="text/html",
        Metadata={"b": "2"},
    )
    head = s3.head_object(Bucket=other, Key="replaced")
    assert (head["ContentType"], head["Metadata"]) == ("text/html", {"b": "2"})
    # The copy stands by itself.
    s3.delete_object(Bucket=bucket, Key="source")
    assert body(s3, other, "kept") == body(s3, other, "replaced") == b"body"


def test_a_copy_onto_itself_must_change_something(s3, bucket):
    source = {"Bucket": bucket, "Key": "key"}
    s3.put_object(Bucket=bucket, Key="key", Body=b"x")
    same = error(s3.copy_object, Bucket=bucket, Key="key", CopySource=source)
    assert same == ("InvalidRequest", 400)
    s3.copy_object(
        Bucket=bucket, Key="key", CopySource=source, MetadataDirective="REPLACE", Metadata={"a": "1"}
    )
    read = s3.get_object(Bucket=bucket, Key="key")
    assert (read["Body"].read(), read["Metadata"]) == (b"x", {"a": "1"})


def test_copies_under_conditions(s3, bucket):
    tag = s3.put_object(Bucket=bucket, Key="source", Body=b"x")["ETag"]
    copy = {"Bucket": bucket, "CopySource": {"Bucket": bucket, "Key": "source"}}
    failed = ("PreconditionFailed", 412)
    assert error(s3.copy_object, Key="copy", CopySourceIfMatch='"other"', **copy) == failed
    assert error(s3.copy_object, Key="copy", CopySourceIfNoneMatch=tag, **copy) == failed
    assert error(s3.head_object, Bucket=bucket, Key="copy") == ("404", 404)
    s3.copy_object(Key="copy", CopySourceIfMatch=tag, IfNoneMatch="*", **copy)
    assert error(s3.copy_object, Key="copy", IfNoneMatch="*", **copy) == failed


def test_copies_of_nothing(s3, bucket):
    copy = {"Bucket": bucket, "Key": "copy"}
    absent = error(s3.copy_object, CopySource={"Bucket": bucket, "Key": "absent"}, **copy)
    assert absent == ("NoSuchKey", 404)
    absent = error(s3.copy_object, CopySource={"Bucket": "no-such-bucket", "Key": "key"}, **copy)
    assert absent == ("NoSuchBucket", 404)


# Multipart uploads.


class Upload:
    """One upload in progress."""

    def __init__(self, s3, bucket, key="key", **parameters):
        self.s3 = s3
        self.place = {"Bucket": bucket, "Key": key}
        made = s3.create_multipart_upload(**self.place, **parameters)
        self.place["UploadId"] = made["UploadId"]

    def put(self, number, data, **parameters):
        return self.s3.upload_part(PartNumber=number, Body=data, **self.place, **parameters)

    def complete(self, parts, **parameters):
        named = [{"PartNumber": number, **part} for number, part in parts]
        return self.s3.complete_multipart_upload(
            MultipartUpload={"Parts": named}, **self.place, **parameters
        )


def of(part, *names):
    """What a completion repeats of a part's answer."""
    return {name: part[name] for name in ("ETag", *names)}


def test_a_big_file_in_parts(s3, bucket, big, tmp_path):
    settings = boto3.s3.transfer.TransferConfig(max_concurrency=4)
    s3.upload_file(str(big), bucket, "key", Config=settings)
    sent = big.read_bytes()
    digests = [hashlib.md5(sent[at : at + 8 * MIB]).digest() for at in range(0, len(sent), 8 * MIB)]
    head = s3.head_object(Bucket=bucket, Key="key")
    assert head["ETag"] == f'"{md5(b"".join(digests))}-{len(digests)}"'
    assert head["ContentLength"] == len(sent)
    s3.download_file(bucket, "key", str(tmp_path / "back"), Config=settings)
    assert (tmp_path / "back").read_bytes() == sent
    # Across the seam of two parts, and one part alone.
    seam = 8 * MIB
    read = body(s3, bucket, "key", Range=f"bytes={seam - 10}-{seam + 9}")
    assert read == sent[seam - 10 : seam + 10]
    second = s3.get_object(Bucket=bucket, Key="key", PartNumber=2)
    assert second["PartsCount"] == len(digests)
    assert second["ContentRange"] == f"bytes {seam}-{2 * seam - 1}/{len(sent)}"
    assert second["Body"].read() == sent[seam : 2 * seam]
    # Copied in parts.
    s3.copy({"Bucket": bucket, "Key": "key"}, bucket, "copy", Config=settings)
    copied = s3.get_object(Bucket=bucket, Key="copy")
    assert copied["ETag"] == head["ETag"]
    assert copied["Body"].read() == sent


def test_parts_in_any_order_and_again(s3, bucket):
    upload = Upload(s3, bucket, ContentType="text/plain", Metadata={"a": "1"})
    third = upload.put(3, b"end")
    upload.put(1, noise(5 * MIB, seed=9))
    first = upload.put(1, noise(5 * MIB))
    second = upload.put(2, noise(5 * MIB, seed=2))
    assert error(s3.head_object, Bucket=bucket, Key="key") == ("404", 404)
    upload.complete([(1, of(first)), (2, of(second)), (3, of(third))])
    read = s3.get_object(Bucket=bucket, Key="key")
    assert read["Body"].read() == noise(5 * MIB) + noise(5 * MIB, seed=2) + b"end"
    assert (read["ContentType"], read["Metadata"]) == ("text/plain", {"a": "1"})


def test_parts_that_are_left_out_are_not_in_the_object(s3, bucket):
    upload = Upload(s3, bucket)
    for number in 1, 10, 10000:
        part = upload.put(number, b"%d" % number)
    upload.complete([(10000, of(part))])
    assert body(s3, bucket, "key") == b"10000"


def test_completions_that_are_refused(s3, bucket):
    upload = Upload(s3, bucket)
    small, last = upload.put(1, b"small"), upload.put(2, b"last")
    complete = upload.complete
    assert error(complete, [(1, of(small)), (2, of(last))]) == ("EntityTooSmall", 400)
    assert error(complete, [(2, of(last)), (1, of(small))]) == ("InvalidPartOrder", 400)
    assert error(complete, [(1, of(last))]) == ("InvalidPart", 400)
    assert error(complete, [(3, of(last))]) == ("InvalidPart", 400)
    assert error(complete, []) == ("MalformedXML", 400)
    for number in 0, 10001:
        assert error(upload.put, number, b"x") == ("InvalidArgument", 400)
    # None of it ended the upload.
    upload.complete([(2, of(last))])
    assert body(s3, bucket, "key") == b"last"


def test_completions_under_conditions(s3, bucket):
    tag = s3.put_object(Bucket=bucket, Key="key", Body=b"x")["ETag"]
    upload = Upload(s3, bucket)
    parts = [(1, of(upload.put(1, b"part")))]
    assert error(upload.complete, parts, IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert error(upload.complete, parts, IfMatch='"other"') == ("PreconditionFailed", 412)
    upload.complete(parts, IfMatch=tag)
    assert body(s3, bucket, "key") == b"part"


def test_an_aborted_upload_is_gone(s3, bucket):
    upload = Upload(s3, bucket)
    part = upload.put(1, b"x")
    s3.abort_multipart_upload(**upload.place)
    gone = ("NoSuchUpload", 404)
    assert error(upload.put, 2, b"x") == gone
    assert error(upload.complete, [(1, of(part))]) == gone
    assert error(s3.list_parts, **upload.place) == gone
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=bucket)


def test_parts_and_uploads_are_listed(s3, bucket):
    upload = Upload(s3, bucket, "dir/a")
    sizes = {number: 10 * number for number in (1, 2, 3, 7, 10000)}
    for number, size in sizes.items():
        upload.put(number, bytes(size))
    seen, marker = {}, 0
    while True:
        page = s3.list_parts(MaxParts=2, PartNumberMarker=marker, **upload.place)
        seen |= {part["PartNumber"]: part["Size"] for part in page["Parts"]}
        if not page["IsTruncated"]:
            break
        marker = page["NextPartNumberMarker"]
    assert seen == sizes

    places = [upload.place] + [Upload(s3, bucket, key).place for key in ("b", "b", "dir/c", "é")]
    expected = sorted((place["Key"], place["UploadId"]) for place in places)
    seen, markers = [], {}
    while True:
        page = s3.list_multipart_uploads(Bucket=bucket, MaxUploads=2, **markers)
        seen += [(entry["Key"], entry["UploadId"]) for entry in page["Uploads"]]
        if not page["IsTruncated"]:
            break
        markers = {
            "KeyMarker": page["NextKeyMarker"],
            "UploadIdMarker": page["NextUploadIdMarker"],
        }
    assert sorted(seen) == expected
    assert [key for key, _ in seen] == ["b", "b", "dir/a", "dir/c", "é"]
    rolled = s3.list_multipart_uploads(Bucket=bucket, Delimiter="/")
    assert [entry["Prefix"] for entry in rolled["CommonPrefixes"]] == ["dir/"]
    assert [entry["Key"] for entry in rolled["Uploads"]] == ["b", "b", "é"]


def test_parts_that_are_copied(s3, bucket):
    sent = noise(6 * MIB)
    tag = s3.put_object(Bucket=bucket, Key="source", Body=sent)["ETag"]
    upload = Upload(s3, bucket)
    copy = {"CopySource": {"Bucket": bucket, "Key": "source"}, **upload.place}
    first = s3.upload_part_copy(PartNumber=1, CopySourceRange=f"bytes=0-{5 * MIB - 1}", **copy)
    second = s3.upload_part_copy(PartNumber=2, CopySourceIfMatch=tag, **copy)
    assert first["CopyPartResult"]["ETag"] == f'"{md5(sent[: 5 * MIB])}"'
    failed = error(s3.upload_part_copy, PartNumber=3, CopySourceIfMatch='"other"', **copy)
    assert failed == ("PreconditionFailed", 412)
    beyond = f"bytes=0-{6 * MIB}"
    outside = error(s3.upload_part_copy, PartNumber=3, CopySourceRange=beyond, **copy)
    assert outside in {("InvalidArgument", 400), ("InvalidRange", 416)}
    upload.complete([(1, of(first["CopyPartResult"])), (2, of(second["CopyPartResult"]))])
    assert body(s3, bucket, "key") == sent[: 5 * MIB] + sent


# Checksums.


def big_endian(number, length):
    return number.to_bytes(length, "big")


DIGESTS = {
    "CRC32": lambda data: big_endian(zlib.crc32(data), 4),
    "CRC32C": lambda data: big_endian(checksums.crc32c(data), 4),
    "CRC64NVME": lambda data: big_endian(checksums.crc64nvme(data), 8),
    "SHA1": lambda data: hashlib.sha1(data).digest(),
    "SHA256": lambda data: hashlib.sha256(data).digest(),
}


def encoded(digest):
    return base64.b64encode(digest).decode()


@pytest.mark.parametrize("algorithm", DIGESTS)
def test_checksums_are_verified_kept_and_answered_when_asked(s3, bucket, algorithm):
    sent = noise(3 * MIB)
    name, value = f"Checksum{algorithm}", encoded(DIGESTS[algorithm](sent))
    written = s3.put_object(Bucket=bucket, Key="key", Body=sent, ChecksumAlgorithm=algorithm)
    assert (written[name], written["ChecksumType"]) == (value, "FULL_OBJECT")
    head = s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert (head[name], head["ChecksumType"]) == (value, "FULL_OBJECT")
    assert name not in s3.head_object(Bucket=bucket, Key="key")
    read = s3.get_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert (read["Body"].read(), read[name]) == (sent, value)
    part = s3.get_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED", Range="bytes=0-9")
    assert (part["Body"].read(), name in part) == (sent[:10], False)

    wrong = {name: encoded(DIGESTS[algorithm](b"another"))}
    refused = error(s3.put_object, Bucket=bucket, Key="key", Body=b"replaced", **wrong)
    assert refused == ("BadDigest", 400)
    assert body(s3, bucket, "key") == sent


def test_a_checksum_that_is_none_is_refused(s3, bucket):
    for value in ["", "AAAA", "no base64"]:
        parameters = {"Bucket": bucket, "Key": "key", "Body": b"x", "ChecksumCRC32": value}
        assert error(s3.put_object, **parameters) == ("InvalidRequest", 400), value


def test_the_default_checksum_is_crc32_on_the_way_and_kept(s3, bucket):
    s3.put_object(Bucket=bucket, Key="key", Body=b"body")
    head = s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert head["ChecksumCRC32"] == encoded(DIGESTS["CRC32"](b"body"))


def test_without_a_checksum_amazons_default_is_kept(connect, bucket):
    s3 = connect(request_checksum_calculation="when_required")
    s3.put_object(Bucket=bucket, Key="key", Body=b"body")
    head = s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert head["ChecksumCRC64NVME"] == encoded(DIGESTS["CRC64NVME"](b"body"))


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "CRC64NVME"])
def test_a_checksum_over_all_parts(s3, bucket, algorithm):
    pieces = [noise(5 * MIB), b"end"]
    name, whole = f"Checksum{algorithm}", encoded(DIGESTS[algorithm](b"".join(pieces)))
    full = {"ChecksumAlgorithm": algorithm, "ChecksumType": "FULL_OBJECT"}
    upload = Upload(s3, bucket, **full)
    parts = [
        (number, of(upload.put(number, piece, ChecksumAlgorithm=algorithm), name))
        for number, piece in enumerate(pieces, 1)
    ]
    wrong = {name: encoded(DIGESTS[algorithm](b"another"))}
    assert error(upload.complete, parts, **wrong) == ("BadDigest", 400)
    size = sum(map(len, pieces))
    assert error(upload.complete, parts, MpuObjectSize=size + 1) == ("InvalidRequest", 400)
    done = upload.complete(parts, MpuObjectSize=size, ChecksumType="FULL_OBJECT", **{name: whole})
    assert (done[name], done["ChecksumType"]) == (whole, "FULL_OBJECT")
    head = s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert (head[name], head["ChecksumType"]) == (whole, "FULL_OBJECT")


@pytest.mark.parametrize("algorithm", ["CRC32", "CRC32C", "SHA1", "SHA256"])
def test_a_checksum_of_the_parts_checksums(s3, bucket, algorithm):
    pieces = [noise(5 * MIB), b"end"]
    digest, name = DIGESTS[algorithm], f"Checksum{algorithm}"
    upload = Upload(s3, bucket, ChecksumAlgorithm=algorithm, ChecksumType="COMPOSITE")
    parts = [
        (number, of(upload.put(number, piece, ChecksumAlgorithm=algorithm), name))
        for number, piece in enumerate(pieces, 1)
    ]
    assert [part[name] for _, part in parts] == [encoded(digest(piece)) for piece in pieces]
    composite = encoded(digest(b"".join(map(digest, pieces)))) + "-2"
    done = upload.complete(parts)
    assert (done[name], done["ChecksumType"]) == (composite, "COMPOSITE")
    head = s3.head_object(Bucket=bucket, Key="key", ChecksumMode="ENABLED")
    assert (head[name], head["ChecksumType"]) == (composite, "COMPOSITE")


def test_content_md5(s3, bucket):
    right = base64.b64encode(hashlib.md5(b"body").digest()).decode()
    s3.put_object(Bucket=bucket, Key="key", Body=b"body", ContentMD5=right)
    put = {"Bucket": bucket, "Key": "key", "Body": b"another"}
    assert error(s3.put_object, ContentMD5=right, **put) == ("BadDigest", 400)
    assert error(s3.put_object, ContentMD5="short", **put) == ("InvalidDigest", 400)
    assert body(s3, bucket, "key") == b"body"


# Lists.


@pytest.fixture(scope="module")
def many(s3, names):
    """A bucket of 2,500 keys below 25 prefixes, and five keys beside these."""
    bucket = next(names)
    s3.create_bucket(Bucket=bucket)
    keys = [f"dir-{number % 25:02}/key-{number:04}" for number in range(2495)]
    keys += ["a", "b/", "dir-24", "z", "é"]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key, Body=key.encode()), keys))
    return bucket, sorted(keys, key=str.encode)


def pages(s3, operation, **parameters):
    return list(s3.get_paginator(operation).paginate(**parameters))


def keys(pages):
    return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def prefixes(pages):
    return [entry["Prefix"] for page in pages for entry in page.get("CommonPrefixes", [])]


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_lists_in_pages(s3, many, operation):
    bucket, all_keys = many
    whole = pages(s3, operation, Bucket=bucket)
    assert keys(whole) == all_keys
    assert [len(page["Contents"]) for page in whole] == [1000, 1000, 500]
    assert [page["IsTruncated"] for page in whole] == [True, True, False]
    entry = whole[0]["Contents"][1]
    assert entry["ETag"] == f'"{md5(entry["Key"].encode())}"'
    assert entry["Size"] == len(entry["Key"].encode())
    assert entry["StorageClass"] == "STANDARD"
    below = pages(s3, operation, Bucket=bucket, Prefix="dir-07/")
    assert keys(below) == [key for key in all_keys if key.startswith("dir-07/")]


@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2"])
def test_lists_with_a_delimiter(s3, many, operation):
    bucket, _ = many
    directories = ["b/"] + [f"dir-{number:02}/" for number in range(25)]
    beside = ["a", "dir-24", "z", "é"]
    whole = pages(s3, operation, Bucket=bucket, Delimiter="/")
    assert (prefixes(whole), keys(whole)) == (directories, beside)
    # Keys and prefixes count alike, and none is lost or repeated between pages.
    sevens = pages(
        s3, operation, Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 7}
    )
    assert (prefixes(sevens), keys(sevens)) == (directories, beside)
    sizes = [len(p.get("Contents", [])) + len(p.get("CommonPrefixes", [])) for p in sevens]
    assert sizes == [7, 7, 7, 7, 2]
    odd = pages(s3, operation, Bucket=bucket, Delimiter="-0", Prefix="dir-0")
    assert prefixes(odd) == [f"dir-0{n}/key-0" for n in range(10)]
    assert s3.list_objects_v2(Bucket=bucket, Delimiter="/", MaxKeys=3)["KeyCount"] == 3


def test_lists_from_a_place(s3, many):
    bucket, all_keys = many
    after = pages(s3, "list_objects_v2", Bucket=bucket, StartAfter="dir-20/key-2000")
    assert keys(after) == [key for key in all_keys if key.encode() > b"dir-20/key-2000"]
    marked = s3.list_objects(Bucket=bucket, Marker="z")
    assert keys([marked]) == ["é"]
    none = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert (none["KeyCount"], none["IsTruncated"]) == (0, False)
    assert s3.list_objects_v2(Bucket=bucket, MaxKeys=5000)["MaxKeys"] == 1000
    assert s3.list_objects_v2(Bucket=bucket, Prefix="nothing")["KeyCount"] == 0
    owned = s3.list_objects_v2(Bucket=bucket, MaxKeys=1, FetchOwner=True)["Contents"]
    assert owned[0]["Owner"]["ID"]


def test_each_object_is_listed_as_its_null_version(s3, many):
    bucket, all_keys = many
    whole = pages(s3, "list_object_versions", Bucket=bucket, PaginationConfig={"PageSize": 900})
    versions = [entry for page in whole for entry in page["Versions"]]
    assert [entry["Key"] for entry in versions] == all_keys
    assert {(entry["VersionId"], entry["IsLatest"]) for entry in versions} == {("null", True)}
    assert all(entry["ETag"] == f'"{md5(entry["Key"].encode())}"' for entry in versions)
    assert [page.get("NextVersionIdMarker") for page in whole] == ["null", "null", None]
    by_prefix = pages(
        s3, "list_object_versions", Bucket=bucket, Delimiter="/", PaginationConfig={"PageSize": 7}
    )
    assert prefixes(by_prefix) == ["b/"] + [f"dir-{number:02}/" for number in range(25)]
    beside = [entry["Key"] for page in by_prefix for entry in page.get("Versions", [])]
    assert beside == ["a", "dir-24", "z", "é"]
    for markers in [{"VersionIdMarker": "null"}, {"KeyMarker": "a", "VersionIdMarker": "x"}]:
        refused = error(s3.list_object_versions, Bucket=bucket, **markers)
        assert refused == ("InvalidArgument", 400), markers


def test_the_null_version_is_the_object(s3, bucket):
    assert "Status" not in s3.get_bucket_versioning(Bucket=bucket)
    for key in "abc":
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    null = {"Bucket": bucket, "VersionId": "null"}
    assert s3.get_object(Key="a", **null)["Body"].read() == b"a"
    assert s3.head_object(Key="a", **null)["ContentLength"] == 1
    source = {"Bucket": bucket, "Key": "a", "VersionId": "null"}
    s3.copy_object(Bucket=bucket, Key="d", CopySource=source)
    s3.delete_object(Key="a", **null)
    assert error(s3.get_object, Key="a", **null) == ("NoSuchKey", 404)
    # One that was never made is not taken for the object.
    asked = [{"Key": "b", "VersionId": "null"}, {"Key": "c", "VersionId": "other"}]
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": asked})
    assert done["Deleted"] == [{"Key": "b", "VersionId": "null"}]
    assert [entry["Code"] for entry in done["Errors"]] == ["NotImplemented"]
    for operation in [s3.get_object, s3.delete_object]:
        refused = error(operation, Bucket=bucket, Key="c", VersionId="other")
        assert refused == ("NotImplemented", 501)
    assert keys(pages(s3, "list_objects_v2", Bucket=bucket)) == ["c", "d"]


def test_a_page_follows_the_one_before_whatever_is_written(s3, bucket):
    for key in "acegi":
        s3.put_object(Bucket=bucket, Key=key)
    first = s3.list_objects_v2(Bucket=bucket, MaxKeys=2)
    s3.delete_object(Bucket=bucket, Key="c")
    s3.put_object(Bucket=bucket, Key="b")
    s3.put_object(Bucket=bucket, Key="d")
    rest = s3.list_objects_v2(Bucket=bucket, ContinuationToken=first["NextContinuationToken"])
    assert (keys([first]), keys([rest])) == (["a", "c"], ["d", "e", "g", "i"])


def test_a_token_is_only_what_was_given_out(s3, bucket):
    for key in "abc":
        s3.put_object(Bucket=bucket, Key=key)
    token = s3.list_objects_v2(Bucket=bucket, MaxKeys=1)["NextContinuationToken"]
    for wrong in ["x", token[:-4] + ("aaaa" if token[-4:] != "aaaa" else "bbbb")]:
        refused = error(s3.list_objects_v2, Bucket=bucket, ContinuationToken=wrong)
        assert refused == ("InvalidArgument", 400), wrong
    for parameters in [{"MaxKeys": -1}, {"EncodingType": "base64"}]:
        refused = error(s3.list_objects_v2, Bucket=bucket, **parameters)
        assert refused == ("InvalidArgument", 400), parameters


def test_a_thousand_deletions_in_one_request(s3, bucket):
    every = [f"key-{number:04}" for number in range(1001)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket=bucket, Key=key), every))
    too_many = [{"Key": key} for key in every]
    refused = error(s3.delete_objects, Bucket=bucket, Delete={"Objects": too_many})
    assert refused == ("MalformedXML", 400)
    asked = [{"Key": key} for key in every[1:-1]] + [{"Key": "absent"}]
    done = s3.delete_objects(Bucket=bucket, Delete={"Objects": asked})
    assert sorted(entry["Key"] for entry in done["Deleted"]) == sorted(e["Key"] for e in asked)
    assert keys(pages(s3, "list_objects_v2", Bucket=bucket)) == [every[0], every[-1]]
    quiet = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": every[0]}], "Quiet": True})
    assert "Deleted" not in quiet and "Errors" not in quiet
    assert error(s3.delete_objects, Bucket=bucket, Delete={"Objects": []}) == ("MalformedXML", 400)


# Buckets.


def test_buckets(s3, names):
    name = next(names)
    assert error(s3.head_bucket, Bucket=name) == ("404", 404)
    assert s3.create_bucket(Bucket=name)["Location"] == f"/{name}"
    assert error(s3.create_bucket, Bucket=name) == ("BucketAlreadyOwnedByYou", 409)
    assert s3.head_bucket(Bucket=name)["BucketRegion"] == "us-east-1"
    assert s3.get_bucket_location(Bucket=name)["LocationConstraint"] is None
    listed = {entry["Name"]: entry["CreationDate"] for entry in s3.list_buckets()["Buckets"]}
    age = datetime.datetime.now(datetime.UTC) - listed[name]
    assert abs(age) < datetime.timedelta(minutes=1)
    assert list(listed) == sorted(listed)
    s3.put_object(Bucket=name, Key="key")
    assert error(s3.delete_bucket, Bucket=name) == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket=name, Key="key")
    s3.delete_bucket(Bucket=name)
    assert error(s3.delete_bucket, Bucket=name) == ("NoSuchBucket", 404)


def test_buckets_in_pages(s3, names):
    made = sorted(f"paged-{next(names)}" for _ in range(5))
    for name in made:
        s3.create_bucket(Bucket=name)
    paged = pages(s3, "list_buckets", Prefix="paged-", PaginationConfig={"PageSize": 2})
    assert [len(page["Buckets"]) for page in paged] == [2, 2, 1]
    seen = [entry["Name"] for page in paged for entry in page["Buckets"]]
    assert seen == made


@pytest.mark.parametrize("name", ["Upper-Case", "under_score", "192.168.1.1", "dot..dot", "x--s3a.", "-dash"])
def test_names_that_no_bucket_has(s3, name):
    assert error(s3.create_bucket, Bucket=name) == ("InvalidBucketName", 400)


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("get_object", {"Key": "k"}),
        ("put_object", {"Key": "k", "Body": b"x"}),
        ("delete_object", {"Key": "k"}),
        ("delete_objects", {"Delete": {"Objects": [{"Key": "k"}]}}),
        ("list_objects", {}),
        ("list_objects_v2", {}),
        ("list_multipart_uploads", {}),
        ("create_multipart_upload", {"Key": "k"}),
        ("delete_bucket", {}),
        ("get_bucket_location", {}),
        ("get_bucket_versioning", {}),
        ("list_object_versions", {}),
        ("copy_object", {"Key": "k", "CopySource": "a-bucket/k"}),
    ],
)
def test_in_a_bucket_that_is_not_there(s3, operation, parameters):
    refused = error(getattr(s3, operation), Bucket="no-such-bucket", **parameters)
    assert refused == ("NoSuchBucket", 404)


# Credentials.


def test_wrong_credentials(server, connect, bucket):
    stranger = connect(Key("AKIAIOSFODNN7EXAMPLE", server.key.secret))
    assert error(stranger.list_objects_v2, Bucket=bucket) == ("InvalidAccessKeyId", 403)
    assert error(stranger.put_object, Bucket=bucket, Key="k") == ("InvalidAccessKeyId", 403)
    forger = connect(Key(server.key.id, server.key.secret[::-1]))
    assert error(forger.list_objects_v2, Bucket=bucket) == ("SignatureDoesNotMatch", 403)
    assert error(forger.put_object, Bucket=bucket, Key="k") == ("SignatureDoesNotMatch", 403)
    nobody = connect(signature_version=botocore.UNSIGNED)
    assert error(nobody.list_objects_v2, Bucket=bucket) == ("AccessDenied", 403)
    assert error(nobody.get_object, Bucket=bucket, Key="k") == ("AccessDenied", 403)
    assert error(nobody.list_buckets) == ("AccessDenied", 403)


def test_presigned_urls(server, s3, connect, bucket):
    pool = urllib3.PoolManager(ca_certs=server.ca, retries=False)
    signer = connect(signature_version="s3v4")

    def url(operation, **parameters):
        return signer.generate_presigned_url(operation, {"Bucket": bucket, **parameters})

    for key in ODD_KEYS[:-1]:
        # urllib3 resolves dots in a path by itself, unlike botocore.
        if not {".", ".."} & set(key.split("/")):
            put = pool.request("PUT", url("put_object", Key=key), body=key.encode())
            assert put.status == 200, put.data
            assert pool.request("GET", url("get_object", Key=key)).data == key.encode()
    typed = url("put_object", Key="typed", ContentType="text/x")
    refused = pool.request("PUT", typed, body=b"x", headers={"content-type": "text/y"})
    assert (refused.status, b"SignatureDoesNotMatch" in refused.data) == (403, True)
    assert pool.request("PUT", typed, body=b"x", headers={"content-type": "text/x"}).status == 200
    named = url("get_object", Key="typed", ResponseContentDisposition='attachment; filename="ä"')
    disposition = pool.request("GET", named).headers["content-disposition"]
    assert disposition.startswith("attachment")
    assert pool.request("DELETE", url("get_object", Key="typed")).status == 403
    assert pool.request("GET", url("get_object", Key="typed") + "&versionId=x").status == 403
    assert pool.request("DELETE", url("delete_object", Key="typed")).status == 204
    # In the oldest regions boto3 presigns with Signature Version 2 unless it is told not to.
    old = s3.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "typed"})
    refused = pool.request("GET", old)
    assert (refused.status, b"AWS4-HMAC-SHA256" in refused.data) == (400, True)
