"""Two organizations on one server: neither reaches, changes or learns of what is the other's."""

import itertools
import re

import pytest
from botocore.exceptions import ClientError

from wire import Wire, target


@pytest.fixture(scope="module")
def others_key(server):
    return server.create_organization("others")


@pytest.fixture(scope="module")
def other(connect, others_key):
    return connect(others_key)


@pytest.fixture
def secret(s3, bucket):
    """A bucket that holds an object and an upload in progress, of which the other knows."""
    s3.put_object(Bucket=bucket, Key="key", Body=b"secret")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="upload")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="upload", UploadId=upload, PartNumber=1, Body=b"part")
    return bucket, upload


def operations(bucket, upload):
    """Everything that names a bucket."""
    place = {"Bucket": bucket, "Key": "key"}
    parts = {"Bucket": bucket, "Key": "upload", "UploadId": upload}
    part = {"PartNumber": 1, "ETag": '"0"'}
    return [
        ("head_bucket", {"Bucket": bucket}),
        ("get_bucket_location", {"Bucket": bucket}),
        ("delete_bucket", {"Bucket": bucket}),
        ("list_objects", {"Bucket": bucket}),
        ("list_objects_v2", {"Bucket": bucket}),
        ("list_multipart_uploads", {"Bucket": bucket}),
        ("get_object", place),
        ("get_object", place | {"Range": "bytes=0-1"}),
        ("head_object", place),
        ("put_object", place | {"Body": b"x"}),
        ("put_object", place | {"Body": b"x", "IfNoneMatch": "*"}),
        ("delete_object", place),
        ("delete_objects", {"Bucket": bucket, "Delete": {"Objects": [{"Key": "key"}]}}),
        ("copy_object", {"Bucket": "own", "Key": "copy", "CopySource": place}),
        ("create_multipart_upload", place),
        ("upload_part", parts | {"PartNumber": 1, "Body": b"x"}),
        ("list_parts", parts),
        ("abort_multipart_upload", parts),
        ("complete_multipart_upload", parts | {"MultipartUpload": {"Parts": [part]}}),
    ]


def refusal(client, operation, parameters):
    """What a caller can see of a refusal."""
    with pytest.raises(ClientError) as raised:
        getattr(client, operation)(**parameters)
    response = raised.value.response
    headers = response["ResponseMetadata"]["HTTPHeaders"]
    shown = {name: value for name, value in headers.items() if name not in CHANGING}
    error = {k: v for k, v in response["Error"].items() if k not in {"RequestId", "HostId"}}
    return response["ResponseMetadata"]["HTTPStatusCode"], error, shown


CHANGING = {"date", "x-amz-request-id", "x-amz-id-2"}


def test_what_is_anothers_is_as_if_it_were_not(s3, other, secret):
    bucket, upload = secret
    other.create_bucket(Bucket="own")
    # Nobody has this name, which is as long.
    absent = bucket.replace("bucket", "absent")
    for (operation, theirs), (_, nobodys) in zip(
        operations(bucket, upload), operations(absent, upload), strict=True
    ):
        hidden, missing = refusal(other, operation, theirs), refusal(other, operation, nobodys)
        assert str(hidden).replace(bucket, absent) == str(missing), operation
        assert hidden[0] == 404, operation
    # And all of it is still there.
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"secret"
    assert s3.list_parts(Bucket=bucket, Key="upload", UploadId=upload)["Parts"][0]["Size"] == 4
    assert bucket not in [entry["Name"] for entry in other.list_buckets()["Buckets"]]


def test_both_may_use_one_name(s3, other, bucket):
    assert other.create_bucket(Bucket=bucket)
    for client, body in (s3, b"ours"), (other, b"theirs"):
        client.put_object(Bucket=bucket, Key="key", Body=body)
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"ours"
    assert other.get_object(Bucket=bucket, Key="key")["Body"].read() == b"theirs"
    other.delete_object(Bucket=bucket, Key="key")
    other.delete_bucket(Bucket=bucket)
    assert s3.get_object(Bucket=bucket, Key="key")["Body"].read() == b"ours"


def test_what_one_was_given_is_nothing_to_the_other(s3, other, bucket):
    other.create_bucket(Bucket=bucket)
    for client, key in itertools.product((s3, other), "abc"):
        client.put_object(Bucket=bucket, Key=key)
    token = s3.list_objects_v2(Bucket=bucket, MaxKeys=1)["NextContinuationToken"]
    with pytest.raises(ClientError, match="InvalidArgument"):
        other.list_objects_v2(Bucket=bucket, ContinuationToken=token)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
    named = {"Bucket": bucket, "Key": "a", "UploadId": upload}
    for call in other.list_parts, other.abort_multipart_upload:
        with pytest.raises(ClientError, match="NoSuchUpload"):
            call(**named)
    assert "Uploads" not in other.list_multipart_uploads(Bucket=bucket)
    assert "Parts" not in s3.list_parts(**named)


def test_a_copy_takes_nothing_from_another(s3, other, secret):
    bucket, _ = secret
    other.create_bucket(Bucket=bucket)
    for operation, parameters in [
        ("copy_object", {"Key": "copy"}),
        (
            "upload_part_copy",
            {
                "Key": "parts",
                "PartNumber": 1,
                "UploadId": other.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"],
            },
        ),
    ]:
        source = {"Bucket": bucket, "Key": "key"}
        status, error, _ = refusal(
            other, operation, {"Bucket": bucket, "CopySource": source, **parameters}
        )
        assert (status, error["Code"]) == (404, "NoSuchKey")


def test_a_url_is_signed_for_one_organization(server, others_key, s3, secret):
    bucket, _ = secret
    ours, theirs = Wire(server, server.key), Wire(server, others_key)
    place = target(bucket, "key")
    assert ours.send_as("GET", ours.signature().presigned("GET", place, ours.host)).body == b"secret"
    url = theirs.signature().presigned("GET", place, theirs.host)
    assert theirs.send_as("GET", url).refusal == ("NoSuchBucket", 404)
    # Another's key id does not carry over to one's own signature.
    mixed = re.sub(re.escape(others_key.id), server.key.id, url)
    assert theirs.send_as("GET", mixed).refusal == ("SignatureDoesNotMatch", 403)
