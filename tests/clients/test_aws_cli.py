"""The aws command line: buckets, single files, trees, pipes, and the errors it reports."""

import hashlib
import json
import urllib.error
import urllib.request

import pytest

from conftest import FILE_NAMES, MIB, SIZES, noise, tree
from server import Key


def test_buckets(aws, names):
    name = next(names)
    assert f"make_bucket: {name}" in aws("s3", "mb", f"s3://{name}").decode()
    assert name in aws("s3", "ls").decode()
    assert "BucketAlreadyOwnedByYou" in aws("s3", "mb", f"s3://{name}", fails=True)
    aws("s3", "cp", "-", f"s3://{name}/key", stdin=b"x")
    assert "BucketNotEmpty" in aws("s3", "rb", f"s3://{name}", fails=True)
    aws("s3", "rb", "--force", f"s3://{name}")
    assert "NoSuchBucket" in aws("s3", "ls", f"s3://{name}", fails=True)


def test_sizes_by_pipe(aws, s3, bucket):
    # The command line cuts what comes by a pipe into parts from 8 MiB on.
    for size in [*SIZES, 17 * MIB]:
        aws("s3", "cp", "-", f"s3://{bucket}/key", stdin=noise(size))
        assert s3.head_object(Bucket=bucket, Key="key")["ContentLength"] == size
        assert aws("s3", "cp", f"s3://{bucket}/key", "-") == noise(size), size


def test_a_big_file(aws, bucket, big, tmp_path):
    aws("s3", "cp", big, f"s3://{bucket}/big", "--no-progress")
    aws("s3", "cp", f"s3://{bucket}/big", f"s3://{bucket}/copy", "--no-progress")
    aws("s3", "cp", f"s3://{bucket}/copy", tmp_path / "back", "--no-progress")
    assert (tmp_path / "back").read_bytes() == big.read_bytes()


def test_trees(aws, bucket, folder, tmp_path):
    there, back = f"s3://{bucket}/tree", tmp_path / "back"
    aws("s3", "sync", folder, there, "--no-progress")
    assert aws("s3", "sync", folder, there, "--no-progress") == b""
    listed = aws("s3", "ls", "--recursive", there).decode()
    assert [line for name in FILE_NAMES if (line := f"tree/{name}\n") not in listed] == []
    aws("s3", "sync", there, back, "--no-progress")
    assert tree(back) == tree(folder)
    (back / "plain.txt").unlink()
    aws("s3", "sync", "--delete", back, there, "--no-progress")
    assert "plain.txt" not in aws("s3", "ls", there + "/").decode()
    aws("s3", "mv", "--recursive", there, f"s3://{bucket}/moved", "--no-progress")
    aws("s3", "rm", "--recursive", f"s3://{bucket}/moved", "--exclude", "*/file")
    summary = aws("s3", "ls", "--recursive", "--summarize", f"s3://{bucket}").decode()
    assert "Total Objects: 1" in summary


def test_what_is_said_of_an_object(aws, bucket, tmp_path):
    file = tmp_path / "page.html"
    file.write_bytes(b"<p>")
    said = ["--metadata", "color=blue,size=10", "--cache-control", "no-store"]
    aws("s3", "cp", file, f"s3://{bucket}/page.html", "--checksum-algorithm", "SHA256", *said)
    asked = ["--bucket", bucket, "--key", "page.html", "--checksum-mode", "ENABLED"]
    head = json.loads(aws("s3api", "head-object", *asked))
    assert head["Metadata"] == {"color": "blue", "size": "10"}
    assert (head["ContentType"], head["CacheControl"]) == ("text/html", "no-store")
    assert head["ETag"] == f'"{hashlib.md5(b"<p>").hexdigest()}"'
    assert head["ChecksumSHA256"]


def test_ranges_and_conditions(aws, bucket, tmp_path):
    place = ["--bucket", bucket, "--key", "key"]
    (tmp_path / "body").write_bytes(b"0123456789")
    put = ["s3api", "put-object", *place, "--body", tmp_path / "body"]
    aws(*put, "--if-none-match", "*")
    assert "PreconditionFailed" in aws(*put, "--if-none-match", "*", fails=True)
    get = ["s3api", "get-object", *place, tmp_path / "part", "--range"]
    aws(*get, "bytes=2-4")
    assert (tmp_path / "part").read_bytes() == b"234"
    assert "InvalidRange" in aws(*get, "bytes=10-", fails=True)


def test_presigned_urls(aws, server, bucket, tmp_path):
    aws("s3", "cp", "-", f"s3://{bucket}/a key", stdin=b"body")

    def get():
        url = aws("s3", "presign", f"s3://{bucket}/a key", "--expires-in", "60").decode().strip()
        return urllib.request.urlopen(url, context=server.tls_context())

    # In the oldest regions it presigns with Signature Version 2 unless it is told not to.
    with pytest.raises(urllib.error.HTTPError) as refused:
        get()
    assert refused.value.code == 400
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text("[default]\ns3 =\n  signature_version = s3v4\n")
    with get() as answer:
        assert answer.read() == b"body"


def test_lists_in_pages(aws, s3, bucket):
    for number in range(25):
        s3.put_object(Bucket=bucket, Key=f"key-{number:02}")
    listed = aws("s3", "ls", f"s3://{bucket}", "--page-size", "10").decode()
    assert [line.split()[-1] for line in listed.splitlines()] == [f"key-{n:02}" for n in range(25)]


def test_errors(aws, server, bucket):
    assert "NoSuchKey" in aws(
        "s3api", "get-object", "--bucket", bucket, "--key", "absent", "/dev/null", fails=True
    )
    assert "(404)" in aws("s3", "cp", f"s3://{bucket}/absent", "-", fails=True)
    stranger = Key("AKIAIOSFODNN7EXAMPLE", server.key.secret)
    assert "InvalidAccessKeyId" in aws("s3", "ls", key=stranger, fails=True)
    forger = Key(server.key.id, "not the secret")
    assert "SignatureDoesNotMatch" in aws("s3", "ls", key=forger, fails=True)
