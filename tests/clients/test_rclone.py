"""rclone: trees kept alike, server-side copies, and MD5 checked on both ends of each transfer."""

import hashlib
import json
import urllib.request

import pytest

from conftest import FILE_NAMES, MIB, SIZES, noise, tree
from server import REGION, Key


@pytest.fixture
def rclone(server, run):
    def rclone(*arguments, key=server.key, **options):
        settings = {
            "TYPE": "s3",
            "PROVIDER": "Other",
            "ENDPOINT": server.endpoint,
            "REGION": REGION,
            "FORCE_PATH_STYLE": "true",
            "ACCESS_KEY_ID": key.id,
            "SECRET_ACCESS_KEY": key.secret,
            "UPLOAD_CUTOFF": "8M",
            "CHUNK_SIZE": "5M",
        }
        environment = {f"RCLONE_CONFIG_HOUSE_{name}": value for name, value in settings.items()}
        once = ["--retries", "1", "--low-level-retries", "1"]
        trust = ["--ca-cert", server.ca] if server.ca else []
        return run("rclone", *arguments, *once, *trust, environment=environment, **options)

    return rclone


def test_trees(rclone, bucket, folder, tmp_path):
    there, back = f"house:{bucket}/tree", tmp_path / "back"
    rclone("copy", folder, there)
    rclone("check", folder, there)
    rclone("check", "--download", folder, there)
    listed = json.loads(rclone("lsjson", "--recursive", "--files-only", there))
    assert sorted(entry["Path"] for entry in listed) == sorted(FILE_NAMES)
    rclone("copy", there, back)
    assert tree(back) == tree(folder)
    (back / "plain.txt").unlink()
    (back / "new").write_bytes(b"new")
    rclone("sync", back, there)
    rclone("check", back, there)
    rclone("purge", there)
    assert rclone("lsf", f"house:{bucket}") == b""


def test_sizes(rclone, bucket):
    for size in SIZES:
        rclone("rcat", f"house:{bucket}/key", stdin=noise(size))
        assert rclone("cat", f"house:{bucket}/key") == noise(size), size


def test_a_big_file(rclone, s3, bucket, big):
    rclone("copyto", big, f"house:{bucket}/big")
    assert s3.head_object(Bucket=bucket, Key="big")["ETag"].endswith('-20"')
    # The MD5 of the whole is kept as metadata when an object is made of parts.
    digest = hashlib.md5(big.read_bytes()).hexdigest()
    assert rclone("md5sum", f"house:{bucket}/big").decode().split() == [digest, "big"]
    rclone("copyto", f"house:{bucket}/big", f"house:{bucket}/whole")
    rclone("copyto", "--s3-copy-cutoff", "30M", f"house:{bucket}/big", f"house:{bucket}/parts")
    rclone("check", "--download", f"house:{bucket}", big.parent, "--include", "/big")
    for copy in "whole", "parts":
        assert hashlib.md5(rclone("cat", f"house:{bucket}/{copy}")).hexdigest() == digest


def test_ranges(rclone, bucket):
    sent = noise(3 * MIB)
    rclone("rcat", f"house:{bucket}/key", stdin=sent)
    read = rclone("cat", f"house:{bucket}/key", "--offset", 65530, "--count", 12)
    assert read == sent[65530:65542]
    assert rclone("cat", f"house:{bucket}/key", "--tail", 10) == sent[-10:]


def test_moves_and_metadata(rclone, s3, bucket, folder):
    rclone("copyto", folder / "plain.txt", f"house:{bucket}/a", "--metadata-set", "color=blue", "-M")
    rclone("moveto", f"house:{bucket}/a", f"house:{bucket}/b")
    assert rclone("lsf", f"house:{bucket}") == b"b\n"
    head = s3.head_object(Bucket=bucket, Key="b")
    assert head["Metadata"]["color"] == "blue"
    # Modification times are kept as metadata, to the nanosecond.
    when = json.loads(rclone("lsjson", f"house:{bucket}"))[0]["ModTime"]
    assert when[:19] == json.loads(rclone("lsjson", folder / "plain.txt"))[0]["ModTime"][:19]


def test_presigned_urls(rclone, server, bucket):
    rclone("rcat", f"house:{bucket}/a key", stdin=b"body")
    url = rclone("link", f"house:{bucket}/a key", "--expire", "1m").decode().strip()
    with urllib.request.urlopen(url, context=server.tls_context()) as answer:
        assert answer.read() == b"body"


def test_many_keys(rclone, s3, bucket, tmp_path):
    for number in range(250):
        (tmp_path / f"key-{number:03}").write_bytes(b"%d" % number)
    rclone("copy", tmp_path, f"house:{bucket}", "--transfers", "16", "--include", "key-*")
    for version in "1", "2":
        chunks = ["--s3-list-chunk", "100", "--s3-list-version", version]
        listed = rclone("lsf", f"house:{bucket}", *chunks).decode().split()
        assert listed == [f"key-{number:03}" for number in range(250)]
    rclone("delete", f"house:{bucket}")
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_a_path_is_cleaned_before_it_is_a_key(rclone, s3, bucket):
    rclone("rcat", f"house:{bucket}/a//b", stdin=b"x")
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=bucket)["Contents"]] == ["a/b"]


def test_buckets(rclone, names):
    name = next(names)
    rclone("mkdir", f"house:{name}")
    rclone("mkdir", f"house:{name}")
    assert f"{name}/" in rclone("lsf", "house:").decode().splitlines()
    rclone("rcat", f"house:{name}/key", stdin=b"x")
    assert "BucketNotEmpty" in rclone("rmdir", f"house:{name}", fails=True)
    rclone("purge", f"house:{name}")
    assert "directory not found" in rclone("lsf", f"house:{name}", fails=True)


def test_errors(rclone, server, bucket):
    stranger = Key("AKIAIOSFODNN7EXAMPLE", server.key.secret)
    assert "InvalidAccessKeyId" in rclone("lsf", "house:", key=stranger, fails=True)
    forger = Key(server.key.id, "not the secret")
    assert "SignatureDoesNotMatch" in rclone("lsf", "house:", key=forger, fails=True)
