"""minio-py: a client with a signer and a multipart upload of its own."""

import datetime
import hashlib
import io

import certifi
import pytest
import urllib3
from minio import Minio, S3Error
from minio.commonconfig import REPLACE, ComposeSource, CopySource
from minio.deleteobjects import DeleteObject

from conftest import MIB, ODD_KEYS, SIZES, noise
from server import REGION, Key


@pytest.fixture(scope="session")
def minio_as(server):
    def minio_as(key):
        return Minio(
            server.address,
            access_key=key.id,
            secret_key=key.secret,
            secure=bool(server.ca),
            region=REGION,
            http_client=urllib3.PoolManager(
                ca_certs=server.ca or certifi.where(), retries=False, maxsize=16
            ),
        )

    return minio_as


@pytest.fixture(scope="session")
def minio(minio_as, server):
    return minio_as(server.key)


def read(minio, bucket, key, **parameters):
    answer = minio.get_object(bucket, key, **parameters)
    try:
        return answer.read()
    finally:
        answer.close()
        answer.release_conn()


def put(minio, bucket, key, data, **parameters):
    return minio.put_object(bucket, key, io.BytesIO(data), len(data), **parameters)


def code(call, *arguments, **parameters):
    """The error that a call must end with."""
    with pytest.raises(S3Error) as raised:
        call(*arguments, **parameters)
    return raised.value.code


@pytest.mark.parametrize("size", SIZES)
def test_sizes(minio, bucket, size):
    written = put(minio, bucket, "key", noise(size))
    assert read(minio, bucket, "key") == noise(size)
    stat = minio.stat_object(bucket, "key")
    assert (stat.size, stat.etag) == (size, written.etag)


def test_a_stream_of_unknown_length(minio, bucket):
    sent = noise(11 * MIB)
    written = minio.put_object(bucket, "key", io.BytesIO(sent), -1, part_size=5 * MIB)
    assert written.etag.endswith("-3")
    assert read(minio, bucket, "key") == sent


def test_a_big_file(minio, bucket, big, tmp_path):
    minio.fput_object(bucket, "big", str(big), part_size=16 * MIB, num_parallel_uploads=3)
    minio.fget_object(bucket, "big", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == big.read_bytes()
    parts = [
        ComposeSource(bucket, "big", offset=0, length=20 * MIB),
        ComposeSource(bucket, "big", offset=50 * MIB, length=MIB),
    ]
    minio.compose_object(bucket, "composed", parts)
    whole = big.read_bytes()
    assert read(minio, bucket, "composed") == whole[: 20 * MIB] + whole[50 * MIB : 51 * MIB]


@pytest.mark.parametrize("key", ODD_KEYS)
def test_odd_keys(minio, bucket, key):
    if {".", ".."} & set(key.split("/")):
        # The client refuses these by itself.
        with pytest.raises(ValueError, match="segment"):
            put(minio, bucket, key, b"x")
    else:
        put(minio, bucket, key, key.encode())
        assert read(minio, bucket, key) == key.encode()
        listed = minio.list_objects(bucket, recursive=True)
        assert [entry.object_name for entry in listed] == [key]


def test_ranges(minio, bucket):
    put(minio, bucket, "key", b"0123456789")
    assert read(minio, bucket, "key", offset=3, length=4) == b"3456"
    assert read(minio, bucket, "key", offset=8) == b"89"
    assert code(minio.get_object, bucket, "key", offset=10, length=1) == "InvalidRange"


def test_copies(minio, bucket):
    put(minio, bucket, "source", b"body", metadata={"color": "blue"})
    minio.copy_object(bucket, "kept", CopySource(bucket, "source"))
    assert minio.stat_object(bucket, "kept").metadata["x-amz-meta-color"] == "blue"
    minio.copy_object(
        bucket,
        "replaced",
        CopySource(bucket, "source"),
        metadata={"size": "10"},
        metadata_directive=REPLACE,
    )
    stat = minio.stat_object(bucket, "replaced")
    assert stat.metadata["x-amz-meta-size"] == "10"
    assert "x-amz-meta-color" not in stat.metadata
    unchanged = CopySource(bucket, "source", match_etag="0" * 32)
    assert code(minio.copy_object, bucket, "copy", unchanged) == "PreconditionFailed"


def test_lists(minio, bucket):
    for number in range(30):
        put(minio, bucket, f"dir-{number % 3}/key-{number:02}", b"x")
    names = sorted(f"dir-{number % 3}/key-{number:02}" for number in range(30))
    assert [o.object_name for o in minio.list_objects(bucket, recursive=True)] == names
    first = minio.list_objects(bucket, recursive=True, use_api_v1=True)
    assert [o.object_name for o in first] == names
    rolled = [(o.object_name, o.is_dir) for o in minio.list_objects(bucket)]
    assert rolled == [(f"dir-{number}/", True) for number in range(3)]
    after = minio.list_objects(bucket, recursive=True, start_after="dir-2/key-20")
    assert [o.object_name for o in after] == [n for n in names if n > "dir-2/key-20"]
    below = minio.list_objects(bucket, prefix="dir-1/")
    assert len(list(below)) == 10


def test_deletions(minio, bucket):
    for number in range(20):
        put(minio, bucket, f"key-{number:02}", b"x")
    minio.remove_object(bucket, "key-00")
    minio.remove_object(bucket, "key-00")
    assert code(minio.stat_object, bucket, "key-00") == "NoSuchKey"
    asked = [DeleteObject(f"key-{number:02}") for number in range(1, 19)]
    assert list(minio.remove_objects(bucket, asked)) == []
    assert [o.object_name for o in minio.list_objects(bucket)] == ["key-19"]


def test_presigned_urls(minio, server, bucket):
    pool = urllib3.PoolManager(ca_certs=server.ca, retries=False)
    soon = datetime.timedelta(minutes=1)
    sent = pool.request("PUT", minio.presigned_put_object(bucket, "a key+", soon), body=b"body")
    assert sent.status == 200
    url = minio.presigned_get_object(
        bucket, "a key+", soon, response_headers={"response-content-type": "text/x"}
    )
    got = pool.request("GET", url)
    assert (got.data, got.headers["content-type"]) == (b"body", "text/x")


def test_buckets(minio, names):
    name = next(names)
    assert not minio.bucket_exists(name)
    minio.make_bucket(name)
    assert minio.bucket_exists(name)
    assert code(minio.make_bucket, name) == "BucketAlreadyOwnedByYou"
    assert name in [bucket.name for bucket in minio.list_buckets()]
    put(minio, name, "key", b"x")
    assert code(minio.remove_bucket, name) == "BucketNotEmpty"
    minio.remove_object(name, "key")
    minio.remove_bucket(name)
    assert code(minio.remove_bucket, name) == "NoSuchBucket"


def test_etags_are_md5(minio, bucket):
    assert put(minio, bucket, "key", b"body").etag == hashlib.md5(b"body").hexdigest()


def test_errors(minio, minio_as, server, bucket):
    assert code(minio.get_object, bucket, "absent") == "NoSuchKey"
    assert code(minio.get_object, "no-such-bucket", "key") == "NoSuchBucket"
    stranger = minio_as(Key("AKIAIOSFODNN7EXAMPLE", server.key.secret))
    assert code(stranger.list_buckets) == "InvalidAccessKeyId"
    forger = minio_as(Key(server.key.id, "not the secret"))
    assert code(forger.list_buckets) == "SignatureDoesNotMatch"
