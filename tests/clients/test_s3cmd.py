"""s3cmd: an old client with a signer of its own, which takes every ETag without `-` for an MD5."""

import urllib.error
import urllib.request

import pytest

from conftest import FILE_NAMES, SIZES, noise, tree
from server import REGION, Key


@pytest.fixture
def s3cmd(server, run, tmp_path):
    def s3cmd(*arguments, key=server.key, **options):
        settings = {
            "access_key": key.id,
            "secret_key": key.secret,
            "host_base": server.address,
            "host_bucket": server.address,
            "bucket_location": REGION,
            "use_https": bool(server.ca),
            "ca_certs_file": server.ca or "",
            "multipart_chunk_size_mb": 5,
            "max_retries": 1,
            "progress_meter": False,
        }
        file = tmp_path / "s3cfg"
        lines = (f"{name} = {value}\n" for name, value in settings.items())
        file.write_text("[default]\n" + "".join(lines))
        return run("s3cmd", "--config", file, *arguments, **options)

    return s3cmd


def test_buckets(s3cmd, names):
    name = next(names)
    s3cmd("mb", f"s3://{name}")
    assert f"s3://{name}" in s3cmd("ls").decode()
    s3cmd("put", "-", f"s3://{name}/key", stdin=b"x")
    assert "BucketNotEmpty" in s3cmd("rb", f"s3://{name}", fails=True)
    s3cmd("rb", "--recursive", "--force", f"s3://{name}")
    assert "NoSuchBucket" in s3cmd("ls", f"s3://{name}", fails=True)


@pytest.mark.parametrize("size", SIZES)
def test_sizes(s3cmd, bucket, tmp_path, size):
    (tmp_path / "file").write_bytes(noise(size))
    s3cmd("put", tmp_path / "file", f"s3://{bucket}/key")
    s3cmd("get", f"s3://{bucket}/key", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == noise(size)


def test_a_big_file(s3cmd, s3, bucket, big, tmp_path):
    s3cmd("put", big, f"s3://{bucket}/big")
    assert s3.head_object(Bucket=bucket, Key="big")["ETag"].endswith('-20"')
    s3cmd("cp", f"s3://{bucket}/big", f"s3://{bucket}/copy")
    s3cmd("get", f"s3://{bucket}/copy", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == big.read_bytes()


def test_a_download_goes_on_where_it_stopped(s3cmd, bucket, tmp_path):
    (tmp_path / "file").write_bytes(noise(100_000))
    s3cmd("put", tmp_path / "file", f"s3://{bucket}/key")
    (tmp_path / "back").write_bytes(noise(100_000)[:65_000])
    s3cmd("get", "--continue", f"s3://{bucket}/key", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == noise(100_000)


def test_trees(s3cmd, bucket, folder, tmp_path):
    there, back = f"s3://{bucket}/tree/", tmp_path / "back"
    back.mkdir()
    s3cmd("sync", f"{folder}/", there)
    listed = s3cmd("ls", "--recursive", there).decode()
    assert [name for name in FILE_NAMES if f"/tree/{name}\n" not in listed] == []
    # Nothing is sent again: sizes and MD5s are compared.
    assert b"upload:" not in s3cmd("sync", f"{folder}/", there)
    s3cmd("sync", there, f"{back}/")
    assert tree(back) == tree(folder)
    (back / "plain.txt").unlink()
    s3cmd("sync", "--delete-removed", f"{back}/", there)
    assert b"plain.txt" not in s3cmd("ls", there)
    size, count = s3cmd("du", there).split()[:2]
    assert (int(size), int(count)) == (sum(map(len, tree(back).values())), len(tree(back)))
    s3cmd("mv", f"{there}with space", f"s3://{bucket}/moved")
    s3cmd("del", "--recursive", "--force", there)
    assert s3cmd("ls", "--recursive", f"s3://{bucket}").split()[-1] == f"s3://{bucket}/moved".encode()


def test_what_is_said_of_an_object(s3cmd, s3, bucket, folder):
    said = ["--add-header", "x-amz-meta-color:blue", "--mime-type", "text/x-test"]
    s3cmd("put", *said, folder / "plain.txt", f"s3://{bucket}/key")
    head = s3.head_object(Bucket=bucket, Key="key")
    assert head["Metadata"]["color"] == "blue"
    assert head["ContentType"].startswith("text/x-test")


def test_signed_urls(s3cmd, server, bucket, folder):
    s3cmd("put", folder / "plain.txt", f"s3://{bucket}/a key")
    # s3cmd signs URLs with Signature Version 2, which is refused here.
    url = s3cmd("signurl", f"s3://{bucket}/a key", "+60").decode().strip()
    url = url.replace("http://", "https://") if server.ca else url
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(url, context=server.tls_context())
    assert refused.value.code in {400, 403}


def test_errors(s3cmd, server, bucket, tmp_path):
    assert "does not exist" in s3cmd("get", f"s3://{bucket}/absent", tmp_path / "x", fails=True)
    stranger = Key("AKIAIOSFODNN7EXAMPLE", server.key.secret)
    assert "InvalidAccessKeyId" in s3cmd("ls", key=stranger, fails=True)
    forger = Key(server.key.id, "not the secret")
    assert "SignatureDoesNotMatch" in s3cmd("ls", key=forger, fails=True)
